//! The last run of each command and of each job, and the last that went well.
//!
//! Names of records begin with a moment and go on with the command or the job, so that only the newest of
//! each need be opened.

use std::collections::BTreeMap;

use crate::run_history::book::{Book, RunsError};
use crate::run_history::{Outcome, RunRecord, State};
use topsell_core::model::Timestamp;

/// The exit code of a run that found another at work.
const BUSY: u8 = 6;
/// How far back to look for a run that went well.
const MOST_OPENED: usize = 200;
/// Where the command or the job begins in a name that begins with a moment.
const BEHIND_MOMENT: char = '-';
/// The digits of chance at the end of a name that no due run has.
const CHANCE_DIGITS: usize = 16;

/// What is run again and again: a command, or a job.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ran {
    pub command: String,
    pub job: Option<String>,
}

/// The last runs of the same.
#[derive(Clone, Debug, PartialEq)]
pub struct LastRuns {
    /// The last that is over; none where the first is at work still.
    pub last: Option<RunRecord>,
    pub last_done: Option<RunRecord>,
}

impl LastRuns {
    /// Returns the names of the runs.
    pub(super) fn ids(self) -> impl Iterator<Item = String> {
        self.last.into_iter().chain(self.last_done).map(|record| record.id)
    }
}

impl Book {
    /// Returns the last runs of each command and job. Passed over are runs at work, and those that were not
    /// begun or found another at work; and records that cannot be read, which are named.
    ///
    /// # Errors
    /// Fails where the folder cannot be read.
    pub fn last_runs(&self) -> Result<(BTreeMap<Ran, LastRuns>, Vec<RunsError>), RunsError> {
        let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for id in self.ids()? {
            groups.entry(group_of(&id).to_owned()).or_default().push(id);
        }
        let (mut found, mut broken) = (BTreeMap::new(), Vec::new());
        for (name, mut ids) in groups {
            ids.sort_unstable_by(|a, b| b.cmp(a));
            self.last_of(&name, &ids, &mut found, &mut broken);
        }
        Ok((found, broken))
    }

    fn last_of(
        &self,
        group: &str,
        ids: &[String],
        found: &mut BTreeMap<Ran, LastRuns>,
        broken: &mut Vec<RunsError>,
    ) {
        for id in ids.iter().take(MOST_OPENED) {
            let record = match self.read(id) {
                Ok(Some(record)) => record,
                // It has gone to the archive just now.
                Ok(None) => continue,
                Err(error) => {
                    broken.push(error);
                    continue;
                }
            };
            let ran =
                Ran { command: record.command.clone(), job: record.due.as_ref().map(|due| due.job.clone()) };
            // Runs by hand of several jobs may have names that begin alike.
            let is_of_one = ran.job.as_ref().is_none_or(|job| job == group);
            let last = found.entry(ran).or_insert(LastRuns { last: None, last_done: None });
            match record.state() {
                State::Running | State::PerhapsRunning | State::Ended(Outcome::Skipped | Outcome::Missed) => {
                    continue;
                }
                State::Ended(Outcome::Done) => keep_newer(&mut last.last_done, &record),
                State::Ended(_) if record.exit_code == Some(BUSY) => continue,
                State::Ended(_) | State::NeverEnded => {}
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

/// Returns what the names of a command's runs, or a job's, have in common.
fn group_of(id: &str) -> &str {
    let rest = id.split_once(BEHIND_MOMENT).map_or(id, |(_, rest)| rest);
    match rest.rsplit_once('-') {
        Some((name, chance)) if chance.len() == CHANCE_DIGITS => name,
        // The attempts of one due run differ by a number at the end.
        _ => rest.rsplit_once('.').filter(|(_, n)| n.parse::<u32>().is_ok()).map_or(rest, |(name, _)| name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run_history::Due;
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
    fn the_last_that_is_over_and_the_last_that_went_well_are_found_by_names_alone() {
        let (store, _folder) = temporary();
        let book = Book::open(&store);
        assert!(book.last_runs().expect("there is nothing to read").0.is_empty());
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
            book.note(&record).expect("it can be written");
        }
        store.put("runs/20170115T000009Z-rank-0000000000000009.json", "{".into()).expect("it can be written");
        store.put("runs/date=2017-01-14/x.parquet", "".into()).expect("it can be written");
        let (found, broken) = book.last_runs().expect("the folder can be read");
        let ids = |command: &str, job: Option<&str>| {
            let ran = Ran { command: command.to_owned(), job: job.map(str::to_owned) };
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
