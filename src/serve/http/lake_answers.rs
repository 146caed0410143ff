//! Answers that are read from the lake and from the events that are not in it yet, beside the connections.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, Response, StatusCode};

use crate::http::answers::{error, not_done, tagged, unavailable};
use crate::http::state::State;
use topsell_core::lake::UncommittedBatch;
use topsell_core::rollup::RollupError;
use topsell_core::storage::Store;
use topsell_output::answers::CountError;
use topsell_output::formats::{Answer, Format};
use topsell_output::terminal::TerminalOptions;

/// Why an answer was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadFailure {
    #[error(transparent)]
    Rollup(#[from] RollupError),
    /// What was asked for does not exist.
    #[error("{0}")]
    NotFound(String),
}

impl From<CountError> for ReadFailure {
    fn from(error: CountError) -> ReadFailure {
        match error {
            CountError::Rollup(error) => error.into(),
            CountError::UnknownCategory { .. } => ReadFailure::NotFound(error.to_string()),
        }
    }
}

/// Answers a request with the bytes that `read` returns, given the lake and what is not in it yet, and with `headers`.
pub async fn from_lake<R>(
    state: Arc<State>,
    request: &HeaderMap,
    headers: &[(&'static str, String)],
    read: R,
) -> Response<Body>
where
    R: FnOnce(&Store, &[Arc<UncommittedBatch>]) -> Result<Vec<u8>, ReadFailure> + Send + 'static,
{
    let worker_state = Arc::clone(&state);
    match state.readers.run(move || answer(&worker_state, read)).await {
        Ok(Some(Ok(body))) => tagged(request, body, "no-cache", headers),
        Ok(Some(Err(ReadFailure::Rollup(e)))) => error(StatusCode::INTERNAL_SERVER_ERROR, &e.to_string()),
        Ok(Some(Err(ReadFailure::NotFound(what)))) => error(StatusCode::NOT_FOUND, &what),
        Ok(None) => unavailable("the server is reading its log"),
        Err(why) => not_done(why),
    }
}

/// Returns the bytes of an answer; none while the log is being read.
fn answer(
    state: &State,
    read: impl FnOnce(&Store, &[Arc<UncommittedBatch>]) -> Result<Vec<u8>, ReadFailure>,
) -> Option<Result<Vec<u8>, ReadFailure>> {
    let live = state.live.get()?;
    // Before the lake is read, so that what is moved there meanwhile is found in either.
    let uncommitted = match live.uncommitted.batches() {
        Ok(uncommitted) => uncommitted,
        Err(error) => return Some(Err(RollupError::from(error).into())),
    };
    Some(read(&state.store, &uncommitted))
}

/// Returns an answer as the commands print it with `--json`.
pub fn json(answer: Answer<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    answer.write(Format::Json, TerminalOptions::PLAIN, &mut bytes).expect("memory can be written to");
    bytes
}
