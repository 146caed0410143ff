//! Reads the totals of an item or a category without the rest of the file.

use std::ops::Range;

use arrow::array::{Array, AsArray, BooleanArray, ListArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type};
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder, RowSelection};
use parquet::schema::types::ColumnDescPtr;

use crate::model::{DAYS, DayUnits, Units};
use crate::parquet_format::day_columns::DAY_COLUMNS;
use crate::parquet_format::error::ColumnsError;
use crate::parquet_format::fields::{numbers, texts};
use crate::parquet_format::file_slice::{FileSlice, may_contain, range_of};
use crate::parquet_format::item_totals::columns::{
    CATEGORIES, ITEM, RANKS, SCORE, SHOP_RANK, TOP, UNITS, WINDOW_UNITS,
};
use crate::parquet_format::panic_guard::guarded;
use crate::parquet_format::parquet_file::{BLOCKS, plain_options};
use crate::parquet_format::units_column::units as units_of;
use crate::storage::BlockChecksums;

const ROWS_PER_BATCH: usize = 4_096;

/// A file of item totals whose footer was read.
pub struct ItemTotalsFile {
    footer: ArrowReaderMetadata,
    size_bytes: u64,
}

/// The totals of an item in some of its categories.
#[derive(Clone, Debug, PartialEq)]
pub struct ItemTotalsRow {
    /// The first level of the categories; `None` where it counts shop-wide only.
    pub top_category: Option<String>,
    pub item_id: String,
    pub days: DayUnits,
    /// Units in the window by which the item is ranked.
    pub units: Units,
    /// Units in the window of the ranking; `None` in files of older versions.
    pub window_units: Option<Units>,
    pub score: f64,
    pub shop_rank: Option<i64>,
    /// The categories in which the item has these totals, and its rank in each.
    pub ranks: Vec<(String, i64)>,
}

impl ItemTotalsFile {
    /// Reads the footer from the end of the file, or from the whole file.
    ///
    /// # Errors
    /// Fails where the bytes are not the end of such a file.
    pub fn open(tail: Bytes, size_bytes: u64) -> Result<ItemTotalsFile, ColumnsError> {
        let at = size_bytes.saturating_sub(tail.len() as u64);
        let part = FileSlice { at, bytes: tail, size_bytes };
        let footer = guarded(|| Ok(ArrowReaderMetadata::load(&part, plain_options())?))?;
        Ok(ItemTotalsFile { footer, size_bytes })
    }

    /// Returns how many rows the file has.
    pub fn rows(&self) -> u64 {
        self.footer.metadata().file_metadata().num_rows().max(0).unsigned_abs()
    }

    /// Returns how many row groups the file has.
    pub fn groups(&self) -> usize {
        self.footer.metadata().num_row_groups()
    }

    /// Returns a value of the footer's key-value metadata.
    pub fn label(&self, name: &str) -> Option<&str> {
        let labels = self.footer.metadata().file_metadata().key_value_metadata()?;
        labels.iter().find(|label| label.key == name)?.value.as_deref()
    }

    /// Returns the checksums of the file's blocks; none in files of older versions.
    pub fn blocks(&self) -> Option<BlockChecksums> {
        BlockChecksums::parse(self.label(BLOCKS)?)
    }

    /// Returns the row groups that may contain an item.
    ///
    /// # Errors
    /// Fails where the file has no items.
    pub fn groups_of_item(&self, item_id: &str) -> Result<Vec<usize>, ColumnsError> {
        self.groups_with(ITEM, Some(item_id))
    }

    /// Returns the row groups of a top-level category, or of totals that count shop-wide only.
    ///
    /// # Errors
    /// Fails where the file has no categories.
    pub fn groups_of_top(&self, top: Option<&str>) -> Result<Vec<usize>, ColumnsError> {
        self.groups_with(TOP, top)
    }

    fn groups_with(&self, name: &'static str, text: Option<&str>) -> Result<Vec<usize>, ColumnsError> {
        let column = self.column(name)?;
        let groups = self.footer.metadata().row_groups();
        let may_contain = |at: &usize| {
            let rows = groups[*at].num_rows().max(0).unsigned_abs();
            may_contain(groups[*at].column(column).statistics(), rows, text)
        };
        Ok((0..groups.len()).filter(may_contain).collect())
    }

    /// Returns where in the file a row group is.
    pub fn range(&self, group: usize) -> Range<u64> {
        range_of(self.footer.metadata().row_group(group).columns())
    }

    /// Returns where in the file a row group's item ids are.
    ///
    /// # Errors
    /// Fails where the file has no items.
    pub fn range_of_items(&self, group: usize) -> Result<Range<u64>, ColumnsError> {
        let column = self.column(ITEM)?;
        Ok(range_of(&self.footer.metadata().row_group(group).columns()[column..=column]))
    }

    /// Returns whether a row group has an item, given the bytes of its item ids.
    ///
    /// # Errors
    /// Fails where the file is damaged.
    pub fn has_item(&self, group: usize, items: Bytes, item_id: &str) -> Result<bool, ColumnsError> {
        let at = self.range_of_items(group)?.start;
        let found =
            self.is_item(group, FileSlice { at, bytes: items, size_bytes: self.size_bytes }, item_id)?;
        Ok(found.contains(&true))
    }

    /// Returns an item's rows of a row group, given its bytes.
    ///
    /// # Errors
    /// Fails where the file is damaged.
    pub fn item(
        &self,
        group: usize,
        bytes: Bytes,
        item_id: &str,
    ) -> Result<Vec<ItemTotalsRow>, ColumnsError> {
        let is_item = self.is_item(group, self.part(group, bytes.clone()), item_id)?;
        let selection = RowSelection::from_filters(&[BooleanArray::from(is_item)]);
        let mut rows = Vec::new();
        self.read(group, bytes, selection, &mut |row| rows.push(row))?;
        Ok(rows)
    }

    /// Returns where in the file the columns of ranks in a category are, of ranks in the shop for `None`.
    ///
    /// # Errors
    /// Fails where the file has no ranks.
    pub fn range_of_ranks(&self, group: usize, category: Option<&str>) -> Result<Range<u64>, ColumnsError> {
        let (first, last) = match category {
            None => (self.column(SHOP_RANK)?, self.column(SHOP_RANK)?),
            Some(_) => (self.column(CATEGORIES)?, self.column(RANKS)?),
        };
        let columns = self.footer.metadata().row_group(group).columns();
        Ok(range_of(columns.get(first..=last).unwrap_or_default()))
    }

    /// Returns which rows of a row group have certain ranks in a category, or in the shop for `None`, given
    /// the bytes of the columns of ranks.
    ///
    /// # Errors
    /// Fails where the file is damaged.
    pub fn rows_ranked(
        &self,
        group: usize,
        bytes: Bytes,
        category: Option<&str>,
        ranks: &[i64],
    ) -> Result<Vec<usize>, ColumnsError> {
        let at = self.range_of_ranks(group, category)?.start;
        let part = FileSlice { at, bytes, size_bytes: self.size_bytes };
        guarded(|| {
            let reader = self.reader(group, part);
            let columns = if category.is_some() { vec![CATEGORIES, RANKS] } else { vec![SHOP_RANK] };
            let fields = reader.parquet_schema().root_schema().get_fields();
            let roots = (0..fields.len()).filter(|&at| columns.contains(&fields[at].name()));
            let mask = ProjectionMask::roots(reader.parquet_schema(), roots.collect::<Vec<_>>());
            let (mut found, mut before) = (Vec::new(), 0);
            for batch in reader.with_projection(mask).build()? {
                let batch = batch?;
                let rows = match category {
                    None => ranked_in_shop(&batch, ranks)?,
                    Some(path) => ranked_in(&batch, path, ranks)?,
                };
                found.extend(rows.into_iter().map(|row| before + row));
                before += batch.num_rows();
            }
            Ok(found)
        })
    }

    /// Returns some rows of a row group, given its bytes, by their ascending numbers in it.
    ///
    /// # Errors
    /// Fails where the file is damaged.
    pub fn rows_at(
        &self,
        group: usize,
        bytes: Bytes,
        rows: &[usize],
    ) -> Result<Vec<ItemTotalsRow>, ColumnsError> {
        let all = usize::try_from(self.footer.metadata().row_group(group).num_rows()).unwrap_or(0);
        let ranges = rows.iter().map(|&row| row..row + 1);
        let selection = RowSelection::from_consecutive_ranges(ranges, all);
        let mut found = Vec::new();
        self.read(group, bytes, selection, &mut |row| found.push(row))?;
        Ok(found)
    }

    fn is_item(&self, group: usize, part: FileSlice, item_id: &str) -> Result<Vec<bool>, ColumnsError> {
        guarded(|| {
            let mut found = Vec::new();
            let reader = self.reader(group, part);
            let mask = ProjectionMask::columns(reader.parquet_schema(), [ITEM]);
            for batch in reader.with_projection(mask).build()? {
                let items = texts(&batch?, ITEM)?;
                found.extend((0..items.len()).map(|at| items.value(at) == item_id));
            }
            Ok(found)
        })
    }

    fn read(
        &self,
        group: usize,
        bytes: Bytes,
        selection: RowSelection,
        take: &mut dyn FnMut(ItemTotalsRow),
    ) -> Result<(), ColumnsError> {
        guarded(|| {
            let reader = self.reader(group, self.part(group, bytes));
            for batch in reader.with_row_selection(selection).build()? {
                each_row(&batch?, take)?;
            }
            Ok(())
        })
    }

    fn part(&self, group: usize, bytes: Bytes) -> FileSlice {
        FileSlice { at: self.range(group).start, bytes, size_bytes: self.size_bytes }
    }

    fn reader(&self, group: usize, part: FileSlice) -> ParquetRecordBatchReaderBuilder<FileSlice> {
        ParquetRecordBatchReaderBuilder::new_with_metadata(part, self.footer.clone())
            .with_row_groups(vec![group])
            .with_batch_size(ROWS_PER_BATCH)
    }

    fn column(&self, name: &'static str) -> Result<usize, ColumnsError> {
        let columns = self.footer.parquet_schema().columns();
        let is_named = |column: &ColumnDescPtr| column.path().parts().first().is_some_and(|of| of == name);
        columns.iter().position(is_named).ok_or(ColumnsError::Column(name))
    }
}

/// Returns the rows of a batch that have certain ranks in the shop.
fn ranked_in_shop(batch: &RecordBatch, ranks: &[i64]) -> Result<Vec<usize>, ColumnsError> {
    let of_rows = numbers::<Int64Type>(batch, SHOP_RANK)?;
    let is_ranked = |row: &usize| of_rows.is_valid(*row) && ranks.contains(&of_rows.value(*row));
    Ok((0..of_rows.len()).filter(is_ranked).collect())
}

/// Returns the rows of a batch that have certain ranks in a category.
fn ranked_in(batch: &RecordBatch, path: &str, ranks: &[i64]) -> Result<Vec<usize>, ColumnsError> {
    let (categories, of_rows) = (list(batch, CATEGORIES)?, list(batch, RANKS)?);
    let texts = categories.values().as_string_opt::<i32>().ok_or(ColumnsError::Column(CATEGORIES))?;
    let numbers = of_rows.values().as_primitive_opt::<Int64Type>().ok_or(ColumnsError::Column(RANKS))?;
    let mut found = Vec::new();
    for row in 0..batch.num_rows() {
        let [texts_of, numbers_of] = [categories, of_rows].map(|lists| {
            let offsets = lists.value_offsets();
            offsets[row] as usize..offsets[row + 1] as usize
        });
        let is_ranked = texts_of.zip(numbers_of).any(|(text, number)| {
            ranks.contains(&numbers.value(number)) && texts.is_valid(text) && texts.value(text) == path
        });
        if is_ranked {
            found.push(row);
        }
    }
    Ok(found)
}

fn list<'a>(batch: &'a RecordBatch, name: &'static str) -> Result<&'a ListArray, ColumnsError> {
    let column = batch.column_by_name(name).and_then(|column| column.as_list_opt::<i32>());
    column.ok_or(ColumnsError::Column(name))
}

fn each_row(batch: &RecordBatch, take: &mut dyn FnMut(ItemTotalsRow)) -> Result<(), ColumnsError> {
    let (tops, items) = (texts(batch, TOP)?, texts(batch, ITEM)?);
    let days: Vec<Vec<Units>> =
        DAY_COLUMNS.iter().map(|day| units_of(batch, day)).collect::<Result<_, _>>()?;
    let units = units_of(batch, UNITS)?;
    let window_units =
        batch.column_by_name(WINDOW_UNITS).map(|_| units_of(batch, WINDOW_UNITS)).transpose()?;
    let scores = numbers::<Float64Type>(batch, SCORE)?;
    let shop_ranks = numbers::<Int64Type>(batch, SHOP_RANK)?;
    let (categories, ranks) = (list(batch, CATEGORIES)?, list(batch, RANKS)?);
    for at in 0..items.len() {
        let (of_row, ranks) = (categories.value(at), ranks.value(at));
        let of_row = of_row.as_string_opt::<i32>().ok_or(ColumnsError::Column(CATEGORIES))?;
        let ranks = ranks.as_primitive_opt::<Int64Type>().ok_or(ColumnsError::Column(RANKS))?;
        let of_row = of_row.iter().flatten().map(str::to_owned);
        take(ItemTotalsRow {
            top_category: tops.is_valid(at).then(|| tops.value(at).to_owned()),
            item_id: items.value(at).to_owned(),
            days: std::array::from_fn::<Units, DAYS, _>(|day| days[day][at]),
            units: units[at],
            window_units: window_units.as_ref().map(|units| units[at]),
            score: scores.value(at),
            shop_rank: shop_ranks.is_valid(at).then(|| shop_ranks.value(at)),
            ranks: of_row.zip(ranks.values().iter().copied()).collect(),
        });
    }
    Ok(())
}
