//! A file of aggregates that a scan may read.

use std::sync::OnceLock;

use crate::delta::NamedFile;
use crate::lake::FilePartition;

/// A file, where it is, and what is known of it.
pub(super) struct ScannedFile {
    pub partition: FilePartition,
    pub file: NamedFile,
    /// The paths in it, once they were read; none where the file does not list them.
    pub paths: OnceLock<Option<Vec<String>>>,
}

impl ScannedFile {
    pub fn new(partition: FilePartition, file: NamedFile) -> ScannedFile {
        ScannedFile { partition, file, paths: OnceLock::new() }
    }
}
