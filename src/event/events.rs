//! Many events side by side, one column for each part.

use crate::event::{Amount, Names, PathSet};
use crate::time::Timestamp;

/// One line of a purchase log, with its categories and type by number.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    pub ts: Timestamp,
    pub event_id: Option<&'a str>,
    pub item_id: &'a str,
    /// Index into [`Events::path_sets`].
    pub path_set: u32,
    /// Index into [`Events::event_types`].
    pub event_type: u32,
    /// Units sold; negative for a return.
    pub quantity: i64,
    pub amount: Option<Amount>,
}

/// The events of one batch, in the order of its lines.
#[derive(Default)]
pub struct Events {
    /// The distinct sets of paths that the events lie in.
    pub path_sets: Vec<PathSet>,
    /// The distinct event types.
    pub event_types: Vec<String>,
    ts: Vec<Timestamp>,
    event_id: Vec<Option<(usize, usize)>>,
    item: Vec<u32>,
    items: Names,
    texts: String,
    path_set: Vec<u32>,
    event_type: Vec<u32>,
    quantity: Vec<i64>,
    amount: Vec<Option<Amount>>,
}

impl Events {
    /// Appends one event.
    pub fn push(&mut self, event: &Event<'_>) {
        self.ts.push(event.ts);
        let id = event.event_id.map(|id| self.keep(id));
        self.event_id.push(id);
        self.item.push(self.items.code(event.item_id));
        self.path_set.push(event.path_set);
        self.event_type.push(event.event_type);
        self.quantity.push(event.quantity);
        self.amount.push(event.amount);
    }

    /// Returns one event.
    pub fn event(&self, row: usize) -> Event<'_> {
        Event {
            ts: self.ts[row],
            event_id: self.event_id[row].map(|span| self.text(span)),
            item_id: self.items.name(self.item[row]),
            path_set: self.path_set[row],
            event_type: self.event_type[row],
            quantity: self.quantity[row],
            amount: self.amount[row],
        }
    }

    /// Returns for each event the place of its item in byte order, to sort events by.
    pub fn item_order(&self) -> Vec<u32> {
        let mut codes: Vec<u32> = (0..).take(self.items.len()).collect();
        codes.sort_unstable_by(|a, b| self.items.name(*a).cmp(self.items.name(*b)));
        let mut places = vec![0; codes.len()];
        for (place, code) in (0..).zip(codes) {
            places[code as usize] = place;
        }
        self.item.iter().map(|&item| places[item as usize]).collect()
    }

    /// Returns when an event was.
    pub fn ts(&self, row: usize) -> Timestamp {
        self.ts[row]
    }

    /// Returns how many events there are.
    pub fn len(&self) -> usize {
        self.ts.len()
    }

    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ts.is_empty()
    }

    fn keep(&mut self, text: &str) -> (usize, usize) {
        let start = self.texts.len();
        self.texts.push_str(text);
        (start, self.texts.len())
    }

    fn text(&self, (start, end): (usize, usize)) -> &str {
        &self.texts[start..end]
    }
}
