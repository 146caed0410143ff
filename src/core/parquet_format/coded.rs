//! Texts as a file's own dictionary has them: a number for each row, and each distinct text once.
//!
//! Parquet keeps a column's distinct texts apart from its rows. Read so, a text is looked at once
//! for each group of rows instead of once for each row.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef};

use crate::model::Interner;
use crate::parquet_format::ColumnsError;

/// A column of texts, none of which is missing.
pub(super) struct CodedTexts {
    keys: ScalarBuffer<i32>,
    values: StringArray,
}

/// A column of lists of texts.
pub(super) struct CodedLists {
    offsets: OffsetBuffer<i32>,
    texts: CodedTexts,
}

/// Returns a schema that keeps the dictionaries of some columns, texts or lists of them.
pub(super) fn keeping_dictionaries(schema: &Schema, columns: &[&str]) -> SchemaRef {
    let coded = |kind: &DataType| match kind {
        DataType::Utf8 => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
        other => other.clone(),
    };
    let fields = schema.fields().iter().map(|field| {
        if !columns.contains(&field.name().as_str()) {
            return Arc::clone(field);
        }
        let kind = match field.data_type() {
            DataType::List(of) => {
                DataType::List(Arc::new(Field::new(of.name(), coded(of.data_type()), of.is_nullable())))
            }
            other => coded(other),
        };
        Arc::new(Field::new(field.name(), kind, field.is_nullable()))
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Returns a column of texts.
pub(super) fn coded_texts(batch: &RecordBatch, name: &'static str) -> Result<CodedTexts, ColumnsError> {
    let column = batch.column_by_name(name).ok_or(ColumnsError::Column(name))?;
    coded(column).ok_or(ColumnsError::Column(name))
}

/// Returns a column of lists of texts.
pub(super) fn coded_lists(batch: &RecordBatch, name: &'static str) -> Result<CodedLists, ColumnsError> {
    let column = batch.column_by_name(name).ok_or(ColumnsError::Column(name))?;
    let lists = column.as_list_opt::<i32>().ok_or(ColumnsError::Column(name))?;
    let texts = coded(lists.values()).ok_or(ColumnsError::Column(name))?;
    Ok(CodedLists { offsets: lists.offsets().clone(), texts })
}

fn coded(column: &ArrayRef) -> Option<CodedTexts> {
    let coded = column.as_dictionary_opt::<Int32Type>()?;
    let values = coded.values().as_string_opt::<i32>()?;
    // A text that is missing would have the number of another.
    if coded.keys().null_count() > 0 || values.null_count() > 0 {
        return None;
    }
    Some(CodedTexts { keys: coded.keys().values().clone(), values: values.clone() })
}

impl CodedTexts {
    /// Returns the texts that numbers into a dictionary stand for; none where one stands for nothing.
    pub fn of(keys: Vec<i32>, values: StringArray) -> Option<CodedTexts> {
        // One below nothing is beyond everything.
        let last = keys.iter().map(|key| key.cast_unsigned()).max();
        let are_known = last.is_none_or(|last| (last as usize) < values.len());
        are_known.then(|| CodedTexts { keys: keys.into(), values })
    }

    /// Returns a row's text.
    #[inline]
    pub fn text(&self, row: usize) -> &str {
        self.values.value(self.keys[row] as usize)
    }
}

impl CodedLists {
    /// Returns the lists that begin where the offsets say, the last of which is where they end; none
    /// where they do not follow each other.
    pub fn of(offsets: Vec<i32>, texts: CodedTexts) -> Option<CodedLists> {
        let ends = offsets.first().zip(offsets.last());
        let is_whole = ends.is_some_and(|(&first, &last)| first == 0 && last as usize == texts.keys.len());
        (is_whole && offsets.is_sorted())
            .then(|| CodedLists { offsets: OffsetBuffer::new(offsets.into()), texts })
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

/// Numbers texts by a table of names, looking each text of a dictionary up once.
///
/// One serves one column and one table of names.
#[derive(Default)]
pub struct Coder {
    /// The dictionary that the numbers are of. While it is held, no other can be mistaken for it.
    dictionary: Option<StringArray>,
    codes: Vec<u32>,
    /// The last list of several texts, and its number.
    last_keys: Vec<i32>,
    last_code: u32,
    joined: String,
}

impl Coder {
    /// Appends the number of each row's text.
    pub(super) fn codes(&mut self, column: &CodedTexts, names: &mut Interner, into: &mut Vec<u32>) {
        self.turn_to(&column.values);
        let codes = &mut self.codes;
        into.extend(column.keys.iter().map(|&key| {
            let code = &mut codes[key as usize];
            if *code == UNKNOWN {
                *code = names.code(column.values.value(key as usize));
            }
            *code
        }));
    }

    /// Appends the number of each row's texts, joined by `|`.
    pub(super) fn codes_of_lists(&mut self, column: &CodedLists, names: &mut Interner, into: &mut Vec<u32>) {
        self.turn_to(&column.texts.values);
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

    fn turn_to(&mut self, dictionary: &StringArray) {
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
