//! The events of an input in short: their times, types and ids, and the first of them.

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use crate::model::{Events, Timestamp, Units};

/// The number of events that are shown.
const FIRST_EVENTS: usize = 10;
/// The number of event ids that are compared; beyond it, the count is a lower bound.
const MAX_IDS: usize = 10_000_000;

/// The events of an input in short.
#[derive(Clone, Debug, Default)]
pub struct EventProfile {
    /// The time of the earliest and of the latest event.
    pub times: Option<(Timestamp, Timestamp)>,
    /// The number of events of each type.
    pub types: BTreeMap<String, u64>,
    /// The number of events with an id of their own.
    pub with_id: u64,
    /// The number of these whose id an earlier one has.
    pub repeated_ids: u64,
    pub first: Vec<ExampleEvent>,
    /// The hashes of the ids; the seeds are fixed, so that those of two batches can be compared.
    ids: HashSet<u64>,
}

/// One event, as it was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExampleEvent {
    pub ts: Timestamp,
    pub event_type: String,
    pub event_id: Option<String>,
    pub item_id: String,
    pub categories: Vec<String>,
    pub quantity: Units,
    /// In ten-thousandths.
    pub amount: Option<i64>,
}

impl EventProfile {
    /// Adds the events of a batch.
    pub(in crate::ingest) fn add(&mut self, events: &Events) {
        for row in 0..events.len() {
            let ts = events.ts(row);
            let (from, to) = self.times.unwrap_or((ts, ts));
            self.times = Some((from.min(ts), to.max(ts)));
            let event_type = &events.event_types[events.event_type(row) as usize];
            match self.types.get_mut(event_type) {
                Some(count) => *count += 1,
                None => drop(self.types.insert(event_type.clone(), 1)),
            }
            if let Some(id) = events.event_id(row) {
                self.with_id += 1;
                self.add_id(BuildHasherDefault::<DefaultHasher>::default().hash_one(id));
            }
            if self.first.len() < FIRST_EVENTS {
                self.first.push(example(events, row));
            }
        }
    }

    /// Adds the profile of later events.
    pub(in crate::ingest) fn merge(&mut self, later: EventProfile) {
        let EventProfile { times, types, with_id, repeated_ids, first, ids } = later;
        if let Some((from, to)) = times {
            let (known_from, known_to) = self.times.unwrap_or((from, to));
            self.times = Some((from.min(known_from), to.max(known_to)));
        }
        for (name, count) in types {
            *self.types.entry(name).or_default() += count;
        }
        self.with_id += with_id;
        self.repeated_ids += repeated_ids;
        ids.into_iter().for_each(|id| self.add_id(id));
        let room = FIRST_EVENTS - self.first.len();
        self.first.extend(first.into_iter().take(room));
    }

    /// Returns whether there are no events.
    pub fn is_empty(&self) -> bool {
        self.times.is_none()
    }

    fn add_id(&mut self, id: u64) {
        let is_new = if self.ids.len() < MAX_IDS { self.ids.insert(id) } else { !self.ids.contains(&id) };
        self.repeated_ids += u64::from(!is_new);
    }
}

impl PartialEq for EventProfile {
    fn eq(&self, other: &EventProfile) -> bool {
        (self.times, &self.types, self.with_id, self.repeated_ids, &self.first)
            == (other.times, &other.types, other.with_id, other.repeated_ids, &other.first)
    }
}

impl Eq for EventProfile {}

fn example(events: &Events, row: usize) -> ExampleEvent {
    ExampleEvent {
        ts: events.ts(row),
        event_type: events.event_types[events.event_type(row) as usize].clone(),
        event_id: events.event_id(row).map(str::to_owned),
        item_id: events.items().name(events.item(row)).to_owned(),
        categories: events.path_sets.set(events.path_set(row)).paths().to_vec(),
        quantity: events.quantity(row),
        amount: events.amount(row),
    }
}
