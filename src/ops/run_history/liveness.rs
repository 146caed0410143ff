//! How a run stands: ended, at work, or never to end.

use crate::process::{Identity, Liveness};
use crate::run_history::record::{Outcome, RunRecord};

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Ended(Outcome),
    /// Its process is at work.
    Running,
    /// It is on another machine, or in another container, from which only its record is seen.
    PerhapsRunning,
    /// Its process is gone, and nobody wrote how it ended.
    NeverEnded,
}

impl RunRecord {
    /// Returns what names the run's process.
    pub fn identity(&self) -> Identity {
        Identity {
            machine: self.machine.clone(),
            boot: self.boot.clone(),
            namespace: self.namespace.clone(),
            process: self.process,
            start_ticks: self.process_start_ticks,
        }
    }

    /// Notes which process the run is.
    pub fn is_run_by(&mut self, identity: Identity) {
        let Identity { machine, boot, namespace, process, start_ticks } = identity;
        (self.machine, self.boot, self.namespace) = (machine, boot, namespace);
        (self.process, self.process_start_ticks) = (process, start_ticks);
    }

    /// Tells how the run stands, as far as can be told from here and now.
    pub fn state(&self) -> State {
        if self.outcome != Outcome::Started {
            return State::Ended(self.outcome);
        }
        match self.identity().liveness() {
            Liveness::Alive => State::Running,
            Liveness::Unknown => State::PerhapsRunning,
            Liveness::Dead => State::NeverEnded,
        }
    }
}

impl State {
    /// Returns what a table calls it.
    pub fn word(self) -> &'static str {
        match self {
            State::Running => "running",
            State::PerhapsRunning => "running?",
            State::NeverEnded => "never ended",
            State::Ended(outcome) => outcome.word(),
        }
    }

    /// Tells whether it is over without having done what was asked.
    pub fn is_failure(self) -> bool {
        match self {
            State::Running | State::PerhapsRunning => false,
            State::NeverEnded => true,
            State::Ended(outcome) => outcome.is_failure(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_without_an_end_is_of_a_run_at_work_or_of_one_that_never_ended() {
        let mut record = RunRecord::default();
        record.is_run_by(Identity::own());
        assert_eq!(record.state(), State::Running);
        record.process_start_ticks = record.process_start_ticks.map(|ticks| ticks + 1);
        assert_eq!(record.state(), State::NeverEnded);
        record.machine = "another".to_owned();
        assert_eq!(record.state(), State::PerhapsRunning);
        record.outcome = Outcome::Done;
        assert_eq!(record.state(), State::Ended(Outcome::Done));
    }
}
