//! The formats that an answer can be written in, and which of them is the default.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Table,
    Json,
    /// A JSON object for each row.
    Ndjson,
    Csv,
    /// CSV whose texts a spreadsheet does not take for formulas.
    SafeCsv,
    /// The same with a byte order mark, by which Excel reads it as UTF-8.
    ExcelCsv,
    Markdown,
    Html,
    Parquet,
}

/// An answer cannot be written as asked.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    #[error(
        "cannot infer the format from the file extension of {}; pass --format table, json, ndjson, csv, markdown, html or parquet",
        .0.display()
    )]
    UnknownExtension(PathBuf),
    #[error("Parquet cannot be written to a terminal; name a file with -o")]
    ParquetOnTerminal,
}

impl Format {
    /// Returns the format to write in: the one asked for, else that of the file's extension, else a
    /// table on a terminal and JSON elsewhere.
    ///
    /// # Errors
    /// Refuses a file whose extension is of no format, and Parquet on a terminal.
    pub fn choose(
        asked: Option<Format>,
        file: Option<&Path>,
        is_terminal: bool,
    ) -> Result<Format, FormatError> {
        match (asked, file) {
            (Some(Format::Parquet), None) if is_terminal => Err(FormatError::ParquetOnTerminal),
            (Some(format), _) => Ok(format),
            (None, Some(file)) => {
                Format::of_file(file).ok_or_else(|| FormatError::UnknownExtension(file.to_owned()))
            }
            (None, None) if is_terminal => Ok(Format::Table),
            (None, None) => Ok(Format::Json),
        }
    }

    /// Returns whether an answer is nothing but its rows, one after another, so that more may follow.
    pub fn is_rows(self) -> bool {
        matches!(self, Format::Csv | Format::SafeCsv | Format::ExcelCsv | Format::Ndjson)
    }

    fn of_file(file: &Path) -> Option<Format> {
        match file.extension().map(OsStr::to_ascii_lowercase)?.to_str()? {
            "parquet" => Some(Format::Parquet),
            "csv" => Some(Format::Csv),
            "json" => Some(Format::Json),
            "ndjson" | "jsonl" => Some(Format::Ndjson),
            "txt" => Some(Format::Table),
            "md" => Some(Format::Markdown),
            "html" | "htm" => Some(Format::Html),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_the_one_asked_for_else_the_files_else_the_terminals() {
        let check = |asked, file: Option<&str>, is_terminal, expected: Result<Format, FormatError>| {
            let chosen = Format::choose(asked, file.map(Path::new), is_terminal);
            assert_eq!(chosen, expected, "{asked:?} {file:?} {is_terminal}");
        };
        check(None, None, true, Ok(Format::Table));
        check(None, None, false, Ok(Format::Json));
        check(None, Some("a.b/x.NDJSON"), true, Ok(Format::Ndjson));
        check(None, Some("x.txt"), false, Ok(Format::Table));
        check(None, Some("x.md"), true, Ok(Format::Markdown));
        check(None, Some("x.htm"), false, Ok(Format::Html));
        check(Some(Format::Csv), Some("x.parquet"), false, Ok(Format::Csv));
        check(Some(Format::Parquet), None, false, Ok(Format::Parquet));
        check(Some(Format::Parquet), None, true, Err(FormatError::ParquetOnTerminal));
        for file in ["x", ".csv", "x.xlsx", "x.csv.gz"] {
            check(None, Some(file), true, Err(FormatError::UnknownExtension(file.into())));
        }
    }
}
