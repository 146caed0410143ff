//! Lengths of time as a person types them: `150h`, `7d`, `90 min`, `1d12h`.

/// A length of time in buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BucketSpan {
    Hours(u32),
    Minutes(u32),
}

/// Why a text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpanError {
    #[error("`{0}` is not a duration; pass a whole number and a unit (s, min, h, d, w, y), such as {1}")]
    Unreadable(String, &'static str),
    #[error("`{0}`: m may be minutes or months; write min for minutes, and months in days, such as 30d")]
    Ambiguous(String),
    #[error("`{0}` is not a whole number of hours, and sales are aggregated by the hour; write {1}h or {2}h")]
    NotWholeHours(String, u64, u64),
    #[error("`{0}` is not a whole number of minutes; write {1}min or {2}min")]
    NotWholeMinutes(String, u64, u64),
    #[error("`{0}` is zero; pass at least {1}")]
    Zero(String, &'static str),
    #[error("`{0}` is longer than 100 years")]
    TooLong(String),
}

const SECONDS_PER_HOUR: u64 = 3_600;
const SECONDS_PER_MINUTE: u64 = 60;
const MAX_HOURS: u64 = 100 * 366 * 24;

/// What a unit is called, and its seconds.
const UNITS: &[(&[&str], u64)] = &[
    (&["s", "sec", "second", "seconds"], 1),
    (&["min", "minute", "minutes"], 60),
    (&["h", "hour", "hours"], SECONDS_PER_HOUR),
    (&["d", "day", "days"], 24 * SECONDS_PER_HOUR),
    (&["w", "week", "weeks"], 7 * 24 * SECONDS_PER_HOUR),
    (&["y", "year", "years"], 365 * 24 * SECONDS_PER_HOUR),
];
/// What might be two units.
const AMBIGUOUS: &str = "m";

/// Reads a positive number of whole hours: `150h`, `7d`, `2w`, `1d12h`, `120min`.
///
/// # Errors
/// Names the text and says what to write instead.
pub fn parse_hours(text: &str) -> Result<u32, SpanError> {
    let seconds = seconds_of(text, "150h or 7d")?;
    let hours = seconds / SECONDS_PER_HOUR;
    if seconds == 0 {
        Err(SpanError::Zero(text.to_owned(), "1h"))
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
    let seconds = seconds_of(text, "10s or 1h")?;
    if seconds > MAX_HOURS * SECONDS_PER_HOUR {
        Err(SpanError::TooLong(text.to_owned()))
    } else {
        Ok(seconds)
    }
}

/// Reads a positive number of hours, or of minutes where the text names minutes or seconds: `24h`, `7d`, `10min`,
/// `1h30min`. `60min` are sixty minutes, and `1h` is one hour.
///
/// # Errors
/// Names the text and says what to write instead.
pub fn parse_bucket_span(text: &str) -> Result<BucketSpan, SpanError> {
    let (seconds, unit) = parts_of(text, "24h, 7d or 10min")?;
    if unit >= SECONDS_PER_HOUR {
        return parse_hours(text).map(BucketSpan::Hours);
    }
    let minutes = seconds / SECONDS_PER_MINUTE;
    if seconds == 0 {
        Err(SpanError::Zero(text.to_owned(), "1min"))
    } else if seconds % SECONDS_PER_MINUTE != 0 {
        Err(SpanError::NotWholeMinutes(text.to_owned(), minutes.max(1), minutes.max(1) + 1))
    } else if seconds > MAX_HOURS * SECONDS_PER_HOUR {
        Err(SpanError::TooLong(text.to_owned()))
    } else {
        Ok(BucketSpan::Minutes(u32::try_from(minutes).expect("a hundred years of minutes fit")))
    }
}

fn seconds_of(text: &str, such_as: &'static str) -> Result<u64, SpanError> {
    parts_of(text, such_as).map(|(seconds, _)| seconds)
}

/// Adds up the parts of a text such as `1d12h`, each of a smaller unit than the one before it; returns the seconds, and
/// those of the smallest unit.
fn parts_of(text: &str, such_as: &'static str) -> Result<(u64, u64), SpanError> {
    let unreadable = || SpanError::Unreadable(text.to_owned(), such_as);
    let mut rest = text.trim();
    let mut total = 0_u64;
    let mut last_unit = u64::MAX;
    while !rest.is_empty() || last_unit == u64::MAX {
        let (number, after) = split_where(rest, |c| !c.is_ascii_digit());
        let (unit, after) = split_where(after.trim_start(), |c| !c.is_ascii_alphabetic());
        if unit == AMBIGUOUS && !number.is_empty() {
            return Err(SpanError::Ambiguous(text.to_owned()));
        }
        let known = UNITS.iter().find(|(names, _)| names.contains(&unit));
        let (_, per_unit) = known.filter(|(_, per_unit)| *per_unit < last_unit).ok_or_else(unreadable)?;
        let part = number.parse::<u64>().ok().and_then(|number| number.checked_mul(*per_unit));
        total = part.and_then(|part| total.checked_add(part)).ok_or_else(unreadable)?;
        last_unit = *per_unit;
        rest = after.trim_start();
    }
    Ok((total, last_unit))
}

/// Returns a length of time as a person says it, in its two largest units: `35 min`, `4 d 19 h`.
pub fn format_duration(seconds: u64) -> String {
    const PARTS: [(&str, u64); 4] =
        [("d", 24 * SECONDS_PER_HOUR), ("h", SECONDS_PER_HOUR), ("min", 60), ("s", 1)];
    let first = PARTS.iter().position(|(_, per_unit)| seconds >= *per_unit).unwrap_or(PARTS.len() - 1);
    let (unit, per_unit) = PARTS[first];
    let rest = seconds % per_unit;
    match PARTS.get(first + 1).map(|(unit, per_unit)| (rest / per_unit, unit)) {
        Some((smaller, smaller_unit)) if smaller > 0 => {
            format!("{} {unit} {smaller} {smaller_unit}", seconds / per_unit)
        }
        _ => format!("{} {unit}", seconds / per_unit),
    }
}

fn split_where(text: &str, ends: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(ends).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_hours_are_read_and_the_rest_refused() {
        assert_eq!(parse_hours("150h"), Ok(150));
        assert_eq!(parse_hours("7d"), Ok(168));
        assert_eq!(parse_hours("120min"), Ok(2));
        assert_eq!(parse_hours("90min"), Err(SpanError::NotWholeHours("90min".into(), 1, 2)));
        assert_eq!(parse_hours("0h"), Err(SpanError::Zero("0h".into(), "1h")));
        for text in ["", " ", "h", "150", "-1h", "1.5h", "99999999999999999999h", "é", "1h é", "h1"] {
            assert!(matches!(parse_hours(text), Err(SpanError::Unreadable(..))), "{text}");
        }
        assert!(matches!(parse_hours("9999999d"), Err(SpanError::TooLong(_))));
    }

    #[test]
    fn units_are_spelled_as_people_spell_them_and_parts_add_up() {
        for (text, hours) in [
            ("150 hours", 150),
            ("1 hour", 1),
            ("1 week", 168),
            ("1d12h", 36),
            ("1d 12h", 36),
            ("2w1d1h60min", 362),
            ("\t3 days ", 72),
        ] {
            assert_eq!(parse_hours(text), Ok(hours), "{text}");
        }
        assert_eq!(parse_seconds("1min30s"), Ok(90));
        for text in ["1h1d", "1h1h", "1h,30s", "1 h o", "18446744073709551615s1", "18446744073709551615min"] {
            assert!(matches!(parse_hours(text), Err(SpanError::Unreadable(..))), "{text}");
        }
    }

    #[test]
    fn a_length_is_said_in_its_two_largest_units() {
        for (seconds, said) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (2_130, "35 min 30 s"),
            (3_601, "1 h"),
            (7_500, "2 h 5 min"),
            (414_000, "4 d 19 h"),
        ] {
            assert_eq!(format_duration(seconds), said);
        }
    }

    #[test]
    fn the_smallest_unit_says_whether_buckets_are_hours_or_minutes() {
        for (text, expected) in [
            ("24h", BucketSpan::Hours(24)),
            ("1d", BucketSpan::Hours(24)),
            ("1h", BucketSpan::Hours(1)),
            ("60min", BucketSpan::Minutes(60)),
            ("1h30min", BucketSpan::Minutes(90)),
            ("120s", BucketSpan::Minutes(2)),
        ] {
            assert_eq!(parse_bucket_span(text), Ok(expected), "{text}");
        }
        assert_eq!(parse_bucket_span("90s"), Err(SpanError::NotWholeMinutes("90s".into(), 1, 2)));
        assert_eq!(parse_bucket_span("5s"), Err(SpanError::NotWholeMinutes("5s".into(), 1, 2)));
        assert_eq!(parse_bucket_span("0min"), Err(SpanError::Zero("0min".into(), "1min")));
        assert_eq!(parse_bucket_span("0h"), Err(SpanError::Zero("0h".into(), "1h")));
        assert!(matches!(parse_bucket_span("53000000min"), Err(SpanError::TooLong(_))));
        assert!(matches!(parse_bucket_span("10"), Err(SpanError::Unreadable(..))));
    }

    #[test]
    fn a_bare_m_is_refused_because_it_might_be_months() {
        for text in ["90m", "1h30m", "6 m"] {
            assert_eq!(parse_seconds(text), Err(SpanError::Ambiguous(text.to_owned())), "{text}");
        }
        assert!(matches!(parse_seconds("m"), Err(SpanError::Unreadable(..))));
    }
}
