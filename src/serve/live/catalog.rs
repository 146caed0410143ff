//! The item catalog, read again when its file changes.
//!
//! Invariant: a catalog that cannot be read does not replace the one that could.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use topsell_core::item_catalog::{CatalogError, CatalogFile, ItemCatalog};
use topsell_core::model::Timestamp;
use topsell_core::storage::local_files;

/// How long a catalog is used before its file is looked at again.
const MAX_AGE_SECONDS: u64 = 1;

/// The catalog of a file that may change.
pub struct ReloadedCatalog {
    file: CatalogFile,
    known: Mutex<Known>,
}

struct Known {
    catalog: Arc<ItemCatalog>,
    stamp: Stamp,
    looked_at: Timestamp,
}

/// What another content of the file has otherwise: its size and when it was modified.
type Stamp = (u64, Option<SystemTime>);

impl ReloadedCatalog {
    /// Reads the catalog.
    ///
    /// # Errors
    /// Fails where it cannot be read.
    pub fn open(file: CatalogFile, now: Timestamp) -> Result<ReloadedCatalog, CatalogError> {
        let stamp = stamp(&file);
        let catalog = Arc::new(ItemCatalog::open(&file)?);
        let known = Mutex::new(Known { catalog, stamp, looked_at: now });
        Ok(ReloadedCatalog { file, known })
    }

    /// Returns the catalog, and why a changed file could not be read, once for each change.
    pub fn at(&self, now: Timestamp) -> (Arc<ItemCatalog>, Option<CatalogError>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if now.seconds_since(known.looked_at) < MAX_AGE_SECONDS {
            return (Arc::clone(&known.catalog), None);
        }
        known.looked_at = now;
        let stamp = stamp(&self.file);
        let mut failure = None;
        if stamp != known.stamp {
            known.stamp = stamp;
            match ItemCatalog::open(&self.file) {
                Ok(catalog) => known.catalog = Arc::new(catalog),
                Err(error) => failure = Some(error),
            }
        }
        (Arc::clone(&known.catalog), failure)
    }
}

fn stamp(file: &CatalogFile) -> Stamp {
    local_files::metadata(&file.path).map_or((0, None), |of| (of.len(), of.modified().ok()))
}
