//! The message that starts a prespawned worker: one line of JSON on its standard input.

use serde::{Deserialize, Serialize};

use crate::job_spec::Job;
use topsell_core::model::Timestamp;

/// What a prespawned worker is to run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StartMessage {
    pub job: Job,
    /// When the run was due, RFC 3339; `None` if the job is started by hand.
    pub at: Option<String>,
    /// From 1; higher if the due run is restarted after its process died.
    pub attempt: u32,
}

/// An invalid start message.
#[derive(Debug, thiserror::Error)]
pub enum StartMessageError {
    #[error("invalid start message: {0}")]
    InvalidJson(#[from] serde_json::Error),
    #[error("invalid due time in the start message: `{0}`")]
    InvalidTime(String),
}

impl StartMessage {
    /// Parses a line.
    ///
    /// # Errors
    /// Returns what is wrong with it.
    pub fn parse(line: &str) -> Result<StartMessage, StartMessageError> {
        let message: StartMessage = serde_json::from_str(line)?;
        match &message.at {
            Some(at) if Timestamp::parse(at).is_err() => Err(StartMessageError::InvalidTime(at.clone())),
            _ => Ok(message),
        }
    }

    /// Returns the line, with a line break.
    ///
    /// # Errors
    /// Fails if a path of the job is not UTF-8.
    pub fn line(&self) -> Result<String, StartMessageError> {
        Ok(serde_json::to_string(self)? + "\n")
    }

    /// Returns when the run was due.
    pub fn due(&self) -> Option<Timestamp> {
        Timestamp::parse(self.at.as_ref()?).ok()
    }
}
