//! Where jobs are written down: a folder of job files, crontabs, and the crontabs of all accounts.
//!
//! Invariant: a file that others may write is not read, whoever named it; files are checked once opened,
//! so that nobody can put another in the place of a checked one.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use crate::job_spec::crontab::read_crontab;
use crate::job_spec::error::{JobError, Note};
use crate::job_spec::file::{self, Check};
use crate::job_spec::{Job, Owner};
use topsell_core::storage::local_files::{self, Links, Metadata, is_link_error};

/// Where to look for jobs.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// A folder of job files, `*.toml`.
    pub folder: Option<PathBuf>,
    pub crontabs: Vec<PathBuf>,
    /// The list of accounts, whose own crontabs are looked for.
    pub accounts: Option<PathBuf>,
    /// The zone of schedules that name none.
    pub time_zone: String,
}

/// All that was found: jobs that can be run, by name, and what cannot be.
#[derive(Debug, Default)]
pub struct Found {
    pub jobs: BTreeMap<String, Job>,
    pub faults: Vec<JobError>,
    pub notes: Vec<Note>,
}

/// What can be seen of files without reading them; it changes when they do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stamps(BTreeMap<PathBuf, Option<[i64; 5]>>);

const JOB_FILE: &str = "toml";
/// The crontab in an account's home folder.
const OWN_CRONTAB: &str = ".crontab";
/// No list of jobs is larger …
const MAX_BYTES: u64 = 4 << 20;
/// … nor an account's own, which anybody may write: it is root who reads it.
const MAX_OWN_BYTES: u64 = 64 << 10;
/// Permission for the group, or for all, to write.
const OTHERS_WRITE: u32 = 0o022;

impl Sources {
    /// Reads all jobs, and has the words of their steps checked.
    pub fn read(&self, check: Check<'_>) -> Found {
        let mut found = Found::default();
        let Found { faults, .. } = &mut found;
        let files = self.job_files().unwrap_or_else(|fault| {
            faults.push(fault);
            Vec::new()
        });
        for path in files {
            match read_text(&path, &Ours::default())
                .map_err(|fault| vec![fault])
                .and_then(|text| file::read(&path, &text, &self.time_zone, check))
            {
                Ok(job) => found.add(job),
                Err(faults) => found.faults.extend(faults),
            }
        }
        for path in &self.crontabs {
            match read_text(path, &Ours::default()) {
                Ok(text) => found.add_crontab(path, &text, None, &self.time_zone),
                Err(fault) => found.faults.push(fault),
            }
        }
        match self.owners() {
            Ok(owners) => {
                for owner in owners {
                    let path = owner.home.join(OWN_CRONTAB);
                    match read_text(&path, &Ours { alone: Some(owner.uid) }) {
                        Ok(text) => found.add_crontab(&path, &text, Some(&owner), &self.time_zone),
                        Err(JobError::Unreadable { source, .. }) if is_absent(&source) => {}
                        Err(fault) => found.faults.push(fault),
                    }
                }
            }
            Err(fault) => found.faults.push(fault),
        }
        found
    }

    /// Returns what can be seen of all files from outside; another answer means that jobs may have changed.
    pub fn stamps(&self) -> Stamps {
        let mut stamps = Stamps::default();
        let own = self.owners().unwrap_or_default().into_iter().map(|owner| owner.home.join(OWN_CRONTAB));
        let files = self.job_files().unwrap_or_default().into_iter();
        for path in files.chain(self.crontabs.iter().cloned()).chain(self.accounts.iter().cloned()).chain(own)
        {
            let stamp = local_files::metadata(&path).ok().map(|seen| stamp(&seen));
            stamps.0.insert(path, stamp);
        }
        stamps
    }

    /// Returns the folder's job files, by name.
    fn job_files(&self) -> Result<Vec<PathBuf>, JobError> {
        let Some(folder) = &self.folder else { return Ok(Vec::new()) };
        let unreadable = |source| JobError::Unreadable { file: folder.clone(), source };
        let seen = local_files::metadata(folder).map_err(unreadable)?;
        // Who may write into the folder may move files of ours there.
        Ours::default().check(folder, &seen)?;
        let mut paths = local_files::list(folder).map_err(unreadable)?;
        let is_hidden = |path: &Path| path.file_name().is_some_and(|name| name.as_encoded_bytes()[0] == b'.');
        paths.retain(|path| path.extension().is_some_and(|form| form == JOB_FILE) && !is_hidden(path));
        Ok(paths)
    }

    /// Returns the accounts of the machine that have a home folder.
    fn owners(&self) -> Result<Vec<Owner>, JobError> {
        let Some(path) = &self.accounts else { return Ok(Vec::new()) };
        if !geteuid().is_root() {
            return Err(JobError::NotRoot { file: path.clone() });
        }
        Ok(read_text(path, &Ours::default())?.lines().filter_map(account).collect())
    }
}

/// Reads one job file, and has the words of its steps checked.
///
/// # Errors
/// Says all that is wrong, at least one thing.
pub fn read_job(path: &Path, zone: &str, check: Check<'_>) -> Result<Job, Vec<JobError>> {
    let text = read_text(path, &Ours::default()).map_err(|fault| vec![fault])?;
    file::read(path, &text, zone, check)
}

impl Found {
    fn add(&mut self, job: Job) {
        match self.jobs.get(&job.name) {
            None => drop(self.jobs.insert(job.name.clone(), job)),
            Some(other) => self.faults.push(JobError::Twice {
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
        self.faults.extend(tab.faults);
        self.notes.extend(tab.notes);
        for job in tab.jobs {
            self.add(job);
        }
    }
}

/// Who may have written a file.
#[derive(Default)]
struct Ours {
    /// This account alone, and in a plain file; else whoever runs the program, or root.
    alone: Option<u32>,
}

impl Ours {
    fn check(&self, path: &Path, seen: &Metadata) -> Result<(), JobError> {
        let refuse = |why: String| Err(JobError::NotOurs { file: path.to_owned(), why });
        if seen.mode() & OTHERS_WRITE != 0 {
            let mode = seen.mode() & 0o7777;
            return refuse(format!(
                "others may write it ({mode:o}), and so say what runs; take that from them with `chmod go-w`"
            ));
        }
        match self.alone {
            Some(uid) if seen.uid() != uid => refuse(format!(
                "it belongs to the account {}, and not to that of the home folder, {uid}",
                seen.uid()
            )),
            // Another name of the file would lie where someone else decides.
            Some(_) if seen.nlink() > 1 => refuse("it has another name elsewhere".to_owned()),
            None if ![0, geteuid().as_raw()].contains(&seen.uid()) => refuse(format!(
                "it belongs to the account {}, and neither to root nor to who runs this",
                seen.uid()
            )),
            _ => Ok(()),
        }
    }
}

/// Returns the text of a file that only we, or root, could have written.
fn read_text(path: &Path, ours: &Ours) -> Result<String, JobError> {
    let unreadable = |source| JobError::Unreadable { file: path.to_owned(), source };
    let bad = |what: &str| unreadable(io::Error::other(what.to_owned()));
    // A pipe that nobody writes would be waited for; in a home folder a link leads where its owner says.
    let links = if ours.alone.is_some() { Links::Refuse } else { Links::Follow };
    let file = local_files::open_nonblocking(path, links)
        .map_err(|error| if is_link_error(&error) { bad("it is a link") } else { unreadable(error) })?;
    let seen = file.metadata().map_err(unreadable)?;
    if !seen.is_file() {
        return Err(bad("it is no plain file"));
    }
    ours.check(path, &seen)?;
    let mut bytes = Vec::new();
    let most = if ours.alone.is_some() { MAX_OWN_BYTES } else { MAX_BYTES };
    file.take(most + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > most {
        return Err(bad(&format!("it is larger than {} KiB", most >> 10)));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + good.iter().filter(|byte| **byte == b'\n').count();
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        JobError::Wrong { file: path.to_owned(), line, column: 1, what: "it is not UTF-8".to_owned() }
    })
}

/// Reads a line of the list of accounts.
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
