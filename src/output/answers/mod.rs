//! The answers of commands that need no room of their own: counts, top items, due runs, health, lake stats.
//!
//! Invariant: nothing here writes; an answer is values, and a format decides how they look.

mod count_question;
mod counts;
mod due_runs;
mod explanation;
mod health;
mod lake_stats;
mod ranking_rules;
mod rising;
mod statistics;
mod time_range;
mod top;
mod top_question;

pub use count_question::{CountError, CountOptions, CountQuestion};
pub use due_runs::DueRuns;
pub use explanation::explanation;
pub use health::health;
pub use lake_stats::lake_stats;
pub use ranking_rules::{
    RANKING_HALF_LIFE, RANKING_MAX_LOOKBACK, RANKING_MIN_ITEMS, RANKING_WINDOW, RankingRules, half_life,
};
pub use statistics::Statistic;
pub use time_range::TimeRangeOptions;
pub use top_question::{DecayOptions, RISING_MIN, TOP_LIMIT, TopKind, TopOptions, TopQuestion};
