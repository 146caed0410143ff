//! Publishes a ranking as static JSON files, in a folder or a bucket.
//!
//! First the files that are missing are written and read back, then the index is replaced atomically, last those files
//! are removed that no index has named for some time: a CDN, and whoever has an older index, still finds them.
//!
//! Invariant: a file of a category never changes; whatever fails, the index names files that are complete. Files that
//! were not written by this command are never removed.

use std::collections::{BTreeMap, BTreeSet};

use topsell_core::model::Timestamp;
use topsell_core::storage::{LockError, LockTimeout, Store, StoredFile};

use crate::category_value::RankingValues;
use crate::difference::{Difference, check_order};
use crate::error::PublishError;
use crate::outcome::{DryRun, Outcome};
use crate::static_index::{FOLDER, INDEX, SUPERSEDED, StaticIndex, Superseded, hash_of, path_of};

/// Held while a ranking is published.
const LOCK: &str = "publish.lock";
const MILLIS: i64 = 1_000;

/// How a ranking is published as files.
#[derive(Clone, Debug)]
pub struct StaticOptions {
    /// How long files stay that the index no longer names.
    pub keep_seconds: u64,
    /// Writes every file, also those that are there.
    pub is_full: bool,
    pub allows_older: bool,
    pub dry_run: DryRun,
    /// Who holds the lock, for others that find it held.
    pub holder: String,
    pub now: Timestamp,
}

/// Publishes a ranking.
///
/// # Errors
/// Fails where the disk or the bucket does, holds a newer ranking, or an index that was not written by this command, and
/// where what was written does not read back.
pub fn publish_to_files(
    store: &Store,
    values: &RankingValues,
    options: &StaticOptions,
) -> Result<Outcome, PublishError> {
    if options.dry_run == DryRun::Yes {
        return plan(store, values, options).map(|plan| plan.outcome());
    }
    store.make_folder(FOLDER)?;
    let lock = store.lock(LOCK, &options.holder, LockTimeout::NoWait);
    let _lock = lock.map_err(|error| match error {
        LockError::Held { holder } => PublishError::Busy { target: store.location(), holder },
        LockError::Store(error) => error.into(),
    })?;
    let plan = plan(store, values, options)?;
    write_files(store, &plan.difference)?;
    let index = StaticIndex::of(values);
    let superseded = plan.superseded(values, options);
    // Before the index, so that a file that it no longer names is known to be one; what it names is not looked up there.
    if let Some(superseded) = &superseded {
        store.put(SUPERSEDED, superseded.json())?;
    }
    if plan.index.as_ref() != Some(&index) {
        store.put_pointer(INDEX, index.json())?;
        if store.get(INDEX)? != index.json() {
            return Err(PublishError::differs(&store.location(), INDEX));
        }
    }
    let noted = superseded.as_ref().unwrap_or(&plan.noted);
    remove_expired(store, &plan.files, values, noted, options)?;
    Ok(plan.outcome())
}

/// What is there, and what has to be written.
struct Plan<'a> {
    index: Option<StaticIndex>,
    hashes: BTreeMap<String, String>,
    noted: Superseded,
    files: Vec<StoredFile>,
    difference: Difference<'a>,
}

fn plan<'a>(
    store: &Store,
    values: &'a RankingValues,
    options: &StaticOptions,
) -> Result<Plan<'a>, PublishError> {
    let index = StaticIndex::read(store)?;
    let held = index.as_ref().and_then(StaticIndex::as_of);
    check_order(&store.location(), held, values.as_of, options.allows_older)?;
    let noted = Superseded::read(store)?;
    let files = store.files_where(FOLDER, &|path| hash_of(path).is_some())?;
    let hashes = index.as_ref().map(StaticIndex::hashes).unwrap_or_default();
    let sizes: BTreeMap<&str, u64> =
        files.iter().filter_map(|file| Some((hash_of(&file.path)?, file.size_bytes))).collect();
    let expected: BTreeMap<&str, u64> =
        values.categories.values().map(|value| (value.hash.as_str(), value.json.len() as u64)).collect();
    let is_lost = |hash: &str| options.is_full || sizes.get(hash) != expected.get(hash);
    let difference = Difference::of(values, &hashes, &is_lost);
    Ok(Plan { difference, index, noted, hashes, files })
}

impl Plan<'_> {
    fn outcome(&self) -> Outcome {
        let Difference { changed, removed, unchanged } = &self.difference;
        Outcome {
            written: changed.len() as u64,
            unchanged: *unchanged,
            removed: removed.len() as u64,
            size_bytes: changed.iter().map(|(_, value)| value.json.len() as u64).sum(),
            retries: 0,
        }
    }

    /// Returns the new note of superseded files, without those that the index names and those that are gone; none
    /// where it is as it was.
    fn superseded(&self, values: &RankingValues, options: &StaticOptions) -> Option<Superseded> {
        let there: BTreeSet<&str> = self.files.iter().map(|file| file.path.as_str()).collect();
        let named: BTreeSet<String> = named(values);
        let mut files = self.noted.files.clone();
        for hash in self.difference.superseded(values, &self.hashes).iter().filter(|hash| !hash.is_empty()) {
            // Also where it is noted already: the index has named it until now.
            files.insert(path_of(hash), options.now.to_string());
        }
        files.retain(|path, _| there.contains(path.as_str()) && !named.contains(path));
        let superseded = self.noted.with(files);
        (superseded != self.noted).then_some(superseded)
    }
}

fn named(values: &RankingValues) -> BTreeSet<String> {
    values.categories.values().map(|value| path_of(&value.hash)).collect()
}

/// Writes the files that are missing, and reads them back.
fn write_files(store: &Store, difference: &Difference<'_>) -> Result<(), PublishError> {
    if difference.changed.is_empty() {
        return Ok(());
    }
    let writer = store.bulk_writer(FOLDER)?;
    for (_, value) in &difference.changed {
        writer.put(&path_of(&value.hash), value.json.clone())?;
    }
    // They may have been there, and be named: whatever fails from here on, they stay, and age.
    writer.finish()?.keep();
    for (category, value) in &difference.changed {
        if store.get(&path_of(&value.hash))? != value.json {
            return Err(PublishError::differs(&store.location(), category));
        }
    }
    Ok(())
}

/// Removes files that no index has named for as long as they are kept.
fn remove_expired(
    store: &Store,
    files: &[StoredFile],
    values: &RankingValues,
    noted: &Superseded,
    options: &StaticOptions,
) -> Result<(), PublishError> {
    let named = named(values);
    let keep_ms = i64::try_from(options.keep_seconds).unwrap_or(i64::MAX).saturating_mul(MILLIS);
    let until_ms = (options.now.micros() / 1_000).saturating_sub(keep_ms);
    let since_ms = |file: &StoredFile| {
        let noted = noted.files.get(&file.path).and_then(|since| Timestamp::parse(since).ok());
        // One that is not noted is left over from a run that was stopped.
        noted.map_or(file.modified_ms, |since| since.micros() / 1_000)
    };
    let expired = files.iter().filter(|file| !named.contains(&file.path) && since_ms(file) < until_ms);
    let paths: Vec<&StoredFile> = expired.collect();
    Ok(store.remove(paths.into_iter())?)
}
