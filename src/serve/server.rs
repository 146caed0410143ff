//! The server: reads its log, listens, moves events to the lake, and stops when asked.

use std::net::{SocketAddr, TcpListener};
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver as Channel, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::config::{CountDefaults, LogLevel, LogLine, ServerConfig};
use crate::error::ServeError;
use crate::http::{Live, PublishedLists, RankingVersions, State, StateConfig, router, serve_connections};
use crate::live::{Committer, ListKind, LiveLists, Receiver, Recent, ReloadedCatalog, Uncommitted};
use crate::log::{EventLog, Position, Record};
use crate::tls::ReloadedCertificate;
use topsell_core::counts::has_live_ranking_files;
use topsell_core::ingest::decode_record;
use topsell_core::lake::{self, Lake, SERVER_LOCK};
use topsell_core::model::Timestamp;
use topsell_core::rank::LiveRules;
use topsell_core::rollup::RollupError;
use topsell_core::storage::{LockTimeout, Store};
use topsell_output::answers::{TimeRangeOptions, TopKind, TopOptions, TopQuestion};

/// How long is waited after a failure.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(5);
/// How often is looked whether a list has to be read.
const LISTS_TICK: Duration = Duration::from_millis(50);
/// How often sealed segments are looked for.
const TICK: Duration = Duration::from_millis(200);

/// What a server has done when it stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerSummary {
    pub accepted: u64,
    /// Events that stay in the log, because the lake did not take them.
    pub uncommitted: u64,
}

/// Runs a server until a message comes on the channel, or its other end is gone; `listening` is called with the address
/// once it listens.
///
/// # Errors
/// Fails where another server works on the lake, the log is damaged, or the address cannot be listened on.
pub fn serve(
    mut config: ServerConfig,
    stop: &Channel<()>,
    listening: impl FnOnce(SocketAddr),
) -> Result<ServerSummary, ServeError> {
    let store = config.store.clone();
    let lake = Arc::new(Lake::open_or_create(store.clone(), None)?);
    let _lock = store.lock(SERVER_LOCK, &config.name, LockTimeout::WhileOverdue)?;
    let now = (config.clock)();
    let signing = config.list_signing.take();
    let waits = config.limits.list_waits;
    let versioned = PublishedLists::open(&store, &config.name, (signing, waits), now, &config.log_line)?;
    let tls = config.tls.clone().map(ReloadedCertificate::open).transpose()?;
    let address = config.listen;
    let failed = |source| ServeError::Listen { address, source };
    let listener = TcpListener::bind(address).map_err(failed)?;
    let state = State::start(StateConfig {
        store: store.clone(),
        clock: Arc::clone(&config.clock),
        tokens: config.tokens.clone(),
        tls,
        access_log: config.access_log.clone(),
        limits: config.limits,
        counts: config.counts.clone(),
        versioned,
    });
    let state = Arc::new(state.map_err(ServeError::Thread)?);
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    refresh_certificate(&state, &config.log_line);
    let serving = serve_connections(&listener, threads, &router(Arc::clone(&state)), &state);
    let serving = serving.map_err(ServeError::Thread)?;
    listening(listener.local_addr().map_err(failed)?);
    drop(listener);
    let outcome = run(config, &store, lake, &state, stop);
    state.is_stopping.store(true, Ordering::Relaxed);
    state.streams.end();
    serving.stop();
    // What was begun is finished, and nothing comes after the log is sealed.
    state.receivers.stop();
    state.readers.stop();
    if let Some(live) = state.live.get() {
        // What was acknowledged last.
        live.committer.commit_all();
    }
    outcome.map(|()| summary(&state))
}

/// Reads the log, and moves events to the lake until the server is asked to stop.
fn run(
    config: ServerConfig,
    store: &Store,
    lake: Arc<Lake>,
    state: &State,
    stop: &Channel<()>,
) -> Result<(), ServeError> {
    let now = (config.clock)();
    let catalog = config.input.catalog.clone().map(|file| ReloadedCatalog::open(file, now)).transpose()?;
    let uncommitted = Arc::new(Uncommitted::default());
    let lists = Arc::new(LiveLists::of(
        store.clone(),
        Arc::clone(&uncommitted),
        Arc::clone(&config.clock),
        Arc::clone(&config.log_line),
        list_by_score(&config.counts, now)?,
    ));
    if has_live_ranking_files(store) {
        lists.begin_by_score();
    }
    let recent = Arc::new(Recent::of(
        store.clone(),
        Arc::clone(&uncommitted),
        Arc::clone(&lists),
        Arc::clone(&config.clock),
        Arc::clone(&config.log_line),
    ));
    let log = open_log(&config, &lake, &uncommitted, &recent)?;
    let committer = Arc::new(Committer::of(
        Arc::clone(&log),
        Arc::clone(&lake),
        Arc::clone(&uncommitted),
        Arc::clone(&config.clock),
        Arc::clone(&config.log_line),
    ));
    committer.remove_committed()?;
    let receiver = Receiver::of(
        log,
        lake,
        config.input,
        catalog,
        config.clock,
        Arc::clone(&config.log_line),
        (Arc::clone(&recent), Arc::clone(&uncommitted)),
    )?;
    let live = Live {
        receiver,
        uncommitted,
        committer: Arc::clone(&committer),
        recent: Arc::clone(&recent),
        lists: Arc::clone(&lists),
    };
    if state.live.set(live).is_err() {
        unreachable!("a server is started once");
    }
    let poll_interval = config.poll_interval;
    (config.log_line)(LogLevel::Info, "ready");
    let is_stopped = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| keep_recent((&recent, state), poll_interval, &config.log_line, &is_stopped));
        scope.spawn(|| keep_lists(&lists, &config.log_line, &is_stopped));
        scope.spawn(|| keep_versions(state, &config.log_line, &is_stopped));
        scope.spawn(|| keep_ranking_versions(state, poll_interval, &config.log_line, &is_stopped));
        while stop.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
            committer.tick();
            refresh_certificate(state, &config.log_line);
        }
        state.is_stopping.store(true, Ordering::Relaxed);
        is_stopped.store(true, Ordering::Relaxed);
    });
    Ok(())
}

/// Takes a new certificate where its files have one.
fn refresh_certificate(state: &State, log_line: &LogLine) {
    let Some(tls) = &state.tls else { return };
    for (level, text) in tls.refresh((state.clock)()) {
        log_line(level, &text);
    }
}

/// Keeps the counts of recent hours up to date with what others do to the lake.
fn keep_recent(
    (recent, state): (&Recent, &State),
    poll_interval: Duration,
    log_line: &LogLine,
    is_stopped: &AtomicBool,
) {
    let mut last_failure = String::new();
    while !is_stopped.load(Ordering::Relaxed) {
        let look = || {
            recent.tick()?;
            recent.load()?;
            state.live.get().map_or(Ok(()), |live| live.receiver.read_settings().map_err(RollupError::from))
        };
        let outcome = catch_unwind(AssertUnwindSafe(look));
        let Ok(outcome) = outcome else {
            recent.forget();
            log_line(
                LogLevel::Error,
                "reading the counts of recent hours panicked; they are read from the lake",
            );
            return;
        };
        match outcome {
            Ok(()) => last_failure.clear(),
            // Answers are read from the lake meanwhile, and say what is wrong with it.
            Err(error) if error.to_string() != last_failure => {
                last_failure = error.to_string();
                log_line(LogLevel::Error, &format!("cannot read the counts of recent hours: {last_failure}"));
            }
            Err(_) => {}
        }
        // What failed is not tried again at once: it may have read much before it did.
        let pause =
            if last_failure.is_empty() { poll_interval } else { poll_interval.max(PAUSE_AFTER_FAILURE) };
        let step = pause.min(TICK);
        for _ in 0..pause.as_millis() / step.as_millis().max(1) {
            if !is_stopped.load(Ordering::Relaxed) {
                thread::sleep(step);
            }
        }
    }
}

/// Keeps the lists in memory for as long as they are asked for.
fn keep_lists(lists: &LiveLists, log_line: &LogLine, is_stopped: &AtomicBool) {
    while !is_stopped.load(Ordering::Relaxed) {
        if catch_unwind(AssertUnwindSafe(|| lists.tick())).is_err() {
            lists.leave_to_lake();
            log_line(LogLevel::Error, "reading a list into memory panicked; lists are read from the lake");
            return;
        }
        thread::sleep(LISTS_TICK);
    }
}

/// Publishes what has changed in versioned lists.
fn keep_versions(state: &State, log_line: &LogLine, is_stopped: &AtomicBool) {
    while !is_stopped.load(Ordering::Relaxed) {
        let tick = || state.versioned.tick((state.clock)(), log_line);
        if catch_unwind(AssertUnwindSafe(tick)).is_err() {
            log_line(LogLevel::Error, "publishing versioned lists panicked; it is tried again");
            thread::sleep(PAUSE_AFTER_FAILURE);
        }
        thread::sleep(LISTS_TICK);
    }
}

/// Makes a version of the list of the ranking where another one was published.
fn keep_ranking_versions(
    state: &State,
    poll_interval: Duration,
    log_line: &LogLine,
    is_stopped: &AtomicBool,
) {
    let mut versions = RankingVersions::default();
    let mut waited = poll_interval;
    while !is_stopped.load(Ordering::Relaxed) {
        if waited >= poll_interval {
            waited = Duration::ZERO;
            if catch_unwind(AssertUnwindSafe(|| versions.look(state, log_line))).is_err() {
                log_line(LogLevel::Error, "making a version of the ranking panicked; no more are made");
                return;
            }
        }
        thread::sleep(LISTS_TICK);
        waited += LISTS_TICK;
    }
}

/// Returns the list by score that is asked for where a request says nothing else.
fn list_by_score(defaults: &CountDefaults, now: Timestamp) -> Result<ListKind, ServeError> {
    let range = TimeRangeOptions { zone: defaults.zone.clone(), ..TimeRangeOptions::default() };
    let options = TopOptions {
        range,
        event_types: defaults.event_types.clone(),
        subtract: defaults.subtract.clone(),
        kind: TopKind::Decayed(defaults.decay.clone()),
        ..TopOptions::default()
    };
    let question = TopQuestion::of(options, now).map_err(ServeError::Defaults)?;
    let rules = question.live_rules().expect("a list by score has rules");
    let LiveRules { window, decay, measure } = rules;
    Ok(ListKind { event_types: question.event_types().clone(), hours: window.hours(), decay, measure })
}

/// Opens the log, and adds what it has to what the lake does not have.
fn open_log(
    config: &ServerConfig,
    lake: &Arc<Lake>,
    uncommitted: &Arc<Uncommitted>,
    recent: &Arc<Recent>,
) -> Result<Arc<EventLog<()>>, ServeError> {
    let unknown: Arc<Mutex<Option<Position>>> = Arc::default();
    let apply = {
        let (uncommitted, recent) = (Arc::clone(uncommitted), Arc::clone(recent));
        let (unknown, lake) = (Arc::clone(&unknown), Arc::clone(lake));
        move |record: Record<'_>| match decode_record(record.payload) {
            Some((events, currency)) => {
                let since = || version_before(&lake);
                let number = uncommitted.add(record.segment, &events, currency, since);
                recent.add(number, events);
            }
            None => {
                if let Ok(mut unknown) = unknown.lock() {
                    unknown.get_or_insert_with(|| record.position());
                }
            }
        }
    };
    let (log, recovered) = EventLog::open(&config.log_dir, config.site.clone(), config.log, apply)?;
    if let Ok(Some(position)) = unknown.lock().map(|of| of.clone()) {
        return Err(ServeError::UnknownRecord { position: position.to_string() });
    }
    if recovered.records > 0 {
        let text = format!("read {} records of the log, {} events", recovered.records, uncommitted.events());
        (config.log_line)(LogLevel::Info, &text);
    }
    if let Some(cut) = recovered.cut {
        let (path, bytes, offset) = (cut.path.display(), cut.bytes, cut.offset);
        let text =
            format!("{path}: cut {bytes} bytes at {offset}, the rest of a write that nobody was told of");
        (config.log_line)(LogLevel::Warning, &text);
    }
    Ok(Arc::new(log))
}

/// Returns a version of the lake's events before now. A bucket is not asked: the log does not wait for it.
fn version_before(lake: &Lake) -> u64 {
    match lake.store().is_bucket() {
        true => lake.events().newest_known().map_or(0, |version| version.number()),
        false => lake::version(lake.store()).unwrap_or_default(),
    }
}

fn summary(state: &State) -> ServerSummary {
    let live = state.live.get();
    ServerSummary {
        accepted: live.map_or(0, |live| live.receiver.totals.accepted.load(Ordering::Relaxed)),
        uncommitted: live.map_or(0, |live| live.uncommitted.events() as u64),
    }
}
