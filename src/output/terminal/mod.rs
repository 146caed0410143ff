//! Tables for people, as a terminal shows them.
//!
//! Invariant: no line takes more cells than the terminal has, unless what may not be cut does.

mod rank_chart;
mod table;

pub use rank_chart::{RankChart, write_rank_chart};
pub use table::{
    Cell, Colors, Heading, Importance, Side, Style, TerminalOptions, styled, write_phrases, write_table,
};
