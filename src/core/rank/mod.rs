//! The best sellers of a window: of every category at every level, and of the whole shop.
//!
//! Invariant: a pure function of aggregates. Integers are added first, hour by hour; floating point
//! enters at the last step, oldest hour first. So the same aggregates give the same ranking, bit for
//! bit, in whatever order and on however many threads.
//!
//! # Where the time goes
//!
//! Reading the aggregates bounds a ranking, not ranking them. Of the CPU time of ranking 1.5 million aggregates
//! of 350 files in 1,251 categories, 31 % reads pages, a third of it decompressing them and nearly
//! as much the Parquet library making a compressor and a decompressor for each chunk; 4 % opens
//! files and reads their footers; 27 % tells the rows apart by item and merges the files by item.
//! What this room does, scoring items and keeping each category's best, takes 11 %, and publishing
//! the ranking 5 %.
//!
//! ```text
//! topsell datagen --purchases 3000000 --items 300000 --leaves 1000 --tops 50 logs
//! topsell --lake lake ingest logs && topsell --lake lake rollup
//! perf record --call-graph dwarf,16384 topsell --threads 1 --lake lake rank \
//!     --as-of 2024-01-07T06:00:00Z
//! perf report --no-inline --children
//! ```

mod everyone;
mod leaders;
mod ranking;
mod score;
mod search;
mod shop;
mod tally;
mod top;
mod tree;

pub use everyone::{Everyone, EveryoneRow, PackedDays, SpreadItem};
pub use ranking::{CategoryRanking, RankedItem, Ranking};
pub use search::{Found, Need, Search, Settled};
pub use tally::{Tallied, Tally};

use crate::model::{Decay, Week, Window};

/// What a score adds up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    Units,
    Purchases,
    Amount,
}

/// How to rank.
#[derive(Clone, Debug)]
pub struct Rules {
    pub window: Window,
    pub decay: Decay,
    pub measure: Measure,
    /// How many items a category's ranking has at most.
    pub top: usize,
    /// A category with fewer rankable items than this looks further back.
    pub min_items: u64,
    /// How far back it looks at most.
    pub max_lookback_hours: u32,
    /// The days that units are told of, besides the window.
    pub week: Week,
}
