//! Verification of a lake: every referenced file is there and can be read, and the aggregates are what
//! the events add up to.

use rayon::prelude::*;

use crate::delta::LiveFile;
use crate::lake::{self, Lake, LakeError};
use crate::maintenance::gaps::{Gap, gaps};
use crate::parquet_format::EventColumns;
use crate::progress::{Progress, Stage};
use crate::rankings;
use crate::rollup::{self, RollupError, Rollups};
use crate::storage::NamedChecksums;

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    pub event_files: u64,
    pub rollup_files: u64,
    /// Published rankings, the newest and older ones.
    pub rankings: u64,
    /// Hours without events between the first and the last with some: a quiet night, or a log shipper
    /// that failed.
    pub gaps: Vec<Gap>,
    /// Days of categories whose aggregates were recomputed and compared.
    pub days_recomputed: u64,
    /// Whether aggregates were compared at all: they are not where a file of events or aggregates is damaged.
    pub is_compared: bool,
    /// Days of an event type whose aggregates were not compared, since events were added after the last rollup.
    pub days_changed: u64,
    /// Files of the tables' logs.
    pub log_files: u64,
    /// Files of all kinds that have no checksum: of older versions, or of other programs.
    pub without_checksum: u64,
    /// A line for each problem.
    pub problems: Vec<String>,
}

/// Reads every referenced file, recomputes the aggregates from raw events, and checks the published
/// rankings; changes nothing.
///
/// # Errors
/// Fails where a log cannot be read; damaged files are reported as problems.
pub fn verify(lake: &Lake, progress: &Progress) -> Result<Verified, RollupError> {
    let mut found = Verified::default();
    progress.begin(Stage::VerifyEvents, None);
    let newest = lake.events().newest()?;
    let files = newest.files()?;
    found.event_files = files.len() as u64;
    found.gaps = gaps(&files)?;
    let broken = files.par_iter().filter_map(|file| {
        let mut rows = 0;
        let read = lake.read_events(file, EventColumns::All, &mut |batch| rows += batch.rows() as u64);
        match read {
            Ok(()) if rows == file.rows => None,
            Ok(()) => Some(format!("events/{}: has {rows} rows where the log says {}", file.path, file.rows)),
            Err(error) => Some(error.to_string()),
        }
    });
    found.problems = broken.collect();
    found.without_checksum += without_checksum(&files);
    let mut of_logs = Vec::new();
    for log in [lake::events_log(lake.store()), rollup::log(lake.store())] {
        let checked = log.check_all().map_err(LakeError::from)?;
        found.log_files += checked.files;
        found.without_checksum += checked.without_checksum;
        of_logs.extend(checked.problems);
    }
    of_logs.extend(lake.check_inputs()?);
    progress.end(Stage::VerifyEvents);
    if let Some(rollups) = Rollups::open(lake.store())? {
        progress.begin(Stage::VerifyAggregates, None);
        let (_, files) = rollups.files()?;
        found.rollup_files = files.len() as u64;
        let broken = files.par_iter().filter_map(|file| match rollups.check_file(file) {
            Ok(rows) if rows == file.rows => None,
            Ok(rows) => {
                Some(format!("rollups/{}: has {rows} rows where the log says {}", file.path, file.rows))
            }
            Err(error) => Some(error.to_string()),
        });
        found.problems.extend(broken.collect::<Vec<_>>());
        found.without_checksum += without_checksum(&files);
        progress.end(Stage::VerifyAggregates);
    }
    found.is_compared = found.problems.is_empty();
    found.problems.extend(of_logs);
    if found.is_compared {
        let verified = rollup::verify(lake, progress)?;
        (found.days_recomputed, found.days_changed) = (verified.days, verified.days_changed);
        let differing = verified.differing.into_iter();
        found.problems.extend(differing.map(|day| format!("rollups: {day}: not what the events add up to")));
    }
    progress.begin(Stage::VerifyRankings, None);
    let (rankings, problems) = rankings::check_all(lake.store())?;
    found.rankings = rankings;
    found.problems.extend(problems);
    found.problems.extend(rankings::check_item_totals(lake.store()));
    progress.end(Stage::VerifyRankings);
    Ok(found)
}

fn without_checksum(files: &[LiveFile]) -> u64 {
    files.iter().filter(|file| NamedChecksums::of(&file.path).is_none()).count() as u64
}
