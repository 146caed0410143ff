//! `--batch-id` and `--force`: a batch called by name, and one that takes the place of its former self.

use expect_test::expect;

use crate::world::World;

const HEADER: &str = "ts,item_id,category,quantity\n";

/// A log of one item in each of two hours and categories.
fn log(item: &str, quantity: u32) -> String {
    let line = |hour: u32, shelf: &str| format!("2017-01-14T{hour}:00:00Z,{item},{shelf},{quantity}\n");
    format!("{HEADER}{}{}", line(10, "Food"), line(11, "Food|Gifts"))
}

#[test]
fn a_named_batch_is_known_by_its_name_whatever_it_holds() {
    let world = World::new();
    world.write("monday.csv", log("apple", 1));
    world.write("tuesday.csv", log("pear", 5));
    expect![[r#"
        stderr: ingest: 2 read = 2 accepted + 0 duplicate + 0 rejected, 1 new batch
        exit code 0
    "#]]
    .assert_eq(&world.run("ingest --batch-id shop-1 monday.csv").whole());
    expect![[r#"
        stderr: known: tuesday.csv was taken in before; nothing changed
        stderr: ingest: 2 read = 0 accepted + 2 duplicate + 0 rejected, 0 new batches
        exit code 0
    "#]]
    .assert_eq(&world.run("ingest --batch-id shop-1 tuesday.csv").whole());
    // By its content it is another batch.
    expect![[r#"
        stderr: ingest: 2 read = 2 accepted + 0 duplicate + 0 rejected, 1 new batch
        exit code 0
    "#]]
    .assert_eq(&world.run("ingest tuesday.csv").whole());
    expect![[r#"
        item,units,purchases,amount
        pear,10,2,0.0000
        apple,2,2,0.0000
        Food: 2
        Gifts: 2
    "#]]
    .assert_eq(&world.sold());
}

#[test]
fn a_forced_batch_takes_the_place_of_what_it_brought_before() {
    let world = World::new();
    world.write("other.csv", log("plum", 3));
    world.write("first.csv", log("apple", 1));
    // One good line, one bad: and none in the later hour.
    world.write("second.csv", format!("{HEADER}2017-01-14T10:00:00Z,pear,Toys,2\nnever,pear,Toys,2\n"));
    for command in ["ingest other.csv", "ingest --batch-id day first.csv", "rollup", "lake compact"] {
        let said = world.run(command);
        assert_eq!(said.code, Some(0), "{}", said.whole());
    }
    expect![[r#"
        stderr: rejected: second.csv:3: ts `never` is neither RFC 3339 with an offset (2017-01-07T13:05:00Z) nor epoch seconds, milliseconds or microseconds
        stderr: ingest: 2 read = 1 accepted + 0 duplicate + 1 rejected, 0 new batches, 1 batch replaced
        exit code 4
    "#]].assert_eq(&world.run("ingest --batch-id day --force second.csv").whole());
    expect![[r#"
        item,units,purchases,amount
        plum,6,2,0.0000
        pear,2,1,0.0000
        Food: 1
        Gifts: 1
        Toys: 1
    "#]]
    .assert_eq(&world.sold());
    assert_eq!(world.files("data/lake/rejects"), ["day.ndjson"]);
    expect![[r#"
        stderr: verify: 4 event files, 3 rollup files, 1 ranking, sums of 3 days of categories counted again; all is well
        exit code 0
    "#]]
    .assert_eq(&world.run("lake verify").whole());
    // And back: nothing of the second is left, its rejects neither.
    assert_eq!(world.run("ingest --batch-id day --force first.csv").code, Some(0));
    expect![[r#"
        item,units,purchases,amount
        plum,6,2,0.0000
        apple,2,2,0.0000
        Food: 2
        Gifts: 2
    "#]]
    .assert_eq(&world.sold());
    assert_eq!(world.files("data/lake/rejects"), [""; 0]);
    expect![[r#"
        stderr: verify: 6 event files, 2 rollup files, 2 rankings, sums of 2 days of categories counted again; all is well
        exit code 0
    "#]]
    .assert_eq(&world.run("lake verify").whole());
}

#[test]
fn a_forced_batch_of_unchanged_content_changes_nothing() {
    let world = World::new();
    world.write("log.csv", log("apple", 1));
    world.run("ingest log.csv");
    let sold = world.sold();
    expect![[r#"
        stderr: ingest: 2 read = 2 accepted + 0 duplicate + 0 rejected, 0 new batches, 1 batch replaced
        exit code 0
    "#]]
    .assert_eq(&world.run("ingest --force log.csv").whole());
    assert_eq!(world.sold(), sold);
}

#[test]
fn a_forced_batch_without_any_good_line_takes_the_former_back() {
    let world = World::new();
    world.write("other.csv", log("plum", 3));
    world.write("good.csv", log("apple", 1));
    world.write("bad.csv", format!("{HEADER}never,pear,Toys,2\n"));
    world.run("ingest other.csv");
    world.run("ingest --batch-id day good.csv");
    expect![[r#"
        stderr: rejected: bad.csv:2: ts `never` is neither RFC 3339 with an offset (2017-01-07T13:05:00Z) nor epoch seconds, milliseconds or microseconds
        stderr: ingest: 1 read = 0 accepted + 0 duplicate + 1 rejected, 0 new batches, 1 batch replaced
        exit code 4
    "#]].assert_eq(&world.run("ingest --batch-id day --force bad.csv").whole());
    expect![[r#"
        item,units,purchases,amount
        plum,6,2,0.0000
        Food: 1
        Gifts: 1
    "#]]
    .assert_eq(&world.sold());
    // It is not in any more, so it needs no force to come again.
    expect![[r#"
        stderr: ingest: 2 read = 2 accepted + 0 duplicate + 0 rejected, 1 new batch
        exit code 0
    "#]]
    .assert_eq(&world.run("ingest --batch-id day good.csv").whole());
}

/// A long input is several batches; those that a shorter one has no more of must go.
#[test]
fn a_shorter_input_takes_back_the_slices_it_no_longer_has() {
    let world = World::new();
    let long: String = (0..4_000).map(|n| format!("2017-01-14T10:00:00Z,item{n},Food,1\n")).collect();
    world.write("long.csv", format!("{HEADER}{long}"));
    world.write("short.csv", log("apple", 1));
    expect![[r#"
        stderr: ingest: 4000 read = 4000 accepted + 0 duplicate + 0 rejected, 3 new batches
        exit code 0
    "#]]
    .assert_eq(&world.run("ingest --slice-size 64KiB --batch-id day long.csv").whole());
    expect![[r#"
        stderr: ingest: 2 read = 2 accepted + 0 duplicate + 0 rejected, 0 new batches, 3 batches replaced
        exit code 0
    "#]]
    .assert_eq(&world.run("ingest --batch-id day --force short.csv").whole());
    expect![[r#"
        item,units,purchases,amount
        apple,2,2,0.0000
        Food: 1
        Gifts: 1
    "#]]
    .assert_eq(&world.sold());
    expect![[r#"
        stderr: ingest: 4000 read = 4000 accepted + 0 duplicate + 0 rejected, 2 new batches, 1 batch replaced
        exit code 0
    "#]]
    .assert_eq(&world.run("ingest --batch-id day --force long.csv").whole());
    assert!(world.sold().contains("Food: 4000"), "{}", world.sold());
}

#[test]
fn names_that_no_batch_can_have_are_refused() {
    let world = World::new();
    world.write("log.csv", log("apple", 1));
    expect![[r#"
        stderr: error: --batch-id `day` names the batch of one input, and there are 2
        exit code 2
    "#]]
    .assert_eq(&world.run("ingest --batch-id day log.csv log.csv").whole());
    expect![[r#"
        stderr: error: --batch-id `topsell:batches` begins with `topsell:`, which is kept for topsell itself
        exit code 2
    "#]]
    .assert_eq(&world.run("ingest --batch-id topsell:batches log.csv").whole());
    expect![[r#"
        stderr: error: --batch-id `a#1` is no name of 1 to 512 bytes without `#` and control characters
        exit code 2
    "#]]
    .assert_eq(&world.run("ingest --batch-id a#1 log.csv").whole());
    let said = world.run_with(&["ingest", "--batch-id", "", "log.csv"], b"");
    assert_eq!(said.code, Some(2), "{}", said.whole());
    assert_eq!(world.files("data"), [""; 0], "nothing was written");
}

/// Names that differ only in characters no file name may have once shared a file of rejects.
#[test]
fn rejects_of_batches_with_like_names_lie_apart() {
    let world = World::new();
    world.write("log.csv", format!("{HEADER}never,pear,Toys,2\n"));
    for id in ["a/b", "a_b", "a%2Fb"] {
        assert_eq!(world.run(&format!("ingest --batch-id {id} log.csv")).code, Some(4));
    }
    assert_eq!(world.files("data/lake/rejects").len(), 3, "{:?}", world.files("data/lake/rejects"));
}
