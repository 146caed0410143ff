//! Responses: JSON with an entity tag, and errors that say what to do.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use bytes::Bytes;
use serde::Serialize;

use crate::http::workers::NotDone;
use topsell_core::storage::checksum;

const JSON: &str = "application/json";

/// An error as a response has it.
#[derive(Serialize)]
struct ErrorBody<'a> {
    schema: u32,
    error: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
}

/// Returns a response with some bytes.
pub fn respond(status: StatusCode, content_type: &'static str, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Returns a value as JSON.
pub fn json(status: StatusCode, value: &impl Serialize) -> Response<Body> {
    let mut body = serde_json::to_vec(value).expect("the values of responses are JSON");
    body.push(b'\n');
    respond(status, JSON, body)
}

/// Returns an error.
pub fn error(status: StatusCode, what: &str) -> Response<Body> {
    json(status, &ErrorBody { schema: 1, error: what, hint: None })
}

/// Returns an error and what to do about it.
pub fn error_with_hint(status: StatusCode, what: &str, hint: &str) -> Response<Body> {
    json(status, &ErrorBody { schema: 1, error: what, hint: Some(hint) })
}

/// Returns that the server cannot answer now, and may in a second.
pub fn unavailable(what: &str) -> Response<Body> {
    let mut response = error(StatusCode::SERVICE_UNAVAILABLE, what);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// Returns why a job was not done.
pub fn not_done(why: NotDone) -> Response<Body> {
    match why {
        NotDone::Refused => unavailable("too many requests are waiting"),
        NotDone::Panicked => {
            error(StatusCode::INTERNAL_SERVER_ERROR, "the request failed; the log of the server says why")
        }
    }
}

/// Returns what tells a body from others.
pub fn tag_of(body: &[u8]) -> String {
    format!("{:016x}", checksum(body))
}

/// Returns an answer, or that it is the one that the client has.
pub fn tagged(
    request: &HeaderMap,
    body: impl Into<Bytes>,
    cache_control: &'static str,
    headers: &[(&'static str, String)],
) -> Response<Body> {
    let body = body.into();
    let tag = format!("\"{}\"", tag_of(&body));
    let known = request.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let is_known = known.flat_map(|value| value.split(',')).any(|value| {
        let value = value.trim();
        value == "*" || value.strip_prefix("W/").unwrap_or(value) == tag
    });
    let mut response = match is_known {
        true => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response
        }
        false => respond(StatusCode::OK, JSON, body),
    };
    let into = response.headers_mut();
    into.insert(ETAG, HeaderValue::from_str(&tag).expect("hexadecimal digits are a header"));
    into.insert(CACHE_CONTROL, HeaderValue::from_static(cache_control));
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            into.insert(HeaderName::from_static(name), value);
        }
    }
    response
}
