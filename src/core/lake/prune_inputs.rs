//! Prunes what is known of ingested files: the entries that no later ingest needs.
//!
//! Invariant: an entry of which some event may still be in the lake is kept, unless the same file has many
//! newer ones. Without the newest entry, lines that are in the lake could be ingested again.

use std::collections::HashMap;
use std::fmt::Write as _;

use crate::lake::batch_size::BatchSize;
use crate::lake::dry_run::DryRun;
use crate::lake::error::LakeError;
use crate::lake::events::events_log;
use crate::lake::known_inputs::{InputKey, KEY_DIGITS, KnownInput, damaged_line, parse_entry};
use crate::lake::layout::{INPUTS, WRITERS};
use crate::lake::open::Lake;
use crate::model::{Hour, Timestamp};
use crate::storage::is_unfinished;

/// The number of entries that are kept of one beginning under one key: a file that is ingested each minute has
/// many, and is hardly ever truncated to an earlier length.
const KEPT_ENTRIES: usize = 16;
/// The age, in seconds, from which an entry that the log does not know is left over from a run that died.
const LEFT_OVER_SECONDS: i64 = 7 * 86_400;

/// What decides whether an entry is kept.
struct Rule<'a> {
    oldest: Option<Hour>,
    now_seconds: i64,
    is_in_log: &'a dyn Fn(&str) -> bool,
}

impl Lake {
    /// Removes, or with `dry_run` only counts, the entries of files whose events are all before `oldest`, those
    /// of batches that the log does not know any more, and all but the newest of a file that grows; none where
    /// batches are being written all the time.
    ///
    /// # Errors
    /// Fails where the disk does; files that were not rewritten stay as they were.
    pub fn prune_inputs(
        &self,
        oldest: Option<Hour>,
        now: Timestamp,
        dry_run: DryRun,
    ) -> Result<Option<u64>, LakeError> {
        if !self.store.has_folder(INPUTS) {
            return Ok(Some(0));
        }
        let _exclusive = match dry_run {
            DryRun::Yes => None,
            DryRun::No => match self.store.lock_exclusive(WRITERS)? {
                // An entry that is appended while its file is rewritten would be lost.
                None => return Ok(None),
                exclusive => exclusive,
            },
        };
        let log = events_log(&self.store).without_files().newest(&|_| false)?;
        let size = |id: &str| log.as_ref()?.transaction(id).and_then(BatchSize::of_version);
        let is_in_log = |id: &str| size(id).is_some();
        let rule = Rule { oldest, now_seconds: now.micros() / 1_000_000, is_in_log: &is_in_log };
        let mut dropped = 0;
        for name in self.store.names(INPUTS)?.into_iter().filter(|name| !is_unfinished(name)) {
            let path = format!("{INPUTS}/{name}");
            let bytes = self.store.get(&path)?;
            if let Some(number) = damaged_line(&bytes) {
                return Err(LakeError::DamagedInputs { file: path, number });
            }
            let text = String::from_utf8_lossy(&bytes);
            let (kept, dropped_here) = rule.kept(&text);
            dropped += dropped_here;
            if dropped_here == 0 || dry_run == DryRun::Yes {
                continue;
            }
            self.store.replace(&path, &bytes, kept.into())?;
        }
        Ok(Some(dropped))
    }
}

impl Rule<'_> {
    /// Returns the lines of a file that are kept, and how many entries are not.
    fn kept(&self, text: &str) -> (String, u64) {
        let entries: Vec<(&str, &str, KnownInput)> = text.lines().filter_map(entry).collect();
        let mut newer: HashMap<(&str, Option<&InputKey>), usize> = HashMap::new();
        let mut kept = Vec::new();
        // The newest are the last ones.
        for (line, key, known) in entries.iter().rev() {
            let count = newer.entry((key, known.start.as_ref())).or_default();
            if !self.is_needed(known) || *count >= KEPT_ENTRIES {
                continue;
            }
            *count += 1;
            kept.push(*line);
        }
        let dropped = (entries.len() - kept.len()) as u64;
        let mut text = String::new();
        for line in kept.iter().rev() {
            // Writing to a text cannot fail.
            let _ = write!(text, "\n{line}\n");
        }
        (text, dropped)
    }

    fn is_needed(&self, known: &KnownInput) -> bool {
        let is_expired = match (known.newest, self.oldest) {
            (_, None) => false,
            (Some(newest), Some(oldest)) => newest < oldest,
            // Events of the future are few, and their batches are recognized by their ids.
            (None, Some(oldest)) => known.second < oldest.start().micros() / 1_000_000,
        };
        let is_old = known.second < self.now_seconds - LEFT_OVER_SECONDS;
        !is_expired && (!is_old || (self.is_in_log)(&known.id))
    }
}

/// Returns a line with its key and its entry.
fn entry(line: &str) -> Option<(&str, &str, KnownInput)> {
    let (key, rest) = line.split_once(' ').filter(|(key, _)| key.len() == KEY_DIGITS)?;
    Some((line, key, parse_entry(rest)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "0123456789abcdef0123456789abcdef";
    const DAY: i64 = 86_400;

    /// Checks which of some entries are kept; each has an id, the day that it was ingested, and the last hour.
    fn check(entries: &[(&str, i64, &str)], oldest: Option<i32>, expected: &[&str]) {
        let line = |(id, day, newest): &(&str, i64, &str)| {
            format!("\n{KEY} {id} 9 0 0 7 - - - {} {newest} .\n", day * DAY)
        };
        let text: String = entries.iter().map(line).collect();
        let is_in_log = |id: &str| !id.starts_with("gone");
        let rule = Rule { oldest: oldest.map(Hour::new), now_seconds: 100 * DAY, is_in_log: &is_in_log };
        let (kept, dropped) = rule.kept(&format!("{text}{KEY} half"));
        let ids: Vec<&str> = kept.lines().filter_map(|line| line.split(' ').nth(1)).collect();
        assert_eq!(ids, expected, "{entries:?}");
        assert_eq!(dropped as usize, entries.len() - expected.len());
    }

    #[test]
    fn entries_that_are_needed_are_kept() {
        check(&[("a", 99, "10"), ("b", 99, "20")], None, &["a", "b"]);
        check(&[("a", 99, "10"), ("b", 99, "20")], Some(20), &["b"]);
        check(&[("a", 0, "-"), ("b", 99, "-")], Some(24), &["b"]);
        check(&[("gone1", 99, "10"), ("gone2", 1, "10"), ("a", 1, "10")], None, &["gone1", "a"]);
        let many: Vec<(&str, i64, &str)> = vec![("a", 99, "10"); 20];
        check(&many, None, &["a"; KEPT_ENTRIES]);
    }
}
