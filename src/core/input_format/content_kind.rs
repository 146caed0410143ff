//! What the first bytes of an input show: its compression, or a kind of file that is not read.
//!
//! Invariant: text is never taken for a binary file. A signature that consists of letters only counts
//! where the bytes after it are not text.

use crate::input_format::error::SourceError;

/// How many first bytes tell every kind: the signature of a tar archive is the last one in them.
pub(super) const HEAD_BYTES: usize = 512;

/// What the first bytes of an input show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ContentKind {
    /// Text, or anything that has no signature.
    Plain,
    Parquet,
    Compressed(Compression),
    Zip,
    Unsupported(Unsupported),
}

/// A compression of one stream of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    Gzip,
    Zstd,
    Bzip2,
    Xz,
}

/// A kind of file that is not read, and what to do with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unsupported {
    pub what: &'static str,
    pub remedy: &'static str,
}

impl Compression {
    /// Returns the name of the compression.
    pub fn name(self) -> &'static str {
        match self {
            Compression::Gzip => "gzip",
            Compression::Zstd => "zstd",
            Compression::Bzip2 => "bzip2",
            Compression::Xz => "xz",
        }
    }
}

impl From<Unsupported> for SourceError {
    fn from(Unsupported { what, remedy }: Unsupported) -> SourceError {
        SourceError::Unsupported { what, remedy }
    }
}

const EXTRACT: &str = "extract its files and pass those";
const SAVE_AS_CSV: &str = "save it as CSV";
const CONVERT: &str = "convert it to Parquet, CSV or NDJSON";
const DECRYPT: &str = "decrypt it first";
const DOWNLOADED: &str =
    "the server may have answered with an error or a login page; download the file again";

/// Signatures that no text begins with.
const SIGNATURES: &[(&[u8], &str, &str)] = &[
    (b"\x04\x22\x4d\x18", "compressed with LZ4", "decompress it first: lz4 -dc FILE | topsell ingest -"),
    (b"\x02\x21\x4c\x18", "compressed with LZ4", "decompress it first: lz4 -dc FILE | topsell ingest -"),
    (
        b"\xff\x06\0\0sNaPpY",
        "compressed with Snappy",
        "decompress it first: snzip -dc FILE | topsell ingest -",
    ),
    (
        b"\x1f\x9d",
        "compressed with compress (.Z)",
        "decompress it first: uncompress -c FILE | topsell ingest -",
    ),
    (b"\x1f\xa0", "compressed with SCO LZH", "decompress it first: gzip -dc FILE | topsell ingest -"),
    (b"\x1f\x1e", "compressed with pack (.z)", "decompress it first: gzip -dc FILE | topsell ingest -"),
    (b"\x89LZO\0\r\n\x1a\n", "compressed with lzop", "decompress it first: lzop -dc FILE | topsell ingest -"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", EXTRACT),
    (b"Rar!\x1a\x07", "a RAR archive", EXTRACT),
    (b"MSCF\0\0\0\0", "a CAB archive", EXTRACT),
    (b"\xed\xab\xee\xdb", "an RPM package", EXTRACT),
    (b"!<arch>\n", "an ar archive", EXTRACT),
    (b"Obj\x01", "an Avro file", CONVERT),
    (b"ARROW1\0", "an Arrow IPC file (Feather)", CONVERT),
    (b"\xff\xff\xff\xff\x10\0\0\0", "an Arrow IPC stream", CONVERT),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", CONVERT),
    (b"SEQ\x06", "a Hadoop sequence file", CONVERT),
    (
        b"SQLite format 3\0",
        "an SQLite database",
        "export its table as CSV: sqlite3 -csv -header FILE 'SELECT …'",
    ),
    (b"PGDMP", "a PostgreSQL dump", "export the table as CSV: COPY … TO STDOUT (FORMAT csv, HEADER)"),
    (
        b"PGCOPY\n\xff\r\n\0",
        "a PostgreSQL binary copy",
        "export the table as CSV: COPY … TO STDOUT (FORMAT csv, HEADER)",
    ),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel workbook (XLS)", SAVE_AS_CSV),
    (b"%PDF-", "a PDF document", "ask its sender for CSV"),
    (b"{\\rtf", "an RTF document", "ask its sender for CSV"),
    (b"\x89PNG\r\n\x1a\n", "a PNG image", "pass a log instead"),
    (b"\xff\xd8\xff", "a JPEG image", "pass a log instead"),
    (b"\x7fELF", "an ELF program", "pass a log instead"),
    (b"-----BEGIN PGP MESSAGE-----", "encrypted with PGP", DECRYPT),
    (b"age-encryption.org/", "encrypted with age", DECRYPT),
    (b"Salted__", "encrypted with OpenSSL", DECRYPT),
    (b"PARE", "an encrypted Parquet file", DECRYPT),
    (b"<?xml", "XML", "convert it to CSV or NDJSON"),
];

/// Signatures that may be the beginning of a text: they count where bytes that are no text follow.
const WORDS: &[(&[u8], &str, &str)] = &[
    (b"ORC", "an ORC file", CONVERT),
    (b"FEA1", "a Feather file", CONVERT),
    (b"LZIP", "compressed with lzip", "decompress it first: lzip -dc FILE | topsell ingest -"),
    (b"\x5d\0\0", "compressed with LZMA", "decompress it first: xz -dc FILE | topsell ingest -"),
    (
        b"\x78\x01",
        "compressed with zlib",
        "decompress it first: zlib-flate -uncompress < FILE | topsell ingest -",
    ),
    (
        b"\x78\x5e",
        "compressed with zlib",
        "decompress it first: zlib-flate -uncompress < FILE | topsell ingest -",
    ),
    (
        b"\x78\x9c",
        "compressed with zlib",
        "decompress it first: zlib-flate -uncompress < FILE | topsell ingest -",
    ),
    (
        b"\x78\xda",
        "compressed with zlib",
        "decompress it first: zlib-flate -uncompress < FILE | topsell ingest -",
    ),
];

const HTML: &[&[u8]] = &[b"<!doctype html", b"<html"];
const TAR: &[u8] = b"ustar";
const TAR_AT: usize = 257;

impl ContentKind {
    /// Returns what the first bytes of an input show, of which there are at most [`HEAD_BYTES`].
    pub fn of(head: &[u8]) -> ContentKind {
        let is_zstd = head.starts_with(b"\x28\xb5\x2f\xfd")
            // A frame that decoders skip; parallel compressors begin with one.
            || (head.len() >= 4 && head[0] & 0xf0 == 0x50 && head[1..4] == [0x2a, 0x4d, 0x18]);
        let is_bzip2 = head.starts_with(b"BZh")
            && matches!(head.get(3), Some(b'1'..=b'9'))
            && matches!(head.get(4..6), Some(b"1A" | b"\x17\x72"));
        match head {
            _ if head.starts_with(b"\x1f\x8b") => ContentKind::Compressed(Compression::Gzip),
            _ if is_zstd => ContentKind::Compressed(Compression::Zstd),
            _ if is_bzip2 => ContentKind::Compressed(Compression::Bzip2),
            _ if head.starts_with(b"\xfd7zXZ\0") => ContentKind::Compressed(Compression::Xz),
            _ if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") => ContentKind::Zip,
            _ if head.starts_with(b"PK\x07\x08") => ContentKind::Zip,
            _ if head.starts_with(b"PAR1") => ContentKind::Parquet,
            _ => unsupported(head).map_or(ContentKind::Plain, ContentKind::Unsupported),
        }
    }
}

fn unsupported(head: &[u8]) -> Option<Unsupported> {
    let is_html = |start: &&&[u8]| head.get(..start.len()).is_some_and(|h| h.eq_ignore_ascii_case(start));
    if HTML.iter().find(is_html).is_some() {
        return Some(Unsupported { what: "an HTML page", remedy: DOWNLOADED });
    }
    if head.get(TAR_AT..).is_some_and(|rest| rest.starts_with(TAR)) && head.contains(&0) {
        return Some(Unsupported { what: "a tar archive", remedy: EXTRACT });
    }
    let is_found = |(signature, ..): &&(&[u8], &str, &str)| head.starts_with(signature);
    let word = || WORDS.iter().find(is_found).filter(|_| !is_text(head));
    let found = SIGNATURES.iter().find(is_found).or_else(word);
    found.map(|&(_, what, remedy)| Unsupported { what, remedy })
}

/// Returns whether bytes can be text, of any single-byte encoding too.
fn is_text(head: &[u8]) -> bool {
    let is_control = |byte: u8| byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0c | 0x1b);
    !head.iter().any(|&byte| is_control(byte) || byte == 0x7f)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_by_their_first_bytes() {
        let check = |head: &[u8], expected: &str| {
            let got = match ContentKind::of(head) {
                ContentKind::Plain => "plain",
                ContentKind::Parquet => "Parquet",
                ContentKind::Zip => "zip",
                ContentKind::Compressed(compression) => compression.name(),
                ContentKind::Unsupported(Unsupported { what, .. }) => what,
            };
            assert_eq!(got, expected, "{}", head.escape_ascii());
        };
        check(b"", "plain");
        check(b"ts,item_id\n", "plain");
        check(b"ORCID,ts,item_id\n", "plain");
        check(b"ORC\x0a\x03\0", "an ORC file");
        check(b"BZhtag,ts\n", "plain");
        check(b"BZh91AY&SY", "bzip2");
        check(b"x\x9c\x01\x02", "compressed with zlib");
        check("xœ,ts\n".as_bytes(), "plain");
        check(b"PK\x03\x04", "zip");
        check(b"PK,ts\n", "plain");
        check(b"<HTML><body>", "an HTML page");
        check(b"\x50\x2a\x4d\x18", "zstd");
        check(b"PAR1", "Parquet");
        let mut tar = [0; HEAD_BYTES];
        tar[..5].copy_from_slice(b"a.csv");
        tar[TAR_AT..TAR_AT + 5].copy_from_slice(TAR);
        check(&tar, "a tar archive");
    }
}
