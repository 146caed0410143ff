//! Ranks of an item in the categories whose rankings it is too low for, from the item totals.

use std::collections::BTreeMap;

use crate::formats::{Column, Value};
use crate::show::error::ShowError;
use topsell_core::model::{DayUnits, Timestamp, Units};
use topsell_core::parquet_format::RankedRow;
use topsell_core::rankings::ItemTotals;
use topsell_core::storage::Store;
use topsell_core::trends::Trends;

/// The rank and totals of an item that is below a category's ranking.
pub(super) struct Unlisted {
    rank: i64,
    units: Units,
    window_units: Option<Units>,
    score: f64,
    pub days: DayUnits,
    pub as_of: Timestamp,
    /// The items above and below it, with their ranks and scores.
    beside: Vec<(i64, String, f64)>,
}

/// Returns an item's rank in every category, from the newest item totals; nothing where there are
/// none, or they are newer than the ranking.
pub(super) fn unlisted(
    store: &Store,
    trends: &Trends,
    item_id: &str,
) -> Result<BTreeMap<Option<String>, Unlisted>, ShowError> {
    let mut places = BTreeMap::new();
    let facts = trends.current().metadata();
    let fit = |totals: &ItemTotals| totals.metadata.as_of <= facts.as_of && totals.metadata.is_like(facts);
    let Some(totals) = ItemTotals::current(store)?.filter(fit) else { return Ok(places) };
    for row in totals.item(item_id)? {
        let (units, window_units, score, days) = (row.units, row.window_units, row.score, row.days);
        let as_of = totals.metadata.as_of;
        let ranks = row.ranks.into_iter().map(|(category, rank)| (Some(category), rank));
        for (category, rank) in ranks.chain(row.shop_rank.map(|rank| (None, rank))) {
            let beside = totals.ranked(category.as_deref(), &[rank - 1, rank + 1])?;
            let beside = beside.into_iter().map(|(rank, row)| (rank, row.item_id, row.score)).collect();
            places.insert(category, Unlisted { rank, units, window_units, score, days, as_of, beside });
        }
    }
    Ok(places)
}

/// Returns the values of such an item's row.
pub(super) fn unlisted_values(
    trends: &Trends,
    item_id: &str,
    category: Option<&str>,
    place: &Unlisted,
    columns: &[Column],
) -> Result<Vec<Value>, ShowError> {
    let listed = trends.current().category(category)?;
    let mut values = vec![Value::None; columns.len()];
    let mut put = |name: &str, value: Value| {
        let at = columns.iter().position(|column| column.name == name);
        values[at.expect("there is such a column")] = value;
    };
    put("item_id", item_id.into());
    put("category", category.into());
    put("rank", place.rank.into());
    put("eligible_items", listed.first().map(|row| row.eligible_items).into());
    put("units", place.units.into());
    put("window_units", place.window_units.into());
    put("score", Value::Number(place.score));
    for (rank, item_id, score) in &place.beside {
        let side = if *rank < place.rank { "above" } else { "below" };
        put(&format!("{side}_item_id"), item_id.as_str().into());
        put(&format!("{side}_score"), Value::Number(*score));
    }
    let is_of_now = place.as_of == trends.current().metadata().as_of;
    let window_from = listed.first().filter(|_| is_of_now).map(|row| row.window_from);
    put("window_from", window_from.map_or(Value::None, Value::Moment));
    put("as_of", place.as_of.into());
    let is_extended = listed.first().filter(|_| is_of_now).and_then(RankedRow::is_extended);
    put("is_extended", is_extended.map_or(Value::None, Value::Flag));
    Ok(values)
}
