//! One item in all categories that list it, compared with earlier rankings.
//!
//! Invariant: each row group is decompressed once, however many of its categories list the item; of earlier rankings only
//! the item's own rows are read.

use std::borrow::Cow;

use hashbrown::HashMap;
use rayon::prelude::*;

use crate::parquet_format::RankedRow;
use crate::rankings::{Snapshot, SnapshotError};
use crate::trends::trend::{Trend, TrendEntry, Trends, entry_of};

/// An item's place in a category.
#[derive(Clone, Debug, PartialEq)]
pub struct ItemPlace {
    pub entry: TrendEntry,
    /// The items next to it on the list, each with its score; the one below the last that is listed, too.
    pub above: Option<(String, f64)>,
    pub below: Option<(String, f64)>,
    /// In hundredths of a percent, as [`Trend::shares`].
    pub share: Option<u32>,
    /// As [`Trend::window_shares`].
    pub window_share: Option<u32>,
}

/// An item's rank in each category, of the shop under `None`.
type Ranks = HashMap<Option<String>, i32>;

impl Trends {
    /// Returns the places of an item, in the order of the ranking.
    ///
    /// # Errors
    /// Fails where the ranking is damaged; a damaged earlier one is ignored.
    pub fn item(&self, item_id: &str) -> Result<Vec<ItemPlace>, SnapshotError> {
        let own = self.current().rows_of(&|id, _| id == item_id)?;
        let previous = self.previous().and_then(|snapshot| ranks_in(snapshot, item_id));
        let weeks: Vec<Ranks> =
            self.weeks().par_iter().filter_map(|snapshot| ranks_in(snapshot, item_id)).collect();
        let lists = self.current().lists_with(item_id)?;
        let place = |row: RankedRow<'static>| {
            let category = row.category.as_deref().map(str::to_owned);
            let list = lists.get(&category)?;
            let before = previous.as_ref().map(|ranks| ranks.get(&category).copied());
            let in_weeks = weeks.iter().filter(|ranks| ranks.contains_key(&category)).count();
            self.place(list, entry_of(row, before, u32::try_from(in_weeks).unwrap_or(u32::MAX)))
        };
        Ok(own.into_iter().filter_map(place).collect())
    }

    fn place(&self, list: &[RankedRow<'static>], entry: TrendEntry) -> Option<ItemPlace> {
        let at = list.iter().position(|row| row.item_id == entry.row.item_id)?;
        let trend = Trend::of_rows(list);
        let by = self.current().metadata().by;
        let at_place = |shares: Option<(Vec<u32>, u32)>| shares?.0.get(at).copied();
        let beside = |row: &RankedRow<'static>| (row.item_id.to_string(), row.score);
        let next = entry.row.next.as_ref().map(|(item_id, score)| (item_id.to_string(), *score));
        Some(ItemPlace {
            above: at.checked_sub(1).map(|above| beside(&list[above])),
            below: list.get(at + 1).map(beside).or(next),
            share: at_place(trend.shares(list.len(), by)),
            window_share: at_place(trend.window_shares(list.len(), by)),
            entry,
        })
    }
}

fn ranks_in(snapshot: &Snapshot, item_id: &str) -> Option<Ranks> {
    let rows = snapshot.rows_of(&|id, _| id == item_id).ok()?;
    Some(rows.into_iter().map(|row| (row.category.map(Cow::into_owned), row.rank)).collect())
}
