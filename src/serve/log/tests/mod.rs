//! Promises of the log, on a disk that fails in every way that disks do.

mod crash;
mod damage;
mod faults;
mod groups;
mod segments;
pub mod simulated_disk;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::log::error::LogError;
use crate::log::event_log::{EventLog, Options};
use crate::log::position::{Position, Site};
use crate::log::record::Record;
use crate::log::recovery::Recovered;
use crate::log::tests::simulated_disk::SimulatedDisk;

/// Small, so that tests have many segments.
const SMALL: Options = Options {
    segment_bytes: 1024,
    segment_age_micros: 60_000_000,
    queue_bytes: 1 << 20,
    queue_records: 1000,
};

/// A record as `apply` got it: position, time, payload.
type Seen = (String, i64, Vec<u8>);

/// A log, what opening it has found, and what `apply` has got, which becomes more while the log is open.
type Opened = (EventLog<usize>, Recovered, Arc<Mutex<Vec<Seen>>>);

fn folder() -> &'static Path {
    Path::new("log")
}

fn site() -> Site {
    Site::new("main").expect("it is valid")
}

fn position(text: &str) -> Position {
    text.parse().expect("it is a position")
}

fn path(name: &str) -> PathBuf {
    folder().join(name)
}

fn open(disk: &SimulatedDisk) -> Result<Opened, LogError> {
    open_with(disk, SMALL)
}

fn open_with(disk: &SimulatedDisk, options: Options) -> Result<Opened, LogError> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let list = Arc::clone(&seen);
    let (log, recovered) =
        EventLog::open_on(Arc::new(disk.clone()), folder(), site(), options, move |record| {
            let mut list = list.lock().expect("no test panics here");
            list.push((record.position().to_string(), record.time_micros, record.payload.to_vec()));
            list.len()
        })?;
    Ok((log, recovered, seen))
}

/// Opens a log of several small segments, for the tests of who uses it.
pub fn open_log<R: Send + 'static>(
    disk: &SimulatedDisk,
    apply: impl FnMut(Record<'_>) -> R + Send + 'static,
) -> Result<EventLog<R>, LogError> {
    EventLog::open_on(Arc::new(disk.clone()), folder(), site(), SMALL, apply).map(|(log, _)| log)
}

/// Returns the names of the files of that log.
pub fn files_of_log(disk: &SimulatedDisk) -> Vec<String> {
    disk.names(folder())
}

/// Appends a record and waits until it is durable; returns its position.
fn append(log: &EventLog<usize>, time_micros: i64, payload: &[u8]) -> Result<String, LogError> {
    log.append(time_micros, payload.to_vec())?.wait().map(|appended| appended.position.to_string())
}

fn positions(seen: &Mutex<Vec<Seen>>) -> Vec<String> {
    seen.lock().expect("no test panics here").iter().map(|(position, _, _)| position.clone()).collect()
}
