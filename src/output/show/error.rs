//! Why a question about rankings has no answer, and what may have been meant instead.

use std::collections::BTreeSet;

use crate::show::suggestions::suggestions;
use topsell_core::model::Timestamp;
use topsell_core::rankings::{Snapshot, SnapshotError};
use topsell_core::rollup::RollupError;

/// A question could not be answered.
#[derive(Debug, thiserror::Error)]
pub enum ShowError {
    #[error("there is no ranking of `{category}`")]
    UnknownCategory { category: String, suggestions: Vec<String> },
    #[error("item `{item_id}` is not ranked")]
    UnknownItem { item_id: String, suggestions: Vec<String> },
    #[error("no published ranking ends at or before {moment}")]
    NoneAt { moment: Timestamp, oldest: Option<Timestamp> },
    #[error("no ranking was published under the name `{name}`")]
    UnknownName { name: String, names: Vec<String> },
    #[error("there is no earlier ranking with the same settings to compare with")]
    NothingBefore,
    #[error("no ranked item has `{text}` in its name or id")]
    NoMatch { text: String },
    #[error(transparent)]
    Rollup(#[from] RollupError),
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
}

/// Returns the error of a category without a ranking, with categories of similar names.
pub(super) fn unknown_category(snapshot: &Snapshot, category: &str) -> Result<ShowError, ShowError> {
    let known = snapshot.category_summaries()?.into_iter().filter_map(|leader| leader.category);
    let suggestions = suggestions(category, known);
    Ok(ShowError::UnknownCategory { category: category.to_owned(), suggestions })
}

/// Returns the error of an item that is not ranked, with items of similar ids.
pub(super) fn unknown_item(snapshot: &Snapshot, item_id: &str) -> Result<ShowError, ShowError> {
    // An id of a very different length is not similar.
    let is_similar = |id: &str| id.len().abs_diff(item_id.len()) <= 1 + item_id.len() / 2;
    let rows = snapshot.rows_of(&|id, _| is_similar(id))?;
    let known: BTreeSet<String> = rows.into_iter().map(|row| row.item_id.into_owned()).collect();
    let suggestions = suggestions(item_id, known.into_iter());
    Ok(ShowError::UnknownItem { item_id: item_id.to_owned(), suggestions })
}
