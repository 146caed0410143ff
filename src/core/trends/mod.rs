//! How a category's list changed: what moved, for how many weeks each item has been on it, and which
//! share of the category each item has.
//!
//! Invariant: everything comes from published rankings alone. A ranking knows nothing of those before
//! it, so that the same purchases give the same file; rankings by the same rules are compared here, when
//! somebody asks.

// Floating-point sums depend on their order.
#![cfg_attr(not(test), deny(clippy::float_arithmetic))]

mod item_places;
mod share;
mod trend;

pub use item_places::ItemPlace;
pub use share::{WHOLE, shares, shares_of};
pub use trend::{Movement, Since, Trend, TrendEntry, Trends};
