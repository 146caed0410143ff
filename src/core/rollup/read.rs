//! Where rollup files lie, which of them are wanted, and reading one whole.

use std::ops::Range;

use bytes::Bytes;

use crate::delta::NamedFile;
use crate::model::{AggregateRows, Date, Hour, Timestamp};
use crate::parquet_format::{AggregateBlock, ColumnsError, DictionaryInterner, ItemRange, decode_aggregates};
use crate::rollup::{ROLLUPS, RollupError, Rollups};

/// Where a rollup file lies, and which hours it may hold.
#[derive(Clone)]
pub(super) struct Place {
    pub event_type: String,
    pub category: Option<String>,
    pub date: Date,
    first_hour: i32,
    last_hour: i32,
}

/// Which aggregates to read.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    pub event_types: &'a [String],
    /// First hour, and the hour after the last.
    pub hours: Range<Hour>,
}

impl Place {
    /// Tells whether the file may hold rows of an hour.
    pub fn may_hold(&self, hour: Hour) -> bool {
        hour.date() == self.date && (self.first_hour..=self.last_hour).contains(&hour.of_day())
    }

    /// Returns the moment the file's day ends.
    pub fn end(&self) -> Timestamp {
        Hour::of(self.date, 24).start()
    }

    /// Tells whether the file may hold wanted rows.
    pub fn may_be_wanted(&self, wanted: &Wanted<'_>) -> bool {
        let first = Hour::of(self.date, self.first_hour);
        let last = Hour::of(self.date, self.last_hour);
        let in_span = first < wanted.hours.end && last >= wanted.hours.start;
        in_span && wanted.event_types.contains(&self.event_type)
    }
}

/// Reads a rollup file's place from its partition and the hours that the log says it has.
pub(super) fn place_of(file: &NamedFile) -> Result<Place, RollupError> {
    let text = |name: &str| file.partition.get(name).and_then(Option::as_deref);
    let bad = || RollupError::BadPartition { file: path_of(file) };
    let hour = |ends: &serde_json::Value, otherwise: i32| {
        ends["hour"].as_i64().and_then(|hour| i32::try_from(hour).ok()).unwrap_or(otherwise)
    };
    Ok(Place {
        event_type: text("event_type").ok_or_else(bad)?.to_owned(),
        category: text("category").map(str::to_owned),
        date: text("date").and_then(Date::parse).ok_or_else(bad)?,
        first_hour: hour(&file.min_values, 0),
        last_hour: hour(&file.max_values, 23),
    })
}

impl Rollups {
    /// Returns a file's bytes.
    pub(super) fn bytes_of(&self, file: &NamedFile) -> Result<Bytes, RollupError> {
        Ok(self.store.get(&path_of(file))?)
    }

    /// Reads a file whole.
    ///
    /// # Errors
    /// Names the file that is missing or damaged.
    pub(super) fn read_day(&self, file: &NamedFile, into: &mut AggregateRows) -> Result<(), RollupError> {
        let date = place_of(file)?.date;
        let bytes = self.bytes_of(file)?;
        append(bytes, date, into).map_err(|source| RollupError::Columns { file: path_of(file), source })
    }
}

/// Returns a file's path below the lake.
pub(super) fn path_of(file: &NamedFile) -> String {
    format!("{ROLLUPS}/{}", file.path)
}

fn append(bytes: Bytes, date: Date, into: &mut AggregateRows) -> Result<(), ColumnsError> {
    let hours = std::array::from_fn(|hour| i32::try_from(hour).ok().map(|hour| Hour::of(date, hour)));
    let (mut coder, mut block) = (DictionaryInterner::default(), AggregateBlock::default());
    for batch in decode_aggregates(bytes, &ItemRange::default(), None)? {
        let batch = batch?;
        batch.read(&mut coder, &mut into.path_sets, &mut block);
        for of_item in &block.items {
            let item = into.items.code(batch.item_id(of_item.row));
            into.rows.extend(batch.rows_of(of_item, &block, &hours).map(|row| row.of_item(item)));
        }
    }
    Ok(())
}
