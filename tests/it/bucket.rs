//! A lake in a bucket is the lake of a folder, whatever its requests meet; the bucket is one in memory.

pub mod objects;
mod serve;
mod staged;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use object_store::memory::InMemory;

use topsell_core::counts::{CountQuery, by_hour};
use topsell_core::delta::{VacuumRule, VacuumScope};
use topsell_core::lake::{DryRun, Lake};
use topsell_core::maintenance::copy_lake;
use topsell_core::model::{EventTypes, Timestamp};
use topsell_core::pipeline::Step;
use topsell_core::rankings::Snapshot;
use topsell_core::rollup::{Replaces, Scope};
use topsell_core::storage::{BucketName, BucketTimes, Lock, LockError, LockTimeout, Store};

use crate::faults::{ingest_step, rank_step, seen_in, take_step, world};
use crate::processes::wait_until;
use crate::world::World;
use objects::{Failing, Objects};

pub const FAILURES: [Failing; 4] = [Failing::Before, Failing::After, Failing::Twice, Failing::Conflict];

/// Returns a lake's store that is reached on a way to objects.
pub fn store_of(objects: &Arc<Objects>, lease: Duration) -> Store {
    let name = BucketName { bucket: "shop".to_owned(), prefix: "lakes/one".to_owned() };
    let times = BucketTimes { lease, retry: Duration::from_millis(2) };
    Store::in_bucket(name, Arc::<Objects>::clone(objects), times).expect("threads can be started")
}

pub fn plain(store: &Arc<InMemory>) -> Store {
    store_of(&Objects::of(store), Duration::from_secs(60))
}

fn day(world: &World) -> Vec<Step> {
    let rollup = Step::Rollup { scope: Scope::Changed, replaces: Replaces::DamagedOnly, dry_run: DryRun::No };
    vec![
        ingest_step(world, "first.csv"),
        rank_step(),
        ingest_step(world, "second.csv"),
        rollup,
        rank_step(),
        Step::Compact { dry_run: DryRun::No },
        rank_step(),
    ]
}

/// Returns the published files of a lake: rankings, item totals and the pointers to them.
fn published(store: &Store) -> BTreeMap<String, Bytes> {
    let files = store.files("rankings").expect("it can be listed");
    files
        .into_iter()
        .map(|file| (store.get(&file.path).expect("it can be read"), file.path))
        .map(|(bytes, path)| (path, bytes))
        .collect()
}

#[test]
fn a_lake_in_a_bucket_has_the_bytes_of_one_in_a_folder() {
    let world = world();
    let folder = Store::open(&world.path("lake")).expect("a folder can be named");
    let objects = Arc::new(InMemory::new());
    let bucket = plain(&objects);
    for step in day(&world) {
        for store in [&folder, &bucket] {
            take_step(store, &step).expect("nothing fails");
        }
        assert_eq!(seen_in(&bucket), seen_in(&folder));
    }
    assert_eq!(published(&bucket), published(&folder));
    assert!(published(&bucket).len() > 3, "there is something to compare");
    // One more client, which knows nothing of the first one's.
    assert_eq!(seen_in(&plain(&objects)), seen_in(&folder));
}

#[test]
fn whatever_requests_fail_no_batch_is_lost_and_none_counts_twice() {
    let world = world();
    let folder = Store::open(&world.path("lake")).expect("a folder can be named");
    for step in day(&world) {
        take_step(&folder, &step).expect("nothing fails");
    }
    let expected = seen_in(&folder);
    for failing in FAILURES {
        for every in [3, 7, 20, 61] {
            let store = Arc::new(InMemory::new());
            let objects = Objects::failing(&store, every, failing);
            for step in day(&world) {
                // Where every third request fails hardly any run comes to its end; then the way is a good one.
                let bucket = store_of(&objects, Duration::from_secs(60));
                let outcomes = (0..20).map(|_| take_step(&bucket, &step));
                let is_done = outcomes.take(20).any(|outcome| outcome.is_ok());
                if !is_done {
                    take_step(&plain(&store), &step).expect("nothing fails any more");
                }
            }
            assert_eq!(seen_in(&plain(&store)), expected, "every {every}, {failing:?}");
        }
    }
}

#[test]
fn a_write_whose_answer_was_lost_is_a_success_and_another_s_is_a_conflict() {
    for failing in FAILURES {
        let store = Arc::new(InMemory::new());
        let objects = Objects::failing(&store, 3, failing);
        let bucket = store_of(&objects, Duration::from_secs(60));
        for number in 0..20 {
            let path = format!("runs/{number}");
            let own = Bytes::from(format!("own {number}"));
            let is_new = bucket.put_new(&path, own.clone()).expect("it is known what is there");
            assert!(is_new, "{failing:?} {number}");
            let is_new = bucket.put_new(&path, "another's".into()).expect("it is known what is there");
            assert!(!is_new, "{failing:?} {number}");
            assert_eq!(plain(&store).get(&path).expect("it is there"), own);
        }
    }
}

#[test]
fn lines_that_several_append_at_once_are_all_there_once() {
    let store = Arc::new(InMemory::new());
    std::thread::scope(|scope| {
        for (writer, failing) in FAILURES.into_iter().enumerate() {
            let objects = Objects::failing(&store, 11, failing);
            scope.spawn(move || {
                let bucket = store_of(&objects, Duration::from_secs(60));
                for line in 0..20 {
                    let line = format!("{writer} {line}\n");
                    // A read that fails is an error; then nothing was appended.
                    while bucket.append("inputs/0.txt", line.as_bytes()).is_err() {}
                }
            });
        }
    });
    let text = plain(&store).get("inputs/0.txt").expect("it is there");
    let mut lines: Vec<&str> = std::str::from_utf8(&text).expect("it is text").lines().collect();
    lines.sort_unstable();
    let mut expected: Vec<String> =
        (0..4).flat_map(|writer| (0..20).map(move |line| format!("{writer} {line}"))).collect();
    expected.sort_unstable();
    assert_eq!(lines, expected);
}

#[test]
fn committers_that_race_lose_no_batch() {
    let world = world();
    let store = Arc::new(InMemory::new());
    take_step(&plain(&store), &ingest_step(&world, "first.csv")).expect("nothing fails");
    const EACH: usize = 6;
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let (world, store) = (&world, &store);
            scope.spawn(move || {
                for number in 0..EACH {
                    let name = format!("{writer}-{number}.csv");
                    let row = format!("2017-01-14T10:00:00Z,{writer}-{number},a,Toys,1");
                    world.write(&name, format!("ts,event_id,item_id,category,quantity\n{row}\n"));
                    take_step(&plain(store), &ingest_step(world, &name)).expect("nothing fails");
                }
            });
        }
    });
    assert_eq!(seen_in(&plain(&store)).events(), 3 + 4 * EACH as u64);
}

/// Takes a lock without waiting.
fn take(store: &Store, holder: &str) -> Result<Lock, LockError> {
    store.lock("maintenance.lock", holder, LockTimeout::NoWait)
}

fn holder_of(outcome: Result<Lock, LockError>) -> String {
    match outcome.expect_err("somebody has it") {
        LockError::Held { holder } => holder,
        LockError::Store(error) => panic!("{error}"),
    }
}

#[test]
fn a_lock_of_a_bucket_is_one_s_at_a_time() {
    let store = Arc::new(InMemory::new());
    let (one, other) = (plain(&store), plain(&store));
    let mut lock = take(&one, "one").expect("nobody has it");
    assert_eq!((lock.epoch(), holder_of(take(&other, "other"))), (Some(1), "one".to_owned()));
    lock.note("one, still").expect("it can be written");
    assert_eq!(holder_of(take(&other, "other")), "one, still");
    drop(lock);
    let mut lock = other.lock_as_left("maintenance.lock", LockTimeout::NoWait).expect("it was released");
    assert_eq!((lock.epoch(), lock.last_note().ok().as_deref()), (Some(2), Some("one, still")));
}

#[test]
fn of_many_who_take_a_lock_at_once_one_has_it() {
    for failing in FAILURES {
        let store = Arc::new(InMemory::new());
        for round in 0..20 {
            let is_held = AtomicBool::new(false);
            std::thread::scope(|scope| {
                for taker in 0..4 {
                    let (store, is_held) = (&store, &is_held);
                    scope.spawn(move || {
                        let objects = Objects::failing(store, 5, failing);
                        let bucket = store_of(&objects, Duration::from_secs(60));
                        if let Ok(lock) = take(&bucket, &format!("taker {taker}")) {
                            let was_held = is_held.swap(true, Ordering::SeqCst);
                            assert!(!was_held, "{failing:?} round {round}");
                            is_held.store(false, Ordering::SeqCst);
                            drop(lock);
                        }
                    });
                }
            });
            // One that could not be released ends by itself; the next round has its own.
            plain(&store).delete("maintenance.lock").expect("it can be removed");
        }
    }
}

#[test]
fn the_lock_of_a_holder_that_is_gone_is_taken_over_and_not_taken_back() {
    let store = Arc::new(InMemory::new());
    let objects = Objects::of(&store);
    let lease = Duration::from_millis(400);
    let gone = store_of(&objects, lease);
    let mut lost = take(&gone, "gone").expect("nobody has it");
    objects.cut_off(true);
    let next = store_of(&Objects::of(&store), lease);
    assert_eq!(holder_of(take(&next, "next")), "gone", "it lasts for a while");
    let taken = next.lock("maintenance.lock", "next", LockTimeout::Unlimited).expect("it is over some time");
    assert_eq!(taken.epoch(), Some(2));
    // As a process that was stopped and goes on.
    objects.cut_off(false);
    lost.note("gone, and back").expect("the store answers");
    assert_eq!(holder_of(take(&gone, "third")), "next");
    drop(lost);
    assert_eq!(holder_of(take(&gone, "third")), "next", "what was lost is not released");
}

#[test]
fn a_pointer_is_not_moved_back_by_a_holder_that_has_lost_its_lock() {
    const POINTER: &str = "rankings/current.json";
    let store = Arc::new(InMemory::new());
    let objects = Objects::of(&store);
    let lease = Duration::from_millis(400);
    let gone = store_of(&objects, lease);
    let _lost = take(&gone, "gone").expect("nobody has it");
    gone.put_pointer(POINTER, "first".into()).expect("it has its lock");
    objects.cut_off(true);
    let next = store_of(&Objects::of(&store), lease);
    let _taken = next.lock("maintenance.lock", "next", LockTimeout::Unlimited).expect("it is over some time");
    next.put_pointer(POINTER, "newer".into()).expect("it has its lock");
    objects.cut_off(false);
    let error = gone.put_pointer(POINTER, "older".into()).expect_err("its lock is lost").to_string();
    assert!(error.contains("another run has taken over"), "{error}");
    assert_eq!(next.get(POINTER).expect("it is there"), "newer");
}

/// A holder is stopped before each of its requests, another one takes its lock over and moves the pointer, and the first
/// one goes on.
#[test]
fn a_pointer_is_not_moved_back_wherever_its_holder_was_stopped() {
    const POINTER: &str = "rankings/current.json";
    let lease = Duration::from_millis(300);
    let stopped_after = |requests: u64| {
        let store = Arc::new(InMemory::new());
        let objects = Objects::of(&store);
        let gone = store_of(&objects, lease);
        gone.put_pointer(POINTER, "first".into()).expect("nobody has the lock");
        let lost = take(&gone, "gone").expect("nobody has it");
        let epoch = lost.epoch();
        objects.stop_after(requests);
        std::thread::scope(|scope| {
            let put = scope.spawn(|| gone.put_pointer(POINTER, "older".into()));
            wait_until("it is stopped, or done", || objects.is_stopped() || put.is_finished());
            let is_done = put.is_finished();
            let next = store_of(&Objects::of(&store), lease);
            let taken = next.lock("maintenance.lock", "next", LockTimeout::Unlimited).expect("it is over");
            next.put_pointer(POINTER, "newer".into()).expect("it has its lock");
            objects.go_on();
            assert!(taken.epoch() > epoch);
            let put = put.join().expect("it does not panic");
            assert_eq!(
                next.get(POINTER).expect("it is there"),
                "newer",
                "after {requests} requests, {put:?}"
            );
            assert!(is_done || put.is_err(), "after {requests} requests: its lock is lost");
            is_done
        })
    };
    let are_done: Vec<bool> = std::thread::scope(|scope| {
        let stops: Vec<_> = (0..8).map(|requests| scope.spawn(move || stopped_after(requests))).collect();
        stops.into_iter().map(|stop| stop.join().expect("all is well")).collect()
    });
    assert!(!are_done[2] && are_done.contains(&true), "it was stopped near the pointer: {are_done:?}");
}

#[test]
fn a_prune_of_a_bucket_removes_nothing_that_was_written_in_the_last_day() {
    let world = world();
    let store = Arc::new(InMemory::new());
    for step in day(&world) {
        take_step(&plain(&store), &step).expect("nothing fails");
    }
    let bucket = plain(&store);
    let lake = Lake::open(bucket.clone()).expect("it is there");
    let left = |after_ms: i64| {
        let scope = VacuumScope::DataOnly;
        let rule = VacuumRule { keep_ms: 0, now_ms: now_ms() + after_ms, trusts_clock: true, scope };
        lake.vacuum(&rule, DryRun::No).expect("nothing fails").expect("nobody writes");
        bucket.files("events").expect("it can be listed").len()
    };
    let hour_ms = 3_600_000;
    let before = left(0);
    assert_eq!(left(23 * hour_ms), before, "a file may belong to a batch that is being written");
    assert!(left(25 * hour_ms) < before, "the compaction has replaced some");
    assert_eq!(seen_in(&plain(&store)).events(), 5);
}

#[test]
fn a_url_of_another_scheme_is_no_folder() {
    let world = World::new();
    for lake in ["gs://shop/lake", "foo://bar", "S3://shop"] {
        let said = world.run(&format!("--lake {lake} show"));
        assert!(said.stderr.contains("unknown scheme") && said.code != Some(0), "{}", said.whole());
    }
    assert_eq!(world.files("."), Vec::<String>::new());
}

#[test]
fn a_copy_of_a_lake_is_the_lake_and_can_be_continued() {
    let world = world();
    let folder = Store::open(&world.path("lake")).expect("a folder can be named");
    let steps = day(&world);
    let (now, later) = steps.split_at(2);
    now.iter().for_each(|step| take_step(&folder, step).expect("nothing fails"));
    let objects = Arc::new(InMemory::new());
    for every in [9, 5, 4, 3, 0] {
        let flaky = store_of(&Objects::failing(&objects, every, Failing::Before), Duration::from_secs(60));
        // It gets further each time, or begins again.
        let _ = copy_lake(&folder, &flaky);
    }
    assert_eq!(seen_in(&plain(&objects)), seen_in(&folder));
    assert_eq!(published(&plain(&objects)), published(&folder));
    later.iter().for_each(|step| take_step(&folder, step).expect("nothing fails"));
    let again = copy_lake(&folder, &plain(&objects)).expect("nothing fails");
    assert!(again.present_files > 0, "{again:?}");
    let back = Store::open(&world.path("back")).expect("a folder can be named");
    copy_lake(&plain(&objects), &back).expect("nothing fails");
    assert_eq!(seen_in(&back), seen_in(&folder));
    assert_eq!(published(&back), published(&folder));
    let said = world.run("--lake back lake verify");
    assert!(said.code == Some(0) && said.stderr.contains("no problems found"), "{}", said.whole());
}

#[test]
fn a_lake_is_not_copied_over_another_one_or_over_other_files() {
    let world = world();
    for lake in ["one", "other"] {
        let store = Store::open(&world.path(lake)).expect("a folder can be named");
        take_step(&store, &ingest_step(&world, "first.csv")).expect("nothing fails");
    }
    world.write("files/mine.txt", "mine");
    let check = |to: &str, expected: &str| {
        let said = world.run(&format!("lake copy one {to}"));
        assert!(said.code == Some(1) && said.stderr.contains(expected), "{}", said.whole());
    };
    check("other", "has another lake");
    check("files", "files that are of no lake");
    let said = world.run("lake copy none target");
    assert!(said.code != Some(0) && !world.path("target").exists(), "{}", said.whole());
}

#[test]
fn the_doctor_names_what_a_store_does_not_do() {
    let check = |store: Store, expected: Option<&str>| {
        let checks = store.check_promises(now_ms()).expect("it can be reached").expect("it is a bucket");
        let missing: Vec<_> = checks.iter().filter(|check| check.problem.is_some()).collect();
        assert_eq!(missing.is_empty(), expected.is_none(), "{missing:?}");
        let is_named = |expected| missing.iter().any(|check| check.what.contains(expected));
        assert!(expected.is_none_or(is_named), "{missing:?}");
        assert_eq!(store.files("doctor").expect("it can be listed"), Vec::new());
    };
    let store = Arc::new(InMemory::new());
    check(plain(&store), None);
    check(store_of(&Objects::unconditional(&store), Duration::from_secs(60)), Some("If-None-Match"));
    check(store_of(&Objects::unconditional(&store), Duration::from_secs(60)), Some("If-Match"));
    let world = World::new();
    let said = world.run("doctor");
    assert!(said.code == Some(2) && said.stderr.contains("checks buckets"), "{}", said.whole());
}

/// Returns the moment that objects in memory are written at, as the file system says it.
fn now_ms() -> i64 {
    let file = tempfile::tempfile().expect("a file can be made");
    let now = file.metadata().and_then(|meta| meta.modified()).expect("it has a time");
    let since = now.duration_since(std::time::UNIX_EPOCH).expect("it is after 1970");
    i64::try_from(since.as_millis()).expect("it is not that late")
}

#[test]
fn a_holder_that_goes_on_keeps_its_lock_for_longer_than_a_lease_lasts() {
    let store = Arc::new(InMemory::new());
    let lease = Duration::from_millis(200);
    let objects = Objects::failing(&store, 3, Failing::After);
    let holder = store_of(&objects, lease);
    let lock = take(&holder, "holder").expect("nobody has it");
    let (before, _) = objects.requests();
    // Three lives of the lease, and some time that does not count.
    let other = store_of(&Objects::of(&store), lease);
    while objects.requests().0 < before + 40 {
        assert_eq!(holder_of(take(&other, "other")), "holder");
    }
    assert_eq!(lock.epoch(), Some(1));
}

#[test]
fn large_files_arrive_in_parts_and_one_that_is_dropped_leaves_nothing() {
    let store = Arc::new(InMemory::new());
    let bucket = plain(&store);
    let bytes: Vec<u8> = (0..40_u32 << 20).map(|at| (at / 7) as u8).collect();
    let bulk = bucket.bulk_writer("").expect("there is nothing to open");
    let mut stream = bulk.stream("streamed").expect("it can be begun");
    for piece in bytes.chunks(3 << 20) {
        stream.append(Bytes::copy_from_slice(piece)).expect("it can be written");
    }
    stream.finish().expect("it can be named");
    let mut dropped = bulk.stream("dropped").expect("it can be begun");
    dropped.append(Bytes::from_static(b"lost")).expect("it can be written");
    drop(dropped);
    bulk.put("whole", bytes.clone().into()).expect("it can be begun");
    bulk.finish().expect("all have arrived").keep();
    for path in ["streamed", "whole"] {
        assert!(bucket.get(path).expect("it is there") == bytes, "{path}");
    }
    assert!(!bucket.is_there("dropped"));
}

#[test]
fn uploads_of_which_one_fails_are_not_kept() {
    let store = Arc::new(InMemory::new());
    let bucket = store_of(&Objects::failing(&store, 50, Failing::Before), Duration::from_secs(60));
    let bulk = bucket.bulk_writer("events").expect("there is nothing to open");
    let outcomes: Vec<bool> =
        (0..100).map(|number| bulk.put(&format!("events/{number}"), "x".into()).is_ok()).collect();
    assert!(bulk.finish().is_err(), "{outcomes:?}");
    let left = plain(&store).files("events").expect("it can be listed");
    assert_eq!(left, Vec::new());
}

/// Returns the number of requests that a step makes.
fn requests_of(store: &Arc<InMemory>, step: &Step) -> u64 {
    let objects = Objects::of(store);
    take_step(&store_of(&objects, Duration::from_secs(60)), step).expect("nothing fails");
    objects.requests().0
}

#[test]
fn requests_follow_what_is_written_and_what_is_read() {
    let world = World::new();
    for hour in 0..48 {
        let ts = format!("2017-01-{}T{:02}:00:00Z", 12 + hour / 24, hour % 24);
        let rows = (0..40).map(|row| format!("{ts},{hour}-{row},i{row},Category {},1\n", row % 12));
        let log: String =
            std::iter::once("ts,event_id,item_id,category,quantity\n".to_owned()).chain(rows).collect();
        world.write(&format!("logs/{hour:02}.csv"), log);
    }
    let store = Arc::new(InMemory::new());
    let count = |folder: &str, ending: &str| {
        let files = plain(&store).files(folder).expect("it can be listed");
        files.iter().filter(|file| file.path.ends_with(ending)).count() as u64
    };
    let ingest = requests_of(&store, &ingest_step(&world, "logs"));
    let (files, commits) = (count("events", ".parquet"), count("events/_delta_log", ".json"));
    let inputs = count("inputs", ".txt");
    assert!(ingest <= files + inputs + 3 * commits + 20, "{ingest}: {files} {inputs} {commits}");
    let again = requests_of(&store, &ingest_step(&world, "logs"));
    assert!(again <= inputs + commits + 15, "{again}: {inputs} {commits}");

    let rollup = Step::Rollup { scope: Scope::Changed, replaces: Replaces::DamagedOnly, dry_run: DryRun::No };
    let aggregated = requests_of(&store, &rollup);
    let aggregates = count("rollups", ".parquet");
    assert!(aggregated <= files + aggregates + commits + 25, "{aggregated}: {files} {aggregates}");

    let rank = requests_of(&store, &rank_step());
    assert!(rank <= aggregates + commits + 35, "{rank}: {aggregates} {commits}");

    let objects = Objects::of(&store);
    let event_types = EventTypes::of(vec!["purchase".to_owned()], Vec::new());
    let begin = Timestamp::parse("2017-01-13T00:00:00Z").expect("a good moment").hour();
    let hours = begin..begin.plus(24);
    let query = CountQuery { event_types: &event_types, hours, category: None, uncommitted: &[] };
    let counts = by_hour(&store_of(&objects, Duration::from_secs(60)), &query, &["i1"]);
    assert_eq!(counts.expect("it can be read")["i1"].len(), 24);
    let files = plain(&store).files("rollups").expect("it can be listed");
    let of_day = files.iter().filter(|file| file.path.contains("date=2017-01-13")).count() as u64;
    assert!(objects.requests().0 <= of_day + 9, "{of_day} files:\n{}", objects.told());

    let objects = Objects::of(&store);
    let snapshot = Snapshot::current(&store_of(&objects, Duration::from_secs(60))).expect("it is there");
    snapshot.category(None).expect("it can be read");
    assert!(objects.requests().0 <= 4, "{}", objects.told());
}
