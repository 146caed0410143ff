//! The planner in a world whose clock the test moves.

mod clocks;
mod policies;
mod random;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use expect_test::Expect;

use crate::job_spec::{Job, JobStep, Policy, StepAction};
use crate::scheduler::planner::{Action, Event, Planner, RunEnd};
use topsell_core::model::Timestamp;

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
        let (planner, actions) = Planner::begin(now, jobs.to_vec(), &marks);
        let mut world = World { planner, now, runs: Vec::new(), takes_seconds, marks, said: String::new() };
        world.apply(actions);
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
            self.hear(Event::Ended { job, at, attempt, end: RunEnd::Recorded });
        }
        self.hear(Event::Tick);
    }

    fn hear(&mut self, event: Event) {
        let actions = self.planner.step(self.now, event);
        self.apply(actions);
    }

    fn apply(&mut self, actions: Vec<Action>) {
        let mut claims = Vec::new();
        for action in actions {
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
                Action::ReapOrphan { job, at, attempt } => {
                    self.say(&format!("reap {job} of {at}, {attempt}"));
                }
                Action::Mark { job, handled } => drop(self.marks.insert(job, handled)),
                Action::Log(text) => self.say(&format!("log {text}")),
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
    let step = JobStep {
        name: "true".to_owned(),
        action: StepAction::Exec(vec![]),
        success_exit_codes: vec![],
        stdin: None,
    };
    let mut job = Job {
        name: name.to_owned(),
        file: format!("{name}.toml").into(),
        line: 1,
        schedule: Some(schedule.to_owned()),
        time_zone: "UTC".to_owned(),
        steps: vec![step],
        policy: Policy::default(),
        environment: BTreeMap::new(),
        working_dir: None,
        owner: None,
    };
    change(&mut job);
    Arc::new(job)
}

fn hourly(change: impl FnOnce(&mut Policy)) -> Arc<Job> {
    job("hourly", "0 * * * *", |job| change(&mut job.policy))
}
