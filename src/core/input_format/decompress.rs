//! Decompression of inputs, detected by the first bytes: gzip, zstd, bzip2, xz.

use std::io::{self, BufReader, Read};

use bzip2::bufread::MultiBzDecoder;
use lzma_rust2::XzReader;

use crate::input_format::content_kind::{Compression, ContentKind, HEAD_BYTES};
use crate::input_format::error::SourceError;
use crate::input_format::gzip_members::GzipMembers;
use crate::input_format::head::{Blocking, Head, is_transient};

const BUFFER_BYTES: usize = 1 << 16;
/// The limit of the memory that an xz file may ask for; `xz -9` asks for 65 MiB.
const MAX_XZ_KIB: u32 = 256 << 10;

/// An input, decompressed where that needs its bytes in order only.
pub(super) enum Opened<'a> {
    Plain(Head<'a>),
    Decompressed(Head<'a>),
    /// A zip archive, which is read from its end.
    Zip(Head<'a>),
}

/// Tells the content by its first bytes, and decompresses it.
///
/// # Errors
/// Fails where the content is of a kind that is not read, also inside its compression.
pub(super) fn decompress<'a>(raw: Box<dyn Read + 'a>) -> Result<Opened<'a>, SourceError> {
    let whole = head_of(raw);
    match ContentKind::of(whole.seen()) {
        ContentKind::Plain | ContentKind::Parquet => Ok(Opened::Plain(whole)),
        ContentKind::Zip => Ok(Opened::Zip(whole)),
        ContentKind::Unsupported(unsupported) => Err(unsupported.into()),
        ContentKind::Compressed(compression) => {
            let name = compression.name();
            Ok(Opened::Decompressed(uncompressed(name, decoder(compression, whole)?)?))
        }
    }
}

/// Returns the bytes that a decoder returns, whose errors name the compression.
///
/// # Errors
/// Fails where they are of a kind that is not read.
pub(super) fn uncompressed<'a>(
    compression: &'static str,
    reader: Box<dyn Read + 'a>,
) -> Result<Head<'a>, SourceError> {
    let inner = head_of(Box::new(Decompressing { compression, reader, has_failed: false }));
    match ContentKind::of(inner.seen()) {
        ContentKind::Plain | ContentKind::Parquet => Ok(inner),
        ContentKind::Unsupported(unsupported) => Err(unsupported.into()),
        ContentKind::Compressed(_) | ContentKind::Zip => Err(SourceError::CompressedTwice { compression }),
    }
}

/// Looks at the first bytes: no more than the first line, or as many as tell every kind.
fn head_of<'a>(raw: Box<dyn Read + 'a>) -> Head<'a> {
    Head::read(raw, HEAD_BYTES, |head| head.contains(&b'\n'))
}

fn decoder<'a>(compression: Compression, whole: Head<'a>) -> io::Result<Box<dyn Read + 'a>> {
    Ok(match compression {
        Compression::Gzip => Box::new(GzipMembers::of(BufReader::with_capacity(BUFFER_BYTES, whole))),
        Compression::Zstd => Box::new(zstd::stream::read::Decoder::new(whole)?),
        Compression::Bzip2 => Box::new(MultiBzDecoder::new(BufReader::with_capacity(BUFFER_BYTES, whole))),
        Compression::Xz => {
            // It cannot continue where its reader would have blocked.
            let whole = BufReader::with_capacity(BUFFER_BYTES, Blocking(whole));
            Box::new(XzReader::new_mem_limit(whole, true, MAX_XZ_KIB))
        }
    })
}

/// A decoder whose errors name the compression; after one of them, it has ended.
struct Decompressing<'a> {
    compression: &'static str,
    reader: Box<dyn Read + 'a>,
    has_failed: bool,
}

impl Read for Decompressing<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.has_failed {
            return Ok(0);
        }
        let compression = self.compression;
        self.reader.read(into).map_err(|source| {
            let kind = source.kind();
            if is_transient(&source) {
                return source;
            }
            self.has_failed = true;
            let error = match kind {
                // An incomplete frame of zstd, an early end of gzip.
                io::ErrorKind::UnexpectedEof => SourceError::Truncated { compression },
                io::ErrorKind::OutOfMemory => SourceError::Memory { compression },
                _ => SourceError::Corrupt { compression, source },
            };
            io::Error::new(kind, error)
        })
    }
}
