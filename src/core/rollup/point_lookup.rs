//! A point lookup: the rows of some items out of a rollup file, by reading a few of its pages.

use std::ops::Range;

use bytes::Bytes;

use crate::delta::NamedFile;
use crate::model::{AggregateRows, Hour};
use crate::parquet_format::{AggregateBlock, AggregateFile, ColumnsError, DictionaryInterner};
use crate::rollup::error::RollupError;
use crate::rollup::table::path_of;
use crate::storage::{Store, StoreError};

/// How far from its end a file's footer and page index mostly begin, and those of a very large file.
const TAIL_BYTES: [u64; 2] = [1 << 15, 1 << 20];

/// Returns the rows of some items, which are sorted, in the wanted hours of a file's day.
///
/// # Errors
/// Names the file that is missing or damaged.
pub(super) fn lookup(
    store: &Store,
    file: &NamedFile,
    items: &[&str],
    hours: &[Option<Hour>; 24],
) -> Result<AggregateRows, RollupError> {
    let path = path_of(file);
    let failed = |source: ColumnsError| RollupError::Columns { file: path.clone(), source };
    let mut reader = TailReader { store, path: &path, size_bytes: file.size_bytes, tail: Bytes::new() };
    let mut opened = None;
    for bytes in TAIL_BYTES.into_iter().chain([file.size_bytes]) {
        reader.tail = store.get_tail(&path, bytes)?;
        opened = AggregateFile::open(&reader.tail, reader.size_bytes).map_err(failed)?;
        if opened.is_some() {
            break;
        }
    }
    let aggregates = opened.ok_or_else(|| failed(ColumnsError::Unreadable("it has no footer".to_owned())))?;
    let mut found = AggregateRows::default();
    let (mut interner, mut block) = (DictionaryInterner::default(), AggregateBlock::default());
    for pages in aggregates.pages_of(items) {
        let rows = aggregates.rows_of(&pages, reader.bytes(pages.range.clone())?, items).map_err(failed)?;
        if rows.is_empty() {
            continue;
        }
        let bytes = reader.bytes(aggregates.range_of(&pages))?;
        for batch in aggregates.read(&pages, bytes, rows).map_err(failed)? {
            let batch = batch.map_err(failed)?;
            batch.read(&mut interner, &mut found.path_sets, &mut block);
            for of_item in &block.items {
                let item = found.items.code(batch.item_id(of_item.row));
                found.rows.extend(batch.rows_of(of_item, &block, hours).map(|row| row.of_item(item)));
            }
        }
    }
    Ok(found)
}

/// Reads ranges of a file whose tail is in memory.
struct TailReader<'a> {
    store: &'a Store,
    path: &'a str,
    size_bytes: u64,
    tail: Bytes,
}

impl TailReader<'_> {
    fn bytes(&self, range: Range<u64>) -> Result<Bytes, StoreError> {
        let tail_at = self.size_bytes.saturating_sub(self.tail.len() as u64);
        let within = |at: u64| at.checked_sub(tail_at).and_then(|at| usize::try_from(at).ok());
        match within(range.start).zip(within(range.end)) {
            Some((start, end)) if start <= end && end <= self.tail.len() => Ok(self.tail.slice(start..end)),
            _ => self.store.get_range(self.path, range),
        }
    }
}
