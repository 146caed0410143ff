//! The results of all parts of a round, merged.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::distributed::error::DistributedError;
use crate::distributed::plan::Plan;
use crate::rank::{
    FinishedRanking, PartFile, PartFileError, PartResult, PartialItems, PartialRanking, RankingBuilder,
};
use crate::rollup::PlannedShard;
use crate::storage::Store;

/// What merging gives.
pub enum Merged {
    /// The ranking is done.
    Done(FinishedRanking),
    /// Another round is needed: its plan, and the state to merge it with.
    Next { plan: Box<Plan>, state: Vec<u8> },
}

/// Merges the results of a plan's parts, in any order; a part may come several times.
///
/// `state` is that of the rounds before, none in the first; `results` are files, each with its name.
///
/// # Errors
/// A file is not what it should be, a part is missing, or the next plan's files cannot be read.
pub fn merge(
    store: &Store,
    plan: &Plan,
    state: Option<(&str, &[u8])>,
    results: &mut dyn Iterator<Item = Result<(String, Bytes), DistributedError>>,
) -> Result<Merged, DistributedError> {
    let (rules, request, key) = (plan.rules().clone(), plan.request(), plan.key());
    let mut builder = match state {
        None if plan.wants_item_totals() => RankingBuilder::with_item_totals(rules),
        None => RankingBuilder::new(rules),
        Some((file, bytes)) => RankingBuilder::resume(rules, plan.round(), key.checksum, bytes)
            .map_err(|error| DistributedError::State { file: file.to_owned(), what: error.to_string() })?,
    };
    builder.set_oldest_hour(plan.oldest_hour());
    let mut has_part = vec![false; plan.parts.len()];
    let mut parts: Vec<PartialRanking> = Vec::new();
    let mut sums: BTreeMap<PlannedShard, PartialItems> = BTreeMap::new();
    for result in results {
        let (file, bytes) = result?;
        let failed = |source| DistributedError::File { file: file.clone(), source };
        let PartFile { part, result, .. } = PartFile::of_bytes(&bytes, &key, &request).map_err(failed)?;
        let no_part = || DistributedError::NoPart { part, parts: plan.parts.len() };
        let planned = plan.parts.get(part).ok_or_else(no_part)?;
        // The same part again has the same result.
        if std::mem::replace(&mut has_part[part], true) {
            continue;
        }
        match (result, planned.splits_items) {
            (PartResult::Ranking(ranking), false) => parts.push(ranking),
            (PartResult::Sums(more), true) => {
                sums.entry(planned.shard).or_default().merge(more)?;
            }
            _ => return Err(failed(PartFileError::Unknown)),
        }
    }
    let missing: Vec<usize> = (0..has_part.len()).filter(|part| !has_part[*part]).collect();
    if !missing.is_empty() {
        return Err(DistributedError::Missing { missing, parts: has_part.len() });
    }
    for whole in sums.into_values() {
        parts.push(whole.rank(&request)?);
    }
    builder.add(&request, parts)?;
    Ok(match builder.next_round() {
        None => Merged::Done(builder.finish()),
        Some(round) => {
            let next = plan.next(round, store)?;
            let state = builder.state(next.key().checksum);
            Merged::Next { plan: Box::new(next), state }
        }
    })
}
