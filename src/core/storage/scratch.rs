//! Scratch files, for intermediate data that is too large for memory.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, PoisonError};

use crate::storage::error::StoreError;
use crate::storage::store::Store;

/// An unnamed temporary file on the lake's disk, or in the system's folder for them where the lake is in a bucket;
/// removed when it is dropped.
pub struct Scratch {
    file: File,
    /// Where it is, for error messages.
    folder: String,
    end: Mutex<u64>,
}

impl Store {
    /// Creates a scratch file.
    ///
    /// # Errors
    /// Fails where the disk does.
    pub fn scratch(&self) -> Result<Scratch, StoreError> {
        let at = self.temporary_folder();
        let folder = at.display().to_string();
        let file = tempfile::tempfile_in(at).map_err(|e| StoreError::io(folder.clone(), e))?;
        Ok(Scratch { file, folder, end: Mutex::new(0) })
    }
}

impl Scratch {
    /// Appends bytes, and returns their range; several threads may do so at once.
    ///
    /// # Errors
    /// Fails where the disk does.
    pub fn append(&self, bytes: &[u8]) -> Result<Range<u64>, StoreError> {
        let range = {
            let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
            let start = *end;
            *end += bytes.len() as u64;
            start..*end
        };
        self.file.write_all_at(bytes, range.start).map_err(|e| self.failed(e))?;
        Ok(range)
    }

    /// Reads bytes that were appended.
    ///
    /// # Errors
    /// Fails where the disk does.
    pub fn read(&self, range: Range<u64>) -> Result<Vec<u8>, StoreError> {
        let length = usize::try_from(range.end - range.start);
        let mut bytes = vec![0; length.map_err(|e| self.failed(io::Error::other(e)))?];
        self.file.read_exact_at(&mut bytes, range.start).map_err(|e| self.failed(e))?;
        Ok(bytes)
    }

    fn failed(&self, error: io::Error) -> StoreError {
        StoreError::io(format!("a temporary file in {}", self.folder), error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::temporary;

    #[test]
    fn appended_bytes_are_read_again_and_no_file_is_left() {
        let (store, folder) = temporary();
        let scratch = store.scratch().expect("there is a disk");
        let ranges: Vec<Range<u64>> = std::thread::scope(|scope| {
            let append = |byte: u8| scratch.append(&vec![byte; 1_000 * usize::from(byte)]);
            let writers: Vec<_> = (1..5).map(|byte| scope.spawn(move || append(byte))).collect();
            let join = |writer: std::thread::ScopedJoinHandle<'_, Result<Range<u64>, StoreError>>| {
                writer.join().expect("it does not panic").expect("there is room")
            };
            writers.into_iter().map(join).collect()
        });
        for (byte, range) in (1..5_u8).zip(ranges) {
            let read = scratch.read(range).expect("it is there");
            assert_eq!(read, vec![byte; 1_000 * usize::from(byte)]);
        }
        assert!(scratch.read(9_000..11_000).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).map(Iterator::count).ok(), Some(0));
    }
}
