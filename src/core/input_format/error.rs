//! Why an input cannot be read.

use std::io;

/// An input that cannot be opened, or read to its end.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("cannot infer the format from the file extension; pass --format csv, tsv, ndjson or parquet")]
    UnknownFormat,
    #[error(
        "ends in the middle of its {compression} data; its last part was not ingested, so ingest the complete file again"
    )]
    Truncated { compression: &'static str },
    #[error("is corrupt: its {compression} data cannot be decompressed: {source}")]
    Corrupt { compression: &'static str, source: io::Error },
}

/// Returns the cause of a reader's error, without the wrapper it had to pass through the reader.
pub fn read_error(error: io::Error) -> SourceError {
    match error.downcast::<SourceError>() {
        Ok(inner) => inner,
        Err(error) => SourceError::Io(error),
    }
}
