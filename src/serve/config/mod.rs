//! What a server is told when it starts.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::log::{Options as LogOptions, Site};
use topsell_core::input_format::Mapping;
use topsell_core::item_catalog::CatalogFile;
use topsell_core::model::Timestamp;
use topsell_core::storage::Store;
use topsell_lists::SigningKey;
use topsell_output::answers::DecayOptions;

mod log_lines;
mod tokens;

pub use log_lines::{AccessLog, AccessRecord, LogFormat, LogLevel, LogLine, access_line, message_line};
pub use tokens::{Access, TokenError, Tokens};

/// How often is looked whether others have changed the lake of a folder.
const FOLDER_POLL_INTERVAL: Duration = Duration::from_millis(200);
/// Each look at a bucket costs five requests.
const BUCKET_POLL_INTERVAL: Duration = Duration::from_secs(5);
/// How many events may be in the log and not in the lake, where nothing else is said.
pub const MAX_UNCOMMITTED_EVENTS: usize = 5_000_000;

/// Tells the time; only the door of the program reads the machine's clock.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The settings of a server.
pub struct ServerConfig {
    pub store: Store,
    /// The folder of the log, on a local disk.
    pub log_dir: PathBuf,
    /// How often is looked whether others have changed the lake.
    pub poll_interval: Duration,
    pub listen: SocketAddr,
    pub site: Site,
    pub clock: Clock,
    pub log_line: LogLine,
    /// None where requests are not logged.
    pub access_log: Option<AccessLog>,
    /// The name of the server in the message that another one holds the lock.
    pub name: String,
    /// None where everybody who reaches the address may do everything.
    pub tokens: Option<Tokens>,
    /// None where connections are not encrypted.
    pub tls: Option<TlsFiles>,
    pub input: InputConfig,
    pub counts: CountDefaults,
    pub limits: Limits,
    /// None where versions of lists are not signed.
    pub list_signing: Option<ListSigning>,
    pub log: LogOptions,
}

/// Returns how often is looked whether others have changed the lake in a store.
pub fn poll_interval(store: &Store) -> Duration {
    if store.is_bucket() { BUCKET_POLL_INTERVAL } else { FOLDER_POLL_INTERVAL }
}

/// How versions of lists are signed.
#[derive(Debug)]
pub struct ListSigning {
    pub key: SigningKey,
    /// For how long a client may take a version for the newest one.
    pub valid_seconds: u64,
}

/// The files of a certificate and its key, in PEM form.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The server's own certificate, and those between it and the one that clients know.
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// How the bodies of requests become events.
pub struct InputConfig {
    pub mapping: Mapping,
    pub catalog: Option<CatalogFile>,
    /// How many seconds the time of an event may be ahead.
    pub max_skew_seconds: i64,
    /// How many events may be in the log and not in the lake; they are in memory. Beyond that none is accepted.
    pub max_uncommitted_events: usize,
}

/// What counts and lists have where a request says nothing else.
#[derive(Clone, Debug)]
pub struct CountDefaults {
    pub event_types: Vec<String>,
    pub subtract: Vec<String>,
    pub zone: String,
    /// Of lists by score.
    pub decay: DecayOptions,
}

/// The limits of requests.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The size of a body, as it arrives and decompressed.
    pub body_bytes: usize,
    /// The size of all bodies that are held at the same time.
    pub all_bodies_bytes: usize,
    /// How long a body may take to arrive.
    pub body_time: Duration,
    /// How long the head of a request may take to arrive, from the connection or the request before.
    pub head_time: Duration,
    /// How long a client may take nothing of what is written to it.
    pub write_time: Duration,
    pub connections: usize,
    /// How many streams of events there may be, and of how many different lists.
    pub streams: usize,
    pub followed_lists: usize,
    /// How many clients may wait for a version of a list.
    pub list_waits: usize,
    /// After how long without an event a stream says that it is there.
    pub quiet_time: Duration,
    /// How many lists by score are computed at a time.
    pub decayed_lists: usize,
    /// How many requests may wait for a worker; further ones are refused.
    pub waiting_requests: usize,
    /// Threads that read the lake, and as many that parse events.
    pub workers: usize,
    /// The items of one count.
    pub items: usize,
    /// The numbers of rows of one count: items by hours, days or weekdays.
    pub rows: u64,
    /// How long requests may go on after the server was asked to stop.
    pub shutdown_time: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            body_bytes: 16 << 20,
            all_bodies_bytes: 256 << 20,
            body_time: Duration::from_secs(30),
            head_time: Duration::from_secs(10),
            write_time: Duration::from_secs(30),
            connections: 16_384,
            streams: 1_024,
            followed_lists: 64,
            list_waits: 8_192,
            quiet_time: Duration::from_secs(15),
            decayed_lists: 1,
            waiting_requests: 256,
            workers: 4,
            items: 1_000,
            rows: 100_000,
            shutdown_time: Duration::from_secs(10),
        }
    }
}
