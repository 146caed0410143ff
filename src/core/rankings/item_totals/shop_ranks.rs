//! Ranks in the whole shop: a k-way merge of the sorted top-level categories.
//!
//! ```text
//! printed score | units | number of the row | lengths of the id and of the score | id | exact score
//! f64 LE          i64 LE  u32 LE              u32 LE, 2 × u16 LE
//! ```

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering as AtomicOrdering};

use rayon::prelude::*;

use crate::model::Units;
use crate::rankings::item_totals::category_rows::CategoryRows;
use crate::storage::{Scratch, StoreError};

/// Bytes of a run that are read at once.
const READ_BYTES: u64 = 64 << 10;

/// Rows of a run between two checkpoints, from which slices of it can be read.
const ROWS_PER_CHECKPOINT: u32 = 1 << 10;
/// Slices of the merge, which run in parallel.
const SLICES: usize = 8;

/// One top-level category's rows that count shop-wide, best first, spilled to the scratch file.
pub(super) struct SortedRun {
    pub range: Range<u64>,
    /// How many rows its top-level category has, all of them.
    pub rows: usize,
    pub checkpoints: Vec<Checkpoint>,
}

/// The place of a row in a run.
pub(super) struct Checkpoint {
    score: f64,
    /// From the beginning of the run.
    at: u64,
    /// How many rows come before it.
    before: u32,
}

/// Packs the rows that count shop-wide, in their order, and returns checkpoints in the bytes.
pub(super) fn pack(rows: &CategoryRows<'_>, order: &[u32]) -> (Vec<u8>, Vec<Checkpoint>) {
    const TYPICAL_BYTES: usize = 36;
    let mut packed = Vec::with_capacity(order.len() * TYPICAL_BYTES);
    let (mut checkpoints, mut before) = (Vec::new(), 0_u32);
    for &at in order {
        let row = &rows.rows[at as usize];
        if row.is_for_shop {
            if before.is_multiple_of(ROWS_PER_CHECKPOINT) {
                checkpoints.push(Checkpoint { score: row.score, at: packed.len() as u64, before });
            }
            before += 1;
            packed.extend_from_slice(&row.score.to_le_bytes());
            packed.extend_from_slice(&row.units.ten_thousandths().to_le_bytes());
            packed.extend_from_slice(&at.to_le_bytes());
            packed.extend_from_slice(&(row.item_id.len() as u32).to_le_bytes());
            // At most 8,208: a score of the most octaves.
            packed.extend_from_slice(&row.exact.length.to_le_bytes());
            packed.extend_from_slice(&(row.exact.bytes.len() as u16).to_le_bytes());
            packed.extend_from_slice(row.item_id.as_bytes());
            packed.extend_from_slice(row.exact.bytes);
        }
    }
    (packed, checkpoints)
}

/// Returns for each run the rank of each row, 0 where it has none.
///
/// The scores are divided into slices of about as many rows, and each slice is merged by itself: the
/// runs' checkpoints have the number of rows before it.
pub(super) fn shop_ranks(scratch: &Scratch, runs: &[SortedRun]) -> Result<Vec<Vec<u32>>, StoreError> {
    let ranks: Vec<Vec<AtomicU32>> =
        runs.iter().map(|run| (0..run.rows).map(|_| AtomicU32::new(0)).collect()).collect();
    let mut scores: Vec<f64> =
        runs.iter().flat_map(|run| &run.checkpoints).map(|checkpoint| checkpoint.score).collect();
    scores.sort_unstable_by(|a, b| b.total_cmp(a));
    let cuts = (1..SLICES).filter_map(|slice| scores.get(scores.len() * slice / SLICES).copied());
    let mut cuts: Vec<f64> = [f64::INFINITY].into_iter().chain(cuts).chain([f64::NEG_INFINITY]).collect();
    cuts.dedup();
    let slices: Vec<(f64, f64)> = cuts.windows(2).map(|ends| (ends[0], ends[1])).collect();
    slices.into_par_iter().try_for_each(|(from, until)| merge(scratch, runs, from, until, &ranks))?;
    let plain = |ranks: Vec<AtomicU32>| ranks.into_iter().map(AtomicU32::into_inner).collect();
    Ok(ranks.into_iter().map(plain).collect())
}

/// Ranks the rows with a score of at most `from` and more than `until`.
fn merge(
    scratch: &Scratch,
    runs: &[SortedRun],
    from: f64,
    until: f64,
    ranks: &[Vec<AtomicU32>],
) -> Result<(), StoreError> {
    let mut heads = BinaryHeap::with_capacity(runs.len());
    let mut rank = 0;
    for (number, run) in runs.iter().enumerate() {
        // The last checkpoint above: all rows before it are above, too.
        let above = run.checkpoints.partition_point(|checkpoint| checkpoint.score > from).checked_sub(1);
        let above = above.map(|at| &run.checkpoints[at]);
        let (at, mut before) = above.map_or((0, 0), |checkpoint| (checkpoint.at, checkpoint.before));
        let left = run.range.start + at..run.range.end;
        let mut run = RunReader { scratch, number, left, buffer: Vec::new(), at: 0, head: Head::default() };
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

/// A run, read piece by piece.
struct RunReader<'a> {
    scratch: &'a Scratch,
    number: usize,
    /// The part of the scratch file that was not read yet.
    left: Range<u64>,
    buffer: Vec<u8>,
    /// Where in the buffer the next row begins.
    at: usize,
    head: Head,
}

/// The best row that is left of a run.
#[derive(Default)]
struct Head {
    score: f64,
    units: Units,
    row: u32,
    item_id: Vec<u8>,
    /// The number and the bytes of the exact score.
    exact: (u16, Vec<u8>),
}

impl RunReader<'_> {
    /// Reads the next row into `head`; returns whether there is one.
    fn advance(&mut self) -> Result<bool, StoreError> {
        // Score, units, row and lengths, as `pack` wrote them.
        const FIXED_BYTES: usize = 8 + 8 + 4 + 4 + 2 + 2;
        if !self.fill(FIXED_BYTES)? {
            return Ok(false);
        }
        self.head.score = f64::from_le_bytes(self.take());
        self.head.units = Units::from_ten_thousandths(i64::from_le_bytes(self.take()));
        self.head.row = u32::from_le_bytes(self.take());
        let id_length = u32::from_le_bytes(self.take()) as usize;
        self.head.exact.0 = u16::from_le_bytes(self.take());
        let score_length = u16::from_le_bytes(self.take()) as usize;
        if !self.fill(id_length + score_length)? {
            return Ok(false);
        }
        let (id, score) = self.buffer[self.at..][..id_length + score_length].split_at(id_length);
        self.head.item_id.clear();
        self.head.item_id.extend_from_slice(id);
        self.head.exact.1.clear();
        self.head.exact.1.extend_from_slice(score);
        self.at += id_length + score_length;
        Ok(true)
    }

    /// Takes bytes that are in the buffer.
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let bytes = self.buffer[self.at..].first_chunk().copied().unwrap_or([0; N]);
        self.at += N;
        bytes
    }

    /// Reads until there are this many bytes in the buffer; returns whether there are.
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

    /// A better row is less.
    fn order(&self, other: &RunReader<'_>) -> Ordering {
        let (a, b) = (&self.head, &other.head);
        let score = b.score.total_cmp(&a.score);
        let score = score.then_with(|| b.exact.cmp(&a.exact));
        score.then(b.units.cmp(&a.units)).then_with(|| a.item_id.cmp(&b.item_id))
    }
}

impl Ord for RunReader<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order(other)
    }
}

impl PartialOrd for RunReader<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for RunReader<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for RunReader<'_> {}
