//! The plan of an ingest: which inputs there are, found before any of them is read.

use std::io;
use std::path::{Path, PathBuf};

use crate::ingest::input::Input;
use crate::ingest::options::Options;
use crate::ingest::skipped::{Skipped, SkippedKind};
use crate::ingest::spool::Spool;
use crate::input_format::{Format, HIDDEN, format_of_name, reason_to_skip, recognize};
use crate::lake::{DuplicatePolicy, Reject, Share};
use crate::storage::local_files;

/// The maximum length of a batch id.
const MAX_BATCH_ID_BYTES: usize = 512;
/// Why a file in a folder is skipped that might be a log.
pub(super) const UNKNOWN_FORMAT: &str =
    "its format cannot be inferred from its name or content; pass --format";

/// A batch id that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadBatchId {
    #[error("is for a single input, but there are {inputs}")]
    NotOneInput { inputs: usize },
    #[error("must have 1 to {MAX_BATCH_ID_BYTES} bytes, without `#` and control characters")]
    Form,
    #[error("starts with `topsell:`, which is reserved")]
    Reserved,
}

/// The inputs in the order in which they are read, and those that cannot be read.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    pub inputs: Vec<Input>,
    pub failures: Vec<Reject>,
    /// Files and folders that are passed over in a folder.
    pub skipped: Vec<Skipped>,
    /// The id of the only input's batch; by default the hash of its content.
    pub batch_id: Option<String>,
    /// The spool folder that the inputs are in, and within which they are moved after the commit.
    pub spool: Option<Spool>,
}

impl Plan {
    /// Adds a file, the logs of a folder in name order, or `-` for standard input.
    pub(super) fn add(&mut self, path: &Path, format: Option<Format>) {
        if path.as_os_str() == "-" {
            self.inputs.push(Input::stdin(format));
        } else if local_files::is_folder(path) {
            self.add_folder(path, format, &[]);
        } else {
            self.add_file(path, format);
        }
    }

    /// Keeps the inputs of a share, by their names, as what cannot be read and what is passed over.
    #[must_use]
    pub fn only(mut self, share: Share) -> Plan {
        self.inputs.retain(|input| share.has(&input.name));
        self.failures.retain(|failure| share.has(&failure.file));
        self.skipped.retain(|skipped| share.has(&skipped.name));
        self
    }

    /// Returns the size of all inputs, where all of them have one.
    pub fn size_bytes(&self) -> Option<u64> {
        self.inputs.iter().map(|input| input.size_bytes).sum()
    }

    /// Returns whether all slices of an input are committed together. An input with a batch id, or
    /// one that replaces an earlier version of itself, would otherwise be a mixture of two versions.
    pub fn is_atomic(&self, options: &Options) -> bool {
        self.batch_id.is_some() || options.duplicates == DuplicatePolicy::Replace
    }

    /// Returns the plan with a batch id for its only input.
    ///
    /// # Errors
    /// Fails where the id is malformed or reserved, or the plan has not exactly one input.
    pub fn with_batch_id(mut self, batch_id: &str) -> Result<Plan, BadBatchId> {
        let inputs = self.inputs.len() + self.failures.len();
        if inputs != 1 {
            return Err(BadBatchId::NotOneInput { inputs });
        }
        let is_allowed = |c: char| !c.is_control() && c != '#';
        if batch_id.is_empty() || batch_id.len() > MAX_BATCH_ID_BYTES || !batch_id.chars().all(is_allowed) {
            return Err(BadBatchId::Form);
        }
        if batch_id.starts_with("topsell:") {
            return Err(BadBatchId::Reserved);
        }
        self.batch_id = Some(batch_id.to_owned());
        Ok(self)
    }

    /// Adds the logs of a folder; `parents` are the folders it was reached through, to detect cycles.
    fn add_folder(&mut self, folder: &Path, format: Option<Format>, parents: &[PathBuf]) {
        let entries =
            local_files::list(folder).and_then(|found| Ok((local_files::canonicalize(folder)?, found)));
        let (real, found) = match entries {
            Ok(entries) => entries,
            Err(error) => return self.fail(folder, &error),
        };
        let skip_folder = |plan: &mut Plan, why: &str| plan.skip(folder, SkippedKind::Folder, why);
        if parents.contains(&real) {
            return skip_folder(self, "it is a link to one of its parent directories");
        }
        if ["_delta_log", "events/_delta_log"].iter().any(|log| local_files::is_folder(&folder.join(log))) {
            return skip_folder(self, "it contains tables, not logs");
        }
        let parents = [parents, &[real]].concat();
        for path in found {
            let is_folder = local_files::is_folder(&path);
            let kind = if is_folder { SkippedKind::Folder } else { SkippedKind::File };
            match reason_to_skip(&path) {
                Some(why) if !is_folder || why == HIDDEN => self.skip(&path, kind, why),
                _ if is_folder => self.add_folder(&path, format, &parents),
                _ => self.add_file_of_folder(&path, format),
            }
        }
    }

    /// Adds a file that was found, where it is given or told which format it has.
    fn add_file_of_folder(&mut self, path: &Path, format: Option<Format>) {
        if local_files::metadata(path).is_ok_and(|meta| !meta.is_file()) {
            // To open a named pipe would wait for its writer.
            return self.skip(path, SkippedKind::File, "it is not a regular file");
        }
        let told = format.or_else(|| format_of_name(path));
        match told.map_or_else(|| recognize(path), |format| Ok(Some(format))) {
            Ok(Some(format)) => self.add_file(path, Some(format)),
            Ok(None) => self.skip(path, SkippedKind::File, UNKNOWN_FORMAT),
            Err(error) => self.skip(path, SkippedKind::File, &format!("{UNKNOWN_FORMAT}; it {error}")),
        }
    }

    fn add_file(&mut self, path: &Path, format: Option<Format>) {
        match local_files::metadata(path) {
            Ok(meta) => self.inputs.push(Input::file(path, format.or_else(|| format_of_name(path)), &meta)),
            Err(error) => self.fail(path, &error),
        }
    }

    /// Notes a file or folder that is passed over.
    pub(super) fn skip(&mut self, path: &Path, kind: SkippedKind, why: &str) {
        self.skipped.push(Skipped { name: path.display().to_string(), kind, why: why.to_owned() });
    }

    /// Notes an input that cannot be read.
    pub(super) fn fail(&mut self, path: &Path, error: &io::Error) {
        self.failures.push(Reject::of_input(&path.display().to_string(), format!("cannot be read: {error}")));
    }
}
