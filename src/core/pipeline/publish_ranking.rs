//! Publishes a computed ranking, with names and item totals, or writes it into a file.
//!
//! Invariant: item totals are published with the ranking that a name shows, or not at all.

use std::path::Path;

use crate::distributed::{self, MergeFiles, Plan};
use crate::item_catalog::ItemNames;
use crate::model::EventTypes;
use crate::pipeline::compute_ranking::ranking_of;
use crate::pipeline::error::StepError;
use crate::progress::{Count, Progress, Stage};
use crate::rank::{FinishedRanking, Ranking, Rules};
use crate::rankings::{self, ItemTotalsWriter, Publication, Published, PublishedItemTotals, SnapshotError};
use crate::storage::Store;
use crate::storage::local_files::write_atomically;

/// Computes a damaged ranking again, and returns whether that gave the same bytes; none where it cannot be computed
/// now, as on a full disk.
pub(super) fn recomputed(store: &Store, path: &str, progress: &Progress) -> Option<bool> {
    let Some((rules, event_types)) = rankings::rules_of(store, path) else { return Some(false) };
    let finished = ranking_of(store, &rules, &event_types, None, progress).ok()?;
    rankings::restore(store, path, &finished.ranking, &rules, &event_types).ok()
}

/// Ranks and publishes, with the item totals if they are wanted.
pub(super) fn rank(
    store: &Store,
    (rules, event_types): (&Rules, &EventTypes),
    names: Option<ItemNames>,
    tail: bool,
    publication: &Publication,
    progress: &Progress,
) -> Result<(Published, Option<PublishedItemTotals>), StepError> {
    let draft = if tail { Some(ItemTotalsWriter::begin(store)?) } else { None };
    let finished = ranking_of(store, rules, event_types, draft.as_ref(), progress)?;
    progress.begin(Stage::Publish, None);
    let FinishedRanking { ranking, rounds } = finished;
    // Given away, so that the best items are dropped before all others are sorted.
    let published = publish(store, ranking, names, rules, event_types, publication)?;
    // They are of the ranking that is shown.
    let draft = draft.filter(|_| published.unmoved.is_none());
    let totals = draft.map(|draft| draft.publish(&rounds, rules, event_types, &published)).transpose()?;
    progress.end(Stage::Publish);
    count_published(&published, progress);
    if let Some(totals) = &totals {
        progress.count(Count::ItemTotalsRows, totals.rows);
    }
    Ok((published, totals))
}

/// Publishes a ranking whose parts were merged, and the item totals that its parts have left in the lake.
pub(super) fn publish_merged(
    store: &Store,
    (finished, plan): (FinishedRanking, &Plan),
    names: Option<ItemNames>,
    (files, publication): (&MergeFiles, &Publication),
    progress: &Progress,
) -> Result<(Published, Option<PublishedItemTotals>), StepError> {
    let (rules, event_types) = (plan.rules(), plan.event_types());
    let FinishedRanking { ranking, rounds } = finished;
    progress.begin(Stage::Publish, None);
    let mut draft = None;
    if plan.wants_item_totals() {
        // Before anything is published: one of them may be missing.
        let writer = draft.insert(ItemTotalsWriter::begin(store)?);
        distributed::for_each_item_totals(store, plan, &files.plan, &mut |top, round, totals| {
            writer.add(top, round, totals).map_err(StepError::from)
        })?;
    }
    let published = publish(store, ranking, names, rules, &event_types, publication)?;
    let draft = draft.filter(|_| published.unmoved.is_none());
    let totals = draft.map(|draft| draft.publish(&rounds, rules, &event_types, &published)).transpose()?;
    progress.end(Stage::Publish);
    count_published(&published, progress);
    if let Some(totals) = &totals {
        progress.count(Count::ItemTotalsRows, totals.rows);
    }
    Ok((published, totals))
}

fn count_published(published: &Published, progress: &Progress) {
    progress.count(Count::CategoriesRanked, published.categories);
    progress.count(Count::RowsRanked, published.rows);
    if let Some(named) = published.named {
        progress.count(Count::RowsNamed, named);
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the ranking is large, and freed before item totals are sorted"
)]
fn publish(
    store: &Store,
    ranking: Ranking,
    names: Option<ItemNames>,
    rules: &Rules,
    event_types: &EventTypes,
    publication: &Publication,
) -> Result<Published, StepError> {
    let names = names.map(|names| names.names_of(ranking.items())).transpose()?;
    Ok(rankings::publish(store, &ranking, names.as_ref(), rules, event_types, publication)?)
}

/// Writes a ranking into a file outside of the lake; returns its rows and bytes.
pub(super) fn write(
    file: &Path,
    ranking: &Ranking,
    names: Option<ItemNames>,
    rules: &Rules,
    event_types: &EventTypes,
) -> Result<(u64, u64), StepError> {
    let rows = ranking.items().count() as u64;
    if rows == 0 {
        return Err(SnapshotError::Empty.into());
    }
    let names = names.map(|names| names.names_of(ranking.items())).transpose()?;
    let encoded = rankings::encode(ranking, names.as_ref(), rules, event_types)?;
    write_atomically(file, &encoded.bytes)
        .map_err(|source| StepError::Output { file: file.to_owned(), source })?;
    Ok((rows, encoded.bytes.len() as u64))
}
