//! Column chunks: values, their levels and statistics, as pages.
//!
//! All columns are optional; a repeated one is a list of optional values.

use std::borrow::Cow;

use parquet::basic::Encoding;
use parquet::data_type::{ByteArray, FixedLenByteArray};
use parquet::file::statistics::Statistics;

use crate::parquet_format::column_stats::{Range, lower_bound, upper_bound};
use crate::parquet_format::encodings::{
    put_deltas, put_flags, put_hybrid, put_run, put_sized, put_text, width_of,
};
use crate::parquet_format::pages::{Pages, RawPage};
use crate::parquet_format::parquet_file::MAX_DICTIONARY_BYTES;

/// The most rows of a page in a file without a page index.
const ROWS_PER_PAGE: usize = 1 << 16;
/// Longer bounds are left out: they would be read with every footer.
const MAX_BOUND_BYTES: usize = 64;
/// Chunks of mostly distinct texts compress better than other chunks of their size.
pub(super) const TEXTS_COMPRESS_FROM_BYTES: usize = 8 << 10;

/// The values of one column of a row group, in the order of its rows.
pub(super) enum Values<'a> {
    /// Numbers with small differences between neighbours.
    Deltas(&'a [i64]),
    Flags(&'a [bool]),
    /// Decimals with more digits than fit into 64 bits.
    Wide(&'a [i128]),
    Texts(Vec<&'a str>),
    Doubles(&'a [f64]),
    /// Sorted texts.
    InOrder(Vec<&'a str>),
    /// Texts that are sorted in each of a few runs.
    InRuns(Vec<&'a str>),
    /// Dictionary codes.
    Codes {
        codes: &'a [u32],
        of: Dictionary<'a>,
    },
    /// Only nulls.
    None,
}

impl<'a> Values<'a> {
    /// Returns numbers as dictionary codes, if they have few distinct values.
    pub fn of_numbers(numbers: &'a [i64], few: Option<&'a (Vec<u32>, Vec<i64>)>) -> Values<'a> {
        match few {
            Some((codes, of)) => Values::Codes { codes, of: Dictionary::Numbers(of) },
            None => Values::Deltas(numbers),
        }
    }

    fn encoding(&self) -> Encoding {
        match self {
            Values::Deltas(_) => Encoding::DELTA_BINARY_PACKED,
            Values::Codes { .. } => Encoding::RLE_DICTIONARY,
            Values::Doubles(_) => Encoding::BYTE_STREAM_SPLIT,
            Values::Flags(_)
            | Values::Wide(_)
            | Values::Texts(_)
            | Values::InOrder(_)
            | Values::InRuns(_)
            | Values::None => Encoding::PLAIN,
        }
    }
}

/// The distinct values that codes stand for.
pub(super) enum Dictionary<'a> {
    /// Of 32 bits.
    Small(&'a [i32]),
    Numbers(&'a [i64]),
    /// Decimals of 128 bits that fit into 64.
    Wide(Cow<'a, [i64]>),
    Texts(Vec<Cow<'a, str>>),
}

/// How many values the rows have.
pub(super) enum Shape<'a> {
    /// One each.
    Full,
    /// One, or none where this is false.
    Optional(&'a [bool]),
    /// A list of this length each, possibly empty but never null.
    Lists(&'a [u32]),
    /// A list of one each.
    Ones,
}

/// One column of a row group.
pub(super) struct Chunk<'a> {
    pub shape: Shape<'a>,
    pub values: Values<'a>,
}

/// How many rows pages have, each a multiple of eight, in a file with a page index.
#[derive(Clone, Copy)]
pub(super) struct Index {
    /// Of pages of sorted texts, one of which is read to find a text.
    pub rows_to_search: usize,
    pub rows_per_page: usize,
}

impl Chunk<'_> {
    /// Returns whether the dictionary fits into a page.
    pub fn fits(&self) -> bool {
        match &self.values {
            Values::Codes { of: Dictionary::Texts(texts), .. } => {
                texts.iter().map(|text| text.len() + 4).sum::<usize>() <= MAX_DICTIONARY_BYTES
            }
            _ => true,
        }
    }

    /// Returns how many of its rows have no value.
    pub fn nulls(&self, rows: usize) -> u64 {
        match (&self.values, &self.shape) {
            (Values::None, _) => rows as u64,
            (_, Shape::Optional(are_there)) => are_there.iter().filter(|&&is_there| !is_there).count() as u64,
            _ => 0,
        }
    }

    /// Returns the range of its values, if there are any.
    pub fn range(&self) -> Option<Range> {
        let numbers = |values: &[i64]| Some(Range::Numbers(*values.iter().min()?, *values.iter().max()?));
        let texts =
            |least: Option<&str>, most: Option<&str>| Some(Range::Texts(least?.to_owned(), most?.to_owned()));
        match &self.values {
            Values::Deltas(values) | Values::Codes { of: Dictionary::Numbers(values), .. } => numbers(values),
            Values::Codes { of: Dictionary::Small(values), .. } => {
                let ends = values.iter().min().zip(values.iter().max());
                ends.map(|(least, most)| Range::Numbers(i64::from(*least), i64::from(*most)))
            }
            Values::Codes { of: Dictionary::Wide(values), .. } => {
                let ends = values.iter().min().zip(values.iter().max());
                ends.map(|(least, most)| Range::Wide((*least).into(), (*most).into()))
            }
            Values::Wide(values) => Some(Range::Wide(*values.iter().min()?, *values.iter().max()?)),
            Values::Flags(flags) => Some(Range::Flags(*flags.iter().min()?, *flags.iter().max()?)),
            Values::Texts(of) | Values::InRuns(of) => {
                texts(of.iter().copied().min(), of.iter().copied().max())
            }
            Values::InOrder(of) => {
                debug_assert!(of.is_sorted(), "they are said to be in order");
                texts(of.first().copied(), of.last().copied())
            }
            Values::Codes { of: Dictionary::Texts(of), .. } => {
                texts(of.iter().map(AsRef::as_ref).min(), of.iter().map(AsRef::as_ref).max())
            }
            Values::Doubles(_) | Values::None => None,
        }
    }

    pub fn statistics(&self, values: usize, range: Option<&Range>) -> Statistics {
        let nulls = Some(match &self.shape {
            Shape::Lists(lengths) => lengths.iter().filter(|&&length| length == 0).count() as u64,
            _ => self.nulls(values),
        });
        match range {
            Some(&Range::Numbers(least, most))
                if matches!(self.values, Values::Codes { of: Dictionary::Small(_), .. }) =>
            {
                // They come from 32-bit numbers.
                let [least, most] = [least, most].map(|end| i32::try_from(end).ok());
                Statistics::int32(least, most, None, nulls, false)
            }
            Some(&Range::Wide(least, most)) => {
                let [least, most] = [least, most]
                    .map(|end| Some(FixedLenByteArray::from(ByteArray::from(end.to_be_bytes().to_vec()))));
                Statistics::fixed_len_byte_array(least, most, None, nulls, false)
            }
            Some(&Range::Numbers(least, most)) => {
                Statistics::int64(Some(least), Some(most), None, nulls, false)
            }
            Some(&Range::Flags(least, most)) => {
                Statistics::boolean(Some(least), Some(most), None, nulls, false)
            }
            Some(Range::Texts(least, most)) if least.len().max(most.len()) <= MAX_BOUND_BYTES => {
                let [least, most] = [least, most].map(|text| Some(ByteArray::from(text.as_str())));
                Statistics::byte_array(least, most, None, nulls, false)
            }
            _ => Statistics::byte_array(None, None, None, nulls, false),
        }
    }

    pub fn pages(&self, rows: usize, index: Option<Index>) -> Pages {
        let rows_per_page = match (index, &self.values) {
            (None, _) => ROWS_PER_PAGE,
            (Some(index), Values::InOrder(_) | Values::InRuns(_)) => index.rows_to_search,
            (Some(index), _) => index.rows_per_page,
        };
        let dictionary = match &self.values {
            Values::Codes { of, .. } => Some((of.plain_bytes(), of.len())),
            _ => None,
        };
        let mut data = Vec::with_capacity(rows.div_ceil(rows_per_page));
        // The rows and the non-null values of the pages so far.
        let (mut row, mut value) = (0, 0);
        while row < rows || data.is_empty() {
            let end = rows.min(row + rows_per_page);
            let mut bytes = Vec::new();
            let (values, filled) = self.put_levels(row..end, &mut bytes);
            self.put_values(value..value + filled, &mut bytes);
            data.push(RawPage { bytes, values, rows: end - row });
            (row, value) = (end, value + filled);
        }
        let ends = match &self.values {
            Values::InOrder(texts) if index.is_some() => {
                let ends = |page: &[&str]| Some((lower_bound(page.first()?), upper_bound(page.last()?)));
                texts.chunks(rows_per_page).map(ends).collect()
            }
            Values::InRuns(texts) if index.is_some() => {
                let ends =
                    |page: &[&str]| Some((lower_bound(page.iter().min()?), upper_bound(page.iter().max()?)));
                texts.chunks(rows_per_page).map(ends).collect()
            }
            _ => None,
        };
        Pages { dictionary, data, encoding: self.values.encoding(), is_indexed: index.is_some(), ends }
    }

    /// Appends the levels of some rows; returns how many values they have, with and without nulls.
    fn put_levels(&self, rows: std::ops::Range<usize>, out: &mut Vec<u8>) -> (usize, usize) {
        let count = rows.len();
        match &self.shape {
            _ if matches!(self.values, Values::None) => {
                put_level_run(0, count, 1, out);
                (count, 0)
            }
            Shape::Full => {
                put_level_run(1, count, 1, out);
                (count, count)
            }
            Shape::Optional(are_there) => {
                let levels: Vec<u32> = are_there[rows].iter().map(|&is_there| u32::from(is_there)).collect();
                put_levels(&levels, 1, out);
                (count, levels.iter().filter(|&&level| level == 1).count())
            }
            Shape::Ones => {
                put_level_run(0, count, 1, out);
                put_level_run(3, count, 2, out);
                (count, count)
            }
            Shape::Lists(lengths) => {
                // A row's first value repeats at level 0, the others at 1; an empty list is
                // defined at level 1, a value at 3.
                let (mut repetition, mut definition) = (Vec::new(), Vec::new());
                for &length in &lengths[rows] {
                    repetition.push(0);
                    repetition.extend((1..length).map(|_| 1));
                    definition.push(if length == 0 { 1 } else { 3 });
                    definition.extend((1..length).map(|_| 3));
                }
                put_levels(&repetition, 1, out);
                put_levels(&definition, 2, out);
                (definition.len(), definition.iter().filter(|&&level| level == 3).count())
            }
        }
    }

    fn put_values(&self, values: std::ops::Range<usize>, out: &mut Vec<u8>) {
        match &self.values {
            Values::Deltas(numbers) => put_deltas(&numbers[values], out),
            Values::Flags(flags) => put_flags(&flags[values], out),
            Values::Doubles(numbers) => {
                let numbers = &numbers[values];
                (0..8).for_each(|at| out.extend(numbers.iter().map(|number| number.to_le_bytes()[at])));
            }
            Values::Wide(numbers) => {
                let numbers = &numbers[values];
                out.reserve_exact(size_of_val(numbers));
                numbers.iter().for_each(|number| out.extend_from_slice(&number.to_be_bytes()));
            }
            Values::Texts(texts) | Values::InOrder(texts) | Values::InRuns(texts) => {
                let texts = &texts[values];
                out.reserve_exact(texts.iter().map(|text| text.len() + 4).sum());
                texts.iter().for_each(|text| put_text(text, out));
            }
            Values::Codes { codes, of } => {
                let width = width_of((of.len() as u64).saturating_sub(1));
                // At most 32.
                out.push(width as u8);
                put_hybrid(&codes[values], width, out);
            }
            Values::None => {}
        }
    }
}

impl Dictionary<'_> {
    fn len(&self) -> usize {
        match self {
            Dictionary::Small(numbers) => numbers.len(),
            Dictionary::Numbers(numbers) => numbers.len(),
            Dictionary::Wide(numbers) => numbers.len(),
            Dictionary::Texts(texts) => texts.len(),
        }
    }

    /// Returns the values in the encoding of a dictionary page.
    fn plain_bytes(&self) -> Vec<u8> {
        match self {
            Dictionary::Small(numbers) => numbers.iter().flat_map(|number| number.to_le_bytes()).collect(),
            Dictionary::Numbers(numbers) => numbers.iter().flat_map(|number| number.to_le_bytes()).collect(),
            Dictionary::Wide(numbers) => {
                numbers.iter().flat_map(|&number| i128::from(number).to_be_bytes()).collect()
            }
            Dictionary::Texts(texts) => {
                let mut bytes = Vec::with_capacity(texts.iter().map(|text| text.len() + 4).sum());
                texts.iter().for_each(|text| put_text(text, &mut bytes));
                bytes
            }
        }
    }
}

fn put_levels(levels: &[u32], width: u32, out: &mut Vec<u8>) {
    put_sized(out, |out| put_hybrid(levels, width, out));
}

fn put_level_run(level: u32, times: usize, width: u32, out: &mut Vec<u8>) {
    put_sized(out, |out| put_run(level, times, width, out));
}
