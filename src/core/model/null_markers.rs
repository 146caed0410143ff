//! Texts that stand for no value.
//!
//! Databases, spreadsheets and programs write a missing value as a word. An id of such a word would make
//! one event of all that have none.

/// The markers that are always known, in lower case; they are compared without regard to case, but for `NA`.
const MARKERS: [&str; 14] = [
    "\\n",
    "null",
    "nan",
    "none",
    "nil",
    "-",
    "n/a",
    "#n/a",
    "<na>",
    "<null>",
    "(null)",
    "undefined",
    "\"\"",
    "''",
];
/// How programs write a newline: of `\N` only the capital letter is a marker.
const NEWLINE: &str = "\\n";
/// How R writes a missing value.
const NA: &str = "NA";

/// The known markers, and those that an input has besides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NullMarkers {
    more: Vec<String>,
}

impl NullMarkers {
    /// Returns the known markers and others, which are compared as they are.
    pub fn with(more: &[String]) -> NullMarkers {
        NullMarkers { more: more.iter().map(|text| text.trim().to_owned()).collect() }
    }

    /// Returns a text without the spaces around it; `None` where it stands for no value.
    #[inline]
    pub fn value<'a>(&self, text: &'a str) -> Option<&'a str> {
        if is_plain_value(text) && self.more.is_empty() {
            return Some(text);
        }
        if self.contains(text) { None } else { Some(text.trim()) }
    }

    /// Returns whether a text stands for no value. Spaces around it do not matter.
    pub fn contains(&self, text: &str) -> bool {
        is_marker(text) || (!self.more.is_empty() && self.more.iter().any(|marker| marker == text.trim()))
    }
}

/// The length of the longest marker.
const LONGEST: usize = 9;

/// Letters and digits that no marker begins with, by their byte.
const BEGINS_VALUE: [bool; 256] = {
    let mut begins = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        begins[byte as usize] = byte.is_ascii_alphanumeric() && !matches!(byte, b'n' | b'N' | b'u' | b'U');
        byte += 1;
    }
    begins
};

/// Returns whether a text is told by its ends to be a value without spaces around it, as nearly all are.
#[inline]
fn is_plain_value(text: &str) -> bool {
    let [first, .., last] = text.as_bytes() else {
        return text.bytes().all(|byte| BEGINS_VALUE[usize::from(byte)]) && !text.is_empty();
    };
    let begins = BEGINS_VALUE[usize::from(*first)] || (text.len() > LONGEST && first.is_ascii_alphabetic());
    begins && last.is_ascii_graphic()
}

/// Returns whether a text is one of the markers that are always known.
fn is_marker(text: &str) -> bool {
    let text = match text.as_bytes() {
        [b'0'..=b'9', .., b'0'..=b'9'] | [b'0'..=b'9'] => return false,
        _ => text.trim(),
    };
    // Most ids and categories are told by their first letter.
    match text.as_bytes() {
        [] => true,
        [first, ..] if text.len() <= LONGEST && b"\\nN-#<(uU\"'".contains(first) => {
            text == NA || (text != NEWLINE && MARKERS.iter().any(|marker| marker.eq_ignore_ascii_case(text)))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_no_value_are_told_from_ids() {
        let markers = NullMarkers::with(&["missing".to_owned(), "0".to_owned()]);
        let check = |text: &str, expected: bool| {
            assert_eq!(markers.contains(text), expected, "{text}");
            assert_eq!(markers.value(text), (!expected).then_some(text.trim()), "{text}");
        };
        for text in
            ["\\N", "NULL", "null", "Null", "NaN", "nan", "None", "nil", "-", "n/a", "N/A", "#N/A", "NA"]
        {
            check(text, true);
            check(&format!(" {text} "), true);
        }
        for text in ["", "  ", "\"\"", "''", "<NA>", "<null>", "(null)", "undefined", "missing", "0"] {
            check(text, true);
        }
        for text in
            ["A", "\\n", "na", "Na", "NULL-1", "nullable", "-1", "--", "1", "00", "Missing", "N", "nanx"]
        {
            check(text, false);
        }
    }

    proptest::proptest! {
        #[test]
        fn values_are_told_by_their_ends_as_by_the_whole(
            text in " ?(\\\\?[nN](ull|an|one|il|/a)?|A?NA|[uU]ndefined|u?|[-#<(\"']|[a-zA-Z0-9é .-]{0,11})[ é0x]?",
        ) {
            let markers = NullMarkers::default();
            let expected = (!markers.contains(&text)).then_some(text.trim());
            proptest::prop_assert_eq!(markers.value(&text), expected, "{}", text);
        }
    }
}
