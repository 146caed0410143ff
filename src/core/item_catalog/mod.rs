//! What the shop says of its items: the categories they lie in, and what they are called.
//!
//! Invariant: a catalog is read whole or refused, since half of one would file purchases
//! wrongly and nobody would notice.
//!
//! One is a CSV, TSV or Parquet file, packed or not, with a row for each item or several:
//!
//! | column | |
//! |---|---|
//! | `item_id` | the item, as the logs spell it |
//! | `category` | its paths, as in a log; those of several rows are put together |
//! | `name` | what it is called; the first row that has one tells |
//!
//! Held in memory, ten million items with ids of eight bytes took 29 bytes each.

mod items;
mod rows;

use std::path::PathBuf;

use hashbrown::HashMap;

use crate::input_format::{Mapping, SourceError};
use crate::model::{MAX_ID_BYTES, PathSet, PathSets};

use items::Items;
use rows::Rows;

/// The columns of a catalog, by the names that they have unless they are mapped.
pub const FIELDS: &[&str] = &["item_id", "category", "name"];

const ITEM_ID: usize = 0;
const CATEGORY: usize = 1;
const NAME: usize = 2;

/// A catalog's file, and which of its columns is what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogFile {
    pub path: PathBuf,
    /// Of [`FIELDS`].
    pub mapping: Mapping,
}

/// The categories of items.
pub struct ItemCatalog {
    items: Items,
    sets: Vec<PathSet>,
}

/// The names of items, not yet read.
pub struct ItemNames {
    rows: Rows,
}

/// A catalog could not be read.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    #[error("the catalog {file}: {source}")]
    Source { file: String, source: SourceError },
    #[error("the catalog {file} {reason}")]
    File { file: String, reason: String },
    #[error("the catalog {file}:{line}: {reason}")]
    Row { file: String, line: u64, reason: String },
}

impl ItemCatalog {
    /// Reads the categories of all items.
    ///
    /// # Errors
    /// Names the file, and the first row that is wrong.
    pub fn open(file: &CatalogFile) -> Result<ItemCatalog, CatalogError> {
        let mut items = Items::default();
        let mut sets = PathSets::default();
        Rows::open(file, &[ITEM_ID, CATEGORY])?.each(&mut |row| {
            let item = item(row.item_id)?;
            let code = sets.read(&row.categories).map_err(|e| format!("{} {e}", row.categories.shown()))?;
            let known = items.code(item, code);
            if *known != code {
                let together = [sets.set(*known).paths(), sets.set(code).paths()].concat();
                let together =
                    PathSet::of(together).map_err(|e| format!("with the rows before, the item {e}"))?;
                *known = sets.code(&together);
            }
            Ok(())
        })?;
        items.shrink();
        Ok(ItemCatalog { items, sets: sets.into_sets() })
    }

    /// Returns the number of an item's set of paths, unless the catalog has no path for it.
    pub fn find(&self, item_id: &str) -> Option<u32> {
        self.items.find(item_id).filter(|&code| !self.paths(code).paths().is_empty())
    }

    /// Returns the set of paths a number stands for.
    pub fn paths(&self, code: u32) -> &PathSet {
        &self.sets[code as usize]
    }
}

impl ItemNames {
    /// Opens the list and finds its columns.
    ///
    /// # Errors
    /// Names the file, and what it lacks.
    pub fn open(file: &CatalogFile) -> Result<ItemNames, CatalogError> {
        Ok(ItemNames { rows: Rows::open(file, &[ITEM_ID, NAME])? })
    }

    /// Reads the names of the given items; those of others are passed over.
    ///
    /// # Errors
    /// Names the file, and the first row that is wrong.
    pub fn names_of<'a>(
        self,
        items: impl IntoIterator<Item = &'a str>,
    ) -> Result<HashMap<&'a str, String>, CatalogError> {
        let mut names: HashMap<&str, String> = items.into_iter().map(|item| (item, String::new())).collect();
        self.rows.each(&mut |row| {
            let name = row.name.unwrap_or("").trim();
            if name.len() > MAX_ID_BYTES {
                return Err(format!("name is {} bytes long; at most {MAX_ID_BYTES} are taken", name.len()));
            }
            if let Some(known) = names.get_mut(item(row.item_id)?).filter(|known| known.is_empty()) {
                name.clone_into(known);
            }
            Ok(())
        })?;
        names.retain(|_, name| !name.is_empty());
        Ok(names)
    }
}

fn item(item_id: Option<&str>) -> Result<&str, String> {
    match item_id.filter(|id| !id.is_empty()) {
        None => Err("item_id is empty; every row of a catalog needs one".to_owned()),
        Some(id) if id.len() > MAX_ID_BYTES => {
            Err(format!("item_id is {} bytes long; at most {MAX_ID_BYTES} are taken", id.len()))
        }
        Some(id) => Ok(id),
    }
}
