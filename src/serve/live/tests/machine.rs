//! A machine with a log and a lake, whose disks fail when told to, and what is known of the events that were sent to it.
//!
//! The disk of the log forgets what was not synced when the power goes. What the lake has written is durable once it is
//! told so: it syncs each file, and a fault at each of its operations stands for the power that goes there.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tempfile::TempDir;

use crate::config::LogLine;
use crate::live::tests::faulty_disk::{Faults, Manner};
use crate::live::tests::server::clock_of;
use crate::live::{Committer, Uncommitted};
use crate::log::tests::simulated_disk::SimulatedDisk;
use crate::log::tests::{files_of_log, open_log};
use crate::log::{EventLog, Record};
use topsell_core::counts::{CountQuery, by_hour};
use topsell_core::ingest::{decode_record, encode_record};
use topsell_core::lake::{self, Lake};
use topsell_core::model::{Event, EventTypes, Events, Hour, PathSet, Timestamp, Units};
use topsell_core::storage::Store;

const HOUR: i32 = 412_000;
const MICROS_PER_SECOND: i64 = 1_000_000;
/// Longer than is waited after a failure.
const PAUSE_SECONDS: i64 = 120;

/// What becomes of a machine between two servers.
pub type Restart = fn(&SimulatedDisk) -> SimulatedDisk;

/// What is known of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// It was acknowledged, or counted after a restart.
    Counted,
    /// It was not there after a restart.
    Absent,
    /// It was not acknowledged.
    Uncertain,
}

pub struct Machine {
    pub log_disk: SimulatedDisk,
    pub lake_faults: Faults,
    folder: TempDir,
    now_micros: Arc<AtomicI64>,
    /// Each event is of an item of its own and has no id, so that whatever is there twice counts twice.
    events: Vec<Known>,
}

/// What of a server takes part.
pub struct Server {
    pub log: Arc<EventLog<()>>,
    pub committer: Committer,
    uncommitted: Arc<Uncommitted>,
}

impl Machine {
    pub fn new(seed: u64, manner: Manner) -> Machine {
        let begin = Hour::new(HOUR).start().micros();
        Machine {
            log_disk: SimulatedDisk::new(seed),
            lake_faults: Faults::after(i64::MAX, manner),
            folder: tempfile::tempdir().expect("a temporary folder can be made"),
            now_micros: Arc::new(AtomicI64::new(begin)),
            events: Vec::new(),
        }
    }

    pub fn start(&self) -> Result<Server, Box<dyn Error>> {
        let store = Store::open_through(self.folder.path(), |disk| self.lake_faults.before(disk))?;
        let lake = Arc::new(Lake::open_or_create(store.clone(), None)?);
        let uncommitted = Arc::new(Uncommitted::default());
        let apply = {
            let uncommitted = Arc::clone(&uncommitted);
            move |record: Record<'_>| {
                let (events, currency) = decode_record(record.payload).expect("it was encoded");
                let since = || lake::version(&store).unwrap_or_default();
                uncommitted.add(record.segment, &events, currency, since);
            }
        };
        let log = Arc::new(open_log(&self.log_disk, apply)?);
        let (clock, log_line) = (clock_of(&self.now_micros), Arc::new(|_, _: &str| {}) as LogLine);
        let committer = Committer::of(Arc::clone(&log), lake, Arc::clone(&uncommitted), clock, log_line);
        committer.remove_committed()?;
        Ok(Server { log, committer, uncommitted })
    }

    /// Ends a server and starts another; where that fails, too, once more on disks that work.
    pub fn restart(&mut self, server: Option<Server>, restart: Restart) -> Server {
        self.log_disk = restart(&self.log_disk);
        // What it does at its end is of a process that has ended.
        drop(server);
        let server = self.start().unwrap_or_else(|_| {
            self.mend();
            self.log_disk = self.log_disk.power_cut();
            self.start().expect("whatever failed, a server starts on disks that work")
        });
        let units = self.units(&server);
        self.check(&units);
        let known = units.iter().map(|units| if *units == 0 { Known::Absent } else { Known::Counted });
        self.events = known.collect();
        server
    }

    /// Lets both disks work; one without power stays so.
    pub fn mend(&self) {
        self.log_disk.clear_fault();
        self.lake_faults.left.store(i64::MAX, Ordering::SeqCst);
    }

    /// Lets so much time pass that segments are sealed and what failed is tried again.
    pub fn wait(&self) {
        self.now_micros.fetch_add(PAUSE_SECONDS * MICROS_PER_SECOND, Ordering::Relaxed);
    }

    /// Returns how many events were sent.
    pub fn count(&self) -> usize {
        self.events.len()
    }

    /// Sends a record of some events; returns whether it was acknowledged.
    pub fn receive(&mut self, server: &Server, count: usize) -> bool {
        let mut events = Events::default();
        let path_set = events.path_sets.code(&PathSet::of(Vec::new()).expect("few paths"));
        let event_type = events.code_of_type("purchase");
        for number in self.events.len()..self.events.len() + count {
            events.push(&Event {
                ts: Timestamp::from_micros(Hour::new(HOUR).start().micros()).expect("a moment"),
                event_id: None,
                item_id: &item(number),
                path_set,
                event_type,
                quantity: Units::from_ten_thousandths(10_000),
                amount: None,
                version: None,
            });
        }
        let now_micros = self.now_micros.load(Ordering::Relaxed);
        let ticket = server.log.append(now_micros, encode_record(&events, None));
        let is_acknowledged = ticket.is_ok_and(|ticket| ticket.wait().is_ok());
        let known = if is_acknowledged { Known::Counted } else { Known::Uncertain };
        self.events.extend(vec![known; count]);
        is_acknowledged
    }

    /// Checks that a server counts each acknowledged event once, and each other at most once.
    pub fn check_counts(&self, server: &Server) {
        self.check(&self.units(server));
    }

    /// Checks that all is in the lake, once, and nothing in the log, also after another restart.
    pub fn check_end(&mut self, server: Server) {
        self.mend();
        self.wait();
        let mut server = server;
        for _ in 0..2 {
            server.log.unregister("follower").expect("the disk works");
            server.committer.commit_all();
            assert!(!server.committer.status().is_failing, "the disks work");
            assert_eq!(server.uncommitted.events(), 0);
            let segments = files_of_log(&self.log_disk);
            let segments: Vec<&String> = segments.iter().filter(|name| name.starts_with("main.")).collect();
            assert_eq!(segments, Vec::<&String>::new(), "all are deleted");
            self.check_counts(&server);
            server = self.restart(Some(server), SimulatedDisk::power_cut);
        }
    }

    fn check(&self, units: &[i64]) {
        for (number, (units, known)) in units.iter().zip(&self.events).enumerate() {
            let is_right = match known {
                Known::Counted => *units == 1,
                Known::Absent => *units == 0,
                Known::Uncertain => *units <= 1,
            };
            assert!(is_right, "event {number} counts {units} times: {known:?}");
        }
    }

    /// Returns how often each event counts.
    fn units(&self, server: &Server) -> Vec<i64> {
        let store = Store::open(self.folder.path()).expect("a folder can be named");
        let items: Vec<String> = (0..self.events.len()).map(item).collect();
        let items: Vec<&str> = items.iter().map(String::as_str).collect();
        let uncommitted = server.uncommitted.batches().expect("events can be encoded");
        let event_types = EventTypes::of(vec!["purchase".to_owned()], Vec::new());
        let hours = Hour::new(HOUR)..Hour::new(HOUR + 1);
        let query =
            CountQuery { event_types: &event_types, hours, category: None, uncommitted: &uncommitted };
        let found = by_hour(&store, &query, &items).expect("the lake is intact");
        let units = |item: &&str| found[item].values().map(|of| of.units.ten_thousandths() / 10_000).sum();
        items.iter().map(units).collect()
    }
}

fn item(number: usize) -> String {
    format!("i{number:04}")
}
