//! Lines that were not events: JSON beside the tables.

use std::collections::HashSet;

use bytes::Bytes;
use serde::Serialize;

use crate::lake::error::LakeError;
use crate::lake::layout::REJECTS;
use crate::lake::open::Lake;
use crate::model::Hour;
use crate::storage::StoredFile;

/// A line that is not an event, or an input that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reject {
    /// The input, as it was named.
    pub file: String,
    /// Line or row of the input, from 1; none where the whole input was rejected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// The column that is wrong, where one is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    pub reason: String,
    /// The line itself, where it is UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The line's bytes in hexadecimal, where they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_hex: Option<String>,
}

impl Reject {
    /// Returns the reject of an input that failed as a whole.
    pub fn of_input(file: &str, reason: String) -> Reject {
        Reject { file: file.to_owned(), line: None, column: None, reason, text: None, bytes_hex: None }
    }
}

impl Lake {
    /// Writes rejects for inputs that failed as a whole.
    ///
    /// # Errors
    /// Fails where the disk does.
    pub fn keep_failures(&self, failures: &[Reject]) -> Result<(), LakeError> {
        let lines = reject_lines(failures);
        // The same failure writes the same file.
        let id = blake3::hash(&lines).to_hex();
        Ok(self.store.put_private(REJECTS, &rejects_path(&id, 0), lines)?)
    }

    /// Returns the files of rejects that were written before an hour; none where all hours are kept.
    ///
    /// # Errors
    /// Fails where the folder cannot be read.
    pub fn expired_rejects(&self, oldest: Option<Hour>) -> Result<Vec<StoredFile>, LakeError> {
        let Some(oldest_ms) = oldest.map(|hour| hour.start().micros() / 1_000) else { return Ok(Vec::new()) };
        let mut files = self.store.files(REJECTS)?;
        files.retain(|file| file.modified_ms < oldest_ms);
        files.sort_unstable();
        Ok(files)
    }
}

/// Returns the path of a batch's rejects; each part that has any has its own file.
pub(super) fn rejects_path(batch_id: &str, part: usize) -> String {
    let name = rejects_name(batch_id);
    if part == 0 { format!("{REJECTS}/{name}.ndjson") } else { format!("{REJECTS}/{name}.{part}.ndjson") }
}

impl Lake {
    /// Returns the existing files of a batch's rejects, from a part on; in a bucket, those that were there when this
    /// process looked first, since looking for each would be a request a batch.
    pub(super) fn rejects_of(&self, batch_id: &str, from: usize) -> Vec<String> {
        let parts = (from..).map(|part| rejects_path(batch_id, part));
        if !self.store.is_bucket() {
            return parts.take_while(|path| self.store.is_there(path)).collect();
        }
        let listed = self.listed_rejects();
        parts.take_while(|path| listed.contains(path)).collect()
    }

    /// Returns the files of rejects of a bucket that were there when this process looked first.
    pub(super) fn listed_rejects(&self) -> &HashSet<String> {
        self.rejects.get_or_init(|| {
            let files = self.store.files(REJECTS).unwrap_or_default();
            files.into_iter().map(|file| file.path).collect()
        })
    }
}

fn rejects_name(batch_id: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    match batch_id.len() <= 128 && batch_id.bytes().all(is_plain) {
        true => batch_id.to_owned(),
        // Not valid in a file's name, or too long; the dot keeps it apart from other ids.
        false => format!("id.{}", blake3::hash(batch_id.as_bytes()).to_hex()),
    }
}

pub(super) fn reject_lines(rejects: &[Reject]) -> Bytes {
    let mut lines = Vec::new();
    for reject in rejects {
        // Texts and numbers alone cannot fail to be JSON.
        serde_json::to_writer(&mut lines, reject).expect("a reject is plain texts and numbers");
        lines.push(b'\n');
    }
    lines.into()
}
