//! What bytes are once unpacked, and what form their text has.

use std::io::{self, BufReader, Read};

use flate2::read::MultiGzDecoder;

use crate::source::{Format, SourceError};

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
pub(super) fn told_by_content<'a>(
    mut reader: Box<dyn Read + 'a>,
) -> Result<(Format, Box<dyn Read + 'a>), SourceError> {
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
pub fn reading_failed(error: io::Error) -> SourceError {
    match error.downcast::<SourceError>() {
        Ok(inner) => inner,
        Err(error) => SourceError::Io(error),
    }
}
