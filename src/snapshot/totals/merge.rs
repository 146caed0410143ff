//! Ranks in the whole shop: the orders of all top-level categories merged.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::ops::Range;

use crate::snapshot::totals::order::TopRows;
use crate::store::{Scratch, StoreError};

/// Bytes of an order that are read at once.
const READ_BYTES: u64 = 64 << 10;

/// Packs what counts shop-wide, in its order: score, units, the row's number, the id's length, the id.
pub(super) fn pack(rows: &TopRows<'_>, order: &[u32]) -> Vec<u8> {
    const TYPICAL_BYTES: usize = 36;
    let mut packed = Vec::with_capacity(order.len() * TYPICAL_BYTES);
    for &at in order {
        let row = &rows.rows[at as usize];
        if row.is_for_shop {
            packed.extend_from_slice(&row.score.to_le_bytes());
            packed.extend_from_slice(&row.units.to_le_bytes());
            packed.extend_from_slice(&at.to_le_bytes());
            packed.extend_from_slice(&(row.item_id.len() as u32).to_le_bytes());
            packed.extend_from_slice(row.item_id.as_bytes());
        }
    }
    packed
}

/// Returns for each of the orders, that lie in these places, each row's rank, 0 where it has none;
/// the rows are so many.
pub(super) fn shop_ranks(
    scratch: &Scratch,
    orders: &[(Range<u64>, usize)],
) -> Result<Vec<Vec<u32>>, StoreError> {
    let mut ranks: Vec<Vec<u32>> = orders.iter().map(|(_, rows)| vec![0; *rows]).collect();
    let mut heads = BinaryHeap::with_capacity(orders.len());
    for (number, (range, _)) in orders.iter().enumerate() {
        let run =
            Run { scratch, number, left: range.clone(), buffer: Vec::new(), at: 0, head: Head::default() };
        heads.extend(run.next()?.map(Reverse));
    }
    let mut rank = 0;
    while let Some(mut best) = heads.peek_mut() {
        rank += 1;
        let Reverse(run) = &mut *best;
        ranks[run.number][run.head.row as usize] = rank;
        if !run.advance()? {
            PeekMut::pop(best);
        }
    }
    Ok(ranks)
}

/// One order, read piece by piece.
struct Run<'a> {
    scratch: &'a Scratch,
    number: usize,
    /// What is not read yet.
    left: Range<u64>,
    buffer: Vec<u8>,
    /// Where in the buffer the next one begins.
    at: usize,
    head: Head,
}

/// The best that is left of an order.
#[derive(Default)]
struct Head {
    score: f64,
    units: i64,
    row: u32,
    item_id: Vec<u8>,
}

impl<'a> Run<'a> {
    /// Returns the run with its first row read, if it has any.
    fn next(mut self) -> Result<Option<Run<'a>>, StoreError> {
        Ok(self.advance()?.then_some(self))
    }

    /// Goes on to the next row, if there is one.
    fn advance(&mut self) -> Result<bool, StoreError> {
        const NUMBERS: usize = 24;
        if !self.fill(NUMBERS)? {
            return Ok(false);
        }
        let numbers: [u8; NUMBERS] = self.take(NUMBERS).try_into().unwrap_or([0; NUMBERS]);
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x] = numbers;
        self.head.score = f64::from_le_bytes([a, b, c, d, e, f, g, h]);
        self.head.units = i64::from_le_bytes([i, j, k, l, m, n, o, p]);
        self.head.row = u32::from_le_bytes([q, r, s, t]);
        let length = u32::from_le_bytes([u, v, w, x]) as usize;
        if !self.fill(length)? {
            return Ok(false);
        }
        self.head.item_id.clear();
        let id = self.at..self.at + length;
        self.head.item_id.extend_from_slice(&self.buffer[id]);
        self.at += length;
        Ok(true)
    }

    fn take(&mut self, bytes: usize) -> &[u8] {
        let from = self.at;
        self.at += bytes;
        &self.buffer[from..self.at]
    }

    /// Sees to it that so many bytes are in the buffer; tells whether there are.
    fn fill(&mut self, bytes: usize) -> Result<bool, StoreError> {
        while self.buffer.len() - self.at < bytes {
            if self.left.is_empty() {
                return Ok(false);
            }
            self.buffer.drain(..self.at);
            self.at = 0;
            let end = self.left.end.min(self.left.start + READ_BYTES);
            self.buffer.extend(self.scratch.read(self.left.start..end)?);
            self.left.start = end;
        }
        Ok(true)
    }

    /// Better is less.
    fn order(&self, other: &Run<'_>) -> Ordering {
        let (a, b) = (&self.head, &other.head);
        let score = b.score.total_cmp(&a.score);
        score.then(b.units.cmp(&a.units)).then_with(|| a.item_id.cmp(&b.item_id))
    }
}

impl Ord for Run<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order(other)
    }
}

impl PartialOrd for Run<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Run<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Run<'_> {}
