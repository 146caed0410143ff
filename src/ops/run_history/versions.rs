//! The versions of the tables and the ranking of a lake.

use std::thread;

use crate::run_history::record::Versions;
use topsell_core::lake;
use topsell_core::rankings;
use topsell_core::rollup;
use topsell_core::storage::Store;

/// Returns the current versions of a lake; `None` for what does not exist or cannot be read quickly.
pub fn versions(store: &Store) -> Versions {
    if !store.is_bucket() {
        return Versions {
            events: lake::version(store),
            rollups: rollup::version(store),
            ranking: rankings::current_file(store),
        };
    }
    // Each takes several requests one after another.
    thread::scope(|scope| {
        let events = scope.spawn(|| lake::version(store));
        let rollups = scope.spawn(|| rollup::version(store));
        let ranking = rankings::current_file(store);
        Versions { events: events.join().ok().flatten(), rollups: rollups.join().ok().flatten(), ranking }
    })
}
