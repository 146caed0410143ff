//! The lists that clients follow: each is looked after once, for all of its streams.
//!
//! Invariant: a list without streams is looked after for a moment more, and then no longer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::http::event_stream::Change;

/// The lists by what they answer.
pub struct ListStreams {
    topics: Mutex<HashMap<String, Arc<watch::Sender<Change>>>>,
    permits: Arc<Semaphore>,
    max_streams: usize,
    max_lists: usize,
    ends: watch::Sender<bool>,
}

/// A list that somebody follows, until this is dropped.
pub struct Topic {
    streams: Arc<ListStreams>,
    key: String,
    pub changes: Arc<watch::Sender<Change>>,
}

/// How a stream follows its list.
pub enum Followed {
    /// It is looked after.
    Known(watch::Receiver<Change>),
    /// It is to be looked after from now on.
    New(watch::Receiver<Change>, Topic),
    /// There are too many lists.
    Refused,
}

impl ListStreams {
    /// Returns no streams; so many there may be, of so many lists.
    pub fn of(max_streams: usize, max_lists: usize) -> ListStreams {
        ListStreams {
            topics: Mutex::default(),
            permits: Arc::new(Semaphore::new(max_streams)),
            max_streams,
            max_lists,
            ends: watch::Sender::new(false),
        }
    }

    /// Returns the right to be a stream; none where there are too many, or all end.
    pub fn permit(&self) -> Option<OwnedSemaphorePermit> {
        let permit = Arc::clone(&self.permits).try_acquire_owned().ok();
        permit.filter(|_| !*self.ends.borrow())
    }

    /// Returns how many there are.
    pub fn open(&self) -> usize {
        self.max_streams - self.permits.available_permits()
    }

    /// Follows a list, which is now `first` if it was not followed before.
    pub fn follow(self: &Arc<Self>, key: &str, first: Change) -> Followed {
        let mut topics = self.lock();
        if let Some(changes) = topics.get(key) {
            return Followed::Known(changes.subscribe());
        }
        if topics.len() >= self.max_lists {
            return Followed::Refused;
        }
        let changes = Arc::new(watch::Sender::new(first));
        topics.insert(key.to_owned(), Arc::clone(&changes));
        let receiver = changes.subscribe();
        Followed::New(receiver, Topic { streams: Arc::clone(self), key: key.to_owned(), changes })
    }

    /// Returns what becomes true when all streams end.
    pub fn ends(&self) -> watch::Receiver<bool> {
        self.ends.subscribe()
    }

    /// Ends all streams, for good.
    pub fn end(&self) {
        self.ends.send_replace(true);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<watch::Sender<Change>>>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Topic {
    /// Returns whether nobody follows it any more; then nobody finds it.
    pub fn is_left(&self) -> bool {
        let mut topics = self.streams.lock();
        let is_left = self.changes.receiver_count() == 0;
        if is_left {
            topics.remove(&self.key);
        }
        is_left
    }

    /// Tells all streams what the list is now.
    pub fn tell(&self, change: Change) {
        self.changes.send_if_modified(|known| {
            let is_new = known.id != change.id;
            if is_new {
                *known = change;
            }
            is_new
        });
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        let mut topics = self.streams.lock();
        // Another one may have begun after this was left.
        if topics.get(&self.key).is_some_and(|of| Arc::ptr_eq(of, &self.changes)) {
            topics.remove(&self.key);
        }
    }
}
