//! The sign and the currency of an amount, taken off its digits.

/// Codes of ISO 4217.
const CODES: &str = "\
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF \
    CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD \
    HNL HRK HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL \
    LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR \
    PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP \
    TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWL";

/// Signs, and the code or the sign itself where it stands for several currencies.
const SIGNS: &[(&str, &str)] = &[
    ("US$", "USD"),
    ("CA$", "CAD"),
    ("C$", "CAD"),
    ("AU$", "AUD"),
    ("A$", "AUD"),
    ("NZ$", "NZD"),
    ("HK$", "HKD"),
    ("NT$", "TWD"),
    ("S$", "SGD"),
    ("R$", "BRL"),
    ("MX$", "MXN"),
    ("$", "$"),
    ("€", "EUR"),
    ("£", "GBP"),
    ("¥", "¥"),
    ("₹", "INR"),
    ("Rs.", "Rs"),
    ("Rs", "Rs"),
    ("₽", "RUB"),
    ("руб.", "RUB"),
    ("руб", "RUB"),
    ("₩", "KRW"),
    ("₺", "TRY"),
    ("₴", "UAH"),
    ("₫", "VND"),
    ("฿", "THB"),
    ("₪", "ILS"),
    ("₱", "PHP"),
    ("zł", "PLN"),
    ("Kč", "CZK"),
    ("Ft", "HUF"),
    ("kr.", "kr"),
    ("kr", "kr"),
    ("Fr.", "CHF"),
    ("SFr.", "CHF"),
    ("лв.", "BGN"),
    ("лв", "BGN"),
    ("lei", "RON"),
    ("RM", "MYR"),
    ("Rp", "IDR"),
];

/// An amount in parts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Money {
    /// Digits, points, commas and other separators of groups.
    pub digits: String,
    pub is_negative: bool,
    pub currency: Option<&'static str>,
}

/// Returns the parts of an amount; `None` where it has two signs or anything else in it.
pub(super) fn without_currency(text: &str) -> Option<Money> {
    let mut money = Money { digits: String::new(), is_negative: false, currency: None };
    let mut rest = text.trim();
    let mut has_sign = false;
    loop {
        let before = rest;
        if !has_sign {
            (rest, has_sign) = without_sign(rest, &mut money.is_negative);
        }
        if money.currency.is_none() {
            rest = without_code(rest, &mut money.currency);
        }
        rest = rest.trim();
        if rest == before {
            break;
        }
    }
    let is_separator =
        |c: char| matches!(c, '.' | ',' | '\'' | '’' | ' ' | '\u{a0}' | '\u{202f}' | '\u{2009}');
    let is_number = rest.starts_with(|c: char| c.is_ascii_digit() || c == '.' || c == ',')
        && rest.chars().all(|c| c.is_ascii_digit() || is_separator(c));
    money.digits = rest.to_owned();
    is_number.then_some(money)
}

/// Takes off one sign: in front, behind, or parentheses.
fn without_sign<'a>(text: &'a str, is_negative: &mut bool) -> (&'a str, bool) {
    let enclosed = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    let minus = |c: char| c == '-' || c == '\u{2212}';
    let negative = enclosed.or_else(|| text.strip_prefix(minus)).or_else(|| text.strip_suffix(minus));
    *is_negative |= negative.is_some();
    match negative.or_else(|| text.strip_prefix('+')) {
        Some(rest) => (rest, true),
        None => (text, false),
    }
}

/// Takes off one currency, in front or behind.
fn without_code<'a>(text: &'a str, currency: &mut Option<&'static str>) -> &'a str {
    let codes = CODES.split_ascii_whitespace().map(|code| (code, code));
    let take = |(sign, code): (&'static str, &'static str)| {
        let rest = text.strip_prefix(sign).or_else(|| text.strip_suffix(sign))?;
        Some((rest, code))
    };
    match SIGNS.iter().copied().chain(codes).find_map(take) {
        Some((rest, code)) => {
            *currency = Some(code);
            rest
        }
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<(&str, bool, Option<&'static str>)>) {
        let got = without_currency(text);
        let got = got.as_ref().map(|money| (money.digits.as_str(), money.is_negative, money.currency));
        assert_eq!(got, expected, "{text}");
    }

    #[test]
    fn signs_and_currencies_come_in_front_or_behind() {
        check("9.99", Some(("9.99", false, None)));
        check("€ 9,99", Some(("9,99", false, Some("EUR"))));
        check("9,99 EUR", Some(("9,99", false, Some("EUR"))));
        check("US$5", Some(("5", false, Some("USD"))));
        check("$5", Some(("5", false, Some("$"))));
        check("(EUR 5)", Some(("5", true, Some("EUR"))));
        check("5-", Some(("5", true, None)));
        check("- 5 kr", Some(("5", true, Some("kr"))));
        check("(-5)", None);
        check("5 XYZ", None);
        check("EUR", None);
        check("EUR USD 5", None);
        check("", None);
    }
}
