//! A list within one window, in memory.
//!
//! Invariant: it has each record of the log once: those that were read with the lake, and those that are added after.

use topsell_core::model::{AggregateOverflow, Decay, EventTypes, Events, Hour};
use topsell_core::rank::{LiveRanking, Measure};
use topsell_core::rollup::Counts;

/// What a list is of, in every hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListKind {
    pub event_types: EventTypes,
    pub hours: u32,
    pub decay: Decay,
    pub measure: Measure,
}

/// A list within one window.
pub(super) struct Board {
    /// The number of the last record that was read with the lake.
    pub upto: u64,
    pub ranking: LiveRanking,
}

/// The events of a record of the log, and which of them count.
pub(super) struct CountedRecord {
    pub number: u64,
    pub events: Events,
    pub counts: Vec<Counts>,
}

impl Board {
    /// Returns the end of its last hour.
    pub fn as_of(&self) -> Hour {
        self.ranking.rules().window.as_of()
    }

    /// Adds the events of a record that count, unless they were read with the lake.
    ///
    /// # Errors
    /// Names the item where an aggregate exceeds its range.
    pub fn add(&mut self, kind: &ListKind, record: &CountedRecord) -> Result<(), AggregateOverflow> {
        if record.number <= self.upto {
            return Ok(());
        }
        let counts = |row: usize| record.counts.get(row) == Some(&Counts::Yes);
        self.ranking.add_events(&record.events, &kind.event_types, counts)
    }
}
