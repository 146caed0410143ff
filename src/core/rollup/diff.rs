//! Recomputed aggregates compared with the stored ones, item by item in the order of the files.
//!
//! Invariant: files are read as a stream; beside the recomputed aggregates, memory holds a few pages of
//! each file and the rows of one item.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use crate::delta::LiveFile;
use crate::model::{
    AggregateRow, AggregateRows, Date, Hour, HourAggregate, Interner, Shard, Signs, category_of_set,
};
use crate::parquet_format::ItemRange;
use crate::rollup::cursor::Cursor;
use crate::rollup::error::RollupError;
use crate::rollup::scanned_sets::ScannedSets;
use crate::rollup::table::{Rollups, is_part_of_any, partition_of, path_of};
use crate::rollup::write::EncodedFile;

/// Numbers of rows that differ from the stored ones, by hour.
pub(super) type DifferingRows = BTreeMap<Hour, u64>;

/// Aggregates, and the positions of their rows in the order of rollup files.
pub(super) struct Ordered<'a> {
    pub aggregates: &'a AggregateRows,
    pub order: &'a [u32],
}

/// What identifies a row among those of an item.
type Key<'a> = (&'a str, bool, Hour, Signs);

/// Returns whether the stored files have the very bytes that are to be written; other bytes may still hold
/// the same aggregates.
pub(super) fn are_same_files(rollups: &Rollups, stored: &[LiveFile], recomputed: &[EncodedFile]) -> bool {
    stored.len() == recomputed.len()
        && recomputed.iter().all(|file| {
            stored.iter().any(|stored| {
                stored.partition == file.partition.values()
                    && stored.size_bytes == file.bytes().len() as u64
                    && rollups.bytes_of(stored).is_ok_and(|stored| stored == *file.bytes())
            })
        })
}

/// Returns how many rows of a shard's day differ from the stored ones, except in the hours that have
/// changed since, and whether the stored ones can be read; where a file cannot, all its hours differ.
pub(super) fn diff(
    rollups: &Rollups,
    date: Date,
    shard: Shard,
    stored_files: &[LiveFile],
    recomputed: &Ordered<'_>,
    changed: &BTreeSet<Hour>,
) -> (DifferingRows, bool) {
    let stored = StoredRows::open(rollups, date, shard, stored_files);
    let differing = stored.and_then(|stored| diff_items(stored, recomputed));
    let is_readable = differing.is_ok();
    let mut differing = differing.unwrap_or_else(|_| all_differ(stored_files, recomputed));
    differing.retain(|hour, _| !changed.contains(hour));
    (differing, is_readable)
}

fn diff_items(mut stored: StoredRows, recomputed: &Ordered<'_>) -> Result<DifferingRows, RollupError> {
    let Ordered { aggregates, order } = *recomputed;
    let mut differing = DifferingRows::new();
    let place_at = |at: usize| {
        let row = &aggregates.rows[*order.get(at)? as usize];
        let category = category_of_set(aggregates.path_sets.name(row.path_set));
        Some((category, aggregates.items.name(row.item)))
    };
    let (mut at, mut stored_rows) = (0, Vec::new());
    loop {
        let next = place_at(at);
        let (category, item_id) = match (next, stored.next_item()) {
            (None, None) => return Ok(differing),
            (Some(new), Some(old)) => new.min(old),
            (Some(only), None) | (None, Some(only)) => only,
        };
        let (category, item_id) = (category.map(str::to_owned), item_id.to_owned());
        let place = (category.as_deref(), item_id.as_str());
        stored.take(place, &mut stored_rows)?;
        if stored.shard.is_some_and(|shard| !shard.has(place.0)) {
            continue;
        }
        let first = at;
        while place_at(at) == Some(place) {
            at += 1;
        }
        let new = order[first..at].iter().map(|&row| aggregates.rows[row as usize]);
        diff_rows(new, aggregates, &stored_rows, &stored.sets.path_sets.sets, &mut differing);
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
fn all_differ(stored_files: &[LiveFile], recomputed: &Ordered<'_>) -> DifferingRows {
    let partitions = stored_files.iter().filter_map(|file| partition_of(file).ok());
    let mut differing = DifferingRows::new();
    for partition in partitions {
        differing.extend(partition.hours().map(|hour| (hour, 0)));
    }
    for row in &recomputed.aggregates.rows {
        *differing.entry(row.hour).or_default() += 1;
    }
    differing
}

/// The stored files of a shard's day, no hour of a category of which is in two.
struct StoredRows {
    /// Each file's path, and a cursor in it.
    cursors: Vec<(String, Cursor)>,
    sets: ScannedSets<'static>,
    /// The shard that is compared, where the files have other categories, too.
    shard: Option<Shard>,
}

impl StoredRows {
    fn open(
        rollups: &Rollups,
        date: Date,
        shard: Shard,
        files: &[LiveFile],
    ) -> Result<StoredRows, RollupError> {
        let hours: Vec<Option<Hour>> = (0..24).map(|hour| Some(Hour::of(date, hour))).collect();
        let mut sets = ScannedSets::default();
        let open = |file: &LiveFile| {
            let bytes = rollups.bytes_of(file)?;
            let path = path_of(file);
            match Cursor::open(bytes, &ItemRange::default(), None, hours.clone(), &mut sets) {
                Ok(cursor) => Ok((path, cursor)),
                Err(source) => Err(RollupError::Columns { file: path, source }),
            }
        };
        let cursors = files.iter().map(open).collect::<Result<_, _>>()?;
        let shard = is_part_of_any(files, shard)?.then_some(shard);
        Ok(StoredRows { cursors, sets, shard })
    }

    /// Returns the category and the id of the next item.
    fn next_item(&self) -> Option<(Option<&str>, &str)> {
        self.cursors.iter().filter_map(|(_, cursor)| self.place_of(cursor)).min()
    }

    fn place_of<'a>(&'a self, cursor: &'a Cursor) -> Option<(Option<&'a str>, &'a str)> {
        let category = cursor.category().and_then(|number| self.sets.path_sets.category(number));
        Some((category, cursor.item_id()?))
    }

    /// Takes the rows of an item in a category, in the order of their keys; there may be none.
    fn take(
        &mut self,
        place: (Option<&str>, &str),
        into: &mut Vec<HourAggregate>,
    ) -> Result<(), RollupError> {
        into.clear();
        for at in 0..self.cursors.len() {
            if self.place_of(&self.cursors[at].1) == Some(place) {
                let (file, cursor) = &mut self.cursors[at];
                let taken = cursor.take_item(&mut self.sets, into);
                taken.map_err(|source| RollupError::Columns { file: file.clone(), source })?;
            }
        }
        if self.cursors.len() > 1 {
            let paths = &self.sets.path_sets.sets;
            into.sort_by(|a, b| {
                let key = |row: &HourAggregate| (row.is_primary, row.hour, row.aggregate.signs());
                paths.name(a.path_set).cmp(paths.name(b.path_set)).then_with(|| key(a).cmp(&key(b)))
            });
        }
        Ok(())
    }
}
