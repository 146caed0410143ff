//! Commits sealed segments to the lake, each as one batch under its own id, and deletes them after that.
//!
//! Invariant: a segment is deleted only when its batch is in the lake; a batch that is there already is not added again.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::{Clock, LogLevel, LogLine};
use crate::live::uncommitted::{SegmentBatch, Uncommitted};
use crate::log::{EventLog, LogError, SealedSegment};
use topsell_core::lake::{BatchSize, DuplicatePolicy, Lake, LakeError};
use topsell_core::model::Timestamp;

/// What a failed attempt waits before the next one, in seconds: twice as long each time, up to this.
const MAX_WAIT_SECONDS: u64 = 60;

/// Moves segments of the log to the lake.
pub struct Committer {
    log: Arc<EventLog<()>>,
    lake: Arc<Lake>,
    uncommitted: Arc<Uncommitted>,
    clock: Clock,
    log_line: LogLine,
    retry: Mutex<Retry>,
    /// The segments that are not in the lake, the oldest first, and when each was first seen here.
    waiting: Mutex<Vec<(String, Timestamp)>>,
    segments: AtomicU64,
    events: AtomicU64,
    is_failing: AtomicBool,
}

/// When to try again after a failure.
#[derive(Default)]
struct Retry {
    failures: u32,
    not_before: Option<Timestamp>,
}

/// What has been committed since the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommitterStatus {
    pub segments: u64,
    pub events: u64,
    /// Whether the last attempt failed.
    pub is_failing: bool,
}

/// Why a segment is not in the lake yet.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    #[error(transparent)]
    Lake(#[from] LakeError),
    #[error(transparent)]
    Log(#[from] LogError),
}

impl Committer {
    /// Returns a committer.
    pub fn of(
        log: Arc<EventLog<()>>,
        lake: Arc<Lake>,
        uncommitted: Arc<Uncommitted>,
        clock: Clock,
        log_line: LogLine,
    ) -> Committer {
        Committer {
            log,
            lake,
            uncommitted,
            clock,
            log_line,
            retry: Mutex::default(),
            waiting: Mutex::default(),
            segments: AtomicU64::new(0),
            events: AtomicU64::new(0),
            is_failing: AtomicBool::new(false),
        }
    }

    /// Returns what has been committed since the start.
    pub fn status(&self) -> CommitterStatus {
        CommitterStatus {
            segments: self.segments.load(Ordering::Relaxed),
            events: self.events.load(Ordering::Relaxed),
            is_failing: self.is_failing.load(Ordering::Relaxed),
        }
    }

    /// Returns for how many seconds the oldest event has been waiting that is not in the lake; after a start, since then.
    pub fn lag_seconds(&self, now: Timestamp) -> u64 {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.first().map_or(0, |(_, since)| now.seconds_since(*since))
    }

    /// Notes which segments wait.
    fn note_waiting(&self, now: Timestamp) {
        let ids = self.uncommitted.batch_ids();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let since = |id: &String| waiting.iter().find(|(of, _)| of == id).map_or(now, |(_, since)| *since);
        *waiting = ids.into_iter().map(|id| (since(&id), id)).map(|(since, id)| (id, since)).collect();
    }

    /// Forgets and deletes what a server that crashed had committed and not deleted.
    ///
    /// # Errors
    /// Fails where the lake's log cannot be read, or a segment not be deleted.
    pub fn remove_committed(&self) -> Result<(), CommitError> {
        let known = self.lake.known_batches(self.uncommitted.batch_ids())?;
        for sealed in self.log.sealed() {
            // Only the oldest can be deleted, and they are committed in their order.
            if self.uncommitted.id_of(&sealed).is_some_and(|id| !known.contains(&id)) {
                break;
            }
            self.delete(&sealed)?;
        }
        Ok(())
    }

    /// Seals the segment that is being written where it is old or large enough, and commits those that are sealed.
    pub fn tick(&self) {
        let now = (self.clock)();
        self.note_waiting(now);
        let is_too_early = {
            let retry = self.retry.lock().unwrap_or_else(PoisonError::into_inner);
            // A clock that was set back does not count.
            let is_near = |not_before: &Timestamp| not_before.seconds_since(now) <= MAX_WAIT_SECONDS;
            retry.not_before.filter(is_near).is_some_and(|not_before| now < not_before)
        };
        if !is_too_early {
            let Err((error, wait)) = self.attempt(now, |log| log.tick(now.micros()).map(drop)) else {
                return;
            };
            let text =
                format!("cannot move events of the log to the lake: {error}; trying again in {wait} s");
            (self.log_line)(LogLevel::Error, &text);
        }
    }

    /// Seals the segment that is being written, and commits all; once, before the server stops.
    pub fn commit_all(&self) {
        let Err((error, _)) = self.attempt((self.clock)(), |log| log.roll().map(drop)) else { return };
        let text = format!("cannot move events of the log to the lake: {error}");
        (self.log_line)(LogLevel::Error, &text);
    }

    /// Fails with the error and the seconds to wait before the next attempt.
    fn attempt(
        &self,
        now: Timestamp,
        seal: impl FnOnce(&EventLog<()>) -> Result<(), LogError>,
    ) -> Result<(), (CommitError, u64)> {
        let sealed = seal(&self.log).map_err(CommitError::from);
        let outcome = sealed.and_then(|()| self.commit_sealed(now));
        self.is_failing.store(outcome.is_err(), Ordering::Relaxed);
        let mut retry = self.retry.lock().unwrap_or_else(PoisonError::into_inner);
        let Err(error) = outcome else {
            *retry = Retry::default();
            return Ok(());
        };
        let wait = MAX_WAIT_SECONDS.min(1 << retry.failures.min(16));
        retry.failures += 1;
        retry.not_before = Some(now.plus_seconds(wait.cast_signed()));
        Err((error, wait))
    }

    fn commit_sealed(&self, now: Timestamp) -> Result<(), CommitError> {
        for sealed in self.log.sealed() {
            if let Some(batch) = self.uncommitted.batch_of(&sealed) {
                commit_batch(&self.lake, &batch, now)?;
                self.segments.fetch_add(1, Ordering::Relaxed);
                self.events.fetch_add(batch.events.len() as u64, Ordering::Relaxed);
            }
            self.delete(&sealed)?;
            self.note_waiting(now);
        }
        Ok(())
    }

    fn delete(&self, sealed: &SealedSegment) -> Result<(), LogError> {
        self.uncommitted.remove(sealed);
        match self.log.delete(&sealed.name) {
            // A consumer still needs it; it is deleted with a later one.
            Err(LogError::Retained { .. } | LogError::NotOldest { .. }) => Ok(()),
            deleted => deleted,
        }
    }
}

/// Commits a batch to the lake, unless it is there.
pub(super) fn commit_batch(lake: &Lake, batch: &SegmentBatch, now: Timestamp) -> Result<(), LakeError> {
    let transaction = lake.append(DuplicatePolicy::Skip)?;
    let mut staged = transaction.stage();
    staged.set_currency(batch.currency);
    let events = batch.events.len() as u64;
    transaction.write(&mut staged, &batch.id, &batch.events, &[], BatchSize { events, lines: events })?;
    transaction.commit(vec![staged], now.micros() / 1_000).map(drop)
}
