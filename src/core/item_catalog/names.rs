//! The names of items.

use hashbrown::HashMap;

use crate::item_catalog::error::CatalogError;
use crate::item_catalog::file::{CatalogFile, ITEM_ID, NAME};
use crate::item_catalog::rows::{Rows, item_id};
use crate::model::MAX_ID_BYTES;

/// An opened item catalog whose names are not read yet.
pub struct ItemNames {
    rows: Rows,
}

impl ItemNames {
    /// Opens the file and finds its columns.
    ///
    /// # Errors
    /// Fails where the file cannot be read or lacks a column.
    pub fn open(file: &CatalogFile) -> Result<ItemNames, CatalogError> {
        Ok(ItemNames { rows: Rows::open(file, &[ITEM_ID, NAME])? })
    }

    /// Reads the names of the given items; those of other items are skipped.
    ///
    /// # Errors
    /// Fails at the first row that is invalid.
    pub fn names_of<'a>(
        self,
        items: impl IntoIterator<Item = &'a str>,
    ) -> Result<HashMap<&'a str, String>, CatalogError> {
        let mut names: HashMap<&str, String> = items.into_iter().map(|item| (item, String::new())).collect();
        self.rows.each(&mut |row| {
            let name = row.name.unwrap_or("").trim();
            if name.len() > MAX_ID_BYTES {
                return Err(format!("name is {} bytes long, over the limit of {MAX_ID_BYTES}", name.len()));
            }
            if let Some(known) = names.get_mut(item_id(row)?).filter(|known| known.is_empty()) {
                name.clone_into(known);
            }
            Ok(())
        })?;
        names.retain(|_, name| !name.is_empty());
        Ok(names)
    }
}
