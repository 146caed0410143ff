//! One part of a round, from the files of aggregates alone.

use crate::distributed::error::DistributedError;
use crate::distributed::plan::Plan;
use crate::parquet_format::WantsItem;
use crate::progress::{Progress, Stage};
use crate::rank::{PartFile, PartResult, PartialItems, PartialRanker};
use crate::rollup::{Scan, Selection, WantedRows, WantsPath};
use crate::storage::Store;

/// Computes a part, and returns its result as the bytes of a file.
///
/// # Errors
/// There is no such part, or a file is missing or damaged.
pub fn partial(
    store: &Store,
    plan: &Plan,
    part: usize,
    progress: &Progress,
) -> Result<Vec<u8>, DistributedError> {
    let no_part = || DistributedError::NoPart { part, parts: plan.parts.len() };
    let planned = plan.parts.get(part).ok_or_else(no_part)?;
    let (request, event_types) = (plan.request(), plan.event_types());
    let scan = Scan::of_planned(store, &plan.files)?;
    let selection = Selection { event_types: &event_types, hours: request.hours.clone() };
    let scanned = scan.planned_part(planned, &selection).ok_or_else(no_part)?;
    let wants_item = |item_id: &str| request.wants_item(item_id);
    let wants_path = |path: &str| request.wants_path(path);
    let wants = WantedRows {
        item: (!request.wants_every_item()).then_some(&wants_item as WantsItem<'_>),
        path: (!request.wants_every_path()).then_some(&wants_path as WantsPath<'_>),
    };
    progress.begin(Stage::Rank, Some(scanned.rows()));
    let result = if planned.splits_items {
        let mut sums = PartialItems::default();
        scanned.for_each_item(progress, wants, &mut |item| {
            Ok::<(), DistributedError>(sums.add_item(item.item_id, item.rows, item.path_sets, &request)?)
        })?;
        PartResult::Sums(sums)
    } else {
        let mut ranker = PartialRanker::new(&request);
        scanned.for_each_item(progress, wants, &mut |item| {
            Ok::<(), DistributedError>(ranker.add_item(item.item_id, item.rows, item.path_sets)?)
        })?;
        PartResult::Ranking(ranker.finish())
    };
    progress.end(Stage::Rank);
    Ok(PartFile { plan: plan.checksum(), part, result }.to_bytes())
}
