//! Fluent Bit's file output: a tag, a time and a record on each line, and its `date` in records.

use expect_test::expect;

use crate::shippers::sold;
use crate::world::World;

/// 2017-01-14T10:00:00Z and a fraction, as Fluent Bit writes it.
const LINES: &str = r#"shop: [1484388000.123456789, {"item_id":"a","note":"x]"}]
cpu.local: [1484388000.000000000, {"item_id":"b","categories":["Food"]}]
a b: [c: [1484388000.123456, {"item_id":"c","quantity":2}]
shop: [1484388000.5, {"item_id":"d","ts":"2017-01-14T11:00:00Z"}]
shop: [1484388000.5, {"item_id":"e","date":1484391600.25}]
"#;

#[test]
fn lines_of_the_default_format_are_ingested_from_a_file_and_from_a_pipe() {
    let world = World::new();
    // The file is named by the tag.
    world.write("shop.0", LINES);
    expect![[r#"
        stderr: ingest: 5 read = 5 accepted + 0 duplicate + 0 rejected, 1 new batch
        exit code 0
    "#]]
    .assert_eq(&world.run("ingest --format ndjson shop.0").whole());
    expect![[r#"
        stderr: skipped: - is already ingested
        stderr: ingest: 5 read = 0 accepted + 5 duplicate + 0 rejected, 0 new batches
        exit code 0
    "#]]
    .assert_eq(&world.run_with(&["ingest", "-"], LINES.as_bytes()).whole());
    assert_eq!(sold(&world), "c=2 a=1 b=1 d=1 e=1");
}

/// Returns the first and the last hour with events.
fn hours(world: &World) -> [String; 2] {
    let stats: serde_json::Value =
        serde_json::from_str(&world.run("lake stats").stdout).expect("stats are JSON");
    ["first_hour", "last_hour"].map(|hour| stats[hour].as_str().expect("it is a text").to_owned())
}

#[test]
fn the_time_beside_the_record_is_used_where_the_record_has_none() {
    let world = World::new();
    world.write("log.ndjson", LINES);
    assert_eq!(world.run("ingest log.ndjson").code, Some(0));
    assert_eq!(hours(&world)[1], "2017-01-14T11:00:00Z");
    // What lies after the sixth decimal is cut off: the last microsecond that is accepted stays it.
    let at = |fraction: &str| format!("shop: [1484442000.{fraction}, {{\"item_id\":\"a\"}}]\n");
    let said = world.run_with(&["ingest", "-"], at("000000999").as_bytes());
    assert_eq!(said.code, Some(0), "{}", said.whole());
    expect![[r#"
        stderr: rejected: -:1: ts `2017-01-15T01:00:00.000001Z` is in the future; the latest time accepted is 2017-01-15T01:00:00Z
        stderr: ingest: 1 read = 0 accepted + 0 duplicate + 1 rejected, 0 new batches
        exit code 4
    "#]]
    .assert_eq(&world.run_with(&["ingest", "-"], at("000001000").as_bytes()).whole());
}

#[test]
fn every_form_of_the_date_is_read() {
    let world = World::new();
    let dates = [
        "1484388000.123456",
        "1484388000",
        "1484388000123",
        r#""2017-01-14T10:00:00.123456Z""#,
        r#""2017-01-14 10:00:00.123456""#,
    ];
    let line = |date: &&str| format!("{{\"date\":{date},\"item_id\":\"a\"}}\n");
    let log: String = dates.iter().map(line).collect();
    expect![[r#"
        stderr: ingest: 5 read = 5 accepted + 0 duplicate + 0 rejected, 1 new batch
        exit code 0
    "#]]
    .assert_eq(&world.run_with(&["ingest", "-"], log.as_bytes()).whole());
    let at_ten = world.files("data/lake/events/event_type=purchase");
    assert_eq!(at_ten.len(), 1, "all of them are in one hour: {at_ten:?}");
    assert_eq!(hours(&world), ["2017-01-14T10:00:00Z"; 2]);
    assert_eq!(sold(&world), "a=5");
}

#[test]
fn other_lines_are_rejected_with_a_reason() {
    let world = World::new();
    let log = r#"{"ts":1484388000,"date":"yesterday","item_id":"a"}
{"date":"yesterday","item_id":"a"}
{"ts":"2017-01-14 10:00:00","item_id":"a"}
shop: [1484388000, {"item_id":"a"}
shop: [1484388000, {"item_id":"a"]
shop: [now, {"item_id":"a"}]
[1484388000, {"item_id":"a"}]
"#;
    expect![[r#"
        stderr: rejected: -:2: date `yesterday` is neither RFC 3339 with an offset (2017-01-07T13:05:00Z) nor epoch seconds, milliseconds or microseconds
        stderr: rejected: -:3: ts `2017-01-14 10:00:00` has no offset from UTC; pass --assume-tz ZONE or --assume-utc
        stderr: rejected: -:4: not a JSON object
        stderr: rejected: -:5: not a JSON object: EOF while parsing an object at character 14
        stderr: rejected: -:6: not a JSON object
        stderr: rejected: 1 more line; all are in the lake's rejects folder
        stderr: hint: to load an input again with other options, pass --force too
        stderr: ingest: 7 read = 1 accepted + 0 duplicate + 6 rejected, 1 new batch
        exit code 4
    "#]]
    .assert_eq(&world.run_with(&["ingest", "-"], log.as_bytes()).whole());
}
