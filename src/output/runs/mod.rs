//! Runs as text: tables to look at, JSON, NDJSON and CSV to work with.

mod list;
mod one;
mod stats;

use crate::terminal::TerminalOptions;

pub use list::write_list;
pub use one::write_one;
pub use stats::write_stats;

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Table(TerminalOptions),
    Json,
    Ndjson,
    Csv,
}
