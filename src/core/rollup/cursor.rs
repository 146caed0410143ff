//! A cursor over the items of one rollup file.
//!
//! Invariant: items come in the order of their categories and ids; a file that is not sorted is an error.

use bytes::Bytes;

use crate::model::{Hour, HourAggregate, ItemKey};
use crate::parquet_format::{
    AggregateBatch, AggregateBlock, ColumnsError, DictionaryInterner, ItemRange, WantsItem, decode_aggregates,
};
use crate::rollup::scanned_sets::ScannedSets;

/// A position in a file: at an item of a category, or after the last.
pub(super) struct Cursor {
    batches: Box<dyn Iterator<Item = Result<AggregateBatch, ColumnsError>> + Send>,
    batch: Option<AggregateBatch>,
    block: AggregateBlock,
    /// The item of the block that comes next.
    item: usize,
    range: ItemRange,
    /// By hour of day, the hours that are wanted.
    hours: Vec<Option<Hour>>,
    paths: DictionaryInterner,
}

impl Cursor {
    /// Opens a file's bytes at the range's first item, to return all its items or those that are wanted.
    ///
    /// # Errors
    /// Fails where the bytes are not a rollup file, or not sorted.
    pub fn open(
        bytes: Bytes,
        range: &ItemRange,
        wants: Option<WantsItem<'_>>,
        hours: Vec<Option<Hour>>,
        sets: &mut ScannedSets<'_>,
    ) -> Result<Cursor, ColumnsError> {
        let mut cursor = Cursor {
            batches: Box::new(decode_aggregates(bytes, range, wants)?),
            batch: None,
            block: AggregateBlock::default(),
            item: 0,
            range: range.clone(),
            hours,
            paths: DictionaryInterner::default(),
        };
        cursor.next_batch(sets)?;
        Ok(cursor)
    }

    /// Returns the item that comes next; none at the end of the range.
    pub fn item_id(&self) -> Option<&str> {
        let batch = self.batch.as_ref()?;
        Some(batch.item_id(self.block.items.get(self.item)?.row))
    }

    /// Returns the number of the category of the item that comes next; none at the end of the range.
    #[inline]
    pub fn category(&self) -> Option<u32> {
        self.block.category(self.item)
    }

    /// Returns the key of the item that comes next, if it is of a category.
    #[inline]
    pub fn key_in(&self, category: u32) -> Option<ItemKey> {
        let item = self.block.items.get(self.item)?;
        (self.category() == Some(category)).then_some(item.key)
    }

    /// Appends the next item's wanted rows, in the file's order, and advances to the item after it.
    ///
    /// # Errors
    /// Fails where the file is damaged, or not sorted.
    pub fn take_item(
        &mut self,
        sets: &mut ScannedSets<'_>,
        into: &mut Vec<HourAggregate>,
    ) -> Result<(), ColumnsError> {
        while let Some((batch, item)) = self.batch.as_ref().zip(self.block.items.get(self.item)) {
            // One by one: mostly there is only one, and counting them first would cost more.
            batch.rows_of(item, &self.block, &self.hours).for_each(|row| into.push(row));
            if self.item + 1 < self.block.items.len() {
                self.item += 1;
                return Ok(());
            }
            // The item may continue in the next batch.
            let (passed, category) = (batch.item_id(item.row).to_owned(), self.category());
            self.next_batch(sets)?;
            match (self.category(), self.item_id()) {
                (next, Some(item_id)) if next == category && item_id == passed => {}
                (next, Some(item_id)) => {
                    let name =
                        |number: Option<u32>| number.and_then(|number| sets.path_sets.category(number));
                    let is_sorted = (name(category), passed.as_str()) < (name(next), item_id);
                    return if is_sorted { Ok(()) } else { Err(ColumnsError::Unsorted) };
                }
                _ => return Ok(()),
            }
        }
        Ok(())
    }

    /// Reads on until there are items of the range.
    fn next_batch(&mut self, sets: &mut ScannedSets<'_>) -> Result<(), ColumnsError> {
        self.item = 0;
        loop {
            self.block = AggregateBlock::default();
            self.batch =
                self.batches.find(|batch| batch.as_ref().map_or(true, |of| of.rows() > 0)).transpose()?;
            self.batch = self.batch.take().map(|batch| batch.within(self.hours.len())).transpose()?;
            let Some(batch) = &self.batch else { return Ok(()) };
            batch.read_by_category(&mut self.paths, &mut sets.path_sets, &mut self.block)?;
            if let Some(are_wanted) = sets.are_wanted() {
                self.block.retain(|block, at| block.sets_of(at).iter().any(|set| are_wanted[*set as usize]));
                if self.block.items.is_empty() {
                    continue;
                }
            }
            if self.range.is_full() {
                return Ok(());
            }
            let (range, path_sets) = (&self.range, &sets.path_sets);
            let place = |block: &AggregateBlock, at: usize| {
                let category = block.category(at).and_then(|number| path_sets.category(number));
                (category, batch.item_id(block.items[at].row))
            };
            let (category, first) = place(&self.block, 0);
            if range.ends_before(category, first) {
                self.block = AggregateBlock::default();
                self.batch = None;
                return Ok(());
            }
            self.block.retain(|block, at| {
                let (category, item_id) = place(block, at);
                range.contains(category, item_id)
            });
            if !self.block.items.is_empty() {
                return Ok(());
            }
        }
    }
}
