//! Where a line ends, and where a slice does.

use expect_test::expect;

use crate::world::World;

#[test]
fn a_long_stream_is_ingested_in_slices_and_continued_where_it_broke_off() {
    let world = World::new();
    let line = |n: u32| {
        format!("2017-01-14T10:{:02}:00Z,{n},item-{},\"a \"\"note\"\"\nof two lines\"\n", n % 60, n % 7)
    };
    let log = format!("ts,event_id,item_id,note\n{}", (0..4_000).map(line).collect::<String>());
    let slices = ["ingest", "--slice-size", "64KiB", "-"];
    expect![[r#"
        stderr: rejected: -:5122: line has an unclosed quote; if quotes are part of the text, pass --quoting none
        stderr: hint: to load an input again with other options, pass --force too
        stderr: ingest: 2561 read = 2560 accepted + 0 duplicate + 1 rejected, 3 new batches
        exit code 4
    "#]]
    .assert_eq(&world.run_with(&slices, &log.as_bytes()[..150_000]).whole());
    expect![[r#"
        stderr: ingest: 4000 read = 1761 accepted + 2239 duplicate + 0 rejected, 2 new batches
        exit code 0
    "#]]
    .assert_eq(&world.run_with(&slices, log.as_bytes()).whole());
    expect![[r#"
        stderr: skipped: - is already ingested
        stderr: ingest: 4000 read = 0 accepted + 4000 duplicate + 0 rejected, 0 new batches
        exit code 0
    "#]]
    .assert_eq(&world.run_with(&["ingest", "-"], log.as_bytes()).whole());
    expect![[r#"
        item,units,purchases,amount
        item-0,572,572,0.0000
        item-1,572,572,0.0000
        item-2,572,572,0.0000
        item-3,571,571,0.0000
        item-4,571,571,0.0000
        item-5,571,571,0.0000
        item-6,571,571,0.0000
    "#]]
    .assert_eq(&world.sold());
    expect![[r#"
        stderr: error: the lake's slice size is 65536 bytes, not 1048576
        stderr: hint: omit --slice-size to use the slice size of the lake
        exit code 2
    "#]]
    .assert_eq(&world.run("ingest --slice-size 1MiB -").whole());
}

/// Every quote used to count in the search for the end of a slice, so that the inches of one pipe cut
/// valid records in two at the end of every slice after them.
#[test]
fn a_quote_inside_a_field_does_not_cut_a_record_of_several_lines() {
    let world = World::new();
    let line = |n: u32| format!("2017-01-14T10:00:00Z,item-{n},\"a note\nof two lines\"\n");
    let pipe = "2017-01-14T10:00:00Z,5\" pipe,none\n";
    for at in [0, 700, 2_999] {
        let lines = (0..3_000).map(|n| line(n) + if n == at { pipe } else { "" });
        let log = format!("ts,item_id,note\n{}", lines.collect::<String>());
        assert!(log.len() > 2 * (64 << 10));
        let lake = format!("lake-{at}");
        let said = world.run_with(&["ingest", "--lake", &lake, "--slice-size", "64KiB", "-"], log.as_bytes());
        let account = "3001 read = 3001 accepted + 0 duplicate + 0 rejected";
        assert!(said.stderr.contains(account), "{at}: {}", said.whole());
    }
}

#[test]
fn the_slice_size_is_checked() {
    let world = World::new();
    for size in ["1KiB", "2GiB", "64", "64kB", "1.5MiB", "-1", "many", "64XiB", "99999999999999999999GiB"] {
        let said = world.run_with(&["ingest", &format!("--slice-size={size}"), "-"], b"");
        let expected =
            format!("error: --slice-size `{size}` is not a size from 64KiB to 1GiB, such as 64MiB\n");
        assert_eq!((said.stderr, said.code), (expected, Some(2)));
    }
    assert_eq!(world.files("data"), [""; 0], "a misuse makes no lake");
}

#[test]
fn quoted_fields_may_contain_commas_quotes_and_line_ends() {
    let world = World::new();
    let log = "ts,item_id,quantity\n\
        2017-01-14T10:00:00Z,\"one, \"\"two\"\"\r\nthree\",4\r\n\
        \"2017-01-14T10:00:00Z\",\"plain\",\"5\"\n\
        2017-01-14T10:00:00Z,plain,many\n";
    world.write("log.csv", log);
    expect![[r#"
        stderr: rejected: log.csv:5: quantity `many` is not a number such as 12.34
        stderr: ingest: 3 read = 2 accepted + 0 duplicate + 1 rejected, 1 new batch
        exit code 4
    "#]]
    .assert_eq(&world.run("ingest log.csv").whole());
    world.run("rank");
    let shown = world.run("show --format ndjson").stdout;
    assert!(shown.contains(r#""item_id":"one, \"two\"\r\nthree","#), "{shown}");
}

#[test]
fn an_unclosed_quote_rejects_its_line_only() {
    let check = |last: &str, batches: &str| {
        let world = World::new();
        let notes = ["fine", "\"oops", "fine", last];
        let line = |note: &str| format!("2017-01-14T10:00:00Z,apple,{note}\n");
        world.write("log.csv", format!("ts,item_id,note\n{}", notes.map(line).concat()));
        let expected = format!(
            "\
stderr: rejected: log.csv:3: line has an unclosed quote; if quotes are part of the text, pass --quoting none
stderr: hint: to load an input again with other options, pass --force too
stderr: ingest: 4 read = 3 accepted + 0 duplicate + 1 rejected, {batches}
exit code 4
"
        );
        assert_eq!(world.run("ingest log.csv").whole(), expected, "the last note is {last}");
    };
    // The record that the quote opens may still grow.
    check("fine", "2 new batches");
    // What follows these quotes is neither a comma nor a line end, so they close no field.
    check("\"well closed\"", "1 new batch");
    check("5\" screen", "1 new batch");
}

#[test]
fn a_quote_inside_an_unquoted_field_is_literal() {
    let world = World::new();
    let pipes = "ts,item_id\n2017-01-14T10:00:00Z,5\" pipe\n2017-01-14T10:00:00Z,6\" pipe";
    world.write("with-newline.csv", format!("{pipes}\n"));
    world.write("without.csv", pipes);
    expect![[r#"
        stderr: ingest: 4 read = 4 accepted + 0 duplicate + 0 rejected, 3 new batches
        exit code 0
    "#]]
    .assert_eq(&world.run("ingest with-newline.csv without.csv").whole());
}
