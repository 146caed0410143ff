//! The state of a run: ended, running, or abandoned.

use crate::process::{Identity, Liveness};
use crate::run_history::record::{Outcome, RunRecord};

/// The state of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    Ended(Outcome),
    /// Its process is alive.
    Running,
    /// It is on another host or in another container, so that its process cannot be checked.
    PerhapsRunning,
    /// Its process died without recording an end.
    NeverEnded,
}

impl RunRecord {
    /// Returns the identity of the run's process.
    pub fn identity(&self) -> Identity {
        Identity {
            machine: self.machine.clone(),
            boot: self.boot.clone(),
            namespace: self.namespace.clone(),
            process: self.process,
            start_ticks: self.process_start_ticks,
        }
    }

    /// Sets the process of the run.
    pub fn set_process(&mut self, identity: Identity) {
        let Identity { machine, boot, namespace, process, start_ticks } = identity;
        (self.machine, self.boot, self.namespace) = (machine, boot, namespace);
        (self.process, self.process_start_ticks) = (process, start_ticks);
    }

    /// Returns the state of the run, as far as this host can tell.
    pub fn state(&self) -> RunState {
        if self.outcome != Outcome::Started {
            return RunState::Ended(self.outcome);
        }
        match self.identity().liveness() {
            Liveness::Alive => RunState::Running,
            Liveness::Unknown => RunState::PerhapsRunning,
            Liveness::Dead => RunState::NeverEnded,
        }
    }
}

impl RunState {
    /// Returns the name shown in tables.
    pub fn name(self) -> &'static str {
        match self {
            RunState::Running => "running",
            RunState::PerhapsRunning => "running?",
            RunState::NeverEnded => "never ended",
            RunState::Ended(outcome) => outcome.name(),
        }
    }

    /// Returns whether the run ended without success.
    pub fn is_failure(self) -> bool {
        match self {
            RunState::Running | RunState::PerhapsRunning => false,
            RunState::NeverEnded => true,
            RunState::Ended(outcome) => outcome.is_failure(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_without_an_end_is_of_a_running_or_an_abandoned_run() {
        let mut record = RunRecord::default();
        record.set_process(Identity::own());
        assert_eq!(record.state(), RunState::Running);
        record.process_start_ticks = record.process_start_ticks.map(|ticks| ticks + 1);
        assert_eq!(record.state(), RunState::NeverEnded);
        record.machine = "another".to_owned();
        assert_eq!(record.state(), RunState::PerhapsRunning);
        record.outcome = Outcome::Done;
        assert_eq!(record.state(), RunState::Ended(Outcome::Done));
    }
}
