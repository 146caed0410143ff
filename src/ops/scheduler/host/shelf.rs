//! The jobs that a scheduler goes by, read again when their files change.
//!
//! Invariant: a job whose file has become bad stays what it was.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use crate::job_spec::{Check, Found, Job, JobError, Sources, Stamps};

/// Jobs, and where they come from.
pub struct Shelf {
    sources: Sources,
    stamps: Stamps,
    jobs: BTreeMap<String, Arc<Job>>,
    /// What is wrong with the files, as it was told.
    faults: BTreeSet<String>,
}

/// What reading all jobs again has come to.
#[derive(Debug, Default)]
pub struct Change {
    /// What is wrong now and was not before.
    pub faults: Vec<String>,
    /// Whether any job is another.
    pub is_any: bool,
}

impl Shelf {
    /// Reads all jobs for the first time.
    ///
    /// # Errors
    /// Returns all that is wrong: nobody begins with half of the jobs.
    pub fn open(sources: Sources, check: Check<'_>) -> Result<Shelf, Vec<JobError>> {
        // Looked at before they are read: what changes in between is read again.
        let stamps = sources.stamps();
        let found = sources.read(check);
        if !found.faults.is_empty() {
            return Err(found.faults);
        }
        let jobs = found.jobs.into_iter().map(|(name, job)| (name, Arc::new(job))).collect();
        Ok(Shelf { sources, stamps, jobs, faults: BTreeSet::new() })
    }

    /// Returns the jobs, by name.
    pub fn jobs(&self) -> Vec<Arc<Job>> {
        self.jobs.values().cloned().collect()
    }

    /// Returns the job of that name.
    pub fn job(&self, name: &str) -> Option<&Arc<Job>> {
        self.jobs.get(name)
    }

    /// Reads the jobs again if any of their files looks different.
    pub fn look(&mut self, check: Check<'_>) -> Option<Change> {
        let stamps = self.sources.stamps();
        (stamps != self.stamps).then(|| self.read(stamps, check))
    }

    /// Reads the jobs again, whatever their files look like.
    pub fn read_again(&mut self, check: Check<'_>) -> Change {
        self.read(self.sources.stamps(), check)
    }

    fn read(&mut self, stamps: Stamps, check: Check<'_>) -> Change {
        self.stamps = stamps;
        self.take(self.sources.read(check))
    }

    fn take(&mut self, found: Found) -> Change {
        let mut jobs: BTreeMap<String, Arc<Job>> =
            found.jobs.into_iter().map(|(name, job)| (name, Arc::new(job))).collect();
        let bad: Vec<&Path> = found.faults.iter().map(JobError::file).collect();
        for (name, job) in &self.jobs {
            // A folder or a list of accounts that cannot be read takes no job away either.
            if bad.iter().any(|bad| job.file.starts_with(bad)) || self.is_owned_by(&bad, job) {
                jobs.entry(name.clone()).or_insert_with(|| Arc::clone(job));
            }
        }
        let faults: BTreeSet<String> = found.faults.iter().map(ToString::to_string).collect();
        let change =
            Change { faults: faults.difference(&self.faults).cloned().collect(), is_any: jobs != self.jobs };
        (self.jobs, self.faults) = (jobs, faults);
        change
    }

    fn is_owned_by(&self, bad: &[&Path], job: &Job) -> bool {
        job.owner.is_some() && self.sources.accounts.as_deref().is_some_and(|list| bad.contains(&list))
    }
}
