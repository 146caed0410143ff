//! A table as CSV: a line of names, then a line for each row.

use std::io::{self, Write};

use crate::formats::answer::Table;
use crate::formats::value::Value;

/// With one of these a text begins that spreadsheets take for a formula,
/// <https://owasp.org/www-community/attacks/CSV_Injection>.
const OF_FORMULAS: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// Writes the names of a table's columns.
pub(super) fn write_names(table: &Table<'_>, out: &mut impl Write) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(out);
    csv.write_record(table.columns.iter().map(|column| column.name))?;
    csv.flush()
}

/// Writes the rows of a table; `text` is the text of a value.
pub(super) fn write_rows(
    table: Table<'_>,
    text: impl Fn(&Value) -> String,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(out);
    for row in table.rows {
        csv.write_record(row.iter().map(&text))?;
    }
    csv.flush()
}

/// Returns the text of a value, with an apostrophe before what a spreadsheet would take for a formula;
/// numbers stay numbers.
pub(super) fn guarded(value: &Value) -> String {
    let text = value.text();
    let is_text = matches!(value.plain(), Value::Text(_) | Value::Texts(_) | Value::Ranks(_));
    if is_text && text.starts_with(OF_FORMULAS) { format!("'{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_no_formula_and_a_number_stays_a_number() {
        let check = |value: Value, expected: &str| assert_eq!(guarded(&value), expected);
        check("=HYPERLINK(\"http://x\")".into(), "'=HYPERLINK(\"http://x\")");
        for text in ["+1", "-1", "@SUM(A1)", "\t=1", "\r=1"] {
            check(text.into(), &format!("'{text}"));
        }
        check("a=1".into(), "a=1");
        check("".into(), "");
        check(Value::Integer(-1), "-1");
        check(Value::Change(-0.5), "-0.5");
        check(Value::Texts(vec!["=1".to_owned(), "b".to_owned()]), "'=1; b");
    }
}
