//! Copies a lake, from a folder or a bucket to a folder or a bucket, while it is being written.
//!
//! The logs of the tables are looked at first, then everything they name is copied, then the logs are. So the copy is the
//! lake as it was when it began, and there is none before its last commit is there.
//!
//! Invariant: a file is copied where its bytes are read back from the copy, or were there from an earlier try that did
//! this; what a log names is there before the log is.

use std::collections::{BTreeMap, HashMap, HashSet};

use bytes::Bytes;
use rayon::prelude::*;

use crate::delta::{LogReader, Table, TableError};
use crate::lake::{Lake, LakeError, ROLLUPS, ROLLUPS_SCHEMA};
use crate::storage::{Store, StoreError, StoredFile, checksum, is_unfinished};

const EVENTS: &str = "events";
/// The folders of a lake besides the server's log, which a server must have moved to the lake before. The first two are
/// those of tables.
const FOLDERS: [&str; 9] =
    [ROLLUPS, EVENTS, "rankings", "totals", "rejects", "quarantine", "inputs", "runs", "schedule"];
/// Those that are for the owner of a lake alone.
const PRIVATE: [&str; 2] = ["rejects", "quarantine"];
const ROOT_FILES: [&str; 2] = ["report.html", "topsell.toml"];
const FORMAT_FILE: &str = "format.json";
/// What names the newest ranking and the newest item totals.
const POINTERS: [&str; 2] = ["rankings/current.json", "totals/current.json"];
const LAST_CHECKPOINT: &str = "_last_checkpoint";
/// How many files, and how many bytes of them, are copied before they are read back.
const FILES_AT_ONCE: usize = 512;
const BYTES_AT_ONCE: u64 = 64 << 20;

/// What was copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LakeCopy {
    pub files: u64,
    pub size_bytes: u64,
    /// Files that an earlier try has copied.
    pub present_files: u64,
}

/// A lake could not be copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    #[error("{to} has another lake; copy to an empty folder or prefix")]
    OtherLake { to: String },
    #[error("{to} has files that are of no lake; copy to an empty folder or prefix")]
    NotEmpty { to: String },
    #[error("{file} was removed while the lake was copied; copy it again")]
    Removed { file: String },
    #[error("{file} has other bytes than were written to it; copy the lake again")]
    Differs { file: String },
    #[error(transparent)]
    Lake(#[from] LakeError),
    #[error(transparent)]
    Table(#[from] TableError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The folder of versioned lists, and how often it is listed while others replace files in it.
const LISTS: &str = "lists";
const MAX_LISTINGS: u32 = 20;

/// The log of a table as it was at a moment, and the files of the newest version.
struct PinnedLog {
    files: Vec<StoredFile>,
    named: Vec<String>,
    /// The bytes of the file that names the newest checkpoint.
    last_checkpoint: Option<Bytes>,
    /// The newest checkpoint; what is before it may be removed meanwhile.
    checkpoint: u64,
}

/// Copies a lake. A copy that was interrupted goes on, and one of an older state of the same lake gets the newer one.
/// Nobody may write to the copy meanwhile.
///
/// # Errors
/// Names the file that cannot be copied; the copy is then incomplete, and no lake unless it was one before.
pub fn copy_lake(from: &Store, to: &Store) -> Result<LakeCopy, CopyError> {
    let lake = Lake::open(from.clone())?;
    let was_lake = prepare(from, to)?;
    let mut copy = Copy { from, to, copied: LakeCopy::default(), present: HashMap::new() };
    // The aggregates first: they record which version of the events they cover.
    let rollups = Table::open(from, ROLLUPS, ROLLUPS_SCHEMA)?;
    let rollups = rollups.map(|table| pinned(from, ROLLUPS, &table)).transpose()?;
    let events = pinned(from, EVENTS, lake.events())?;
    let pointers = POINTERS.map(|path| (path, from.get(path)));
    let mut files = Vec::new();
    for folder in FOLDERS {
        let is_log = |path: &str| path.contains("/_delta_log/") || path.contains("/_checksums/");
        let is_lock = |path: &str| path.ends_with(".lock") || path.ends_with(".lock.clock");
        let wants =
            |path: &str| !is_log(path) && !is_lock(path) && !is_unfinished(path) && !POINTERS.contains(&path);
        files.extend(from.files_where(folder, &wants)?);
        copy.present.extend(to.files(folder)?.into_iter().map(|file| (file.path, file.size_bytes)));
    }
    let named: HashSet<&String> =
        events.named.iter().chain(rollups.iter().flat_map(|log| &log.named)).collect();
    let listed: HashSet<&String> = files.iter().map(|file| &file.path).collect();
    if let Some(missing) = named.difference(&listed).next() {
        return Err(CopyError::Removed { file: from.location_of(missing) });
    }
    copy.files(&files, &|path| named.contains(&path.to_owned()))?;
    copy.lists()?;
    for path in ROOT_FILES {
        copy.small(path)?;
    }
    copy.log(EVENTS, &events, was_lake)?;
    if let Some(log) = &rollups {
        copy.log(ROLLUPS, log, was_lake)?;
    }
    for (path, pointer) in pointers {
        match pointer {
            Err(error) if error.is_not_found() => {}
            pointer => to.put(path, pointer?)?,
        }
    }
    Ok(copy.copied)
}

/// Prepares the place of the copy; returns whether the lake, as it was earlier, is there.
fn prepare(from: &Store, to: &Store) -> Result<bool, CopyError> {
    let id = |store: &Store| LogReader::new(store, EVENTS).table_id();
    if let Some(there) = id(to)? {
        return match id(from)? == Some(there) {
            true => Ok(true),
            false => Err(CopyError::OtherLake { to: to.location() }),
        };
    }
    let names = to.root_names()?;
    if !names.is_empty() && !names.iter().any(|name| name == FORMAT_FILE) {
        return Err(CopyError::NotEmpty { to: to.location() });
    }
    to.make_root()?;
    to.put(FORMAT_FILE, from.get(FORMAT_FILE)?)?;
    Ok(false)
}

fn pinned(from: &Store, name: &str, table: &Table) -> Result<PinnedLog, CopyError> {
    let last_checkpoint = match from.get(&format!("{name}/_delta_log/{LAST_CHECKPOINT}")) {
        Err(error) if error.is_not_found() => None,
        bytes => Some(bytes?),
    };
    let newest = table.newest()?;
    let is_until = |path: &str| version_of(path).is_some_and(|version| version <= newest.number());
    let mut files = from.files_where(&format!("{name}/_delta_log"), &is_until)?;
    files.extend(from.files_where(&format!("{name}/_checksums"), &is_until)?);
    let checkpoints = files.iter().filter(|file| file.path.ends_with(".checkpoint.parquet"));
    let checkpoint = checkpoints.filter_map(|file| version_of(&file.path)).max().unwrap_or(0);
    let named = newest.paths()?.into_iter().map(|path| format!("{name}/{path}")).collect();
    Ok(PinnedLog { files, named, last_checkpoint, checkpoint })
}

/// Returns the version that the name of a file of a log begins with.
fn version_of(path: &str) -> Option<u64> {
    path.rsplit('/').next()?.get(..20)?.parse().ok()
}

/// A lake that is being copied.
struct Copy<'a> {
    from: &'a Store,
    to: &'a Store,
    copied: LakeCopy,
    /// The sizes of the files that are there.
    present: HashMap<String, u64>,
}

impl Copy<'_> {
    /// Copies the versioned lists, each with all files that it has at a moment: while they are copied, others may replace
    /// older ones.
    fn lists(&mut self) -> Result<(), CopyError> {
        for _ in 0..MAX_LISTINGS {
            let files = self.from.files_where(LISTS, &|path| !is_unfinished(path))?;
            self.files(&files, &|_| false)?;
            let still = self.from.files_where(LISTS, &|path| !is_unfinished(path))?;
            let paths =
                |files: &[StoredFile]| files.iter().map(|file| file.path.clone()).collect::<HashSet<_>>();
            if paths(&files) == paths(&still) {
                return Ok(());
            }
        }
        Err(CopyError::Removed { file: self.from.location_of(LISTS) })
    }

    /// Copies files that are not there yet.
    fn files(&mut self, files: &[StoredFile], is_named: &dyn Fn(&str) -> bool) -> Result<(), CopyError> {
        let is_there = |file: &&StoredFile| {
            is_final(&file.path) && self.present.get(&file.path) == Some(&file.size_bytes)
        };
        let (there, missing): (Vec<&StoredFile>, Vec<&StoredFile>) = files.iter().partition(is_there);
        self.copied.present_files += there.len() as u64;
        let mut rest = &missing[..];
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = |file: &&&StoredFile| {
                bytes += file.size_bytes;
                bytes <= BYTES_AT_ONCE
            };
            let count = rest.iter().take(FILES_AT_ONCE).take_while(fits).count().max(1);
            let (some, later) = rest.split_at(count);
            self.some(some, is_named)?;
            rest = later;
        }
        Ok(())
    }

    /// Copies some files, and reads them back.
    fn some(&mut self, files: &[&StoredFile], is_named: &dyn Fn(&str) -> bool) -> Result<(), CopyError> {
        let sized = || files.iter().map(|file| (file.path.clone(), file.size_bytes));
        self.from.read_ahead(sized().filter(|(path, _)| is_final(path)));
        let bulk = self.to.bulk_writer("")?;
        let copy_one = |file: &&StoredFile| -> Result<Option<(u64, u64)>, StoreError> {
            let read = if is_of_table(&file.path) { Store::get_checked } else { Store::get };
            let bytes = match read(self.from, &file.path) {
                Err(error) if error.is_not_found() => return Ok(None),
                bytes => bytes?,
            };
            let copied = (checksum(&bytes), bytes.len() as u64);
            match PRIVATE.iter().find(|folder| file.path.starts_with(&format!("{folder}/"))) {
                Some(folder) => self.to.put_private(folder, &file.path, bytes)?,
                None => bulk.put(&file.path, bytes)?,
            }
            Ok(Some(copied))
        };
        let copied: Vec<Option<(u64, u64)>> = files.par_iter().map(copy_one).collect::<Result<_, _>>()?;
        bulk.finish()?.keep();
        self.to.read_ahead(sized());
        let written = files.par_iter().zip(&copied).filter_map(|(file, of)| Some((file, (*of)?)));
        written.try_for_each(|(file, (sum, _))| match checksum(&self.to.get(&file.path)?) == sum {
            true => Ok(()),
            false => Err(CopyError::Differs { file: self.to.location_of(&file.path) }),
        })?;
        for (file, of) in files.iter().zip(copied) {
            match of {
                Some((_, bytes)) => {
                    self.to.restrict_to_root(&file.path);
                    self.copied.files += 1;
                    self.copied.size_bytes += bytes;
                }
                None if is_named(&file.path) => {
                    return Err(CopyError::Removed { file: self.from.location_of(&file.path) });
                }
                // No version needs it that is copied.
                None => {}
            }
        }
        Ok(())
    }

    /// Copies a file of which there is only one of that name, if it is there.
    fn small(&mut self, path: &str) -> Result<(), CopyError> {
        match self.from.get(path) {
            Err(error) if error.is_not_found() => Ok(()),
            bytes => self.put(path, bytes?),
        }
    }

    fn put(&mut self, path: &str, bytes: Bytes) -> Result<(), CopyError> {
        self.copied.files += 1;
        self.copied.size_bytes += bytes.len() as u64;
        Ok(self.to.put(path, bytes)?)
    }

    /// Copies the log of a table. A new one appears with its oldest file, which is copied last; one that is there grows
    /// from its newest version on.
    fn log(&mut self, name: &str, log: &PinnedLog, was_lake: bool) -> Result<(), CopyError> {
        let mut files: BTreeMap<(u64, bool, bool, &str), &StoredFile> = BTreeMap::new();
        for file in &log.files {
            let is_checksum = file.path.contains("/_checksums/");
            let is_checkpoint = file.path.ends_with(".parquet");
            // Of one version first the checksum of the checkpoint, last the checkpoint.
            let version = version_of(&file.path).unwrap_or_default();
            files.insert((version, !is_checksum, is_checkpoint, &file.path), file);
        }
        let (checksums, others): (Vec<_>, Vec<_>) =
            files.into_values().partition(|file| file.path.contains("/_checksums/"));
        for file in checksums {
            self.of_log(file, log)?;
        }
        let mut others = others;
        if !was_lake {
            others.sort_by_key(|file| std::cmp::Reverse(version_of(&file.path)));
        }
        for file in others {
            self.of_log(file, log)?;
        }
        if let Some(bytes) = &log.last_checkpoint {
            self.put(&format!("{name}/_delta_log/{LAST_CHECKPOINT}"), bytes.clone())?;
        }
        Ok(())
    }

    fn of_log(&mut self, file: &StoredFile, log: &PinnedLog) -> Result<(), CopyError> {
        let bytes = match self.from.get(&file.path) {
            Err(error) if error.is_not_found() => {
                // A vacuum has removed what is before the checkpoint.
                let is_old = version_of(&file.path).is_some_and(|version| version < log.checkpoint);
                let removed = CopyError::Removed { file: self.from.location_of(&file.path) };
                return if is_old { Ok(()) } else { Err(removed) };
            }
            bytes => bytes?,
        };
        let size_bytes = bytes.len() as u64;
        if self.to.put_new_durably(&file.path, bytes.clone())? {
            self.copied.files += 1;
            self.copied.size_bytes += size_bytes;
        } else if self.to.get(&file.path)? != bytes {
            return Err(CopyError::OtherLake { to: self.to.location() });
        } else {
            self.copied.present_files += 1;
        }
        Ok(())
    }
}

/// Returns whether a file is never written again under its name.
fn is_final(path: &str) -> bool {
    let is_published = POINTERS.iter().any(|pointer| is_beside(path, pointer)) && path.ends_with(".parquet");
    is_of_table(path) || is_published
}

/// Returns whether a file is one of a table's, whose name has its checksum.
fn is_of_table(path: &str) -> bool {
    [EVENTS, ROLLUPS].iter().any(|table| path.starts_with(&format!("{table}/")))
}

fn is_beside(path: &str, other: &str) -> bool {
    path.rsplit_once('/').map(|(folder, _)| folder) == other.rsplit_once('/').map(|(folder, _)| folder)
}
