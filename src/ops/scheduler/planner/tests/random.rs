//! Whatever happens, each due run is started once or dropped by a policy that says so: by counting.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::test_runner::Config as ProptestConfig;
use proptest::{prop_assert, prop_assert_eq, proptest};

use crate::cron::CronSchedule;
use crate::job_spec::{Job, Missed, Overlap, Policy};
use crate::scheduler::planner::plan::GRACE_SECONDS;
use crate::scheduler::planner::tests::job;
use crate::scheduler::planner::{Action, DropReason, Event, Planner, RunEnd};
use topsell_core::model::{Timestamp, Zone};

const START: &str = "2026-03-28T20:00:00Z";
const SCHEDULES: &[&str] =
    &["* * * * *", "*/7 * * * *", "0 * * * *", "30 2 * * *", "*/20 * * * * *", "15,45 8-18 * * *"];

/// Something that happens to a scheduler.
#[derive(Clone, Debug)]
enum Happening {
    Runs {
        seconds: i64,
    },
    Sleeps {
        seconds: i64,
    },
    /// The clock is set back by less than would reset all schedules.
    SetBack {
        seconds: i64,
    },
    /// It dies, and its runners with it; another begins after a while.
    Dies {
        seconds: i64,
    },
    RunnerDies,
    Reloads,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        4 => (1i64..20_000).prop_map(|seconds| Happening::Runs { seconds }),
        1 => (1i64..30_000).prop_map(|seconds| Happening::Sleeps { seconds }),
        1 => (1i64..3_600).prop_map(|seconds| Happening::SetBack { seconds }),
        2 => (0i64..10_000).prop_map(|seconds| Happening::Dies { seconds }),
        2 => Just(Happening::RunnerDies),
        1 => Just(Happening::Reloads),
    ]
}

fn policy() -> impl Strategy<Value = Policy> {
    let overlap = prop_oneof![Just(Overlap::Skip), Just(Overlap::Queue), Just(Overlap::KillOld)];
    let missed = prop_oneof![Just(Missed::Skip), Just(Missed::Once), Just(Missed::All)];
    let deadline = prop_oneof![Just(None), (1u64..5_000).prop_map(Some)];
    (overlap, missed, deadline, prop_oneof![Just(0u64), 1u64..30], any::<bool>()).prop_map(
        |(overlap, missed, deadline_seconds, jitter_seconds, is_repeatable)| Policy {
            overlap,
            missed,
            deadline_seconds,
            jitter_seconds,
            is_repeatable,
            ..Policy::default()
        },
    )
}

struct Run {
    claims: Timestamp,
    ends: Timestamp,
    job: Arc<Job>,
    at: Timestamp,
    attempt: u32,
    is_claimed: bool,
}

/// The lake as schedulers see it, and one scheduler.
struct World {
    jobs: Vec<Arc<Job>>,
    planner: Planner,
    now: Timestamp,
    runs: Vec<Run>,
    takes_seconds: i64,
    marks: BTreeMap<String, Timestamp>,
    /// Which due runs were begun, and which have a record that they were not.
    claimed: BTreeSet<(String, Timestamp, u32)>,
    recorded: BTreeSet<(String, Timestamp)>,
    dropped: BTreeMap<(String, Timestamp), DropReason>,
    deaths: u32,
}

impl World {
    fn new(jobs: Vec<Arc<Job>>, takes_seconds: i64) -> World {
        let now = Timestamp::parse(START).expect("it is a moment");
        let (planner, actions) = Planner::begin(now, jobs.clone(), &BTreeMap::new());
        let mut world = World {
            jobs,
            planner,
            now,
            runs: Vec::new(),
            takes_seconds,
            marks: BTreeMap::new(),
            claimed: BTreeSet::new(),
            recorded: BTreeSet::new(),
            dropped: BTreeMap::new(),
            deaths: 0,
        };
        world.apply(actions);
        world
    }

    fn happens(&mut self, happening: &Happening) {
        match *happening {
            Happening::Runs { seconds } => self.run_until(self.now.plus_seconds(seconds)),
            Happening::Sleeps { seconds } => {
                self.now = self.now.plus_seconds(seconds);
                self.tick();
            }
            Happening::SetBack { seconds } => self.now = self.now.plus_seconds(-seconds),
            Happening::Dies { seconds } => {
                self.deaths += 1;
                self.runs.clear();
                self.now = self.now.plus_seconds(seconds);
                let marks = self.jobs.iter().filter_map(|job| {
                    let mut mark = *self.marks.get(&job.name)?;
                    while let Some(next) = calendar(job).next_after(mark) {
                        match self.is_recorded(&job.name, next) {
                            true => mark = next,
                            false => break,
                        }
                    }
                    Some((job.name.clone(), mark))
                });
                let marks = marks.collect();
                let (planner, actions) = Planner::begin(self.now, self.jobs.clone(), &marks);
                self.planner = planner;
                self.apply(actions);
            }
            Happening::RunnerDies if self.runs.is_empty() => {}
            Happening::RunnerDies => {
                let run = self.runs.remove(0);
                self.end(&run, if run.is_claimed { RunEnd::Died } else { RunEnd::Unclaimed });
            }
            Happening::Reloads => self.hear(Event::Jobs(self.jobs.clone())),
        }
    }

    fn is_recorded(&self, job: &str, at: Timestamp) -> bool {
        let key = (job.to_owned(), at);
        self.recorded.contains(&key) || self.claimed.contains(&(key.0, at, 1))
    }

    fn run_until(&mut self, end: Timestamp) {
        loop {
            let changes = self.runs.iter().map(|run| if run.is_claimed { run.ends } else { run.claims });
            let next = [changes.min(), self.planner.wake()].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= end) else { break };
            self.now = self.now.max(next);
            self.tick();
        }
        self.now = self.now.max(end);
        self.tick();
    }

    fn tick(&mut self) {
        let now = self.now;
        while let Some(at) = self.runs.iter().position(|run| !run.is_claimed && run.claims <= now) {
            let key = (self.runs[at].job.name.clone(), self.runs[at].at, self.runs[at].attempt);
            let is_recorded = key.2 == 1 && self.recorded.contains(&(key.0.clone(), key.1));
            if !is_recorded && self.claimed.insert(key.clone()) {
                self.runs[at].is_claimed = true;
                self.hear(Event::Claimed { job: key.0, at: key.1 });
            } else {
                assert!(self.deaths > 0, "{key:?} was handed out twice by one scheduler");
                let run = self.runs.remove(at);
                self.end(&run, RunEnd::Recorded);
            }
        }
        while let Some(at) = self.runs.iter().position(|run| run.is_claimed && run.ends <= now) {
            let run = self.runs.remove(at);
            self.end(&run, RunEnd::Recorded);
        }
        self.hear(Event::Tick);
    }

    fn end(&mut self, run: &Run, end: RunEnd) {
        let job = run.job.name.clone();
        self.hear(Event::Ended { job, at: run.at, attempt: run.attempt, end });
    }

    fn hear(&mut self, event: Event) {
        let actions = self.planner.step(self.now, event);
        self.apply(actions);
    }

    fn apply(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Start { job, at, attempt } => {
                    assert!(
                        self.runs.iter().all(|run| run.job.name != job.name),
                        "two runs of a job at once"
                    );
                    let claims = self.now.plus_seconds(1);
                    let ends = claims.plus_seconds(self.takes_seconds);
                    self.runs.push(Run { claims, ends, job, at, attempt, is_claimed: false });
                }
                Action::Kill { job } => {
                    let of_job = self.runs.iter_mut().filter(|run| run.job.name == job.name);
                    of_job.for_each(|run| run.ends = run.claims);
                }
                Action::Drop(dropped) => {
                    let job =
                        self.jobs.iter().find(|job| job.name == dropped.job).expect("it is one of ours");
                    let mut count = 0;
                    let mut due = Some(dropped.first);
                    while let Some(at) = due.filter(|due| *due <= dropped.last) {
                        count += 1;
                        let key = (job.name.clone(), at);
                        if !self.claimed.contains(&(key.0.clone(), at, 1)) {
                            self.dropped.insert(key.clone(), dropped.why);
                        }
                        due = calendar(job).next_after(at);
                    }
                    assert!(dropped.count.is_none_or(|told| told == count), "{dropped:?} were {count}");
                    self.recorded.insert((dropped.job, dropped.first));
                }
                Action::ReapOrphan { .. } => {}
                Action::Mark { job, handled } => drop(self.marks.insert(job, handled)),
                Action::Log(text) => assert!(!text.contains("restarting"), "{text}"),
            }
        }
    }
}

fn calendar(job: &Job) -> CronSchedule {
    let zone = Zone::named(&job.time_zone).expect("there is such a zone");
    CronSchedule::parse(job.schedule.as_ref().expect("it has one"), zone).expect("it is one")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn each_due_run_is_started_once_or_dropped_by_a_policy_that_says_so(
        plans in vec((0..SCHEDULES.len(), policy()), 1..4),
        takes_seconds in prop_oneof![0i64..30, 0i64..4_000],
        happenings in vec(happening(), 1..12),
    ) {
        let jobs: Vec<Arc<Job>> = plans.into_iter().zip(["a", "b", "c"]).map(|((schedule, policy), name)| {
            job(name, SCHEDULES[schedule], |job| {
                (job.policy, job.time_zone) = (policy, "Europe/Berlin".to_owned());
            })
        }).collect();
        let mut world = World::new(jobs.clone(), takes_seconds);
        for happening in &happenings {
            world.happens(happening);
        }
        // Whatever the clock was set back by is over, and so is whatever was going on.
        world.run_until(world.now.plus_seconds(12 * 3_600));
        for job in &jobs {
            let mut due = calendar(job).next_after(Timestamp::parse(START).expect("it is a moment"));
            let mark = world.marks[&job.name];
            // Who catches up on all runs is busy for as long as they take together.
            let catches_up = job.policy.missed == Missed::All || job.policy.overlap == Overlap::Queue;
            let due_runs = std::iter::successors(due, |at| calendar(job).next_after(*at).filter(|at| *at <= world.now));
            let is_busy = catches_up && due_runs.count().cast_signed() as i64 * (takes_seconds + 2) > 12 * 3_600;
            let is_recent = world.now.plus_seconds(-24 * 3_600) < mark;
            prop_assert!(is_recent || is_busy || takes_seconds > 600, "{} got stuck", job.name);
            while let Some(at) = due.filter(|due| *due <= mark) {
                let key = (job.name.clone(), at);
                let why = world.dropped.get(&key).copied();
                let is_claimed = world.claimed.contains(&(key.0.clone(), at, 1));
                prop_assert!(is_claimed || why.is_some(), "{} of {at} was lost", job.name);
                prop_assert!(!is_claimed || why.is_none() || world.deaths > 0, "{} of {at} was dropped too", job.name);
                let policy = &job.policy;
                let may = match why {
                    None => true,
                    Some(DropReason::Overlap) => policy.overlap != Overlap::Queue,
                    Some(DropReason::Deadline) => policy.deadline_seconds.is_some(),
                    Some(DropReason::Missed) => policy.missed != Missed::All,
                    // A queue of runs that take longer than the time between them fills up, too.
                    Some(DropReason::Full) => policy.missed == Missed::All || policy.overlap == Overlap::Queue,
                };
                prop_assert!(may, "{} of {at}: {why:?} is not its policy", job.name);
                due = calendar(job).next_after(at);
            }
        }
        prop_assert_eq!(world.deaths, happenings.iter().filter(|one| matches!(one, Happening::Dies { .. })).count() as u32);
    }
}

/// A thousand jobs, most of them hourly, through a whole year.
#[test]
fn a_year_of_a_thousand_jobs_goes_by_in_seconds() {
    let schedules = ["0 * * * *", "0 2 * * *", "0 0 * * 1", "0 */6 * * *", "0 12 1 * *"];
    let jobs = (0..1_000).map(|number| {
        let name = format!("job-{number:04}");
        let schedule = match number {
            0 => "* * * * *".to_owned(),
            _ => schedules[number % schedules.len()].replacen('0', &(number % 60).to_string(), 1),
        };
        job(&name, &schedule, |job| job.policy.jitter_seconds = if number % 7 == 6 { 20 } else { 0 })
    });
    let now = Timestamp::parse("2026-01-01T00:00:00Z").expect("it is a moment");
    let end = Timestamp::parse("2027-01-01T00:00:00Z").expect("it is a moment");
    let (mut planner, _) = Planner::begin(now, jobs.collect(), &BTreeMap::new());
    let mut started = BTreeMap::new();
    while let Some(now) = planner.wake().filter(|wake| *wake <= end) {
        let mut actions = planner.step(now, Event::Tick);
        while let Some(action) = actions.pop() {
            match action {
                Action::Start { job, at, attempt } => {
                    assert!(now <= at.plus_seconds(GRACE_SECONDS), "{} of {at} is late", job.name);
                    *started.entry(job.name.clone()).or_insert(0) += 1;
                    let ended = Event::Ended { job: job.name.clone(), at, attempt, end: RunEnd::Recorded };
                    actions.extend(planner.step(now, ended));
                }
                Action::Mark { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(started["job-0000"], 365 * 24 * 60);
    assert_eq!(started["job-0005"], 365 * 24);
    assert_eq!(started.len(), 1_000);
}
