//! Statistics of a lake: files, rows and bytes of its tables.

use std::collections::{BTreeMap, BTreeSet};

use crate::delta::LiveFile;
use crate::lake::{FilePartition, Lake, LakeError, QuarantineStats, quarantine_stats};
use crate::model::CategoryGroup;
use crate::rollup::{RollupError, Rollups};

/// How many categories are listed.
const LARGEST: usize = 10;

/// Statistics of a lake.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    pub events: TableStats,
    pub rollups: TableStats,
    /// Batches that were ingested since the lake was created.
    pub batches: u64,
    /// Hours that have events, and hours between the first and the last that have none.
    pub hours: u64,
    pub empty_hours: u64,
    /// Room that is kept for a prune on a full disk.
    pub reserve_bytes: u64,
    /// First and last hour with events, RFC 3339.
    pub span: Option<(String, String)>,
    /// Event rows by top-level category, or by the shard of small ones that share files, the most first; `None` is events
    /// without a category.
    pub largest: Vec<(Option<String>, u64)>,
    /// Damaged files that were set aside.
    pub quarantine: QuarantineStats,
}

/// Statistics of a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableStats {
    pub version: u64,
    pub files: u64,
    pub rows: u64,
    pub size_bytes: u64,
}

impl TableStats {
    fn of(version: u64, files: &[LiveFile]) -> TableStats {
        TableStats {
            version,
            files: files.len() as u64,
            rows: files.iter().map(|file| file.rows).sum(),
            size_bytes: files.iter().map(|file| file.size_bytes).sum(),
        }
    }
}

/// Returns a lake's statistics, from the tables' logs alone.
///
/// # Errors
/// Fails where a log cannot be read.
pub fn stats(lake: &Lake) -> Result<Stats, RollupError> {
    let newest = lake.events().newest()?;
    let files = newest.files()?;
    let mut hours = BTreeSet::new();
    let mut rows: BTreeMap<Option<String>, u64> = BTreeMap::new();
    for file in &files {
        let bad = || LakeError::BadPartition { file: file.path.clone() };
        let partition = FilePartition::of(file).ok_or_else(bad)?;
        hours.extend(partition.hours());
        let has_category = partition.day.group != CategoryGroup::Uncategorized;
        let name = has_category.then(|| partition.category_name(file));
        *rows.entry(name).or_default() += file.rows;
    }
    let mut largest: Vec<(Option<String>, u64)> = rows.into_iter().collect();
    largest.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    largest.truncate(LARGEST);
    let ends = hours.first().zip(hours.last());
    let spanned = ends.map_or(0, |(first, last)| u64::from(last.number().abs_diff(first.number())) + 1);
    let rollups = Rollups::open(lake.store())?.map(|rollups| rollups.files()).transpose()?;
    Ok(Stats {
        events: TableStats::of(newest.number(), &files),
        batches: lake.batches()?,
        reserve_bytes: lake.reserve_bytes(),
        rollups: rollups.map_or(TableStats::default(), |(version, files)| TableStats::of(version, &files)),
        hours: hours.len() as u64,
        empty_hours: spanned - hours.len() as u64,
        span: ends.map(|(first, last)| (first.start().to_string(), last.start().to_string())),
        largest,
        quarantine: quarantine_stats(lake.store())?,
    })
}
