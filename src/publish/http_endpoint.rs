//! Publishes a ranking to an HTTP endpoint: one request with what has changed since the last that it accepted.
//!
//! Invariant: a request that is sent again has the same body and the same `Idempotency-Key`; everything together ends
//! within the time limit. An endpoint cannot be read back: what it has is what it has accepted.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, Url};

use topsell_core::model::{hide_secrets, shown};
use topsell_core::storage::Store;

use crate::category_value::RankingValues;
use crate::difference::{Difference, check_order};
use crate::error::PublishError;
use crate::http_delta::{Accepted, body, idempotency_key};
use crate::http_retry::{Verdict, asked_delay, delay, verdict};
use crate::outcome::{DryRun, Outcome};
use crate::target_error::TargetError;

const IDEMPOTENCY_KEY: &str = "Idempotency-Key";
const JSON: &str = "application/json";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of an error's body that are looked at.
const MAX_ERROR_BYTES: usize = 4_096;

/// The URL of an endpoint, and what it is to be sent besides.
#[derive(Clone)]
pub struct HttpEndpoint {
    url: Url,
    token: Option<String>,
    shown: String,
}

/// How a ranking is published to an endpoint.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// Sends every category, also those that the endpoint has.
    pub is_full: bool,
    pub allows_older: bool,
    /// Time limit of all tries together.
    pub timeout: Duration,
    /// How often a request is sent again.
    pub max_retries: u32,
    pub dry_run: DryRun,
}

/// How a request ended that was answered.
enum Answered {
    Accepted { retries: u32 },
    OtherBase { what: String },
}

impl HttpEndpoint {
    pub(crate) fn parse(text: &str) -> Result<HttpEndpoint, TargetError> {
        let url = Url::parse(text).map_err(|e| TargetError::BadHttp(e.to_string()))?;
        Ok(HttpEndpoint { url, token: None, shown: hide_secrets(text) })
    }

    /// Returns the endpoint with a token for `Authorization: Bearer`.
    #[must_use]
    pub fn with_token(self, token: &str) -> HttpEndpoint {
        HttpEndpoint { token: Some(token.to_owned()), ..self }
    }

    /// Publishes a ranking; the lake keeps the note of what was accepted.
    ///
    /// # Errors
    /// Fails where the endpoint is not reached or refuses, within the time limit, and where it has accepted a newer
    /// ranking.
    pub fn publish(
        &self,
        lake: &Store,
        values: &RankingValues,
        options: &HttpOptions,
    ) -> Result<Outcome, PublishError> {
        let accepted = Accepted::read(lake, self.url.as_str());
        let held = accepted.as_ref().and_then(Accepted::as_of);
        check_order(&self.shown, held, values.as_of, options.allows_older)?;
        let accepted = accepted.filter(|_| !options.is_full);
        let none = BTreeMap::new();
        let hashes = accepted.as_ref().map_or(&none, |accepted| &accepted.categories);
        let difference = Difference::of(values, hashes, &|_| false);
        let since = accepted.as_ref().map(|accepted| accepted.ranking.as_str());
        if since == Some(values.ranking.as_str()) && difference.changed.is_empty() {
            return Ok(outcome(&difference, 0, 0));
        }
        let first = body(values, &difference, since);
        if options.dry_run == DryRun::Yes {
            return Ok(outcome(&difference, first.len(), 0));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|e| PublishError::failed(&self.shown, &e.to_string()))?;
        let outcome = runtime.block_on(async {
            let sent = self.send_all(values, &difference, first, since, options);
            let late = |_| PublishError::failed(&self.shown, "it did not accept the ranking in time");
            tokio::time::timeout(options.timeout, sent).await.map_err(late)?
        })?;
        Accepted::write(lake, self.url.as_str(), &self.shown, values)?;
        Ok(outcome)
    }

    /// Sends what has changed, and everything where the endpoint has not what it builds on.
    async fn send_all(
        &self,
        values: &RankingValues,
        difference: &Difference<'_>,
        changed: Bytes,
        since: Option<&str>,
        options: &HttpOptions,
    ) -> Result<Outcome, PublishError> {
        let size = changed.len();
        match self.send(changed, options.max_retries).await? {
            Answered::Accepted { retries } => return Ok(outcome(difference, size, retries)),
            Answered::OtherBase { what } if since.is_none() => {
                return Err(PublishError::failed(&self.shown, &what));
            }
            Answered::OtherBase { .. } => {}
        }
        let everything = Difference::of(values, &BTreeMap::new(), &|_| false);
        let full = body(values, &everything, None);
        let size = full.len();
        match self.send(full, options.max_retries).await? {
            Answered::Accepted { retries } => Ok(outcome(&everything, size, retries)),
            Answered::OtherBase { what } => Err(PublishError::failed(&self.shown, &what)),
        }
    }

    /// Sends a body until it is accepted or refused for good.
    async fn send(&self, body: Bytes, max_retries: u32) -> Result<Answered, PublishError> {
        let client = Client::builder().connect_timeout(CONNECT_TIMEOUT).redirect(Policy::none());
        let client = client.build().map_err(|e| PublishError::failed(&self.shown, &reason(e)))?;
        let key = idempotency_key(&body);
        let mut retries = 0;
        loop {
            let mut request = client.post(self.url.clone()).header(CONTENT_TYPE, JSON);
            request = request.header(IDEMPOTENCY_KEY, &key).body(body.clone());
            if let Some(token) = &self.token {
                request = request.bearer_auth(token);
            }
            let (what, asked) = match request.send().await {
                Err(error) => (reason(error), None),
                Ok(response) => {
                    let verdict = verdict(response.status().as_u16());
                    let asked = asked_by(&response);
                    match verdict {
                        Verdict::Accepted => return Ok(Answered::Accepted { retries }),
                        Verdict::OtherBase => {
                            return Ok(Answered::OtherBase { what: described(response).await });
                        }
                        Verdict::Refused => {
                            return Err(PublishError::failed(&self.shown, &described(response).await));
                        }
                        Verdict::Again => (described(response).await, asked),
                    }
                }
            };
            if retries == max_retries {
                let what = format!("{what} ({} tries)", retries + 1);
                return Err(PublishError::failed(&self.shown, &what));
            }
            retries += 1;
            tokio::time::sleep(asked.unwrap_or_else(|| delay(retries, &key))).await;
        }
    }
}

impl fmt::Display for HttpEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// As it is printed: the token is nobody's business.
impl fmt::Debug for HttpEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HttpEndpoint").field(&self.shown).finish()
    }
}

fn outcome(difference: &Difference<'_>, size: usize, retries: u32) -> Outcome {
    Outcome {
        written: difference.changed.len() as u64,
        unchanged: difference.unchanged,
        removed: difference.removed.len() as u64,
        size_bytes: size as u64,
        retries,
    }
}

fn asked_by(response: &Response) -> Option<Duration> {
    asked_delay(response.headers().get(RETRY_AFTER)?.to_str().ok()?)
}

/// Returns the status of an answer and the beginning of its text.
async fn described(mut response: Response) -> String {
    let status = response.status();
    let mut text = Vec::new();
    while text.len() < MAX_ERROR_BYTES {
        let Ok(Some(chunk)) = response.chunk().await else { break };
        text.extend_from_slice(&chunk);
    }
    text.truncate(MAX_ERROR_BYTES);
    let text = shown(String::from_utf8_lossy(&text).trim());
    if text.is_empty() { format!("answered {status}") } else { format!("answered {status}: {text}") }
}

/// Returns what went wrong, from the error down to its cause, without the URL, which may have a password.
fn reason(error: reqwest::Error) -> String {
    let error = error.without_url();
    let causes = std::iter::successors(std::error::Error::source(&error), |cause| cause.source());
    let texts: Vec<String> = [error.to_string()].into_iter().chain(causes.map(ToString::to_string)).collect();
    texts.join(": ")
}
