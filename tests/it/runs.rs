//! What runs leave behind of themselves, and `topsell runs`.

use std::io::Write;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::processes::wait_until;
use crate::world::World;

const LOG: &str =
    "ts,item_id,category,amount\n2017-01-14T10:00:00Z,a,Food,1.50\n2017-01-14T11:00:00Z,b,Food,2\n";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// Returns a lake with two sales and a ranking.
fn shop() -> World {
    let world = World::new();
    world.write("log.csv", LOG);
    assert_eq!(world.run("ingest log.csv").code, Some(0));
    assert_eq!(world.run("rank --min-items 1").code, Some(0));
    world
}

/// Returns the record of the only run of a command.
fn record(world: &World, command: &str) -> Value {
    let mut runs = world.records("runs");
    runs.retain(|run| run["command"] == command);
    assert_eq!(runs.len(), 1, "{command}: {runs:?}");
    runs.remove(0)
}

fn listed(world: &World, arguments: &str) -> Vec<Value> {
    let said = world.run(&format!("runs {arguments} --format json"));
    assert_eq!(said.code, Some(0), "{}", said.whole());
    let answer: Value = serde_json::from_str(&said.stdout).expect("it is JSON");
    answer["runs"].as_array().expect("runs are listed").clone()
}

fn spans(record: &Value) -> Vec<&str> {
    let spans = record["spans"].as_array().expect("a record has spans");
    let mut names: Vec<&str> =
        spans.iter().map(|span| span["name"].as_str().expect("a span has a name")).collect();
    // Who looks further back comes back to a stage.
    names.dedup();
    names
}

#[test]
fn every_command_leaves_a_record_of_what_it_was_asked_and_did() {
    let world = shop();
    for command in [
        "rollup",
        "lake compact",
        "lake prune --dry-run",
        "lake verify",
        "lake stats",
        "show --record",
        "count a --record",
        "top --record",
        "report -o page.html --record",
    ] {
        assert_eq!(world.run(command).code, Some(0), "{command}");
    }
    for (command, stages) in [
        ("ingest", &["ingest"][..]),
        ("rank", &["rollup", "rank", "publish"]),
        ("rollup", &["rollup"]),
        ("compact", &["compact_events", "compact_aggregates"]),
        ("prune", &["expire_hours", "vacuum", "archive_runs"]),
        ("verify", &["verify_rankings", "verify_files"]),
        ("stats", &[]),
        ("show", &[]),
        ("count", &[]),
        ("top", &[]),
        ("report", &[]),
    ] {
        let record = record(&world, command);
        assert_eq!((&record["outcome"], &record["exit_code"]), (&json!("done"), &json!(0)), "{record}");
        assert_eq!(spans(&record), stages, "{record}");
        assert!(record["ended"].is_string() && record["seconds"].as_f64().is_some(), "{record}");
        assert!(record["peak_memory_bytes"].as_u64().is_some_and(|bytes| bytes > 1 << 20), "{record}");
        let spans = record["spans"].as_array().expect("a record has spans");
        assert!(spans.iter().all(|span| span["parent_span_id"] == record["span_id"]), "{record}");
    }
    let rank = record(&world, "rank");
    assert_eq!(rank["asked"], json!(["rank", "--min-items", "1"]));
    assert_eq!(rank["before"], json!({"events": 1, "rollups": null, "ranking": null}));
    assert_eq!((&rank["after"]["events"], &rank["after"]["rollups"]), (&json!(1), &json!(1)));
    assert_eq!(rank["after"]["ranking"], world.snapshot("data/lake").0["file"]);
    assert!(rank["written_bytes"].as_u64().is_some_and(|bytes| bytes > 1_000), "{rank}");
    assert!(rank["output_tail"].as_str().is_some_and(|tail| tail.contains("rank: 2 categories")), "{rank}");
    let ingest = record(&world, "ingest");
    assert_eq!(ingest["input_bytes"], json!(LOG.len()));
    let show = record(&world, "show");
    assert_eq!(show["before"], show["after"]);
}

/// A page that called `count` ten times a second left 864,000 files a day.
#[test]
fn reading_leaves_no_trace_unless_it_is_asked_to() {
    let world = shop();
    let before = world.files_of_lake();
    let runs = world.files("data/lake/runs");
    for command in ["show", "count a", "report -o page.html", "show nowhere"] {
        assert!(matches!(world.run(command).code, Some(0 | 5)), "{command}");
    }
    assert_eq!((world.files_of_lake(), world.files("data/lake/runs")), (before, runs), "nothing was written");
    let recorded = |variables: &[(&str, &str)], command: &str| {
        let count = || world.records("runs").iter().filter(|run| run["command"] == "show").count();
        let before = count();
        let said = world.run_in(variables, command);
        assert_eq!(said.code, Some(0), "{}", said.whole());
        count() - before
    };
    let trace = |number: u32| format!("00-{number:032x}-{PARENT}-01");
    let (seventh, eighth) = (trace(7), trace(8));
    let seventh: &[(&str, &str)] = &[("TRACEPARENT", &seventh)];
    assert_eq!(recorded(&[], "show --record"), 1);
    assert_eq!(recorded(&[], "show --record-reads 1"), 1);
    assert_eq!(recorded(seventh, "show --record-reads 1/7"), 1);
    assert_eq!(recorded(&[("TRACEPARENT", &eighth)], "show --record-reads 1/7"), 0);
    world.write("data/lake/topsell.toml", "record_reads = \"1/7\"\n");
    assert_eq!(recorded(seventh, "show"), 1);
    assert_eq!(recorded(&[("TRACEPARENT", &eighth)], "show"), 0);
    assert_eq!(recorded(&[("TRACEPARENT", &eighth)], "show --record"), 1, "whatever is set");
    assert_eq!(recorded(&[("TOPSELL_RECORD_READS", "0"), seventh[0]], "show"), 0);
    let wrong = world.run("show --record-reads 2/3");
    assert_eq!(wrong.code, Some(2), "{}", wrong.whole());
    assert!(wrong.stderr.contains("1/100"), "{}", wrong.whole());
}

#[test]
fn records_are_in_the_folder_of_their_day() {
    let world = shop();
    world.run_in(&[("TOPSELL_NOW", "2017-01-20T00:00:00Z")], "rollup");
    let files = world.files("data/lake/runs");
    let days: Vec<&str> = files.iter().filter_map(|name| Some(name.split_once('/')?.0)).collect();
    assert_eq!(days, ["2017-01-15", "2017-01-15", "2017-01-20"], "{files:?}");
    // Those of an older version have no folder.
    let flat = files[0].split_once('/').expect("it is in a folder").1;
    let (from, to) = (format!("data/lake/runs/{}", files[0]), format!("data/lake/runs/{flat}"));
    std::fs::rename(world.path(&from), world.path(&to)).expect("it can be moved");
    assert_eq!(listed(&world, "--now 2017-01-20T12:00:00Z").len(), 3);
    let id = flat.strip_suffix(".json").expect("it is JSON");
    assert_eq!(world.run(&format!("runs show {id}")).code, Some(0));
}

#[test]
fn what_fails_says_so_in_its_record_and_what_finds_no_lake_leaves_none() {
    let world = shop();
    world.write("data/lake/rankings/current.json", "{}");
    assert_eq!(world.run("show --record").code, Some(3));
    assert_eq!(world.run("ingest nowhere.csv").code, Some(1));
    let [show, ingest] = [record(&world, "show"), world.records("runs").remove(2)];
    assert_eq!((&show["outcome"], &show["exit_code"]), (&json!("failed"), &json!(3)));
    assert!(show["message"].as_str().is_some_and(|text| text.contains("current.json")), "{show}");
    let failed = listed(&world, "--failed");
    assert_eq!(failed.len(), 2, "{failed:?} {ingest}");
    // That there is no such item is an answer.
    assert_eq!(world.run("rank --min-items 1").code, Some(0));
    assert_eq!(world.run("show --item nope --record").code, Some(5));
    assert_eq!(listed(&world, "--failed").len(), 2);
    assert_eq!(world.run("--lake none show --record").code, Some(1));
    assert_eq!(world.run("--lake none rank").code, Some(1));
    assert_eq!(world.run("--lake none runs").code, Some(1));
    assert_eq!(world.files("none"), [""; 0]);
}

#[test]
fn who_may_not_write_may_look_all_the_same() {
    let world = shop();
    std::fs::remove_dir_all(world.path("data/lake/runs")).expect("it is there");
    assert_eq!(world.run("show --record").code, Some(0));
    assert!(!world.path("data/lake/runs").exists(), "who only looks makes no folder");
    world.write("data/lake/runs", "in the way");
    let said = world.run("show --record");
    assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""));
    let said = world.run("rank --min-items 1");
    assert_eq!(said.code, Some(0), "{}", said.whole());
    assert!(said.stderr.contains("warning: cannot record this run"), "{}", said.whole());
}

#[test]
fn a_trace_that_is_handed_on_is_gone_on_with_and_shown_as_one() {
    let world = shop();
    let handed = format!("00-{TRACE}-{PARENT}-01");
    assert_eq!(world.run_in(&[("TRACEPARENT", &handed)], "rollup").code, Some(0));
    let outer = record(&world, "rollup");
    assert_eq!((&outer["trace_id"], &outer["parent_span_id"]), (&json!(TRACE), &json!(PARENT)));
    let span = outer["spans"][0]["span_id"].as_str().expect("it has a stage");
    let handed = format!("00-{TRACE}-{span}-01");
    assert_eq!(world.run_in(&[("TRACEPARENT", &handed)], "lake verify").code, Some(0));
    let latest = world.run("runs show latest --json").stdout;
    assert!(latest.contains(outer["id"].as_str().expect("it has an id")), "not a part of it: {latest}");
    let later = "lake compact --now 2017-01-15T01:00:00Z";
    assert_eq!(world.run_in(&[("TRACEPARENT", "00-nonsense-01")], later).code, Some(0));
    let latest = world.run("runs show latest --json").stdout;
    assert!(latest.contains("\"command\": \"compact\""), "{latest}");
    let compact = record(&world, "compact");
    assert!(compact["trace_id"] != TRACE && compact["parent_span_id"].is_null(), "{compact}");

    let (id, verify) = (outer["id"].as_str().expect("it has an id"), record(&world, "verify"));
    let tree = world.run(&format!("runs show {id} --format table")).stdout;
    let names: Vec<&str> = tree
        .lines()
        .skip_while(|line| !line.starts_with("span"))
        .skip(1)
        .take_while(|line| !line.is_empty())
        .map(|line| line.split("  ").find(|text| !text.is_empty()).unwrap_or(""))
        .collect();
    let expected = ["rollup", "rollup", "verify", "verify_rankings", "verify_files"];
    assert_eq!(names, expected, "{tree}");
    assert!(tree.contains("time by stage") && tree.contains('█'), "{tree}");
    let inner = verify["id"].as_str().expect("it has an id");
    let said = world.run(&format!("runs show {inner} --format table")).stdout;
    assert!(said.contains(&format!(", part of rollup, {id}")), "{said}");

    let otlp: Value =
        serde_json::from_str(&world.run(&format!("runs export {inner} --format otlp")).stdout).expect("JSON");
    let resources = otlp["resourceSpans"].as_array().expect("there are some");
    assert_eq!(resources.len(), 2, "the whole trace");
    let all: Vec<&Value> = resources
        .iter()
        .flat_map(|of| of["scopeSpans"][0]["spans"].as_array().expect("there are some"))
        .collect();
    assert_eq!(all.len(), 5);
    for span in &all {
        assert_eq!(span["traceId"], TRACE);
        let nanos = |key: &str| span[key].as_str().and_then(|text| text.parse::<u64>().ok());
        assert!(nanos("startTimeUnixNano") <= nanos("endTimeUnixNano"), "{span}");
        assert!(nanos("startTimeUnixNano").is_some() && span["status"]["code"] == 1, "{span}");
        let parent = &span["parentSpanId"];
        assert!(parent == PARENT || all.iter().any(|other| other["spanId"] == *parent), "{span}");
    }
    let said = world.run(&format!("runs export {inner} --format chrome -o trace.json"));
    assert_eq!((said.code, said.stdout.as_str()), (Some(0), ""), "{}", said.whole());
    let text = std::fs::read_to_string(world.path("trace.json")).expect("it was written");
    let chrome: Value = serde_json::from_str(&text).expect("it is JSON");
    let events = chrome["traceEvents"].as_array().expect("there are some");
    assert_eq!(events.iter().filter(|event| event["ph"] == "X").count(), 5);
    assert_eq!(events.iter().filter(|event| event["name"] == "process_name").count(), 2);
}

#[test]
fn a_run_that_is_killed_is_shown_as_never_ended() {
    let world = shop();
    let mut child = world
        .command(&["ingest", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program under test can be started");
    child.stdin.as_mut().expect("it is a pipe").write_all(LOG.as_bytes()).expect("it is read");
    let state =
        |word: &str| listed(&world, "--command ingest").iter().filter(|run| run["state"] == word).count();
    // It is recorded before it reads, and reads until it is killed.
    wait_until("it is running", || state("running") == 1);
    assert_eq!(listed(&world, "--failed").len(), 0, "what is at work has not failed");
    child.kill().expect("it is there");
    // Nobody has asked how it ended: its number is still taken.
    assert_eq!(state("never ended"), 1);
    child.wait().expect("it is there");
    assert_eq!(state("never ended"), 1);
    let failed = listed(&world, "--failed");
    assert_eq!(failed.len(), 1);
    let id = failed[0]["id"].as_str().expect("it has an id");
    let said = world.run(&format!("runs show {id} --format table")).stdout;
    assert!(said.contains("started, never ended: its process does not exist any more"), "{said}");
    let stats = world.run("runs stats --format csv").stdout;
    let ingest = stats.lines().find(|line| line.starts_with("ingest,")).expect("there were some");
    assert!(ingest.starts_with("ingest,2,1,0,"), "{stats}");
}

#[test]
fn runs_are_picked_by_what_is_asked() {
    let world = shop();
    world.run_in(&[("TOPSELL_NOW", "2017-01-20T00:00:00Z")], "rollup");
    let commands = |arguments: &str| -> Vec<String> {
        let runs = listed(&world, arguments);
        runs.iter().map(|run| run["command"].as_str().unwrap_or("").to_owned()).collect()
    };
    let now = "--now 2017-01-20T12:00:00Z";
    assert_eq!(commands(&format!("{now} --limit 1")), ["rollup"], "the newest");
    assert_eq!(commands(&format!("{now} --since 24h")), ["rollup"]);
    assert_eq!(commands(&format!("{now} --since 1h")), [""; 0]);
    assert_eq!(commands(&format!("{now} --command rank")), ["rank"]);
    assert_eq!(commands(&format!("{now} --job nightly")), [""; 0]);
    assert_eq!(commands(now).len(), 3);
    let said = world.run(&format!("runs {now} --limit 1 --format csv"));
    assert!(said.stderr.contains("note: 2 older runs are not listed"), "{}", said.whole());
    let misused = world.run("runs --failed stats");
    assert_eq!(misused.code, Some(2), "{}", misused.whole());
    let none = world.run("runs show nothing");
    assert_eq!(none.code, Some(5), "{}", none.whole());
    let many = world.run("runs show 2017");
    assert_eq!(many.code, Some(5), "{}", many.whole());
    assert!(many.stderr.contains("matches 3 runs"), "{}", many.whole());
    let table = world.run("runs --now 2017-01-20T12:00:00Z --format table").stdout;
    assert!(table.starts_with("started               run"), "{table}");
    assert_eq!(table.lines().count(), 4, "{table}");
}

#[test]
fn old_records_are_put_away_by_day_and_found_again_and_go_at_last() {
    let world = shop();
    let days = ["2017-01-15", "2017-01-16", "2017-01-18", "2017-01-19"];
    for day in &days[1..] {
        world.run_in(&[("TOPSELL_NOW", &format!("{day}T12:00:00Z"))], "rollup");
    }
    let now = "--now 2017-01-20T00:00:00Z";
    let before = listed(&world, now);
    let planned = world.run(&format!("lake prune --dry-run {now}"));
    assert!(planned.stderr.contains("2 run records would be archived"), "{}", planned.whole());
    let said = world.run(&format!("lake prune {now}"));
    assert!(said.stderr.contains("2 run records archived"), "{}", said.whole());
    let files = world.files("data/lake/runs");
    let of_days: Vec<&str> =
        files.iter().filter_map(|name| name.strip_suffix(".parquet")?.split('/').next()).collect();
    // Those that ran last stay by themselves, for who watches.
    assert_eq!(of_days, ["date=2017-01-16", "date=2017-01-18"], "{files:?}");
    let mut after = listed(&world, now);
    after.retain(|run| run["command"] != "prune");
    assert_eq!(after, before);
    let id = before[1]["id"].as_str().expect("it has an id");
    assert_eq!(world.run(&format!("runs show {id}")).code, Some(0));
    let said = world.run("lake prune --keep-runs 2d --now 2017-01-20T00:00:00Z");
    assert_eq!(said.code, Some(0), "{}", said.whole());
    let left = listed(&world, now);
    assert_eq!(left.iter().filter(|run| run["command"] == "rollup").count(), 2, "{left:?}");
}

#[test]
fn what_is_no_record_is_told_and_in_nobodys_way() {
    let world = shop();
    world.write("data/lake/runs/20170115T000000Z-torn.json", "{\"schema\": 2, \"id\":");
    world.write("data/lake/runs/notes.json", "{}");
    world.write("data/lake/runs/notes.txt", "mine");
    world.write("data/lake/runs/date=2017-01-14/x.parquet", "PAR1");
    let said = world.run("runs --format csv");
    assert_eq!(said.code, Some(0), "{}", said.whole());
    assert_eq!(said.stdout.lines().count(), 3, "{}", said.whole());
    assert!(said.stderr.contains("warning: ") && said.stderr.contains("and 2 more"), "{}", said.whole());
    assert_eq!(world.run("runs stats").code, Some(0));
    assert_eq!(world.run("lake prune --now 2017-01-20T00:00:00Z").code, Some(0));
    assert!(world.path("data/lake/runs/notes.txt").exists());
}
