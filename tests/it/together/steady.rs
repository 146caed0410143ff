//! Maintenance beside those who commit without a pause: it makes progress, and so do they. Counted are attempts to
//! commit and files written, not time.

use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use nix::sys::signal::Signal;
use topsell_core::delta::{Commit, StepLimits};
use topsell_core::lake::{DryRun, Lake};
use topsell_core::maintenance::{self, Compacted};
use topsell_core::model::Timestamp;
use topsell_core::progress::Progress;
use topsell_core::rollup::{self, Replaces, Scope};
use topsell_core::storage::Store;

use super::overtaken::Overtaking;
use crate::processes::{signal, wait_until};
use crate::world::{NOW, World};

/// Commits have such names, and so have no checkpoints.
const COMMITS: &str = "events/_delta_log/000000000000000";
const LIMITS: StepLimits = StepLimits { files: 8, rows: u64::MAX };
/// The days of the lake, and the steps of their compaction: four days with two files each in a step.
const DAYS: usize = 24;
const STEPS: usize = DAYS / 4;

/// Returns a lake with two files for each of some days.
fn shop() -> World {
    let world = World::new();
    for minute in [10, 20] {
        let date = |day: usize| {
            if day < 11 { format!("2016-12-{}", 21 + day) } else { format!("2017-01-{:02}", day - 10) }
        };
        let line = |day| format!("{}T12:{minute}:00Z,item{day},1\n", date(day));
        let lines: String = (0..DAYS).map(line).collect();
        world.write("log.csv", format!("ts,item_id,quantity\n{lines}"));
        for command in ["-q ingest log.csv", "-q rank"] {
            let said = world.run(command);
            assert_eq!(said.code, Some(0), "{}", said.whole());
        }
    }
    world
}

fn lake(world: &World, wrap: Option<&Overtaking>) -> Lake {
    let path = world.path("data/lake");
    let store = match wrap {
        Some(overtaking) => Store::open_through(&path, |disk| overtaking.on(disk)),
        None => Store::open(&path),
    };
    Lake::open(store.expect("the lake can be named")).expect("the lake can be opened")
}

fn now() -> Timestamp {
    Timestamp::parse(NOW).expect("a good moment")
}

fn compact(lake: &Lake) -> Compacted {
    maintenance::compact(lake, now(), LIMITS, DryRun::No, &Progress::default()).expect("nothing fails")
}

fn version(lake: &Lake) -> u64 {
    lake.events().newest().expect("the log can be read").number()
}

/// Returns how many rows there are, and the numbers of files of the days.
fn rows_and_files(lake: &Lake) -> (u64, usize) {
    let files = lake.events().newest().and_then(|newest| newest.files()).expect("the log can be read");
    (files.iter().map(|file| file.rows).sum(), files.len())
}

/// Commits as another program does, which does not wait for its turn.
fn commit_out_of_turn(world: &std::path::Path) {
    let lake = Lake::open(Store::open(world).expect("the lake can be named")).expect("the lake is there");
    let commit = Commit { transactions: vec![("another".to_owned(), 1)], ..Commit::default() };
    lake.events().newest().and_then(|newest| newest.commit(&commit)).expect("the log can be written");
}

/// A process that commits each line that it is given.
struct Stream {
    child: Child,
    stops: Arc<AtomicBool>,
    sender: Option<JoinHandle<u64>>,
}

impl Stream {
    fn start(world: &World) -> Stream {
        let arguments = ["-q", "ingest", "--format", "ndjson", "--commit-every", "1", "-"];
        let mut command = world.command(&arguments);
        let mut child = command.stdin(Stdio::piped()).spawn().expect("the program can be started");
        let mut pipe: ChildStdin = child.stdin.take().expect("it has a pipe");
        let stops = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stops);
        let sender = std::thread::spawn(move || {
            let mut lines = 0;
            while !stopped.load(Ordering::SeqCst) {
                // Of the hour that has just begun, which is not compacted.
                let line = format!("{{\"ts\":1484438400,\"item_id\":\"streamed{lines}\"}}");
                if writeln!(pipe, "{line}").is_err() {
                    break;
                }
                lines += 1;
            }
            lines
        });
        Stream { child, stops, sender: Some(sender) }
    }

    /// Stops it; returns how many lines it was given.
    fn stop(mut self) -> u64 {
        self.stops.store(true, Ordering::SeqCst);
        // What the pipe still holds is then committed at once, not line by line.
        signal(self.child.id(), Signal::SIGTERM);
        let sender = self.sender.take().expect("it is stopped once");
        let lines = sender.join().expect("the sender does not panic");
        assert!(self.child.wait().expect("the run ends").success());
        lines
    }
}

impl Drop for Stream {
    /// Leaves no process behind where a test fails.
    fn drop(&mut self) {
        self.stops.store(true, Ordering::SeqCst);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An ingest between what a step reads and what it commits made all of the compaction begin again: under a
/// stream, 106 times in 150 seconds, and it never ended.
#[test]
fn what_is_ingested_while_a_step_of_a_compaction_is_written_does_not_make_it_begin_again() {
    let world = Arc::new(shop());
    let (ingesting, numbers) = (Arc::clone(&world), AtomicU64::new(0));
    let commits_of_others = Overtaking::before_each("events/event_type", move || {
        let number = numbers.fetch_add(1, Ordering::SeqCst);
        // Of a day that is being compacted.
        let line = format!("{{\"ts\":\"2017-01-13T12:40:00Z\",\"item_id\":\"late{number}\"}}\n");
        let said = ingesting.run_with(&["-q", "ingest", "--format", "ndjson", "-"], line.as_bytes());
        assert_eq!(said.code, Some(0), "{}", said.whole());
    });
    let before = version(&lake(&world, None));
    let compacted = compact(&lake(&world, Some(&commits_of_others)));
    assert_eq!((compacted.events_to, compacted.event_files), (DAYS as u64, 2 * DAYS as u64));
    assert_eq!(commits_of_others.times(), DAYS, "each file was written once");
    let after = lake(&world, None);
    assert_eq!(version(&after) - before, (DAYS + STEPS) as u64);
    assert_eq!(rows_and_files(&after), (3 * DAYS as u64, 2 * DAYS));
    assert_eq!(world.run("lake verify").code, Some(0));
}

/// The disk of a compaction waits, before each file that it writes, until the stream has committed again, and
/// the compaction commits at its first attempt: neither keeps the other from going on.
#[test]
fn a_stream_that_commits_each_line_and_a_compaction_both_go_on() {
    let world = Arc::new(shop());
    let streaming = Stream::start(&world);
    let (asked, seen) = (Arc::clone(&world), AtomicU64::new(0));
    let advancing = Overtaking::before_each("events/event_type", move || {
        let lake = lake(&asked, None);
        wait_until("the stream commits", || version(&lake) > seen.load(Ordering::SeqCst) + 1);
        seen.store(version(&lake), Ordering::SeqCst);
    });
    let attempts = Overtaking::before_each(COMMITS, || {});
    let store = Store::open_through(&world.path("data/lake"), |disk| attempts.on(advancing.on(disk)));
    let compacting = Lake::open(store.expect("the lake can be named")).expect("the lake can be opened");
    let compacted = compact(&compacting);
    assert_eq!((compacted.events_to, attempts.times()), (DAYS as u64, STEPS), "{compacted:?}");
    let lines = streaming.stop();
    assert_eq!(rows_and_files(&lake(&world, None)).0, 2 * DAYS as u64 + lines);
    assert_eq!(world.run("lake verify").code, Some(0));
}

/// Days expire in one commit, however many are made by others.
#[test]
fn days_expire_beside_a_stream_in_few_attempts() {
    let world = shop();
    let streaming = Stream::start(&world);
    let attempts = Overtaking::before_each(COMMITS, || {});
    let expiring = lake(&world, Some(&attempts));
    let first = version(&expiring);
    wait_until("the stream commits", || version(&expiring) > first + 10);
    let oldest = Timestamp::parse("2017-01-14T00:00:00Z").expect("a good moment").hour();
    let expired = expiring.expire_before(oldest, now().micros() / 1_000).expect("nothing fails");
    assert_eq!((expired.hours.len(), expired.rows, attempts.times()), (DAYS, 2 * DAYS as u64, 1));
    let lines = streaming.stop();
    assert_eq!(rows_and_files(&lake(&world, None)).0, lines);
}

/// Another program does not wait for its turn. What a step has written is used nevertheless.
#[test]
fn a_step_is_committed_again_and_not_written_again_where_others_commit_first() {
    const TIMES: u64 = 5;
    let world = shop();
    let (path, left) = (world.path("data/lake"), AtomicU64::new(TIMES));
    let overtaken = Overtaking::before_each(COMMITS, move || {
        if left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            commit_out_of_turn(&path);
        }
    });
    let written = Overtaking::before_each("events/event_type", || {});
    let store = Store::open_through(&world.path("data/lake"), |disk| written.on(overtaken.on(disk)));
    let compacting = Lake::open(store.expect("the lake can be named")).expect("the lake can be opened");
    let compacted = compact(&compacting);
    assert_eq!(compacted.events_to, DAYS as u64);
    assert_eq!((written.times(), overtaken.times()), (DAYS, STEPS + TIMES as usize));
    assert_eq!(rows_and_files(&lake(&world, None)), (2 * DAYS as u64, DAYS));
}

/// A rollup would begin again if aggregates were compacted before it commits.
#[test]
fn a_rollup_commits_at_its_first_attempt_and_a_compaction_waits_for_it() {
    let world = Arc::new(World::new());
    // A rollup replaces only the files with hours that changed, so that the first day has two.
    for (times, commands) in [
        (["13T05", "13T06"], &["-q ingest log.csv", "-q rank"][..]),
        (["13T15", "13T16"], &["-q ingest log.csv", "-q rank"][..]),
        (["14T05", "14T06"], &["-q ingest log.csv"][..]),
    ] {
        let lines = times.map(|time| format!("2017-01-{time}:30:00Z,item,1\n")).concat();
        world.write("log.csv", format!("ts,item_id,quantity\n{lines}"));
        for command in commands {
            let said = world.run(command);
            assert_eq!(said.code, Some(0), "{}", said.whole());
        }
    }
    let compacting: Arc<std::sync::Mutex<Option<Child>>> = Arc::default();
    let (beside, started) = (Arc::clone(&world), Arc::clone(&compacting));
    let begins = Overtaking::before("rollups/event_type", move || {
        let child = beside.command(&["-q", "lake", "compact"]).spawn().expect("it can be started");
        let queue =
            std::fs::metadata(beside.path("data/lake/rollups.queue.lock")).expect("it is there").ino();
        wait_until("the compaction waits for its turn", || {
            let locks = std::fs::read_to_string("/proc/locks").expect("the system lists locks");
            let is_place = |line: &&str| line.contains("WRITE") && line.contains(&format!(":{queue} "));
            locks.lines().filter(is_place).count() == 2
        });
        *started.lock().expect("nobody panicked") = Some(child);
    });
    let attempts = Overtaking::before_each("rollups/_delta_log/000000000000000", || {});
    let store = Store::open_through(&world.path("data/lake"), |disk| attempts.on(begins.on(disk)));
    let rolling = Lake::open(store.expect("the lake can be named")).expect("the lake can be opened");
    let now_ms = now().micros() / 1_000;
    let progress = Progress::default();
    let summary = rollup::rollup(&rolling, Scope::Changed, Replaces::DamagedOnly, now_ms, &progress);
    assert_eq!((summary.expect("nothing fails").hours, attempts.times()), (2, 1));
    let child = compacting.lock().expect("nobody panicked").take();
    assert!(child.expect("it was started").wait().expect("the run ends").success());
    assert_eq!(world.run("lake verify").code, Some(0));
}

/// `rank` was refused as long as a compaction ran, which could be the whole night.
#[test]
fn while_a_lake_is_compacted_everything_runs_but_what_removes_files() {
    let world = Arc::new(shop());
    let beside = Arc::clone(&world);
    let between = Overtaking::before("events/event_type", move || {
        beside.write("late.csv", "ts,item_id,quantity\n2017-01-13T12:30:00Z,late,5\n");
        for (command, code) in [
            ("ingest late.csv", 0),
            ("rank", 0),
            ("rollup --all", 0),
            ("show --format csv", 0),
            ("lake verify", 0),
            ("lake prune", 6),
            ("lake compact", 6),
        ] {
            let said = beside.run(command);
            assert_eq!(said.code, Some(code), "{command}: {}", said.whole());
        }
    });
    let compacting = lake(&world, Some(&between));
    let _lock = compacting.lock_compaction("a test", topsell_core::storage::LockTimeout::NoWait);
    let compacted = compact(&compacting);
    assert!(between.has_happened());
    // The rollup has written the day as one file.
    assert_eq!((compacted.events_to, compacted.rollups_to), (DAYS as u64, 0), "{compacted:?}");
    assert_eq!(world.run("lake verify").code, Some(0));
    let sold = world.sold();
    assert!(sold.contains("\nlate,5,1,"), "{sold}");
}

/// A kill between two steps: the next compaction does what is left.
#[test]
fn what_the_steps_before_a_failure_have_done_stays() {
    let world = shop();
    let failing = Overtaking::failing_after(COMMITS, 2);
    let compacting = lake(&world, Some(&failing));
    let outcome = maintenance::compact(&compacting, now(), LIMITS, DryRun::No, &Progress::default());
    let error = outcome.expect_err("the third step fails").to_string();
    assert!(error.contains("this disk fails on purpose"), "{error}");
    drop(compacting);
    let (rows, files) = rows_and_files(&lake(&world, None));
    assert_eq!((rows, files), (2 * DAYS as u64, 2 * DAYS - 8), "two steps of four days are done");
    let plain = lake(&world, None);
    let plan = maintenance::compact(&plain, now(), LIMITS, DryRun::Yes, &Progress::default());
    let plan = plan.expect("nothing fails").plan;
    let of_events = |step: &str| plan.iter().filter(|line| line.starts_with(step)).count();
    assert_eq!(
        [1, 2, 3, 4, 5].map(|step| of_events(&format!("step {step}: compact events"))),
        [4, 4, 4, 4, 0]
    );
    assert_eq!(compact(&plain).events_to, DAYS as u64 - 8);
    assert_eq!(rows_and_files(&plain), (2 * DAYS as u64, DAYS));
}
