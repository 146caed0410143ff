//! A server that follows another one: reads what it held, listens, follows, and stops when asked.

use std::net::{SocketAddr, TcpListener};
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver as Channel, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crate::config::{AccessLog, Clock, CountDefaults, Limits, LogLevel, LogLine, TlsFiles, Tokens};
use crate::edge::{EdgeConfig, Followers, Mirrors};
use crate::error::ServeError;
use crate::http::{PublishedLists, State, StateConfig, edge_router, serve_connections};
use crate::tls::ReloadedCertificate;
use topsell_core::storage::{LockTimeout, Store};
use topsell_lists::HeldList;

/// How often is looked what has to be written.
const TICK: Duration = Duration::from_millis(200);
/// Held by the one server that writes into the folder.
const LOCK: &str = "edge.lock";

/// The settings of a server that follows another one.
pub struct EdgeServerConfig {
    /// The folder of what is held.
    pub store: Store,
    pub listen: SocketAddr,
    pub clock: Clock,
    pub log_line: LogLine,
    pub access_log: Option<AccessLog>,
    pub name: String,
    pub tokens: Option<Tokens>,
    pub tls: Option<TlsFiles>,
    pub counts: CountDefaults,
    pub limits: Limits,
    pub edge: EdgeConfig,
}

/// Runs a server until a message comes on the channel, or its other end is gone; `listening` is called with the address
/// once it listens, when what it held is in memory.
///
/// # Errors
/// Fails where another server writes into the folder, it cannot be read, or the address cannot be listened on.
pub fn serve_edge(
    config: EdgeServerConfig,
    stop: &Channel<()>,
    listening: impl FnOnce(SocketAddr),
) -> Result<(), ServeError> {
    let EdgeServerConfig { store, listen, clock, log_line, limits, .. } = config;
    store.make_root()?;
    let _lock = store.lock(LOCK, &config.name, LockTimeout::WhileOverdue)?;
    let waits = limits.list_waits;
    let versioned = PublishedLists::open(&store, &config.name, (None, waits), clock(), &log_line)?;
    let mirrors =
        Arc::new(Mirrors::open(store.clone(), config.edge, Arc::clone(&clock), Arc::clone(&log_line))?);
    for mirror in mirrors.all() {
        publish(&versioned, &mirror.held());
    }
    let state = State::start(StateConfig {
        store,
        clock,
        tokens: config.tokens,
        tls: config.tls.map(ReloadedCertificate::open).transpose()?,
        access_log: config.access_log,
        limits,
        counts: config.counts,
        versioned,
    });
    let state = Arc::new(state.map_err(ServeError::Thread)?);
    let failed = |source| ServeError::Listen { address: listen, source };
    let listener = TcpListener::bind(listen).map_err(failed)?;
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let router = edge_router(Arc::clone(&state), Arc::clone(&mirrors));
    let serving = serve_connections(&listener, threads, &router, &state).map_err(ServeError::Thread)?;
    listening(listener.local_addr().map_err(failed)?);
    drop(listener);
    let published = Arc::clone(&state);
    let followers = Followers::start(
        Arc::clone(&mirrors),
        Arc::new(move |held: &HeldList| publish(&published.versioned, held)),
    );
    write_until_stopped(&state, &mirrors, stop, &log_line);
    state.is_stopping.store(true, Ordering::Relaxed);
    followers.stop();
    state.streams.end();
    serving.stop();
    state.receivers.stop();
    state.readers.stop();
    Ok(mirrors.write(true)?)
}

/// Writes what has changed, and takes new certificates, until the server is asked to stop.
fn write_until_stopped(state: &State, mirrors: &Mirrors, stop: &Channel<()>, log_line: &LogLine) {
    let mut last_failure = String::new();
    while stop.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
        match mirrors.write(false) {
            Ok(()) => last_failure.clear(),
            // What is held is answered from memory meanwhile.
            Err(error) if error.to_string() != last_failure => {
                last_failure = error.to_string();
                log_line(LogLevel::Error, &format!("cannot write what is held: {last_failure}"));
            }
            Err(_) => {}
        }
        if let Some(tls) = &state.tls {
            for (level, text) in tls.refresh((state.clock)()) {
                log_line(level, &text);
            }
        }
    }
}

fn publish(versioned: &PublishedLists, held: &HeldList) {
    if let Some(list) = held.state() {
        versioned.publish_mirrored(list, held.time, held.signed.clone());
    }
}
