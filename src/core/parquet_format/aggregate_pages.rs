//! Decodes the pages of aggregate files directly, some pages of each column at a time.
//!
//! A ranking reads nearly all rows of its files, and the Parquet library's readers take longer for them than
//! the ranking itself. Files of [`encode_aggregates`](crate::parquet_format::encode_aggregates) have few
//! encodings, and pages of the same rows in every column but `item_id`, whose pages are smaller.
//!
//! Invariant: rows decoded here are those that the library would have read; any other file, also a damaged
//! one, is left to the library.

use std::sync::Arc;

use arrow::array::StringArray;
use bytes::Bytes;
use parquet::basic::{Compression, Encoding};
use parquet::column::page::Page;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::serialized_reader::SerializedPageReader;

use crate::parquet_format::aggregate_batch::AggregateBatch;
use crate::parquet_format::aggregates::SCHEMA;
use crate::parquet_format::decodings::{take_flags, take_sized};
use crate::parquet_format::dictionary::{DictionaryLists, DictionaryTexts};
use crate::parquet_format::page_decompressor::decompress;
use crate::parquet_format::page_values::{
    DataPage, plain_decimals, plain_numbers, plain_small_numbers, plain_texts, string_array,
};
use crate::parquet_format::panic_guard::guarded;
use crate::parquet_format::units_column::units_of;

/// The rest of a file's rows.
pub(super) struct AggregatePages {
    bytes: Arc<Bytes>,
    footer: Arc<ParquetMetaData>,
    /// The row groups that are read after the current one.
    groups: std::vec::IntoIter<usize>,
    current: Option<Group>,
}

/// The pages of a row group that were not read yet.
struct Group {
    rows_left: usize,
    hours: Pages<i32>,
    items: Pages<()>,
    categories: Pages<StringArray>,
    flags: Pages<()>,
    purchases: Pages<i64>,
    units: Pages<i128>,
    amounts: Pages<i128>,
}

/// The pages of a column, and its dictionary.
struct Pages<T: Dictionary> {
    reader: SerializedPageReader<Bytes>,
    is_compressed: bool,
    dictionary: Option<T::Values>,
}

/// Values that a dictionary may have.
trait Dictionary {
    type Values;

    fn decode(bytes: &[u8], count: usize) -> Option<Self::Values>;
}

impl AggregatePages {
    /// Returns the rows of some row groups; `None` where the columns are not ours.
    pub fn of(bytes: &Bytes, footer: &Arc<ParquetMetaData>, groups: Vec<usize>) -> Option<AggregatePages> {
        let is_ours = footer.file_metadata().schema_descr().root_schema() == SCHEMA.1.as_ref();
        let (bytes, footer) = (Arc::new(bytes.clone()), Arc::clone(footer));
        is_ours.then(|| AggregatePages { bytes, footer, groups: groups.into_iter(), current: None })
    }

    /// Returns the next rows, none at the end; `None` where they are not encoded as ours are.
    pub fn next(&mut self) -> Option<Option<AggregateBatch>> {
        guarded(|| Ok(self.next_rows())).ok().flatten()
    }

    fn next_rows(&mut self) -> Option<Option<AggregateBatch>> {
        while self.current.as_ref().is_none_or(|group| group.rows_left == 0) {
            let Some(group) = self.groups.next() else { return Some(None) };
            self.current = Some(Group::of(&self.bytes, &self.footer, group)?);
        }
        self.current.as_mut()?.next().map(Some)
    }
}

impl Group {
    fn of(bytes: &Arc<Bytes>, footer: &ParquetMetaData, number: usize) -> Option<Group> {
        let group = footer.row_group(number);
        let rows_left = usize::try_from(group.num_rows()).ok()?;
        let [hour, item_id, _, categories, is_primary, purchases, units, amount] = group.columns() else {
            return None;
        };
        Some(Group {
            rows_left,
            hours: Pages::of(bytes, hour, rows_left)?,
            items: Pages::of(bytes, item_id, rows_left)?,
            categories: Pages::of(bytes, categories, rows_left)?,
            flags: Pages::of(bytes, is_primary, rows_left)?,
            purchases: Pages::of(bytes, purchases, rows_left)?,
            units: Pages::of(bytes, units, rows_left)?,
            amounts: Pages::of(bytes, amount, rows_left)?,
        })
    }

    /// Returns the rows of the next page of hours.
    fn next(&mut self) -> Option<AggregateBatch> {
        let hours = self.hours.next()?;
        let rows = hours.count;
        (rows > 0 && rows <= self.rows_left).then_some(())?;
        self.rows_left -= rows;
        let units = self.units.decimals(rows)?;
        AggregateBatch::of_columns(
            small_numbers(&hours, self.hours.dictionary.as_deref()?)?,
            self.items.texts(rows)?,
            self.categories.lists(rows)?,
            self.flags.flags(rows)?,
            self.purchases.numbers(rows)?,
            units_of(&units)?,
            self.amounts.decimals(rows)?,
        )
    }
}

impl<T: Dictionary> Pages<T> {
    fn of(bytes: &Arc<Bytes>, chunk: &ColumnChunkMetaData, rows: usize) -> Option<Pages<T>> {
        let is_compressed = match chunk.compression() {
            Compression::UNCOMPRESSED => false,
            Compression::ZSTD(_) => true,
            _ => return None,
        };
        // As if uncompressed, or the reader would set up a decompressor of its own.
        let chunk = chunk.clone().into_builder().set_compression(Compression::UNCOMPRESSED).build().ok()?;
        let reader = SerializedPageReader::new(Arc::clone(bytes), &chunk, rows, None).ok()?;
        Some(Pages { reader, is_compressed, dictionary: None })
    }

    /// Returns the next data page, and keeps the dictionary before it.
    fn next(&mut self) -> Option<DataPage> {
        loop {
            match self.reader.next()?.ok()? {
                Page::DictionaryPage { buf, num_values, encoding: Encoding::PLAIN, .. }
                    if self.dictionary.is_none() =>
                {
                    self.dictionary = Some(T::decode(&self.decompressed(buf)?, num_values as usize)?);
                }
                Page::DataPage {
                    buf,
                    num_values,
                    encoding,
                    def_level_encoding: Encoding::RLE,
                    rep_level_encoding: Encoding::RLE,
                    ..
                } => {
                    let bytes = self.decompressed(buf)?;
                    return Some(DataPage { bytes, count: num_values as usize, encoding });
                }
                _ => return None,
            }
        }
    }

    /// Returns the next page of a column without lists, which has so many rows.
    fn next_of(&mut self, rows: usize) -> Option<DataPage> {
        self.next().filter(|page| page.count == rows)
    }

    fn decompressed(&self, bytes: Bytes) -> Option<Bytes> {
        if self.is_compressed { decompress(&bytes).ok().map(Bytes::from) } else { Some(bytes) }
    }
}

impl Pages<()> {
    /// Returns texts, which are in one or more pages.
    fn texts(&mut self, rows: usize) -> Option<StringArray> {
        let (mut offsets, mut texts) = (Vec::with_capacity(rows + 1), Vec::new());
        offsets.push(0);
        while offsets.len() <= rows {
            let page = self.next()?;
            let fits = page.count > 0 && page.count <= rows + 1 - offsets.len();
            (fits && page.encoding == Encoding::PLAIN).then_some(())?;
            let mut bytes = page.full()?;
            texts.reserve(bytes.len());
            for _ in 0..page.count {
                texts.extend_from_slice(take_sized(&mut bytes)?);
                offsets.push(i32::try_from(texts.len()).ok()?);
            }
        }
        string_array(offsets, texts)
    }

    fn flags(&mut self, rows: usize) -> Option<Vec<bool>> {
        let page = self.next_of(rows)?;
        let mut flags = Vec::with_capacity(rows);
        (page.encoding == Encoding::PLAIN).then_some(())?;
        take_flags(page.full()?, rows, &mut flags)?;
        Some(flags)
    }
}

impl Pages<StringArray> {
    fn lists(&mut self, rows: usize) -> Option<DictionaryLists> {
        let page = self.next()?;
        let (mut offsets, mut keys) = (Vec::with_capacity(rows + 1), Vec::new());
        let (bytes, filled) = page.take_lists(0, rows, &mut offsets)?;
        (offsets.len() == rows).then_some(())?;
        page.take_keys(bytes, filled, &mut keys)?;
        offsets.push(i32::try_from(keys.len()).ok()?);
        DictionaryLists::of(offsets, DictionaryTexts::of(keys, self.dictionary.clone()?)?)
    }
}

impl Pages<i64> {
    fn numbers(&mut self, rows: usize) -> Option<Vec<i64>> {
        let page = self.next_of(rows)?;
        let mut numbers = Vec::with_capacity(rows);
        page.take_numbers(page.full()?, rows, self.dictionary.as_deref(), &mut numbers)?;
        Some(numbers)
    }
}

impl Pages<i128> {
    fn decimals(&mut self, rows: usize) -> Option<Vec<i128>> {
        let page = self.next_of(rows)?;
        if page.encoding == Encoding::PLAIN {
            return plain_decimals(page.full()?, rows);
        }
        let (mut keys, dictionary) = (Vec::new(), self.dictionary.as_deref()?);
        page.take_keys(page.full()?, rows, &mut keys)?;
        keys.into_iter().map(|key| dictionary.get(key as usize).copied()).collect()
    }
}

/// Returns numbers of 32 bits, by their dictionary.
fn small_numbers(page: &DataPage, dictionary: &[i32]) -> Option<Vec<i32>> {
    let mut keys = Vec::new();
    page.take_keys(page.full()?, page.count, &mut keys)?;
    keys.into_iter().map(|key| dictionary.get(key as usize).copied()).collect()
}

impl Dictionary for () {
    type Values = ();

    fn decode(_: &[u8], _: usize) -> Option<()> {
        None
    }
}

impl Dictionary for StringArray {
    type Values = StringArray;

    fn decode(bytes: &[u8], count: usize) -> Option<StringArray> {
        plain_texts(bytes, count)
    }
}

impl Dictionary for i32 {
    type Values = Vec<i32>;

    fn decode(bytes: &[u8], count: usize) -> Option<Vec<i32>> {
        plain_small_numbers(bytes, count)
    }
}

impl Dictionary for i64 {
    type Values = Vec<i64>;

    fn decode(bytes: &[u8], count: usize) -> Option<Vec<i64>> {
        plain_numbers(bytes, count)
    }
}

impl Dictionary for i128 {
    type Values = Vec<i128>;

    fn decode(bytes: &[u8], count: usize) -> Option<Vec<i128>> {
        plain_decimals(bytes, count)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::{Strategy, any};
    use proptest::{prop_assert_eq, prop_oneof};

    use super::*;
    use crate::model::{Aggregate, Hour, Interner, Units};
    use crate::parquet_format::aggregate_batch::AggregateBlock;
    use crate::parquet_format::aggregates::{AggregateLine, COLUMNS, encode_aggregates};
    use crate::parquet_format::dictionary::DictionaryInterner;
    use crate::parquet_format::parquet_file::{decode_with_dictionaries, footer};

    /// Hour of day, item, paths, whether the copy is primary, purchases, units and amount.
    type Row = (i32, String, String, bool, i64, i64, i128);

    fn file_of(rows: &[Row]) -> Bytes {
        let line = |(hour_of_day, item_id, paths, is_primary, purchases, units, amount): &'_ Row| {
            let aggregate = Aggregate {
                purchases: *purchases,
                units: Units::from_ten_thousandths(*units),
                amount: *amount,
            };
            (*hour_of_day, item_id.clone(), paths.clone(), *is_primary, aggregate)
        };
        let lines: Vec<_> = rows.iter().map(line).collect();
        let lines = lines.iter().map(|(hour_of_day, item_id, paths, is_primary, aggregate)| AggregateLine {
            hour: *hour_of_day,
            item_id,
            paths,
            is_primary: *is_primary,
            aggregate: *aggregate,
        });
        encode_aggregates(lines).expect("they can be encoded").bytes
    }

    /// Returns the rows of batches.
    fn rows_of(batches: &[AggregateBatch]) -> Vec<Row> {
        let (mut interner, mut sets, mut rows) =
            (DictionaryInterner::default(), Interner::default(), Vec::new());
        let mut block = AggregateBlock::default();
        let hours: Vec<Option<Hour>> = (0..24).map(|hour| Some(Hour::new(hour))).collect();
        for batch in batches {
            batch.read(&mut interner, &mut sets, &mut block);
            for item in &block.items {
                rows.extend(batch.rows_of(item, &block, &hours).map(|row| {
                    let Aggregate { purchases, units, amount } = row.aggregate;
                    (
                        row.hour.number(),
                        batch.item_id(item.row).to_owned(),
                        sets.name(row.path_set).to_owned(),
                        row.is_primary,
                        purchases,
                        units.ten_thousandths(),
                        amount,
                    )
                }));
            }
        }
        rows
    }

    fn by_library(bytes: &Bytes) -> Option<Vec<Row>> {
        let batches =
            decode_with_dictionaries(bytes.clone(), &COLUMNS, &["categories"], &|_| true, None).ok()?;
        let batches: Result<Vec<_>, _> = batches.map(|batch| AggregateBatch::of(&batch?)).collect();
        Some(rows_of(&batches.ok()?))
    }

    /// Returns the rows as far as they are decoded here, and whether that is to the end.
    fn by_pages(bytes: &Bytes) -> Option<(Vec<Row>, bool)> {
        let footer = footer(bytes).ok()?;
        let groups = (0..footer.metadata().num_row_groups()).collect();
        let mut pages = AggregatePages::of(bytes, footer.metadata(), groups)?;
        let mut batches = Vec::new();
        loop {
            match pages.next() {
                Some(Some(batch)) => batches.push(batch),
                Some(None) => return Some((rows_of(&batches), true)),
                None => return Some((rows_of(&batches), false)),
            }
        }
    }

    fn any_rows() -> impl Strategy<Value = Vec<Row>> {
        let paths = proptest::sample::select(vec!["", "A/x", "A/x|A/y", "A/z"]).prop_map(str::to_owned);
        let units = prop_oneof![(-3_i64..9).prop_map(|whole| whole * 10_000), any::<i64>()];
        let amounts = prop_oneof![-99_i128..99, -(10_i128.pow(37))..10_i128.pow(37)];
        let row = (
            0..24_i32,
            "[a-c]{0,3}",
            paths,
            any::<bool>(),
            prop_oneof![1_i64..3, any::<i64>()],
            units,
            amounts,
        );
        vec(row, 1..200).prop_map(|mut rows| {
            rows.sort_by(|a, b| a.1.cmp(&b.1));
            rows
        })
    }

    proptest::proptest! {
        #[test]
        fn pages_are_read_as_the_library_reads_them(rows in any_rows()) {
            let bytes = file_of(&rows);
            prop_assert_eq!(by_library(&bytes), Some(rows.clone()));
            prop_assert_eq!(by_pages(&bytes), Some((rows, true)));
        }
    }

    #[test]
    fn a_file_of_several_row_groups_and_pages_is_read_whole() {
        let row = |number: i64| -> Row {
            let item = format!("item {:06}", number / 3);
            let paths = ["A/x", "A/x|A/y", ""][number as usize % 7 % 3].to_owned();
            (
                (number % 24) as i32,
                item,
                paths,
                number % 5 > 0,
                1 + number % 2,
                number % 1_000 * 5_000,
                number.into(),
            )
        };
        let rows: Vec<Row> = (0..150_000).map(row).collect();
        let bytes = file_of(&rows);
        assert!(by_pages(&bytes) == Some((rows, true)));
    }

    #[test]
    fn a_damaged_file_is_read_as_the_library_reads_it_or_left_to_it() {
        let row = |number: i64| -> Row {
            let paths = ["A/x", "A/x|A/y", "", "A/z"][number as usize % 4].to_owned();
            (
                (number % 24) as i32,
                format!("i{:02}", number / 4),
                paths,
                number % 5 > 0,
                1 + number % 2,
                number * 2_500,
                number.into(),
            )
        };
        let rows: Vec<Row> = (0..120).map(row).collect();
        let bytes = file_of(&rows);
        let (mut read, mut differs) = (0, 0);
        for at in 0..bytes.len() {
            for change in [0x01, 0x80, 0xFF] {
                let mut damaged = bytes.to_vec();
                damaged[at] ^= change;
                let damaged = Bytes::from(damaged);
                let Some((of_pages, _)) = by_pages(&damaged) else { continue };
                let Some(of_library) = by_library(&damaged) else { continue };
                read += 1;
                differs += usize::from(of_pages != rows);
                assert!(of_library.starts_with(&of_pages), "byte {at} changed by {change:#x}");
            }
        }
        assert!(differs > 100 && read > differs, "{differs} of {read} differ");
    }
}
