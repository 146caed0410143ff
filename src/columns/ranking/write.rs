//! Ranked rows into a file.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Decimal128Builder, Float64Builder, Int32Builder, Int64Builder, RecordBatch, StringBuilder,
    TimestampMicrosecondBuilder,
};
use bytes::Bytes;
use hashbrown::HashSet;
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowRowGroupWriterFactory, ArrowWriter, ArrowWriterOptions, compute_leaves,
};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use rayon::prelude::*;

use crate::columns::fields::batch_of;
use crate::columns::parquet_file::{CREATED_BY, ColumnsError};
use crate::columns::ranking::{HASHES, NAME, RankedRow, hash_of};

/// Rows of a group at most: an answer reads and checks one, and the footer grows by each.
pub const ROWS_PER_GROUP: usize = 16_384;
/// Rows of a page: an answer unpacks one or two of each column.
const ROWS_PER_PAGE: usize = 8_192;
/// Digits of an amount that a 64-bit integer holds.
const SHORT_DIGITS: u8 = 18;
const LONG_DIGITS: u8 = 38;
/// Digits behind an amount's point.
const SCALE: i8 = 4;
/// Parquet's magic and the length of the footer before it, at a file's very end.
const END_BYTES: usize = 8;

/// A finished file.
pub struct EncodedRanking {
    pub bytes: Bytes,
    /// Where the footer begins, which says how to read the rest.
    pub footer_at: usize,
}

/// Returns the file of so many groups of rows, with labels in its footer; no amount may be larger
/// than `largest_amount` on either side of zero.
///
/// The same rows and labels give the same bytes, on however many threads.
///
/// # Errors
/// Fails where the rows do not fit into Parquet.
pub fn encode_ranking<'a>(
    groups: usize,
    rows_of: impl Fn(usize) -> Vec<RankedRow<'a>> + Sync,
    largest_amount: u128,
    labels: &[(&str, String)],
) -> Result<EncodedRanking, ColumnsError> {
    let digits = match largest_amount < 10_u128.pow(u32::from(SHORT_DIGITS)) {
        true => SHORT_DIGITS,
        false => LONG_DIGITS,
    };
    let unwritable = |e: ParquetError| ColumnsError::Unwritable(e.to_string());
    let writer = |scores| {
        let options = ArrowWriterOptions::new()
            .with_properties(properties(digits, scores, labels))
            .with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(Vec::new(), batch(&[], digits)?.schema(), options);
        writer.and_then(ArrowWriter::into_serialized_writer).map_err(unwritable)
    };
    let (mut file, for_apart) = writer(Scores::Apart)?;
    // Only how it would write a group's columns is of use.
    let (_, for_repeated) = writer(Scores::Repeated)?;
    let encode = |group: usize| {
        let rows = rows_of(group);
        let columns = match Scores::of(&rows) {
            Scores::Apart => &for_apart,
            Scores::Repeated => &for_repeated,
        };
        encode_group(group, &rows, digits, columns)
    };
    let encoded: Result<Vec<_>, ColumnsError> = (0..groups).into_par_iter().map(encode).collect();
    let mut ranges: Vec<Range<usize>> = Vec::with_capacity(groups);
    for chunks in encoded? {
        let from = file.bytes_written();
        let mut group = file.next_row_group().map_err(unwritable)?;
        for chunk in chunks {
            chunk.append_to_row_group(&mut group).map_err(unwritable)?;
        }
        group.close().map_err(unwritable)?;
        ranges.push(from..file.bytes_written());
    }
    file.flush().map_err(|e| unwritable(e.into()))?;
    let hashes: Vec<String> = ranges.into_iter().map(|range| hash_of(&file.inner()[range])).collect();
    file.append_key_value_metadata(KeyValue::new(HASHES.to_owned(), hashes.join(" ")));
    let bytes = file.into_inner().map_err(unwritable)?;
    let footer_at = footer_at(&bytes);
    Ok(EncodedRanking { bytes: bytes.into(), footer_at })
}

/// How a group's scores are.
#[derive(Clone, Copy)]
enum Scores {
    /// Most are of one row alone.
    Apart,
    /// Most are of several rows: of items that sold as often, or in several categories.
    Repeated,
}

impl Scores {
    fn of(rows: &[RankedRow<'_>]) -> Scores {
        let distinct: HashSet<u64> = rows.iter().map(|row| row.score.to_bits()).collect();
        if distinct.len() <= rows.len() / 2 { Scores::Repeated } else { Scores::Apart }
    }
}

fn properties(digits: u8, scores: Scores, labels: &[(&str, String)]) -> WriterProperties {
    let labels = labels.iter().map(|(name, value)| KeyValue::new((*name).to_owned(), value.clone()));
    let mut properties = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_data_page_row_count_limit(ROWS_PER_PAGE)
        .set_write_batch_size(ROWS_PER_PAGE)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_column_statistics_enabled("category".into(), EnabledStatistics::Page)
        .set_column_statistics_enabled(NAME.into(), EnabledStatistics::Chunk)
        .set_max_row_group_row_count(None)
        .set_created_by(CREATED_BY.to_owned())
        .set_key_value_metadata(Some(labels.collect()));
    let amount = if digits == SHORT_DIGITS { Encoding::BYTE_STREAM_SPLIT } else { Encoding::PLAIN };
    for (column, encoding) in [
        ("rank", Encoding::DELTA_BINARY_PACKED),
        ("item_id", Encoding::DELTA_LENGTH_BYTE_ARRAY),
        (NAME, Encoding::DELTA_LENGTH_BYTE_ARRAY),
        ("score", Encoding::BYTE_STREAM_SPLIT),
        ("units", Encoding::BYTE_STREAM_SPLIT),
        ("purchases", Encoding::BYTE_STREAM_SPLIT),
        // Not every engine reads long decimals split so.
        ("amount", amount),
    ] {
        properties = properties
            .set_column_dictionary_enabled(column.into(), false)
            .set_column_encoding(column.into(), encoding);
    }
    if matches!(scores, Scores::Repeated) {
        for column in ["score", "amount"] {
            properties = properties.set_column_dictionary_enabled(column.into(), true);
        }
    }
    // These are runs of equal values, which are short as they are; to unpack them would take a
    // reader longer than to read them.
    for column in ["window_from", "window_to", "rankable"] {
        properties = properties.set_column_compression(column.into(), Compression::UNCOMPRESSED);
    }
    properties.build()
}

fn encode_group(
    group: usize,
    rows: &[RankedRow<'_>],
    digits: u8,
    columns: &ArrowRowGroupWriterFactory,
) -> Result<Vec<ArrowColumnChunk>, ColumnsError> {
    let unwritable = |e: ParquetError| ColumnsError::Unwritable(e.to_string());
    let batch = batch(rows, digits)?;
    let mut writers = columns.create_column_writers(group).map_err(unwritable)?.into_iter();
    let mut chunks = Vec::with_capacity(writers.len());
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        for leaf in compute_leaves(field, column).map_err(unwritable)? {
            let mut writer = writers.next().expect("there is a writer for each leaf of the schema");
            writer.write(&leaf).map_err(unwritable)?;
            chunks.push(writer.close().map_err(unwritable)?);
        }
    }
    Ok(chunks)
}

fn batch(rows: &[RankedRow<'_>], digits: u8) -> Result<RecordBatch, ColumnsError> {
    let mut category = StringBuilder::new();
    let mut rank = Int32Builder::new();
    let mut item_id = StringBuilder::new();
    let mut name = StringBuilder::new();
    let mut score = Float64Builder::new();
    let mut units = Int64Builder::new();
    let mut purchases = Int64Builder::new();
    let mut amount = Decimal128Builder::new();
    let mut window_from = TimestampMicrosecondBuilder::new();
    let mut window_to = TimestampMicrosecondBuilder::new();
    let mut rankable = Int64Builder::new();
    for row in rows {
        category.append_option(row.category.as_deref());
        rank.append_value(row.rank);
        item_id.append_value(&row.item_id);
        name.append_option(row.name.as_deref());
        score.append_value(row.score);
        units.append_value(row.sums.units);
        purchases.append_value(row.sums.purchases);
        amount.append_value(row.sums.amount);
        window_from.append_value(row.window_from.micros());
        window_to.append_value(row.window_to.micros());
        rankable.append_value(row.rankable);
    }
    batch_of(vec![
        ("category", Arc::new(category.finish())),
        ("rank", Arc::new(rank.finish())),
        ("item_id", Arc::new(item_id.finish())),
        (NAME, Arc::new(name.finish())),
        ("score", Arc::new(score.finish())),
        ("units", Arc::new(units.finish())),
        ("purchases", Arc::new(purchases.finish())),
        ("amount", Arc::new(amount.finish().with_precision_and_scale(digits, SCALE)?)),
        ("window_from", Arc::new(window_from.finish().with_timezone("UTC"))),
        ("window_to", Arc::new(window_to.finish().with_timezone("UTC"))),
        ("rankable", Arc::new(rankable.finish())),
    ])
}

/// Returns where a finished file's footer begins.
fn footer_at(bytes: &[u8]) -> usize {
    let end = bytes.len() - END_BYTES;
    let length = bytes[end..].first_chunk().map_or(0, |length| u32::from_le_bytes(*length));
    end - length as usize
}
