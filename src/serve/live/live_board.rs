//! A list within one window, in memory.
//!
//! Invariant: it has each record of the log once: those that were read with the lake, and those that are added after.

use topsell_core::model::{Aggregate, AggregateOverflow, Decay, EventTypes, Events, Hour, Places};
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
        let places = Places::of(&record.events.path_sets);
        // Few sets of paths have many events.
        let mut texts: Vec<Option<String>> = Vec::new();
        for (row, counts) in record.counts.iter().enumerate() {
            let event = record.events.event(row);
            let name = &record.events.event_types[event.event_type as usize];
            let Some(counting) = kind.event_types.counting(name).filter(|_| *counts == Counts::Yes) else {
                continue;
            };
            let aggregate = counting.applied_to(Aggregate::of(event.quantity, event.amount));
            for number in places.of_set(event.path_set) {
                let place = places.place(number);
                texts.resize(texts.len().max(number as usize + 1), None);
                let text = texts[number as usize].get_or_insert_with(|| {
                    let names = places.paths(place).iter().map(|path| places.path_names().name(*path));
                    names.collect::<Vec<&str>>().join("|")
                });
                self.ranking.add(event.item_id, text, (place.is_primary, event.ts.hour()), aggregate)?;
            }
        }
        Ok(())
    }
}
