//! Units of goods: exact decimals of four places, since some goods are sold by weight.

use std::fmt;

use crate::model::decimal::{DecimalError, read_decimal};

/// Units sold less units returned, in ten-thousandths.
///
/// A quantity of an event has at most 18 digits, Delta's `decimal(18,4)`; sums are up to 2^63
/// ten-thousandths, 922 trillion units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Units(i64);

/// Ten-thousandths of one unit.
const ONE: i64 = 10_000;

impl Units {
    /// None at all.
    pub const ZERO: Units = Units(0);
    /// One unit, the quantity of an event that names none.
    pub const ONE: Units = Units(ONE);

    /// The most that fit.
    pub const MAX: Units = Units(i64::MAX);

    /// Returns whole units, if they fit.
    pub const fn whole(units: i64) -> Option<Units> {
        match units.checked_mul(ONE) {
            Some(value) => Some(Units(value)),
            None => None,
        }
    }

    /// Returns so many ten-thousandths.
    pub const fn from_ten_thousandths(value: i64) -> Units {
        Units(value)
    }

    /// Returns ten-thousandths.
    pub const fn ten_thousandths(self) -> i64 {
        self.0
    }

    /// Reads a decimal, in scientific notation too; what lies beyond the fourth place is rounded, halves away
    /// from zero, and the second value tells that something was.
    ///
    /// # Errors
    /// Says whether the text is no decimal or has more than 14 digits before the point.
    pub fn parse(text: &str) -> Result<(Units, bool), DecimalError> {
        read_decimal(text).map(|read| (Units(read.ten_thousandths), read.is_rounded))
    }

    /// Returns both added, or nothing where the sum does not fit.
    #[inline]
    #[must_use]
    pub const fn checked_add(self, other: Units) -> Option<Units> {
        match self.0.checked_add(other.0) {
            Some(value) => Some(Units(value)),
            None => None,
        }
    }

    /// Returns the difference, or nothing where it does not fit.
    #[must_use]
    pub const fn checked_sub(self, other: Units) -> Option<Units> {
        match self.0.checked_sub(other.0) {
            Some(value) => Some(Units(value)),
            None => None,
        }
    }

    /// Returns the difference of units of which the second are part of the first, so that it fits.
    #[must_use]
    pub(super) const fn minus_part(self, part: Units) -> Units {
        Units(self.0.wrapping_sub(part.0))
    }

    /// Returns as many units, taken back, whichever their sign.
    #[must_use]
    pub const fn returned(self) -> Units {
        Units(if self.0 > 0 { -self.0 } else { self.0 })
    }

    /// Returns whether more was returned than sold.
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// Returns whether more was sold than returned.
    pub const fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// Returns the nearest floating-point number; whole units are exact up to 2^53.
    #[inline]
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / ONE as f64
    }
}

impl From<i32> for Units {
    fn from(units: i32) -> Units {
        Units(i64::from(units) * ONE)
    }
}

/// A decimal without trailing zeros: `12`, `0.5`.
impl fmt::Display for Units {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_units(i128::from(self.0), f)
    }
}

/// Writes ten-thousandths as a decimal without trailing zeros.
fn write_units(ten_thousandths: i128, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let sign = if ten_thousandths < 0 { "-" } else { "" };
    let size = ten_thousandths.unsigned_abs();
    let (whole, mut fraction) = (size / 10_000, size % 10_000);
    if fraction == 0 {
        return write!(f, "{sign}{whole}");
    }
    let mut places = 4;
    while fraction % 10 == 0 {
        (fraction, places) = (fraction / 10, places - 1);
    }
    write!(f, "{sign}{whole}.{fraction:0places$}")
}

/// Units added up over so many items that 64 bits may not hold them, in ten-thousandths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnitsSum(pub i128);

impl UnitsSum {
    /// Returns the number of units, if it is whole.
    pub fn whole(self) -> Option<i128> {
        (self.0 % i128::from(ONE) == 0).then(|| self.0 / i128::from(ONE))
    }

    /// Returns the nearest floating-point number.
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / ONE as f64
    }
}

impl fmt::Display for UnitsSum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_units(self.0, f)
    }
}

impl From<Units> for UnitsSum {
    fn from(units: Units) -> UnitsSum {
        UnitsSum(units.0.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<(&str, bool), DecimalError>) {
        let got = Units::parse(text).map(|(units, is_rounded)| (units.to_string(), is_rounded));
        assert_eq!(got, expected.map(|(text, is_rounded)| (text.to_owned(), is_rounded)), "{text}");
    }

    #[test]
    fn units_are_exact_to_four_places_and_written_without_trailing_zeros() {
        check("3", Ok(("3", false)));
        check("-3.0", Ok(("-3", false)));
        check("0.5", Ok(("0.5", false)));
        check("-0.250", Ok(("-0.25", false)));
        check("1.0005", Ok(("1.0005", false)));
        check("100.0100000", Ok(("100.01", false)));
        check("1e3", Ok(("1000", false)));
        check("5e-1", Ok(("0.5", false)));
        check("0.33333", Ok(("0.3333", true)));
        check("0.00005", Ok(("0.0001", true)));
        check("-0.00001", Ok(("0", true)));
        check("0.30000000000000004", Ok(("0.3", true)));
        check("99999999999999.9999", Ok(("99999999999999.9999", false)));
        check("100000000000000", Err(DecimalError::TooLarge));
        check("1,5", Err(DecimalError::Unreadable));
    }

    #[test]
    fn sums_that_do_not_fit_are_none() {
        let most = Units::from_ten_thousandths(i64::MAX);
        assert_eq!(most.checked_add(Units::from_ten_thousandths(1)), None);
        assert_eq!(Units::whole(i64::MAX / 10_000 + 1), None);
        assert_eq!(most.to_string(), "922337203685477.5807");
        assert_eq!(Units::from_ten_thousandths(i64::MIN).to_string(), "-922337203685477.5808");
        assert_eq!(UnitsSum(i128::from(i64::MAX) * 2).to_string(), "1844674407370955.1614");
    }
}
