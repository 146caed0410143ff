//! Which ranking a name shows: the first one, and from then on only newer ones that were made in the same way, unless
//! somebody says otherwise.
//!
//! Invariant: looking back in time, or trying other settings, changes what nobody else sees.

use crate::model::Timestamp;
use crate::rankings::error::SnapshotError;
use crate::rankings::metadata::RankingMetadata;
use crate::rankings::name::RankingName;
use crate::rankings::snapshot::Snapshot;
use crate::storage::Store;

/// How a ranking is published.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Publication {
    pub name: RankingName,
    pub promote: Promote,
}

/// Whether the name shows the ranking whatever it shows now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Promote {
    Yes,
    #[default]
    IfNewer,
}

/// Why a name goes on to show another ranking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmoved {
    pub name: RankingName,
    /// The end of the window of the ranking that it shows.
    pub shown: Timestamp,
    /// The options that were others for that one; none where it is a newer one by the same.
    pub differing: Vec<&'static str>,
}

/// Returns why a name goes on to show another ranking than a new one; nothing where it does not.
///
/// What cannot be read is replaced: it shows nothing.
///
/// # Errors
/// Fails where the disk does.
pub(super) fn unmoved(
    store: &Store,
    Publication { name, promote }: &Publication,
    new: &RankingMetadata,
) -> Result<Option<Unmoved>, SnapshotError> {
    let shown = match Snapshot::named(store, name) {
        _ if *promote == Promote::Yes => return Ok(None),
        Err(SnapshotError::Store(error)) if error.is_out_of_reach() => return Err(error.into()),
        Err(_) => return Ok(None),
        Ok(snapshot) => snapshot,
    };
    let shown = shown.metadata();
    let differing = shown.differing(new);
    let stays = !differing.is_empty() || new.as_of < shown.as_of;
    Ok(stays.then(|| Unmoved { name: name.clone(), shown: shown.as_of, differing }))
}
