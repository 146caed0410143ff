//! What a server is told that follows another one.

use std::time::Duration;

use topsell_lists::VerifyingKey;

/// Whom a server follows, and how.
pub struct EdgeConfig {
    /// The addresses of servers, without a path, tried in turn.
    pub upstreams: Vec<String>,
    /// Sent with each request to them.
    pub token: Option<String>,
    /// Versions without a signature by it are refused.
    pub key: Option<VerifyingKey>,
    /// Answers are refused when the servers have not been reached for longer than this.
    pub max_stale: Option<Duration>,
}
