//! The servers that are followed: the addresses of their lists, and writes that are passed on to them.

use topsell_core::model::hide_secrets;
use topsell_lists::{ClientError, ListClient, ListName};

use crate::edge::config::EdgeConfig;

/// The list that stands for all of a server's where only the server matters.
const ANY: &str = "ranking/default";

/// What a followed server has answered to a write.
pub enum Forwarded {
    Done(Vec<u8>),
    /// With its status.
    Refused(u16, String),
    /// No server has answered.
    Unreachable(String),
}

/// Passes a write on to the first server that answers.
pub fn forward(config: &EdgeConfig, name: &ListName, method: &str, body: &[u8]) -> Forwarded {
    let mut last = String::new();
    for upstream in &config.upstreams {
        let sent = client(config, upstream, name).and_then(|client| client.send(method, body.to_vec()));
        match sent {
            Ok(answer) => return Forwarded::Done(answer),
            Err(ClientError::Status { status, what, .. }) => return Forwarded::Refused(status, what),
            Err(error) => last = hide_secrets(&error.to_string()),
        }
    }
    Forwarded::Unreachable(last)
}

/// Returns a list of a server.
pub(super) fn client(
    config: &EdgeConfig,
    upstream: &str,
    name: &ListName,
) -> Result<ListClient, ClientError> {
    let address = format!("{}/v1/lists/{name}", upstream.trim_end_matches('/'));
    ListClient::of(&address, config.token.clone())
}

/// Returns the names of the lists of the first server that answers.
pub(super) fn names(config: &EdgeConfig) -> Result<Vec<ListName>, String> {
    let any = ListName::parse(ANY).map_err(|e| e.to_string())?;
    let mut last = String::new();
    for upstream in &config.upstreams {
        match client(config, upstream, &any).and_then(|client| client.names()) {
            Ok(names) => return Ok(names),
            Err(error) => last = hide_secrets(&error.to_string()),
        }
    }
    Err(last)
}
