//! What a lake holds, told by versions alone.

use crate::run_history::record::Versions;
use topsell_core::lake;
use topsell_core::rankings;
use topsell_core::rollup;
use topsell_core::storage::Store;

/// Returns the versions of what a lake holds, at the cost of a few looks at the disk; none of what is not
/// there, or cannot be told so quickly.
pub fn versions(store: &Store) -> Versions {
    Versions {
        events: lake::version(store),
        rollups: rollup::version(store),
        ranking: rankings::current_file(store),
    }
}
