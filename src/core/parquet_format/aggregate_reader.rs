//! Reads aggregate files in batches, all rows or those of some items.
//!
//! Invariant: rows come in the order of the file, whichever way they are decoded.

use std::collections::BTreeSet;

use arrow::array::{Array, RecordBatch};
use bytes::Bytes;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, RowSelection, RowSelector};
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};
use serde::{Deserialize, Serialize};

use crate::model::Shard;
use crate::parquet_format::aggregate_batch::AggregateBatch;
use crate::parquet_format::aggregate_file::AggregateFile;
use crate::parquet_format::aggregate_pages::AggregatePages;
use crate::parquet_format::aggregates::{CATEGORY, COLUMNS, ITEM_ID, PATHS};
use crate::parquet_format::error::ColumnsError;
use crate::parquet_format::fields::texts;
use crate::parquet_format::panic_guard::GuardedBatches;
use crate::parquet_format::parquet_file::{BLOCKS, decode_groups, decode_with_dictionaries, footer, labels};
use crate::storage::BlockChecksums;

/// The items to read: of some categories, from one id up to but not including another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ItemRange {
    pub categories: CategoryFilter,
    /// The shard of the categories; none where the file has no others.
    pub shard: Option<Shard>,
    pub from: Option<String>,
    pub until: Option<String>,
}

/// Which top-level categories to read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CategoryFilter {
    #[default]
    All,
    Only(String),
    Among(BTreeSet<String>),
    Except(BTreeSet<String>),
}

impl ItemRange {
    /// Returns whether every item is in it.
    pub fn is_full(&self) -> bool {
        *self == ItemRange::default()
    }

    /// Returns whether it has an item of a category.
    pub fn contains(&self, category: Option<&str>, item_id: &str) -> bool {
        let is_wanted = match (&self.categories, category) {
            (CategoryFilter::Only(only), category) => category == Some(only),
            (CategoryFilter::Among(some), category) => {
                category.is_some_and(|category| some.contains(category))
            }
            (CategoryFilter::Except(others), Some(category)) => !others.contains(category),
            (CategoryFilter::All | CategoryFilter::Except(_), _) => true,
        };
        is_wanted
            && self.shard.is_none_or(|shard| shard.has(category))
            && self.from.as_ref().is_none_or(|from| from.as_str() <= item_id)
            && self.until.as_ref().is_none_or(|until| item_id < until.as_str())
    }

    /// Returns whether it has no item of a category behind another one.
    pub fn ends_before(&self, category: Option<&str>, item_id: &str) -> bool {
        let CategoryFilter::Only(only) = &self.categories else { return false };
        let is_behind = self.until.as_ref().is_some_and(|until| until.as_str() <= item_id);
        category > Some(only) || category == Some(only) && is_behind
    }
}

/// What the footer of an aggregate file has beside its columns.
#[derive(Default)]
pub struct AggregateLabels {
    /// All paths in the file; none where it does not list them.
    pub paths: Option<Vec<String>>,
    /// The checksums of its blocks; none in files of older versions.
    pub blocks: Option<BlockChecksums>,
}

/// Reads an aggregate file's labels, given the end of the file; `None` where the end is too short.
///
/// # Errors
/// Fails where the bytes are not the end of a Parquet file.
pub fn aggregate_labels(tail: &Bytes, size: u64) -> Result<Option<AggregateLabels>, ColumnsError> {
    let labels = labels(tail, size, [PATHS, BLOCKS])?;
    Ok(labels.map(|[paths, blocks]| AggregateLabels {
        paths: paths.and_then(|text| serde_json::from_str(&text).ok()),
        blocks: blocks.and_then(|text| BlockChecksums::parse(&text)),
    }))
}

/// Returns whether the rows of an item are wanted.
pub type WantsItem<'a> = &'a (dyn Fn(&str) -> bool + Sync);

/// Returns the smallest item id of each row group of a file of one category, or of each page if there are fewer row
/// groups than pieces, possibly truncated: the places to split the file.
///
/// # Errors
/// Fails where the bytes are not a Parquet file.
pub fn first_items(bytes: &Bytes, pieces: usize) -> Result<Vec<String>, ColumnsError> {
    let footer = footer(bytes)?;
    let column = footer.parquet_schema().columns().iter().position(|column| column.name() == ITEM_ID);
    let column = column.ok_or(ColumnsError::Column(ITEM_ID))?;
    let groups = footer.metadata().row_groups();
    if groups.len() < pieces
        && let Some(file) = AggregateFile::open(bytes, bytes.len() as u64)?
    {
        return Ok(file.first_items());
    }
    let first = groups.iter().filter_map(|group| group.column(column).statistics()?.min_bytes_opt());
    // An id truncated within a character is left out: fewer places to split at are still correct.
    Ok(first.filter_map(|min| String::from_utf8(min.to_vec()).ok()).collect())
}

/// Returns an aggregate file's rows in batches: all rows of the range, and some before and after it. With
/// `wants`, only the rows of wanted items; of all others only the id is read.
///
/// # Errors
/// Fails, or an item does, where the bytes are not such a file.
pub fn decode_aggregates(
    bytes: Bytes,
    range: &ItemRange,
    wants: Option<WantsItem<'_>>,
) -> Result<impl Iterator<Item = Result<AggregateBatch, ColumnsError>> + Send + use<>, ColumnsError> {
    let may_contain = |group: &RowGroupMetaData| may_overlap(group, range);
    let rows = match wants {
        Some(wants) => Some(rows_of(
            decode_with_dictionaries(bytes.clone(), &[ITEM_ID], &[], &may_contain, None)?,
            wants,
        )?),
        None => None,
    };
    AggregateBatches::of(bytes, &may_contain, rows)
}

/// Returns whether a row group may have items of a range, by its statistics.
fn may_overlap(group: &RowGroupMetaData, range: &ItemRange) -> bool {
    let ends = |name: &str| {
        let column = group.columns().iter().find(|column| column.column_path().parts() == [name]);
        column
            .and_then(ColumnChunkMetaData::statistics)
            .and_then(|of| of.min_bytes_opt().zip(of.max_bytes_opt()))
    };
    if let CategoryFilter::Only(only) = &range.categories
        && let Some((min, max)) = ends(CATEGORY)
        && !(min <= only.as_bytes() && only.as_bytes() <= max)
    {
        return false;
    }
    let is_before = |max: &[u8]| range.from.as_ref().is_some_and(|from| max < from.as_bytes());
    let is_behind = |min: &[u8]| range.until.as_ref().is_some_and(|until| min >= until.as_bytes());
    ends(ITEM_ID).is_none_or(|(min, max)| !is_before(max) && !is_behind(min))
}

/// The batches of a file: decoded from its pages as far as these are ours, else by the library.
struct AggregateBatches {
    bytes: Bytes,
    groups: Vec<usize>,
    pages: Option<AggregatePages>,
    library: Option<GuardedBatches<ParquetRecordBatchReader>>,
    /// How many rows have been decoded from pages.
    rows: usize,
}

impl AggregateBatches {
    fn of(
        bytes: Bytes,
        wants_group: &dyn Fn(&RowGroupMetaData) -> bool,
        rows: Option<RowSelection>,
    ) -> Result<AggregateBatches, ColumnsError> {
        let footer = footer(&bytes)?;
        let groups = footer.metadata().row_groups();
        let groups: Vec<usize> = (0..groups.len()).filter(|&at| wants_group(&groups[at])).collect();
        let pages = match &rows {
            None => AggregatePages::of(&bytes, footer.metadata(), groups.clone()),
            Some(_) => None,
        };
        let mut batches = AggregateBatches { bytes, groups, pages, library: None, rows: 0 };
        if batches.pages.is_none() {
            batches.library = Some(batches.by_library(rows)?);
        }
        Ok(batches)
    }

    fn by_library(
        &self,
        rows: Option<RowSelection>,
    ) -> Result<GuardedBatches<ParquetRecordBatchReader>, ColumnsError> {
        decode_groups(self.bytes.clone(), &COLUMNS, &["categories"], self.groups.clone(), rows)
    }

    /// Leaves to the library the rows that have not been decoded.
    fn leave_to_library(&mut self) -> Result<(), ColumnsError> {
        self.pages = None;
        let footer = footer(&self.bytes)?;
        let rows = self.groups.iter().map(|&at| footer.metadata().row_group(at).num_rows());
        let rows = usize::try_from(rows.sum::<i64>()).unwrap_or(0);
        let rest = RowSelection::from(vec![
            RowSelector::skip(self.rows),
            RowSelector::select(rows.saturating_sub(self.rows)),
        ]);
        self.library = Some(self.by_library(Some(rest))?);
        Ok(())
    }
}

impl Iterator for AggregateBatches {
    type Item = Result<AggregateBatch, ColumnsError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.pages.as_mut().map(AggregatePages::next) {
            Some(Some(batch)) => {
                self.rows += batch.as_ref().map_or(0, AggregateBatch::rows);
                return batch.map(Ok);
            }
            Some(None) => {
                if let Err(error) = self.leave_to_library() {
                    return Some(Err(error));
                }
            }
            None => {}
        }
        let batch = self.library.as_mut()?.next()?;
        Some(batch.and_then(|batch| AggregateBatch::of(&batch)))
    }
}

/// Returns which rows are of the wanted items.
fn rows_of(
    batches: impl Iterator<Item = Result<RecordBatch, ColumnsError>>,
    wants: WantsItem<'_>,
) -> Result<RowSelection, ColumnsError> {
    let mut stretches: Vec<RowSelector> = Vec::new();
    for batch in batches {
        let item_id = texts(&batch?, ITEM_ID)?;
        let mut last: Option<(&str, bool)> = None;
        for row in 0..item_id.len() {
            let id = item_id.value(row);
            let is_wanted = match last {
                Some((last, is_wanted)) if last == id => is_wanted,
                _ => wants(id),
            };
            last = Some((id, is_wanted));
            match stretches.last_mut() {
                Some(stretch) if stretch.skip != is_wanted => stretch.row_count += 1,
                _ if is_wanted => stretches.push(RowSelector::select(1)),
                _ => stretches.push(RowSelector::skip(1)),
            }
        }
    }
    Ok(stretches.into())
}
