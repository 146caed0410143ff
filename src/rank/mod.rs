//! The best sellers of a window: of every category at every level, and of the whole shop.
//!
//! Invariant: a pure function of sums. Integers are added first, hour by hour; floating point
//! enters at the last step, oldest hour first. So the same sums give the same ranking, bit for
//! bit, in whatever order and on however many threads.

mod ranking;
mod score;
mod search;
mod shop;
mod tally;
mod top;
mod tree;

pub use ranking::{CategoryRanking, RankedItem, Ranking};
pub use search::{Need, Search};
pub use tally::{Tallied, Tally};

use crate::time::{Decay, Window};

/// What a score adds up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    Units,
    Purchases,
    Amount,
}

/// How to rank.
#[derive(Clone, Copy, Debug)]
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
}
