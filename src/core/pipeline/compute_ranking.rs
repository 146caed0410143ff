//! Computes a ranking: reads the aggregates that it asks for, round by round, in parts.
//!
//! Invariant: the parts may be ranked in any order.

use rayon::prelude::*;

use crate::model::EventTypes;
use crate::parquet_format::WantsItem;
use crate::pipeline::error::StepError;
use crate::progress::{Progress, Stage};
use crate::rank::{FinishedRanking, PartialRanker, PartialRanking, RankingBuilder, Rules, ScanRequest};
use crate::rankings::{ItemTotalsWriter, SnapshotError};
use crate::rollup::{RollupError, Rollups, ScanPart, Selection, WantedRows, WantsPath};
use crate::storage::Store;

/// Computes a ranking, and with a draft the item totals.
pub(super) fn ranking_of(
    store: &Store,
    rules: &Rules,
    event_types: &EventTypes,
    draft: Option<&ItemTotalsWriter>,
    progress: &Progress,
) -> Result<FinishedRanking, StepError> {
    let rollups = Rollups::open_or_create(store)?;
    let mut scan = rollups.scan()?;
    let mut builder = match draft {
        Some(_) => RankingBuilder::with_item_totals(rules.clone()),
        None => RankingBuilder::new(rules.clone()),
    };
    while let Some(request) = builder.next_scan() {
        let wants = |path: &str| request.wants_path(path);
        let wants = (!request.wants_every_path()).then_some(&wants as WantsPath<'_>);
        let parts = scan.parts(&Selection { event_types, hours: request.hours.clone() }, wants)?;
        progress.begin(Stage::Rank, Some(parts.iter().map(ScanPart::rows).sum()));
        let partial: Result<Vec<PartialRanking>, StepError> =
            parts.par_iter().map(|part| ranked_part(part, &request, draft, progress)).collect();
        let partial = partial?;
        drop(parts);
        if builder.may_look_back() {
            builder.set_oldest_hour(scan.oldest_hour(event_types)?);
        }
        builder.add(&request, partial).map_err(SnapshotError::from)?;
        progress.end(Stage::Rank);
    }
    Ok(builder.finish())
}

/// Ranks the items of a part, and adds the totals of each of its top-level categories to a draft.
fn ranked_part(
    part: &ScanPart<'_>,
    request: &ScanRequest,
    draft: Option<&ItemTotalsWriter>,
    progress: &Progress,
) -> Result<PartialRanking, StepError> {
    let wants_item = |item_id: &str| request.wants_item(item_id);
    let wants_path = |path: &str| request.wants_path(path);
    let wants = WantedRows {
        item: (!request.wants_every_item()).then_some(&wants_item as WantsItem<'_>),
        path: (!request.wants_every_path()).then_some(&wants_path as WantsPath<'_>),
    };
    let mut ranker = PartialRanker::new(request);
    let mut category: Option<String> = None;
    part.for_each_item(progress, wants, &mut |item| {
        if let Some(draft) = draft.filter(|_| item.category != category.as_deref()) {
            if let Some(totals) = ranker.take_item_totals() {
                draft.add(category.as_deref(), request.round(), totals)?;
            }
            category = item.category.map(str::to_owned);
        }
        Ok::<(), StepError>(
            ranker.add_item(item.item_id, item.rows, item.path_sets).map_err(RollupError::from)?,
        )
    })?;
    if let Some((draft, totals)) = draft.zip(ranker.take_item_totals()) {
        draft.add(category.as_deref(), request.round(), totals)?;
    }
    Ok(ranker.finish())
}
