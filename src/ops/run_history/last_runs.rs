//! Finds the last run and the last successful run of each command and job.
//!
//! Run ids contain the time and the command or job, so that only the newest of each need to be read.

use std::collections::BTreeMap;

use crate::run_history::record::{Outcome, RunRecord};
use crate::run_history::run_id::moment_of;
use crate::run_history::run_state::RunState;
use crate::run_history::run_store::{RunStore, RunsError};
use topsell_core::model::Timestamp;

/// The exit code of a run that found a lock held.
const BUSY: u8 = 6;
/// How many records of each command or job are read at most.
const MAX_READ: usize = 200;
/// Separates the time from the command or job in a run id.
const SEPARATOR: char = '-';
/// The length of the unique suffix of runs that are not due runs.
const SUFFIX_DIGITS: usize = 16;

/// What is run: a command or a job.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunKey {
    pub command: String,
    pub job: Option<String>,
}

/// The last runs of a command or job.
#[derive(Clone, Debug, PartialEq)]
pub struct LastRuns {
    /// The last that has ended, if any.
    pub last: Option<RunRecord>,
    pub last_done: Option<RunRecord>,
}

/// The last runs up to a moment.
#[derive(Debug, Default)]
pub struct RunsUntil {
    pub runs: BTreeMap<RunKey, LastRuns>,
    /// The errors of unreadable records.
    pub broken: Vec<RunsError>,
    /// The number of runs that were started later.
    pub later: u64,
}

impl LastRuns {
    /// Returns the ids of the runs.
    pub(super) fn ids(self) -> impl Iterator<Item = String> {
        self.last.into_iter().chain(self.last_done).map(|record| record.id)
    }
}

impl RunStore {
    /// Returns the last runs of each command and job, and the errors of unreadable records. Active runs,
    /// runs that were not started and runs that found a lock held are ignored.
    ///
    /// # Errors
    /// Fails if the folder cannot be read.
    pub fn last_runs(&self) -> Result<(BTreeMap<RunKey, LastRuns>, Vec<RunsError>), RunsError> {
        let RunsUntil { runs, broken, .. } = self.last_runs_until(None)?;
        Ok((runs, broken))
    }

    /// Returns the last runs that were not started after a moment.
    ///
    /// # Errors
    /// As [`RunStore::last_runs`].
    pub fn last_runs_until(&self, until: Option<Timestamp>) -> Result<RunsUntil, RunsError> {
        let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut later = 0;
        for id in self.ids()? {
            if until.is_some_and(|until| moment_of(&id).is_some_and(|moment| moment > until)) {
                later += 1;
            } else {
                groups.entry(group_of(&id).to_owned()).or_default().push(id);
            }
        }
        let (mut found, mut broken) = (BTreeMap::new(), Vec::new());
        for (name, mut ids) in groups {
            ids.sort_unstable_by(|a, b| b.cmp(a));
            self.last_of(&name, &ids, &mut found, &mut broken);
        }
        Ok(RunsUntil { runs: found, broken, later })
    }

    fn last_of(
        &self,
        group: &str,
        ids: &[String],
        found: &mut BTreeMap<RunKey, LastRuns>,
        broken: &mut Vec<RunsError>,
    ) {
        for id in ids.iter().take(MAX_READ) {
            let record = match self.read(id) {
                Ok(Some(record)) => record,
                // It has just been archived.
                Ok(None) => continue,
                Err(error) => {
                    broken.push(error);
                    continue;
                }
            };
            let ran = RunKey {
                command: record.command.clone(),
                job: record.due.as_ref().map(|due| due.job.clone()),
            };
            // Manual runs of several jobs have the same command in their ids.
            let is_of_one = ran.job.as_ref().is_none_or(|job| job == group);
            let last = found.entry(ran).or_insert(LastRuns { last: None, last_done: None });
            match record.state() {
                RunState::Running
                | RunState::PerhapsRunning
                | RunState::Ended(Outcome::Skipped | Outcome::Missed) => {
                    continue;
                }
                RunState::Ended(Outcome::Done) => keep_newer(&mut last.last_done, &record),
                RunState::Ended(_) if record.exit_code == Some(BUSY) => continue,
                RunState::Ended(_) | RunState::NeverEnded => {}
            }
            keep_newer(&mut last.last, &record);
            if is_of_one && last.last_done.is_some() {
                return;
            }
        }
    }
}

fn keep_newer(kept: &mut Option<RunRecord>, record: &RunRecord) {
    let started = |record: &RunRecord| Timestamp::parse(&record.started).ok();
    if kept.as_ref().is_none_or(|kept| started(kept) < started(record)) {
        *kept = Some(record.clone());
    }
}

/// Returns the part of an id that all runs of a command or job share.
fn group_of(id: &str) -> &str {
    let rest = id.split_once(SEPARATOR).map_or(id, |(_, rest)| rest);
    match rest.rsplit_once('-') {
        Some((name, suffix)) if suffix.len() == SUFFIX_DIGITS => name,
        // Attempts at one due run differ by a number at the end.
        _ => rest.rsplit_once('.').filter(|(_, n)| n.parse::<u32>().is_ok()).map_or(rest, |(name, _)| name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run_history::record::Due;
    use topsell_core::storage::temporary;

    fn record(id: &str, second: u32, outcome: Outcome) -> RunRecord {
        RunRecord {
            id: id.to_owned(),
            command: "rank".to_owned(),
            started: format!("2017-01-15T00:00:{second:02}Z"),
            outcome,
            ..RunRecord::default()
        }
    }

    fn of_job(id: &str, job: &str, second: u32, outcome: Outcome) -> RunRecord {
        let due = Some(Due { job: job.to_owned(), at: None, attempt: 1 });
        RunRecord { command: "run".to_owned(), due, ..record(id, second, outcome) }
    }

    #[test]
    fn the_last_ended_and_the_last_successful_run_are_found_by_id() {
        let (store, _folder) = temporary();
        let run_store = RunStore::open(&store);
        assert!(run_store.last_runs().expect("there is nothing to read").0.is_empty());
        let busy = RunRecord {
            exit_code: Some(BUSY),
            ..record("20170115T000004Z-rank-0000000000000004", 4, Outcome::Failed)
        };
        for record in [
            record("20170115T000001Z-rank-0000000000000001", 1, Outcome::Done),
            record("20170115T000002Z-rank-0000000000000002", 2, Outcome::Done),
            record("20170115T000003Z-rank-0000000000000003", 3, Outcome::Failed),
            busy,
            of_job("20170115T000001Z-nightly", "nightly", 1, Outcome::OwnerDied),
            of_job("20170115T000001Z-nightly.2", "nightly", 2, Outcome::Done),
            of_job("20170115T000003Z-nightly", "nightly", 3, Outcome::Skipped),
            of_job("20170115T000001Z-a-job", "a-job", 1, Outcome::TimedOut),
            of_job("20170115T000002Z-run-0000000000000005", "a-job", 2, Outcome::Done),
            of_job("20170115T000003Z-run-0000000000000006", "nightly", 4, Outcome::Killed),
        ] {
            run_store.save(&record).expect("it can be written");
        }
        store.put("runs/20170115T000009Z-rank-0000000000000009.json", "{".into()).expect("it can be written");
        store.put("runs/date=2017-01-14/x.parquet", "".into()).expect("it can be written");
        let (found, broken) = run_store.last_runs().expect("the folder can be read");
        let ids = |command: &str, job: Option<&str>| {
            let ran = RunKey { command: command.to_owned(), job: job.map(str::to_owned) };
            let LastRuns { last, last_done } = &found[&ran];
            let id = |record: &Option<RunRecord>| record.as_ref().map_or(String::new(), |of| of.id.clone());
            [id(last), id(last_done)]
        };
        let rank = |number| format!("20170115T00000{number}Z-rank-000000000000000{number}");
        assert_eq!(ids("rank", None), [rank(3), rank(2)]);
        let nightly = ["20170115T000003Z-run-0000000000000006", "20170115T000001Z-nightly.2"];
        assert_eq!(ids("run", Some("nightly")), nightly);
        assert_eq!(ids("run", Some("a-job")), ["20170115T000002Z-run-0000000000000005"; 2]);
        assert_eq!(found.len(), 3);
        assert_eq!(broken.len(), 1, "{broken:?}");
    }
}
