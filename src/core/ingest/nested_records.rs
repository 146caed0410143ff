//! JSON records whose fields are paths, or that are filtered, filled or composed.
//!
//! A record with an array of items is one event for each element. Of events with the same id and item in
//! one record, the later ones have a number at their id, in the order of their content: their order in the
//! array may be another one when the record is sent again. An item with an id of its own needs no number.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::ingest::batch_builder::{BatchBuilder, OnRejection};
use crate::ingest::fields::{AMOUNT, CATEGORIES, CATEGORY, EVENT_ID, FIELDS, ITEM_ID, QUANTITY, REQUIRED};
use crate::ingest::json_paths::{JsonPaths, Row, Seen};
use crate::ingest::json_values::{identifier, path_list, scalar, without_exponent};
use crate::ingest::ndjson::not_an_object;
use crate::ingest::raw_event::Rejection;
use crate::ingest::record_mapper::{Beside, RecordMapper, Value};
use crate::input_format::{FieldColumns, Filter, Mapping};
use crate::model::PathSet;

/// The number of bytes that are kept of a record for each of its items that is rejected after the first.
const SHOWN_BYTES: usize = 1 << 10;

/// Where one of the two is mapped, the default name of the other is ignored.
const CATEGORY_FIELDS: [(usize, usize); 2] = [(CATEGORY, CATEGORIES), (CATEGORIES, CATEGORY)];

/// Whether a record has items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Items {
    None,
    Some,
}

/// Parses such records.
pub(super) struct NestedRecords<'a> {
    mapping: &'a Mapping,
    /// The paths, and the field that each is read for; a path of the filter has none.
    names: Vec<String>,
    fields: Vec<Option<usize>>,
    paths: JsonPaths,
    /// The paths of an item's own part of the event id.
    item_ids: Vec<usize>,
    mapper: RecordMapper<'a>,
    /// What was in all records, and in those that are not filtered.
    seen: Seen,
    used: Seen,
    used_records: u64,
}

/// The values of one row.
struct Values<'r> {
    values: Vec<Value<'r>>,
    path_set: Option<PathSet>,
    /// Why the row is no event, unless it is filtered.
    rejection: Option<Rejection>,
}

impl NestedRecords<'_> {
    /// Returns a parser where the mapping needs one.
    ///
    /// # Errors
    /// Says why the paths cannot be used.
    pub fn of(mapping: &Mapping) -> Result<Option<NestedRecords<'_>>, String> {
        if !is_needed(mapping) {
            return Ok(None);
        }
        let is_in_array = mapping.names_of(ITEM_ID).iter().any(|name| JsonPaths::is_in_array(name));
        let (mut names, mut fields) = (Vec::new(), Vec::new());
        for (field, name) in FIELDS.iter().enumerate() {
            let sources = mapping.names_of(field);
            let is_of_item = sources.iter().any(|name| JsonPaths::is_in_array(name));
            if is_in_array && !is_of_item && [QUANTITY, AMOUNT].contains(&field) {
                // The value of the whole record would count for each of its items.
                match mapping.column(field) {
                    Some(column) => return Err(of_whole_record(name, column)),
                    None => continue,
                }
            }
            let is_other = |(one, other): &(usize, usize)| *one == field && mapping.column(*other).is_some();
            if mapping.column(field).is_none() && CATEGORY_FIELDS.iter().any(is_other) {
                continue;
            }
            for name in sources {
                add(name, Some(field), &mut names, &mut fields);
            }
        }
        let options = mapping.options();
        let of_filter = options.filter.iter().flat_map(Filter::columns);
        for name in of_filter.chain(&options.fill) {
            add(name, None, &mut names, &mut fields);
        }
        let paths = JsonPaths::of(&names)?;
        let is_item_id = |name: &&str| JsonPaths::is_in_array(name);
        let item_ids = mapping.names_of(EVENT_ID).into_iter().filter(is_item_id);
        let item_ids = item_ids.filter_map(|name| names.iter().position(|known| known == name)).collect();
        let mapper = RecordMapper::of(mapping, &names)?;
        let (seen, used) = (Seen::default(), Seen::default());
        Ok(Some(NestedRecords {
            mapping,
            names,
            fields,
            paths,
            item_ids,
            mapper,
            seen,
            used,
            used_records: 0,
        }))
    }

    /// Returns the paths.
    pub fn paths(&self) -> &[String] {
        &self.names
    }

    /// Returns the first path that is needed and is not there, and what it is for.
    pub fn lacks(&self, is_there: impl Fn(&str) -> bool) -> Option<(&str, String)> {
        self.names.iter().zip(&self.fields).find_map(|(name, &field)| {
            let what = match field {
                None => "--where or --fill needs".to_owned(),
                Some(field) if self.mapping.must_have(field, REQUIRED) => {
                    format!("{} is mapped to", FIELDS[field])
                }
                Some(field) if REQUIRED.contains(&field) => "is required".to_owned(),
                Some(_) => return None,
            };
            (!is_there(name)).then_some((name.as_str(), what))
        })
    }

    /// Parses a record and adds its events to a batch; `beside` is a time beside it.
    ///
    /// # Errors
    /// Returns why the record is no event, where it is none of several.
    pub fn parse<'b>(
        &mut self,
        record: &str,
        beside: Option<&str>,
        into: &mut BatchBuilder<'b>,
        reject: &mut OnRejection<'_, 'b>,
    ) -> Result<Items, Rejection> {
        let mut seen = Seen::default();
        let rows = self.paths.rows(record, &mut seen).map_err(|error| not_an_object(&error))?;
        let mut values: Vec<Values<'_>> = rows.items.iter().map(|row| self.values(row)).collect();
        values.retain_mut(|values| !self.mapper.filters_out(&mut values.values));
        let is_used = match &rows.items[..] {
            [] => !self.mapper.filters_out(&mut self.values(&rows.root).values),
            _ => !values.is_empty(),
        };
        self.seen.merge(&seen);
        if is_used {
            self.used.merge(&seen);
            self.used_records += 1;
        }
        if rows.items.is_empty() {
            return Ok(Items::None);
        }
        if !self.paths.has_arrays() {
            match values.pop() {
                Some(values) => self.accept(values, beside, 0, into)?,
                None => into.filter_line(),
            }
            return Ok(Items::Some);
        }
        let occurrences = self.occurrences(&values);
        into.nested_line(|into| {
            let mut shown = record;
            for (values, occurrence) in values.into_iter().zip(occurrences) {
                if let Err(rejection) = self.accept(values, beside, occurrence, into) {
                    reject(into, rejection, shown.as_bytes());
                    shown = &record[..record.floor_char_boundary(SHOWN_BYTES)];
                }
            }
        });
        Ok(Items::Some)
    }

    /// Returns the path of a mapped field, or of the filter, that was in no record, and what it is for.
    pub fn missing(&self) -> Option<(String, String)> {
        let is_missing =
            |seen: &Seen, path: usize| !seen.has(path, JsonPaths::is_in_array(&self.names[path]));
        let paths = 0..self.names.len();
        let of_filter = |path: &usize| self.fields[*path].is_none() && is_missing(&self.seen, *path);
        if let Some(path) = paths.clone().find(of_filter) {
            return Some((self.names[path].clone(), "--where or --fill needs".to_owned()));
        }
        let of_field = |path: usize| {
            let field = self.fields[path].filter(|&field| self.mapping.must_have(field, REQUIRED))?;
            is_missing(&self.used, path)
                .then(|| (self.names[path].clone(), format!("{} is mapped to", FIELDS[field])))
        };
        paths.filter(|_| self.used_records > 0).find_map(of_field)
    }

    fn values<'r>(&self, row: &'r Row<'_>) -> Values<'r> {
        let mut found = Values { values: Vec::with_capacity(row.len()), path_set: None, rejection: None };
        for (raw, field) in row.iter().zip(&self.fields) {
            let value = match (raw.as_deref(), *field) {
                (Some(raw), Some(CATEGORY | CATEGORIES)) if raw.starts_with('[') => {
                    path_list(raw).map(|paths| {
                        found.path_set = Some(paths);
                        None
                    })
                }
                (raw, Some(field @ (EVENT_ID | ITEM_ID))) => identifier(FIELDS[field], raw),
                (raw, Some(QUANTITY)) => {
                    scalar(FIELDS[QUANTITY], raw).map(|value| value.map(without_exponent))
                }
                (raw, Some(field)) => scalar(FIELDS[field], raw),
                // A filter may compare with true and false, and finds nothing in an array.
                (Some(raw @ ("true" | "false")), None) => Ok(Some(Cow::Borrowed(raw))),
                (raw, None) => Ok(scalar("", raw).unwrap_or(None)),
            };
            found.values.push(value.unwrap_or_else(|rejection| {
                found.rejection.get_or_insert(rejection);
                None
            }));
        }
        found
    }

    fn accept(
        &self,
        values: Values<'_>,
        beside: Option<&str>,
        occurrence: usize,
        into: &mut BatchBuilder<'_>,
    ) -> Result<(), Rejection> {
        if let Some(rejection) = values.rejection {
            return Err(rejection);
        }
        let beside = Beside { time: beside, path_set: values.path_set, occurrence };
        self.mapper.accept_used(&values.values, beside, into)
    }

    /// Returns how many events with the same ids come before each, by their content.
    fn occurrences(&self, rows: &[Values<'_>]) -> Vec<usize> {
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by(|&one, &other| rows[one].values.cmp(&rows[other].values));
        let mut counts: HashMap<[Value<'_>; 2], usize> = HashMap::new();
        let mut occurrences = vec![0; rows.len()];
        let has_item_id = |row: usize| {
            self.item_ids
                .iter()
                .any(|&path| rows[row].values[path].as_deref().is_some_and(|id| !id.is_empty()))
        };
        for row in order.into_iter().filter(|&row| !has_item_id(row)) {
            if let ids @ [Some(_), Some(_)] = self.mapper.ids(&rows[row].values) {
                let count = counts.entry(ids).or_default();
                occurrences[row] = *count;
                *count += 1;
            }
        }
        occurrences
    }
}

/// Returns whether some field is not simply the value of a key, or records are filtered or filled.
fn is_needed(mapping: &Mapping) -> bool {
    let (_, keys) = mapping.keys();
    let is_composed =
        |field: usize| matches!(keys[field].parts, Some(FieldColumns::Joined(_) | FieldColumns::Product(..)));
    let has_path = |field: usize| {
        mapping.column(field).is_some() && mapping.names_of(field).iter().any(|name| JsonPaths::is_path(name))
    };
    mapping.options().needs_records() || (0..FIELDS.len()).any(|field| is_composed(field) || has_path(field))
}

fn add(name: &str, field: Option<usize>, names: &mut Vec<String>, fields: &mut Vec<Option<usize>>) {
    match names.iter().position(|known| known == name) {
        // An identifier is read as one, whatever else it is read for.
        Some(known) if field.is_some_and(|field| [EVENT_ID, ITEM_ID].contains(&field)) => {
            fields[known] = field;
        }
        Some(_) => {}
        None => {
            names.push(name.to_owned());
            fields.push(field);
        }
    }
}

fn of_whole_record(field: &str, column: &str) -> String {
    format!(
        "{field} is mapped to `{column}` of the whole record, which would count for each of its items; map it \
         to a value of the items, such as items[].price*items[].quantity"
    )
}
