//! Gaps: hours without events between hours with some.

use std::collections::BTreeSet;

use crate::delta::LiveFile;
use crate::lake::{FilePartition, LakeError};
use crate::model::Hour;

/// Consecutive hours without events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    pub first: Hour,
    pub hours: u32,
}

/// Returns the gaps between the hours of files of the `events` table, oldest first.
///
/// # Errors
/// Names the file that is in no day's partition.
pub(super) fn gaps(files: &[LiveFile]) -> Result<Vec<Gap>, LakeError> {
    let mut hours: BTreeSet<Hour> = BTreeSet::new();
    for file in files {
        let bad = || LakeError::BadPartition { file: file.path.clone() };
        hours.extend(FilePartition::of(file).ok_or_else(bad)?.hours());
    }
    let hours: Vec<Hour> = hours.into_iter().collect();
    let gap = |pair: &[Hour]| Gap {
        first: pair[0].plus(1),
        hours: pair[1].number().abs_diff(pair[0].number()) - 1,
    };
    Ok(hours.windows(2).map(gap).filter(|gap| gap.hours > 0).collect())
}
