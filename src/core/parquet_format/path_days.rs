//! On which days of a month there are aggregates of which paths, as a Parquet file.
//!
//! ```text
//! path     text      null in the row of a day
//! days     int64     a bit for each day: the lowest is the first day of the month
//! files    int64     in the row of a day, the hash of the names of its files
//! ```
//!
//! Invariant: what is read is what was written.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Field, Int64Type, Schema};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::parquet_format::error::ColumnsError;
use crate::parquet_format::fields::{numbers, texts};
use crate::parquet_format::panic_guard::{GuardedBatches, guarded};
use crate::parquet_format::parquet_file::{Encoded, plain_options};

const PATH: &str = "path";
const DAYS: &str = "days";
const FILES: &str = "files";
const ROWS_PER_GROUP: usize = 1 << 20;
/// Bits for the days of a month.
const MOST_DAYS: u32 = 31;

/// The days of a month on which there are aggregates of each path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PathDays {
    /// By the number of a day, from 0: the hash of the names of its files.
    pub files: BTreeMap<u32, u64>,
    /// A bit for each day.
    pub paths: BTreeMap<String, u32>,
}

impl PathDays {
    /// Returns its file. The same days give the same bytes.
    ///
    /// # Errors
    /// Fails where the rows do not fit into Parquet.
    pub fn encode(&self) -> Result<Encoded, ColumnsError> {
        let of_days = self.files.iter().map(|(day, hash)| (None, 1 << day, Some(hash.cast_signed())));
        let of_paths = self.paths.iter().map(|(path, days)| (Some(path.as_str()), i64::from(*days), None));
        let rows: Vec<(Option<&str>, i64, Option<i64>)> = of_days.chain(of_paths).collect();
        let columns: Vec<(&str, ArrayRef)> = vec![
            (PATH, Arc::new(rows.iter().map(|row| row.0).collect::<StringArray>())),
            (DAYS, Arc::new(rows.iter().map(|row| Some(row.1)).collect::<Int64Array>())),
            (FILES, Arc::new(rows.iter().map(|row| row.2).collect::<Int64Array>())),
        ];
        let field =
            |(name, array): &(&str, ArrayRef)| Field::new(*name, array.data_type().clone(), *name != DAYS);
        let schema = Schema::new(columns.iter().map(field).collect::<Vec<_>>());
        let batch = RecordBatch::try_new(Arc::new(schema), columns.into_iter().map(|of| of.1).collect())
            .map_err(|e| ColumnsError::Unwritable(e.to_string()))?;
        Encoded::of(&batch, ROWS_PER_GROUP, &[], &[])
    }

    /// Returns what a file has.
    ///
    /// # Errors
    /// Fails where the bytes are not such a file.
    pub fn decode(bytes: Bytes) -> Result<PathDays, ColumnsError> {
        let batches = guarded(|| {
            let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(bytes, plain_options())?;
            Ok(GuardedBatches::of(builder.build()?))
        })?;
        let mut read = PathDays::default();
        for batch in batches {
            let batch = batch?;
            let (paths, files) = (texts(&batch, PATH)?, numbers::<Int64Type>(&batch, FILES)?);
            let days = numbers::<Int64Type>(&batch, DAYS)?;
            for row in 0..batch.num_rows() {
                let days = u32::try_from(days.value(row)).ok().filter(|days| *days < 1 << MOST_DAYS);
                let days = days.ok_or(ColumnsError::Column(DAYS))?;
                if !paths.is_null(row) {
                    read.paths.insert(paths.value(row).to_owned(), days);
                } else if days != 0 && !files.is_null(row) {
                    read.files.insert(days.trailing_zeros(), files.value(row).cast_unsigned());
                }
            }
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::btree_map;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_read_is_what_was_written(
            files in btree_map(0..MOST_DAYS, any::<u64>(), 0..31),
            paths in btree_map(any::<String>(), 0..1_u32 << MOST_DAYS, 0..9),
        ) {
            let written = PathDays { files, paths };
            let read = PathDays::decode(written.encode().expect("it fits").bytes).expect("it can be read");
            prop_assert_eq!(read, written);
        }

        #[test]
        fn no_bytes_panic(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let days = PathDays {
                files: BTreeMap::from([(0, 1), (3, 2)]),
                paths: BTreeMap::from([("Food/Fruit".to_owned(), 9)]),
            };
            let mut bytes = days.encode().expect("it fits").bytes.to_vec();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            // An error, or what is still such a file.
            drop(PathDays::decode(bytes.into()));
        }
    }
}
