//! `/metrics`: numbers of the server in the text format of Prometheus.
//!
//! The format is that of <https://prometheus.io/docs/instrumenting/exposition_formats/>.

use std::fmt::Write;
use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::http::{Response, StatusCode};

use crate::http::answers::respond;
use crate::http::request_counts::PATHS;
use crate::http::state::State;

const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Answers the request.
pub fn metrics(state: &State) -> Response<Body> {
    respond(StatusCode::OK, CONTENT_TYPE, text(state))
}

fn text(state: &State) -> String {
    let mut text = Text(String::new());
    text.family("topsell_server_ready", "gauge", "Whether the server has read its log and answers.");
    text.sample("topsell_server_ready", "", u64::from(state.is_ready()));
    text.family("topsell_server_connections", "gauge", "Open connections.");
    text.sample("topsell_server_connections", "", state.requests.connections.load(Ordering::Relaxed));
    if let Some(tls) = &state.tls {
        let name = "topsell_server_certificate_expiry_timestamp_seconds";
        text.family(name, "gauge", "When the certificate expires, in seconds since 1970.");
        text.sample(name, "", tls.not_after());
        let name = "topsell_server_tls_handshakes_failed_total";
        text.family(name, "counter", "Connections that were closed since they did not come to speak TLS.");
        text.sample(name, "", state.requests.failed_handshakes.load(Ordering::Relaxed));
    }
    text.family("topsell_server_requests_total", "counter", "Requests by path and class of status.");
    for (path, counts) in PATHS.iter().chain([&"other"]).zip(state.requests.by_class()) {
        for (class, count) in counts.into_iter().enumerate() {
            let labels = format!("{{path=\"{path}\",status=\"{}xx\"}}", class + 2);
            text.sample("topsell_server_requests_total", &labels, count);
        }
    }
    text.family("topsell_server_waiting_requests", "gauge", "Requests that wait for a worker.");
    text.sample(
        "topsell_server_waiting_requests",
        "",
        (state.readers.waiting() + state.receivers.waiting()) as u64,
    );
    let (damaged, _) = state.ranking_cache.failures();
    text.family(
        "topsell_server_rankings_damaged_total",
        "counter",
        "Published rankings that could not be read; the one before was shown instead.",
    );
    text.sample("topsell_server_rankings_damaged_total", "", damaged);
    text.family("topsell_server_lists_computed_total", "counter", "Lists of /v1/top that were computed.");
    text.sample("topsell_server_lists_computed_total", "", state.lists.computed.load(Ordering::Relaxed));
    text.family(
        "topsell_server_lists_shared_total",
        "counter",
        "Lists of /v1/top that were computed before, or for another request.",
    );
    text.sample("topsell_server_lists_shared_total", "", state.lists.shared.load(Ordering::Relaxed));
    text.family("topsell_server_streams", "gauge", "Open streams of lists.");
    text.sample("topsell_server_streams", "", state.streams.open() as u64);
    let Some(live) = state.live.get() else { return text.0 };
    let totals = &live.receiver.totals;
    text.family("topsell_server_events_accepted_total", "counter", "Events that were acknowledged.");
    text.sample("topsell_server_events_accepted_total", "", totals.accepted.load(Ordering::Relaxed));
    text.family("topsell_server_events_rejected_total", "counter", "Lines that were no events.");
    text.sample("topsell_server_events_rejected_total", "", totals.rejected.load(Ordering::Relaxed));
    let committed = live.committer.status();
    text.family(
        "topsell_server_events_committed_total",
        "counter",
        "Events that were moved from the log to the lake.",
    );
    text.sample("topsell_server_events_committed_total", "", committed.events);
    text.family(
        "topsell_server_uncommitted_events",
        "gauge",
        "Events of the log that are not in the lake yet.",
    );
    text.sample("topsell_server_uncommitted_events", "", live.uncommitted.events() as u64);
    let name = "topsell_server_lag_seconds";
    text.family(name, "gauge", "For how long the oldest event has been waiting that is not in the lake.");
    text.sample(name, "", live.committer.lag_seconds((state.clock)()));
    text.family(
        "topsell_server_commit_failing",
        "gauge",
        "Whether the last attempt to move events to the lake failed.",
    );
    text.sample("topsell_server_commit_failing", "", u64::from(committed.is_failing));
    let (from_memory, in_memory) = live.lists.status();
    text.family(
        "topsell_server_lists_from_memory_total",
        "counter",
        "Lists of /v1/top that were answered from those in memory.",
    );
    text.sample("topsell_server_lists_from_memory_total", "", from_memory);
    text.family("topsell_server_lists_in_memory", "gauge", "Lists in memory, each of all categories.");
    text.sample("topsell_server_lists_in_memory", "", in_memory as u64);
    let (answered, is_loaded) = live.recent.status();
    text.family(
        "topsell_server_counts_from_memory_total",
        "counter",
        "Counts that were answered without reading the lake.",
    );
    text.sample("topsell_server_counts_from_memory_total", "", answered);
    text.family(
        "topsell_server_recent_in_memory",
        "gauge",
        "Whether the counts of recent hours are in memory.",
    );
    text.sample("topsell_server_recent_in_memory", "", u64::from(is_loaded));
    text.0
}

struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}").expect("a text can grow");
    }

    fn sample(&mut self, name: &str, labels: &str, value: u64) {
        writeln!(self.0, "{name}{labels} {value}").expect("a text can grow");
    }
}
