//! Pages of a column chunk, and their way into a file.

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

use crate::parquet_format::parquet_file::ColumnsError;

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

/// Pages of one chunk.
pub(super) struct Pages {
    /// Its bytes, and how many values it has.
    pub dictionary: Option<(Vec<u8>, usize)>,
    pub data: Vec<RawPage>,
    pub encoding: Encoding,
    /// The file says where the pages are, ...
    pub is_indexed: bool,
    /// ... and between which texts, in order, the values of each lie.
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

    /// Returns the chunk's bytes, compressed where they are so many, and what the footer is to say of
    /// it.
    pub fn close(
        self,
        column: ColumnDescPtr,
        rows: usize,
        statistics: Statistics,
        packed_from: usize,
        packer: &mut Packer,
    ) -> Result<Closed, ColumnsError> {
        let dictionary = self.dictionary.map(|(bytes, values)| RawPage { bytes, values, rows: 0 });
        let raw_bytes: usize = dictionary.iter().chain(&self.data).map(|page| page.bytes.len()).sum();
        let is_packed = raw_bytes >= packed_from;
        let mut pack = |RawPage { bytes, values, rows }: RawPage| {
            let raw = bytes.len();
            let bytes = match is_packed {
                true => packer.pack(&bytes).map_err(|e| ColumnsError::Unwritable(e.to_string()))?,
                false => bytes,
            };
            Ok(Packed { bytes, raw, values, rows })
        };
        let level = ZstdLevel::try_new(ZSTD_LEVEL).map_err(|e| unwritable(&e))?;
        let pages = PackedPages {
            dictionary: dictionary.map(&mut pack).transpose()?,
            data: self.data.into_iter().map(pack).collect::<Result<_, ColumnsError>>()?,
            encoding: self.encoding,
            compression: if is_packed { Compression::ZSTD(level) } else { Compression::UNCOMPRESSED },
            has_index: self.is_indexed,
            ends: self.ends,
        };
        pages.close(column, rows, Some(statistics))
    }
}

/// A chunk's bytes, and what the footer is to say of it.
pub(super) type Closed = (Bytes, ColumnCloseResult);

/// A page as it is written.
pub(super) struct Packed {
    pub bytes: Vec<u8>,
    /// How many bytes it has uncompressed.
    pub raw: usize,
    /// How many values it has, nulls included.
    pub values: usize,
    /// Of a page of data.
    pub rows: usize,
}

/// Pages of one chunk as they are written.
pub(super) struct PackedPages {
    pub dictionary: Option<Packed>,
    pub data: Vec<Packed>,
    pub encoding: Encoding,
    pub compression: Compression,
    /// The file says where the pages are, ...
    pub has_index: bool,
    /// ... and between which texts, in order, the values of each lie.
    pub ends: Option<Vec<(String, String)>>,
}

impl PackedPages {
    /// Returns how many bytes the pages have, without their headers.
    pub fn bytes(&self) -> usize {
        self.dictionary.iter().chain(&self.data).map(|page| page.bytes.len()).sum()
    }

    /// Returns the chunk's bytes, and what the footer is to say of it.
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
        if let Some(Packed { bytes, raw, values, .. }) = self.dictionary {
            encodings.push(Encoding::PLAIN);
            let (encoding, is_sorted, num_values) = (Encoding::PLAIN, false, values as u32);
            let page = Page::DictionaryPage { buf: bytes.into(), num_values, encoding, is_sorted };
            let written = put(page, raw)?;
            uncompressed += written.uncompressed_size;
            data_at = written.bytes_written;
        }
        let mut places = OffsetIndexBuilder::new();
        let mut page_at = data_at;
        for Packed { bytes, raw, values, rows } in self.data {
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
            // The length of a page has 31 bits, or it had not been written.
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

/// Returns what tells the page of a text, from the ends of pages in order.
fn index_of(ends: Vec<(String, String)>) -> Result<ColumnIndexMetaData, ParquetError> {
    let mut index = ColumnIndexBuilder::new(Type::BYTE_ARRAY);
    for (first, last) in ends {
        index.append(false, first.into_bytes(), last.into_bytes(), 0, None);
    }
    index.set_boundary_order(BoundaryOrder::ASCENDING);
    index.build()
}
