//! Decodes the pages of `events` files directly.
//!
//! A lake has a small file for each category and hour, and setting up the Parquet library's readers for one
//! costs more than reading it. [`EventEncoder`](crate::parquet_format::EventEncoder) uses few encodings,
//! which are decoded here. Any other file, also a damaged one, gives `None` and is left to the library.
//!
//! Invariant: rows decoded here are those that the library would have read.

use std::sync::{Arc, LazyLock};

use arrow::array::StringArray;
use bytes::Bytes;
use parquet::basic::Encoding;
use parquet::column::page::Page;
use parquet::file::metadata::{
    ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader, ParquetStatisticsPolicy, RowGroupMetaData,
};
use parquet::file::serialized_reader::SerializedPageReader;
use parquet::schema::types::SchemaDescriptor;

use crate::parquet_format::decodings::{is_run_of, take_flags, take_hybrid, take_sized};
use crate::parquet_format::dictionary::{DictionaryLists, DictionaryTexts};
use crate::parquet_format::events::{ROWS_PER_GROUP, SCHEMA, empty_file};
use crate::parquet_format::page_values::{DataPage, plain_numbers, plain_small_numbers, plain_texts};
use crate::parquet_format::panic_guard::guarded;
use crate::parquet_format::parquet_file::CREATED_BY;

/// The numbers of the columns that are read.
const HOUR: usize = 0;
const ITEM_ID: usize = 3;
const CATEGORIES: usize = 5;
const QUANTITY: usize = 6;
const AMOUNT: usize = 7;
const IS_PRIMARY: usize = 8;
/// The footer's length and Parquet's magic bytes, after the footer.
const TRAILER_BYTES: usize = 8;

/// The columns of a file that are aggregated.
pub(super) struct EventRows {
    /// Of the day.
    pub hours: Vec<u8>,
    pub item_id: DictionaryTexts,
    pub categories: DictionaryLists,
    /// In ten-thousandths.
    pub quantity: Vec<i64>,
    /// In ten-thousandths; 0 where there is none.
    pub amount: Vec<i64>,
    pub is_primary: Vec<bool>,
}

/// The fields that follow the schema in the footer of an empty file: `num_rows = 0` and `row_groups = []`,
/// in [Thrift's compact protocol](https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md).
const NO_ROWS: [u8; 4] = [0x16, 0x00, 0x19, 0x0C];

/// The beginning of every footer of ours, and how a footer is read that begins so.
static FOOTER: LazyLock<(Vec<u8>, ParquetMetaDataOptions)> = LazyLock::new(|| {
    let options = ParquetMetaDataOptions::new()
        .with_schema(Arc::new(SchemaDescriptor::new(Arc::clone(&SCHEMA.1))))
        .with_column_stats_policy(ParquetStatisticsPolicy::SkipAll)
        .with_encoding_stats_policy(ParquetStatisticsPolicy::SkipAll)
        .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll);
    (footer_prefix().unwrap_or_default(), options)
});

/// Returns the fields that every footer of ours begins with: the version and the schema.
fn footer_prefix() -> Option<Vec<u8>> {
    let file = empty_file().ok()?;
    let footer = footer_of(&file)?;
    // Not a part of the schema, which has neither lists nor integers of 64 bits.
    let end = footer.windows(NO_ROWS.len()).position(|fields| fields == NO_ROWS)?;
    Some(footer[..end].to_vec())
}

/// Returns the rows of a file; `None` where it is not encoded as ours are.
pub(super) fn read_rows(bytes: &Bytes) -> Option<EventRows> {
    guarded(|| Ok(rows_of(bytes))).ok().flatten()
}

fn rows_of(bytes: &Bytes) -> Option<EventRows> {
    let footer = footer(bytes)?;
    let [group] = footer.row_groups() else { return None };
    let rows = usize::try_from(group.num_rows()).ok().filter(|rows| *rows <= ROWS_PER_GROUP)?;
    let bytes = Arc::new(bytes.clone());
    let chunk = |column| Chunk::of(&bytes, group, column, rows);
    Some(EventRows {
        hours: chunk(HOUR)?.hours()?,
        item_id: chunk(ITEM_ID)?.texts()?,
        categories: chunk(CATEGORIES)?.lists()?,
        quantity: chunk(QUANTITY)?.numbers().filter(|(_, has_nulls)| !has_nulls)?.0,
        amount: chunk(AMOUNT)?.numbers()?.0,
        is_primary: chunk(IS_PRIMARY)?.flags()?,
    })
}

/// Returns whether a file may have rows of some items, which are sorted.
pub fn may_have_items(bytes: &Bytes, items: &[&str]) -> bool {
    let looked = guarded(|| Ok(has_any(bytes, items)));
    looked.ok().flatten().unwrap_or(true)
}

/// Returns whether the dictionary of a file's ids has any of some items; `None` where the file is not
/// encoded as ours are.
fn has_any(bytes: &Bytes, items: &[&str]) -> Option<bool> {
    let footer = footer(bytes)?;
    // Files of other writers may have ids outside of the dictionary.
    let is_ours = footer.file_metadata().created_by() == Some(CREATED_BY);
    let ([group], true) = (footer.row_groups(), is_ours) else { return None };
    let chunk = group.columns().get(ITEM_ID)?;
    let rows = usize::try_from(group.num_rows()).ok()?;
    let mut pages = SerializedPageReader::new(Arc::new(bytes.clone()), chunk, rows, None).ok()?;
    let Page::DictionaryPage { buf, num_values, encoding: Encoding::PLAIN, .. } = pages.next()?.ok()? else {
        return None;
    };
    let mut rest = &buf[..];
    for _ in 0..num_values {
        let id = take_sized(&mut rest)?;
        if items.binary_search_by(|item| item.as_bytes().cmp(id)).is_ok() {
            return Some(true);
        }
    }
    Some(false)
}

/// Returns the footer of a file whose columns are ours.
pub(super) fn footer(bytes: &Bytes) -> Option<ParquetMetaData> {
    let (beginning, options) = &*FOOTER;
    let footer = footer_of(bytes)?;
    if beginning.is_empty() || !footer.starts_with(beginning) {
        return None;
    }
    ParquetMetaDataReader::decode_metadata_with_options(footer, Some(options)).ok()
}

fn footer_of(bytes: &Bytes) -> Option<&[u8]> {
    let (rest, trailer) = bytes.split_last_chunk::<TRAILER_BYTES>()?;
    let [a, b, c, d, letters @ ..] = *trailer;
    let start = rest.len().checked_sub(u32::from_le_bytes([a, b, c, d]) as usize)?;
    (&letters == b"PAR1").then(|| &rest[start..])
}

/// Returns a number as an hour of the day, if it is one.
pub(super) fn hour_of_day(number: i32) -> Option<u8> {
    u8::try_from(number).ok().filter(|hour| *hour < 24)
}

/// The pages of one column.
struct Chunk {
    rows: usize,
    /// Its bytes, and how many values it has.
    dictionary: Option<(Bytes, usize)>,
    data: Vec<DataPage>,
}

impl Chunk {
    fn of(bytes: &Arc<Bytes>, group: &RowGroupMetaData, column: usize, rows: usize) -> Option<Chunk> {
        let chunk = group.columns().get(column)?;
        let mut read = Chunk { rows, dictionary: None, data: Vec::with_capacity(1) };
        for page in SerializedPageReader::new(Arc::clone(bytes), chunk, rows, None).ok()? {
            match page.ok()? {
                Page::DictionaryPage { buf, num_values, encoding: Encoding::PLAIN, .. }
                    if read.dictionary.is_none() && read.data.is_empty() =>
                {
                    read.dictionary = Some((buf, num_values as usize));
                }
                Page::DataPage {
                    buf,
                    num_values,
                    encoding,
                    def_level_encoding: Encoding::RLE,
                    rep_level_encoding: Encoding::RLE,
                    ..
                } => read.data.push(DataPage { bytes: buf, count: num_values as usize, encoding }),
                _ => return None,
            }
        }
        Some(read)
    }

    /// Returns the rows' keys into the dictionary; `None` where there is a null.
    fn keys(&self) -> Option<Vec<i32>> {
        let mut keys = Vec::with_capacity(self.rows);
        for page in &self.data {
            let mut bytes = self.of_flat(page, keys.len())?;
            let levels = take_sized(&mut bytes)?;
            is_run_of(1, page.count, levels, 1).then_some(())?;
            page.take_keys(bytes, page.count, &mut keys)?;
        }
        (keys.len() == self.rows).then_some(keys)
    }

    /// Returns the rows' texts; `None` where there is a null.
    fn texts(&self) -> Option<DictionaryTexts> {
        DictionaryTexts::of(self.keys()?, self.dictionary_of_texts()?)
    }

    /// Returns the rows' lists of texts; `None` where there is a null.
    fn lists(&self) -> Option<DictionaryLists> {
        let mut keys = Vec::with_capacity(self.rows);
        let mut offsets = Vec::with_capacity(self.rows + 1);
        for page in &self.data {
            let (bytes, filled) = page.take_lists(keys.len(), self.rows - offsets.len(), &mut offsets)?;
            page.take_keys(bytes, filled, &mut keys)?;
        }
        (offsets.len() == self.rows).then_some(())?;
        offsets.push(i32::try_from(keys.len()).ok()?);
        DictionaryLists::of(offsets, DictionaryTexts::of(keys, self.dictionary_of_texts()?)?)
    }

    /// Returns the rows' numbers, 0 for a null, and whether there is a null.
    fn numbers(&self) -> Option<(Vec<i64>, bool)> {
        let dictionary: Option<Vec<i64>> = match &self.dictionary {
            Some((bytes, count)) => Some(plain_numbers(bytes, *count)?),
            None => None,
        };
        let mut numbers = Vec::with_capacity(self.rows);
        let mut has_nulls = false;
        for page in &self.data {
            let mut bytes = self.of_flat(page, numbers.len())?;
            let levels = take_sized(&mut bytes)?;
            if is_run_of(1, page.count, levels, 1) {
                page.take_numbers(bytes, page.count, dictionary.as_deref(), &mut numbers)?;
                continue;
            }
            has_nulls = true;
            let (mut are_there, mut filled) = (Vec::new(), Vec::new());
            take_hybrid(levels, 1, page.count, &mut are_there)?;
            let count = are_there.iter().filter(|&&level| level == 1).count();
            page.take_numbers(bytes, count, dictionary.as_deref(), &mut filled)?;
            let mut filled = filled.into_iter();
            numbers.extend(are_there.into_iter().map(|level| match level {
                1 => filled.next().unwrap_or(0),
                _ => 0,
            }));
        }
        (numbers.len() == self.rows).then_some((numbers, has_nulls))
    }

    /// Returns the rows' hours of the day; `None` where one is none.
    fn hours(&self) -> Option<Vec<u8>> {
        let (bytes, count) = self.dictionary.as_ref()?;
        let dictionary = plain_small_numbers(bytes, *count)?;
        let dictionary = dictionary.into_iter().map(hour_of_day).collect::<Option<Vec<u8>>>()?;
        let keys = self.keys()?;
        let mut hours = Vec::with_capacity(keys.len());
        for key in keys {
            hours.push(*dictionary.get(key as usize)?);
        }
        Some(hours)
    }

    /// Returns the rows' flags; `None` where there is a null.
    fn flags(&self) -> Option<Vec<bool>> {
        let mut flags = Vec::with_capacity(self.rows);
        for page in &self.data {
            let mut bytes = self.of_flat(page, flags.len())?;
            let levels = take_sized(&mut bytes)?;
            (page.encoding == Encoding::PLAIN && is_run_of(1, page.count, levels, 1)).then_some(())?;
            take_flags(bytes, page.count, &mut flags)?;
        }
        (flags.len() == self.rows).then_some(flags)
    }

    /// Returns a page's bytes, if it has no more rows than remain.
    fn of_flat<'a>(&self, page: &'a DataPage, rows_so_far: usize) -> Option<&'a [u8]> {
        (page.count <= self.rows - rows_so_far).then_some(&page.bytes[..])
    }

    fn dictionary_of_texts(&self) -> Option<StringArray> {
        let (bytes, count) = self.dictionary.as_ref()?;
        plain_texts(bytes, *count)
    }
}
