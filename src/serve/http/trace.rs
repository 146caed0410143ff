//! Trace context of requests and answers, <https://www.w3.org/TR/trace-context/>, and the access log that has it.
//!
//! A request says with `traceparent` which trace it belongs to. Version 1 of the specification gives answers no header; the
//! draft of the next one has `traceresponse`, of the same form, whose span is that of the server:
//! <https://w3c.github.io/trace-context/#trace-context-http-response-headers-format>.
//!
//! Invariant: a request without `traceparent`, where none are logged, costs nothing here.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use crate::config::AccessRecord;
use crate::http::state::State;
use topsell_core::model::Timestamp;
use topsell_ops::run_history::TraceContext;

const TRACEPARENT: &str = "traceparent";
const TRACERESPONSE: HeaderName = HeaderName::from_static("traceresponse");

/// Who has opened a connection.
#[derive(Clone, Copy, Debug)]
pub struct Client(pub SocketAddr);

/// What is noted of a request while it is answered.
pub struct Traced {
    context: TraceContext,
    /// None where requests are not logged.
    logged: Option<Logged>,
}

struct Logged {
    at: Timestamp,
    client: Option<SocketAddr>,
    method: String,
    target: String,
}

impl Traced {
    /// Returns what is to be noted of a request, if anything.
    pub fn of(state: &State, request: &Request) -> Option<Traced> {
        let logged = state.access_log.as_ref().map(|_| Logged {
            at: (state.clock)(),
            client: request.extensions().get::<Client>().map(|Client(address)| *address),
            method: request.method().to_string(),
            target: request.uri().to_string(),
        });
        let is_traced = logged.is_some() || request.headers().contains_key(TRACEPARENT);
        is_traced.then(|| Traced { context: TraceContext::of(traceparent(request.headers())), logged })
    }

    /// Adds the trace to the answer, and logs the request.
    pub fn end(self, state: &State, response: &mut Response<Body>) {
        let value = self.context.traceresponse();
        let value = HeaderValue::from_str(&value).expect("hexadecimal digits are a header");
        response.headers_mut().insert(TRACERESPONSE, value);
        if let (Some(log), Some(logged)) = (&state.access_log, &self.logged)
            && !(log.errors_only && response.status() < StatusCode::BAD_REQUEST)
        {
            let took = (state.clock)().micros() - logged.at.micros();
            (log.write)(&AccessRecord {
                at: logged.at,
                client: logged.client,
                method: &logged.method,
                target: &logged.target,
                status: response.status().as_u16(),
                // The clock may have been set back.
                took_micros: u64::try_from(took).unwrap_or(0),
                trace_id: &self.context.trace_id,
                span_id: &self.context.span_id,
                parent_span_id: self.context.parent_span_id.as_deref(),
            });
        }
    }
}

/// Returns the header; none where there are several, which are no trace.
fn traceparent(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(TRACEPARENT).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_traceparents_are_none() {
        let mut headers = HeaderMap::new();
        assert_eq!(traceparent(&headers), None);
        headers.append(TRACEPARENT, HeaderValue::from_static("a"));
        assert_eq!(traceparent(&headers), Some("a"));
        headers.append(TRACEPARENT, HeaderValue::from_static("a"));
        assert_eq!(traceparent(&headers), None);
    }
}
