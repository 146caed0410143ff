//! The aggregates that stood, held against those re-aggregated, item by item in the order of the files.
//!
//! Files are read as a stream: what is in memory beside the new aggregates are a few pages of each file and the
//! rows of one item.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::delta::LiveFile;
use crate::model::{AggregateRow, AggregateRows, Date, Hour, HourAggregate, Interner};
use crate::parquet_format::ItemRange;
use crate::rollup::cursor::Cursor;
use crate::rollup::read::{path_of, place_of};
use crate::rollup::{RollupError, Rollups};

/// Rows that are not as they stood, by hour.
pub(super) type Differing = BTreeMap<Hour, u64>;

/// Aggregates, and where their rows lie in the order of rollup files.
pub(super) struct Ordered<'a> {
    pub aggregates: &'a AggregateRows,
    pub order: &'a [u32],
}

/// What tells a row of an item from its others.
type Key<'a> = (&'a str, bool, Hour);

/// Tells whether what stood are the very bytes that are to be written; files laid out otherwise may still hold
/// the same aggregates.
pub(super) fn is_as_stood(rollups: &Rollups, standing: &[LiveFile], anew: Option<&Bytes>) -> bool {
    match (standing, anew) {
        ([], None) => true,
        ([only], Some(bytes)) => {
            only.size_bytes == bytes.len() as u64 && rollups.bytes_of(only).is_ok_and(|stood| stood == *bytes)
        }
        _ => false,
    }
}

/// Returns which rows of a category's day are not as they stood, outside the hours that have changed since;
/// where a file cannot be read, nothing stood.
pub(super) fn compare(
    rollups: &Rollups,
    date: Date,
    standing: &[LiveFile],
    anew: &Ordered<'_>,
    changed: &BTreeSet<Hour>,
) -> Differing {
    let differing = Standing::open(rollups, date, standing).and_then(|stood| compare_items(stood, anew));
    let mut differing = differing.unwrap_or_else(|_| unreadable(date, standing, anew));
    differing.retain(|hour, _| !changed.contains(hour));
    differing
}

fn compare_items(mut stood: Standing, anew: &Ordered<'_>) -> Result<Differing, RollupError> {
    let Ordered { aggregates, order } = *anew;
    let mut differing = Differing::new();
    let item_at = |at: usize| order.get(at).map(|&row| aggregates.rows[row as usize].item);
    let (mut at, mut item_id, mut of_item) = (0, String::new(), Vec::new());
    loop {
        let next = item_at(at).map(|item| aggregates.items.name(item));
        match (next, stood.next_item()) {
            (None, None) => return Ok(differing),
            (Some(new), Some(old)) => new.min(old).clone_into(&mut item_id),
            (Some(only), None) | (None, Some(only)) => only.clone_into(&mut item_id),
        }
        stood.take(&item_id, &mut of_item)?;
        let first = at;
        if next == Some(&*item_id) {
            let item = item_at(at);
            at += order[at..]
                .iter()
                .take_while(|&&row| Some(aggregates.rows[row as usize].item) == item)
                .count();
        }
        let new = order[first..at].iter().map(|&row| aggregates.rows[row as usize]);
        compare_rows(new, aggregates, &of_item, &stood.path_sets, &mut differing);
    }
}

/// Walks along both lists of an item's rows, each in the order of its keys.
fn compare_rows(
    new: impl Iterator<Item = AggregateRow>,
    aggregates: &AggregateRows,
    old: &[HourAggregate],
    old_path_sets: &Interner,
    differing: &mut Differing,
) {
    let new_key = |row: &AggregateRow| -> Key<'_> {
        (aggregates.path_sets.name(row.path_set), row.is_primary, row.hour)
    };
    let old_key =
        |row: &HourAggregate| -> Key<'_> { (old_path_sets.name(row.path_set), row.is_primary, row.hour) };
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

/// Counts all rows of hours that should have stood, and each hour that something stood of.
fn unreadable(date: Date, standing: &[LiveFile], anew: &Ordered<'_>) -> Differing {
    let places = standing.iter().filter_map(|file| place_of(file).ok());
    let hours: Vec<Hour> = (0..24).map(|hour| Hour::of(date, hour)).collect();
    let mut differing = Differing::new();
    for place in places {
        differing.extend(hours.iter().filter(|hour| place.may_hold(**hour)).map(|hour| (*hour, 0)));
    }
    for row in &anew.aggregates.rows {
        *differing.entry(row.hour).or_default() += 1;
    }
    differing
}

/// The files that stood, no hour of which lies in two.
struct Standing {
    /// Each file's path, and the place in it.
    cursors: Vec<(String, Cursor)>,
    path_sets: Interner,
}

impl Standing {
    fn open(rollups: &Rollups, date: Date, files: &[LiveFile]) -> Result<Standing, RollupError> {
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
        Ok(Standing { cursors, path_sets })
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
                let key = |row: &HourAggregate| (row.is_primary, row.hour);
                paths.name(a.path_set).cmp(paths.name(b.path_set)).then_with(|| key(a).cmp(&key(b)))
            });
        }
        Ok(())
    }
}
