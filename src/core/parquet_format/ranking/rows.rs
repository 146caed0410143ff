//! The rows of a batch, by those of its columns that were read.

use arrow::array::{Array, PrimitiveArray, RecordBatch, StringArray};
use arrow::datatypes::{Decimal128Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};

use crate::model::{Aggregate, Timestamp, Units};
use crate::parquet_format::day_columns::DAY_COLUMNS;
use crate::parquet_format::error::ColumnsError;
use crate::parquet_format::fields::{numbers, texts};
use crate::parquet_format::ranking::columns::{ELIGIBLE, ELIGIBLE_0, ELIGIBLE_ITEMS, ELIGIBLE_ITEMS_0, NAME};
use crate::parquet_format::ranking::row::{RankedRow, RowDetails};
use crate::parquet_format::units_column::units as units_of;

/// A batch's columns, some of which may not have been requested.
pub(super) struct Columns {
    category: Option<StringArray>,
    pub rank: PrimitiveArray<Int32Type>,
    item_id: StringArray,
    name: Option<StringArray>,
    score: PrimitiveArray<Float64Type>,
    units: Vec<Units>,
    purchases: PrimitiveArray<Int64Type>,
    amount: PrimitiveArray<Decimal128Type>,
    window_from: PrimitiveArray<TimestampMicrosecondType>,
    window_to: PrimitiveArray<TimestampMicrosecondType>,
    eligible_items: PrimitiveArray<Int64Type>,
    details: Option<(Vec<Vec<Units>>, EligibleColumns)>,
}

/// The aggregate of all eligible items of each row's category.
pub(super) struct EligibleColumns {
    units: Vec<Units>,
    purchases: PrimitiveArray<Int64Type>,
    amount: PrimitiveArray<Decimal128Type>,
}

impl EligibleColumns {
    /// Returns a batch's columns, if it has them.
    pub fn of(batch: &RecordBatch) -> Result<Option<EligibleColumns>, ColumnsError> {
        let has = |names: &[&str; 3]| batch.column_by_name(names[0]).is_some();
        let Some([units, purchases, amount]) = [ELIGIBLE, ELIGIBLE_0].into_iter().find(has) else {
            return Ok(None);
        };
        let (units, purchases) = (units_of(batch, units)?, numbers(batch, purchases)?);
        Ok(Some(EligibleColumns { units, purchases, amount: numbers(batch, amount)? }))
    }

    /// Returns the aggregate of a row's category.
    pub fn at(&self, at: usize) -> Aggregate {
        Aggregate {
            purchases: self.purchases.value(at),
            units: self.units[at],
            amount: self.amount.value(at),
        }
    }
}

/// Returns the number of eligible items of each row's category.
pub(super) fn eligible_items(batch: &RecordBatch) -> Result<PrimitiveArray<Int64Type>, ColumnsError> {
    match batch.column_by_name(ELIGIBLE_ITEMS_0) {
        Some(_) => numbers(batch, ELIGIBLE_ITEMS_0),
        None => numbers(batch, ELIGIBLE_ITEMS),
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
            units: units_of(batch, "units")?,
            purchases: numbers(batch, "purchases")?,
            amount: numbers(batch, "amount")?,
            window_from: numbers(batch, "window_from")?,
            window_to: numbers(batch, "window_to")?,
            eligible_items: eligible_items(batch)?,
            details: match EligibleColumns::of(batch)? {
                None => None,
                Some(eligible) => {
                    let days = DAY_COLUMNS.iter().map(|day| units_of(batch, day));
                    Some((days.collect::<Result<_, _>>()?, eligible))
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
                units: self.units[at],
                amount: self.amount.value(at),
            },
            window_from: moment(&self.window_from, at, "window_from")?,
            window_to: moment(&self.window_to, at, "window_to")?,
            eligible_items: self.eligible_items.value(at),
            details: self.details.as_ref().map(|(days, eligible)| RowDetails {
                days: std::array::from_fn(|day| days[day][at]),
                eligible: eligible.at(at),
            }),
        })
    }
}

/// Returns a row's time.
pub(super) fn moment(
    micros: &PrimitiveArray<TimestampMicrosecondType>,
    at: usize,
    name: &'static str,
) -> Result<Timestamp, ColumnsError> {
    Timestamp::from_micros(micros.value(at)).map_err(|_| ColumnsError::Column(name))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Decimal128Array, Int64Array};

    use super::*;

    #[test]
    fn eligible_items_are_read_by_their_names_of_either_format() {
        let numbers = |number: i64| Arc::new(Int64Array::from(vec![number])) as ArrayRef;
        for (items, [units, purchases, amount]) in
            [(ELIGIBLE_ITEMS, ELIGIBLE), (ELIGIBLE_ITEMS_0, ELIGIBLE_0)]
        {
            let amounts = Arc::new(Decimal128Array::from(vec![40])) as ArrayRef;
            let columns =
                [(items, numbers(1)), (units, numbers(2)), (purchases, numbers(3)), (amount, amounts)];
            let batch = RecordBatch::try_from_iter(columns).expect("the columns have one row each");
            assert_eq!(eligible_items(&batch).expect("there is such a column").value(0), 1, "{items}");
            let eligible = EligibleColumns::of(&batch).expect("they have the right types");
            let aggregate = eligible.map(|eligible| eligible.at(0));
            assert_eq!(aggregate, Some(Aggregate { purchases: 3, units: 2.into(), amount: 40 }), "{units}");
        }
        let other = RecordBatch::try_from_iter([("rank", numbers(1))]).expect("it has one row");
        assert!(EligibleColumns::of(&other).expect("it has none").is_none());
        let error = eligible_items(&other).expect_err("it has none").to_string();
        assert_eq!(error, "has no column `eligible_items` of the type that topsell writes");
    }
}
