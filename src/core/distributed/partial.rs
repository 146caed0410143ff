//! One part of a round, from the files of aggregates alone.

use crate::distributed::error::DistributedError;
use crate::distributed::plan::Plan;
use crate::parquet_format::WantsItem;
use crate::progress::{Progress, Stage};
use crate::rank::{
    CategoryTotals, ItemTotalsFile, PartFile, PartResult, PartialItems, PartialRanker, PartialRanking,
    ScanRequest,
};
use crate::rollup::{Scan, ScanPart, Selection, WantedRows, WantsPath};
use crate::storage::Store;

/// The files of a part.
pub(super) struct PartBytes {
    pub result: Vec<u8>,
    /// None where the plan has no item totals.
    pub totals: Option<Vec<u8>>,
}

/// Computes a part, and returns its result as the bytes of files.
///
/// # Errors
/// There is no such part, or a file is missing or damaged.
pub(super) fn partial(
    store: &Store,
    plan: &Plan,
    part: usize,
    progress: &Progress,
) -> Result<PartBytes, DistributedError> {
    let no_part = || DistributedError::NoPart { part, parts: plan.parts.len() };
    let planned = plan.parts.get(part).ok_or_else(no_part)?;
    let (request, event_types) = (plan.request(), plan.event_types());
    let scan = Scan::of_planned(store, &plan.files)?;
    let selection = Selection { event_types: &event_types, hours: request.hours.clone() };
    let scanned = scan.planned_part(planned, &selection).ok_or_else(no_part)?;
    progress.begin(Stage::Rank, Some(scanned.rows()));
    let (result, sections) = match planned.splits_items {
        true => (PartResult::Sums(sums_of(&scanned, &request, progress)?), CategoryTotals::new()),
        false => {
            let (ranking, sections) = ranked(&scanned, &request, progress)?;
            (PartResult::Ranking(ranking), sections)
        }
    };
    progress.end(Stage::Rank);
    let key = plan.key();
    let totals = plan.has_item_totals().then(|| ItemTotalsFile { plan: key.clone(), part, sections });
    Ok(PartBytes {
        result: PartFile { plan: key, part, result }.to_bytes(),
        totals: totals.map(|totals| totals.to_bytes()),
    })
}

fn sums_of(
    part: &ScanPart<'_>,
    request: &ScanRequest,
    progress: &Progress,
) -> Result<PartialItems, DistributedError> {
    let mut sums = PartialItems::default();
    with_wanted(request, |wants| {
        part.for_each_item(progress, wants, &mut |item| {
            Ok::<(), DistributedError>(sums.add_item(item.item_id, item.rows, item.path_sets, request)?)
        })
    })?;
    Ok(sums)
}

/// Ranks the items of a part; with the totals of each of its top-level categories, where they are wanted.
fn ranked(
    part: &ScanPart<'_>,
    request: &ScanRequest,
    progress: &Progress,
) -> Result<(PartialRanking, CategoryTotals), DistributedError> {
    let mut ranker = PartialRanker::new(request);
    let mut sections = CategoryTotals::new();
    let mut category: Option<String> = None;
    let mut end_section = |category: &Option<String>, ranker: &mut PartialRanker<'_>| {
        if let Some(totals) = ranker.take_item_totals().filter(|totals| totals.rows > 0) {
            sections.push((category.clone(), totals));
        }
    };
    with_wanted(request, |wants| {
        part.for_each_item(progress, wants, &mut |item| {
            if item.category != category.as_deref() {
                end_section(&category, &mut ranker);
                category = item.category.map(str::to_owned);
            }
            Ok::<(), DistributedError>(ranker.add_item(item.item_id, item.rows, item.path_sets)?)
        })
    })?;
    end_section(&category, &mut ranker);
    Ok((ranker.finish(), sections))
}

/// Does something with the rows that a request wants.
fn with_wanted<T>(request: &ScanRequest, work: impl FnOnce(WantedRows<'_>) -> T) -> T {
    let wants_item = |item_id: &str| request.wants_item(item_id);
    let wants_path = |path: &str| request.wants_path(path);
    work(WantedRows {
        item: (!request.wants_every_item()).then_some(&wants_item as WantsItem<'_>),
        path: (!request.wants_every_path()).then_some(&wants_path as WantsPath<'_>),
    })
}
