//! One run of a job at a time, across processes: a lock that contains its holder.
//!
//! Invariant: the lock is released when its holder's process ends, never by age.

use std::time::Duration;

use crate::job_spec::{Job, Overlap};
use crate::process::Liveness;
use crate::run_history::RunStore;
use crate::scheduler::clock::Clock;
use crate::scheduler::error::RunError;
use crate::scheduler::lock_holder::LockHolder;
use crate::scheduler::reap_orphans::end_steps;
use crate::scheduler::run_events::RunEvents;
use crate::scheduler::schedule_folder::lock_path;
use crate::scheduler::start_message::StartMessage;
use topsell_core::storage::{Lock, LockError, LockTimeout, Store};

/// The time between two attempts to take a lock.
const RETRY_INTERVAL: Duration = Duration::from_millis(5);
const QUEUED_RETRY_INTERVAL: Duration = Duration::from_millis(50);
/// How much longer a run may take to stop than its step.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// The result of an attempt to take a job's lock.
pub(super) enum Admission {
    /// This run holds the lock, which still contains its previous holder.
    Acquired(Lock),
    /// Another process has this same run.
    OwnedByOther,
    /// Another run of the job is active.
    Busy(String),
    /// The deadline passed while waiting.
    TooLate(String),
    /// A signal arrived while waiting.
    Stopped(i32),
}

/// A run that was asked to stop.
struct Terminated {
    holder: LockHolder,
    at: Duration,
    is_killed: bool,
}

/// Takes the job's lock, or applies the job's overlap policy if another run holds it.
///
/// # Errors
/// Fails on an I/O error.
pub(super) fn acquire(
    store: &Store,
    message: &StartMessage,
    own_run: &str,
    events: &RunEvents,
    clock: &Clock,
) -> Result<Admission, RunError> {
    let job = &message.job;
    let started = clock.elapsed();
    // Of one holder: meanwhile another run may have taken the lock.
    let mut terminated: Option<Terminated> = None;
    loop {
        let note = match store.lock_as_left(&lock_path(&job.name), LockTimeout::NoWait) {
            Ok(lock) => return Ok(Admission::Acquired(lock)),
            Err(LockError::Held { holder }) => holder,
            Err(LockError::Store(error)) => return Err(error.into()),
        };
        let waited = clock.elapsed().saturating_sub(started);
        // A new holder has not written its note yet; a dead one does not hold the lock.
        let holder = LockHolder::parse(&note).filter(|holder| holder.liveness() != Liveness::Dead);
        let mut pause = RETRY_INTERVAL;
        match (holder, job.policy.overlap) {
            (Some(holder), _) if holder.run == own_run => {
                // It will create the record, or die and leave the run to this process.
                if RunStore::open(store).read(own_run)?.is_some() {
                    return Ok(Admission::OwnedByOther);
                }
            }
            (None, Overlap::Queue) => pause = QUEUED_RETRY_INTERVAL,
            // It may be terminating processes of a dead run.
            (None, _) if waited < stop_timeout(job) => {}
            (None, _) => return Ok(Admission::Busy(busy(job, None))),
            (Some(holder), Overlap::Skip) => return Ok(Admission::Busy(busy(job, Some(&holder)))),
            (Some(_), Overlap::Queue) => pause = QUEUED_RETRY_INTERVAL,
            (Some(holder), Overlap::KillOld) if holder.liveness() == Liveness::Unknown => {
                let hint = "; it cannot be terminated from this host";
                return Ok(Admission::Busy(busy(job, Some(&holder)) + hint));
            }
            (Some(holder), Overlap::KillOld) => {
                match terminated.as_mut().filter(|terminated| terminated.holder == holder) {
                    None => {
                        holder.identity().terminate();
                        terminated = Some(Terminated { holder, at: clock.elapsed(), is_killed: false });
                    }
                    Some(Terminated { is_killed: true, .. }) => {}
                    Some(of) if clock.elapsed().saturating_sub(of.at) < stop_timeout(job) => {}
                    Some(of) => {
                        holder.identity().kill();
                        of.is_killed = true;
                        if let Some(record) = RunStore::open(store).read(&holder.run)? {
                            end_steps(&record, Duration::ZERO);
                        }
                    }
                }
            }
        }
        if let Some(late) = too_late(message, clock) {
            return Ok(Admission::TooLate(late));
        }
        if let Some(signal) = events.pause(pause) {
            return Ok(Admission::Stopped(signal));
        }
    }
}

/// Returns the message that a run of the job is active.
fn busy(job: &Job, holder: Option<&LockHolder>) -> String {
    match holder {
        Some(LockHolder { run, process, machine, .. }) => {
            format!("the job {} is already running (run {run}, process {process} on {machine})", job.name)
        }
        None => format!("the job {} is already running in an unknown process", job.name),
    }
}

fn stop_timeout(job: &Job) -> Duration {
    Duration::from_secs(job.policy.kill_after_seconds).saturating_add(STOP_GRACE)
}

/// Returns a message if the deadline of the due run has passed.
fn too_late(message: &StartMessage, clock: &Clock) -> Option<String> {
    let deadline = message.job.policy.deadline_seconds?;
    let due = message.due()?;
    let late = clock.wall() > due.plus_seconds(i64::try_from(deadline).unwrap_or(i64::MAX));
    late.then(|| format!("could not be started within {deadline} s"))
}
