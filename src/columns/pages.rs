//! Pages of a column chunk, and their way into a file.

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;
use zstd::bulk::Compressor;

use crate::columns::parquet_file::ColumnsError;

const ZSTD_LEVEL: i32 = 1;
/// Bytes that the headers of a chunk's pages take, roughly.
const HEADER_BYTES: usize = 64;

/// What compresses pages: set up by the first, and kept, since that costs as much as many a page.
#[derive(Default)]
pub(super) struct Packer(Option<Compressor<'static>>);

impl Packer {
    fn pack(&mut self, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
        let compressor = match &mut self.0 {
            Some(compressor) => compressor,
            none => none.insert(Compressor::new(ZSTD_LEVEL)?),
        };
        compressor.compress(bytes)
    }
}

/// Pages of one chunk, each with how many values, nulls included, it has.
pub(super) struct Pages {
    pub dictionary: Option<(Vec<u8>, usize)>,
    pub data: Vec<(Vec<u8>, usize)>,
    pub encoding: Encoding,
}

pub(super) fn unwritable(error: &ParquetError) -> ColumnsError {
    ColumnsError::Unwritable(error.to_string())
}

impl Pages {
    /// Returns how many values there are, nulls included.
    pub fn values(&self) -> usize {
        self.data.iter().map(|(_, count)| count).sum()
    }

    /// Returns the chunk's bytes, compressed where they are so many, and what the footer is to say of
    /// it.
    pub fn close(
        self,
        column: ColumnDescPtr,
        rows: usize,
        statistics: Statistics,
        packed_from: usize,
        packer: &mut Packer,
    ) -> Result<(Bytes, ColumnCloseResult), ColumnsError> {
        let values = self.values();
        let raw_bytes: usize = self.dictionary.iter().chain(&self.data).map(|(bytes, _)| bytes.len()).sum();
        let is_packed = raw_bytes >= packed_from;
        let mut pack = |bytes: Vec<u8>| match is_packed {
            true => packer.pack(&bytes).map(Bytes::from).map_err(|e| ColumnsError::Unwritable(e.to_string())),
            false => Ok(bytes.into()),
        };
        let mut sink = TrackedWrite::new(Vec::with_capacity(raw_bytes + HEADER_BYTES));
        let mut uncompressed = 0;
        let mut put = |page: Page, raw: usize| -> Result<u64, ColumnsError> {
            let page = CompressedPage::new(page, raw);
            let written =
                SerializedPageWriter::new(&mut sink).write_page(page).map_err(|e| unwritable(&e))?;
            uncompressed += written.uncompressed_size as u64;
            Ok(written.bytes_written)
        };
        let mut encodings = vec![Encoding::RLE, self.encoding];
        let mut dictionary_bytes = None;
        if let Some((bytes, entries)) = self.dictionary {
            encodings.push(Encoding::PLAIN);
            let (encoding, is_sorted, num_values) = (Encoding::PLAIN, false, entries as u32);
            let raw = bytes.len();
            let page = Page::DictionaryPage { buf: pack(bytes)?, num_values, encoding, is_sorted };
            dictionary_bytes = Some(put(page, raw)?);
        }
        for (bytes, count) in self.data {
            let raw = bytes.len();
            let page = Page::DataPage {
                buf: pack(bytes)?,
                num_values: count as u32,
                encoding: self.encoding,
                def_level_encoding: Encoding::RLE,
                rep_level_encoding: Encoding::RLE,
                statistics: None,
            };
            put(page, raw)?;
        }
        let bytes: Bytes = sink.into_inner().map_err(|e| unwritable(&e))?.into();
        let level = ZstdLevel::try_new(ZSTD_LEVEL).map_err(|e| unwritable(&e))?;
        let signed = |count: usize| (count as u64).cast_signed();
        let metadata = ColumnChunkMetaData::builder(column)
            .set_encodings(encodings)
            .set_compression(if is_packed { Compression::ZSTD(level) } else { Compression::UNCOMPRESSED })
            .set_num_values(signed(values))
            .set_total_compressed_size(signed(bytes.len()))
            .set_total_uncompressed_size(uncompressed.cast_signed())
            .set_dictionary_page_offset(dictionary_bytes.map(|_| 0))
            .set_data_page_offset(dictionary_bytes.unwrap_or(0).cast_signed())
            .set_statistics(statistics)
            .build()
            .map_err(|e| unwritable(&e))?;
        let close = ColumnCloseResult {
            bytes_written: bytes.len() as u64,
            rows_written: rows as u64,
            metadata,
            bloom_filter: None,
            column_index: None,
            offset_index: None,
        };
        Ok((bytes, close))
    }
}
