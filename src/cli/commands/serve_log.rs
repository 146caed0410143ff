//! The log of a server on stderr.
//!
//! Invariant: a request never waits for whoever reads stderr; lines of requests that would are dropped, and counted.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use clap::ValueEnum;

use crate::settings::Verbosity;
use topsell_serve::config::{
    AccessLog, AccessRecord, Clock, LogFormat, LogLevel, LogLine, access_line, message_line,
};

/// How many lines of requests may wait to be written.
const MAX_WAITING: usize = 8_192;

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormatArg {
    Text,
    /// One object on each line
    Json,
}

/// Which requests are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AccessLogArg {
    None,
    /// Those with a status of 400 or more
    Errors,
    All,
}

/// Writes the log of a server.
pub struct ServerLog {
    verbosity: Verbosity,
    format: LogFormat,
    clock: Clock,
    requests: SyncSender<Entry>,
    dropped: Arc<AtomicU64>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

enum Entry {
    Line(String),
    End,
}

impl ServerLog {
    /// Starts to log.
    pub fn start(verbosity: Verbosity, format: LogFormatArg, clock: Clock) -> ServerLog {
        let format = match format {
            LogFormatArg::Text => LogFormat::Text,
            LogFormatArg::Json => LogFormat::Json,
        };
        let (requests, lines) = sync_channel(MAX_WAITING);
        let dropped = Arc::new(AtomicU64::new(0));
        let writer = {
            let (clock, dropped) = (Arc::clone(&clock), Arc::clone(&dropped));
            thread::spawn(move || write_requests(&lines, format, &clock, &dropped))
        };
        ServerLog { verbosity, format, clock, requests, dropped, writer: Mutex::new(Some(writer)) }
    }

    /// Returns what takes the lines of the server itself.
    pub fn log_line(&self) -> LogLine {
        let (verbosity, format, clock) = (self.verbosity, self.format, Arc::clone(&self.clock));
        Arc::new(move |level, text| {
            if level != LogLevel::Info || verbosity != Verbosity::Quiet {
                write(&message_line(format, clock(), level, text));
            }
        })
    }

    /// Returns what takes requests, if any are logged.
    pub fn access_log(&self, which: AccessLogArg) -> Option<AccessLog> {
        let (format, requests, dropped) = (self.format, self.requests.clone(), Arc::clone(&self.dropped));
        let write = move |record: &AccessRecord<'_>| {
            if requests.try_send(Entry::Line(access_line(format, record))).is_err() {
                dropped.fetch_add(1, Ordering::Relaxed);
            }
        };
        (which != AccessLogArg::None)
            .then(|| AccessLog { errors_only: which == AccessLogArg::Errors, write: Arc::new(write) })
    }

    /// Writes what waits.
    pub fn stop(&self) {
        let _ = self.requests.send(Entry::End);
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        let _ = writer.map(JoinHandle::join);
    }
}

fn write_requests(lines: &Receiver<Entry>, format: LogFormat, clock: &Clock, dropped: &AtomicU64) {
    while let Ok(Entry::Line(line)) = lines.recv() {
        write(&line);
        let count = dropped.swap(0, Ordering::Relaxed);
        if count > 0 {
            let text = format!("{count} requests were not logged: stderr is read too slowly");
            write(&message_line(format, clock(), LogLevel::Warning, &text));
        }
    }
}

fn write(line: &str) {
    // Without stderr there is nowhere to log to.
    let _ = writeln!(io::stderr(), "{line}");
}
