//! The only file in a zip archive.
//!
//! Invariant: an archive whose files are several is refused before a byte of them is read. Folders and
//! what macOS adds for each file (`__MACOSX/`) are not files.

use std::io::{self, BufReader, Read, Seek, SeekFrom};

use flate2::Crc;
use flate2::bufread::DeflateDecoder;
use rawzip::{CompressionMethod, ErrorKind, MAX_CENTRAL_DIRECTORY_RECORD_SIZE, ZipArchive};

use crate::input_format::content_kind::Unsupported;
use crate::input_format::error::SourceError;
use crate::storage::local_files::File;

const ENCRYPTED: Unsupported =
    Unsupported { what: "an encrypted zip archive", remedy: "extract its file with its password" };
const OTHER_METHOD: Unsupported = Unsupported {
    what: "a zip archive whose file is not compressed with deflate",
    remedy: "extract its file and pass that",
};
/// The number of files that a refusal names.
const SHOWN_NAMES: usize = 5;

/// Where the file's data lies, and what must come out of it.
pub(super) struct ZipMember {
    pub name: String,
    is_deflated: bool,
    compressed_bytes: u64,
    size_bytes: u64,
    crc: u32,
}

impl ZipMember {
    /// Finds the only file of an archive, and seeks its data.
    ///
    /// # Errors
    /// Fails where the archive is damaged, has no file or several, or one that cannot be read.
    pub fn find(file: &mut File) -> Result<ZipMember, SourceError> {
        let mut buffer = vec![0; MAX_CENTRAL_DIRECTORY_RECORD_SIZE];
        let archive = ZipArchive::from_file(file.try_clone()?, &mut buffer).map_err(failed)?;
        let mut names = Vec::new();
        let mut first = None;
        let mut entries = archive.entries(&mut buffer);
        while let Some(entry) = entries.next_entry().map_err(failed)? {
            let path = entry.file_path();
            let name = String::from_utf8_lossy(path.as_bytes()).into_owned();
            if !entry.is_dir() && !name.starts_with("__MACOSX/") {
                names.push(name);
                let expected = (entry.uncompressed_size_hint(), entry.crc32());
                first.get_or_insert((entry.wayfinder(), entry.flags(), entry.compression_method(), expected));
            }
        }
        if let Some(document) = office_document(&names) {
            return Err(document.into());
        }
        let (wayfinder, flags, method, (size_bytes, crc)) = match first {
            Some(first) if names.len() == 1 => first,
            _ => return Err(SourceError::ZipFiles { count: names.len(), names: shown(&names) }),
        };
        if flags.is_encrypted() {
            return Err(ENCRYPTED.into());
        }
        let is_deflated = method == CompressionMethod::DEFLATE;
        if !is_deflated && method != CompressionMethod::STORE {
            return Err(OTHER_METHOD.into());
        }
        let entry = archive.get_entry(wayfinder).map_err(failed)?;
        let (start, end) = entry.compressed_data_range();
        file.seek(SeekFrom::Start(start))?;
        Ok(ZipMember {
            name: names.swap_remove(0),
            is_deflated,
            compressed_bytes: end.saturating_sub(start),
            size_bytes,
            crc,
        })
    }

    /// Decompresses the file from a reader at the start of its data.
    pub fn reader<'a>(self, data: impl Read + 'a) -> Box<dyn Read + 'a> {
        let data = data.take(self.compressed_bytes);
        let inner: Box<dyn Read + 'a> = if self.is_deflated {
            Box::new(DeflateDecoder::new(BufReader::with_capacity(1 << 16, data)))
        } else {
            Box::new(data)
        };
        Box::new(Checked { inner, crc: Crc::new(), read_bytes: 0, member: self })
    }
}

/// Checks at the end what was read.
struct Checked<'a> {
    inner: Box<dyn Read + 'a>,
    crc: Crc,
    read_bytes: u64,
    member: ZipMember,
}

impl Read for Checked<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(into)?;
        self.crc.update(&into[..read]);
        self.read_bytes += read as u64;
        if read > 0 || into.is_empty() {
            return Ok(read);
        }
        if self.read_bytes < self.member.size_bytes {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if self.crc.sum() != self.member.crc || self.read_bytes > self.member.size_bytes {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the checksum does not match"));
        }
        Ok(0)
    }
}

/// Returns the failure of an archive whose directory cannot be read: it is the end of the archive.
fn failed(error: rawzip::Error) -> SourceError {
    const ZIP: &str = "zip";
    match error.into_kind() {
        ErrorKind::MissingEndOfCentralDirectory | ErrorKind::Eof => {
            SourceError::Truncated { compression: ZIP }
        }
        ErrorKind::IO(error) => SourceError::Io(error),
        error => SourceError::Corrupt { compression: ZIP, source: io::Error::other(error.to_string()) },
    }
}

/// Tells the documents that are zip archives inside.
fn office_document(names: &[String]) -> Option<Unsupported> {
    let has = |start: &str| names.iter().any(|name| name.starts_with(start));
    let what = match () {
        () if has("xl/") => "an Excel workbook (XLSX)",
        () if has("word/") => "a Word document",
        () if has("mimetype") && has("content.xml") => "an OpenDocument file",
        () if has("Index/") && has("Metadata/") => "a Numbers spreadsheet",
        () => return None,
    };
    Some(Unsupported { what, remedy: "save it as CSV" })
}

fn shown(names: &[String]) -> String {
    let more = names.len().saturating_sub(SHOWN_NAMES);
    let shown = names[..names.len().min(SHOWN_NAMES)].join(", ");
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}
