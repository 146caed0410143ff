//! Pages of a column chunk, compressed and written.

use bytes::Bytes;
use parquet::basic::{BoundaryOrder, Compression, Encoding, Type, ZstdLevel};
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, ColumnIndexBuilder, OffsetIndexBuilder};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;
use zstd::bulk::Compressor;

use crate::parquet_format::error::ColumnsError;

const ZSTD_LEVEL: i32 = 1;
/// The approximate bytes of the headers of a chunk's pages.
const HEADER_BYTES: usize = 64;

/// Compresses pages. The compressor is set up once and kept, since that costs as much as a page.
#[derive(Default)]
pub(super) struct PageCompressor(Option<Compressor<'static>>);

impl PageCompressor {
    fn compress(&mut self, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
        let compressor = match &mut self.0 {
            Some(compressor) => compressor,
            none => none.insert(Compressor::new(ZSTD_LEVEL)?),
        };
        compressor.compress(bytes)
    }
}

/// Pages of one chunk.
pub(super) struct Pages {
    /// Its bytes, and how many values it has.
    pub dictionary: Option<(Vec<u8>, usize)>,
    pub data: Vec<RawPage>,
    pub encoding: Encoding,
    /// Whether the page index has the places of the pages, ...
    pub is_indexed: bool,
    /// ... and the least and greatest text of each page, where the texts are sorted, or are in runs.
    pub ends: Option<Vec<(String, String)>>,
}

/// A page before it is compressed.
pub(super) struct RawPage {
    pub bytes: Vec<u8>,
    /// How many values it has, nulls included.
    pub values: usize,
    pub rows: usize,
}

pub(super) fn unwritable(error: &ParquetError) -> ColumnsError {
    ColumnsError::Unwritable(error.to_string())
}

impl Pages {
    /// Returns how many values there are, nulls included.
    pub fn values(&self) -> usize {
        self.data.iter().map(|page| page.values).sum()
    }

    /// Returns the chunk's bytes, compressed from a number of bytes on, and its metadata.
    pub fn close(
        self,
        column: ColumnDescPtr,
        rows: usize,
        statistics: Statistics,
        compress_from: usize,
        compressor: &mut PageCompressor,
    ) -> Result<Closed, ColumnsError> {
        let dictionary = self.dictionary.map(|(bytes, values)| RawPage { bytes, values, rows: 0 });
        let raw_bytes: usize = dictionary.iter().chain(&self.data).map(|page| page.bytes.len()).sum();
        let is_compressed = raw_bytes >= compress_from;
        let mut compress = |RawPage { bytes, values, rows }: RawPage| {
            let raw = bytes.len();
            let bytes = match is_compressed {
                true => compressor.compress(&bytes).map_err(|e| ColumnsError::Unwritable(e.to_string()))?,
                false => bytes,
            };
            Ok(PageBytes { bytes, raw, values, rows })
        };
        let level = ZstdLevel::try_new(ZSTD_LEVEL).map_err(|e| unwritable(&e))?;
        let pages = CompressedPages {
            dictionary: dictionary.map(&mut compress).transpose()?,
            data: self.data.into_iter().map(compress).collect::<Result<_, ColumnsError>>()?,
            encoding: self.encoding,
            compression: if is_compressed { Compression::ZSTD(level) } else { Compression::UNCOMPRESSED },
            has_index: self.is_indexed,
            ends: self.ends,
        };
        pages.close(column, rows, Some(statistics))
    }
}

/// A chunk's bytes, and its metadata.
pub(super) type Closed = (Bytes, ColumnCloseResult);

/// A page as it is stored.
pub(super) struct PageBytes {
    pub bytes: Vec<u8>,
    /// Its size before compression.
    pub raw: usize,
    /// How many values it has, nulls included.
    pub values: usize,
    /// How many rows it has, if it is a data page.
    pub rows: usize,
}

/// The pages of one chunk as they are stored.
pub(super) struct CompressedPages {
    pub dictionary: Option<PageBytes>,
    pub data: Vec<PageBytes>,
    pub encoding: Encoding,
    pub compression: Compression,
    /// Whether the page index has the places of the pages, ...
    pub has_index: bool,
    /// ... and the least and greatest text of each page, where the texts are sorted, or are in runs.
    pub ends: Option<Vec<(String, String)>>,
}

impl CompressedPages {
    /// Returns how many bytes the pages have, without their headers.
    pub fn bytes(&self) -> usize {
        self.dictionary.iter().chain(&self.data).map(|page| page.bytes.len()).sum()
    }

    /// Returns the chunk's bytes, and its metadata.
    pub fn close(
        self,
        column: ColumnDescPtr,
        rows: usize,
        statistics: Option<Statistics>,
    ) -> Result<Closed, ColumnsError> {
        let signed = |count: usize| (count as u64).cast_signed();
        let values = self.data.iter().map(|page| page.values).sum();
        let mut sink = TrackedWrite::new(Vec::with_capacity(self.bytes() + HEADER_BYTES));
        let mut put = |page: Page, raw: usize| {
            let page = CompressedPage::new(page, raw);
            SerializedPageWriter::new(&mut sink).write_page(page).map_err(|e| unwritable(&e))
        };
        let mut encodings = vec![Encoding::RLE, self.encoding];
        let (mut uncompressed, mut data_at) = (0, 0);
        let has_dictionary = self.dictionary.is_some();
        if let Some(PageBytes { bytes, raw, values, .. }) = self.dictionary {
            encodings.push(Encoding::PLAIN);
            let (encoding, is_sorted, num_values) = (Encoding::PLAIN, false, values as u32);
            let page = Page::DictionaryPage { buf: bytes.into(), num_values, encoding, is_sorted };
            let written = put(page, raw)?;
            uncompressed += written.uncompressed_size;
            data_at = written.bytes_written;
        }
        let mut places = OffsetIndexBuilder::new();
        let mut page_at = data_at;
        for PageBytes { bytes, raw, values, rows } in self.data {
            let page = Page::DataPage {
                buf: bytes.into(),
                num_values: values as u32,
                encoding: self.encoding,
                def_level_encoding: Encoding::RLE,
                rep_level_encoding: Encoding::RLE,
                statistics: None,
            };
            let written = put(page, raw)?;
            uncompressed += written.uncompressed_size;
            places.append_row_count(signed(rows));
            // The length of a page was checked to fit into 31 bits.
            let length = (written.compressed_size as u32).cast_signed();
            places.append_offset_and_size(page_at.cast_signed(), length);
            page_at += written.bytes_written;
        }
        let bytes: Bytes = sink.into_inner().map_err(|e| unwritable(&e))?.into();
        let mut metadata = ColumnChunkMetaData::builder(column)
            .set_encodings(encodings)
            .set_compression(self.compression)
            .set_num_values(signed(values))
            .set_total_compressed_size(signed(bytes.len()))
            .set_total_uncompressed_size(signed(uncompressed))
            .set_dictionary_page_offset(has_dictionary.then_some(0))
            .set_data_page_offset(data_at.cast_signed());
        if let Some(statistics) = statistics {
            metadata = metadata.set_statistics(statistics);
        }
        let close = ColumnCloseResult {
            bytes_written: bytes.len() as u64,
            rows_written: rows as u64,
            metadata: metadata.build().map_err(|e| unwritable(&e))?,
            bloom_filter: None,
            column_index: self.ends.map(index_of).transpose().map_err(|e| unwritable(&e))?,
            offset_index: self.has_index.then(|| places.build()),
        };
        Ok((bytes, close))
    }
}

/// Returns the column index, given the bounds of the pages.
fn index_of(ends: Vec<(String, String)>) -> Result<ColumnIndexMetaData, ParquetError> {
    let is_ascending = ends.is_sorted_by(|a, b| a.0 <= b.0 && a.1 <= b.1);
    let mut index = ColumnIndexBuilder::new(Type::BYTE_ARRAY);
    for (first, last) in ends {
        index.append(false, first.into_bytes(), last.into_bytes(), 0, None);
    }
    index.set_boundary_order(if is_ascending { BoundaryOrder::ASCENDING } else { BoundaryOrder::UNORDERED });
    index.build()
}
