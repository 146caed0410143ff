//! The currency of amounts: a code or sign of a few letters.

use std::fmt;

/// A currency, as a code such as `EUR`, in capital letters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Currency([u8; MAX_BYTES]);

/// A currency is kept as a number of 63 bits.
const MAX_BYTES: usize = 7;

impl Currency {
    /// Reads a code or a sign, in upper or lower case; `None` where it is none.
    pub fn parse(text: &str) -> Option<Currency> {
        let code = match text.trim() {
            "€" => "EUR".to_owned(),
            "£" => "GBP".to_owned(),
            other => other.to_uppercase(),
        };
        let is_code =
            !code.is_empty() && code.len() <= MAX_BYTES && !code.bytes().any(|b| b.is_ascii_digit());
        let mut bytes = [0; MAX_BYTES];
        is_code.then(|| bytes[..code.len()].copy_from_slice(code.as_bytes()))?;
        Some(Currency(bytes))
    }

    /// Returns the number that stands for it.
    pub fn number(self) -> i64 {
        self.0.iter().fold(0, |number, byte| (number << 8) | i64::from(*byte))
    }

    /// Returns the currency that a number stands for.
    pub fn of_number(number: i64) -> Option<Currency> {
        let bytes = number.to_be_bytes();
        let (zero, rest) = bytes.split_first()?;
        let code = Currency(rest.try_into().ok()?);
        (*zero == 0 && std::str::from_utf8(code.text()).is_ok_and(|text| !text.is_empty())).then_some(code)
    }

    fn text(&self) -> &[u8] {
        let length = self.0.iter().position(|byte| *byte == 0).unwrap_or(MAX_BYTES);
        &self.0[..length]
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.text()))
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        let currency = Currency::parse(text);
        assert_eq!(currency.map(|currency| currency.to_string()).as_deref(), expected, "{text}");
        let again = currency.and_then(|currency| Currency::of_number(currency.number()));
        assert_eq!(again, currency, "{text}");
    }

    #[test]
    fn currencies_are_numbers_and_back() {
        check("EUR", Some("EUR"));
        check(" usd ", Some("USD"));
        check("€", Some("EUR"));
        check("$", Some("$"));
        check("zł", Some("ZŁ"));
        check("", None);
        check("a long name", None);
        check("978", None);
        assert_eq!(Currency::of_number(0), None);
        assert_eq!(Currency::of_number(-1), None);
    }
}
