//! `CloudEvents` in JSON, structured or as a batch, as the records that the engine reads.
//!
//! | attribute | field |
//! |---|---|
//! | `source` and `id`, which together are unique | `event_id`: `source#id` |
//! | `type` | `event_type` |
//! | `subject` | `item_id` |
//! | `time` | `ts` |
//! | `data` | its fields, such as `quantity`, `amount`, `categories`; they do not replace those above |
//!
//! The format is that of <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md>.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};

use serde_json::value::{RawValue, to_raw_value};

use topsell_core::ingest::RequestError;
use topsell_core::input_format::{Format, Source, SourceError, TextOptions, open_body, read_error};

/// A JSON object whose values are kept as they were written, with all their digits.
type Fields = BTreeMap<String, Box<RawValue>>;

/// Returns the events of a body, one or an array of them, as NDJSON: a line for each. What is no `CloudEvent` is left as it
/// is, to be rejected by its line.
///
/// # Errors
/// Says why the body cannot be read.
pub fn as_ndjson(body: &[u8], max_bytes: u64) -> Result<Vec<u8>, RequestError> {
    let source = open_body(body, Some(Format::Ndjson), TextOptions::default())?;
    let Source::Text { reader, .. } = source else { return Err(SourceError::UnknownFormat.into()) };
    let mut reader = BufReader::new(reader.take(max_bytes + 1));
    let (mut lines, mut line, mut size_bytes) = (Vec::new(), Vec::new(), 0);
    while reader.read_until(b'\n', &mut line).map_err(read_error)? > 0 {
        size_bytes += line.len() as u64;
        if size_bytes > max_bytes {
            return Err(RequestError::TooLarge { max_bytes });
        }
        match serde_json::from_slice(&line).ok().and_then(record) {
            Some(record) => serde_json::to_writer(&mut lines, &record).expect("fields are JSON"),
            None => lines.extend_from_slice(line.trim_ascii()),
        }
        if lines.last().is_some_and(|last| *last != b'\n') {
            lines.push(b'\n');
        }
        line.clear();
    }
    Ok(lines)
}

/// Returns the fields of an event; none where it is no `CloudEvent`.
fn record(mut event: Fields) -> Option<Fields> {
    let mut text = |name: &str| -> Option<String> { serde_json::from_str(event.remove(name)?.get()).ok() };
    (text("specversion")? == "1.0").then_some(())?;
    let (source, id) = (text("source")?, text("id")?);
    let attributes = [("type", "event_type"), ("subject", "item_id"), ("time", "ts")];
    let attributes: Vec<_> = attributes.into_iter().map(|(name, field)| (field, text(name))).collect();
    let mut record: Fields = match event.remove("data") {
        None => Fields::new(),
        Some(data) => serde_json::from_str::<Option<Fields>>(data.get()).ok()?.unwrap_or_default(),
    };
    let mut set = |field: &str, value: &str| {
        let value = to_raw_value(value).expect("a text is JSON");
        record.insert(field.to_owned(), value);
    };
    set("event_id", &format!("{source}#{id}"));
    for (field, value) in attributes {
        if let Some(value) = value {
            set(field, &value);
        }
    }
    Some(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    use serde_json::Value;

    const EVENT: &str = r#"{"specversion":"1.0","id":"17","source":"/shop","type":"view","subject":"mug",
        "time":"2017-01-14T10:00:00Z","datacontenttype":"application/json",
        "data":{"quantity":2,"amount":12345678901234.5678,"item_id":"no"}}"#;

    fn lines(body: &str) -> Vec<String> {
        let lines = as_ndjson(body.as_bytes(), 1 << 20).expect("it can be read");
        String::from_utf8(lines).expect("JSON is text").lines().map(str::to_owned).collect()
    }

    #[test]
    fn attributes_become_fields_and_data_adds_others() {
        let expected = r#"{"amount":12345678901234.5678,"event_id":"/shop#17","event_type":"view","item_id":"mug","quantity":2,"ts":"2017-01-14T10:00:00Z"}"#;
        assert_eq!(lines(EVENT), [expected]);
        assert_eq!(lines(&format!("[{EVENT},{EVENT}]")), [expected, expected]);
    }

    #[test]
    fn what_is_no_cloud_event_is_left_to_be_rejected() {
        for body in [
            "{}",
            r#"{"specversion":"0.3","id":"1","source":"s"}"#,
            r#"{"specversion":"1.0","source":"s"}"#,
            r#"{"specversion":"1.0","id":1,"source":"s"}"#,
            r#"{"specversion":"1.0","id":"1","source":"s","data":"text"}"#,
        ] {
            let both = lines(&format!("[{body},{EVENT}]"));
            assert_eq!(both.len(), 2, "{body}");
            let parsed = |text: &str| serde_json::from_str::<Value>(text).expect("it is JSON");
            assert_eq!(parsed(&both[0]), parsed(body));
        }
        assert!(as_ndjson(EVENT.as_bytes(), 10).is_err(), "it is too large");
    }
}
