//! The value that each category of a ranking has in a target, and the hash that it is named by.
//!
//! A value has what changes only with the sales of its category: ranks, ids, names, units, purchases, amounts. The end
//! of the window is in the index, and scores and ages are left out, since with them every value would change with every
//! hour.
//!
//! Invariant: the same rows give the same bytes and the same hash, whenever they were ranked.

use std::collections::BTreeMap;
use std::io;

use bytes::Bytes;

use topsell_core::model::Timestamp;
use topsell_core::parquet_format::RankedRow;
use topsell_core::rankings::{Snapshot, SnapshotError};
use topsell_output::formats::{Answer, Column, ColumnType, Format, JsonField, Table, Value};
use topsell_output::terminal::TerminalOptions;

/// The name of the whole shop in an index; no path of a category begins with a slash.
pub const WHOLE_SHOP: &str = "/";
/// Digits of a hash in the name of a value: 96 bits, enough for all values that a target ever has.
const NAME_DIGITS: usize = 24;

const COLUMNS: [Column; 9] = [
    Column::new("rank", ColumnType::Integer),
    Column::new("item_id", ColumnType::Text),
    Column::new("units", ColumnType::Units),
    Column::new("purchases", ColumnType::Integer),
    Column::new("amount", ColumnType::Amount),
    Column::new("name", ColumnType::Text).json(JsonField::WhenPresent),
    Column::new("window_units", ColumnType::Units),
    Column::new("window_purchases", ColumnType::Integer),
    Column::new("window_amount", ColumnType::Amount),
];

/// What a value is in Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// A string with a JSON document.
    Json,
    /// A sorted set of item ids, by rank.
    SortedSet,
}

/// A category's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CategoryValue {
    /// A JSON document on one line.
    pub json: Bytes,
    /// The item ids, best first.
    pub items: Vec<String>,
    /// The hash of the value in its encoding, in hexadecimal digits.
    pub hash: String,
}

/// A published ranking as the values of its categories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RankingValues {
    /// The name of the ranking's file, which has the hash of its content in it.
    pub ranking: String,
    /// The end of its window.
    pub as_of: Timestamp,
    pub by: &'static str,
    /// By category path, `/` for the whole shop.
    pub categories: BTreeMap<String, CategoryValue>,
}

impl RankingValues {
    /// Returns the values of a ranking, each with so many of the best items at most.
    ///
    /// # Errors
    /// Fails where the ranking is damaged.
    pub fn of(snapshot: &Snapshot, limit: usize, encoding: Encoding) -> Result<RankingValues, SnapshotError> {
        let metadata = snapshot.metadata();
        let by = metadata.by.name();
        let mut categories = BTreeMap::new();
        for rows in snapshot.categories() {
            let rows = rows?;
            let Some(first) = rows.first() else { continue };
            let name = first.category.as_deref().unwrap_or(WHOLE_SHOP).to_owned();
            categories.insert(name, value_of(&rows, limit, by, encoding));
        }
        Ok(RankingValues { ranking: snapshot.name().to_owned(), as_of: metadata.as_of, by, categories })
    }
}

fn value_of(rows: &[RankedRow<'_>], limit: usize, by: &'static str, encoding: Encoding) -> CategoryValue {
    let rows = &rows[..limit.min(rows.len())];
    let json = json_of(rows, by);
    let items: Vec<String> = rows.iter().map(|row| row.item_id.clone().into_owned()).collect();
    let mut hasher = blake3::Hasher::new();
    match encoding {
        Encoding::Json => {
            hasher.update(&json);
        }
        // Two categories with the same items have a key each, so that neither removes the other's.
        Encoding::SortedSet => {
            let category = rows.first().and_then(|row| row.category.as_deref()).unwrap_or(WHOLE_SHOP);
            for text in [category].into_iter().chain(items.iter().map(String::as_str)) {
                hasher.update(&text.len().to_le_bytes()).update(text.as_bytes());
            }
        }
    }
    let mut hash = hasher.finalize().to_hex().to_string();
    hash.truncate(NAME_DIGITS);
    CategoryValue { json, items, hash }
}

/// Returns the fields of `show --format json` that change only when something is sold or returned.
fn json_of(rows: &[RankedRow<'_>], by: &'static str) -> Bytes {
    let first = rows.first();
    let hours = |row: &RankedRow<'_>| {
        i64::from(row.window_to.hour().number()) - i64::from(row.window_from.hour().number())
    };
    let answer = Answer {
        envelope: vec![
            ("category", first.and_then(|row| row.category.as_deref()).into()),
            ("by", by.into()),
            ("window_hours", first.map(hours).into()),
            ("eligible_items", first.map(|row| row.eligible_items).into()),
            ("is_extended", first.and_then(RankedRow::is_extended).map_or(Value::None, Value::Flag)),
        ],
        tables: vec![Table::new("items", &COLUMNS, rows.iter().map(values).collect::<Vec<_>>())],
        ..Answer::default()
    };
    let mut json = Vec::new();
    let written: io::Result<()> = answer.write(Format::Json, TerminalOptions::PLAIN, &mut json);
    written.expect("memory takes every byte");
    json.into()
}

fn values(row: &RankedRow<'_>) -> Vec<Value> {
    // Of the ranking's window, where that of the category is extended.
    let window = row.window_aggregate();
    vec![
        Value::Integer(row.rank.into()),
        (*row.item_id).into(),
        row.aggregate.units.into(),
        row.aggregate.purchases.into(),
        Value::Amount(row.aggregate.amount),
        row.name.as_deref().into(),
        window.map(|window| window.units).into(),
        window.map(|window| window.purchases).into(),
        window.map_or(Value::None, |window| Value::Amount(window.amount)),
    ]
}
