//! Files and streams that others have written: unpacked, and their form told.
//!
//! Invariant: nothing is taken on trust from a name that the bytes tell better. Compression is
//! told by how the bytes begin, the form by the name or, of a stream, by how its text begins.

mod mapping;
mod tagged;
mod unpack;

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;

use crate::progress::{Progress, Stage};
use crate::storage::spool;

pub use mapping::{Key, MAX_COLUMNS, Mapping, MappingError, Place};
pub use tagged::{Tagged, tagged_record};
pub use unpack::reading_failed;

/// The form of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    Csv,
    Tsv,
    Ndjson,
    Parquet,
}

/// An opened input.
pub enum Source<'a> {
    Text { format: Format, reader: Box<dyn Read + 'a> },
    Rows(RowFile),
}

/// An opened Parquet file.
pub struct RowFile {
    pub file: File,
    /// The hash of its bytes.
    pub id: String,
}

/// An input could not be opened or read to its end.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("its name does not tell its format; say --format csv, tsv, ndjson or parquet")]
    UnknownFormat,
    #[error(
        "ends in the middle of its {compression} data; what was read of its last part is left out, so send the whole file again"
    )]
    Truncated { compression: &'static str },
    #[error("is damaged: its {compression} data cannot be unpacked: {source}")]
    Damaged { compression: &'static str, source: io::Error },
}

/// Opens a file and unpacks it, whatever its name says of compression; what is read of it is
/// reported.
///
/// # Errors
/// Says why it cannot be read.
pub fn open_file<'a>(path: &Path, format: Format, progress: &'a Progress) -> Result<Source<'a>, SourceError> {
    let (compression, reader) = unpack::unpacked(metered(File::open(path)?, progress))?;
    if format != Format::Parquet {
        return Ok(Source::Text { format, reader });
    }
    // Parquet is read from its end, so what was packed is unpacked first.
    let file = if compression.is_none() { File::open(path)? } else { spool(reader)? };
    rows(file)
}

/// Opens a stream and unpacks it; its form is told by its beginning where `format` does not say.
///
/// A stream may say [`io::ErrorKind::WouldBlock`] at any time, to have what it gave so far used.
/// That passes through whatever unpacks it, and costs no byte.
///
/// # Errors
/// Says why it cannot be read.
pub fn open_stream<'a>(
    stream: impl Read + 'a,
    format: Option<Format>,
    progress: &'a Progress,
) -> Result<Source<'a>, SourceError> {
    let (_, reader) = unpack::unpacked(metered(stream, progress))?;
    let (format, reader) = match format {
        Some(format) => (format, reader),
        None => unpack::told_by_content(reader)?,
    };
    match format {
        Format::Parquet => rows(spool(Untimed(reader)).map_err(reading_failed)?),
        _ => Ok(Source::Text { format, reader }),
    }
}

fn rows<'a>(mut file: File) -> Result<Source<'a>, SourceError> {
    let id = blake3::Hasher::new().update_reader(&mut file)?.finalize().to_hex().to_string();
    file.rewind()?;
    Ok(Source::Rows(RowFile { file, id }))
}

/// Tells the form by the name, whatever compression it ends in.
pub fn format_of_name(path: &Path) -> Option<Format> {
    let name = path.file_name()?.to_string_lossy().to_ascii_lowercase();
    let bare = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(&name);
    match bare.rsplit_once('.')?.1 {
        "csv" => Some(Format::Csv),
        "tsv" | "tab" => Some(Format::Tsv),
        "ndjson" | "jsonl" | "json" => Some(Format::Ndjson),
        "parquet" => Some(Format::Parquet),
        _ => None,
    }
}

/// Reads on where a stream only says that some time has passed.
struct Untimed<R>(R);

impl<R: Read> Read for Untimed<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(into) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
        }
    }
}

/// Reports how much is read.
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
