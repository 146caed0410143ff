//! `topsell serve --upstream`: a server that follows another one, for the machines that web servers run on.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args as ClapArgs;

use crate::failure::Failure;
use topsell_core::model::{hide_secrets, parse_seconds};
use topsell_core::storage::Store;
use topsell_core::storage::local_files::read_to_string;
use topsell_lists::VerifyingKey;
use topsell_serve::config::LogLevel;
use topsell_serve::edge::EdgeConfig;
use topsell_serve::{EdgeServerConfig, serve_edge};

/// Options of a server that follows another one.
#[derive(ClapArgs, Debug)]
pub struct EdgeArgs {
    /// Follow the ranking and the lists of another server instead of serving a lake; several are tried in turn
    #[arg(long, value_name = "URL", value_delimiter = ',')]
    pub upstream: Vec<String>,
    /// Directory of what is followed, on a local disk
    #[arg(long, value_name = "DIR", default_value = "data/edge")]
    pub edge_dir: PathBuf,
    /// File with the token that the other server wants
    #[arg(long, value_name = "FILE", requires = "upstream")]
    pub upstream_token_file: Option<PathBuf>,
    /// Public key in the format of minisign: versions without its signature are refused
    #[arg(long, value_name = "FILE", requires = "upstream")]
    pub upstream_key: Option<PathBuf>,
    /// Answer 503 when no server has been reached for longer than this
    #[arg(long, value_name = "DURATION", requires = "upstream")]
    pub max_stale: Option<String>,
}

impl EdgeArgs {
    /// Checks the options; none where a lake is served.
    ///
    /// # Errors
    /// Names the option that is wrong and what to write instead.
    pub fn check(&self) -> Result<Option<EdgeConfig>, Failure> {
        if self.upstream.is_empty() {
            return Ok(None);
        }
        for address in &self.upstream {
            let rest = address.strip_prefix("http://").or_else(|| address.strip_prefix("https://"));
            let host = rest.map(|rest| rest.trim_end_matches('/')).unwrap_or_default();
            if host.is_empty() || host.contains(['/', '?', '#']) {
                let what = "is not the address of a server, such as http://origin:7600";
                return Err(Failure::usage(format!("--upstream `{}` {what}", hide_secrets(address))));
            }
        }
        if self.edge_dir.to_string_lossy().contains("://") {
            let what = "must be a folder of a local disk";
            return Err(Failure::usage(format!("--edge-dir {}: {what}", self.edge_dir.display())));
        }
        let seconds =
            |text: &String| parse_seconds(text).map_err(|e| Failure::usage(format!("--max-stale: {e}")));
        Ok(Some(EdgeConfig {
            upstreams: self.upstream.clone(),
            token: self.upstream_token_file.as_deref().map(token).transpose()?,
            key: self.upstream_key.as_deref().map(key).transpose()?,
            max_stale: self.max_stale.as_ref().map(seconds).transpose()?.map(Duration::from_secs),
        }))
    }

    /// Returns where what is followed is kept.
    ///
    /// # Errors
    /// Fails where the path cannot be made absolute.
    pub fn store(&self) -> Result<Store, Failure> {
        Store::open(&self.edge_dir).map_err(|e| Failure::usage(format!("--edge-dir: {e}")))
    }
}

/// Runs the server until it is stopped.
///
/// # Errors
/// Fails where another server has the folder, or the address cannot be listened on.
pub fn run(config: EdgeServerConfig, stop: &std::sync::mpsc::Receiver<()>) -> Result<(), Failure> {
    let log_line = Arc::clone(&config.log_line);
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    Ok(serve_edge(config, stop, |address| {
        log_line(LogLevel::Info, &format!("listening on {scheme}://{address}"));
    })?)
}

fn token(file: &Path) -> Result<String, Failure> {
    let name = file.display();
    let text = read_to_string(file);
    let text = text.map_err(|e| Failure::runtime(format!("--upstream-token-file {name}: {e}")))?;
    match text.lines().next().map(str::trim).filter(|line| !line.is_empty()) {
        Some(line) => Ok(line.to_owned()),
        None => Err(Failure::usage(format!("--upstream-token-file {name}: its first line is empty"))),
    }
}

fn key(file: &Path) -> Result<VerifyingKey, Failure> {
    let name = file.display();
    let text = read_to_string(file).map_err(|e| Failure::runtime(format!("--upstream-key {name}: {e}")))?;
    VerifyingKey::parse(&text).map_err(|e| Failure::usage(format!("--upstream-key {name}: {e}")))
}
