//! Finds columns by their names in the header of an input.

use std::fmt::Write as _;

use crate::model::escape_control;

/// How many columns, and characters of their names, a message shows.
const SHOWN_COLUMNS: usize = 20;
const SHOWN_CHARS: usize = 200;

/// Returns the number of the only column with a name.
pub(super) fn only(column: &str, names: &[String]) -> Result<Option<usize>, String> {
    let mut found = (0..names.len()).filter(|&at| names[at] == column);
    let first = found.next();
    match found.next() {
        Some(_) => Err(format!("has two columns `{}`", escape_control(column))),
        None => Ok(first),
    }
}

/// Returns that a column is missing, and which ones there are.
pub(super) fn missing(column: &str, field: Option<&str>, names: &[String]) -> String {
    let mut reason = format!("has no column `{}`", escape_control(column));
    if let Some(field) = field {
        // Writing to a text cannot fail.
        let _ = write!(reason, ", which {field} is mapped to");
    }
    let shown: Vec<&str> = names.iter().map(String::as_str).take(SHOWN_COLUMNS).collect();
    let shown: String = shown.join(", ").chars().take(SHOWN_CHARS).collect();
    format!("{reason}; its columns are: {}", escape_control(&shown))
}
