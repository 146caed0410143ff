//! One run of a job at a time, and of a due run one ever.

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command};

use nix::sys::signal::Signal;
use serde_json::Value;

use topsell_core::storage::{LockTimeout, Store};
use topsell_ops::job_spec::{Overlap, Policy};
use topsell_ops::process::Identity;

use super::{DUE, content, end, is_alive, job, line, only, records, run, start};
use crate::processes::{signal, wait_until};
use crate::world::World;

#[test]
fn a_second_run_is_turned_away_where_the_job_says_skip() {
    let world = World::new();
    let job = job("nightly", &["touch on; while ! test -e off; do sleep 0.01; done"]);
    let first = start(&world, &line(&job, None));
    wait_until("the first run", || world.path("on").exists());
    let said = run(&world, &job);
    assert_eq!(said.code, Some(6), "{}", said.whole());
    let of_first = format!("process {} on ", first.id());
    assert!(said.stderr.contains("error: the job nightly is already running (run "), "{}", said.whole());
    assert!(said.stderr.contains(&of_first), "{}", said.whole());
    // One that was due is claimed as skipped, so that nobody starts it later.
    let due = world.run_with(&["run", "--prespawned"], line(&job, Some(DUE)).as_bytes());
    assert_eq!(due.code, Some(6), "{}", due.whole());
    world.write("off", "");
    assert_eq!(end(first).0, Some(0));
    let again = world.run_with(&["run", "--prespawned"], line(&job, Some(DUE)).as_bytes());
    assert_eq!((again.code, again.stderr.as_str()), (Some(0), ""));
    let outcomes: Vec<Value> = records(&world).iter().map(|record| record["outcome"].clone()).collect();
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == "skipped").count(), 2, "{outcomes:?}");
    assert_eq!(outcomes.len(), 3, "{outcomes:?}");
}

#[test]
fn a_second_run_waits_where_the_job_says_queue_and_not_for_ever() {
    let world = World::new();
    let mut job =
        job("turns", &["echo on >> log; while ! test -e off; do sleep 0.01; done; echo off >> log"]);
    job.policy.overlap = Overlap::Queue;
    let first = start(&world, &line(&job, None));
    wait_until("the first run", || world.path("log").exists());
    let second = start(&world, &line(&job, None));
    // A third was due long ago, and is not to be started so late.
    job.policy.deadline_seconds = Some(60);
    let (code, said) = end(start(&world, &line(&job, Some(DUE))));
    assert!(code == Some(6) && said.contains("could not be started within 60 s"), "{said}");
    // A fourth is told to stop while it waits.
    job.policy.deadline_seconds = None;
    let fourth = start(&world, &line(&job, Some("2017-01-15T00:00:01Z")));
    wait_until("it handles signals", || handles_sigterm(fourth.id()));
    signal(fourth.id(), Signal::SIGTERM);
    let (code, said) = end(fourth);
    assert!(code == Some(1) && said.contains("terminated by signal 15 while waiting"), "{said}");
    world.write("off", "");
    assert_eq!([end(first).0, end(second).0], [Some(0), Some(0)]);
    assert_eq!(content(&world.path("log")), "on\noff\non\noff\n", "one after the other");
    let mut outcomes: Vec<Value> = records(&world).iter().map(|record| record["outcome"].clone()).collect();
    outcomes.sort_by_key(ToString::to_string);
    assert_eq!(outcomes, ["done", "done", "killed", "missed"]);
}

#[test]
fn a_second_run_ends_the_first_where_the_job_says_so() {
    let world = World::new();
    let mut job =
        job("newest", &["if test -e off; then echo $$ >> pids; else echo $$ >> pids; sleep 1000; fi"]);
    job.policy = Policy { overlap: Overlap::KillOld, ..job.policy };
    let first = start(&world, &line(&job, None));
    wait_until("the first run", || world.path("pids").exists());
    world.write("off", "");
    let (code, said) = end(start(&world, &line(&job, None)));
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = end(first);
    assert!(code == Some(1) && said.contains("terminated by signal 15"), "{said}");
    let pids = content(&world.path("pids"));
    assert!(pids.lines().count() == 2 && !pids.lines().any(is_alive), "{pids}");
    let outcomes: Vec<Value> = records(&world).iter().map(|record| record["outcome"].clone()).collect();
    assert_eq!(outcomes, ["killed", "done"]);
}

#[test]
fn a_run_that_was_due_is_started_once_by_however_many() {
    for overlap in [Overlap::Skip, Overlap::Queue, Overlap::KillOld] {
        let world = World::new();
        let mut job = job("once", &["echo ran >> log"]);
        job.policy.overlap = overlap;
        let rounds = 15;
        for round in 0..rounds {
            let line = line(&job, Some(&format!("2017-01-15T00:00:{round:02}Z")));
            let all: Vec<_> = (0..4).map(|_| start(&world, &line)).collect();
            for child in all {
                let (code, said) = end(child);
                assert_eq!(code, Some(0), "{overlap:?}: {said}");
            }
        }
        assert_eq!(content(&world.path("log")).lines().count(), rounds, "{overlap:?}");
        let records = records(&world);
        assert_eq!(records.len(), rounds, "{overlap:?}");
        assert!(records.iter().all(|record| record["outcome"] == "done"), "{overlap:?}: {records:?}");
    }
}

#[test]
fn the_name_of_a_due_run_is_its_claim() {
    let world = World::new();
    let job = job("hourly", &["true"]);
    for _ in 0..2 {
        let said = world.run_with(&["run", "--prespawned", "-v"], line(&job, Some(DUE)).as_bytes());
        assert_eq!(said.code, Some(0), "{}", said.whole());
    }
    assert_eq!(only(&world)["id"], "20170115T000000Z-hourly");
    assert_eq!(world.files("data/lake/runs"), ["2017-01-15/20170115T000000Z-hourly.json"]);
}

/// Returns whether a process handles SIGTERM, by the mask of caught signals in `proc_pid_status(5)`.
fn handles_sigterm(process: u32) -> bool {
    let status = content(format!("/proc/{process}/status").as_ref());
    let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (Signal::SIGTERM as i32 - 1) & 1 == 1)
}

/// The run that waited terminated its holder once, and killed at once whoever had the lock by then.
#[test]
fn a_run_that_ends_others_gives_each_of_them_its_time() {
    let world = World::new();
    let mut job = job("replace", &["touch ran"]);
    job.policy.overlap = Overlap::KillOld;
    let holder = || Command::new("sleep").arg("300").spawn().expect("sleep can be started");
    let note = |child: &Child| {
        let Identity { machine, boot, namespace, process, start_ticks } = Identity::of(child.id());
        let run = format!("20170115T000000Z-of-{process}");
        let fields = serde_json::json!({
            "run": run, "machine": machine, "boot": boot, "namespace": namespace,
            "process": process, "start_ticks": start_ticks,
        });
        fields.to_string()
    };
    let store = Store::open(&world.path("data/lake")).expect("it can be named");
    store.make_folder("schedule").expect("a folder can be made");
    let mut first = holder();
    let mut lock =
        store.lock("schedule/replace.lock", &note(&first), LockTimeout::NoWait).expect("nobody holds it");
    let waiting = start(&world, &line(&job, None));
    let ended_by = |child: &mut Child| child.wait().expect("it ends").signal();
    assert_eq!(ended_by(&mut first), Some(Signal::SIGTERM as i32));
    let mut second = holder();
    lock.note(&note(&second)).expect("a note can be written");
    assert_eq!(ended_by(&mut second), Some(Signal::SIGTERM as i32), "and not killed");
    drop(lock);
    let (code, said) = end(waiting);
    assert_eq!(code, Some(0), "{said}");
    assert!(world.path("ran").exists());
}
