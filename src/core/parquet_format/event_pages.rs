//! Rows of `events` files straight from their pages.
//!
//! A lake has a small file for each category and hour, and setting the library's readers up for it
//! costs more than reading it. What [`EventEncoder`](crate::parquet_format::EventEncoder) writes lies in
//! one of few ways, which are read here. Any other file, a damaged one too, is none here, and the
//! library's to read and to judge.
//!
//! Invariant: what is read here the library would have read the same.

use std::sync::{Arc, LazyLock};

use arrow::array::StringArray;
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use bytes::Bytes;
use parquet::basic::Encoding;
use parquet::column::page::Page;
use parquet::file::metadata::{
    ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader, ParquetStatisticsPolicy, RowGroupMetaData,
};
use parquet::file::serialized_reader::SerializedPageReader;
use parquet::schema::types::SchemaDescriptor;

use crate::parquet_format::coded::{CodedLists, CodedTexts};
use crate::parquet_format::decodings::{is_run_of, take, take_deltas, take_flags, take_hybrid, take_sized};
use crate::parquet_format::events::{ROWS_PER_GROUP, SCHEMA, empty_file};
use crate::parquet_format::guard::guarded;
use crate::parquet_format::parquet_file::CREATED_BY;

/// The numbers of the columns that are read.
const ITEM_ID: usize = 2;
const CATEGORIES: usize = 3;
const QUANTITY: usize = 4;
const AMOUNT: usize = 5;
const IS_PRIMARY: usize = 6;
/// Behind a footer, its length and four letters.
const TRAILER_BYTES: usize = 8;

/// The rows of a file, as far as they are aggregated.
pub(super) struct EventRows {
    pub item_id: CodedTexts,
    pub categories: CodedLists,
    pub quantity: Vec<i64>,
    /// In ten-thousandths; 0 where there is none.
    pub amount: Vec<i64>,
    pub is_primary: Vec<bool>,
}

/// What every footer of ours begins with, which is the schema and no more, and how it is read then.
static FOOTER: LazyLock<(Vec<u8>, ParquetMetaDataOptions)> = LazyLock::new(|| {
    let footers = [0, 1].map(|rows| empty_file(rows).ok().and_then(|file| Some(footer_of(&file)?.to_vec())));
    let [none, one] = footers.map(Option::unwrap_or_default);
    // The first thing to differ is the number of rows, which follows the schema.
    let same = none.iter().zip(&one).take_while(|(none, one)| none == one).count();
    let options = ParquetMetaDataOptions::new()
        .with_schema(Arc::new(SchemaDescriptor::new(Arc::clone(&SCHEMA.1))))
        .with_column_stats_policy(ParquetStatisticsPolicy::SkipAll)
        .with_encoding_stats_policy(ParquetStatisticsPolicy::SkipAll)
        .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll);
    (none[..same].to_vec(), options)
});

/// Returns the rows of a file; none where it is not laid out as ours are.
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
        item_id: chunk(ITEM_ID)?.texts()?,
        categories: chunk(CATEGORIES)?.lists()?,
        quantity: chunk(QUANTITY)?.numbers().filter(|(_, has_nulls)| !has_nulls)?.0,
        amount: chunk(AMOUNT)?.numbers()?.0,
        is_primary: chunk(IS_PRIMARY)?.flags()?,
    })
}

/// Tells whether a file may have rows of some items, which are in order.
pub fn may_have_items(bytes: &Bytes, items: &[&str]) -> bool {
    let looked = guarded(|| Ok(has_any(bytes, items)));
    looked.ok().flatten().unwrap_or(true)
}

/// Tells by the dictionary of a file's ids whether any is there; none where it is not laid out as
/// ours are.
fn has_any(bytes: &Bytes, items: &[&str]) -> Option<bool> {
    let footer = footer(bytes)?;
    // Others may have ids beside the dictionary.
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

/// The pages of one column.
struct Chunk {
    rows: usize,
    /// Its bytes, and how many values they are.
    dictionary: Option<(Bytes, usize)>,
    data: Vec<DataPage>,
}

struct DataPage {
    bytes: Bytes,
    /// Values, nulls included.
    count: usize,
    encoding: Encoding,
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

    /// Returns the rows' texts, none of which may be missing.
    fn texts(&self) -> Option<CodedTexts> {
        let mut keys = Vec::with_capacity(self.rows);
        for page in &self.data {
            let mut bytes = self.of_flat(page, keys.len())?;
            let levels = take_sized(&mut bytes)?;
            is_run_of(1, page.count, levels, 1).then_some(())?;
            take_keys(page, bytes, page.count, &mut keys)?;
        }
        (keys.len() == self.rows).then_some(())?;
        CodedTexts::of(keys, self.dictionary_of_texts()?)
    }

    /// Returns the rows' lists of texts, none of which may be missing.
    fn lists(&self) -> Option<CodedLists> {
        let mut keys = Vec::with_capacity(self.rows);
        let mut offsets = Vec::with_capacity(self.rows + 1);
        for page in &self.data {
            let mut bytes = &page.bytes[..];
            let [repetition, definition] = [take_sized(&mut bytes)?, take_sized(&mut bytes)?];
            let starts = keys.len();
            let are_ones = is_run_of(0, page.count, repetition, 1) && is_run_of(3, page.count, definition, 2);
            let mut filled = page.count;
            if are_ones {
                (offsets.len() + page.count <= self.rows).then_some(())?;
                offsets.extend((0..page.count).map(|row| ((starts + row) as u32).cast_signed()));
            } else {
                filled = self.put_offsets(page.count, [repetition, definition], starts, &mut offsets)?;
            }
            take_keys(page, bytes, filled, &mut keys)?;
        }
        (offsets.len() == self.rows).then_some(())?;
        offsets.push(i32::try_from(keys.len()).ok()?);
        CodedLists::of(offsets, CodedTexts::of(keys, self.dictionary_of_texts()?)?)
    }

    /// Appends where the lists of a page begin; returns how many texts they have.
    fn put_offsets(
        &self,
        count: usize,
        levels: [&[u8]; 2],
        starts: usize,
        offsets: &mut Vec<i32>,
    ) -> Option<usize> {
        /// Beyond what an event can have, nothing is expected of a page.
        const MAX_TEXTS_OF_ROW: usize = 64;
        (count <= self.rows.checked_mul(MAX_TEXTS_OF_ROW)?).then_some(())?;
        let [mut repetition, mut definition] = [Vec::new(), Vec::new()];
        take_hybrid(levels[0], 1, count, &mut repetition)?;
        take_hybrid(levels[1], 2, count, &mut definition)?;
        let mut filled = 0;
        for (repetition, definition) in repetition.into_iter().zip(definition) {
            match (repetition, definition) {
                (0, 1 | 3) if offsets.len() < self.rows => {
                    offsets.push(((starts + filled) as u32).cast_signed());
                }
                (1, 3) if !offsets.is_empty() => {}
                _ => return None,
            }
            filled += usize::from(definition == 3);
        }
        Some(filled)
    }

    /// Returns the rows' numbers, 0 for one that is missing, and whether any is.
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
                take_numbers(page, bytes, page.count, dictionary.as_deref(), &mut numbers)?;
                continue;
            }
            has_nulls = true;
            let (mut are_there, mut filled) = (Vec::new(), Vec::new());
            take_hybrid(levels, 1, page.count, &mut are_there)?;
            let count = are_there.iter().filter(|&&level| level == 1).count();
            take_numbers(page, bytes, count, dictionary.as_deref(), &mut filled)?;
            let mut filled = filled.into_iter();
            numbers.extend(are_there.into_iter().map(|level| match level {
                1 => filled.next().unwrap_or(0),
                _ => 0,
            }));
        }
        (numbers.len() == self.rows).then_some((numbers, has_nulls))
    }

    /// Returns the rows' flags, none of which may be missing.
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

    /// Returns a page's bytes, if it has no more rows than are left.
    fn of_flat<'a>(&self, page: &'a DataPage, rows_so_far: usize) -> Option<&'a [u8]> {
        (page.count <= self.rows - rows_so_far).then_some(&page.bytes[..])
    }

    fn dictionary_of_texts(&self) -> Option<StringArray> {
        let (bytes, count) = self.dictionary.as_ref()?;
        // Each has its length before it.
        let mut texts = Vec::with_capacity(bytes.len().checked_sub(4 * count)?);
        let mut offsets = Vec::with_capacity(count + 1);
        let mut rest = &bytes[..];
        offsets.push(0);
        for _ in 0..*count {
            texts.extend_from_slice(take_sized(&mut rest)?);
            offsets.push(i32::try_from(texts.len()).ok()?);
        }
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        StringArray::try_new(offsets, Buffer::from_vec(texts), None).ok()
    }
}

/// Appends numbers into a dictionary.
fn take_keys(page: &DataPage, mut bytes: &[u8], count: usize, into: &mut Vec<i32>) -> Option<()> {
    (page.encoding == Encoding::RLE_DICTIONARY).then_some(())?;
    if count == 0 {
        return Some(());
    }
    let width = take(&mut bytes, 1)?[0];
    take_hybrid(bytes, width.into(), count, into)
}

fn take_numbers(
    page: &DataPage,
    bytes: &[u8],
    count: usize,
    dictionary: Option<&[i64]>,
    into: &mut Vec<i64>,
) -> Option<()> {
    match page.encoding {
        Encoding::DELTA_BINARY_PACKED => take_deltas(bytes, count, into),
        Encoding::PLAIN => {
            into.extend(plain_numbers(bytes, count)?);
            Some(())
        }
        _ => {
            let (mut keys, dictionary) = (Vec::new(), dictionary?);
            take_keys(page, bytes, count, &mut keys)?;
            for key in keys {
                into.push(*dictionary.get(key as usize)?);
            }
            Some(())
        }
    }
}

fn plain_numbers(bytes: &[u8], count: usize) -> Option<Vec<i64>> {
    let (numbers, _) = bytes.get(..count.checked_mul(8)?)?.as_chunks::<8>();
    Some(numbers.iter().map(|number| i64::from_le_bytes(*number)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    use arrow::datatypes::DataType;
    use proptest::prop_assert_eq;

    use crate::model::{Aggregate, Interner};
    use crate::parquet_format::chunked_file::{ChunkedFile, schema_of};
    use crate::parquet_format::chunks::{Shape, Values};
    use crate::parquet_format::event_batch::decode_by_library;
    use crate::parquet_format::events::tests::{Sale, any_sales, encoded};
    use crate::parquet_format::events::{COLUMNS, merge_events};
    use crate::parquet_format::{Coder, EventBatch, EventColumns, chunks};

    proptest::proptest! {
        #[test]
        fn of_the_pages_the_same_is_read_as_by_the_library(sales in any_sales()) {
            let (file, _) = encoded(&sales);
            let by_library = decode_by_library(file.bytes.clone(), EventColumns::WithoutIds);
            let by_library = by_library.and_then(Iterator::collect::<Result<Vec<_>, _>>);
            let by_library = summed(&by_library.expect("its pages can be read"));
            let of_pages = read_rows(&file.bytes).expect("it is laid out as ours are");
            prop_assert_eq!(summed(&[EventBatch::of_rows(of_pages)]), by_library);
        }
    }

    /// Returns what is read of some batches.
    fn summed(batches: &[EventBatch]) -> Vec<(String, String, Aggregate, bool)> {
        let (mut coder, mut sets, mut lines) = (Coder::default(), Interner::default(), Vec::new());
        for batch in batches {
            let mut codes = Vec::new();
            batch.path_sets(&mut coder, &mut sets, &mut codes);
            lines.extend(codes.into_iter().enumerate().map(|(row, set)| {
                let (item, paths) = (batch.item_id(row).to_owned(), sets.name(set).to_owned());
                (item, paths, batch.aggregate(row), batch.is_primary(row))
            }));
        }
        lines
    }

    /// Items and paths that come again and that do not, lists of none and of several, and amounts
    /// that are missing.
    fn some_sales() -> Vec<Sale> {
        let sale = |row: i64| -> Sale {
            let categories = ["A/x", "A/x|A/y", "", "B/z|A/y"][row as usize % 7 % 4];
            let amount = (row % 5 > 0).then_some(row * row);
            (row * 1_000, None, format!("item {}", row % 50), categories.to_owned(), row % 3, amount)
        };
        (0..200).map(sale).collect()
    }

    #[test]
    fn of_a_damaged_file_the_same_is_read_from_the_pages_as_by_the_library_if_anything_is() {
        let (file, _) = encoded(&some_sales());
        let whole = summed(&[EventBatch::of_rows(read_rows(&file.bytes).expect("it is whole"))]);
        let (mut read, mut differs) = (0, 0);
        for at in 0..file.bytes.len() {
            for change in [0x01, 0x80, 0xFF] {
                let mut damaged = file.bytes.to_vec();
                damaged[at] ^= change;
                let damaged = Bytes::from(damaged);
                let Some(of_pages) = read_rows(&damaged) else { continue };
                let of_pages = summed(&[EventBatch::of_rows(of_pages)]);
                let by_library = decode_by_library(damaged, EventColumns::WithoutIds);
                let by_library = by_library.and_then(Iterator::collect::<Result<Vec<_>, _>>);
                // It also reads statistics, which say nothing of the rows.
                let Ok(by_library) = by_library else { continue };
                read += 1;
                differs += usize::from(of_pages != whole);
                assert!(of_pages == summed(&by_library), "byte {at} changed by {change:#x}");
            }
        }
        assert!(differs > 100 && read > differs, "{differs} of {read} differ");
        for end in 0..file.bytes.len() {
            assert!(read_rows(&file.bytes.slice(..end)).is_none());
        }
    }

    #[test]
    fn other_files_are_left_to_the_library() {
        let (file, _) = encoded(&some_sales());
        let merged = merge_events(vec![file.bytes.clone()]).expect("it can be written anew");
        // Whether or not the library's own pages can be read here, nothing else may come of it.
        let by_library = |bytes: &Bytes| {
            let batches = decode_by_library(bytes.clone(), EventColumns::WithoutIds).expect("it is Parquet");
            summed(&batches.collect::<Result<Vec<_>, _>>().expect("its pages can be read"))
        };
        if let Some(rows) = read_rows(&merged.bytes) {
            assert!(summed(&[EventBatch::of_rows(rows)]) == by_library(&merged.bytes));
        }
        // Amounts of another scale, which are other numbers.
        let (schema, root) = schema_of(COLUMNS.map(|name| match name {
            "amount" => (name, DataType::Decimal128(18, 2)),
            _ => (name, SCHEMA.0.field_with_name(name).expect("it is one of ours").data_type().clone()),
        }));
        let mut other = ChunkedFile::of(root, usize::MAX).expect("a file can be begun");
        other
            .add(1, &COLUMNS.map(|_| chunks::Chunk { shape: Shape::Full, values: Values::None }))
            .expect("it fits");
        let other = other.finish(&schema).expect("it fits").bytes;
        assert!(footer(&other).is_none() && footer(&file.bytes).is_some());
    }
}
