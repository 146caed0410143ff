//! The values of single fields, checked: identifiers, quantities, amounts.

use crate::ingest::raw_event::Rejection;
use crate::model::{Amount, MAX_ID_BYTES, MAX_QUANTITY, shown};

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
