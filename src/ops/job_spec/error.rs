//! What can be wrong with what is written down.

use std::io;
use std::path::{Path, PathBuf};

use topsell_core::model::escape_control;

/// A job cannot be taken as it is written down.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// Something in a file is wrong.
    #[error("{}:{line}:{column}: {}", escape_control(&file.display().to_string()), escape_control(what))]
    Wrong { file: PathBuf, line: u32, column: u32, what: String },
    /// A file or folder cannot be read.
    #[error("{}: {source}", escape_control(&file.display().to_string()))]
    Unreadable { file: PathBuf, source: io::Error },
    /// Others than who runs the jobs say what is in a file.
    #[error("{}: {why}", escape_control(&file.display().to_string()))]
    NotOurs { file: PathBuf, why: String },
    /// Two jobs have one name.
    #[error(
        "{}:{line}: there is a job `{name}` already, in {}:{other_line}; jobs are told apart by their names",
        escape_control(&file.display().to_string()), escape_control(&other.display().to_string())
    )]
    Twice { name: String, file: PathBuf, line: u32, other: PathBuf, other_line: u32 },
    /// Only root can run commands as somebody else.
    #[error("{}: crontabs of all accounts are for root alone, who can run commands as their owners", file.display())]
    NotRoot { file: PathBuf },
}

impl JobError {
    /// Returns the file or folder that it is about.
    pub fn file(&self) -> &Path {
        match self {
            JobError::Wrong { file, .. }
            | JobError::Unreadable { file, .. }
            | JobError::NotOurs { file, .. }
            | JobError::Twice { file, .. }
            | JobError::NotRoot { file } => file,
        }
    }
}

/// What is worth telling of a file, and stops nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}:{line}: {}", escape_control(&file.display().to_string()), escape_control(what))]
pub struct Note {
    pub file: PathBuf,
    pub line: u32,
    pub what: String,
}
