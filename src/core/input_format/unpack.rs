//! What bytes are once unpacked, and what form their text has.

use std::io::{self, BufReader, Read};

use flate2::read::MultiGzDecoder;

use crate::input_format::{Format, SourceError, tagged_record};

/// Bytes by which a stream's form is told at most.
const MAX_HEAD_BYTES: usize = 4_096;

/// Returns what the bytes are once unpacked, told by how they begin.
pub(super) fn unpacked<'a>(
    mut raw: Box<dyn Read + 'a>,
) -> Result<(Option<&'static str>, Box<dyn Read + 'a>), SourceError> {
    let mut head = [0; 4];
    let mut filled = 0;
    while filled < head.len() {
        match raw.read(&mut head[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(e) if is_passing(&e) => {}
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

/// Tells the format of a stream by how it begins, from no more than its first line: a stream that
/// is still being written may have no second one for hours.
pub(super) fn told_by_content<'a>(
    mut reader: Box<dyn Read + 'a>,
) -> Result<(Format, Box<dyn Read + 'a>), SourceError> {
    let mut head = Vec::new();
    while head.len() < MAX_HEAD_BYTES && !text_of(&head).contains(&b'\n') {
        let filled = head.len();
        head.resize(MAX_HEAD_BYTES, 0);
        let read = reader.read(&mut head[filled..]);
        head.truncate(filled + *read.as_ref().unwrap_or(&0));
        match read {
            Ok(0) => break,
            Err(e) if !is_passing(&e) => return Err(reading_failed(e)),
            _ => {}
        }
    }
    let text = text_of(&head);
    let first_line = text.split(|&byte| byte == b'\n').next().unwrap_or(text);
    let format = if text.starts_with(b"{") || tagged_record(&String::from_utf8_lossy(first_line)).is_some() {
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

fn text_of(head: &[u8]) -> &[u8] {
    head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start()
}

/// Tells whether an error only says that some time has passed.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock)
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
                _ if is_passing(&source) => return source,
                // zstd reports an incomplete frame so, gzip an early end.
                io::ErrorKind::UnexpectedEof => SourceError::Truncated { compression },
                _ => SourceError::Damaged { compression, source },
            };
            io::Error::new(kind, error)
        })
    }
}

/// Returns the reason alone, where an error was only wrapped to pass through a reader.
pub fn reading_failed(error: io::Error) -> SourceError {
    match error.downcast::<SourceError>() {
        Ok(inner) => inner,
        Err(error) => SourceError::Io(error),
    }
}
