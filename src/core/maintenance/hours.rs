//! The hours that a lake has events of, and the gaps between them.

use std::collections::BTreeSet;

use crate::delta::LiveFile;
use crate::lake::{HourPartition, LakeError};
use crate::model::Hour;

/// Hours in a row without events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    pub first: Hour,
    pub hours: u32,
}

/// Returns the hours that files of the `events` table hold.
///
/// # Errors
/// Names the file that lies in none.
pub(super) fn hours_of(files: &[LiveFile]) -> Result<BTreeSet<Hour>, LakeError> {
    let hour = |file: &LiveFile| {
        let bad = || LakeError::BadPartition { file: file.path.clone() };
        HourPartition::of(&file.partition).map(|partition| partition.hour).ok_or_else(bad)
    };
    files.iter().map(hour).collect()
}

/// Returns the gaps between the hours that files hold, oldest first.
///
/// # Errors
/// Names the file that lies in none.
pub(super) fn gaps(files: &[LiveFile]) -> Result<Vec<Gap>, LakeError> {
    let hours: Vec<Hour> = hours_of(files)?.into_iter().collect();
    let gap = |pair: &[Hour]| Gap {
        first: pair[0].plus(1),
        hours: pair[1].number().abs_diff(pair[0].number()) - 1,
    };
    Ok(hours.windows(2).map(gap).filter(|gap| gap.hours > 0).collect())
}
