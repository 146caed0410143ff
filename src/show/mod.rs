//! A published ranking as text: a table to look at, JSON, NDJSON or CSV to work with.
//!
//! Invariant: answers come from the snapshot alone.

mod nearest;
mod table;

use std::io::{self, Write};

use serde::Serialize;
use serde_json::value::RawValue;

use crate::columns::RankedRow;
use crate::snapshot::{Snapshot, SnapshotError};

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `is_bright` headings are in bold type.
    Table {
        is_bright: bool,
    },
    Json,
    Ndjson,
    Csv,
}

/// A question could not be answered.
#[derive(Debug, thiserror::Error)]
pub enum ShowError {
    #[error("there is no ranking of `{category}`")]
    UnknownCategory { category: String, nearest: Vec<String> },
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    #[error(transparent)]
    Output(#[from] io::Error),
}

const SCHEMA: u32 = 1;
/// The name comes last, and only where the snapshot has names.
const CSV_COLUMNS: [&str; 8] =
    ["category", "rank", "item_id", "score", "units", "purchases", "amount", "name"];

#[derive(Serialize)]
struct Answer<'a> {
    schema: u32,
    category: Option<&'a str>,
    as_of: &'a str,
    window_from: String,
    window_to: String,
    half_life_hours: Option<f64>,
    items: Vec<Item<'a>>,
}

#[derive(Serialize)]
struct Item<'a> {
    rank: i32,
    item_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    score: f64,
    units: i64,
    purchases: i64,
    amount: String,
}

/// One line of NDJSON, which stands by itself.
#[derive(Serialize)]
struct Line<'a> {
    category: Option<&'a str>,
    #[serde(flatten)]
    item: Item<'a>,
}

#[derive(Serialize)]
struct Categories<'a> {
    schema: u32,
    as_of: &'a str,
    categories: Vec<Category<'a>>,
}

#[derive(Serialize)]
struct Category<'a> {
    category: Option<&'a str>,
    items: u64,
    rankable: i64,
    window_from: String,
    window_to: String,
}

/// Writes the best sellers of a category, of the whole shop for `None`.
///
/// # Errors
/// Names the nearest categories where there is none of that name.
pub fn category(
    snapshot: &Snapshot,
    category: Option<&str>,
    limit: usize,
    form: Form,
    out: &mut impl Write,
) -> Result<(), ShowError> {
    let mut rows = snapshot.category(category)?;
    let Some(first) = rows.first().cloned() else {
        let name = category.unwrap_or("the whole shop").to_owned();
        let known = snapshot.leaders()?.into_iter().filter_map(|leader| leader.category);
        return Err(ShowError::UnknownCategory { nearest: nearest::nearest(&name, known), category: name });
    };
    rows.truncate(limit);
    match form {
        Form::Table { is_bright } => table::category(snapshot, &first, &rows, is_bright, out)?,
        Form::Json => write_json(&answer(snapshot, &first, &rows), out)?,
        Form::Ndjson => {
            for row in &rows {
                write_json(&Line { category, item: item(row) }, out)?;
            }
        }
        Form::Csv => {
            // Told by the whole snapshot, so that all its categories have the same columns.
            let columns = if snapshot.has_names() { &CSV_COLUMNS[..] } else { &CSV_COLUMNS[..7] };
            let line = |row| {
                let mut line = csv_line(category, row).to_vec();
                line.truncate(columns.len());
                line
            };
            write_csv(columns, rows.iter().map(line), out)?;
        }
    }
    Ok(())
}

/// Writes every category, the whole shop first, with how many items it ranks.
///
/// # Errors
/// Fails where the snapshot is damaged or the output ends.
pub fn categories(
    snapshot: &Snapshot,
    limit: usize,
    form: Form,
    out: &mut impl Write,
) -> Result<(), ShowError> {
    let mut leaders = snapshot.leaders()?;
    leaders.truncate(limit);
    let lines = || {
        leaders.iter().map(|leader| Category {
            category: leader.category.as_deref(),
            items: leader.items,
            rankable: leader.rankable,
            window_from: leader.window_from.to_string(),
            window_to: leader.window_to.to_string(),
        })
    };
    match form {
        Form::Table { is_bright } => table::categories(&leaders, is_bright, out)?,
        Form::Json => {
            let categories = lines().collect();
            write_json(&Categories { schema: SCHEMA, as_of: &snapshot.as_of, categories }, out)?;
        }
        Form::Ndjson => lines().try_for_each(|line| write_json(&line, out))?,
        Form::Csv => write_csv(
            &["category", "items", "rankable", "window_from", "window_to"],
            lines().map(|line| {
                let category = line.category.unwrap_or("").to_owned();
                let numbers = [line.items.to_string(), line.rankable.to_string()];
                let [items, rankable] = numbers;
                [category, items, rankable, line.window_from, line.window_to]
            }),
            out,
        )?,
    }
    Ok(())
}

fn answer<'a>(snapshot: &'a Snapshot, first: &'a RankedRow<'_>, rows: &'a [RankedRow<'_>]) -> Answer<'a> {
    Answer {
        schema: SCHEMA,
        category: first.category.as_deref(),
        as_of: &snapshot.as_of,
        window_from: first.window_from.to_string(),
        window_to: first.window_to.to_string(),
        half_life_hours: snapshot.half_life_hours,
        items: rows.iter().map(item).collect(),
    }
}

fn item<'a>(row: &'a RankedRow<'_>) -> Item<'a> {
    Item {
        rank: row.rank,
        item_id: &row.item_id,
        name: row.name.as_deref(),
        score: row.score,
        units: row.sums.units,
        purchases: row.sums.purchases,
        amount: row.sums.amount_text().to_string(),
    }
}

fn csv_line(category: Option<&str>, row: &RankedRow<'_>) -> [String; CSV_COLUMNS.len()] {
    let Item { rank, item_id, name, score, units, purchases, amount } = item(row);
    let category = category.unwrap_or("").to_owned();
    let numbers = [score.to_string(), units.to_string(), purchases.to_string()];
    let [score, units, purchases] = numbers;
    let name = name.unwrap_or("").to_owned();
    [category, rank.to_string(), item_id.to_owned(), score, units, purchases, amount, name]
}

fn write_json(value: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    // Through a buffer, so that a broken pipe stays an error of the pipe.
    let json: Box<RawValue> = serde_json::value::to_raw_value(value)?;
    writeln!(out, "{}", json.get())
}

fn write_csv<R: AsRef<[String]>>(
    header: &[&str],
    rows: impl Iterator<Item = R>,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(out);
    csv.write_record(header)?;
    for row in rows {
        csv.write_record(row.as_ref())?;
    }
    csv.flush()
}
