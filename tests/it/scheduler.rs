//! `topsell schedule`: real processes that start jobs when they are due, take over from each other and stop.

use std::fs::File;
use std::process::{Child, ExitStatus, Stdio};

use expect_test::expect;
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::processes::{signal, wait_until};
use crate::world::World;

mod group;

const EVERY_SECOND: &str = "schedule = \"* * * * * *\"\n";

/// A scheduler at work, which ends with the test.
struct Scheduler {
    child: Child,
    log: String,
}

impl Scheduler {
    /// Starts a scheduler of the jobs in `jobs/`, on the machine's own clock.
    fn start(world: &World, name: &str, words: &[&str]) -> Scheduler {
        let log = format!("{name}.log");
        world.write(&log, "");
        let mut command = world.command(&[&["schedule", "--jobs", "jobs"], words].concat());
        let stderr = File::options().append(true).open(world.path(&log)).expect("the log is there");
        command.env_remove("TOPSELL_NOW").env("PATH", "/usr/bin:/bin");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr);
        let child = command.spawn().expect("the program under test can be started");
        Scheduler { child, log }
    }

    fn said(&self, world: &World) -> String {
        std::fs::read_to_string(world.path(&self.log)).expect("a log is text")
    }

    fn wait_until_it_says(&self, world: &World, words: &str) {
        wait_until(words, || self.said(world).contains(words));
    }

    fn signal(&self, signal_to_send: Signal) {
        signal(self.child.id(), signal_to_send);
    }

    fn end(&mut self) -> ExitStatus {
        let mut ended = None;
        wait_until("the scheduler ends", || {
            ended = self.child.try_wait().expect("it is our child");
            ended.is_some()
        });
        ended.expect("it has ended")
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.signal(Signal::SIGTERM);
            // Twice: runs are not waited for.
            self.signal(Signal::SIGINT);
            let _ = self.child.wait();
        }
    }
}

fn job(world: &World, name: &str, text: &str, script: &str) {
    let exec = serde_json::json!(["sh", "-c", script]);
    world.write(&format!("jobs/{name}.toml"), format!("{text}steps = [{{ exec = {exec} }}]\n"));
}

/// Returns the records of a job's runs, in the order of their due times.
fn runs(world: &World, job: &str) -> Vec<Value> {
    let mut runs = records(world, "run");
    runs.retain(|record| record["due"]["job"] == job);
    let key = |record: &Value| (record["due"]["at"].to_string(), record["due"]["attempt"].as_u64());
    runs.sort_by_key(key);
    runs
}

/// Returns the records of a command, in name order; those that are just being written are left out.
fn records(world: &World, command: &str) -> Vec<Value> {
    let names = world.files("data/lake/runs").into_iter().filter(|name| name.ends_with(".json"));
    let read = |name| std::fs::read(world.path("data/lake/runs").join(name)).expect("a record stays");
    let records = names.map(|name| serde_json::from_slice(&read(name)).expect("a record is JSON"));
    records.filter(|record: &Value| record["command"] == command).collect()
}

/// Returns the process of a run, from its record.
fn process_of(record: &Value) -> u32 {
    record["process"].as_u64().and_then(|process| process.try_into().ok()).expect("a record has its process")
}

fn outcomes(world: &World, job: &str) -> Vec<String> {
    let outcome = |record: &Value| record["outcome"].as_str().expect("a record has one").to_owned();
    runs(world, job).iter().map(outcome).collect()
}

#[test]
fn what_cannot_be_started_is_refused_with_a_reason() {
    let world = World::new();
    let said = |words: &[&str]| {
        let mut command = world.command(&[&["schedule"], words].concat());
        world.said(command.env_remove("TOPSELL_NOW"), b"").whole()
    };
    std::fs::create_dir_all(world.path("jobs")).expect("a folder can be made");
    expect![[r#"
        stderr: error: no jobs found
        exit code 5
    "#]]
    .assert_eq(&said(&[]));
    world.write("jobs/good.toml", "schedule = \"0 * * * *\"\nsteps = [\"rank\"]\n");
    world.write("jobs/bad.toml", "schedule = \"0 * * * *\"\nsteps = [\"rnak\"]\n");
    let refused = said(&[]);
    assert!(refused.contains("jobs/bad.toml:2:10") && refused.ends_with("exit code 2\n"), "{refused}");
    assert!(said(&["--shutdown-timeout", "soon"]).contains("--shutdown-timeout"));
    assert!(!world.path("data").exists(), "what starts nothing leaves nothing");
    expect![[r#"
        stderr: error: --now 2017-01-15T00:00:00Z: the scheduler needs a running clock; omit --now
        exit code 2
    "#]]
    .assert_eq(&world.run("schedule").whole());
}

#[test]
fn a_run_whose_process_is_killed_is_repeated_only_if_it_may_be() {
    let world = World::new();
    job(&world, "may", &format!("{EVERY_SECOND}repeatable = true\n"), "echo x >> may; exec sleep 300");
    job(&world, "must-not", EVERY_SECOND, "echo x >> must-not; exec sleep 300");
    let scheduler = Scheduler::start(&world, "one", &[]);
    for name in ["may", "must-not"] {
        wait_until("the first run is at work", || world.path(name).exists());
        let first = runs(&world, name).remove(0);
        signal(process_of(&first), Signal::SIGKILL);
    }
    wait_until("both are seen to", || {
        ["may", "must-not"].iter().all(|job| outcomes(&world, job)[0] == "owner_died")
    });
    wait_until("it is run again", || runs(&world, "may").iter().any(|run| run["due"]["attempt"] == 2));
    let attempts = |job| runs(&world, job).iter().filter(|run| run["due"]["attempt"] == 2).count();
    assert_eq!((attempts("may"), attempts("must-not")), (1, 0), "{}", scheduler.said(&world));
}

#[test]
fn who_is_told_to_stop_starts_nothing_more_and_waits_for_what_is_at_work() {
    let world = World::new();
    job(
        &world,
        "slow",
        &format!("{EVERY_SECOND}overlap = \"queue\"\n"),
        "echo x >> slow; while [ -e jobs ] && [ ! -e go ]; do sleep 0.05; done",
    );
    let mut scheduler = Scheduler::start(&world, "one", &[]);
    wait_until("the first run is at work", || world.path("slow").exists());
    scheduler.signal(Signal::SIGTERM);
    scheduler.wait_until_it_says(&world, "stopping: waiting for 1 run");
    assert_eq!(scheduler.child.try_wait().expect("it is our child"), None);
    world.write("go", "");
    assert_eq!(scheduler.end().code(), Some(0));
    assert_eq!(outcomes(&world, "slow"), ["done"]);
    let own = records(&world, "schedule");
    assert_eq!((&own[0]["outcome"], &own[0]["counts"]["started"]), (&"done".into(), &1.into()), "{own:?}");
    // What was due meanwhile is for the next.
    let next = Scheduler::start(&world, "two", &[]);
    wait_until("the next goes on", || outcomes(&world, "slow").len() > 2);
    drop(next);
}

#[test]
fn what_does_not_end_in_time_is_told_to_stop() {
    let world = World::new();
    job(&world, "endless", EVERY_SECOND, "echo x >> endless; exec sleep 300");
    let stubborn = "trap '' TERM; echo x >> stubborn; while :; do sleep 0.1; done";
    job(&world, "stubborn", &format!("{EVERY_SECOND}kill_after = \"1s\"\n"), stubborn);
    let mut scheduler = Scheduler::start(&world, "one", &["--shutdown-timeout", "0s"]);
    wait_until("both are at work", || ["endless", "stubborn"].iter().all(|job| world.path(job).exists()));
    scheduler.signal(Signal::SIGTERM);
    assert_eq!(scheduler.end().code(), Some(0));
    for job in ["endless", "stubborn"] {
        assert_eq!(outcomes(&world, job)[0], "killed", "{job}: {}", scheduler.said(&world));
    }
}

#[test]
fn jobs_are_read_again_when_they_change_and_a_bad_file_changes_nothing() {
    let world = World::new();
    job(&world, "a", "schedule = \"0 0 1 1 *\"\n", "true");
    let scheduler = Scheduler::start(&world, "one", &[]);
    scheduler.wait_until_it_says(&world, "leader, 1 job");
    job(&world, "a", EVERY_SECOND, "echo x >> a");
    scheduler.signal(Signal::SIGHUP);
    wait_until("it runs by its new schedule", || world.path("a").exists());
    world.write("jobs/a.toml", "schedule = \"not at all\"\n");
    scheduler.wait_until_it_says(&world, "keeping the previous version");
    let before = outcomes(&world, "a").len();
    wait_until("it still runs", || outcomes(&world, "a").len() > before + 1);
    std::fs::remove_file(world.path("jobs/a.toml")).expect("the file is there");
    scheduler.wait_until_it_says(&world, "a: removed");
}

#[test]
fn a_runner_that_waits_is_replaced_where_it_dies_and_goes_with_its_scheduler() {
    let world = World::new();
    job(&world, "a", EVERY_SECOND, "echo x >> a");
    let mut scheduler = Scheduler::start(&world, "one", &[]);
    wait_until("it runs", || world.path("a").exists());
    let waiting = || -> Vec<u32> {
        let of = format!("/proc/{0}/task/{0}/children", scheduler.child.id());
        let children = std::fs::read_to_string(of).expect("it is at work");
        children.split_whitespace().map(|number| number.parse().expect("it is a number")).collect()
    };
    let before = runs(&world, "a").len();
    for process in waiting() {
        signal(process, Signal::SIGKILL);
    }
    wait_until("it still runs", || runs(&world, "a").len() > before + 2);
    let left = waiting();
    scheduler.child.kill().expect("it can be killed");
    scheduler.child.wait().expect("it is our child");
    wait_until("nobody is left", || {
        left.iter().all(|process| !std::path::Path::new(&format!("/proc/{process}")).exists())
    });
}
