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
        let parts = text.as_bytes().split_first_chunk();
        let Some((date, micros)) = parts.and_then(|(date, time)| Some((date, micros_of_day(time)?))) else {
            return read(text);
        };
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
#[inline]
fn micros_of_day(text: &[u8]) -> Option<i64> {
    let (b"T", clock) = text.split_first_chunk()? else { return None };
    let (clock, rest) = clock.split_first_chunk()?;
    let seconds = seconds_of_day(*clock)?;
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

/// Reads `13:05:00` as seconds since midnight, its eight bytes as one number.
#[inline]
fn seconds_of_day(clock: [u8; 8]) -> Option<i64> {
    const ZEROS: u64 = u64::from_le_bytes(*b"00:00:00");
    // Added to a byte, they set its highest bit where it is no digit, or no colon.
    const BEYOND: u64 = u64::from_le_bytes([0x76, 0x76, 0x7f, 0x76, 0x76, 0x7f, 0x76, 0x76]);
    const HIGHEST: u64 = u64::from_le_bytes([0x80; 8]);
    let digits = u64::from_le_bytes(clock) ^ ZEROS;
    if (digits | digits.wrapping_add(BEYOND)) & HIGHEST != 0 {
        return None;
    }
    // Each byte with the one behind it, as tens and ones.
    let [hours, _, _, minutes, _, _, seconds, _] = (digits * 10 + (digits >> 8)).to_le_bytes().map(i64::from);
    (hours < 24 && minutes < 60 && seconds < 60).then_some((hours * 60 + minutes) * 60 + seconds)
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
