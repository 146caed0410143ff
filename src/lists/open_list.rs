//! A list that is open for changes: these become durable together, then visible with the next version.
//!
//! Changes that come while others are written wait, and are then written as one group with one sync. The list in memory is
//! that of the files at all times: a change is applied once it is durable.
//!
//! Invariant: a change that was acknowledged is in the files; after a failed write nothing is acknowledged until the list
//! was read back and rewritten.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};

use crate::change::Change;
use crate::error::ListError;
use crate::list_files::{ListFiles, ReadList};
use crate::log_line::Group;
use crate::snapshot::Snapshot;
use crate::state::{ListSettings, ListState, Outcome};
use crate::version::{Version, random_number};
use topsell_core::storage::StoreError;

/// A log that is larger than this and than a part of the base is replaced by a new base.
const MAX_LOG_BYTES: u64 = 1 << 20;
const BASE_PART: u64 = 2;
/// How many changes may wait to be written.
const MAX_WAITING: usize = 4_096;
const MICROS_PER_MS: i64 = 1_000;

/// A list that is open for changes.
pub struct OpenList {
    files: ListFiles,
    inner: Mutex<Inner>,
    /// Somebody's changes were written, or the writing has ended.
    written: Condvar,
    published: RwLock<Arc<Snapshot>>,
}

struct Inner {
    state: ListState,
    /// The epoch of this process's changes.
    epoch: u64,
    /// The log that is appended to.
    number: u64,
    log_bytes: u64,
    base_bytes: u64,
    waiting: Vec<(u64, Change)>,
    next_ticket: u64,
    is_writing: bool,
    is_compacting: bool,
    done: HashMap<u64, Result<Outcome, String>>,
    /// Why nothing is acknowledged.
    failure: Option<String>,
    /// When a version was made last.
    published_at: i64,
}

impl OpenList {
    /// Opens a list, which only one process may do at a time, and returns how many bytes of a torn write were cut from it.
    ///
    /// # Errors
    /// Fails where the disk does, or a file of the list is damaged.
    pub fn open(files: ListFiles, now: i64) -> Result<(OpenList, usize), ListError> {
        let mut read = files.read()?;
        read.state.purge(now);
        let cut = read.torn_bytes;
        let list = OpenList::of(files, read, now);
        if cut > 0 {
            list.rewrite(&mut list.lock())?;
        }
        Ok((list, cut))
    }

    /// Creates a list.
    ///
    /// # Errors
    /// [`ListError::Exists`] where there is one.
    pub fn create(files: ListFiles, state: ListState, now: i64) -> Result<OpenList, ListError> {
        if files.exists()? {
            return Err(ListError::Exists { name: state.name.to_string() });
        }
        files.write_base(1, &state)?;
        Ok(OpenList::of(files, ReadList { state, number: 1, log_bytes: 0, torn_bytes: 0 }, now))
    }

    fn of(files: ListFiles, read: ReadList, now: i64) -> OpenList {
        let snapshot = Arc::new(Snapshot::of(&read.state, now, None));
        let base_bytes = read.state.lines.size_bytes() + read.state.history.size_bytes() as u64;
        OpenList {
            files,
            inner: Mutex::new(Inner {
                state: read.state,
                epoch: random_number(),
                number: read.number,
                log_bytes: read.log_bytes,
                base_bytes,
                waiting: Vec::new(),
                next_ticket: 0,
                is_writing: false,
                is_compacting: false,
                done: HashMap::new(),
                failure: None,
                published_at: now,
            }),
            written: Condvar::new(),
            published: RwLock::new(snapshot),
        }
    }

    /// Returns what the list was told when it was created.
    pub fn settings(&self) -> ListSettings {
        self.lock().state.settings
    }

    /// Returns whether a change of an id is remembered.
    pub fn has_change(&self, id: &str) -> bool {
        self.lock().state.ids.get(id).is_some()
    }

    /// Returns the newest published version.
    pub fn published(&self) -> Arc<Snapshot> {
        Arc::clone(&self.published.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Applies a change, and returns what it did and the version that has it, once it is durable.
    ///
    /// # Errors
    /// [`ListError::OtherChange`] where its id is that of another one; [`ListError::NotDurable`] where it could not be
    /// written, or too many wait.
    pub fn change(&self, change: Change, now: i64) -> Result<(Outcome, Version), ListError> {
        let mut inner = self.lock();
        if let Some(known) = known(&inner.state, &change)? {
            return Ok((known, inner.state.version_of(known.sequence)));
        }
        self.recover(&mut inner)?;
        if inner.waiting.len() >= MAX_WAITING {
            return Err(ListError::NotDurable { what: "too many changes wait".to_owned() });
        }
        let ticket = inner.next_ticket;
        inner.next_ticket += 1;
        inner.waiting.push((ticket, change));
        if !inner.is_writing {
            inner = self.write(inner, now);
        }
        loop {
            if let Some(done) = inner.done.remove(&ticket) {
                let outcome = done.map_err(|what| ListError::NotDurable { what })?;
                return Ok((outcome, inner.state.version_of(outcome.sequence)));
            }
            inner = self.written.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Writes what waits until nothing does.
    fn write<'a>(&'a self, mut inner: MutexGuard<'a, Inner>, now: i64) -> MutexGuard<'a, Inner> {
        inner.is_writing = true;
        while !inner.waiting.is_empty() && inner.failure.is_none() {
            let waiting = std::mem::take(&mut inner.waiting);
            let (tickets, changes): (Vec<u64>, Vec<Change>) = waiting.into_iter().unzip();
            let group = Group { epoch: inner.epoch, before: inner.state.sequence, time: now, changes };
            let number = inner.number;
            drop(inner);
            let appended = self.files.append(number, &group);
            inner = self.lock();
            inner.end(&tickets, &group, appended);
            self.written.notify_all();
        }
        if let Some(failure) = inner.failure.clone() {
            // What came while it failed.
            for (ticket, _) in std::mem::take(&mut inner.waiting) {
                inner.done.insert(ticket, Err(failure.clone()));
            }
        }
        inner.is_writing = false;
        self.written.notify_all();
        inner
    }

    /// Makes a version of what has changed, where it is time for one, and returns it.
    pub fn publish_if_due(&self, now: i64) -> Option<Arc<Snapshot>> {
        let every = i64::try_from(self.lock().state.settings.publish_every_ms).unwrap_or(i64::MAX);
        let since = now.saturating_sub(self.lock().published_at);
        // A clock that was set back must not keep changes from being seen.
        let is_due = since < 0 || since >= every.saturating_mul(MICROS_PER_MS);
        if is_due { self.publish(now) } else { None }
    }

    /// Makes a version of what has changed, and returns it; none where nothing has.
    pub fn publish(&self, now: i64) -> Option<Arc<Snapshot>> {
        let before = self.published();
        let state = {
            let mut inner = self.lock();
            if inner.state.version() == before.version {
                return None;
            }
            inner.published_at = now;
            inner.state.purge(now);
            inner.state.clone_for_reading()
        };
        let snapshot = Arc::new(Snapshot::of(&state, now, Some(&before)));
        snapshot.make_prefixes_if_wanted();
        *self.published.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&snapshot);
        Some(snapshot)
    }

    /// Removes the entries whose time is over; returns whether there were any.
    ///
    /// # Errors
    /// As [`OpenList::change`].
    pub fn expire(&self, now: i64) -> Result<bool, ListError> {
        if !self.lock().state.expiries.is_due(now) {
            return Ok(false);
        }
        self.change(Change { expire: true, ..Change::default() }, now)?;
        Ok(true)
    }

    /// Writes a new base where the log has grown long. Changes go on meanwhile, in the next log.
    ///
    /// # Errors
    /// Names the file; the list stays as it was, and a later call tries again.
    pub fn compact_if_due(&self) -> Result<bool, ListError> {
        let inner = self.lock();
        let is_long = inner.log_bytes > MAX_LOG_BYTES.max(inner.base_bytes / BASE_PART);
        if !is_long || inner.is_writing || inner.is_compacting || inner.failure.is_some() {
            return Ok(false);
        }
        self.compact_now(inner).map(|()| true)
    }

    /// Forgets versions that are older than the list keeps, and writes a new base.
    ///
    /// # Errors
    /// As [`OpenList::compact_if_due`].
    pub fn prune(&self, now: i64) -> Result<(), ListError> {
        let mut inner = self.lock();
        self.recover(&mut inner)?;
        while inner.is_writing || inner.is_compacting {
            inner = self.written.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
        inner.state.purge(now);
        self.compact_now(inner)
    }

    fn compact_now(&self, mut inner: MutexGuard<'_, Inner>) -> Result<(), ListError> {
        inner.is_compacting = true;
        inner.number += 1;
        let newest = inner.state.time;
        inner.state.purge(newest);
        let (number, state) = (inner.number, inner.state.clone());
        let log_bytes_before = std::mem::take(&mut inner.log_bytes);
        drop(inner);
        let written = self.files.write_base(number, &state);
        let mut inner = self.lock();
        inner.is_compacting = false;
        match &written {
            Ok(size_bytes) => inner.base_bytes = *size_bytes,
            Err(_) => inner.log_bytes += log_bytes_before,
        }
        self.written.notify_all();
        written.map(drop)
    }

    /// After a failed write, reads the list back and rewrites it: what the old log has is not relied on any more.
    fn recover(&self, inner: &mut Inner) -> Result<(), ListError> {
        if inner.failure.is_none() {
            return Ok(());
        }
        let what = |error: ListError| ListError::NotDurable { what: error.to_string() };
        let read = self.files.read().map_err(what)?;
        (inner.state, inner.number) = (read.state, read.number.max(inner.number));
        // What the last epoch has made durable is known again, but not what it would have been given next.
        inner.epoch = random_number();
        self.rewrite(inner).map_err(what)?;
        inner.failure = None;
        Ok(())
    }

    /// Writes the list as a new base, and no log.
    fn rewrite(&self, inner: &mut Inner) -> Result<(), ListError> {
        let number = inner.number + 1;
        inner.base_bytes = self.files.write_base(number, &inner.state)?;
        (inner.number, inner.log_bytes) = (number, 0);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Applies a group that was written, or notes that it was not.
    fn end(&mut self, tickets: &[u64], group: &Group, appended: Result<u64, StoreError>) {
        match appended {
            Ok(bytes) => {
                self.log_bytes += bytes;
                for (ticket, change) in tickets.iter().zip(&group.changes) {
                    let outcome = self.state.apply(change, group.epoch, group.time);
                    self.done.insert(*ticket, Ok(outcome));
                }
            }
            Err(error) => {
                let what = error.to_string();
                tickets.iter().for_each(|ticket| drop(self.done.insert(*ticket, Err(what.clone()))));
                self.failure = Some(what);
            }
        }
    }
}

/// Returns what a change did that came before.
fn known(state: &ListState, change: &Change) -> Result<Option<Outcome>, ListError> {
    let Some(id) = &change.id else { return Ok(None) };
    match state.ids.get(id) {
        Some(known) if known.content != change.content() => Err(ListError::OtherChange { id: id.clone() }),
        known => Ok(known.map(|known| known.outcome)),
    }
}
