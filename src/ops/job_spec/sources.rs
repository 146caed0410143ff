//! Where jobs are defined: a folder of job files, crontabs, and the crontabs of all accounts.
//!
//! Invariant: only files that no untrusted account could have written are read.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use crate::job_spec::crontab::read_crontab;
use crate::job_spec::error::{JobError, JobWarning};
use crate::job_spec::job::{Job, Owner};
use crate::job_spec::job_file;
use crate::job_spec::toml_reader::CommandCheck;
use crate::job_spec::trusted_file::{TrustedOwner, read_text};
use topsell_core::storage::local_files::{self, Metadata};

/// Where to look for jobs.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// A folder of job files, `*.toml`.
    pub folder: Option<PathBuf>,
    pub crontabs: Vec<PathBuf>,
    /// The list of accounts, such as `/etc/passwd`, whose own crontabs are read.
    pub accounts: Option<PathBuf>,
    /// The default time zone.
    pub time_zone: String,
}

/// The jobs that were found, by name, and all errors and warnings.
#[derive(Debug, Default)]
pub struct JobSet {
    pub jobs: BTreeMap<String, Job>,
    pub errors: Vec<JobError>,
    pub warnings: Vec<JobWarning>,
    /// The crontabs in home folders: an error of one of them must not affect the jobs of others.
    own_crontabs: BTreeSet<PathBuf>,
}

/// Metadata of the job files; it changes when a file does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FileStamps(BTreeMap<PathBuf, Option<[i64; 5]>>);

const JOB_FILE: &str = "toml";
/// The crontab in an account's home folder.
const OWN_CRONTAB: &str = ".crontab";

impl Sources {
    /// Reads all jobs and checks the arguments of their steps.
    pub fn read(&self, check: CommandCheck<'_>) -> JobSet {
        let mut found = JobSet::default();
        self.read_folder(check, &mut found);
        for path in &self.crontabs {
            match read_text(path, &TrustedOwner::default()) {
                Ok(text) => found.add_crontab(path, &text, None, &self.time_zone),
                Err(error) => found.errors.push(error),
            }
        }
        match self.owners() {
            Ok(owners) => owners.iter().for_each(|owner| self.read_own_crontab(owner, &mut found)),
            Err(error) => found.errors.push(error),
        }
        found
    }

    fn read_folder(&self, check: CommandCheck<'_>, found: &mut JobSet) {
        let files = match self.job_files() {
            Ok(files) => files,
            Err(error) => return found.errors.push(error),
        };
        for path in files {
            match read_job(&path, &self.time_zone, check) {
                Ok(job) => found.add(job),
                Err(errors) => found.errors.extend(errors),
            }
        }
    }

    fn read_own_crontab(&self, owner: &Owner, found: &mut JobSet) {
        let path = owner.home.join(OWN_CRONTAB);
        found.own_crontabs.insert(path.clone());
        match read_text(&path, &TrustedOwner { only: Some(owner.uid) }) {
            Ok(text) => found.add_crontab(&path, &text, Some(owner), &self.time_zone),
            Err(JobError::Unreadable { source, .. }) if is_absent(&source) => {}
            Err(error) => found.errors.push(error),
        }
    }

    /// Returns metadata of all job files; a different result means that jobs may have changed.
    pub fn file_stamps(&self) -> FileStamps {
        let mut stamps = FileStamps::default();
        let own = self.owners().unwrap_or_default().into_iter().map(|owner| owner.home.join(OWN_CRONTAB));
        let files = self.job_files().unwrap_or_default().into_iter();
        for path in files.chain(self.crontabs.iter().cloned()).chain(self.accounts.iter().cloned()).chain(own)
        {
            let stamp = local_files::metadata(&path).ok().map(|seen| stamp(&seen));
            stamps.0.insert(path, stamp);
        }
        stamps
    }

    /// Returns the folder's job files, sorted by name.
    fn job_files(&self) -> Result<Vec<PathBuf>, JobError> {
        let Some(folder) = &self.folder else { return Ok(Vec::new()) };
        let unreadable = |source| JobError::Unreadable { file: folder.clone(), source };
        let seen = local_files::metadata(folder).map_err(unreadable)?;
        // Whoever can write to the folder can put trusted files into it.
        TrustedOwner::default().check(folder, &seen)?;
        let mut paths = local_files::list(folder).map_err(unreadable)?;
        let is_hidden = |path: &Path| path.file_name().is_some_and(|name| name.as_encoded_bytes()[0] == b'.');
        paths.retain(|path| {
            path.extension().is_some_and(|form| form == JOB_FILE)
                && !is_hidden(path)
                && !local_files::is_folder(path)
        });
        Ok(paths)
    }

    /// Returns the accounts of the host that have a home folder.
    fn owners(&self) -> Result<Vec<Owner>, JobError> {
        let Some(path) = &self.accounts else { return Ok(Vec::new()) };
        if !geteuid().is_root() {
            return Err(JobError::NotRoot { file: path.clone() });
        }
        Ok(read_text(path, &TrustedOwner::default())?.lines().filter_map(account).collect())
    }
}

/// Reads one job file and checks the arguments of its steps.
///
/// # Errors
/// Returns all errors, at least one.
pub fn read_job(path: &Path, zone: &str, check: CommandCheck<'_>) -> Result<Job, Vec<JobError>> {
    let text = read_text(path, &TrustedOwner::default()).map_err(|error| vec![error])?;
    job_file::read(path, &text, zone, check)
}

impl JobSet {
    /// Returns whether an error is that of one account's own crontab.
    pub fn is_of_account(&self, error: &JobError) -> bool {
        self.own_crontabs.contains(error.file())
    }

    fn add(&mut self, job: Job) {
        match self.jobs.get(&job.name) {
            None => drop(self.jobs.insert(job.name.clone(), job)),
            Some(other) => self.errors.push(JobError::Duplicate {
                name: job.name,
                file: job.file,
                line: job.line,
                other: other.file.clone(),
                other_line: other.line,
            }),
        }
    }

    fn add_crontab(&mut self, path: &Path, text: &str, owner: Option<&Owner>, zone: &str) {
        let tab = read_crontab(path, text, owner, zone);
        self.errors.extend(tab.errors);
        self.warnings.extend(tab.warnings);
        for job in tab.jobs {
            self.add(job);
        }
    }
}

/// Parses a line of the list of accounts.
fn account(line: &str) -> Option<Owner> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, _, uid, gid, _, home, ..] = fields[..] else { return None };
    let home = Path::new(home);
    let owner = Owner {
        name: name.to_owned(),
        uid: uid.parse().ok()?,
        gid: gid.parse().ok()?,
        home: home.to_owned(),
    };
    (home.is_absolute() && !name.is_empty()).then_some(owner)
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn stamp(seen: &Metadata) -> [i64; 5] {
    [
        seen.ino().cast_signed(),
        seen.size().cast_signed(),
        seen.mtime(),
        seen.mtime_nsec(),
        i64::from(seen.mode()),
    ]
}
