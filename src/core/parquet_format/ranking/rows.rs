//! The rows of a batch, whichever of its columns were read.

use arrow::array::{Array, PrimitiveArray, RecordBatch, StringArray};
use arrow::datatypes::{Decimal128Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};

use crate::model::{Aggregate, Timestamp};
use crate::parquet_format::ColumnsError;
use crate::parquet_format::fields::{numbers, texts};
use crate::parquet_format::ranking::{DAY_COLUMNS, NAME, RANKABLE, RankedRow, RowTotals};

/// A batch's columns, some of which may not have been asked for.
pub(super) struct Columns {
    category: Option<StringArray>,
    pub rank: PrimitiveArray<Int32Type>,
    item_id: StringArray,
    name: Option<StringArray>,
    score: PrimitiveArray<Float64Type>,
    units: PrimitiveArray<Int64Type>,
    purchases: PrimitiveArray<Int64Type>,
    amount: PrimitiveArray<Decimal128Type>,
    window_from: PrimitiveArray<TimestampMicrosecondType>,
    window_to: PrimitiveArray<TimestampMicrosecondType>,
    rankable: PrimitiveArray<Int64Type>,
    totals: Option<(Vec<PrimitiveArray<Int64Type>>, Rankable)>,
}

/// What all items of a row's category add up to that it could have ranked.
pub(super) struct Rankable {
    units: PrimitiveArray<Int64Type>,
    purchases: PrimitiveArray<Int64Type>,
    amount: PrimitiveArray<Decimal128Type>,
}

impl Rankable {
    /// Returns a batch's columns, if it has them.
    pub fn of(batch: &RecordBatch) -> Result<Option<Rankable>, ColumnsError> {
        let [units, purchases, amount] = RANKABLE;
        if batch.column_by_name(units).is_none() {
            return Ok(None);
        }
        let [units, purchases] = [numbers(batch, units)?, numbers(batch, purchases)?];
        Ok(Some(Rankable { units, purchases, amount: numbers(batch, amount)? }))
    }

    /// Returns a row's.
    pub fn at(&self, at: usize) -> Aggregate {
        Aggregate {
            purchases: self.purchases.value(at),
            units: self.units.value(at),
            amount: self.amount.value(at),
        }
    }
}

impl Columns {
    /// Returns a batch's columns.
    pub fn of(batch: &RecordBatch) -> Result<Columns, ColumnsError> {
        let texts_if_read = |name| batch.column_by_name(name).map(|_| texts(batch, name)).transpose();
        Ok(Columns {
            category: texts_if_read("category")?,
            rank: numbers(batch, "rank")?,
            item_id: texts(batch, "item_id")?,
            name: texts_if_read(NAME)?,
            score: numbers(batch, "score")?,
            units: numbers(batch, "units")?,
            purchases: numbers(batch, "purchases")?,
            amount: numbers(batch, "amount")?,
            window_from: numbers(batch, "window_from")?,
            window_to: numbers(batch, "window_to")?,
            rankable: numbers(batch, "rankable")?,
            totals: match Rankable::of(batch)? {
                None => None,
                Some(rankable) => {
                    let days = DAY_COLUMNS.iter().map(|day| numbers(batch, day));
                    Some((days.collect::<Result<_, _>>()?, rankable))
                }
            },
        })
    }

    /// Returns a row.
    pub fn row<'a>(&'a self, at: usize) -> Result<RankedRow<'a>, ColumnsError> {
        let text = |column: &'a Option<StringArray>| {
            column.as_ref().filter(|texts| texts.is_valid(at)).map(|texts| texts.value(at).into())
        };
        Ok(RankedRow {
            category: text(&self.category),
            rank: self.rank.value(at),
            item_id: self.item_id.value(at).into(),
            name: text(&self.name),
            score: self.score.value(at),
            aggregate: Aggregate {
                purchases: self.purchases.value(at),
                units: self.units.value(at),
                amount: self.amount.value(at),
            },
            window_from: moment(&self.window_from, at, "window_from")?,
            window_to: moment(&self.window_to, at, "window_to")?,
            rankable: self.rankable.value(at),
            totals: self.totals.as_ref().map(|(days, rankable)| RowTotals {
                days: std::array::from_fn(|day| days[day].value(at)),
                rankable: rankable.at(at),
            }),
        })
    }
}

/// Returns a column's moment.
pub(super) fn moment(
    micros: &PrimitiveArray<TimestampMicrosecondType>,
    at: usize,
    name: &'static str,
) -> Result<Timestamp, ColumnsError> {
    Timestamp::from_micros(micros.value(at)).map_err(|_| ColumnsError::Column(name))
}
