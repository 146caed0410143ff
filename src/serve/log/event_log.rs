//! The log as a server uses it.
//!
//! Invariant: whatever is acknowledged is durable; the thread and the lock last as long as the log is open.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;

use crate::log::consumers::{Consumers, remove_durably};
use crate::log::disk::{Disk, LocalDisk};
use crate::log::error::LogError;
use crate::log::position::{Position, Site};
use crate::log::queue::{Queue, SealRequest};
use crate::log::record::Record;
use crate::log::recovery::{Recovered, recover};
use crate::log::segment::Segment;
use crate::log::segment_name::{SealedSegment, SegmentFile, SegmentName};
use crate::log::ticket::{Appended, Ticket};
use crate::log::writer::{SealPolicy, SealedList, Writer};
use crate::log::writer_thread;

const LOCK: &str = "lock";

/// The sizes of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How large a segment becomes; so much is preallocated. A record that is larger gets a larger segment.
    pub segment_bytes: u64,
    /// After which time, in microseconds, a segment is sealed by [`EventLog::tick`].
    pub segment_age_micros: u64,
    /// How many bytes may wait to be written; those that are being written count.
    pub queue_bytes: usize,
    /// How many records may wait to be written; those that are being written count.
    pub queue_records: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            segment_bytes: 64 << 20,
            segment_age_micros: 60_000_000,
            queue_bytes: 64 << 20,
            queue_records: 65_536,
        }
    }
}

/// A log that is open. `R` is what `apply` returns for each record; see the module's page.
///
/// Dropping it closes it; [`EventLog::close`] also tells whether that succeeded.
pub struct EventLog<R> {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    site: Site,
    incarnation: u32,
    queue: Arc<Queue<R>>,
    sealed: SealedList,
    consumers: Mutex<Consumers>,
    thread: Option<JoinHandle<Result<(), LogError>>>,
    /// Dropped last, after the thread has ended.
    _lock: Box<dyn Send + Sync>,
}

impl<R: Send + 'static> EventLog<R> {
    /// Opens the log in a folder, which is created where it is not there, and calls `apply` with each record
    /// in it; later, on the thread of the log, with each record that was appended.
    ///
    /// # Errors
    /// [`LogError::Locked`], [`LogError::Damaged`], [`LogError::OtherSite`], or what the disk said; `apply`
    /// may then have been called with some of the records.
    pub fn open(
        dir: &Path,
        site: Site,
        options: Options,
        apply: impl FnMut(Record<'_>) -> R + Send + 'static,
    ) -> Result<(EventLog<R>, Recovered), LogError> {
        EventLog::open_on(Arc::new(LocalDisk), dir, site, options, apply)
    }

    pub(super) fn open_on(
        disk: Arc<dyn Disk>,
        dir: &Path,
        site: Site,
        options: Options,
        mut apply: impl FnMut(Record<'_>) -> R + Send + 'static,
    ) -> Result<(EventLog<R>, Recovered), LogError> {
        disk.create_dir(dir).map_err(|error| LogError::io(dir, error))?;
        let path = dir.join(LOCK);
        let lock = disk.lock(&path).map_err(|error| LogError::io(&path, error))?;
        let lock = lock.ok_or(LogError::Locked { path })?;
        let consumers = Consumers::read(Arc::clone(&disk), dir, site.clone())?;
        let found = recover(disk.as_ref(), dir, &site, |record| {
            apply(record);
        })?;
        let recovered = found.recovered.clone();
        let Options { segment_bytes, segment_age_micros, queue_bytes, queue_records } = options;
        let policy = SealPolicy { segment_bytes, segment_age_micros };
        let writer = Writer::new(Arc::clone(&disk), dir, site.clone(), policy, found)?;
        let sealed = writer.sealed();
        let queue = Arc::new(Queue::new(queue_bytes, queue_records));
        let (of_thread, site_of_thread) = (Arc::clone(&queue), site.clone());
        let thread = std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || writer_thread::run(writer, &of_thread, &site_of_thread, apply))
            .map_err(|error| LogError::io(dir, error))?;
        let log = EventLog {
            disk,
            dir: dir.to_owned(),
            site,
            incarnation: recovered.incarnation,
            queue,
            sealed,
            consumers: Mutex::new(consumers),
            thread: Some(thread),
            _lock: lock,
        };
        Ok((log, recovered))
    }
}

impl<R> EventLog<R> {
    /// Queues a record with the time of its arrival, in microseconds since 1970 in UTC. Its ticket is
    /// completed once it is durable and applied. Records of one thread are written in its order.
    ///
    /// # Errors
    /// Never waits: [`LogError::Overloaded`], [`LogError::TooLarge`], [`LogError::Closed`], or the
    /// [`LogError::Failed`] after which the log has to be opened again. The ticket may also give
    /// [`LogError::Full`].
    pub fn append(&self, time_micros: i64, payload: Vec<u8>) -> Result<Ticket<Appended<R>>, LogError> {
        self.queue.append(time_micros, payload)
    }

    /// Seals the current segment if it is older than the limit at `now_micros`, or full, and returns it; to be
    /// called every second or so. Waits for what is being written.
    ///
    /// # Errors
    /// As for [`EventLog::roll`].
    pub fn tick(&self, now_micros: i64) -> Result<Option<SealedSegment>, LogError> {
        self.queue.request_seal(SealRequest::IfDue { now_micros })?.wait()
    }

    /// Seals the current segment, unless nothing was written to it, and returns it. The next record begins
    /// another.
    ///
    /// # Errors
    /// [`LogError::Failed`], after which nothing more is acknowledged.
    pub fn roll(&self) -> Result<Option<SealedSegment>, LogError> {
        self.queue.request_seal(SealRequest::Now)?.wait()
    }

    /// Returns the sealed segments, the oldest first.
    pub fn sealed(&self) -> Vec<SealedSegment> {
        self.sealed.lock().expect("nothing panics while it holds the list").clone()
    }

    /// Reads a sealed segment into memory and verifies it.
    ///
    /// # Errors
    /// [`LogError::Damaged`], or what the disk said.
    pub fn read(&self, segment: &SealedSegment) -> Result<Segment, LogError> {
        let file = SegmentFile { name: segment.name.clone(), last: Some(segment.last) };
        Segment::read(self.disk.as_ref(), &self.dir, &file)
    }

    /// Deletes the oldest sealed segment, once every registered consumer has passed it.
    ///
    /// # Errors
    /// [`LogError::Retained`], [`LogError::NotOldest`], or what the disk said; then it may be repeated.
    pub fn delete(&self, segment: &SegmentName) -> Result<(), LogError> {
        // Held throughout: nobody may register between the check and the deletion.
        let consumers = self.consumers();
        let oldest = self.sealed().into_iter().next().filter(|oldest| oldest.name == *segment);
        let oldest = oldest.ok_or_else(|| LogError::NotOldest { segment: segment.clone() })?;
        consumers.check_passed(&oldest)?;
        let path = self.dir.join(oldest.file_name());
        remove_durably(self.disk.as_ref(), &self.dir, &path).map_err(|error| LogError::io(path, error))?;
        self.sealed.lock().expect("nothing panics while it holds the list").remove(0);
        Ok(())
    }

    /// Registers a consumer by name, durably, and returns the position up to which it has the records. One
    /// that is new needs every record in the log.
    ///
    /// # Errors
    /// [`LogError::ConsumerName`], or what the disk said.
    pub fn register(&self, consumer: &str) -> Result<Position, LogError> {
        self.consumers().register(consumer)
    }

    /// Saves that a consumer has every record up to a position; an earlier one than it had changes nothing.
    ///
    /// # Errors
    /// [`LogError::NotRegistered`], [`LogError::OtherSite`], or what the disk said.
    pub fn advance(&self, consumer: &str, position: &Position) -> Result<(), LogError> {
        self.consumers().advance(consumer, position)
    }

    /// Forgets a consumer, durably: nothing is kept for it any more.
    ///
    /// # Errors
    /// Returns what the disk said.
    pub fn unregister(&self, consumer: &str) -> Result<(), LogError> {
        self.consumers().unregister(consumer)
    }

    /// Returns the registered consumers and the position up to which each has the records.
    pub fn positions(&self) -> BTreeMap<String, Position> {
        self.consumers().positions()
    }

    /// Returns the site whose log it is.
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// Returns the incarnation of this opening.
    pub fn incarnation(&self) -> u32 {
        self.incarnation
    }

    /// Writes what is queued, seals the current segment, and ends.
    ///
    /// # Errors
    /// Returns the failure after which nothing was acknowledged any more.
    pub fn close(mut self) -> Result<(), LogError> {
        self.end()
    }

    fn end(&mut self) -> Result<(), LogError> {
        self.queue.close();
        // A thread that panicked in `apply` has said so itself.
        self.thread.take().map_or(Ok(()), |thread| thread.join().unwrap_or(Err(LogError::Closed)))
    }

    fn consumers(&self) -> MutexGuard<'_, Consumers> {
        self.consumers.lock().expect("nothing panics while it holds the consumers")
    }
}

impl<R> Drop for EventLog<R> {
    fn drop(&mut self) {
        // What is not sealed now is sealed by the next opening.
        let _ = self.end();
    }
}
