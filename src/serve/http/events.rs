//! `POST /v1/events`: takes events, and answers when they are durable and counted.

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, Response, StatusCode};
use bytes::Bytes;

use crate::http::answers::{error, error_with_hint, json, not_done, unavailable};
use crate::http::cloud_events::as_ndjson;
use crate::http::state::State;
use crate::live::{ReceiveError, Received};
use crate::log::LogError;
use topsell_core::ingest::RequestError;
use topsell_core::input_format::Format;
use topsell_core::lake::LakeError;

/// The media types of bodies.
pub const MEDIA_TYPES: [&str; 6] = [
    "application/x-ndjson",
    "application/json",
    "text/csv",
    "text/tab-separated-values",
    "application/cloudevents+json",
    "application/cloudevents-batch+json",
];

/// How a body is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BodyFormat {
    Records(Format),
    CloudEvents,
}

/// Answers the request.
pub async fn receive_events(state: Arc<State>, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let format = match body_format(&headers) {
        Ok(format) => format,
        Err(refused) => return *refused,
    };
    let key = match key_of(&headers) {
        Ok(key) => key,
        Err(what) => return error(StatusCode::BAD_REQUEST, what),
    };
    if body.is_empty() {
        return error(StatusCode::BAD_REQUEST, "the body is empty");
    }
    let max_bytes = state.limits.body_bytes as u64;
    let worker_state = Arc::clone(&state);
    let job = move || {
        let live = worker_state.live.get()?;
        Some(match format {
            BodyFormat::Records(format) => live
                .receiver
                .receive(&body, Some(format), max_bytes, key.as_deref())
                .map_err(|e| of_error(&e)),
            BodyFormat::CloudEvents => as_ndjson(&body, max_bytes)
                .map_err(ReceiveError::from)
                .and_then(|lines| {
                    live.receiver.receive(&lines, Some(Format::Ndjson), max_bytes, key.as_deref())
                })
                .map_err(|e| of_error(&e)),
        })
    };
    let receiving = match state.receivers.run(job).await {
        Ok(Some(Ok(receiving))) => receiving,
        Ok(Some(Err(refused))) => return refused,
        Ok(None) => return unavailable("the server is reading its log"),
        Err(why) => return not_done(why),
    };
    let Some(live) = state.live.get() else { return unavailable("the server is reading its log") };
    match receiving.durable(&live.receiver.totals).await {
        Ok(received) => json(status_of(&received), &received),
        Err(e) => of_error(&e),
    }
}

fn status_of(received: &Received) -> StatusCode {
    match received.accepted == 0 && received.rejected > 0 {
        true => StatusCode::UNPROCESSABLE_ENTITY,
        false => StatusCode::OK,
    }
}

/// Returns the key by which a client that sends a request again says so, without the quotes around it.
///
/// The header is that of <https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/>.
fn key_of(headers: &HeaderMap) -> Result<Option<String>, &'static str> {
    const BAD_KEY: &str = "Idempotency-Key is not one text of 1 to 128 visible ASCII characters";
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().map_err(|_| BAD_KEY)?.trim();
    let key = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    let is_good = (1..=128).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    match is_good && values.next().is_none() {
        true => Ok(Some(key.to_owned())),
        false => Err(BAD_KEY),
    }
}

/// Returns how the body is read, by the headers; compression shows in the body itself.
fn body_format(headers: &HeaderMap) -> Result<BodyFormat, Box<Response<Body>>> {
    let text = |name| headers.get(name).and_then(|value: &axum::http::HeaderValue| value.to_str().ok());
    let unsupported = |what: String, hint: &str| {
        Err(Box::new(error_with_hint(StatusCode::UNSUPPORTED_MEDIA_TYPE, &what, hint)))
    };
    let encoding = text(CONTENT_ENCODING).unwrap_or("identity").trim().to_ascii_lowercase();
    if !["identity", "gzip", "x-gzip", "zstd"].contains(&encoding.as_str()) {
        return unsupported(format!("Content-Encoding `{encoding}` is not supported"), "use gzip or zstd");
    }
    let Some(content_type) = text(CONTENT_TYPE) else {
        return unsupported(
            "Content-Type is missing".to_owned(),
            &format!("use one of {}", MEDIA_TYPES.join(", ")),
        );
    };
    let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    Ok(match media_type.as_str() {
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/json" => {
            BodyFormat::Records(Format::Ndjson)
        }
        "text/csv" => BodyFormat::Records(Format::Csv),
        "text/tab-separated-values" => BodyFormat::Records(Format::Tsv),
        "application/cloudevents+json" | "application/cloudevents-batch+json" => BodyFormat::CloudEvents,
        _ => {
            let what = format!("Content-Type `{content_type}` is not supported");
            return unsupported(what, &format!("use one of {}", MEDIA_TYPES.join(", ")));
        }
    })
}

fn of_error(e: &ReceiveError) -> Response<Body> {
    let what = e.to_string();
    match e {
        ReceiveError::Request(RequestError::TooLarge { .. }) => {
            error_with_hint(StatusCode::PAYLOAD_TOO_LARGE, &format!("the body {what}"), "send it in parts")
        }
        ReceiveError::Request(RequestError::Input(_)) => error(StatusCode::UNPROCESSABLE_ENTITY, &what),
        ReceiveError::Request(RequestError::Source(_)) => {
            error(StatusCode::BAD_REQUEST, &format!("the body {what}"))
        }
        ReceiveError::Log(LogError::TooLarge { .. }) => {
            error_with_hint(StatusCode::PAYLOAD_TOO_LARGE, &what, "send it in parts")
        }
        ReceiveError::Log(_) | ReceiveError::TooManyUncommitted { .. } => unavailable(&what),
        ReceiveError::Unknown(_) => error(StatusCode::INTERNAL_SERVER_ERROR, &what),
        ReceiveError::Lake(LakeError::OtherCurrency { .. }) => error(StatusCode::UNPROCESSABLE_ENTITY, &what),
        ReceiveError::Lake(_) => unavailable(&what),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(content_type: Option<&str>, encoding: Option<&str>, expected: Result<BodyFormat, u16>) {
        let mut headers = HeaderMap::new();
        let mut set = |name, value: Option<&str>| {
            if let Some(value) = value {
                headers.insert(name, value.parse().expect("a header"));
            }
        };
        set(CONTENT_TYPE, content_type);
        set(CONTENT_ENCODING, encoding);
        let got = body_format(&headers).map_err(|response| response.status().as_u16());
        assert_eq!(got, expected, "{content_type:?} {encoding:?}");
    }

    #[test]
    fn the_content_type_says_how_a_body_is_read() {
        let ndjson = Ok(BodyFormat::Records(Format::Ndjson));
        check(Some("application/json"), None, ndjson);
        check(Some("Application/X-NDJSON; charset=utf-8"), Some("gzip"), ndjson);
        check(Some("application/json"), Some("zstd"), ndjson);
        check(Some("text/csv"), Some("identity"), Ok(BodyFormat::Records(Format::Csv)));
        check(Some("application/cloudevents-batch+json"), None, Ok(BodyFormat::CloudEvents));
        check(Some("application/json"), Some("br"), Err(415));
        check(Some("text/plain"), None, Err(415));
        check(None, None, Err(415));
    }
}
