//! Published item totals, read for one item or one category.

use std::cmp::Reverse;

use crate::parquet_format::{ColumnsError, ItemTotalsFile, ItemTotalsRow};
use crate::rankings::error::SnapshotError;
use crate::rankings::item_totals::files::{FOLDER, POINTER, hash_of};
use crate::rankings::metadata::RankingMetadata;
use crate::rankings::pointer::{Pointer, parse_pointer};
use crate::storage::{CheckedParts, FileAges, FileRetention, Store, StoreError, StoredFile, is_unfinished};

/// Published item totals, open for reading.
pub struct ItemTotals {
    path: String,
    parts: CheckedParts,
    file: ItemTotalsFile,
    /// How the totals were made.
    pub metadata: RankingMetadata,
}

impl ItemTotals {
    /// Opens the newest item totals; `None` where none were ever published.
    ///
    /// The footer is checked here, and the rows when they are read.
    ///
    /// # Errors
    /// [`SnapshotError::Damaged`] where the file is not the published one.
    pub fn current(store: &Store) -> Result<Option<ItemTotals>, SnapshotError> {
        let Some(pointer) = pointer(store)? else { return Ok(None) };
        let path = format!("{FOLDER}/{}", pointer.file);
        let damaged = |what: &str| SnapshotError::Damaged { file: path.clone(), what: what.to_owned() };
        let footer = pointer.footer.as_ref().ok_or_else(|| damaged("its pointer has no footer"))?;
        let tail = store.get_tail(&path, footer.size_bytes)?;
        if blake3::hash(&tail).to_hex().to_string() != footer.blake3 {
            return Err(damaged("its footer is not the published one"));
        }
        let file =
            ItemTotalsFile::open(tail.clone(), pointer.size_bytes).map_err(|e| damaged(&e.to_string()))?;
        let parts = CheckedParts::of(store, &path, pointer.size_bytes, tail, file.blocks());
        let metadata = RankingMetadata::of(&pointer.as_of, &|name| file.label(name)).map_err(damaged)?;
        Ok(Some(ItemTotals { path, parts, file, metadata }))
    }

    /// Returns an item's rows; none where it is not eligible in any category.
    ///
    /// # Errors
    /// Fails where the file is damaged.
    pub fn item(&self, item_id: &str) -> Result<Vec<ItemTotalsRow>, SnapshotError> {
        let mut rows = Vec::new();
        for group in self.file.groups_of_item(item_id).map_err(|e| self.damaged(&e.to_string()))? {
            let ids = self.file.range_of_items(group).map_err(|e| self.damaged(&e.to_string()))?;
            let ids = self.parts.bytes(ids)?;
            if self.file.has_item(group, ids, item_id).map_err(|e| self.damaged(&e.to_string()))? {
                let bytes = self.parts.bytes(self.file.range(group))?;
                let of_item = self.file.item(group, bytes, item_id);
                rows.extend(of_item.map_err(|e| self.damaged(&e.to_string()))?);
            }
        }
        Ok(rows)
    }

    /// Returns the items of certain ranks in a category, in the whole shop for `None`, each with its
    /// rank, best first.
    ///
    /// # Errors
    /// Fails where the file is damaged.
    pub fn ranked(
        &self,
        category: Option<&str>,
        ranks: &[i64],
    ) -> Result<Vec<(i64, ItemTotalsRow)>, SnapshotError> {
        let damaged = |e: ColumnsError| self.damaged(&e.to_string());
        let groups = match category {
            Some(path) => self.file.groups_of_top(path.split('/').next()).map_err(damaged)?,
            None => (0..self.file.groups()).collect(),
        };
        let rank_of = |row: &ItemTotalsRow| match category {
            Some(path) => row.ranks.iter().find(|(of, _)| of == path).map(|(_, rank)| *rank),
            None => row.shop_rank,
        };
        let mut found = Vec::new();
        for group in groups {
            let range = self.file.range_of_ranks(group, category).map_err(damaged)?;
            let bytes = self.parts.bytes(range)?;
            let rows = self.file.rows_ranked(group, bytes, category, ranks).map_err(damaged)?;
            if !rows.is_empty() {
                let bytes = self.parts.bytes(self.file.range(group))?;
                let rows = self.file.rows_at(group, bytes, &rows).map_err(damaged)?;
                found.extend(rows.into_iter().filter_map(|row| Some((rank_of(&row)?, row))));
            }
        }
        found.sort_unstable_by_key(|(rank, _)| *rank);
        Ok(found)
    }

    fn damaged(&self, what: &str) -> SnapshotError {
        SnapshotError::Damaged { file: self.path.clone(), what: what.to_owned() }
    }
}

/// Returns what is wrong with the newest item totals, if anything is and there are any; and the path of what is
/// damaged, the file or its pointer, or none where it cannot be read and may be intact.
pub fn check(store: &Store) -> Option<(Option<String>, String)> {
    let pointer = match pointer(store) {
        Ok(pointer) => pointer?,
        Err(error) => return Some((path_if_damaged(&error, POINTER), error.to_string())),
    };
    let path = format!("{FOLDER}/{}", pointer.file);
    match hash_of(store, &path, pointer.size_bytes) {
        Ok(hash) if hash == pointer.blake3 => {
            let error = ItemTotals::current(store).err()?;
            Some((path_if_damaged(&error, POINTER), error.to_string()))
        }
        Ok(_) => {
            let text = format!("{path}: its bytes are not those that were published");
            Some((Some(path), text))
        }
        Err(error) => {
            let text = error.to_string();
            Some((path_if_damaged(&error.into(), &path), text))
        }
    }
}

fn path_if_damaged(error: &SnapshotError, path: &str) -> Option<String> {
    let is_out_of_reach = matches!(error, SnapshotError::Store(error) if error.is_out_of_reach());
    (!is_out_of_reach).then(|| path.to_owned())
}

/// Returns the item totals that are kept no longer, never the newest, and unfinished files of runs that were killed.
/// How old they are is told by the times of all of them, unless the clock is known to be right.
///
/// No other run may publish at the same time.
///
/// # Errors
/// Fails where the disk does.
pub fn expired_item_totals(store: &Store, retention: FileRetention) -> Result<Vec<StoredFile>, StoreError> {
    // If the pointer cannot be read, any of them may be the newest.
    let newest = pointer(store).ok().flatten().map(|pointer| format!("{FOLDER}/{}", pointer.file));
    let mut files = store.files(FOLDER)?;
    let is_published = |file: &&StoredFile| file.path.ends_with(".parquet");
    let mut times_ms: Vec<i64> = files.iter().filter(is_published).map(|file| file.modified_ms).collect();
    times_ms.sort_unstable_by_key(|&time_ms| Reverse(time_ms));
    let ages = FileAges::of_retention(retention, times_ms);
    let is_old = |file: &StoredFile| {
        let is_other = newest.as_ref().is_some_and(|newest| *newest != file.path);
        is_other && is_published(&file) && ages.of(file.modified_ms) > retention.keep_ms
    };
    files.retain(|file| is_old(file) || is_unfinished(&file.path));
    files.sort_unstable();
    Ok(files)
}

fn pointer(store: &Store) -> Result<Option<Pointer>, SnapshotError> {
    match store.get(POINTER) {
        Err(error) if error.is_not_found() => Ok(None),
        json => parse_pointer(&json?, POINTER).map(Some),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::rankings::pointer::SCHEMA;
    use crate::storage::temporary;

    const DAY_MS: i64 = 86_400_000;

    /// A clock that is years ahead removed the totals that had just been replaced, and may still be read.
    #[test]
    fn one_jump_of_the_clock_removes_no_item_totals() {
        let (store, folder) = temporary();
        for day in 8..=20 {
            let path = format!("{FOLDER}/{day:02}.parquet");
            store.put(&path, "totals".into()).expect("it can be written");
            let file = File::options().write(true).open(folder.path().join(path));
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(day * 86_400);
            file.and_then(|file| file.set_modified(time)).expect("its time can be set");
        }
        let mut pointer = Pointer {
            schema: SCHEMA,
            file: "20.parquet".to_owned(),
            blake3: String::new(),
            size_bytes: 6,
            rows: 1,
            as_of: "1970-01-21T00:00:00Z".to_owned(),
            footer: None,
            checksum: None,
        };
        store.put(POINTER, pointer.json().into()).expect("it can be written");
        let check = |day: i64, trusts_clock: bool, last: u32| {
            let retention = FileRetention { keep_ms: 7 * DAY_MS, now_ms: day * DAY_MS, trusts_clock };
            let expired = expired_item_totals(&store, retention).expect("the folder can be listed");
            let paths: Vec<String> = expired.into_iter().map(|file| file.path).collect();
            let expected: Vec<String> = (8..=last).map(|day| format!("{FOLDER}/{day:02}.parquet")).collect();
            assert_eq!(paths, expected, "{day} {trusts_clock}");
        };
        check(21, false, 13);
        check(21, true, 13);
        // Those of the last days are still there.
        check(4_000, false, 16);
        check(4_000, true, 19);
    }
}
