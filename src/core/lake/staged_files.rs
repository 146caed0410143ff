//! The written files of what is committed atomically: one batch, or all batches of one input.
//!
//! Invariant: without the commit nothing of them is seen: files are unreferenced, and the rejects of a
//! batch that may be replaced have temporary paths.

use std::collections::BTreeMap;

use crate::delta::NewFile;
use crate::lake::batch_content::content_number;
use crate::lake::batch_size::BatchSize;
use crate::lake::error::LakeError;
use crate::lake::events_table::EVENTS;
use crate::lake::file_part::FilePart;
use crate::lake::known_inputs::KnownInput;
use crate::lake::layout::REJECTS;
use crate::lake::open::Lake;
use crate::lake::rejects::{Reject, reject_lines, rejects_path};
use crate::model::Currency;
use crate::storage::unique_id;

/// The written files of what is committed atomically: one batch, or all batches of one input.
pub struct StagedFiles<'a> {
    lake: &'a Lake,
    pub(super) adds: Vec<NewFile>,
    /// Whether a commit names the files, or may do so.
    pub(super) is_named: bool,
    pub(super) batches: BTreeMap<String, BatchCounts>,
    pub(super) currency: Option<Currency>,
    /// Rejects beside those of a batch that may be replaced: their temporary paths and their own.
    temporary_rejects: Vec<(String, String)>,
    /// The parts of a file that the batches hold, by their ids.
    pub(super) parts: BTreeMap<String, FilePart>,
    /// Whether only another file has an entry of a batch.
    pub(super) is_from_elsewhere: bool,
}

/// What a batch contains.
#[derive(Clone, Copy, Default)]
pub(super) struct BatchCounts {
    /// Lines that were read, filtered ones included.
    pub lines: u64,
    /// Events.
    pub accepted: u64,
    pub rejected: u64,
    /// The size of the batches before it that hold the beginning of the same slice.
    pub before: BatchSize,
    /// The number of files of rejects that were written.
    pub reject_files: usize,
    /// Whether the id is recorded though no line was accepted.
    pub is_recorded: bool,
    /// The number of its content, where its id is not the hash of it.
    pub content: Option<i64>,
}

impl BatchCounts {
    pub fn size(self) -> BatchSize {
        BatchSize { events: self.accepted + self.rejected, lines: self.lines }
    }

    /// Returns what the log records: the size of the slice up to the end of the batch.
    pub fn size_of_slice(self) -> BatchSize {
        [self.before, self.size()].into_iter().sum()
    }

    /// Returns whether the log records the batch as ingested.
    pub fn is_ingested(self) -> bool {
        self.accepted > 0 || self.is_recorded
    }
}

impl<'a> StagedFiles<'a> {
    /// Sets the currency of the amounts; the lake then has no other.
    pub fn set_currency(&mut self, currency: Option<Currency>) {
        self.currency = currency.or(self.currency);
    }

    /// Returns an empty set.
    pub(super) fn of(lake: &'a Lake) -> StagedFiles<'a> {
        StagedFiles {
            lake,
            adds: Vec::new(),
            is_named: false,
            batches: BTreeMap::new(),
            currency: None,
            temporary_rejects: Vec::new(),
            parts: BTreeMap::new(),
            is_from_elsewhere: false,
        }
    }

    /// Adds a batch id and the hash of its content, whether or not the batch has lines.
    pub fn add_batch(&mut self, id: &str, content: Option<&str>) {
        self.batches.entry(id.to_owned()).or_default().content = content.map(content_number);
    }

    /// Sets the part of a file that a batch holds.
    pub fn set_part(&mut self, part: FilePart) {
        self.batches.entry(part.end.id.clone()).or_default().before = part.before;
        self.parts.insert(part.end.id.clone(), part);
    }

    /// Returns the number of files.
    pub fn count(&self) -> usize {
        self.adds.len()
    }

    /// Writes rejects of a batch; temporary ones until the commit where an earlier version of the batch
    /// may be replaced, whose rejects stay until then.
    pub(super) fn write_rejects(
        &mut self,
        id: &str,
        rejects: &[Reject],
        temporarily: bool,
    ) -> Result<(), LakeError> {
        let counts = self.batches.entry(id.to_owned()).or_default();
        let path = rejects_path(id, counts.reject_files);
        counts.reject_files += 1;
        if temporarily {
            let temporary = format!("{path}.{}", unique_id());
            self.lake.store.put_private(REJECTS, &temporary, reject_lines(rejects))?;
            self.temporary_rejects.push((temporary, path));
        } else {
            self.lake.store.put_private(REJECTS, &path, reject_lines(rejects))?;
        }
        Ok(())
    }

    /// Returns the incomplete last record of a file that a batch completes, where it was ingested.
    pub(super) fn tail(&self) -> Option<&KnownInput> {
        self.parts.values().find_map(|part| part.replaces.as_ref())
    }

    /// Returns the ids of all batches with beginnings of the file, where they are to be replaced; else of those
    /// whose lines are read again.
    pub(super) fn earlier(&self) -> impl Iterator<Item = &String> {
        self.parts.values().flat_map(|part| part.earlier.iter())
    }

    /// Appends the entries of the parts; they become durable with the files.
    pub(super) fn note_parts(&mut self) -> Result<(), LakeError> {
        for (id, part) in &self.parts {
            let size = self.batches.get(id).map_or(BatchSize::default(), |counts| counts.size());
            self.is_from_elsewhere |= self.lake.note_part(part, &self.adds, size)?;
        }
        Ok(())
    }

    /// Moves temporary rejects to their paths, and removes those of lines that the batches no longer have.
    pub(super) fn publish_rejects(&mut self) {
        // The batches are committed, so that rejects which cannot be moved are no failure.
        self.remove_replaced_rejects();
        for (temporary, path) in self.temporary_rejects.drain(..) {
            let _ = self.lake.store.rename(&temporary, &path);
        }
        for (id, counts) in &self.batches {
            self.remove_rejects(id, counts.reject_files);
        }
    }

    /// Removes the rejects of lines that these batches hold under other ids: of an incomplete last record that
    /// is complete now, or of steps in which a file grew.
    pub(super) fn remove_replaced_rejects(&self) {
        let tails = self.parts.values().filter_map(|part| Some(&part.replaces.as_ref()?.id));
        tails.chain(self.earlier()).for_each(|id| self.remove_rejects(id, 0));
    }

    fn remove_rejects(&self, id: &str, kept: usize) {
        let stale = self.lake.rejects_of(id, kept);
        // The last one first, so that a crash in between leaves no gap that would hide the others.
        stale.iter().rev().for_each(|path| drop(self.lake.store.delete(path)));
    }
}

impl Drop for StagedFiles<'_> {
    /// Removes the files and the temporary rejects of a batch that was not committed.
    fn drop(&mut self) {
        if !self.is_named {
            self.adds.iter().for_each(|add| drop(self.lake.store.delete(&format!("{EVENTS}/{}", add.path))));
        }
        for (temporary, _) in &self.temporary_rejects {
            let _ = self.lake.store.delete(temporary);
        }
    }
}
