//! Money: exact decimals of four places.

use std::fmt;

/// An amount of money in ten-thousandths of its unit, at most 18 digits: Delta's `decimal(18,4)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(i64);

/// Why a text is not an amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    #[error("is not a decimal number such as 12.34 or 1.5e3")]
    Unreadable,
    #[error("has more than 14 digits before the point")]
    TooLarge,
}

const PLACES: i64 = 4;
const LIMIT: i128 = 10_i128.pow(18);

impl Amount {
    /// Reads a decimal, in scientific notation too, exactly to four places.
    ///
    /// What lies beyond the fourth place is rounded, halves away from zero, as SQL casts do.
    ///
    /// # Errors
    /// Says what is wrong with the text, without naming it.
    pub fn parse(text: &str) -> Result<Amount, AmountError> {
        match plain(text.as_bytes()) {
            Some(amount) => Ok(amount),
            None => Amount::parse_any(text),
        }
    }

    fn parse_any(text: &str) -> Result<Amount, AmountError> {
        let (mantissa, exponent) = match text.find(['e', 'E']) {
            Some(at) => (&text[..at], parse_exponent(&text[at + 1..])?),
            None => (text, 0),
        };
        let negative = mantissa.starts_with('-');
        let unsigned = mantissa.strip_prefix(['-', '+']).unwrap_or(mantissa);
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let digits = || whole.bytes().chain(fraction.bytes());
        if whole.len() + fraction.len() == 0 || !digits().all(|b| b.is_ascii_digit()) {
            return Err(AmountError::Unreadable);
        }
        let kept = i64::try_from(whole.len()).unwrap_or(i64::MAX / 2) + exponent + PLACES;
        let value = round_digits(digits(), kept)?;
        let value = i64::try_from(value).map_err(|_| AmountError::TooLarge)?;
        Ok(Amount(if negative { -value } else { value }))
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

/// Reads an amount as most are written: up to fourteen digits, the last four of them at most behind
/// a point.
fn plain(text: &[u8]) -> Option<Amount> {
    const MOST_BYTES: usize = 14;
    let (is_negative, digits) = match text.split_first()? {
        (b'-', rest) => (true, rest),
        _ => (false, text),
    };
    if digits.len() > MOST_BYTES || !digits.first()?.is_ascii_digit() {
        return None;
    }
    let (mut value, mut places) = (0, None);
    for byte in digits {
        match byte {
            b'0'..=b'9' => {
                value = value * 10 + i64::from(byte - b'0');
                places = places.map(|places: usize| places + 1);
            }
            b'.' if places.is_none() => places = Some(0),
            _ => return None,
        }
    }
    value *= [10_000, 1_000, 100, 10, 1].get(places.unwrap_or(0))?;
    Some(Amount(if is_negative { -value } else { value }))
}

/// Returns the number that the first `kept` digits make, rounded by the one after them; digits
/// that are missing are zeros.
fn round_digits(digits: impl Iterator<Item = u8>, kept: i64) -> Result<i128, AmountError> {
    let mut value: i128 = 0;
    let mut taken = 0;
    let mut push = |digit: i128| {
        value = value * 10 + digit;
        if value >= LIMIT { Err(AmountError::TooLarge) } else { Ok(()) }
    };
    for digit in digits.map(|b| i128::from(b - b'0')) {
        if taken < kept {
            push(digit)?;
        } else {
            // A number that begins below the fifth place (taken > kept) rounds to nothing.
            let up = taken == kept && digit >= 5;
            return if up && value + 1 >= LIMIT {
                Err(AmountError::TooLarge)
            } else {
                Ok(value + i128::from(up))
            };
        }
        taken += 1;
    }
    if value == 0 {
        return Ok(0);
    }
    while taken < kept {
        value *= 10;
        if value >= LIMIT {
            return Err(AmountError::TooLarge);
        }
        taken += 1;
    }
    Ok(value)
}

fn parse_exponent(text: &str) -> Result<i64, AmountError> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(AmountError::Unreadable);
    }
    // An exponent beyond this decides the answer by itself, whatever the digits.
    const FAR: i64 = 1_000_000;
    let size = digits.parse::<i64>().unwrap_or(FAR).min(FAR);
    Ok(if text.starts_with('-') { -size } else { size })
}

/// A decimal with four places: `12.3400`.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_ten_thousandths(i128::from(self.0), f)
    }
}

/// Writes a sum of amounts as a decimal with four places.
pub(super) fn write_ten_thousandths(value: i128, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let sign = if value < 0 { "-" } else { "" };
    let size = value.unsigned_abs();
    write!(f, "{sign}{}.{:04}", size / 10_000, size % 10_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, AmountError>) {
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

    proptest::proptest! {
        #[test]
        fn the_short_way_of_reading_says_what_the_long_one_does(
            text in "[-+]?[0-9]{0,15}(\\.[0-9]{0,6})?(e-?[0-9])?|[-+.0-9e]{0,6}",
        ) {
            proptest::prop_assert_eq!(Amount::parse(&text), Amount::parse_any(&text));
        }
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in ["", "-", ".", "1,5", "abc", "1e", "1e+", "--1", "0x10", "1 2", "NaN", "٣"] {
            check(text, Err(AmountError::Unreadable));
        }
        for text in ["100000000000000", "99999999999999.99995", "1e15", "1e999999999999999999999"] {
            check(text, Err(AmountError::TooLarge));
        }
    }
}
