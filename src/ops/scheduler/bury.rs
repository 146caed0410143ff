//! What is left of runs whose process died: steps that are still at work, records without an end.

use std::thread;
use std::time::Duration;

use crate::process::{Group, Identity, Liveness, kill, process_start_ticks, processes_with, terminate};
use crate::run_history::{Book, Outcome, RunRecord, RunsError, TRACEPARENT, traceparent};
use crate::scheduler::instance::Holder;
use crate::scheduler::{FOLDER, RunError, lock_name};
use topsell_core::model::Timestamp;
use topsell_core::storage::{Lock, LockError, LockTimeout, Store};

/// The attributes of a step's span by which its processes are found again.
pub(super) const GROUP: &str = "process_group";
pub(super) const START_TICKS: &str = "process_start_ticks";

const BETWEEN_LOOKS: Duration = Duration::from_millis(20);
/// How long a process takes at most that has been killed and may be, unless the system hangs.
const UNTIL_GONE: Duration = Duration::from_secs(10);

/// Sees to the job's last run where its process died: ends the step that it left at work, asking it
/// for so long, and writes in its record that nobody is left to end it; returns that record.
///
/// Nothing is done, and nothing waited for, while a run of the job is at work.
///
/// # Errors
/// Fails where the disk does.
pub fn bury(
    store: &Store,
    job: &str,
    kill_after: Duration,
    now: Timestamp,
) -> Result<Option<RunRecord>, RunError> {
    let name = lock_name(job);
    let note = match store.get(&name) {
        Err(error) if error.is_not_found() => return Ok(None),
        bytes => String::from_utf8_lossy(&bytes?).into_owned(),
    };
    // Looked at before it is taken: a run that begins now must not find it held by who only looks.
    let first = note.lines().next().unwrap_or_default();
    if Holder::parse(first).is_none_or(|holder| holder.liveness() == Liveness::Alive) {
        return Ok(None);
    }
    store.make_folder(FOLDER)?;
    let mut lock = match store.lock_as_left(&name, LockTimeout::NoWait) {
        Err(LockError::Held { .. }) => return Ok(None),
        lock => lock.map_err(RunError::from)?,
    };
    let buried = bury_last(store, &mut lock, kill_after, now)?;
    lock.note("")?;
    Ok(buried)
}

/// Does so under the job's lock.
pub(super) fn bury_last(
    store: &Store,
    lock: &mut Lock,
    kill_after: Duration,
    now: Timestamp,
) -> Result<Option<RunRecord>, RunError> {
    let Some(holder) = Holder::parse(&lock.last_note()?) else { return Ok(None) };
    let book = Book::open(store);
    let mut record = match book.read(&holder.run) {
        Ok(Some(record)) if record.outcome == Outcome::Started => record,
        // It died before it had the run, or after its end. What a disk has spoilt stands in nobody's way.
        Ok(_) | Err(RunsError::Unreadable { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let left = end_steps(&record, kill_after);
    if left == Left::AtWork {
        return Err(RunError::StillAtWork {
            job: record.due.map(|due| due.job).unwrap_or_default(),
            run: record.id,
        });
    }
    record.outcome = Outcome::OwnerDied;
    record.ended = Some(now.to_string());
    record.message = Some(format!("its process died; found at {now}{}", left.words(&record)));
    for span in record.spans.iter_mut().filter(|span| span.outcome == Outcome::Started) {
        span.outcome = Outcome::OwnerDied;
        span.ended = Some(now.to_string());
    }
    book.finish(&record)?;
    Ok(Some(record))
}

/// What was left of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Left {
    Nothing,
    /// It was at work, and has been ended.
    Ended,
    /// It is at work, and will not end.
    AtWork,
    /// It cannot be seen from here.
    Elsewhere,
}

impl Left {
    fn words(self, record: &RunRecord) -> String {
        match self {
            Left::Nothing => String::new(),
            Left::Ended | Left::AtWork => ", and its step ended".to_owned(),
            Left::Elsewhere => format!(", and its step may still be at work on {}", record.machine),
        }
    }
}

/// Ends whatever is left of the steps of a run whose process died: asks for so long, then ends them.
pub(super) fn end_steps(record: &RunRecord, kill_after: Duration) -> Left {
    let here = Identity::own();
    let of_run = record.identity();
    if of_run.machine != here.machine {
        return Left::Elsewhere;
    }
    if of_run.boot != here.boot {
        // The machine has been started anew since.
        return Left::Nothing;
    }
    if of_run.namespace != here.namespace {
        return Left::Elsewhere;
    }
    let mut left = Left::Nothing;
    for span in record.spans.iter().filter(|span| span.outcome == Outcome::Started) {
        let number = |name: &str| span.attributes.get(name).and_then(|text| text.parse::<u64>().ok());
        let leader = number(GROUP).and_then(|number| u32::try_from(number).ok());
        let is_same = |&leader: &u32| {
            let began = process_start_ticks(leader);
            began.is_some() && began == number(START_TICKS)
        };
        let group = leader.filter(is_same).and_then(Group::of);
        let trace = traceparent(&record.trace_id, &span.span_id);
        left = left.max(end_one(group, &trace, kill_after));
    }
    left
}

/// Ends a step's group, if it is known to be that, and whoever was started as a part of the step: the
/// run may have died before it could write the group down, and the group's leader before the others.
fn end_one(group: Option<Group>, trace: &str, kill_after: Duration) -> Left {
    let others = || processes_with(TRACEPARENT, trace, group);
    let is_over = || group.is_none_or(Group::is_over) && others().is_empty();
    if is_over() {
        // One that is just becoming another program shows no variables for a moment.
        thread::sleep(if group.is_none() { BETWEEN_LOOKS } else { Duration::ZERO });
        if is_over() {
            return Left::Nothing;
        }
    }
    group.into_iter().for_each(Group::terminate);
    others().into_iter().for_each(terminate);
    let mut waited = Duration::ZERO;
    while !is_over() {
        if waited >= kill_after {
            group.into_iter().for_each(Group::kill);
            others().into_iter().for_each(kill);
        }
        if waited >= kill_after.saturating_add(UNTIL_GONE) {
            return Left::AtWork;
        }
        thread::sleep(BETWEEN_LOOKS);
        waited += BETWEEN_LOOKS;
    }
    Left::Ended
}
