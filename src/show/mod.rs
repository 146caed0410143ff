//! Published rankings as answers: a table to look at, JSON, NDJSON or CSV to work with.
//!
//! A question is answered by a list of values ([`Answer`]), and that is written in whatever form
//! was asked for: a view decides what is said, a form how.
//!
//! Invariant: answers come from published rankings alone.

mod answer;
mod best;
mod categories;
mod facts;
mod forms;
mod nearest;
mod search;
mod table;
mod text;
mod typed;

use std::io;

use crate::show::nearest::nearest;
use crate::snapshot::{Snapshot, SnapshotError};
use crate::time::Timestamp;

pub use answer::Answer;
pub use forms::Form;
pub use table::{Colors, Paper};

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    pub view: View,
    /// Rows to show at most.
    pub limit: usize,
    pub now: Timestamp,
}

/// What to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum View {
    /// The best sellers of a category, of the whole shop for `None`.
    Best(Option<String>),
    Categories(Order),
    /// The items that have all the words of a text in their name or id.
    Search(String),
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
    #[error("no ranked item has `{text}` in its name or id")]
    NoMatch { text: String },
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    #[error(transparent)]
    Output(#[from] io::Error),
}

/// Answers a question.
///
/// # Errors
/// Names the nearest categories where there is none of the name asked for.
pub fn answer(snapshot: &Snapshot, question: &Question) -> Result<Answer, ShowError> {
    match &question.view {
        View::Best(category) => best::best(snapshot, category.as_deref(), question),
        View::Categories(order) => categories::categories(snapshot, *order, question),
        View::Search(text) => search::search(snapshot, text, question),
    }
}

fn unknown_category(snapshot: &Snapshot, category: &str) -> Result<ShowError, ShowError> {
    let known = snapshot.leaders()?.into_iter().filter_map(|leader| leader.category);
    let nearest = nearest(category, known);
    Ok(ShowError::UnknownCategory { category: category.to_owned(), nearest })
}
