//! Leases: locks of a bucket, which has none. An object tells who holds it, and its holder writes it again and again.
//!
//! ```text
//! <name of the lock>          {"holder":"a rank, process 7 on web1","id":"…","epoch":12,"lease_ms":20000,"nonce":"…",
//!                             "is_released":false}
//! <name of the lock>.clock    written by who wants to know the time of the bucket's store
//! ```
//!
//! A lease is over where it is released, or was not written for `lease_ms` by the clock of the bucket's store: no clock
//! of a host counts. Each who takes it writes the next epoch. The nonce makes each version another one: what names a
//! version in the store may be a hash of its bytes.
//!
//! A holder that was stopped for longer than its lease does not know that it has lost it. So a lease keeps work from
//! being done twice, and what must not happen twice is kept from it by the table's log, where one commit wins.
//!
//! Invariant: each version is written on top of the one that was read, so that of two who take a lease one fails.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use object_store::{Error, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, UpdateVersion};
use serde::{Deserialize, Serialize};

use crate::storage::bucket::{Bucket, HeldLease};
use crate::storage::error::StoreError;
use crate::storage::unique_id::unique_id;

/// How many times a holder writes its lease while it lasts.
const BEATS: u32 = 5;
/// Times of objects may be whole seconds.
const CLOCK_STEP_MS: i64 = 1_000;

/// A lease, released when it is dropped.
pub(super) struct Lease {
    shared: Arc<Shared>,
    heartbeat: Option<JoinHandle<()>>,
}

/// The outcome of asking for a lease.
pub(super) enum Asked {
    Given(Lease),
    /// Somebody has it, as its note says.
    Held(String),
}

/// What becomes of a lease that its holder has neither released nor written in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overdue {
    /// It is taken over; to know the time of the store takes two more requests.
    TakeOver,
    /// It stays its holder's.
    Leave,
}

#[derive(Clone, Default, Serialize, Deserialize)]
struct Body {
    holder: String,
    /// Of one holder of the lease.
    id: String,
    epoch: u64,
    lease_ms: u64,
    /// Of one version of the object.
    nonce: String,
    is_released: bool,
}

struct Shared {
    bucket: Arc<Bucket>,
    path: String,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    body: Body,
    version: UpdateVersion,
    is_lost: bool,
    is_over: bool,
}

impl Lease {
    /// Asks for a lease. Its note is `holder`; or else it stays that of the last holder. One that was not released may
    /// be over; who asks often does not ask for that each time.
    pub fn ask(
        bucket: &Arc<Bucket>,
        path: &str,
        holder: Option<&str>,
        overdue: Overdue,
        lasts: Duration,
    ) -> Result<Asked, StoreError> {
        let found = bucket.get(path)?;
        let (before, mode) = match found {
            None => (Body::default(), PutMode::Create),
            Some((meta, bytes)) => {
                let body = body_of(&bytes);
                let is_over = || Ok(overdue == Overdue::TakeOver && is_over(bucket, path, &body, &meta)?);
                if !body.is_released && !is_over()? {
                    return Ok(Asked::Held(body.holder));
                }
                (body, PutMode::Update(version_of(&meta)))
            }
        };
        let body = Body {
            holder: holder.map_or(before.holder, str::to_owned),
            id: unique_id(),
            epoch: before.epoch + 1,
            lease_ms: u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX),
            nonce: unique_id(),
            is_released: false,
        };
        match put(bucket, path, &body, mode)? {
            Some(version) => Ok(Asked::Given(Lease::begin(bucket, path, body, version, lasts))),
            None => Ok(Asked::Held(
                bucket.get(path)?.map(|(_, bytes)| body_of(&bytes).holder).unwrap_or_default(),
            )),
        }
    }

    fn begin(bucket: &Arc<Bucket>, path: &str, body: Body, version: UpdateVersion, lasts: Duration) -> Lease {
        let state = State { body, version, is_lost: false, is_over: false };
        let shared = Arc::new(Shared {
            bucket: Arc::clone(bucket),
            path: path.to_owned(),
            state: Mutex::new(state),
            changed: Condvar::new(),
        });
        let noted: Weak<Shared> = Arc::downgrade(&shared);
        bucket.note_lease(noted);
        let interval = lasts / BEATS;
        let beating = Arc::clone(&shared);
        let heartbeat = std::thread::Builder::new().name("topsell-lease".to_owned());
        // Without a thread the lease ends before its holder does; the log of a table decides then.
        let heartbeat = heartbeat.spawn(move || beating.beat(interval)).ok();
        Lease { shared, heartbeat }
    }

    /// Returns the note: of this holder or, until there is one, of the holder before.
    pub fn note(&self) -> String {
        self.shared.state().body.holder.clone()
    }

    /// Returns how often the lease was taken, this time included.
    pub fn epoch(&self) -> u64 {
        self.shared.state().body.epoch
    }

    /// Writes a note.
    pub fn set_note(&self, line: &str) -> Result<(), StoreError> {
        let mut state = self.shared.state();
        state.body.holder = line.to_owned();
        self.shared.write(&mut state)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.shared.state().is_over = true;
        self.shared.changed.notify_all();
        if let Some(heartbeat) = self.heartbeat.take() {
            let _ = heartbeat.join();
        }
        let mut state = self.shared.state();
        state.body.is_released = true;
        // Where this fails, it ends by itself.
        let _ = self.shared.write(&mut state);
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lease({}, epoch {})", self.shared.path, self.epoch())
    }
}

impl HeldLease for Shared {
    fn renew(&self) -> Result<bool, StoreError> {
        let mut state = self.state();
        if !state.is_over {
            self.write(&mut state)?;
        }
        Ok(!state.is_lost)
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the lease again and again, until it is over or lost.
    fn beat(&self, interval: Duration) {
        let mut state = self.state();
        loop {
            let waited = self.changed.wait_timeout_while(state, interval, |state| !state.is_over);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            if state.is_over || state.is_lost {
                return;
            }
            // What fails is tried again with the next beat.
            let _ = self.write(&mut state);
        }
    }

    /// Writes the next version of a lease that is not lost.
    fn write(&self, state: &mut State) -> Result<(), StoreError> {
        if state.is_lost {
            return Ok(());
        }
        state.body.nonce = unique_id();
        if self.put(state)? {
            return Ok(());
        }
        // A version before may have arrived although its answer did not.
        match self.bucket.get(&self.path)? {
            Some((meta, bytes)) if body_of(&bytes).id == state.body.id => {
                state.version = version_of(&meta);
                state.is_lost = !self.put(state)?;
            }
            _ => state.is_lost = true,
        }
        Ok(())
    }

    /// Returns whether the version could be written on top of the last one.
    fn put(&self, state: &mut State) -> Result<bool, StoreError> {
        let put = put(&self.bucket, &self.path, &state.body, PutMode::Update(state.version.clone()))?;
        let is_put = put.is_some();
        state.version = put.unwrap_or_else(|| state.version.clone());
        Ok(is_put)
    }
}

/// Writes a version; none where another one is there than the mode says.
fn put(bucket: &Bucket, path: &str, body: &Body, mode: PutMode) -> Result<Option<UpdateVersion>, StoreError> {
    let key = bucket.key(path)?;
    let json = serde_json::to_vec(body).map_err(|e| StoreError::io(bucket.location_of(path), e.into()))?;
    match bucket.wait(bucket.disk.put_opts(&key, json.into(), mode.into())) {
        Ok(put) => Ok(Some(UpdateVersion { e_tag: put.e_tag, version: put.version })),
        Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(None),
        Err(error) => Err(bucket.failed(path, error)),
    }
}

/// Returns whether a lease was not written for as long as it lasts, by the clock of the store.
fn is_over(bucket: &Bucket, path: &str, body: &Body, meta: &ObjectMeta) -> Result<bool, StoreError> {
    let clock = format!("{path}.clock");
    let key = bucket.key(&clock)?;
    let put = bucket.wait(bucket.disk.put(&key, unique_id().into()));
    put.map_err(|error| bucket.failed(&clock, error))?;
    let Some(now) = bucket.head(&clock)? else { return Ok(false) };
    let age_ms = (now.last_modified - meta.last_modified).num_milliseconds();
    Ok(age_ms > i64::try_from(body.lease_ms).unwrap_or(i64::MAX).saturating_add(CLOCK_STEP_MS))
}

/// Returns what a lease says; one that cannot be read is nobody's, and lasts as long as any.
fn body_of(bytes: &[u8]) -> Body {
    serde_json::from_slice(bytes).unwrap_or_default()
}

fn version_of(meta: &ObjectMeta) -> UpdateVersion {
    UpdateVersion { e_tag: meta.e_tag.clone(), version: meta.version.clone() }
}
