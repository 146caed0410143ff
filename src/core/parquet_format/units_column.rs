//! Columns of units: decimals of four places, and whole numbers in files of older formats.
//!
//! Invariant: no value is rounded; one that does not fit into 64 bits is an error.

use std::borrow::Cow;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Decimal128Type, Int64Type};
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use crate::model::Units;
use crate::parquet_format::chunks::{Dictionary, Values};
use crate::parquet_format::error::ColumnsError;

/// Digits of a decimal that a 64-bit integer holds, and of one of 128 bits.
pub(super) const SHORT_DIGITS: u8 = 18;
pub(super) const LONG_DIGITS: u8 = 38;
/// Digits behind the point.
pub(super) const SCALE: i8 = 4;
/// Units, the quantity of an event for example.
pub(super) const UNITS: DataType = DataType::Decimal128(SHORT_DIGITS, SCALE);
/// Units added up.
pub(super) const UNITS_SUM: DataType = DataType::Decimal128(LONG_DIGITS, SCALE);

/// Whole units below this are found without hashing.
const SMALL: usize = 256;

/// Returns the units of a batch's rows; 0 for null.
///
/// # Errors
/// Names the column where it is missing, is neither a decimal of four places nor a whole number, or a value
/// does not fit.
pub(super) fn units(batch: &RecordBatch, name: &'static str) -> Result<Vec<Units>, ColumnsError> {
    let column = batch.column_by_name(name).ok_or(ColumnsError::Column(name))?;
    let too_large = || ColumnsError::Column(name);
    match column.data_type() {
        DataType::Decimal128(_, SCALE) => {
            units_of(column.as_primitive::<Decimal128Type>().values()).ok_or_else(too_large)
        }
        DataType::Int64 => {
            let whole = column.as_primitive::<Int64Type>();
            whole.values().iter().map(|value| Units::whole(*value).ok_or_else(too_large)).collect()
        }
        _ => Err(too_large()),
    }
}

/// Returns units of so many ten-thousandths; `None` where one does not fit.
pub(super) fn units_of(ten_thousandths: &[i128]) -> Option<Vec<Units>> {
    // Checked in a pass of its own, so that neither pass has branches.
    let do_fit = ten_thousandths.iter().fold(true, |all, &value| all & (i128::from(value as i64) == value));
    do_fit.then(|| ten_thousandths.iter().map(|&value| Units::from_ten_thousandths(value as i64)).collect())
}

/// Ten-thousandths as dictionary codes and their distinct values, where these are few enough that a
/// dictionary is shorter.
pub(super) struct FewUnits {
    codes: Vec<u32>,
    distinct: Vec<i64>,
}

impl FewUnits {
    /// Returns numbers as codes; `None` where more than a fourth of them, and more than some, are distinct.
    pub fn of(numbers: &[i64]) -> Option<FewUnits> {
        const UNSEEN: u32 = u32::MAX;
        let most = numbers.len() / 4 + SMALL;
        let mut of_small = [UNSEEN; SMALL];
        let mut of_others: HashMap<i64, u32> = HashMap::new();
        let (mut codes, mut distinct) = (Vec::with_capacity(numbers.len()), Vec::new());
        for &number in numbers {
            let next = distinct.len() as u32;
            let code = match small(number).and_then(|small| of_small.get_mut(small)) {
                Some(code) => {
                    if *code == UNSEEN {
                        *code = next;
                    }
                    *code
                }
                None => match of_others.entry(number) {
                    Entry::Occupied(code) => *code.get(),
                    Entry::Vacant(place) => *place.insert(next),
                },
            };
            if code == next {
                distinct.push(number);
                if distinct.len() > most {
                    return None;
                }
            }
            codes.push(code);
        }
        Some(FewUnits { codes, distinct })
    }

    /// Returns them with codes in the order of their values.
    pub fn in_order(mut self) -> FewUnits {
        let mut order: Vec<u32> = (0..self.distinct.len() as u32).collect();
        order.sort_unstable_by_key(|&code| self.distinct[code as usize]);
        let mut codes = vec![0; order.len()];
        (0..).zip(&order).for_each(|(new, &old)| codes[old as usize] = new);
        self.codes.iter_mut().for_each(|code| *code = codes[*code as usize]);
        self.distinct = order.iter().map(|&code| self.distinct[code as usize]).collect();
        self
    }

    /// Returns the code of each number, and the number of each code.
    pub fn codes(&self) -> (&[u32], &[i64]) {
        (&self.codes, &self.distinct)
    }

    /// Returns them as the values of a column of 64 bits.
    pub fn values(&self) -> Values<'_> {
        Values::Codes { codes: &self.codes, of: Dictionary::Numbers(&self.distinct) }
    }

    /// Returns them as the values of a column of 128 bits.
    pub fn wide_values(&self) -> Values<'_> {
        Values::Codes { codes: &self.codes, of: Dictionary::Wide(Cow::Borrowed(&self.distinct)) }
    }
}

/// Returns whole units, if the number is some and they are not negative.
fn small(ten_thousandths: i64) -> Option<usize> {
    const ONE: i64 = Units::ONE.ten_thousandths();
    (ten_thousandths % ONE == 0).then(|| usize::try_from(ten_thousandths / ONE).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Decimal128Array, Int64Array};

    use super::*;

    fn check(column: ArrayRef, expected: Option<&[&str]>) {
        let batch = RecordBatch::try_from_iter([("units", column)]).expect("it is one column");
        let got = units(&batch, "units").ok();
        let got = got.map(|units| units.iter().map(ToString::to_string).collect::<Vec<_>>());
        let expected = expected.map(|texts| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        assert_eq!(got, expected);
    }

    #[test]
    fn decimals_and_whole_numbers_are_read_exactly_or_refused() {
        let decimals = |values: Vec<i128>, digits| {
            let array = Decimal128Array::from(values).with_data_type(DataType::Decimal128(digits, SCALE));
            Arc::new(array) as ArrayRef
        };
        let whole = |values: Vec<i64>| Arc::new(Int64Array::from(values)) as ArrayRef;
        check(decimals(vec![5_000, -10_000], 18), Some(&["0.5", "-1"]));
        check(decimals(vec![i64::MAX.into()], 38), Some(&["922337203685477.5807"]));
        check(decimals(vec![i128::from(i64::MAX) + 1], 38), None);
        check(whole(vec![3, -2]), Some(&["3", "-2"]));
        check(whole(vec![i64::MAX]), None);
        check(Arc::new(arrow::array::StringArray::from(vec!["3"])), None);
    }

    #[test]
    fn codes_stand_for_the_numbers_or_these_are_too_many() {
        let round_trip = |numbers: &[i64]| {
            let few = FewUnits::of(numbers)?;
            let numbers = |few: &FewUnits| -> Vec<i64> {
                few.codes.iter().map(|&code| few.distinct[code as usize]).collect()
            };
            let as_they_come = numbers(&few);
            let few = few.in_order();
            assert!(few.distinct.is_sorted());
            assert_eq!(numbers(&few), as_they_come);
            Some(as_they_come)
        };
        let mixed = [10_000, 5_000, -10_000, 0, 10_000, 2_550_000, 2_560_000, 5_000];
        assert_eq!(round_trip(&mixed).as_deref(), Some(&mixed[..]));
        assert_eq!(round_trip(&(0..1_000).collect::<Vec<_>>()), None);
        assert_eq!(round_trip(&[]).as_deref(), Some(&[][..]));
    }
}
