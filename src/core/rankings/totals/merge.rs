//! Ranks in the whole shop: the orders of all top-level categories merged.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering as AtomicOrdering};

use rayon::prelude::*;

use crate::rankings::totals::order::TopRows;
use crate::storage::{Scratch, StoreError};

/// Bytes of an order that are read at once.
const READ_BYTES: u64 = 64 << 10;

/// Rows of an order between two that are noted, so that parts of it can be read apart.
const NOTED: u32 = 1 << 10;
/// Parts of the merge, which are done side by side.
const PARTS: usize = 8;

/// An order that is set aside.
pub(super) struct Aside {
    pub range: Range<u64>,
    /// How many rows its top-level category has.
    pub rows: usize,
    pub notes: Vec<Note>,
}

/// Where a row of an order lies.
pub(super) struct Note {
    score: f64,
    /// From where the order begins.
    at: u64,
    /// How many rows come before it.
    before: u32,
}

/// Packs what counts shop-wide, in its order: score, units, the row's number, the id's length, the
/// id; and notes where some of it lies.
pub(super) fn pack(rows: &TopRows<'_>, order: &[u32]) -> (Vec<u8>, Vec<Note>) {
    const TYPICAL_BYTES: usize = 36;
    let mut packed = Vec::with_capacity(order.len() * TYPICAL_BYTES);
    let (mut notes, mut before) = (Vec::new(), 0_u32);
    for &at in order {
        let row = &rows.rows[at as usize];
        if row.is_for_shop {
            if before.is_multiple_of(NOTED) {
                notes.push(Note { score: row.score, at: packed.len() as u64, before });
            }
            before += 1;
            packed.extend_from_slice(&row.score.to_le_bytes());
            packed.extend_from_slice(&row.units.to_le_bytes());
            packed.extend_from_slice(&at.to_le_bytes());
            packed.extend_from_slice(&(row.item_id.len() as u32).to_le_bytes());
            packed.extend_from_slice(row.item_id.as_bytes());
        }
    }
    (packed, notes)
}

/// Returns for each of the orders each row's rank, 0 where it has none.
///
/// The scores are cut into parts of about as many rows, and each part is merged by itself: how many
/// rows come before it is known from the orders' notes.
pub(super) fn shop_ranks(scratch: &Scratch, orders: &[Aside]) -> Result<Vec<Vec<u32>>, StoreError> {
    let ranks: Vec<Vec<AtomicU32>> =
        orders.iter().map(|of| (0..of.rows).map(|_| AtomicU32::new(0)).collect()).collect();
    let mut scores: Vec<f64> = orders.iter().flat_map(|of| &of.notes).map(|note| note.score).collect();
    scores.sort_unstable_by(|a, b| b.total_cmp(a));
    let cuts = (1..PARTS).filter_map(|part| scores.get(scores.len() * part / PARTS).copied());
    let mut cuts: Vec<f64> = [f64::INFINITY].into_iter().chain(cuts).chain([f64::NEG_INFINITY]).collect();
    cuts.dedup();
    let parts: Vec<(f64, f64)> = cuts.windows(2).map(|ends| (ends[0], ends[1])).collect();
    parts.into_par_iter().try_for_each(|(from, until)| merge(scratch, orders, from, until, &ranks))?;
    let plain = |ranks: Vec<AtomicU32>| ranks.into_iter().map(AtomicU32::into_inner).collect();
    Ok(ranks.into_iter().map(plain).collect())
}

/// Ranks the rows whose scores are no more than the one, and more than the other.
fn merge(
    scratch: &Scratch,
    orders: &[Aside],
    from: f64,
    until: f64,
    ranks: &[Vec<AtomicU32>],
) -> Result<(), StoreError> {
    let mut heads = BinaryHeap::with_capacity(orders.len());
    let mut rank = 0;
    for (number, of) in orders.iter().enumerate() {
        // The last that is noted above: what comes before it is above, too.
        let above = of.notes.partition_point(|note| note.score > from).checked_sub(1);
        let (at, mut before) = above.map_or((0, 0), |at| (of.notes[at].at, of.notes[at].before));
        let left = of.range.start + at..of.range.end;
        let mut run = Run { scratch, number, left, buffer: Vec::new(), at: 0, head: Head::default() };
        let mut has_more = run.advance()?;
        while has_more && run.head.score > from {
            before += 1;
            has_more = run.advance()?;
        }
        rank += before;
        if has_more && run.head.score > until {
            heads.push(Reverse(run));
        }
    }
    while let Some(mut best) = heads.peek_mut() {
        rank += 1;
        let Reverse(run) = &mut *best;
        ranks[run.number][run.head.row as usize].store(rank, AtomicOrdering::Relaxed);
        if !run.advance()? || run.head.score <= until {
            PeekMut::pop(best);
        }
    }
    Ok(())
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

impl Run<'_> {
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
