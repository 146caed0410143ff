//! Files and streams, opened and decompressed.
//!
//! Invariant: what the bytes show is not taken from a name. The compression is detected by the first
//! bytes; the format is given by the file extension or, for a stream, detected by its first bytes.

use std::io::{self, Read, Seek};
use std::path::Path;

use crate::input_format::decompress::decompress;
use crate::input_format::detect::detect_format;
use crate::input_format::error::{SourceError, read_error};
use crate::input_format::format::Format;
use crate::progress::{Progress, Stage};
use crate::storage::local_files::{self, File, copy_to_temporary};

/// An opened input.
pub enum Source<'a> {
    Text { format: Format, reader: Box<dyn Read + 'a> },
    Parquet(ParquetSource),
}

/// An opened Parquet file.
pub struct ParquetSource {
    pub file: File,
    /// The hash of its bytes.
    pub id: String,
}

/// Opens a file and decompresses it, whatever its extension says about compression. The bytes that are
/// read count as progress of the ingest stage.
///
/// # Errors
/// Fails where the file cannot be read.
pub fn open_file<'a>(path: &Path, format: Format, progress: &'a Progress) -> Result<Source<'a>, SourceError> {
    let (compression, reader) = decompress(metered(local_files::open(path)?, progress))?;
    if format != Format::Parquet {
        return Ok(Source::Text { format, reader });
    }
    // Parquet is read from its end, so that a compressed file is decompressed into a temporary one.
    let file = if compression.is_none() { local_files::open(path)? } else { copy_to_temporary(reader)? };
    parquet(file)
}

/// Opens a stream and decompresses it; without `format`, the format is detected.
///
/// A read of the stream may return [`io::ErrorKind::WouldBlock`] at any time, to have the bytes before
/// it used. The error passes through the decompression, and no byte is lost.
///
/// # Errors
/// Fails where the stream cannot be read.
pub fn open_stream<'a>(
    stream: impl Read + 'a,
    format: Option<Format>,
    progress: &'a Progress,
) -> Result<Source<'a>, SourceError> {
    let (_, reader) = decompress(metered(stream, progress))?;
    let (format, reader) = match format {
        Some(format) => (format, reader),
        None => detect_format(reader)?,
    };
    match format {
        Format::Parquet => parquet(copy_to_temporary(Blocking(reader)).map_err(read_error)?),
        _ => Ok(Source::Text { format, reader }),
    }
}

fn parquet<'a>(mut file: File) -> Result<Source<'a>, SourceError> {
    let id = blake3::Hasher::new().update_reader(&mut file)?.finalize().to_hex().to_string();
    file.rewind()?;
    Ok(Source::Parquet(ParquetSource { file, id }))
}

/// A reader that waits where the inner one would block.
struct Blocking<R>(R);

impl<R: Read> Read for Blocking<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(into) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
        }
    }
}

/// A reader that reports its progress.
struct Metered<'a, R> {
    raw: R,
    progress: &'a Progress,
}

fn metered<'a>(raw: impl Read + 'a, progress: &'a Progress) -> Box<dyn Read + 'a> {
    Box::new(Metered { raw, progress })
}

impl<R: Read> Read for Metered<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.raw.read(into)?;
        self.progress.advance(Stage::Ingest, read as u64);
        Ok(read)
    }
}
