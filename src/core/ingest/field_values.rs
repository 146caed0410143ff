//! The values of single fields, checked: identifiers, quantities, amounts.

use crate::ingest::raw_event::{RawTime, Rejection};
use crate::model::{Amount, MAX_ID_BYTES, MAX_QUANTITY, Timestamp, TimestampError, shown};

/// Checks an identifier; an empty one is absent.
pub(super) fn identifier<'a>(column: &str, raw: Option<&'a str>) -> Result<Option<&'a str>, Rejection> {
    match raw.filter(|id| !id.is_empty()) {
        Some(id) if id.len() > MAX_ID_BYTES => {
            let reason = format!("{column} is {} bytes long, over the limit of {MAX_ID_BYTES}", id.len());
            Err(Rejection::of_column(column, reason))
        }
        id => Ok(id),
    }
}

/// Parses a quantity, 1 where it is absent.
pub(super) fn quantity(raw: Option<&str>) -> Result<i64, Rejection> {
    if let Some([digit @ b'0'..=b'9']) = raw.map(str::as_bytes) {
        return Ok(i64::from(digit - b'0'));
    }
    let Some(text) = raw.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(1) };
    let reject =
        |what: String| Rejection::of_column("quantity", format!("quantity `{}` {what}", shown(text)));
    // Other programs turn integers with gaps into decimals: `1.0`.
    let text = match text.split_once('.') {
        Some((whole, zeros)) if !zeros.is_empty() && zeros.bytes().all(|b| b == b'0') => whole,
        _ => text,
    };
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(reject("is not an integer".to_owned()));
    }
    match text.parse::<i64>() {
        Ok(units) if units.unsigned_abs() <= MAX_QUANTITY.unsigned_abs() => Ok(units),
        _ => Err(reject(format!("is out of range: the limit is ±{MAX_QUANTITY}"))),
    }
}

/// Parses an amount of money.
pub(super) fn amount(raw: Option<&str>) -> Result<Option<Amount>, Rejection> {
    let Some(text) = raw.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    let reject = |error| Rejection::of_column("amount", format!("amount `{}` {error}", shown(text)));
    Amount::parse(text).map(Some).map_err(reject)
}

/// Parses a version: an integer as it is, a time as its microseconds; `time` reads one.
pub(super) fn version(
    raw: RawTime<'_>,
    time: impl FnOnce(&str) -> Result<Timestamp, TimestampError>,
) -> Result<Option<i64>, Rejection> {
    let text = match raw {
        RawTime::Missing => return Ok(None),
        RawTime::Epoch(number) | RawTime::Micros(number) => return Ok(Some(number.max(-i64::MAX))),
        RawTime::Text(text) | RawTime::ShipperDate(text) => text.trim(),
    };
    if text.is_empty() {
        return Ok(None);
    }
    if let Some(number) = text.parse::<i64>().ok().filter(|number| *number > i64::MIN) {
        return Ok(Some(number));
    }
    // A decimal would be read as a number of seconds, and compared with integers that are not.
    let is_decimal = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'+'));
    let parsed = if is_decimal { None } else { time(text).ok() };
    let reject = || {
        let reason = format!("version `{}` is neither an integer nor a time with an offset", shown(text));
        Rejection::of_column("version", reason)
    };
    parsed.map(|time| Some(time.micros())).ok_or_else(reject)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::read_event_time;

    #[test]
    fn versions_are_integers_or_times() {
        let check = |text: &str, expected: Result<Option<i64>, &str>| {
            let got = version(RawTime::Text(text), |text| read_event_time(text, None));
            let got = got.map_err(|rejection| rejection.reason);
            let reason = "is neither an integer nor a time with an offset";
            let expected = expected.map_err(|text| format!("version `{text}` {reason}"));
            assert_eq!(got, expected, "{text}");
        };
        check("3", Ok(Some(3)));
        check(" -12 ", Ok(Some(-12)));
        check("1484388000", Ok(Some(1_484_388_000)));
        check("", Ok(None));
        check("2017-01-14T10:00:00Z", Ok(Some(1_484_388_000_000_000)));
        check("2017-01-14T11:00:00.5+01:00", Ok(Some(1_484_388_000_500_000)));
        for bad in ["1484388000.25", "2017-01-14T10:00:00", "1.2.3", "v2", "99999999999999999999"] {
            check(bad, Err(bad));
        }
    }
}
