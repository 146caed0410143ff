//! Cleans up after runs whose process died: terminates their steps and ends their records.

use std::thread;
use std::time::Duration;

use crate::process::{
    Group, Identity, Liveness, kill_with, process_start_ticks, processes_with, terminate_with,
};
use crate::run_history::{Outcome, RunRecord, RunStore, RunsError, TRACEPARENT, traceparent};
use crate::scheduler::error::RunError;
use crate::scheduler::lock_holder::LockHolder;
use crate::scheduler::schedule_folder::{FOLDER, lock_path};
use topsell_core::model::Timestamp;
use topsell_core::storage::{Lock, LockError, LockTimeout, Store};

/// Attributes of a step's span that identify its processes.
pub(super) const GROUP: &str = "process_group";
pub(super) const START_TICKS: &str = "process_start_ticks";

const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// How long killed processes may take to exit.
const KILL_TIMEOUT: Duration = Duration::from_secs(10);

/// If the process of a job's last run died, terminates the run's active step and ends its record; returns
/// that record.
///
/// Does nothing while a run of the job is active. `kill_after` is the time between SIGTERM and SIGKILL.
///
/// # Errors
/// Fails on an I/O error.
pub fn reap_orphan(
    store: &Store,
    job: &str,
    kill_after: Duration,
    now: Timestamp,
) -> Result<Option<RunRecord>, RunError> {
    let name = lock_path(job);
    let note = match store.get(&name) {
        Err(error) if error.is_not_found() => return Ok(None),
        bytes => String::from_utf8_lossy(&bytes?).into_owned(),
    };
    // Read before locking, so that a run that starts now is not blocked by this check.
    let first = note.lines().next().unwrap_or_default();
    if LockHolder::parse(first).is_none_or(|holder| holder.liveness() == Liveness::Alive) {
        return Ok(None);
    }
    store.make_folder(FOLDER)?;
    let mut lock = match store.lock_as_left(&name, LockTimeout::NoWait) {
        Err(LockError::Held { .. }) => return Ok(None),
        lock => lock.map_err(RunError::from)?,
    };
    let reaped = reap_last_run(store, &mut lock, kill_after, now)?;
    lock.note("")?;
    Ok(reaped)
}

/// Does the same while holding the job's lock.
pub(super) fn reap_last_run(
    store: &Store,
    lock: &mut Lock,
    kill_after: Duration,
    now: Timestamp,
) -> Result<Option<RunRecord>, RunError> {
    let Some(holder) = LockHolder::parse(&lock.last_note()?) else { return Ok(None) };
    let run_store = RunStore::open(store);
    let mut record = match run_store.read(&holder.run) {
        Ok(Some(record)) if record.outcome == Outcome::Started => record,
        // It died before it claimed the run or after its end; a damaged record must not block the job.
        Ok(_) | Err(RunsError::Unreadable { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let left = end_steps(&record, kill_after);
    if left == Leftover::Active {
        return Err(RunError::StillActive {
            job: record.due.map(|due| due.job).unwrap_or_default(),
            run: record.id,
        });
    }
    record.outcome = Outcome::OwnerDied;
    record.ended = Some(now.to_string());
    record.message = Some(format!("the process died; detected at {now}{}", left.message(&record)));
    for span in record.spans.iter_mut().filter(|span| span.outcome == Outcome::Started) {
        span.outcome = Outcome::OwnerDied;
        span.ended = Some(now.to_string());
    }
    run_store.finish(&record)?;
    Ok(Some(record))
}

/// What was left of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Leftover {
    Nothing,
    /// It was active and has been terminated.
    Terminated,
    /// It is active and cannot be terminated.
    Active,
    /// It is on another host or in another container.
    Unreachable,
}

impl Leftover {
    fn message(self, record: &RunRecord) -> String {
        match self {
            Leftover::Nothing => String::new(),
            Leftover::Terminated | Leftover::Active => "; its step was terminated".to_owned(),
            Leftover::Unreachable => format!("; its step may still be running on {}", record.machine),
        }
    }
}

/// Terminates the active steps of a run whose process died.
pub(super) fn end_steps(record: &RunRecord, kill_after: Duration) -> Leftover {
    let here = Identity::own();
    let of_run = record.identity();
    if of_run.machine != here.machine {
        return Leftover::Unreachable;
    }
    if of_run.boot != here.boot {
        // The host has been rebooted since.
        return Leftover::Nothing;
    }
    if of_run.namespace != here.namespace {
        return Leftover::Unreachable;
    }
    let mut left = Leftover::Nothing;
    for span in record.spans.iter().filter(|span| span.outcome == Outcome::Started) {
        let number = |name: &str| span.attributes.get(name).and_then(|text| text.parse::<u64>().ok());
        let leader = number(GROUP).and_then(|number| u32::try_from(number).ok());
        let is_same = |&leader: &u32| {
            let began = process_start_ticks(leader);
            began.is_some() && began == number(START_TICKS)
        };
        let group = leader.filter(is_same).and_then(Group::of);
        let trace = traceparent(&record.trace_id, &span.span_id);
        left = left.max(end_step(group, &trace, kill_after));
    }
    left
}

/// Terminates a step's process group, if it is known, and all processes started within the step: the run
/// may have died before it recorded the group, and the group's leader before its other members.
fn end_step(group: Option<Group>, trace: &str, kill_after: Duration) -> Leftover {
    let others = || processes_with(TRACEPARENT, trace, group);
    let is_gone = || group.is_none_or(Group::has_exited) && others().is_empty();
    if is_gone() {
        // During exec, a process has no visible environment for a moment.
        thread::sleep(if group.is_none() { POLL_INTERVAL } else { Duration::ZERO });
        if is_gone() {
            return Leftover::Nothing;
        }
    }
    group.into_iter().for_each(Group::terminate);
    terminate_with(TRACEPARENT, trace, group);
    let mut waited = Duration::ZERO;
    while !is_gone() {
        if waited >= kill_after {
            group.into_iter().for_each(Group::kill);
            kill_with(TRACEPARENT, trace, group);
        }
        if waited >= kill_after.saturating_add(KILL_TIMEOUT) {
            return Leftover::Active;
        }
        thread::sleep(POLL_INTERVAL);
        waited += POLL_INTERVAL;
    }
    Leftover::Terminated
}
