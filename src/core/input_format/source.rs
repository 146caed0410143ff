//! Files and streams, opened and decompressed.
//!
//! Invariant: what the bytes show is not taken from a name. The compression is detected by the first
//! bytes; the format is given by the file extension or, for a stream, detected by its first bytes.

use std::io::{self, Read, Seek};
use std::path::Path;

use crate::input_format::content_kind::ContentKind;
use crate::input_format::decompress::{Opened, decompress, uncompressed};
use crate::input_format::detect::detect_format;
use crate::input_format::error::{SourceError, read_error};
use crate::input_format::format::{Format, format_of_name};
use crate::input_format::head::{Blocking, Head};
use crate::input_format::zip_member::ZipMember;
use crate::progress::{Progress, Stage};
use crate::storage::local_files::{self, File, copy_to_temporary};

/// Of bytes whose reading was reported before.
static NO_PROGRESS: Progress = Progress::ignored();

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

/// Opens a file and decompresses it, whatever its extension says about compression; without `format`,
/// the format is that of the name of the only file in a zip archive. The bytes that are read count as
/// progress of the ingest stage.
///
/// # Errors
/// Fails where the file cannot be read.
pub fn open_file<'a>(
    path: &Path,
    format: Option<Format>,
    progress: &'a Progress,
) -> Result<Source<'a>, SourceError> {
    let opened = decompress(metered(local_files::open(path)?, progress))?;
    let reader: Box<dyn Read + 'a> = match (opened, format) {
        // Parquet is read from its end, so that a compressed file is decompressed into a temporary one.
        (Opened::Plain(_), Some(Format::Parquet)) if is_regular(path) => {
            return parquet(local_files::open(path)?);
        }
        (Opened::Zip(head), format) => {
            let file = if is_regular(path) {
                local_files::open(path)?
            } else {
                copy_to_temporary(Blocking(head)).map_err(read_error)?
            };
            return open_zip(file, format, progress);
        }
        (Opened::Plain(head) | Opened::Decompressed(head), _) => {
            check_format(format, &head)?;
            Box::new(head)
        }
    };
    source(format.ok_or(SourceError::UnknownFormat)?, reader)
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
    let head = match decompress(metered(stream, progress))? {
        Opened::Zip(head) => {
            let file = copy_to_temporary(Blocking(head)).map_err(read_error)?;
            return open_zip(file, format, &NO_PROGRESS);
        }
        Opened::Plain(head) | Opened::Decompressed(head) => head,
    };
    check_format(format, &head)?;
    let (format, reader) = match format {
        Some(format) => (format, Box::new(head) as Box<dyn Read + 'a>),
        None => detect_format(Box::new(head)),
    };
    source(format, reader)
}

/// Opens the only file in a zip archive, whose name gives its format unless it is given.
fn open_zip<'a>(
    mut file: File,
    format: Option<Format>,
    progress: &'a Progress,
) -> Result<Source<'a>, SourceError> {
    let member = ZipMember::find(&mut file)?;
    let of_name = format_of_name(Path::new(&member.name));
    let head = uncompressed("zip", member.reader(metered(file, progress)))?;
    match format.or(of_name) {
        Some(format) => source(format, Box::new(head)),
        None => Err(SourceError::UnknownFormat),
    }
}

fn source<'a>(format: Format, reader: Box<dyn Read + 'a>) -> Result<Source<'a>, SourceError> {
    match format {
        Format::Parquet => parquet(copy_to_temporary(Blocking(reader)).map_err(read_error)?),
        _ => Ok(Source::Text { format, reader }),
    }
}

/// Refuses Parquet that is to be read as text.
fn check_format(format: Option<Format>, head: &Head<'_>) -> Result<(), SourceError> {
    let is_text = format.is_some_and(|format| format != Format::Parquet);
    let is_parquet = ContentKind::of(head.seen()) == ContentKind::Parquet;
    if is_text && is_parquet { Err(SourceError::Parquet) } else { Ok(()) }
}

/// Returns whether a path can be opened again, to be read from the start.
fn is_regular(path: &Path) -> bool {
    local_files::metadata(path).is_ok_and(|meta| meta.is_file())
}

fn parquet<'a>(mut file: File) -> Result<Source<'a>, SourceError> {
    let id = blake3::Hasher::new().update_reader(&mut file)?.finalize().to_hex().to_string();
    file.rewind()?;
    Ok(Source::Parquet(ParquetSource { file, id }))
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
