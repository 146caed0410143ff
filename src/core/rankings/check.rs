//! Checks every published ranking, every pointer and the item totals.

use crate::model::Hour;
use crate::rankings::error::SnapshotError;
use crate::rankings::item_totals::check_item_totals;
use crate::rankings::name::{RankingName, ranking_names};
use crate::rankings::pointer::{parse_pointer, pointer_beside};
use crate::rankings::retained::{RetainedRanking, has_hash_of, ranking_files};
use crate::rankings::snapshot::Snapshot;
use crate::storage::{Store, StoreError};

/// A published file that is damaged or missing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PublishedFile {
    /// A ranking, by its path below the lake.
    Ranking(String),
    /// The pointer beside a ranking, by the path of the ranking.
    PointerBeside(String),
    /// The pointer of a name, or the file that it refers to is missing or damaged.
    Current(RankingName),
    /// The newest item totals, by the path of what is damaged: the file or its pointer.
    ItemTotals(String),
}

/// What a check of the published files found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublishedCheck {
    pub rankings: u64,
    /// Each damaged file, and what is wrong with it; none for one that cannot be read, and may be intact.
    pub problems: Vec<(Option<PublishedFile>, String)>,
}

/// Checks the rankings that `wants` returns true for, by their paths and the ends of their windows, the pointers
/// and the item totals. Each ranking's name ends in the first digits of its hash.
///
/// # Errors
/// Fails where the folder cannot be listed.
pub fn check_published(
    store: &Store,
    wants: &dyn Fn(&str, Hour) -> bool,
) -> Result<PublishedCheck, StoreError> {
    let mut found = PublishedCheck::default();
    let problems = &mut found.problems;
    // A ranking without a pointer beside it may be of a run that was killed before it was published.
    let mut has_published = false;
    for file in ranking_files(store)? {
        let path = file.path.clone();
        let beside = pointer_beside(&path);
        // A file of another name is checked in any case.
        if RetainedRanking::of(&file).is_some_and(|ranking| !wants(&path, ranking.as_of.hour())) {
            has_published |= store.is_there(&beside);
            continue;
        }
        found.rankings += 1;
        match store.get(&path) {
            Ok(bytes) if has_hash_of(&path, &bytes) => {}
            // Pruned in the meantime.
            Err(error) if error.is_not_found() => continue,
            Ok(_) => {
                let text = format!("{path}: its bytes are not those that were published");
                problems.push((Some(PublishedFile::Ranking(path.clone())), text));
            }
            Err(error) => problems.push((None, error.to_string())),
        }
        let text = match store.get(&beside).map(|json| parse_pointer(&json, &beside)) {
            Ok(Ok(_)) => {
                has_published = true;
                continue;
            }
            Ok(Err(error)) => error.to_string(),
            // Older rankings have none.
            Err(error) if error.is_not_found() => continue,
            Err(error) => {
                problems.push((None, error.to_string()));
                continue;
            }
        };
        problems.push((Some(PublishedFile::PointerBeside(path)), text));
    }
    let mut names = ranking_names(store)?;
    // Its pointer may be what is missing, unless only other names were ever used.
    if names.is_empty() {
        names.push(RankingName::default());
    }
    for name in names {
        check_shown(store, name, has_published, problems);
    }
    let of_totals = check_item_totals(store);
    problems.extend(of_totals.map(|(path, text)| (path.map(PublishedFile::ItemTotals), text)));
    Ok(found)
}

/// Checks what a name shows.
fn check_shown(
    store: &Store,
    name: RankingName,
    has_published: bool,
    problems: &mut Vec<(Option<PublishedFile>, String)>,
) {
    match Snapshot::checked(store, &name) {
        Ok(_) => {}
        Err(SnapshotError::None) if !has_published => {}
        Err(SnapshotError::None) => {
            let text = format!("{} is missing, and there are rankings", name.pointer());
            problems.push((Some(PublishedFile::Current(name)), text));
        }
        // Also where it is the file that is damaged: then there is no ranking to show.
        Err(error) => {
            let is_damage = !matches!(&error, SnapshotError::Store(error) if error.is_out_of_reach());
            problems.push((is_damage.then_some(PublishedFile::Current(name)), error.to_string()));
        }
    }
}
