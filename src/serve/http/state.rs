//! What the handlers of all paths share.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use crate::config::{AccessLog, Clock, CountDefaults, Limits, Tokens};
use crate::http::body_room::BodyRoom;
use crate::http::list_cache::ListCache;
use crate::http::list_streams::ListStreams;
use crate::http::published_lists::PublishedLists;
use crate::http::request_counts::RequestCounts;
use crate::http::workers::Workers;
use crate::live::{Committer, LiveLists, Receiver, Recent, Uncommitted};
use crate::tls::ReloadedCertificate;
use topsell_core::rankings::RankingCache;
use topsell_core::storage::Store;

/// The server as requests see it.
pub struct State {
    pub store: Store,
    pub clock: Clock,
    pub tokens: Option<Tokens>,
    /// None where connections are not encrypted.
    pub tls: Option<ReloadedCertificate>,
    pub access_log: Option<AccessLog>,
    pub limits: Limits,
    pub counts: CountDefaults,
    /// Read the lake.
    pub readers: Workers,
    /// Parse events, so that these never wait for who reads the lake.
    pub receivers: Workers,
    pub body_room: Arc<BodyRoom>,
    pub requests: RequestCounts,
    pub ranking_cache: RankingCache,
    pub lists: ListCache,
    pub streams: Arc<ListStreams>,
    pub versioned: PublishedLists,
    /// None until the log has been read.
    pub live: OnceLock<Live>,
    pub is_stopping: AtomicBool,
}

/// What a server is told, of what its requests see.
pub struct StateConfig {
    pub store: Store,
    pub clock: Clock,
    pub tokens: Option<Tokens>,
    pub tls: Option<ReloadedCertificate>,
    pub access_log: Option<AccessLog>,
    pub limits: Limits,
    pub counts: CountDefaults,
    pub versioned: PublishedLists,
}

/// What there is once the log has been read.
pub struct Live {
    pub receiver: Receiver,
    pub uncommitted: Arc<Uncommitted>,
    pub committer: Arc<Committer>,
    pub recent: Arc<Recent>,
    pub lists: Arc<LiveLists>,
}

impl State {
    /// Starts the threads that answer requests; the log has not been read yet.
    ///
    /// # Errors
    /// Fails where a thread cannot be started.
    pub fn start(config: StateConfig) -> io::Result<State> {
        let StateConfig { store, clock, tokens, tls, access_log, limits, counts, versioned } = config;
        let workers = || Workers::start(limits.workers, limits.waiting_requests);
        Ok(State {
            store,
            clock,
            tokens,
            tls,
            access_log,
            counts,
            readers: workers()?,
            receivers: workers()?,
            body_room: Arc::new(BodyRoom::of(limits.all_bodies_bytes)),
            requests: RequestCounts::default(),
            ranking_cache: RankingCache::default(),
            lists: ListCache::of(limits.waiting_requests, limits.decayed_lists),
            streams: Arc::new(ListStreams::of(limits.streams, limits.followed_lists)),
            versioned,
            live: OnceLock::new(),
            is_stopping: AtomicBool::new(false),
            limits,
        })
    }

    /// Returns whether requests are answered.
    pub fn is_ready(&self) -> bool {
        self.live.get().is_some() && !self.is_stopping.load(Ordering::Relaxed)
    }
}
