//! What is left of a run whose process died.

use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use topsell_core::model::Timestamp;
use topsell_core::storage::Store;
use topsell_ops::job_spec::Overlap;
use topsell_ops::run_history::{Outcome, RunStore, traceparent};
use topsell_ops::scheduler::reap_orphan;

use super::{DUE, content, end, is_alive, job, line, only, records, start};
use crate::processes::{exits_within, next_random, signal, wait_until};
use crate::world::World;

const SCRIPT: &str = "echo $$ >> pids; sleep 1000 & echo $! >> pids; test -e off || wait";

fn now() -> Timestamp {
    Timestamp::parse("2017-01-16T00:00:00Z").expect("a moment")
}

#[test]
fn the_next_run_ends_what_is_left_of_one_that_died_and_says_so_in_its_record() {
    for overlap in [Overlap::Skip, Overlap::Queue, Overlap::KillOld] {
        let world = World::new();
        let mut job = job("mortal", &[SCRIPT]);
        job.policy.overlap = overlap;
        let first = start(&world, &line(&job, Some(DUE)));
        wait_until("two processes", || content(&world.path("pids")).lines().count() == 2);
        signal(first.id(), Signal::SIGKILL);
        assert_eq!(end(first).0, None);
        let left = content(&world.path("pids"));
        assert!(left.lines().all(is_alive), "what died did not take its step with it");
        assert_eq!(only(&world)["outcome"], "started");
        world.write("off", "");
        let (code, said) = end(start(&world, &line(&job, None)));
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("never ended: the process died"), "{said}");
        assert!(!left.lines().any(is_alive), "{overlap:?}");
        let record = &records(&world)[0];
        assert_eq!(
            (&record["outcome"], &record["spans"][0]["outcome"]),
            (&"owner_died".into(), &"owner_died".into())
        );
        // What the second run has left behind is its own business, and nobody ends it.
        let all = content(&world.path("pids"));
        let last = all.lines().last().expect("a process");
        assert!(is_alive(last));
        let _ = Command::new("kill").arg(last).status();
    }
}

#[test]
fn whoever_looks_finds_the_dead_and_leaves_the_living_alone() {
    let world = World::new();
    let store = Store::open(&world.path("data/lake")).expect("a folder can be named");
    let look = || reap_orphan(&store, "seen", Duration::from_secs(5), now()).expect("the disk is well");
    assert!(look().is_none(), "there is nobody");
    let first = start(&world, &line(&job("seen", &[SCRIPT]), Some(DUE)));
    wait_until("two processes", || content(&world.path("pids")).lines().count() == 2);
    assert!(look().is_none(), "it is alive");
    assert!(content(&world.path("pids")).lines().all(is_alive));
    signal(first.id(), Signal::SIGKILL);
    assert_eq!(end(first).0, None);
    let record = look().expect("it died");
    assert_eq!((record.outcome, record.id.as_str()), (Outcome::OwnerDied, "20170115T000000Z-seen"));
    assert!(!content(&world.path("pids")).lines().any(is_alive));
    assert!(look().is_none(), "once is enough");
}

#[test]
fn a_step_is_found_even_where_its_run_died_before_writing_down_which_process_it_is() {
    let world = World::new();
    let store = Store::open(&world.path("data/lake")).expect("a folder can be named");
    let first = start(&world, &line(&job("early", &["touch on; sleep 1000"]), Some(DUE)));
    let run_store = RunStore::open(&store);
    // The record is written after the step has begun.
    let is_written = || {
        let record = run_store.read("20170115T000000Z-early").ok().flatten();
        record.is_some_and(|record| {
            record.spans.iter().any(|span| span.attributes.contains_key("process_group"))
        })
    };
    wait_until("a step", || world.path("on").exists() && is_written());
    signal(first.id(), Signal::SIGKILL);
    assert_eq!(end(first).0, None);
    let mut record =
        run_store.read("20170115T000000Z-early").expect("it is a record").expect("it was claimed");
    let group = record.spans[0].attributes.remove("process_group").expect("it was written down");
    run_store.save(&record).expect("the disk is well");
    // Somebody else's process, in another step of the same trace.
    let trace = traceparent(&record.trace_id, "00f067aa0ba902b7");
    let mut other =
        Command::new("sleep").arg("1000").env("TRACEPARENT", trace).spawn().expect("it can sleep");
    let reaped = reap_orphan(&store, "early", Duration::from_secs(5), now()).expect("the disk is well");
    assert!(reaped.is_some_and(|record| {
        record.message.is_some_and(|said| said.ends_with("; its step was terminated"))
    }));
    assert!(!is_alive(&group));
    assert!(is_alive(&other.id().to_string()));
    other.kill().and_then(|()| other.wait()).expect("a child can be ended");
}

#[test]
fn a_number_that_is_another_processs_by_now_is_left_alone() {
    let world = World::new();
    let store = Store::open(&world.path("data/lake")).expect("a folder can be named");
    let first = start(&world, &line(&job("reused", &["touch on; sleep 1000"]), Some(DUE)));
    wait_until("a step", || world.path("on").exists());
    signal(first.id(), Signal::SIGKILL);
    assert_eq!(end(first).0, None);
    let run_store = RunStore::open(&store);
    let mut record =
        run_store.read("20170115T000000Z-reused").expect("it is a record").expect("it was claimed");
    let mut other = {
        use std::os::unix::process::CommandExt;
        let mut command = Command::new("sleep");
        command.arg("1000").process_group(0).stdin(Stdio::null()).spawn().expect("it can sleep")
    };
    // It began at another time than the step, if only by a tick.
    let attributes = &mut record.spans[0].attributes;
    attributes.insert("process_group".to_owned(), other.id().to_string());
    attributes.insert("process_start_ticks".to_owned(), "1".to_owned());
    run_store.save(&record).expect("the disk is well");
    assert!(
        reap_orphan(&store, "reused", Duration::from_secs(5), now()).expect("the disk is well").is_some()
    );
    assert!(is_alive(&other.id().to_string()));
    other.kill().and_then(|()| other.wait()).expect("a child can be ended");
}

#[test]
fn runs_killed_at_random_moments_never_meet_and_each_is_accounted_for() {
    let world = World::new();
    // Two of them at once would both want the file to themselves; whoever is ended lets it go.
    let script = "exec 9>> alone; flock -n 9; test $? -ne 1 || { echo together >> met; exit 1; }; sleep 0.02";
    let mut job = job("random", &[script]);
    job.policy.overlap = Overlap::Queue;
    let mut chance: u64 = 11;
    for round in 0..20 {
        let mut children: Vec<_> = (0..2)
            .map(|nth| start(&world, &line(&job, Some(&format!("2017-01-15T00:{round:02}:{nth:02}Z")))))
            .collect();
        exits_within(Duration::from_micros(next_random(&mut chance) % 60_000), &mut children[0]);
        for mut child in children {
            child.kill().expect("a child can be killed");
            end(child);
        }
    }
    let (code, said) = end(start(&world, &line(&job, None)));
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(content(&world.path("met")), "");
    let outcomes: Vec<Value> = records(&world).iter().map(|record| record["outcome"].clone()).collect();
    assert!(!outcomes.iter().any(|outcome| outcome == "started"), "{outcomes:?}");
    assert!(outcomes.iter().any(|outcome| outcome == "owner_died"), "{outcomes:?}");
}
