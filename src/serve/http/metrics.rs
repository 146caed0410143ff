//! `/metrics`: numbers of the server in the text format of Prometheus.
//!
//! The format is that of <https://prometheus.io/docs/instrumenting/exposition_formats/>.

use std::fmt::Write;
use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::http::{Response, StatusCode};

use crate::http::answers::respond;
use crate::http::request_counts::PATHS;
use crate::http::state::{Live, State};
use topsell_core::model::Timestamp;

const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
/// What the name of each metric begins with.
const PREFIX: &str = "topsell_server_";

/// Answers the request.
pub fn metrics(state: &State) -> Response<Body> {
    respond(StatusCode::OK, CONTENT_TYPE, text(state))
}

fn text(state: &State) -> String {
    let mut text = Text(String::new());
    text.gauge("ready", "Whether the server has read its log and answers.", state.is_ready());
    text.gauge("connections", "Open connections.", state.requests.connections.load(Ordering::Relaxed));
    if let Some(tls) = &state.tls {
        let help = "When the certificate expires, in seconds since 1970.";
        text.gauge("certificate_expiry_timestamp_seconds", help, tls.not_after());
        let help = "Connections that were closed since they did not come to speak TLS.";
        let failed = state.requests.failed_handshakes.load(Ordering::Relaxed);
        text.counter("tls_handshakes_failed_total", help, failed);
    }
    text.family("requests_total", "counter", "Requests by path and class of status.");
    for (path, counts) in PATHS.iter().chain([&"other"]).zip(state.requests.by_class()) {
        for (class, count) in counts.into_iter().enumerate() {
            let labels = format!("{{path=\"{path}\",status=\"{}xx\"}}", class + 2);
            text.sample("requests_total", &labels, count);
        }
    }
    let waiting = state.readers.waiting() + state.receivers.waiting();
    text.gauge("waiting_requests", "Requests that wait for a worker.", waiting as u64);
    let help = "Published rankings that could not be read; the one before was shown instead.";
    text.counter("rankings_damaged_total", help, state.ranking_cache.failures().0);
    let (computed, shared) = (&state.lists.computed, &state.lists.shared);
    let help = "Lists of /v1/top that were computed.";
    text.counter("lists_computed_total", help, computed.load(Ordering::Relaxed));
    let help = "Lists of /v1/top that were computed before, or for another request.";
    text.counter("lists_shared_total", help, shared.load(Ordering::Relaxed));
    text.gauge("streams", "Open streams of lists.", state.streams.open() as u64);
    if let Some(live) = state.live.get() {
        text.live(live, (state.clock)());
    }
    text.0
}

struct Text(String);

impl Text {
    /// Adds what is known after the log was read.
    fn live(&mut self, live: &Live, now: Timestamp) {
        let totals = &live.receiver.totals;
        let help = "Events that were acknowledged.";
        self.counter("events_accepted_total", help, totals.accepted.load(Ordering::Relaxed));
        let help = "Lines that were no events.";
        self.counter("events_rejected_total", help, totals.rejected.load(Ordering::Relaxed));
        let committed = live.committer.status();
        let help = "Events that were moved from the log to the lake.";
        self.counter("events_committed_total", help, committed.events);
        let help = "Events of the log that are not in the lake yet.";
        self.gauge("uncommitted_events", help, live.uncommitted.events() as u64);
        let help = "For how long the oldest event has been waiting that is not in the lake.";
        self.gauge("lag_seconds", help, live.committer.lag_seconds(now));
        let help = "Whether the last attempt to move events to the lake failed.";
        self.gauge("commit_failing", help, committed.is_failing);
        let (from_memory, in_memory) = live.lists.status();
        let help = "Lists of /v1/top that were answered from those in memory.";
        self.counter("lists_from_memory_total", help, from_memory);
        let help = "Lists in memory, each of all categories.";
        self.gauge("lists_in_memory", help, in_memory as u64);
        let (answered, is_loaded) = live.recent.status();
        let help = "Counts that were answered without reading the lake.";
        self.counter("counts_from_memory_total", help, answered);
        let help = "Whether the counts of recent hours are in memory.";
        self.gauge("recent_in_memory", help, is_loaded);
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl Into<u64>) {
        self.family(name, "gauge", help);
        self.sample(name, "", value.into());
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.family(name, "counter", help);
        self.sample(name, "", value);
    }

    fn family(&mut self, name: &str, kind: &str, help: &str) {
        writeln!(self.0, "# HELP {PREFIX}{name} {help}\n# TYPE {PREFIX}{name} {kind}")
            .expect("a text can grow");
    }

    fn sample(&mut self, name: &str, labels: &str, value: u64) {
        writeln!(self.0, "{PREFIX}{name}{labels} {value}").expect("a text can grow");
    }
}
