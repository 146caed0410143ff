//! Packed item totals that were spilled to a scratch file until all of them are there.

use std::ops::Range;

use crate::rank::PackedItemTotals;
use crate::storage::{Scratch, StoreError};

/// Some items of one top-level category, spilled to the scratch file.
pub(super) struct SpilledPart {
    /// The first level; `None` for totals that count shop-wide only.
    pub top: Option<String>,
    /// The round of look-back whose aggregates these are.
    pub round: u32,
    /// Whether these are the shop-wide totals of multi-category items.
    pub is_multi_category: bool,
    pub first_item: String,
    /// Where the packed rows are in the scratch file.
    pub range: Range<u64>,
    /// Everything but the packed rows.
    pub totals: PackedItemTotals,
}

/// Reads the packed rows of some parts again.
pub(super) fn read_parts<'a>(
    scratch: &Scratch,
    parts: &'a [SpilledPart],
) -> Result<Vec<(&'a SpilledPart, Vec<u8>)>, StoreError> {
    parts.iter().map(|part| Ok((part, scratch.read(part.range.clone())?))).collect()
}
