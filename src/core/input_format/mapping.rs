//! The mapping of an input's columns to fields.
//!
//! It is given as `FIELD=COLUMN`, or as a TOML file of such pairs, which may also set the options of
//! [`ReadOptions`]. A field may be mapped to several columns:
//!
//! | mapping | fields | value |
//! |---|---|---|
//! | `department/category/type` | category | a path, one level a column; `department/` is one column with one level |
//! | `order_id+line_no` | event_id, item_id | the texts joined by `+`; `%` and `+` in them are written `%25`, `%2B` |
//! | `Date+Time` | ts | the texts joined by a space |
//! | `unit_price*quantity` | amount | the product |
//!
//! A column that literally has such a name wins.
//!
//! Invariant: a mapped field is read from its column alone, and an input without that column is refused,
//! so that a typing error does not lose amounts.

use std::io;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use crate::input_format::column_names::{missing, only};
use crate::input_format::object_keys::WRAPPERS;
use crate::input_format::presets::{PRESETS, Preset};
use crate::input_format::read_options::{DIALECT_OPTIONS, READ_OPTIONS, ReadOptions};
use crate::input_format::source::TextOptions;
use crate::input_format::toml_line::{option_texts, toml_line};
use crate::model::escape_control;
use crate::storage::local_files;

/// What is written in front of the name of a preset.
const PRESET: &str = "preset:";
/// The field that only events have: mappings of other files have no options.
const TS: &str = "ts";
/// The field that is read only where it is mapped: logs have versions of other things under this name.
const VERSION: &str = "version";

/// The maximum number of columns of a header, which bounds the memory for their names.
pub const MAX_COLUMNS: usize = 16_384;

/// The columns of fields; a field that is not mapped has a column of its own name.
#[derive(Clone, Debug, PartialEq)]
pub struct Mapping {
    fields: &'static [&'static str],
    /// For each field, the column it is mapped to.
    mapped: Vec<Option<String>>,
    /// For each field, whether a preset maps it.
    is_of_preset: Vec<bool>,
    options: ReadOptions,
}

/// The columns of a field, by their numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldColumns {
    One(usize),
    /// The levels of a category, from the top.
    Levels(Vec<usize>),
    /// The parts of an id.
    Joined(Vec<usize>),
    /// The factors of an amount.
    Product(usize, usize),
}

impl FieldColumns {
    /// Returns all columns.
    pub fn all(&self) -> Vec<usize> {
        match self {
            FieldColumns::One(column) => vec![*column],
            FieldColumns::Levels(columns) | FieldColumns::Joined(columns) => columns.clone(),
            FieldColumns::Product(one, other) => vec![*one, *other],
        }
    }

    /// Returns the columns with other numbers.
    pub fn renumbered(self, number: &mut impl FnMut(usize) -> usize) -> FieldColumns {
        match self {
            FieldColumns::One(column) => FieldColumns::One(number(column)),
            FieldColumns::Levels(columns) => FieldColumns::Levels(columns.into_iter().map(number).collect()),
            FieldColumns::Joined(columns) => FieldColumns::Joined(columns.into_iter().map(number).collect()),
            FieldColumns::Product(one, other) => FieldColumns::Product(number(one), number(other)),
        }
    }
}

/// The keys of a field in a format without a header, by their numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldKeys {
    pub whole: usize,
    /// Several keys, for lines without the whole.
    pub parts: Option<FieldColumns>,
}

impl FieldKeys {
    /// Returns all keys, the whole first.
    pub fn all(&self) -> Vec<usize> {
        let mut keys = vec![self.whole];
        keys.extend(self.parts.iter().flat_map(FieldColumns::all));
        keys
    }
}

/// Several columns that a field is mapped to, by name.
enum Parts<'a> {
    Levels(Vec<&'a str>),
    Joined(Vec<&'a str>),
    Product(&'a str, &'a str),
}

/// An invalid mapping.
#[derive(Debug, thiserror::Error)]
pub enum MappingError {
    #[error("`{word}`: unknown field; the fields are {fields}")]
    UnknownField { word: String, fields: String },
    #[error("`{word}`: the column is missing; write FIELD=COLUMN")]
    NoColumn { word: String },
    #[error("`{PRESET}{name}`: unknown preset; the presets are {names}")]
    UnknownPreset { name: String, names: String },
    #[error("{field} is mapped twice")]
    Twice { field: &'static str },
    #[error("{file}:{line}: {reason}")]
    BadFile { file: String, line: usize, reason: String },
    #[error("{file} cannot be read: {source}; write FIELD=COLUMN, or name a TOML file")]
    Unreadable { file: String, source: io::Error },
}

impl Mapping {
    /// Returns the mapping of every field to a column of its own name.
    pub fn none(fields: &'static [&'static str]) -> Mapping {
        Mapping {
            fields,
            mapped: vec![None; fields.len()],
            is_of_preset: vec![false; fields.len()],
            options: ReadOptions::default(),
        }
    }

    /// Parses pairs and reads TOML files; pairs override files, later files override earlier ones.
    ///
    /// # Errors
    /// Returns which argument or line is invalid, and which fields there are.
    pub fn of(fields: &'static [&'static str], words: &[String]) -> Result<Mapping, MappingError> {
        let mut mapping = Mapping::none(fields);
        for file in words.iter().filter(|word| !word.contains('=')) {
            match file.strip_prefix(PRESET) {
                Some(name) => mapping.read_preset(name)?,
                None => mapping.read_file(file)?,
            }
        }
        let mut seen = vec![false; fields.len()];
        for word in words {
            let Some((field, column)) = word.split_once('=') else { continue };
            let Some(at) = mapping.field(field) else {
                return Err(MappingError::UnknownField { word: word.clone(), fields: fields.join(", ") });
            };
            if column.is_empty() {
                return Err(MappingError::NoColumn { word: word.clone() });
            }
            if std::mem::replace(&mut seen[at], true) {
                return Err(MappingError::Twice { field: fields[at] });
            }
            mapping.mapped[at] = Some(column.to_owned());
            mapping.is_of_preset[at] = false;
        }
        Ok(mapping)
    }

    /// Returns how the input is read.
    pub fn options(&self) -> &ReadOptions {
        &self.options
    }

    /// Sets an option by its name; what was set before, by a file, is overridden.
    ///
    /// # Errors
    /// Says what is wrong with the value.
    pub fn set_option(&mut self, name: &str, text: &str) -> Result<(), String> {
        self.options.set(name, text)
    }

    /// Returns how text is read, with the number of the item's field.
    pub fn text_options(&self, item: usize) -> TextOptions<'_> {
        let names_records = |column: &String| WRAPPERS.iter().any(|key| column.starts_with(key));
        let record_key = self.column(item).unwrap_or(self.fields[item]);
        let record_key = record_key.split(['.', '[']).next();
        TextOptions {
            encoding: self.options.encoding,
            temporary_folder: None,
            record_key: record_key.filter(|_| !self.mapped.iter().flatten().any(names_records)),
        }
    }

    /// Returns the column that a field is mapped to.
    pub fn column(&self, field: usize) -> Option<&str> {
        self.mapped[field].as_deref()
    }

    /// Returns whether an input must have the columns that a field is mapped to: a preset also maps what
    /// only some inputs have.
    pub fn must_have(&self, field: usize, required: &[usize]) -> bool {
        self.mapped[field].is_some() && (!self.is_of_preset[field] || required.contains(&field))
    }

    /// Returns the names of the columns that a field is read from.
    pub fn names_of(&self, field: usize) -> Vec<&str> {
        match self.parts(field) {
            Some(Parts::Levels(names) | Parts::Joined(names)) => names,
            Some(Parts::Product(one, other)) => vec![one, other],
            None => vec![self.column(field).unwrap_or(self.fields[field])],
        }
    }

    /// Returns the mapping as a file that [`Mapping::of`] reads.
    pub fn to_toml(&self) -> String {
        let fields =
            (0..self.fields.len()).filter_map(|at| Some(toml_line(self.fields[at], self.column(at)?)));
        fields.chain(self.options.to_toml_lines()).collect()
    }

    /// Returns the fields that are read from a column of a name.
    pub fn fields_of_column(&self, name: &str) -> Vec<&'static str> {
        let is_read = |at: &usize| {
            self.column(*at).unwrap_or(self.fields[*at]) == name || self.names_of(*at).contains(&name)
        };
        (0..self.fields.len()).filter(is_read).map(|at| self.fields[at]).collect()
    }

    /// Returns whether an option reads a column: the filter, or what the lines of an order share.
    pub fn option_reads(&self, name: &str) -> bool {
        let of_filter =
            self.options.filter.as_ref().is_some_and(|filter| filter.columns().iter().any(|of| of == name));
        of_filter || self.options.fill.as_deref() == Some(name)
    }

    /// Returns the columns of each field in an input with columns of the given names.
    ///
    /// # Errors
    /// Returns which column is missing, or there twice, of a field that is mapped or required. Of a preset only the
    /// quantity is needed: exports differ, but sales without it would count as one each.
    pub fn columns(&self, names: &[String], required: &[usize]) -> Result<Vec<Option<FieldColumns>>, String> {
        let is_needed = |at: usize| required.contains(&at) || self.fields[at] == "quantity";
        let is_optional = |at: usize| self.is_of_preset[at] && !is_needed(at);
        let columns = |at: usize| match self.columns_of(at, names) {
            Ok(None) if required.contains(&at) => Err(missing(self.fields[at], None, names)),
            Err(_) if is_optional(at) => Ok(None),
            columns => columns,
        };
        (0..self.fields.len()).map(columns).collect()
    }

    /// Returns the names of the fields that are not mapped: an input may have columns of these names.
    pub fn unmapped(&self) -> impl Iterator<Item = &'static str> {
        self.fields.iter().zip(&self.mapped).filter(|(_, column)| column.is_none()).map(|(field, _)| *field)
    }

    /// Returns the names of all keys in a format without a header, and the keys of each field.
    pub fn keys(&self) -> (Vec<String>, Vec<FieldKeys>) {
        let mut names: Vec<String> = Vec::new();
        let mut number = |name: &str| {
            let found = names.iter().position(|known| known == name);
            found.unwrap_or_else(|| {
                names.push(name.to_owned());
                names.len() - 1
            })
        };
        let keys = (0..self.fields.len()).map(|at| {
            let column = self.column(at).unwrap_or(self.fields[at]);
            let whole = number(column);
            let parts = self.parts(at).map(|parts| match parts {
                Parts::Levels(names) => FieldColumns::Levels(names.into_iter().map(&mut number).collect()),
                Parts::Joined(names) => FieldColumns::Joined(names.into_iter().map(&mut number).collect()),
                Parts::Product(one, other) => FieldColumns::Product(number(one), number(other)),
            });
            FieldKeys { whole, parts }
        });
        let keys = keys.collect();
        (names, keys)
    }

    fn field(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| *field == name)
    }

    fn columns_of(&self, at: usize, names: &[String]) -> Result<Option<FieldColumns>, String> {
        let field = self.fields[at];
        if field == VERSION && self.column(at).is_none() {
            return Ok(None);
        }
        let column = self.column(at).unwrap_or(field);
        if let Some(column) = only(column, names)? {
            return Ok(Some(FieldColumns::One(column)));
        }
        let Some(parts) = self.parts(at) else {
            let is_mapped = self.column(at).is_some();
            return if is_mapped { Err(missing(column, Some(field), names)) } else { Ok(None) };
        };
        let part = |name: &str| only(name, names)?.ok_or_else(|| missing(name, Some(field), names));
        let all = |names: Vec<&str>| names.into_iter().map(part).collect::<Result<Vec<usize>, String>>();
        Ok(Some(match parts {
            Parts::Levels(names) => FieldColumns::Levels(all(names)?),
            Parts::Joined(names) => FieldColumns::Joined(all(names)?),
            Parts::Product(one, other) => FieldColumns::Product(part(one)?, part(other)?),
        }))
    }

    /// Returns the columns of a field that is mapped to several.
    fn parts(&self, at: usize) -> Option<Parts<'_>> {
        let column = self.column(at)?;
        let split = |text: &'_ str, separator: char| -> Option<Vec<&str>> {
            let names: Vec<&str> = column[..text.len()].split(separator).map(str::trim).collect();
            names.iter().all(|name| !name.is_empty()).then_some(names)
        };
        match self.fields[at] {
            "category" if column.contains('/') => {
                split(column.strip_suffix('/').unwrap_or(column), '/').map(Parts::Levels)
            }
            "event_id" | "item_id" | "ts" if column.contains('+') => split(column, '+').map(Parts::Joined),
            "amount" if column.contains('*') => match split(column, '*')?[..] {
                [one, other] => Some(Parts::Product(one, other)),
                _ => None,
            },
            _ => None,
        }
    }

    fn read_preset(&mut self, name: &str) -> Result<(), MappingError> {
        let preset = Preset::named(name).filter(|_| self.field(TS).is_some()).ok_or_else(|| {
            let names: Vec<&str> = PRESETS.iter().map(|preset| preset.name).collect();
            MappingError::UnknownPreset { name: name.to_owned(), names: names.join(", ") }
        })?;
        self.read_text(&format!("{PRESET}{name}"), preset.text, true)
    }

    fn read_file(&mut self, file: &str) -> Result<(), MappingError> {
        let text = local_files::read_to_string(Path::new(file))
            .map_err(|source| MappingError::Unreadable { file: file.to_owned(), source })?;
        self.read_text(file, &text, false)
    }

    fn read_text(&mut self, file: &str, text: &str, is_preset: bool) -> Result<(), MappingError> {
        let bad = |at: usize, reason: String| {
            let before = text.as_bytes().get(..at).unwrap_or(text.as_bytes());
            let line = memchr::memchr_iter(b'\n', before).count() + 1;
            MappingError::BadFile { file: file.to_owned(), line, reason: escape_control(&reason) }
        };
        let table = DeTable::parse(text).map_err(|e| {
            bad(e.span().map_or(0, |span| span.start), format!("is not TOML: {}", e.message()))
        })?;
        for (key, value) in table.get_ref() {
            let at = key.span().start;
            let key = key.get_ref().as_ref();
            if self.known_options().contains(&key) && self.field(key).is_none() {
                let texts = option_texts(value.get_ref());
                let texts = texts
                    .ok_or_else(|| bad(at, format!("{key} must be a string, a number or true or false")))?;
                for text in texts {
                    self.options.set(key, &text).map_err(|reason| bad(at, format!("{key}: {reason}")))?;
                }
                continue;
            }
            match (value.get_ref(), self.field(key)) {
                (_, None) => {
                    let fields = self.fields.join(", ");
                    let options = self.known_options().join(", ");
                    let reason =
                        format!("unknown field `{key}`; the fields are {fields}, and the options {options}");
                    return Err(bad(at, reason));
                }
                (DeValue::String(column), Some(field)) if !column.is_empty() => {
                    self.mapped[field] = Some(column.to_string());
                    self.is_of_preset[field] = is_preset;
                }
                (_, Some(_)) => {
                    return Err(bad(at, format!("{key} must be the name of a column, in quotes")));
                }
            }
        }
        Ok(())
    }

    /// Returns the options that a mapping file may set: of a catalog, those of the dialect.
    fn known_options(&self) -> &'static [&'static str] {
        if self.field(TS).is_some() { READ_OPTIONS } else { DIALECT_OPTIONS }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: &[&str] = &["ts", "item_id", "category", "amount"];

    fn check(words: &str, names: &str, expected: Result<&str, &str>) {
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        let names: Vec<String> = names.split(' ').map(str::to_owned).collect();
        let mapping = Mapping::of(FIELDS, &words).map_err(|e| e.to_string());
        let columns = mapping.and_then(|mapping| mapping.columns(&names, &[0, 1]));
        let shown = columns.map(|columns| {
            let column = |columns: &Option<FieldColumns>| match columns {
                None => "-".to_owned(),
                Some(FieldColumns::One(at)) => names[*at].clone(),
                Some(parts) => format!("{parts:?}").replace(' ', ""),
            };
            columns.iter().map(column).collect::<Vec<_>>().join(" ")
        });
        assert_eq!(shown.as_deref().map_err(String::as_str), expected, "{words:?}");
    }

    #[test]
    fn fields_are_read_from_the_columns_they_are_mapped_to() {
        check("", "item_id ts x", Ok("ts item_id - -"));
        check("ts=when item_id=sku", "sku when item_id category", Ok("when sku category -"));
        check("category=a/b", "ts item_id b a", Ok("ts item_id Levels([3,2]) -"));
        check("category=a/b", "ts item_id b a a/b", Ok("ts item_id a/b -"));
        check("category=a/", "ts item_id a", Ok("ts item_id Levels([2]) -"));
        check("category=a", "ts item_id a", Ok("ts item_id a -"));
        check("amount=item_id", "ts item_id", Ok("ts item_id - item_id"));
        check("amount=a*b item_id=b+a", "ts a b", Ok("ts Joined([2,1]) - Product(1,2)"));
        check("amount=a*b", "ts item_id a b a*b", Ok("ts item_id - a*b"));
    }

    #[test]
    fn errors_name_the_column_that_is_missing() {
        check("", "ts x", Err("has no column `item_id`; its columns are: ts, x"));
        let lost =
            Err("has no column `paid`, which amount is mapped to; its columns are: ts, item_id, amount");
        check("amount=paid", "ts item_id amount", lost);
        let lost = Err("has no column `b`, which category is mapped to; its columns are: ts, item_id, a");
        check("category=a/b", "ts item_id a", lost);
        let lost =
            Err("has no column `a//b`, which category is mapped to; its columns are: ts, item_id, a, b");
        check("category=a//b", "ts item_id a b", lost);
        let lost = Err("has no column `a/b`, which amount is mapped to; its columns are: ts, item_id, a, b");
        check("amount=a/b", "ts item_id a b", lost);
        check("", "ts item_id ts", Err("has two columns `ts`"));
        check("", "ts item_id x x", Ok("ts item_id - -"));
        check("price=x", "ts", Err("`price=x`: unknown field; the fields are ts, item_id, category, amount"));
        check("ts=", "ts", Err("`ts=`: the column is missing; write FIELD=COLUMN"));
        check("ts=a ts=b", "a b", Err("ts is mapped twice"));
    }
}
