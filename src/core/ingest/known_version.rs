//! Versions of logs in a bucket that are ingested, and need not be downloaded again.

use crate::ingest::input_reader::{InputReader, Stop};
use crate::lake::{BatchSize, DuplicatePolicy};

impl InputReader<'_> {
    /// Returns the last batch of a log in a bucket, and the size of all of it, where this version of the log is
    /// ingested; it is not read for this.
    pub(super) fn known_version(&self) -> Result<Option<(String, BatchSize)>, Stop> {
        let (Some(lake), Some(key), DuplicatePolicy::Skip) =
            (self.lake, self.input.version_key(), self.options.duplicates)
        else {
            return Ok(None);
        };
        for known in lake.known_inputs(&[key])? {
            if lake.size_of_batch(&known.id)?.is_some() {
                return Ok(Some((known.id, known.size)));
            }
        }
        Ok(None)
    }
}
