//! Rollup files written: one day of a shard's categories encoded as Parquet and put into the folders of their
//! groups.
//!
//! Invariant: rows are sorted by category, item, set of paths, kind of copy and hour; no commit names the files yet.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;

use crate::delta::NewFile;
use crate::lake::{DayPartition, ROLLUPS};
use crate::model::{
    AggregateRow, AggregateRows, CategoryGroup, Date, Hour, ROWS_OF_OWN_FILES, ROWS_OF_SHARDS, Shard,
    Sharing, category_of_set,
};
use crate::parquet_format::{AggregateLine, Encoded, encode_aggregates};
use crate::rollup::error::RollupError;
use crate::storage::{BulkWriter, Store, unique_id};

/// Where files are written, and how they are named.
pub(super) enum Output<'a> {
    /// With names of their own; durable together, and removed where that fails.
    Bulk(&'a BulkWriter<'a>),
    /// With names that follow from the part of a rollup that they are of. They stay, whatever happens to the process:
    /// another one may have written the same ones, and a commit may name them.
    OfPart { store: &'a Store, name: String },
}

/// A file that is encoded but not written yet.
pub(super) struct EncodedFile {
    pub partition: DayPartition,
    encoded: Encoded,
}

impl EncodedFile {
    /// Returns the file's content.
    pub fn bytes(&self) -> &Bytes {
        &self.encoded.bytes
    }

    /// Writes the file.
    ///
    /// # Errors
    /// Fails where the disk does.
    pub fn write(self, output: &Output<'_>) -> Result<NewFile, RollupError> {
        let EncodedFile { partition, encoded } = self;
        let path = |unique: &str| format!("{}/{}", partition.folder(), encoded.name(unique));
        let path = match output {
            Output::Bulk(bulk) => {
                let path = path(&unique_id());
                bulk.put(&format!("{ROLLUPS}/{path}"), encoded.bytes.clone())?;
                path
            }
            Output::OfPart { store, name } => {
                let path = path(name);
                store.put(&format!("{ROLLUPS}/{path}"), encoded.bytes.clone())?;
                path
            }
        };
        Ok(NewFile::of(path, partition.values(), encoded))
    }
}

/// Encodes the rows of a shard's day, given their order: a file for each category with many rows, and one for all
/// others of the shard. Those of all shards share one only if there are few.
///
/// # Errors
/// Fails where the rows do not fit into Parquet.
pub(super) fn encode_day(
    event_type: &str,
    date: Date,
    shard: Shard,
    aggregates: &AggregateRows,
    order: &[u32],
) -> Result<Vec<EncodedFile>, RollupError> {
    let categories = categories_of(aggregates, order);
    let shared = categories.iter().map(|(_, rows)| rows.len()).filter(|rows| *rows < ROWS_OF_OWN_FILES);
    let is_small = (shared.sum::<usize>() as u64) < ROWS_OF_SHARDS;
    let sharing = if shard == Shard::All && is_small { Sharing::ByAll } else { Sharing::ByShard };
    let mut groups: BTreeMap<CategoryGroup, Vec<Range<usize>>> = BTreeMap::new();
    for (category, rows) in categories {
        groups.entry(CategoryGroup::of(category, rows.len(), sharing)).or_default().push(rows);
    }
    let encode = |(group, ranges): (CategoryGroup, Vec<Range<usize>>)| {
        let partition = DayPartition { event_type: event_type.to_owned(), date, group };
        match &ranges[..] {
            [only] if only.len() == order.len() => {
                encode(lines_of(aggregates, aggregates.in_order(order), Hour::of_day), |_| partition)
            }
            _ => {
                let rows = |range: Range<usize>| order[range].iter().copied();
                let order: Vec<u32> = ranges.into_iter().flat_map(rows).collect();
                encode(lines_of(aggregates, aggregates.in_order(&order), Hour::of_day), |_| partition)
            }
        }
    };
    groups.into_iter().map(encode).collect()
}

/// Encodes lines in the order of rollup files; `partition_of` returns their partition, given their number.
///
/// # Errors
/// Fails where the lines do not fit into Parquet.
pub(super) fn encode<'a>(
    lines: impl IntoIterator<Item = AggregateLine<'a>>,
    partition_of: impl FnOnce(u64) -> DayPartition,
) -> Result<EncodedFile, RollupError> {
    let encoded = encode_aggregates(lines)
        .map_err(|source| RollupError::Columns { file: format!("a file of {ROLLUPS}"), source })?;
    let partition = partition_of(encoded.rows);
    Ok(EncodedFile { partition, encoded })
}

/// Returns the categories of rows in an order by category, and where the rows of each are.
fn categories_of<'a>(aggregates: &'a AggregateRows, order: &[u32]) -> Vec<(Option<&'a str>, Range<usize>)> {
    let of_sets = aggregates.categories();
    let category_of = |at: &u32| of_sets[aggregates.rows[*at as usize].path_set as usize];
    let mut categories = Vec::new();
    let mut start = 0;
    for rows in order.chunk_by(|a, b| category_of(a) == category_of(b)) {
        let set = aggregates.path_sets.name(aggregates.rows[rows[0] as usize].path_set);
        categories.push((category_of_set(set), start..start + rows.len()));
        start += rows.len();
    }
    categories
}

/// Returns rows as the lines of a file, with the numbers that their hours have in it.
pub(super) fn lines_of<'a>(
    aggregates: &'a AggregateRows,
    rows: impl Iterator<Item = AggregateRow> + 'a,
    number: impl Fn(Hour) -> i32 + 'a,
) -> impl Iterator<Item = AggregateLine<'a>> + 'a {
    rows.map(move |row| AggregateLine {
        hour: number(row.hour),
        item_id: aggregates.items.name(row.item),
        paths: aggregates.path_sets.name(row.path_set),
        is_primary: row.is_primary,
        aggregate: row.aggregate,
    })
}
