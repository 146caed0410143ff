//! New files as JSON, for those who commit files that another process has written.

use serde::{Deserialize, Serialize};

use crate::delta::commit::NewFile;
use crate::delta::partition_values::Partition;
use crate::parquet_format::StoredStats;

/// A new file, as far as a commit needs to know it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoredNewFile {
    path: String,
    partition: Partition,
    size_bytes: u64,
    rows: u64,
    columns: Vec<StoredStats>,
}

impl StoredNewFile {
    /// Returns a file in its stored form; none where a column has a type that this program does not write.
    pub fn of(file: &NewFile) -> Option<StoredNewFile> {
        Some(StoredNewFile {
            path: file.path.clone(),
            partition: file.partition.clone(),
            size_bytes: file.size_bytes,
            rows: file.rows,
            columns: file.columns.iter().map(StoredStats::of).collect::<Option<_>>()?,
        })
    }

    /// Returns the file; none where it has an unexpected form.
    pub fn into_file(self) -> Option<NewFile> {
        let StoredNewFile { path, partition, size_bytes, rows, columns } = self;
        let columns: Option<Vec<_>> = columns.into_iter().map(StoredStats::into_stats).collect();
        Some(NewFile { path, partition, size_bytes, rows, columns: columns?.into() })
    }
}
