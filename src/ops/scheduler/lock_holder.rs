//! The run that holds a job's lock, as stored in the lock.

use serde::{Deserialize, Serialize};

use crate::process::{Identity, Liveness};
use crate::run_history::RunRecord;

/// The run that holds a job's lock, and its process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct LockHolder {
    pub run: String,
    pub machine: String,
    boot: String,
    namespace: String,
    pub process: u32,
    start_ticks: Option<u64>,
}

impl LockHolder {
    pub fn of(record: &RunRecord) -> LockHolder {
        LockHolder {
            run: record.id.clone(),
            machine: record.machine.clone(),
            boot: record.boot.clone(),
            namespace: record.namespace.clone(),
            process: record.process,
            start_ticks: record.process_start_ticks,
        }
    }

    /// Parses the content of a lock; `None` if it is empty or incomplete.
    pub fn parse(note: &str) -> Option<LockHolder> {
        serde_json::from_str(note).ok().filter(|holder: &LockHolder| !holder.run.is_empty())
    }

    /// Returns the content for the lock.
    pub fn note(&self) -> String {
        // Strings and numbers can always be serialized.
        serde_json::to_string(self).expect("a holder has only strings and numbers")
    }

    pub fn liveness(&self) -> Liveness {
        self.identity().liveness()
    }

    /// Returns the identity of its process.
    pub fn identity(&self) -> Identity {
        Identity {
            machine: self.machine.clone(),
            boot: self.boot.clone(),
            namespace: self.namespace.clone(),
            process: self.process,
            start_ticks: self.start_ticks,
        }
    }
}
