//! How an input is read: the options of its dialect, besides which column is which field.
//!
//! Each option has one name, which is a key of a mapping file (`skip_lines = 2`) and, with hyphens, an
//! option of the command line (`--skip-lines 2`). [`ReadOptions::set`] reads both.

use crate::input_format::filter::Filter;
use crate::input_format::format::Format;
use crate::input_format::text_encoding::TextEncoding;
use crate::input_format::toml_line::toml_line;
use crate::model::{Currency, Separators, TimeFormat, TimeOptions, TimeZone, Timestamp, zone_named};

/// The options of an input; what is not set is taken from the content, or has a default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReadOptions {
    pub format: Option<Format>,
    /// The delimiter of CSV; by default found in the header.
    pub delimiter: Option<u8>,
    /// By default standard in CSV, none in TSV.
    pub quoting: Option<Quoting>,
    /// By default UTF-8, or UTF-16 where the bytes tell it.
    pub encoding: Option<TextEncoding>,
    /// How many lines to skip in front of a header.
    pub skip_lines: u64,
    /// Texts that stand for no value, besides the usual ones.
    pub nulls: Vec<String>,
    pub bad_field: Option<BadField>,
    pub decimal: Option<DecimalMark>,
    pub times: TimeOptions,
    /// The column that an order's lines share: later lines take the order's values from its first one.
    pub fill: Option<String>,
    /// Which records are used; others are filtered.
    pub filter: Option<Filter>,
    /// What separates the levels of a category; by default `/`.
    pub level_separator: Option<String>,
    /// What separates the paths of a category; by default `|`.
    pub path_separator: Option<String>,
    /// The currency of the records that are used.
    pub currency: Option<Currency>,
    /// What was set, by name and text.
    given: Vec<(String, String)>,
}

/// Whether quotes enclose fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quoting {
    /// A quote is a character like any other.
    None,
    /// RFC 4180: double quotes, doubled inside of a field.
    Standard,
    /// Double quotes; inside of a field a quote may be behind a backslash.
    Backslash,
    /// Single quotes, doubled inside of a field.
    Single,
}

/// What to do where an optional field cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadField {
    /// The event is accepted without the field.
    Drop,
    /// The line is rejected.
    Reject,
}

/// The decimal mark of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecimalMark {
    Point,
    Comma,
}

/// The names of the options.
pub const READ_OPTIONS: &[&str] = &[
    "format",
    "delimiter",
    "quoting",
    "encoding",
    "skip_lines",
    "null",
    "bad_field",
    "decimal",
    "ts_format",
    "assume_tz",
    "assume_utc",
    "min_ts",
    "fill",
    "where",
    "level_separator",
    "path_separator",
    "currency",
];

/// The names of those that describe any file of rows, such as a catalog.
pub const DIALECT_OPTIONS: &[&str] = &["delimiter", "quoting", "encoding", "skip_lines"];

impl ReadOptions {
    /// Sets the named option.
    ///
    /// # Errors
    /// Says what is wrong with the value, or that there is no such option.
    pub fn set(&mut self, name: &str, text: &str) -> Result<(), String> {
        self.apply(name, text)?;
        if name != "null" {
            self.given.retain(|(known, _)| known != name);
        }
        self.given.push((name.to_owned(), text.to_owned()));
        Ok(())
    }

    /// Returns what was set as lines of a mapping file.
    pub fn to_toml_lines(&self) -> Vec<String> {
        let nulls: Vec<&str> = self.nulls.iter().map(String::as_str).collect();
        let mut lines: Vec<String> = Vec::new();
        for (name, text) in self.given.iter().filter(|(name, _)| name != "null" && name != "currency") {
            lines.push(toml_line(name, text));
        }
        if !nulls.is_empty() {
            lines.push(format!("null = {}\n", serde_json::Value::from(nulls)));
        }
        lines
    }

    fn apply(&mut self, name: &str, text: &str) -> Result<(), String> {
        match name {
            "format" => self.format = Some(one_of(text, &FORMATS)?),
            "delimiter" => self.delimiter = Some(delimiter(text)?),
            "quoting" => self.quoting = Some(one_of(text, &QUOTINGS)?),
            "encoding" => self.encoding = Some(TextEncoding::named(text)?),
            "skip_lines" => {
                self.skip_lines =
                    text.parse().map_err(|_| format!("`{text}` is not a number of lines, such as 2"))?;
            }
            "null" => self.nulls.push(text.to_owned()),
            "bad_field" => self.bad_field = Some(one_of(text, &BAD_FIELDS)?),
            "decimal" => self.decimal = Some(one_of(text, &DECIMAL_MARKS)?),
            "ts_format" => self.times.format = Some(TimeFormat::parse(text)?),
            "assume_tz" => self.times.zone = Some(zone_named(text)?),
            "assume_utc" => {
                self.times.zone = one_of(text, &[("true", true), ("false", false)])?.then_some(TimeZone::UTC);
            }
            "min_ts" => self.times.earliest = Some(min_ts(text)?),
            "fill" => self.fill = Some(not_empty(text)?),
            "where" => self.filter = Some(Filter::parse(text)?),
            "level_separator" => self.level_separator = Some(not_empty(text)?),
            "path_separator" => self.path_separator = Some(not_empty(text)?),
            "currency" => {
                let currency = Currency::parse(text);
                self.currency = Some(currency.ok_or_else(|| format!("`{text}` is not a code such as EUR"))?);
            }
            _ => return Err(format!("unknown option; the options are {}", READ_OPTIONS.join(", "))),
        }
        Ok(())
    }

    /// Returns the separators of categories, where they are not the usual ones.
    pub fn separators(&self) -> Option<Separators> {
        let (paths, levels) = (&self.path_separator, &self.level_separator);
        let or =
            |separator: &Option<String>, usual: &str| separator.clone().unwrap_or_else(|| usual.to_owned());
        (paths.is_some() || levels.is_some())
            .then(|| Separators { paths: or(paths, "|"), levels: or(levels, "/") })
    }

    /// Returns whether records go through the general reader: some option needs all values of a record.
    pub fn needs_records(&self) -> bool {
        self.fill.is_some() || self.filter.is_some()
    }
}

const FORMATS: [(&str, Format); 4] =
    [("csv", Format::Csv), ("tsv", Format::Tsv), ("ndjson", Format::Ndjson), ("parquet", Format::Parquet)];
const QUOTINGS: [(&str, Quoting); 4] = [
    ("none", Quoting::None),
    ("standard", Quoting::Standard),
    ("backslash", Quoting::Backslash),
    ("single", Quoting::Single),
];
const BAD_FIELDS: [(&str, BadField); 2] = [("drop", BadField::Drop), ("reject", BadField::Reject)];
const DECIMAL_MARKS: [(&str, DecimalMark); 2] =
    [("point", DecimalMark::Point), ("comma", DecimalMark::Comma)];

fn one_of<T: Copy>(text: &str, values: &[(&str, T)]) -> Result<T, String> {
    let found = values.iter().find(|(name, _)| *name == text);
    let names = || values.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    found.map(|(_, value)| *value).ok_or_else(|| format!("`{text}` is not one of {}", names()))
}

fn not_empty(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("the value is empty".to_owned()) } else { Ok(text.to_owned()) }
}

/// Reads one ASCII character, or `tab`.
fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"tab" | b"\\t" => Ok(b'\t'),
        [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => Ok(*byte),
        _ => Err(format!("`{text}` is not one ASCII character, such as ; or tab")),
    }
}

fn min_ts(text: &str) -> Result<Timestamp, String> {
    let parsed = Timestamp::parse(text).or_else(|error| {
        // A date alone is its midnight in UTC.
        Timestamp::parse(&format!("{text}T00:00:00Z")).map_err(|_| error)
    });
    parsed.map_err(|error| format!("`{text}` {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, text: &str, expected: Result<(), &str>) {
        let got = ReadOptions::default().set(name, text);
        assert_eq!(got, expected.map_err(str::to_owned), "{name} = {text}");
    }

    #[test]
    fn options_are_read_or_say_what_is_wrong() {
        check("delimiter", ";", Ok(()));
        check("delimiter", "tab", Ok(()));
        check("delimiter", ";;", Err("`;;` is not one ASCII character, such as ; or tab"));
        check("delimiter", "\"", Err("`\"` is not one ASCII character, such as ; or tab"));
        check("quoting", "all", Err("`all` is not one of none, standard, backslash, single"));
        check("skip_lines", "-1", Err("`-1` is not a number of lines, such as 2"));
        check("min_ts", "1970-01-01", Ok(()));
        check("min_ts", "1970-01-01T00:00:00Z", Ok(()));
        check("fill", "", Err("the value is empty"));
    }

    #[test]
    fn every_option_can_be_set() {
        let values = [
            ("format", "csv"),
            ("delimiter", ","),
            ("quoting", "none"),
            ("encoding", "utf-16le"),
            ("skip_lines", "1"),
            ("null", "-"),
            ("bad_field", "drop"),
            ("decimal", "comma"),
            ("ts_format", "%Y%m%d"),
            ("assume_tz", "Europe/Berlin"),
            ("assume_utc", "true"),
            ("min_ts", "1990-01-01"),
            ("fill", "a"),
            ("where", "a = b"),
            ("level_separator", ">"),
            ("path_separator", ","),
            ("currency", "EUR"),
        ];
        let names: Vec<&str> = values.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, READ_OPTIONS);
        let mut options = ReadOptions::default();
        for (name, text) in values {
            assert_eq!(options.set(name, text), Ok(()), "{name}");
        }
    }
}
