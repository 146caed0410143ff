//! Which lines of a file are already ingested, where it has grown since.
//!
//! A file is cut into the same slices however often it has grown. Of the slice with the end of what was
//! ingested, only the rest is new: what comes before it has the hash by which it was ingested.
//!
//! Invariant: where the log has the hash of a file's beginning as a batch id, all lines of this
//! beginning are ingested.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use crate::ingest::batch_builder::BatchBuilder;
use crate::ingest::input::Input;
use crate::ingest::options::Options;
use crate::ingest::record_bounds::Quoting;
use crate::ingest::slices::Slice;
use crate::ingest::split_slice::SplitSlice;
use crate::ingest::summary::FileNote;
use crate::lake::{BatchSize, DryRun, DuplicatePolicy, FilePart, InputKey, KnownInput, Lake, LakeError};
use crate::model::{Hour, Timestamp};

/// How much of a file was ingested when it was read before.
pub(super) struct FileHistory<'a> {
    /// `None` where there is none yet.
    lake: Option<&'a Lake>,
    dry_run: DryRun,
    now: Timestamp,
    /// The last hour that events may have.
    latest: Hour,
    /// Whether what is already ingested is replaced.
    is_forced: bool,
    keys: Vec<InputKey>,
    /// The entries of the file.
    known: Vec<KnownInput>,
    seen: Arc<HashSet<String>>,
    /// The key of the file's first lines, and the entries of all files that begin with them.
    start: Option<InputKey>,
    others: Vec<KnownInput>,
    /// The size of the slices so far, and of what was already ingested.
    size: BatchSize,
    known_size: BatchSize,
    known_bytes: u64,
    /// The batch that the slices so far end with, where it is ingested.
    after: Option<String>,
    has_grown: bool,
    /// The hashes of those beginnings of the file that entries may be about.
    beginnings: HashSet<String>,
    /// The last hour of the file's events so far; no less than that where it is not known.
    newest: Option<Hour>,
    /// The number of lines that begin the file and are ingested from another one.
    lines_of_other: u64,
}

/// What was read of a slice.
#[derive(Clone, Copy, Default)]
pub(super) struct Taken {
    pub size: BatchSize,
    /// The last hour of its events.
    pub newest: Option<Hour>,
}

impl Taken {
    /// Adds what a batch holds.
    pub fn add(&mut self, batch: &BatchBuilder<'_>) {
        self.size += batch.size();
        self.newest = self.newest.max(batch.newest());
    }
}

impl<'a> FileHistory<'a> {
    /// Returns the history of a file; none of an input that cannot grow.
    ///
    /// # Errors
    /// Fails where the lake cannot be read.
    pub fn of(
        lake: Option<&'a Lake>,
        input: &Input,
        options: &Options,
    ) -> Result<Option<FileHistory<'a>>, LakeError> {
        let keys = input.keys();
        if keys.is_empty() {
            return Ok(None);
        }
        let known = lake.map_or(Ok(Vec::new()), |lake| lake.known_inputs(&keys))?;
        Ok(Some(FileHistory {
            lake,
            dry_run: options.dry_run,
            now: options.now,
            latest: options.now.plus_seconds(options.max_skew_seconds).hour(),
            is_forced: options.duplicates == DuplicatePolicy::Replace,
            keys,
            newest: known.iter().filter_map(|known| known.newest).max(),
            seen: Arc::new(known.iter().map(|known| known.id.clone()).collect()),
            start: None,
            others: Vec::new(),
            size: BatchSize::default(),
            known_size: BatchSize::default(),
            known_bytes: 0,
            after: None,
            has_grown: false,
            beginnings: HashSet::new(),
            known,
            lines_of_other: 0,
        }))
    }

    /// Reads the beginning of the file, its first lines, from the first slice.
    pub fn begin(&mut self, slice: &Slice, lines: usize) -> Result<(), LakeError> {
        if slice.start > 0 {
            return Ok(());
        }
        let end = memchr::memchr_iter(b'\n', &slice.bytes).nth(lines.saturating_sub(1));
        let start = InputKey::of_start(&slice.bytes[..end.unwrap_or(slice.bytes.len())]);
        self.begin_with(start)
    }

    /// Takes the hash of a file that does not grow for its beginning.
    pub fn begin_whole(&mut self, id: &str) -> Result<(), LakeError> {
        self.begin_with(InputKey::of_start(id.as_bytes()))
    }

    fn begin_with(&mut self, start: InputKey) -> Result<(), LakeError> {
        let keys = std::slice::from_ref(&start);
        self.others = self.lake.map_or(Ok(Vec::new()), |lake| lake.known_inputs(keys))?;
        self.start = Some(start);
        Ok(())
    }

    /// Notes a slice that is already ingested, and returns whether another file brought it in.
    pub fn pass(&mut self, slice: &Slice, size: BatchSize) -> Result<bool, LakeError> {
        self.size += size;
        self.known_size += size;
        self.known_bytes = slice.end();
        self.after = Some(slice.id.clone());
        if !self.known.iter().any(|known| known.bytes >= slice.end() && known.newest.is_some()) {
            self.newest = self.newest.max(Some(self.latest));
        }
        if slice.is_last { self.is_from_elsewhere(&slice.id) } else { Ok(false) }
    }

    /// Returns whether only another file brought in the last batch of the file, which from now on is known
    /// by its own name too.
    pub fn is_from_elsewhere(&self, id: &str) -> Result<bool, LakeError> {
        let is_here = self.seen.contains(id);
        let of_other = self.others.iter().find(|other| other.id == id).filter(|_| !is_here);
        if let (Some(other), Some(lake), DryRun::No) = (of_other, self.lake, self.dry_run) {
            lake.note_input(&self.keys, other)?;
        }
        Ok(of_other.is_some())
    }

    /// Splits a slice that is not ingested as a whole.
    pub fn split(&mut self, slice: &Slice, quoting: Option<Quoting>) -> Result<SplitSlice, LakeError> {
        let mut split = SplitSlice::new(slice, self.after.clone());
        self.beginnings.insert(slice.id.clone());
        let known = self.known_in(slice)?.filter(|_| !self.is_forced);
        if let Some((known, size)) = known {
            self.has_grown = true;
            self.known_bytes = known.bytes;
            split.take_known(slice, known, size, quoting);
            self.known_size += split.known_size;
            self.size += split.known_size;
        }
        if slice.is_last {
            split.cut_tail(slice, quoting);
        }
        split.read_again = self.read_again(slice, &split)?;
        Ok(split)
    }

    /// Returns the part of the file that a range of a slice is.
    pub fn part(
        &self,
        slice: &Slice,
        split: &SplitSlice,
        range: &Range<usize>,
        earlier: Vec<String>,
    ) -> FilePart {
        let id = match range.end == slice.bytes.len() {
            true => slice.id.clone(),
            false => slice.ids_at(&[range.end]).remove(0),
        };
        let tail_bytes = if *range == split.tail { range.len() as u64 } else { 0 };
        FilePart {
            from: slice.start + range.start as u64,
            end: KnownInput { bytes: slice.start + range.end as u64, tail_bytes, ..self.end(id) },
            before: split.size,
            after: split.after.clone(),
            replaces: split.replaces.clone(),
            earlier: Arc::new(earlier),
            ..self.whole("", slice.is_last)
        }
    }

    /// Returns the part that a batch of a file that does not grow is.
    pub fn whole(&self, id: &str, is_last: bool) -> FilePart {
        FilePart {
            keys: self.keys.clone(),
            end: self.end(id.to_owned()),
            from: 0,
            before: BatchSize::default(),
            after: None,
            replaces: None,
            seen: Arc::clone(&self.seen),
            is_last,
            earlier: Arc::default(),
        }
    }

    fn end(&self, id: String) -> KnownInput {
        KnownInput {
            id,
            bytes: 0,
            tail_bytes: 0,
            tail_size: BatchSize::default(),
            size: self.size,
            start: self.start.clone(),
            hours: None,
            second: self.now.micros() / 1_000_000,
            newest: self.newest,
        }
    }

    /// Notes that a part of a size was read.
    pub fn took(&mut self, split: &mut SplitSlice, part: &FilePart, taken: Taken) {
        let size = taken.size;
        self.newest = self.newest.max(taken.newest);
        self.size += size;
        split.size += size;
        split.replaces = None;
        if size.lines > 0 {
            split.after = Some(part.end.id.clone());
            self.after.clone_from(&split.after);
        }
    }

    /// Returns the ids of the entries of this file within a slice, for batches that are to be replaced.
    pub fn offsets_in(&self, slice: &Slice) -> Vec<usize> {
        offsets(slice, self.known.iter().chain(&self.others))
    }

    /// Notes the events of a slice of a file that does not grow.
    pub fn took_slice(&mut self, newest: Option<Hour>) {
        self.newest = self.newest.max(newest);
    }

    /// Notes that a slice of a file that does not grow is already ingested.
    pub fn pass_slice(&mut self) {
        self.newest = self.newest.max(Some(self.latest));
    }

    /// Returns what is to be said of the file when all of it was read.
    pub fn note(&self) -> Result<Option<FileNote>, LakeError> {
        let (known, new) = (self.known_size.lines, self.size.minus(self.known_size).lines);
        if self.is_forced || new == 0 {
            return Ok(None);
        }
        if let Some(stay) = self.changed_lines()? {
            return Ok(Some(FileNote::Rewritten { stay, loaded: new }));
        }
        if self.has_grown {
            return Ok(Some(FileNote::Grown { known, new }));
        }
        let lines = self.lines_of_other;
        Ok((lines > 0).then_some(FileNote::SameBeginning { lines }))
    }

    /// Returns the largest known beginning of the file that ends in a slice, and the size of what
    /// the slice has of it.
    fn known_in(&mut self, slice: &Slice) -> Result<Option<(KnownInput, BatchSize)>, LakeError> {
        let Some(lake) = self.lake else { return Ok(None) };
        let offsets = offsets(slice, self.known.iter().chain(&self.others));
        let ids = slice.ids_at(&offsets);
        self.beginnings.extend(ids.iter().cloned());
        for (offset, id) in offsets.iter().zip(&ids).rev() {
            let bytes = slice.start + *offset as u64;
            let is_it = |known: &&KnownInput| known.bytes == bytes && known.id == *id;
            let (known, other) = (self.known.iter().find(is_it), self.others.iter().find(is_it));
            let Some(found) = known.or(other) else { continue };
            let Some(size) = lake.size_of_batch(id)? else { continue };
            match known {
                Some(known) => return Ok(Some((known.clone(), size))),
                None => self.lines_of_other = self.lines_of_other.max(found.size.lines),
            }
        }
        Ok(None)
    }

    /// Returns the batches of lines that were all rejected and are read again: their rejects are replaced.
    fn read_again(&self, slice: &Slice, split: &SplitSlice) -> Result<Vec<String>, LakeError> {
        let Some(lake) = self.lake else { return Ok(Vec::new()) };
        let at = |offset: usize| slice.start + offset as u64;
        // What ends with a new part has the same id as before, and its rejects have the same name.
        let is_inside = |known: &&KnownInput| {
            at(split.known.end) < known.bytes
                && known.bytes < slice.end()
                && known.bytes != at(split.complete.end)
                && self.beginnings.contains(&known.id)
        };
        let mut ids = Vec::new();
        for known in self.known.iter().filter(is_inside) {
            let is_rejected_tail = known.tail_bytes > 0 && known.hours.is_none();
            if is_rejected_tail || lake.size_of_batch(&known.id)?.is_none() {
                ids.push(known.id.clone());
            }
        }
        Ok(ids)
    }

    /// Returns how many lines of an earlier version of the file stay ingested that it no longer has.
    fn changed_lines(&self) -> Result<Option<u64>, LakeError> {
        let Some(lake) = self.lake else { return Ok(None) };
        let is_changed = |known: &&KnownInput| {
            // Another run may ingest the same content at the same time.
            let is_beginning = self.beginnings.contains(&known.id);
            known.start.is_some()
                && known.start == self.start
                && known.bytes > self.known_bytes
                && !is_beginning
        };
        for known in self.known.iter().rev().filter(is_changed) {
            if lake.size_of_batch(&known.id)?.is_some() {
                return Ok(Some(known.size.minus(self.known_size).lines).filter(|lines| *lines > 0));
            }
        }
        Ok(None)
    }
}

/// Returns where entries end within a slice, in order.
fn offsets<'a>(slice: &Slice, entries: impl Iterator<Item = &'a KnownInput>) -> Vec<usize> {
    let inside = entries.filter(|known| slice.start < known.bytes && known.bytes < slice.end());
    let mut offsets: Vec<usize> = inside.map(|known| (known.bytes - slice.start) as usize).collect();
    offsets.sort_unstable();
    offsets.dedup();
    offsets
}
