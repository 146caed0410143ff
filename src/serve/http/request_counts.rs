//! How many requests there were, by path and by how they ended.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::StatusCode;

/// The paths that are told apart; all others are one.
pub const PATHS: [&str; 12] = [
    "/",
    "/v1/events",
    "/v1/count",
    "/v1/show",
    "/v1/top",
    "/v1/lists",
    LIST,
    "/v1/status",
    "/v1/openapi.json",
    "/healthz",
    "/readyz",
    "/metrics",
];
/// A versioned list, and what begins the paths of all of them.
const LIST: &str = "/v1/lists/{name}";
const LISTS: &str = "/v1/lists/";
const CLASSES: usize = 4;

/// How requests ended, by path and class of status: 2xx, 3xx, 4xx, 5xx.
#[derive(Debug, Default)]
pub struct RequestCounts {
    counts: [[AtomicU64; CLASSES]; PATHS.len() + 1],
    pub connections: AtomicU64,
    /// Connections that were closed since they did not come to speak TLS.
    pub failed_handshakes: AtomicU64,
}

impl RequestCounts {
    /// Counts a response.
    pub fn add(&self, path: &str, status: StatusCode) {
        // One of all lists: what is asked for is chosen by clients.
        let path = if path.starts_with(LISTS) { LIST } else { path };
        let path = PATHS.iter().position(|known| *known == path).unwrap_or(PATHS.len());
        let class = usize::from(status.as_u16() / 100).clamp(2, 5) - 2;
        self.counts[path][class].fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the numbers of responses by path, in the order of [`PATHS`] and then of all others, and by class.
    pub fn by_class(&self) -> impl Iterator<Item = [u64; CLASSES]> {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        self.counts.iter().map(move |counts| std::array::from_fn(|class| load(&counts[class])))
    }
}
