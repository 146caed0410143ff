//! Many events, stored by column.

use crate::model::{Amount, Interner, PathSets, Timestamp, Units};

/// Stands for no amount: no amount has so many digits.
const NO_AMOUNT: i64 = i64::MIN;
/// Stands for no version.
const NO_VERSION: i64 = i64::MIN;

/// One line of a purchase log, with its categories and type by number.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    pub ts: Timestamp,
    /// Never empty.
    pub event_id: Option<&'a str>,
    pub item_id: &'a str,
    /// Number in [`Events::path_sets`].
    pub path_set: u32,
    /// Index into [`Events::event_types`].
    pub event_type: u32,
    /// Units sold; negative for a return.
    pub quantity: Units,
    pub amount: Option<Amount>,
    /// Of the events with one id, the one with the greatest version counts; greater than [`i64::MIN`].
    pub version: Option<i64>,
}

/// The events of one batch, in the order of its lines.
#[derive(Default)]
pub struct Events {
    /// The distinct sets of paths of the events.
    pub path_sets: PathSets,
    /// The distinct event types.
    pub event_types: Vec<String>,
    ts: Vec<Timestamp>,
    item: Vec<u32>,
    items: Interner,
    path_set: Vec<u32>,
    event_type: Vec<u32>,
    quantity: Vec<Units>,
    amount: Vec<i64>,
    ids: String,
    /// Where each event's id ends in the text; none at all while no event has one.
    id_ends: Vec<usize>,
    /// None at all while no event has one.
    versions: Vec<i64>,
}

impl Events {
    /// Appends one event.
    pub fn push(&mut self, event: &Event<'_>) {
        if event.event_id.is_some() && self.id_ends.is_empty() {
            self.id_ends.resize(self.ts.len(), 0);
        }
        if event.event_id.is_some() || !self.id_ends.is_empty() {
            self.ids.push_str(event.event_id.unwrap_or_default());
            self.id_ends.push(self.ids.len());
        }
        if event.version.is_some() && self.versions.is_empty() {
            self.versions.resize(self.ts.len(), NO_VERSION);
        }
        if event.version.is_some() || !self.versions.is_empty() {
            self.versions.push(event.version.unwrap_or(NO_VERSION));
        }
        self.ts.push(event.ts);
        self.item.push(self.items.code(event.item_id));
        self.path_set.push(event.path_set);
        self.event_type.push(event.event_type);
        self.quantity.push(event.quantity);
        self.amount.push(event.amount.map_or(NO_AMOUNT, Amount::ten_thousandths));
    }

    /// Appends the events of another batch, in their order.
    pub fn append(&mut self, other: &Events) {
        let path_sets: Vec<u32> = (0..other.path_sets.len() as u32)
            .map(|code| self.path_sets.code(&other.path_sets.set(code)))
            .collect();
        let event_types: Vec<u32> = other.event_types.iter().map(|of| self.code_of_type(of)).collect();
        for row in 0..other.len() {
            let event = other.event(row);
            self.push(&Event {
                path_set: path_sets[event.path_set as usize],
                event_type: event_types[event.event_type as usize],
                ..event
            });
        }
    }

    /// Returns the index of an event type, new or known.
    pub fn code_of_type(&mut self, event_type: &str) -> u32 {
        let known = self.event_types.iter().position(|of| of == event_type);
        let code = known.unwrap_or_else(|| {
            self.event_types.push(event_type.to_owned());
            self.event_types.len() - 1
        });
        u32::try_from(code).expect("there are fewer event types than events")
    }

    /// Returns one event.
    pub fn event(&self, row: usize) -> Event<'_> {
        Event {
            ts: self.ts(row),
            event_id: self.event_id(row),
            item_id: self.items.name(self.item(row)),
            path_set: self.path_set(row),
            event_type: self.event_type(row),
            quantity: self.quantity(row),
            amount: self.amount(row).and_then(|amount| Amount::from_ten_thousandths(amount.into())),
            version: self.version(row),
        }
    }

    /// Returns when an event was.
    pub fn ts(&self, row: usize) -> Timestamp {
        self.ts[row]
    }

    /// Returns an event's own id, if it has one.
    pub fn event_id(&self, row: usize) -> Option<&str> {
        let end = *self.id_ends.get(row)?;
        let start = if row == 0 { 0 } else { self.id_ends[row - 1] };
        (start < end).then(|| &self.ids[start..end])
    }

    /// Returns whether any event has an id of its own.
    pub fn have_ids(&self) -> bool {
        !self.id_ends.is_empty()
    }

    /// Returns the number of an event's item.
    pub fn item(&self, row: usize) -> u32 {
        self.item[row]
    }

    /// Returns the items' ids, by number.
    pub fn items(&self) -> &Interner {
        &self.items
    }

    /// Returns the number of an event's set of paths.
    pub fn path_set(&self, row: usize) -> u32 {
        self.path_set[row]
    }

    /// Returns the index of an event's type.
    pub fn event_type(&self, row: usize) -> u32 {
        self.event_type[row]
    }

    /// Returns how many units an event moved.
    pub fn quantity(&self, row: usize) -> Units {
        self.quantity[row]
    }

    /// Returns an event's amount in ten-thousandths, if it has one.
    pub fn amount(&self, row: usize) -> Option<i64> {
        Some(self.amount[row]).filter(|&amount| amount != NO_AMOUNT)
    }

    /// Returns an event's version, if it has one.
    pub fn version(&self, row: usize) -> Option<i64> {
        self.versions.get(row).copied().filter(|&version| version != NO_VERSION)
    }

    /// Returns how many events there are.
    pub fn len(&self) -> usize {
        self.ts.len()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ts.is_empty()
    }
}
