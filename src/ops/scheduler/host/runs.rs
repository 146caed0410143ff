//! Runs that a scheduler has started: begun by a word, ended when their process has, dropped with a record.

use std::sync::Arc;
use std::time::Duration;

use crate::job_spec::Job;
use crate::process::{Identity, kill, terminate};
use crate::run_history::{Due, Outcome, RUN_SCHEMA, RunRecord, TraceContext, due_id};
use crate::scheduler::Go;
use crate::scheduler::host::ahead::{AFTER_DEATH, BEGINNING};
use crate::scheduler::host::pool::reap;
use crate::scheduler::host::{BETWEEN_LOOKS_AT_THE_END, Desk};
use crate::scheduler::planner::{Dropped, Ended, Event, Why};
use topsell_core::model::Timestamp;

/// How much longer than its step a run takes to end that was told to.
const UNTIL_STOPPED: Duration = Duration::from_secs(10);

/// A run at work, as its scheduler sees it.
pub(super) struct Work {
    pub job: Arc<Job>,
    at: Timestamp,
    attempt: u32,
    began: Duration,
    is_claimed: bool,
    /// When it is killed that was told to end.
    kill_at: Option<Duration>,
}

impl Work {
    pub fn is_ending(&self) -> bool {
        self.kill_at.is_some()
    }

    /// Tells whether it has heard the word, and is about to make the run its own.
    pub fn is_beginning(&self, lapsed: Duration) -> bool {
        !self.is_claimed && lapsed.saturating_sub(self.began) < BEGINNING
    }

    pub fn end_until(&mut self, kill_at: Duration) {
        self.kill_at = Some(kill_at);
    }

    fn id(&self) -> String {
        due_id(&self.job.name, self.at, self.attempt)
    }
}

impl Desk<'_> {
    /// Says the word for the first that is ready.
    pub(super) fn start_first(&mut self) {
        let Some((job, at, attempt)) = self.ready.pop_front() else { return };
        let go = Go { job: Job::clone(&job), at: Some(at.to_string()), attempt };
        let word = match go.line() {
            Ok(word) => word,
            Err(error) => return self.unstarted(job.name.clone(), at, attempt, &error.to_string()),
        };
        let Some(process) = self.pool.say(&word) else {
            return self.unstarted(job.name.clone(), at, attempt, "nobody hears the word");
        };
        let began = self.host.clock.lapsed();
        let again = if attempt > 1 { format!(", attempt {attempt}") } else { String::new() };
        self.served.started += 1;
        self.tell(&format!("{} of {at}: started{again} (process {process})", job.name));
        self.works.insert(process, Work { job, at, attempt, began, is_claimed: false, kill_at: None });
    }

    fn unstarted(&mut self, job: String, at: Timestamp, attempt: u32, why: &str) {
        self.trouble(&format!("{job} of {at}: {why}"));
        self.go_on(Event::Ended { job, at, attempt, how: Ended::Unclaimed });
    }

    /// Takes note of every process that has ended.
    pub(super) fn reap(&mut self) {
        while let Some((process, signal)) = reap() {
            if let Some(work) = self.works.remove(&process) {
                self.ended(process, signal, &work);
            } else if self.pool.strike(process) {
                self.no_more_until = self.host.clock.lapsed() + AFTER_DEATH;
                self.trouble(&format!("process {process} died before it was needed"));
            }
        }
    }

    fn ended(&mut self, process: u32, signal: Option<i32>, work: &Work) {
        let Work { job, at, attempt, .. } = work;
        let took = self.host.clock.lapsed().saturating_sub(work.began).as_secs_f64();
        let record = match self.book.read(&work.id()) {
            Ok(record) => record,
            Err(error) => return self.over(work, Ended::Told, &error.to_string()),
        };
        match record {
            // The job's next run may have said so already, if someone ran it by hand.
            Some(record) if is_unended(record.outcome) && record.process == process => {
                let by = signal.map_or(String::new(), |signal| format!(" by signal {signal}"));
                self.over(work, Ended::Died, &format!("its process died{by} after {took:.1} s"));
            }
            Some(record) => {
                let why = record.message.map_or(String::new(), |why| format!(": {why}"));
                let word = record.outcome.word();
                self.over(work, Ended::Told, &format!("{word} after {took:.1} s{why}"));
            }
            None => {
                let (name, again) = (&job.name, "it is tried again");
                self.trouble(&format!("{name} of {at}: process {process} ended before it began; {again}"));
                let job = name.clone();
                self.go_on(Event::Ended { job, at: *at, attempt: *attempt, how: Ended::Unclaimed });
            }
        }
    }

    fn over(&mut self, work: &Work, how: Ended, text: &str) {
        self.tell(&format!("{} of {}: {text} (run {})", work.job.name, work.at, work.id()));
        let job = work.job.name.clone();
        match how {
            // Nobody plans any more: what was ended on purpose is not run again.
            Ended::Died if self.planner.is_none() => self.bury_now(&job),
            how => self.go_on(Event::Ended { job, at: work.at, attempt: work.attempt, how }),
        }
    }

    /// Looks which of the runs that were started have a record.
    pub(super) fn confirm(&mut self) {
        let mut claimed = Vec::new();
        for work in self.works.values_mut().filter(|work| !work.is_claimed) {
            work.is_claimed = self.book.has(&work.id());
            if work.is_claimed {
                claimed.push(Event::Claimed { job: work.job.name.clone(), at: work.at });
            }
        }
        claimed.into_iter().for_each(|event| self.go_on(event));
    }

    /// Tells a job's run to end.
    pub(super) fn kill(&mut self, job: &Job) {
        let lapsed = self.host.clock.lapsed();
        self.next_look = self.next_look.min(lapsed + BETWEEN_LOOKS_AT_THE_END);
        let is_ready = |(ready, ..): &(Arc<Job>, Timestamp, u32)| ready.name == job.name;
        if let Some(place) = self.ready.iter().position(is_ready)
            && let Some((_, at, attempt)) = self.ready.remove(place)
        {
            self.go_on(Event::Ended { job: job.name.clone(), at, attempt, how: Ended::Unclaimed });
        }
        for (process, work) in self.works.iter_mut().filter(|(_, work)| work.job.name == job.name) {
            terminate(*process);
            work.kill_at = Some(lapsed + until_killed(job));
        }
    }

    /// Ends those that were told to end and do not.
    pub(super) fn end_the_stubborn(&mut self) {
        let lapsed = self.host.clock.lapsed();
        for (process, work) in &self.works {
            if work.kill_at.is_some_and(|at| at <= lapsed) {
                kill(*process);
            }
        }
    }

    /// Records that due runs are not started, one record for all of them.
    pub(super) fn record_drop(&mut self, dropped: &Dropped) {
        let Dropped { job, first, last, count, why } = dropped;
        self.served.dropped += count.unwrap_or(1);
        let why_not = match why {
            Why::Overlap => "another run of the job was at work",
            Why::Full => "too many wait already",
            Why::Missed => "nobody was there when it was due",
            Why::Deadline => "it could not begin before its deadline",
        };
        let message = match count {
            Some(1) => why_not.to_owned(),
            Some(count) => format!("{count} runs, up to that of {last}: {why_not}"),
            None => format!("more runs than were counted, up to that of {last}: {why_not}"),
        };
        let now = self.host.clock.wall().to_string();
        let trace = TraceContext::of(None);
        let mut record = RunRecord {
            schema: RUN_SCHEMA,
            id: due_id(job, *first, 1),
            command: "run".to_owned(),
            due: Some(Due { job: job.clone(), at: Some(first.to_string()), attempt: 1 }),
            started: now.clone(),
            ended: Some(now),
            seconds: Some(0.0),
            outcome: if *why == Why::Overlap || *why == Why::Full {
                Outcome::Skipped
            } else {
                Outcome::Missed
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
        record.is_run_by(Identity::own());
        match self.book.claim(&record) {
            // Somebody has the run: then it was not dropped.
            Ok(false) => {}
            Ok(true) => self.tell(&format!("{job} of {first}: {}: {message}", record.outcome.word())),
            Err(error) => self.trouble(&format!("{job} of {first}: {message}; and not recorded: {error}")),
        }
    }
}

fn is_unended(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Started | Outcome::OwnerDied)
}

/// Returns how long a run may take to end that was told to.
pub(super) fn until_killed(job: &Job) -> Duration {
    Duration::from_secs(job.policy.kill_after_seconds).saturating_add(UNTIL_STOPPED)
}
