//! Reads lists from the lake and the log.
//!
//! Invariant: a list has the records up to the number that is returned with it, and no others.

use std::sync::Arc;

use crate::live::live_board::{Board, ListKind};
use crate::live::uncommitted::Uncommitted;
use topsell_core::counts::{KeepsFiles, LiveRankingQuery, live_ranking, write_live_ranking_files};
use topsell_core::model::{Hour, Window};
use topsell_core::rank::{LiveRanking, LiveRules};
use topsell_core::rollup::RollupError;
use topsell_core::storage::Store;

/// A category, none for the shop, and how many items its list keeps.
pub(super) type KeptCategory = (Option<String>, usize);

/// What lists are read from.
pub(super) struct ListReader {
    pub store: Store,
    pub uncommitted: Arc<Uncommitted>,
    /// The list by score that is read before it is asked for, and whose sums are kept in files.
    pub by_score: ListKind,
}

impl ListReader {
    /// Reads a list, and builds those of some categories.
    pub fn board(&self, kind: &ListKind, as_of: Hour, lists: &[KeptCategory]) -> Result<Board, RollupError> {
        let keeps_files = if *kind == self.by_score { KeepsFiles::Yes } else { KeepsFiles::No };
        let (upto, mut ranking) = self.ranking(kind, as_of, keeps_files)?;
        ranking.keep(lists)?;
        Ok(Board { upto, ranking })
    }

    /// Reads a ranking from the lake and the log, and returns the number of the last record that it has.
    fn ranking(
        &self,
        kind: &ListKind,
        as_of: Hour,
        keeps_files: KeepsFiles,
    ) -> Result<(u64, LiveRanking), RollupError> {
        let (uncommitted, upto) = self.uncommitted.batches_and_number()?;
        let (rules, event_types) = (rules_of(kind, as_of), &kind.event_types);
        let query = LiveRankingQuery { rules, event_types, uncommitted: &uncommitted, keeps_files };
        Ok((upto, live_ranking(&self.store, &query)?))
    }

    /// Reads what one hour has from the lake.
    pub fn hour(&self, kind: &ListKind, end: Hour) -> Result<Board, RollupError> {
        let hour = ListKind { hours: 1, ..kind.clone() };
        let (upto, ranking) = self.ranking(&hour, end, KeepsFiles::No)?;
        Ok(Board { upto, ranking })
    }

    /// Writes the files of the list by score, from which a server that starts reads it.
    pub fn write_files(&self, kind: &ListKind, as_of: Hour) -> Result<(), RollupError> {
        if *kind != self.by_score {
            return Ok(());
        }
        let (uncommitted, _) = self.uncommitted.batches_and_number()?;
        let rules = rules_of(kind, as_of);
        let keeps_files = KeepsFiles::Yes;
        let query = LiveRankingQuery {
            rules,
            event_types: &kind.event_types,
            uncommitted: &uncommitted,
            keeps_files,
        };
        write_live_ranking_files(&self.store, &query)
    }
}

fn rules_of(kind: &ListKind, as_of: Hour) -> LiveRules {
    LiveRules { window: Window::ending(as_of, kind.hours), decay: kind.decay, measure: kind.measure }
}
