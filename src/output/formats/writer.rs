//! The door of the formats: an answer, a format, and where the bytes go.

use std::io::{self, Write};

use crate::formats::answer::{Answer, Table};
use crate::formats::csv::{guarded, write_csv};
use crate::formats::format::Format;
use crate::formats::json::{write_json, write_ndjson};
use crate::formats::parquet::write_parquet;
use crate::formats::table::write_page;
use crate::formats::value::Value;
use crate::terminal::TerminalOptions;

impl Answer<'_> {
    /// Writes the answer; the terminal's options are for tables.
    ///
    /// # Errors
    /// Fails where the output does.
    pub fn write(
        mut self,
        format: Format,
        terminal: TerminalOptions,
        out: &mut impl Write,
    ) -> io::Result<()> {
        match format {
            Format::Table => write_page(self, terminal, out),
            Format::Json => write_json(self, out),
            Format::Ndjson => {
                let table = self.first_table();
                write_ndjson(table, &self.json, out)
            }
            Format::Csv => write_csv(self.first_table(), Value::text, out),
            Format::SafeCsv => write_csv(self.first_table(), guarded, out),
            Format::Parquet => write_parquet(self.first_table(), out),
        }
    }
}

impl<'a> Answer<'a> {
    fn first_table(&mut self) -> Table<'a> {
        if self.tables.is_empty() { Table::new("rows", &[], []) } else { self.tables.swap_remove(0) }
    }
}
