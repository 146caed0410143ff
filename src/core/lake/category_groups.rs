//! The upgrade of a lake to format 5: small categories share files, and category and hour are ordinary columns.
//!
//! Each file is replaced by one with the same rows, in the partition of its category's group; a compaction merges
//! them.
//!
//! Invariant: each of the two tables is changed by one commit, which changes no row.

use bytes::Bytes;
use rayon::prelude::*;
use serde_json::Value;

use crate::delta::{LiveFile, Outcome, Replacement, Table, TableError, TableSchema};
use crate::lake::error::LakeError;
use crate::lake::events_table::{EVENTS, EVENTS_UNTIL_4, SCHEMA};
use crate::lake::partition::DayPartition;
use crate::lake::rollups_table::{ROLLUPS, ROLLUPS_SCHEMA, ROLLUPS_UNTIL_4};
use crate::model::{CategoryGroup, Date};
use crate::parquet_format::{ColumnsError, Encoded, with_categories, with_hour_and_category};
use crate::storage::{Store, unique_id};

/// Rewrites the files of both tables; a table that was changed before stays as it is.
///
/// # Errors
/// Names a file that is damaged; fails where the disk does, or another process commits at the same time.
pub(super) fn group_categories(store: &Store, now_ms: i64) -> Result<(), LakeError> {
    let with_hour = |bytes: &Bytes, file: &OldFile| with_hour_and_category(bytes, file.hour, file.category());
    change(store, EVENTS, EVENTS_UNTIL_4, SCHEMA, &with_hour, now_ms)?;
    let with_category = |bytes: &Bytes, _: &OldFile| with_categories(bytes);
    change(store, ROLLUPS, ROLLUPS_UNTIL_4, ROLLUPS_SCHEMA, &with_category, now_ms)
}

/// Returns whether a table has the columns of format 5.
pub(super) fn is_grouped(store: &Store, name: &str, schema: TableSchema) -> bool {
    Table::open(store, name, schema).is_ok_and(|table| table.is_some())
}

/// What the partition of a file of format 4 tells.
struct OldFile {
    event_type: String,
    category: Option<String>,
    date: Date,
    /// Only of events.
    hour: i32,
}

impl OldFile {
    fn of(file: &LiveFile) -> Option<OldFile> {
        let text = |name: &str| file.partition.get(name)?.as_deref();
        Some(OldFile {
            event_type: text("event_type")?.to_owned(),
            category: text("category").map(str::to_owned),
            date: Date::parse(text("date")?)?,
            hour: text("hour").map_or(Some(0), |hour| hour.parse().ok())?,
        })
    }

    fn category(&self) -> Option<&str> {
        self.category.as_deref()
    }

    /// Returns the columns that have one value in all rows, which were those of the partition.
    fn constants(&self, has_hour: bool) -> Vec<(&'static str, Value)> {
        let mut constants = vec![("category", self.category().map_or(Value::Null, Value::from))];
        constants.extend(has_hour.then(|| ("hour", self.hour.into())));
        constants
    }
}

fn change(
    store: &Store,
    name: &str,
    old: TableSchema,
    new: TableSchema,
    rewritten: &(dyn Fn(&Bytes, &OldFile) -> Result<Encoded, ColumnsError> + Sync),
    now_ms: i64,
) -> Result<(), LakeError> {
    if is_grouped(store, name, new) {
        return Ok(());
    }
    let Some(table) = Table::open(store, name, old)? else { return Ok(()) };
    let newest = table.newest()?;
    let bulk = store.bulk_writer(name)?;
    let replace = |of: LiveFile| {
        let file = format!("{name}/{}", of.path);
        let old = OldFile::of(&of).ok_or_else(|| LakeError::BadPartition { file: of.path.clone() })?;
        let encoded = rewritten(&store.get_checked(&file)?, &old)
            .map_err(|source| LakeError::Columns { file: file.clone(), source })?;
        if encoded.rows != of.rows {
            return Err(LakeError::LostRows { file });
        }
        let group = CategoryGroup::of(old.category(), usize::try_from(of.rows).unwrap_or(usize::MAX));
        let partition = DayPartition { event_type: old.event_type.clone(), date: old.date, group };
        let path = format!("{}/{}", partition.folder(), encoded.name(&unique_id()));
        bulk.put(&format!("{name}/{path}"), encoded.bytes.clone())?;
        Ok(Replacement {
            path,
            size_bytes: encoded.bytes.len() as u64,
            partition: partition.values(),
            constants: old.constants(of.partition.contains_key("hour")),
            of,
        })
    };
    let files: Result<Vec<Replacement>, LakeError> = newest.files()?.into_par_iter().map(replace).collect();
    let files = files?;
    let written = bulk.finish()?;
    let outcome = newest.change_schema(store, new, &files, now_ms);
    if newest.may_name_files(&outcome) {
        written.keep();
    }
    match outcome? {
        Outcome::Committed(_) => match Table::open(store, name, new)? {
            Some(table) => Ok(table.checkpoint()?),
            None => Ok(()),
        },
        Outcome::Conflict => Err(TableError::Contended { table: name.to_owned(), tries: 1 }.into()),
    }
}
