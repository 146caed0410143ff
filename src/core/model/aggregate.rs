//! Aggregates of events, and tables of them by item, set of category paths and hour.
//!
//! Invariant: aggregates add: merging any split of the events, in any order, gives the same aggregates.

use std::borrow::Cow;
use std::fmt;

use crate::model::decimal::write_ten_thousandths;
use crate::model::{Amount, DAYS, Hour, Interner, Units, category_of_set};

/// Units of each of seven days, oldest first.
pub type DayUnits = [Units; DAYS];

/// What any number of events add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Aggregate {
    /// How many events.
    pub purchases: i64,
    /// Units sold less units returned.
    pub units: Units,
    /// Money, in ten-thousandths; events without an amount add nothing.
    pub amount: i128,
}

/// The signs of an event: whether it takes back units, and whether money.
///
/// A row of aggregates has events of the same signs, so that absolute values add, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signs {
    takes_units: bool,
    takes_amount: bool,
}

/// Aggregates of an item left the range of their column, or of a score.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the aggregates of item {item_id:?} do not fit in {bits} bits")]
pub struct AggregateOverflow {
    pub item_id: String,
    pub bits: u32,
}

impl AggregateOverflow {
    /// Returns the error of an item whose aggregates do not fit in a column.
    pub fn of(item_id: &str) -> AggregateOverflow {
        AggregateOverflow { item_id: item_id.to_owned(), bits: 64 }
    }
}

impl Aggregate {
    /// Returns the aggregate of one event.
    pub fn of(quantity: Units, amount: Option<Amount>) -> Aggregate {
        Aggregate {
            purchases: 1,
            units: quantity,
            amount: amount.map_or(0, |a| i128::from(a.ten_thousandths())),
        }
    }

    /// Returns the signs of events that all have the same.
    pub fn signs(self) -> Signs {
        Signs { takes_units: self.units.is_negative(), takes_amount: self.amount < 0 }
    }

    /// Returns both added, or nothing where one does not fit.
    #[must_use]
    pub fn plus(self, other: Aggregate) -> Option<Aggregate> {
        Some(Aggregate {
            purchases: self.purchases.checked_add(other.purchases)?,
            units: self.units.checked_add(other.units)?,
            amount: self.amount.checked_add(other.amount)?,
        })
    }

    /// Returns the aggregate without another that was added to it before.
    #[must_use]
    pub fn minus(self, other: Aggregate) -> Aggregate {
        // They were added to it, so what is left fits; and if not, this is no place to panic.
        Aggregate {
            purchases: self.purchases.wrapping_sub(other.purchases),
            units: self.units.minus_part(other.units),
            amount: self.amount.wrapping_sub(other.amount),
        }
    }

    /// Returns the amount as a decimal with four places.
    pub fn amount_text(&self) -> impl fmt::Display {
        fmt::from_fn(|f| write_ten_thousandths(self.amount, f))
    }
}

/// The aggregate of one item, one set of paths and one hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AggregateRow {
    /// Number in [`AggregateRows::items`].
    pub item: u32,
    /// Number in [`AggregateRows::path_sets`].
    pub path_set: u32,
    pub hour: Hour,
    /// Whether the events are the copies that count shop-wide.
    pub is_primary: bool,
    pub aggregate: Aggregate,
}

/// The aggregate of one hour and one set of paths, of an item known to the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HourAggregate {
    pub hour: Hour,
    /// A number for the paths below one top-level category.
    pub path_set: u32,
    /// Whether the events are the copies that count shop-wide.
    pub is_primary: bool,
    pub aggregate: Aggregate,
}

impl HourAggregate {
    /// Returns the row of an item.
    pub fn of_item(self, item: u32) -> AggregateRow {
        let HourAggregate { hour, path_set, is_primary, aggregate } = self;
        AggregateRow { item, path_set, hour, is_primary, aggregate }
    }
}

/// How many rows are copied at a time: few enough for the fastest cache.
const ROWS_AT_A_TIME: usize = 256;

/// Rows in a sorted order.
///
/// Rows are scattered in memory and copied many at a time, so that cache misses overlap.
struct Sorted<'a> {
    rows: &'a [AggregateRow],
    order: Cow<'a, [u32]>,
    fetched: Vec<AggregateRow>,
    /// The next of the rows in their order.
    next: usize,
}

impl Iterator for Sorted<'_> {
    type Item = AggregateRow;

    #[inline]
    fn next(&mut self) -> Option<AggregateRow> {
        let at = self.next % ROWS_AT_A_TIME;
        if at == 0 {
            let end = self.order.len().min(self.next + ROWS_AT_A_TIME);
            self.fetched.clear();
            self.fetched.extend(self.order[self.next..end].iter().map(|&at| self.rows[at as usize]));
        }
        let row = self.fetched.get(at).copied()?;
        self.next += 1;
        Some(row)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.order.len() - self.next;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Sorted<'_> {}

/// Aggregates by item, set of paths below one top-level category, and hour, in no order.
///
/// The same key may come more than once: aggregates add.
#[derive(Default)]
pub struct AggregateRows {
    pub items: Interner,
    /// Sets of paths, each written as its paths joined by `|`; the empty text is no path.
    pub path_sets: Interner,
    pub rows: Vec<AggregateRow>,
}

impl AggregateRows {
    /// Appends other rows under this table's own numbers.
    pub fn append(&mut self, other: &AggregateRows) {
        self.append_where(other, |_| true);
    }

    /// Appends those of other rows that are wanted, under this table's own numbers.
    pub fn append_where(&mut self, other: &AggregateRows, wants: impl Fn(&AggregateRow) -> bool) {
        let items = self.items.codes_of(&other.items);
        let sets = self.path_sets.codes_of(&other.path_sets);
        self.rows.extend(other.rows.iter().filter(|row| wants(row)).map(|row| AggregateRow {
            item: items[row.item as usize],
            path_set: sets[row.path_set as usize],
            ..*row
        }));
    }

    /// Returns the rows ordered by category, item, set of paths, copy, hour and signs, as rollup files are.
    pub fn sorted(&self) -> impl ExactSizeIterator<Item = AggregateRow> {
        self.in_order_of(Cow::Owned(self.order()))
    }

    /// Returns the rows in an order that [`AggregateRows::order`] has given.
    pub fn in_order<'a>(&'a self, order: &'a [u32]) -> impl ExactSizeIterator<Item = AggregateRow> + 'a {
        self.in_order_of(Cow::Borrowed(order))
    }

    fn in_order_of<'a>(&'a self, order: Cow<'a, [u32]>) -> Sorted<'a> {
        Sorted { rows: &self.rows, order, fetched: Vec::with_capacity(ROWS_AT_A_TIME), next: 0 }
    }

    /// Returns the positions of the rows, ordered by category, item, set of paths, copy, hour and signs, as rollup
    /// files are.
    pub fn order(&self) -> Vec<u32> {
        u32::try_from(self.rows.len()).expect("fewer than 2^32 rows fit in memory");
        let sets = self.path_sets.ranks();
        let by_item = self.order_by_item(&sets);
        let categories = self.categories();
        let Some(count) = categories.iter().max().map(|last| *last as usize + 1).filter(|count| *count > 1)
        else {
            return by_item;
        };
        // A stable sort: the rows of a category stay in the order of their items.
        let category_of = |at: u32| categories[self.rows[at as usize].path_set as usize] as usize;
        counting_sort(count, by_item.iter().copied(), category_of).0
    }

    /// Returns the rank of each set's category among those of all sets.
    pub fn categories(&self) -> Vec<u32> {
        let mut names = Interner::default();
        let numbers: Vec<u32> =
            self.path_sets.iter().map(|set| names.code(category_of_set(set).unwrap_or_default())).collect();
        let ranks = names.ranks();
        numbers.into_iter().map(|number| ranks[number as usize]).collect()
    }

    fn order_by_item(&self, sets: &[u32]) -> Vec<u32> {
        let items = self.items.ranks();
        // A counting sort by item, and then each item's few rows: one pass to count, one to place.
        // Only numbers of rows are moved: all rows twice would be the most that is held of a day.
        let item_of = |at: u32| items[self.rows[at as usize].item as usize] as usize;
        let (mut sorted, ends) = counting_sort(items.len(), 0..self.rows.len() as u32, item_of);
        let mut start = 0;
        for end in ends {
            let of_item = &mut sorted[start..end as usize];
            start = end as usize;
            if of_item.len() > 1 {
                of_item.sort_by_key(|&at| {
                    let row = &self.rows[at as usize];
                    (sets[row.path_set as usize], row.is_primary, row.hour, row.aggregate.signs())
                });
            }
        }
        sorted
    }

    /// Returns whether both have the same rows, whatever numbers stand for items and sets of paths.
    pub fn is_same_as(&self, other: &AggregateRows) -> bool {
        let is_same = |(ours, theirs): (AggregateRow, AggregateRow)| {
            self.key(&ours) == other.key(&theirs) && ours.aggregate == theirs.aggregate
        };
        self.rows.len() == other.rows.len() && self.sorted().zip(other.sorted()).all(is_same)
    }

    fn key(&self, row: &AggregateRow) -> (&str, &str, bool, Hour) {
        (self.items.name(row.item), self.path_sets.name(row.path_set), row.is_primary, row.hour)
    }
}

/// Returns numbers of rows sorted by a key below a bound, and where those of each key end; those with the same key
/// stay in their order.
fn counting_sort(
    keys: usize,
    rows: impl Iterator<Item = u32> + Clone,
    key_of: impl Fn(u32) -> usize,
) -> (Vec<u32>, Vec<u32>) {
    let mut ends = vec![0_u32; keys];
    let mut count = 0;
    for at in rows.clone() {
        ends[key_of(at)] += 1;
        count += 1;
    }
    let mut start = 0;
    for end in &mut ends {
        (start, *end) = (start + *end, start);
    }
    let mut sorted = vec![0_u32; count];
    for at in rows {
        let next = &mut ends[key_of(at)];
        sorted[*next as usize] = at;
        *next += 1;
    }
    (sorted, ends)
}
