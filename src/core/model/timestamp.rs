//! Moments in microseconds, and the hour buckets and dates they fall in; all UTC.

use std::fmt;
use std::ops::RangeInclusive;

use jiff::civil;
pub use jiff::tz::TimeZone;

/// A moment: microseconds since 1970-01-01T00:00:00Z, negative before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// An hour bucket: whole hours since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hour(i32);

/// A calendar day: whole days since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(i32);

/// Why a text is not a moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimestampError {
    #[error("is empty")]
    Empty,
    #[error(
        "is neither RFC 3339 with an offset (2017-01-07T13:05:00Z) nor epoch seconds, milliseconds or microseconds"
    )]
    Unreadable,
    #[error("is outside the years 1 to 9998")]
    OutOfRange,
    #[error("does not match --ts-format")]
    NotOfFormat,
    #[error("has no offset from UTC; pass --assume-tz ZONE or --assume-utc")]
    NoOffset,
    #[error("is a date that does not exist")]
    NoSuchDate,
    #[error("has a time of day that does not exist")]
    NoSuchTime,
    #[error("has an invalid offset from UTC")]
    BadOffset,
    #[error("has the abbreviation of a time zone, which is ambiguous; write an offset such as -05:00")]
    Abbreviation,
    #[error("has AM or PM; pass --ts-format, such as '%Y-%m-%d %I:%M:%S %p'")]
    HalfDay,
    #[error("may begin with the day or with the month; pass --ts-format, such as '%d.%m.%Y %H:%M:%S'")]
    Ambiguous,
    #[error("names an unknown time zone")]
    UnknownZone,
    #[error("has an offset that its time zone does not have at that time")]
    OffsetDiffers,
    #[error("is a zero date, which stands for no time")]
    ZeroDate,
}

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_HOUR: i64 = 3_600 * MICROS_PER_SECOND;
const HOURS_PER_DAY: i32 = 24;
/// 0001-01-01T00:00:00Z: the first year that a `date` partition can spell.
const MIN_MICROS: i64 = -62_135_596_800 * MICROS_PER_SECOND;
/// 9998-12-31T23:59:59.999999Z: the last year that has a name in every time zone.
const MAX_MICROS: i64 = 253_370_764_800 * MICROS_PER_SECOND - 1;

/// An epoch number below this many is in seconds (up to the year 5138) …
const SECONDS_BELOW: u64 = 100_000_000_000;
/// … below this one in milliseconds, and from here on in microseconds.
const MILLIS_BELOW: u64 = 100_000_000_000_000;

impl Timestamp {
    /// Returns the moment so many microseconds after 1970, if it is in the years 1 to 9998.
    ///
    /// # Errors
    /// [`TimestampError::OutOfRange`] otherwise.
    pub fn from_micros(micros: i64) -> Result<Timestamp, TimestampError> {
        if (MIN_MICROS..=MAX_MICROS).contains(&micros) {
            Ok(Timestamp(micros))
        } else {
            Err(TimestampError::OutOfRange)
        }
    }

    /// Reads RFC 3339 with any offset, or an epoch number.
    ///
    /// The unit of an epoch number is inferred from its magnitude: below 10^11 seconds, below 10^14
    /// milliseconds, else microseconds. It may have a fraction. Anything finer than a
    /// microsecond is cut off.
    ///
    /// # Errors
    /// Says what is wrong with the text, without naming it.
    pub fn parse(text: &str) -> Result<Timestamp, TimestampError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(TimestampError::Empty);
        }
        if is_number(text) { parse_epoch(text) } else { parse_rfc3339(text) }
    }

    /// Reads what [`Timestamp::parse`] does, and `2022-11-23 14:23:54.123456`: a log shipper's own
    /// stamp, which says no offset and is UTC.
    ///
    /// # Errors
    /// As [`Timestamp::parse`].
    pub fn parse_stamp(text: &str) -> Result<Timestamp, TimestampError> {
        let text = text.trim();
        match Timestamp::parse(text) {
            Err(TimestampError::Unreadable) if text.as_bytes().get(10) == Some(&b' ') => {
                parse_rfc3339(&format!("{text}Z"))
            }
            parsed => parsed,
        }
    }

    /// Returns the moment of a library's timestamp; anything finer than a microsecond is cut off.
    ///
    /// # Errors
    /// [`TimestampError::OutOfRange`] beyond the years 1 to 9998.
    pub fn from_jiff(moment: jiff::Timestamp) -> Result<Timestamp, TimestampError> {
        // Sub-microseconds are floored, so that an hour's last nanosecond stays in its hour.
        let micros = moment.as_nanosecond().div_euclid(1_000);
        i64::try_from(micros).map_err(|_| TimestampError::OutOfRange).and_then(Timestamp::from_micros)
    }

    /// Returns the moment an epoch integer names, its unit inferred from its magnitude.
    ///
    /// # Errors
    /// [`TimestampError::OutOfRange`] beyond the years 1 to 9998.
    pub fn from_epoch(value: i64) -> Result<Timestamp, TimestampError> {
        let micros = i128::from(value) * i128::from(micros_per_unit(value.unsigned_abs()));
        i64::try_from(micros).map_err(|_| TimestampError::OutOfRange).and_then(Timestamp::from_micros)
    }

    /// Returns microseconds since 1970.
    pub fn micros(self) -> i64 {
        self.0
    }

    /// Returns the bucket this moment falls in.
    pub fn hour(self) -> Hour {
        let hours = self.0.div_euclid(MICROS_PER_HOUR);
        Hour(i32::try_from(hours).expect("the years 1 to 9998 have fewer than 2^31 hours"))
    }

    /// Returns the first full hour that does not begin before this moment.
    pub fn rounded_up(self) -> Hour {
        let hour = self.hour();
        if hour.start() == self { hour } else { hour.plus(1) }
    }

    /// Returns the whole seconds that have gone by since another moment, none where it is yet to come.
    pub fn seconds_since(self, other: Timestamp) -> u64 {
        u64::try_from(self.0.saturating_sub(other.0).div_euclid(MICROS_PER_SECOND)).unwrap_or(0)
    }

    /// Returns this moment moved by so many seconds.
    #[must_use]
    pub fn plus_seconds(self, seconds: i64) -> Timestamp {
        Timestamp(self.0.saturating_add(seconds.saturating_mul(MICROS_PER_SECOND)))
    }
}

impl Hour {
    /// Returns the hour so many hours after 1970 began.
    pub fn new(hours_since_epoch: i32) -> Hour {
        Hour(hours_since_epoch)
    }

    /// Returns the hour of a date.
    pub fn of(date: Date, hour_of_day: i32) -> Hour {
        Hour(date.0.saturating_mul(HOURS_PER_DAY).saturating_add(hour_of_day))
    }

    /// Returns whole hours since 1970 began.
    pub fn number(self) -> i32 {
        self.0
    }

    /// Returns the moment the bucket begins.
    pub fn start(self) -> Timestamp {
        Timestamp(i64::from(self.0) * MICROS_PER_HOUR)
    }

    /// Returns the hour so many hours later, or earlier if negative.
    #[must_use]
    pub fn plus(self, hours: i32) -> Hour {
        Hour(self.0.saturating_add(hours))
    }

    /// Returns the day of the bucket.
    pub fn date(self) -> Date {
        Date(self.0.div_euclid(HOURS_PER_DAY))
    }

    /// Returns 0 to 23.
    pub fn of_day(self) -> i32 {
        self.0.rem_euclid(HOURS_PER_DAY)
    }
}

impl Date {
    /// Before every other date.
    pub const MIN: Date = Date(i32::MIN);
    /// After every other date.
    pub const MAX: Date = Date(i32::MAX);

    /// Returns the day so many days after 1970-01-01.
    pub fn new(days_since_epoch: i32) -> Date {
        Date(days_since_epoch)
    }

    /// Reads `2017-01-07`.
    pub fn parse(text: &str) -> Option<Date> {
        let date: civil::Date = text.parse().ok()?;
        let since = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second();
        i32::try_from(since.div_euclid(86_400)).ok().map(Date)
    }

    /// Returns whole days since 1970-01-01.
    pub fn number(self) -> i32 {
        self.0
    }

    /// Returns the first and the last day of its month; none beyond the years 1 to 9998.
    pub fn month(self) -> Option<RangeInclusive<Date>> {
        let day = jiff::Timestamp::from_second(i64::from(self.0) * 86_400).ok()?;
        let day = day.to_zoned(jiff::tz::TimeZone::UTC).date();
        let first = self.0 - i32::from(day.day()) + 1;
        Some(Date(first)..=Date(first + i32::from(day.days_in_month()) - 1))
    }
}

/// RFC 3339 in UTC, with as many decimals as the moment needs.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(moment) => write!(f, "{moment}"),
            Err(_) => write!(f, "{} µs since 1970", self.0),
        }
    }
}

/// `2017-01-07`, as Hive partitions spell it.
impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(i64::from(self.0) * 86_400) {
            Ok(moment) => write!(f, "{}", moment.strftime("%Y-%m-%d")),
            Err(_) => write!(f, "{} days since 1970", self.0),
        }
    }
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

fn micros_per_unit(magnitude: u64) -> i64 {
    if magnitude < SECONDS_BELOW {
        MICROS_PER_SECOND
    } else if magnitude < MILLIS_BELOW {
        1_000
    } else {
        1
    }
}

fn parse_epoch(text: &str) -> Result<Timestamp, TimestampError> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.contains('.') {
        return Err(TimestampError::Unreadable);
    }
    let value: i64 = whole.parse().map_err(|_| TimestampError::OutOfRange)?;
    let per_unit = micros_per_unit(value.unsigned_abs());
    let mut scale = per_unit;
    let mut below = 0;
    for digit in fraction.bytes().take(6) {
        scale /= 10;
        below += i64::from(digit - b'0') * scale;
    }
    let signed = if text.starts_with('-') { -below } else { below };
    let micros = i128::from(value) * i128::from(per_unit) + i128::from(signed);
    i64::try_from(micros).map_err(|_| TimestampError::OutOfRange).and_then(Timestamp::from_micros)
}

fn parse_rfc3339(text: &str) -> Result<Timestamp, TimestampError> {
    // The library also reads week dates and bracketed zone names, which RFC 3339 has not.
    let plain = text.len() >= 19 && text.as_bytes()[4] == b'-' && !text.contains('[');
    if !plain {
        return Err(TimestampError::Unreadable);
    }
    let moment: jiff::Timestamp = text.parse().map_err(|_| {
        // A well-formed moment that does not exist is outside the calendar.
        let is_dated = text.get(..19).is_some_and(|local| local.parse::<civil::DateTime>().is_ok());
        let has_offset = is_dated && !text[19..].bytes().all(|byte| byte == b'.' || byte.is_ascii_digit());
        if has_offset { TimestampError::OutOfRange } else { TimestampError::Unreadable }
    })?;
    Timestamp::from_jiff(moment)
}

/// Returns the moment at which a clock of a time zone shows a date and time.
///
/// Where clocks are set back, an hour comes twice: the first of the two is meant. Where they are set
/// forward, times that no clock shows are read by the offset before (RFC 5545, 3.3.5).
///
/// # Errors
/// [`TimestampError::OutOfRange`] beyond the years 1 to 9998.
pub fn local_timestamp(local: civil::DateTime, zone: &TimeZone) -> Result<Timestamp, TimestampError> {
    let moment = zone.to_timestamp(local).map_err(|_| TimestampError::OutOfRange)?;
    Timestamp::from_jiff(moment)
}

/// Returns the time zone with a name of the IANA database.
///
/// # Errors
/// Says that there is none.
pub fn zone_named(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name)
        .map_err(|_| format!("`{name}` is not a known time zone, such as Europe/Berlin or UTC"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, TimestampError>) {
        let got = Timestamp::parse(text).map(|t| t.to_string());
        assert_eq!(got, expected.map(str::to_owned), "{text}");
    }

    #[test]
    fn moments_are_read_in_every_promised_form() {
        check("2017-01-07T13:05:00Z", Ok("2017-01-07T13:05:00Z"));
        check("2017-01-07T13:05:00.1234567+05:30", Ok("2017-01-07T07:35:00.123456Z"));
        check("2017-01-07 13:05:00-00:00", Ok("2017-01-07T13:05:00Z"));
        check("1483794300", Ok("2017-01-07T13:05:00Z"));
        check("1483794300.25", Ok("2017-01-07T13:05:00.25Z"));
        check("1483794300123", Ok("2017-01-07T13:05:00.123Z"));
        check("1483794300123456", Ok("2017-01-07T13:05:00.123456Z"));
        check("-1.5", Ok("1969-12-31T23:59:58.5Z"));
        check("9998-12-31T23:59:59Z", Ok("9998-12-31T23:59:59Z"));
    }

    #[test]
    fn stamps_of_log_shippers_are_read_to_the_microsecond() {
        let check = |text: &str, expected: Result<&str, TimestampError>| {
            let got = Timestamp::parse_stamp(text).map(|t| t.to_string());
            assert_eq!(got, expected.map(str::to_owned), "{text}");
        };
        check("1669213434.123456", Ok("2022-11-23T14:23:54.123456Z"));
        check("1669213434.123456999", Ok("2022-11-23T14:23:54.123456Z"));
        check("1669213434.000000001", Ok("2022-11-23T14:23:54Z"));
        check("1669213434123", Ok("2022-11-23T14:23:54.123Z"));
        check("2022-11-23T14:23:54.123456Z", Ok("2022-11-23T14:23:54.123456Z"));
        check("2022-11-23 14:23:54.123456", Ok("2022-11-23T14:23:54.123456Z"));
        check("2022-11-23 14:23:54", Ok("2022-11-23T14:23:54Z"));
        check("2022-11-23 14:23:54+01:00", Ok("2022-11-23T13:23:54Z"));
        for text in ["2022-11-23T14:23:54", "2022-11-23 ", "2022-11-23 noon"] {
            check(text, Err(TimestampError::Unreadable));
        }
    }

    #[test]
    fn anything_else_is_refused_with_a_reason() {
        for text in ["yesterday", "2017-01-07", "2017-01-07T13:05:00", "1.2.3", "2017-W01-1T00:00:00Z", "-"] {
            check(text, Err(TimestampError::Unreadable));
        }
        check("2017-01-07T13:05:00.25", Err(TimestampError::Unreadable));
        check("  ", Err(TimestampError::Empty));
        check("9999-12-31T23:59:59Z", Err(TimestampError::OutOfRange));
        check("99999999999999999999", Err(TimestampError::OutOfRange));
        check("999999999999999999", Err(TimestampError::OutOfRange));
    }

    #[test]
    fn hours_and_dates_hold_before_1970_too() {
        let hour = Timestamp::parse("1969-12-31T23:30:00Z").map(Timestamp::hour);
        assert_eq!(hour, Ok(Hour(-1)));
        assert_eq!(Hour(-1).date().to_string(), "1969-12-31");
        assert_eq!(Hour(-1).of_day(), 23);
        assert_eq!(Date::parse("1969-12-31"), Some(Date(-1)));
        assert_eq!(Hour(-1).start().rounded_up(), Hour(-1));
        assert_eq!(Hour(-1).start().plus_seconds(1).rounded_up(), Hour(0));
    }
}
