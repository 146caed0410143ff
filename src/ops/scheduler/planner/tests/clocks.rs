//! Clocks that jump, machines that sleep, and what was missed meanwhile.

use expect_test::{Expect, expect};

use crate::job_spec::{Missed, Policy};
use crate::scheduler::planner::tests::{World, at, hourly, job};

#[test]
fn runs_missed_while_nobody_was_there_go_by_the_policy() {
    let check = |change: fn(&mut Policy), expected: &Expect| {
        let marks = [("hourly".to_owned(), at("03:00:00"))].into();
        let mut world = World::since("08:10:00", 60, &[hourly(change)], marks);
        world.run_until("09:30:00");
        world.check(expected);
    };
    check(
        |policy| policy.missed = Missed::Skip,
        &expect![[r#"
        2026-03-10T08:10:00Z  drop hourly: 5, 2026-03-10T04:00:00Z to 2026-03-10T08:00:00Z: Missed
        2026-03-10T09:00:00Z  start hourly of 2026-03-10T09:00:00Z
    "#]],
    );
    check(
        |policy| policy.missed = Missed::Once,
        &expect![[r#"
        2026-03-10T08:10:00Z  drop hourly: 4, 2026-03-10T04:00:00Z to 2026-03-10T07:00:00Z: Missed
        2026-03-10T08:10:00Z  start hourly of 2026-03-10T08:00:00Z
        2026-03-10T09:00:00Z  start hourly of 2026-03-10T09:00:00Z
    "#]],
    );
    check(
        |policy| policy.missed = Missed::All,
        &expect![[r#"
        2026-03-10T08:10:00Z  start hourly of 2026-03-10T04:00:00Z
        2026-03-10T08:11:00Z  start hourly of 2026-03-10T05:00:00Z
        2026-03-10T08:12:00Z  start hourly of 2026-03-10T06:00:00Z
        2026-03-10T08:13:00Z  start hourly of 2026-03-10T07:00:00Z
        2026-03-10T08:14:00Z  start hourly of 2026-03-10T08:00:00Z
        2026-03-10T09:00:00Z  start hourly of 2026-03-10T09:00:00Z
    "#]],
    );
    let late = |policy: &mut Policy| policy.deadline_seconds = Some(7_500);
    check(
        |policy| (policy.missed, policy.deadline_seconds) = (Missed::All, Some(7_500)),
        &expect![[r#"
            2026-03-10T08:10:00Z  drop hourly: 3, 2026-03-10T04:00:00Z to 2026-03-10T06:00:00Z: Deadline
            2026-03-10T08:10:00Z  start hourly of 2026-03-10T07:00:00Z
            2026-03-10T08:11:00Z  start hourly of 2026-03-10T08:00:00Z
            2026-03-10T09:00:00Z  start hourly of 2026-03-10T09:00:00Z
        "#]],
    );
    check(
        late,
        &expect![[r#"
        2026-03-10T08:10:00Z  drop hourly: 4, 2026-03-10T04:00:00Z to 2026-03-10T07:00:00Z: Missed
        2026-03-10T08:10:00Z  start hourly of 2026-03-10T08:00:00Z
        2026-03-10T09:00:00Z  start hourly of 2026-03-10T09:00:00Z
    "#]],
    );
    check(
        |policy| policy.deadline_seconds = Some(300),
        &expect![[r#"
        2026-03-10T08:10:00Z  drop hourly: 4, 2026-03-10T04:00:00Z to 2026-03-10T07:00:00Z: Missed
        2026-03-10T08:10:00Z  drop hourly: 1, 2026-03-10T08:00:00Z to 2026-03-10T08:00:00Z: Deadline
        2026-03-10T09:00:00Z  start hourly of 2026-03-10T09:00:00Z
    "#]],
    );
}

#[test]
fn a_year_without_anybody_is_neither_counted_through_nor_run_through() {
    let check = |missed: Missed, expected: &Expect| {
        let busy = job("busy", "* * * * * *", |job| job.policy.missed = missed);
        let marks = [("busy".to_owned(), at("2025-01-01T00:00:00Z"))].into();
        let mut world = World::since("2026-01-01T00:00:00Z", 0, &[busy], marks);
        world.said = world.said.lines().take(3).collect::<Vec<_>>().join("\n");
        world.check(expected);
    };
    check(
        Missed::Skip,
        &expect![[r#"
            2026-01-01T00:00:00Z  drop busy: many, 2025-01-01T00:00:01Z to 2025-12-31T23:59:00Z: Missed
            2026-01-01T00:00:00Z  start busy of 2025-12-31T23:59:01Z
            2026-01-01T00:00:00Z  drop busy: 59, 2025-12-31T23:59:02Z to 2026-01-01T00:00:00Z: Overlap"#]],
    );
    check(
        Missed::Once,
        &expect![[r#"
            2026-01-01T00:00:00Z  drop busy: many, 2025-01-01T00:00:01Z to 2025-12-31T23:58:59Z: Missed
            2026-01-01T00:00:00Z  start busy of 2025-12-31T23:59:00Z
            2026-01-01T00:00:00Z  drop busy: 60, 2025-12-31T23:59:01Z to 2026-01-01T00:00:00Z: Overlap"#]],
    );
    check(
        Missed::All,
        &expect![[r#"
            2026-01-01T00:00:00Z  drop busy: many, 2025-01-01T00:00:01Z to 2025-12-31T23:42:20Z: Full
            2026-01-01T00:00:00Z  start busy of 2025-12-31T23:42:21Z
            2026-01-01T00:00:00Z  drop busy: 60, 2025-12-31T23:59:01Z to 2026-01-01T00:00:00Z: Overlap"#]],
    );
}

#[test]
fn a_machine_that_sleeps_wakes_to_what_it_missed_and_a_short_nap_misses_nothing() {
    let mut world = World::of("12:00:00", 60, &[hourly(|policy| policy.missed = Missed::Skip)]);
    world.jump("13:00:59");
    world.run_until("13:30:00");
    world.jump("16:10:00");
    world.run_until("17:30:00");
    world.check(&expect![[r#"
        2026-03-10T13:00:59Z  start hourly of 2026-03-10T13:00:00Z
        2026-03-10T16:10:00Z  drop hourly: 3, 2026-03-10T14:00:00Z to 2026-03-10T16:00:00Z: Missed
        2026-03-10T17:00:00Z  start hourly of 2026-03-10T17:00:00Z
    "#]]);
}

#[test]
fn a_clock_set_back_by_little_repeats_nothing_and_by_much_restarts_schedules() {
    let mut world = World::of("12:00:00", 60, &[hourly(|_| ())]);
    world.run_until("14:30:00");
    world.jump("11:45:00");
    world.run_until("15:30:00");
    world.jump("10:30:00");
    world.run_until("12:30:00");
    world.check(&expect![[r#"
        2026-03-10T13:00:00Z  start hourly of 2026-03-10T13:00:00Z
        2026-03-10T14:00:00Z  start hourly of 2026-03-10T14:00:00Z
        2026-03-10T15:00:00Z  start hourly of 2026-03-10T15:00:00Z
        2026-03-10T10:30:00Z  log the clock was set back from 2026-03-10T15:30:00Z to 2026-03-10T10:30:00Z: restarting all schedules from now
        2026-03-10T11:00:00Z  start hourly of 2026-03-10T11:00:00Z
        2026-03-10T12:00:00Z  start hourly of 2026-03-10T12:00:00Z
    "#]]);
    assert_eq!(world.marks["hourly"], at("12:00:00"), "the next scheduler uses the new time");
}

#[test]
fn what_was_handled_in_a_far_future_is_taken_for_a_clock_that_was_wrong() {
    let since = |text: &str| {
        let marks = [("hourly".to_owned(), at(text))].into();
        let mut world = World::since("12:00:00", 60, &[hourly(|_| ())], marks);
        world.run_until("14:30:00");
        world.said
    };
    expect![[""]].assert_eq(&since("14:00:00"));
    expect![[r#"
        2026-03-10T12:00:00Z  log hourly: handled up to 2030-01-01T00:00:00Z, which is in the future; restarting from 2026-03-10T12:00:00Z
        2026-03-10T13:00:00Z  start hourly of 2026-03-10T13:00:00Z
        2026-03-10T14:00:00Z  start hourly of 2026-03-10T14:00:00Z
    "#]].assert_eq(&since("2030-01-01T00:00:00Z"));
}

#[test]
fn in_each_zone_the_hour_that_is_missing_and_the_one_that_comes_twice_run_once() {
    let around = |zone: &str, schedule: &str, days: [&str; 4]| {
        let job = job("daily", schedule, |job| {
            (job.time_zone, job.policy.missed) = (zone.to_owned(), Missed::Skip);
        });
        let mut world = World::of(days[0], 60, &[job]);
        world.run_until(days[1]);
        world.jump(days[2]);
        world.run_until(days[3]);
        world.said
    };
    let days =
        ["2026-03-28T00:00:00Z", "2026-03-31T00:00:00Z", "2026-10-24T00:00:00Z", "2026-10-27T00:00:00Z"];
    expect![[r#"
        2026-03-28T01:30:00Z  start daily of 2026-03-28T01:30:00Z
        2026-03-29T01:00:00Z  start daily of 2026-03-29T01:00:00Z
        2026-03-30T00:30:00Z  start daily of 2026-03-30T00:30:00Z
        2026-10-24T00:00:00Z  drop daily: 207, 2026-03-31T00:30:00Z to 2026-10-23T00:30:00Z: Missed
        2026-10-24T00:30:00Z  start daily of 2026-10-24T00:30:00Z
        2026-10-25T00:30:00Z  start daily of 2026-10-25T00:30:00Z
        2026-10-26T01:30:00Z  start daily of 2026-10-26T01:30:00Z
    "#]]
    .assert_eq(&around("Europe/Berlin", "30 2 * * *", days));
    let days =
        ["2026-03-07T00:00:00Z", "2026-03-10T00:00:00Z", "2026-10-31T00:00:00Z", "2026-11-03T00:00:00Z"];
    expect![[r#"
        2026-03-07T06:30:00Z  start daily of 2026-03-07T06:30:00Z
        2026-03-08T06:30:00Z  start daily of 2026-03-08T06:30:00Z
        2026-03-09T05:30:00Z  start daily of 2026-03-09T05:30:00Z
        2026-10-31T00:00:00Z  drop daily: 235, 2026-03-10T05:30:00Z to 2026-10-30T05:30:00Z: Missed
        2026-10-31T05:30:00Z  start daily of 2026-10-31T05:30:00Z
        2026-11-01T05:30:00Z  start daily of 2026-11-01T05:30:00Z
        2026-11-02T06:30:00Z  start daily of 2026-11-02T06:30:00Z
    "#]]
    .assert_eq(&around("America/New_York", "30 1 * * *", days));
}
