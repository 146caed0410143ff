//! The formats of inputs.

use std::path::Path;

/// The format of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    Csv,
    Tsv,
    Ndjson,
    Parquet,
}

/// The file extensions of compressions.
const COMPRESSIONS: [&str; 5] = [".gz", ".zst", ".bz2", ".xz", ".zip"];

/// Returns the format by the file extension, in front of which may be that of a compression.
pub fn format_of_name(path: &Path) -> Option<Format> {
    let name = path.file_name()?.to_string_lossy().to_ascii_lowercase();
    let uncompressed = COMPRESSIONS.iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(&name);
    match uncompressed.rsplit_once('.')?.1 {
        "csv" => Some(Format::Csv),
        "tsv" | "tab" => Some(Format::Tsv),
        "ndjson" | "jsonl" | "json" => Some(Format::Ndjson),
        "parquet" => Some(Format::Parquet),
        _ => None,
    }
}
