//! Errors and warnings of job definitions.

use std::io;
use std::path::{Path, PathBuf};

use topsell_core::model::escape_control;

/// A job definition that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// A file has an error at a line and column.
    #[error("{}:{line}:{column}: {}", escape_control(&file.display().to_string()), escape_control(what))]
    Invalid { file: PathBuf, line: u32, column: u32, what: String },
    /// A file or folder cannot be read.
    #[error("{}: {source}", escape_control(&file.display().to_string()))]
    Unreadable { file: PathBuf, source: io::Error },
    /// A file could have been written by an untrusted account.
    #[error("{}: {why}", escape_control(&file.display().to_string()))]
    Untrusted { file: PathBuf, why: String },
    /// Two jobs have the same name.
    #[error(
        "{}:{line}: job `{name}` is already defined at {}:{other_line}; rename one of them",
        escape_control(&file.display().to_string()), escape_control(&other.display().to_string())
    )]
    Duplicate { name: String, file: PathBuf, line: u32, other: PathBuf, other_line: u32 },
    /// Only root can run commands as other accounts.
    #[error("{}: crontabs of all accounts can be used by root only", file.display())]
    NotRoot { file: PathBuf },
}

impl JobError {
    /// Returns the file or folder that has the error.
    pub fn file(&self) -> &Path {
        match self {
            JobError::Invalid { file, .. }
            | JobError::Unreadable { file, .. }
            | JobError::Untrusted { file, .. }
            | JobError::Duplicate { file, .. }
            | JobError::NotRoot { file } => file,
        }
    }
}

/// A problem in a file that does not prevent its use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}:{line}: {}", escape_control(&file.display().to_string()), escape_control(what))]
pub struct JobWarning {
    pub file: PathBuf,
    pub line: u32,
    pub what: String,
}
