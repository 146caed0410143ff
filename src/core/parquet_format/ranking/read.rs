//! A file's rows, group by group, from whatever part of the file is at hand.

use std::iter;
use std::ops::Range;

use arrow::array::{Array, AsArray, BooleanArray};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder, RowSelection};
use parquet::file::metadata::ParquetStatisticsPolicy;
use parquet::file::statistics::Statistics;

use crate::model::{Aggregate, Timestamp};
use crate::parquet_format::coded::keeping_dictionaries;
use crate::parquet_format::fields::{numbers, texts};
use crate::parquet_format::parquet_file::{ColumnsError, plain_options};
use crate::parquet_format::part::{Part, may_hold, range_of};
use crate::parquet_format::ranking::rows::{Columns, Rankable, moment};
use crate::parquet_format::ranking::{HASHES, NAME, RANKABLE, RankedRow, WEEK, hash_of};

const ROWS_PER_BATCH: usize = 4_096;

/// A ranking's file, its footer read.
pub struct RankingFile {
    footer: ArrowReaderMetadata,
    size_bytes: u64,
    /// Of each group; none in files written before groups were hashed.
    hashes: Option<Vec<String>>,
}

/// A category and what stands in each of its rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Leader {
    /// The path; `None` is the whole shop.
    pub category: Option<String>,
    /// How many items it ranks.
    pub items: u64,
    pub rankable: i64,
    /// What all of these add up to; none in files written before that was told.
    pub aggregate: Option<Aggregate>,
    pub window_from: Timestamp,
    pub window_to: Timestamp,
}

impl RankingFile {
    /// Reads the footer, of which the file's end is given, or the whole file.
    ///
    /// # Errors
    /// Fails where this is no end of such a file.
    pub fn open(tail: Bytes, size_bytes: u64) -> Result<RankingFile, ColumnsError> {
        let at = size_bytes.saturating_sub(tail.len() as u64);
        let options = plain_options()
            .with_encoding_stats_policy(ParquetStatisticsPolicy::SkipAll)
            .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll);
        let footer = ArrowReaderMetadata::load(&Part { at, bytes: tail, size_bytes }, options)?;
        let mut file = RankingFile { footer, size_bytes, hashes: None };
        file.hashes = file.label(HASHES).map(|hashes| hashes.split(' ').map(str::to_owned).collect());
        Ok(file)
    }

    /// Returns how many rows the file has.
    pub fn rows(&self) -> u64 {
        self.footer.metadata().file_metadata().num_rows().max(0).unsigned_abs()
    }

    /// Returns how many groups of rows the file has.
    pub fn groups(&self) -> usize {
        self.footer.metadata().num_row_groups()
    }

    /// Tells whether every group can be checked by itself.
    pub fn has_hashes(&self) -> bool {
        self.hashes.as_ref().is_some_and(|hashes| hashes.len() == self.groups())
    }

    /// Returns a label of the footer.
    pub fn label(&self, name: &str) -> Option<&str> {
        let labels = self.footer.metadata().file_metadata().key_value_metadata()?;
        labels.iter().find(|label| label.key == name)?.value.as_deref()
    }

    /// Tells whether any row has a name.
    pub fn has_names(&self) -> bool {
        let Some(column) = self.column(NAME) else { return false };
        self.footer.metadata().row_groups().iter().any(|group| {
            let nulls = group.column(column).statistics().and_then(Statistics::null_count_opt);
            nulls.is_none_or(|nulls| nulls < group.num_rows().max(0).unsigned_abs())
        })
    }

    /// Returns the groups that may hold a category's rows.
    ///
    /// # Errors
    /// Fails where the file has no categories.
    pub fn groups_of(&self, category: Option<&str>) -> Result<Vec<usize>, ColumnsError> {
        let groups = self.footer.metadata().row_groups();
        let column = self.column("category").ok_or(ColumnsError::Column("category"))?;
        let may_hold = |at: &usize| {
            let rows = groups[*at].num_rows().max(0).unsigned_abs();
            may_hold(groups[*at].column(column).statistics(), rows, category)
        };
        Ok((0..groups.len()).filter(may_hold).collect())
    }

    /// Returns where in the file a group lies.
    pub fn range(&self, group: usize) -> Range<u64> {
        range_of(self.footer.metadata().row_group(group).columns())
    }

    /// Tells whether these are the bytes that were written for a group.
    pub fn is_whole(&self, group: usize, bytes: &[u8]) -> bool {
        let hash = self.hashes.as_ref().and_then(|hashes| hashes.get(group));
        hash.is_some_and(|hash| *hash == hash_of(bytes))
    }

    /// Returns one category's rows of a group, whose bytes are given.
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

    /// Returns which rows of a group are a category's; they lie side by side.
    fn rows_of(
        &self,
        group: usize,
        bytes: Bytes,
        category: Option<&str>,
    ) -> Result<Range<usize>, ColumnsError> {
        // By the file's own dictionary, so that a path is looked at once and not for each row.
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
            let asked = match category {
                Some(path) => paths.iter().position(|known| known == Some(path)),
                None => None,
            };
            if category.is_none() || asked.is_some() {
                let is_asked = |at: &usize| column.key(*at) == asked;
                let first = (0..column.len()).find(is_asked);
                let last = (0..column.len()).rfind(is_asked);
                if let Some((first, last)) = first.zip(last) {
                    let first = if found.is_empty() { before + first } else { found.start };
                    found = first..before + last + 1;
                }
            }
            before += column.len();
        }
        Ok(found)
    }

    /// Hands over every row of a group, whose bytes are given.
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

    /// Adds what a group, whose bytes are given, says of its categories to what those before it did.
    ///
    /// # Errors
    /// Fails where the file is damaged.
    pub fn add_leaders(
        &self,
        group: usize,
        bytes: Bytes,
        leaders: &mut Vec<Leader>,
    ) -> Result<(), ColumnsError> {
        let reader = self.reader(group, bytes);
        let columns = ["category", "window_from", "window_to", "rankable"].into_iter().chain(RANKABLE);
        let mask = ProjectionMask::columns(reader.parquet_schema(), columns);
        for batch in reader.with_projection(mask).build()? {
            let batch = &batch?;
            let category = texts(batch, "category")?;
            let window_from = numbers::<TimestampMicrosecondType>(batch, "window_from")?;
            let window_to = numbers::<TimestampMicrosecondType>(batch, "window_to")?;
            let rankable = numbers::<Int64Type>(batch, "rankable")?;
            let aggregate = Rankable::of(batch)?;
            for (at, path) in category.iter().enumerate() {
                match leaders.last_mut() {
                    Some(leader) if leader.category.as_deref() == path => leader.items += 1,
                    _ => leaders.push(Leader {
                        category: path.map(str::to_owned),
                        items: 1,
                        rankable: rankable.value(at),
                        aggregate: aggregate.as_ref().map(|aggregate| aggregate.at(at)),
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

    fn reader(&self, group: usize, bytes: Bytes) -> ParquetRecordBatchReaderBuilder<Part> {
        self.reader_by(self.footer.clone(), group, bytes)
    }

    fn reader_by(
        &self,
        footer: ArrowReaderMetadata,
        group: usize,
        bytes: Bytes,
    ) -> ParquetRecordBatchReaderBuilder<Part> {
        let part = Part { at: self.range(group).start, bytes, size_bytes: self.size_bytes };
        ParquetRecordBatchReaderBuilder::new_with_metadata(part, footer)
            .with_row_groups(vec![group])
            .with_batch_size(ROWS_PER_BATCH)
    }
}
