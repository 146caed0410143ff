//! The values of single data pages, in the encodings that our files have.
//!
//! The bytes are not trusted: what is not encoded as ours is gives `None`.

use arrow::array::StringArray;
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use bytes::Bytes;
use parquet::basic::Encoding;

use crate::parquet_format::decodings::{is_run_of, take, take_deltas, take_hybrid, take_sized};

/// Bytes of a decimal of 128 bits.
const WIDE_BYTES: usize = 16;

/// A data page, decompressed.
pub(super) struct DataPage {
    pub bytes: Bytes,
    /// Values, nulls included.
    pub count: usize,
    pub encoding: Encoding,
}

impl DataPage {
    /// Returns the bytes behind the levels of a page without nulls and lists.
    pub fn full(&self) -> Option<&[u8]> {
        let mut bytes = &self.bytes[..];
        let levels = take_sized(&mut bytes)?;
        is_run_of(1, self.count, levels, 1).then_some(bytes)
    }

    /// Appends dictionary keys, given the bytes behind the levels.
    pub fn take_keys(&self, mut bytes: &[u8], count: usize, into: &mut Vec<i32>) -> Option<()> {
        (self.encoding == Encoding::RLE_DICTIONARY).then_some(())?;
        if count == 0 {
            return Some(());
        }
        let width = take(&mut bytes, 1)?[0];
        take_hybrid(bytes, width.into(), count, into)
    }

    /// Appends numbers of 64 bits, given the bytes behind the levels.
    pub fn take_numbers(
        &self,
        bytes: &[u8],
        count: usize,
        dictionary: Option<&[i64]>,
        into: &mut Vec<i64>,
    ) -> Option<()> {
        match self.encoding {
            Encoding::DELTA_BINARY_PACKED => take_deltas(bytes, count, into),
            Encoding::PLAIN => {
                into.extend(plain_numbers(bytes, count)?);
                Some(())
            }
            _ => {
                let (mut keys, dictionary) = (Vec::new(), dictionary?);
                self.take_keys(bytes, count, &mut keys)?;
                for key in keys {
                    into.push(*dictionary.get(key as usize)?);
                }
                Some(())
            }
        }
    }

    /// Appends where the lists of a page begin, at most `rows` of them, given the number of texts before
    /// the page. Returns the bytes behind the levels, and how many texts the lists have.
    pub fn take_lists(&self, starts: usize, rows: usize, offsets: &mut Vec<i32>) -> Option<(&[u8], usize)> {
        let mut bytes = &self.bytes[..];
        let [repetition, definition] = [take_sized(&mut bytes)?, take_sized(&mut bytes)?];
        let are_ones = is_run_of(0, self.count, repetition, 1) && is_run_of(3, self.count, definition, 2);
        if !are_ones {
            let filled = self.take_offsets([repetition, definition], starts, rows, offsets)?;
            return Some((bytes, filled));
        }
        (self.count <= rows).then_some(())?;
        offsets.extend((0..self.count).map(|row| ((starts + row) as u32).cast_signed()));
        Some((bytes, self.count))
    }

    fn take_offsets(
        &self,
        levels: [&[u8]; 2],
        starts: usize,
        rows: usize,
        offsets: &mut Vec<i32>,
    ) -> Option<usize> {
        /// More than an event can have.
        const MAX_TEXTS_OF_ROW: usize = 64;
        (self.count <= rows.checked_mul(MAX_TEXTS_OF_ROW)?).then_some(())?;
        let [mut repetition, mut definition] = [Vec::new(), Vec::new()];
        take_hybrid(levels[0], 1, self.count, &mut repetition)?;
        take_hybrid(levels[1], 2, self.count, &mut definition)?;
        let (mut filled, end) = (0, offsets.len() + rows);
        for (repetition, definition) in repetition.into_iter().zip(definition) {
            match (repetition, definition) {
                (0, 1 | 3) if offsets.len() < end => {
                    offsets.push(((starts + filled) as u32).cast_signed());
                }
                (1, 3) if !offsets.is_empty() => {}
                _ => return None,
            }
            filled += usize::from(definition == 3);
        }
        Some(filled)
    }
}

/// Returns texts that are each preceded by their lengths.
pub(super) fn plain_texts(mut bytes: &[u8], count: usize) -> Option<StringArray> {
    let mut texts = Vec::with_capacity(bytes.len().checked_sub(4 * count)?);
    let mut offsets = Vec::with_capacity(count + 1);
    offsets.push(0);
    for _ in 0..count {
        texts.extend_from_slice(take_sized(&mut bytes)?);
        offsets.push(i32::try_from(texts.len()).ok()?);
    }
    string_array(offsets, texts)
}

/// Returns the array of some texts, given where each begins and where the last one ends.
pub(super) fn string_array(offsets: Vec<i32>, texts: Vec<u8>) -> Option<StringArray> {
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
    StringArray::try_new(offsets, Buffer::from_vec(texts), None).ok()
}

/// Returns numbers of 64 bits.
pub(super) fn plain_numbers(bytes: &[u8], count: usize) -> Option<Vec<i64>> {
    let (numbers, _) = bytes.get(..count.checked_mul(8)?)?.as_chunks::<8>();
    Some(numbers.iter().map(|number| i64::from_le_bytes(*number)).collect())
}

/// Returns numbers of 32 bits.
pub(super) fn plain_small_numbers(bytes: &[u8], count: usize) -> Option<Vec<i32>> {
    let (numbers, _) = bytes.get(..count.checked_mul(4)?)?.as_chunks::<4>();
    Some(numbers.iter().map(|number| i32::from_le_bytes(*number)).collect())
}

/// Returns decimals of 128 bits.
pub(super) fn plain_decimals(bytes: &[u8], count: usize) -> Option<Vec<i128>> {
    let (numbers, _) = bytes.get(..count.checked_mul(WIDE_BYTES)?)?.as_chunks::<WIDE_BYTES>();
    Some(numbers.iter().map(|number| i128::from_be_bytes(*number)).collect())
}
