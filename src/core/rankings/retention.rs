//! Retention of published rankings: which have expired.

use std::cmp::Reverse;

use hashbrown::{HashMap, HashSet};

use crate::model::Timestamp;
use crate::rankings::error::SnapshotError;
use crate::rankings::name::ranking_names;
use crate::rankings::pointer::{FOLDER, pointer_beside, read_pointer};
use crate::rankings::retained::{RetainedRanking, ranking_files};
use crate::storage::{FileAges, FileRetention, Store, StoreError, StoredFile, is_unfinished};

/// Which rankings are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RankingRetention {
    /// All that were published since this time, ...
    pub all_since: Timestamp,
    /// ... and the last of each week by the same rules, by the end of their windows, since this time.
    pub weekly_since: Timestamp,
}

/// Returns the files of expired rankings, never those that a name shows, and unfinished files of runs that were
/// killed, in the order in which to remove them; and how many rankings these are. How old they are is told by the
/// times of all of them, unless the clock is known to be right.
///
/// No other run may publish at the same time.
///
/// # Errors
/// Fails where the disk does.
pub fn expired_rankings(
    store: &Store,
    keep: &RankingRetention,
    now_ms: i64,
    trusts_clock: bool,
) -> Result<(Vec<StoredFile>, u64), StoreError> {
    let names = ranking_names(store)?;
    let mut shown: HashSet<String> = HashSet::with_capacity(names.len());
    for name in &names {
        match read_pointer(store, &name.pointer()) {
            Ok(pointer) => drop(shown.insert(pointer.path())),
            Err(SnapshotError::None) => {}
            Err(SnapshotError::Store(error)) => return Err(error),
            // If a pointer cannot be read, any of them may be the one that it names.
            Err(_) => return Ok((Vec::new(), 0)),
        }
    }
    if shown.is_empty() {
        return Ok((Vec::new(), 0));
    }
    let files = store.files(FOLDER)?;
    let mut last_of_week: HashMap<(i32, Option<String>), RetainedRanking> = HashMap::new();
    let recent = files.iter().filter_map(RetainedRanking::of).filter(|of| of.as_of >= keep.weekly_since);
    for ranking in recent {
        let of_rules = (week_of(ranking.as_of), ranking.rules().map(str::to_owned));
        let last = last_of_week.entry(of_rules).or_insert_with(|| ranking.clone());
        if *last < ranking {
            *last = ranking;
        }
    }
    let is_last_of_week = |path: &str| last_of_week.values().any(|last| last.path() == path);
    let keep_ms = now_ms - keep.all_since.micros() / 1_000;
    let mut expired: Vec<StoredFile> = ranking_files(store)?;
    let mut times_ms: Vec<i64> = expired.iter().map(|file| file.modified_ms).collect();
    times_ms.sort_unstable_by_key(|&time_ms| Reverse(time_ms));
    let ages = FileAges::of_retention(FileRetention { keep_ms, now_ms, trusts_clock }, times_ms);
    expired.retain(|file| {
        !shown.contains(&file.path) && ages.of(file.modified_ms) > keep_ms && !is_last_of_week(&file.path)
    });
    let count = expired.len() as u64;
    // A pointer is removed before its ranking: a ranking without one can still be opened.
    let beside: HashSet<String> = expired.iter().map(|file| pointer_beside(&file.path)).collect();
    let goes_first = |file: &StoredFile| beside.contains(&file.path) || is_unfinished(&file.path);
    let mut all: Vec<StoredFile> = files.into_iter().filter(goes_first).collect();
    all.append(&mut expired);
    Ok((all, count))
}

/// Returns the number of the week, from Monday to Sunday in UTC, that a ranking ends in.
fn week_of(as_of: Timestamp) -> i32 {
    // 1970 began on a Thursday; a ranking that ends when a week begins belongs to the week before.
    (as_of.hour().number() - 1 + 3 * 24).div_euclid(7 * 24)
}
