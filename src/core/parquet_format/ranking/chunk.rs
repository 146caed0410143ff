//! Encodes the columns of a ranking whose values are close to random as compactly as possible.
//!
//! Such a column has one page in a row group. Texts and numbers are stored without a dictionary, or with
//! one where that is shorter, which takes repeated values.

use std::hash::Hash;
use std::iter;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::schema::types::ColumnDescPtr;

use crate::model::put_varint;
use crate::parquet_format::encodings::{put_deltas, put_hybrid, put_run, put_sized, put_text, width_of};
use crate::parquet_format::error::ColumnsError;
use crate::parquet_format::pages::{Closed, CompressedPages, PageBytes};
use crate::parquet_format::ranking::compression::{PageContent, compress_page};
use crate::parquet_format::units_column::FewUnits;

/// So many units are not encoded in two ways to keep the shorter one.
const MANY_UNITS: usize = 1 << 10;

/// The values of a column in a row group.
pub(super) enum Values<'a> {
    Texts(Vec<&'a str>),
    /// Small numbers of 64 bits, the lowest byte first.
    Counts(Vec<[u8; 8]>),
    /// Decimals of 64 bits, most of them whole.
    Units(Vec<i64>),
    /// Other numbers of 64 bits, the lowest byte first.
    Numbers(Vec<[u8; 8]>),
    /// Numbers of 128 bits, the highest byte first.
    Long(Vec<[u8; 16]>),
}

/// Returns the chunk of a column without nulls.
pub(super) fn chunk(column: ColumnDescPtr, values: &Values<'_>) -> Result<Closed, ColumnsError> {
    let rows = values.len();
    let with_dictionary = match values {
        Values::Units(numbers) => by_bytes(numbers)?,
        _ => values.with_dictionary()?,
    };
    let with_dictionary = match (values, with_dictionary) {
        // Of many units, these pages are the shorter ones.
        (Values::Units(_), Some(pages)) if rows >= MANY_UNITS => return pages.close(column, rows, None),
        (_, pages) => pages,
    };
    let without_dictionary = values.without_dictionary()?;
    let pages = match with_dictionary {
        Some(pages) if pages.bytes() < without_dictionary.bytes() => pages,
        _ => without_dictionary,
    };
    pages.close(column, rows, None)
}

impl Values<'_> {
    fn len(&self) -> usize {
        match self {
            Values::Texts(texts) => texts.len(),
            Values::Counts(numbers) | Values::Numbers(numbers) => numbers.len(),
            Values::Units(numbers) => numbers.len(),
            Values::Long(numbers) => numbers.len(),
        }
    }

    fn without_dictionary(&self) -> Result<CompressedPages, ColumnsError> {
        let mut first = levels(self.len());
        let (encoding, parts, content) = match self {
            Values::Texts(texts) => {
                let lengths: Vec<i64> = texts.iter().map(|text| (text.len() as u64).cast_signed()).collect();
                put_deltas(&lengths, &mut first);
                texts.iter().for_each(|text| first.extend_from_slice(text.as_bytes()));
                (Encoding::DELTA_LENGTH_BYTE_ARRAY, vec![first], PageContent::Texts)
            }
            Values::Units(numbers) => {
                let bytes = (0..8).map(|at| numbers.iter().map(|number| number.to_le_bytes()[at]).collect());
                let mut parts: Vec<Vec<u8>> = bytes.collect();
                first.append(&mut parts[0]);
                parts[0] = first;
                (Encoding::BYTE_STREAM_SPLIT, parts, PageContent::Counts)
            }
            Values::Counts(numbers) | Values::Numbers(numbers) => {
                first.extend(numbers.iter().map(|number| number[0]));
                let others = (1..8).map(|at| numbers.iter().map(|number| number[at]).collect());
                let content = match self {
                    Values::Counts(_) => PageContent::Counts,
                    _ => PageContent::Numbers,
                };
                (Encoding::BYTE_STREAM_SPLIT, iter::once(first).chain(others).collect(), content)
            }
            // Not every engine reads long decimals in BYTE_STREAM_SPLIT.
            Values::Long(numbers) => {
                first.extend(numbers.iter().flatten());
                (Encoding::PLAIN, vec![first], PageContent::Mixed)
            }
        };
        Ok(pages(encoding, None, compress_page(&parts, self.len(), content)?))
    }

    /// Returns the pages with a dictionary; `None` where they could not be shorter.
    fn with_dictionary(&self) -> Result<Option<CompressedPages>, ColumnsError> {
        let (codes, entries, dictionary) = match self {
            Values::Texts(texts) => {
                let Some((codes, distinct)) = repeated(texts) else { return Ok(None) };
                let mut bytes = Vec::new();
                distinct.iter().for_each(|text| put_text(text, &mut bytes));
                (codes, distinct.len(), bytes)
            }
            // Compressed, they take no more bits than dictionary codes.
            Values::Counts(_) | Values::Units(_) => return Ok(None),
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
        let dictionary = compress_page(&[dictionary], entries, PageContent::Mixed)?;
        let data = compress_page(&[data], self.len(), PageContent::Mixed)?;
        Ok(Some(pages(Encoding::RLE_DICTIONARY, Some(dictionary), data)))
    }
}

/// Returns the pages of numbers by dictionary codes of whole bytes; `None` where the numbers are too many.
///
/// A decimal of a whole number has three bytes where the number has one, each of which is compressed by
/// itself: a code costs no more than the number did.
fn by_bytes(numbers: &[i64]) -> Result<Option<CompressedPages>, ColumnsError> {
    let Some(few) = FewUnits::of(numbers).map(FewUnits::in_order) else { return Ok(None) };
    let (codes, distinct) = few.codes();
    let bytes = match distinct.len() {
        0..=0x100 => 1,
        0x101..=0x1_0000 => 2,
        _ => return Ok(None),
    };
    let mut data = levels(codes.len());
    data.push(bytes * 8);
    put_varint((codes.len().div_ceil(8) as u64) << 1 | 1, &mut data);
    // The codes fill whole groups of eight.
    let end = data.len() + codes.len().next_multiple_of(8) * usize::from(bytes);
    if bytes == 1 {
        data.extend(codes.iter().map(|&code| code as u8));
    } else {
        data.extend(codes.iter().flat_map(|&code| (code as u16).to_le_bytes()));
    }
    data.resize(end, 0);
    let dictionary = distinct.iter().flat_map(|number| number.to_le_bytes()).collect();
    let dictionary = compress_page(&[dictionary], distinct.len(), PageContent::Mixed)?;
    let data = compress_page(&[data], codes.len(), PageContent::Counts)?;
    Ok(Some(pages(Encoding::RLE_DICTIONARY, Some(dictionary), data)))
}

fn pages(encoding: Encoding, dictionary: Option<PageBytes>, data: PageBytes) -> CompressedPages {
    let compression = Compression::ZSTD(ZstdLevel::default());
    CompressedPages { dictionary, data: vec![data], encoding, compression, has_index: true, ends: None }
}

/// Returns the values as codes and distinct values, if at least half of them are repeated.
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

/// Returns the definition levels of rows without nulls.
fn levels(rows: usize) -> Vec<u8> {
    let mut levels = Vec::new();
    put_sized(&mut levels, |levels| put_run(1, rows, 1, levels));
    levels
}
