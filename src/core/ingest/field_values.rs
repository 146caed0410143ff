//! The values of single fields, checked: identifiers, quantities, amounts.

use crate::ingest::number_text::{NumberError, NumberText, number_text};
use crate::ingest::raw_event::{RawTime, Rejection};
use crate::input_format::DecimalMark;
use crate::model::{
    Amount, DecimalError, MAX_ID_BYTES, MAX_QUANTITY, NullMarkers, Timestamp, TimestampError, Units, shown,
};

/// How values are written.
#[derive(Clone, Debug, Default)]
pub(super) struct ValueStyle {
    /// Texts that stand for no value.
    pub nulls: NullMarkers,
    /// The decimal mark; told by each number where it is not given.
    pub decimal: Option<DecimalMark>,
}

/// An amount, and what was told by its text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ReadAmount {
    pub amount: Option<Amount>,
    pub marks: NumberMarks,
    pub currency: Option<&'static str>,
}

/// A quantity, and what was told by its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ReadQuantity {
    pub units: Units,
    pub marks: NumberMarks,
    /// Whether it had more than four decimals.
    pub is_rounded: bool,
}

/// One unit, which a line has that says nothing of a quantity.
impl Default for ReadQuantity {
    fn default() -> ReadQuantity {
        ReadQuantity { units: Units::ONE, marks: NumberMarks::default(), is_rounded: false }
    }
}

/// What the text of a number tells of the decimal mark of its input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct NumberMarks {
    /// A comma is the decimal mark.
    pub has_decimal_comma: bool,
    /// A single point is followed by three digits: where the decimal mark is a comma, they are thousands.
    pub has_three_places: bool,
}

impl ValueStyle {
    /// Returns a text without the spaces around it; `None` where it stands for no value.
    #[inline]
    pub fn value<'a>(&self, raw: Option<&'a str>) -> Option<&'a str> {
        raw.and_then(|text| self.nulls.value(text))
    }

    /// Checks an identifier.
    #[inline]
    pub fn identifier<'a>(&self, column: &str, raw: Option<&'a str>) -> Result<Option<&'a str>, Rejection> {
        match self.value(raw) {
            Some(id) if id.len() > MAX_ID_BYTES => {
                let reason = format!("{column} is {} bytes long, over the limit of {MAX_ID_BYTES}", id.len());
                Err(Rejection::of_column(column, reason))
            }
            id => Ok(id),
        }
    }

    /// Checks the identifier of an item, which is required.
    pub fn item_id<'a>(&self, raw: Option<&'a str>) -> Result<&'a str, Rejection> {
        self.identifier("item_id", raw)?.ok_or_else(|| {
            match raw.map(str::trim).filter(|text| !text.is_empty()) {
                None => Rejection::of_column("item_id", "item_id is empty; it is required"),
                Some(marker) => {
                    let reason = format!("item_id `{}` stands for no value; it is required", shown(marker));
                    Rejection::of_column("item_id", reason)
                }
            }
        })
    }

    /// Parses a quantity, 1 where it is absent.
    pub fn quantity(&self, raw: Option<&str>) -> Result<ReadQuantity, Rejection> {
        let Some(text) = self.value(raw) else { return Ok(ReadQuantity::default()) };
        if let [digit @ b'0'..=b'9'] = text.as_bytes() {
            return Ok(ReadQuantity { units: i32::from(digit - b'0').into(), ..ReadQuantity::default() });
        }
        let reject =
            |what: String| Rejection::of_column("quantity", format!("quantity `{}` {what}", shown(text)));
        let out_of_range = || reject(format!("is out of range: the limit is ±{MAX_QUANTITY}"));
        let plain = match self.decimal {
            Some(DecimalMark::Comma) => Err(DecimalError::Unreadable),
            _ => Units::parse(text),
        };
        let ((units, is_rounded), marks) = match plain {
            Ok(read) => (read, NumberMarks::of_plain(text)),
            Err(DecimalError::TooLarge) => return Err(out_of_range()),
            Err(DecimalError::Unreadable) => {
                let number = number_text(text, self.decimal).map_err(|error| reject(error.to_string()))?;
                if number.currency.is_some() {
                    return Err(reject(NumberError::Unreadable.to_string()));
                }
                let read = Units::parse(&number.plain).map_err(|error| match error {
                    DecimalError::TooLarge => out_of_range(),
                    DecimalError::Unreadable => reject(NumberError::Unreadable.to_string()),
                });
                (read?, NumberMarks::of(&number))
            }
        };
        let is_within =
            units.ten_thousandths().unsigned_abs() <= MAX_QUANTITY.ten_thousandths().unsigned_abs();
        if is_within { Ok(ReadQuantity { units, marks, is_rounded }) } else { Err(out_of_range()) }
    }

    /// Parses an amount of money.
    pub fn amount(&self, raw: Option<&str>) -> Result<ReadAmount, Rejection> {
        let Some(text) = self.value(raw) else { return Ok(ReadAmount::default()) };
        let reject =
            |error: String| Rejection::of_column("amount", format!("amount `{}` {error}", shown(text)));
        if self.decimal != Some(DecimalMark::Comma) {
            match Amount::parse(text) {
                Ok(amount) => {
                    let marks = NumberMarks::of_plain(text);
                    return Ok(ReadAmount { amount: Some(amount), marks, currency: None });
                }
                Err(DecimalError::TooLarge) => return Err(reject(DecimalError::TooLarge.to_string())),
                Err(DecimalError::Unreadable) => {}
            }
        }
        let number = number_text(text, self.decimal).map_err(|error| reject(error.to_string()))?;
        let amount = Amount::parse(&number.plain).map_err(|error| reject(error.to_string()))?;
        let marks = NumberMarks::of(&number);
        Ok(ReadAmount { amount: Some(amount), marks, currency: number.currency })
    }
}

impl NumberMarks {
    fn of_plain(text: &str) -> NumberMarks {
        let has_three_places = text.len() > 4
            && text.as_bytes()[text.len() - 4] == b'.'
            && is_one_to_three_digits(text[..text.len() - 4].trim_start_matches(['-', '+']))
            && text.as_bytes()[text.len() - 3..].iter().all(u8::is_ascii_digit);
        NumberMarks { has_decimal_comma: false, has_three_places }
    }

    fn of(number: &NumberText<'_>) -> NumberMarks {
        let has_decimal_comma = number.mark == Some(DecimalMark::Comma);
        NumberMarks { has_decimal_comma, ..NumberMarks::of_plain(&number.plain) }
    }
}

/// Returns whether digits may be the first group of thousands.
fn is_one_to_three_digits(text: &str) -> bool {
    (1..=3).contains(&text.len()) && !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns a value; none where it is dropped, which is noted.
#[inline(always)]
pub(super) fn or_dropped<T>(
    value: Result<T, Rejection>,
    drops: bool,
    dropped: &mut Vec<Rejection>,
) -> Result<Option<T>, Rejection> {
    match value {
        Ok(value) => Ok(Some(value)),
        Err(rejection) if drops => {
            dropped.push(rejection);
            Ok(None)
        }
        Err(rejection) => Err(rejection),
    }
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
