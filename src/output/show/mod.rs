//! Published rankings as answers: a table to look at, JSON, NDJSON or CSV to work with.
//!
//! A question is answered by a list of values ([`Answer`]), and that is written in whatever form
//! was asked for: a view decides what is said, a form how.
//!
//! Invariant: answers come from published rankings; an item's hours, which these do not have, come
//! from [`count`](topsell_core::counts).

mod answer;
mod best;
mod categories;
pub mod counts;
mod diff;
mod explain;
mod facts;
mod forms;
mod history;
mod item;
mod nearest;
mod plot;
mod search;
mod typed;

use std::collections::BTreeSet;
use std::io;

use crate::show::nearest::nearest;
use topsell_core::model::Timestamp;
use topsell_core::rankings::{Snapshot, SnapshotError, retained_rankings};
use topsell_core::rollup::RollupError;
use topsell_core::storage::Store;
use topsell_core::trends::Trends;

pub use answer::Answer;
pub use forms::Form;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    pub view: View,
    /// The newest ranking that ends no later; the newest of all for `None`.
    pub at: Option<Timestamp>,
    /// Rows to show at most.
    pub limit: usize,
    pub now: Timestamp,
}

/// What to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum View {
    /// The best sellers of a category, of the whole shop for `None`.
    Best {
        category: Option<String>,
        part: Part,
    },
    Categories(Order),
    /// An item's places, and what its score is made of in a category, if that is asked for.
    Item {
        item_id: String,
        explained: Option<Option<String>>,
    },
    /// A category's ranking as it was at two moments.
    Diff {
        category: Option<String>,
        between: [Timestamp; 2],
    },
    /// An item's rank in a category over time.
    History {
        category: Option<String>,
        item_id: String,
    },
    /// The items that have all the words of a text in their name or id.
    Search(String),
}

/// Which of the best sellers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    All,
    /// Those with another rank than before, the farthest moved first.
    Movers,
    /// Those that were not on the list before.
    New,
    /// Those that were on the list before, and are no more.
    Dropped,
}

/// How categories are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// By their paths' bytes, the whole path in each line.
    Paths,
    /// Each below the one that it is part of.
    Tree,
}

/// A question could not be answered.
#[derive(Debug, thiserror::Error)]
pub enum ShowError {
    #[error("there is no ranking of `{category}`")]
    UnknownCategory { category: String, nearest: Vec<String> },
    #[error("no item `{item_id}` is ranked there")]
    UnknownItem { item_id: String, nearest: Vec<String> },
    #[error("no ranking that is still kept ends at {moment} or before")]
    NoneAt { moment: Timestamp, oldest: Option<Timestamp> },
    #[error("there is no ranking before this one by the same rules")]
    NothingBefore,
    #[error("no ranked item has `{text}` in its name or id")]
    NoMatch { text: String },
    #[error(transparent)]
    Aggregate(#[from] RollupError),
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    #[error(transparent)]
    Output(#[from] io::Error),
}

/// Answers a question.
///
/// # Errors
/// Says what there is instead, where there is nothing of what was asked for.
pub fn answer(store: &Store, question: &Question) -> Result<Answer, ShowError> {
    let snapshot = opened(store, question.at)?;
    match &question.view {
        View::Best { category, part } => {
            best::best(&Trends::of(store, snapshot)?, category.as_deref(), *part, question)
        }
        View::Categories(order) => categories::categories(&snapshot, *order, question),
        View::Item { item_id, explained } => {
            let explained = explained.as_ref().map(Option::as_deref);
            item::item(store, &Trends::of(store, snapshot)?, item_id, explained, question)
        }
        View::Diff { category, between } => {
            let [before, after] = [opened(store, Some(between[0]))?, opened(store, Some(between[1]))?];
            diff::diff(&before, &after, category.as_deref(), question)
        }
        View::History { category, item_id } => {
            history::history(store, &snapshot, item_id, category.as_deref(), question)
        }
        View::Search(text) => search::search(&snapshot, text, question),
    }
}

fn opened(store: &Store, at: Option<Timestamp>) -> Result<Snapshot, ShowError> {
    let Some(moment) = at else { return Ok(Snapshot::current(store)?) };
    match Snapshot::at(store, moment) {
        Err(SnapshotError::None) => {
            // Without any ranking there is more to do than to name another time.
            Snapshot::current(store)?;
            let oldest = retained_rankings(store)?.first().map(|kept| kept.as_of);
            Err(ShowError::NoneAt { moment, oldest })
        }
        snapshot => Ok(snapshot?),
    }
}

fn unknown_category(snapshot: &Snapshot, category: &str) -> Result<ShowError, ShowError> {
    let known = snapshot.category_summaries()?.into_iter().filter_map(|leader| leader.category);
    let nearest = nearest(category, known);
    Ok(ShowError::UnknownCategory { category: category.to_owned(), nearest })
}

fn unknown_item(snapshot: &Snapshot, item_id: &str) -> Result<ShowError, ShowError> {
    // One of another length by more is not like it.
    let is_alike = |id: &str| id.len().abs_diff(item_id.len()) <= 1 + item_id.len() / 2;
    let rows = snapshot.rows_of(&|id, _| is_alike(id))?;
    let known: BTreeSet<String> = rows.into_iter().map(|row| row.item_id.into_owned()).collect();
    let nearest = nearest(item_id, known.into_iter());
    Ok(ShowError::UnknownItem { item_id: item_id.to_owned(), nearest })
}
