//! Timestamps of a log, parsed fast because most are of the same day as the one before.

use crate::model::{Timestamp, TimestampError};

const MICROS_PER_SECOND: i64 = 1_000_000;

/// Reads moments one after another, and works a date out only where it is another.
#[derive(Default)]
pub struct Days {
    /// The date as it is written, and the microseconds at which it begins.
    known: Option<([u8; 10], i64)>,
}

impl Days {
    /// Reads what another function does, which must read RFC 3339 in UTC as [`Timestamp::parse`] does.
    ///
    /// # Errors
    /// As that function.
    pub fn parse(
        &mut self,
        text: &str,
        read: impl Fn(&str) -> Result<Timestamp, TimestampError>,
    ) -> Result<Timestamp, TimestampError> {
        let parts =
            text.as_bytes().split_first_chunk().zip(text.as_bytes().get(10..).and_then(micros_of_day));
        let Some(((date, _), micros)) = parts else { return read(text) };
        match self.known {
            Some((known, midnight)) if known == *date => Timestamp::from_micros(midnight + micros),
            _ => {
                let ts = read(text)?;
                self.known = Some((*date, ts.micros() - micros));
                Ok(ts)
            }
        }
    }
}

/// Reads `T13:05:00Z`, with up to six decimals, as microseconds since midnight; none where it is
/// written in any other way.
fn micros_of_day(text: &[u8]) -> Option<i64> {
    let (time, rest) = text.split_first_chunk::<9>()?;
    let [b'T', h, hh, b':', m, mm, b':', s, ss] = time else { return None };
    let number = |tens: &u8, ones: &u8, below: i64| {
        let are_digits = tens.is_ascii_digit() && ones.is_ascii_digit();
        let number = i64::from(tens.wrapping_sub(b'0')) * 10 + i64::from(ones.wrapping_sub(b'0'));
        (are_digits && number < below).then_some(number)
    };
    let seconds = (number(h, hh, 24)? * 60 + number(m, mm, 60)?) * 60 + number(s, ss, 60)?;
    let micros = match rest {
        b"Z" => 0,
        [b'.', decimals @ .., b'Z'] if (1..=6).contains(&decimals.len()) => {
            let mut scale = MICROS_PER_SECOND;
            let mut micros = 0;
            for digit in decimals {
                scale /= 10;
                micros += digit.is_ascii_digit().then_some(i64::from(digit.wrapping_sub(b'0')))? * scale;
            }
            micros
        }
        _ => return None,
    };
    Some(seconds * MICROS_PER_SECOND + micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn days_say_what_each_moment_says_by_itself(
            texts in proptest::collection::vec(
                "20(17-01-0[7-9]|24-02-(29|30))[Tt ][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9x]{0,7})?(Z|z|\\+01:00|)|\
                 (0001-01-01|9998-12-31|9999-01-01|0000-12-31|1969-12-31)T(00:00:00|23:59:59\\.999999)Z| ?[0-9]{0,12}",
                0..20,
            ),
        ) {
            let mut days = Days::default();
            for text in texts {
                proptest::prop_assert_eq!(days.parse(&text, Timestamp::parse), Timestamp::parse(&text), "{}", text);
            }
        }
    }
}
