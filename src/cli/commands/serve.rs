//! `topsell serve`: the server's settings, its clock, its signals, and its log on stderr.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use clap::Args as ClapArgs;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::catalog_args::{Catalog, catalog_file, mapping};
use crate::commands::serve_edge::{self, EdgeArgs};
use crate::commands::serve_log::{AccessLogArg, LogFormatArg, ServerLog};
use crate::failure::{Exit, Failure};
use crate::read_args::ReadArgs;
use crate::settings::Settings;
use topsell_core::ingest;
use topsell_core::lake::SERVER_LOG;
use topsell_core::model::{PURCHASE, Timestamp, Zone, parse_seconds};
use topsell_core::storage::Store;
use topsell_core::storage::local_files::read_to_string;
use topsell_lists::SigningKey;
use topsell_ops::process::{machine_name, raise_open_files};
use topsell_output::answers::{
    DecayOptions, RANKING_HALF_LIFE, RANKING_MAX_LOOKBACK, RANKING_MIN_ITEMS, RANKING_WINDOW,
};
use topsell_output::text::counted;
use topsell_serve::config::{
    Clock, CountDefaults, InputConfig, Limits, ListSigning, LogLevel, LogLine, MAX_UNCOMMITTED_EVENTS,
    ServerConfig, TlsFiles, Tokens, poll_interval,
};
use topsell_serve::edge::EdgeConfig;
use topsell_serve::log::{Options as LogOptions, Site};
use topsell_serve::{EdgeServerConfig, ServeError};

/// How many files are kept for the lake and its log.
const FILES_OF_LAKE: u64 = 512;
/// The name of the only site.
const SITE: &str = "main";

/// Serve counts and rankings over HTTP, and take in events
///
/// An event that is answered with 200 is on disk, and in every later answer. POST /v1/events takes what `ingest` takes;
/// GET /v1/count and GET /v1/show answer as `count` and `show` do. A lake has one server; other commands run beside it.
#[derive(ClapArgs, Debug)]
#[command(before_help = "\
Examples:
  topsell serve                                       listen on 127.0.0.1:7600
  topsell serve --listen 0.0.0.0:7600 --token-file tokens.txt
  curl -H 'Content-Type: application/json' -d '{\"ts\":1484390000,\"item_id\":\"1082185\"}' \\
      http://127.0.0.1:7600/v1/events
  curl 'http://127.0.0.1:7600/v1/count?item=1082185&last=24h'
")]
pub struct Serve {
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7600")]
    pub listen: String,
    /// File with a line `read TOKEN` or `write TOKEN` for each token that requests may have; required unless the address
    /// is of this machine only
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Certificate in PEM form, with those between it and its root: connections are then encrypted by TLS; read again when
    /// it changes
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Private key of the certificate, in PEM form
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Directory of accepted events that are not in the lake yet, on a local disk; default: log/ of the lake; required for
    /// a lake in a bucket
    #[arg(long, value_name = "DIR")]
    pub log_dir: Option<PathBuf>,
    /// Secret key in the format of minisign, without a password, by which versions of lists are signed
    #[arg(long, value_name = "FILE")]
    pub list_key: Option<PathBuf>,
    /// How long a client may take a signed version of a list for the newest one
    #[arg(long, value_name = "DURATION", default_value = "24h")]
    pub list_valid: String,
    /// How lines of the log are written, on stderr
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    pub log_format: LogFormatArg,
    /// Which requests are logged, each with its status, its duration and its trace
    #[arg(long, value_name = "WHICH", value_enum, default_value = "none")]
    pub access_log: AccessLogArg,
    /// On SIGTERM, how long requests may take to finish before their connections are closed
    #[arg(long, value_name = "DURATION", default_value = "10s")]
    pub shutdown_timeout: String,
    /// Column that holds a field, or a TOML file of such pairs, or preset:NAME; can be repeated
    #[arg(long = "map", value_name = "FIELD=COLUMN|FILE|preset:NAME")]
    pub map: Vec<String>,
    #[command(flatten)]
    pub catalog: Catalog,
    /// Reject events later than this after the current time
    #[arg(long, value_name = "DURATION", default_value = "1h")]
    pub max_skew: String,
    /// Event types to include in counts that name none; can be repeated
    #[arg(long = "event-type", value_name = "TYPE", default_value = PURCHASE)]
    pub event_types: Vec<String>,
    /// Event types whose units and amounts are subtracted, such as refund,cancel; can be repeated
    #[arg(long, value_name = "TYPE", value_delimiter = ',')]
    pub subtract: Vec<String>,
    /// Length of the time window of decayed lists that name none
    #[arg(long, value_name = "DURATION", default_value = RANKING_WINDOW)]
    pub window: String,
    /// Age at which an event has half the weight of a new one, in decayed lists that name none
    #[arg(long, value_name = "DURATION", default_value = RANKING_HALF_LIFE)]
    pub half_life: String,
    /// Extend the window of decayed lists where fewer items than this are eligible; 0 to never extend it
    #[arg(long, value_name = "N", default_value_t = RANKING_MIN_ITEMS)]
    pub min_items: u64,
    /// Maximum length of an extended window
    #[arg(long, value_name = "DURATION", default_value = RANKING_MAX_LOOKBACK)]
    pub max_lookback: String,
    /// Time zone for day boundaries
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub tz: String,
    /// How old a segment of the log may be before it is moved to the lake; for tests
    #[arg(long, value_name = "DURATION", default_value = "60s", hide = true)]
    pub segment_age: String,
    #[command(flatten)]
    pub edge: EdgeArgs,
    #[command(flatten)]
    pub read: ReadArgs,
}

/// What the options say.
pub struct Checked {
    listen: SocketAddr,
    tokens: Option<Tokens>,
    tls: Option<TlsFiles>,
    limits: Limits,
    input: InputConfig,
    counts: CountDefaults,
    list_signing: Option<ListSigning>,
    /// Whom to follow, instead of serving a lake.
    edge: Option<EdgeConfig>,
}

impl Serve {
    /// Checks the options.
    ///
    /// # Errors
    /// Names the option that is wrong and what to write instead.
    pub fn check(&self) -> Result<Checked, Failure> {
        let typed = self;
        let listen: SocketAddr = typed.listen.parse().map_err(|_| {
            let what = "is not an address and a port, such as 127.0.0.1:7600 or [::1]:7600";
            Failure::usage(format!("--listen `{}` {what}", typed.listen))
        })?;
        let tokens = typed.token_file.as_deref().map(tokens).transpose()?;
        if tokens.is_none() && !listen.ip().is_loopback() {
            let what = "is reachable from other machines; pass --token-file, or listen on 127.0.0.1";
            return Err(Failure::usage(format!("--listen {listen} {what}")));
        }
        let seconds = |option: &str, text: &str| {
            parse_seconds(text).map_err(|e| Failure::usage(format!("{option}: {e}")))
        };
        let shutdown_time = Duration::from_secs(seconds("--shutdown-timeout", &typed.shutdown_timeout)?);
        let mut mapping = mapping("--map", ingest::FIELDS, &typed.map)?;
        typed.read.apply(&mut mapping)?;
        Zone::named(&typed.tz).map_err(|e| Failure::usage(format!("--tz: {e}")))?;
        let decay = DecayOptions {
            window: typed.window.clone(),
            half_life: typed.half_life.clone(),
            rate: None,
            min_items: typed.min_items,
            max_lookback: typed.max_lookback.clone(),
        };
        decay.check("--").map_err(|e| Failure::usage(e.to_string()))?;
        let valid_seconds = seconds("--list-valid", &typed.list_valid)?;
        let list_key = typed.list_key.as_deref().map(list_key).transpose()?;
        Ok(Checked {
            edge: typed.edge.check()?,
            list_signing: list_key.map(|key| ListSigning { key, valid_seconds }),
            listen,
            tokens,
            tls: typed.tls_cert.clone().zip(typed.tls_key.clone()).map(tls_files),
            limits: Limits { shutdown_time, ..Limits::default() },
            input: InputConfig {
                mapping,
                catalog: catalog_file(&typed.catalog)?,
                max_skew_seconds: seconds("--max-skew", &typed.max_skew)?.cast_signed(),
                max_uncommitted_events: MAX_UNCOMMITTED_EVENTS,
            },
            counts: CountDefaults {
                event_types: typed.event_types.clone(),
                subtract: typed.subtract.clone(),
                zone: typed.tz.clone(),
                decay,
            },
        })
    }
}

impl Serve {
    /// Returns the folder of the log.
    fn log_folder(&self, store: &Store) -> Result<PathBuf, Failure> {
        match &self.log_dir {
            Some(folder) if folder.to_string_lossy().contains("://") => {
                let what = "must be a folder of a local disk: an event is on it before it is acknowledged";
                Err(Failure::usage(format!("--log-dir {}: {what}", folder.display())))
            }
            Some(folder) => Ok(folder.clone()),
            None if store.is_bucket() => {
                let what = "a server of a lake in a bucket has its log on a local disk; pass --log-dir DIR";
                Err(Failure::usage(format!("--lake {}: {what}", store.location())))
            }
            None => Ok(store.temporary_folder().join(SERVER_LOG)),
        }
    }

    fn segment_age_micros(&self) -> Result<u64, Failure> {
        let seconds = parse_seconds(&self.segment_age);
        let seconds = seconds.map_err(|e| Failure::usage(format!("--segment-age: {e}")))?;
        Ok(seconds.saturating_mul(1_000_000))
    }
}

/// Leaves enough of the files that the process may have open to the lake and its log.
fn limit_connections(limits: &mut Limits, log_line: &LogLine) -> Result<(), Failure> {
    let files =
        raise_open_files().map_err(|e| Failure::runtime(format!("cannot ask for open files: {e}")))?;
    let connections = usize::try_from(files.saturating_sub(FILES_OF_LAKE)).unwrap_or(usize::MAX).max(1);
    if connections < limits.connections {
        let text = format!("{files} open files are allowed, so that there can be {connections} connections");
        log_line(LogLevel::Warning, &text);
        limits.connections = connections;
    }
    Ok(())
}

fn tls_files((certificate, key): (PathBuf, PathBuf)) -> TlsFiles {
    TlsFiles { certificate, key }
}

fn tokens(file: &Path) -> Result<Tokens, Failure> {
    let name = file.display();
    let text = read_to_string(file).map_err(|e| Failure::runtime(format!("--token-file {name}: {e}")))?;
    Tokens::parse(&text).map_err(|e| Failure::usage(format!("--token-file {name}: {e}")))
}

fn list_key(file: &Path) -> Result<SigningKey, Failure> {
    let name = file.display();
    let text = read_to_string(file).map_err(|e| Failure::runtime(format!("--list-key {name}: {e}")))?;
    SigningKey::parse(&text).map_err(|e| Failure::usage(format!("--list-key {name}: {e}")))
}

/// Runs the server until it is stopped.
///
/// # Errors
/// Fails where another server works on the lake, its log is damaged, or the address cannot be listened on.
pub fn run(settings: &Settings, typed: &Serve) -> Result<Exit, Failure> {
    let mut checked = typed.check()?;
    settings.use_threads()?;
    if let Some(edge) = checked.edge.take() {
        return run_edge(settings, typed, checked, edge);
    }
    let Checked { listen, tokens, tls, limits, input, counts, list_signing, .. } = checked;
    let store = settings.store()?;
    let log_dir = typed.log_folder(&store)?;
    let clock = clock(settings);
    let log = ServerLog::start(settings.verbosity, typed.log_format, Arc::clone(&clock));
    let name = format!("serve (process {}, host {}, since {})", process::id(), machine_name(), settings.now);
    let config = ServerConfig {
        poll_interval: poll_interval(&store),
        store,
        log_dir,
        listen,
        site: Site::new(SITE).expect("it is the name of a site"),
        clock,
        log_line: log.log_line(),
        access_log: log.access_log(typed.access_log),
        name,
        tokens,
        tls,
        input,
        counts,
        limits,
        list_signing,
        log: LogOptions { segment_age_micros: typed.segment_age_micros()?, ..LogOptions::default() },
    };
    let mut config = config;
    limit_connections(&mut config.limits, &config.log_line)?;
    let log_line = Arc::clone(&config.log_line);
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    let stop = stop_on_signals()?;
    let summary = topsell_serve::serve(config, &stop, |address| {
        log_line(LogLevel::Info, &format!("listening on {scheme}://{address}"));
    })?;
    log_line(LogLevel::Info, &format!("stopped after {}", counted(summary.accepted, "event", "events")));
    if summary.uncommitted > 0 {
        let text = format!(
            "{} events are in the log and not in the lake yet; the next start moves them",
            summary.uncommitted
        );
        log_line(LogLevel::Warning, &text);
    }
    log.stop();
    Ok(Exit::Success)
}

/// Runs a server that follows another one until it is stopped.
fn run_edge(settings: &Settings, typed: &Serve, checked: Checked, edge: EdgeConfig) -> Result<Exit, Failure> {
    let clock = clock(settings);
    let log = ServerLog::start(settings.verbosity, typed.log_format, Arc::clone(&clock));
    let log_line = log.log_line();
    let mut limits = checked.limits;
    limit_connections(&mut limits, &log_line)?;
    let config = EdgeServerConfig {
        store: typed.edge.store()?,
        listen: checked.listen,
        clock,
        log_line,
        access_log: log.access_log(typed.access_log),
        name: format!("serve (process {}, host {}, since {})", process::id(), machine_name(), settings.now),
        tokens: checked.tokens,
        tls: checked.tls,
        counts: checked.counts,
        limits,
        edge,
    };
    serve_edge::run(config, &stop_on_signals()?)?;
    log.stop();
    Ok(Exit::Success)
}

/// Returns a clock that never fails: where the machine's does, it shows what it showed last.
fn clock(settings: &Settings) -> Clock {
    let (clock, last) = (settings.clock, Mutex::new(settings.now));
    Arc::new(move || -> Timestamp {
        let mut last = last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *last = clock.now().unwrap_or(*last);
        *last
    })
}

/// Returns what gets a message on the first SIGINT or SIGTERM; the second one ends the process.
fn stop_on_signals() -> Result<Receiver<()>, Failure> {
    let signals = Signals::new([SIGINT, SIGTERM]);
    let mut signals = signals.map_err(|e| Failure::runtime(format!("cannot handle signals: {e}")))?;
    let (send, receive) = channel();
    thread::spawn(move || {
        for (number, signal) in signals.forever().enumerate() {
            if number > 0 {
                let _ = signal_hook::low_level::emulate_default_handler(signal);
            }
            let _ = send.send(());
        }
    });
    Ok(receive)
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Failure {
        use topsell_core::storage::LockError;
        use topsell_serve::log::LogError;
        use topsell_serve::tls::TlsError;
        match error {
            ServeError::Lock(LockError::Held { .. }) | ServeError::Log(LogError::Locked { .. }) => {
                Failure::busy(error.to_string())
                    .with_hint("a lake has one server; stop the other one".to_owned())
            }
            ServeError::Log(LogError::Damaged { .. }) | ServeError::UnknownRecord { .. } => {
                Failure::damaged(error.to_string())
            }
            ServeError::Lake(error) => error.into(),
            ServeError::List(error) => error.into(),
            ServeError::Tls(error) => {
                let named = format!("--tls-cert, --tls-key: {error}");
                match error {
                    TlsError::Unreadable { .. } => Failure::runtime(named),
                    _ => Failure::usage(named),
                }
            }
            error => Failure::runtime(error.to_string()),
        }
    }
}
