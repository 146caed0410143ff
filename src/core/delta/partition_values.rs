//! The partition of a file as the log's rows have it.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, MapArray, StringArray};

/// A partition's values by column; `None` where the rows have no value.
pub type Partition = BTreeMap<String, Option<String>>;

/// The column of dates by which files are found.
pub(super) const DATE: &str = "date";

/// Returns the texts of one map value.
pub(super) fn map_entries(maps: &MapArray, row: usize) -> Option<Partition> {
    let entries = maps.value(row);
    let keys: &StringArray = entries.column(0).as_string_opt()?;
    let values: &StringArray = entries.column(1).as_string_opt()?;
    let value_at = |at: usize| values.is_valid(at).then(|| values.value(at).to_owned());
    Some((0..entries.len()).map(|at| (keys.value(at).to_owned(), value_at(at))).collect())
}
