//! `/`: a page that shows the shop live, by asking the other paths.
//!
//! Invariant: the page is one file, and its content security policy permits nothing but its own script and style, and
//! questions to this server.

use std::sync::LazyLock;

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, Response, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::http::answers::respond;

const HTML: &str = "text/html; charset=utf-8";
const PAGE: &str = include_str!("page.html");

static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let (script, style) = (source_of("script"), source_of("style"));
    let policy = format!(
        "default-src 'none'; script-src {script}; style-src {style}; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    HeaderValue::from_str(&policy).expect("a policy is ASCII")
});

/// Answers the request. The page needs no token: it has nothing of the shop in it.
pub fn page() -> Response<Body> {
    let mut response = respond(StatusCode::OK, HTML, PAGE);
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, POLICY.clone());
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// Returns the content of the only element of a name as a policy names it, by its hash.
fn source_of(element: &str) -> String {
    let (start, end) = (format!("<{element}>"), format!("</{element}>"));
    let content = PAGE.split(&start).nth(1).and_then(|rest| rest.split(&end).next());
    let hash = Sha256::digest(content.expect("the page has the element").as_bytes());
    format!("'sha256-{}'", STANDARD.encode(hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_asks_for_nothing_from_elsewhere() {
        for text in ["http://", "https://", " src=", "@import", "url(", "innerHTML", " style=", " onclick="] {
            assert!(!PAGE.contains(text), "{text}");
        }
        for element in ["script", "style"] {
            assert_eq!(PAGE.matches(&format!("<{element}")).count(), 1, "{element}");
        }
    }
}
