//! An object store in memory whose requests are counted, and some of which fail.

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// How a request fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failing {
    /// It does nothing.
    Before,
    /// It has its effect, and its answer is lost.
    After,
    /// It is sent twice, and the second answer is heard.
    Twice,
    /// The store says that a conditional write has met another one, and there is none.
    Conflict,
}

/// One client's way to the objects.
#[derive(Debug)]
pub struct Objects {
    store: Arc<InMemory>,
    /// Of these requests, the last one fails; 0 where none does.
    every: u64,
    failing: Failing,
    requests: AtomicU64,
    /// What was asked for, in the order of the requests.
    told: Mutex<Vec<String>>,
    writes: AtomicU64,
    /// Commits of tables that others were faster with.
    lost: AtomicU64,
    /// After so many requests none arrives any more.
    dies_after: u64,
    /// Whether no request arrives any more.
    is_cut_off: AtomicBool,
    /// Requests after so many wait, as those of a process that was stopped do.
    stops_after: AtomicU64,
    /// How many wait.
    waiting: Mutex<u64>,
    goes_on: Condvar,
    /// Whether all writes are done, whatever they ask for.
    is_unconditional: bool,
}

impl Objects {
    /// Returns a way on which every n-th request fails.
    pub fn failing(store: &Arc<InMemory>, every: u64, failing: Failing) -> Arc<Objects> {
        Arc::new(Objects {
            store: Arc::clone(store),
            every,
            failing,
            requests: AtomicU64::new(0),
            told: Mutex::default(),
            writes: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            dies_after: u64::MAX,
            is_cut_off: AtomicBool::new(false),
            stops_after: AtomicU64::new(u64::MAX),
            waiting: Mutex::default(),
            goes_on: Condvar::new(),
            is_unconditional: false,
        })
    }

    /// Returns objects that are written whatever the conditions of a write are.
    pub fn unconditional(store: &Arc<InMemory>) -> Arc<Objects> {
        let objects = Objects::of(store);
        let objects = Arc::into_inner(objects).expect("nobody else has them");
        Arc::new(Objects { is_unconditional: true, ..objects })
    }

    /// Returns a way on which none fails.
    pub fn of(store: &Arc<InMemory>) -> Arc<Objects> {
        Objects::failing(store, 0, Failing::Before)
    }

    /// Returns the way of a client that is killed after some requests.
    pub fn dying(store: &Arc<InMemory>, dies_after: u64) -> Arc<Objects> {
        let objects = Arc::into_inner(Objects::of(store)).expect("nobody else has them");
        Arc::new(Objects { dies_after, ..objects })
    }

    /// Returns how many commits of tables were lost to others.
    pub fn lost_races(&self) -> u64 {
        self.lost.load(Ordering::SeqCst)
    }

    /// Lets no request arrive any more, or again.
    pub fn cut_off(&self, is_cut_off: bool) {
        self.is_cut_off.store(is_cut_off, Ordering::SeqCst);
    }

    /// Lets requests after some more wait until it goes on.
    pub fn stop_after(&self, requests: u64) {
        self.stops_after.store(self.requests().0 + requests, Ordering::SeqCst);
    }

    /// Returns whether a request waits.
    pub fn is_stopped(&self) -> bool {
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) > 0
    }

    pub fn go_on(&self) {
        let _waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        self.stops_after.store(u64::MAX, Ordering::SeqCst);
        self.goes_on.notify_all();
    }

    fn wait_while_stopped(&self, number: u64) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        *waiting += 1;
        let is_stopped = |_: &mut u64| number > self.stops_after.load(Ordering::SeqCst);
        waiting = self.goes_on.wait_while(waiting, is_stopped).unwrap_or_else(PoisonError::into_inner);
        *waiting -= 1;
    }

    /// Returns the number of requests so far, and how many of them were writes.
    pub fn requests(&self) -> (u64, u64) {
        (self.requests.load(Ordering::SeqCst), self.writes.load(Ordering::SeqCst))
    }

    /// Returns what was asked for, a line for each request.
    pub fn told(&self) -> String {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
    }

    /// Counts a request; returns whether it is to fail.
    fn is_to_fail(&self, what: &str, at: &dyn fmt::Display) -> Result<bool> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{what} {at}"));
        if self.is_cut_off.load(Ordering::SeqCst) {
            return Err(failure());
        }
        let number = self.requests.fetch_add(1, Ordering::SeqCst) + 1;
        self.wait_while_stopped(number);
        if number > self.dies_after {
            self.cut_off(true);
            return Err(failure());
        }
        Ok(self.every > 0 && number.is_multiple_of(self.every))
    }

    fn check(&self, what: &str, at: &dyn fmt::Display) -> Result<()> {
        if self.is_to_fail(what, at)? { Err(failure()) } else { Ok(()) }
    }
}

fn get_name(options: &GetOptions) -> &'static str {
    if options.head { "HEAD" } else { "GET" }
}

fn prefix_text(prefix: Option<&Path>) -> String {
    prefix.map(Path::to_string).unwrap_or_default()
}

fn failure() -> Error {
    Error::Generic { store: "S3", source: "this request fails on purpose".into() }
}

impl fmt::Display for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("objects in memory")
    }
}

#[async_trait]
impl ObjectStore for Objects {
    async fn put_opts(&self, at: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let is_to_fail = self.is_to_fail("PUT", at)?;
        self.writes.fetch_add(1, Ordering::SeqCst);
        let options = match self.is_unconditional {
            true => PutOptions { mode: PutMode::Overwrite, ..options },
            false => options,
        };
        let put = || async {
            let outcome = self.store.put_opts(at, payload.clone(), options.clone()).await;
            let is_commit = at.as_ref().contains("/_delta_log/0");
            if is_commit && matches!(outcome, Err(Error::AlreadyExists { .. })) {
                self.lost.fetch_add(1, Ordering::SeqCst);
            }
            outcome
        };
        match (is_to_fail, self.failing) {
            (false, _) => put().await,
            (true, Failing::Before) => Err(failure()),
            (true, Failing::After) => {
                let _ = put().await;
                Err(failure())
            }
            (true, Failing::Twice) => {
                let _ = put().await;
                put().await
            }
            (true, Failing::Conflict) if options.mode == PutMode::Overwrite => put().await,
            (true, Failing::Conflict) => {
                Err(Error::AlreadyExists { path: at.to_string(), source: "409".into() })
            }
        }
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.check("POST", at)?;
        self.writes.fetch_add(1, Ordering::SeqCst);
        self.store.put_multipart_opts(at, options).await
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> Result<GetResult> {
        self.check(get_name(&options), at)?;
        self.store.get_opts(at, options).await
    }

    async fn get_ranges(&self, at: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.check("GET", at)?;
        self.store.get_ranges(at, ranges).await
    }

    fn delete_stream(&self, at: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        match self.check("DELETE", &"many") {
            Ok(()) => self.store.delete_stream(at),
            Err(error) => stream::once(async { Err(error) }).boxed(),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.check("LIST", &prefix_text(prefix)) {
            Ok(()) => self.store.list(prefix),
            Err(error) => stream::once(async { Err(error) }).boxed(),
        }
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.check("LIST", &prefix_text(prefix)) {
            Ok(()) => self.store.list_with_offset(prefix, offset),
            Err(error) => stream::once(async { Err(error) }).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.check("LIST", &prefix_text(prefix))?;
        self.store.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.check("COPY", to)?;
        self.writes.fetch_add(1, Ordering::SeqCst);
        self.store.copy_opts(from, to, options).await
    }
}
