//! Whether a lake is whole: every file that is named is there, and says what it should.

use rayon::prelude::*;

use crate::lake::Lake;
use crate::maintenance::hours::{Gap, gaps};
use crate::parquet_format::EventColumns;
use crate::progress::{Progress, Stage};
use crate::rankings;
use crate::rollup::{self, RollupError, Rollups};

/// What a look at a whole lake has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    pub event_files: u64,
    pub rollup_files: u64,
    /// Published rankings, the newest and older ones.
    pub rankings: u64,
    /// Hours without any event between the first and the last with some; a quiet night is no harm,
    /// a shipper that failed is.
    pub gaps: Vec<Gap>,
    /// Days of categories whose aggregates were counted again.
    pub days_recounted: u64,
    /// The aggregates are of an older version of the events, and were not counted again.
    pub is_behind: bool,
    /// Each thing that is wrong.
    pub problems: Vec<String>,
}

/// Reads every file that the lake names, counts the aggregates again, and checks the published rankings;
/// changes nothing.
///
/// # Errors
/// Fails where a log cannot be read; what is wrong with files stands among the problems.
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
        progress.end(Stage::VerifyAggregates);
    }
    if found.problems.is_empty() {
        let recount = rollup::recount(lake, progress)?;
        (found.days_recounted, found.is_behind) = (recount.days, recount.is_behind);
        let wrong = recount.wrong.into_iter();
        found.problems.extend(wrong.map(|day| format!("rollups: {day}: not what the events add up to")));
    }
    progress.begin(Stage::VerifyRankings, None);
    let (rankings, problems) = rankings::check_all(lake.store())?;
    found.rankings = rankings;
    found.problems.extend(problems);
    found.problems.extend(rankings::check_item_totals(lake.store()));
    progress.end(Stage::VerifyRankings);
    Ok(found)
}
