//! Spool folders, as Vector and other programs fill them with complete files.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use expect_test::expect;
use topsell_core::ingest::{self, Options, StreamOptions};
use topsell_core::input_format::Mapping;
use topsell_core::lake::{DryRun, DuplicatePolicy, Lake};
use topsell_core::model::Timestamp;
use topsell_core::pipeline::{self, Caller, Done, Step};
use topsell_core::progress::Progress;
use topsell_core::storage::{LockTimeout, Store};

use crate::faults::disk::{Faults, Manner};
use crate::ingest::formats::gzip;
use crate::processes::exits_within;
use crate::shippers::{purchase, sold};
use crate::world::{NOW, World};

const CALL: &str = "ingest --min-age 0s --spool spool";

#[test]
fn complete_files_are_ingested_in_name_order_and_moved() {
    let world = World::new();
    world.write("spool/b.ndjson", purchase("b"));
    world.write("spool/a.ndjson.gz", gzip(purchase("a").as_bytes()));
    world.write("spool/bad.ndjson", format!("nonsense\n{}\n", purchase("c")));
    world.write("spool/torn.csv.gz", &gzip(b"ts,item_id\n")[..15]);
    world.write("spool/what.log", "ts item_id\n");
    std::os::unix::fs::symlink("nowhere", world.path("spool/link.csv")).expect("a link can be made");
    for name in [".hidden.csv", "_x.csv", "x.csv.tmp", "x.part", "x.partial", ".x.swp", "x.csv~", "sub/x.csv"]
    {
        world.write(&format!("spool/{name}"), "ts,item_id\n1,never\n");
    }
    let before = world.files("spool");
    expect![[r#"
        stdout: spool/a.ndjson.gz: NDJSON, UTF-8
        stdout: times     2017-01-14T10:00:00Z to 2017-01-14T10:00:00Z
        stdout: types     purchase 1
        stdout: ids       no event has an id; a line that comes twice counts twice
        stdout: 
        stdout: columns
        stdout: column   field    samples
        stdout: item_id  item_id  a
        stdout: ts       ts       2017-01-14T10:00:00Z
        stdout: 
        stdout: first events
        stdout: ts                    event_type  item_id  quantity  categories
        stdout: 2017-01-14T10:00:00Z  purchase    a               1
        stdout: 
        stdout: spool/b.ndjson: NDJSON, UTF-8
        stdout: times     2017-01-14T10:00:00Z to 2017-01-14T10:00:00Z
        stdout: types     purchase 1
        stdout: ids       no event has an id; a line that comes twice counts twice
        stdout: 
        stdout: columns
        stdout: column   field    samples
        stdout: item_id  item_id  b
        stdout: ts       ts       2017-01-14T10:00:00Z
        stdout: 
        stdout: first events
        stdout: ts                    event_type  item_id  quantity  categories
        stdout: 2017-01-14T10:00:00Z  purchase    b               1
        stdout: 
        stdout: spool/bad.ndjson: NDJSON, UTF-8
        stdout: times     2017-01-14T10:00:00Z to 2017-01-14T10:00:00Z
        stdout: types     purchase 1
        stdout: ids       no event has an id; a line that comes twice counts twice
        stdout: 
        stdout: columns
        stdout: column   field    samples
        stdout: item_id  item_id  c
        stdout: ts       ts       2017-01-14T10:00:00Z
        stdout: 
        stdout: first events
        stdout: ts                    event_type  item_id  quantity  categories
        stdout: 2017-01-14T10:00:00Z  purchase    c               1
        stdout: 
        stdout: spool/torn.csv.gz: CSV, delimiter `,`, quoted fields, UTF-8
        stdout: 
        stdout: columns
        stdout: column  field  samples
        stdout: ts      ts
        stdout: i
        stderr: failed: spool/link.csv: cannot be read: it is a symbolic link; put the file itself here
        stderr: failed: spool/torn.csv.gz: ends in the middle of its gzip data; its last part was not ingested, so ingest the complete file again
        stderr: failed: spool/what.log: cannot infer the format from the file name or content; pass --format csv, tsv, ndjson or parquet
        stderr: rejected: spool/bad.ndjson:1: not a JSON object
        stderr: spool: would move 3 files to done, 3 to failed
        stderr: explained: 4 of 6 inputs, not spool/link.csv, spool/what.log
        stderr: ingest: 4 read = 3 accepted + 0 duplicate + 1 rejected, 3 new batches, 3 of 6 inputs failed, 7 files and 1 directory skipped (-v lists them); dry run, nothing was written
        exit code 4
    "#]]
    .assert_eq(&world.run(&format!("{CALL} --dry-run")).whole());
    assert_eq!((world.files("spool"), world.path("data").exists()), (before, false));
    expect![[r#"
        stderr: failed: spool/link.csv: cannot be read: it is a symbolic link; put the file itself here
        stderr: failed: spool/torn.csv.gz: ends in the middle of its gzip data; its last part was not ingested, so ingest the complete file again
        stderr: failed: spool/what.log: cannot infer the format from the file name or content; pass --format csv, tsv, ndjson or parquet
        stderr: rejected: spool/bad.ndjson:1: not a JSON object
        stderr: spool: 3 files moved to done, 3 to failed
        stderr: ingest: 4 read = 3 accepted + 0 duplicate + 1 rejected, 3 new batches, 3 of 6 inputs failed, 7 files and 1 directory skipped (-v lists them)
        exit code 4
    "#]]
    .assert_eq(&world.run(CALL).whole());
    expect![[r#"
        .hidden.csv
        .x.swp
        _x.csv
        done/a.ndjson.gz
        done/b.ndjson
        done/bad.ndjson
        failed/link.csv
        failed/torn.csv.gz
        failed/what.log
        sub/x.csv
        x.csv.tmp
        x.csv~
        x.part
        x.partial"#]]
    .assert_eq(&world.files("spool").join("\n"));
    assert_eq!(world.records("rejects").len(), 4, "the line, and each file");
    expect![[r#"
        stderr: spool: 0 files moved to done, 0 to failed
        stderr: ingest: 0 read = 0 accepted + 0 duplicate + 0 rejected, 0 new batches, 7 files and 1 directory skipped (-v lists them)
        exit code 0
    "#]]
    .assert_eq(&world.run(CALL).whole());
    assert_eq!(sold(&world), "a=1 b=1 c=1");
}

#[test]
fn a_name_that_is_taken_gets_a_number() {
    let world = World::new();
    for item in ["a", "b", "c"] {
        world.write("spool/log.ndjson", purchase(item));
        world.write("spool/bad", item);
        assert_eq!(world.run(CALL).code, Some(4));
    }
    let expected = ["bad", "bad.1", "bad.2"].map(|name| format!("failed/{name}"));
    let done = ["log.ndjson", "log.ndjson.1", "log.ndjson.2"].map(|name| format!("done/{name}"));
    assert_eq!(world.files("spool"), [done, expected].concat());
    let third = std::fs::read_to_string(world.path("spool/done/log.ndjson.2"));
    assert_eq!(third.expect("it is there"), purchase("c"));
    assert_eq!(sold(&world), "a=1 b=1 c=1");
}

#[test]
fn a_file_that_has_just_changed_is_left_alone() {
    let world = World::new();
    world.write("spool/new.ndjson", purchase("new"));
    world.write("spool/old.ndjson", purchase("old"));
    let moment = |text: &str| {
        let micros = Timestamp::parse(text).expect("a good moment").micros();
        std::time::SystemTime::UNIX_EPOCH + Duration::from_micros(micros.unsigned_abs())
    };
    let touch = |name: &str, at: &str| {
        let file = std::fs::File::options().write(true).open(world.path(name)).expect("it is there");
        file.set_modified(moment(at)).expect("a file's time can be set");
    };
    touch("spool/old.ndjson", "2017-01-14T23:59:50Z");
    touch("spool/new.ndjson", "2017-01-14T23:59:51Z");
    expect![[r#"
        stderr: skipped: spool/new.ndjson: it was modified less than 10 s ago
        stderr: batch: spool/old.ndjson: c582f743567d3980a8a5ec4ff194c8cc03a318cbda65a0bc5f3eb442f13a9f73, new
        stderr: spool: 1 file moved to done, 0 to failed, 1 modified too recently
        stderr: ingest: 1 read = 1 accepted + 0 duplicate + 0 rejected, 1 new batch
        exit code 0
    "#]]
    .assert_eq(&world.run("--verbose ingest --spool spool").whole());
    assert_eq!(world.run("ingest --spool spool --min-age 9s").code, Some(0));
    assert_eq!(world.files("spool"), ["done/new.ndjson", "done/old.ndjson"]);
}

#[test]
fn a_file_that_was_committed_and_not_moved_is_moved_by_the_next_run() {
    let world = World::new();
    world.write("spool/a.ndjson", purchase("a"));
    assert_eq!(world.run("ingest spool/a.ndjson").code, Some(0));
    expect![[r#"
        stderr: skipped: spool/a.ndjson is already ingested
        stderr: spool: 1 file moved to done, 0 to failed
        stderr: ingest: 1 read = 0 accepted + 1 duplicate + 0 rejected, 0 new batches
        exit code 0
    "#]]
    .assert_eq(&world.run(CALL).whole());
    assert_eq!(world.files("spool"), ["done/a.ndjson"]);
    assert_eq!(sold(&world), "a=1");
}

#[test]
fn runs_killed_at_random_moments_leave_each_file_counted_once_and_moved() {
    const FILES: usize = 30;
    let world = World::new();
    for number in 0..FILES {
        world.write(&format!("spool/{number:02}.ndjson"), purchase(&format!("item-{number:02}")));
    }
    let mut killed = 0;
    for round in 0..20_u64 {
        let child = world.command(&CALL.split(' ').collect::<Vec<_>>()).stderr(Stdio::null()).spawn();
        let mut child = child.expect("the program under test can be started");
        // One run over all files takes some 500 ms here; each of these gets a part of it.
        exits_within(Duration::from_micros(10_000 + round * 7_919 % 60_000), &mut child);
        child.kill().expect("a child can be killed");
        killed += u64::from(child.wait().expect("the run ends").code().is_none());
        let there = world.files("spool").len();
        assert_eq!(there, FILES, "no file is lost, and none is there twice");
    }
    assert!(killed > 0, "no run was killed while it was at work");
    let said = world.run(CALL);
    assert_eq!(said.code, Some(0), "{}", said.whole());
    let done = world.files("spool/done");
    assert_eq!((done.len(), world.files("spool").len()), (FILES, FILES));
    let all: Vec<String> = (0..FILES).map(|number| format!("item-{number:02}=1")).collect();
    assert_eq!(sold(&world), all.join(" "));
}

#[test]
fn two_runs_at_once_do_not_get_in_each_others_way() {
    let world = World::new();
    for number in 10..30 {
        world.write(&format!("spool/{number}.ndjson"), purchase(&format!("item-{number}")));
    }
    world.write("spool/bad.log", "no log");
    let start = || {
        let child = world.command(&CALL.split(' ').collect::<Vec<_>>()).stderr(Stdio::piped()).spawn();
        child.expect("the program under test can be started")
    };
    for child in [start(), start()] {
        let ended = child.wait_with_output().expect("the run ends");
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(matches!(ended.status.code(), Some(0 | 4)), "{said}");
        assert!(!said.contains("left: "), "{said}");
    }
    assert_eq!((world.files("spool/done").len(), world.files("spool").len()), (20, 21));
    assert!(sold(&world).split(' ').all(|item| item.ends_with("=1")));
    assert_eq!(events(&world), 20);
}

#[test]
fn a_disk_that_fails_anywhere_leaves_each_file_where_it_can_be_ingested_again() {
    for manner in [Manner::Undone, Manner::DoneUntold] {
        for operations in 0.. {
            let world = World::new();
            for item in ["a", "b"] {
                world.write(&format!("spool/{item}.ndjson"), purchase(item));
            }
            world.write("spool/bad.log", "no log");
            let faults = Faults::after(operations, manner);
            let outcome = ingest_spool(&world, &faults, || {});
            assert!(world.files("spool").len() == 3, "no file is lost");
            if outcome.is_err() && operations < 2 {
                assert!(!world.path("spool/done").exists(), "nothing is in yet, so nothing is moved");
            }
            ingest_spool(&world, &Faults::after(i64::MAX, manner), || {}).expect("a second try succeeds");
            let files = world.files("spool");
            assert_eq!(files, ["done/a.ndjson", "done/b.ndjson", "failed/bad.log"], "{operations}");
            assert_eq!(events(&world), 2, "after {operations} operations {manner:?}");
            if !faults.have_struck() {
                assert!(operations > 3, "the faults were never near the step");
                break;
            }
        }
    }
}

#[test]
fn a_file_that_changes_while_it_is_read_is_left_for_the_next_run() {
    let world = World::new();
    let whole = format!("{}\n{}\n", purchase("a"), purchase("b"));
    world.write("spool/a.ndjson", &whole[..whole.len() / 2 + 1]);
    world.write("spool/gone.ndjson", purchase("gone"));
    let never = Faults::after(i64::MAX, Manner::Undone);
    let summary = ingest_spool(&world, &never, || {
        world.write("spool/a.ndjson", &whole);
        std::fs::rename(world.path("spool/gone.ndjson"), world.path("gone")).expect("it can be moved");
    });
    let summary = summary.expect("the lake is fine");
    let spooled = summary.spool.expect("there was a spool");
    assert_eq!((spooled.done, spooled.failed, spooled.changed.len()), (0, 0, 1), "{spooled:?}");
    assert_eq!((summary.accepted, summary.failures.len()), (0, 0), "half a file is not ingested");
    assert_eq!(world.files("spool"), ["a.ndjson"]);
    assert_eq!(world.run(CALL).code, Some(0));
    assert_eq!(sold(&world), "a=1 b=1");
}

#[test]
fn a_file_that_cannot_be_moved_is_reported_and_its_batch_stays_ingested() {
    let world = World::new();
    world.write("spool/a.ndjson", purchase("a"));
    world.write("spool/done", "in the way");
    std::fs::rename(world.path("spool/done"), world.path("spool/done.tmp")).expect("it can be moved");
    std::os::unix::fs::symlink("done.tmp", world.path("spool/done")).expect("a link can be made");
    for accepted in [1, 0] {
        let said = world.run("ingest --min-age 0s --spool spool --format ndjson");
        let is_told = said.stderr.contains("not moved: spool/a.ndjson: cannot be moved to done: ");
        assert!(is_told && said.code == Some(1), "{}", said.whole());
        assert!(said.stderr.contains(&format!(" {accepted} accepted")), "{}", said.whole());
        assert!(world.path("spool/a.ndjson").exists());
    }
}

#[test]
fn a_missing_spool_folder_or_one_beside_files_is_reported() {
    let world = World::new();
    expect![[r#"
        stderr: failed: spool: cannot be read: No such file or directory (os error 2)
        stderr: ingest: 0 read = 0 accepted + 0 duplicate + 0 rejected, 0 new batches, 1 of 1 input failed
        exit code 1
    "#]]
    .assert_eq(&world.run(CALL).whole());
    assert_eq!(world.run(&format!("{CALL} log.csv")).code, Some(2));
    assert_eq!(world.run("ingest --spool spool --min-age soon").code, Some(2));
    assert_eq!(world.run("ingest --min-age 1s log.csv").code, Some(2));
}

/// Ingests the spool folder by a disk that may fail; `between` is called after the files are found
/// and before they are read.
pub fn ingest_spool(world: &World, faults: &Faults, between: impl Fn()) -> Result<ingest::Summary, String> {
    let now = Timestamp::parse(NOW).expect("a good moment");
    let plan = ingest::plan_spool(&world.path("spool"), None, now, 0);
    between();
    let options = Options {
        now,
        max_skew_seconds: 0,
        dry_run: DryRun::No,
        stream: StreamOptions::default(),
        duplicates: DuplicatePolicy::Skip,
        max_reject_bytes: u64::MAX,
    };
    let store = Store::open_through(&world.path("data/lake"), |disk| faults.before(disk));
    let caller = Caller { name: "a test".to_owned(), lock_timeout: LockTimeout::NoWait, now, stdin: None };
    let step = Step::Ingest {
        plan,
        options,
        mapping: Mapping::none(topsell_core::ingest::FIELDS),
        catalog: None,
        slice_bytes: None,
    };
    let done = pipeline::run(&step, &store.map_err(|e| e.to_string())?, &caller, &Progress::default());
    match done.map_err(|e| e.to_string())? {
        Done::Ingested { summary, .. } => Ok(summary),
        _ => Err("this was an ingest".to_owned()),
    }
}

fn events(world: &World) -> u64 {
    let lake: &Path = &world.path("data/lake");
    let lake = Lake::open(Store::open(lake).expect("it can be named")).expect("the lake can be opened");
    let files = lake.events().newest().and_then(|newest| newest.files()).expect("the log can be read");
    files.iter().map(|file| file.rows).sum()
}
