//! Live counts: what single items have sold, hour by hour, as of this moment.
//!
//! Invariant: nothing is written and nothing is locked; the answer is what it would be after a
//! rollup.

mod buckets;
mod decayed;
mod exact_times;
mod live_rankings;
mod query;
mod rising;
mod top;
mod totals;

pub use buckets::{Bucket, Buckets, By};
pub use decayed::{DecayedQuery, decayed_top, longest_window};
pub use exact_times::{by_exact_times, has_whole_hours};
pub use live_rankings::{
    KeepsFiles, LiveRankingQuery, has_live_ranking_files, live_ranking, write_live_ranking_files,
};
pub use query::{ByHour, CountQuery, by_category, by_hour, first_and_last};
pub use rising::{BEFORE, Rise, Rising, RisingItem, RisingQuery, hours_before, rising};
pub use top::{TopQuery, top, top_of_rows};
pub use totals::{KnownEvents, known_events, total_by_hour};
