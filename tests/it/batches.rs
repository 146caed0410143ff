//! `--batch-id` and `--force`: a batch with an id, and one that replaces its earlier version.

use std::time::Duration;

use expect_test::expect;

use crate::ingest::formats::gzip;
use crate::processes::exits_within;
use crate::world::World;

const HEADER: &str = "ts,item_id,category,quantity\n";

/// A log of one item in each of two hours and categories.
fn log(item: &str, quantity: u32) -> String {
    let line = |hour: u32, shelf: &str| format!("2017-01-14T{hour}:00:00Z,{item},{shelf},{quantity}\n");
    format!("{HEADER}{}{}", line(10, "Food"), line(11, "Food|Gifts"))
}

#[test]
fn a_batch_with_an_id_is_identified_by_it_whatever_its_content() {
    let world = World::new();
    world.write("monday.csv", log("apple", 1));
    world.write("tuesday.csv", log("pear", 5));
    expect![[r#"
        stderr: ingest: 2 read = 2 accepted + 0 duplicate + 0 rejected, 1 new batch
        exit code 0
    "#]]
    .assert_eq(&world.run("ingest --batch-id shop-1 monday.csv").whole());
    expect![[r#"
        stderr: warning: tuesday.csv has other content than batch `shop-1`, which has 2 lines; it was not loaded
        stderr: hint: pass --force to replace the batch, or another --batch-id to add the file to it
        stderr: ingest: 0 read = 0 accepted + 0 duplicate + 0 rejected, 0 new batches
        exit code 4
    "#]]
    .assert_eq(&world.run("ingest --batch-id shop-1 tuesday.csv").whole());
    expect![[r#"
        stderr: skipped: monday.csv is already ingested
        stderr: ingest: 2 read = 0 accepted + 2 duplicate + 0 rejected, 0 new batches
        exit code 0
    "#]]
    .assert_eq(&world.run("ingest --batch-id shop-1 monday.csv").whole());
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
fn a_forced_batch_replaces_its_earlier_version() {
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
        stderr: rejected: second.csv:3: ts `never` is neither ISO 8601 (2017-01-07T13:05:00Z), RFC 2822, a time of web servers' logs nor an epoch number; pass --ts-format to read another form
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
        stderr: verify: 2 event files, 1 rollup file, 10 log files, 1 ranking, aggregates of 3 category days recomputed; no problems found
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
        stderr: verify: 3 event files, 1 rollup file, 12 log files, 2 rankings, aggregates of 2 category days recomputed; no problems found
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
fn a_forced_batch_without_accepted_lines_removes_its_earlier_version() {
    let world = World::new();
    world.write("other.csv", log("plum", 3));
    world.write("good.csv", log("apple", 1));
    world.write("bad.csv", format!("{HEADER}never,pear,Toys,2\n"));
    world.run("ingest other.csv");
    world.run("ingest --batch-id day good.csv");
    expect![[r#"
        stderr: rejected: bad.csv:2: ts `never` is neither ISO 8601 (2017-01-07T13:05:00Z), RFC 2822, a time of web servers' logs nor an epoch number; pass --ts-format to read another form
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

/// A long input is several batches; those that a shorter one no longer has must be removed.
#[test]
fn a_shorter_input_removes_the_slices_it_no_longer_has() {
    let world = World::new();
    let long: String = (0..4_000).map(|n| format!("2017-01-14T10:00:00Z,item{n},Food,1\n")).collect();
    world.write("long.csv", format!("{HEADER}{long}"));
    world.write("short.csv", log("apple", 1));
    expect![[r#"
        stderr: ingest: 4000 read = 4000 accepted + 0 duplicate + 0 rejected, 1 new batch
        exit code 0
    "#]]
    .assert_eq(&world.run("ingest --slice-size 64KiB --batch-id day long.csv").whole());
    expect![[r#"
        stderr: ingest: 2 read = 2 accepted + 0 duplicate + 0 rejected, 0 new batches, 1 batch replaced
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
        stderr: ingest: 4000 read = 4000 accepted + 0 duplicate + 0 rejected, 0 new batches, 1 batch replaced
        exit code 0
    "#]]
    .assert_eq(&world.run("ingest --batch-id day --force long.csv").whole());
    assert!(world.sold().contains("Food: 4000"), "{}", world.sold());
}

/// It used to leave the earlier version, since there was no line to replace it with.
#[test]
fn a_forced_input_with_only_a_header_or_nothing_removes_its_earlier_version() {
    for empty in [HEADER, ""] {
        let world = World::new();
        world.write("other.csv", log("plum", 3));
        world.write("day.csv", log("apple", 1));
        world.run("ingest other.csv");
        world.run("ingest --batch-id day day.csv");
        world.write("day.csv", empty);
        let planned = world.run("ingest --batch-id day --force --dry-run day.csv").stderr;
        assert!(planned.contains("1 batch replaced; dry run"), "{planned}");
        let said = world.run("ingest --batch-id day --force day.csv");
        assert!(said.stderr.ends_with("0 new batches, 1 batch replaced\n"), "{}", said.whole());
        assert!(!world.sold().contains("apple"), "{}", world.sold());
    }
}

/// The slices of an id used to be committed one by one: an input that was killed in between, had a bad slice in
/// the middle or was longer than before left a mixture.
#[test]
fn an_input_of_many_slices_with_an_id_is_ingested_atomically() {
    let world = World::new();
    let lines = |item: &str, count: usize| -> String {
        (0..count).map(|n| format!("2017-01-14T10:00:00Z,{item}{n:06},Food,1\n")).collect()
    };
    let holed =
        format!("{HEADER}{}{}{}", lines("a", 3_000), "never,b,Food,1\n".repeat(9_000), lines("c", 3_000));
    world.write("holed.csv", &holed);
    world.write("short.csv", log("apple", 1));
    let said = world.run("ingest --slice-size 64KiB --batch-id day holed.csv");
    assert!(
        said.stderr.contains("15000 read = 6000 accepted + 0 duplicate + 9000 rejected, 1 new batch"),
        "{}",
        said.whole()
    );
    // A longer one under the same name stays out as a whole.
    world.write("longer.csv", format!("{holed}{}", lines("d", 3_000)));
    expect![[r#"
        stderr: warning: longer.csv has other content than batch `day`, which has 15000 lines; it was not loaded
        stderr: hint: pass --force to replace the batch, or another --batch-id to add the file to it
        stderr: ingest: 0 read = 0 accepted + 0 duplicate + 0 rejected, 0 new batches
        exit code 4
    "#]]
    .assert_eq(&world.run("ingest --batch-id day longer.csv").whole());
    // One that cannot be read to its end replaces nothing.
    let packed = gzip(holed.replace(",1\n", ",22\n").as_bytes());
    world.write("cut.csv.gz", &packed[..packed.len() * 9 / 10]);
    let cut = world.run("ingest --batch-id day --force cut.csv.gz");
    assert_eq!(cut.code, Some(1), "{}", cut.whole());
    let rows = |world: &World| {
        let stats: serde_json::Value =
            serde_json::from_str(&world.run("lake stats").stdout).expect("stats are JSON");
        stats["events"]["rows"].as_u64()
    };
    assert_eq!(rows(&world), Some(6_000), "{}", cut.whole());
    let rejected = world.records("rejects").len();
    assert!(rejected >= 9_000, "{rejected}");
    // Killed at any moment, it is there or not; in the end the short one is.
    for wait in 0..12 {
        let child = world.command(&["-q", "ingest", "--batch-id", "day", "--force", "short.csv"]).spawn();
        let mut child = child.expect("the program under test can be started");
        exits_within(Duration::from_millis(wait * 4), &mut child);
        child.kill().expect("a child can be killed");
        child.wait().expect("the run ends");
        assert!([Some(6_000), Some(3)].contains(&rows(&world)), "after {wait}: {:?}", rows(&world));
    }
    assert_eq!(world.run("ingest --batch-id day --force short.csv").code, Some(0));
    assert_eq!(rows(&world), Some(3));
    assert_eq!(world.records("rejects").len(), rejected - 9_000, "its rejects went with it");
}

/// The log forgets ids after a year; the rows still have the id of their batch.
#[test]
fn a_forced_batch_whose_id_the_log_has_forgotten_is_replaced() {
    let world = World::new();
    world.write("day.csv", log("apple", 1));
    world.run("ingest --batch-id day day.csv");
    let name = "data/lake/events/_delta_log/00000000000000000001.json";
    let commit = std::fs::read_to_string(world.path(name)).expect("a commit is text");
    let at = commit.find("\"lastUpdated\":").expect("a transaction has a time") + "\"lastUpdated\":".len();
    let end = at + commit[at..].find(|c: char| !c.is_ascii_digit()).expect("the time ends");
    let commit = format!("{}1400000000000{}", &commit[..at], &commit[end..]);
    // As another program writes it, which knows no checksums.
    world.write(name, commit.replace("topsell.checksum", "other"));
    world.write("day.csv", log("apple", 7));
    let said = world.run("ingest --batch-id day --force day.csv");
    assert!(said.stderr.contains("0 new batches, 1 batch replaced"), "{}", said.whole());
    assert!(world.sold().contains("apple,14,2,"), "{}", world.sold());
}

#[test]
fn a_forced_input_that_is_new_is_added_with_a_warning() {
    let world = World::new();
    world.write("log.csv", log("apple", 1));
    expect![[r#"
        stderr: warning: --force added 1 new batch: no ingested batch has the same id or content to replace
        stderr: hint: to replace a file that has changed, pass the --batch-id of its first load
        stderr: ingest: 2 read = 2 accepted + 0 duplicate + 0 rejected, 1 new batch
        exit code 0
    "#]]
    .assert_eq(&world.run("ingest --force log.csv").whole());
}

/// Rejects of a first attempt without accepted lines used to stay when the second one had none.
#[test]
fn rejects_are_removed_when_the_batch_is_ingested_without_them() {
    let world = World::new();
    world.write("log.csv", format!("{HEADER}never,pear,Toys,2\n"));
    world.run("ingest --batch-id day log.csv");
    assert_eq!(world.files("data/lake/rejects"), ["day.ndjson"]);
    world.write("log.csv", log("apple", 1));
    assert_eq!(world.run("ingest --batch-id day log.csv").code, Some(0));
    assert_eq!(world.files("data/lake/rejects"), [""; 0]);
}

/// By content alone, slices that changed are new batches: they are added.
#[test]
fn a_forced_input_that_was_ingested_in_part_reports_what_was_replaced_and_what_added() {
    let world = World::new();
    let lines: String = (0..4_000).map(|n| format!("2017-01-14T10:00:00Z,item{n},Food,1\n")).collect();
    world.write("a.csv", format!("{HEADER}{lines}"));
    world.write("b.csv", format!("{HEADER}{lines}2017-01-14T10:00:00Z,more,Food,1\n"));
    world.run("ingest --slice-size 64KiB a.csv");
    expect![[r#"
        stderr: warning: --force added 1 new batch: no ingested batch has the same id or content to replace
        stderr: hint: to replace a file that has changed, pass the --batch-id of its first load
        stderr: ingest: 4001 read = 4001 accepted + 0 duplicate + 0 rejected, 1 new batch, 2 batches replaced
        exit code 0
    "#]]
    .assert_eq(&world.run("ingest --force b.csv").whole());
}

/// The rejects of the committed batch used to be removed with an input that failed.
#[test]
fn a_forced_input_that_fails_leaves_the_rejects_of_the_committed_one() {
    let world = World::new();
    world.write("good.csv", format!("{}never,pear,Toys,2\n", log("apple", 1)));
    world.run("ingest --batch-id day good.csv");
    let rejects = world.records("rejects");
    let bad = gzip(format!("{HEADER}{}", "never,plum,Toys,2\n".repeat(200_000)).as_bytes());
    world.write("cut.csv.gz", &bad[..bad.len() - 20]);
    let said = world.run("ingest --batch-id day --force cut.csv.gz");
    assert_eq!(said.code, Some(1), "{}", said.whole());
    let left = world.records("rejects");
    assert!(rejects.iter().all(|reject| left.contains(reject)), "{left:?}");
    assert!(!world.files("data/lake/rejects").iter().any(|name| name.contains("day.ndjson.")));
}

/// What a batch was loaded from used to be unknown: a changed file was `already ingested`.
#[test]
fn other_content_under_a_known_id_is_said_in_every_format() {
    let world = World::new();
    let check = |name: &str, is_other: bool| {
        let said = world.run(&format!("ingest --batch-id day {name}"));
        let code = if is_other { Some(4) } else { Some(0) };
        assert_eq!(said.code, code, "{}", said.whole());
        assert_eq!(said.stderr.contains("has other content than batch `day`"), is_other, "{}", said.whole());
    };
    world.write("a.csv", log("apple", 1));
    world.write("a.csv.gz", gzip(log("apple", 1).as_bytes()));
    world.write("b.ndjson", r#"{"ts":1484395200,"item_id":"apple"}"#);
    world.write("c.json", r#"[{"ts":1484395200,"item_id":"apple"}]"#);
    world.write("empty.csv", "");
    check("a.csv", false);
    check("a.csv.gz", false);
    check("b.ndjson", true);
    check("empty.csv", true);
    assert_eq!(world.run("ingest --batch-id day --force c.json").code, Some(0));
    check("c.json", false);
    check("a.csv", true);
    let piped = |text: &str| world.run_with(&["ingest", "--batch-id", "day", "-"], text.as_bytes()).code;
    assert_eq!(piped(r#"[{"ts":1484395200,"item_id":"apple"}]"#), Some(0));
    assert_eq!(piped(r#"[{"ts":1484395200,"item_id":"pear"}]"#), Some(4));
    // A replacement without events is no batch.
    assert_eq!(world.run("ingest --batch-id day --force empty.csv").code, Some(0));
    check("a.csv", false);
}

#[test]
fn the_ids_of_batches_are_listed_and_recorded() {
    let world = World::new();
    world.write("monday.csv", log("apple", 1));
    world.write("tuesday.csv", log("pear", 5));
    expect![[r#"
        stderr: batch: monday.csv: 291180cecc8658b93d0c71cb5bd09c0f01bc69ebef333fff2eee7c4429b222c6, new
        stderr: ingest: 2 read = 2 accepted + 0 duplicate + 0 rejected, 1 new batch
        exit code 0
    "#]]
    .assert_eq(&world.run("-v ingest monday.csv").whole());
    world.write("monday.csv", format!("{}{}", log("apple", 1), "2017-01-14T12:00:00Z,plum,Food,1\n"));
    expect![[r#"
        stderr: batch: monday.csv: 291180cecc8658b93d0c71cb5bd09c0f01bc69ebef333fff2eee7c4429b222c6, already ingested
        stderr: batch: monday.csv: ea733358e5dbfc8fb17326ab2312faf41f91a788a22c04b6df38571a15f4b8cf, new
        stderr: batch: tuesday.csv: dc7997c428c87fd01e3a65b72fe77cb57e46b7fded135c54cacc3042849e3d17, new
        stderr: note: monday.csv has grown: 2 lines already ingested, 1 new
        stderr: ingest: 5 read = 3 accepted + 2 duplicate + 0 rejected, 2 new batches
        exit code 0
    "#]].assert_eq(&world.run("-v ingest monday.csv tuesday.csv").whole());
    expect![[r#"
        stderr: batch: tuesday.csv: day, new
        stderr: warning: --force added 1 new batch: no ingested batch has the same id or content to replace
        stderr: hint: to replace a file that has changed, pass the --batch-id of its first load
        stderr: ingest: 2 read = 2 accepted + 0 duplicate + 0 rejected, 1 new batch
        exit code 0
    "#]]
    .assert_eq(&world.run("-v ingest --batch-id day --force tuesday.csv").whole());
    expect![[r#"
        stderr: batch: tuesday.csv: day, replaced
        stderr: ingest: 2 read = 2 accepted + 0 duplicate + 0 rejected, 0 new batches, 1 batch replaced
        exit code 0
    "#]]
    .assert_eq(&world.run("-v ingest --batch-id day --force tuesday.csv").whole());
    let records = world.records("runs");
    let batches = records.iter().map(|record| record["batches"].to_string());
    let mut batches: Vec<String> = batches.collect();
    batches.sort_unstable();
    expect![[r#"
        [{"id":"291180cecc8658b93d0c71cb5bd09c0f01bc69ebef333fff2eee7c4429b222c6","input":"monday.csv","outcome":"already_ingested"},{"id":"ea733358e5dbfc8fb17326ab2312faf41f91a788a22c04b6df38571a15f4b8cf","input":"monday.csv","outcome":"new"},{"id":"dc7997c428c87fd01e3a65b72fe77cb57e46b7fded135c54cacc3042849e3d17","input":"tuesday.csv","outcome":"new"}]
        [{"id":"291180cecc8658b93d0c71cb5bd09c0f01bc69ebef333fff2eee7c4429b222c6","input":"monday.csv","outcome":"new"}]
        [{"id":"day","input":"tuesday.csv","outcome":"new"}]
        [{"id":"day","input":"tuesday.csv","outcome":"replaced"}]"#]].assert_eq(&batches.join("\n"));
}

#[test]
fn invalid_batch_ids_are_refused() {
    let world = World::new();
    world.write("log.csv", log("apple", 1));
    expect![[r#"
        stderr: error: --batch-id `day` is for a single input, but there are 2
        exit code 2
    "#]]
    .assert_eq(&world.run("ingest --batch-id day log.csv log.csv").whole());
    expect![[r#"
        stderr: error: --batch-id `topsell:batches` starts with `topsell:`, which is reserved
        exit code 2
    "#]]
    .assert_eq(&world.run("ingest --batch-id topsell:batches log.csv").whole());
    expect![[r#"
        stderr: error: --batch-id `a#1` must have 1 to 512 bytes, without `#` and control characters
        exit code 2
    "#]]
    .assert_eq(&world.run("ingest --batch-id a#1 log.csv").whole());
    let said = world.run_with(&["ingest", "--batch-id", "", "log.csv"], b"");
    assert_eq!(said.code, Some(2), "{}", said.whole());
    assert_eq!(world.files("data"), [""; 0], "nothing was written");
}

/// Ids that differ only in characters that no file name may have used to share a file of rejects.
#[test]
fn batches_with_similar_ids_have_separate_rejects() {
    let world = World::new();
    world.write("log.csv", format!("{HEADER}never,pear,Toys,2\n"));
    for id in ["a/b", "a_b", "a%2Fb"] {
        assert_eq!(world.run(&format!("ingest --batch-id {id} log.csv")).code, Some(4));
    }
    assert_eq!(world.files("data/lake/rejects").len(), 3, "{:?}", world.files("data/lake/rejects"));
}
