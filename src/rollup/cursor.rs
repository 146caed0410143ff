//! One rollup file, read item by item.

use std::cmp::Ordering;

use crate::columns::{Coder, ColumnsError, ItemRange, SumBatch, decode_sums};
use crate::event::{HourSums, Names};
use crate::time::Hour;

/// An item's id, in the ids' order, as it is compared most quickly.
///
/// The first fifteen bytes and the length are one number; ids that are longer stand beside it.
#[derive(Clone, Debug)]
pub(super) struct ItemKey {
    short: u128,
    /// The whole id, where it is longer.
    long: Option<Box<str>>,
}

const SHORT_BYTES: usize = 15;

impl ItemKey {
    fn of(item_id: &str) -> ItemKey {
        let mut bytes = [0; SHORT_BYTES + 1];
        let kept = item_id.len().min(SHORT_BYTES);
        bytes[..kept].copy_from_slice(&item_id.as_bytes()[..kept]);
        // Behind equal bytes, the shorter id comes first, as it does among texts.
        bytes[SHORT_BYTES] = item_id.len().min(SHORT_BYTES + 1) as u8;
        let is_long = item_id.len() > SHORT_BYTES;
        ItemKey { short: u128::from_be_bytes(bytes), long: is_long.then(|| item_id.into()) }
    }
}

impl Ord for ItemKey {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.long, &other.long) {
            // Only of two long ones do the first bytes not tell.
            (Some(long), Some(other)) => long.cmp(other),
            _ => self.short.cmp(&other.short),
        }
    }
}

impl PartialOrd for ItemKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ItemKey {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for ItemKey {}

/// A place in a file: at an item, or behind the last.
pub(super) struct Cursor {
    batches: Box<dyn Iterator<Item = Result<SumBatch, ColumnsError>> + Send>,
    batch: Option<SumBatch>,
    row: usize,
    range: ItemRange,
    /// By hour of day, the hours that are wanted.
    hours: [Option<Hour>; 24],
    paths: Coder,
    key: ItemKey,
}

impl Cursor {
    /// Opens a file's bytes at the range's first item.
    ///
    /// # Errors
    /// Fails where the bytes are no rollup file.
    pub fn open(
        bytes: bytes::Bytes,
        range: &ItemRange,
        hours: [Option<Hour>; 24],
    ) -> Result<Cursor, ColumnsError> {
        let mut cursor = Cursor {
            batches: Box::new(decode_sums(bytes, range)?),
            batch: None,
            row: 0,
            range: range.clone(),
            hours,
            paths: Coder::default(),
            key: ItemKey::of(""),
        };
        cursor.next_batch()?;
        cursor.look()?;
        while cursor.item_id().is_some_and(|item_id| range.from.as_deref().is_some_and(|from| item_id < from))
        {
            cursor.pass_item(|_, _, _| {})?;
        }
        Ok(cursor)
    }

    /// Returns the item that comes next; none at the end of the range.
    pub fn item_id(&self) -> Option<&str> {
        self.batch.as_ref().map(|batch| batch.item_id(self.row))
    }

    /// Returns the key of the item that comes next; none at the end of the range.
    pub fn key(&self) -> Option<&ItemKey> {
        self.batch.is_some().then_some(&self.key)
    }

    /// Appends the next item's wanted rows, in the file's order, and goes on to the item behind it.
    ///
    /// # Errors
    /// Fails where the file is damaged, or not sorted.
    pub fn take_item(&mut self, path_sets: &mut Names, into: &mut Vec<HourSums>) -> Result<(), ColumnsError> {
        let hours = self.hours;
        self.pass_item(|batch, row, paths| {
            let Some(hour) = hours[batch.hour_of_day(row) as usize] else { return };
            into.push(HourSums {
                hour,
                path_set: batch.path_set(row, paths, path_sets),
                is_primary: batch.is_primary(row),
                sums: batch.sums(row),
            });
        })
    }

    /// Goes to the next item, giving each row of this one to `take`.
    fn pass_item(&mut self, mut take: impl FnMut(&SumBatch, usize, &mut Coder)) -> Result<(), ColumnsError> {
        while let Some(batch) = &self.batch {
            let item_id = batch.item_id(self.row);
            take(batch, self.row, &mut self.paths);
            self.row += 1;
            while self.row < batch.rows() && batch.item_id(self.row) == item_id {
                take(batch, self.row, &mut self.paths);
                self.row += 1;
            }
            if self.row < batch.rows() {
                return self.look();
            }
            // The item may go on in the next batch.
            self.next_batch()?;
            let passed = std::mem::replace(&mut self.key, ItemKey::of(""));
            self.look()?;
            if self.key() != Some(&passed) {
                return match self.key() {
                    Some(key) if *key < passed => Err(ColumnsError::Unsorted),
                    _ => Ok(()),
                };
            }
        }
        Ok(())
    }

    fn next_batch(&mut self) -> Result<(), ColumnsError> {
        self.row = 0;
        let is_empty = |batch: &Result<SumBatch, ColumnsError>| batch.as_ref().is_ok_and(|of| of.rows() == 0);
        self.batch = self.batches.find(|batch| !is_empty(batch)).transpose()?;
        Ok(())
    }

    /// Looks which item stands at the row, and ends where it is out of the range.
    fn look(&mut self) -> Result<(), ColumnsError> {
        let Some(batch) = &self.batch else { return Ok(()) };
        let item_id = batch.item_id(self.row);
        let key = ItemKey::of(item_id);
        if key < self.key {
            return Err(ColumnsError::Unsorted);
        }
        if self.range.until.as_deref().is_some_and(|until| item_id >= until) {
            self.batch = None;
        }
        self.key = key;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_the_order_of_their_ids() {
        let mut ids = vec!["", "a", "a\0", "ab", "b", "é"];
        let long = ["123456789012345", "1234567890123456", "1234567890123457", "123456789012345\0"];
        ids.extend(long);
        for a in &ids {
            for b in &ids {
                assert_eq!(ItemKey::of(a).cmp(&ItemKey::of(b)), a.cmp(b), "{a:?} and {b:?}");
            }
        }
    }
}
