//! The rows of a batch, by those of its columns that were read.

use arrow::array::{Array, PrimitiveArray, RecordBatch, StringArray};
use arrow::datatypes::{Decimal128Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};

use crate::model::{Aggregate, Timestamp, Units};
use crate::parquet_format::day_columns::DAY_COLUMNS;
use crate::parquet_format::error::ColumnsError;
use crate::parquet_format::fields::{numbers, texts};
use crate::parquet_format::ranking::columns::{
    CATEGORY, ELIGIBLE, ELIGIBLE_0, ELIGIBLE_ITEMS, ELIGIBLE_ITEMS_0, NAME, NEXT, WINDOW,
};
use crate::parquet_format::ranking::row::{RankedRow, RowDetails, WindowFigures};
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
    details: Option<(Vec<Vec<Units>>, AggregateColumns)>,
    next: Option<(StringArray, PrimitiveArray<Float64Type>)>,
    /// Of the item and of its category over the ranking's window.
    window: Option<(AggregateColumns, AggregateColumns)>,
}

/// Three columns that are an aggregate of each row.
pub(super) struct AggregateColumns {
    units: Vec<Units>,
    purchases: PrimitiveArray<Int64Type>,
    amount: PrimitiveArray<Decimal128Type>,
}

impl AggregateColumns {
    /// Returns the aggregate of all eligible items of each row's category, if a batch has it.
    pub fn of_eligible(batch: &RecordBatch) -> Result<Option<AggregateColumns>, ColumnsError> {
        match AggregateColumns::named(batch, ELIGIBLE)? {
            Some(eligible) => Ok(Some(eligible)),
            None => AggregateColumns::named(batch, ELIGIBLE_0),
        }
    }

    /// Returns the aggregate of all items of each row's category over the ranking's window, if a batch has it.
    pub fn of_category(batch: &RecordBatch) -> Result<Option<AggregateColumns>, ColumnsError> {
        AggregateColumns::named(batch, CATEGORY)
    }

    /// Returns the columns of these names, if a batch has them.
    fn named(
        batch: &RecordBatch,
        [units, purchases, amount]: [&'static str; 3],
    ) -> Result<Option<AggregateColumns>, ColumnsError> {
        if batch.column_by_name(units).is_none() {
            return Ok(None);
        }
        let (units, purchases) = (units_of(batch, units)?, numbers(batch, purchases)?);
        Ok(Some(AggregateColumns { units, purchases, amount: numbers(batch, amount)? }))
    }

    /// Returns a row's aggregate; none where it is null.
    fn if_valid(&self, at: usize) -> Option<Aggregate> {
        self.purchases.is_valid(at).then(|| self.at(at))
    }

    /// Returns a row's aggregate.
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
            next: next(batch)?,
            window: AggregateColumns::named(batch, WINDOW)?.zip(AggregateColumns::of_category(batch)?),
            details: match AggregateColumns::of_eligible(batch)? {
                None => None,
                Some(eligible) => {
                    let days = DAY_COLUMNS.iter().filter(|day| batch.column_by_name(day).is_some());
                    let days = days.map(|day| units_of(batch, day)).collect::<Result<Vec<_>, _>>()?;
                    Some((days, eligible))
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
            next: self
                .next
                .as_ref()
                .filter(|(item_ids, _)| item_ids.is_valid(at))
                .map(|(item_ids, scores)| (item_ids.value(at).into(), scores.value(at))),
            details: self.details.as_ref().map(|(days, eligible)| RowDetails {
                days: std::array::from_fn(|day| days.get(day).map_or(Units::ZERO, |units| units[at])),
                eligible: eligible.at(at),
                window: self.window.as_ref().map(|(item, category)| WindowFigures {
                    item: item.if_valid(at),
                    category: category.at(at),
                }),
            }),
        })
    }
}

/// Returns the first item of each row's category that is not listed, and its score, if a batch has them.
fn next(batch: &RecordBatch) -> Result<Option<(StringArray, PrimitiveArray<Float64Type>)>, ColumnsError> {
    let [item_id, score] = NEXT;
    if batch.column_by_name(item_id).is_none() {
        return Ok(None);
    }
    Ok(Some((texts(batch, item_id)?, numbers(batch, score)?)))
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
            let eligible = AggregateColumns::of_eligible(&batch).expect("they have the right types");
            let aggregate = eligible.map(|eligible| eligible.at(0));
            assert_eq!(aggregate, Some(Aggregate { purchases: 3, units: 2.into(), amount: 40 }), "{units}");
        }
        let other = RecordBatch::try_from_iter([("rank", numbers(1))]).expect("it has one row");
        assert!(AggregateColumns::of_eligible(&other).expect("it has none").is_none());
        let error = eligible_items(&other).expect_err("it has none").to_string();
        assert_eq!(error, "has no column `eligible_items` of the type that topsell writes");
    }
}
