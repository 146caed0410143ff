//! Receives events: parses a body, makes what is accepted durable, and tells what became of each line.
//!
//! Invariant: whoever is told of accepted events finds them in every later answer, also after a crash.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use serde::Serialize;

use crate::config::{Clock, InputConfig, LogLevel, LogLine};
use crate::live::catalog::ReloadedCatalog;
use crate::live::committer::commit_batch;
use crate::live::recent::Recent;
use crate::live::uncommitted::{BATCH_PREFIX, SegmentBatch, Uncommitted};
use crate::log::{Appended, EventLog, LogError, Ticket};
use topsell_core::ingest::{
    Options, ParseOptions, ParsedRequest, RequestError, StreamOptions, encode_record, parse_request,
    with_request_ids,
};
use topsell_core::input_format::Format;
use topsell_core::lake::{DryRun, DuplicatePolicy, Lake, LakeError, LakeSettings, Reject};
use topsell_core::model::{Currency, Events, Timestamp};
use topsell_core::storage::unique_id;

/// How many bytes of rejected lines an answer lists.
const MAX_REJECT_BYTES: u64 = 1 << 20;

/// What became of the lines of a request.
#[derive(Debug, Default, Serialize)]
pub struct Received {
    schema: u32,
    /// Lines that were read.
    pub read: u64,
    /// Events that are durable.
    pub accepted: u64,
    /// Lines that the filter of the mapping left out.
    #[serde(skip_serializing_if = "is_zero")]
    pub filtered: u64,
    /// Lines, or items of lines, that are no events.
    pub rejected: u64,
    /// The place of the events in the log; none where nothing was accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<String>,
    /// The first of the rejected lines.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rejects: Vec<ReceivedReject>,
}

/// What became of the lines, and the events that the log is about to make durable.
pub struct Receiving {
    received: Received,
    ticket: Option<Ticket<Appended<()>>>,
}

/// A line that is no event.
#[derive(Debug, Serialize)]
pub struct ReceivedReject {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    pub reason: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Why nothing of a request was accepted.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The log did not take the events.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The log took the events, and did not say that they are durable.
    #[error("the events may have been accepted: {0}")]
    Unknown(LogError),
    #[error("{events} events wait to be moved to the lake; none is accepted before that")]
    TooManyUncommitted { events: usize },
    #[error(transparent)]
    Lake(#[from] LakeError),
}

/// Numbers of lines of all requests since the start.
#[derive(Debug, Default)]
pub struct Totals {
    pub accepted: AtomicU64,
    pub rejected: AtomicU64,
}

/// What receives events.
pub struct Receiver {
    pub totals: Totals,
    log: Arc<EventLog<()>>,
    lake: Arc<Lake>,
    input: InputConfig,
    catalog: Option<ReloadedCatalog>,
    clock: Clock,
    log_line: LogLine,
    /// The settings of a lake in a bucket, as they were when it was looked at.
    settings: RwLock<LakeSettings>,
    /// The currency of the lake's amounts.
    currency: RwLock<Option<Currency>>,
    /// Held by whoever commits the first events with a currency.
    beginning: Mutex<()>,
    recent: Arc<Recent>,
    uncommitted: Arc<Uncommitted>,
}

impl Receiver {
    /// Returns a receiver of events for a lake; both counts are told of what goes around the log.
    ///
    /// # Errors
    /// Fails where the lake's log cannot be read.
    pub fn of(
        log: Arc<EventLog<()>>,
        lake: Arc<Lake>,
        input: InputConfig,
        catalog: Option<ReloadedCatalog>,
        clock: Clock,
        log_line: LogLine,
        (recent, uncommitted): (Arc<Recent>, Arc<Uncommitted>),
    ) -> Result<Receiver, LakeError> {
        let (currency, beginning) = (RwLock::new(lake.currency()?), Mutex::new(()));
        let settings = RwLock::new(lake.settings()?);
        Ok(Receiver {
            totals: Totals::default(),
            log,
            lake,
            input,
            catalog,
            clock,
            log_line,
            settings,
            currency,
            beginning,
            recent,
            uncommitted,
        })
    }

    /// Parses a body and hands what is accepted to the log; with a key, its events get ids by which they count once,
    /// however often it is sent.
    ///
    /// # Errors
    /// Says why nothing of it was accepted.
    pub fn receive(
        &self,
        body: &[u8],
        format: Option<Format>,
        max_bytes: u64,
        key: Option<&str>,
    ) -> Result<Receiving, ReceiveError> {
        let now = (self.clock)();
        let events = self.uncommitted.events();
        if events > self.input.max_uncommitted_events {
            return Err(ReceiveError::TooManyUncommitted { events });
        }
        // Looked up once: events of another currency than the one they were checked with must not get into the log.
        let currency_of_lake = self.currency();
        let mut parsed = self.parse(body, format, max_bytes, currency_of_lake, now)?;
        if let Some(key) = key {
            parsed.events = with_request_ids(std::mem::take(&mut parsed.events), key);
        }
        let mut receiving = Receiving { received: Received::default(), ticket: None };
        if !parsed.events.is_empty() {
            match (parsed.currency, currency_of_lake) {
                (Some(currency), None) => {
                    receiving.received.position = Some(self.begin_currency(&parsed, currency, now)?);
                }
                _ => {
                    let record = encode_record(&parsed.events, parsed.currency);
                    receiving.ticket = Some(self.log.append(now.micros(), record)?);
                }
            }
        }
        receiving.received.describe(parsed);
        Ok(receiving)
    }

    fn parse(
        &self,
        body: &[u8],
        format: Option<Format>,
        max_bytes: u64,
        currency_of_lake: Option<Currency>,
        now: Timestamp,
    ) -> Result<ParsedRequest, ReceiveError> {
        let catalog = self.catalog.as_ref().map(|catalog| {
            let (catalog, failure) = catalog.at(now);
            if let Some(error) = failure {
                let text = format!("{error}; the catalog that was read before stays in use");
                (self.log_line)(LogLevel::Error, &text);
            }
            catalog
        });
        let options = Options {
            now,
            max_skew_seconds: self.input.max_skew_seconds,
            dry_run: DryRun::No,
            duplicates: DuplicatePolicy::Skip,
            max_reject_bytes: MAX_REJECT_BYTES,
            stream: StreamOptions::default(),
        };
        let parse_options = ParseOptions { mapping: &self.input.mapping, catalog: catalog.as_deref() };
        let of_lake = (self.settings()?, currency_of_lake);
        Ok(parse_request(body, format, max_bytes, of_lake, &options, parse_options)?)
    }

    /// Reads the settings of a lake in a bucket again: events are accepted while it cannot be reached.
    ///
    /// # Errors
    /// Fails where they cannot be read; those that were read before stay.
    pub fn read_settings(&self) -> Result<(), LakeError> {
        if self.lake.store().is_bucket() {
            *self.settings.write().unwrap_or_else(PoisonError::into_inner) = self.lake.settings()?;
        }
        Ok(())
    }

    fn settings(&self) -> Result<LakeSettings, LakeError> {
        match self.lake.store().is_bucket() {
            true => Ok(*self.settings.read().unwrap_or_else(PoisonError::into_inner)),
            false => self.lake.settings(),
        }
    }

    /// Commits the first events with a currency to the lake: another writer may be first to name another one, and what
    /// the log has acknowledged must be able to get into the lake.
    fn begin_currency(
        &self,
        parsed: &ParsedRequest,
        currency: Currency,
        now: Timestamp,
    ) -> Result<String, ReceiveError> {
        let _beginning = self.beginning.lock().unwrap_or_else(PoisonError::into_inner);
        let id = format!("{BATCH_PREFIX}{}", unique_id());
        let mut events = Events::default();
        events.append(&parsed.events);
        let batch = SegmentBatch { id: id.clone(), events, currency: Some(currency) };
        let committed = commit_batch(&self.lake, &batch, now);
        self.recent.forget();
        // After any other failure the lake may have none, and what the log then acknowledges could never be moved.
        let known = match &committed {
            Ok(()) => Some(currency),
            Err(LakeError::OtherCurrency { lake, .. }) => Some(*lake),
            Err(_) => None,
        };
        if known.is_some() {
            *self.currency.write().unwrap_or_else(PoisonError::into_inner) = known;
        }
        committed?;
        Ok(id)
    }

    fn currency(&self) -> Option<Currency> {
        *self.currency.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Receiving {
    /// Waits until the events are durable and in every later answer.
    ///
    /// # Errors
    /// Says why they may not be.
    pub async fn durable(self, totals: &Totals) -> Result<Received, ReceiveError> {
        let Receiving { mut received, ticket } = self;
        if let Some(ticket) = ticket {
            received.position = Some(ticket.await.map_err(ReceiveError::Unknown)?.position.to_string());
        }
        totals.accepted.fetch_add(received.accepted, Ordering::Relaxed);
        totals.rejected.fetch_add(received.rejected, Ordering::Relaxed);
        Ok(received)
    }
}

impl Received {
    /// Sets what became of the lines.
    fn describe(&mut self, parsed: ParsedRequest) {
        self.schema = 1;
        self.read = parsed.lines.read;
        self.accepted = parsed.events.len() as u64;
        self.filtered = parsed.lines.filtered;
        self.rejected = parsed.rejected;
        let rejects = parsed.rejects.into_iter();
        let reject = |of: Reject| ReceivedReject { line: of.line, column: of.column, reason: of.reason };
        self.rejects = rejects.map(reject).collect();
    }
}
