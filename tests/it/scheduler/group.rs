//! Several schedulers on one lake: one leads, the others stand by, and each due run is started once.
//!
//! `TOPSELL_SCHEDULE_ROUNDS` says how often the one that leads is killed; the default is short.

use std::collections::BTreeMap;
use std::time::Duration;

use nix::sys::signal::Signal;
use topsell_core::model::Timestamp;

use crate::processes::{exits_within, next_random, signal, wait_until};
use crate::scheduler::{EVERY_SECOND, Scheduler, job, outcomes, process_of, runs};
use crate::world::World;

const ROUNDS: u64 = 6;
/// A standby leads within this, from the moment that the leader is dead.
const TAKE_OVER: Duration = Duration::from_secs(1);

#[test]
#[expect(clippy::print_stdout, reason = "whoever asks with --nocapture is told what was measured")]
fn each_due_run_is_started_once_whoever_of_three_schedulers_is_killed() {
    let rounds = std::env::var("TOPSELL_SCHEDULE_ROUNDS").ok().and_then(|text| text.parse().ok());
    let world = World::new();
    let names = ["a", "b"];
    for name in names {
        let policies = format!("{EVERY_SECOND}overlap = \"queue\"\nmissed = \"all\"\n");
        job(&world, name, &policies, &format!("echo x >> {name}"));
    }
    let mut begun = 0;
    let mut start = |world: &World| {
        begun += 1;
        Scheduler::start(world, &format!("scheduler-{begun}"), &[])
    };
    let mut group: Vec<Scheduler> = (0..3).map(|_| start(&world)).collect();
    let mut chance = 11;
    let mut took = Vec::new();
    for _ in 0..rounds.unwrap_or(ROUNDS) {
        let mut leader = None;
        wait_until("one leads", || {
            leader = group.iter().position(|one| one.said(&world).contains("leader, "));
            leader.is_some()
        });
        let mut leader = group.swap_remove(leader.expect("one leads"));
        exits_within(Duration::from_micros(next_random(&mut chance) % 1_500_000), &mut leader.child);
        leader.child.kill().expect("a child can be killed");
        let killed = wall();
        leader.child.wait().expect("it is our child");
        wait_until("another leads", || group.iter().any(|one| one.said(&world).contains("leader, ")));
        let since = group.iter().find_map(|one| leads_since(&one.said(&world))).expect("one leads");
        took.push(Duration::from_micros(u64::try_from(since.micros() - killed.micros()).unwrap_or(0)));
        group.push(start(&world));
    }
    for mut scheduler in group {
        scheduler.signal(Signal::SIGTERM);
        scheduler.end();
    }
    took.sort_unstable();
    let (middle, longest) = (took[took.len() / 2], took[took.len() - 1]);
    println!("{} take-overs: half of them within {middle:?}, all within {longest:?}", took.len());
    assert!(longest < TAKE_OVER, "one took over after {longest:?}");
    for name in names {
        check(&world, name);
    }
}

/// Every second from the first to the last has one run, done, and the command ran once for each.
#[expect(clippy::print_stdout, reason = "whoever asks with --nocapture is told what was measured")]
fn check(world: &World, name: &str) {
    let mut dues = BTreeMap::new();
    for run in runs(world, name) {
        let due = Timestamp::parse(run["due"]["at"].as_str().expect("it was due")).expect("it is a moment");
        assert_eq!(run["outcome"], "done", "{run}");
        assert_eq!(dues.insert(due, run["id"].clone()), None, "{due} ran twice");
    }
    let (first, last) = (dues.keys().min().expect("some ran"), dues.keys().max().expect("some ran"));
    let mut due = *first;
    while due <= *last {
        assert!(dues.contains_key(&due), "{name} of {due} was lost");
        due = due.plus_seconds(1);
    }
    let lines = std::fs::read_to_string(world.path(name)).expect("it ran").lines().count();
    assert_eq!(lines, dues.len(), "{name} ran as often as there are records");
    println!("{name}: {lines} due runs, each started once");
}

#[test]
fn what_was_at_work_when_the_leader_died_goes_on_and_what_died_with_it_is_seen_to() {
    let world = World::new();
    let wait = "while [ -e jobs ] && [ ! -e go ]; do sleep 0.05; done";
    job(
        &world,
        "lives",
        &format!("{EVERY_SECOND}overlap = \"queue\"\n"),
        &format!("echo x >> lives; {wait}"),
    );
    job(
        &world,
        "dies",
        &format!("{EVERY_SECOND}overlap = \"queue\"\nrepeatable = true\n"),
        &format!("echo x >> dies; {wait}"),
    );
    let mut leader = Scheduler::start(&world, "one", &[]);
    leader.wait_until_it_says(&world, "leader, ");
    let standby = Scheduler::start(&world, "two", &[]);
    standby.wait_until_it_says(&world, "standby: ");
    wait_until("both are at work", || ["lives", "dies"].iter().all(|job| world.path(job).exists()));
    let died = runs(&world, "dies").remove(0);
    leader.child.kill().expect("a child can be killed");
    leader.child.wait().expect("it is our child");
    signal(process_of(&died), Signal::SIGKILL);
    wait_until("its death is told", || outcomes(&world, "dies")[0] == "owner_died" || attempted(&world, 2));
    // Where the next due run was quicker, the second attempt is behind it.
    world.write("go", "");
    wait_until("it is run again", || attempted(&world, 2));
    wait_until("the others go on", || {
        ["lives", "dies"]
            .iter()
            .all(|job| outcomes(&world, job).iter().filter(|one| *one == "done").count() > 2)
    });
    assert_eq!(outcomes(&world, "lives")[0], "done", "it outlived the one that started it");
    assert_eq!(outcomes(&world, "dies")[0], "owner_died");
}

/// Tells whether a run of the job that died was begun for the nth time.
fn attempted(world: &World, nth: u64) -> bool {
    runs(world, "dies").iter().any(|run| run["due"]["attempt"] == nth)
}

/// Returns since when a scheduler leads, as it says itself.
fn leads_since(said: &str) -> Option<Timestamp> {
    let line = said.lines().find(|line| line.contains("leader, "))?;
    Timestamp::parse(line.split_once(' ')?.0).ok()
}

#[expect(clippy::disallowed_methods, reason = "schedulers go by the machine's clock")]
fn wall() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH);
    let micros = since.expect("it is later than 1970").as_micros();
    Timestamp::from_micros(micros.try_into().expect("the clock is right")).expect("the clock is right")
}
