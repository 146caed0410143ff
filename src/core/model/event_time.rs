//! Times of events in every form that other programs write them in.
//!
//! Invariant: a text is read as the moment it names, or refused; what could be two moments is refused with
//! the option that decides.
//!
//! ```text
//! time     = date [ ("T" | "t" | " ") clock [" "] [offset] [" "] [ "[" zone "]" ] ]
//! date     = YYYY "-" M[M] "-" D[D] | YYYYMMDD
//! clock    = H[H] [":" MM [":" SS [("." | ",") digits]]] | HHMM[SS [("." | ",") digits]]
//! offset   = "Z" | "z" | "UTC" | "GMT" | ("+" | "-" | "−") HH [[":"] MM]
//! ```
//!
//! Besides: RFC 2822 (`Sat, 14 Jan 2017 12:00:00 GMT`), the time of web servers' logs
//! (`14/Jan/2017:12:00:00 +0000`), and epoch numbers. A time without an offset, or a date alone, which is
//! its midnight, needs the time zone to assume.

use jiff::civil;
use jiff::fmt::rfc2822::DateTimeParser;
use jiff::tz::Offset;

use crate::model::{Days, TimeFormat, TimeZone, Timestamp, TimestampError, local_timestamp, zone_named};

/// 2000-01-01T00:00:00Z: earlier times are more often numbers that were taken for seconds.
const DEFAULT_MIN_MICROS: i64 = 946_684_800_000_000;
/// Hours by which an offset may differ from UTC.
const MAX_OFFSET_HOURS: i32 = 18;
/// The length of whole numbers that are not in nanoseconds.
const MAX_PLAIN_DIGITS: usize = 17;

/// How the times of an input are read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TimeOptions {
    pub format: Option<TimeFormat>,
    /// The time zone of times without an offset.
    pub zone: Option<TimeZone>,
    /// The earliest time that is accepted; by default the year 2000.
    pub earliest: Option<Timestamp>,
}

/// Reads the times of an input, one after another.
#[derive(Default)]
pub struct EventTimes {
    options: TimeOptions,
    days: Days,
}

impl TimeOptions {
    /// Returns the earliest time that is accepted.
    pub fn earliest(&self) -> Timestamp {
        let default = Timestamp::from_micros(DEFAULT_MIN_MICROS);
        self.earliest.unwrap_or_else(|| default.expect("the year 2000 is between 1 and 9998"))
    }
}

impl EventTimes {
    /// Returns a reader of times.
    pub fn of(options: &TimeOptions) -> EventTimes {
        EventTimes { options: options.clone(), days: Days::default() }
    }

    /// Reads a time.
    ///
    /// # Errors
    /// Says what is wrong with the text, without naming it.
    pub fn read(&mut self, text: &str) -> Result<Timestamp, TimestampError> {
        if let Some(format) = &self.options.format {
            const UTC: &TimeZone = &TimeZone::UTC;
            let zone = self.options.zone.as_ref().unwrap_or(UTC);
            return match text.trim() {
                "" => Err(TimestampError::Empty),
                text => format.read(text, zone),
            };
        }
        let zone = self.options.zone.as_ref();
        self.days.parse(text, |text| read_event_time(text, zone))
    }
}

/// Reads a time in any form; a zone is that of times without an offset.
///
/// # Errors
/// Says what is wrong with the text, without naming it.
pub fn read_event_time(text: &str, zone: Option<&TimeZone>) -> Result<Timestamp, TimestampError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(TimestampError::Empty);
    }
    // Most numbers; what else may be one is looked at more closely.
    if is_plain(text) {
        return Timestamp::parse(text);
    }
    if text.starts_with("0000-00-00") {
        return Err(TimestampError::ZeroDate);
    }
    if is_epoch(text) {
        return parse_epoch(text);
    }
    let Some((date, rest)) = take_date(text) else { return read_named_month(text) };
    let date = date?;
    let Some(clock_text) = rest.strip_prefix(['T', 't', ' ', '_']).map(str::trim_start) else {
        return match rest {
            "" => in_zone(date.to_datetime(civil::Time::midnight()), zone),
            _ => Err(TimestampError::Unreadable),
        };
    };
    let (clock, rest) = take_clock(clock_text).ok_or(TimestampError::Unreadable)?;
    let local = clock.on(date)?;
    let (rest, zone_name) = take_zone_name(rest)?;
    let named =
        zone_name.map(|name| zone_named(name).map_err(|_| TimestampError::UnknownZone)).transpose()?;
    match (take_offset(rest.trim())?, named) {
        (Some(offset), None) => at_offset(local, offset),
        (Some(offset), Some(zone)) => {
            let ts = at_offset(local, offset)?;
            // The zone says which clock it was, and must show this time; `Z` leaves that open (RFC 9557).
            let shown = Offset::from_seconds(offset.seconds).is_ok_and(|offset| {
                offset.to_timestamp(local).is_ok_and(|moment| zone.to_offset(moment) == offset)
            });
            if shown || offset.is_zulu { Ok(ts) } else { Err(TimestampError::OffsetDiffers) }
        }
        (None, Some(zone)) => local_timestamp(local, &zone),
        (None, None) => in_zone(local, zone),
    }
}

fn is_plain(number: &str) -> bool {
    number.len() <= MAX_PLAIN_DIGITS && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns the moment of an epoch number, its unit inferred from its magnitude; in scientific notation too.
fn parse_epoch(text: &str) -> Result<Timestamp, TimestampError> {
    if is_plain(text) {
        return Timestamp::parse(text);
    }
    let plain = text.replace(',', ".");
    if !plain.contains(['e', 'E']) {
        return match plain.parse::<i64>() {
            // Beyond all microseconds that a timestamp has: nanoseconds.
            Ok(value) if value.unsigned_abs() >= NANOS_FROM => {
                Timestamp::from_micros(value.div_euclid(1_000))
            }
            _ => Timestamp::parse(&plain),
        };
    }
    match expanded(&plain) {
        Some(digits) => parse_epoch(&digits),
        None => Err(TimestampError::Unreadable),
    }
}

/// An epoch number from this on is in nanoseconds: as microseconds it would be after the year 5138.
const NANOS_FROM: u64 = 100_000_000_000_000_000;

/// Returns a number in scientific notation without its exponent: `1.5e3` as `1500`.
fn expanded(text: &str) -> Option<String> {
    let (mantissa, exponent) = text.split_once(['e', 'E'])?;
    let exponent: i32 = exponent.parse().ok().filter(|exponent: &i32| exponent.abs() <= 30)?;
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || digits.len() > 30 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let point = i32::try_from(whole.len()).ok()? + exponent;
    let before = usize::try_from(point.max(0)).ok()?;
    let zeros_in_front = usize::try_from((-point).max(0)).ok()?;
    let padded = format!("{}{digits}", "0".repeat(zeros_in_front));
    let (before, after) = match padded.len() {
        length if length >= before => padded.split_at(before),
        length => return Some(format!("{sign}{padded}{}", "0".repeat(before - length))),
    };
    let before = if before.is_empty() { "0" } else { before };
    let after = after.trim_end_matches('0');
    Some(if after.is_empty() { format!("{sign}{before}") } else { format!("{sign}{before}.{after}") })
}

fn is_epoch(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b',' | b'e' | b'E' | b'+' | b'-'))
        // `2017-01-14` has its hyphens elsewhere.
        && digits.match_indices(['-', '+']).all(|(at, _)| digits[..at].ends_with(['e', 'E']))
}

/// Takes `2017-01-14` or `20170114` in front of a time; none where the text begins otherwise.
fn take_date(text: &str) -> Option<(Result<civil::Date, TimestampError>, &str)> {
    let (year, rest) = take_digits(text, 4, 4)?;
    let (month, day, rest) = match rest.strip_prefix('-') {
        Some(rest) => {
            let (month, rest) = take_digits(rest, 1, 2)?;
            let (day, rest) = take_digits(rest.strip_prefix('-')?, 1, 2)?;
            (month, day, rest)
        }
        None => {
            let (month, rest) = take_digits(rest, 2, 2)?;
            let (day, rest) = take_digits(rest, 2, 2)?;
            (month, day, rest)
        }
    };
    if rest.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let small = |number: u32| i8::try_from(number).unwrap_or(i8::MAX);
    let year = i16::try_from(year).unwrap_or(i16::MAX);
    let date = civil::Date::new(year, small(month), small(day)).map_err(|_| TimestampError::NoSuchDate);
    Some((date, rest))
}

/// The time of a day.
struct Clock {
    hour: u32,
    minute: u32,
    second: u32,
    nanosecond: i32,
}

impl Clock {
    fn on(&self, date: civil::Date) -> Result<civil::DateTime, TimestampError> {
        let Clock { hour, minute, second, nanosecond } = *self;
        let is_midnight_at_the_end = hour == 24 && minute == 0 && second == 0 && nanosecond == 0;
        if (hour > 23 && !is_midnight_at_the_end) || minute > 59 || second > 60 {
            return Err(TimestampError::NoSuchTime);
        }
        // A leap second is the last second of its minute, so that it stays in its hour.
        let small = |number: u32| i8::try_from(number).unwrap_or(i8::MAX);
        let (date, hour) = match is_midnight_at_the_end {
            true => (date.tomorrow().map_err(|_| TimestampError::OutOfRange)?, 0),
            false => (date, hour),
        };
        let time = civil::Time::new(small(hour), small(minute), small(second.min(59)), nanosecond);
        Ok(date.to_datetime(time.map_err(|_| TimestampError::NoSuchTime)?))
    }
}

/// Takes a time of day, and returns what follows it.
fn take_clock(text: &str) -> Option<(Clock, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let mut clock = Clock { hour: 0, minute: 0, second: 0, nanosecond: 0 };
    let mut rest;
    let mut has_seconds = false;
    match digits {
        4 | 6 => {
            (clock.hour, rest) = take_digits(text, 2, 2)?;
            (clock.minute, rest) = take_digits(rest, 2, 2)?;
            if digits == 6 {
                (clock.second, rest) = take_digits(rest, 2, 2)?;
                has_seconds = true;
            }
        }
        1 | 2 => {
            (clock.hour, rest) = take_digits(text, 1, 2)?;
            if let Some(after) = rest.strip_prefix(':') {
                (clock.minute, rest) = take_digits(after, 2, 2)?;
                if let Some(after) = rest.strip_prefix(':') {
                    (clock.second, rest) = take_digits(after, 2, 2)?;
                    has_seconds = true;
                }
            }
        }
        _ => return None,
    }
    if has_seconds && let Some(after) = rest.strip_prefix(['.', ',']) {
        let decimals = after.bytes().take_while(u8::is_ascii_digit).count();
        if decimals == 0 {
            return None;
        }
        let nine: String = after[..decimals.min(9)].chars().chain("000000000".chars()).take(9).collect();
        clock.nanosecond = nine.parse().ok()?;
        rest = &after[decimals..];
    }
    Some((clock, rest))
}

/// Takes the name of a zone in brackets from the end: `[Europe/Berlin]`.
fn take_zone_name(text: &str) -> Result<(&str, Option<&str>), TimestampError> {
    let text = text.trim_end();
    match text.strip_suffix(']').map(|text| text.split_once('[')) {
        None => Ok((text, None)),
        Some(Some((rest, name))) => Ok((rest, Some(name.trim_start_matches('!')))),
        Some(None) => Err(TimestampError::Unreadable),
    }
}

/// An offset from UTC.
#[derive(Clone, Copy)]
struct UtcOffset {
    seconds: i32,
    is_zulu: bool,
}

/// Reads an offset; none where the text is empty.
fn take_offset(text: &str) -> Result<Option<UtcOffset>, TimestampError> {
    if text.is_empty() {
        return Ok(None);
    }
    let zulu = ["Z", "UTC", "GMT", "UT"];
    if zulu.iter().any(|name| text.eq_ignore_ascii_case(name)) {
        return Ok(Some(UtcOffset { seconds: 0, is_zulu: true }));
    }
    // `UTC+01:00` names the offset.
    let text = ["UTC", "GMT"].iter().find_map(|name| text.strip_prefix(name)).unwrap_or(text);
    let (sign, digits) = match text.chars().next() {
        Some('+') => (1, &text[1..]),
        Some('-') => (-1, &text[1..]),
        Some('−') => (-1, &text['−'.len_utf8()..]),
        Some(c) if c.is_alphabetic() => {
            let is_half_day = ["AM", "PM", "A.M.", "P.M."].iter().any(|half| text.eq_ignore_ascii_case(half));
            return Err(if is_half_day { TimestampError::HalfDay } else { TimestampError::Abbreviation });
        }
        _ => return Err(TimestampError::Unreadable),
    };
    let bad = TimestampError::BadOffset;
    let (hours, rest) = take_digits(digits, 2, 2).ok_or(bad.clone())?;
    let rest = rest.strip_prefix(':').unwrap_or(rest);
    let (minutes, rest) = take_digits(rest, 2, 2).unwrap_or((0, rest));
    let rest = rest.strip_prefix(':').unwrap_or(rest);
    let (seconds, rest) = take_digits(rest, 2, 2).unwrap_or((0, rest));
    let hours = i32::try_from(hours).unwrap_or(i32::MAX);
    if !rest.is_empty() || digits.ends_with(':') || hours > MAX_OFFSET_HOURS || minutes > 59 || seconds > 59 {
        return Err(bad);
    }
    let below = i32::try_from(minutes * 60 + seconds).map_err(|_| bad)?;
    Ok(Some(UtcOffset { seconds: sign * (hours * 3_600 + below), is_zulu: false }))
}

/// Takes a number of so many digits, as many as there are.
fn take_digits(text: &str, at_least: usize, at_most: usize) -> Option<(u32, &str)> {
    let digits = text.bytes().take(at_most).take_while(u8::is_ascii_digit).count();
    if digits < at_least {
        return None;
    }
    Some((text[..digits].parse().ok()?, &text[digits..]))
}

fn at_offset(local: civil::DateTime, offset: UtcOffset) -> Result<Timestamp, TimestampError> {
    let offset = Offset::from_seconds(offset.seconds).map_err(|_| TimestampError::BadOffset)?;
    Timestamp::from_jiff(offset.to_timestamp(local).map_err(|_| TimestampError::OutOfRange)?)
}

fn in_zone(local: civil::DateTime, zone: Option<&TimeZone>) -> Result<Timestamp, TimestampError> {
    zone.map_or(Err(TimestampError::NoOffset), |zone| local_timestamp(local, zone))
}

/// Reads forms with the name of a month: those of e-mail and HTTP, and of web servers' logs.
fn read_named_month(text: &str) -> Result<Timestamp, TimestampError> {
    if !text.bytes().any(|byte| byte.is_ascii_alphabetic()) {
        // `01/14/2017` and `14.01.2017`: which number is the month, nothing says.
        let is_dated = text.starts_with(|c: char| c.is_ascii_digit()) && text.contains(['/', '.']);
        return Err(if is_dated { TimestampError::Ambiguous } else { TimestampError::Unreadable });
    }
    let moment = match DateTimeParser::new().parse_timestamp(text) {
        Ok(moment) => moment,
        Err(_) => jiff::fmt::strtime::parse("%d/%b/%Y:%H:%M:%S %z", text)
            .and_then(|parts| parts.to_timestamp())
            .map_err(|_| TimestampError::Unreadable)?,
    };
    Timestamp::from_jiff(moment)
}

/// Returns the format that a number likely has which was taken for an epoch number, and what it is then.
pub fn likely_time_format(text: &str) -> Option<(&'static str, &'static str)> {
    let text = text.trim();
    let is_whole = text.bytes().all(|byte| byte.is_ascii_digit());
    let dated = [("%Y%m%d", 8), ("%Y%m%d%H", 10), ("%Y%m%d%H%M", 12), ("%Y%m%d%H%M%S", 14)];
    for (format, digits) in dated {
        let padded = format!("{text:0<14}");
        let is_read =
            || jiff::fmt::strtime::parse("%Y%m%d%H%M%S", &padded).and_then(|parts| parts.to_datetime());
        if is_whole && text.len() == digits && is_read().is_ok_and(|date| (1990..2100).contains(&date.year()))
        {
            return Some((format, "a date without separators"));
        }
    }
    let number: f64 = text.replace(',', ".").parse().ok()?;
    if EXCEL_DAYS.contains(&number) {
        return Some(("excel", "a spreadsheet's day number"));
    }
    EPOCH_MINUTES.contains(&number).then_some(("epoch-minutes", "minutes since 1970"))
}

/// The spreadsheet's numbers of the days from 1990 to 2100.
const EXCEL_DAYS: std::ops::Range<f64> = 32_874.0..73_051.0;
/// The minutes from 2000 to 2100.
const EPOCH_MINUTES: std::ops::Range<f64> = 15_778_080.0..68_374_080.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, zone: Option<&str>, expected: Result<&str, TimestampError>) {
        let zone = zone.map(|name| zone_named(name).expect("the time zone is known"));
        let options = TimeOptions { zone, ..TimeOptions::default() };
        let got = EventTimes::of(&options).read(text).map(|ts| ts.to_string());
        assert_eq!(got, expected.map(str::to_owned), "{text}");
    }

    #[test]
    fn every_form_of_time_is_the_moment_that_it_names() {
        const NOON: &str = "2017-01-14T12:00:00Z";
        for (text, moment) in [
            ("2017-01-14 12:00:00 UTC", NOON),
            ("2017-01-14 12:00:00.123456 UTC", "2017-01-14T12:00:00.123456Z"),
            ("2017-01-14 12:00:00 -0500", "2017-01-14T17:00:00Z"),
            ("2017-01-14 12:00:00 +00:00", NOON),
            ("2017-01-14T12:00:00z", NOON),
            ("2017-01-14t12:00:00Z", NOON),
            ("2017-01-14 12:00:00,123Z", "2017-01-14T12:00:00.123Z"),
            ("2017-01-14T23:59:60Z", "2017-01-14T23:59:59Z"),
            ("2017-01-14T24:00:00Z", "2017-01-15T00:00:00Z"),
            ("2017-01-14T12:00:00-0500", "2017-01-14T17:00:00Z"),
            ("2017-01-14T12:00:00-05", "2017-01-14T17:00:00Z"),
            ("2017-01-14T12+0100", "2017-01-14T11:00:00Z"),
            ("2017-01-14T12+01", "2017-01-14T11:00:00Z"),
            ("2017-01-14T12:30+01:00", "2017-01-14T11:30:00Z"),
            ("2017-01-14T1230+0100", "2017-01-14T11:30:00Z"),
            ("2017-01-14 12+0100", "2017-01-14T11:00:00Z"),
            ("20170114T120000Z", NOON),
            ("20170114T120000+0100", "2017-01-14T11:00:00Z"),
            ("20170114T120000.5Z", "2017-01-14T12:00:00.5Z"),
            ("1484395200123456789", "2017-01-14T12:00:00.123456Z"),
            ("1484395200123456", "2017-01-14T12:00:00.123456Z"),
            ("1484395200123", "2017-01-14T12:00:00.123Z"),
            ("1484395200", NOON),
            ("1.4843952e9", NOON),
            ("1.4843952005E+9", "2017-01-14T12:00:00.5Z"),
            ("1484395200,5", "2017-01-14T12:00:00.5Z"),
            ("14/Jan/2017:12:00:00 +0000", NOON),
            ("14/Jan/2017:12:00:00 +0100", "2017-01-14T11:00:00Z"),
            ("Sat, 14 Jan 2017 12:00:00 GMT", NOON),
            ("Sat, 14 Jan 2017 12:00:00 -0500", "2017-01-14T17:00:00Z"),
            ("14 Jan 2017 12:00:00 +0000", NOON),
            ("2017-01-14T12:00:00.000+0000", NOON),
            ("2017-01-14T12:00:00.123456789Z", "2017-01-14T12:00:00.123456Z"),
            ("2017-01-14 12:00:00+00", NOON),
            ("2017-01-14T12:00:00 Z", NOON),
            ("2017-01-14T12:00:00−05:00", "2017-01-14T17:00:00Z"),
            ("2017-01-14T12:00:00Z[UTC]", NOON),
            ("2017-01-14T12:00:00+01:00[Europe/Berlin]", "2017-01-14T11:00:00Z"),
            ("2017-01-14T12:00:00Z[Europe/Berlin]", NOON),
            ("2017-01-14T12:00:00[Europe/Berlin]", "2017-01-14T11:00:00Z"),
            ("2017-01-14T12:00:00+01:00:30", "2017-01-14T10:59:30Z"),
            ("2017-01-14 9:05:00Z", "2017-01-14T09:05:00Z"),
            ("2017-1-4 9:05 UTC", "2017-01-04T09:05:00Z"),
            ("2017-01-14 12:00:00 UTC+02:00", "2017-01-14T10:00:00Z"),
            ("2017-07-14T12:00:00[Europe/Berlin]", "2017-07-14T10:00:00Z"),
        ] {
            check(text, None, Ok(moment));
            // An offset of its own wins over the assumed zone.
            check(text, Some("Asia/Tokyo"), Ok(moment));
        }
    }

    #[test]
    fn times_without_an_offset_are_of_the_assumed_zone_or_refused() {
        for (text, utc, berlin) in [
            ("2017-01-14T12:00:00", "2017-01-14T12:00:00Z", "2017-01-14T11:00:00Z"),
            ("2017-01-14 9:05:00", "2017-01-14T09:05:00Z", "2017-01-14T08:05:00Z"),
            ("2017-1-14 12:00:00", "2017-01-14T12:00:00Z", "2017-01-14T11:00:00Z"),
            ("2017-01-14", "2017-01-14T00:00:00Z", "2017-01-13T23:00:00Z"),
            ("2017-01-14T12", "2017-01-14T12:00:00Z", "2017-01-14T11:00:00Z"),
            ("20170114T120000", "2017-01-14T12:00:00Z", "2017-01-14T11:00:00Z"),
            ("2017-07-14 12:00", "2017-07-14T12:00:00Z", "2017-07-14T10:00:00Z"),
            // This hour comes twice, and the first of the two is meant; that one does not come.
            ("2017-10-29 02:30:00", "2017-10-29T02:30:00Z", "2017-10-29T00:30:00Z"),
            ("2017-03-26 02:30:00", "2017-03-26T02:30:00Z", "2017-03-26T01:30:00Z"),
        ] {
            check(text, None, Err(TimestampError::NoOffset));
            check(text, Some("UTC"), Ok(utc));
            check(text, Some("Europe/Berlin"), Ok(berlin));
        }
    }

    #[test]
    fn what_is_no_moment_is_refused_for_its_reason() {
        use TimestampError as E;
        for (text, error) in [
            ("", E::Empty),
            ("01/14/2017 12:00", E::Ambiguous),
            ("14.01.2017 12:00:00", E::Ambiguous),
            ("2017-01-14T12:00:00+25:00", E::BadOffset),
            ("2017-01-14T12:00:00+1:00", E::BadOffset),
            ("2017-02-30T12:00:00Z", E::NoSuchDate),
            ("2017-01-14T25:00:00Z", E::NoSuchTime),
            ("2017-01-14T24:00:01Z", E::NoSuchTime),
            ("2017-01-14T12:60:00Z", E::NoSuchTime),
            ("2017-01-14T12:00:00EST", E::Abbreviation),
            ("2017-01-14T12:00:00 EST", E::Abbreviation),
            ("2017-01-14 12:00:00 AM", E::HalfDay),
            ("2017-01-14 12:00:00 PM", E::HalfDay),
            ("2017-01-14T12:00:00.5.5Z", E::Unreadable),
            ("0000-00-00 00:00:00", E::ZeroDate),
            ("2017-01-14T12:00:00[Mars/Olympus]", E::UnknownZone),
            ("2017-01-14T12:00:00+05:00[Europe/Berlin]", E::OffsetDiffers),
            ("2017-01-14x", E::Unreadable),
            ("2017-W01-1T00:00:00Z", E::Unreadable),
            ("yesterday", E::Unreadable),
            ("1.2.3", E::Unreadable),
            ("-", E::Unreadable),
            ("1e99", E::Unreadable),
        ] {
            check(text, None, Err(error.clone()));
            check(text, Some("UTC"), Err(error));
        }
    }

    #[test]
    fn numbers_that_are_likely_no_epoch_are_told() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(likely_time_format(text).map(|(format, _)| format), expected, "{text}");
        };
        check("20170114", Some("%Y%m%d"));
        check("2017011412", Some("%Y%m%d%H"));
        check("201701141200", Some("%Y%m%d%H%M"));
        check("20170114120000", Some("%Y%m%d%H%M%S"));
        check("42749.5", Some("excel"));
        check("42749", Some("excel"));
        check("24739920", Some("epoch-minutes"));
        check("2017", None);
        check("20171414", Some("epoch-minutes"));
        check("1484395200", None);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_time_or_an_error(
            text in "\\PC{0,30}|[0-9TtZz:+.,eE/ \\[\\]−-]{0,40}|20170?1-?[0-9]{2}[ T][0-9:]{0,8}( ?[+-][0-9:]{0,9}|Z|EST)?",
        ) {
            let _ = read_event_time(&text, None);
            let _ = read_event_time(&text, Some(&TimeZone::UTC));
            let _ = likely_time_format(&text);
        }

        #[test]
        fn a_time_with_an_offset_is_the_same_moment_in_every_form(seconds in 946_684_800_i64..4_000_000_000, minutes in -840_i32..=840) {
            let moment = jiff::Timestamp::from_second(seconds).expect("it is in range");
            let offset = Offset::from_seconds(minutes * 60).expect("it is in range");
            let local = offset.to_datetime(moment);
            let (sign, hours, minutes) = (if minutes < 0 { '-' } else { '+' }, minutes.abs() / 60, minutes.abs() % 60);
            let expected = Timestamp::from_micros(seconds * 1_000_000);
            for text in [
                format!("{}{sign}{hours:02}:{minutes:02}", local.strftime("%Y-%m-%dT%H:%M:%S")),
                format!("{} {sign}{hours:02}{minutes:02}", local.strftime("%Y-%m-%d %H:%M:%S")),
                format!("{}{sign}{hours:02}{minutes:02}", local.strftime("%Y%m%dT%H%M%S")),
                format!("{} {sign}{hours:02}{minutes:02}", local.strftime("%a, %d %b %Y %H:%M:%S")),
                format!("{} {sign}{hours:02}{minutes:02}", local.strftime("%d/%b/%Y:%H:%M:%S")),
            ] {
                proptest::prop_assert_eq!(read_event_time(&text, None), expected.clone(), "{}", text);
            }
        }
    }
}
