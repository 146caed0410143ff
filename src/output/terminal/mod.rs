//! Tables for people, as a terminal shows them.
//!
//! Invariant: no line takes more cells than the terminal has, unless what may not be cut does.

mod table;

pub use table::{
    Cell, Colors, Heading, Importance, Side, Style, TerminalOptions, styled, write_phrases, write_table,
};
