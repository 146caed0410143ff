//! Invalid input: an invalid line rejects that line, an invalid file fails that file, with a message.

mod arbitrary;
mod hundred;
mod lakes;

use expect_test::expect;

use crate::ingest::formats::{bzip2, gzip, parquet, texts, xz, zstd};
use crate::world::World;

const GOOD: &str = "ts,item_id\n2017-01-14T10:00:00Z,apple\n";
const TS: &str = "2017-01-14T10:00:00Z";

/// Ingests files of the given names and contents, in their order, and returns the conversation.
fn ingested(files: &[(&str, &[u8])]) -> String {
    let world = World::new();
    for (name, content) in files {
        world.write(name, content);
    }
    let names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
    world.run(&format!("ingest {}", names.join(" "))).whole()
}

#[test]
fn an_empty_file_or_a_header_alone_gives_no_events() {
    expect![[r#"
        stderr: ingest: 0 read = 0 accepted + 0 duplicate + 0 rejected, 0 new batches
        exit code 0
    "#]]
    .assert_eq(&ingested(&[("empty.csv", b"")]));
    expect![[r#"
        stderr: ingest: 0 read = 0 accepted + 0 duplicate + 0 rejected, 0 new batches
        exit code 0
    "#]]
    .assert_eq(&ingested(&[("a.ndjson", b""), ("b.csv.gz", &gzip(b""))]));
    let blank = ingested(&[("blank.csv", b"\n\n")]);
    assert!(!blank.contains("quote"), "there is no quote in it: {blank}");
    expect![[r#"
        stderr: ingest: 0 read = 0 accepted + 0 duplicate + 0 rejected, 0 new batches
        exit code 0
    "#]]
    .assert_eq(&ingested(&[("a.csv", b"ts,item_id\n"), ("b.csv", b"ts,item_id")]));
    let none = parquet(vec![("ts", texts::<0>([])), ("item_id", texts::<0>([]))]);
    expect![[r#"
        stderr: ingest: 0 read = 0 accepted + 0 duplicate + 0 rejected, 0 new batches
        exit code 0
    "#]]
    .assert_eq(&ingested(&[("none.parquet", &none)]));
    expect![[r#"
        stderr: ingest: 0 read = 0 accepted + 0 duplicate + 0 rejected, 0 new batches
        exit code 0
    "#]]
    .assert_eq(&World::new().run_with(&["ingest", "-"], b"").whole());
}

#[test]
fn a_missing_or_duplicate_column_of_the_header_is_reported() {
    let files: [(&str, &[u8]); 5] = [
        ("a.csv", b"when,item_id\n1,2\n"),
        ("b.csv", b"ts,item_id,ts\n1,2,3\n"),
        ("c.csv", b"\"ts,item_id\n1,2\n"),
        ("d.csv", b"\xff\xfet\0s\0,\0"),
        ("e.parquet", &parquet(vec![("ts", texts([Some(TS)]))])),
    ];
    expect![[r#"
        stderr: failed: a.csv: line 1: the header has no column `ts`; its columns are: when, item_id
        stderr: failed: b.csv: line 1: the header has two columns `ts`
        stderr: failed: c.csv: line 1: the header has an unclosed quote
        stderr: failed: d.csv: line 1: the header has no column `item_id`; its columns are: ts, 
        stderr: failed: e.parquet: has no column `item_id`; its columns are: ts
        stderr: ingest: 0 read = 0 accepted + 0 duplicate + 0 rejected, 0 new batches, 5 of 5 inputs failed
        exit code 1
    "#]]
    .assert_eq(&ingested(&files));
}

#[test]
fn line_ends_and_byte_order_marks_of_other_systems_are_accepted() {
    let dos = GOOD.replace('\n', "\r\n");
    let json = format!("\u{feff}{{\"ts\":\"{TS}\",\"item_id\":\"apple\"}}\r\n\r\n");
    let files: [(&str, &[u8]); 3] = [
        ("dos.csv", dos.as_bytes()),
        ("mark.csv", &[b"\xef\xbb\xbf", GOOD.as_bytes()].concat()),
        ("x.ndjson", json.as_bytes()),
    ];
    expect![[r#"
        stderr: ingest: 3 read = 3 accepted + 0 duplicate + 0 rejected, 3 new batches
        exit code 0
    "#]]
    .assert_eq(&ingested(&files));
}

#[test]
fn a_truncated_file_fails_alone() {
    let log = GOOD.replace("apple\n", "apple\nbroken") + &format!("{TS},pear\n").repeat(4_000);
    let packings = [gzip, zstd, bzip2, xz];
    for packed in packings.map(|packing| packing(log.as_bytes())) {
        let half = &packed[..packed.len() / 2];
        let said = ingested(&[("half.csv", half), ("good.csv", GOOD.as_bytes())]);
        assert!(said.contains("failed: half.csv: ends in the middle of its "), "{said}");
        assert!(said.ends_with("exit code 4\n"), "{said}");
    }
    let half = &gzip(log.as_bytes())[..60];
    expect![[r#"
        stderr: failed: half.csv.gz: ends in the middle of its gzip data; its last part was not ingested, so ingest the complete file again
        stderr: ingest: 1 read = 1 accepted + 0 duplicate + 0 rejected, 1 new batch, 1 of 2 inputs failed
        exit code 4
    "#]].assert_eq(&ingested(&[("half.csv.gz", half), ("good.csv", GOOD.as_bytes())]));
}

#[test]
fn garbage_fails_its_file() {
    let garbage: Vec<u8> =
        (0..5_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 11) as u8 | 0x80).collect();
    let magic = |magic: &[u8]| [magic, &garbage].concat();
    let files: [(&str, &[u8]); 7] = [
        ("a.csv.gz", &magic(b"\x1f\x8b\x08\0")),
        ("b.csv.zst", &magic(b"\x28\xb5\x2f\xfd")),
        ("c.csv.gz", b"not gzip at all\n"),
        ("d.parquet", &magic(b"PAR1")),
        ("e.parquet", b"PAR1PAR1"),
        ("f.parquet", b""),
        ("good.csv", GOOD.as_bytes()),
    ];
    expect![[r#"
        stderr: failed: a.csv.gz: is corrupt: its gzip data cannot be decompressed: corrupt deflate stream
        stderr: failed: b.csv.zst: is corrupt: its zstd data cannot be decompressed: Frame requires too much memory for decoding
        stderr: failed: c.csv.gz: line 1: the header has no column `ts`; its columns are: not gzip at all
        stderr: failed: d.parquet: is not a readable Parquet file: Parquet error: Invalid Parquet file. Corrupt footer
        stderr: failed: e.parquet: is not a readable Parquet file: EOF: Parquet file too small. Size is 8 but need 827474264
        stderr: failed: f.parquet: is not a readable Parquet file: EOF: Parquet file too small. Size is 0 but need 8
        stderr: ingest: 1 read = 1 accepted + 0 duplicate + 0 rejected, 1 new batch, 6 of 7 inputs failed
        exit code 4
    "#]].assert_eq(&ingested(&files));
}

#[test]
fn a_damaged_row_group_fails_its_file_and_nothing_of_it_stays() {
    let ids: Vec<String> = (0..3_000).map(|n| format!("item-{}", n * 7_919 % 3_001)).collect();
    let mut bytes = parquet(vec![
        ("item_id", std::sync::Arc::new(arrow::array::StringArray::from(ids.clone())) as _),
        ("ts", std::sync::Arc::new(arrow::array::StringArray::from(vec![TS; ids.len()])) as _),
    ]);
    for at in (40..400).step_by(7) {
        bytes[at] ^= 0xa5;
    }
    let world = World::new();
    world.write("bad.parquet", bytes);
    let said = world.run("ingest bad.parquet");
    assert!(
        said.stderr.starts_with("failed: bad.parquet: is not a readable Parquet file: "),
        "{}",
        said.whole()
    );
    assert_eq!(said.code, Some(1), "{}", said.whole());
    assert!(said.stderr.contains("ingest: 0 read = 0 accepted"), "{}", said.whole());
}

#[test]
fn a_line_may_be_long_but_not_endless() {
    let line = |bytes: usize| format!("{TS},apple,{}\n", "x".repeat(bytes));
    let log = |bytes: usize| format!("ts,item_id,note\n{}{TS},pear,\n", line(bytes));
    expect![[r#"
        stderr: ingest: 2 read = 2 accepted + 0 duplicate + 0 rejected, 1 new batch
        exit code 0
    "#]]
    .assert_eq(&ingested(&[("long.csv", log(10 << 20).as_bytes())]));
    expect![[r#"
        stderr: rejected: endless.csv:2: line is 17825819 bytes long, over the limit of 16777216
        stderr: ingest: 2 read = 1 accepted + 0 duplicate + 1 rejected, 1 new batch
        exit code 4
    "#]]
    .assert_eq(&ingested(&[("endless.csv", log(17 << 20).as_bytes())]));
    let world = World::new();
    let said = world.run_with(&["ingest", "--slice-size", "64KiB", "-"], log(10 << 20).as_bytes());
    expect![[r#"
        stderr: rejected: -:2: line is 10485788 bytes long, longer than a whole slice
        stderr: ingest: 2 read = 1 accepted + 0 duplicate + 1 rejected, 1 new batch
        exit code 4
    "#]]
    .assert_eq(&said.whole());
    let kept: usize = world.records("rejects").iter().map(|reject| reject.to_string().len()).sum();
    assert!(kept < 100_000, "of an endless line the beginning is kept: {kept} bytes");
}

#[test]
fn invalid_utf8_matters_only_in_mapped_columns() {
    let log = b"ts,item_id,note\n2017-01-14T10:00:00Z,caf\xe9,a\n2017-01-14T10:00:00Z,tea,caf\xe9\n";
    expect![[r#"
        stderr: rejected: latin1.csv:2: item_id is not UTF-8; pass the encoding of the file, as in --encoding windows-1252
        stderr: warning: latin1.csv:2: 1 line rejected that is not UTF-8; pass the encoding of the file, as in --encoding windows-1252
        stderr: hint: to load an input again with other options, pass --force too
        stderr: ingest: 2 read = 1 accepted + 0 duplicate + 1 rejected, 1 new batch
        exit code 4
    "#]]
    .assert_eq(&ingested(&[("latin1.csv", log)]));
    let json = b"{\"ts\":1484388000,\"item_id\":\"tea\",\"note\":\"caf\xe9\"}\n";
    expect![[r#"
        stderr: rejected: latin1.ndjson:1: line is not UTF-8; pass the encoding of the file, as in --encoding windows-1252
        stderr: warning: latin1.ndjson:1: 1 line rejected that is not UTF-8; pass the encoding of the file, as in --encoding windows-1252
        stderr: ingest: 1 read = 0 accepted + 0 duplicate + 1 rejected, 0 new batches
        exit code 4
    "#]]
    .assert_eq(&ingested(&[("latin1.ndjson", json)]));
    let nul = b"ts,item_id\n2017-01-14T10:00:00Z,a\0b\n";
    expect![[r#"
        stderr: ingest: 1 read = 1 accepted + 0 duplicate + 0 rejected, 1 new batch
        exit code 0
    "#]]
    .assert_eq(&ingested(&[("nul.csv", nul)]));
}

#[test]
fn numbers_out_of_range_reject_their_lines() {
    let log = format!(
        "ts,item_id,quantity,amount\n\
        9999-12-31T23:59:59Z,a,1,1\n\
        9999999999999999999,b,1,1\n\
        -99999999999999999,c,1,1\n\
        {TS},d,1.5.1,1\n\
        {TS},e,9223372036854775807,1\n\
        {TS},e,9223372036854775807,1\n\
        {TS},f,99999999999999999999999999,1\n\
        {TS},g,1,1e400\n\
        {TS},h,1e,NaN\n\
        {TS},i,-1000000000000,-99999999999999.9999\n\
        0001-01-01T00:00:00Z,j,1000000000000,99999999999999.9999\n"
    );
    let world = World::new();
    world.write("log.csv", log);
    assert_eq!(world.run("ingest log.csv --bad-field reject").code, Some(4));
    let reasons: Vec<String> = world
        .records("rejects")
        .iter()
        .map(|reject| format!("{} {}\n", reject["line"], reject["reason"]))
        .collect();
    expect![[r#"
        2 "ts `9999-12-31T23:59:59Z` is outside the years 1 to 9998"
        3 "ts `9999999999999999999` is outside the years 1 to 9998"
        4 "ts `-99999999999999999` is outside the years 1 to 9998"
        5 "quantity `1.5.1` is not a number such as 12.34"
        6 "quantity `9223372036854775807` is out of range: the limit is ±1000000000000"
        7 "quantity `9223372036854775807` is out of range: the limit is ±1000000000000"
        8 "quantity `99999999999999999999999999` is out of range: the limit is ±1000000000000"
        9 "amount `1e400` has more than 14 digits before the point"
        10 "quantity `1e` is not a number such as 12.34"
        12 "ts `0001-01-01T00:00:00Z` is 0001-01-01T00:00:00Z, before 2000-01-01T00:00:00Z; pass --min-ts to accept such times"
    "#]]
    .assert_eq(&reasons.concat());
    assert_eq!(
        world.run("rank --max-lookback 36500d --min-items 1000000").code,
        Some(7),
        "returns alone rank nothing"
    );
    let early = world.run("rank --as-of 0001-01-01T01:00:00Z");
    assert!(matches!(early.code, Some(0 | 2)), "ranked or refused, but not damaged: {}", early.whole());
}

#[test]
fn names_over_the_limit_reject_their_lines() {
    let log = |item: &str, category: &str, event_type: &str| {
        format!("ts,item_id,category,event_type\n{TS},{item},{category},{event_type}\n")
    };
    let long = "x".repeat(100_000);
    let deep = vec!["level"; 50].join("/");
    let too_deep = vec!["level"; 65].join("/");
    let many = (0..65).map(|n| n.to_string()).collect::<Vec<_>>().join("|");
    let logs = [
        log(&long, "", ""),
        log("a", &long, ""),
        log("a", "", &long),
        log("a", &too_deep, ""),
        log("a", &many, ""),
        log("a", "Food//Fruit", ""),
        log("a", "/", ""),
        log("fifty levels", &deep, ""),
    ];
    let names: Vec<String> = (0..logs.len()).map(|n| format!("{n}.csv")).collect();
    let files: Vec<(&str, &[u8])> =
        names.iter().zip(&logs).map(|(n, log)| (n.as_str(), log.as_bytes())).collect();
    expect![[r#"
        stderr: rejected: 0.csv:2: item_id is 100000 bytes long, over the limit of 8192
        stderr: rejected: 2.csv:2: event_type is 100000 bytes long, over the limit of 128
        stderr: warning: 1.csv:2: 5 lines accepted without category: category `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…` is longer than 8192 bytes; pass --bad-field reject to reject such lines, or drop to accept them
        stderr: hint: to load an input again with other options, pass --force too
        stderr: ingest: 8 read = 6 accepted + 0 duplicate + 2 rejected, 6 new batches
        exit code 4
    "#]].assert_eq(&ingested(&files));
}

#[test]
fn no_name_leads_out_of_the_lake() {
    let world = World::new();
    let names =
        ["..", ".", "../../x", "/etc", "~", "%2e%2e", "a\\b", "x=y", "__HIVE_DEFAULT_PARTITION__", "x y"];
    let mut log = String::from("ts,item_id,category,event_type\n");
    let mut json = String::new();
    for name in names {
        log.push_str(&format!("{TS},a,,{name}\n"));
        // A blank is no item.
        let item = if name.trim().is_empty() { "blank" } else { name };
        json.push_str(
            &serde_json::json!({"ts": TS, "item_id": item, "categories": [[name, name]]}).to_string(),
        );
        json.push('\n');
    }
    world.write("types.csv", log);
    world.write("categories.ndjson", json);
    let said = world.run("ingest types.csv categories.ndjson");
    assert_eq!(said.code, Some(0), "{}", said.whole());
    assert_eq!(world.run("rank --min-items 1").code, Some(0));
    let outside: Vec<String> =
        world.files(".").into_iter().filter(|name| !name.starts_with("data/lake/")).collect();
    assert_eq!(outside, ["categories.ndjson", "types.csv"]);
    for name in world.files("data/lake") {
        let top = name.split('/').next().unwrap_or_default();
        let ours = ["events", "format.json", "rollups", "rankings", "rejects", "runs", "inputs"];
        assert!(ours.contains(&top) || top.ends_with(".lock"), "{name}");
    }
    let shown = world.run("show --categories --format csv").stdout;
    // The shop, and two levels for each name.
    assert_eq!(shown.lines().count(), 2 + 2 * names.len(), "{shown}");
    for event_type in names {
        let said = world.run_with(&["rank", "--min-items", "1", "--event-type", event_type], b"");
        assert_eq!(said.code, Some(0), "{event_type}: {}", said.whole());
    }
}

#[test]
fn valid_files_are_ingested_whatever_is_beside_them() {
    let world = World::new();
    world.write("logs/a.csv", GOOD);
    world.write("logs/z.csv", GOOD.replace("apple", "pear"));
    std::os::unix::fs::symlink("nowhere.csv", world.path("logs/dangling.csv")).expect("a link can be made");
    expect![[r#"
        stderr: failed: missing.csv: cannot be read: No such file or directory (os error 2)
        stderr: failed: logs/dangling.csv: cannot be read: No such file or directory (os error 2)
        stderr: ingest: 2 read = 2 accepted + 0 duplicate + 0 rejected, 2 new batches, 2 of 4 inputs failed
        exit code 4
    "#]]
    .assert_eq(&world.run("ingest missing.csv logs").whole());
    assert_eq!(world.records("rejects").len(), 2, "what failed is kept too");
    expect![[r#"
        stderr: failed: missing.csv: cannot be read: No such file or directory (os error 2)
        stderr: ingest: 0 read = 0 accepted + 0 duplicate + 0 rejected, 0 new batches, 1 of 1 input failed
        exit code 1
    "#]]
    .assert_eq(&world.run("ingest missing.csv").whole());
    std::os::unix::fs::symlink(".", world.path("logs/circle")).expect("a link can be made");
    let said = world.run("ingest logs").whole();
    assert!(!said.contains("circle/"), "a folder is read once, however many links lead to it: {said}");
}

#[test]
fn a_folder_without_logs_is_reported() {
    let world = World::new();
    world.write("logs/notes.txt", "nothing");
    expect![[r#"
        stderr: no logs found
        stderr: ingest: 0 read = 0 accepted + 0 duplicate + 0 rejected, 0 new batches, 1 file skipped (-v lists them)
        exit code 0
    "#]]
    .assert_eq(&world.run("ingest logs").whole());
}
