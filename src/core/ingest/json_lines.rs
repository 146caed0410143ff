//! Lines of JSON, parsed into events.
//!
//! A record whose fields have a key each is parsed by [`JsonFastPath`] or [`ndjson`]; where a field is a
//! path, or records are filtered, by [`NestedRecords`]. What is not right at first is looked at again: a line
//! may be several objects, have numbers that JSON does not have, or a record that a log shipper has put into a text.
//!
//! Invariant: a line that is right at first costs nothing more.

use crate::ingest::batch_builder::{BatchBuilder, OnRejection};
use crate::ingest::json_fast_path::JsonFastPath;
use crate::ingest::json_text::{envelope, key_names, objects, split_line, without_infinities};
use crate::ingest::ndjson::{self, Keys};
use crate::ingest::nested_records::{Items, NestedRecords};
use crate::ingest::raw_event::Rejection;
use crate::ingest::unread_columns::unread_columns;
use crate::input_format::Mapping;

/// Parses lines.
pub(super) struct JsonLines<'a> {
    mapping: &'a Mapping,
    keys: Keys,
    /// Parses most lines.
    fast_path: Option<JsonFastPath>,
    nested: Result<Option<NestedRecords<'a>>, String>,
    /// The keys of the first record.
    names: Vec<String>,
}

impl JsonLines<'_> {
    /// Returns a parser for a mapping.
    pub fn of(mapping: &Mapping) -> JsonLines<'_> {
        let (keys, nested) = (Keys::of(mapping), NestedRecords::of(mapping));
        let is_flat = matches!(nested, Ok(None));
        let fast_path = JsonFastPath::of(&keys).filter(|_| is_flat);
        JsonLines { mapping, keys, fast_path, nested, names: Vec::new() }
    }

    /// Checks the mapping.
    ///
    /// # Errors
    /// Says why it cannot be used.
    pub fn check(&self) -> Result<(), String> {
        self.nested.as_ref().map(|_| ()).map_err(Clone::clone)
    }

    /// Checks that every mapped key was in a record.
    ///
    /// # Errors
    /// Names the key that was in none.
    pub fn check_keys(&self) -> Result<(), String> {
        if self.names.is_empty() {
            return Ok(());
        }
        let missing = match &self.nested {
            Ok(Some(nested)) => nested.missing(),
            _ => self.keys.missing().map(|(key, field)| (key.to_owned(), format!("{field} is mapped to"))),
        };
        let Some((key, what)) = missing else { return Ok(()) };
        let names = self.names.join(", ");
        Err(format!("no line has the key `{key}`, which {what}; the keys are: {names}"))
    }

    /// Returns whether [`JsonLines::parse_fast`] may accept a line.
    pub fn has_fast_path(&self) -> bool {
        !self.names.is_empty() && self.fast_path.as_ref().is_some_and(JsonFastPath::is_useful)
    }

    /// Returns the beginning of some bytes whose lines may be accepted by it.
    pub fn beginning<'b>(&self, bytes: &'b [u8]) -> &'b str {
        self.fast_path.as_ref().map_or("", |_| JsonFastPath::beginning(bytes))
    }

    /// Adds the event of the first line of a beginning to a batch, and returns the length of the line; `None`
    /// where the line was not accepted.
    pub fn parse_fast(&mut self, text: &str, into: &mut BatchBuilder<'_>) -> Option<usize> {
        self.fast_path.as_mut()?.parse(text, &self.keys, into)
    }

    /// Leaves every line to the parser of all lines.
    #[cfg(test)]
    pub fn without_fast_path(&mut self) {
        self.fast_path = None;
    }

    /// Parses a line and adds its events to a batch.
    pub fn parse<'b>(&mut self, line: &[u8], into: &mut BatchBuilder<'b>, reject: &mut OnRejection<'_, 'b>) {
        let Err(rejection) = self.parse_object(line, into, reject) else { return };
        if rejection.column.is_some() {
            return reject(into, rejection, line);
        }
        let finite = std::str::from_utf8(line).ok().and_then(without_infinities);
        let text = finite.as_deref().map_or(line, str::as_bytes);
        let objects = objects(text);
        if objects.len() <= 1 && finite.is_none() {
            return reject(into, rejection, line);
        }
        let is_whole = objects.len() == 1;
        for object in objects {
            if let Err(rejection) = self.parse_object(object, into, reject) {
                reject(into, rejection, if is_whole { line } else { object });
            }
        }
    }

    /// Parses one object, and looks into what a log shipper has put around it where it is no event itself.
    fn parse_object<'b>(
        &mut self,
        line: &[u8],
        into: &mut BatchBuilder<'b>,
        reject: &mut OnRejection<'_, 'b>,
    ) -> Result<(), Rejection> {
        let (beside, record) = split_line(line)?;
        if self.names.is_empty() {
            self.names = key_names(record);
            // By the first record: others may have other keys.
            for (kind, detail) in unread_columns(&self.names, self.mapping) {
                into.notice(kind, 1, &detail);
            }
        }
        let outcome = self.parse_record(record, beside, into, reject);
        let is_looked_into = match &outcome {
            Ok(items) => *items == Items::None,
            Err(rejection) => rejection.is_of_missing(),
        };
        if !is_looked_into {
            return outcome.map(|_| ());
        }
        let envelope = envelope(record);
        let time = beside.or(envelope.time.as_deref());
        let again = match &envelope.record {
            Some(inner) => self.parse_record(inner, time, into, reject),
            None if outcome.is_err() && time.is_some() => self.parse_record(record, time, into, reject),
            None => outcome,
        };
        if again? == Items::None {
            into.filter_line();
        }
        Ok(())
    }

    fn parse_record<'b>(
        &mut self,
        record: &str,
        beside: Option<&str>,
        into: &mut BatchBuilder<'b>,
        reject: &mut OnRejection<'_, 'b>,
    ) -> Result<Items, Rejection> {
        match &mut self.nested {
            Ok(Some(nested)) => nested.parse(record, beside, into, reject),
            _ => ndjson::parse_record(record, beside, &self.keys, into).map(|()| Items::Some),
        }
    }
}
