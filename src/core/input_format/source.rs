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
use crate::input_format::file_name::format_of_name;
use crate::input_format::format::Format;
use crate::input_format::head::{Blocking, Head};
use crate::input_format::json_framing::one_object_a_line;
use crate::input_format::line_ends::with_newlines;
use crate::input_format::recognize::recognized;
use crate::input_format::text_encoding::{TextEncoding, decoded};
use crate::input_format::zip_member::ZipMember;
use crate::progress::{Progress, Stage};
use crate::storage::local_files::{File, copy_to_temporary};

/// Of bytes whose reading was reported before.
static NO_PROGRESS: Progress = Progress::ignored();

/// An opened input.
pub enum Source<'a> {
    Text { format: Format, encoding: TextEncoding, reader: Box<dyn Read + 'a> },
    Parquet(ParquetSource),
}

/// An opened Parquet file.
pub struct ParquetSource {
    pub file: File,
    /// The hash of its bytes.
    pub id: String,
}

/// How text is read before it is split into records.
#[derive(Clone, Copy, Debug, Default)]
pub struct TextOptions<'a> {
    /// By default UTF-8, or what the bytes tell.
    pub encoding: Option<TextEncoding>,
    /// The key of a record's item: JSON objects without it may contain an array of records. `None` where
    /// they are not looked into.
    pub record_key: Option<&'a str>,
    /// Where temporary files are written; by default, where the system has them.
    pub temporary_folder: Option<&'a Path>,
}

/// Opens a file and decompresses it, whatever its extension says about compression; without `format`,
/// the format is that of the name of the only file in a zip archive, or recognized by unmistakable
/// content. The bytes that are read count as progress of the ingest stage. `open` opens the file from its
/// start each time.
///
/// # Errors
/// Fails where the file cannot be read.
pub fn open_file<'a>(
    open: impl Fn() -> io::Result<File>,
    format: Option<Format>,
    options: TextOptions<'_>,
    progress: &'a Progress,
) -> Result<Source<'a>, SourceError> {
    let file = open()?;
    let is_regular = file.metadata()?.is_file();
    let opened = decompress(metered(file, progress))?;
    let head = match opened {
        // Parquet is read from its end, so that a compressed file is decompressed into a temporary one.
        Opened::Plain(_) if format == Some(Format::Parquet) && is_regular => {
            return parquet(open()?);
        }
        Opened::Zip(_) if is_regular => {
            return open_zip(open()?, format, options, progress);
        }
        Opened::Zip(head) => {
            let file = copy_to_temporary(Blocking(head), options.temporary_folder).map_err(read_error)?;
            return open_zip(file, format, options, &NO_PROGRESS);
        }
        Opened::Plain(head) | Opened::Decompressed(head) => head,
    };
    let (format, head) = match format {
        None => recognized(Box::new(head)),
        format => (format, head),
    };
    source(format.ok_or(SourceError::UnknownFormat)?, head, options)
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
    options: TextOptions<'_>,
    progress: &'a Progress,
) -> Result<Source<'a>, SourceError> {
    let head = match decompress(metered(stream, progress))? {
        Opened::Zip(head) => {
            let file = copy_to_temporary(Blocking(head), options.temporary_folder).map_err(read_error)?;
            return open_zip(file, format, options, &NO_PROGRESS);
        }
        Opened::Plain(head) | Opened::Decompressed(head) => head,
    };
    if let Some(format) = format {
        return source(format, head, options);
    }
    if ContentKind::of(head.seen()) == ContentKind::Parquet {
        return source(Format::Parquet, head, options);
    }
    let (lines, encoding) = as_utf8_lines(head, options)?;
    let (format, reader) = detect_format(Box::new(lines));
    Ok(text(format, encoding, reader, options))
}

/// Opens the only file in a zip archive, whose name gives its format unless it is given.
fn open_zip<'a>(
    mut file: File,
    format: Option<Format>,
    options: TextOptions<'_>,
    progress: &'a Progress,
) -> Result<Source<'a>, SourceError> {
    let member = ZipMember::find(&mut file)?;
    let of_name = format_of_name(Path::new(&member.name));
    let head = uncompressed("zip", member.reader(metered(file, progress)))?;
    match format.or(of_name) {
        Some(format) => source(format, head, options),
        None => Err(SourceError::UnknownFormat),
    }
}

fn source<'a>(format: Format, head: Head<'a>, options: TextOptions<'_>) -> Result<Source<'a>, SourceError> {
    if format == Format::Parquet {
        // What is no Parquet from its first bytes on is refused by these, and must not fill the disk.
        let is_it = ContentKind::of(head.seen()) == ContentKind::Parquet;
        let limit = if is_it { u64::MAX } else { head.seen().len() as u64 };
        let copied = copy_to_temporary(Blocking(head).take(limit), options.temporary_folder);
        return parquet(copied.map_err(read_error)?);
    }
    if ContentKind::of(head.seen()) == ContentKind::Parquet {
        return Err(SourceError::Parquet);
    }
    let (lines, encoding) = as_utf8_lines(head, options)?;
    Ok(text(format, encoding, Box::new(lines), options))
}

/// Returns text in UTF-8 whose lines end with a newline, and the encoding that it was in.
fn as_utf8_lines<'a>(
    head: Head<'a>,
    options: TextOptions<'_>,
) -> Result<(Head<'a>, TextEncoding), SourceError> {
    let (reader, encoding) = decoded(head, options.encoding)?;
    Ok((with_newlines(reader), encoding))
}

fn text<'a>(
    format: Format,
    encoding: TextEncoding,
    reader: Box<dyn Read + 'a>,
    options: TextOptions<'_>,
) -> Source<'a> {
    let reader = match format {
        Format::Ndjson => one_object_a_line(reader, options.record_key),
        _ => reader,
    };
    Source::Text { format, encoding, reader }
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
