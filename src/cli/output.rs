//! Where an answer goes and in which format: the options that every command with an answer shares.
//!
//! Invariant: a file holds the whole answer or what it held before.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args as ClapArgs, ColorChoice, ValueEnum};

use crate::failure::{Failure, unless_reader_left};
use crate::terminal;
use topsell_core::storage::local_files::write_atomically;
use topsell_output::formats::{Answer, Format};
use topsell_output::terminal::{Colors, TerminalOptions};

/// The formats, as they are typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FormatArg {
    #[value(alias = "text")]
    Table,
    Json,
    Csv,
    Ndjson,
    #[value(alias = "md")]
    Markdown,
    Html,
    Parquet,
}

/// The options of an answer that is rows.
#[derive(ClapArgs, Debug, Default)]
pub struct OutputArgs {
    /// Write the answer to FILE, atomically, instead of standard output; the extension decides the
    /// format: .parquet, .csv, .json, .ndjson, .md, .html or .txt
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Format of the answer [default: table on a terminal, otherwise json]
    #[arg(long, value_enum)]
    format: Option<FormatArg>,
    /// Short for --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// In CSV, put ' before texts that a spreadsheet would take for formulas
    #[arg(long)]
    csv_safe: bool,
    /// CSV for Excel: as --csv-safe, with a byte order mark, by which it is read as UTF-8
    #[arg(long, conflicts_with_all = ["csv_safe", "json"])]
    excel: bool,
}

/// The options of an answer that is a text for people, or one JSON object.
#[derive(ClapArgs, Debug, Default)]
pub struct DocumentArgs {
    /// Write the answer to FILE, atomically, instead of standard output; the extension decides the
    /// format: .json or .txt
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Format of the answer [default: table on a terminal, otherwise json]
    #[arg(long, value_parser = document_format())]
    format: Option<FormatArg>,
    /// Short for --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

/// Where an answer goes, and how.
#[derive(Clone, Debug)]
pub struct Target {
    format: Format,
    terminal: TerminalOptions,
    /// Standard output for `None`.
    file: Option<PathBuf>,
}

impl OutputArgs {
    /// Checks the options; `width` is the maximum width of a table.
    ///
    /// # Errors
    /// Refuses a file whose extension is of no format, and Parquet on a terminal.
    pub fn target(&self, width: Option<usize>, color: ColorChoice) -> Result<Target, Failure> {
        let asked = asked(self.json, self.format).or(self.excel.then_some(Format::Csv));
        let mut target = target(asked, self.output.clone(), width, color)?;
        if self.excel {
            if target.format != Format::Csv {
                return Err(Failure::usage("--excel applies to --format csv only".to_owned()));
            }
            target.format = Format::ExcelCsv;
        }
        match (self.csv_safe, target.format) {
            (false, _) => {}
            (true, Format::Csv) => target.format = Format::SafeCsv,
            (true, _) => return Err(Failure::usage("--csv-safe applies to --format csv only".to_owned())),
        }
        Ok(target)
    }
}

impl DocumentArgs {
    /// Checks the options; `default` is the format where neither an option nor a file decides.
    ///
    /// # Errors
    /// Refuses a file whose extension is of no such format.
    pub fn target(&self, default: Option<Format>, color: ColorChoice) -> Result<Target, Failure> {
        let default = default.filter(|_| self.output.is_none());
        let target = target(asked(self.json, self.format).or(default), self.output.clone(), None, color)?;
        match (target.format, &target.file) {
            (Format::Table | Format::Json, _) | (_, None) => Ok(target),
            (_, Some(file)) => Err(Failure::usage(format!(
                "cannot write {}: this answer has the formats json and table only",
                file.display()
            ))),
        }
    }
}

impl Target {
    /// Writes an answer; a reader that left early is no failure.
    ///
    /// # Errors
    /// Fails where the file cannot be written, or standard output fails.
    pub fn write(&self, answer: Answer<'_>) -> Result<(), Failure> {
        if let Some(path) = &self.file {
            let mut bytes = Vec::new();
            let written = answer.write(self.format, self.terminal, &mut bytes);
            let written = written.and_then(|()| write_atomically(path, &bytes));
            return written.map_err(|e| Failure::runtime(format!("{}: {e}", path.display())));
        }
        let mut out = BufWriter::new(io::stdout().lock());
        let written = answer.write(self.format, self.terminal, &mut out).and_then(|()| out.flush());
        written.or_else(unless_reader_left)
    }
}

impl Target {
    /// Returns whether an answer may be written in parts.
    pub fn takes_parts(&self) -> bool {
        self.file.is_none() && self.format.is_rows()
    }

    /// Writes the rows of an answer that continues another one, if answers may be written in parts. Returns whether
    /// anybody still reads them.
    ///
    /// # Errors
    /// Fails where standard output fails.
    pub fn write_part(&self, answer: Answer<'_>, is_first: bool) -> Result<bool, Failure> {
        let mut out = BufWriter::new(io::stdout().lock());
        let written = match is_first {
            true => answer.write(self.format, self.terminal, &mut out),
            false => answer.write_more(self.format, &mut out),
        };
        match written.and_then(|()| out.flush()) {
            Ok(()) => Ok(true),
            Err(error) => unless_reader_left(error).map(|()| false),
        }
    }
}

impl From<FormatArg> for Format {
    fn from(typed: FormatArg) -> Format {
        match typed {
            FormatArg::Table => Format::Table,
            FormatArg::Json => Format::Json,
            FormatArg::Csv => Format::Csv,
            FormatArg::Ndjson => Format::Ndjson,
            FormatArg::Markdown => Format::Markdown,
            FormatArg::Html => Format::Html,
            FormatArg::Parquet => Format::Parquet,
        }
    }
}

fn document_format() -> impl TypedValueParser<Value = FormatArg> {
    let table = clap::builder::PossibleValue::new("table").alias("text");
    PossibleValuesParser::new([table, clap::builder::PossibleValue::new("json")])
        .map(|word| if word == "json" { FormatArg::Json } else { FormatArg::Table })
}

fn asked(json: bool, format: Option<FormatArg>) -> Option<Format> {
    if json { Some(Format::Json) } else { format.map(Format::from) }
}

fn target(
    asked: Option<Format>,
    file: Option<PathBuf>,
    width: Option<usize>,
    color: ColorChoice,
) -> Result<Target, Failure> {
    let is_terminal = io::stdout().is_terminal();
    let format = Format::choose(asked, file.as_deref(), is_terminal);
    let format = format.map_err(|e| Failure::usage(e.to_string()))?;
    let terminal = match file {
        // A file has neither a width nor colors of its own.
        Some(_) => TerminalOptions { width: width.filter(|cells| *cells > 0), colors: Colors::Never },
        None => terminal::options(width, color),
    };
    Ok(Target { format, terminal, file })
}
