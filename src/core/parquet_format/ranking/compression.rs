//! Compresses pages with parameters for their content.
//!
//! Invariant: the output is one ordinary zstd frame, and depends on the input alone.

use std::io;
use std::io::Write;

use zstd::stream::raw::CParameter;
use zstd::zstd_safe::Strategy;

use crate::parquet_format::error::ColumnsError;
use crate::parquet_format::pages::PageBytes;

/// What a page contains.
#[derive(Clone, Copy)]
pub(super) enum PageContent {
    /// Random texts, few of which are repeated, far apart.
    Texts,
    /// The byte streams of small numbers: short runs that resemble others.
    Counts,
    /// The byte streams of numbers, most of which are random.
    Numbers,
    /// Anything.
    Mixed,
}

/// A shorter part gains less by statistics of its own than these take.
const PART_BYTES: usize = 1 << 10;

/// Compresses the parts of a page, each with its own entropy statistics.
pub(super) fn compress_page(
    parts: &[Vec<u8>],
    values: usize,
    content: PageContent,
) -> Result<PageBytes, ColumnsError> {
    let raw = parts.iter().map(Vec::len).sum();
    let bytes = compressed(parts, raw, content).map_err(|e| ColumnsError::Unwritable(e.to_string()))?;
    Ok(PageBytes { bytes, raw, values, rows: values })
}

fn compressed(parts: &[Vec<u8>], raw: usize, content: PageContent) -> io::Result<Vec<u8>> {
    let mut encoder = zstd::Encoder::new(Vec::with_capacity(raw), zstd::DEFAULT_COMPRESSION_LEVEL)?;
    encoder.set_pledged_src_size(Some(raw as u64))?;
    for &parameter in content.parameters() {
        encoder.set_parameter(parameter)?;
    }
    for (number, part) in parts.iter().enumerate() {
        if number > 0 && part.len() >= PART_BYTES {
            // Ends a block, so that the next part has statistics of its own.
            encoder.flush()?;
        }
        encoder.write_all(part)?;
    }
    encoder.finish()
}

impl PageContent {
    fn parameters(self) -> &'static [CParameter] {
        match self {
            // An id is longer than six bytes, and shorter matches save nothing. The two fastest strategies
            // skip too much after many random bytes.
            PageContent::Texts => &[
                CParameter::WindowLog(20),
                CParameter::HashLog(17),
                CParameter::ChainLog(15),
                CParameter::SearchLog(1),
                CParameter::MinMatch(6),
                CParameter::Strategy(Strategy::ZSTD_greedy),
            ],
            PageContent::Counts => &[
                CParameter::WindowLog(18),
                CParameter::HashLog(14),
                CParameter::ChainLog(14),
                CParameter::SearchLog(2),
                CParameter::MinMatch(4),
                CParameter::TargetLength(8),
                CParameter::Strategy(Strategy::ZSTD_lazy),
            ],
            // Nothing is found in random bytes: the fastest strategy skips them soonest.
            PageContent::Numbers => &[
                CParameter::WindowLog(18),
                CParameter::HashLog(13),
                CParameter::MinMatch(5),
                CParameter::TargetLength(0),
                CParameter::Strategy(Strategy::ZSTD_fast),
            ],
            PageContent::Mixed => &[],
        }
    }
}
