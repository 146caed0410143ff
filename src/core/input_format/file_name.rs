//! What a file's name tells: its format, and whether it is a log that is complete.
//!
//! Names are read from their end: suffixes of compressions, of rotation (`.1`, `-20170114`,
//! `.2017-01-14`, `.old`) and of texts in general (`.log`, `.txt`) tell nothing, and the first suffix
//! in front of them that is a format's does.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::input_format::format::Format;

/// Suffixes of compressions, also of those that are refused when the file is read.
const COMPRESSIONS: [&str; 15] =
    ["gz", "gzip", "zst", "zstd", "bz2", "xz", "zip", "lz4", "lzma", "lz", "br", "sz", "z", "7z", "tar"];
/// Suffixes that say nothing about the format.
const NEUTRAL: [&str; 6] = ["log", "txt", "text", "out", "old", "dat"];
/// Suffixes of the names of files that are still being written.
const UNFINISHED: [&str; 10] = [
    ".tmp",
    ".temp",
    ".part",
    ".partial",
    ".filepart",
    ".crdownload",
    ".inprogress",
    "._copying_",
    ".swp",
    "~",
];
/// Suffixes of the names of copies, whose content is that of another file.
const COPIES: [&str; 3] = [".bak", ".orig", ".save"];

/// Why hidden files and folders are skipped.
pub const HIDDEN: &str = "it is hidden";

/// Returns the format by the file's name, whatever its compression and rotation.
pub fn format_of_name(path: &Path) -> Option<Format> {
    let name = path.file_name()?.to_string_lossy().to_ascii_lowercase();
    let mut rest = name.as_str();
    while let Some((before, suffix)) = rest.rsplit_once('.') {
        let plain = without_date(suffix);
        if let Some(format) = format_of_suffix(plain) {
            return Some(format);
        }
        if !(plain.is_empty() || COMPRESSIONS.contains(&plain) || NEUTRAL.contains(&plain)) {
            return None;
        }
        rest = before;
    }
    None
}

/// Returns the path that a log had before it was rotated and compressed.
pub fn without_rotation(path: &Path) -> PathBuf {
    let Some(name) = path.file_name().and_then(OsStr::to_str) else { return path.to_owned() };
    let mut rest = name;
    while let Some((before, suffix)) = rest.rsplit_once('.').filter(|(before, _)| !before.is_empty()) {
        let lower = suffix.to_ascii_lowercase();
        let plain = without_date(&lower);
        if !(plain.is_empty() || COMPRESSIONS.contains(&plain)) {
            rest = &rest[..before.len() + 1 + plain.len()];
            break;
        }
        rest = before;
    }
    path.with_file_name(rest)
}

/// Returns why a file or folder in a folder is no log, where its name tells.
pub fn reason_to_skip(path: &Path) -> Option<&'static str> {
    let name = path.file_name()?.to_string_lossy().to_ascii_lowercase();
    let ends = |suffixes: &[&str]| suffixes.iter().any(|suffix| name.ends_with(suffix));
    if name.starts_with(['.', '_']) {
        Some(HIDDEN)
    } else if ends(&UNFINISHED) {
        Some("its name marks it as unfinished")
    } else if ends(&COPIES) {
        Some("its name marks it as a copy")
    } else {
        None
    }
}

fn format_of_suffix(suffix: &str) -> Option<Format> {
    match suffix {
        "csv" => Some(Format::Csv),
        "tsv" | "tab" => Some(Format::Tsv),
        "ndjson" | "jsonl" | "json" | "jsonlines" => Some(Format::Ndjson),
        "parquet" | "parq" | "pq" => Some(Format::Parquet),
        _ => None,
    }
}

/// Returns a suffix without the number or date that a rotation has appended, which may be all of it.
fn without_date(suffix: &str) -> &str {
    let is_part = |text: &str| {
        let is_allowed = |c: char| c.is_ascii_digit() || matches!(c, '-' | '_' | ':' | '+' | 't' | 'z');
        text.contains(|c: char| c.is_ascii_digit()) && text.chars().all(is_allowed)
    };
    if is_part(suffix) {
        return "";
    }
    match suffix.find(['-', '_']) {
        Some(at) if is_part(&suffix[at..]) => &suffix[..at],
        _ => suffix,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_told_by_the_name_whatever_was_appended() {
        let check = |names: &str, expected: Option<Format>| {
            for name in names.split_whitespace() {
                assert_eq!(format_of_name(Path::new(name)), expected, "{name}");
            }
        };
        check("a.ndjson H.JSON a.jsonl.gz a.json.bz2 shop.ndjson.1 shop.ndjson.2.gz", Some(Format::Ndjson));
        check(
            "shop.ndjson-20170114 shop.ndjson-20170114.gz shop.json_2017-01-14_09.xz",
            Some(Format::Ndjson),
        );
        check("shop.ndjson-20170114-1484395201 shop.jsonl.2017-01-14T09:00:00Z", Some(Format::Ndjson));
        check("shop.csv.2017-01-14 a/b.c/SHOP.CSV.ZIP x.csv.lz4 x.csv.txt x.csv.old", Some(Format::Csv));
        check("sales.2017.csv sales-1.csv.0 shop.csv.2017.01.14.zst 2017-01-14.csv", Some(Format::Csv));
        check("shop.tsv.log.3 shop.tab", Some(Format::Tsv));
        check("part-00000-tid-1.c000.snappy.parquet", Some(Format::Parquet));
        check("shop.log shop.log.1 orders.txt part-00000 csv .csvx x.pdf csv-20170114 1.2.3", None);
        check("shop.csv.bak2 shop.csvx shop.csv-final README.md shop.csv-", None);
    }

    #[test]
    fn a_rotated_log_is_told_by_the_name_it_had() {
        let check = |name: &str, expected: &str| {
            assert_eq!(without_rotation(Path::new(name)), Path::new(expected), "{name}");
        };
        check("/a/shop.log", "/a/shop.log");
        check("/a.1/shop.log.1", "/a.1/shop.log");
        check("shop.log.2.gz", "shop.log");
        check("shop.ndjson-20170114.ZST", "shop.ndjson");
        check("shop.csv.2017-01-14", "shop.csv");
        check("sales-2017-01-14.csv", "sales-2017-01-14.csv");
        check("part-00000", "part-00000");
        check("1.2.3", "1");
        check(".1", ".1");
    }

    #[test]
    fn names_tell_which_files_are_no_logs() {
        let check = |name: &str, expected: Option<&str>| {
            assert_eq!(reason_to_skip(Path::new(name)), expected, "{name}");
        };
        check("x/.a.csv", Some("it is hidden"));
        check("_SUCCESS", Some("it is hidden"));
        check("a.csv.TMP", Some("its name marks it as unfinished"));
        check("a.csv~", Some("its name marks it as unfinished"));
        check("a.csv.bak", Some("its name marks it as a copy"));
        check(".x/a.csv", None);
    }
}
