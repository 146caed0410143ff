//! One row of a ranking file.

use std::borrow::Cow;

use crate::model::{Aggregate, DayUnits, Timestamp, Units};

/// One item's rank in one category.
#[derive(Clone, Debug, PartialEq)]
pub struct RankedRow<'a> {
    /// The path; `None` is the whole shop.
    pub category: Option<Cow<'a, str>>,
    pub rank: i32,
    pub item_id: Cow<'a, str>,
    pub name: Option<Cow<'a, str>>,
    pub score: f64,
    pub aggregate: Aggregate,
    pub window_from: Timestamp,
    pub window_to: Timestamp,
    /// How many items are eligible in the category.
    pub eligible_items: i64,
    /// The first item of the category that is not listed, and its score; none in older files.
    pub next: Option<(Cow<'a, str>, f64)>,
    /// `None` in older files, written before units were reported by day.
    pub details: Option<RowDetails>,
}

/// What a row has besides its item's rank and aggregate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowDetails {
    /// Units on each of the last seven days, oldest first.
    pub days: DayUnits,
    /// The aggregate of all eligible items of the category.
    pub eligible: Aggregate,
    /// `None` in older files, which have no figures of the ranking's window.
    pub window: Option<WindowFigures>,
}

/// Figures of the ranking's window, whether the category's is extended or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowFigures {
    /// The item's aggregate, where the category's window is extended; otherwise it is that of the row.
    pub item: Option<Aggregate>,
    /// The aggregate of all items of the category, eligible or not.
    pub category: Aggregate,
}

impl RowDetails {
    /// Returns the units of all seven days; `None` where they exceed 64 bits.
    pub fn week(&self) -> Option<Units> {
        week_of(&self.days)
    }
}

/// Returns the units of all days; `None` where they exceed 64 bits.
pub(super) fn week_of(days: &DayUnits) -> Option<Units> {
    days.iter().try_fold(Units::ZERO, |sum, day| sum.checked_add(*day))
}

impl RankedRow<'_> {
    /// Returns the item's aggregate over the ranking's window, whether the category's is extended or not; `None` in
    /// older files.
    pub fn window_aggregate(&self) -> Option<Aggregate> {
        let figures = self.details?.window?;
        Some(figures.item.unwrap_or(self.aggregate))
    }

    /// Returns whether the category's window is extended; `None` in older files.
    pub fn is_extended(&self) -> Option<bool> {
        Some(self.details?.window?.item.is_some())
    }

    /// Returns the row with texts of its own.
    pub fn into_owned(self) -> RankedRow<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        RankedRow {
            category: self.category.map(owned),
            rank: self.rank,
            item_id: owned(self.item_id),
            name: self.name.map(owned),
            score: self.score,
            aggregate: self.aggregate,
            window_from: self.window_from,
            window_to: self.window_to,
            eligible_items: self.eligible_items,
            next: self.next.map(|(item_id, score)| (owned(item_id), score)),
            details: self.details,
        }
    }
}
