//! The rows of a checkpoint in the order of the files' days, in small row groups: whoever wants the files of some days,
//! or what an application has recorded, decodes little of it, however old the table is.
//!
//! The days are told by the column `partitionValues_parsed`, which the protocol provides for that:
//! <https://github.com/delta-io/delta/blob/master/PROTOCOL.md#checkpoint-schema>.
//!
//! Invariant: the rows are those that the kernel gives, each once.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Date32Array, MapArray, RecordBatch, StringArray, StructArray};
use arrow::compute::interleave_record_batch;
use arrow::datatypes::{Field, Fields, Schema};

use crate::delta::partition_values::{DATE, map_entries};
use crate::delta::schema::{Column, ColumnType};
use crate::model::Date;
use crate::parquet_format::ColumnsError;

/// The path of their typed values in a checkpoint.
pub(super) const PARSED_DATE: &str = "add.partitionValues_parsed.date";
const PARSED: &str = "partitionValues_parsed";

/// The columns that a checkpoint mostly consists of.
pub(super) const LONG_COLUMNS: [&str; 2] = ["add.path", "add.stats"];

/// Rows of a group of files: those of a week of many categories. Whoever reads a group looks at each of its rows, and
/// the footer describes each group by a few kilobytes.
const FILES_PER_GROUP: usize = 1_024;
/// Rows of a group without files, which are small and read together.
const OTHERS_PER_GROUP: usize = 8_192;

/// What a row of a checkpoint is about, in their order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum ActionKind {
    Table,
    Transaction,
    Removed,
    File,
}

/// What a row is sorted by, its kind first, and its position: the number of its batch, and its number there.
type SortedRow<'a> = ((ActionKind, &'a str, &'a str), (usize, usize));

/// Passes all rows of a checkpoint to `take`, each batch of which is to be a row group, and adds the typed values of
/// the `partitions`.
///
/// # Errors
/// Fails where the batches have not the same columns, or `take` does.
pub(super) fn in_row_groups(
    batches: Vec<RecordBatch>,
    partitions: &[Column],
    take: &mut dyn FnMut(&RecordBatch) -> Result<(), ColumnsError>,
) -> Result<(), ColumnsError> {
    // Where a value cannot be parsed, none are recorded: a missing one would say that the file has no such value.
    let parsed: Option<Vec<RecordBatch>> =
        batches.iter().map(|batch| with_parsed_partitions(batch, partitions)).collect();
    let batches = parsed.unwrap_or(batches);
    let mut rows: Vec<SortedRow<'_>> = Vec::new();
    for (number, batch) in batches.iter().enumerate() {
        let keys = Keys::of(batch);
        rows.extend((0..batch.num_rows()).map(|row| (keys.key(row), (number, row))));
    }
    rows.sort_unstable();
    let batches: Vec<&RecordBatch> = batches.iter().collect();
    for of_kind in rows.chunk_by(|a, b| a.0.0 == b.0.0) {
        let is_of_files = of_kind[0].0.0 == ActionKind::File;
        for group in of_kind.chunks(if is_of_files { FILES_PER_GROUP } else { OTHERS_PER_GROUP }) {
            let positions: Vec<(usize, usize)> = group.iter().map(|(_, position)| *position).collect();
            take(&interleave_record_batch(&batches, &positions)?)?;
        }
    }
    Ok(())
}

/// The columns of a batch by which its rows are sorted; none that it has not.
struct Keys<'a> {
    transactions: Option<(&'a StructArray, &'a StringArray)>,
    removed: Option<(&'a StructArray, &'a StringArray)>,
    files: Option<(&'a StructArray, &'a StringArray)>,
    partitions: Option<&'a MapArray>,
}

impl<'a> Keys<'a> {
    fn of(batch: &'a RecordBatch) -> Keys<'a> {
        let of = |action: &str, name: &str| {
            let action = batch.column_by_name(action)?.as_struct_opt()?;
            Some((action, action.column_by_name(name)?.as_string_opt()?))
        };
        let files = of("add", "path");
        let partitions = files.and_then(|(add, _)| add.column_by_name("partitionValues")?.as_map_opt());
        Keys { transactions: of("txn", "appId"), removed: of("remove", "path"), files, partitions }
    }

    fn key(&self, row: usize) -> (ActionKind, &'a str, &'a str) {
        let name = |of: Option<(&'a StructArray, &'a StringArray)>| {
            of.filter(|(action, _)| action.is_valid(row)).map(|(_, names)| names.value(row))
        };
        if let Some(path) = name(self.files) {
            (ActionKind::File, self.partitions.and_then(|of| date_of(of, row)).unwrap_or_default(), path)
        } else if let Some(path) = name(self.removed) {
            (ActionKind::Removed, "", path)
        } else if let Some(app_id) = name(self.transactions) {
            (ActionKind::Transaction, "", app_id)
        } else {
            (ActionKind::Table, "", "")
        }
    }
}

/// Returns the date of a file's partition.
fn date_of(partitions: &MapArray, row: usize) -> Option<&str> {
    let keys: &StringArray = partitions.keys().as_string_opt()?;
    let values: &StringArray = partitions.values().as_string_opt()?;
    let offsets = partitions.value_offsets();
    let entries = usize::try_from(offsets[row]).ok()?..usize::try_from(offsets[row + 1]).ok()?;
    let at = entries.into_iter().find(|&at| keys.value(at) == DATE)?;
    values.is_valid(at).then(|| values.value(at))
}

/// Returns a batch with the typed values of the partitions of its files; none where a value is none of its type.
fn with_parsed_partitions(batch: &RecordBatch, partitions: &[Column]) -> Option<RecordBatch> {
    let at = batch.schema().index_of("add").ok()?;
    let add = batch.column(at).as_struct_opt()?;
    if add.column_by_name(PARSED).is_some() {
        return None;
    }
    let maps = add.column_by_name("partitionValues")?.as_map_opt()?;
    let rows = (0..batch.num_rows()).map(|row| add.is_valid(row).then(|| map_entries(maps, row)));
    let rows: Vec<_> = rows.map(|row| row.map_or(Some(None), |of| of.map(Some))).collect::<Option<_>>()?;
    let mut columns: Vec<(Field, ArrayRef)> = Vec::new();
    for Column(name, of_type) in partitions {
        let values = rows.iter().map(|row| row.as_ref()?.get(*name)?.as_deref());
        let array: ArrayRef = match of_type {
            ColumnType::Text => Arc::new(values.collect::<StringArray>()),
            ColumnType::Date => {
                let days = values.map(|value| match value {
                    Some(date) => Date::parse(date).map(|date| Some(date.number())),
                    None => Some(None),
                });
                Arc::new(Date32Array::from(days.collect::<Option<Vec<Option<i32>>>>()?))
            }
            _ => return None,
        };
        columns.push((Field::new(*name, array.data_type().clone(), true), array));
    }
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = columns.into_iter().unzip();
    let parsed = StructArray::try_new(fields.into(), arrays, add.nulls().cloned()).ok()?;
    let field = Arc::new(Field::new(PARSED, parsed.data_type().clone(), true));
    let fields: Fields = add.fields().iter().cloned().chain([field]).collect();
    let arrays = add.columns().iter().cloned().chain([Arc::new(parsed) as ArrayRef]).collect();
    let add = StructArray::try_new(fields, arrays, add.nulls().cloned()).ok()?;
    let mut columns = batch.columns().to_vec();
    let schema = batch.schema();
    let fields: Fields = schema
        .fields()
        .iter()
        .enumerate()
        .map(|(number, field)| match number == at {
            true => Arc::new(field.as_ref().clone().with_data_type(add.data_type().clone())),
            false => Arc::clone(field),
        })
        .collect();
    columns[at] = Arc::new(add);
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).ok()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::ops::RangeInclusive;

    use arrow::array::Int32Array;

    use super::*;
    use crate::delta::commit::{Commit, NewFile};
    use crate::delta::log_reader::LogReader;
    use crate::delta::partition_values::Partition;
    use crate::delta::schema::TableSchema;
    use crate::delta::table::Table;
    use crate::model::Hour;
    use crate::parquet_format::ColumnStats;
    use crate::storage::{Store, temporary};

    const SCHEMA: TableSchema = TableSchema {
        partitions: &[Column("event_type", ColumnType::Text), Column(DATE, ColumnType::Date)],
        columns: &[Column("hour", ColumnType::Integer)],
    };
    /// Files of each day.
    const FILES: usize = 20;

    fn file(day: i32, number: usize, event_type: Option<&str>) -> NewFile {
        let date = Some(Hour::of(Date::new(day), 0).start().to_string()[..10].to_owned());
        let partition =
            [("event_type".to_owned(), event_type.map(str::to_owned)), (DATE.to_owned(), date)].into();
        let path = format!("{}-{day}-{number}.parquet", event_type.unwrap_or("none"));
        let hour: ArrayRef = Arc::new(Int32Array::from(vec![7]));
        let column = ColumnStats { name: "hour".to_owned(), nulls: 0, range: Some((hour.clone(), hour)) };
        NewFile { path, partition, size_bytes: 10, rows: 1, columns: Arc::new([column]) }
    }

    /// Returns a table of some days, each with files and an application id, and a checkpoint.
    fn table_of(store: &Store, days: i32) -> Table {
        let table = Table::open_or_create(store, "table", SCHEMA, &[]).expect("it can be created");
        // Not in the order of the days, as late events come.
        for chunk in 0..10 {
            let of_chunk = (0..days).filter(|day| day % 10 == chunk);
            let adds = of_chunk.flat_map(|day| {
                let event_type = |number| ["purchase", "view"].get(number % 3).copied();
                (0..FILES).map(move |number| file(day, number, event_type(number)))
            });
            let commit = Commit {
                adds: adds.collect(),
                transactions: vec![(format!("batch{chunk}"), chunk.into())],
                ..Commit::default()
            };
            table.newest().and_then(|newest| newest.commit(&commit)).expect("it can be committed");
        }
        table.checkpoint().expect("it can be written");
        table
    }

    /// Returns the paths of the files of some days by both readers of the log, and the most partitions that either
    /// decoded for them.
    fn paths_of(store: &Store, days: &RangeInclusive<Date>) -> (Vec<String>, usize) {
        let mut most = 0;
        let mut found = Vec::new();
        for is_kernel in [true, false] {
            let decoded = Cell::new(0);
            let wants = |partition: &Partition| {
                decoded.set(decoded.get() + 1);
                let date = partition.get(DATE).and_then(Option::as_deref).and_then(Date::parse);
                date.is_some_and(|date| days.contains(&date))
            };
            let paths: Vec<String> = match is_kernel {
                true => {
                    let table =
                        Table::open(store, "table", SCHEMA).expect("it can be opened").expect("it is there");
                    let newest = table.newest().expect("it can be read");
                    let files = newest.files_of_days(days, &wants).expect("they can be read");
                    files.iter().map(|file| file.path.clone()).collect()
                }
                false => {
                    let log = LogReader::new(store, "table").of_days(days.clone());
                    let newest = log.newest(&wants).expect("it can be read").expect("it is ours");
                    assert_eq!(
                        newest.transaction("batch7"),
                        Some(7),
                        "what applications record is read always"
                    );
                    newest.files.iter().map(|file| file.path.clone()).collect()
                }
            };
            most = most.max(decoded.get());
            found.push(paths);
        }
        assert_eq!(found[0], found[1]);
        (found.swap_remove(0), most)
    }

    #[test]
    fn who_wants_some_days_decodes_little_however_old_the_table_is() {
        for days in [50, 1_000] {
            let (store, _folder) = temporary();
            let table = table_of(&store, days);
            let all = table.newest().and_then(|newest| newest.paths()).expect("they can be read");
            assert_eq!(all.len(), usize::try_from(days).expect("it is small") * FILES);
            for (first, last) in [(days - 7, days - 1), (days - 7, i32::MAX), (0, 0), (20, 21)] {
                let (paths, decoded) = paths_of(&store, &(Date::new(first)..=Date::new(last)));
                let last = last.min(days - 1);
                let expected = (first..=last).flat_map(|day| (0..FILES).map(move |number| (day, number)));
                let mut expected: Vec<String> = expected
                    .map(|(day, number)| {
                        file(day, number, ["purchase", "view"].get(number % 3).copied()).path
                    })
                    .collect();
                expected.sort_unstable();
                assert_eq!(paths, expected);
                assert!(decoded <= 2 * FILES_PER_GROUP, "{decoded} of {days} days");
            }
            let none = Cell::new(0);
            let wants = |_: &Partition| none.replace(1) > 1;
            let log = LogReader::new(&store, "table").without_files();
            assert!(log.newest(&wants).expect("it can be read").is_some_and(|state| state.files.is_empty()));
            assert_eq!(none.get(), 0, "no file is decoded");
        }
    }

    #[test]
    fn values_that_are_none_of_their_type_are_not_told_to_be_missing() {
        let (store, _folder) = temporary();
        let table = table_of(&store, 30);
        let mut odd = file(5, 99, None);
        odd.partition.insert(DATE.to_owned(), Some("someday".to_owned()));
        let commit = Commit { adds: vec![odd], ..Commit::default() };
        table.newest().and_then(|newest| newest.commit(&commit)).expect("it can be committed");
        table.checkpoint().expect("it can be written");
        let log = LogReader::new(&store, "table").of_days(Date::new(700)..=Date::new(800));
        let seen = Cell::new(false);
        let wants = |partition: &Partition| {
            seen.set(seen.get() || partition.get(DATE) == Some(&Some("someday".to_owned())));
            false
        };
        log.newest(&wants).expect("it can be read");
        assert!(seen.get(), "whoever reads it must find out");
    }
}
