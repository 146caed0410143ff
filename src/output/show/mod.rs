//! Published rankings as answers.
//!
//! Invariant: answers come from published rankings; an item's hours, which these do not have, come
//! from [`counts`](topsell_core::counts).

mod best_sellers;
mod categories;
mod diff;
mod error;
mod explain;
mod history;
mod item;
mod movement;
mod notes;
mod options;
mod question;
mod search;
mod suggestions;
mod unlisted;
mod view;

pub use error::ShowError;
pub use options::{MOVEMENT_SINCE, ShowOptions};
pub use question::{Order, Question, Selection, View};
pub use view::{Sources, answer, each_best_sellers};
