//! The jobs of a scheduler, reloaded when their files change.
//!
//! Invariant: if a file becomes invalid, the previous version of its jobs is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use crate::job_spec::{CommandCheck, FileStamps, Job, JobError, JobSet, Sources};

/// The jobs and their sources.
pub struct JobRegistry {
    sources: Sources,
    stamps: FileStamps,
    jobs: BTreeMap<String, Arc<Job>>,
    /// The errors that were reported.
    errors: BTreeSet<String>,
}

/// The result of reloading the jobs.
#[derive(Debug, Default)]
pub struct RegistryChange {
    /// New errors.
    pub errors: Vec<String>,
    /// Whether any job has changed.
    pub jobs_changed: bool,
}

impl JobRegistry {
    /// Reads all jobs for the first time.
    ///
    /// # Errors
    /// Returns all errors: a scheduler does not start with a part of the jobs. Those of an account's own crontab
    /// are kept as errors of that account alone.
    pub fn open(sources: Sources, check: CommandCheck<'_>) -> Result<JobRegistry, Vec<JobError>> {
        // Taken before reading, so that changes in between cause a reload.
        let stamps = sources.file_stamps();
        let found = sources.read(check);
        if found.errors.iter().any(|error| !found.is_of_account(error)) {
            return Err(found.errors);
        }
        let errors = found.errors.iter().map(ToString::to_string).collect();
        let jobs = found.jobs.into_iter().map(|(name, job)| (name, Arc::new(job))).collect();
        Ok(JobRegistry { sources, stamps, jobs, errors })
    }

    /// Returns the errors of accounts' own crontabs, whose lines are not used.
    pub fn errors(&self) -> impl Iterator<Item = &str> {
        self.errors.iter().map(String::as_str)
    }

    /// Returns the jobs, ordered by name.
    pub fn jobs(&self) -> Vec<Arc<Job>> {
        self.jobs.values().cloned().collect()
    }

    /// Returns a job by name.
    pub fn job(&self, name: &str) -> Option<&Arc<Job>> {
        self.jobs.get(name)
    }

    /// Reloads the jobs if any of their files has changed.
    pub fn reload_if_changed(&mut self, check: CommandCheck<'_>) -> Option<RegistryChange> {
        let stamps = self.sources.file_stamps();
        (stamps != self.stamps).then(|| self.read(stamps, check))
    }

    /// Reloads the jobs.
    pub fn reload(&mut self, check: CommandCheck<'_>) -> RegistryChange {
        self.read(self.sources.file_stamps(), check)
    }

    fn read(&mut self, stamps: FileStamps, check: CommandCheck<'_>) -> RegistryChange {
        self.stamps = stamps;
        self.replace(self.sources.read(check))
    }

    fn replace(&mut self, mut found: JobSet) -> RegistryChange {
        let mut jobs: BTreeMap<String, Arc<Job>> =
            std::mem::take(&mut found.jobs).into_iter().map(|(name, job)| (name, Arc::new(job))).collect();
        // An account could otherwise add jobs without end, by one file with an error after the other.
        let is_used = |error: &JobError| {
            found.is_of_account(error) && jobs.values().any(|job| job.file == error.file())
        };
        let bad = found.errors.iter().filter(|error| !is_used(error));
        let bad: Vec<&Path> = bad.map(JobError::file).collect();
        for (name, job) in &self.jobs {
            // Also if a folder or the list of accounts cannot be read.
            if bad.iter().any(|bad| job.file.starts_with(bad)) || self.is_owned_by(&bad, job) {
                jobs.entry(name.clone()).or_insert_with(|| Arc::clone(job));
            }
        }
        let text = |error: &JobError| match bad.contains(&error.file()) {
            true => format!("{error}; keeping the previous version"),
            false => error.to_string(),
        };
        let errors: BTreeSet<String> = found.errors.iter().map(text).collect();
        let jobs_changed = jobs != self.jobs;
        let change =
            RegistryChange { errors: errors.difference(&self.errors).cloned().collect(), jobs_changed };
        (self.jobs, self.errors) = (jobs, errors);
        change
    }

    fn is_owned_by(&self, bad: &[&Path], job: &Job) -> bool {
        job.owner.is_some() && self.sources.accounts.as_deref().is_some_and(|list| bad.contains(&list))
    }
}
