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

    /// Returns whether a text stands for no value. Spaces around it do not matter.
    pub fn contains(&self, text: &str) -> bool {
        is_marker(text) || (!self.more.is_empty() && self.more.iter().any(|marker| marker == text.trim()))
    }
}

/// Returns whether a text is one of the markers that are always known.
fn is_marker(text: &str) -> bool {
    const LONGEST: usize = 9;
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
        let check = |text: &str, expected: bool| assert_eq!(markers.contains(text), expected, "{text}");
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
}
