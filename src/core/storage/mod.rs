//! Durable files. The only room that knows where bytes are stored.
//!
//! A [`Store`] holds a lake: [`Store::get`], [`Store::put`], [`Store::files`], [`Store::lock`]. Other
//! rooms name files by their path below its root and never open them themselves, so that a store can
//! be a folder or a bucket. [`local_files`] is for files that stay on this machine's disks: input logs,
//! spool folders, catalogues, configuration and job files.
//!
//! Invariant: a reader sees an old file or a new file, never a part of one; what a call has
//! returned for is on disk.

mod append;
mod atomic_write;
mod block_checksums;
mod bucket;
mod bucket_disk;
mod bulk_writer;
mod checked_parts;
mod checksum;
mod directory;
mod error;
mod file_ages;
mod flipped_bit;
mod io_counters;
mod lease;
mod listing;
pub mod local_files;
mod location;
mod lock;
mod log_files;
mod objects;
mod path;
mod permissions;
mod private_file;
mod probe;
mod quarantine;
mod queue_lock;
mod read_ahead;
mod replace;
mod reserve;
mod scratch;
mod store;
mod stream;
mod unfinished_uploads;
mod unique_id;
mod upload_lister;
mod uploads;
mod wait;
mod wait_listener;

pub use block_checksums::{BlockChecksums, BlockChecksumsBuilder};
pub use bucket::BucketTimes;
pub use bulk_writer::{BulkWriter, WrittenFiles};
pub use checked_parts::CheckedParts;
pub use checksum::{ChecksumBuilder, NamedChecksums, checksum, checksum_of};
pub use directory::Directory;
pub use error::{StoreError, is_full_disk};
pub use file_ages::{FileAges, FileRetention};
pub use flipped_bit::flipped_back;
pub use listing::{StoredFile, is_unfinished};
pub use location::{BucketName, Location};
pub use lock::{Lock, LockError, LockTimeout, SharedLock};
pub use log_files::{LogFile, LogReader};
pub use path::{folder_name, url_decoded, url_encoded};
pub use probe::{PROBES, StoreCheck};
pub use quarantine::QUARANTINE;
pub use queue_lock::Turn;
pub use scratch::Scratch;
pub use store::Store;
pub use stream::Stream;
pub use unfinished_uploads::UnfinishedUploads;
pub use unique_id::unique_id;
pub use wait_listener::WaitListener;

/// Returns a store in a folder of its own, for tests; the folder goes with the handle beside it.
#[doc(hidden)]
pub fn temporary() -> (Store, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    (Store::open(folder.path()).expect("a folder can be named"), folder)
}
