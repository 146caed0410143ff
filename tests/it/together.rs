//! Batches that share a commit: each of them is ingested atomically and once.

mod overtaken;
mod steady;

use std::collections::BTreeMap;
use std::process::Child;

use expect_test::expect;
use serde_json::Value;
use topsell_core::ingest::{self, Options, StreamOptions, Summary};
use topsell_core::input_format::Mapping;
use topsell_core::lake::{DryRun, DuplicatePolicy, Lake};
use topsell_core::model::Timestamp;
use topsell_core::pipeline::{self, Caller, Done, Step};
use topsell_core::progress::Progress;
use topsell_core::storage::{LockTimeout, Store};

use crate::faults::disk::{Faults, Manner};
use crate::faults::{attempt, copy, never};
use crate::world::{NOW, World};
use overtaken::Overtaking;

const LOG: &str = "data/lake/events/_delta_log";

/// A log of one sale, and of an invalid line.
fn log(item: &str) -> String {
    format!("ts,item_id,category\n2017-01-14T10:00:00Z,{item},Food\nnever,{item},Food\n")
}

/// The actions of every commit after the first, which makes the table.
fn commits(world: &World) -> Vec<Vec<Value>> {
    let mut names = world.files(LOG);
    names.retain(|name| name.ends_with(".json") && !name.ends_with("00000000000000000000.json"));
    let read = |name: &String| {
        let text = std::fs::read_to_string(world.path(LOG).join(name)).expect("a commit can be read");
        text.lines().map(|line| serde_json::from_str(line).expect("a commit is JSON")).collect()
    };
    names.iter().map(read).collect()
}

fn transactions(commit: &[Value]) -> Vec<&str> {
    let ids = commit.iter().filter_map(|action| action["txn"]["appId"].as_str());
    ids.filter(|id| *id != "topsell:batches").collect()
}

fn read_lines(commit: &[Value]) -> u64 {
    let lines =
        commit.iter().find_map(|action| action["commitInfo"]["operationMetrics"]["numReadLines"].as_str());
    lines.and_then(|lines| lines.parse().ok()).expect("a commit tells its lines")
}

fn stats(world: &World) -> Value {
    let said = world.run("lake stats");
    serde_json::from_str(&said.stdout).unwrap_or_else(|_| panic!("{}", said.whole()))
}

#[test]
fn many_small_logs_share_few_commits_and_each_has_its_own_id() {
    const LOGS: u64 = 200;
    let world = World::new();
    for number in 0..LOGS {
        world.write(&format!("logs/{number:03}.csv"), log(&format!("item{number}")));
    }
    let said = world.run("ingest logs");
    assert!(
        said.stderr.contains("400 read = 200 accepted + 0 duplicate + 200 rejected, 200 new batches"),
        "{}",
        said.whole()
    );
    let made = commits(&world);
    assert!(made.len() <= 5, "{} commits", made.len());
    let ids: std::collections::BTreeSet<&str> = made.iter().flat_map(|commit| transactions(commit)).collect();
    assert_eq!(ids.len() as u64, LOGS);
    assert_eq!(made.iter().map(|commit| read_lines(commit)).sum::<u64>(), 2 * LOGS);
    assert_eq!(stats(&world)["batches"], LOGS);
    assert_eq!(world.files("data/lake/rejects").len() as u64, LOGS);
    let said = world.run("ingest logs/007.csv logs/150.csv");
    assert!(said.stderr.contains("4 read = 0 accepted + 4 duplicate + 0 rejected"), "{}", said.whole());
    assert_eq!(commits(&world).len(), made.len());
    assert_eq!(
        world.sold().lines().filter(|line| line.starts_with("item") && line.contains(",1,1,")).count(),
        200
    );
}

#[test]
fn a_batch_that_is_ingested_by_the_time_of_the_commit_is_skipped_alone() {
    let world = World::new();
    for (name, item) in
        [("a.csv", "a"), ("b.csv", "b"), ("b-again.csv", "b"), ("c.csv", "c"), ("b-last.csv", "b")]
    {
        world.write(name, log(item));
    }
    world.write("bad.csv", "ts,item_id\nnever,x\n");
    expect![[r#"
        stderr: rejected: a.csv:3: ts `never` is neither ISO 8601 (2017-01-07T13:05:00Z), RFC 2822, a time of web servers' logs nor an epoch number; pass --ts-format to read another form
        stderr: rejected: b.csv:3: ts `never` is neither ISO 8601 (2017-01-07T13:05:00Z), RFC 2822, a time of web servers' logs nor an epoch number; pass --ts-format to read another form
        stderr: rejected: bad.csv:2: ts `never` is neither ISO 8601 (2017-01-07T13:05:00Z), RFC 2822, a time of web servers' logs nor an epoch number; pass --ts-format to read another form
        stderr: rejected: c.csv:3: ts `never` is neither ISO 8601 (2017-01-07T13:05:00Z), RFC 2822, a time of web servers' logs nor an epoch number; pass --ts-format to read another form
        stderr: skipped: b-again.csv is already ingested
        stderr: skipped: b-last.csv is already ingested
        stderr: warning: 2 inputs have the content of another file, so 4 lines were not loaded: b-again.csv, b-last.csv
        stderr: hint: if these are other sales, load each file with a --batch-id of its own, or add a column that differs
        stderr: hint: to load an input again with other options, pass --force too
        stderr: ingest: 11 read = 3 accepted + 4 duplicate + 4 rejected, 3 new batches
        exit code 4
    "#]]
    .assert_eq(&world.run("ingest a.csv b.csv b-again.csv bad.csv c.csv b-last.csv").whole());
    let made = commits(&world);
    assert_eq!(made.len(), 1);
    assert_eq!((transactions(&made[0]).len(), read_lines(&made[0])), (3, 6));
    assert_eq!(stats(&world)["events"]["rows"], 3);
}

#[test]
fn a_batch_that_another_run_commits_first_is_skipped_and_those_around_it_are_committed() {
    let world = World::new();
    for item in ["a", "b", "c", "d"] {
        world.write(&format!("{item}.csv"), log(item));
    }
    assert_eq!(world.run("ingest d.csv").code, Some(4));
    // The commit that was decided on first becomes none: there is one of that number.
    let lake = world.path("data/lake");
    let b = step(&world, &["b.csv"]);
    let overtaking = Overtaking::before("_delta_log/00000000000000000002.json", move || {
        // As on a network file system without locks: the other run does not wait for its turn.
        std::fs::remove_file(lake.join("events.queue.lock")).expect("it is there");
        let store = Store::open(&lake).expect("the lake can be named");
        assert_eq!(run(&b, &store).map(|summary| summary.accepted), Ok(1));
    });
    let summary = run(&step(&world, &["a.csv", "b.csv", "c.csv"]), &through(&world, &overtaking));
    let summary = summary.expect("it looks again");
    assert!(overtaking.has_happened());
    assert_eq!((summary.lines.read, summary.accepted, summary.duplicate, summary.rejected), (6, 2, 2, 2));
    assert_eq!((summary.batches, summary.already_ingested.len()), (2, 1), "{summary:?}");
    let made = commits(&world);
    assert_eq!(made.iter().map(|commit| transactions(commit).len()).collect::<Vec<_>>(), [1, 1, 2]);
    assert_eq!(made.iter().map(|commit| read_lines(commit)).collect::<Vec<_>>(), [2, 2, 4]);
    assert_eq!(
        (stats(&world)["events"]["rows"].as_u64(), stats(&world)["batches"].as_u64()),
        (Some(4), Some(4))
    );
}

/// A commit in between is seen, whatever it contains.
#[test]
fn a_commit_of_another_run_with_other_batches_changes_nothing() {
    let world = World::new();
    for item in ["a", "b", "c"] {
        world.write(&format!("{item}.csv"), log(item));
    }
    assert_eq!(world.run("ingest a.csv").code, Some(4));
    let (lake, other) = (world.path("data/lake"), step(&world, &["c.csv"]));
    let overtaking = Overtaking::before("category_group=~09", move || {
        let store = Store::open(&lake).expect("the lake can be named");
        run(&other, &store).expect("nothing fails");
    });
    let summary = run(&step(&world, &["a.csv", "b.csv", "c.csv"]), &through(&world, &overtaking));
    let summary = summary.expect("nothing fails");
    assert_eq!((summary.accepted, summary.duplicate, summary.rejected), (1, 4, 1), "{summary:?}");
    assert_eq!(stats(&world)["events"]["rows"], 3);
}

#[test]
fn a_spool_file_that_changes_before_its_commit_is_left_and_the_others_are_ingested() {
    let world = World::new();
    world.write("spool/1.csv", "ts,item_id,category\n2017-01-14T10:00:00Z,a,Food\n");
    world.write("spool/2.csv", "ts,item_id,category\n2017-01-14T10:00:00Z,b,Toys\n");
    let longer = "ts,item_id,category\n2017-01-14T10:00:00Z,a,Food\n2017-01-14T10:00:00Z,c,Food\n";
    let first = world.path("spool/1.csv");
    let overtaking = Overtaking::before("category_group=~13", move || {
        std::fs::write(first, longer).expect("a file can be written");
    });
    let now = Timestamp::parse(NOW).expect("a good moment");
    let spool = of_plan(ingest::plan_spool(&world.path("spool"), None, now, 0));
    let summary = run(&spool, &through(&world, &overtaking)).expect("nothing fails");
    assert!(overtaking.has_happened());
    assert_eq!((summary.accepted, summary.batches), (1, 1), "{summary:?}");
    let spooled = summary.spool.expect("there was a spool");
    assert_eq!((spooled.done, spooled.failed, spooled.changed.len()), (1, 0, 1), "{spooled:?}");
    assert_eq!(world.files("spool"), ["1.csv", "done/2.csv"]);
    assert_eq!(world.run("ingest --min-age 0s --spool spool").code, Some(0));
    assert_eq!(stats(&world)["events"]["rows"], 3);
    assert_eq!(world.files("spool"), ["done/1.csv", "done/2.csv"]);
}

/// Six at once, each with twenty logs of which it shares ten with the next.
#[test]
fn overlapping_groups_commit_each_batch_once() {
    const RUNS: usize = 6;
    let world = World::new();
    let logs: Vec<String> = (0..10 * (RUNS + 1)).map(|number| format!("{number:03}.csv")).collect();
    for name in &logs {
        world.write(name, format!("ts,item_id\n2017-01-14T10:00:00Z,item-{name}\n"));
    }
    let start = |at: usize| -> Child {
        let arguments = [
            &["--quiet", "ingest"],
            &logs[10 * at..10 * at + 20].iter().map(String::as_str).collect::<Vec<_>>()[..],
        ]
        .concat();
        world.command(&arguments).spawn().expect("the program under test can be started")
    };
    let running: Vec<Child> = (0..RUNS).map(start).collect();
    for mut child in running {
        assert!(child.wait().expect("the run ends").success());
    }
    let stats = stats(&world);
    assert_eq!((stats["events"]["rows"].as_u64(), stats["batches"].as_u64()), (Some(70), Some(70)));
    let made = commits(&world);
    let mut brought: BTreeMap<&str, u64> = BTreeMap::new();
    made.iter().flat_map(|commit| transactions(commit)).for_each(|id| *brought.entry(id).or_default() += 1);
    assert!(brought.len() == logs.len() && brought.values().all(|&times| times == 1), "{brought:?}");
    let counted = |name: &str| -> u64 {
        world.records("runs").iter().filter_map(|record| record["counts"][name].as_u64()).sum()
    };
    assert_eq!(["read", "accepted", "duplicate"].map(counted), [120, 70, 50]);
}

/// Each of three logs is ingested atomically, wherever the disk fails or fills up, and a second
/// attempt ingests what is missing.
#[test]
fn logs_that_share_a_commit_are_each_ingested_atomically_wherever_the_disk_fails() {
    let world = World::new();
    for (name, item, times) in [("1.csv", "a", 1), ("2.csv", "b", 3), ("3.csv", "c", 9)] {
        let lines = |category: &str| format!("2017-01-14T10:00:00Z,{item},{category}\n").repeat(times);
        let bad = "never,x,Food\n";
        world.write(name, format!("ts,item_id,category\n{}{bad}{}", lines("Food"), lines("Toys")));
    }
    world.write("0.csv", log("before"));
    attempt(&world, "before", &step(&world, &["0.csv"]), &never()).expect("nothing fails yet");
    let together = step(&world, &["1.csv", "2.csv", "3.csv"]);
    for (manner, by) in [(Manner::Undone, 1), (Manner::DoneUntold, 1), (Manner::Full, 97)] {
        for tries in 0.. {
            let lake = format!("lake-{manner:?}-{tries}");
            copy(&world.path("before"), &world.path(&lake));
            let faults = Faults::after(tries * by, manner);
            let outcome = attempt(&world, &lake, &together, &faults);
            let left = rows(&world, &lake) - 1;
            // Each log's rows are those of the ones before it, twice, and two more.
            let is_whole = left.is_multiple_of(2) && [0, 1, 3, 4, 9, 10, 12, 13].contains(&(left / 2));
            assert!(is_whole, "after {tries} {manner:?}: {left}");
            assert!(outcome.is_err() || left == 26, "success after {tries} {manner:?}: {left}");
            attempt(&world, &lake, &together, &never()).expect("a second try succeeds");
            assert_eq!(rows(&world, &lake), 27, "a second try after {tries} {manner:?}");
            if outcome.is_ok() && !faults.have_struck() {
                assert!(tries > 10, "the faults were never near the step");
                break;
            }
        }
    }
}

fn rows(world: &World, lake: &str) -> u64 {
    let store = Store::open(&world.path(lake)).expect("the lake can be named");
    let lake = Lake::open(store).expect("the lake can be opened");
    let files = lake.events().newest().and_then(|newest| newest.files()).expect("the log can be read");
    files.iter().map(|file| file.rows).sum()
}

fn through(world: &World, overtaking: &Overtaking) -> Store {
    let store = Store::open_through(&world.path("data/lake"), |disk| overtaking.on(disk));
    store.expect("the lake can be named")
}

fn step(world: &World, logs: &[&str]) -> Step {
    let paths: Vec<_> = logs.iter().map(|name| world.path(name)).collect();
    of_plan(ingest::plan(&paths, None))
}

fn of_plan(plan: ingest::Plan) -> Step {
    let options = Options {
        now: Timestamp::parse(NOW).expect("a good moment"),
        max_skew_seconds: 0,
        dry_run: DryRun::No,
        stream: StreamOptions::default(),
        duplicates: DuplicatePolicy::Skip,
        max_reject_bytes: u64::MAX,
    };
    Step::Ingest { plan, options, mapping: Mapping::none(ingest::FIELDS), catalog: None, slice_bytes: None }
}

fn run(step: &Step, store: &Store) -> Result<Summary, String> {
    let now = Timestamp::parse(NOW).expect("a good moment");
    let caller = Caller { name: "a test".to_owned(), lock_timeout: LockTimeout::NoWait, now, stdin: None };
    match pipeline::run(step, store, &caller, &Progress::default()).map_err(|e| e.to_string())? {
        Done::Ingested { summary, .. } => Ok(summary),
        _ => Err("this was an ingest".to_owned()),
    }
}
