//! The runs of a scheduler: started by a message to a worker, ended when it exits, or dropped with a record.

use crate::job_spec::Job;
use crate::process::{Identity, kill, terminate};
use crate::run_history::{Due, Outcome, RUN_SCHEMA, RunRecord, TraceContext, due_run_id};
use crate::scheduler::daemon::config::SHUTDOWN_POLL_INTERVAL;
use crate::scheduler::daemon::scheduler_loop::SchedulerLoop;
use crate::scheduler::daemon::started_run::{StartedRun, stop_timeout};
use crate::scheduler::daemon::worker_pool::{RESPAWN_DELAY, reap};
use crate::scheduler::planner::{DropReason, Dropped, Event, RunEnd};
use crate::scheduler::start_message::StartMessage;
use topsell_core::model::Timestamp;

impl SchedulerLoop<'_> {
    /// Starts the first ready run.
    pub(super) fn start_first(&mut self) {
        let Some((job, at, attempt)) = self.ready.pop() else { return };
        let message = StartMessage { job: Job::clone(&job), at: Some(at.to_string()), attempt };
        let line = match message.line() {
            Ok(line) => line,
            Err(error) => return self.start_failed(job.name.clone(), at, attempt, &error.to_string()),
        };
        let Some(process) = self.pool.send(&line) else {
            return self.start_failed(job.name.clone(), at, attempt, "no worker process received it");
        };
        let began = self.config.clock.elapsed();
        let again = if attempt > 1 { format!(", attempt {attempt}") } else { String::new() };
        self.summary.started += 1;
        self.log(&format!("{} of {at}: started{again} (process {process})", job.name));
        self.started
            .insert(process, StartedRun { job, at, attempt, began, is_claimed: false, kill_at: None });
    }

    fn start_failed(&mut self, job: String, at: Timestamp, attempt: u32, why: &str) {
        self.warn(&format!("{job} of {at}: {why}"));
        self.step(Event::Ended { job, at, attempt, end: RunEnd::Unclaimed });
    }

    /// Handles every child process that has exited.
    pub(super) fn reap(&mut self) {
        while let Some((process, signal)) = reap() {
            if let Some(run) = self.started.remove(&process) {
                self.ended(process, signal, &run);
            } else if self.pool.remove(process) {
                self.spawn_after = self.config.clock.elapsed() + RESPAWN_DELAY;
                self.warn(&format!("worker process {process} died while waiting"));
            }
        }
    }

    fn ended(&mut self, process: u32, signal: Option<i32>, run: &StartedRun) {
        let StartedRun { job, at, attempt, .. } = run;
        let took = self.config.clock.elapsed().saturating_sub(run.began).as_secs_f64();
        let record = match self.run_store.read(&run.id()) {
            Ok(record) => record,
            Err(error) => return self.run_ended(run, RunEnd::Recorded, &error.to_string()),
        };
        match record {
            // If the job was started by hand meanwhile, that run has recorded it.
            Some(record) if is_open(record.outcome) && record.process == process => {
                let by = signal.map_or(String::new(), |signal| format!(" by signal {signal}"));
                self.run_ended(run, RunEnd::Died, &format!("process died{by} after {took:.1} s"));
            }
            Some(record) => {
                let why = record.message.map_or(String::new(), |why| format!(": {why}"));
                let outcome = record.outcome.name();
                self.run_ended(run, RunEnd::Recorded, &format!("{outcome} after {took:.1} s{why}"));
            }
            None => {
                self.warn(&format!(
                    "{} of {at}: process {process} exited before the run; retrying",
                    job.name
                ));
                let job = job.name.clone();
                self.step(Event::Ended { job, at: *at, attempt: *attempt, end: RunEnd::Unclaimed });
            }
        }
    }

    fn run_ended(&mut self, run: &StartedRun, end: RunEnd, text: &str) {
        self.log(&format!("{} of {}: {text} (run {})", run.job.name, run.at, run.id()));
        let job = run.job.name.clone();
        match end {
            // During shutdown, terminated runs are not repeated.
            RunEnd::Died if self.planner.is_none() => self.reap_orphan_now(&job),
            end => self.step(Event::Ended { job, at: run.at, attempt: run.attempt, end }),
        }
    }

    /// Checks which started runs have been claimed.
    pub(super) fn check_claims(&mut self) {
        let mut claimed = Vec::new();
        for run in self.started.values_mut().filter(|run| !run.is_claimed) {
            run.is_claimed = self.run_store.contains(&run.id());
            if run.is_claimed {
                claimed.push(Event::Claimed { job: run.job.name.clone(), at: run.at });
            }
        }
        claimed.into_iter().for_each(|event| self.step(event));
    }

    /// Terminates a job's run.
    pub(super) fn kill(&mut self, job: &Job) {
        let elapsed = self.config.clock.elapsed();
        self.next_poll = self.next_poll.min(elapsed + SHUTDOWN_POLL_INTERVAL);
        if let Some((_, at, attempt)) = self.ready.remove(job) {
            self.step(Event::Ended { job: job.name.clone(), at, attempt, end: RunEnd::Unclaimed });
        }
        for (process, run) in self.started.iter_mut().filter(|(_, run)| run.job.name == job.name) {
            terminate(*process);
            run.kill_at = Some(elapsed + stop_timeout(job));
        }
    }

    /// Kills terminated runs whose time is up.
    pub(super) fn kill_overdue(&mut self) {
        let elapsed = self.config.clock.elapsed();
        for (process, run) in &self.started {
            if run.kill_at.is_some_and(|at| at <= elapsed) {
                kill(*process);
            }
        }
    }

    /// Records that due runs are not started, in one record.
    pub(super) fn record_drop(&mut self, dropped: &Dropped) {
        let Dropped { job, first, last, count, why } = dropped;
        self.summary.dropped += count.unwrap_or(1);
        let reason = match why {
            DropReason::Overlap => "another run of the job was active",
            DropReason::Full => "the queue is full",
            DropReason::Missed => "no scheduler was running when it was due",
            DropReason::Deadline => "could not start before its deadline",
        };
        let message = match count {
            Some(1) => reason.to_owned(),
            Some(count) => format!("{count} runs up to {last}: {reason}"),
            None => format!("runs up to {last}, too many to count: {reason}"),
        };
        let now = self.config.clock.wall().to_string();
        let trace = TraceContext::of(None);
        let mut record = RunRecord {
            schema: RUN_SCHEMA,
            id: due_run_id(job, *first, 1),
            command: "run".to_owned(),
            due: Some(Due { job: job.clone(), at: Some(first.to_string()), attempt: 1 }),
            started: now.clone(),
            ended: Some(now),
            seconds: Some(0.0),
            outcome: match why {
                DropReason::Overlap | DropReason::Full => Outcome::Skipped,
                DropReason::Missed | DropReason::Deadline => Outcome::Missed,
            },
            message: Some(message.clone()),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            trace_id: trace.trace_id,
            span_id: trace.span_id,
            ..RunRecord::default()
        };
        if let Some(count) = count {
            record.counts.insert("runs".to_owned(), *count);
        }
        record.set_process(Identity::own());
        match self.run_store.claim(&record) {
            // Another process has the run, so it was not dropped.
            Ok(false) => {}
            Ok(true) => self.log(&format!("{job} of {first}: {}: {message}", record.outcome.name())),
            Err(error) => self.warn(&format!("{job} of {first}: {message}; cannot record this: {error}")),
        }
    }
}

fn is_open(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Started | Outcome::OwnerDied)
}
