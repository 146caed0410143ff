//! Why an input cannot be read.

use std::io;

use crate::model::escape_control;

/// An input that cannot be opened, or read to its end.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error(
        "cannot infer the format from the file name or content; pass --format csv, tsv, ndjson or parquet"
    )]
    UnknownFormat,
    #[error(
        "ends in the middle of its {compression} data; its last part was not ingested, so ingest the complete file again"
    )]
    Truncated { compression: &'static str },
    #[error("is corrupt: its {compression} data cannot be decompressed: {source}")]
    Corrupt { compression: &'static str, source: io::Error },
    #[error(
        "needs more memory to decompress its {compression} data than the limit of 256 MiB; compress it with a smaller dictionary"
    )]
    Memory { compression: &'static str },
    #[error("is compressed twice: its {compression} data is compressed data; decompress it once")]
    CompressedTwice { compression: &'static str },
    #[error("is {what}, which is not supported; {remedy}")]
    Unsupported { what: &'static str, remedy: &'static str },
    #[error(
        "is a zip archive with {count} files, of which only one is supported{}; extract it and pass its files",
        listed(names)
    )]
    ZipFiles { count: usize, names: String },
    #[error("is a Parquet file; pass --format parquet")]
    Parquet,
}

fn listed(names: &str) -> String {
    if names.is_empty() { String::new() } else { format!(": {}", escape_control(names)) }
}

/// Returns the cause of a reader's error, without the wrapper it had to pass through the reader.
pub fn read_error(error: io::Error) -> SourceError {
    match error.downcast::<SourceError>() {
        Ok(inner) => inner,
        Err(error) => SourceError::Io(error),
    }
}
