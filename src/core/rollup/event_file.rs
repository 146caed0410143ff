//! A file of events: one of the table, or of a batch that is not committed yet.

use std::collections::BTreeSet;

use bytes::Bytes;
use serde_json::Value;

use crate::delta::NamedFile;
use crate::lake::{
    FilePartition, Lake, UncommittedBatch, columns_to_aggregate, read_all_events, read_events_in,
    read_events_of,
};
use crate::model::Hour;
use crate::parquet_format::{EventBatch, EventColumns};
use crate::rollup::error::RollupError;
use crate::storage::Store;

/// A file of the `events` table.
#[derive(Clone)]
pub(super) struct EventFile {
    pub partition: FilePartition,
    pub file: NamedFile,
    /// Its bytes, where it is not in the table yet.
    pub bytes: Option<Bytes>,
}

impl EventFile {
    /// Returns the files of batches that are not in the table yet.
    pub fn of_uncommitted(batches: &[&UncommittedBatch]) -> Result<Vec<EventFile>, RollupError> {
        let files = batches.iter().flat_map(|batch| &batch.files);
        let of = |(file, bytes): &(NamedFile, Bytes)| {
            let partition = FilePartition::of(file)
                .ok_or_else(|| RollupError::BadPartition { file: file.path.clone() })?;
            Ok(EventFile { partition, file: file.clone(), bytes: Some(bytes.clone()) })
        };
        files.map(of).collect()
    }

    /// Passes all rows of the file in a store to `take`, in batches.
    pub fn read_from(
        &self,
        store: &Store,
        columns: EventColumns,
        take: &mut dyn FnMut(&EventBatch),
    ) -> Result<(), RollupError> {
        match &self.bytes {
            Some(bytes) => Ok(read_events_in(bytes, &self.file.path, columns, None, take)?),
            None => Ok(read_all_events(store, &self.file, columns, take)?),
        }
    }

    /// Passes all rows of the file to `take`, in batches.
    pub fn read(
        &self,
        lake: &Lake,
        columns: EventColumns,
        take: &mut dyn FnMut(&EventBatch),
    ) -> Result<(), RollupError> {
        self.read_from(lake.store(), columns, take)
    }

    /// Passes the rows of the file in a store to `take`, in batches, if it may have some of the items, which are
    /// sorted; the rows may be those of other items, too.
    pub fn read_items(
        &self,
        store: &Store,
        columns: EventColumns,
        items: &[&str],
        take: &mut dyn FnMut(&EventBatch),
    ) -> Result<(), RollupError> {
        match &self.bytes {
            Some(bytes) => Ok(read_events_in(bytes, &self.file.path, columns, Some(items), take)?),
            None => Ok(read_events_of(store, &self.file, columns, items, take)?),
        }
    }

    /// Returns whether the file may have events of some hours.
    pub fn may_contain_any(&self, hours: &BTreeSet<Hour>) -> bool {
        hours.range(self.partition.first()..=self.partition.last()).next().is_some()
    }

    /// Returns whether any event of the file has an id, as far as the log knows.
    pub fn has_ids(&self) -> bool {
        columns_to_aggregate(&self.file) == EventColumns::All
    }

    /// Returns the range of the ids in the file; none where no event has one.
    pub fn id_range(&self) -> Option<IdRange> {
        self.has_ids().then(|| {
            let (least, most) = self.file.stats.range("event_id");
            let text = |of: &Value| of.as_str().map(str::to_owned);
            IdRange { least: text(&least), most: text(&most) }
        })
    }
}

/// The least and the greatest id of a file, by the log's column statistics; none where these do not tell.
pub(super) struct IdRange {
    least: Option<String>,
    most: Option<String>,
}

impl IdRange {
    /// Returns the range from one id to another.
    pub fn between(least: String, most: String) -> IdRange {
        IdRange { least: Some(least), most: Some(most) }
    }

    /// Returns whether an id may be in both.
    pub fn overlaps(&self, other: &IdRange) -> bool {
        let is_before = |last: &Option<String>, first: &Option<String>| {
            last.as_ref().zip(first.as_ref()).is_some_and(|(last, first)| last < first)
        };
        !is_before(&self.most, &other.least) && !is_before(&other.most, &self.least)
    }
}
