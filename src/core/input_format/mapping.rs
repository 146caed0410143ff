//! The mapping of an input's columns to fields.
//!
//! It is given as `FIELD=COLUMN`, or as a TOML file of such pairs. A category may be mapped to several
//! columns, `department/category/type`, each with one level; `department/`, with a slash at the end, is
//! one column with one level.
//!
//! Invariant: a mapped field is read from its column alone, and an input without that column is refused,
//! so that a typing error does not lose amounts.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use crate::model::escape_control;
use crate::storage::local_files;

/// The field that may be mapped to several columns, one for each level.
const CATEGORY: &str = "category";
/// The field that `assume_utc` is about.
const TS: &str = "ts";
const ASSUME_UTC: &str = "assume_utc";
const SHOWN_COLUMNS: usize = 20;
const SHOWN_CHARS: usize = 200;

/// The maximum number of columns of a header, which bounds the memory for their names.
pub const MAX_COLUMNS: usize = 16_384;

/// The columns of fields; a field that is not mapped has a column of its own name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    fields: &'static [&'static str],
    /// For each field, the column it is mapped to.
    mapped: Vec<Option<String>>,
    assumes_utc: bool,
}

/// The columns of a field, by their numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldColumns {
    One(usize),
    /// The levels of a category, from the top.
    Levels(Vec<usize>),
}

/// The keys of a field in a format without a header, by their numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldKeys {
    pub whole: usize,
    /// The levels of a category, from the top, for lines without the whole.
    pub levels: Vec<usize>,
}

/// An invalid mapping.
#[derive(Debug, thiserror::Error)]
pub enum MappingError {
    #[error("`{word}`: unknown field; the fields are {fields}")]
    UnknownField { word: String, fields: String },
    #[error("`{word}`: the column is missing; write FIELD=COLUMN")]
    NoColumn { word: String },
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
        Mapping { fields, mapped: vec![None; fields.len()], assumes_utc: false }
    }

    /// Parses pairs and reads TOML files; pairs override files, later files override earlier ones.
    ///
    /// # Errors
    /// Returns which argument or line is invalid, and which fields there are.
    pub fn of(fields: &'static [&'static str], words: &[String]) -> Result<Mapping, MappingError> {
        let mut mapping = Mapping::none(fields);
        for file in words.iter().filter(|word| !word.contains('=')) {
            mapping.read_file(file)?;
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
        }
        Ok(mapping)
    }

    /// Makes times without an offset UTC.
    pub fn assume_utc(&mut self) {
        self.assumes_utc = true;
    }

    /// Returns whether times without an offset are UTC.
    pub fn assumes_utc(&self) -> bool {
        self.assumes_utc
    }

    /// Returns the column that a field is mapped to.
    pub fn column(&self, field: usize) -> Option<&str> {
        self.mapped[field].as_deref()
    }

    /// Returns the columns of each field in an input with columns of the given names.
    ///
    /// # Errors
    /// Returns which column is missing, or there twice, of a field that is mapped or required.
    pub fn columns(&self, names: &[String], required: &[usize]) -> Result<Vec<Option<FieldColumns>>, String> {
        let columns = |at: usize| match self.columns_of(at, names)? {
            None if required.contains(&at) => Err(missing(self.fields[at], None, names)),
            columns => Ok(columns),
        };
        (0..self.fields.len()).map(columns).collect()
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
            let levels = self.levels(at).unwrap_or_default();
            FieldKeys { whole: number(column), levels: levels.into_iter().map(&mut number).collect() }
        });
        let keys = keys.collect();
        (names, keys)
    }

    fn field(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| *field == name)
    }

    fn columns_of(&self, at: usize, names: &[String]) -> Result<Option<FieldColumns>, String> {
        let field = self.fields[at];
        let column = self.column(at).unwrap_or(field);
        if let Some(column) = only(column, names)? {
            return Ok(Some(FieldColumns::One(column)));
        }
        let Some(levels) = self.levels(at) else {
            let is_mapped = self.column(at).is_some();
            return if is_mapped { Err(missing(column, Some(field), names)) } else { Ok(None) };
        };
        let level = |name: &str| only(name, names)?.ok_or_else(|| missing(name, Some(field), names));
        Ok(Some(FieldColumns::Levels(levels.into_iter().map(level).collect::<Result<_, _>>()?)))
    }

    /// Returns the columns with one level each, where a field is mapped to such.
    fn levels(&self, at: usize) -> Option<Vec<&str>> {
        let column = self.column(at).filter(|column| self.fields[at] == CATEGORY && column.contains('/'))?;
        let levels: Vec<&str> = column.strip_suffix('/').unwrap_or(column).split('/').collect();
        levels.iter().all(|level| !level.is_empty()).then_some(levels)
    }

    fn read_file(&mut self, file: &str) -> Result<(), MappingError> {
        let text = local_files::read_to_string(Path::new(file))
            .map_err(|source| MappingError::Unreadable { file: file.to_owned(), source })?;
        let bad = |at: usize, reason: String| {
            let before = text.as_bytes().get(..at).unwrap_or(text.as_bytes());
            let line = memchr::memchr_iter(b'\n', before).count() + 1;
            MappingError::BadFile { file: file.to_owned(), line, reason: escape_control(&reason) }
        };
        let table = DeTable::parse(&text).map_err(|e| {
            bad(e.span().map_or(0, |span| span.start), format!("is not TOML: {}", e.message()))
        })?;
        for (key, value) in table.get_ref() {
            let at = key.span().start;
            let key = key.get_ref().as_ref();
            match (value.get_ref(), self.field(key)) {
                (DeValue::Boolean(assumes), None) if key == ASSUME_UTC && self.field(TS).is_some() => {
                    self.assumes_utc = *assumes;
                }
                (_, None) if key == ASSUME_UTC && self.field(TS).is_some() => {
                    return Err(bad(at, format!("{ASSUME_UTC} must be true or false")));
                }
                (_, None) => {
                    let fields = self.fields.join(", ");
                    return Err(bad(at, format!("unknown field `{key}`; the fields are {fields}")));
                }
                (DeValue::String(column), Some(field)) if !column.is_empty() => {
                    self.mapped[field] = Some(column.to_string());
                }
                (_, Some(_)) => {
                    return Err(bad(at, format!("{key} must be the name of a column, in quotes")));
                }
            }
        }
        Ok(())
    }
}

/// Returns the number of the only column with a name.
fn only(column: &str, names: &[String]) -> Result<Option<usize>, String> {
    let mut found = (0..names.len()).filter(|&at| names[at] == column);
    let first = found.next();
    match found.next() {
        Some(_) => Err(format!("has two columns `{}`", escape_control(column))),
        None => Ok(first),
    }
}

fn missing(column: &str, field: Option<&str>, names: &[String]) -> String {
    let mut reason = format!("has no column `{}`", escape_control(column));
    if let Some(field) = field {
        // Writing to a text cannot fail.
        let _ = write!(reason, ", which {field} is mapped to");
    }
    let shown: Vec<&str> = names.iter().map(String::as_str).take(SHOWN_COLUMNS).collect();
    let shown: String = shown.join(", ").chars().take(SHOWN_CHARS).collect();
    format!("{reason}; its columns are: {}", escape_control(&shown))
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
                Some(FieldColumns::Levels(levels)) => format!("{levels:?}"),
            };
            columns.iter().map(column).collect::<Vec<_>>().join(" ")
        });
        assert_eq!(shown.as_deref().map_err(String::as_str), expected, "{words:?}");
    }

    #[test]
    fn fields_are_read_from_the_columns_they_are_mapped_to() {
        check("", "item_id ts x", Ok("ts item_id - -"));
        check("ts=when item_id=sku", "sku when item_id category", Ok("when sku category -"));
        check("category=a/b", "ts item_id b a", Ok("ts item_id [3, 2] -"));
        check("category=a/b", "ts item_id b a a/b", Ok("ts item_id a/b -"));
        check("category=a/", "ts item_id a", Ok("ts item_id [2] -"));
        check("category=a", "ts item_id a", Ok("ts item_id a -"));
        check("amount=item_id", "ts item_id", Ok("ts item_id - item_id"));
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
