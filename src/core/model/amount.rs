//! Money: exact decimals of four places.

use std::fmt;

use crate::model::decimal::{DecimalError, LIMIT, read_decimal, write_ten_thousandths};

/// An amount of money in ten-thousandths of its unit, at most 18 digits: Delta's `decimal(18,4)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(i64);

impl Amount {
    /// Reads a decimal, in scientific notation too, exactly to four places.
    ///
    /// What lies beyond the fourth place is rounded, halves away from zero, as SQL casts do.
    ///
    /// # Errors
    /// Says what is wrong with the text, without naming it.
    pub fn parse(text: &str) -> Result<Amount, DecimalError> {
        read_decimal(text).map(|read| Amount(read.ten_thousandths))
    }

    /// Returns the amount of so many ten-thousandths, if it has at most 18 digits.
    pub fn from_ten_thousandths(value: i128) -> Option<Amount> {
        if value.abs() < LIMIT { i64::try_from(value).ok().map(Amount) } else { None }
    }

    /// Returns ten-thousandths.
    pub fn ten_thousandths(self) -> i64 {
        self.0
    }
}

/// A decimal with four places: `12.3400`.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_ten_thousandths(i128::from(self.0), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, DecimalError>) {
        assert_eq!(Amount::parse(text).map(|a| a.to_string()), expected.map(str::to_owned), "{text}");
    }

    #[test]
    fn decimals_are_kept_exactly_to_four_places() {
        check("12.34", Ok("12.3400"));
        check("-0.01", Ok("-0.0100"));
        check("+5", Ok("5.0000"));
        check(".5", Ok("0.5000"));
        check("5.", Ok("5.0000"));
        check("1.5e3", Ok("1500.0000"));
        check("125E-2", Ok("1.2500"));
        check("1.776357e-15", Ok("0.0000"));
        check("0.00005", Ok("0.0001"));
        check("0.00004999", Ok("0.0000"));
        check("-0.00005", Ok("-0.0001"));
        check("5e-5", Ok("0.0001"));
        check("9e-6", Ok("0.0000"));
        check("99999999999999.9999", Ok("99999999999999.9999"));
        check("0e999999999999999999999", Ok("0.0000"));
        check("000000000000000000000000000001", Ok("1.0000"));
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in ["", "-", ".", "1,5", "abc", "1e", "1e+", "--1", "0x10", "1 2", "NaN", "٣"] {
            check(text, Err(DecimalError::Unreadable));
        }
        for text in ["100000000000000", "99999999999999.99995", "1e15", "1e999999999999999999999"] {
            check(text, Err(DecimalError::TooLarge));
        }
    }
}
