//! Decompression of inputs: gzip and zstd, detected by the first bytes.

use std::io::{self, BufReader, Read};

use flate2::read::MultiGzDecoder;

use crate::input_format::error::SourceError;

/// Returns the compression, if there is one, and the uncompressed bytes.
pub(super) fn decompress<'a>(
    mut raw: Box<dyn Read + 'a>,
) -> Result<(Option<&'static str>, Box<dyn Read + 'a>), SourceError> {
    let mut head = [0; 4];
    let mut filled = 0;
    while filled < head.len() {
        match raw.read(&mut head[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(e) if is_transient(&e) => {}
            Err(e) => return Err(e.into()),
        }
    }
    let whole = io::Cursor::new(head[..filled].to_vec()).chain(raw);
    if head.starts_with(&[0x1f, 0x8b]) {
        let reader = MultiGzDecoder::new(BufReader::with_capacity(1 << 16, whole));
        return Ok((Some("gzip"), Box::new(Decompressing { compression: "gzip", reader })));
    }
    if head == [0x28, 0xb5, 0x2f, 0xfd] {
        let reader = zstd::stream::read::Decoder::new(whole)?;
        return Ok((Some("zstd"), Box::new(Decompressing { compression: "zstd", reader })));
    }
    Ok((None, Box::new(whole)))
}

/// Returns whether an error only means that the bytes are not there yet.
pub(super) fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock)
}

/// A decoder whose errors name the compression.
struct Decompressing<R> {
    compression: &'static str,
    reader: R,
}

impl<R: Read> Read for Decompressing<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let compression = self.compression;
        self.reader.read(into).map_err(|source| {
            let kind = source.kind();
            let error = match kind {
                _ if is_transient(&source) => return source,
                // An incomplete frame of zstd, an early end of gzip.
                io::ErrorKind::UnexpectedEof => SourceError::Truncated { compression },
                _ => SourceError::Corrupt { compression, source },
            };
            io::Error::new(kind, error)
        })
    }
}
