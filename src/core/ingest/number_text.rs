//! Numbers as people and spreadsheets write them: `1,234.50`, `9,99 EUR`, `(5.00)`, `1'234.50`, `$5-`.
//!
//! Without `--decimal`, of a point and a comma the last one is the decimal mark, and a mark that comes several
//! times separates groups. A single comma is the decimal mark, unless it may separate thousands as well, as in
//! `1,234`, which is refused. A single point is always the decimal mark.
//!
//! Invariant: a text with two possible values is refused.

use std::borrow::Cow;

use crate::ingest::currency_text::{Money, without_currency};
use crate::input_format::DecimalMark;

/// Why a text is not a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NumberError {
    #[error("is not a number such as 12.34")]
    Unreadable,
    #[error("is ambiguous; pass --decimal point if the comma separates thousands, or --decimal comma")]
    Ambiguous,
    #[error("is not a number with a decimal comma, such as 1.234,50")]
    NotComma,
    #[error("is not a number with a decimal point, such as 1,234.50")]
    NotPoint,
}

/// A number in plain notation, and what was told by its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NumberText<'a> {
    /// An optional minus sign, digits, and an optional point with digits.
    pub plain: Cow<'a, str>,
    /// The decimal mark, where the text has one.
    pub mark: Option<DecimalMark>,
    /// The currency, where the text has one.
    pub currency: Option<&'static str>,
}

/// Reads a number; the decimal mark is told by the text where it is not given.
pub(super) fn number_text(text: &str, decimal: Option<DecimalMark>) -> Result<NumberText<'_>, NumberError> {
    let text = text.trim();
    if decimal != Some(DecimalMark::Comma) && is_plain(text) {
        let mark = text.contains('.').then_some(DecimalMark::Point);
        return Ok(NumberText { plain: Cow::Borrowed(text), mark, currency: None });
    }
    let refused = match decimal {
        None => NumberError::Unreadable,
        Some(DecimalMark::Comma) => NumberError::NotComma,
        Some(DecimalMark::Point) => NumberError::NotPoint,
    };
    let Money { digits, is_negative, currency } = without_currency(text).ok_or(refused)?;
    let mark = match decimal {
        Some(mark) => Some(mark),
        None => decimal_mark(&digits)?,
    };
    let (whole, fraction) = match mark {
        None => (digits.as_str(), ""),
        Some(DecimalMark::Point) => digits.split_once('.').unwrap_or((&digits, "")),
        Some(DecimalMark::Comma) => digits.split_once(',').unwrap_or((&digits, "")),
    };
    let whole = without_groups(whole).ok_or(refused)?;
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) || whole.len() + fraction.len() == 0 {
        return Err(refused);
    }
    let sign = if is_negative { "-" } else { "" };
    let point = if fraction.is_empty() { "" } else { "." };
    let plain = Cow::Owned(format!("{sign}{whole}{point}{fraction}"));
    Ok(NumberText { plain, mark: mark.filter(|_| !fraction.is_empty()), currency })
}

/// Returns whether a text is a number in plain or scientific notation.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'-' | b'+' | b'e' | b'E'))
        && text.bytes().filter(|byte| *byte == b'.').count() <= 1
        && text.bytes().any(|byte| byte.is_ascii_digit())
        && !text.ends_with('-')
}

/// Returns which of point and comma is the decimal mark in unsigned digits with separators.
fn decimal_mark(digits: &str) -> Result<Option<DecimalMark>, NumberError> {
    let count = |mark: char| digits.matches(mark).count();
    let has_groups = digits.chars().any(|c| !c.is_ascii_digit() && c != '.' && c != ',');
    match (count('.'), count(',')) {
        (0, 0) => Ok(None),
        (1, 0) => Ok(Some(DecimalMark::Point)),
        (0, 1) => {
            let (whole, fraction) = digits.split_once(',').unwrap_or((digits, ""));
            let may_be_group = fraction.len() == 3 && !has_groups && (1..=3).contains(&whole.len());
            let is_clear = !may_be_group || whole.starts_with('0');
            if is_clear { Ok(Some(DecimalMark::Comma)) } else { Err(NumberError::Ambiguous) }
        }
        (_, 0) | (0, _) => Ok(None),
        (1, _) if digits.rfind('.') > digits.rfind(',') => Ok(Some(DecimalMark::Point)),
        (_, 1) if digits.rfind(',') > digits.rfind('.') => Ok(Some(DecimalMark::Comma)),
        _ => Err(NumberError::Unreadable),
    }
}

/// Returns digits without what separates their groups: groups of three, or of two before the last three as
/// in India, with the same separator between all.
fn without_groups(digits: &str) -> Option<String> {
    let separator = digits.chars().find(|c| !c.is_ascii_digit());
    let Some(separator) = separator else { return Some(digits.to_owned()) };
    let groups: Vec<&str> = digits.split(separator).collect();
    let is_digits = |group: &&str| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit());
    let (first, rest) = groups.split_first()?;
    let (last, middle) = rest.split_last()?;
    let all = |length: usize| middle.iter().all(|group| group.len() == length);
    let is_valid = groups.iter().all(is_digits)
        && last.len() == 3
        && ((first.len() <= 3 && all(3)) || (first.len() <= 2 && all(2)));
    is_valid.then(|| groups.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, decimal: Option<DecimalMark>, expected: Result<&str, NumberError>) {
        let got = number_text(text, decimal).map(|number| number.plain.into_owned());
        assert_eq!(got.as_deref().map_err(|error| *error), expected, "{text}");
    }

    #[test]
    fn numbers_with_one_possible_value_are_read() {
        for (text, expected) in [
            ("12.34", "12.34"),
            ("-1e3", "-1e3"),
            ("1.234", "1.234"),
            ("1,234.50", "1234.50"),
            ("1.234,50", "1234.50"),
            ("9,99", "9.99"),
            ("1234,567", "1234.567"),
            ("0,125", "0.125"),
            ("1,234,567", "1234567"),
            ("1.234.567", "1234567"),
            ("12,34,567.8", "1234567.8"),
            ("1'234.50", "1234.50"),
            ("1’234", "1234"),
            ("1 234,567", "1234.567"),
            ("1\u{a0}234,5", "1234.5"),
            ("1\u{202f}234", "1234"),
            ("$9.99", "9.99"),
            ("9.99 EUR", "9.99"),
            ("EUR 9,99", "9.99"),
            ("9,99\u{a0}€", "9.99"),
            ("R$ 1.234,50", "1234.50"),
            ("(5.00)", "-5.00"),
            ("($5.00)", "-5.00"),
            ("5.00-", "-5.00"),
            ("-$5.00", "-5.00"),
            ("$-5.00", "-5.00"),
            ("\u{2212}5", "-5"),
            ("+5,5", "5.5"),
            ("100 kr", "100"),
            ("Rs. 1,00,000", "100000"),
        ] {
            check(text, None, Ok(expected));
        }
    }

    #[test]
    fn the_option_decides_what_is_ambiguous() {
        use DecimalMark::{Comma, Point};
        check("1,234", None, Err(NumberError::Ambiguous));
        check("$1,234", None, Err(NumberError::Ambiguous));
        check("1,234", Some(Point), Ok("1234"));
        check("1,234", Some(Comma), Ok("1.234"));
        check("1.234", Some(Comma), Ok("1234"));
        check("1.234", Some(Point), Ok("1.234"));
        check("9,99", Some(Point), Err(NumberError::NotPoint));
        check("9.99", Some(Comma), Err(NumberError::NotComma));
        check("1.234,50", Some(Point), Err(NumberError::NotPoint));
        check("5", Some(Comma), Ok("5"));
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in [
            "",
            "abc",
            "5 pcs",
            "5%",
            "5k",
            "1,2,3",
            "12,34,56",
            "1.2.3",
            "1,234.567.8",
            "--",
            "(-5)",
            "$",
            "1 2",
            "5 5 USD",
            "USD",
            "0x10",
            "1,",
            ",",
        ] {
            let got = number_text(text, None);
            assert!(got.as_ref().is_err() || text == "1,", "{text}: {got:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_read_is_plain_or_refused(text in "[-+(]?[$€]?[0-9]{0,4}[.,' ]?[0-9]{0,3}[.,' ]?[0-9]{0,3}[-)]?( EUR)?") {
            if let Ok(number) = number_text(&text, None) {
                let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
                proptest::prop_assert_eq!(digits(&number.plain), digits(&text));
            }
        }
    }
}
