//! One run of one job: lock, claim, steps, record.

use std::io::Write;
use std::thread;
use std::time::Duration;

use crate::job_spec::{Job, JobStep};
use crate::process::{
    EscapedWriter, Identity, Output, ProcessExit, Running, Tail, peak_memory_bytes,
    peak_memory_of_children_bytes,
};
use crate::run_history::{
    Due, Outcome, RUN_SCHEMA, RunRecord, RunStore, Span, TraceContext, due_run_id, new_run_id, new_span_id,
    traceparent, versions,
};
use crate::scheduler::attempt::{AttemptEnd, Limits, attempt};
use crate::scheduler::clock::Clock;
use crate::scheduler::error::RunError;
use crate::scheduler::job_lock::{Admission, acquire};
use crate::scheduler::lock_holder::LockHolder;
use crate::scheduler::reap_orphans::{GROUP, START_TICKS, reap_last_run};
use crate::scheduler::run_events::RunEvents;
use crate::scheduler::schedule_folder::{FOLDER, check_name};
use crate::scheduler::start_message::StartMessage;
use crate::scheduler::step_command::{Program, command_of};
use topsell_core::storage::Store;

/// The exit code of a step that failed without one.
const RUNTIME_ERROR: u8 = 1;

/// What a process needs to run jobs.
pub struct Runner<'a> {
    pub store: &'a Store,
    pub clock: Clock<'a>,
    pub events: &'a RunEvents,
    /// The identity of this process.
    pub identity: Identity,
    pub version: &'static str,
    /// The command-line arguments, for the record.
    pub asked: Vec<String>,
    pub trace: TraceContext,
    pub program: Program,
    /// Where the output of steps is written.
    pub stdout: &'a dyn Fn() -> Box<dyn Write + Send>,
    pub stderr: &'a dyn Fn() -> Box<dyn Write + Send>,
    /// Logs a line.
    pub log: &'a dyn Fn(&str),
}

/// The result of a run.
#[derive(Debug)]
pub enum RunResult {
    /// It was started; the record contains its outcome.
    Finished(Box<RunRecord>),
    /// It was not started: another run of the job was active, or its time had passed.
    NotStarted(Box<RunRecord>),
    /// Another process has this same run; nothing was done.
    OwnedByOther { run: String },
}

/// Runs a job once, under its lock, claims the run if it was due, and records it in any case.
///
/// # Errors
/// Fails if the run cannot be started or recorded; a failed step is not an error here.
pub fn run_job(runner: &Runner, message: &StartMessage) -> Result<RunResult, RunError> {
    check_name(&message.job.name)?;
    let mut job_run = JobRun::of(runner, message);
    runner.store.make_folder(FOLDER)?;
    let mut lock = match acquire(runner.store, message, &job_run.record.id, runner.events, &runner.clock)? {
        Admission::Acquired(lock) => lock,
        Admission::OwnedByOther => return Ok(RunResult::OwnedByOther { run: job_run.record.id }),
        Admission::Busy(why) => return job_run.reject(Outcome::Skipped, why),
        Admission::TooLate(why) => return job_run.reject(Outcome::Missed, why),
        Admission::Stopped(signal) => {
            job_run.record.signal = Some(signal);
            return job_run.reject(Outcome::Killed, format!("terminated by signal {signal} while waiting"));
        }
    };
    let kill_after = Duration::from_secs(message.job.policy.kill_after_seconds);
    if let Some(reaped) = reap_last_run(runner.store, &mut lock, kill_after, runner.clock.wall())? {
        (runner.log)(&format!("run {} never ended: {}", reaped.id, reaped.message.unwrap_or_default()));
    }
    lock.note(&LockHolder::of(&job_run.record).note())?;
    job_run.epoch = lock.epoch();
    // Waiting may have taken a while.
    job_run.begin();
    // If many runs are due at once, each starts before any of them continues.
    thread::yield_now();
    let is_claimed = job_run.claim()?;
    if is_claimed {
        job_run.run_steps();
        job_run.finish()?;
    }
    lock.note("")?;
    Ok(match is_claimed {
        true => RunResult::Finished(Box::new(job_run.record)),
        false => RunResult::OwnedByOther { run: job_run.record.id },
    })
}

/// An active run.
struct JobRun<'a> {
    runner: &'a Runner<'a>,
    job: &'a Job,
    run_store: RunStore,
    record: RunRecord,
    is_due: bool,
    tail: Tail,
    began: Duration,
    /// That of the job's lock, in a bucket.
    epoch: Option<u64>,
}

impl<'a> JobRun<'a> {
    fn of(runner: &'a Runner, message: &'a StartMessage) -> JobRun<'a> {
        let now = runner.clock.wall();
        let due = message.due();
        let attempt = message.attempt.max(1);
        let job = &message.job.name;
        let trace = runner.trace.clone();
        let mut record = RunRecord {
            schema: RUN_SCHEMA,
            id: due.map_or_else(|| new_run_id(now, job), |at| due_run_id(job, at, attempt)),
            command: "run".to_owned(),
            asked: runner.asked.clone(),
            due: Some(Due { job: job.clone(), at: due.map(|at| at.to_string()), attempt }),
            version: runner.version.to_owned(),
            trace_id: trace.trace_id,
            span_id: trace.span_id,
            parent_span_id: trace.parent_span_id,
            ..RunRecord::default()
        };
        record.set_process(runner.identity.clone());
        let mut job_run = JobRun {
            runner,
            job: &message.job,
            run_store: RunStore::open(runner.store),
            record,
            is_due: due.is_some(),
            tail: Tail::default(),
            began: Duration::ZERO,
            epoch: None,
        };
        job_run.begin();
        job_run
    }

    fn begin(&mut self) {
        self.record.started = self.now();
        self.began = self.runner.clock.elapsed();
    }

    /// Records that the run was not started, unless another process has this same run.
    fn reject(mut self, outcome: Outcome, why: String) -> Result<RunResult, RunError> {
        self.close(outcome, Some(why));
        self.record.exit_code = None;
        let is_claimed = !self.is_due || self.run_store.claim(&self.record)?;
        if !is_claimed {
            return Ok(RunResult::OwnedByOther { run: self.record.id });
        }
        self.run_store.finish(&self.record)?;
        Ok(RunResult::NotStarted(Box::new(self.record)))
    }

    /// Creates the record of the run with its first step; returns whether this process has the run.
    fn claim(&mut self) -> Result<bool, RunError> {
        self.record.before = versions(self.runner.store);
        if let Some(step) = self.job.steps.first() {
            self.begin_span(step, 1);
        }
        if self.is_due {
            return Ok(self.run_store.claim(&self.record)?);
        }
        self.run_store.save(&self.record)?;
        Ok(true)
    }

    /// Runs the steps until one fails.
    fn run_steps(&mut self) {
        let until =
            self.job.policy.timeout_seconds.map(|seconds| self.began.saturating_add(seconds_of(seconds)));
        for (at, step) in self.job.steps.iter().enumerate() {
            if let Err(failed) = self.run_step(step, at == 0, until) {
                self.record.exit_code = Some(failed.exit_code.unwrap_or(RUNTIME_ERROR));
                self.record.signal = failed.signal;
                self.close(failed.outcome, Some(failed.why));
                return;
            }
        }
        self.record.exit_code = Some(0);
        self.close(Outcome::Done, None);
    }

    /// Runs a step, with retries.
    fn run_step(&mut self, step: &JobStep, has_span: bool, until: Option<Duration>) -> Result<(), Failed> {
        let policy = &self.job.policy;
        let attempts = policy.retries.saturating_add(1);
        let mut delay = policy.retry_delay_seconds.min(policy.retry_max_delay_seconds);
        for nth in 1.. {
            if nth > 1 || !has_span {
                self.begin_span(step, nth);
                self.save();
            }
            let Err(failed) = self.attempt(step, until) else { return Ok(()) };
            if nth == attempts || failed.outcome != Outcome::Failed {
                return Err(failed);
            }
            let why = &failed.why;
            (self.runner.log)(&format!("{why}; retrying in {delay} s ({nth} of {})", policy.retries));
            self.pause(step, seconds_of(delay), until)?;
            delay = delay.saturating_mul(2).min(policy.retry_max_delay_seconds);
        }
        Ok(())
    }

    /// Waits before a retry, unless the run must end first.
    fn pause(&self, step: &JobStep, length: Duration, until: Option<Duration>) -> Result<(), Failed> {
        let left = until.map_or(Duration::MAX, |until| until.saturating_sub(self.runner.clock.elapsed()));
        let name = &step.name;
        match self.runner.events.pause(length.min(left)) {
            Some(signal) => Err(Failed::stopped(signal, &format!("before step {name} was retried"))),
            None if left <= length => Err(self.timed_out(&format!("before step {name} was retried"))),
            None => Ok(()),
        }
    }

    fn attempt(&mut self, step: &JobStep, until: Option<Duration>) -> Result<(), Failed> {
        let (runner, name) = (self.runner, &step.name);
        if let Some(signal) = runner.events.stopped() {
            self.end_span(Outcome::Killed, ProcessExit::default());
            return Err(Failed::stopped(signal, &format!("before step {name} was started")));
        }
        let started = runner.clock.elapsed();
        let span = self.record.spans.last().map(|span| span.span_id.clone()).unwrap_or_default();
        let trace = traceparent(&self.record.trace_id, &span);
        let command = command_of(&runner.program, self.job, step, &trace, self.epoch);
        let limits = Limits { until, kill_after: seconds_of(self.job.policy.kill_after_seconds) };
        let output = self.output();
        let end = attempt(&command, output, &limits, runner.events, &runner.clock, |running| {
            self.record_processes(running);
        });
        let (exit, result) = self.evaluate(step, end);
        let outcome = result.as_ref().err().map_or(Outcome::Done, |failed| failed.outcome);
        let took = runner.clock.elapsed().saturating_sub(started).as_secs_f64();
        (runner.log)(&format!("{name}: {} after {took:.1} s", outcome.name()));
        self.end_span(outcome, exit);
        result
    }

    /// Returns how the step's process exited, and whether the step failed.
    fn evaluate(&self, step: &JobStep, end: AttemptEnd) -> (ProcessExit, Result<(), Failed>) {
        let name = &step.name;
        let while_running = format!("while step {name} was running");
        let failed = |why: String, exit: ProcessExit| {
            let ProcessExit { exit_code, signal } = exit;
            Failed { outcome: Outcome::Failed, why, exit_code, signal }
        };
        match end {
            AttemptEnd::Exited(exit) => match exit_error(step, exit) {
                None => (exit, Ok(())),
                Some(error) => (exit, Err(failed(format!("step {name} {error}"), exit))),
            },
            AttemptEnd::TimedOut(exit) => (exit, Err(self.timed_out(&while_running))),
            AttemptEnd::Stopped(signal, exit) => (exit, Err(Failed::stopped(signal, &while_running))),
            AttemptEnd::NotStarted(error) => {
                let exit = ProcessExit::default();
                (exit, Err(failed(format!("step {name}: {error}"), exit)))
            }
        }
    }

    fn timed_out(&self, when: &str) -> Failed {
        let seconds = self.job.policy.timeout_seconds.unwrap_or_default();
        let why = format!("timed out after {seconds} s {when}");
        Failed { outcome: Outcome::TimedOut, why, exit_code: None, signal: None }
    }

    /// Records the processes of a step, so that they are found if this process dies.
    fn record_processes(&mut self, running: &Running) {
        if let Some(span) = self.record.spans.last_mut() {
            let mut set = |name: &str, value: u64| span.attributes.insert(name.to_owned(), value.to_string());
            set(GROUP, running.group().id().into());
            running.start_ticks().map(|ticks| set(START_TICKS, ticks));
        }
        self.save();
    }

    fn output(&self) -> Output {
        let (stdout, stderr) = ((self.runner.stdout)(), (self.runner.stderr)());
        let tail = self.tail.clone();
        match &self.job.owner {
            None => Output { stdout, stderr, tail },
            // What another account prints must not reach root's terminal as it is.
            Some(_) => Output {
                stdout: Box::new(EscapedWriter::new(stdout)),
                stderr: Box::new(EscapedWriter::new(stderr)),
                tail,
            },
        }
    }

    fn begin_span(&mut self, step: &JobStep, nth: u32) {
        self.record.spans.push(Span {
            span_id: new_span_id(),
            parent_span_id: Some(self.record.span_id.clone()),
            name: step.name.clone(),
            started: self.now(),
            ended: None,
            outcome: Outcome::Started,
            attributes: [("attempt".to_owned(), nth.to_string())].into(),
        });
    }

    fn end_span(&mut self, outcome: Outcome, exit: ProcessExit) {
        let ended = self.now();
        let Some(span) = self.record.spans.last_mut() else { return };
        span.ended = Some(ended);
        span.outcome = outcome;
        let code = exit.exit_code.map(|code| ("exit_code", i32::from(code)));
        let signal = exit.signal.map(|signal| ("signal", signal));
        let numbers = [code, signal].into_iter().flatten();
        span.attributes.extend(numbers.map(|(name, number)| (name.to_owned(), number.to_string())));
    }

    /// Writes the record; the run continues if this fails.
    fn save(&self) {
        if let Err(error) = self.run_store.save(&self.record) {
            (self.runner.log)(&format!("warning: cannot write the run record: {error}"));
        }
    }

    fn close(&mut self, outcome: Outcome, why: Option<String>) {
        self.record.outcome = outcome;
        self.record.message = why;
        self.record.ended = Some(self.now());
        let took = self.runner.clock.elapsed().saturating_sub(self.began);
        self.record.seconds = Some(took.as_secs_f64());
    }

    fn finish(&mut self) -> Result<(), RunError> {
        self.record.after = versions(self.runner.store);
        self.record.output_tail = self.tail.text();
        self.record.peak_memory_bytes = peak_memory_bytes().max(peak_memory_of_children_bytes());
        match &self.job.owner {
            Some(owner) if owner.uid != 0 => self.run_store.finish_private(&self.record, owner.gid)?,
            _ => self.run_store.finish(&self.record)?,
        }
        Ok(())
    }

    fn now(&self) -> String {
        self.runner.clock.wall().to_string()
    }
}

/// Why a run ends.
struct Failed {
    outcome: Outcome,
    why: String,
    exit_code: Option<u8>,
    signal: Option<i32>,
}

impl Failed {
    fn stopped(signal: i32, when: &str) -> Failed {
        let why = format!("terminated by signal {signal} {when}");
        Failed { outcome: Outcome::Killed, why, exit_code: None, signal: Some(signal) }
    }
}

/// Returns the error message of a step that did not exit successfully.
fn exit_error(step: &JobStep, exit: ProcessExit) -> Option<String> {
    match exit {
        ProcessExit { exit_code: Some(code), .. } if code == 0 || step.success_exit_codes.contains(&code) => {
            None
        }
        ProcessExit { exit_code: Some(code), .. } => Some(format!("failed with exit code {code}")),
        ProcessExit { signal: Some(signal), .. } => Some(format!("was terminated by signal {signal}")),
        ProcessExit { .. } => Some("ended for an unknown reason".to_owned()),
    }
}

fn seconds_of(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
