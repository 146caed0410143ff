//! Rows of Parquet into fields.

use std::fs::File;

use crate::ingest::builder::{Builder, RawEvent, RawTime, Refusal};
use crate::ingest::fields::{
    AMOUNT, CATEGORIES, CATEGORY, EVENT_ID, EVENT_TYPE, FIELDS, ITEM_ID, NEEDED, QUANTITY, TS,
};
use crate::input_format::{Mapping, Place};
use crate::model::{PathSet, RawCategories};
use crate::parquet_format::{
    BadPaths, ExternalBatch, ExternalFile, ExternalRows, ExternalTime, NotText, WantedColumn,
};

/// Bytes that a row takes in memory, roughly; turns a slice's bytes into rows.
const BYTES_PER_ROW: u64 = 64;
/// Bytes of a rejected row's field that are kept: a million rows may share one long text.
const SHOWN_BYTES: usize = 8 << 10;

/// Reads one Parquet file, so many rows at a time.
pub struct RowReader {
    rows: ExternalRows,
    places: Places,
    batch: Option<ExternalBatch>,
    /// Next row in the batch, and in the file.
    at: usize,
    number: u64,
}

/// Where each field is among the columns that are read.
struct Places(Vec<Option<Place>>);

/// Returns how many rows a slice has.
pub fn rows_per_slice(slice_bytes: u64) -> u64 {
    (slice_bytes / BYTES_PER_ROW).max(1)
}

impl RowReader {
    /// Opens the file and finds its columns.
    ///
    /// # Errors
    /// Says what it lacks.
    pub fn open(file: File, mapping: &Mapping) -> Result<RowReader, String> {
        let file = ExternalFile::open(file).map_err(|e| e.to_string())?;
        let mut places = mapping.places(file.columns(), NEEDED)?;
        // Where one of the two was given a column, the other's own name means nothing.
        for (one, other) in [(CATEGORY, CATEGORIES), (CATEGORIES, CATEGORY)] {
            if mapping.given(one).is_some() && mapping.given(other).is_none() {
                places[other] = None;
            }
        }
        let mut wanted = Vec::new();
        let places = places.into_iter().enumerate().map(|(field, place)| {
            let mut number = |column: usize| {
                wanted.push(if field == TS {
                    WantedColumn::Time(column)
                } else {
                    WantedColumn::Text(column)
                });
                wanted.len() - 1
            };
            place.map(|place| match place {
                Place::Whole(column) => Place::Whole(number(column)),
                Place::Levels(columns) => Place::Levels(columns.into_iter().map(number).collect()),
            })
        });
        let places = Places(places.collect());
        let rows = file.rows(&wanted).map_err(|e| e.to_string())?;
        Ok(RowReader { rows, places, batch: None, at: 0, number: 1 })
    }

    /// Tells whether every row has been read.
    pub fn is_done(&self) -> bool {
        self.number > self.rows.total()
    }

    /// Reads up to so many rows into a batch.
    ///
    /// # Errors
    /// Says how the file is damaged.
    pub fn read(&mut self, rows: u64, into: &mut Builder<'_>) -> Result<(), String> {
        self.each(rows, &mut |places, batch, at, number| {
            let row = Row { places, batch, at };
            if let Err(refusal) = row.accept(into) {
                into.reject(number, refusal, row.shown().as_bytes());
            }
        })
    }

    /// Passes over so many rows.
    ///
    /// # Errors
    /// Says how the file is damaged.
    pub fn skip(&mut self, rows: u64) -> Result<(), String> {
        self.each(rows, &mut |_, _, _, _| {})
    }

    fn each(&mut self, rows: u64, take: &mut Take<'_>) -> Result<(), String> {
        for _ in 0..rows {
            if self.is_done() {
                break;
            }
            while self.batch.as_ref().is_none_or(|batch| self.at == batch.rows()) {
                let next = self.rows.next().ok_or("has fewer rows than its footer says")?;
                self.batch = Some(next.map_err(|e| e.to_string())?);
                self.at = 0;
            }
            if let Some(batch) = &self.batch {
                take(&self.places, batch, self.at, self.number);
            }
            self.at += 1;
            self.number += 1;
        }
        Ok(())
    }
}

/// What is done with each row, and its number in the file.
type Take<'a> = dyn FnMut(&Places, &ExternalBatch, usize, u64) + 'a;

impl Places {
    fn whole(&self, field: usize) -> Option<usize> {
        match &self.0[field] {
            Some(Place::Whole(column)) => Some(*column),
            _ => None,
        }
    }
}

/// One row.
struct Row<'a> {
    places: &'a Places,
    batch: &'a ExternalBatch,
    at: usize,
}

impl<'a> Row<'a> {
    fn accept(&self, into: &mut Builder<'_>) -> Result<(), Refusal> {
        let levels = self.levels()?;
        let categories = match (self.path_set(CATEGORIES)?, self.path_set(CATEGORY)?) {
            (Some(set), _) | (None, Some(set)) => RawCategories::Set(set),
            // A column of paths as texts serves under either name.
            (None, None) if levels.is_empty() => match self.text(CATEGORIES)?.filter(|text| !text.is_empty())
            {
                Some(text) => RawCategories::Text(text),
                None => RawCategories::Text(self.text(CATEGORY)?.unwrap_or("")),
            },
            (None, None) => RawCategories::Levels(&levels),
        };
        into.accept(&RawEvent {
            ts: match self.time() {
                ExternalTime::Micros(micros) => RawTime::Micros(micros),
                ExternalTime::Epoch(value) => RawTime::Epoch(value),
                ExternalTime::Text(text) => RawTime::Text(text),
                ExternalTime::Missing => RawTime::Missing,
            },
            event_id: self.text(EVENT_ID)?,
            item_id: self.text(ITEM_ID)?,
            categories,
            event_type: self.text(EVENT_TYPE)?,
            quantity: self.text(QUANTITY)?,
            amount: self.text(AMOUNT)?,
        })
    }

    fn time(&self) -> ExternalTime<'a> {
        self.places.whole(TS).map_or(ExternalTime::Missing, |column| self.batch.time(column, self.at))
    }

    fn text(&self, field: usize) -> Result<Option<&'a str>, Refusal> {
        let Some(column) = self.places.whole(field) else { return Ok(None) };
        self.batch.text(column, self.at).map_err(|NotText| not_text(field))
    }

    /// Returns the levels of a path that has a column for each.
    fn levels(&self) -> Result<Vec<&'a str>, Refusal> {
        let Some(Place::Levels(columns)) = &self.places.0[CATEGORY] else { return Ok(Vec::new()) };
        let level = |column: &usize| self.batch.text(*column, self.at).map(Option::unwrap_or_default);
        columns.iter().map(level).collect::<Result<_, _>>().map_err(|NotText| not_text(CATEGORY))
    }

    /// Returns the paths that a column of lists gives.
    fn path_set(&self, field: usize) -> Result<Option<PathSet>, Refusal> {
        let Some(column) = self.places.whole(field) else { return Ok(None) };
        self.batch.path_set(column, self.at).map_err(|error| match error {
            BadPaths::NotText => not_text(field),
            BadPaths::Category(error) => {
                Refusal::of(FIELDS[field], format!("{} has a path that {error}", FIELDS[field]))
            }
        })
    }

    /// Returns the row as JSON by our names, for a person to find it by.
    fn shown(&self) -> String {
        let mut fields = serde_json::Map::new();
        match self.time() {
            ExternalTime::Micros(value) | ExternalTime::Epoch(value) => {
                fields.insert("ts".into(), value.into())
            }
            ExternalTime::Text(text) => fields.insert("ts".into(), beginning(text).into()),
            ExternalTime::Missing => None,
        };
        for (field, name) in FIELDS.iter().enumerate().filter(|(field, _)| *field != TS) {
            if let Ok(Some(text)) = self.text(field) {
                fields.insert((*name).into(), beginning(text).into());
            }
        }
        if let Ok(levels) = self.levels()
            && !levels.is_empty()
        {
            let levels: Vec<&str> = levels.into_iter().map(beginning).collect();
            fields.insert(FIELDS[CATEGORY].into(), levels.into());
        }
        serde_json::Value::Object(fields).to_string()
    }
}

fn beginning(text: &str) -> &str {
    &text[..text.floor_char_boundary(SHOWN_BYTES)]
}

fn not_text(field: usize) -> Refusal {
    Refusal::of(FIELDS[field], format!("{} holds something that is no UTF-8 text", FIELDS[field]))
}
