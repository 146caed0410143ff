//! The word that lets a waiting runner go: one line of JSON on its standard input.

use serde::{Deserialize, Serialize};

use crate::job_spec::Job;
use topsell_core::model::Timestamp;

/// What a runner that waits at the gate is told to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Go {
    pub job: Job,
    /// When the run was due, RFC 3339; none where someone runs the job by hand.
    pub at: Option<String>,
    /// From 1; higher where the same due run is begun again after its owner died.
    pub attempt: u32,
}

/// A line at the gate makes no sense.
#[derive(Debug, thiserror::Error)]
pub enum GoError {
    #[error("no line for the gate: {0}")]
    Unreadable(#[from] serde_json::Error),
    #[error("the line at the gate names no moment: `{0}`")]
    NoMoment(String),
}

impl Go {
    /// Reads a line.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(line: &str) -> Result<Go, GoError> {
        let go: Go = serde_json::from_str(line)?;
        match &go.at {
            Some(at) if Timestamp::parse(at).is_err() => Err(GoError::NoMoment(at.clone())),
            _ => Ok(go),
        }
    }

    /// Returns the line, with its end.
    ///
    /// # Errors
    /// Refuses a job whose paths are no UTF-8.
    pub fn line(&self) -> Result<String, GoError> {
        Ok(serde_json::to_string(self)? + "\n")
    }

    /// Returns when the run was due.
    pub fn due(&self) -> Option<Timestamp> {
        Timestamp::parse(self.at.as_ref()?).ok()
    }
}
