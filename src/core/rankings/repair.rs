//! Repairs published files: what a ranking says of itself is written again, and what cannot be is set aside.
//!
//! Invariant: a pointer never names a file that is about to go.

use bytes::Bytes;

use crate::lake::{Quarantined, note_quarantined};
use crate::model::Timestamp;
use crate::parquet_format::RankingFile;
use crate::rankings::check::PublishedFile;
use crate::rankings::item_totals::POINTER as TOTALS_POINTER;
use crate::rankings::name::RankingName;
use crate::rankings::pointer::{FOLDER, Footer, POINTER, Pointer, SCHEMA, parse_pointer, pointer_beside};
use crate::rankings::retained::{RetainedRanking, has_hash_of, ranking_files};
use crate::storage::{Store, StoreError, flipped_back};

/// What became of a published file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublishedRepair {
    /// It was written again as it was, from the ranking that it is about.
    Rewritten,
    /// The pointer names the newest intact ranking now, by its path.
    PointsTo(String),
    /// There is no intact ranking to point to.
    NoRanking,
    /// It was set aside, as so many files.
    SetAside(u64),
}

/// Returns the path of a published file, and what it had when it was written; none where more than one bit of it is
/// another, or it is too large to find out.
///
/// # Errors
/// Fails where the disk does.
pub fn restored_published(
    store: &Store,
    file: &PublishedFile,
) -> Result<Option<(String, Vec<u8>)>, StoreError> {
    let of_name;
    let path = match file {
        PublishedFile::Ranking(path) => path,
        PublishedFile::Current(name) => {
            of_name = name.pointer();
            &of_name
        }
        PublishedFile::ItemTotals(path) if path == TOTALS_POINTER => TOTALS_POINTER,
        // Written again from the ranking, or computed again.
        PublishedFile::PointerBeside(_) | PublishedFile::ItemTotals(_) => return Ok(None),
    };
    let is_whole = |bytes: &[u8]| match file {
        PublishedFile::Ranking(path) => has_hash_of(path, bytes),
        _ => is_whole_pointer(bytes),
    };
    let bytes = match store.get(path) {
        Err(error) if error.is_not_found() => return Ok(None),
        bytes => bytes?,
    };
    // Where it is whole, what it names is damaged or missing.
    let restored = if is_whole(&bytes) { None } else { flipped_back(&bytes, &is_whole) };
    Ok(restored.map(|restored| (path.to_owned(), restored)))
}

fn is_whole_pointer(json: &[u8]) -> bool {
    parse_pointer(json, POINTER).is_ok_and(|pointer| pointer.checksum.is_some())
}

/// Repairs a published file.
///
/// # Errors
/// Fails where the disk does.
pub fn repair_published(
    store: &Store,
    file: &PublishedFile,
    reason: &str,
    now: Timestamp,
) -> Result<PublishedRepair, StoreError> {
    match file {
        PublishedFile::Ranking(path) => {
            // What names the newest ranking is repaired next, and until then says what is missing.
            set_aside(store, &[&pointer_beside(path), path], reason, now)
        }
        PublishedFile::PointerBeside(path) => {
            let beside = pointer_beside(path);
            match pointer_to(store, path)? {
                Some(mut pointer) => {
                    store.put(&beside, pointer.json().into())?;
                    Ok(PublishedRepair::Rewritten)
                }
                // The ranking is damaged, too.
                None => set_aside(store, &[&beside], reason, now),
            }
        }
        PublishedFile::Current(name) => repair_current(store, name),
        PublishedFile::ItemTotals(path) => set_aside(store, &[TOTALS_POINTER, path], reason, now),
    }
}

/// Points a name to the newest intact ranking, of those that were published, if possible of those that were made by the
/// rules of the one that it has shown.
fn repair_current(store: &Store, name: &RankingName) -> Result<PublishedRepair, StoreError> {
    let path = &name.pointer();
    let json = store.get(path).ok();
    let was = json.as_ref().and_then(|json| parse_pointer(json, path).ok());
    let rules = was.as_ref().and_then(|was| rules_in(&was.file));
    let text = json.map(|json| String::from_utf8_lossy(&json).into_owned()).unwrap_or_default();
    // A ranking that no pointer names may be of a run that was killed before it was published.
    let is_published = |ranking: &RetainedRanking| {
        let file = ranking.path().rsplit('/').next().unwrap_or_default();
        store.is_there(&pointer_beside(ranking.path())) || text.contains(file)
    };
    let files = ranking_files(store)?;
    let rankings = files.iter().filter_map(RetainedRanking::of);
    let is_like = |ranking: &RetainedRanking| rules.is_some() && ranking.rules() == rules;
    let mut rankings: Vec<(bool, bool, RetainedRanking)> =
        rankings.map(|ranking| (is_published(&ranking), is_like(&ranking), ranking)).collect();
    rankings.sort_unstable();
    // Those of older versions have no pointer, so that they come last.
    for (_, _, ranking) in rankings.into_iter().rev() {
        let Some(mut pointer) = pointer_to(store, ranking.path())? else { continue };
        store.put(path, pointer.json().into())?;
        return Ok(match was {
            Some(was) if was.path() == ranking.path() => PublishedRepair::Rewritten,
            _ => PublishedRepair::PointsTo(ranking.path().to_owned()),
        });
    }
    store.delete(path)?;
    Ok(PublishedRepair::NoRanking)
}

/// Returns the hash of the rules in the name of a ranking's file.
fn rules_in(file: &str) -> Option<&str> {
    let (_, hashes) = file.split_once("Z-")?;
    hashes.split_once('-').map(|(rules, _)| rules)
}

/// Returns the pointer to a ranking, as it was when it was published; none where the ranking is damaged or missing.
fn pointer_to(store: &Store, path: &str) -> Result<Option<Pointer>, StoreError> {
    let bytes = match store.get(path) {
        Err(error) if error.is_not_found() => return Ok(None),
        bytes => bytes?,
    };
    Ok(Some(bytes).filter(|bytes| has_hash_of(path, bytes)).and_then(|bytes| pointer_of(path, &bytes)))
}

fn pointer_of(path: &str, bytes: &Bytes) -> Option<Pointer> {
    let size_bytes = bytes.len() as u64;
    let file = RankingFile::open(bytes.clone(), size_bytes).ok()?;
    let footer = file.has_hashes().then(|| Footer::of(RankingFile::footer_of(bytes)));
    Some(Pointer {
        schema: SCHEMA,
        file: path.strip_prefix(FOLDER)?.strip_prefix('/')?.to_owned(),
        blake3: blake3::hash(bytes).to_hex().to_string(),
        size_bytes,
        rows: file.rows(),
        as_of: file.label("topsell.as_of")?.to_owned(),
        footer,
        checksum: None,
    })
}

/// Moves files into the quarantine, in this order; those that are missing are left out.
fn set_aside(
    store: &Store,
    paths: &[&str],
    reason: &str,
    now: Timestamp,
) -> Result<PublishedRepair, StoreError> {
    let mut moved = 0;
    for path in paths {
        let Some(moved_to) = store.link_to_quarantine(path)? else { continue };
        let (file, reason) = ((*path).to_owned(), reason.to_owned());
        let note = Quarantined { file, moved_to: Some(moved_to), reason, ..Quarantined::default() };
        note_quarantined(store, now, &note)?;
        store.delete(path)?;
        moved += 1;
    }
    Ok(PublishedRepair::SetAside(moved))
}
