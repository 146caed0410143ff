//! Dictionary-encoded texts: a key for each row, and each distinct text once.
//!
//! Parquet stores a column's distinct texts apart from its rows. Reading them this way, a text is looked
//! up once per row group and not once per row.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef};

use crate::model::Interner;
use crate::parquet_format::error::ColumnsError;

/// A column of texts without nulls.
pub(super) struct DictionaryTexts {
    keys: ScalarBuffer<i32>,
    values: StringArray,
}

/// A column of lists of texts.
pub(super) struct DictionaryLists {
    offsets: OffsetBuffer<i32>,
    texts: DictionaryTexts,
}

/// Returns a schema that keeps the dictionaries of some columns, texts or lists of them.
pub(super) fn keeping_dictionaries(schema: &Schema, columns: &[&str]) -> SchemaRef {
    let dictionary = |kind: &DataType| match kind {
        DataType::Utf8 => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
        other => other.clone(),
    };
    let fields = schema.fields().iter().map(|field| {
        if !columns.contains(&field.name().as_str()) {
            return Arc::clone(field);
        }
        let kind = match field.data_type() {
            DataType::List(of) => {
                DataType::List(Arc::new(Field::new(of.name(), dictionary(of.data_type()), of.is_nullable())))
            }
            other => dictionary(other),
        };
        Arc::new(Field::new(field.name(), kind, field.is_nullable()))
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Returns a column of texts.
pub(super) fn dictionary_texts(
    batch: &RecordBatch,
    name: &'static str,
) -> Result<DictionaryTexts, ColumnsError> {
    let column = batch.column_by_name(name).ok_or(ColumnsError::Column(name))?;
    dictionary(column).ok_or(ColumnsError::Column(name))
}

/// Returns a column of lists of texts.
pub(super) fn dictionary_lists(
    batch: &RecordBatch,
    name: &'static str,
) -> Result<DictionaryLists, ColumnsError> {
    let column = batch.column_by_name(name).ok_or(ColumnsError::Column(name))?;
    let lists = column.as_list_opt::<i32>().ok_or(ColumnsError::Column(name))?;
    let texts = dictionary(lists.values()).ok_or(ColumnsError::Column(name))?;
    Ok(DictionaryLists { offsets: lists.offsets().clone(), texts })
}

fn dictionary(column: &ArrayRef) -> Option<DictionaryTexts> {
    let dictionary = column.as_dictionary_opt::<Int32Type>()?;
    let values = dictionary.values().as_string_opt::<i32>()?;
    // A null would have the key of another text.
    if dictionary.keys().null_count() > 0 || values.null_count() > 0 {
        return None;
    }
    Some(DictionaryTexts { keys: dictionary.keys().values().clone(), values: values.clone() })
}

impl DictionaryTexts {
    /// Returns a column of keys into a dictionary; `None` where one is out of bounds.
    pub fn of(keys: Vec<i32>, values: StringArray) -> Option<DictionaryTexts> {
        // As an unsigned number, a negative key is out of bounds, too.
        let last = keys.iter().map(|key| key.cast_unsigned()).max();
        let are_known = last.is_none_or(|last| (last as usize) < values.len());
        are_known.then(|| DictionaryTexts { keys: keys.into(), values })
    }

    /// Returns a row's text.
    #[inline]
    pub fn text(&self, row: usize) -> &str {
        self.values.value(self.keys[row] as usize)
    }
}

impl DictionaryLists {
    /// Returns a column of lists, given where each begins and where the last one ends; `None` where the
    /// offsets are invalid.
    pub fn of(offsets: Vec<i32>, texts: DictionaryTexts) -> Option<DictionaryLists> {
        let ends = offsets.first().zip(offsets.last());
        let is_whole = ends.is_some_and(|(&first, &last)| first == 0 && last as usize == texts.keys.len());
        (is_whole && offsets.is_sorted())
            .then(|| DictionaryLists { offsets: OffsetBuffer::new(offsets.into()), texts })
    }

    fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Writes a row's texts, joined by `|`.
    pub fn join(&self, row: usize, into: &mut String) {
        into.clear();
        for &key in self.keys(row) {
            if !into.is_empty() {
                into.push('|');
            }
            into.push_str(self.texts.values.value(key as usize));
        }
    }

    #[inline]
    fn keys(&self, row: usize) -> &[i32] {
        &self.texts.keys[self.offsets[row] as usize..self.offsets[row + 1] as usize]
    }
}

const UNKNOWN: u32 = u32::MAX;

/// Translates dictionary keys to the codes of an interner, looking each distinct text up once.
///
/// One is for one column and one interner.
#[derive(Default)]
pub struct DictionaryInterner {
    /// The dictionary of the codes. It is held so that no other can have its address.
    dictionary: Option<StringArray>,
    codes: Vec<u32>,
    /// The last list of several texts, and its code.
    last_keys: Vec<i32>,
    last_code: u32,
    joined: String,
}

impl DictionaryInterner {
    /// Appends the code of each row's text.
    pub(super) fn codes(&mut self, column: &DictionaryTexts, names: &mut Interner, into: &mut Vec<u32>) {
        self.switch_to(&column.values);
        let codes = &mut self.codes;
        into.extend(column.keys.iter().map(|&key| {
            let code = &mut codes[key as usize];
            if *code == UNKNOWN {
                *code = names.code(column.values.value(key as usize));
            }
            *code
        }));
    }

    /// Appends the code of each row's texts, joined by `|`.
    pub(super) fn codes_of_lists(
        &mut self,
        column: &DictionaryLists,
        names: &mut Interner,
        into: &mut Vec<u32>,
    ) {
        self.switch_to(&column.texts.values);
        into.reserve(column.len());
        for row in 0..column.len() {
            let keys = column.keys(row);
            if let [key] = keys {
                let code = &mut self.codes[*key as usize];
                if *code == UNKNOWN {
                    *code = names.code(column.texts.values.value(*key as usize));
                }
                into.push(*code);
                continue;
            }
            if self.last_code == UNKNOWN || self.last_keys != keys {
                column.join(row, &mut self.joined);
                self.last_keys.clear();
                self.last_keys.extend_from_slice(keys);
                self.last_code = names.code(&self.joined);
            }
            into.push(self.last_code);
        }
    }

    fn switch_to(&mut self, dictionary: &StringArray) {
        let is_same = |held: &StringArray| {
            held.value_offsets().as_ptr() == dictionary.value_offsets().as_ptr()
                && held.len() == dictionary.len()
        };
        if !self.dictionary.as_ref().is_some_and(is_same) {
            self.dictionary = Some(dictionary.clone());
            self.codes.clear();
            self.codes.resize(dictionary.len(), UNKNOWN);
            self.last_code = UNKNOWN;
        }
    }
}
