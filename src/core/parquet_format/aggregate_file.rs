//! Point lookups: some items' rows of an aggregate file, read without the rest of it.
//!
//! Rows are sorted by category and item, and the page index has the least and the greatest item of each page.
//! So one page of ids for each category, or one for many small ones, shows which rows of a row group are an
//! item's, and then one page of each other column has them. In older files without a page index, all ids of a row group are read.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder, RowSelection};
use parquet::basic::{Compression, Encoding};
use parquet::column::page::Page;
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    ColumnChunkMask, ColumnChunkMetaData, PageIndexPolicy, ParquetMetaData, ParquetMetaDataOptions,
    ParquetMetaDataReader, ParquetStatisticsPolicy,
};
use parquet::file::page_index::column_index::{ByteArrayColumnIndex, ColumnIndexMetaData};
use parquet::file::page_index::offset_index::PageLocation;
use parquet::file::serialized_reader::SerializedPageReader;

use crate::parquet_format::aggregate_batch::AggregateBatch;
use crate::parquet_format::aggregates::ITEM_ID;
use crate::parquet_format::decodings::{is_run_of, take_sized};
use crate::parquet_format::dictionary::keeping_dictionaries;
use crate::parquet_format::error::ColumnsError;
use crate::parquet_format::fields::texts;
use crate::parquet_format::file_slice::FileSlice;
use crate::parquet_format::page_decompressor::{decompress, unexpected_page};
use crate::parquet_format::panic_guard::{GuardedBatches, guarded};
use crate::parquet_format::parquet_file::{BLOCKS, plain_options};
use crate::storage::BlockChecksums;

const ROWS_PER_BATCH: usize = 1 << 12;

/// An aggregate file whose footer was read.
pub struct AggregateFile {
    footer: Arc<ParquetMetaData>,
    size_bytes: u64,
    item_id: usize,
}

/// Pages of ids of one row group.
pub struct ItemPages {
    group: usize,
    /// The pages that may contain the items; `None` where all must be searched.
    pages: Option<Vec<PageLocation>>,
    /// Where in the file they are.
    pub range: Range<u64>,
}

impl AggregateFile {
    /// Reads the footer from the end of the file, or from the whole file; `None` where the end is too
    /// short.
    ///
    /// # Errors
    /// Fails where this is no end of such a file.
    pub fn open(tail: &Bytes, size_bytes: u64) -> Result<Option<AggregateFile>, ColumnsError> {
        let parsed = guarded(|| {
            let options = ParquetMetaDataOptions::new()
                .with_encoding_stats_policy(ParquetStatisticsPolicy::SkipAll)
                .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll);
            let mut reader = ParquetMetaDataReader::new().with_metadata_options(Some(options));
            match reader.try_parse_sized(tail, size_bytes) {
                Err(ParquetError::NeedMoreData(_)) if (tail.len() as u64) < size_bytes => return Ok(None),
                parsed => parsed?,
            }
            let footer = reader.finish()?;
            let columns = footer.file_metadata().schema_descr().columns();
            let item_id = columns.iter().position(|column| column.name() == ITEM_ID);
            let item_id = item_id.ok_or(ColumnsError::Column(ITEM_ID))?;
            let mut reader = ParquetMetaDataReader::new_with_metadata(footer)
                .with_page_index_policy(PageIndexPolicy::Optional)
                .with_column_index_mask(ColumnChunkMask::columns([item_id]));
            match reader.read_page_indexes_sized(tail, size_bytes) {
                Err(ParquetError::NeedMoreData(_)) if (tail.len() as u64) < size_bytes => return Ok(None),
                read => read?,
            }
            Ok(Some((reader.finish()?, item_id)))
        })?;
        Ok(parsed.map(|(footer, item_id)| AggregateFile { footer: Arc::new(footer), size_bytes, item_id }))
    }

    /// Returns the checksums of the file's blocks; none in files of older versions.
    pub fn blocks(&self) -> Option<BlockChecksums> {
        let labels = self.footer.file_metadata().key_value_metadata()?;
        BlockChecksums::parse(labels.iter().find(|label| label.key == BLOCKS)?.value.as_deref()?)
    }

    /// Returns the smallest item id of each page, possibly truncated; none of pages without an index.
    pub fn first_items(&self) -> Vec<String> {
        let groups = 0..self.footer.num_row_groups();
        let of_group = |group: usize| {
            let index = self.footer.page_index_for_row_group(group);
            let pages = index.page_locations(self.item_id).map_or(0, Vec::len);
            let Some(ColumnIndexMetaData::BYTE_ARRAY(index)) = index.column_index(self.item_id) else {
                return Vec::new();
            };
            let least = (0..pages).filter_map(|page| index.min_value(page));
            least.filter_map(|least| String::from_utf8(least.to_vec()).ok()).collect()
        };
        groups.flat_map(of_group).collect()
    }

    /// Returns the pages of ids that may contain some of the items, which are sorted.
    pub fn pages_of(&self, items: &[&str]) -> Vec<ItemPages> {
        let groups = 0..self.footer.num_row_groups();
        groups.filter_map(|group| self.pages_in(group, items)).collect()
    }

    fn pages_in(&self, group: usize, items: &[&str]) -> Option<ItemPages> {
        let chunk = self.chunk(group);
        let ends = chunk.statistics().and_then(|of| of.min_bytes_opt().zip(of.max_bytes_opt()));
        if ends.is_some_and(|(least, most)| !is_any_within(items, least, most)) {
            return None;
        }
        let index = self.footer.page_index_for_row_group(group);
        let locations = index.page_locations(self.item_id);
        let (Some(ColumnIndexMetaData::BYTE_ARRAY(index)), Some(locations), true) =
            (index.column_index(self.item_id), locations, is_plain(chunk))
        else {
            let (start, length) = chunk.byte_range();
            return Some(ItemPages { group, pages: None, range: start..start.saturating_add(length) });
        };
        let pages: Vec<PageLocation> = locations
            .iter()
            .enumerate()
            .filter(|(page, _)| may_contain(index, *page, items))
            .map(|(_, at)| at.clone())
            .collect();
        let start = pages.first()?.offset.max(0).unsigned_abs();
        let end = pages.last().map(end_of)?;
        Some(ItemPages { group, pages: Some(pages), range: start..end })
    }

    /// Returns which rows of the row group are the items', given the bytes of the pages.
    ///
    /// # Errors
    /// Fails where the file is damaged.
    pub fn rows_of(
        &self,
        pages: &ItemPages,
        bytes: Bytes,
        items: &[&str],
    ) -> Result<Vec<Range<usize>>, ColumnsError> {
        let part = FileSlice { at: pages.range.start, bytes, size_bytes: self.size_bytes };
        let Some(locations) = &pages.pages else { return self.rows_by_library(pages.group, part, items) };
        guarded(|| {
            let chunk = self.chunk(pages.group).clone().into_builder();
            let start = pages.range.start.cast_signed();
            // Without an offset of a dictionary, or the reader would take the bytes before the pages for
            // one. And as if uncompressed, or it would set up a decompressor for each file.
            let chunk = chunk.set_dictionary_page_offset(None).set_data_page_offset(start);
            let chunk = chunk.set_compression(Compression::UNCOMPRESSED).build()?;
            let is_compressed = self.chunk(pages.group).compression() != Compression::UNCOMPRESSED;
            let rows = self.rows_in(pages.group);
            let reader = SerializedPageReader::new(Arc::new(part), &chunk, rows, Some(locations.clone()))?;
            let mut found = Vec::new();
            for (page, location) in reader.zip(locations) {
                let first = usize::try_from(location.first_row_index).map_err(|_| unexpected_page())?;
                let Page::DataPage { buf, num_values, encoding: Encoding::PLAIN, .. } = page? else {
                    return Err(unexpected_page());
                };
                let bytes = if is_compressed { decompress(&buf)?.into() } else { buf };
                find_in(&bytes, first, num_values as usize, items, &mut found).ok_or_else(unexpected_page)?;
            }
            Ok(found)
        })
    }

    /// Returns where in the file a row group is.
    pub fn range_of(&self, pages: &ItemPages) -> Range<u64> {
        let columns = self.footer.row_group(pages.group).columns();
        let ranges = columns.iter().map(|column| {
            let (from, length) = column.byte_range();
            from..from.saturating_add(length)
        });
        ranges.reduce(|a, b| a.start.min(b.start)..a.end.max(b.end)).unwrap_or(0..0)
    }

    /// Returns some rows of a row group, given its bytes.
    ///
    /// # Errors
    /// Fails, or an item does, where the file is damaged.
    pub fn read(
        &self,
        pages: &ItemPages,
        bytes: Bytes,
        rows: Vec<Range<usize>>,
    ) -> Result<impl Iterator<Item = Result<AggregateBatch, ColumnsError>>, ColumnsError> {
        let part = FileSlice { at: self.range_of(pages).start, bytes, size_bytes: self.size_bytes };
        let rows = RowSelection::from_consecutive_ranges(rows.into_iter(), self.rows_in(pages.group));
        let batches = guarded(|| {
            let reader = self.reader(pages.group, part, &["categories"])?;
            Ok(GuardedBatches::of(reader.with_row_selection(rows).build()?))
        })?;
        Ok(batches.map(|batch| AggregateBatch::of(&batch?)))
    }

    fn rows_by_library(
        &self,
        group: usize,
        part: FileSlice,
        items: &[&str],
    ) -> Result<Vec<Range<usize>>, ColumnsError> {
        let ids = guarded(|| {
            let reader = self.reader(group, part, &[])?;
            let mask = ProjectionMask::columns(reader.parquet_schema(), [ITEM_ID]);
            Ok(GuardedBatches::of(reader.with_projection(mask).build()?))
        })?;
        let (mut found, mut row) = (Vec::new(), 0);
        for batch in ids {
            for id in &texts(&batch?, ITEM_ID)? {
                if id.is_some_and(|id| items.binary_search(&id).is_ok()) {
                    extend(&mut found, row);
                }
                row += 1;
            }
        }
        Ok(found)
    }

    fn reader(
        &self,
        group: usize,
        part: FileSlice,
        dictionary: &[&str],
    ) -> Result<ParquetRecordBatchReaderBuilder<FileSlice>, ColumnsError> {
        let plain = ArrowReaderMetadata::try_new(Arc::clone(&self.footer), plain_options())?;
        let schema = keeping_dictionaries(plain.schema(), dictionary);
        let options = plain_options().with_schema(schema);
        let footer = ArrowReaderMetadata::try_new(Arc::clone(&self.footer), options)?;
        Ok(ParquetRecordBatchReaderBuilder::new_with_metadata(part, footer)
            .with_row_groups(vec![group])
            .with_batch_size(ROWS_PER_BATCH))
    }

    fn chunk(&self, group: usize) -> &ColumnChunkMetaData {
        self.footer.row_group(group).column(self.item_id)
    }

    fn rows_in(&self, group: usize) -> usize {
        usize::try_from(self.footer.row_group(group).num_rows()).unwrap_or(0)
    }
}

/// Returns whether a column chunk has plain values, without a dictionary.
fn is_plain(chunk: &ColumnChunkMetaData) -> bool {
    let mut encodings = chunk.encodings();
    matches!(chunk.compression(), Compression::ZSTD(_) | Compression::UNCOMPRESSED)
        && chunk.dictionary_page_offset().is_none()
        && encodings.all(|encoding| [Encoding::PLAIN, Encoding::RLE].contains(&encoding))
}

fn may_contain(index: &ByteArrayColumnIndex, page: usize, items: &[&str]) -> bool {
    let ends = index.min_value(page).zip(index.max_value(page));
    ends.is_none_or(|(least, most)| is_any_within(items, least, most))
}

/// Returns whether any of some sorted items is between these bounds, inclusively.
fn is_any_within(items: &[&str], least: &[u8], most: &[u8]) -> bool {
    let first = items.partition_point(|item| item.as_bytes() < least);
    items.get(first).is_some_and(|item| item.as_bytes() <= most)
}

fn end_of(page: &PageLocation) -> u64 {
    page.offset.saturating_add(i64::from(page.compressed_page_size)).max(0).unsigned_abs()
}

/// Appends which rows of a page are the items', given the number of its first row; `None` where the page
/// is not encoded as expected.
fn find_in(
    page: &[u8],
    first: usize,
    rows: usize,
    items: &[&str],
    found: &mut Vec<Range<usize>>,
) -> Option<()> {
    let mut rest = page;
    let levels = take_sized(&mut rest)?;
    is_run_of(1, rows, levels, 1).then_some(())?;
    let all = || items.iter().map(|item| item.as_bytes()).peekable();
    let (mut wanted, mut last) = (all(), &[][..]);
    for row in first..first.checked_add(rows)? {
        let id = take_sized(&mut rest)?;
        if id < last {
            // Another category begins.
            wanted = all();
        }
        last = id;
        while wanted.next_if(|item| *item < id).is_some() {}
        if wanted.peek() == Some(&id) {
            extend(found, row);
        }
    }
    Some(())
}

/// Appends a row to ranges of rows.
fn extend(ranges: &mut Vec<Range<usize>>, row: usize) {
    match ranges.last_mut() {
        Some(last) if last.end == row => last.end += 1,
        _ => ranges.push(row..row + 1),
    }
}
