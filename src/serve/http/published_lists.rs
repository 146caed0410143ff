//! The versioned lists of a server: published, signed, and with the answers that were asked for.
//!
//! Invariant: what is answered was durable before; a list that fails does not keep others from being published.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;
use tokio::sync::{Semaphore, watch};

use crate::config::{ListSigning, LogLevel, LogLine};
use topsell_core::model::Timestamp;
use topsell_core::storage::{LockTimeout, Store, checksum};
use topsell_lists::{
    ListError, ListName, ListSettings, ListState, Lists, OpenList, Signed, SignedText, Snapshot, Version,
    hex, time_text,
};

/// How many bytes of answers are kept of a version.
const MAX_ANSWER_BYTES: usize = 32 << 20;
/// A signature is renewed after this part of its time.
const SIGNED_PART: i64 = 4;
const MICROS: i64 = 1_000_000;

/// The lists of a server.
pub struct PublishedLists {
    lists: Lists,
    signing: Option<ListSigning>,
    /// How many more clients may wait for a version.
    pub waits: Semaphore,
    newest: Mutex<HashMap<ListName, watch::Sender<Arc<Published>>>>,
    /// How many clients were told when to ask again.
    told: AtomicU64,
    failures: Mutex<HashMap<ListName, String>>,
}

/// A published version and the answers that lead to it.
pub struct Published {
    pub snapshot: Arc<Snapshot>,
    pub signed: Option<Signed>,
    signed_at: i64,
    prefixes: OnceLock<([u8; 32], Option<Signed>)>,
    answers: Mutex<HashMap<(AnswerForm, Option<u64>), Bytes>>,
    answer_bytes: AtomicUsize,
}

/// In which form an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AnswerForm {
    Json,
    Prefixes,
}

impl PublishedLists {
    /// Opens the lists of a lake, and says which of them cannot be read.
    ///
    /// # Errors
    /// Fails where another process changes lists.
    pub fn open(
        store: &Store,
        holder: &str,
        (signing, waits): (Option<ListSigning>, usize),
        now: Timestamp,
        log_line: &LogLine,
    ) -> Result<PublishedLists, ListError> {
        let (lists, opened) = Lists::open(store, holder, LockTimeout::Unlimited, now.micros())?;
        for (name, bytes) in opened.cut {
            let text = format!("list {name}: cut {bytes} bytes, the rest of a write that nobody was told of");
            log_line(LogLevel::Warning, &text);
        }
        for (name, what) in opened.damaged {
            log_line(LogLevel::Error, &format!("list {name} is not served: {what}"));
        }
        let published = PublishedLists {
            lists,
            signing,
            waits: Semaphore::new(waits),
            newest: Mutex::default(),
            told: AtomicU64::new(0),
            failures: Mutex::default(),
        };
        for (name, list) in published.lists.all() {
            published.publish(&name, list.published(), now.micros());
        }
        Ok(published)
    }

    /// Returns the newest version of a list, and what tells of the next one.
    ///
    /// # Errors
    /// As [`Lists::get`].
    pub fn newest(&self, name: &ListName) -> Result<watch::Receiver<Arc<Published>>, ListError> {
        match self.lock().get(name) {
            Some(newest) => Ok(newest.subscribe()),
            // Each list that is open is published, but that of a ranking that was not made yet.
            None => Err(match self.lists.get(name) {
                Err(error) => error,
                Ok(_) => ListError::None { name: name.to_string() },
            }),
        }
    }

    /// Returns the newest versions of all lists, by their names.
    pub fn all(&self) -> Vec<Arc<Published>> {
        let mut all: Vec<Arc<Published>> =
            self.lock().values().map(|newest| Arc::clone(&newest.borrow())).collect();
        all.sort_by(|one, other| one.snapshot.name.cmp(&other.snapshot.name));
        all
    }

    /// Returns a list to change.
    ///
    /// # Errors
    /// As [`Lists::get`].
    pub fn open_list(&self, name: &ListName) -> Result<Arc<OpenList>, ListError> {
        self.lists.get(name)
    }

    /// Creates a list.
    ///
    /// # Errors
    /// As [`Lists::create`].
    pub fn create(&self, name: &ListName, settings: ListSettings, now: Timestamp) -> Result<(), ListError> {
        let list = self.lists.create(name.clone(), settings, now.micros())?;
        self.publish(name, list.published(), now.micros());
        Ok(())
    }

    /// Removes entries whose time is over, publishes what has changed, renews signatures, and shortens logs.
    pub fn tick(&self, now: Timestamp, log_line: &LogLine) {
        let now = now.micros();
        for (name, list) in self.lists.all() {
            let done = list.expire(now).and_then(|_| {
                if let Some(snapshot) = list.publish_if_due(now) {
                    self.publish(&name, snapshot, now);
                }
                self.renew_signature(&name, now);
                list.compact_if_due()
            });
            self.note(&name, done.err().map(|error| error.to_string()), log_line);
        }
    }

    /// Publishes what has changed in a list at once.
    pub fn publish_now(&self, name: &ListName, list: &OpenList, now: Timestamp) {
        if let Some(snapshot) = list.publish(now.micros()) {
            self.publish(name, snapshot, now.micros());
        }
    }

    /// Returns after how many seconds a client is told to ask again: others are told other times, so that they do not come
    /// together after a server was away.
    pub fn wait_seconds(&self, settings: &ListSettings) -> u32 {
        let turn = self.told.fetch_add(1, Ordering::Relaxed);
        let span = settings.poll_seconds / 5;
        let jitter = checksum(&turn.to_le_bytes()) % (span + 1);
        u32::try_from((settings.poll_seconds - span / 2 + jitter).max(1)).unwrap_or(u32::MAX)
    }

    /// Publishes a version that another server has made, and has signed where it is.
    pub fn publish_mirrored(&self, list: &ListState, time: i64, signed: Option<Signed>) {
        let before = self.lock().get(&list.name).map(|newest| Arc::clone(&newest.borrow().snapshot));
        let snapshot = Arc::new(Snapshot::of(list, time, before.as_ref()));
        self.insert(&list.name, Published::with(snapshot, signed, time));
    }

    fn publish(&self, name: &ListName, snapshot: Arc<Snapshot>, now: i64) {
        // The list of a ranking is there once it has one: nobody is to hold an empty ranking.
        if name.is_ranking() && snapshot.version.sequence == 0 {
            return;
        }
        self.insert(name, Published::of(snapshot, self.signing.as_ref(), now));
    }

    fn insert(&self, name: &ListName, published: Published) {
        let published = Arc::new(published);
        let mut newest = self.lock();
        match newest.get(name) {
            Some(sender) => drop(sender.send_replace(published)),
            None => drop(newest.insert(name.clone(), watch::Sender::new(published))),
        }
    }

    fn renew_signature(&self, name: &ListName, now: i64) {
        let Some(signing) = &self.signing else { return };
        let published = self.lock().get(name).map(|newest| Arc::clone(&newest.borrow()));
        let Some(published) = published else { return };
        let valid = signing.valid_micros();
        if now.saturating_sub(published.signed_at) > valid / SIGNED_PART {
            self.publish(name, Arc::clone(&published.snapshot), now);
        }
    }

    /// Says what fails, once until it is something else.
    fn note(&self, name: &ListName, failure: Option<String>, log_line: &LogLine) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        match failure {
            None => drop(failures.remove(name)),
            Some(what) if failures.get(name) != Some(&what) => {
                log_line(LogLevel::Error, &format!("list {name}: {what}"));
                failures.insert(name.clone(), what);
            }
            Some(_) => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ListName, watch::Sender<Arc<Published>>>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Published {
    fn with(snapshot: Arc<Snapshot>, signed: Option<Signed>, signed_at: i64) -> Published {
        Published {
            snapshot,
            signed,
            signed_at,
            prefixes: OnceLock::new(),
            answers: Mutex::default(),
            answer_bytes: AtomicUsize::new(0),
        }
    }

    fn of(snapshot: Arc<Snapshot>, signing: Option<&ListSigning>, now: i64) -> Published {
        let signed = signing.map(|signing| sign(&snapshot, signing, "text", &snapshot.sha256, now));
        let prefixes = OnceLock::new();
        if let (Some(signing), true) = (signing, snapshot.has_prefixes()) {
            let sha256 = snapshot.prefixes_sha256();
            let _ = prefixes.set((sha256, Some(sign(&snapshot, signing, "prefixes", &sha256, now))));
        }
        Published {
            snapshot,
            signed,
            signed_at: now,
            prefixes,
            answers: Mutex::default(),
            answer_bytes: AtomicUsize::new(0),
        }
    }

    /// Returns whether an answer takes no longer than a connection may wait for others.
    pub fn is_quick(&self, form: AnswerForm, since: Option<&Version>) -> bool {
        const FEW: usize = 4_096;
        let is_small = since.is_some_and(|since| self.snapshot.changes_since(since) <= FEW);
        let is_there = self.known(form, since).is_some();
        is_there || (is_small && (form == AnswerForm::Json || self.snapshot.has_prefixes()))
    }

    /// Returns what follows the head of an answer: of JSON, one that leads from a version.
    pub fn answer(&self, form: AnswerForm, since: Option<&Version>, signing: Option<&ListSigning>) -> Bytes {
        if let Some(known) = self.known(form, since) {
            return known;
        }
        let made: Bytes = match (form, since) {
            (AnswerForm::Json, Some(since)) => self.snapshot.json_delta(since, self.signed.as_ref()).into(),
            (AnswerForm::Json, None) => {
                // Counted here, where nobody else waits for it.
                self.snapshot.json_bytes();
                self.snapshot.json_before_entries(self.signed.as_ref()).into()
            }
            (AnswerForm::Prefixes, since) => {
                let (sha256, signed) = self.prefixes.get_or_init(|| {
                    let sha256 = self.snapshot.prefixes_sha256();
                    let sign = |signing| sign(&self.snapshot, signing, "prefixes", &sha256, self.signed_at);
                    (sha256, signing.map(sign))
                });
                self.snapshot.prefix_body(since, sha256, signed.as_ref()).into()
            }
        };
        self.keep(form, since, &made);
        made
    }

    fn known(&self, form: AnswerForm, since: Option<&Version>) -> Option<Bytes> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.get(&(form, since.map(|since| since.sequence))).cloned()
    }

    fn keep(&self, form: AnswerForm, since: Option<&Version>, made: &Bytes) {
        let held = self.answer_bytes.fetch_add(made.len(), Ordering::Relaxed);
        if held + made.len() <= MAX_ANSWER_BYTES {
            let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
            answers.insert((form, since.map(|since| since.sequence)), made.clone());
        } else {
            self.answer_bytes.fetch_sub(made.len(), Ordering::Relaxed);
        }
    }
}

impl PublishedLists {
    /// Returns how versions are signed.
    pub fn signing(&self) -> Option<&ListSigning> {
        self.signing.as_ref()
    }
}

fn sign(snapshot: &Snapshot, signing: &ListSigning, form: &str, sha256: &[u8; 32], now: i64) -> Signed {
    let expires = now.saturating_add(signing.valid_micros());
    let text = SignedText {
        list: &snapshot.name,
        form,
        version: &snapshot.version_text(),
        time: &time_text(snapshot.time),
        expires: &time_text(expires),
        entries: snapshot.lines.len(),
        sha256: &hex(sha256),
    };
    Signed { expires, signature: signing.key.sign(&text) }
}

impl ListSigning {
    fn valid_micros(&self) -> i64 {
        i64::try_from(self.valid_seconds).unwrap_or(i64::MAX / MICROS).saturating_mul(MICROS)
    }
}
