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

use serde_json::{Map, Value};

/// A body that has no `CloudEvents`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body is not {expected} in JSON: {reason}")]
pub struct NoCloudEvents {
    expected: &'static str,
    reason: String,
}

/// Returns a body of `CloudEvents` as NDJSON, one line for each.
///
/// # Errors
/// Says why the body is not what its content type says.
pub fn as_ndjson(body: &[u8], is_batch: bool) -> Result<Vec<u8>, NoCloudEvents> {
    let expected = if is_batch { "a batch of CloudEvents" } else { "a CloudEvent" };
    let refuse = |reason: String| NoCloudEvents { expected, reason };
    let events: Vec<Map<String, Value>> = match is_batch {
        true => serde_json::from_slice(body).map_err(|e| refuse(e.to_string()))?,
        false => vec![serde_json::from_slice(body).map_err(|e| refuse(e.to_string()))?],
    };
    let mut lines = Vec::new();
    for event in events {
        let record = record(event).map_err(refuse)?;
        serde_json::to_writer(&mut lines, &record).expect("a value is JSON");
        lines.push(b'\n');
    }
    Ok(lines)
}

fn record(mut event: Map<String, Value>) -> Result<Map<String, Value>, String> {
    if event.get("specversion").and_then(Value::as_str) != Some("1.0") {
        return Err("`specversion` is not \"1.0\"".to_owned());
    }
    let mut record = match event.remove("data") {
        Some(Value::Object(data)) => data,
        None | Some(Value::Null) => Map::new(),
        Some(_) => return Err("`data` is not an object".to_owned()),
    };
    let mut text = |name: &str| match event.remove(name) {
        Some(Value::String(text)) => Ok(Some(text)),
        None => Ok(None),
        Some(_) => Err(format!("`{name}` is not a text")),
    };
    let (source, id) = (text("source")?, text("id")?);
    let (Some(source), Some(id)) = (source, id) else {
        return Err("`source` or `id` is missing".to_owned());
    };
    record.insert("event_id".to_owned(), Value::String(format!("{source}#{id}")));
    for (attribute, field) in [("type", "event_type"), ("subject", "item_id"), ("time", "ts")] {
        if let Some(value) = text(attribute)? {
            record.insert(field.to_owned(), Value::String(value));
        }
    }
    Ok(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_become_fields_and_data_adds_others() {
        let body = br#"{"specversion":"1.0","id":"17","source":"/shop","type":"view","subject":"mug",
            "time":"2017-01-14T10:00:00Z","datacontenttype":"application/json","data":{"quantity":2,"item_id":"no"}}"#;
        let lines = as_ndjson(body, false).expect("it is one");
        let record: Value = serde_json::from_slice(&lines).expect("a line is JSON");
        assert_eq!(
            record,
            serde_json::json!({"event_id":"/shop#17","event_type":"view","item_id":"mug","quantity":2,
                "ts":"2017-01-14T10:00:00Z"})
        );
        let batch = [b"[", &body[..], b",", &body[..], b"]"].concat();
        assert_eq!(as_ndjson(&batch, true).expect("they are two"), [&lines[..], &lines[..]].concat());
    }

    #[test]
    fn what_is_no_cloud_event_is_refused() {
        for body in [
            "",
            "[]",
            "{}",
            r#"{"specversion":"0.3","id":"1","source":"s"}"#,
            r#"{"specversion":"1.0","source":"s"}"#,
            r#"{"specversion":"1.0","id":1,"source":"s"}"#,
            r#"{"specversion":"1.0","id":"1","source":"s","data":"text"}"#,
        ] {
            assert!(as_ndjson(body.as_bytes(), false).is_err(), "{body}");
        }
        assert_eq!(as_ndjson(b"[]", true), Ok(Vec::new()));
    }
}
