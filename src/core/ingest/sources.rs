//! Which inputs there are.

use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};

use crate::ingest::Options;
use crate::ingest::spool::{Spool, Stamp};
use crate::ingest::stdin_stream::StdinStream;
use crate::input_format::{Format, Source, SourceError, format_of_name, open_file, open_stream};
use crate::lake::{Known, Reject};
use crate::progress::Progress;
use crate::storage::is_gone;

/// One input to read.
#[derive(Clone, Debug)]
pub struct Input {
    /// As it was named, or found below a folder that was; `-` is standard input.
    pub name: String,
    /// `None` is standard input.
    path: Option<PathBuf>,
    format: Option<Format>,
    pub size_bytes: Option<u64>,
    /// What the file was like when it was found in a spool.
    stamp: Option<Stamp>,
}

/// Bytes that a batch's name may have.
const MAX_BATCH_ID_BYTES: usize = 512;

/// A name cannot be a batch's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadBatchId {
    #[error("names the batch of one input, and there are {inputs}")]
    NotOneInput { inputs: usize },
    #[error("is no name of 1 to {MAX_BATCH_ID_BYTES} bytes without `#` and control characters")]
    Form,
    #[error("begins with `topsell:`, which is kept for topsell itself")]
    Reserved,
}

/// The inputs in the order they will be read, and those that cannot be.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    pub inputs: Vec<Input>,
    pub failures: Vec<Reject>,
    /// What folders hold that is no log, and why.
    pub passed_over: Vec<String>,
    /// What the only input's batch is called, instead of by its content.
    pub batch_id: Option<String>,
    /// The folder the inputs were dropped into, to be moved on when they are in.
    pub spool: Option<Spool>,
}

impl Plan {
    /// Returns how many bytes the inputs have, where all of them tell.
    pub fn known_bytes(&self) -> Option<u64> {
        self.inputs.iter().map(|input| input.size_bytes).sum()
    }
}

/// Finds the inputs: files as they are named, folders' logs in name order, `-` as standard input.
pub fn plan(paths: &[PathBuf], format: Option<Format>) -> Plan {
    let mut plan = Plan::default();
    for path in paths {
        if path.as_os_str() == "-" {
            plan.inputs.push(Input::standard(format));
        } else if path.is_dir() {
            plan.add_folder(path, format, &[]);
        } else {
            plan.add_file(path, format);
        }
    }
    plan
}

impl Plan {
    /// Tells whether an input comes in as a whole or not at all, however many slices it has: where it
    /// has a name of its own, or takes the place of what was there, a part of it would be a mixture.
    pub fn is_whole(&self, options: &Options) -> bool {
        self.batch_id.is_some() || options.known == Known::Replace
    }

    /// Returns the plan with its only input's batch called by a name.
    ///
    /// # Errors
    /// Says why the name cannot be one, or that there is not one input.
    pub fn called(mut self, batch_id: &str) -> Result<Plan, BadBatchId> {
        let inputs = self.inputs.len() + self.failures.len();
        if inputs != 1 {
            return Err(BadBatchId::NotOneInput { inputs });
        }
        let is_good = |c: char| !c.is_control() && c != '#';
        if batch_id.is_empty() || batch_id.len() > MAX_BATCH_ID_BYTES || !batch_id.chars().all(is_good) {
            return Err(BadBatchId::Form);
        }
        if batch_id.starts_with("topsell:") {
            return Err(BadBatchId::Reserved);
        }
        self.batch_id = Some(batch_id.to_owned());
        Ok(self)
    }
}

impl Plan {
    /// Adds a folder's logs; `above` are the folders it was reached through, to leave circles.
    fn add_folder(&mut self, folder: &Path, format: Option<Format>, above: &[PathBuf]) {
        let entries = std::fs::read_dir(folder).and_then(|entries| {
            let paths = entries.map(|entry| Ok(entry?.path()));
            Ok((std::fs::canonicalize(folder)?, paths.collect::<io::Result<Vec<_>>>()?))
        });
        let (real, mut found) = match entries {
            Ok(entries) => entries,
            Err(error) => return self.fail(folder, &error),
        };
        if above.contains(&real) {
            return self.pass_over(folder, "it links back to a folder above it");
        }
        if ["_delta_log", "events/_delta_log"].iter().any(|log| folder.join(log).is_dir()) {
            return self.pass_over(folder, "it holds tables, not logs");
        }
        let above = [above, &[real]].concat();
        found.sort_unstable();
        for path in found {
            if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(['.', '_'])) {
                self.pass_over(&path, "it is hidden");
            } else if path.is_dir() {
                self.add_folder(&path, format, &above);
            } else if format_of_name(&path).is_some() {
                self.add_file(&path, format);
            } else {
                self.pass_over(&path, "its name is not a log's");
            }
        }
    }

    pub(super) fn pass_over(&mut self, path: &Path, why: &str) {
        self.passed_over.push(format!("{}: {why}", path.display()));
    }

    fn add_file(&mut self, path: &Path, format: Option<Format>) {
        match std::fs::metadata(path) {
            Ok(meta) => self.inputs.push(Input {
                name: path.display().to_string(),
                path: Some(path.to_owned()),
                format: format.or_else(|| format_of_name(path)),
                size_bytes: meta.is_file().then_some(meta.len()),
                stamp: None,
            }),
            Err(error) => self.fail(path, &error),
        }
    }

    pub(super) fn fail(&mut self, path: &Path, error: &io::Error) {
        self.failures.push(Reject {
            file: path.display().to_string(),
            line: None,
            column: None,
            reason: format!("cannot be read: {error}"),
            text: None,
            bytes_hex: None,
        });
    }
}

impl Input {
    /// Returns standard input.
    pub(super) fn standard(format: Option<Format>) -> Input {
        Input { name: "-".into(), path: None, format, size_bytes: None, stamp: None }
    }

    /// Returns a file that was found in a spool.
    pub(super) fn spooled(path: PathBuf, format: Option<Format>, meta: Option<&Metadata>) -> Input {
        Input {
            name: path.display().to_string(),
            path: Some(path),
            format,
            size_bytes: meta.map(Metadata::len),
            stamp: meta.and_then(Stamp::of),
        }
    }

    /// Returns where the input lies; nowhere, if it is standard input.
    pub(super) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Tells whether a file is another than when it was found in its spool.
    pub(super) fn has_changed(&self) -> bool {
        self.path().is_some_and(|path| Stamp::has_changed(self.stamp, path))
    }

    /// Tells whether nothing lies where it was found.
    pub(super) fn is_gone(&self) -> bool {
        self.path().is_some_and(is_gone)
    }

    /// Tells whether it is a file that was found in a spool.
    pub(super) fn is_spooled(&self) -> bool {
        self.stamp.is_some()
    }

    /// Opens the input.
    ///
    /// # Errors
    /// Says why it cannot be read.
    pub fn open<'a>(
        &self,
        stdin: Option<&'a StdinStream>,
        progress: &'a Progress,
    ) -> Result<Source<'a>, SourceError> {
        match (&self.path, self.format) {
            (Some(path), Some(format)) => open_file(path, format, progress),
            (Some(_), None) => Err(SourceError::UnknownFormat),
            (None, format) => match stdin {
                Some(stdin) => open_stream(stdin, format, progress),
                // Nobody stands at the door.
                None => open_stream(io::empty(), format, progress),
            },
        }
    }
}
