//! Runs that are due and wait for a worker process.
//!
//! Invariant: accounts take turns, so that the many runs of one do not delay those of another; the runs of
//! one account start in the order in which they became due.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::job_spec::Job;
use topsell_core::model::Timestamp;

/// A run: its job, when it was due, and the attempt.
pub(super) type ReadyRun = (Arc<Job>, Timestamp, u32);

/// The waiting runs.
#[derive(Default)]
pub(super) struct ReadyRuns {
    /// By the account that owns the jobs; those of the scheduler's own account have none.
    by_account: BTreeMap<Option<u32>, VecDeque<ReadyRun>>,
    /// The account whose turn was last.
    last: Option<u32>,
    length: usize,
}

impl ReadyRuns {
    /// Returns the number of waiting runs.
    pub fn len(&self) -> usize {
        self.length
    }

    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Adds a run behind the others of its account.
    pub fn push(&mut self, job: Arc<Job>, at: Timestamp, attempt: u32) {
        self.by_account.entry(account_of(&job)).or_default().push_back((job, at, attempt));
        self.length += 1;
    }

    /// Takes the first run of the account whose turn it is.
    pub fn pop(&mut self) -> Option<ReadyRun> {
        let after = (std::ops::Bound::Excluded(self.last), std::ops::Bound::Unbounded);
        let next = self.by_account.range(after).next().or_else(|| self.by_account.first_key_value());
        let account = *next?.0;
        self.last = account;
        let runs = self.by_account.get_mut(&account)?;
        let run = runs.pop_front();
        if runs.is_empty() {
            self.by_account.remove(&account);
        }
        self.length -= usize::from(run.is_some());
        run
    }

    /// Takes the first waiting run of a job out of its turn.
    pub fn remove(&mut self, job: &Job) -> Option<ReadyRun> {
        let account = account_of(job);
        let runs = self.by_account.get_mut(&account)?;
        let place = runs.iter().position(|(ready, ..)| ready.name == job.name)?;
        let run = runs.remove(place);
        if runs.is_empty() {
            self.by_account.remove(&account);
        }
        self.length -= usize::from(run.is_some());
        run
    }

    pub fn clear(&mut self) {
        *self = ReadyRuns::default();
    }
}

fn account_of(job: &Job) -> Option<u32> {
    job.owner.as_ref().map(|owner| owner.uid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job_spec::{Owner, Policy};

    fn job(name: &str, uid: Option<u32>) -> Job {
        let owner = uid.map(|uid| Owner { name: "a".to_owned(), uid, gid: uid, home: "/".into() });
        Job {
            name: name.to_owned(),
            file: "jobs".into(),
            line: 1,
            schedule: None,
            time_zone: "UTC".to_owned(),
            steps: Vec::new(),
            policy: Policy::default(),
            environment: BTreeMap::new(),
            working_dir: None,
            owner,
        }
    }

    #[test]
    fn one_account_with_many_runs_does_not_delay_another() {
        let at = Timestamp::parse("2017-01-15T00:00:00Z").expect("a good moment");
        let mut ready = ReadyRuns::default();
        for number in 0..3_000 {
            ready.push(Arc::new(job(&format!("many-{number}"), Some(1_000))), at, 1);
        }
        for (name, uid) in [("other-1", Some(1_001)), ("other-2", Some(1_001)), ("root-1", None)] {
            ready.push(Arc::new(job(name, uid)), at, 1);
        }
        let cancelled = ready.remove(&job("many-1", Some(1_000)));
        assert_eq!(cancelled.map(|(job, ..)| job.name.clone()).as_deref(), Some("many-1"));
        let mut names = || ready.pop().map(|(job, ..)| job.name.clone());
        let first: Vec<String> = std::iter::from_fn(&mut names).take(6).collect();
        assert_eq!(first, ["many-0", "other-1", "root-1", "many-2", "other-2", "many-3"]);
        assert_eq!(ready.len(), 3_002 - 6);
        ready.clear();
        assert!(ready.is_empty() && ready.pop().is_none());
    }
}
