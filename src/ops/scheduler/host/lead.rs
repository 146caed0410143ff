//! What a scheduler finds when it begins to lead, and leaves for the one after it.
//!
//! ```text
//! schedule/.leader.lock   held by the scheduler that leads; no job has such a name
//! schedule/<job>.json     {"handled": "2026-11-22T18:00:00Z"}: all that was due up to then has been
//!                         started or dropped; it lags behind, and never runs ahead
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::cron::Calendar;
use crate::job_spec::Job;
use crate::process::Liveness;
use crate::run_history::{Book, Due, Outcome, due_id};
use crate::scheduler::instance::Holder;
use crate::scheduler::{FOLDER, RunError, lock_name};
use topsell_core::model::{Timestamp, Zone};
use topsell_core::storage::{LockError, LockTimeout, Store};

pub(super) const LEADER: &str = "schedule/.leader.lock";

/// How many due runs beyond the mark are looked for.
const MOST_BEYOND: usize = 10_000;

#[derive(Serialize, Deserialize)]
struct Mark {
    handled: String,
}

/// What the last run of a job has left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Left {
    Nothing,
    /// It is at work; its name.
    AtWork(String),
    /// Its process died.
    Orphan(Option<Due>),
}

/// Notes up to when a job's due runs have been handed out.
pub(super) fn write_mark(store: &Store, job: &str, handled: Timestamp) -> Result<(), RunError> {
    let mark = Mark { handled: handled.to_string() };
    let mut json = serde_json::to_vec(&mark).expect("a text can be JSON");
    json.push(b'\n');
    Ok(store.put_quickly(&mark_name(job), json.into())?)
}

/// Returns up to when the due runs of each job have been handed out; and what cannot be read.
pub(super) fn handled(
    store: &Store,
    jobs: &[Arc<Job>],
) -> Result<(BTreeMap<String, Timestamp>, Vec<String>), RunError> {
    let book = Book::open(store);
    let (mut handled, mut problems) = (BTreeMap::new(), Vec::new());
    for job in jobs {
        let name = mark_name(&job.name);
        let bytes = match store.get(&name) {
            Err(error) if error.is_not_found() => continue,
            bytes => bytes?,
        };
        let mark = serde_json::from_slice(&bytes).ok();
        match mark.and_then(|Mark { handled }| Timestamp::parse(&handled).ok()) {
            Some(mark) => drop(handled.insert(job.name.clone(), beyond(&book, job, mark))),
            None => problems.push(format!("{name} names no moment: {} starts from now", job.name)),
        }
    }
    Ok((handled, problems))
}

/// Returns the last due time from the mark on without a gap that has a record.
fn beyond(book: &Book, job: &Job, mark: Timestamp) -> Timestamp {
    let calendar = job.schedule.as_ref().zip(Zone::named(&job.time_zone).ok());
    let calendar = calendar.and_then(|(schedule, zone)| Calendar::parse(schedule, zone).ok());
    let Some(calendar) = calendar else { return mark };
    let mut last = mark;
    for _ in 0..MOST_BEYOND {
        match calendar.next_after(last) {
            Some(due) if book.has(&due_id(&job.name, due, 1)) => last = due,
            _ => break,
        }
    }
    last
}

/// Looks at what the last run of a job has left, and changes nothing.
pub(super) fn left_by(store: &Store, job: &str) -> Result<Left, RunError> {
    let name = lock_name(job);
    let note = match store.get(&name) {
        Err(error) if error.is_not_found() => return Ok(Left::Nothing),
        bytes => String::from_utf8_lossy(&bytes?).into_owned(),
    };
    let Some(holder) = Holder::parse(note.lines().next().unwrap_or_default()) else {
        return Ok(Left::Nothing);
    };
    match (holder.liveness(), Book::open(store).read(&holder.run)?) {
        (Liveness::Alive, _) => Ok(Left::AtWork(holder.run)),
        (_, Some(record)) if record.outcome != Outcome::Started => Ok(Left::Nothing),
        // The lock knows, wherever it is held.
        (Liveness::Unknown, _) if is_held(store, &name)? => Ok(Left::AtWork(holder.run)),
        (_, Some(record)) => Ok(Left::Orphan(record.due)),
        (_, None) => Ok(Left::Nothing),
    }
}

/// Looks what has become of a run that another scheduler has started.
pub(super) fn fate_of(store: &Store, job: &str, run: String) -> Result<Left, RunError> {
    let Some(record) = Book::open(store).read(&run)? else {
        // It has the lock, and is about to make its record; or died before it did, and then whoever comes
        // next is given the due run as one that was never begun.
        let left = left_by(store, job)?;
        return Ok(if left == Left::AtWork(run) { left } else { Left::Nothing });
    };
    match (record.outcome, record.identity().liveness()) {
        // The job's next run has said so, which knows nothing of repeating.
        (Outcome::OwnerDied, _) => Ok(Left::Orphan(record.due)),
        (Outcome::Started, Liveness::Alive) => Ok(Left::AtWork(run)),
        (Outcome::Started, Liveness::Dead) => Ok(Left::Orphan(record.due)),
        (Outcome::Started, Liveness::Unknown) => match left_by(store, job)? {
            Left::Orphan(due) => Ok(Left::Orphan(due)),
            // Held by it, or by the next, which will say so.
            _ => Ok(Left::AtWork(run)),
        },
        _ => Ok(Left::Nothing),
    }
}

fn is_held(store: &Store, lock: &str) -> Result<bool, RunError> {
    match store.lock_as_left(lock, LockTimeout::NoWait) {
        Ok(_) => Ok(false),
        Err(LockError::Held { .. }) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

fn mark_name(job: &str) -> String {
    format!("{FOLDER}/{job}.json")
}
