//! What a new leader reads and leaves for the next: marks, and the state of each job's last run.
//!
//! Invariant: a mark `{"handled": "2026-11-22T18:00:00Z"}` may lag behind, but everything due up to it has been
//! started or dropped.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::cron::CronSchedule;
use crate::job_spec::Job;
use crate::process::Liveness;
use crate::run_history::{Due, Outcome, RunStore, due_run_id};
use crate::scheduler::error::RunError;
use crate::scheduler::lock_holder::LockHolder;
use crate::scheduler::schedule_folder::{lock_path, mark_path};
use topsell_core::model::{Timestamp, Zone};
use topsell_core::storage::{LockError, LockTimeout, Store};

/// How many due runs after the mark are checked.
const MAX_AFTER_MARK: usize = 10_000;

#[derive(Serialize, Deserialize)]
struct Mark {
    handled: String,
}

/// The state of a job's last run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LastRun {
    Ended,
    /// It is active; its id.
    Running(String),
    /// Its process died.
    Orphan(Option<Due>),
}

/// Saves up to when a job's due runs have been handled.
pub(super) fn write_mark(store: &Store, job: &str, handled: Timestamp) -> Result<(), RunError> {
    let mark = Mark { handled: handled.to_string() };
    let mut json = serde_json::to_vec(&mark).expect("a string can be serialized");
    json.push(b'\n');
    Ok(store.put_quickly(&mark_path(job), json.into())?)
}

/// Returns up to when the due runs of each job have been handled, and errors of unreadable marks.
pub(super) fn handled(
    store: &Store,
    jobs: &[Arc<Job>],
) -> Result<(BTreeMap<String, Timestamp>, Vec<String>), RunError> {
    let run_store = RunStore::open(store);
    let (mut handled, mut problems) = (BTreeMap::new(), Vec::new());
    for job in jobs {
        let name = mark_path(&job.name);
        let bytes = match store.get(&name) {
            Err(error) if error.is_not_found() => continue,
            bytes => bytes?,
        };
        let mark = serde_json::from_slice(&bytes).ok();
        match mark.and_then(|Mark { handled }| Timestamp::parse(&handled).ok()) {
            Some(mark) => drop(handled.insert(job.name.clone(), after_mark(&run_store, job, mark))),
            None => problems.push(format!("{name} is not a valid mark: {} restarts from now", job.name)),
        }
    }
    Ok((handled, problems))
}

/// Returns the last due time after the mark up to which every due run has a record.
fn after_mark(run_store: &RunStore, job: &Job, mark: Timestamp) -> Timestamp {
    let schedule = job.schedule.as_ref().zip(Zone::named(&job.time_zone).ok());
    let schedule = schedule.and_then(|(text, zone)| CronSchedule::parse(text, zone).ok());
    let Some(schedule) = schedule else { return mark };
    let mut last = mark;
    for _ in 0..MAX_AFTER_MARK {
        match schedule.next_after(last) {
            Some(due) if run_store.contains(&due_run_id(&job.name, due, 1)) => last = due,
            _ => break,
        }
    }
    last
}

/// Returns the state of a job's last run.
pub(super) fn last_run_of(store: &Store, job: &str) -> Result<LastRun, RunError> {
    let name = lock_path(job);
    let note = match store.get(&name) {
        Err(error) if error.is_not_found() => return Ok(LastRun::Ended),
        bytes => String::from_utf8_lossy(&bytes?).into_owned(),
    };
    let Some(holder) = LockHolder::parse(note.lines().next().unwrap_or_default()) else {
        return Ok(LastRun::Ended);
    };
    match (holder.liveness(), RunStore::open(store).read(&holder.run)?) {
        (Liveness::Alive, _) => Ok(LastRun::Running(holder.run)),
        (_, Some(record)) if record.outcome != Outcome::Started => Ok(LastRun::Ended),
        // The lock is authoritative across hosts.
        (Liveness::Unknown, _) if is_held(store, &name)? => Ok(LastRun::Running(holder.run)),
        (_, Some(record)) => Ok(LastRun::Orphan(record.due)),
        (_, None) => Ok(LastRun::Ended),
    }
}

/// Returns the state of a run that another scheduler has started.
pub(super) fn state_of_run(store: &Store, job: &str, run: String) -> Result<LastRun, RunError> {
    let Some(record) = RunStore::open(store).read(&run)? else {
        // It holds the lock and is about to create its record, or died before that, in which case the due run
        // is handled as never started.
        let left = last_run_of(store, job)?;
        return Ok(if left == LastRun::Running(run) { left } else { LastRun::Ended });
    };
    match (record.outcome, record.identity().liveness()) {
        // Recorded by the job's next run, which does not repeat runs.
        (Outcome::OwnerDied, _) => Ok(LastRun::Orphan(record.due)),
        (Outcome::Started, Liveness::Alive) => Ok(LastRun::Running(run)),
        (Outcome::Started, Liveness::Dead) => Ok(LastRun::Orphan(record.due)),
        (Outcome::Started, Liveness::Unknown) => match last_run_of(store, job)? {
            LastRun::Orphan(due) => Ok(LastRun::Orphan(due)),
            // Held by it, or by the next run, which will record it.
            _ => Ok(LastRun::Running(run)),
        },
        _ => Ok(LastRun::Ended),
    }
}

fn is_held(store: &Store, lock: &str) -> Result<bool, RunError> {
    match store.lock_as_left(lock, LockTimeout::NoWait) {
        Ok(_) => Ok(false),
        Err(LockError::Held { .. }) => Ok(true),
        Err(error) => Err(error.into()),
    }
}
