//! How to rank: the window, the weights, what the score adds up, and the limits.

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
    pub limit: usize,
    /// The window of a category with fewer eligible items than this is extended.
    pub min_items: u64,
    /// The longest window of a category.
    pub max_lookback_hours: u32,
    /// The days whose units are reported, besides the window.
    pub week: Week,
}
