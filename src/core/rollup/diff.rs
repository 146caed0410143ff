//! Recomputed aggregates compared with the stored ones, item by item in the order of the files.
//!
//! Invariant: files are read as a stream; beside the recomputed aggregates, memory holds a few pages of
//! each file and the rows of one item.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::delta::LiveFile;
use crate::model::{AggregateRow, AggregateRows, Date, Hour, HourAggregate, Interner, Signs};
use crate::parquet_format::ItemRange;
use crate::rollup::cursor::Cursor;
use crate::rollup::error::RollupError;
use crate::rollup::table::{DayPartition, Rollups, path_of};

/// Numbers of rows that differ from the stored ones, by hour.
pub(super) type DifferingRows = BTreeMap<Hour, u64>;

/// Aggregates, and the positions of their rows in the order of rollup files.
pub(super) struct Ordered<'a> {
    pub aggregates: &'a AggregateRows,
    pub order: &'a [u32],
}

/// What identifies a row among those of an item.
type Key<'a> = (&'a str, bool, Hour, Signs);

/// Returns whether the stored file has the very bytes that are to be written; other bytes may still hold
/// the same aggregates.
pub(super) fn is_same_file(rollups: &Rollups, stored: &[LiveFile], recomputed: Option<&Bytes>) -> bool {
    match (stored, recomputed) {
        ([], None) => true,
        ([only], Some(bytes)) => {
            only.size_bytes == bytes.len() as u64
                && rollups.bytes_of(only).is_ok_and(|stored| stored == *bytes)
        }
        _ => false,
    }
}

/// Returns how many rows of a category's day differ from the stored ones, except in the hours that have
/// changed since, and whether the stored ones can be read; where a file cannot, all its hours differ.
pub(super) fn diff(
    rollups: &Rollups,
    date: Date,
    stored_files: &[LiveFile],
    recomputed: &Ordered<'_>,
    changed: &BTreeSet<Hour>,
) -> (DifferingRows, bool) {
    let stored = StoredRows::open(rollups, date, stored_files);
    let differing = stored.and_then(|stored| diff_items(stored, recomputed));
    let is_readable = differing.is_ok();
    let mut differing = differing.unwrap_or_else(|_| all_differ(date, stored_files, recomputed));
    differing.retain(|hour, _| !changed.contains(hour));
    (differing, is_readable)
}

fn diff_items(mut stored: StoredRows, recomputed: &Ordered<'_>) -> Result<DifferingRows, RollupError> {
    let Ordered { aggregates, order } = *recomputed;
    let mut differing = DifferingRows::new();
    let item_at = |at: usize| order.get(at).map(|&row| aggregates.rows[row as usize].item);
    let (mut at, mut item_id, mut stored_rows) = (0, String::new(), Vec::new());
    loop {
        let next = item_at(at).map(|item| aggregates.items.name(item));
        match (next, stored.next_item()) {
            (None, None) => return Ok(differing),
            (Some(new), Some(old)) => new.min(old).clone_into(&mut item_id),
            (Some(only), None) | (None, Some(only)) => only.clone_into(&mut item_id),
        }
        stored.take(&item_id, &mut stored_rows)?;
        let first = at;
        if next == Some(&*item_id) {
            let item = item_at(at);
            at += order[at..]
                .iter()
                .take_while(|&&row| Some(aggregates.rows[row as usize].item) == item)
                .count();
        }
        let new = order[first..at].iter().map(|&row| aggregates.rows[row as usize]);
        diff_rows(new, aggregates, &stored_rows, &stored.path_sets, &mut differing);
    }
}

/// Merges both lists of an item's rows, each in the order of its keys, and counts those that differ.
fn diff_rows(
    new: impl Iterator<Item = AggregateRow>,
    aggregates: &AggregateRows,
    old: &[HourAggregate],
    old_path_sets: &Interner,
    differing: &mut DifferingRows,
) {
    let new_key = |row: &AggregateRow| -> Key<'_> {
        (aggregates.path_sets.name(row.path_set), row.is_primary, row.hour, row.aggregate.signs())
    };
    let old_key = |row: &HourAggregate| -> Key<'_> {
        (old_path_sets.name(row.path_set), row.is_primary, row.hour, row.aggregate.signs())
    };
    let mut note = |hour: Hour| *differing.entry(hour).or_default() += 1;
    let (mut new, mut old) = (new.peekable(), old.iter().peekable());
    loop {
        let order = match (new.peek(), old.peek()) {
            (None, None) => return,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(new), Some(old)) => new_key(new).cmp(&old_key(old)),
        };
        let was = if order.is_ge() { old.next() } else { None };
        let is = if order.is_le() { new.next() } else { None };
        match (is, was) {
            (Some(is), Some(was)) if is.aggregate == was.aggregate => {}
            (Some(AggregateRow { hour, .. }), _) | (None, Some(&HourAggregate { hour, .. })) => note(hour),
            (None, None) => return,
        }
    }
}

/// Counts all recomputed rows, and names each hour that the stored files may hold.
fn all_differ(date: Date, stored_files: &[LiveFile], recomputed: &Ordered<'_>) -> DifferingRows {
    let partitions = stored_files.iter().filter_map(|file| DayPartition::of(file).ok());
    let hours: Vec<Hour> = (0..24).map(|hour| Hour::of(date, hour)).collect();
    let mut differing = DifferingRows::new();
    for partition in partitions {
        differing.extend(hours.iter().filter(|hour| partition.may_contain(**hour)).map(|hour| (*hour, 0)));
    }
    for row in &recomputed.aggregates.rows {
        *differing.entry(row.hour).or_default() += 1;
    }
    differing
}

/// The stored files of a category's day, no hour of which is in two.
struct StoredRows {
    /// Each file's path, and a cursor in it.
    cursors: Vec<(String, Cursor)>,
    path_sets: Interner,
}

impl StoredRows {
    fn open(rollups: &Rollups, date: Date, files: &[LiveFile]) -> Result<StoredRows, RollupError> {
        let hours = std::array::from_fn(|hour| i32::try_from(hour).ok().map(|hour| Hour::of(date, hour)));
        let mut path_sets = Interner::default();
        let open = |file: &LiveFile| {
            let bytes = rollups.bytes_of(file)?;
            let path = path_of(file);
            match Cursor::open(bytes, &ItemRange::default(), None, hours, &mut path_sets) {
                Ok(cursor) => Ok((path, cursor)),
                Err(source) => Err(RollupError::Columns { file: path, source }),
            }
        };
        let cursors = files.iter().map(open).collect::<Result<_, _>>()?;
        Ok(StoredRows { cursors, path_sets })
    }

    fn next_item(&self) -> Option<&str> {
        self.cursors.iter().filter_map(|(_, cursor)| cursor.item_id()).min()
    }

    /// Takes the rows of an item, in the order of their keys; there may be none.
    fn take(&mut self, item_id: &str, into: &mut Vec<HourAggregate>) -> Result<(), RollupError> {
        into.clear();
        for (file, cursor) in &mut self.cursors {
            if cursor.item_id() == Some(item_id) {
                let taken = cursor.take_item(&mut self.path_sets, into);
                taken.map_err(|source| RollupError::Columns { file: file.clone(), source })?;
            }
        }
        if self.cursors.len() > 1 {
            let paths = &self.path_sets;
            into.sort_by(|a, b| {
                let key = |row: &HourAggregate| (row.is_primary, row.hour, row.aggregate.signs());
                paths.name(a.path_set).cmp(paths.name(b.path_set)).then_with(|| key(a).cmp(&key(b)))
            });
        }
        Ok(())
    }
}
