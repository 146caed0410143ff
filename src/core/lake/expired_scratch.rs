//! What several processes were to compute together and did not end: plans and results that are old.
//!
//! Invariant: a folder goes as a whole, and not before all of its files are older than what is kept.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::lake::layout::SCRATCH;
use crate::storage::{FileAges, FileRetention, Store, StoreError, StoredFile};

/// Returns the files of the folders in `scratch` in which nothing was written for as long as old versions are kept: a
/// plan names files of one version of a table, and is of no use after that.
///
/// # Errors
/// Fails where the folder cannot be listed.
pub fn expired_scratch(store: &Store, retention: FileRetention) -> Result<Vec<StoredFile>, StoreError> {
    let mut folders: BTreeMap<String, Vec<StoredFile>> = BTreeMap::new();
    for file in store.files(SCRATCH)? {
        let folder = file.path.split('/').nth(1).unwrap_or_default().to_owned();
        folders.entry(folder).or_default().push(file);
    }
    let newest = |files: &[StoredFile]| files.iter().map(|file| file.modified_ms).max().unwrap_or_default();
    let mut times_ms: Vec<i64> = folders.values().map(|files| newest(files)).collect();
    times_ms.sort_unstable_by_key(|&time_ms| Reverse(time_ms));
    let ages = FileAges::of_retention(retention, times_ms);
    folders.retain(|_, files| ages.of(newest(files)) > retention.keep_ms);
    let mut expired: Vec<StoredFile> = folders.into_values().flatten().collect();
    expired.sort_unstable();
    Ok(expired)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::temporary;

    #[test]
    fn a_folder_goes_when_the_newest_of_its_files_is_old() {
        let (store, _folder) = temporary();
        for path in ["scratch/rank-1/plan-0.json", "scratch/rank-1/plan-0.json.0.part"] {
            store.put(path, "{}".into()).expect("it can be written");
        }
        let written_ms = store.files(SCRATCH).expect("it can be listed")[0].modified_ms;
        let expired = |age_ms: i64| {
            let retention =
                FileRetention { keep_ms: 3_600_000, now_ms: written_ms + age_ms, trusts_clock: true };
            let expired = expired_scratch(&store, retention).expect("it can be listed");
            expired.into_iter().map(|file| file.path).collect::<Vec<_>>()
        };
        assert_eq!(expired(3_500_000), [""; 0]);
        assert_eq!(expired(3_700_000), ["scratch/rank-1/plan-0.json", "scratch/rank-1/plan-0.json.0.part"]);
    }
}
