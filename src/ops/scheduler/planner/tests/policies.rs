//! Runs that overlap, die, are put off or are turned away.

use std::collections::BTreeMap;

use expect_test::{Expect, expect};

use crate::job_spec::Overlap;
use crate::scheduler::planner::tests::{World, at, hourly, job};
use crate::scheduler::planner::{Action, Event, Planner, RunEnd};

#[test]
fn jobs_start_when_they_are_due_in_the_order_of_time_and_of_names() {
    let jobs = [hourly(|_| ()), job("b", "30 12,13 * * *", |_| ()), job("a", "30 13 * * *", |_| ())];
    let mut world = World::of("12:00:00", 60, &jobs);
    world.run_until("13:59:00");
    world.check(&expect![[r#"
        2026-03-10T12:30:00Z  start b of 2026-03-10T12:30:00Z
        2026-03-10T13:00:00Z  start hourly of 2026-03-10T13:00:00Z
        2026-03-10T13:30:00Z  start a of 2026-03-10T13:30:00Z
        2026-03-10T13:30:00Z  start b of 2026-03-10T13:30:00Z
    "#]]);
    let marks: Vec<String> = world.marks.iter().map(|(job, handled)| format!("{job} {handled}")).collect();
    expect![[r#"
        a 2026-03-10T13:30:00Z
        b 2026-03-10T13:30:00Z
        hourly 2026-03-10T13:00:00Z"#]]
    .assert_eq(&marks.join("\n"));
}

#[test]
fn a_job_never_seen_before_starts_from_now_and_one_without_a_schedule_never() {
    let by_hand = job("by-hand", "", |job| job.schedule = None);
    let mut world = World::of("12:00:00", 60, &[hourly(|_| ()), by_hand]);
    assert_eq!(world.marks.keys().collect::<Vec<_>>(), ["hourly"], "the next scheduler knows the start");
    world.run_until("12:59:59");
    world.check(&expect![[""]]);
    let late = [("hourly".to_owned(), at("12:00:00"))].into();
    let mut next = World::since("13:00:30", 60, &[hourly(|_| ())], late);
    next.run_until("13:30:00");
    next.check(&expect![[r#"
        2026-03-10T13:00:30Z  start hourly of 2026-03-10T13:00:00Z
    "#]]);
}

#[test]
fn a_run_that_is_due_while_another_is_at_work_goes_by_the_policy() {
    let check = |overlap: Overlap, deadline: Option<u64>, expected: &Expect| {
        let job = job("often", "* * * * *", |job| {
            (job.policy.overlap, job.policy.deadline_seconds) = (overlap, deadline);
        });
        let mut world = World::of("12:00:30", 150, &[job]);
        world.run_until("12:05:10");
        world.check(expected);
    };
    check(
        Overlap::Skip,
        None,
        &expect![[r#"
        2026-03-10T12:01:00Z  start often of 2026-03-10T12:01:00Z
        2026-03-10T12:02:00Z  drop often: 1, 2026-03-10T12:02:00Z to 2026-03-10T12:02:00Z: Overlap
        2026-03-10T12:03:00Z  drop often: 1, 2026-03-10T12:03:00Z to 2026-03-10T12:03:00Z: Overlap
        2026-03-10T12:04:00Z  start often of 2026-03-10T12:04:00Z
        2026-03-10T12:05:00Z  drop often: 1, 2026-03-10T12:05:00Z to 2026-03-10T12:05:00Z: Overlap
    "#]],
    );
    check(
        Overlap::Queue,
        None,
        &expect![[r#"
        2026-03-10T12:01:00Z  start often of 2026-03-10T12:01:00Z
        2026-03-10T12:03:30Z  start often of 2026-03-10T12:02:00Z
    "#]],
    );
    check(
        Overlap::Queue,
        Some(100),
        &expect![[r#"
        2026-03-10T12:01:00Z  start often of 2026-03-10T12:01:00Z
        2026-03-10T12:03:30Z  start often of 2026-03-10T12:02:00Z
    "#]],
    );
    check(
        Overlap::KillOld,
        None,
        &expect![[r#"
        2026-03-10T12:01:00Z  start often of 2026-03-10T12:01:00Z
        2026-03-10T12:02:00Z  kill often
        2026-03-10T12:02:00Z  start often of 2026-03-10T12:02:00Z
        2026-03-10T12:03:00Z  kill often
        2026-03-10T12:03:00Z  start often of 2026-03-10T12:03:00Z
        2026-03-10T12:04:00Z  kill often
        2026-03-10T12:04:00Z  start often of 2026-03-10T12:04:00Z
        2026-03-10T12:05:00Z  kill often
        2026-03-10T12:05:00Z  start often of 2026-03-10T12:05:00Z
    "#]],
    );
}

#[test]
fn a_mark_never_runs_ahead_of_what_waits_or_is_not_yet_claimed() {
    let queued = job("often", "* * * * *", |job| job.policy.overlap = Overlap::Queue);
    let mut world = World::of("12:00:30", 100, &[queued]);
    world.run_until("12:03:30");
    // 12:01 has run, 12:02 runs, 12:03 waits.
    assert_eq!(world.marks["often"].to_string(), "2026-03-10T12:02:59.999999Z");
    let (mut planner, _) = Planner::begin(at("12:00:00"), vec![hourly(|_| ())], &BTreeMap::new());
    let marks = |actions: Vec<Action>| {
        let marks = actions.into_iter().filter_map(|action| match action {
            Action::Mark { handled, .. } => Some(handled.to_string()),
            _ => None,
        });
        marks.collect::<Vec<_>>()
    };
    let before = ["2026-03-10T12:59:59.999999Z"];
    assert_eq!(marks(planner.step(at("13:00:00"), Event::Tick)), before, "the word is on its way");
    let claimed = Event::Claimed { job: "hourly".to_owned(), at: at("13:00:00") };
    assert_eq!(marks(planner.step(at("13:00:01"), claimed)), ["2026-03-10T13:00:00Z"]);
}

#[test]
fn a_run_whose_owner_died_is_run_again_if_it_may_be_and_not_for_ever() {
    let died = |world: &mut World, end: RunEnd| {
        let (_, job, at, attempt) = world.runs.remove(0);
        world.hear(Event::Ended { job, at, attempt, end });
    };
    let mut world = World::of("12:00:00", 600, &[hourly(|_| ())]);
    world.run_until("13:01:00");
    died(&mut world, RunEnd::Died);
    world.check(&expect![[r#"
        2026-03-10T13:00:00Z  start hourly of 2026-03-10T13:00:00Z
        2026-03-10T13:01:00Z  reap hourly of 2026-03-10T13:00:00Z, 1
    "#]]);

    let mut world = World::of("12:00:00", 600, &[hourly(|policy| policy.is_repeatable = true)]);
    world.run_until("13:01:00");
    while !world.runs.is_empty() {
        died(&mut world, RunEnd::Died);
    }
    world.check(&expect![[r#"
        2026-03-10T13:00:00Z  start hourly of 2026-03-10T13:00:00Z
        2026-03-10T13:01:00Z  start hourly of 2026-03-10T13:00:00Z attempt 2
        2026-03-10T13:01:00Z  start hourly of 2026-03-10T13:00:00Z attempt 3
        2026-03-10T13:01:00Z  start hourly of 2026-03-10T13:00:00Z attempt 4
        2026-03-10T13:01:00Z  start hourly of 2026-03-10T13:00:00Z attempt 5
        2026-03-10T13:01:00Z  reap hourly of 2026-03-10T13:00:00Z, 5
    "#]]);
}

#[test]
fn a_runner_that_never_had_the_run_is_followed_by_another_each_time_after_twice_as_long() {
    let mut world = World::of("12:00:00", 600, &[hourly(|policy| policy.deadline_seconds = Some(6))]);
    world.run_until("13:00:00");
    for _ in 0..4 {
        if let Some((_, job, at, attempt)) = world.runs.pop() {
            world.hear(Event::Ended { job, at, attempt, end: RunEnd::Unclaimed });
            let wake = world.planner.wake().expect("it is to be tried again").to_string();
            world.run_until(&wake);
        }
    }
    world.check(&expect![[r#"
        2026-03-10T13:00:00Z  start hourly of 2026-03-10T13:00:00Z
        2026-03-10T13:00:01Z  start hourly of 2026-03-10T13:00:00Z
        2026-03-10T13:00:03Z  start hourly of 2026-03-10T13:00:00Z
        2026-03-10T13:00:07Z  drop hourly: 1, 2026-03-10T13:00:00Z to 2026-03-10T13:00:00Z: Deadline
    "#]]);
}

#[test]
fn what_another_left_unfinished_is_repeated_or_buried() {
    let jobs = [hourly(|policy| policy.is_repeatable = true), job("careful", "0 * * * *", |_| ())];
    let mut world = World::of("12:00:10", 60, &jobs);
    for job in ["hourly", "careful", "unheard-of"] {
        world.hear(Event::Orphan { job: job.to_owned(), at: at("12:00:00"), attempt: 1 });
    }
    world.hear(Event::Orphan { job: "hourly".to_owned(), at: at("12:00:00"), attempt: 1 });
    world.run_until("12:30:00");
    world.check(&expect![[r#"
        2026-03-10T12:00:10Z  start hourly of 2026-03-10T12:00:00Z attempt 2
        2026-03-10T12:00:10Z  reap careful of 2026-03-10T12:00:00Z, 1
        2026-03-10T12:00:10Z  reap unheard-of of 2026-03-10T12:00:00Z, 1
    "#]]);
}

#[test]
fn jitter_is_the_same_everywhere_and_no_more_than_it_may_be() {
    let jobs = || ["a", "b"].map(|name| job(name, "0 * * * *", |job| job.policy.jitter_seconds = 600));
    let mut world = World::of("12:30:00", 1, &jobs());
    world.run_until("14:30:00");
    world.check(&expect![[r#"
        2026-03-10T13:02:19.933143Z  start a of 2026-03-10T13:00:00Z
        2026-03-10T13:03:36.990092Z  start b of 2026-03-10T13:00:00Z
        2026-03-10T14:02:02.358978Z  start a of 2026-03-10T14:00:00Z
        2026-03-10T14:08:35.578306Z  start b of 2026-03-10T14:00:00Z
    "#]]);
    let mut other = World::of("12:45:00", 1, &jobs());
    other.run_until("14:30:00");
    assert_eq!(world.said, other.said);
}

#[test]
fn jobs_that_are_read_again_keep_what_runs_and_what_was_handled() {
    let mut world = World::of("12:00:00", 5_400, &[hourly(|_| ()), job("gone", "15 * * * *", |_| ())]);
    world.run_until("13:20:00");
    let longer = hourly(|policy| policy.overlap = Overlap::Queue);
    world.hear(Event::Jobs(vec![longer, job("new", "50 * * * *", |_| ())]));
    world.run_until("14:31:00");
    let other = job("hourly", "5 * * * *", |_| ());
    world.hear(Event::Jobs(vec![other]));
    world.run_until("15:30:00");
    world.hear(Event::Jobs(vec![]));
    world.run_until("23:30:00");
    world.check(&expect![[r#"
        2026-03-10T12:15:00Z  start gone of 2026-03-10T12:15:00Z
        2026-03-10T13:00:00Z  start hourly of 2026-03-10T13:00:00Z
        2026-03-10T13:15:00Z  drop gone: 1, 2026-03-10T13:15:00Z to 2026-03-10T13:15:00Z: Overlap
        2026-03-10T13:20:00Z  log gone: removed
        2026-03-10T13:20:00Z  log new: added
        2026-03-10T13:50:00Z  start new of 2026-03-10T13:50:00Z
        2026-03-10T14:30:00Z  start hourly of 2026-03-10T14:00:00Z
        2026-03-10T14:31:00Z  log new: removed
        2026-03-10T14:31:00Z  log hourly: schedule changed
        2026-03-10T15:05:00Z  drop hourly: 1, 2026-03-10T15:05:00Z to 2026-03-10T15:05:00Z: Overlap
        2026-03-10T15:30:00Z  log hourly: removed
    "#]]);
}
