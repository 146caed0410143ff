//! The options of how inputs are read, which a mapping file may set too.

use clap::Args as ClapArgs;

use crate::failure::Failure;
use topsell_core::input_format::Mapping;

/// What describes the dialect of inputs.
#[derive(ClapArgs, Debug)]
#[command(next_help_heading = "Input dialect (also keys of a --map file: skip_lines = 2)")]
pub struct ReadArgs {
    /// Delimiter of CSV: one ASCII character, or tab [default: the one of , ; tab | that the header has]
    #[arg(long, value_name = "CHAR")]
    pub delimiter: Option<String>,
    /// What encloses fields: none, standard (RFC 4180), backslash (standard, and \" inside of a field) or
    /// single (single quotes) [default: standard for CSV, none for TSV]
    #[arg(long, value_name = "STYLE")]
    pub quoting: Option<String>,
    /// Character encoding, such as windows-1252 [default: UTF-8, or UTF-16 by its byte order mark]
    #[arg(long, value_name = "NAME")]
    pub encoding: Option<String>,
    /// Skip this many lines before the header
    #[arg(long, value_name = "N")]
    pub skip_lines: Option<String>,
    /// Text that stands for no value in any field, besides the usual ones (\N, NULL, NaN, None, nil, NA, n/a,
    /// -, "" and others); can be repeated
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub null: Vec<String>,
    /// What to do where an optional field cannot be read: drop the field or reject the line [default: reject
    /// for quantity, drop for others]
    #[arg(long, value_name = "ACTION")]
    pub bad_field: Option<String>,
    /// Decimal mark of quantities and amounts: point or comma [default: inferred where it is clear]
    #[arg(long, value_name = "MARK")]
    pub decimal: Option<String>,
    /// Format of ts: strptime directives such as %d.%m.%Y, excel, or epoch-seconds, epoch-minutes and so on;
    /// without an offset, UTC or --assume-tz
    #[arg(long, value_name = "FORMAT")]
    pub ts_format: Option<String>,
    /// Time zone of times without an offset, such as Europe/Berlin; of an hour that comes twice the first
    /// is meant
    #[arg(long, value_name = "ZONE", conflicts_with = "assume_utc")]
    pub assume_tz: Option<String>,
    /// Read times without an offset as UTC instead of rejecting them
    #[arg(long)]
    pub assume_utc: bool,
    /// Reject events before this time [default: 2000-01-01]
    #[arg(long, value_name = "TIME")]
    pub min_ts: Option<String>,
    /// Column that the lines of an order share; its later lines take ts, event_type, currency and the
    /// columns of --where from its first line where they have none
    #[arg(long, value_name = "COLUMN")]
    pub fill: Option<String>,
    /// Use only records that pass, such as 'Financial Status in (paid, partially_refunded)'
    #[arg(long = "where", value_name = "FILTER")]
    pub filter: Option<String>,
    /// Separator of the levels of a category [default: /]
    #[arg(long, value_name = "TEXT")]
    pub level_separator: Option<String>,
    /// Separator of the paths of a category [default: |]
    #[arg(long, value_name = "TEXT")]
    pub path_separator: Option<String>,
    /// Use only records in this currency
    #[arg(long, value_name = "CODE")]
    pub currency: Option<String>,
}

impl ReadArgs {
    /// Sets the options that were given.
    ///
    /// # Errors
    /// Names the option that is wrong.
    pub fn apply(&self, mapping: &mut Mapping) -> Result<(), Failure> {
        let given = [
            ("delimiter", &self.delimiter),
            ("quoting", &self.quoting),
            ("encoding", &self.encoding),
            ("skip_lines", &self.skip_lines),
            ("bad_field", &self.bad_field),
            ("decimal", &self.decimal),
            ("ts_format", &self.ts_format),
            ("assume_tz", &self.assume_tz),
            ("min_ts", &self.min_ts),
            ("fill", &self.fill),
            ("where", &self.filter),
            ("level_separator", &self.level_separator),
            ("path_separator", &self.path_separator),
            ("currency", &self.currency),
        ];
        let given = given.into_iter().filter_map(|(name, text)| Some((name, text.as_ref()?)));
        for (name, text) in given.chain(self.null.iter().map(|text| ("null", text))) {
            let option = name.replace('_', "-");
            mapping.set_option(name, text).map_err(|error| Failure::usage(format!("--{option}: {error}")))?;
        }
        if self.assume_utc {
            mapping.set_option("assume_utc", "true").expect("true is a value of it");
        }
        Ok(())
    }
}
