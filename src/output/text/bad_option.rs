//! An option of a question that cannot be read.

use std::error::Error;
use std::fmt;

/// Why an option cannot be read: the message names it and says what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadOption(String);

impl BadOption {
    /// Returns an error with a message.
    pub fn new(message: String) -> BadOption {
        BadOption(message)
    }
}

impl fmt::Display for BadOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for BadOption {}
