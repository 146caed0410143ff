//! Text that is nearly one JSON object: several of them, one with something beside it, or with numbers that
//! JSON does not have.

use std::collections::BTreeMap;

use serde_json::Deserializer;
use serde_json::value::RawValue;

use crate::ingest::json_values::scalar;
use crate::ingest::raw_event::Rejection;
use crate::input_format::{container_log_line, fluent_bit_record};

/// The keys under which a log shipper passes on a message, and its time.
const MESSAGES: [&str; 4] = ["log", "message", "MESSAGE", "msg"];
const TIMES: [&str; 4] = ["@timestamp", "time", "timestamp", "date"];
/// Those of a shipper's own time in a record that is no message.
const OWN_TIME: &str = "@timestamp";

/// The numbers of Python and JavaScript that JSON does not have; the longest first.
const NOT_FINITE: [&str; 3] = ["-Infinity", "Infinity", "NaN"];

/// What a log shipper has put around a record.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Envelope {
    pub time: Option<String>,
    /// The record in a text; none where it is the whole.
    pub record: Option<String>,
}

/// Returns the time beside the record, if there is one, and the record.
pub(super) fn split_line(line: &[u8]) -> Result<(Option<&str>, &str), Rejection> {
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    let text = std::str::from_utf8(line).map_err(|_| Rejection::not_utf8(None))?;
    // serde_json would deserialize an array as the fields in their order.
    if text.trim_start().starts_with('{') {
        return Ok((None, text));
    }
    let (time, record) = match (fluent_bit_record(text), container_log_line(text)) {
        (Some(line), _) => (Some(line.time), line.record.trim_end().strip_suffix(']')),
        (None, Some(line)) if line.is_partial => {
            return Err(Rejection::of_line(
                "part of a line that the container runtime has split; join its parts in the log shipper",
            ));
        }
        (None, Some(line)) => (Some(line.time), Some(line.message)),
        (None, None) => (None, None),
    };
    match record.filter(|record| record.trim_start().starts_with('{')) {
        Some(record) => Ok((time, record)),
        None => Err(Rejection::of_line("not a JSON object")),
    }
}

/// Returns what a log shipper has put around a record.
pub(super) fn envelope(record: &str) -> Envelope {
    let Ok(members) = serde_json::from_str::<BTreeMap<String, &RawValue>>(record) else {
        return Envelope::default();
    };
    let text = |key: &str| {
        let raw = members.get(key).map(|raw| raw.get());
        scalar(key, raw).ok().flatten().map(|text| text.trim().to_owned())
    };
    let is_object = |text: &String| text.starts_with('{') && serde_json::from_str::<&RawValue>(text).is_ok();
    match MESSAGES.iter().find_map(|key| text(key).filter(is_object)) {
        Some(record) => Envelope { time: TIMES.iter().find_map(|key| text(key)), record: Some(record) },
        None => Envelope { time: text(OWN_TIME), record: None },
    }
}

/// Returns the names of the keys of a record, as paths.
pub(super) fn key_names(record: &str) -> Vec<String> {
    let mut names = Vec::new();
    if let Ok(value) = serde_json::from_str::<serde_json::Value>(record) {
        add_names("", &value, &mut names);
    }
    names
}

fn add_names(path: &str, value: &serde_json::Value, names: &mut Vec<String>) {
    const MAX_NAMES: usize = 20;
    match value {
        _ if names.len() >= MAX_NAMES => {}
        serde_json::Value::Object(members) => {
            for (key, value) in members {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                add_names(&path, value, names);
            }
        }
        serde_json::Value::Array(values) if values.first().is_some_and(serde_json::Value::is_object) => {
            add_names(&format!("{path}[]"), &values[0], names);
        }
        _ => names.push(path.to_owned()),
    }
}

/// Returns the objects of a line, and as the last part what follows them and is none.
pub(super) fn objects(line: &[u8]) -> Vec<&[u8]> {
    let mut objects = Vec::new();
    let mut parser = Deserializer::from_slice(line).into_iter::<&RawValue>();
    let mut start = 0;
    while start < line.len() {
        let is_object = matches!(parser.next(), Some(Ok(value)) if value.get().starts_with('{'));
        if !is_object {
            break;
        }
        let end = parser.byte_offset();
        objects.push(line[start..end].trim_ascii());
        start = end;
    }
    let rest = line[start..].trim_ascii();
    if !rest.is_empty() {
        objects.push(rest);
    }
    objects
}

/// Returns the text with null in the place of numbers that are not finite; `None` where it has none.
pub(super) fn without_infinities(text: &str) -> Option<String> {
    let mut finite = String::new();
    let mut copied = 0;
    let (mut is_in_string, mut is_escaped) = (false, false);
    let mut at = 0;
    while at < text.len() {
        let byte = text.as_bytes()[at];
        let found = match byte {
            _ if is_escaped => {
                is_escaped = false;
                None
            }
            b'\\' if is_in_string => {
                is_escaped = true;
                None
            }
            b'"' => {
                is_in_string = !is_in_string;
                None
            }
            b'-' | b'I' | b'N' if !is_in_string => {
                NOT_FINITE.iter().find(|name| text.as_bytes()[at..].starts_with(name.as_bytes()))
            }
            _ => None,
        };
        let Some(name) = found else {
            at += 1;
            continue;
        };
        finite.push_str(&text[copied..at]);
        finite.push_str("null");
        at += name.len();
        copied = at;
    }
    (copied > 0).then(|| finite + &text[copied..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_several_objects_is_split() {
        let check = |line: &str, expected: &[&str]| {
            let got: Vec<&str> = objects(line.as_bytes())
                .into_iter()
                .map(|object| std::str::from_utf8(object).expect("it is cut at brackets"))
                .collect();
            assert_eq!(got, expected, "{line}");
        };
        check(r#"{"a":1}"#, &[r#"{"a":1}"#]);
        check(r#"{"a":1}{"b":"}{"} {"c":3}"#, &[r#"{"a":1}"#, r#"{"b":"}{"}"#, r#"{"c":3}"#]);
        check(r#"{"a":1} x {"b":2}"#, &[r#"{"a":1}"#, r#"x {"b":2}"#]);
        check(r#"{"a":1}{"b":"#, &[r#"{"a":1}"#, r#"{"b":"#]);
        check("x", &["x"]);
        check("1 2", &["1 2"]);
        check("", &[]);
    }

    #[test]
    fn the_record_of_a_log_shipper_is_found() {
        let check = |record: &str, time: Option<&str>, inner: Option<&str>| {
            let expected = Envelope { time: time.map(str::to_owned), record: inner.map(str::to_owned) };
            assert_eq!(envelope(record), expected, "{record}");
        };
        check(r#"{"log":"{\"a\":1}\n","time":"T"}"#, Some("T"), Some(r#"{"a":1}"#));
        check(
            r#"{"message":"{\"a\":1}","@timestamp":"T","log":{"file":"x"}}"#,
            Some("T"),
            Some(r#"{"a":1}"#),
        );
        check(r#"{"@timestamp":"T","a":1}"#, Some("T"), None);
        check(r#"{"time":"T","log":"{"}"#, None, None);
        check("{", None, None);
    }

    #[test]
    fn names_of_keys_are_paths() {
        let names = key_names(r#"{"a":1,"b":{"c":[{"d":1},{"e":1}],"f":[1]}}"#);
        assert_eq!(names, ["a", "b.c[].d", "b.f"]);
    }

    #[test]
    fn numbers_that_are_not_finite_are_null() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(without_infinities(text).as_deref(), expected, "{text}");
        };
        check(r#"{"a":NaN,"b":-Infinity,"c":[Infinity]}"#, Some(r#"{"a":null,"b":null,"c":[null]}"#));
        check(r#"{"a":"NaN \" NaN","é":NaN}"#, Some(r#"{"a":"NaN \" NaN","é":null}"#));
        check(r#"{"a":"NaN","b":-1}"#, None);
    }
}
