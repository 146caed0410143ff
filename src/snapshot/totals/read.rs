//! Published totals, read for one item or one category.

use crate::columns::{TotalsFile, TotalsRow};
use crate::snapshot::SnapshotError;
use crate::snapshot::pointer::{Pointer, parse_pointer};
use crate::snapshot::totals::draft::hash_of;
use crate::snapshot::totals::{FOLDER, POINTER};
use crate::store::{Store, StoreError, StoredFile};
use crate::time::Timestamp;

/// Published totals, open for reading.
pub struct Totals {
    store: Store,
    path: String,
    file: TotalsFile,
    /// Where their window ends.
    pub as_of: Timestamp,
}

impl Totals {
    /// Opens the newest; none where there never were any.
    ///
    /// The footer is checked here; a damaged row is told by [`check`] alone.
    ///
    /// # Errors
    /// [`SnapshotError::Damaged`] where the file is not the one that was published.
    pub fn current(store: &Store) -> Result<Option<Totals>, SnapshotError> {
        let Some(pointer) = pointer(store)? else { return Ok(None) };
        let path = format!("{FOLDER}/{}", pointer.file);
        let damaged = |what: &str| SnapshotError::Damaged { file: path.clone(), what: what.to_owned() };
        let footer = pointer.footer.as_ref().ok_or_else(|| damaged("its pointer tells of no footer"))?;
        let tail = store.get_tail(&path, footer.size_bytes)?;
        if blake3::hash(&tail).to_hex().to_string() != footer.blake3 {
            return Err(damaged("its footer is not the one that was published"));
        }
        let file = TotalsFile::open(tail, pointer.size_bytes).map_err(|e| damaged(&e.to_string()))?;
        let as_of = Timestamp::parse(&pointer.as_of).map_err(|_| damaged("its time is no moment"))?;
        Ok(Some(Totals { store: store.clone(), file, as_of, path }))
    }

    /// Returns how many rows there are.
    pub fn rows(&self) -> u64 {
        self.file.rows()
    }

    /// Returns an item's rows, none where it ranks nowhere.
    ///
    /// # Errors
    /// Fails where the file is damaged.
    pub fn item(&self, item_id: &str) -> Result<Vec<TotalsRow>, SnapshotError> {
        let mut rows = Vec::new();
        for group in self.file.groups_of_item(item_id).map_err(|e| self.damaged(&e.to_string()))? {
            let ids = self.file.range_of_items(group).map_err(|e| self.damaged(&e.to_string()))?;
            let ids = self.store.get_range(&self.path, ids)?;
            if self.file.has_item(group, ids, item_id).map_err(|e| self.damaged(&e.to_string()))? {
                let bytes = self.store.get_range(&self.path, self.file.range(group))?;
                let of_item = self.file.item(group, bytes, item_id);
                rows.extend(of_item.map_err(|e| self.damaged(&e.to_string()))?);
            }
        }
        Ok(rows)
    }

    /// Returns a category's items by their ranks, from 1.
    ///
    /// # Errors
    /// Fails where the file is damaged.
    pub fn category(&self, path: &str) -> Result<Vec<TotalsRow>, SnapshotError> {
        let rank = |row: &TotalsRow| row.ranks.iter().find(|(of, _)| of == path).map(|(_, rank)| *rank);
        let mut rows = Vec::new();
        self.each_row_below(path.split('/').next(), &mut |row| {
            if let Some(rank) = rank(&row) {
                rows.push((rank, row));
            }
        })?;
        rows.sort_unstable_by_key(|(rank, _)| *rank);
        Ok(rows.into_iter().map(|(_, row)| row).collect())
    }

    /// Hands over every row below a top-level category, in the order of their ids; for `None` those of
    /// items that count shop-wide only.
    ///
    /// # Errors
    /// Fails where the file is damaged.
    pub fn each_row_below(
        &self,
        top: Option<&str>,
        take: &mut dyn FnMut(TotalsRow),
    ) -> Result<(), SnapshotError> {
        for group in self.file.groups_of_top(top).map_err(|e| self.damaged(&e.to_string()))? {
            let bytes = self.store.get_range(&self.path, self.file.range(group))?;
            let mut of_top = |row: TotalsRow| {
                if row.top_category.as_deref() == top {
                    take(row);
                }
            };
            self.file.each_row(group, bytes, &mut of_top).map_err(|e| self.damaged(&e.to_string()))?;
        }
        Ok(())
    }

    fn damaged(&self, what: &str) -> SnapshotError {
        SnapshotError::Damaged { file: self.path.clone(), what: what.to_owned() }
    }
}

/// Returns what is wrong with the newest totals, if anything is and there are any.
pub fn check(store: &Store) -> Option<String> {
    let pointer = match pointer(store) {
        Ok(pointer) => pointer?,
        Err(error) => return Some(error.to_string()),
    };
    let path = format!("{FOLDER}/{}", pointer.file);
    match hash_of(store, &path, pointer.size_bytes) {
        Ok(hash) if hash == pointer.blake3 => Totals::current(store).err().map(|error| error.to_string()),
        Ok(_) => Some(format!("{path}: its bytes are not those that were published")),
        Err(error) => Some(error.to_string()),
    }
}

/// Returns the totals published before a moment, but never the newest.
///
/// # Errors
/// Fails where the disk does.
pub fn old_totals(store: &Store, kept_since_ms: i64) -> Result<Vec<StoredFile>, StoreError> {
    // Where the pointer cannot be read, any of them may be the newest.
    let Ok(Some(pointer)) = pointer(store) else { return Ok(Vec::new()) };
    let newest = format!("{FOLDER}/{}", pointer.file);
    let mut files = store.files(FOLDER)?;
    files.retain(|file| {
        file.path.ends_with(".parquet") && file.path != newest && file.modified_ms < kept_since_ms
    });
    files.sort_unstable();
    Ok(files)
}

fn pointer(store: &Store) -> Result<Option<Pointer>, SnapshotError> {
    match store.get(POINTER) {
        Err(error) if error.is_not_found() => Ok(None),
        json => parse_pointer(&json?, POINTER).map(Some),
    }
}
