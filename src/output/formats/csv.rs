//! A table as CSV: a line of names, then a line for each row.

use std::io::{self, Write};

use crate::formats::answer::Table;
use crate::formats::value::Value;

/// Writes a table.
pub(super) fn write_csv(table: Table<'_>, out: &mut impl Write) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(out);
    csv.write_record(table.columns.iter().map(|column| column.name))?;
    for row in table.rows {
        csv.write_record(row.iter().map(Value::text))?;
    }
    csv.flush()
}
