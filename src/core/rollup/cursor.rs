//! A cursor over the items of one rollup file.
//!
//! Invariant: items come in the order of their ids; a file that is not sorted is an error.

use bytes::Bytes;

use crate::model::{Hour, HourAggregate, Interner, ItemKey};
use crate::parquet_format::{
    AggregateBatch, AggregateBlock, ColumnsError, DictionaryInterner, ItemRange, WantsItem, decode_aggregates,
};

/// A position in a file: at an item, or after the last.
pub(super) struct Cursor {
    batches: Box<dyn Iterator<Item = Result<AggregateBatch, ColumnsError>> + Send>,
    batch: Option<AggregateBatch>,
    block: AggregateBlock,
    /// The item of the block that comes next.
    item: usize,
    range: ItemRange,
    /// By hour of day, the hours that are wanted.
    hours: [Option<Hour>; 24],
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
        hours: [Option<Hour>; 24],
        path_sets: &mut Interner,
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
        cursor.next_batch(path_sets)?;
        while cursor.item_id().is_some_and(|item_id| range.from.as_deref().is_some_and(|from| item_id < from))
        {
            cursor.take_item(path_sets, &mut Vec::new())?;
        }
        Ok(cursor)
    }

    /// Returns the item that comes next; none at the end of the range.
    pub fn item_id(&self) -> Option<&str> {
        let batch = self.batch.as_ref()?;
        Some(batch.item_id(self.block.items.get(self.item)?.row))
    }

    /// Returns the key of the item that comes next; none at the end of the range.
    pub fn key(&self) -> Option<ItemKey> {
        self.block.items.get(self.item).map(|item| item.key)
    }

    /// Appends the next item's wanted rows, in the file's order, and advances to the item after it.
    ///
    /// # Errors
    /// Fails where the file is damaged, or not sorted.
    pub fn take_item(
        &mut self,
        path_sets: &mut Interner,
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
            let passed = batch.item_id(item.row).to_owned();
            self.next_batch(path_sets)?;
            match self.item_id() {
                Some(item_id) if item_id == passed => {}
                Some(item_id) if *item_id < *passed => return Err(ColumnsError::Unsorted),
                _ => return Ok(()),
            }
        }
        Ok(())
    }

    fn next_batch(&mut self, path_sets: &mut Interner) -> Result<(), ColumnsError> {
        self.item = 0;
        self.block.items.clear();
        self.batch =
            self.batches.find(|batch| batch.as_ref().map_or(true, |of| of.rows() > 0)).transpose()?;
        let Some(batch) = &self.batch else { return Ok(()) };
        batch.read(&mut self.paths, path_sets, &mut self.block);
        if !batch.is_sorted(&self.block) {
            return Err(ColumnsError::Unsorted);
        }
        if let Some(until) = &self.range.until {
            let within = self.block.items.partition_point(|item| batch.item_id(item.row) < until.as_str());
            self.block.items.truncate(within);
        }
        Ok(())
    }
}
