//! The upgrade of a lake to format 5: small categories share files, and category and hour are ordinary columns.
//!
//! Each file is replaced by one with the same rows, in the partition of its category's group; a compaction merges
//! them.
//!
//! Invariant: each of the two tables is changed by one commit, which changes no row.

use bytes::Bytes;
use serde_json::Value;

use crate::delta::{LiveFile, NamedFile, Replacement, Table, TableSchema};
use crate::lake::error::LakeError;
use crate::lake::events_table::{EVENTS, EVENTS_UNTIL_4, SCHEMA};
use crate::lake::partition::{CATEGORY_GROUP, DayPartition};
use crate::lake::rewrite_files::{NewPlace, replace_files};
use crate::lake::rollups_table::{ROLLUPS, ROLLUPS_SCHEMA, ROLLUPS_UNTIL_4};
use crate::model::{CategoryGroup, Date, Sharing};
use crate::parquet_format::{ColumnsError, Encoded, rewrite_aggregates, with_hour_and_category};
use crate::storage::Store;

/// Rewrites the files of both tables; a table that was changed before stays as it is.
///
/// # Errors
/// Names a file that is damaged; fails where the disk does, or another process commits at the same time.
pub(super) fn group_categories(store: &Store, now_ms: i64) -> Result<(), LakeError> {
    let of_events = |bytes: &Bytes, file: &NamedFile| match OldFile::of(file) {
        Some(old) => with_hour_and_category(bytes, old.hour, old.category()),
        None => Err(ColumnsError::Column(CATEGORY_GROUP)),
    };
    change(store, EVENTS, [EVENTS_UNTIL_4, SCHEMA], &of_events, now_ms)?;
    let of_rollups = |bytes: &Bytes, _: &NamedFile| rewrite_aggregates(bytes);
    change(store, ROLLUPS, [ROLLUPS_UNTIL_4, ROLLUPS_SCHEMA], &of_rollups, now_ms)
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
    fn of(file: &NamedFile) -> Option<OldFile> {
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
    [old, new]: [TableSchema; 2],
    rewritten: &(dyn Fn(&Bytes, &NamedFile) -> Result<Encoded, ColumnsError> + Sync),
    now_ms: i64,
) -> Result<(), LakeError> {
    if is_grouped(store, name, new) {
        return Ok(());
    }
    let Some(table) = Table::open(store, name, old)? else { return Ok(()) };
    let newest = table.newest()?;
    let place_of = |of: &LiveFile| {
        let old = OldFile::of(of).ok_or_else(|| LakeError::BadPartition { file: of.path.clone() })?;
        let constants = old.constants(of.partition.contains_key("hour"));
        let rows = usize::try_from(of.rows).unwrap_or(usize::MAX);
        let group = CategoryGroup::of(old.category(), rows, Sharing::ByShard);
        let partition = DayPartition { event_type: old.event_type, date: old.date, group };
        Ok(NewPlace { folder: partition.folder(), partition: partition.values(), constants })
    };
    let commit = |files: &[Replacement]| newest.change_schema(store, new, files, now_ms);
    replace_files(store, name, &newest, &place_of, rewritten, &commit)?;
    // Opened again: its columns are others now.
    Table::open(store, name, new)?.map_or(Ok(()), |table| Ok(table.checkpoint()?))
}
