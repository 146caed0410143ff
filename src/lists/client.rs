//! How a client asks a server for a list, and sends changes of it.
//!
//! Invariant: an answer that is too large or takes too long is an error, and needs no more memory than the limit.

use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Client, Method, RequestBuilder, Response};
use serde::Deserialize;
use tokio::runtime::Runtime;
use url::Url;

use crate::name::ListName;

/// What is before the name of a list in a path.
const PATH: &str = "/v1/lists/";
const JSON: &str = "application/json";
/// How long a connection may take to be made, and a server may be silent besides the time that it was asked to wait.
const CONNECT_TIME: Duration = Duration::from_secs(10);
const SILENT_TIME: Duration = Duration::from_secs(30);
const MAX_BYTES: usize = 1 << 30;
/// How much of an error's text is shown.
const SHOWN_CHARS: usize = 300;

/// A list on a server.
pub struct ListClient {
    client: Client,
    runtime: Runtime,
    url: Url,
    name: ListName,
    token: Option<String>,
}

/// What a server answers where it is asked for all of its lists.
#[derive(Deserialize)]
struct AllLists {
    lists: Vec<ListRow>,
}

#[derive(Deserialize)]
struct ListRow {
    list: String,
}

/// A server did not answer as it should.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("`{url}` is not the address of a list, such as http://127.0.0.1:7600/v1/lists/blocked")]
    Address { url: String },
    #[error("cannot start: {0}")]
    Start(String),
    #[error("{url}: {what}")]
    Failed { url: String, what: String },
    #[error("{url} answers {status}: {what}")]
    Status { url: String, status: u16, what: String },
    #[error("{url}: the answer is larger than {MAX_BYTES} bytes")]
    TooLarge { url: String },
}

impl ListClient {
    /// Returns the list at an address; `token` is sent with each request.
    ///
    /// # Errors
    /// Fails where the address is not that of a list.
    pub fn of(address: &str, token: Option<String>) -> Result<ListClient, ClientError> {
        let bad = || ClientError::Address { url: address.to_owned() };
        let url = Url::parse(address).map_err(|_| bad())?;
        let name = url.path().split_once(PATH).and_then(|(_, name)| ListName::parse(name).ok());
        let name = name.filter(|_| matches!(url.scheme(), "http" | "https")).ok_or_else(bad)?;
        let start = |what: &dyn std::fmt::Display| ClientError::Start(what.to_string());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let client = Client::builder().connect_timeout(CONNECT_TIME).build();
        Ok(ListClient {
            client: client.map_err(|e| start(&e))?,
            runtime: runtime.map_err(|e| start(&e))?,
            url,
            name,
            token,
        })
    }

    /// Returns the name of the list.
    pub fn name(&self) -> &ListName {
        &self.name
    }

    /// Asks for what has changed since a version, or for the whole list, and returns the answer as it came. The server may
    /// wait for a change for so many seconds.
    ///
    /// # Errors
    /// Says what failed.
    pub fn ask(&self, since: Option<&str>, wait_seconds: u64) -> Result<Vec<u8>, ClientError> {
        let mut url = self.url.clone();
        if let Some(since) = since {
            url.query_pairs_mut().append_pair("since", since);
        }
        if wait_seconds > 0 {
            url.query_pairs_mut().append_pair("wait", &format!("{wait_seconds}s"));
        }
        let request = self.client.request(Method::GET, url).header(ACCEPT, JSON);
        self.runtime.block_on(self.answer(request, Duration::from_secs(wait_seconds) + SILENT_TIME))
    }

    /// Returns the names of all lists of the server.
    ///
    /// # Errors
    /// Says what failed.
    pub fn names(&self) -> Result<Vec<ListName>, ClientError> {
        let mut url = self.url.clone();
        let before = url.path().split_once(PATH).map_or("", |(before, _)| before).to_owned();
        url.set_path(&format!("{before}{}", PATH.trim_end_matches('/')));
        let request = self.client.request(Method::GET, url).header(ACCEPT, JSON);
        let answer = self.runtime.block_on(self.answer(request, SILENT_TIME))?;
        let all: AllLists = serde_json::from_slice(&answer).map_err(|e| self.failed(&e))?;
        // Of a newer server, a name may be none here.
        Ok(all.lists.iter().filter_map(|row| ListName::parse(&row.list).ok()).collect())
    }

    /// Sends a body that changes the list, or creates it.
    ///
    /// # Errors
    /// Says what failed.
    pub fn send(&self, method: &str, body: Vec<u8>) -> Result<Vec<u8>, ClientError> {
        let method = if method == "PUT" { Method::PUT } else { Method::POST };
        let request = self.client.request(method, self.url.clone()).header(CONTENT_TYPE, JSON).body(body);
        self.runtime.block_on(self.answer(request, SILENT_TIME))
    }

    async fn answer(
        &self,
        mut request: RequestBuilder,
        silent_time: Duration,
    ) -> Result<Vec<u8>, ClientError> {
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let late = || self.failed(&"the server does not answer in time");
        let answer = tokio::time::timeout(silent_time, request.send()).await.map_err(|_| late())?;
        let mut answer = answer.map_err(|e| self.failed(&deepest(&e)))?;
        let mut bytes = Vec::new();
        while let Some(some) = tokio::time::timeout(silent_time, answer.chunk())
            .await
            .map_err(|_| late())?
            .map_err(|e| self.failed(&deepest(&e)))?
        {
            if bytes.len() + some.len() > MAX_BYTES {
                return Err(ClientError::TooLarge { url: self.shown() });
            }
            bytes.extend_from_slice(&some);
        }
        self.checked(&answer, bytes)
    }

    fn checked(&self, answer: &Response, bytes: Vec<u8>) -> Result<Vec<u8>, ClientError> {
        let status = answer.status();
        if status.is_success() {
            return Ok(bytes);
        }
        let text: String = String::from_utf8_lossy(&bytes).trim().chars().take(SHOWN_CHARS).collect();
        Err(ClientError::Status { url: self.shown(), status: status.as_u16(), what: text })
    }

    fn failed(&self, what: &dyn std::fmt::Display) -> ClientError {
        ClientError::Failed { url: self.shown(), what: what.to_string() }
    }

    /// Returns the address without a password.
    fn shown(&self) -> String {
        let mut url = self.url.clone();
        let _ = url.set_password(None);
        url.set_query(None);
        url.to_string()
    }
}

/// Returns the first cause: what is above it repeats the address.
fn deepest(error: &dyn std::error::Error) -> String {
    let mut deepest = error;
    while let Some(cause) = deepest.source() {
        deepest = cause;
    }
    deepest.to_string()
}
