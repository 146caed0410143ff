//! Removes damaged and missing files from the `events` table, so that the rest of their hours counts.
//!
//! Invariant: a file is in the quarantine, and in its list, before the table is without it.

use std::collections::BTreeSet;
use std::fmt;

use crate::delta::{Commit, LiveFile, MAX_TRIES, Outcome, TableError, Version};
use crate::lake::error::LakeError;
use crate::lake::events_table::EVENTS;
use crate::lake::open::Lake;
use crate::lake::partition::FilePartition;
use crate::lake::quarantine::{Quarantined, note_quarantined};
use crate::model::Timestamp;

/// A file of events that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostEvents {
    /// Path below the lake.
    pub file: String,
    pub partition: FilePartition,
    /// The name of its only category, or else of its shard.
    pub category: String,
    /// How many rows the table's log says that it has.
    pub rows: u64,
    /// The first digits of the id of the batch of all its rows, where they are of one.
    pub batch: Option<String>,
}

impl LostEvents {
    /// Returns its path below the table's folder.
    pub fn path_in_table(&self) -> &str {
        self.file.strip_prefix(EVENTS).and_then(|path| path.strip_prefix('/')).unwrap_or(&self.file)
    }
}

impl fmt::Display for LostEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (event_type, category) = (&self.partition.day.event_type, &self.category);
        let rows = if self.rows == 1 { "row" } else { "rows" };
        let (first, last) = (self.partition.first(), self.partition.last());
        write!(f, "{} {rows} of {event_type}, {category}, {}", self.rows, first.start())?;
        if last > first {
            write!(f, " to {}", last.plus(1).start())?;
        }
        self.batch.as_ref().map_or(Ok(()), |batch| write!(f, ", batch {batch}…"))
    }
}

impl Lake {
    /// Returns what the table's log says of some files, by their paths below the table's folder.
    ///
    /// # Errors
    /// Fails where the table's log cannot be read.
    pub fn describe_events(&self, paths: &BTreeSet<String>) -> Result<Vec<LostEvents>, LakeError> {
        live(&self.events.newest()?, paths)?.iter().map(describe).collect()
    }

    /// Moves files of events into the quarantine, and removes them from the table in one commit; returns those
    /// that were removed, and how many of them were moved: the others were missing.
    ///
    /// # Errors
    /// Fails where the disk does; the table then stays as it was.
    pub fn remove_damaged(
        &self,
        paths: &BTreeSet<String>,
        reason: &str,
        now: Timestamp,
    ) -> Result<(Vec<LostEvents>, u64), LakeError> {
        let lost = self.describe_events(paths)?;
        let mut moved = 0;
        for of in &lost {
            let moved_to = self.store.link_to_quarantine(&of.file)?;
            moved += u64::from(moved_to.is_some());
            let note = Quarantined {
                file: of.file.clone(),
                moved_to,
                reason: reason.to_owned(),
                event_type: Some(of.partition.day.event_type.clone()),
                category: Some(of.category.clone()),
                hour: Some(of.partition.first().start().to_string()),
                rows: Some(of.rows),
                ..Quarantined::default()
            };
            note_quarantined(&self.store, now, &note)?;
        }
        let _turn = self.events.wait_for_turn()?;
        for _ in 0..MAX_TRIES {
            let newest = self.events.newest()?;
            let removes = live(&newest, paths)?;
            let rows = removes.iter().map(|file| file.rows).sum();
            let metrics = vec![("numRemovedFiles", removes.len() as u64), ("numDeletedRows", rows)];
            let is_empty = removes.is_empty();
            let commit = Commit { removes, metrics, now_ms: now.micros() / 1_000, ..Commit::default() };
            if is_empty || matches!(newest.commit(&commit)?, Outcome::Committed(_)) {
                for of in &lost {
                    // What is left now is vacuumed later: no version names it.
                    let _ = self.store.delete(&of.file);
                }
                return Ok((lost, moved));
            }
        }
        Err(TableError::Contended { table: EVENTS.to_owned(), tries: MAX_TRIES }.into())
    }
}

fn live(newest: &Version<'_>, paths: &BTreeSet<String>) -> Result<Vec<LiveFile>, LakeError> {
    let mut files = newest.files()?;
    files.retain(|file| paths.contains(&file.path));
    Ok(files)
}

fn describe(file: &LiveFile) -> Result<LostEvents, LakeError> {
    let bad = || LakeError::BadPartition { file: file.path.clone() };
    // The log has the first characters of the least and the greatest, with another one after the greatest.
    let (least, most) = file.stats.range("batch");
    let batch = least.as_str().filter(|least| most.as_str().is_some_and(|most| most.starts_with(least)));
    let partition = FilePartition::of(file).ok_or_else(bad)?;
    Ok(LostEvents {
        file: format!("{EVENTS}/{}", file.path),
        category: partition.category_name(file),
        partition,
        rows: file.rows,
        batch: batch.map(str::to_owned),
    })
}
