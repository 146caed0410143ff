//! The door of the formats: an answer, a format, and where the bytes go.

use std::io::{self, Write};

use crate::formats::answer::{Answer, Table};
use crate::formats::csv::{guarded, write_names, write_rows};
use crate::formats::document::{write_html, write_markdown};
use crate::formats::format::Format;
use crate::formats::json::{write_json, write_ndjson};
use crate::formats::parquet::write_parquet;
use crate::formats::table::write_page;
use crate::formats::value::Value;
use crate::terminal::TerminalOptions;

const BYTE_ORDER_MARK: &str = "\u{feff}";

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
            Format::Markdown => write_markdown(self, out),
            Format::Html => write_html(self, out),
            Format::Csv | Format::SafeCsv | Format::ExcelCsv => {
                let table = self.first_table();
                if format == Format::ExcelCsv {
                    out.write_all(BYTE_ORDER_MARK.as_bytes())?;
                }
                write_names(&table, out)?;
                write_csv_rows(table, format, out)
            }
            Format::Parquet => write_parquet(self.first_table(), out),
        }
    }

    /// Writes the rows of an answer that continues another one, in a format that [`Format::is_rows`].
    ///
    /// # Errors
    /// Fails where the output does.
    pub fn write_more(mut self, format: Format, out: &mut impl Write) -> io::Result<()> {
        let table = self.first_table();
        match format {
            Format::Ndjson => write_ndjson(table, &self.json, out),
            _ => write_csv_rows(table, format, out),
        }
    }
}

fn write_csv_rows(table: Table<'_>, format: Format, out: &mut impl Write) -> io::Result<()> {
    match format {
        Format::SafeCsv | Format::ExcelCsv => write_rows(table, guarded, out),
        _ => write_rows(table, Value::text, out),
    }
}

impl<'a> Answer<'a> {
    fn first_table(&mut self) -> Table<'a> {
        if self.tables.is_empty() { Table::new("rows", &[], []) } else { self.tables.swap_remove(0) }
    }
}
