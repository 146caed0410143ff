//! Which inputs there are, what form each has, and opening one.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use crate::lake::Reject;
use crate::store::spool;
use crate::trace::{Run, Stage};

/// The form of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    Csv,
    Tsv,
    Ndjson,
    Parquet,
}

/// One input to read.
#[derive(Clone, Debug)]
pub struct Input {
    /// As it was named, or found below a folder that was; `-` is standard input.
    pub name: String,
    /// `None` is standard input.
    path: Option<PathBuf>,
    format: Option<Format>,
    pub size_bytes: Option<u64>,
}

/// The inputs in the order they will be read, and those that cannot be.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    pub inputs: Vec<Input>,
    pub failures: Vec<Reject>,
    /// What folders hold that is no log, and why.
    pub passed_over: Vec<String>,
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

impl Plan {
    /// Returns how many bytes the inputs have, where all of them tell.
    pub fn known_bytes(&self) -> Option<u64> {
        self.inputs.iter().map(|input| input.size_bytes).sum()
    }
}

/// Finds the inputs: files as they are named, folders' logs in name order, `-` as standard input.
pub fn plan(paths: &[PathBuf], format: Option<Format>) -> Plan {
    let mut plan = Plan::default();
    for path in paths {
        if path.as_os_str() == "-" {
            plan.inputs.push(Input { name: "-".into(), path: None, format, size_bytes: None });
        } else if path.is_dir() {
            plan.add_folder(path, format, &[]);
        } else {
            plan.add_file(path, format);
        }
    }
    plan
}

impl Plan {
    /// Adds a folder's logs; `above` are the folders it was reached through, to leave circles.
    fn add_folder(&mut self, folder: &Path, format: Option<Format>, above: &[PathBuf]) {
        let entries = std::fs::read_dir(folder).and_then(|entries| {
            let paths = entries.map(|entry| Ok(entry?.path()));
            Ok((std::fs::canonicalize(folder)?, paths.collect::<io::Result<Vec<_>>>()?))
        });
        let (real, mut found) = match entries {
            Ok(entries) => entries,
            Err(error) => return self.fail(folder, &error),
        };
        if above.contains(&real) {
            return self.pass_over(folder, "it links back to a folder above it");
        }
        if ["_delta_log", "events/_delta_log"].iter().any(|log| folder.join(log).is_dir()) {
            return self.pass_over(folder, "it holds tables, not logs");
        }
        let above = [above, &[real]].concat();
        found.sort_unstable();
        for path in found {
            if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(['.', '_'])) {
                self.pass_over(&path, "it is hidden");
            } else if path.is_dir() {
                self.add_folder(&path, format, &above);
            } else if format_of_name(&path).is_some() {
                self.add_file(&path, format);
            } else {
                self.pass_over(&path, "its name is not a log's");
            }
        }
    }

    fn pass_over(&mut self, path: &Path, why: &str) {
        self.passed_over.push(format!("{}: {why}", path.display()));
    }

    fn add_file(&mut self, path: &Path, format: Option<Format>) {
        match std::fs::metadata(path) {
            Ok(meta) => self.inputs.push(Input {
                name: path.display().to_string(),
                path: Some(path.to_owned()),
                format: format.or_else(|| format_of_name(path)),
                size_bytes: meta.is_file().then_some(meta.len()),
            }),
            Err(error) => self.fail(path, &error),
        }
    }

    fn fail(&mut self, path: &Path, error: &io::Error) {
        self.failures.push(Reject {
            file: path.display().to_string(),
            line: None,
            column: None,
            reason: format!("cannot be read: {error}"),
            text: None,
            bytes_hex: None,
        });
    }
}

/// Tells the format by the name, whatever compression it ends in.
fn format_of_name(path: &Path) -> Option<Format> {
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

impl Input {
    /// Opens the input and unpacks it, whatever its name says of compression; what is read of it
    /// is reported.
    ///
    /// # Errors
    /// Says why it cannot be read.
    pub fn open<'a>(&self, run: &'a Run) -> Result<Source<'a>, SourceError> {
        if self.format.is_none() && self.path.is_some() {
            return Err(SourceError::UnknownFormat);
        }
        let raw: Box<dyn Read> = match &self.path {
            Some(path) => Box::new(File::open(path)?),
            None => Box::new(io::stdin()),
        };
        let (compression, reader) = unpacked(Box::new(Metered { raw, run }))?;
        let (format, reader) = match self.format {
            Some(format) => (format, reader),
            None => told_by_content(reader)?,
        };
        if format != Format::Parquet {
            return Ok(Source::Text { format, reader });
        }
        let mut file = match (&self.path, compression) {
            (Some(path), None) => File::open(path)?,
            _ => spool(reader)?,
        };
        let id = blake3::Hasher::new().update_reader(&mut file)?.finalize().to_hex().to_string();
        file.rewind()?;
        Ok(Source::Rows(RowFile { file, id }))
    }
}

/// Returns what the bytes are once unpacked, told by how they begin.
fn unpacked<'a>(
    mut raw: Box<dyn Read + 'a>,
) -> Result<(Option<&'static str>, Box<dyn Read + 'a>), SourceError> {
    let mut head = [0; 4];
    let mut filled = 0;
    while filled < head.len() {
        match raw.read(&mut head[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e.into()),
        }
    }
    let whole = io::Cursor::new(head[..filled].to_vec()).chain(raw);
    if head.starts_with(&[0x1f, 0x8b]) {
        let reader = MultiGzDecoder::new(BufReader::with_capacity(1 << 16, whole));
        return Ok((Some("gzip"), Box::new(Unpacking { compression: "gzip", reader })));
    }
    if head == [0x28, 0xb5, 0x2f, 0xfd] {
        let reader = zstd::stream::read::Decoder::new(whole)?;
        return Ok((Some("zstd"), Box::new(Unpacking { compression: "zstd", reader })));
    }
    Ok((None, Box::new(whole)))
}

/// Tells the format of a stream by how it begins.
fn told_by_content<'a>(mut reader: Box<dyn Read + 'a>) -> Result<(Format, Box<dyn Read + 'a>), SourceError> {
    let mut head = Vec::new();
    reader.by_ref().take(4_096).read_to_end(&mut head).map_err(reading_failed)?;
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head).trim_ascii_start();
    let first_line = text.split(|&byte| byte == b'\n').next().unwrap_or(text);
    let format = if text.starts_with(b"{") {
        Format::Ndjson
    } else if text.starts_with(b"PAR1") {
        Format::Parquet
    } else if first_line.contains(&b'\t') {
        Format::Tsv
    } else {
        Format::Csv
    };
    Ok((format, Box::new(io::Cursor::new(head).chain(reader))))
}

/// Reports how much is read.
struct Metered<'a> {
    raw: Box<dyn Read>,
    run: &'a Run,
}

impl Read for Metered<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.raw.read(into)?;
        self.run.advance(Stage::Ingest, read as u64);
        Ok(read)
    }
}

/// A decoder whose errors say what was being unpacked.
struct Unpacking<R> {
    compression: &'static str,
    reader: R,
}

impl<R: Read> Read for Unpacking<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let compression = self.compression;
        self.reader.read(into).map_err(|source| {
            let kind = source.kind();
            let error = match kind {
                io::ErrorKind::Interrupted => return source,
                // zstd reports an incomplete frame so, gzip an early end.
                io::ErrorKind::UnexpectedEof => SourceError::Truncated { compression },
                _ => SourceError::Damaged { compression, source },
            };
            io::Error::new(kind, error)
        })
    }
}

/// Returns the reason alone, where an error was only wrapped to pass through a reader.
pub(super) fn reading_failed(error: io::Error) -> SourceError {
    match error.downcast::<SourceError>() {
        Ok(inner) => inner,
        Err(error) => SourceError::Io(error),
    }
}
