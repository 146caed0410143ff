//! Parts of a file, each of them checked.

use std::ops::Range;

use bytes::Bytes;

use crate::storage::block_checksums::BlockChecksums;
use crate::storage::checksum::{NamedChecksums, checksum};
use crate::storage::error::StoreError;
use crate::storage::store::Store;

/// A file whose last bytes were read and checked.
pub struct CheckedParts {
    store: Store,
    path: String,
    /// The last bytes, those behind the blocks at least.
    tail: Bytes,
    /// Where in the file they begin.
    tail_at: u64,
    /// Of what is before; none in files of older versions, which cannot be checked in parts.
    blocks: Option<BlockChecksums>,
}

impl CheckedParts {
    /// Returns the parts of a file of some size, given its last bytes and the checksums in them, if these are
    /// what the file's name says; none where the last bytes are too few to be checked.
    ///
    /// # Errors
    /// Fails where they are damaged.
    pub fn open(
        store: &Store,
        path: &str,
        size_bytes: u64,
        tail: Bytes,
        blocks: Option<BlockChecksums>,
    ) -> Result<Option<CheckedParts>, StoreError> {
        let parts = CheckedParts::of(store, path, size_bytes, tail, blocks);
        let sum = match NamedChecksums::of(path) {
            None => return Ok(Some(CheckedParts { blocks: None, ..parts })),
            Some(named) => named.tail.ok_or_else(|| store.damaged(path))?,
        };
        let blocks = parts.blocks.as_ref().ok_or_else(|| store.damaged(path))?;
        let Some(from) = blocks.end().checked_sub(parts.tail_at) else { return Ok(None) };
        let checked = usize::try_from(from).ok().and_then(|from| parts.tail.get(from..));
        match checked.is_some_and(|bytes| checksum(bytes) == sum) {
            true => Ok(Some(parts)),
            false => Err(store.damaged(path)),
        }
    }

    /// Returns the parts of a file of some size, given its last bytes, which are not checked here.
    pub fn of(
        store: &Store,
        path: &str,
        size_bytes: u64,
        tail: Bytes,
        blocks: Option<BlockChecksums>,
    ) -> CheckedParts {
        let tail_at = size_bytes.saturating_sub(tail.len() as u64);
        CheckedParts { store: store.clone(), path: path.to_owned(), tail, tail_at, blocks }
    }

    /// Returns a part of the file.
    ///
    /// # Errors
    /// Fails where the disk does, or the part is damaged.
    pub fn bytes(&self, part: Range<u64>) -> Result<Bytes, StoreError> {
        let Some(blocks) = &self.blocks else { return self.read(part) };
        if part.start >= blocks.end() {
            return self.read(part);
        }
        let damaged = || self.store.damaged(&self.path);
        let around = blocks.around(&part).ok_or_else(damaged)?;
        let bytes = self.read(around.clone())?;
        if bytes.len() as u64 != around.end - around.start || !blocks.are_whole(around.start, &bytes) {
            return Err(damaged());
        }
        let [from, to] = [part.start, part.end].map(|at| usize::try_from(at - around.start));
        let (from, to) = from.ok().zip(to.ok()).ok_or_else(damaged)?;
        Ok(bytes.slice(from..to))
    }

    fn read(&self, part: Range<u64>) -> Result<Bytes, StoreError> {
        let within = |at: u64| at.checked_sub(self.tail_at).and_then(|at| usize::try_from(at).ok());
        match within(part.start).zip(within(part.end)) {
            Some((start, end)) if start <= end && end <= self.tail.len() => Ok(self.tail.slice(start..end)),
            _ => self.store.get_range(&self.path, part),
        }
    }
}
