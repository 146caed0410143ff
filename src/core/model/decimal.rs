//! Decimals of four places: read exactly, and written.

use std::fmt;

/// Why a text is not a decimal of four places.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    #[error("is not a decimal number such as 12.34 or 1.5e3")]
    Unreadable,
    #[error("has more than 14 digits before the point")]
    TooLarge,
}

/// What a text says, in ten-thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ReadDecimal {
    pub ten_thousandths: i64,
    /// Whether something behind the fourth place was rounded.
    pub is_rounded: bool,
}

const PLACES: i64 = 4;
pub(super) const LIMIT: i128 = 10_i128.pow(18);

/// Reads a decimal, in scientific notation too, exactly to four places.
///
/// What lies beyond the fourth place is rounded, halves away from zero, as SQL casts do.
///
/// # Errors
/// Says what is wrong with the text, without naming it.
#[inline]
pub(super) fn read_decimal(text: &str) -> Result<ReadDecimal, DecimalError> {
    match plain(text.as_bytes()) {
        Some(ten_thousandths) => Ok(ReadDecimal { ten_thousandths, is_rounded: false }),
        None => read_any(text),
    }
}

fn read_any(text: &str) -> Result<ReadDecimal, DecimalError> {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], parse_exponent(&text[at + 1..])?),
        None => (text, 0),
    };
    let is_negative = mantissa.starts_with('-');
    let unsigned = mantissa.strip_prefix(['-', '+']).unwrap_or(mantissa);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let digits = || whole.bytes().chain(fraction.bytes());
    if whole.len() + fraction.len() == 0 || !digits().all(|b| b.is_ascii_digit()) {
        return Err(DecimalError::Unreadable);
    }
    let kept = i64::try_from(whole.len()).unwrap_or(i64::MAX / 2) + exponent + PLACES;
    let value = round_digits(digits(), kept)?;
    let value = i64::try_from(value).map_err(|_| DecimalError::TooLarge)?;
    let is_rounded = digits().skip(usize::try_from(kept).unwrap_or(0)).any(|digit| digit != b'0');
    Ok(ReadDecimal { ten_thousandths: if is_negative { -value } else { value }, is_rounded })
}

/// Reads a decimal as most are written: up to fourteen digits, the last four of them at most behind
/// a point.
fn plain(text: &[u8]) -> Option<i64> {
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
    Some(if is_negative { -value } else { value })
}

/// Returns the number that the first `kept` digits make, rounded by the one after them; digits
/// that are missing are zeros.
fn round_digits(digits: impl Iterator<Item = u8>, kept: i64) -> Result<i128, DecimalError> {
    let mut value: i128 = 0;
    let mut taken = 0;
    let mut push = |digit: i128| {
        value = value * 10 + digit;
        if value >= LIMIT { Err(DecimalError::TooLarge) } else { Ok(()) }
    };
    for digit in digits.map(|b| i128::from(b - b'0')) {
        if taken < kept {
            push(digit)?;
        } else {
            // A number that begins below the fifth place (taken > kept) rounds to nothing.
            let up = taken == kept && digit >= 5;
            return if up && value + 1 >= LIMIT {
                Err(DecimalError::TooLarge)
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
            return Err(DecimalError::TooLarge);
        }
        taken += 1;
    }
    Ok(value)
}

fn parse_exponent(text: &str) -> Result<i64, DecimalError> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(DecimalError::Unreadable);
    }
    // An exponent beyond this decides the answer by itself, whatever the digits.
    const FAR: i64 = 1_000_000;
    let size = digits.parse::<i64>().unwrap_or(FAR).min(FAR);
    Ok(if text.starts_with('-') { -size } else { size })
}

/// Writes ten-thousandths as a decimal with four places: `12.3400`.
pub(super) fn write_ten_thousandths(value: i128, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let sign = if value < 0 { "-" } else { "" };
    let size = value.unsigned_abs();
    write!(f, "{sign}{}.{:04}", size / 10_000, size % 10_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn the_short_way_of_reading_says_what_the_long_one_does(
            text in "[-+]?[0-9]{0,15}(\\.[0-9]{0,6})?(e-?[0-9])?|[-+.0-9e]{0,6}",
        ) {
            proptest::prop_assert_eq!(read_decimal(&text), read_any(&text));
        }
    }
}
