//! The lines that a server logs, as text or as JSON.
//!
//! Invariant: an entry is one line, whatever a client has sent.

use std::net::SocketAddr;
use std::sync::Arc;

use serde::Serialize;

use topsell_core::model::{Timestamp, escape_control};

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

/// How urgent a logged line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    Info,
    Warning,
    Error,
}

/// Takes the lines that the server logs.
pub type LogLine = Arc<dyn Fn(LogLevel, &str) + Send + Sync>;

/// Takes requests that were answered.
#[derive(Clone)]
pub struct AccessLog {
    /// Whether only those are logged that were not answered as they were meant, with a status of 400 or more.
    pub errors_only: bool,
    pub write: Arc<dyn Fn(&AccessRecord<'_>) + Send + Sync>,
}

/// A request that was answered.
#[derive(Clone, Copy, Debug)]
pub struct AccessRecord<'a> {
    /// When its head had arrived.
    pub at: Timestamp,
    pub client: Option<SocketAddr>,
    pub method: &'a str,
    /// The path and the parameters.
    pub target: &'a str,
    pub status: u16,
    /// Until the answer began.
    pub took_micros: u64,
    /// 32 and 16 hexadecimal digits.
    pub trace_id: &'a str,
    pub span_id: &'a str,
    pub parent_span_id: Option<&'a str>,
}

#[derive(Serialize)]
struct JsonLine<'a> {
    time: String,
    level: LogLevel,
    message: &'a str,
}

#[derive(Serialize)]
struct JsonRequest<'a> {
    time: String,
    level: LogLevel,
    message: &'static str,
    client: Option<SocketAddr>,
    method: &'a str,
    target: &'a str,
    status: u16,
    duration_seconds: f64,
    trace_id: &'a str,
    span_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_span_id: Option<&'a str>,
}

impl LogLevel {
    fn name(self) -> &'static str {
        match self {
            LogLevel::Info => "info",
            LogLevel::Warning => "warning",
            LogLevel::Error => "error",
        }
    }
}

/// Returns the line of a message, without its end.
pub fn message_line(format: LogFormat, at: Timestamp, level: LogLevel, text: &str) -> String {
    match format {
        LogFormat::Text => format!("{at} {} serve: {}", level.name(), escape_control(text)),
        LogFormat::Json => json(&JsonLine { time: at.to_string(), level, message: text }),
    }
}

/// Returns the line of a request, without its end.
pub fn access_line(format: LogFormat, record: &AccessRecord<'_>) -> String {
    let level = match record.status {
        500.. => LogLevel::Error,
        _ => LogLevel::Info,
    };
    let AccessRecord { at, client, method, target, status, trace_id, span_id, parent_span_id, .. } = *record;
    #[expect(clippy::cast_precision_loss, reason = "no request takes a hundred years")]
    let duration_seconds = record.took_micros as f64 / 1e6;
    if format == LogFormat::Json {
        return json(&JsonRequest {
            time: at.to_string(),
            level,
            message: "request",
            client,
            method,
            target,
            status,
            duration_seconds,
            trace_id,
            span_id,
            parent_span_id,
        });
    }
    let client = client.map_or_else(|| "-".to_owned(), |client| client.to_string());
    let parent = parent_span_id.map(|parent| format!(" parent_span_id={parent}")).unwrap_or_default();
    let level = level.name();
    let text = format!(
        "{at} {level} request: {client} {method} {target} {status} {duration_seconds:.6} s trace_id={trace_id} span_id={span_id}{parent}"
    );
    escape_control(&text)
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("a line of the log is JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch() -> Timestamp {
        Timestamp::from_micros(0).expect("it is a moment")
    }

    fn record() -> AccessRecord<'static> {
        AccessRecord {
            at: epoch(),
            client: None,
            method: "GET",
            target: "/v1/count?item=a",
            status: 200,
            took_micros: 1_250,
            trace_id: "4bf92f3577b34da6a3ce929d0e0e4736",
            span_id: "00f067aa0ba902b7",
            parent_span_id: None,
        }
    }

    #[test]
    fn an_entry_is_one_line() {
        let check = |format, expected: &str| {
            let text = "a\n\"b\u{1b}";
            assert_eq!(message_line(format, epoch(), LogLevel::Warning, text), expected);
        };
        check(LogFormat::Text, "1970-01-01T00:00:00Z warning serve: a\\n\"b\\u{1b}");
        check(
            LogFormat::Json,
            "{\"time\":\"1970-01-01T00:00:00Z\",\"level\":\"warning\",\"message\":\"a\\n\\\"b\\u001b\"}",
        );
        let broken = AccessRecord { target: "/a\nb", status: 503, ..record() };
        for format in [LogFormat::Text, LogFormat::Json] {
            let line = access_line(format, &broken);
            assert!(!line.contains('\n') && line.contains("error"), "{line}");
        }
    }

    #[test]
    fn a_request_is_found_by_its_trace() {
        assert_eq!(
            access_line(LogFormat::Text, &record()),
            "1970-01-01T00:00:00Z info request: - GET /v1/count?item=a 200 0.001250 s \
             trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id=00f067aa0ba902b7"
        );
        let parent = AccessRecord {
            parent_span_id: Some("b7ad6b7169203331"),
            client: Some(([127, 0, 0, 1], 80).into()),
            ..record()
        };
        assert_eq!(
            access_line(LogFormat::Json, &parent),
            "{\"time\":\"1970-01-01T00:00:00Z\",\"level\":\"info\",\"message\":\"request\",\
             \"client\":\"127.0.0.1:80\",\"method\":\"GET\",\"target\":\"/v1/count?item=a\",\"status\":200,\
             \"duration_seconds\":0.00125,\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\
             \"span_id\":\"00f067aa0ba902b7\",\"parent_span_id\":\"b7ad6b7169203331\"}"
        );
    }
}
