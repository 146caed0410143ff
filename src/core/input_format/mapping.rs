//! Which column of someone else's file gives which field.
//!
//! Written as `FIELD=COLUMN`, or as a TOML file of such pairs. A column of a path may be several,
//! `department/category/type`: each holds one level. One with a slash behind it, `department/`,
//! holds one level by itself.
//!
//! Invariant: a field that was given a column is read from that column alone, and an input
//! without it is refused: a slip of the pen loses no amounts.

use std::fmt::Write as _;
use std::io;

use toml::de::{DeTable, DeValue};

use crate::model::escape_control;

/// The fields whose column may be several, one for each level.
const CATEGORY: &str = "category";
/// The field without which there are no times to assume anything of.
const TS: &str = "ts";
const ASSUME_UTC: &str = "assume_utc";
const SHOWN_COLUMNS: usize = 20;
const SHOWN_CHARS: usize = 200;

/// Columns that a header may have: more are no header, but would fill the memory with names.
pub const MAX_COLUMNS: usize = 16_384;

/// The columns that were named for some of a form's fields; the others keep their own names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    fields: &'static [&'static str],
    /// For each field the column it was given.
    columns: Vec<Option<String>>,
    assumes_utc: bool,
}

/// Where an input has a field, by the numbers of its columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Whole(usize),
    /// A path's levels from the top.
    Levels(Vec<usize>),
}

/// The keys under which a form without a header may have a field, by their numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub whole: usize,
    /// Where a line does not have that one: a path's levels from the top.
    pub levels: Vec<usize>,
}

/// The words make no mapping.
#[derive(Debug, thiserror::Error)]
pub enum MappingError {
    #[error("`{word}` maps no field; there are {fields}")]
    UnknownField { word: String, fields: String },
    #[error("`{word}` names no column; write FIELD=COLUMN")]
    NoColumn { word: String },
    #[error("{field} is mapped twice")]
    Twice { field: &'static str },
    #[error("{file}:{line}: {reason}")]
    BadFile { file: String, line: usize, reason: String },
    #[error("{file} cannot be read: {source}; write FIELD=COLUMN, or name a TOML file")]
    Unreadable { file: String, source: io::Error },
}

impl Mapping {
    /// Returns the mapping that leaves every field its own name.
    pub fn none(fields: &'static [&'static str]) -> Mapping {
        Mapping { fields, columns: vec![None; fields.len()], assumes_utc: false }
    }

    /// Reads pairs and names of TOML files; pairs win over files, later files over earlier ones.
    ///
    /// # Errors
    /// Says which word or line is wrong, and which fields there are.
    pub fn of(fields: &'static [&'static str], words: &[String]) -> Result<Mapping, MappingError> {
        let mut mapping = Mapping::none(fields);
        for file in words.iter().filter(|word| !word.contains('=')) {
            mapping.read_file(file)?;
        }
        let mut given = vec![false; fields.len()];
        for word in words {
            let Some((field, column)) = word.split_once('=') else { continue };
            let Some(at) = mapping.field(field) else {
                return Err(MappingError::UnknownField { word: word.clone(), fields: fields.join(", ") });
            };
            if column.is_empty() {
                return Err(MappingError::NoColumn { word: word.clone() });
            }
            if std::mem::replace(&mut given[at], true) {
                return Err(MappingError::Twice { field: fields[at] });
            }
            mapping.columns[at] = Some(column.to_owned());
        }
        Ok(mapping)
    }

    /// Takes times without an offset as UTC.
    pub fn assume_utc(&mut self) {
        self.assumes_utc = true;
    }

    /// Tells whether times without an offset are taken as UTC.
    pub fn assumes_utc(&self) -> bool {
        self.assumes_utc
    }

    /// Returns the column that a field was given.
    pub fn given(&self, field: usize) -> Option<&str> {
        self.columns[field].as_deref()
    }

    /// Returns where an input with columns of the given names has each field.
    ///
    /// # Errors
    /// Names the column that was given to a field, or that is needed, and is not there or is
    /// there twice.
    pub fn places(&self, names: &[String], needed: &[usize]) -> Result<Vec<Option<Place>>, String> {
        let place = |at: usize| {
            let place = self.place(at, names)?;
            match place {
                None if needed.contains(&at) => Err(missing(self.fields[at], None, names)),
                place => Ok(place),
            }
        };
        (0..self.fields.len()).map(place).collect()
    }

    /// Returns all names under which a form without a header may have the fields, and which of
    /// them are each field's.
    pub fn keys(&self) -> (Vec<String>, Vec<Key>) {
        let mut names: Vec<String> = Vec::new();
        let mut number = |name: &str| {
            let found = names.iter().position(|known| known == name);
            found.unwrap_or_else(|| {
                names.push(name.to_owned());
                names.len() - 1
            })
        };
        let keys = (0..self.fields.len()).map(|at| {
            let column = self.given(at).unwrap_or(self.fields[at]);
            let levels = self.levels(at).unwrap_or_default();
            Key { whole: number(column), levels: levels.into_iter().map(&mut number).collect() }
        });
        let keys = keys.collect();
        (names, keys)
    }

    fn field(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| *field == name)
    }

    fn place(&self, at: usize, names: &[String]) -> Result<Option<Place>, String> {
        let field = self.fields[at];
        let column = self.given(at).unwrap_or(field);
        if let Some(place) = only(column, names)? {
            return Ok(Some(Place::Whole(place)));
        }
        let Some(levels) = self.levels(at) else {
            let is_given = self.given(at).is_some();
            return if is_given { Err(missing(column, Some(field), names)) } else { Ok(None) };
        };
        let level = |name: &str| only(name, names)?.ok_or_else(|| missing(name, Some(field), names));
        Ok(Some(Place::Levels(levels.into_iter().map(level).collect::<Result<_, _>>()?)))
    }

    /// Returns the columns that hold one level each, where a field was given such.
    fn levels(&self, at: usize) -> Option<Vec<&str>> {
        let column = self.given(at).filter(|column| self.fields[at] == CATEGORY && column.contains('/'))?;
        let levels: Vec<&str> = column.strip_suffix('/').unwrap_or(column).split('/').collect();
        levels.iter().all(|level| !level.is_empty()).then_some(levels)
    }

    fn read_file(&mut self, file: &str) -> Result<(), MappingError> {
        let text = std::fs::read_to_string(file)
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
                    return Err(bad(at, format!("{ASSUME_UTC} is true or false")));
                }
                (_, None) => {
                    let fields = self.fields.join(", ");
                    return Err(bad(at, format!("`{key}` is no field; there are {fields}")));
                }
                (DeValue::String(column), Some(field)) if !column.is_empty() => {
                    self.columns[field] = Some(column.to_string());
                }
                (_, Some(_)) => {
                    return Err(bad(at, format!("{key} is to be the name of a column, in quotes")));
                }
            }
        }
        Ok(())
    }
}

/// Returns where the one column of a name is.
fn only(column: &str, names: &[String]) -> Result<Option<usize>, String> {
    let mut found = (0..names.len()).filter(|&at| names[at] == column);
    let first = found.next();
    match found.next() {
        Some(_) => Err(format!("names `{}` twice", escape_control(column))),
        None => Ok(first),
    }
}

fn missing(column: &str, field: Option<&str>, names: &[String]) -> String {
    let mut reason = format!("has no column `{}`", escape_control(column));
    if let Some(field) = field {
        // Writing to a text cannot fail.
        let _ = write!(reason, ", which is to give {field}");
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
        let places = mapping.and_then(|mapping| mapping.places(&names, &[0, 1]));
        let shown = places.map(|places| {
            let place = |place: &Option<Place>| match place {
                None => "-".to_owned(),
                Some(Place::Whole(at)) => names[*at].clone(),
                Some(Place::Levels(levels)) => format!("{levels:?}"),
            };
            places.iter().map(place).collect::<Vec<_>>().join(" ")
        });
        assert_eq!(shown.as_deref().map_err(String::as_str), expected, "{words:?}");
    }

    #[test]
    fn fields_are_found_where_the_mapping_says() {
        check("", "item_id ts x", Ok("ts item_id - -"));
        check("ts=when item_id=sku", "sku when item_id category", Ok("when sku category -"));
        check("category=a/b", "ts item_id b a", Ok("ts item_id [3, 2] -"));
        check("category=a/b", "ts item_id b a a/b", Ok("ts item_id a/b -"));
        check("category=a/", "ts item_id a", Ok("ts item_id [2] -"));
        check("category=a", "ts item_id a", Ok("ts item_id a -"));
        check("amount=item_id", "ts item_id", Ok("ts item_id - item_id"));
    }

    #[test]
    fn what_cannot_be_found_is_named() {
        check("", "ts x", Err("has no column `item_id`; its columns are: ts, x"));
        let lost = Err("has no column `paid`, which is to give amount; its columns are: ts, item_id, amount");
        check("amount=paid", "ts item_id amount", lost);
        let lost = Err("has no column `b`, which is to give category; its columns are: ts, item_id, a");
        check("category=a/b", "ts item_id a", lost);
        let lost = Err("has no column `a//b`, which is to give category; its columns are: ts, item_id, a, b");
        check("category=a//b", "ts item_id a b", lost);
        let lost = Err("has no column `a/b`, which is to give amount; its columns are: ts, item_id, a, b");
        check("amount=a/b", "ts item_id a b", lost);
        check("", "ts item_id ts", Err("names `ts` twice"));
        check("", "ts item_id x x", Ok("ts item_id - -"));
        check("price=x", "ts", Err("`price=x` maps no field; there are ts, item_id, category, amount"));
        check("ts=", "ts", Err("`ts=` names no column; write FIELD=COLUMN"));
        check("ts=a ts=b", "a b", Err("ts is mapped twice"));
    }
}
