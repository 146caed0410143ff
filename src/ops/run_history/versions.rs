//! The versions of the tables and the ranking of a lake.

use crate::run_history::record::Versions;
use topsell_core::lake;
use topsell_core::rankings;
use topsell_core::rollup;
use topsell_core::storage::Store;

/// Returns the current versions of a lake; `None` for what does not exist or cannot be read quickly.
pub fn versions(store: &Store) -> Versions {
    Versions {
        events: lake::version(store),
        rollups: rollup::version(store),
        ranking: rankings::current_file(store),
    }
}
