//! The hash of an input's content, without parsing it.
//!
//! Invariant: it is the id of the last slice of the input.

use std::io::ErrorKind;

use crate::input_format::{Source, SourceError, read_error};

/// The size of one read.
const READ_BYTES: usize = 256 << 10;

/// Returns the hash of an input's content.
///
/// # Errors
/// Fails where the input cannot be read.
pub(super) fn hash_of(source: Source<'_>) -> Result<String, SourceError> {
    let mut reader = match source {
        Source::Text { reader, .. } => reader,
        Source::Parquet(source) => return Ok(source.id),
    };
    let mut hasher = blake3::Hasher::new();
    let mut bytes = vec![0; READ_BYTES];
    loop {
        match reader.read(&mut bytes) {
            Ok(0) => return Ok(hasher.finalize().to_hex().to_string()),
            Ok(read) => drop(hasher.update(&bytes[..read])),
            // A stream may have nothing to read at the moment.
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
            Err(error) => return Err(read_error(error)),
        }
    }
}
