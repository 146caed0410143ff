//! The terminal that answers are printed on: its width and colors.

use std::env;
use std::io::{self, IsTerminal};

use clap::ColorChoice;

use crate::color::is_bright;
use topsell_output::terminal::{Colors, TerminalOptions};

/// Columns of a terminal that does not report its width.
const DEFAULT_WIDTH: usize = 80;

/// Returns how tables are printed on standard output.
pub fn options(width: Option<usize>, color: ColorChoice) -> TerminalOptions {
    let colors = if is_bright(color, &io::stdout()) { Colors::Always } else { Colors::Never };
    TerminalOptions { width: table_width(width), colors }
}

/// Returns the maximum width of a table; none where standard output is not a terminal or `width` is 0.
fn table_width(width: Option<usize>) -> Option<usize> {
    let of_environment = env::var("COLUMNS").ok().and_then(|columns| columns.parse::<usize>().ok());
    let of_terminal = || {
        let size = terminal_size::terminal_size_of(io::stdout());
        size.map(|(terminal_size::Width(columns), _)| usize::from(columns))
    };
    let fallback = || io::stdout().is_terminal().then_some(DEFAULT_WIDTH);
    width.or_else(of_terminal).or(of_environment).or_else(fallback).filter(|columns| *columns > 0)
}
