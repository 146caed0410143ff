//! The file of a published ranking, sorted by category and rank.
//!
//! | column | Parquet type |
//! |---|---|
//! | `category` | BYTE_ARRAY, STRING: the path; null for the whole shop, which comes first |
//! | `rank` | INT32, from 1 |
//! | `item_id` | BYTE_ARRAY, STRING |
//! | `name` | BYTE_ARRAY, STRING, or null: what a catalogue calls the item |
//! | `score` | DOUBLE |
//! | `units`, `purchases` | INT64 |
//! | `amount` | FIXED_LEN_BYTE_ARRAY(16), DECIMAL(38,4) |
//! | `window_from` | INT64, TIMESTAMP(MICROS, UTC): where the oldest bucket begins |
//! | `window_to` | INT64, TIMESTAMP(MICROS, UTC): where the newest bucket ends |
//! | `rankable` | INT64: items the category could have ranked |
//!
//! Files written before there were names have no column `name`, and are read all the same.
//!
//! How the ranking was made stands in the footer's key-value metadata.

use std::sync::Arc;

use arrow::array::{
    Array, Decimal128Builder, Float64Builder, Int32Builder, Int64Builder, StringBuilder,
    TimestampMicrosecondBuilder,
};
use arrow::datatypes::{Decimal128Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use bytes::Bytes;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder};
use parquet::file::statistics::Statistics;

use crate::columns::fields::{batch_of, numbers, texts};
use crate::columns::parquet_file::{ColumnsError, encode, footer};
use crate::event::Sums;
use crate::time::Timestamp;

/// Small groups, so that one category is found without reading its neighbours.
const ROWS_PER_GROUP: usize = 16_384;
const NAME: &str = "name";

/// One item's place in one category.
#[derive(Clone, Debug, PartialEq)]
pub struct RankedRow {
    /// The path; `None` is the whole shop.
    pub category: Option<String>,
    pub rank: i32,
    pub item_id: String,
    pub name: Option<String>,
    pub score: f64,
    pub sums: Sums,
    pub window_from: Timestamp,
    pub window_to: Timestamp,
    pub rankable: i64,
}

/// Returns the file of the given rows, in their order, with labels in its footer.
///
/// # Errors
/// Fails where the rows do not fit into Parquet.
pub fn encode_ranking(rows: &[RankedRow], labels: &[(&str, String)]) -> Result<Bytes, ColumnsError> {
    let mut category = StringBuilder::new();
    let mut rank = Int32Builder::new();
    let mut item_id = StringBuilder::new();
    let mut name = StringBuilder::new();
    let mut score = Float64Builder::new();
    let mut units = Int64Builder::new();
    let mut purchases = Int64Builder::new();
    let mut amount = Decimal128Builder::new();
    let mut window_from = TimestampMicrosecondBuilder::new();
    let mut window_to = TimestampMicrosecondBuilder::new();
    let mut rankable = Int64Builder::new();
    for row in rows {
        category.append_option(row.category.as_deref());
        rank.append_value(row.rank);
        item_id.append_value(&row.item_id);
        name.append_option(row.name.as_deref());
        score.append_value(row.score);
        units.append_value(row.sums.units);
        purchases.append_value(row.sums.purchases);
        amount.append_value(row.sums.amount);
        window_from.append_value(row.window_from.micros());
        window_to.append_value(row.window_to.micros());
        rankable.append_value(row.rankable);
    }
    let batch = batch_of(vec![
        ("category", Arc::new(category.finish())),
        ("rank", Arc::new(rank.finish())),
        ("item_id", Arc::new(item_id.finish())),
        ("name", Arc::new(name.finish())),
        ("score", Arc::new(score.finish())),
        ("units", Arc::new(units.finish())),
        ("purchases", Arc::new(purchases.finish())),
        ("amount", Arc::new(amount.finish().with_precision_and_scale(38, 4)?)),
        ("window_from", Arc::new(window_from.finish().with_timezone("UTC"))),
        ("window_to", Arc::new(window_to.finish().with_timezone("UTC"))),
        ("rankable", Arc::new(rankable.finish())),
    ])?;
    encode(&batch, ROWS_PER_GROUP, labels)
}

/// A ranking's file, its footer read.
pub struct RankingFile {
    bytes: Bytes,
    footer: ArrowReaderMetadata,
}

impl RankingFile {
    /// Reads the footer.
    ///
    /// # Errors
    /// Fails where the bytes are no such file.
    pub fn open(bytes: Bytes) -> Result<RankingFile, ColumnsError> {
        let footer = footer(&bytes)?;
        Ok(RankingFile { bytes, footer })
    }

    /// Returns how many rows the file has.
    pub fn rows(&self) -> u64 {
        self.footer.metadata().file_metadata().num_rows().max(0).unsigned_abs()
    }

    /// Returns a label of the footer.
    pub fn label(&self, name: &str) -> Option<&str> {
        let labels = self.footer.metadata().file_metadata().key_value_metadata()?;
        labels.iter().find(|label| label.key == name)?.value.as_deref()
    }

    /// Returns one category's rows, reading only the groups that may hold them.
    ///
    /// # Errors
    /// Fails where the file is damaged.
    pub fn category(&self, category: Option<&str>) -> Result<Vec<RankedRow>, ColumnsError> {
        let groups = self.footer.metadata().row_groups();
        let column = self.column("category").ok_or(ColumnsError::Column("category"))?;
        let chosen =
            (0..groups.len()).filter(|&at| may_hold(groups[at].column(column).statistics(), category));
        self.read(chosen.collect(), &|row| row == category)
    }

    /// Tells whether any row has a name.
    pub fn has_names(&self) -> bool {
        let Some(column) = self.column(NAME) else { return false };
        self.footer.metadata().row_groups().iter().any(|group| {
            let nulls = group.column(column).statistics().and_then(Statistics::null_count_opt);
            nulls.is_none_or(|nulls| nulls < group.num_rows().max(0).unsigned_abs())
        })
    }

    /// Returns the first row of every category, the shop first.
    ///
    /// # Errors
    /// Fails where the file is damaged.
    pub fn leaders(&self) -> Result<Vec<(RankedRow, u64)>, ColumnsError> {
        let mut leaders: Vec<(RankedRow, u64)> = Vec::new();
        for row in self.all()? {
            match leaders.last_mut() {
                Some((leader, items)) if leader.category == row.category => *items += 1,
                _ => leaders.push((row, 1)),
            }
        }
        Ok(leaders)
    }

    /// Returns every row.
    ///
    /// # Errors
    /// Fails where the file is damaged.
    pub fn all(&self) -> Result<Vec<RankedRow>, ColumnsError> {
        self.read((0..self.footer.metadata().num_row_groups()).collect(), &|_| true)
    }

    fn column(&self, name: &str) -> Option<usize> {
        self.footer.parquet_schema().columns().iter().position(|column| column.name() == name)
    }

    fn read(
        &self,
        groups: Vec<usize>,
        wants: &dyn Fn(Option<&str>) -> bool,
    ) -> Result<Vec<RankedRow>, ColumnsError> {
        let reader =
            ParquetRecordBatchReaderBuilder::new_with_metadata(self.bytes.clone(), self.footer.clone());
        let mut rows = Vec::new();
        for batch in reader.with_row_groups(groups).build()? {
            let batch = &batch?;
            let category = texts(batch, "category")?;
            let rank = numbers::<Int32Type>(batch, "rank")?;
            let item_id = texts(batch, "item_id")?;
            let name = batch.column_by_name(NAME).map(|_| texts(batch, NAME)).transpose()?;
            let score = numbers::<Float64Type>(batch, "score")?;
            let units = numbers::<Int64Type>(batch, "units")?;
            let purchases = numbers::<Int64Type>(batch, "purchases")?;
            let amount = numbers::<Decimal128Type>(batch, "amount")?;
            let window_from = numbers::<TimestampMicrosecondType>(batch, "window_from")?;
            let window_to = numbers::<TimestampMicrosecondType>(batch, "window_to")?;
            let rankable = numbers::<Int64Type>(batch, "rankable")?;
            let moment =
                |micros, name| Timestamp::from_micros(micros).map_err(|_| ColumnsError::Column(name));
            for at in 0..batch.num_rows() {
                let path = category.is_valid(at).then(|| category.value(at));
                if !wants(path) {
                    continue;
                }
                rows.push(RankedRow {
                    category: path.map(str::to_owned),
                    rank: rank.value(at),
                    item_id: item_id.value(at).to_owned(),
                    name: name
                        .as_ref()
                        .filter(|name| name.is_valid(at))
                        .map(|name| name.value(at).to_owned()),
                    score: score.value(at),
                    sums: Sums {
                        purchases: purchases.value(at),
                        units: units.value(at),
                        amount: amount.value(at),
                    },
                    window_from: moment(window_from.value(at), "window_from")?,
                    window_to: moment(window_to.value(at), "window_to")?,
                    rankable: rankable.value(at),
                });
            }
        }
        Ok(rows)
    }
}

/// Tells by a group's statistics whether it may hold the category.
fn may_hold(statistics: Option<&Statistics>, category: Option<&str>) -> bool {
    let Some(statistics) = statistics else { return true };
    match category {
        None => statistics.null_count_opt() != Some(0),
        Some(path) => match (statistics.min_bytes_opt(), statistics.max_bytes_opt()) {
            (Some(min), Some(max)) => min <= path.as_bytes() && path.as_bytes() <= max,
            _ => true,
        },
    }
}
