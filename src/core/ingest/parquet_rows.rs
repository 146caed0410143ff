//! The rows of a Parquet file, parsed into events.

use crate::ingest::batch_builder::BatchBuilder;
use crate::ingest::fields::{
    AMOUNT, CATEGORIES, CATEGORY, CURRENCY, EVENT_ID, EVENT_TYPE, FIELDS, ITEM_ID, QUANTITY, REQUIRED, TS,
    VERSION,
};
use crate::ingest::raw_event::{RawEvent, RawTime, Rejection};
use crate::input_format::{FieldColumns, Mapping};
use crate::model::{PathSet, RawCategories};
use crate::parquet_format::{
    BadPaths, ExternalBatch, ExternalFile, ExternalRows, ExternalTime, NotText, WantedColumn,
};

/// The approximate memory of a row, by which the slice size is converted to rows.
const BYTES_PER_ROW: u64 = 64;
/// The number of bytes that are kept of a rejected row's field: many rows may share one long text.
const SHOWN_BYTES: usize = 8 << 10;

/// Parses the rows of one file.
pub(super) struct ParquetRows {
    rows: ExternalRows,
    columns: Columns,
    batch: Option<ExternalBatch>,
    /// The next row in the batch, and in the file.
    at: usize,
    number: u64,
}

/// The columns of each field, among those that are read.
struct Columns(Vec<Option<FieldColumns>>);

/// Returns the number of rows of a slice.
pub(super) fn rows_per_slice(slice_bytes: u64) -> u64 {
    (slice_bytes / BYTES_PER_ROW).max(1)
}

impl ParquetRows {
    /// Finds the columns of a file.
    ///
    /// # Errors
    /// Returns what is wrong with the file.
    pub fn of(file: ExternalFile, mapping: &Mapping) -> Result<ParquetRows, String> {
        let mut columns = mapping.columns(file.columns(), REQUIRED)?;
        // Where one of the two is mapped, the default name of the other is ignored.
        for (one, other) in [(CATEGORY, CATEGORIES), (CATEGORIES, CATEGORY)] {
            if mapping.column(one).is_some() && mapping.column(other).is_none() {
                columns[other] = None;
            }
        }
        let mut wanted = Vec::new();
        let columns = columns.into_iter().enumerate().map(|(field, columns)| {
            let mut number = |column: usize| {
                wanted.push(if is_time(field) {
                    WantedColumn::Time(column)
                } else {
                    WantedColumn::Text(column)
                });
                wanted.len() - 1
            };
            columns.map(|columns| columns.renumbered(&mut number))
        });
        let columns = Columns(columns.collect());
        let rows = file.rows(&wanted).map_err(|e| e.to_string())?;
        Ok(ParquetRows { rows, columns, batch: None, at: 0, number: 1 })
    }

    /// Returns whether every row has been read.
    pub fn is_done(&self) -> bool {
        self.number > self.rows.total()
    }

    /// Parses up to `rows` rows into a batch.
    ///
    /// # Errors
    /// Returns how the file is corrupt.
    pub fn parse(&mut self, rows: u64, into: &mut BatchBuilder<'_>) -> Result<(), String> {
        self.each(rows, &mut |columns, batch, at, number| {
            let row = Row { columns, batch, at };
            into.at_line(number);
            if let Err(rejection) = row.parse(into) {
                into.reject(number, rejection, row.to_json().as_bytes());
            }
        })
    }

    /// Skips up to `rows` rows.
    ///
    /// # Errors
    /// Returns how the file is corrupt.
    pub fn skip(&mut self, rows: u64) -> Result<(), String> {
        self.each(rows, &mut |_, _, _, _| {})
    }

    fn each(&mut self, rows: u64, take: &mut Take<'_>) -> Result<(), String> {
        for _ in 0..rows {
            if self.is_done() {
                break;
            }
            while self.batch.as_ref().is_none_or(|batch| self.at == batch.rows()) {
                let next = self.rows.next().ok_or("has fewer rows than its footer states")?;
                self.batch = Some(next.map_err(|e| e.to_string())?);
                self.at = 0;
            }
            if let Some(batch) = &self.batch {
                take(&self.columns, batch, self.at, self.number);
            }
            self.at += 1;
            self.number += 1;
        }
        Ok(())
    }
}

/// A function of a row: its columns, its batch, its index in the batch and its number in the file.
type Take<'a> = dyn FnMut(&Columns, &ExternalBatch, usize, u64) + 'a;

impl Columns {
    fn one(&self, field: usize) -> Option<usize> {
        match &self.0[field] {
            Some(FieldColumns::One(column)) => Some(*column),
            _ => None,
        }
    }
}

/// One row.
struct Row<'a> {
    columns: &'a Columns,
    batch: &'a ExternalBatch,
    at: usize,
}

impl<'a> Row<'a> {
    fn parse(&self, into: &mut BatchBuilder<'_>) -> Result<(), Rejection> {
        let levels = self.levels()?;
        let categories = match (self.path_set(CATEGORIES)?, self.path_set(CATEGORY)?) {
            (Some(set), _) | (None, Some(set)) => RawCategories::Set(set),
            // A column of text may have either name.
            (None, None) if levels.is_empty() => match self.text(CATEGORIES)?.filter(|text| !text.is_empty())
            {
                Some(text) => RawCategories::Text(text),
                None => RawCategories::Text(self.text(CATEGORY)?.unwrap_or("")),
            },
            (None, None) => RawCategories::Levels(&levels),
        };
        into.accept(&RawEvent {
            ts: self.time(TS),
            event_id: self.text(EVENT_ID)?.map(str::trim),
            item_id: self.text(ITEM_ID)?.map(str::trim),
            categories,
            event_type: self.text(EVENT_TYPE)?,
            quantity: self.text(QUANTITY)?,
            amount: self.text(AMOUNT)?,
            currency: self.text(CURRENCY)?,
            version: self.time(VERSION),
        })
    }

    fn time(&self, field: usize) -> RawTime<'a> {
        let time = self.columns.one(field).map(|column| self.batch.time(column, self.at));
        match time {
            Some(ExternalTime::Micros(micros)) => RawTime::Micros(micros),
            Some(ExternalTime::Epoch(value)) => RawTime::Epoch(value),
            Some(ExternalTime::Text(text)) => RawTime::Text(text),
            Some(ExternalTime::Missing) | None => RawTime::Missing,
        }
    }

    fn text(&self, field: usize) -> Result<Option<&'a str>, Rejection> {
        let Some(column) = self.columns.one(field) else { return Ok(None) };
        self.batch.text(column, self.at).map_err(|NotText| not_text(field))
    }

    /// Returns the levels of a category that has a column for each.
    fn levels(&self) -> Result<Vec<&'a str>, Rejection> {
        let Some(FieldColumns::Levels(columns)) = &self.columns.0[CATEGORY] else { return Ok(Vec::new()) };
        let level = |column: &usize| self.batch.text(*column, self.at).map(Option::unwrap_or_default);
        columns.iter().map(level).collect::<Result<_, _>>().map_err(|NotText| not_text(CATEGORY))
    }

    /// Returns the paths of a column of lists.
    fn path_set(&self, field: usize) -> Result<Option<PathSet>, Rejection> {
        let Some(column) = self.columns.one(field) else { return Ok(None) };
        self.batch.path_set(column, self.at).map_err(|error| match error {
            BadPaths::NotText => not_text(field),
            BadPaths::Category(error) => {
                Rejection::of_column(FIELDS[field], format!("{} has a path that {error}", FIELDS[field]))
            }
        })
    }

    /// Returns the row as JSON, for the rejects.
    fn to_json(&self) -> String {
        let mut fields = serde_json::Map::new();
        for (field, name) in FIELDS.iter().enumerate() {
            let value = match is_time(field) {
                true => match self.time(field) {
                    RawTime::Micros(value) | RawTime::Epoch(value) => Some(value.into()),
                    RawTime::Text(text) | RawTime::ShipperDate(text) => Some(prefix(text).into()),
                    RawTime::Missing => None,
                },
                false => self.text(field).ok().flatten().map(|text| prefix(text).into()),
            };
            fields.extend(value.map(|value| ((*name).to_owned(), value)));
        }
        if let Ok(levels) = self.levels()
            && !levels.is_empty()
        {
            let levels: Vec<&str> = levels.into_iter().map(prefix).collect();
            fields.insert(FIELDS[CATEGORY].into(), levels.into());
        }
        serde_json::Value::Object(fields).to_string()
    }
}

/// Returns whether a field may be a time.
fn is_time(field: usize) -> bool {
    field == TS || field == VERSION
}

fn prefix(text: &str) -> &str {
    &text[..text.floor_char_boundary(SHOWN_BYTES)]
}

fn not_text(field: usize) -> Rejection {
    Rejection::of_column(FIELDS[field], format!("{} is not UTF-8 text", FIELDS[field]))
}
