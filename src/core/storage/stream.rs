//! Files that are too large for memory, written piece by piece.

use bytes::Bytes;
use object_store::{MultipartUpload, ObjectStoreExt};
use tokio::runtime::Handle;

use crate::storage::bucket_disk::PART_BYTES;
use crate::storage::bulk_writer::BulkWriter;
use crate::storage::error::StoreError;
use crate::storage::store::Store;

/// A file that gets its name when its last piece is written; dropped before, it leaves nothing.
pub struct Stream<'a> {
    store: &'a Store,
    path: String,
    upload: Box<dyn MultipartUpload>,
    runtime: Handle,
    /// The smallest part that is written: buckets refuse small ones, other than the last.
    part_bytes: usize,
    /// What is less than a part.
    open: Vec<u8>,
    is_finished: bool,
}

impl BulkWriter<'_> {
    /// Begins a file. As with [`BulkWriter::put`], it may be lost in a power failure until
    /// [`BulkWriter::finish`] returns.
    ///
    /// # Errors
    /// Names the file.
    pub fn stream(&self, path: &str) -> Result<Stream<'_>, StoreError> {
        let store = self.store();
        let at = store.absolute(path)?;
        let runtime = store.runtime()?;
        let upload = runtime.block_on(self.disk().put_multipart(&at));
        let upload = upload.map_err(|e| StoreError::new(&store.location_of(path), e))?;
        let part_bytes = if store.is_bucket() { PART_BYTES } else { 0 };
        let (path, open) = (path.to_owned(), Vec::new());
        Ok(Stream { store, path, upload, runtime, part_bytes, open, is_finished: false })
    }
}

impl Stream<'_> {
    /// Writes the next piece; pieces should be some megabytes long.
    ///
    /// # Errors
    /// Names the file.
    pub fn append(&mut self, piece: Bytes) -> Result<(), StoreError> {
        self.store.io_counters.wrote(piece.len());
        if self.part_bytes == 0 {
            return self.put_part(piece);
        }
        self.open.extend_from_slice(&piece);
        while self.open.len() >= self.part_bytes {
            let rest = self.open.split_off(self.part_bytes);
            let part = std::mem::replace(&mut self.open, rest);
            self.put_part(part.into())?;
        }
        Ok(())
    }

    fn put_part(&mut self, part: Bytes) -> Result<(), StoreError> {
        let written = self.runtime.block_on(self.upload.put_part(part.into()));
        written.map_err(|e| StoreError::new(&self.store.location_of(&self.path), e))
    }

    /// Gives the file its name, atomically replacing an older one of that name.
    ///
    /// # Errors
    /// Names the file; an older one then stays as it was.
    pub fn finish(mut self) -> Result<(), StoreError> {
        if !self.open.is_empty() {
            let last = std::mem::take(&mut self.open);
            self.put_part(last.into())?;
        }
        let named = self.runtime.block_on(self.upload.complete());
        self.is_finished = named.is_ok();
        named.map(drop).map_err(|e| StoreError::new(&self.store.location_of(&self.path), e))
    }
}

impl Drop for Stream<'_> {
    fn drop(&mut self) {
        // On a disk this is done by the upload itself.
        if !self.is_finished && self.store.is_bucket() {
            let _ = self.runtime.block_on(self.upload.abort());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::temporary;

    #[test]
    fn a_stream_is_seen_whole_or_not_at_all() {
        let (store, _folder) = temporary();
        let bulk = store.bulk_writer("").expect("the root is there");
        store.put("a.csv", Bytes::from("old")).expect("a file can be written");
        let mut stream = bulk.stream("a.csv").expect("a file can be begun");
        for piece in ["one,", "", "two"] {
            stream.append(Bytes::from(piece)).expect("a piece can be written");
        }
        assert_eq!(store.get("a.csv").expect("it is there"), "old");
        stream.finish().expect("a file can be named");
        assert_eq!(store.get("a.csv").expect("it is there"), "one,two");
        let mut dropped = bulk.stream("b.csv").expect("a file can be begun");
        dropped.append(Bytes::from("lost")).expect("a piece can be written");
        drop(dropped);
        assert!(store.get("b.csv").is_err_and(|error| error.is_not_found()));
        bulk.finish().expect("the disk can be synced").keep();
    }
}
