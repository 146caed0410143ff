//! The body of a request, opened and decompressed.
//!
//! Invariant: it takes little memory besides what is read, and no disk, whatever the body holds.

use crate::input_format::content_kind::{Compression, ContentKind, HEAD_BYTES};
use crate::input_format::error::SourceError;
use crate::input_format::format::Format;
use crate::input_format::source::{Source, TextOptions, open_stream};
use crate::progress::Progress;

const REMEDY: &str = "send CSV or JSON, plain or compressed by gzip or zstd";
/// The progress of a body is its request's.
static NO_PROGRESS: Progress = Progress::ignored();

/// Opens a body: text, plain or as gzip or zstd; without `format`, the format is detected.
///
/// # Errors
/// Fails where the body is anything else.
pub fn open_body<'a>(
    body: &'a [u8],
    format: Option<Format>,
    options: TextOptions<'_>,
) -> Result<Source<'a>, SourceError> {
    let what = match ContentKind::of(&body[..body.len().min(HEAD_BYTES)]) {
        ContentKind::Parquet => "a Parquet file",
        ContentKind::Zip => "a zip archive",
        ContentKind::Compressed(Compression::Xz) => "compressed by xz",
        ContentKind::Compressed(Compression::Bzip2) => "compressed by bzip2",
        ContentKind::Compressed(Compression::Gzip | Compression::Zstd)
        | ContentKind::Plain
        | ContentKind::Unsupported(_) => return open_stream(body, format, options, &NO_PROGRESS),
    };
    Err(SourceError::Unsupported { what, remedy: REMEDY })
}
