//! All of a server but its connections, at a time that the test says.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::config::{Clock, LogLine};
use crate::live::{Committer, ListKind, LiveLists, Recent, Uncommitted};
use crate::log::{EventLog, Options, Record, Site};
use topsell_core::counts::has_live_ranking_files;
use topsell_core::ingest::{decode_record, encode_record};
use topsell_core::lake::{self, Lake, SERVER_LOG};
use topsell_core::model::{Events, Timestamp};
use topsell_core::storage::Store;

/// What a server consists of.
pub struct Server {
    pub store: Store,
    pub lake: Arc<Lake>,
    pub uncommitted: Arc<Uncommitted>,
    pub lists: Arc<LiveLists>,
    pub recent: Arc<Recent>,
    pub committer: Arc<Committer>,
    log: Arc<EventLog<()>>,
    clock: Clock,
}

/// Returns a clock that stands where a number of microseconds says.
pub fn clock_of(micros: &Arc<AtomicI64>) -> Clock {
    let micros = Arc::clone(micros);
    Arc::new(move || Timestamp::from_micros(micros.load(Ordering::Relaxed)).expect("a moment"))
}

impl Server {
    /// Starts on the lake of a folder, and reads its log.
    pub fn start(folder: &Path, clock: &Clock, by_score: &ListKind) -> Server {
        let store = Store::open(folder).expect("a folder can be named");
        let lake = Arc::new(Lake::open_or_create(store.clone(), None).expect("the disk works"));
        let uncommitted = Arc::new(Uncommitted::default());
        let log_line: LogLine = Arc::new(|_, _| {});
        let lists = Arc::new(LiveLists::of(
            store.clone(),
            Arc::clone(&uncommitted),
            Arc::clone(clock),
            Arc::clone(&log_line),
            by_score.clone(),
        ));
        if has_live_ranking_files(&store) {
            lists.begin_by_score();
        }
        let recent = Arc::new(Recent::of(
            store.clone(),
            Arc::clone(&uncommitted),
            Arc::clone(&lists),
            Arc::clone(clock),
            Arc::clone(&log_line),
        ));
        let apply = {
            let (store, uncommitted, recent) = (store.clone(), Arc::clone(&uncommitted), Arc::clone(&recent));
            move |record: Record<'_>| {
                let (events, currency) = decode_record(record.payload).expect("it was encoded");
                let since = || lake::version(&store).unwrap_or_default();
                let number = uncommitted.add(record.segment, &events, currency, since);
                recent.add(number, events);
            }
        };
        let site = Site::new("main").expect("it is valid");
        let (log, _) =
            EventLog::open(&store.temporary_folder().join(SERVER_LOG), site, Options::default(), apply)
                .expect("the log can be read");
        let log = Arc::new(log);
        let committer = Arc::new(Committer::of(
            Arc::clone(&log),
            Arc::clone(&lake),
            Arc::clone(&uncommitted),
            Arc::clone(clock),
            log_line,
        ));
        committer.remove_committed().expect("the lake can be read");
        Server { store, lake, uncommitted, lists, recent, committer, log, clock: Arc::clone(clock) }
    }

    /// Makes events durable.
    pub fn receive(&self, events: &Events) {
        let record = encode_record(events, None);
        let ticket = self.log.append((self.clock)().micros(), record).expect("the log takes it");
        ticket.wait().expect("it is durable");
    }

    /// Does what the server's threads do from time to time.
    pub fn tick(&self) {
        self.committer.tick();
        self.recent.tick().expect("the lake can be read");
        self.recent.load().expect("the lake can be read");
        // One of them is read at a time, for this hour and the next.
        (0..16).for_each(|_| self.lists.tick());
    }
}
