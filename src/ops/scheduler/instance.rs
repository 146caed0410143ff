//! One run of a job at a time, across processes: a lock, and in it who holds it.
//!
//! Invariant: the lock is released by its holder's end, whatever that is, never by age.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::job_spec::{Job, Overlap};
use crate::process::{Identity, Liveness, kill, terminate};
use crate::run_history::{Book, RunRecord};
use crate::scheduler::bury::end_steps;
use crate::scheduler::clock::Clock;
use crate::scheduler::go::Go;
use crate::scheduler::inbox::Inbox;
use crate::scheduler::{RunError, lock_name};
use topsell_core::storage::{Lock, LockError, LockTimeout, Store};

/// Between two tries to have a lock.
const BETWEEN_TRIES: Duration = Duration::from_millis(5);
const BETWEEN_TRIES_QUEUED: Duration = Duration::from_millis(50);
/// How much longer than a step takes to end it takes to say so.
const UNTIL_STOPPED: Duration = Duration::from_secs(5);

/// Who holds a job's lock, as noted in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Holder {
    pub run: String,
    machine: String,
    boot: String,
    namespace: String,
    process: u32,
    start_ticks: Option<u64>,
}

/// What became of a run at the door.
pub(super) enum Entry {
    /// The job is this run's, and with it whatever the last one noted.
    Ours(Lock),
    /// Another process has this very run.
    Elsewhere,
    /// Another run of the job is at work.
    Busy(String),
    /// It was waited for until it was too late.
    TooLate(String),
    /// It was waited for until a signal came.
    Stopped(i32),
}

impl Holder {
    pub(super) fn of(record: &RunRecord) -> Holder {
        Holder {
            run: record.id.clone(),
            machine: record.machine.clone(),
            boot: record.boot.clone(),
            namespace: record.namespace.clone(),
            process: record.process,
            start_ticks: record.process_start_ticks,
        }
    }

    /// Reads a note; none where there is none, or not a whole one.
    pub(super) fn parse(note: &str) -> Option<Holder> {
        serde_json::from_str(note).ok().filter(|holder: &Holder| !holder.run.is_empty())
    }

    pub(super) fn note(&self) -> String {
        // Texts and numbers alone cannot fail to be JSON.
        serde_json::to_string(self).expect("a holder is plain texts and numbers")
    }

    pub(super) fn liveness(&self) -> Liveness {
        let identity = Identity {
            machine: self.machine.clone(),
            boot: self.boot.clone(),
            namespace: self.namespace.clone(),
            process: self.process,
            start_ticks: self.start_ticks,
        };
        identity.liveness()
    }
}

/// Takes the job's lock, or does what the job says where another run has it.
///
/// # Errors
/// Fails where the disk does.
pub(super) fn enter(
    store: &Store,
    go: &Go,
    own_run: &str,
    inbox: &Inbox,
    clock: &Clock,
) -> Result<Entry, RunError> {
    let job = &go.job;
    let began = clock.lapsed();
    let mut told_to_stop: Option<Duration> = None;
    let mut is_killed = false;
    loop {
        let note = match store.lock_as_left(&lock_name(&job.name), LockTimeout::NoWait) {
            Ok(lock) => return Ok(Entry::Ours(lock)),
            Err(LockError::Held { holder }) => holder,
            Err(LockError::Store(error)) => return Err(error.into()),
        };
        let waited = clock.lapsed().saturating_sub(began);
        // Whoever has just taken it has not said so yet; whoever died has it no longer.
        let holder = Holder::parse(&note).filter(|holder| holder.liveness() != Liveness::Dead);
        let mut pause = BETWEEN_TRIES;
        match (holder, job.policy.overlap) {
            (Some(holder), _) if holder.run == own_run => {
                // It will make the record, or die and leave the run to us.
                if Book::open(store).read(own_run)?.is_some() {
                    return Ok(Entry::Elsewhere);
                }
            }
            (None, Overlap::Queue) => pause = BETWEEN_TRIES_QUEUED,
            // Or it ends what a dead one left.
            (None, _) if waited < patience_with(job) => {}
            (None, _) => return Ok(Entry::Busy(busy(job, None))),
            (Some(holder), Overlap::Skip) => return Ok(Entry::Busy(busy(job, Some(&holder)))),
            (Some(_), Overlap::Queue) => pause = BETWEEN_TRIES_QUEUED,
            (Some(holder), Overlap::KillOld) if holder.liveness() == Liveness::Unknown => {
                let cannot = "; it cannot be ended from here";
                return Ok(Entry::Busy(busy(job, Some(&holder)) + cannot));
            }
            (Some(holder), Overlap::KillOld) => match told_to_stop {
                None => {
                    terminate(holder.process);
                    told_to_stop = Some(clock.lapsed());
                }
                Some(at) if is_killed || clock.lapsed().saturating_sub(at) < patience_with(job) => {}
                Some(_) => {
                    kill(holder.process);
                    is_killed = true;
                    if let Some(record) = Book::open(store).read(&holder.run)? {
                        end_steps(&record, Duration::ZERO);
                    }
                }
            },
        }
        if let Some(late) = too_late(go, clock) {
            return Ok(Entry::TooLate(late));
        }
        if let Some(signal) = inbox.pause(pause) {
            return Ok(Entry::Stopped(signal));
        }
    }
}

/// Says that a run of the job is at work.
fn busy(job: &Job, holder: Option<&Holder>) -> String {
    match holder {
        Some(Holder { run, process, machine, .. }) => {
            format!("the job {} is at work (run {run}, process {process}, machine {machine})", job.name)
        }
        None => format!("the job {} is at work, and who does it has not said so", job.name),
    }
}

fn patience_with(job: &Job) -> Duration {
    Duration::from_secs(job.policy.kill_after_seconds).saturating_add(UNTIL_STOPPED)
}

/// Says how late it is, where that is later than the job wants to be started.
fn too_late(go: &Go, clock: &Clock) -> Option<String> {
    let deadline = go.job.policy.deadline_seconds?;
    let due = go.due()?;
    let late = clock.wall() > due.plus_seconds(i64::try_from(deadline).unwrap_or(i64::MAX));
    late.then(|| format!("it could not be started within {deadline} s"))
}
