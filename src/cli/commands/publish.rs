//! `topsell publish`: hands the published ranking to Redis, static files or an HTTP endpoint.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args as ClapArgs, ValueEnum};

use crate::commands::publish_options::ranking_name;
use crate::failure::{Exit, Failure, OF_FULL_DISK};
use crate::metrics;
use crate::run_recorder::{self, RecordMode};
use crate::settings::Settings;
use topsell_core::lake::Lake;
use topsell_core::model::parse_seconds;
use topsell_core::rankings::{RankingName, Snapshot, SnapshotError};
use topsell_core::storage::Store;
use topsell_core::storage::local_files::read_to_string;
use topsell_ops::process::machine_name;
use topsell_output::text::{counted, size};
use topsell_publish::{
    DryRun, Encoding, HttpOptions, Outcome, PublishError, RankingValues, RedisOptions, StaticOptions, Target,
    publish_to_files, publish_to_redis,
};

/// How long a value stays that the index no longer names, where nothing was said.
const KEEP_IN_REDIS: u64 = 3_600;
const KEEP_FILES: u64 = 24 * 3_600;

/// Publish the ranking to Redis, static files or an HTTP endpoint
///
/// Writes what has changed since what the target holds, a value for each category, and then switches to it atomically:
/// a reader sees the old ranking or the new one. What was written is read back; an HTTP endpoint is sent one request,
/// again until it is accepted. A newer ranking is never replaced by an older one. Run it after `rank`.
#[derive(ClapArgs, Debug)]
#[command(before_help = "\
Examples:
  topsell publish redis://127.0.0.1:6379/0      a key for each category, and a hash that names them
  topsell publish /var/www/best-sellers         a JSON file for each category, and index.json
  topsell publish s3://shop-cdn/best-sellers    the same in a bucket
  topsell publish https://shop.example/hooks/best-sellers --password-file token
")]
pub struct Publish {
    /// redis://HOST:PORT/DATABASE, rediss:// with TLS, redis+unix:///PATH, the path of a folder, s3://BUCKET/PREFIX, or the
    /// URL of an HTTP endpoint
    #[arg(value_name = "TARGET")]
    target: String,
    /// Name under which the ranking was published [default: default]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// What the value of a category is in Redis
    #[arg(long = "as", value_name = "TYPE", value_enum, default_value = "json")]
    encoding: EncodingArg,
    /// What the names of the keys in Redis begin with
    #[arg(long, value_name = "TEXT", default_value = "topsell")]
    prefix: String,
    /// Maximum number of items of a category [default: all that are ranked]
    #[arg(short = 'n', long, value_name = "N")]
    limit: Option<usize>,
    /// Keep values that the ranking no longer has for this long, for readers of the one before [default: 1h in Redis, 1d for
    /// files]
    #[arg(long, value_name = "DURATION")]
    keep: Option<String>,
    /// Write all categories, also those that the target has
    #[arg(long)]
    full: bool,
    /// Replace a newer ranking, too
    #[arg(long)]
    allow_older: bool,
    /// File with the password of the Redis server, or the token that an endpoint is sent as `Authorization: Bearer`
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Time limit: of each command to Redis, or of all tries of a request together [default: 10s, 1min]
    #[arg(long, value_name = "DURATION")]
    timeout: Option<String>,
    /// How often a request to an endpoint is sent again
    #[arg(long, value_name = "N", default_value_t = 5)]
    retries: u32,
    /// Print the plan and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// What the value of a category is in Redis.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum EncodingArg {
    /// A string with a JSON document
    Json,
    /// A sorted set of item ids, scored by rank
    SortedSet,
}

/// What the options say.
pub struct Checked {
    name: RankingName,
    target: Target,
    encoding: Encoding,
    keep_seconds: Option<u64>,
    timeout: Option<Duration>,
    dry_run: DryRun,
}

impl Publish {
    /// Checks the options, without looking at the target.
    ///
    /// # Errors
    /// Names the option that is wrong and what to write instead.
    pub fn check(&self) -> Result<Checked, Failure> {
        let target = Target::parse(&self.target)
            .map_err(|e| Failure::usage(format!("TARGET `{}` {e}", self.target)))?;
        let seconds = |option: &str, text: &String| {
            parse_seconds(text).map_err(|e| Failure::usage(format!("{option}: {e}")))
        };
        let keep_seconds = self.keep.as_ref().map(|text| seconds("--keep", text)).transpose()?;
        let timeout = self.timeout.as_ref().map(|text| seconds("--timeout", text)).transpose()?;
        if timeout == Some(0) {
            return Err(Failure::usage("--timeout: must be at least 1s".to_owned()));
        }
        if self.limit == Some(0) {
            return Err(Failure::usage("--limit: must be at least 1".to_owned()));
        }
        if self.prefix.is_empty() || self.prefix.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(Failure::usage("--prefix: must be a text without white space".to_owned()));
        }
        let encoding = match self.encoding {
            EncodingArg::Json => Encoding::Json,
            EncodingArg::SortedSet => Encoding::SortedSet,
        };
        let is_redis = matches!(target, Target::Redis(_));
        if encoding == Encoding::SortedSet && !is_redis {
            let what = "--as sorted-set: is for Redis; files and endpoints get JSON";
            return Err(Failure::usage(what.to_owned()));
        }
        if self.password_file.is_some() && matches!(target, Target::Files(_)) {
            let what = "--password-file: is for Redis and HTTP; a bucket is reached as --lake is";
            return Err(Failure::usage(what.to_owned()));
        }
        let timeout = timeout.map(Duration::from_secs);
        let dry_run = if self.dry_run { DryRun::Yes } else { DryRun::No };
        let name = ranking_name(self.name.as_deref())?;
        Ok(Checked { name, target, encoding, keep_seconds, timeout, dry_run })
    }
}

/// Publishes the ranking.
///
/// # Errors
/// Fails where there is no ranking, or the target fails.
pub fn run(settings: &Settings, typed: &Publish) -> Result<Exit, Failure> {
    let checked = typed.check()?;
    let mode = if checked.dry_run == DryRun::Yes { RecordMode::AtEnd } else { RecordMode::FromStart };
    let done = run_recorder::record(settings, "publish", mode, |_| publish(settings, typed, checked));
    metrics::write(settings);
    done
}

fn publish(settings: &Settings, typed: &Publish, checked: Checked) -> Result<Exit, Failure> {
    let store = settings.store()?;
    let snapshot = match Snapshot::named(&store, &checked.name) {
        Err(SnapshotError::None) => {
            // Without a lake there is more to do than to rank.
            Lake::open(store)?;
            return Err(SnapshotError::None.into());
        }
        snapshot => snapshot?,
    };
    let values = RankingValues::of(&snapshot, typed.limit.unwrap_or(usize::MAX), checked.encoding)?;
    let name = checked.target.to_string();
    let dry_run = checked.dry_run;
    let outcome = write(settings, typed, checked, &store, &values)?;
    settings.note(&said(&name, &values, &outcome, dry_run));
    Ok(Exit::Success)
}

fn write(
    settings: &Settings,
    typed: &Publish,
    checked: Checked,
    lake: &Store,
    values: &RankingValues,
) -> Result<Outcome, Failure> {
    let Checked { target, encoding, keep_seconds, timeout, dry_run, .. } = checked;
    let password = typed.password_file.as_deref().map(password).transpose()?;
    let (is_full, allows_older) = (typed.full, typed.allow_older);
    let outcome = match target {
        Target::Redis(address) => {
            let address = match &password {
                Some(password) => address.with_password(password),
                None => address,
            };
            let options = RedisOptions {
                prefix: typed.prefix.clone(),
                encoding,
                keep_seconds: keep_seconds.unwrap_or(KEEP_IN_REDIS),
                is_full,
                allows_older,
                timeout: timeout.unwrap_or(Duration::from_secs(10)),
                dry_run,
            };
            publish_to_redis(&address, values, &options)?
        }
        Target::Files(path) => {
            let options = StaticOptions {
                keep_seconds: keep_seconds.unwrap_or(KEEP_FILES),
                is_full,
                allows_older,
                dry_run,
                holder: format!(
                    "process {}, host {}, since {}",
                    std::process::id(),
                    machine_name(),
                    settings.now
                ),
                now: settings.now,
            };
            let files = Store::open(&path).map_err(PublishError::from)?;
            publish_to_files(&files, values, &options)?
        }
        Target::Http(endpoint) => {
            let endpoint = match &password {
                Some(token) => endpoint.with_token(token),
                None => endpoint,
            };
            let options = HttpOptions {
                is_full,
                allows_older,
                timeout: timeout.unwrap_or(Duration::from_mins(1)),
                max_retries: typed.retries,
                dry_run,
            };
            endpoint.publish(lake, values, &options)?
        }
    };
    Ok(outcome)
}

impl From<PublishError> for Failure {
    fn from(error: PublishError) -> Failure {
        let (exit, hint) = match &error {
            PublishError::Store(error) => (Exit::RuntimeError, error.is_full().then_some(OF_FULL_DISK)),
            PublishError::Snapshot(_) | PublishError::Failed { .. } => (Exit::RuntimeError, None),
            PublishError::Denied { .. } => (
                Exit::RuntimeError,
                Some("pass the password with --password-file FILE; the user is part of the URL"),
            ),
            PublishError::OtherProgram { .. } => {
                (Exit::UsageError, Some("nothing was written; choose another --prefix, or another folder"))
            }
            PublishError::Newer { .. } => {
                (Exit::Stale, Some("nothing was written; to replace it all the same, pass --allow-older"))
            }
            PublishError::Busy { .. } => (Exit::Busy, Some("run it again when the other run has ended")),
            PublishError::Differs { .. } => (Exit::RuntimeError, Some("write everything again with --full")),
        };
        let mut failure = match error {
            PublishError::Snapshot(error) => return error.into(),
            error => Failure::runtime(error.to_string()),
        };
        failure.exit = exit;
        match hint {
            Some(hint) => failure.with_hint(hint.to_owned()),
            None => failure,
        }
    }
}

/// Reads the first line of a file.
fn password(file: &Path) -> Result<String, Failure> {
    let name = file.display();
    let text = read_to_string(file).map_err(|e| Failure::runtime(format!("--password-file {name}: {e}")))?;
    match text.lines().next().map(str::trim).filter(|line| !line.is_empty()) {
        Some(line) => Ok(line.to_owned()),
        None => Err(Failure::usage(format!("--password-file {name}: its first line is empty"))),
    }
}

fn said(target: &str, values: &RankingValues, outcome: &Outcome, dry_run: DryRun) -> String {
    let Outcome { written, unchanged, removed, size_bytes, retries } = *outcome;
    let verb = if dry_run == DryRun::Yes { "to write" } else { "written" };
    let mut text = format!(
        "publish: {} {verb}, {unchanged} unchanged, {removed} removed, {}; {target} {} the ranking as of {}",
        counted(written, "category", "categories"),
        size(size_bytes),
        if dry_run == DryRun::Yes { "would have" } else { "has" },
        values.as_of,
    );
    if retries > 0 {
        text.push_str(&format!(" after {}", counted(retries.into(), "retry", "retries")));
    }
    text
}
