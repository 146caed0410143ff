//! One run of one job: its lock, its claim, its steps, its record.

use std::io::Write;
use std::thread;
use std::time::Duration;

use crate::job_spec::{Job, JobStep};
use crate::process::{
    How, Identity, Output, Running, Tail, peak_memory_bytes, peak_memory_of_children_bytes,
};
use crate::run_history::versions;
use crate::run_history::{
    Book, Due, Outcome, RUN_SCHEMA, RunRecord, Span, TraceContext, due_id, fresh_id, fresh_span_id,
    traceparent,
};
use crate::scheduler::attempt::{End, Limits, attempt};
use crate::scheduler::bury::{GROUP, START_TICKS, bury_last};
use crate::scheduler::clock::Clock;
use crate::scheduler::go::Go;
use crate::scheduler::inbox::Inbox;
use crate::scheduler::instance::{Entry, Holder, enter};
use crate::scheduler::steps::{Program, command_of};
use crate::scheduler::{FOLDER, RunError, check_name};
use topsell_core::storage::Store;

/// What a step that failed for no reason of its own exits with.
const COULD_NOT: u8 = 1;

/// Whoever runs jobs: this process, and what it has.
pub struct Runner<'a> {
    pub store: &'a Store,
    pub clock: Clock<'a>,
    pub inbox: &'a Inbox,
    /// Who it is.
    pub identity: Identity,
    pub version: &'static str,
    /// What was typed after the program's name.
    pub asked: Vec<String>,
    pub trace: TraceContext,
    pub program: Program,
    /// Where the steps' output goes.
    pub stdout: &'a dyn Fn() -> Box<dyn Write + Send>,
    pub stderr: &'a dyn Fn() -> Box<dyn Write + Send>,
    /// Says a plain line to whoever watches.
    pub say: &'a dyn Fn(&str),
}

/// What became of a run.
#[derive(Debug)]
pub enum Ending {
    /// It was at work; its record says how that went.
    Ran(Box<RunRecord>),
    /// It was not begun: another run of the job was at work, or its time had gone by.
    NotBegun(Box<RunRecord>),
    /// Another process has this very run; here nothing was done.
    Elsewhere { run: String },
}

/// Runs a job once: alone, claimed if it was due, and recorded, whatever comes of it.
///
/// # Errors
/// Fails where the run cannot be begun or its end not be recorded; a step that fails is no error here.
pub fn run_job(runner: &Runner, go: &Go) -> Result<Ending, RunError> {
    check_name(&go.job.name)?;
    let mut work = Work::of(runner, go);
    runner.store.make_folder(FOLDER)?;
    let mut lock = match enter(runner.store, go, &work.record.id, runner.inbox, &runner.clock)? {
        Entry::Ours(lock) => lock,
        Entry::Elsewhere => return Ok(Ending::Elsewhere { run: work.record.id }),
        Entry::Busy(why) => return work.turn_away(Outcome::Skipped, why),
        Entry::TooLate(why) => return work.turn_away(Outcome::Missed, why),
        Entry::Stopped(signal) => {
            work.record.signal = Some(signal);
            return work.turn_away(Outcome::Killed, format!("ended by signal {signal} while it waited"));
        }
    };
    let kill_after = Duration::from_secs(go.job.policy.kill_after_seconds);
    if let Some(buried) = bury_last(runner.store, &mut lock, kill_after, runner.clock.wall())? {
        (runner.say)(&format!("run {} never ended: {}", buried.id, buried.message.unwrap_or_default()));
    }
    lock.note(&Holder::of(&work.record).note())?;
    // Waiting may have taken a while.
    work.begin();
    // Where many are due at once, each begins before any of them goes on.
    thread::yield_now();
    let is_ours = work.claim()?;
    if is_ours {
        work.run();
        work.finish()?;
    }
    lock.note("")?;
    let run = work.record.id.clone();
    Ok(if is_ours { Ending::Ran(Box::new(work.record)) } else { Ending::Elsewhere { run } })
}

/// A run at work.
struct Work<'a> {
    runner: &'a Runner<'a>,
    job: &'a Job,
    book: Book,
    record: RunRecord,
    is_due: bool,
    tail: Tail,
    began: Duration,
}

impl<'a> Work<'a> {
    fn of(runner: &'a Runner, go: &'a Go) -> Work<'a> {
        let now = runner.clock.wall();
        let due = go.due();
        let attempt = go.attempt.max(1);
        let trace = runner.trace.clone();
        let mut record = RunRecord {
            schema: RUN_SCHEMA,
            id: due.map_or_else(|| fresh_id(now, &go.job.name), |at| due_id(&go.job.name, at, attempt)),
            command: "run".to_owned(),
            asked: runner.asked.clone(),
            due: Some(Due { job: go.job.name.clone(), at: due.map(|at| at.to_string()), attempt }),
            version: runner.version.to_owned(),
            trace_id: trace.trace_id,
            span_id: trace.span_id,
            parent_span_id: trace.parent_span_id,
            ..RunRecord::default()
        };
        record.is_run_by(runner.identity.clone());
        let mut work = Work {
            runner,
            job: &go.job,
            book: Book::open(runner.store),
            record,
            is_due: due.is_some(),
            tail: Tail::default(),
            began: Duration::ZERO,
        };
        work.begin();
        work
    }

    fn begin(&mut self) {
        self.record.started = self.now();
        self.began = self.runner.clock.lapsed();
    }

    /// Makes the record of a run that was not begun, unless someone else has that very run.
    fn turn_away(mut self, outcome: Outcome, why: String) -> Result<Ending, RunError> {
        self.close(outcome, Some(why));
        self.record.exit_code = None;
        let is_ours = !self.is_due || self.book.claim(&self.record)?;
        if !is_ours {
            return Ok(Ending::Elsewhere { run: self.record.id });
        }
        self.book.finish(&self.record)?;
        Ok(Ending::NotBegun(Box::new(self.record)))
    }

    /// Makes the record of a run that begins with its first step; tells whether the run is ours.
    fn claim(&mut self) -> Result<bool, RunError> {
        self.record.before = versions(self.runner.store);
        if let Some(step) = self.job.steps.first() {
            self.begin_span(step, 1);
        }
        if self.is_due {
            return Ok(self.book.claim(&self.record)?);
        }
        self.book.note(&self.record)?;
        Ok(true)
    }

    /// Does the steps, until one fails.
    fn run(&mut self) {
        let until =
            self.job.policy.timeout_seconds.map(|seconds| self.began.saturating_add(seconds_of(seconds)));
        for (at, step) in self.job.steps.iter().enumerate() {
            if let Err(failed) = self.step(step, at == 0, until) {
                self.record.exit_code = Some(failed.exit_code.unwrap_or(COULD_NOT));
                self.record.signal = failed.signal;
                self.close(failed.outcome, Some(failed.why));
                return;
            }
        }
        self.record.exit_code = Some(0);
        self.close(Outcome::Done, None);
    }

    /// Does one step, as often as it takes and may.
    fn step(&mut self, step: &JobStep, is_begun: bool, until: Option<Duration>) -> Result<(), Failed> {
        let policy = &self.job.policy;
        let attempts = policy.retries.saturating_add(1);
        let mut delay = policy.retry_delay_seconds.min(policy.retry_max_delay_seconds);
        for nth in 1.. {
            if nth > 1 || !is_begun {
                self.begin_span(step, nth);
                self.note();
            }
            let Err(failed) = self.attempt(step, until) else { return Ok(()) };
            if nth == attempts || failed.outcome != Outcome::Failed {
                return Err(failed);
            }
            let why = &failed.why;
            (self.runner.say)(&format!("{why}; again in {delay} s ({nth} of {})", policy.retries));
            self.pause(step, seconds_of(delay), until)?;
            delay = delay.saturating_mul(2).min(policy.retry_max_delay_seconds);
        }
        Ok(())
    }

    /// Waits before a step is tried again, unless the run has to end first.
    fn pause(&self, step: &JobStep, length: Duration, until: Option<Duration>) -> Result<(), Failed> {
        let left = until.map_or(Duration::MAX, |until| until.saturating_sub(self.runner.clock.lapsed()));
        let name = &step.name;
        match self.runner.inbox.pause(length.min(left)) {
            Some(signal) => Err(Failed::stopped(signal, &format!("before step {name} was tried again"))),
            None if left <= length => Err(self.timed_out(&format!("before step {name} was tried again"))),
            None => Ok(()),
        }
    }

    fn attempt(&mut self, step: &JobStep, until: Option<Duration>) -> Result<(), Failed> {
        let clock = &self.runner.clock;
        if let Some(signal) = self.runner.inbox.stopped() {
            self.end_span(Outcome::Killed, How::default());
            return Err(Failed::stopped(signal, &format!("before step {} was begun", step.name)));
        }
        let began = clock.lapsed();
        let span = self.record.spans.last().map(|span| span.span_id.clone()).unwrap_or_default();
        let trace = traceparent(&self.record.trace_id, &span);
        let command = command_of(&self.runner.program, self.job, step, &trace);
        let kill_after = seconds_of(self.job.policy.kill_after_seconds);
        let (runner, output) = (self.runner, self.output());
        let limits = Limits { until, kill_after };
        let end =
            attempt(&command, output, &limits, runner.inbox, clock, |running| self.note_started(running));
        let name = &step.name;
        let (outcome, how, result) = match end {
            End::Exited(how) => match fault(step, how) {
                None => (Outcome::Done, how, Ok(())),
                Some(fault) => {
                    let why = format!("step {name} {fault}");
                    let signal = how.signal;
                    let failed = Failed { outcome: Outcome::Failed, why, exit_code: how.exit_code, signal };
                    (Outcome::Failed, how, Err(failed))
                }
            },
            End::TimedOut(how) => {
                (Outcome::TimedOut, how, Err(self.timed_out(&format!("while step {name} was at work"))))
            }
            End::Stopped(signal, how) => {
                let failed = Failed::stopped(signal, &format!("while step {name} was at work"));
                (Outcome::Killed, how, Err(failed))
            }
            End::Unstartable(error) => {
                let why = format!("step {name}: {error}");
                let failed = Failed { outcome: Outcome::Failed, why, exit_code: None, signal: None };
                (Outcome::Failed, How::default(), Err(failed))
            }
        };
        let took = runner.clock.lapsed().saturating_sub(began).as_secs_f64();
        (runner.say)(&format!("{name}: {} after {took:.1} s", outcome.word()));
        self.end_span(outcome, how);
        result
    }

    fn timed_out(&self, when: &str) -> Failed {
        let seconds = self.job.policy.timeout_seconds.unwrap_or_default();
        let why = format!("it took longer than {seconds} s, and was ended {when}");
        Failed { outcome: Outcome::TimedOut, why, exit_code: None, signal: None }
    }

    /// Notes which processes a step is, so that they are found where this one dies.
    fn note_started(&mut self, running: &Running) {
        if let Some(span) = self.record.spans.last_mut() {
            let mut set = |name: &str, value: u64| span.attributes.insert(name.to_owned(), value.to_string());
            set(GROUP, running.group().number().into());
            running.start_ticks().map(|ticks| set(START_TICKS, ticks));
        }
        self.note();
    }

    fn output(&self) -> Output {
        Output { stdout: (self.runner.stdout)(), stderr: (self.runner.stderr)(), tail: self.tail.clone() }
    }

    fn begin_span(&mut self, step: &JobStep, nth: u32) {
        self.record.spans.push(Span {
            span_id: fresh_span_id(),
            parent_span_id: Some(self.record.span_id.clone()),
            name: step.name.clone(),
            started: self.now(),
            ended: None,
            outcome: Outcome::Started,
            attributes: [("attempt".to_owned(), nth.to_string())].into(),
        });
    }

    fn end_span(&mut self, outcome: Outcome, how: How) {
        let ended = self.now();
        let Some(span) = self.record.spans.last_mut() else { return };
        span.ended = Some(ended);
        span.outcome = outcome;
        let code = how.exit_code.map(|code| ("exit_code", i32::from(code)));
        let signal = how.signal.map(|signal| ("signal", signal));
        let numbers = [code, signal].into_iter().flatten();
        span.attributes.extend(numbers.map(|(name, number)| (name.to_owned(), number.to_string())));
    }

    /// Writes the record as it is; the run goes on where the disk does not take it.
    fn note(&self) {
        if let Err(error) = self.book.note(&self.record) {
            (self.runner.say)(&format!("warning: the run could not be noted: {error}"));
        }
    }

    fn close(&mut self, outcome: Outcome, why: Option<String>) {
        self.record.outcome = outcome;
        self.record.message = why;
        self.record.ended = Some(self.now());
        let took = self.runner.clock.lapsed().saturating_sub(self.began);
        self.record.seconds = Some(took.as_secs_f64());
    }

    fn finish(&mut self) -> Result<(), RunError> {
        self.record.after = versions(self.runner.store);
        self.record.output_tail = self.tail.text();
        self.record.peak_memory_bytes = peak_memory_bytes().max(peak_memory_of_children_bytes());
        Ok(self.book.finish(&self.record)?)
    }

    fn now(&self) -> String {
        self.runner.clock.wall().to_string()
    }
}

/// Why a run does not go on.
struct Failed {
    outcome: Outcome,
    why: String,
    exit_code: Option<u8>,
    signal: Option<i32>,
}

impl Failed {
    fn stopped(signal: i32, when: &str) -> Failed {
        let why = format!("ended by signal {signal} {when}");
        Failed { outcome: Outcome::Killed, why, exit_code: None, signal: Some(signal) }
    }
}

/// Returns what is wrong with how a step ended.
fn fault(step: &JobStep, how: How) -> Option<String> {
    match how {
        How { exit_code: Some(code), .. } if code == 0 || step.success_exit_codes.contains(&code) => None,
        How { exit_code: Some(code), .. } => Some(format!("failed with exit code {code}")),
        How { signal: Some(signal), .. } => Some(format!("was ended by signal {signal}")),
        How { .. } => Some("ended, and nobody knows how".to_owned()),
    }
}

fn seconds_of(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
