//! Pages compressed for what is in them.
//!
//! Invariant: what comes out is one ordinary zstd frame, and depends on what goes in alone.

use std::io;
use std::io::Write;

use zstd::stream::raw::CParameter;
use zstd::zstd_safe::Strategy;

use crate::parquet_format::pages::Packed;
use crate::parquet_format::parquet_file::ColumnsError;

/// What is to be looked for in a page.
#[derive(Clone, Copy)]
pub(super) enum Search {
    /// Texts of chance that stand in other rows, too, few and far between.
    Texts,
    /// The bytes of small numbers, place by place: short runs that are like others.
    Counts,
    /// The bytes of numbers, place by place, which are of chance in most places.
    Numbers,
    /// Anything.
    Mixed,
}

/// A part of fewer bytes has less to gain by statistics of its own than these take.
const PART_BYTES: usize = 1 << 10;

/// Compresses the parts of a page of so many values, each part by statistics of its own.
pub(super) fn pack(parts: &[Vec<u8>], values: usize, search: Search) -> Result<Packed, ColumnsError> {
    let raw = parts.iter().map(Vec::len).sum();
    let bytes = compressed(parts, raw, search).map_err(|e| ColumnsError::Unwritable(e.to_string()))?;
    Ok(Packed { bytes, raw, values, rows: values })
}

fn compressed(parts: &[Vec<u8>], raw: usize, search: Search) -> io::Result<Vec<u8>> {
    let mut encoder = zstd::Encoder::new(Vec::with_capacity(raw), zstd::DEFAULT_COMPRESSION_LEVEL)?;
    encoder.set_pledged_src_size(Some(raw as u64))?;
    for &parameter in search.parameters() {
        encoder.set_parameter(parameter)?;
    }
    for (number, part) in parts.iter().enumerate() {
        if number > 0 && part.len() >= PART_BYTES {
            // Ends a block, and with it what the parts before have in common.
            encoder.flush()?;
        }
        encoder.write_all(part)?;
    }
    encoder.finish()
}

impl Search {
    fn parameters(self) -> &'static [CParameter] {
        match self {
            // An id is longer than six bytes, and shorter matches save nothing. The two quickest
            // searches pass over too much of what follows many bytes of chance.
            Search::Texts => &[
                CParameter::WindowLog(20),
                CParameter::HashLog(17),
                CParameter::ChainLog(15),
                CParameter::SearchLog(1),
                CParameter::MinMatch(6),
                CParameter::Strategy(Strategy::ZSTD_greedy),
            ],
            Search::Counts => &[
                CParameter::WindowLog(18),
                CParameter::HashLog(14),
                CParameter::ChainLog(14),
                CParameter::SearchLog(2),
                CParameter::MinMatch(4),
                CParameter::TargetLength(8),
                CParameter::Strategy(Strategy::ZSTD_lazy),
            ],
            // Of bytes of chance nothing is found: the quickest search passes over them soonest.
            Search::Numbers => &[
                CParameter::WindowLog(18),
                CParameter::HashLog(13),
                CParameter::MinMatch(5),
                CParameter::TargetLength(0),
                CParameter::Strategy(Strategy::ZSTD_fast),
            ],
            Search::Mixed => &[],
        }
    }
}
