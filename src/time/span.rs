//! Lengths of time as a person types them: `150h`, `7d`, `90s`.

/// Why a text is not a length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpanError {
    #[error("`{0}` is not a length of time; write a whole number and a unit, such as {1}")]
    Unreadable(String, &'static str),
    #[error(
        "`{0}` is not whole hours: sales are summed by the hour, so time slides by the hour; write {1}h or {2}h"
    )]
    NotWholeHours(String, u64, u64),
    #[error("`{0}` is no time at all; write at least 1h")]
    Zero(String),
    #[error("`{0}` is longer than 100 years")]
    TooLong(String),
}

const SECONDS_PER_HOUR: u64 = 3_600;
const MAX_HOURS: u64 = 100 * 366 * 24;

/// Reads a positive number of whole hours: `150h`, `7d`, `2w`, `120m`.
///
/// # Errors
/// Names the text and says what to write instead.
pub fn parse_hours(text: &str) -> Result<u32, SpanError> {
    let seconds = seconds_of(text).ok_or(SpanError::Unreadable(text.to_owned(), "150h or 7d"))?;
    let hours = seconds / SECONDS_PER_HOUR;
    if seconds == 0 {
        Err(SpanError::Zero(text.to_owned()))
    } else if seconds % SECONDS_PER_HOUR != 0 {
        Err(SpanError::NotWholeHours(text.to_owned(), hours.max(1), hours + 1))
    } else if hours > MAX_HOURS {
        Err(SpanError::TooLong(text.to_owned()))
    } else {
        Ok(u32::try_from(hours).expect("a hundred years of hours fit"))
    }
}

/// Reads a number of seconds, zero included: `0s`, `90s`, `1h`.
///
/// # Errors
/// Names the text and says what to write instead.
pub fn parse_seconds(text: &str) -> Result<u64, SpanError> {
    let seconds = seconds_of(text).ok_or(SpanError::Unreadable(text.to_owned(), "10s or 1h"))?;
    if seconds > MAX_HOURS * SECONDS_PER_HOUR {
        Err(SpanError::TooLong(text.to_owned()))
    } else {
        Ok(seconds)
    }
}

fn seconds_of(text: &str) -> Option<u64> {
    let text = text.trim();
    let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(unit_at);
    let per_unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => SECONDS_PER_HOUR,
        "d" => 24 * SECONDS_PER_HOUR,
        "w" => 7 * 24 * SECONDS_PER_HOUR,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(per_unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_hours_are_read_and_the_rest_refused() {
        assert_eq!(parse_hours("150h"), Ok(150));
        assert_eq!(parse_hours("7d"), Ok(168));
        assert_eq!(parse_hours("120m"), Ok(2));
        assert_eq!(parse_hours("90m"), Err(SpanError::NotWholeHours("90m".into(), 1, 2)));
        assert_eq!(parse_hours("0h"), Err(SpanError::Zero("0h".into())));
        for text in ["", "h", "150", "-1h", "1.5h", "99999999999999999999h", "1y", "é"] {
            assert!(matches!(parse_hours(text), Err(SpanError::Unreadable(..))), "{text}");
        }
        assert!(matches!(parse_hours("9999999d"), Err(SpanError::TooLong(_))));
    }
}
