//! Reads a ranking file's rows, one row group at a time, from the part of the file that has them.

use std::iter;
use std::ops::Range;

use arrow::array::{Array, AsArray, BooleanArray};
use arrow::datatypes::{Int32Type, TimestampMicrosecondType};
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder, RowSelection};
use parquet::file::metadata::ParquetStatisticsPolicy;
use parquet::file::statistics::Statistics;

use crate::model::{Aggregate, Timestamp};
use crate::parquet_format::day_columns::DAY_COLUMNS;
use crate::parquet_format::dictionary::keeping_dictionaries;
use crate::parquet_format::error::ColumnsError;
use crate::parquet_format::fields::{numbers, texts};
use crate::parquet_format::file_slice::{FileSlice, may_contain, range_of};
use crate::parquet_format::parquet_file::{footer_at, plain_options};
use crate::parquet_format::ranking::columns::{
    CATEGORY, ELIGIBLE, ELIGIBLE_0, ELIGIBLE_ITEMS, ELIGIBLE_ITEMS_0, HASHES, NAME, WEEK, hash_of,
};
use crate::parquet_format::ranking::row::RankedRow;
use crate::parquet_format::ranking::rows::{AggregateColumns, Columns, eligible_items, moment};

const ROWS_PER_BATCH: usize = 4_096;

/// A ranking's file, its footer read.
pub struct RankingFile {
    footer: ArrowReaderMetadata,
    size_bytes: u64,
    /// The hash of each row group; `None` in older files.
    hashes: Option<Vec<String>>,
}

/// A category, and what is the same in each of its rows.
#[derive(Clone, Debug, PartialEq)]
pub struct CategorySummary {
    /// The path; `None` is the whole shop.
    pub category: Option<String>,
    /// How many items it ranks.
    pub items: u64,
    /// How many items are eligible.
    pub eligible_items: i64,
    /// The aggregate of all eligible items; `None` in older files.
    pub aggregate: Option<Aggregate>,
    /// The aggregate of all its items over the ranking's window; `None` in older files.
    pub window_aggregate: Option<Aggregate>,
    pub window_from: Timestamp,
    pub window_to: Timestamp,
}

impl RankingFile {
    /// Reads the footer from the end of the file, or from the whole file.
    ///
    /// # Errors
    /// Fails where the bytes are not the end of such a file.
    pub fn open(tail: Bytes, size_bytes: u64) -> Result<RankingFile, ColumnsError> {
        let at = size_bytes.saturating_sub(tail.len() as u64);
        let options = plain_options()
            .with_encoding_stats_policy(ParquetStatisticsPolicy::SkipAll)
            .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll);
        let footer = ArrowReaderMetadata::load(&FileSlice { at, bytes: tail, size_bytes }, options)?;
        let mut file = RankingFile { footer, size_bytes, hashes: None };
        file.hashes = file.label(HASHES).map(|hashes| hashes.split(' ').map(str::to_owned).collect());
        Ok(file)
    }

    /// Returns the end of a whole file, from where the metadata begins.
    pub fn footer_of(file: &[u8]) -> &[u8] {
        &file[footer_at(file)..]
    }

    /// Returns how many rows the file has.
    pub fn rows(&self) -> u64 {
        self.footer.metadata().file_metadata().num_rows().max(0).unsigned_abs()
    }

    /// Returns how many groups of rows the file has.
    pub fn groups(&self) -> usize {
        self.footer.metadata().num_row_groups()
    }

    /// Returns whether every row group can be checked by itself.
    pub fn has_hashes(&self) -> bool {
        self.hashes.as_ref().is_some_and(|hashes| hashes.len() == self.groups())
    }

    /// Returns a value of the footer's key-value metadata.
    pub fn label(&self, name: &str) -> Option<&str> {
        let labels = self.footer.metadata().file_metadata().key_value_metadata()?;
        labels.iter().find(|label| label.key == name)?.value.as_deref()
    }

    /// Returns whether any row has a name.
    pub fn has_names(&self) -> bool {
        let Some(column) = self.column(NAME) else { return false };
        self.footer.metadata().row_groups().iter().any(|group| {
            let nulls = group.column(column).statistics().and_then(Statistics::null_count_opt);
            nulls.is_none_or(|nulls| nulls < group.num_rows().max(0).unsigned_abs())
        })
    }

    /// Returns the row groups that may contain a category's rows.
    ///
    /// # Errors
    /// Fails where the file has no categories.
    pub fn groups_of(&self, category: Option<&str>) -> Result<Vec<usize>, ColumnsError> {
        let groups = self.footer.metadata().row_groups();
        let column = self.column("category").ok_or(ColumnsError::Column("category"))?;
        let may_contain = |at: &usize| {
            let rows = groups[*at].num_rows().max(0).unsigned_abs();
            may_contain(groups[*at].column(column).statistics(), rows, category)
        };
        Ok((0..groups.len()).filter(may_contain).collect())
    }

    /// Returns where in the file a row group is.
    pub fn range(&self, group: usize) -> Range<u64> {
        range_of(self.footer.metadata().row_group(group).columns())
    }

    /// Returns whether these are the bytes that were written for a row group.
    pub fn is_whole(&self, group: usize, bytes: &[u8]) -> bool {
        let hash = self.hashes.as_ref().and_then(|hashes| hashes.get(group));
        hash.is_some_and(|hash| *hash == hash_of(bytes))
    }

    /// Returns one category's rows of a row group, given its bytes.
    ///
    /// # Errors
    /// Fails where the file is damaged.
    pub fn category(
        &self,
        group: usize,
        bytes: Bytes,
        category: Option<&str>,
    ) -> Result<Vec<RankedRow<'static>>, ColumnsError> {
        let rows_of = self.rows_of(group, bytes.clone(), category)?;
        let mut rows = Vec::with_capacity(rows_of.len());
        let selection = RowSelection::from_consecutive_ranges(iter::once(rows_of), self.rows_in(group));
        let reader = self.reader(group, bytes).with_row_selection(selection);
        // What is known already is not read again.
        let is_known = |name: &str| ["category", WEEK].contains(&name) || (name == NAME && !self.has_names());
        let names = reader.parquet_schema().columns().iter().map(|column| column.name());
        let others: Vec<&str> = names.filter(|name| !is_known(name)).collect();
        let mask = ProjectionMask::columns(reader.parquet_schema(), others);
        for batch in reader.with_projection(mask).build()? {
            let batch = Columns::of(&batch?)?;
            for at in 0..batch.rank.len() {
                let category = category.map(Into::into);
                rows.push(RankedRow { category, ..batch.row(at)? }.into_owned());
            }
        }
        Ok(rows)
    }

    /// Returns the rows of a group, whose bytes are given, that are wanted by their id and name.
    ///
    /// # Errors
    /// Fails where the file is damaged.
    pub fn rows_wanted(
        &self,
        group: usize,
        bytes: Bytes,
        wants: &dyn Fn(&str, Option<&str>) -> bool,
    ) -> Result<Vec<RankedRow<'static>>, ColumnsError> {
        let reader = self.reader(group, bytes.clone());
        let mask = ProjectionMask::columns(reader.parquet_schema(), ["item_id", NAME]);
        let mut wanted = Vec::with_capacity(self.rows_in(group));
        for batch in reader.with_projection(mask).build()? {
            let batch = batch?;
            let items = texts(&batch, "item_id")?;
            let names = batch.column_by_name(NAME).map(|_| texts(&batch, NAME)).transpose()?;
            let name =
                |at: usize| names.as_ref().filter(|names| names.is_valid(at)).map(|names| names.value(at));
            wanted.extend((0..items.len()).map(|at| wants(items.value(at), name(at))));
        }
        let mut rows = Vec::new();
        if !wanted.contains(&true) {
            return Ok(rows);
        }
        let selection = RowSelection::from_filters(&[BooleanArray::from(wanted)]);
        for batch in self.reader(group, bytes).with_row_selection(selection).build()? {
            let batch = Columns::of(&batch?)?;
            for at in 0..batch.rank.len() {
                rows.push(batch.row(at)?.into_owned());
            }
        }
        Ok(rows)
    }

    /// Returns which rows of a row group are a category's; they are consecutive.
    fn rows_of(
        &self,
        group: usize,
        bytes: Bytes,
        category: Option<&str>,
    ) -> Result<Range<usize>, ColumnsError> {
        // By the file's own dictionary, so that each path is compared once, not once per row.
        let schema = keeping_dictionaries(self.footer.schema(), &["category"]);
        let footer = ArrowReaderMetadata::try_new(
            self.footer.metadata().clone(),
            plain_options().with_schema(schema),
        )?;
        let mask = ProjectionMask::columns(footer.parquet_schema(), ["category"]);
        let mut found = 0..0;
        let mut before = 0;
        for batch in self.reader_by(footer, group, bytes).with_projection(mask).build()? {
            let batch = batch?;
            let column = batch.column(0).as_dictionary_opt::<Int32Type>();
            let column = column.ok_or(ColumnsError::Column("category"))?;
            let paths = column.values().as_string_opt::<i32>().ok_or(ColumnsError::Column("category"))?;
            let wanted = match category {
                Some(path) => paths.iter().position(|known| known == Some(path)),
                None => None,
            };
            if category.is_none() || wanted.is_some() {
                let is_wanted = |at: &usize| column.key(*at) == wanted;
                let first = (0..column.len()).find(is_wanted);
                let last = (0..column.len()).rfind(is_wanted);
                if let Some((first, last)) = first.zip(last) {
                    let first = if found.is_empty() { before + first } else { found.start };
                    found = first..before + last + 1;
                }
            }
            before += column.len();
        }
        Ok(found)
    }

    /// Passes on every row of a row group, given its bytes.
    ///
    /// # Errors
    /// Fails where the file is damaged.
    pub fn each_row(
        &self,
        group: usize,
        bytes: Bytes,
        take: &mut dyn FnMut(RankedRow<'_>),
    ) -> Result<(), ColumnsError> {
        for batch in self.reader(group, bytes).build()? {
            let batch = Columns::of(&batch?)?;
            for at in 0..batch.rank.len() {
                take(batch.row(at)?);
            }
        }
        Ok(())
    }

    /// Returns the rows of a row group, given its bytes, of each category that has an item, without the units of each day.
    ///
    /// # Errors
    /// Fails where the file is damaged.
    pub fn lists_with(
        &self,
        group: usize,
        bytes: Bytes,
        item_id: &str,
    ) -> Result<Vec<Vec<RankedRow<'static>>>, ColumnsError> {
        if self.rows_wanted(group, bytes.clone(), &|id, _| id == item_id)?.is_empty() {
            return Ok(Vec::new());
        }
        let reader = self.reader(group, bytes);
        let is_wanted = |name: &&str| ![WEEK, NAME].contains(name) && !DAY_COLUMNS.contains(name);
        let names = reader.parquet_schema().columns().iter().map(|column| column.name());
        let mask = ProjectionMask::columns(reader.parquet_schema(), names.filter(is_wanted));
        let (mut lists, mut list): (_, Vec<RankedRow<'static>>) = (Vec::new(), Vec::new());
        let mut close = |list: &mut Vec<RankedRow<'static>>| {
            let list = std::mem::take(list);
            if list.iter().any(|row| row.item_id == item_id) {
                lists.push(list);
            }
        };
        for batch in reader.with_projection(mask).build()? {
            let batch = Columns::of(&batch?)?;
            for at in 0..batch.rank.len() {
                let row = batch.row(at)?;
                if list.first().is_some_and(|first| first.category != row.category) {
                    close(&mut list);
                }
                list.push(row.into_owned());
            }
        }
        close(&mut list);
        Ok(lists)
    }

    /// Adds the categories of a row group, given its bytes, to those of the row groups before it.
    ///
    /// # Errors
    /// Fails where the file is damaged.
    pub fn add_categories(
        &self,
        group: usize,
        bytes: Bytes,
        summaries: &mut Vec<CategorySummary>,
    ) -> Result<(), ColumnsError> {
        let reader = self.reader(group, bytes);
        let columns = ["category", "window_from", "window_to", ELIGIBLE_ITEMS, ELIGIBLE_ITEMS_0].into_iter();
        let columns = columns.chain(ELIGIBLE).chain(ELIGIBLE_0).chain(CATEGORY);
        let mask = ProjectionMask::columns(reader.parquet_schema(), columns);
        for batch in reader.with_projection(mask).build()? {
            let batch = &batch?;
            let category = texts(batch, "category")?;
            let window_from = numbers::<TimestampMicrosecondType>(batch, "window_from")?;
            let window_to = numbers::<TimestampMicrosecondType>(batch, "window_to")?;
            let eligible_items = eligible_items(batch)?;
            let eligible = AggregateColumns::of_eligible(batch)?;
            let of_category = AggregateColumns::of_category(batch)?;
            for (at, path) in category.iter().enumerate() {
                match summaries.last_mut() {
                    Some(summary) if summary.category.as_deref() == path => summary.items += 1,
                    _ => summaries.push(CategorySummary {
                        category: path.map(str::to_owned),
                        items: 1,
                        eligible_items: eligible_items.value(at),
                        aggregate: eligible.as_ref().map(|eligible| eligible.at(at)),
                        window_aggregate: of_category.as_ref().map(|aggregates| aggregates.at(at)),
                        window_from: moment(&window_from, at, "window_from")?,
                        window_to: moment(&window_to, at, "window_to")?,
                    }),
                }
            }
        }
        Ok(())
    }

    fn column(&self, name: &str) -> Option<usize> {
        self.footer.parquet_schema().columns().iter().position(|column| column.name() == name)
    }

    fn rows_in(&self, group: usize) -> usize {
        usize::try_from(self.footer.metadata().row_group(group).num_rows()).unwrap_or(0)
    }

    fn reader(&self, group: usize, bytes: Bytes) -> ParquetRecordBatchReaderBuilder<FileSlice> {
        self.reader_by(self.footer.clone(), group, bytes)
    }

    fn reader_by(
        &self,
        footer: ArrowReaderMetadata,
        group: usize,
        bytes: Bytes,
    ) -> ParquetRecordBatchReaderBuilder<FileSlice> {
        let part = FileSlice { at: self.range(group).start, bytes, size_bytes: self.size_bytes };
        ParquetRecordBatchReaderBuilder::new_with_metadata(part, footer)
            .with_row_groups(vec![group])
            .with_batch_size(ROWS_PER_BATCH)
    }
}
