//! A Parquet file, parsed into events: by columns where each field has one, else row by row as JSON.

use crate::ingest::batch_builder::BatchBuilder;
use crate::ingest::nested_records::{Items, NestedRecords};
use crate::ingest::parquet_rows::ParquetRows;
use crate::input_format::Mapping;
use crate::parquet_format::{ExternalFile, ExternalJson};
use crate::storage::local_files::File;

/// Parses the rows of one file.
pub(super) enum ParquetInput<'a> {
    Columns(ParquetRows),
    Nested(NestedRows<'a>),
}

/// Rows as JSON.
pub(super) struct NestedRows<'a> {
    rows: ExternalJson,
    records: NestedRecords<'a>,
    batch: Vec<u8>,
    /// Where the next row begins in the batch, and its number in the file.
    at: usize,
    number: u64,
}

impl ParquetInput<'_> {
    /// Opens the file and finds its columns.
    ///
    /// # Errors
    /// Returns what is wrong with the file or the mapping.
    pub fn open(file: File, mapping: &Mapping) -> Result<ParquetInput<'_>, String> {
        let file = ExternalFile::open(file).map_err(|e| e.to_string())?;
        let Some(records) = NestedRecords::of(mapping)? else {
            return ParquetRows::of(file, mapping).map(ParquetInput::Columns);
        };
        if let Some((path, what)) = records.lacks(|path| file.has_path(path)) {
            let columns = file.columns().join(", ");
            return Err(format!("has no column `{path}`, which {what}; its columns are: {columns}"));
        }
        let rows = file.json_rows(records.paths()).map_err(|e| e.to_string())?;
        Ok(ParquetInput::Nested(NestedRows { rows, records, batch: Vec::new(), at: 0, number: 1 }))
    }

    /// Returns whether every row has been read.
    pub fn is_done(&self) -> bool {
        match self {
            ParquetInput::Columns(rows) => rows.is_done(),
            ParquetInput::Nested(rows) => rows.number > rows.rows.total(),
        }
    }

    /// Parses up to `rows` rows into a batch.
    ///
    /// # Errors
    /// Returns how the file is corrupt.
    pub fn parse(&mut self, rows: u64, into: &mut BatchBuilder<'_>) -> Result<(), String> {
        match self {
            ParquetInput::Columns(columns) => columns.parse(rows, into),
            ParquetInput::Nested(nested) => nested.each(rows, &mut |records, row, number| {
                into.at_line(number);
                let reject = &mut |into: &mut BatchBuilder<'_>, rejection, row: &[u8]| {
                    into.reject(number, rejection, row);
                };
                match records.parse(row, None, into, reject) {
                    Ok(Items::Some) => {}
                    Ok(Items::None) => into.filter_line(),
                    Err(rejection) => into.reject(number, rejection, row.as_bytes()),
                }
            }),
        }
    }

    /// Skips up to `rows` rows.
    ///
    /// # Errors
    /// Returns how the file is corrupt.
    pub fn skip(&mut self, rows: u64) -> Result<(), String> {
        match self {
            ParquetInput::Columns(columns) => columns.skip(rows),
            ParquetInput::Nested(nested) => nested.each(rows, &mut |_, _, _| {}),
        }
    }
}

impl<'a> NestedRows<'a> {
    fn each(
        &mut self,
        rows: u64,
        take: &mut dyn FnMut(&mut NestedRecords<'a>, &str, u64),
    ) -> Result<(), String> {
        for _ in 0..rows {
            if self.number > self.rows.total() {
                break;
            }
            while self.at == self.batch.len() {
                let next = self.rows.next().ok_or("has fewer rows than its footer states")?;
                self.batch = next.map_err(|e| e.to_string())?;
                self.at = 0;
            }
            let rest = &self.batch[self.at..];
            let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
            // What is written as JSON is UTF-8.
            take(&mut self.records, &String::from_utf8_lossy(&rest[..end]), self.number);
            self.at += end;
            self.number += 1;
        }
        Ok(())
    }
}
