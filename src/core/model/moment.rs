//! Moments as a person types them: a full moment, a date, `yesterday`, `7d`.
//!
//! Invariant: what a text means depends on the text, `now` and the time zone alone.

use jiff::civil;

use crate::model::{Timestamp, TimestampError, Zone, parse_seconds};

/// Why a text is not a moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MomentError {
    #[error("is empty")]
    Empty,
    #[error(
        "is not a time; write a date (2017-01-10), RFC 3339 (2017-01-07T13:05:00Z), an epoch number, now, today, \
         yesterday, or a duration before now (7d)"
    )]
    Unreadable,
    #[error("has no time zone; append Z or an offset such as +01:00")]
    NoOffset,
    #[error("is not a date in the calendar")]
    NoSuchDate,
    #[error("is outside the years 1 to 9998")]
    OutOfRange,
}

/// Characters of a date: `2017-01-10`.
const DATE_LENGTH: usize = 10;

/// Reads a moment: RFC 3339 or an epoch number as [`Timestamp::parse`] does, a date or `today` or
/// `yesterday` as the start of that day in the zone, `now`, or a duration before now such as `7d`.
///
/// A duration's day has 24 hours, whatever the clocks of the zone do.
///
/// # Errors
/// Says what is wrong with the text, without naming it.
pub fn parse_moment(text: &str, now: Timestamp, zone: &Zone) -> Result<Timestamp, MomentError> {
    let text = text.trim();
    match text.to_ascii_lowercase().as_str() {
        "" => return Err(MomentError::Empty),
        "now" => return Ok(now),
        "today" => return start_of_day(today(now, zone)?, zone),
        "yesterday" => {
            let day = today(now, zone)?.yesterday().map_err(|_| MomentError::OutOfRange)?;
            return start_of_day(day, zone);
        }
        _ => {}
    }
    if is_date(text) {
        let day = text.parse().map_err(|_| MomentError::NoSuchDate)?;
        return start_of_day(day, zone);
    }
    match Timestamp::parse(text) {
        Ok(moment) => Ok(moment),
        Err(TimestampError::OutOfRange) => Err(MomentError::OutOfRange),
        Err(_) if has_no_offset(text) => Err(MomentError::NoOffset),
        Err(_) => before(text, now),
    }
}

fn today(now: Timestamp, zone: &Zone) -> Result<civil::Date, MomentError> {
    zone.zoned(now).map(|zoned| zoned.date()).ok_or(MomentError::OutOfRange)
}

/// Returns the first moment of a day: where clocks skip midnight, the first after it.
fn start_of_day(day: civil::Date, zone: &Zone) -> Result<Timestamp, MomentError> {
    let start = day.to_zoned(zone.rules().clone()).map_err(|_| MomentError::OutOfRange)?;
    Timestamp::from_micros(start.timestamp().as_microsecond()).map_err(|_| MomentError::OutOfRange)
}

fn before(text: &str, now: Timestamp) -> Result<Timestamp, MomentError> {
    let length = text.strip_suffix("ago").unwrap_or(text);
    let seconds = parse_seconds(length).map_err(|_| MomentError::Unreadable)?;
    let micros = now.plus_seconds(-seconds.cast_signed()).micros();
    Timestamp::from_micros(micros).map_err(|_| MomentError::OutOfRange)
}

/// Returns whether a text has the shape of a date, such as `2017-01-10`.
fn is_date(text: &str) -> bool {
    let fits =
        |(at, byte): (usize, u8)| if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() };
    text.len() == DATE_LENGTH && text.bytes().enumerate().all(fits)
}

fn has_no_offset(text: &str) -> bool {
    text.get(..DATE_LENGTH).is_some_and(is_date) && text.parse::<civil::DateTime>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks what a text means at a moment in a zone: a moment, or the error's message.
    fn check(now: &str, zone: &str, cases: &[(&str, &str)]) {
        let now = Timestamp::parse(now).expect("a test's clock shows a moment");
        let zone = Zone::named(zone).expect("a test's zone exists");
        for (text, expected) in cases {
            let parsed = match parse_moment(text, now, &zone) {
                Ok(moment) => moment.to_string(),
                Err(error) => format!("{error:?}"),
            };
            assert_eq!(parsed, *expected, "`{text}` at {now} in {}", zone.name());
        }
    }

    #[test]
    fn full_moments_mean_the_same_everywhere() {
        for zone in ["UTC", "Asia/Tokyo"] {
            let cases = [
                ("2017-01-10T13:05:00Z", "2017-01-10T13:05:00Z"),
                ("2017-01-10T13:05:00+01:00", "2017-01-10T12:05:00Z"),
                (" 1484053500 ", "2017-01-10T13:05:00Z"),
                ("1484053500000", "2017-01-10T13:05:00Z"),
                ("now", "2017-01-15T00:00:00Z"),
                ("NOW", "2017-01-15T00:00:00Z"),
            ];
            check("2017-01-15T00:00:00Z", zone, &cases);
        }
    }

    #[test]
    fn dates_and_days_begin_at_midnight_in_the_zone() {
        let cases = [
            ("2017-01-10", "2017-01-10T00:00:00Z"),
            ("today", "2017-03-01T00:00:00Z"),
            ("yesterday", "2017-02-28T00:00:00Z"),
        ];
        check("2017-03-01T23:30:00Z", "UTC", &cases);
        let cases = [
            ("2017-01-10", "2017-01-09T23:00:00Z"),
            ("today", "2017-03-01T23:00:00Z"),
            ("yesterday", "2017-02-28T23:00:00Z"),
        ];
        check("2017-03-01T23:30:00Z", "Europe/Berlin", &cases);
        check("2016-03-01T00:00:00Z", "UTC", &[("yesterday", "2016-02-29T00:00:00Z")]);
        check("2017-01-01T04:00:00Z", "America/New_York", &[("today", "2016-12-31T05:00:00Z")]);
    }

    #[test]
    fn days_begin_when_the_clocks_of_the_zone_say_so() {
        // Clocks in Berlin go forward on 2017-03-26 and back on 2017-10-29.
        let cases = [
            ("2017-03-26", "2017-03-25T23:00:00Z"),
            ("today", "2017-03-26T22:00:00Z"),
            ("yesterday", "2017-03-25T23:00:00Z"),
            ("1d", "2017-03-26T10:00:00Z"),
        ];
        check("2017-03-27T10:00:00Z", "Europe/Berlin", &cases);
        let cases = [("today", "2017-10-29T23:00:00Z"), ("yesterday", "2017-10-28T22:00:00Z")];
        check("2017-10-30T10:00:00Z", "Europe/Berlin", &cases);
        // On this day, São Paulo's clocks skipped midnight.
        check("2017-10-15T12:00:00Z", "America/Sao_Paulo", &[("2017-10-15", "2017-10-15T03:00:00Z")]);
    }

    #[test]
    fn durations_go_back_from_now() {
        let cases = [
            ("7d", "2017-01-08T12:30:00Z"),
            ("1d12h", "2017-01-14T00:30:00Z"),
            ("90 min", "2017-01-15T11:00:00Z"),
            ("24h ago", "2017-01-14T12:30:00Z"),
            ("0s", "2017-01-15T12:30:00Z"),
        ];
        check("2017-01-15T12:30:00Z", "Europe/Berlin", &cases);
    }

    #[test]
    fn what_is_not_a_moment_is_refused() {
        let cases = [
            ("", "Empty"),
            (" ", "Empty"),
            ("soon", "Unreadable"),
            ("tomorrow", "Unreadable"),
            ("7m", "Unreadable"),
            ("-7d", "Unreadable"),
            ("200y", "Unreadable"),
            ("10.01.2017", "Unreadable"),
            ("2017-1-10", "Unreadable"),
            ("2017-02-29", "NoSuchDate"),
            ("2017-13-01", "NoSuchDate"),
            ("2017-01-10T12:00:00", "NoOffset"),
            ("2017-01-10 12:00", "NoOffset"),
            ("0000-12-31", "OutOfRange"),
            ("9999-01-01", "OutOfRange"),
            ("99999999999999999999", "OutOfRange"),
        ];
        check("2017-01-15T00:00:00Z", "UTC", &cases);
        check("0001-01-02T00:00:00Z", "UTC", &[("2d", "OutOfRange")]);
        check("0001-01-01T00:00:00Z", "UTC", &[("yesterday", "OutOfRange")]);
    }
}
