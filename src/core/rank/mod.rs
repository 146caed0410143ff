//! The best sellers of a window: of every category at every level, and of the whole shop.
//!
//! Invariant: a pure function of the aggregates. A score is an exact integer until it is printed, so the
//! same aggregates give the same ranking, bit for bit, in any order and on any number of threads.
//!
//! # Where the time goes
//!
//! A ranking is bound by reading the aggregates and by writing the best. Of the CPU time of ranking 1.5 million
//! aggregates in 112 files and 1,251 categories, 18 % reads pages, nearly half of it decompression; 9 % merges the
//! files by item; 16 % scores the items and keeps the best of each category; 17 % encodes the ranking, and 8 %
//! reads it back to check it.
//!
//! ```text
//! topsell datagen --purchases 3000000 --items 300000 --leaves 1000 --tops 50 logs
//! topsell --lake lake ingest logs && topsell --lake lake rollup
//! perf record --call-graph dwarf,16384 topsell --threads 1 --lake lake rank \
//!     --as-of 2024-01-07T06:00:00Z
//! perf report --no-inline --children
//! ```

// Floating-point sums depend on their order.
#![cfg_attr(not(test), deny(clippy::float_arithmetic))]

mod binary;
mod category_tree;
mod item_rows;
mod item_scores;
mod item_totals;
mod item_totals_file;
mod live_file;
mod live_ranking;
mod live_rows;
mod live_sums;
mod live_top;
mod live_window;
mod multi_category;
mod next_hour;
mod overflow;
mod partial_file;
mod partial_items;
mod partial_ranking;
mod partial_shop;
mod ranking;
mod ranking_builder;
mod round;
mod rules;
mod scan_request;
mod score;
mod scoring;
mod shop_ranking;
mod state_file;
mod top_items;
mod top_k;
mod weights;

pub use item_scores::ItemScores;
pub use item_totals::{PackedDays, PackedItemTotals, PackedItemTotalsRow, ScoreBytes};
pub use item_totals_file::{CategoryTotals, ItemTotalsFile};
pub use live_ranking::{DroppedWindow, HourState, LiveRanking};
pub use live_window::LiveRules;
pub use multi_category::MultiCategoryItem;
pub use overflow::MAX_MEASURE;
pub use partial_file::{PartFile, PartFileError, PartResult, PlanKey};
pub use partial_items::PartialItems;
pub use partial_ranking::{PartialRanker, PartialRanking};
pub use ranking::{CategoryRanking, RankedItem, Ranking};
pub use ranking_builder::{CategoryRounds, FinishedRanking, RankingBuilder};
pub use round::{PlannedRules, Round};
pub use rules::{Measure, Rules};
pub use scan_request::ScanRequest;
pub use score::Score;
pub use weights::Weights;
