//! The format of times that an input's user names: `strptime` directives, spreadsheet days, epoch units.

use jiff::civil::DateTime;
use jiff::fmt::strtime::{self, BrokenDownTime};
use jiff::tz::TimeZone;

use crate::model::{Timestamp, TimestampError, local_timestamp};

/// How times are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TimeFormat {
    /// `strptime` directives, such as `%Y%m%d`.
    Directives(String),
    /// Days since 1899-12-30 with a fraction, as spreadsheets store times: 42749.5.
    Excel,
    /// A number of units since 1970, with the unit in microseconds; nanoseconds are 0.
    Epoch { unit_micros: i64 },
}

/// The names of the formats without directives.
const NAMES: [(&str, TimeFormat); 6] = [
    ("excel", TimeFormat::Excel),
    ("epoch-minutes", TimeFormat::Epoch { unit_micros: 60_000_000 }),
    ("epoch-seconds", TimeFormat::Epoch { unit_micros: 1_000_000 }),
    ("epoch-milliseconds", TimeFormat::Epoch { unit_micros: 1_000 }),
    ("epoch-microseconds", TimeFormat::Epoch { unit_micros: 1 }),
    ("epoch-nanoseconds", TimeFormat::Epoch { unit_micros: 0 }),
];

const SECONDS_PER_DAY: f64 = 86_400.0;
/// 1899-12-30, from which spreadsheets count days.
const EXCEL_EPOCH: i8 = 30;
/// The serial number of 9999-12-31.
const EXCEL_DAYS: f64 = 2_958_466.0;

impl TimeFormat {
    /// Reads a format.
    ///
    /// # Errors
    /// Says which directive is unknown, or which names there are.
    pub fn parse(text: &str) -> Result<TimeFormat, String> {
        if let Some((_, format)) = NAMES.iter().find(|(name, _)| *name == text) {
            return Ok(format.clone());
        }
        let names = NAMES.map(|(name, _)| name).join(", ");
        if !text.contains('%') {
            return Err(format!(
                "`{text}` is neither one of {names}, nor directives such as %Y-%m-%d %H:%M:%S"
            ));
        }
        // An unknown directive fails whatever it is to read; a valid one fails for want of input.
        let sample = jiff::Zoned::new(jiff::Timestamp::UNIX_EPOCH, TimeZone::UTC);
        match strtime::format(text, &sample) {
            Ok(_) => Ok(TimeFormat::Directives(text.to_owned())),
            Err(error) => Err(format!("`{text}` is not a time format: {error}")),
        }
    }

    /// Reads a time by this format; without an offset it is of the given time zone.
    ///
    /// # Errors
    /// [`TimestampError::NotOfFormat`] where the text has another form.
    pub fn read(&self, text: &str, zone: &TimeZone) -> Result<Timestamp, TimestampError> {
        match self {
            TimeFormat::Directives(directives) => by_directives(directives, text, zone),
            TimeFormat::Excel => by_serial(text, zone),
            TimeFormat::Epoch { unit_micros } => by_epoch(text, *unit_micros),
        }
    }
}

fn by_directives(directives: &str, text: &str, zone: &TimeZone) -> Result<Timestamp, TimestampError> {
    let parts = BrokenDownTime::parse(directives, text).map_err(|_| TimestampError::NotOfFormat)?;
    if parts.offset().is_some() || parts.timestamp().is_some() {
        let moment = parts.to_timestamp().map_err(|_| TimestampError::NotOfFormat)?;
        return Timestamp::from_jiff(moment);
    }
    let local = match (parts.to_datetime(), parts.to_date()) {
        (Ok(local), _) => local,
        // A date alone is its midnight.
        (Err(_), Ok(date)) if parts.hour().is_none() => date.to_datetime(jiff::civil::Time::midnight()),
        _ => return Err(TimestampError::NotOfFormat),
    };
    local_timestamp(local, zone)
}

/// Reads a spreadsheet's serial number, to the nearest second: it is a binary fraction of a day, often cut
/// to a few digits, and an hour must not become the last second of the one before.
fn by_serial(text: &str, zone: &TimeZone) -> Result<Timestamp, TimestampError> {
    let days: f64 = text.replace(',', ".").parse().map_err(|_| TimestampError::NotOfFormat)?;
    if !(0.0..EXCEL_DAYS).contains(&days) {
        return Err(TimestampError::NotOfFormat);
    }
    let epoch: DateTime = jiff::civil::date(1899, 12, EXCEL_EPOCH).to_datetime(jiff::civil::Time::midnight());
    #[expect(clippy::cast_possible_truncation, reason = "fewer than 10^7 days have fewer than 2^63 seconds")]
    let seconds = (days * SECONDS_PER_DAY).round() as i64;
    let local = epoch.checked_add(jiff::SignedDuration::from_secs(seconds));
    local_timestamp(local.map_err(|_| TimestampError::OutOfRange)?, zone)
}

fn by_epoch(text: &str, unit_micros: i64) -> Result<Timestamp, TimestampError> {
    let (whole, fraction) = text.split_once(['.', ',']).unwrap_or((text, ""));
    let value: i64 = whole.parse().map_err(|_| TimestampError::NotOfFormat)?;
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(TimestampError::NotOfFormat);
    }
    if unit_micros == 0 {
        return Timestamp::from_micros(value.div_euclid(1_000));
    }
    // Down to a microsecond, in integers: 18 digits of a fraction are more than any unit has.
    let mut below: i128 = 0;
    let mut scale: i128 = 1;
    for digit in fraction.bytes().take(18) {
        below = below * 10 + i128::from(digit - b'0');
        scale *= 10;
    }
    let signed = if text.starts_with('-') { -below } else { below };
    let unit = i128::from(unit_micros);
    let micros = i128::from(value) * unit + (signed * unit).div_euclid(scale);
    i64::try_from(micros).map_err(|_| TimestampError::OutOfRange).and_then(Timestamp::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(format: &str, zone: &str, text: &str, expected: Result<&str, TimestampError>) {
        let format = TimeFormat::parse(format).expect("the format is valid");
        let zone = TimeZone::get(zone).expect("the time zone is known");
        let got = format.read(text, &zone).map(|ts| ts.to_string());
        assert_eq!(got, expected.map(str::to_owned), "{format:?} {text}");
    }

    #[test]
    fn times_are_read_by_their_format() {
        let other = TimestampError::NotOfFormat;
        check("%Y%m%d", "UTC", "20170114", Ok("2017-01-14T00:00:00Z"));
        check("%Y%m%d", "Europe/Berlin", "20170114", Ok("2017-01-13T23:00:00Z"));
        check("%d.%m.%Y %H:%M", "UTC", "14.01.2017 09:05", Ok("2017-01-14T09:05:00Z"));
        check("%m/%d/%Y %I:%M %p", "UTC", "01/14/2017 09:05 PM", Ok("2017-01-14T21:05:00Z"));
        check("%d/%b/%Y:%H:%M:%S %z", "UTC", "14/Jan/2017:12:00:00 +0100", Ok("2017-01-14T11:00:00Z"));
        check("%Y%m%d", "UTC", "2017-01-14", Err(other.clone()));
        check("%Y%m%d", "UTC", "20170230", Err(other.clone()));
        check("%Y%m%d", "UTC", "201701141", Err(other.clone()));
        check("excel", "UTC", "42749.5", Ok("2017-01-14T12:00:00Z"));
        check("excel", "UTC", "42749,5", Ok("2017-01-14T12:00:00Z"));
        check("excel", "UTC", "42748", Ok("2017-01-13T00:00:00Z"));
        check("excel", "UTC", "42749.45833", Ok("2017-01-14T11:00:00Z"));
        check("excel", "UTC", "NaN", Err(other.clone()));
        check("excel", "UTC", "-1", Err(other.clone()));
        check("epoch-minutes", "UTC", "24739920", Ok("2017-01-14T12:00:00Z"));
        check("epoch-seconds", "UTC", "1484395200.25", Ok("2017-01-14T12:00:00.25Z"));
        check("epoch-seconds", "UTC", "-0.5", Ok("1969-12-31T23:59:59.5Z"));
        check("epoch-nanoseconds", "UTC", "1484395200123456789", Ok("2017-01-14T12:00:00.123456Z"));
        check("epoch-milliseconds", "UTC", "x", Err(other));
    }

    #[test]
    fn unknown_formats_are_refused() {
        assert!(TimeFormat::parse("%Y %!").is_err());
        assert!(TimeFormat::parse("iso").is_err_and(|why| why.contains("excel, epoch-minutes")));
    }
}
