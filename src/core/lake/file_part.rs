//! The part of a file that a batch holds, where the file may grow.
//!
//! Invariant: the entries of a part are durable before its commit, so that whoever sees the commit can
//! find how far the file is ingested.

use std::collections::HashSet;
use std::sync::Arc;

use crate::delta::{LiveFile, NewFile, Partition, Version};
use crate::lake::batch_size::BatchSize;
use crate::lake::error::LakeError;
use crate::lake::known_inputs::{InputKey, KnownInput};
use crate::lake::open::Lake;
use crate::lake::partition::{DayPartition, FilePartition};
use crate::model::Hour;

/// The part of a file that a batch holds.
#[derive(Clone, Debug)]
pub struct FilePart {
    /// The keys of the file's name and number.
    pub keys: Vec<InputKey>,
    /// The file up to the part's end. Its size is that before the part, and its tail has no hours.
    pub end: KnownInput,
    /// Where the part starts.
    pub from: u64,
    /// The size of the same slice before the part.
    pub before: BatchSize,
    /// The batch before the part, where there is one.
    pub after: Option<String>,
    /// The incomplete last record that was ingested, and that this part completes.
    pub replaces: Option<KnownInput>,
    /// The ids of the file's entries when it was read.
    pub seen: Arc<HashSet<String>>,
    /// Whether the part is in the last slice of the file, so that an entry is appended.
    pub is_last: bool,
    /// The ids of all earlier batches with beginnings of the file, where they are to be replaced; else of those
    /// whose lines were all rejected and are read again.
    pub earlier: Arc<Vec<String>>,
}

impl FilePart {
    /// Returns whether the part is a last record without a newline.
    pub fn is_tail(&self) -> bool {
        self.end.tail_bytes > 0
    }
}

impl Lake {
    /// Appends the entries of a part with the given files and size, and returns whether only
    /// another file has an entry of its batch.
    pub(super) fn note_part(
        &self,
        part: &FilePart,
        adds: &[NewFile],
        size: BatchSize,
    ) -> Result<bool, LakeError> {
        if !part.is_last {
            return Ok(false);
        }
        let is_elsewhere = self.is_from_elsewhere(&part.keys, part.end.start.as_ref(), &part.end.id)?;
        let tail = if part.is_tail() { hours_of(adds) } else { None };
        let tail_size = if part.is_tail() { size } else { BatchSize::default() };
        let known = KnownInput {
            size: [part.end.size, size].into_iter().sum(),
            tail_size,
            hours: tail,
            newest: part.end.newest.max(hours_of(adds).map(|(_, last)| last)),
            ..part.end.clone()
        };
        let keys: Vec<InputKey> = part.keys.iter().chain(&part.end.start).cloned().collect();
        self.note_input_later(&keys, &known)?;
        Ok(is_elsewhere)
    }

    /// Returns whether a batch has an entry of a file with the given beginning, but none of the file with
    /// the given keys.
    ///
    /// # Errors
    /// Fails where the disk does.
    pub fn is_from_elsewhere(
        &self,
        keys: &[InputKey],
        start: Option<&InputKey>,
        id: &str,
    ) -> Result<bool, LakeError> {
        let Some(start) = start else { return Ok(false) };
        let has = |keys: &[InputKey]| -> Result<bool, LakeError> {
            Ok(self.known_inputs(keys)?.iter().any(|known| known.id == id))
        };
        Ok(!has(keys)? && has(std::slice::from_ref(start))?)
    }

    /// Returns whether another run has ingested some of the part's lines since the file was read.
    pub(super) fn is_superseded(
        &self,
        version: u64,
        part: &FilePart,
        is_ingested: &dyn Fn(&str) -> Result<bool, LakeError>,
    ) -> Result<bool, LakeError> {
        self.inputs.refresh(&self.store, version)?;
        for known in self.known_inputs(&part.keys)? {
            let is_inside = known.bytes > part.from && known.bytes <= part.end.bytes;
            let is_new = known.id != part.end.id && !part.seen.contains(&known.id);
            if is_inside && is_new && is_ingested(&known.id)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Returns the files that may hold the events of a file's last record.
    pub(super) fn files_of_tail(
        &self,
        newest: &Version<'_>,
        tail: &KnownInput,
    ) -> Result<Vec<LiveFile>, LakeError> {
        let Some((first, last)) = tail.hours else { return Ok(Vec::new()) };
        let is_within = |hour: Hour| first <= hour && hour <= last;
        let days = first.date()..=last.date();
        let is_of_days =
            |partition: &Partition| DayPartition::of(partition).is_none_or(|day| days.contains(&day.date));
        let mut files = newest.files_of_days(&days, &is_of_days)?;
        files.retain(|file| FilePartition::of(file).is_none_or(|of| of.hours().any(is_within)));
        Ok(files)
    }
}

/// Returns the first and last hour of files.
fn hours_of(adds: &[NewFile]) -> Option<(Hour, Hour)> {
    let hours = |add: &NewFile| {
        let (first, last) = add.range_of("hour").unwrap_or((0, 23));
        let date = DayPartition::of(&add.partition)?.date;
        Some((Hour::of(date, first), Hour::of(date, last)))
    };
    let all = || adds.iter().filter_map(hours);
    all().map(|(first, _)| first).min().zip(all().map(|(_, last)| last).max())
}
