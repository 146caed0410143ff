//! The run history as answers: many runs, one run, statistics.

mod list;
mod run;
mod stats;
mod style;

pub use list::list;
pub use run::run;
pub use stats::run_stats;
