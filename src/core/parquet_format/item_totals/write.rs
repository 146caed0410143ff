//! Writes item totals, one row group at a time.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema};
use bytes::Bytes;
use parquet::schema::types::TypePtr;

use crate::model::{DAYS, DayUnits, Units};
use crate::parquet_format::chunked_file::{ChunkedFile, EncodedGroup, encode_chunks, schema_of, text_lists};
use crate::parquet_format::chunks::{Chunk, Dictionary, Shape, Values};
use crate::parquet_format::day_columns::DAY_COLUMNS;
use crate::parquet_format::error::ColumnsError;
use crate::parquet_format::item_totals::columns::{
    CATEGORIES, ITEM, RANKS, SCORE, SHOP_RANK, TOP, UNITS, WEEK, WINDOW_UNITS,
};
use crate::parquet_format::parquet_file::footer_at;
use crate::parquet_format::units_column::{FewUnits, UNITS_SUM};

/// The most rows of a row group: a lookup reads the ids of one in each top-level category, or in several small
/// ones.
pub const ITEM_TOTALS_PER_GROUP: usize = 1 << 15;
const COMPRESS_FROM_BYTES: usize = 1 << 10;

static SCHEMA: LazyLock<(Schema, TypePtr)> = LazyLock::new(|| {
    let [day_1, day_2, day_3, day_4, day_5, day_6, day_7] = DAY_COLUMNS;
    let number_lists = DataType::List(Arc::new(Field::new("element", DataType::Int64, true)));
    schema_of([
        (TOP, DataType::Utf8),
        (ITEM, DataType::Utf8),
        (day_1, UNITS_SUM),
        (day_2, UNITS_SUM),
        (day_3, UNITS_SUM),
        (day_4, UNITS_SUM),
        (day_5, UNITS_SUM),
        (day_6, UNITS_SUM),
        (day_7, UNITS_SUM),
        (WEEK, UNITS_SUM),
        (UNITS, UNITS_SUM),
        (WINDOW_UNITS, UNITS_SUM),
        (SCORE, DataType::Float64),
        (SHOP_RANK, DataType::Int64),
        (CATEGORIES, text_lists()),
        (RANKS, number_lists),
    ])
});

/// One row to be written.
#[derive(Clone, Copy, Debug)]
pub struct ItemTotalsLine<'a, 'b> {
    pub item_id: &'a str,
    pub days: &'b DayUnits,
    pub units: Units,
    pub window_units: Units,
    pub score: f64,
    pub shop_rank: Option<i64>,
}

/// Some rows of one top-level category, or of several that follow each other, in their order.
#[derive(Default)]
pub struct ItemTotalsGroup<'a> {
    /// None where the rows count shop-wide only.
    tops: Vec<&'a str>,
    top_codes: Vec<u32>,
    /// The names of all categories by number, and the number of the first of the current top-level category.
    names: Vec<&'a str>,
    first_name: u32,
    items: Vec<&'a str>,
    /// In ten-thousandths, like the other units.
    days: [Vec<i64>; DAYS],
    weeks: Vec<i64>,
    units: Vec<i64>,
    window_units: Vec<i64>,
    scores: Vec<f64>,
    has_shop_rank: Vec<bool>,
    shop_ranks: Vec<i64>,
    lengths: Vec<u32>,
    categories: Vec<u32>,
    ranks: Vec<i64>,
}

impl<'a> ItemTotalsGroup<'a> {
    /// Begins a top-level category, or the rows that count shop-wide only for `None`, which are in a group of
    /// their own; `names` are those of its categories by number.
    pub fn begin(&mut self, top: Option<&'a str>, names: &[&'a str]) {
        self.tops.extend(top);
        self.first_name = self.names.len() as u32;
        self.names.extend(names);
    }

    /// Adds a row of the top-level category that was begun last, with its ranks in categories by number.
    pub fn push(&mut self, line: &ItemTotalsLine<'a, '_>, ranks: impl Iterator<Item = (u32, i64)>) {
        self.items.push(line.item_id);
        self.top_codes.push((self.tops.len() as u32).saturating_sub(1));
        self.days.iter_mut().zip(line.days).for_each(|(column, day)| column.push(day.ten_thousandths()));
        // They were checked to fit when they were added up.
        self.weeks.push(line.days.iter().fold(0, |week, day| day.ten_thousandths().saturating_add(week)));
        self.units.push(line.units.ten_thousandths());
        self.window_units.push(line.window_units.ten_thousandths());
        self.scores.push(line.score);
        self.has_shop_rank.push(line.shop_rank.is_some());
        self.shop_ranks.extend(line.shop_rank);
        let before = self.categories.len();
        for (category, rank) in ranks {
            self.categories.push(self.first_name + category);
            self.ranks.push(rank);
        }
        self.lengths.push((self.categories.len() - before) as u32);
    }

    /// Returns how many rows it has.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Returns whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Returns its column chunks.
    ///
    /// # Errors
    /// Fails where the rows do not fit into Parquet.
    pub fn encode(&self) -> Result<EncodedGroup, ColumnsError> {
        let rows = self.len();
        let full = |values| Chunk { shape: Shape::Full, values };
        let numbers = [&self.weeks, &self.units, &self.window_units];
        let columns: Vec<&Vec<i64>> = self.days.iter().chain(numbers).collect();
        let few: Vec<_> = columns.iter().map(|numbers| FewUnits::of(numbers)).collect();
        let wide = |numbers: &[i64]| numbers.iter().map(|&number| number.into()).collect();
        let wide: Vec<Vec<i128>> = columns
            .iter()
            .zip(&few)
            .map(|(numbers, few)| if few.is_none() { wide(numbers) } else { Vec::new() })
            .collect();
        let units = few.iter().zip(&wide);
        let units = units.map(|(few, wide)| few.as_ref().map_or(Values::Wide(wide), FewUnits::wide_values));
        let texts = |of: &[&'a str]| Dictionary::Texts(of.iter().map(|&name| Cow::Borrowed(name)).collect());
        let of_top = match self.tops.is_empty() {
            true => Values::None,
            false => Values::Codes { codes: &self.top_codes, of: texts(&self.tops) },
        };
        let items = match self.tops.len() {
            0 | 1 => Values::InOrder(self.items.clone()),
            _ => Values::InRuns(self.items.clone()),
        };
        let mut chunks = vec![full(of_top), full(items)];
        chunks.extend(units.map(full));
        chunks.push(full(Values::Doubles(&self.scores)));
        let shape = Shape::Optional(&self.has_shop_rank);
        chunks.push(Chunk { shape, values: Values::Deltas(&self.shop_ranks) });
        let of = texts(&self.names);
        chunks.push(Chunk {
            shape: Shape::Lists(&self.lengths),
            values: Values::Codes { codes: &self.categories, of },
        });
        chunks.push(Chunk { shape: Shape::Lists(&self.lengths), values: Values::Deltas(&self.ranks) });
        encode_chunks(&SCHEMA.1, rows, &chunks, COMPRESS_FROM_BYTES)
    }
}

/// A file of item totals being written.
pub struct ItemTotalsEncoder(ChunkedFile);

impl ItemTotalsEncoder {
    /// Begins a file with key-value metadata in its footer.
    ///
    /// # Errors
    /// Fails where the library does.
    pub fn of(labels: &[(&str, String)]) -> Result<ItemTotalsEncoder, ColumnsError> {
        let mut file = ChunkedFile::of(Arc::clone(&SCHEMA.1), COMPRESS_FROM_BYTES)?.with_block_checksums();
        labels.iter().for_each(|(name, value)| file.label(name, value.clone()));
        Ok(ItemTotalsEncoder(file))
    }

    /// Adds a row group, and returns the bytes that are finished.
    ///
    /// # Errors
    /// Fails where the library does.
    pub fn add(&mut self, group: EncodedGroup) -> Result<Bytes, ColumnsError> {
        self.0.append(group)?;
        self.0.drain()
    }

    /// Returns the last bytes, and where in them the footer begins.
    ///
    /// # Errors
    /// Fails where the library does.
    pub fn finish(self) -> Result<(Bytes, usize), ColumnsError> {
        let bytes = self.0.finish(&SCHEMA.0)?.bytes;
        let footer_at = footer_at(&bytes);
        Ok((bytes, footer_at))
    }
}
