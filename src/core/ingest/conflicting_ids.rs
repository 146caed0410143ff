//! Finds event ids that came with the same item and other content within one run.
//!
//! Events are compared within each [`EVENTS_AT_A_TIME`] of a run, which bounds the memory to 28 MiB; the
//! rollup compares all. Events whose version says which is the newer one are not meant.
//!
//! Invariant: nothing is held while no event has an id, and the result depends on the order of the inputs
//! alone.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashMap, HashSet};

use crate::model::Events;

/// How many events are compared with each other.
const EVENTS_AT_A_TIME: usize = 1 << 21;
/// How many bits the filter has: an event that is the first of its id meets another's bit seldom.
const FILTER_BITS: usize = EVENTS_AT_A_TIME * 16;

/// The events with ids that were read last.
#[derive(Default)]
pub(super) struct ConflictingIds {
    hasher: DefaultHashBuilder,
    /// What identifies each event, hashed.
    keys: Vec<u64>,
    /// The content of each, hashed.
    contents: Vec<u32>,
    /// The input of the events from a position on.
    inputs: Vec<(usize, usize)>,
    /// A bit for each key.
    filter: Vec<u64>,
    /// Keys whose bit was set before: all that came twice, and few others.
    suspects: HashSet<u64>,
    found: Found,
}

/// How many ids are in conflict, and the first input that has such an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub ids: u64,
    pub input: Option<usize>,
}

/// The hashes of what a batch's numbers stand for, which are of this batch alone.
struct Hashes {
    items: Vec<u64>,
    event_types: Vec<u64>,
    /// The order of paths does not matter to a set.
    path_sets: Vec<u64>,
}

impl Hashes {
    fn of(events: &Events, hasher: &DefaultHashBuilder) -> Hashes {
        let sets = (0..events.path_sets.len() as u32).map(|code| events.path_sets.set(code));
        Hashes {
            items: events.items().iter().map(|item| hasher.hash_one(item)).collect(),
            event_types: events.event_types.iter().map(|name| hasher.hash_one(name)).collect(),
            path_sets: sets.map(|set| hasher.hash_one(set)).collect(),
        }
    }
}

impl ConflictingIds {
    /// Adds the events of an input.
    pub fn add(&mut self, input: usize, events: &Events) {
        if !events.have_ids() {
            return;
        }
        // A stream may have a batch for each line.
        if self.inputs.last().is_none_or(|(_, last)| *last != input) {
            self.inputs.push((self.keys.len(), input));
        }
        let hashes = Hashes::of(events, &self.hasher);
        for row in 0..events.len() {
            let Some(id) = events.event_id(row) else { continue };
            if self.keys.len() == EVENTS_AT_A_TIME {
                self.compare();
                self.inputs = vec![(0, input)];
            }
            let (ts, quantity) = (events.ts(row), events.quantity(row));
            let item = hashes.items[events.item(row) as usize];
            let event_type = hashes.event_types[events.event_type(row) as usize];
            let day = ts.micros().div_euclid(86_400_000_000);
            let event = (id, item, event_type, day, quantity.is_negative(), events.version(row));
            let paths = hashes.path_sets[events.path_set(row) as usize];
            let content = (ts.micros(), quantity, events.amount(row), paths);
            self.push(self.hasher.hash_one(event), self.hasher.hash_one(content) as u32);
        }
    }

    /// Returns what was found in all events.
    pub fn finish(&mut self) -> Found {
        self.compare();
        self.found
    }

    fn push(&mut self, key: u64, content: u32) {
        if self.filter.is_empty() {
            // Fresh memory is clear already.
            self.filter = vec![0; FILTER_BITS / 64];
        }
        let bit = key as usize % FILTER_BITS;
        let (word, bit) = (&mut self.filter[bit / 64], 1 << (bit % 64));
        if *word & bit != 0 {
            self.suspects.insert(key);
        }
        *word |= bit;
        self.keys.push(key);
        self.contents.push(content);
    }

    /// Compares the events that were added last, and forgets them.
    fn compare(&mut self) {
        // The content that a key came with; none where it came with several.
        let mut known: HashMap<u64, Option<u32>> = HashMap::new();
        let events = self.keys.iter().zip(&self.contents).enumerate();
        for (at, (key, &content)) in events.filter(|(_, (key, _))| self.suspects.contains(*key)) {
            let first = known.entry(*key).or_insert(Some(content));
            if first.is_some_and(|first| first != content) {
                *first = None;
                self.found.ids += 1;
                let input = self.inputs.iter().rev().find(|(from, _)| *from <= at);
                self.found.input = self.found.input.or(input.map(|(_, input)| *input));
            }
        }
        self.keys.clear();
        self.contents.clear();
        self.inputs.clear();
        self.suspects.clear();
        self.filter = Vec::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Event, RawCategories, Timestamp, Units};

    /// An id, an item, a quantity and a version.
    type Line<'a> = (&'a str, &'a str, i64, Option<i64>);

    /// Checks what is found in the lines of some inputs.
    fn check(inputs: &[&[Line<'_>]], ids: u64, input: Option<usize>) {
        let mut found = ConflictingIds::default();
        for (number, lines) in inputs.iter().enumerate() {
            let mut events = Events::default();
            events.event_types.push("purchase".to_owned());
            let path_set = events.path_sets.read(&RawCategories::Text("Food")).expect("it is a path");
            let ts = Timestamp::parse("2017-01-14T10:00:00Z").expect("a good moment");
            for &(id, item_id, quantity, version) in *lines {
                let event_id = Some(id).filter(|id| !id.is_empty());
                events.push(&Event {
                    ts,
                    event_id,
                    item_id,
                    path_set,
                    event_type: 0,
                    quantity: Units::whole(quantity).expect("it is small"),
                    amount: None,
                    version,
                });
            }
            found.add(number, &events);
        }
        assert_eq!(found.finish(), Found { ids, input }, "{inputs:?}");
    }

    #[test]
    fn ids_with_the_same_item_and_other_content_are_found() {
        let line = |id: &'static str, item: &'static str, quantity: i64| (id, item, quantity, None);
        check(&[&[line("1", "a", 1), line("1", "a", 1), line("1", "b", 2), line("1", "a", -1)]], 0, None);
        check(&[&[line("1", "a", 1), line("1", "a", 2), line("1", "a", 3)]], 1, Some(0));
        check(
            &[&[line("1", "a", 1)], &[line("2", "a", 1)], &[line("2", "a", 2), line("1", "a", 2)]],
            2,
            Some(2),
        );
        check(&[&[line("", "a", 1), line("", "a", 2)]], 0, None);
        let newer = |version: i64, quantity: i64| ("1", "a", quantity, Some(version));
        check(&[&[newer(1, 1), newer(2, 2), newer(2, 2)]], 0, None);
        check(&[&[newer(1, 1), newer(1, 2)]], 1, Some(0));
    }
}
