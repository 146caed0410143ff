//! Rows of Parquet into fields.

use std::fs::File;

use crate::columns::{ForeignBatch, ForeignFile, ForeignTime, NotText};
use crate::event::{CategoryError, PathSet, check_path, encode_levels};
use crate::ingest::builder::{Builder, RawCategories, RawEvent, RawTime, Refusal};
use crate::ingest::lines::COLUMNS;

/// Bytes that a row takes in memory, roughly; turns a slice's bytes into rows.
const BYTES_PER_ROW: u64 = 64;
const CATEGORIES: &str = "categories";

/// Reads one Parquet file, so many rows at a time.
pub struct RowReader {
    file: ForeignFile,
    batch: Option<ForeignBatch>,
    /// Next row in the batch, and in the file.
    at: usize,
    number: u64,
}

/// Returns how many rows a slice has.
pub fn rows_per_slice(slice_bytes: u64) -> u64 {
    (slice_bytes / BYTES_PER_ROW).max(1)
}

impl RowReader {
    /// Opens the file and finds its columns.
    ///
    /// # Errors
    /// Says what it lacks.
    pub fn open(file: File) -> Result<RowReader, String> {
        let mut wanted = COLUMNS.to_vec();
        wanted.push(CATEGORIES);
        let file = ForeignFile::open(file, &wanted).map_err(|e| e.to_string())?;
        for needed in ["ts", "item_id"] {
            if !file.columns().iter().any(|column| column == needed) {
                return Err(format!("has no column `{needed}`"));
            }
        }
        Ok(RowReader { file, batch: None, at: 0, number: 1 })
    }

    /// Tells whether every row has been read.
    pub fn is_done(&self) -> bool {
        self.number > self.file.rows()
    }

    /// Reads up to so many rows into a batch.
    ///
    /// # Errors
    /// Says how the file is damaged.
    pub fn read(&mut self, rows: u64, into: &mut Builder) -> Result<(), String> {
        self.each(rows, &mut |batch, at, number| {
            if let Err(refusal) = accept(batch, at, into) {
                into.reject(number, refusal, shown(batch, at).as_bytes());
            }
        })
    }

    /// Passes over so many rows.
    ///
    /// # Errors
    /// Says how the file is damaged.
    pub fn skip(&mut self, rows: u64) -> Result<(), String> {
        self.each(rows, &mut |_, _, _| {})
    }

    fn each(&mut self, rows: u64, take: &mut dyn FnMut(&ForeignBatch, usize, u64)) -> Result<(), String> {
        for _ in 0..rows {
            if self.is_done() {
                break;
            }
            while self.batch.as_ref().is_none_or(|batch| self.at == batch.rows()) {
                let next = self.file.next().ok_or("has fewer rows than its footer says")?;
                self.batch = Some(next.map_err(|e| e.to_string())?);
                self.at = 0;
            }
            if let Some(batch) = &self.batch {
                take(batch, self.at, self.number);
            }
            self.at += 1;
            self.number += 1;
        }
        Ok(())
    }
}

fn accept(batch: &ForeignBatch, row: usize, into: &mut Builder) -> Result<(), Refusal> {
    let text = |column: &str| batch.text(column, row).map_err(|NotText| not_text(column));
    let categories = match (path_set(batch, CATEGORIES, row)?, path_set(batch, "category", row)?) {
        (Some(set), _) | (None, Some(set)) => RawCategories::Set(set),
        (None, None) => RawCategories::Text(text("category")?.unwrap_or("")),
    };
    into.accept(&RawEvent {
        ts: match batch.time(row) {
            ForeignTime::Micros(micros) => RawTime::Micros(micros),
            ForeignTime::Epoch(value) => RawTime::Epoch(value),
            ForeignTime::Text(text) => RawTime::Text(text),
            ForeignTime::Missing => RawTime::Missing,
        },
        event_id: text("event_id")?,
        item_id: text("item_id")?,
        categories,
        event_type: text("event_type")?,
        quantity: text("quantity")?,
        amount: text("amount")?,
    })
}

fn not_text(column: &str) -> Refusal {
    Refusal::of(column, format!("{column} holds something that is no UTF-8 text"))
}

/// Returns the paths that a list column gives: each a path, or a list of levels.
fn path_set(batch: &ForeignBatch, column: &str, row: usize) -> Result<Option<PathSet>, Refusal> {
    let Some(list) = batch.list(column, row).map_err(|NotText| not_text(column))? else { return Ok(None) };
    let nested = batch.is_nested(column);
    let path = |levels: &Vec<String>| -> Result<String, CategoryError> {
        match nested {
            true => encode_levels(levels.iter().map(String::as_str)),
            false => check_path(levels.first().map_or("", String::as_str)),
        }
    };
    let set = list.iter().map(path).collect::<Result<Vec<_>, _>>().and_then(PathSet::of);
    set.map(Some).map_err(|error| Refusal::of(column, format!("{column} has a path that {error}")))
}

/// Returns a row as JSON, for a person to find it by.
fn shown(batch: &ForeignBatch, row: usize) -> String {
    let mut fields = serde_json::Map::new();
    match batch.time(row) {
        ForeignTime::Micros(value) | ForeignTime::Epoch(value) => fields.insert("ts".into(), value.into()),
        ForeignTime::Text(text) => fields.insert("ts".into(), text.into()),
        ForeignTime::Missing => None,
    };
    for column in COLUMNS {
        if let Ok(Some(text)) = batch.text(column, row) {
            fields.insert(column.into(), text.into());
        }
    }
    serde_json::Value::Object(fields).to_string()
}
