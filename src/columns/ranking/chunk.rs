//! The columns of a ranking whose values are close to random, each as short as it gets.
//!
//! Such a column has one page in a row group. Texts and numbers lie as they are, or in a
//! dictionary where that is shorter, which only values that are those of other rows can make it.

use std::hash::Hash;
use std::iter;

use bytes::Bytes;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::file::metadata::{ColumnChunkMetaData, OffsetIndexBuilder};
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;

use crate::columns::encodings::{put_deltas, put_hybrid, put_run, width_of};
use crate::columns::pages::unwritable;
use crate::columns::parquet_file::ColumnsError;
use crate::columns::ranking::pack::{Packed, Search, pack};

/// The values of a column in a row group.
pub(super) enum Values<'a> {
    Texts(Vec<&'a str>),
    /// Small numbers of 64 bits, the lowest byte first.
    Counts(Vec<[u8; 8]>),
    /// Other numbers of 64 bits, the lowest byte first.
    Numbers(Vec<[u8; 8]>),
    /// Of 128 bits, the highest byte first.
    Long(Vec<[u8; 16]>),
}

/// A chunk's bytes, and what the footer is to say of it.
pub(super) type Chunk = (Bytes, ColumnCloseResult);

/// What a chunk consists of.
struct Pages {
    encoding: Encoding,
    /// The distinct values, and how many they are.
    dictionary: Option<(Packed, usize)>,
    data: Packed,
}

/// Returns the chunk of a column, whose every row has a value.
pub(super) fn chunk(column: ColumnDescPtr, values: &Values<'_>) -> Result<Chunk, ColumnsError> {
    let rows = values.len();
    let as_they_are = values.as_they_are()?;
    let pages = match values.in_a_dictionary()? {
        Some(pages) if pages.len() < as_they_are.len() => pages,
        _ => as_they_are,
    };
    pages.close(column, rows)
}

impl Values<'_> {
    fn len(&self) -> usize {
        match self {
            Values::Texts(texts) => texts.len(),
            Values::Counts(numbers) | Values::Numbers(numbers) => numbers.len(),
            Values::Long(numbers) => numbers.len(),
        }
    }

    fn as_they_are(&self) -> Result<Pages, ColumnsError> {
        let mut first = levels(self.len());
        let (encoding, data) = match self {
            Values::Texts(texts) => {
                let lengths: Vec<i64> = texts.iter().map(|text| signed(text.len())).collect();
                put_deltas(&lengths, &mut first);
                texts.iter().for_each(|text| first.extend_from_slice(text.as_bytes()));
                (Encoding::DELTA_LENGTH_BYTE_ARRAY, pack(&[first], Search::Texts)?)
            }
            Values::Counts(numbers) | Values::Numbers(numbers) => {
                first.extend(numbers.iter().map(|number| number[0]));
                let others = (1..8).map(|at| numbers.iter().map(|number| number[at]).collect());
                let streams: Vec<Vec<u8>> = iter::once(first).chain(others).collect();
                let search = match self {
                    Values::Counts(_) => Search::Counts,
                    _ => Search::Numbers,
                };
                (Encoding::BYTE_STREAM_SPLIT, pack(&streams, search)?)
            }
            // Not every engine reads long decimals split.
            Values::Long(numbers) => {
                first.extend(numbers.iter().flatten());
                (Encoding::PLAIN, pack(&[first], Search::Mixed)?)
            }
        };
        Ok(Pages { encoding, dictionary: None, data })
    }

    /// Returns the pages with a dictionary; none where it could not be worth it.
    fn in_a_dictionary(&self) -> Result<Option<Pages>, ColumnsError> {
        let (codes, entries, dictionary) = match self {
            Values::Texts(texts) => {
                let Some((codes, distinct)) = repeated(texts) else { return Ok(None) };
                let mut bytes = Vec::new();
                for text in &distinct {
                    bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
                    bytes.extend_from_slice(text.as_bytes());
                }
                (codes, distinct.len(), bytes)
            }
            // Compressed, they take no more bits than numbers into a dictionary would.
            Values::Counts(_) => return Ok(None),
            Values::Numbers(numbers) => {
                let Some((codes, distinct)) = repeated(numbers) else { return Ok(None) };
                (codes, distinct.len(), distinct.concat())
            }
            Values::Long(numbers) => {
                let Some((codes, distinct)) = repeated(numbers) else { return Ok(None) };
                (codes, distinct.len(), distinct.concat())
            }
        };
        let mut data = levels(self.len());
        let width = width_of(entries as u64 - 1);
        // At most 32.
        data.push(width as u8);
        put_hybrid(&codes, width, &mut data);
        Ok(Some(Pages {
            encoding: Encoding::RLE_DICTIONARY,
            dictionary: Some((pack(&[dictionary], Search::Mixed)?, entries)),
            data: pack(&[data], Search::Mixed)?,
        }))
    }
}

/// Returns the values as numbers into the distinct ones, if most are those of other rows.
fn repeated<T: Copy + Eq + Hash>(values: &[T]) -> Option<(Vec<u32>, Vec<T>)> {
    let most = values.len() / 2;
    let mut known = HashMap::with_capacity(most + 1);
    let mut distinct = Vec::new();
    let mut codes = Vec::with_capacity(values.len());
    for &value in values {
        let code = match known.entry(value) {
            Entry::Occupied(code) => *code.get(),
            Entry::Vacant(_) if distinct.len() == most => return None,
            Entry::Vacant(place) => {
                distinct.push(value);
                *place.insert(distinct.len() as u32 - 1)
            }
        };
        codes.push(code);
    }
    Some((codes, distinct))
}

/// Returns the levels that say that each row has a value.
fn levels(rows: usize) -> Vec<u8> {
    let mut run = Vec::new();
    put_run(1, rows, 1, &mut run);
    let mut levels = (run.len() as u32).to_le_bytes().to_vec();
    levels.append(&mut run);
    levels
}

fn signed(count: usize) -> i64 {
    (count as u64).cast_signed()
}

impl Pages {
    fn len(&self) -> usize {
        self.dictionary.as_ref().map_or(0, |(packed, _)| packed.bytes.len()) + self.data.bytes.len()
    }

    fn close(self, column: ColumnDescPtr, rows: usize) -> Result<Chunk, ColumnsError> {
        let mut sink = TrackedWrite::new(Vec::with_capacity(self.len() + 128));
        let mut put = |page: Page, raw: usize| {
            let page = CompressedPage::new(page, raw);
            SerializedPageWriter::new(&mut sink).write_page(page).map_err(|e| unwritable(&e))
        };
        let mut encodings = vec![Encoding::RLE, self.encoding];
        let (mut uncompressed, mut data_at) = (0, 0);
        let has_dictionary = self.dictionary.is_some();
        if let Some((Packed { bytes, raw }, entries)) = self.dictionary {
            encodings.push(Encoding::PLAIN);
            let (encoding, is_sorted, num_values) = (Encoding::PLAIN, false, entries as u32);
            let page = Page::DictionaryPage { buf: bytes.into(), num_values, encoding, is_sorted };
            let written = put(page, raw)?;
            uncompressed += written.uncompressed_size;
            data_at = written.bytes_written;
        }
        let page = Page::DataPage {
            buf: self.data.bytes.into(),
            num_values: rows as u32,
            encoding: self.encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        let written = put(page, self.data.raw)?;
        uncompressed += written.uncompressed_size;
        let bytes: Bytes = sink.into_inner().map_err(|e| unwritable(&e))?.into();
        let metadata = ColumnChunkMetaData::builder(column)
            .set_encodings(encodings)
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_num_values(signed(rows))
            .set_total_compressed_size(signed(bytes.len()))
            .set_total_uncompressed_size(signed(uncompressed))
            .set_dictionary_page_offset(has_dictionary.then_some(0))
            .set_data_page_offset(data_at.cast_signed())
            .build()
            .map_err(|e| unwritable(&e))?;
        let mut places = OffsetIndexBuilder::new();
        places.append_row_count(signed(rows));
        // The length of a page has 31 bits, or it had not been written.
        places.append_offset_and_size(data_at.cast_signed(), (written.compressed_size as u32).cast_signed());
        let close = ColumnCloseResult {
            bytes_written: bytes.len() as u64,
            rows_written: rows as u64,
            metadata,
            bloom_filter: None,
            column_index: None,
            offset_index: Some(places.build()),
        };
        Ok((bytes, close))
    }
}
