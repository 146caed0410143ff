//! Texts and numbers as people read them.
//!
//! Invariant: what comes from outside does nothing to a terminal.

mod bad_option;
mod html;
mod numbers;
mod sparkline;
mod width;

pub use bad_option::BadOption;
pub use html::escape_html;
pub use numbers::{age, counted, duration, grouped, size, to_the_second};
pub use sparkline::sparkline;
pub use width::{cut, isolated, quoted, width};
