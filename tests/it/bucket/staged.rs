//! Many ingest into a bucket at once: one of them commits the batches of all, whoever of them is killed.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use object_store::memory::InMemory;

use topsell_core::storage::Store;

use crate::bucket::objects::{Failing, Objects};
use crate::bucket::{FAILURES, plain, store_of};
use crate::faults::{ingest_step, seen_in, take_step, world};
use crate::world::World;

const LEASE: &str = "staged/events.lock";
/// A lease of a commit is over after a quarter of this.
const SHORT: Duration = Duration::from_millis(800);

/// How often two race for a commit.
const RACES: u64 = 20;

/// Returns a lake with three events.
fn lake(world: &World) -> Arc<InMemory> {
    let store = Arc::new(InMemory::new());
    take_step(&plain(&store), &ingest_step(world, "first.csv")).expect("nothing fails");
    store
}

/// Writes a log of two events and returns its name.
fn write_log(world: &World, name: &str) -> String {
    let file = format!("{name}.csv");
    let rows = (0..2).map(|row| format!("2017-01-14T1{row}:00:00Z,{name}-{row},a,Toys,1\n"));
    let log: String =
        std::iter::once("ts,event_id,item_id,category,quantity\n".to_owned()).chain(rows).collect();
    world.write(&file, log);
    file
}

fn count(store: &Store, folder: &str, ending: &str) -> u64 {
    let files = store.files(folder).expect("it can be listed");
    files.iter().filter(|file| file.path.ends_with(ending)).count() as u64
}

/// Lets many ingest files of their own, one after the other; returns the store and how many races were lost.
fn ingest_at_once(
    world: &World,
    writers: usize,
    each: usize,
    way: &(dyn Fn(&Arc<InMemory>) -> Arc<Objects> + Sync),
) -> (Arc<InMemory>, u64) {
    let store = lake(world);
    let lost = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for writer in 0..writers {
            let (store, lost) = (&store, &lost);
            scope.spawn(move || {
                for number in 0..each {
                    let step = ingest_step(world, &write_log(world, &format!("{writer}-{number}")));
                    let objects = way(store);
                    let bucket = store_of(&objects, SHORT);
                    let is_done = (0..20).any(|_| take_step(&bucket, &step).is_ok());
                    if !is_done {
                        take_step(&plain(store), &step).expect("nothing fails any more");
                    }
                    lost.fetch_add(objects.lost_races(), Ordering::SeqCst);
                }
            });
        }
    });
    (store, lost.into_inner())
}

#[test]
fn of_many_who_ingest_at_once_hardly_any_loses_a_race() {
    const WRITERS: usize = 8;
    const EACH: usize = 12;
    let world = world();
    let (store, lost) = ingest_at_once(&world, WRITERS, EACH, &Objects::of);
    let bucket = plain(&store);
    assert_eq!(seen_in(&bucket).events(), 3 + 2 * (WRITERS * EACH) as u64);
    let commits = count(&bucket, "events/_delta_log", ".json");
    assert!(commits < (WRITERS * EACH) as u64, "some commits have the batches of several: {commits}");
    assert!(lost * 10 <= commits, "{lost} lost races, {commits} commits");
    assert_eq!(count(&bucket, "staged", ".json"), 0);
}

/// Two commit at once again and again, and the lease that keeps them apart is removed all the time: `TOPSELL_RACES` times,
/// or a few.
#[test]
fn two_who_race_for_each_commit_lose_no_batch() {
    let races = std::env::var("TOPSELL_RACES").ok().and_then(|text| text.parse().ok()).unwrap_or(RACES);
    let world = world();
    let store = lake(&world);
    let (start, lost, are_done) = (Barrier::new(2), AtomicU64::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..2)
            .map(|writer| {
                let (world, store, start, lost) = (&world, &store, &start, &lost);
                scope.spawn(move || {
                    let mut failure = None;
                    for race in 0..races {
                        let step = ingest_step(world, &write_log(world, &format!("{writer}-{race}")));
                        let objects = Objects::of(store);
                        let bucket = store_of(&objects, SHORT);
                        start.wait();
                        // The other one would wait for ever if this one ended.
                        failure = failure.or(take_step(&bucket, &step).err());
                        lost.fetch_add(objects.lost_races(), Ordering::SeqCst);
                    }
                    failure
                })
            })
            .collect();
        let (store, are_done) = (&store, &are_done);
        scope.spawn(move || {
            let bucket = plain(store);
            while !are_done.load(Ordering::SeqCst) {
                bucket.delete(LEASE).expect("it can be removed");
            }
        });
        let failures: Vec<_> = writers.into_iter().map(|writer| writer.join().ok()).collect();
        are_done.store(true, Ordering::SeqCst);
        assert_eq!(failures, [Some(None), Some(None)]);
    });
    assert_eq!(seen_in(&plain(&store)).events(), 3 + 2 * 2 * races);
    assert!(lost.into_inner() > 0, "some commits met another one");
}

#[test]
fn whatever_requests_of_many_fail_no_batch_is_lost_and_none_counts_twice() {
    for failing in FAILURES {
        for every in [5, 17, 41] {
            let world = world();
            let way = |store: &Arc<InMemory>| Objects::failing(store, every, failing);
            let (store, _) = ingest_at_once(&world, 4, 3, &way);
            assert_eq!(seen_in(&plain(&store)).events(), 3 + 2 * 12, "every {every}, {failing:?}");
        }
    }
}

/// Kills an ingest after each number of requests, while others ingest or while somebody has the lease.
fn kill_after_each_request(is_held: bool) {
    let world = world();
    let files: Vec<String> = ["killed", "next"].iter().map(|name| write_log(&world, name)).collect();
    let steps: Vec<_> = files.iter().map(|file| ingest_step(&world, file)).collect();
    let kill_after = |requests: u64| {
        let store = lake(&world);
        let bucket = plain(&store);
        let dying = Objects::dying(&store, requests);
        let take = || bucket.lease(LEASE, "somebody").expect("nothing fails");
        let held = is_held.then(|| take().expect("nobody has it"));
        let is_killed = take_step(&store_of(&dying, SHORT), &steps[0]).is_err();
        assert!(is_killed || !is_held, "who waits for the lease has it or is killed");
        drop(held);
        let manifests = count(&bucket, "staged", ".json");
        // Another one, which may commit what is left, and the same again.
        for step in [&steps[1], &steps[0]] {
            take_step(&store_of(&Objects::of(&store), SHORT), step).expect("nothing fails");
        }
        assert_eq!(seen_in(&plain(&store)).events(), 3 + 2 * 2, "killed after {requests} requests");
        assert_eq!(count(&bucket, "staged", ".json"), 0, "killed after {requests} requests");
        (is_killed, manifests)
    };
    let outcomes: Vec<(bool, u64)> = std::thread::scope(|scope| {
        let kills: Vec<_> = (0..60).map(|requests| scope.spawn(move || kill_after(requests))).collect();
        kills.into_iter().map(|kill| kill.join().expect("all is well")).collect()
    });
    assert!(outcomes[10].0, "{outcomes:?}");
    match is_held {
        true => assert!(outcomes.iter().any(|(_, manifests)| *manifests == 1), "{outcomes:?}"),
        false => assert!(!outcomes[59].0, "one comes to its end: {outcomes:?}"),
    }
}

#[test]
fn an_ingest_that_is_killed_while_it_commits_leaves_each_batch_once() {
    kill_after_each_request(false);
}

#[test]
fn an_ingest_that_is_killed_while_it_waits_leaves_each_batch_once() {
    kill_after_each_request(true);
}

/// Kills who commits the batch of one that waits, after each number of requests.
#[test]
fn one_that_waits_for_a_committer_that_is_killed_commits_by_itself() {
    let world = world();
    let files: Vec<String> = ["waits", "killed"].iter().map(|name| write_log(&world, name)).collect();
    let steps: Vec<_> = files.iter().map(|file| ingest_step(&world, file)).collect();
    std::thread::scope(|scope| {
        for requests in (0..60).step_by(2) {
            let (world, steps) = (&world, &steps);
            scope.spawn(move || {
                let store = lake(world);
                std::thread::scope(|scope| {
                    let waits = scope.spawn(|| {
                        let objects = Objects::failing(&store, 0, Failing::Before);
                        take_step(&store_of(&objects, SHORT), &steps[0])
                    });
                    let _ = take_step(&store_of(&Objects::dying(&store, requests), SHORT), &steps[1]);
                    waits.join().expect("all is well").expect("nothing of its own fails");
                });
                take_step(&plain(&store), &steps[1]).expect("nothing fails");
                assert_eq!(seen_in(&plain(&store)).events(), 3 + 2 * 2, "killed after {requests} requests");
            });
        }
    });
}
