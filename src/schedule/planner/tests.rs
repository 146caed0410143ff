use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use expect_test::{Expect, expect};

use crate::job::{Does, Job, JobStep, Missed, Overlap, Policy};
use crate::schedule::planner::{Action, Ended, Event, Planner};
use crate::time::Timestamp;

/// A scheduler whose clock the test moves, and runs that take as long as the test says.
struct World {
    planner: Planner,
    now: Timestamp,
    /// Runs at work, by when they end.
    runs: Vec<(Timestamp, String, Timestamp, u32)>,
    takes_seconds: i64,
    marks: BTreeMap<String, Timestamp>,
    said: String,
}

impl World {
    fn of(start: &str, takes_seconds: i64, jobs: &[Arc<Job>]) -> World {
        World::since(start, takes_seconds, jobs, BTreeMap::new())
    }

    fn since(
        start: &str,
        takes_seconds: i64,
        jobs: &[Arc<Job>],
        marks: BTreeMap<String, Timestamp>,
    ) -> World {
        let now = at(start);
        let (planner, todo) = Planner::begin(now, jobs.to_vec(), &marks);
        let mut world = World { planner, now, runs: Vec::new(), takes_seconds, marks, said: String::new() };
        world.apply(todo);
        world
    }

    /// Lets the clock run, with everything that happens meanwhile.
    fn run_until(&mut self, end: &str) {
        let end = at(end);
        loop {
            let ends = self.runs.iter().map(|(ends, ..)| *ends).min();
            let next = [ends, self.planner.wake()].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= end) else { break };
            self.now = self.now.max(next);
            self.tick();
        }
        self.now = end;
        self.tick();
    }

    /// Moves the clock, and nothing happens meanwhile: the machine sleeps, or someone sets the clock.
    fn jump(&mut self, to: &str) {
        self.now = at(to);
        self.tick();
    }

    fn tick(&mut self) {
        while let Some(over) = self.runs.iter().position(|(ends, ..)| *ends <= self.now) {
            let (_, job, at, attempt) = self.runs.remove(over);
            self.hear(Event::Ended { job, at, attempt, how: Ended::Told });
        }
        self.hear(Event::Tick);
    }

    fn hear(&mut self, event: Event) {
        let todo = self.planner.step(self.now, event);
        self.apply(todo);
    }

    fn apply(&mut self, todo: Vec<Action>) {
        let mut claims = Vec::new();
        for action in todo {
            let now = self.now;
            match action {
                Action::Start { job, at, attempt } => {
                    let again = if attempt > 1 { format!(" attempt {attempt}") } else { String::new() };
                    self.say(&format!("start {} of {at}{again}", job.name));
                    let ends = now.plus_seconds(self.takes_seconds);
                    self.runs.push((ends, job.name.clone(), at, attempt));
                    claims.push(Event::Claimed { job: job.name.clone(), at });
                }
                Action::Kill { job } => {
                    self.say(&format!("kill {}", job.name));
                    for run in self.runs.iter_mut().filter(|run| run.1 == job.name) {
                        run.0 = now;
                    }
                }
                Action::Drop(dropped) => {
                    let count = dropped.count.map_or("many".to_owned(), |count| count.to_string());
                    let (first, last) = (dropped.first, dropped.last);
                    self.say(&format!("drop {}: {count}, {first} to {last}: {:?}", dropped.job, dropped.why));
                }
                Action::Bury { job, at, attempt } => self.say(&format!("bury {job} of {at}, {attempt}")),
                Action::Mark { job, handled } => drop(self.marks.insert(job, handled)),
                Action::Note(text) => self.say(&format!("note {text}")),
            }
        }
        for claim in claims {
            self.hear(claim);
        }
    }

    fn say(&mut self, text: &str) {
        writeln!(self.said, "{}  {text}", self.now).expect("a text can grow");
    }

    fn check(&self, expected: &Expect) {
        expected.assert_eq(&self.said);
    }
}

fn at(text: &str) -> Timestamp {
    let text = if text.contains('T') { text.to_owned() } else { format!("2026-03-10T{text}Z") };
    Timestamp::parse(&text).expect("the test names a moment")
}

pub(super) fn job(name: &str, schedule: &str, change: impl FnOnce(&mut Job)) -> Arc<Job> {
    let step = JobStep { name: "true".to_owned(), does: Does::Exec(vec![]), accept: vec![], stdin: None };
    let mut job = Job {
        name: name.to_owned(),
        file: format!("{name}.toml").into(),
        line: 1,
        schedule: Some(schedule.to_owned()),
        time_zone: "UTC".to_owned(),
        steps: vec![step],
        policy: Policy::default(),
        environment: BTreeMap::new(),
        folder: None,
        owner: None,
    };
    change(&mut job);
    Arc::new(job)
}

fn hourly(change: impl FnOnce(&mut Policy)) -> Arc<Job> {
    job("hourly", "0 * * * *", |job| change(&mut job.policy))
}

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
    assert_eq!(world.marks.keys().collect::<Vec<_>>(), ["hourly"], "whoever comes next knows since when");
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
fn a_clock_set_back_by_little_repeats_nothing_and_by_much_starts_anew() {
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
        2026-03-10T10:30:00Z  note the clock was set back from 2026-03-10T15:30:00Z to 2026-03-10T10:30:00Z: all schedules start anew from here
        2026-03-10T11:00:00Z  start hourly of 2026-03-10T11:00:00Z
        2026-03-10T12:00:00Z  start hourly of 2026-03-10T12:00:00Z
    "#]]);
    assert_eq!(world.marks["hourly"], at("12:00:00"), "whoever comes next goes by the new time");
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
        2026-03-10T12:00:00Z  note hourly: was handled up to 2030-01-01T00:00:00Z; it starts anew from 2026-03-10T12:00:00Z
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
    let marks = |todo: Vec<Action>| {
        let marks = todo.into_iter().filter_map(|action| match action {
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
    let died = |world: &mut World, how: Ended| {
        let (_, job, at, attempt) = world.runs.remove(0);
        world.hear(Event::Ended { job, at, attempt, how });
    };
    let mut world = World::of("12:00:00", 600, &[hourly(|_| ())]);
    world.run_until("13:01:00");
    died(&mut world, Ended::Died);
    world.check(&expect![[r#"
        2026-03-10T13:00:00Z  start hourly of 2026-03-10T13:00:00Z
        2026-03-10T13:01:00Z  bury hourly of 2026-03-10T13:00:00Z, 1
    "#]]);

    let mut world = World::of("12:00:00", 600, &[hourly(|policy| policy.is_repeatable = true)]);
    world.run_until("13:01:00");
    while !world.runs.is_empty() {
        died(&mut world, Ended::Died);
    }
    world.check(&expect![[r#"
        2026-03-10T13:00:00Z  start hourly of 2026-03-10T13:00:00Z
        2026-03-10T13:01:00Z  start hourly of 2026-03-10T13:00:00Z attempt 2
        2026-03-10T13:01:00Z  start hourly of 2026-03-10T13:00:00Z attempt 3
        2026-03-10T13:01:00Z  start hourly of 2026-03-10T13:00:00Z attempt 4
        2026-03-10T13:01:00Z  start hourly of 2026-03-10T13:00:00Z attempt 5
        2026-03-10T13:01:00Z  bury hourly of 2026-03-10T13:00:00Z, 5
    "#]]);
}

#[test]
fn a_runner_that_never_had_the_run_is_followed_by_another_a_while_later() {
    let mut world = World::of("12:00:00", 600, &[hourly(|policy| policy.deadline_seconds = Some(6))]);
    world.run_until("13:00:00");
    for _ in 0..4 {
        if let Some((_, job, at, attempt)) = world.runs.pop() {
            world.hear(Event::Ended { job, at, attempt, how: Ended::Unclaimed });
            let wake = world.planner.wake().expect("it is to be tried again").to_string();
            world.run_until(&wake);
        }
    }
    world.check(&expect![[r#"
        2026-03-10T13:00:00Z  start hourly of 2026-03-10T13:00:00Z
        2026-03-10T13:00:01Z  start hourly of 2026-03-10T13:00:00Z
        2026-03-10T13:00:02Z  start hourly of 2026-03-10T13:00:00Z
        2026-03-10T13:00:03Z  drop hourly: 1, 2026-03-10T13:00:00Z to 2026-03-10T13:00:00Z: Deadline
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
        2026-03-10T12:00:10Z  bury careful of 2026-03-10T12:00:00Z, 1
        2026-03-10T12:00:10Z  bury unheard-of of 2026-03-10T12:00:00Z, 1
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
        2026-03-10T13:20:00Z  note gone: is gone
        2026-03-10T13:20:00Z  note new: is new
        2026-03-10T13:50:00Z  start new of 2026-03-10T13:50:00Z
        2026-03-10T14:30:00Z  start hourly of 2026-03-10T14:00:00Z
        2026-03-10T14:31:00Z  note new: is gone
        2026-03-10T14:31:00Z  note hourly: has another schedule, from now on
        2026-03-10T15:05:00Z  drop hourly: 1, 2026-03-10T15:05:00Z to 2026-03-10T15:05:00Z: Overlap
        2026-03-10T15:30:00Z  note hourly: is gone
    "#]]);
}
