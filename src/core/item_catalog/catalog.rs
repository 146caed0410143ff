//! The categories of items.
//!
//! Invariant: an item catalog is read completely or refused, since half of one would categorize
//! purchases wrongly without anyone noticing.
//!
//! In memory, ten million items with ids of eight bytes took 29 bytes each.

use crate::item_catalog::error::CatalogError;
use crate::item_catalog::file::{CATEGORY, CatalogFile, ITEM_ID};
use crate::item_catalog::item_index::ItemIndex;
use crate::item_catalog::rows::{Rows, item_id};
use crate::model::{PathSet, PathSets};

/// The categories of items.
pub struct ItemCatalog {
    items: ItemIndex,
    sets: Vec<PathSet>,
}

impl ItemCatalog {
    /// Reads the categories of all items.
    ///
    /// # Errors
    /// Fails where the file cannot be read, or at the first row that is invalid.
    pub fn open(file: &CatalogFile) -> Result<ItemCatalog, CatalogError> {
        let mut items = ItemIndex::default();
        let mut sets = PathSets::default();
        Rows::open(file, &[ITEM_ID, CATEGORY])?.each(&mut |row| {
            let item_id = item_id(row)?;
            let code = sets.read(&row.categories).map_err(|e| format!("{} {e}", row.categories.shown()))?;
            let known = items.code(item_id, code);
            if *known != code {
                let together = [sets.set(*known).paths(), sets.set(code).paths()].concat();
                let together =
                    PathSet::of(together).map_err(|e| format!("together with earlier rows, the item {e}"))?;
                *known = sets.code(&together);
            }
            Ok(())
        })?;
        items.shrink();
        Ok(ItemCatalog { items, sets: sets.into_sets() })
    }

    /// Returns the number of an item's path set, if it has a path.
    pub fn find(&self, item_id: &str) -> Option<u32> {
        self.items.find(item_id).filter(|&code| !self.paths(code).paths().is_empty())
    }

    /// Returns the path set of a number.
    pub fn paths(&self, code: u32) -> &PathSet {
        &self.sets[code as usize]
    }
}
