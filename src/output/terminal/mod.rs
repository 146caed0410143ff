//! Tables and texts for people, as a terminal shows them.
//!
//! Invariant: what comes from outside does nothing to the terminal, and takes no more cells than it is given.

mod table;
mod text;

pub use table::{Cell, Colors, Heading, Importance, Paper, Side, Style, styled, write_phrases, write_table};
pub use text::{age, cut, grouped, isolated, quoted, sparkline, width};
