//! Some items' rows out of a rollup file, without the rest of it.
//!
//! Items are in order, and the file says between which of them each page lies: one page of ids of
//! a group tells which rows are an item's, and then one page of each other column has them. Of a
//! file that says no such thing, as older ones do, the ids of a group are read as a whole.

use std::cell::RefCell;
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
use zstd::bulk::Decompressor;
use zstd::zstd_safe::get_frame_content_size;

use crate::parquet_format::AggregateBatch;
use crate::parquet_format::coded::keeping_dictionaries;
use crate::parquet_format::decodings::{is_run_of, take_sized};
use crate::parquet_format::fields::texts;
use crate::parquet_format::guard::{Guarded, guarded};
use crate::parquet_format::parquet_file::{ColumnsError, plain_options};
use crate::parquet_format::part::Part;

const ITEM_ID: &str = "item_id";
const ROWS_PER_BATCH: usize = 1 << 12;
/// No page of ids that are short enough has more.
const MAX_PAGE_BYTES: usize = 1 << 30;

thread_local! {
    /// To make one takes longer than to unpack a page.
    static UNPACKER: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// A rollup file, its footer read.
pub struct AggregateFile {
    footer: Arc<ParquetMetaData>,
    size_bytes: u64,
    item_id: usize,
}

/// Pages of ids of one group of rows.
pub struct ItemPages {
    group: usize,
    /// Those that may hold the items; none where all must be looked through.
    pages: Option<Vec<PageLocation>>,
    /// Where in the file they lie.
    pub range: Range<u64>,
}

impl AggregateFile {
    /// Reads the footer, of which the file's end is given, or the whole file; none where the end
    /// given is too short.
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

    /// Returns the pages of ids that may hold some of the items, which are in order.
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
            .filter(|(page, _)| may_hold(index, *page, items))
            .map(|(_, at)| at.clone())
            .collect();
        let start = pages.first()?.offset.max(0).unsigned_abs();
        let end = pages.last().map(end_of)?;
        Some(ItemPages { group, pages: Some(pages), range: start..end })
    }

    /// Returns which rows of its group are the items', of which the pages' bytes are given.
    ///
    /// # Errors
    /// Fails where the file is damaged.
    pub fn rows_of(
        &self,
        pages: &ItemPages,
        bytes: Bytes,
        items: &[&str],
    ) -> Result<Vec<Range<usize>>, ColumnsError> {
        let part = Part { at: pages.range.start, bytes, size_bytes: self.size_bytes };
        let Some(locations) = &pages.pages else { return self.rows_by_library(pages.group, part, items) };
        guarded(|| {
            let chunk = self.chunk(pages.group).clone().into_builder();
            let start = pages.range.start.cast_signed();
            // Without what lies before the pages: the reader would take that for a dictionary. And as
            // if they were not compressed: it would set up anew for each file what unpacks them.
            let chunk = chunk.set_dictionary_page_offset(None).set_data_page_offset(start);
            let chunk = chunk.set_compression(Compression::UNCOMPRESSED).build()?;
            let is_packed = self.chunk(pages.group).compression() != Compression::UNCOMPRESSED;
            let rows = self.rows_in(pages.group);
            let reader = SerializedPageReader::new(Arc::new(part), &chunk, rows, Some(locations.clone()))?;
            let mut found = Vec::new();
            for (page, location) in reader.zip(locations) {
                let first = usize::try_from(location.first_row_index).map_err(|_| foreign())?;
                let Page::DataPage { buf, num_values, encoding: Encoding::PLAIN, .. } = page? else {
                    return Err(foreign());
                };
                let bytes = if is_packed { unpack(&buf)?.into() } else { buf };
                find_in(&bytes, first, num_values as usize, items, &mut found).ok_or_else(foreign)?;
            }
            Ok(found)
        })
    }

    /// Returns where in the file a group's rows lie.
    pub fn range_of(&self, pages: &ItemPages) -> Range<u64> {
        let columns = self.footer.row_group(pages.group).columns();
        let ranges = columns.iter().map(|column| {
            let (from, length) = column.byte_range();
            from..from.saturating_add(length)
        });
        ranges.reduce(|a, b| a.start.min(b.start)..a.end.max(b.end)).unwrap_or(0..0)
    }

    /// Returns some rows of a group, whose bytes are given.
    ///
    /// # Errors
    /// Fails, or an item does, where the file is damaged.
    pub fn read(
        &self,
        pages: &ItemPages,
        bytes: Bytes,
        rows: Vec<Range<usize>>,
    ) -> Result<impl Iterator<Item = Result<AggregateBatch, ColumnsError>>, ColumnsError> {
        let part = Part { at: self.range_of(pages).start, bytes, size_bytes: self.size_bytes };
        let rows = RowSelection::from_consecutive_ranges(rows.into_iter(), self.rows_in(pages.group));
        let batches = guarded(|| {
            let reader = self.reader(pages.group, part, &["categories"])?;
            Ok(Guarded::of(reader.with_row_selection(rows).build()?))
        })?;
        Ok(batches.map(|batch| AggregateBatch::of(&batch?)))
    }

    fn rows_by_library(
        &self,
        group: usize,
        part: Part,
        items: &[&str],
    ) -> Result<Vec<Range<usize>>, ColumnsError> {
        let ids = guarded(|| {
            let reader = self.reader(group, part, &[])?;
            let mask = ProjectionMask::columns(reader.parquet_schema(), [ITEM_ID]);
            Ok(Guarded::of(reader.with_projection(mask).build()?))
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
        part: Part,
        coded: &[&str],
    ) -> Result<ParquetRecordBatchReaderBuilder<Part>, ColumnsError> {
        let plain = ArrowReaderMetadata::try_new(Arc::clone(&self.footer), plain_options())?;
        let schema = keeping_dictionaries(plain.schema(), coded);
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

fn foreign() -> ColumnsError {
    ColumnsError::Unreadable("a page of item ids is not what the file says it is".to_owned())
}

/// Tells whether a chunk has its values as they are, and no dictionary of them.
fn is_plain(chunk: &ColumnChunkMetaData) -> bool {
    let mut encodings = chunk.encodings();
    matches!(chunk.compression(), Compression::ZSTD(_) | Compression::UNCOMPRESSED)
        && chunk.dictionary_page_offset().is_none()
        && encodings.all(|encoding| [Encoding::PLAIN, Encoding::RLE].contains(&encoding))
}

fn may_hold(index: &ByteArrayColumnIndex, page: usize, items: &[&str]) -> bool {
    let ends = index.min_value(page).zip(index.max_value(page));
    ends.is_none_or(|(least, most)| is_any_within(items, least, most))
}

/// Tells whether any of some items, in order, is neither less nor more than these.
fn is_any_within(items: &[&str], least: &[u8], most: &[u8]) -> bool {
    let first = items.partition_point(|item| item.as_bytes() < least);
    items.get(first).is_some_and(|item| item.as_bytes() <= most)
}

fn end_of(page: &PageLocation) -> u64 {
    page.offset.saturating_add(i64::from(page.compressed_page_size)).max(0).unsigned_abs()
}

/// Returns a page as it was before it was compressed.
fn unpack(packed: &[u8]) -> Result<Vec<u8>, ColumnsError> {
    let size = get_frame_content_size(packed).ok().flatten().and_then(|size| usize::try_from(size).ok());
    let size = size.filter(|size| *size <= MAX_PAGE_BYTES).ok_or_else(foreign)?;
    UNPACKER.with_borrow_mut(|unpacker| {
        let unpacker = match unpacker {
            Some(unpacker) => unpacker,
            none => none.insert(Decompressor::new().map_err(|_| foreign())?),
        };
        unpacker.decompress(packed, size).map_err(|e| ColumnsError::Unreadable(e.to_string()))
    })
}

/// Appends which rows of a page are the items', the first of its rows being that of a number; none
/// where the page is not laid out as ours are.
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
    let mut wanted = items.iter().map(|item| item.as_bytes()).peekable();
    for row in first..first.checked_add(rows)? {
        let id = take_sized(&mut rest)?;
        while wanted.next_if(|item| *item < id).is_some() {}
        if wanted.peek() == Some(&id) {
            extend(found, row);
        }
    }
    Some(())
}

/// Appends a row to stretches of rows.
fn extend(stretches: &mut Vec<Range<usize>>, row: usize) {
    match stretches.last_mut() {
        Some(last) if last.end == row => last.end += 1,
        _ => stretches.push(row..row + 1),
    }
}
