//! What a table's log records of its last compaction: days that had ended by then, and in which nothing was written
//! since, have nothing to compact and need not be looked at.
//!
//! Invariant: it only saves work. Where it is missing, or the log does not reach back to it, all days are looked at.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use crate::delta::{LogReader, Partition, Rewriter, TableError, Version};
use crate::lake::error::LakeError;
use crate::lake::partition::DayPartition;
use crate::model::{Date, Timestamp};
use crate::storage::Store;

/// The application id of the version that was compacted. It names the rules of compaction; where these change, all
/// days are looked at.
const VERSION: &str = "topsell:compacted:4";
/// The application id of the moment, in milliseconds since 1970.
const UNTIL: &str = "topsell:compacted-until";
/// Commits after which a compaction that had nothing to do is recorded, too: those since the record are read.
const MAX_COMMITS: u64 = 100;
/// Commits that are read to find the days that changed; where there are more, looking at all days takes less.
const MAX_COMMITS_READ: u64 = 2_000;
/// A month that ended so many days before a compaction is looked at once more, in case the last one was killed.
const DAYS_OF_A_MONTH: i32 = 31;
/// Files of days that have ended that a compaction may look at each time without anything to do.
const MAX_FILES: usize = 1_000;

/// The days that a compaction looks at, and what it will record.
pub struct CompactionDays {
    /// All for none.
    days: Option<ChangedDays>,
    version: u64,
    until: Timestamp,
    is_due: bool,
}

/// Days that may have something to compact.
struct ChangedDays {
    /// The first that had not ended at the last compaction.
    since: Date,
    /// Those in which something was written since.
    written: BTreeSet<Date>,
}

impl CompactionDays {
    /// Returns the days of a table that a compaction at a moment has to look at.
    ///
    /// # Errors
    /// Fails where the table's log cannot be read.
    pub fn of(
        store: &Store,
        table: &str,
        newest: &Version<'_>,
        until: Timestamp,
    ) -> Result<CompactionDays, LakeError> {
        let version = newest.number();
        let recorded = |app_id: &str| newest.transaction(app_id);
        let last = recorded(VERSION)?.and_then(|last| u64::try_from(last).ok());
        let is_near = |last: &u64| version.checked_sub(*last).is_some_and(|since| since <= MAX_COMMITS_READ);
        let Some((last, ms)) = last.filter(is_near).zip(recorded(UNTIL)?) else {
            return Ok(CompactionDays::all(version, until));
        };
        let written = LogReader::new(store, table).written_since(last, version)?;
        let days = written.map(|written| {
            let date = |partition: &Partition| Some(DayPartition::of(partition)?.date);
            let since = Timestamp::from_micros(ms.saturating_mul(1_000));
            let since = since.map_or(Date::MIN, |since| since.hour().date());
            ChangedDays { since, written: written.iter().filter_map(date).collect() }
        });
        Ok(CompactionDays { days, version, until, is_due: version - last > MAX_COMMITS })
    }

    /// Returns all days of a table, as far as it has none recorded.
    pub(super) fn all(version: u64, until: Timestamp) -> CompactionDays {
        CompactionDays { days: None, version, until, is_due: false }
    }

    /// Returns whether all days are looked at.
    pub fn is_all(&self) -> bool {
        self.days.is_none()
    }

    /// Returns the range that all of the days are in.
    pub fn range(&self) -> RangeInclusive<Date> {
        let first = self.days.as_ref().map_or(Date::MIN, |days| {
            days.written.first().map_or(days.since, |first| days.since.min(*first))
        });
        first..=Date::MAX
    }

    /// Returns whether one of the days is in a month, or the month has ended not long before the first of them.
    pub fn has_month(&self, month: &RangeInclusive<Date>) -> bool {
        self.days.as_ref().is_none_or(|days| {
            let is_recent = month.end().number() >= days.since.number().saturating_sub(DAYS_OF_A_MONTH);
            is_recent || days.written.range(month.clone()).next().is_some()
        })
    }

    /// Returns the range that all days of these months are in.
    pub fn range_of_months(&self) -> RangeInclusive<Date> {
        let first = *self.range().start();
        let first = Date::new(first.number().saturating_sub(2 * DAYS_OF_A_MONTH));
        first..=Date::MAX
    }

    /// Returns whether a day has ended: once that is recorded, it is not looked at again.
    pub fn has_ended(&self, day: Date) -> bool {
        day < self.until.hour().date()
    }

    /// Returns whether files of a partition are looked at; a malformed one is an error.
    pub fn has(&self, partition: &Partition) -> bool {
        let Some(days) = &self.days else { return true };
        DayPartition::of(partition)
            .is_none_or(|day| day.date >= days.since || days.written.contains(&day.date))
    }

    /// Returns what is to be recorded once everything was compacted.
    pub fn recorded(&self) -> [(String, i64); 2] {
        let until_ms = self.until.micros() / 1_000;
        [(VERSION.to_owned(), self.version.cast_signed()), (UNTIL.to_owned(), until_ms)]
    }

    /// Records that there was nothing to compact, if the next compaction would look at many commits, or at so many
    /// `files` of days that have ended.
    ///
    /// # Errors
    /// Fails where the log cannot be written.
    pub fn record_nothing_to_do(
        &self,
        rewriter: &Rewriter<'_>,
        files: usize,
        now_ms: i64,
    ) -> Result<(), TableError> {
        match self.is_due || files > MAX_FILES {
            true => rewriter.record(&self.recorded(), now_ms),
            false => Ok(()),
        }
    }
}
