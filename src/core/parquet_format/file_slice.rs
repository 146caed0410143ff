//! Slices of a Parquet file, read without the rest.

use std::ops::Range;

use bytes::{Buf, Bytes};
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::statistics::Statistics;

/// A slice of a file that can be read in place of the whole.
pub(super) struct FileSlice {
    /// Where in the file it begins.
    pub at: u64,
    pub bytes: Bytes,
    pub size_bytes: u64,
}

/// Returns where in a file some column chunks are, with everything between them.
pub(super) fn range_of(columns: &[ColumnChunkMetaData]) -> Range<u64> {
    let ranges = columns.iter().map(|column| {
        let (from, length) = column.byte_range();
        from..from.saturating_add(length)
    });
    let whole = ranges.reduce(|a, b| a.start.min(b.start)..a.end.max(b.end));
    whole.unwrap_or(0..0)
}

/// Returns whether a column chunk of texts may contain a text, or a null, by its statistics and number of
/// rows.
pub(super) fn may_contain(statistics: Option<&Statistics>, rows: u64, text: Option<&str>) -> bool {
    let Some(statistics) = statistics else { return true };
    match text {
        None => statistics.null_count_opt() != Some(0),
        Some(_) if statistics.null_count_opt() == Some(rows) => false,
        Some(text) => match (statistics.min_bytes_opt(), statistics.max_bytes_opt()) {
            (Some(min), Some(max)) => min <= text.as_bytes() && text.as_bytes() <= max,
            _ => true,
        },
    }
}

impl FileSlice {
    fn from(&self, start: u64) -> Result<Bytes, ParquetError> {
        let start = start.checked_sub(self.at).and_then(|start| usize::try_from(start).ok());
        let start = start.filter(|start| *start <= self.bytes.len());
        start.map(|start| self.bytes.slice(start..)).ok_or_else(outside)
    }
}

impl Length for FileSlice {
    fn len(&self) -> u64 {
        self.size_bytes
    }
}

impl ChunkReader for FileSlice {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(self.from(start)?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let rest = self.from(start)?;
        (length <= rest.len()).then(|| rest.slice(..length)).ok_or_else(outside)
    }
}

fn outside() -> ParquetError {
    ParquetError::EOF("the footer refers to bytes outside of the row group".to_owned())
}
