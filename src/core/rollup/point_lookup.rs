//! A point lookup: the rows of some items out of a rollup file, by reading a few of its pages.

use bytes::Bytes;

use crate::delta::NamedFile;
use crate::model::{AggregateRows, Hour};
use crate::parquet_format::{
    AggregateBlock, AggregateFile, ColumnsError, DictionaryInterner, ItemRange, decode_aggregates,
};
use crate::rollup::error::RollupError;
use crate::rollup::table::path_of;
use crate::storage::{CheckedParts, Store};

/// How far from its end a file's footer and page index mostly begin, and those of a very large file.
const TAIL_BYTES: [u64; 2] = [1 << 15, 1 << 20];

/// As much of an object of a bucket takes less time to read than a second request.
const WHOLE_OBJECT_BYTES: u64 = 1 << 20;

/// Returns whether a file is read as a whole.
pub(super) fn is_read_whole(store: &Store, file: &NamedFile) -> bool {
    file.size_bytes <= if store.is_bucket() { WHOLE_OBJECT_BYTES } else { TAIL_BYTES[0] }
}

/// Returns the rows of some items, which are sorted, in the wanted hours of a file, which are given by hour of day.
///
/// # Errors
/// Names the file that is missing or damaged.
pub(super) fn lookup(
    store: &Store,
    file: &NamedFile,
    items: &[&str],
    hours: &[Option<Hour>],
) -> Result<AggregateRows, RollupError> {
    let path = path_of(file);
    let failed = |source: ColumnsError| RollupError::Columns { file: path.clone(), source };
    if is_read_whole(store, file) {
        return whole(store.get_checked(&path)?, items, hours).map_err(failed);
    }
    let (aggregates, parts) = open(store, &path, file.size_bytes)?;
    let mut found = AggregateRows::default();
    let (mut interner, mut block) = (DictionaryInterner::default(), AggregateBlock::default());
    for pages in aggregates.pages_of(items) {
        let rows = aggregates.rows_of(&pages, parts.bytes(pages.range.clone())?, items).map_err(failed)?;
        if rows.is_empty() {
            continue;
        }
        let bytes = parts.bytes(aggregates.range_of(&pages))?;
        for batch in aggregates.read(&pages, bytes, rows).map_err(failed)? {
            let batch = batch.and_then(|batch| batch.within(hours.len())).map_err(failed)?;
            batch.read(&mut interner, &mut found.path_sets, &mut block);
            for of_item in &block.items {
                let item = found.items.code(batch.item_id(of_item.row));
                found.rows.extend(batch.rows_of(of_item, &block, hours).map(|row| row.of_item(item)));
            }
        }
    }
    Ok(found)
}

/// Returns the rows of some items of a file that is so small that reading it as a whole takes less than finding pages.
fn whole(bytes: Bytes, items: &[&str], hours: &[Option<Hour>]) -> Result<AggregateRows, ColumnsError> {
    let mut found = AggregateRows::default();
    let (mut interner, mut block) = (DictionaryInterner::default(), AggregateBlock::default());
    for batch in decode_aggregates(bytes, &ItemRange::default(), None)? {
        let batch = batch?.within(hours.len())?;
        batch.read(&mut interner, &mut found.path_sets, &mut block);
        for of_item in &block.items {
            let item_id = batch.item_id(of_item.row);
            if items.binary_search(&item_id).is_ok() {
                let item = found.items.code(item_id);
                found.rows.extend(batch.rows_of(of_item, &block, hours).map(|row| row.of_item(item)));
            }
        }
    }
    Ok(found)
}

/// Opens a file by its last bytes.
fn open(store: &Store, path: &str, size_bytes: u64) -> Result<(AggregateFile, CheckedParts), RollupError> {
    let failed = |source: ColumnsError| RollupError::Columns { file: path.to_owned(), source };
    for bytes in TAIL_BYTES.into_iter().chain([size_bytes]) {
        let tail = store.get_tail(path, bytes)?;
        let Some(file) = AggregateFile::open(&tail, size_bytes).map_err(failed)? else { continue };
        if let Some(parts) = CheckedParts::open(store, path, size_bytes, tail, file.blocks())? {
            return Ok((file, parts));
        }
    }
    Err(failed(ColumnsError::Unreadable("it has no footer".to_owned())))
}
