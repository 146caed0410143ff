//! `/healthz`, `/readyz` and `/v1/status`: whether the server runs, answers, and keeps up.

use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::http::{Response, StatusCode};
use serde::Serialize;

use crate::http::answers::{json, respond, unavailable};
use crate::http::state::State;

const TEXT: &str = "text/plain; charset=utf-8";

#[derive(Serialize)]
struct Status {
    schema: u32,
    ready: bool,
    stopping: bool,
    /// Acknowledged since the start.
    accepted_events: u64,
    rejected: u64,
    /// In the log, and not in the lake yet.
    uncommitted_events: usize,
    /// For how long the oldest of these has been waiting.
    lag_seconds: u64,
    committed_segments: u64,
    committed_events: u64,
    commit_failing: bool,
    /// Answered from the recent hours in memory, and whether they can be now.
    counts_from_memory: u64,
    recent_in_memory: bool,
    /// Lists that were computed, and that were not because nothing had changed or another request had it computed.
    lists_computed: u64,
    lists_shared: u64,
    /// Lists that were answered from those that are kept in memory, and how many are kept, each of all categories.
    lists_from_memory: u64,
    lists_in_memory: usize,
    streams: usize,
    waiting_requests: usize,
    connections: u64,
}

/// Answers that the process runs.
pub fn health() -> Response<Body> {
    respond(StatusCode::OK, TEXT, "ok\n")
}

/// Answers whether other requests are answered.
pub fn ready(state: &State) -> Response<Body> {
    match state.is_ready() {
        true => respond(StatusCode::OK, TEXT, "ok\n"),
        false => unavailable("the server is reading its log, or stopping"),
    }
}

/// Answers what the server does.
pub fn status(state: &State) -> Response<Body> {
    let live = state.live.get();
    let totals = live.map(|live| &live.receiver.totals);
    let committed = live.map(|live| live.committer.status());
    let lists = live.map(|live| live.lists.status()).unwrap_or_default();
    let status = Status {
        schema: 1,
        ready: state.is_ready(),
        stopping: state.is_stopping.load(Ordering::Relaxed),
        accepted_events: totals.map_or(0, |totals| totals.accepted.load(Ordering::Relaxed)),
        rejected: totals.map_or(0, |totals| totals.rejected.load(Ordering::Relaxed)),
        uncommitted_events: live.map_or(0, |live| live.uncommitted.events()),
        lag_seconds: live.map_or(0, |live| live.committer.lag_seconds((state.clock)())),
        committed_segments: committed.map_or(0, |of| of.segments),
        committed_events: committed.map_or(0, |of| of.events),
        commit_failing: committed.is_some_and(|of| of.is_failing),
        counts_from_memory: live.map_or(0, |live| live.recent.status().0),
        recent_in_memory: live.is_some_and(|live| live.recent.status().1),
        lists_computed: state.lists.computed.load(Ordering::Relaxed),
        lists_shared: state.lists.shared.load(Ordering::Relaxed),
        lists_from_memory: lists.0,
        lists_in_memory: lists.1,
        streams: state.streams.open(),
        waiting_requests: state.readers.waiting() + state.receivers.waiting(),
        connections: state.requests.connections.load(Ordering::Relaxed),
    };
    json(StatusCode::OK, &status)
}
