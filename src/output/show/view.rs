//! From a question to the view that answers it.

use std::sync::Arc;

use crate::formats::Answer;
use crate::show::best_sellers::{best_sellers, of_trend};
use crate::show::categories::categories;
use crate::show::diff::diff;
use crate::show::error::ShowError;
use crate::show::history::history;
use crate::show::item::item;
use crate::show::options::MOVEMENT_SINCE;
use crate::show::question::{Question, Selection, View};
use crate::show::search::search;
use topsell_core::lake::UncommittedBatch;
use topsell_core::model::Timestamp;
use topsell_core::rankings::{
    RankingCache, RankingName, Snapshot, SnapshotError, ranking_names, retained_rankings,
};
use topsell_core::storage::Store;
use topsell_core::trends::Trends;

/// Where answers come from.
pub struct Sources<'a> {
    pub store: &'a Store,
    /// What is not in the lake yet, which counts in an item's sales.
    pub uncommitted: &'a [Arc<UncommittedBatch>],
    /// The newest ranking in memory, and the moment of asking; without it, the parts that are needed are read from the
    /// lake.
    pub held: Option<(&'a RankingCache, Timestamp)>,
}

impl Sources<'_> {
    fn current(&self, name: &RankingName) -> Result<Snapshot, SnapshotError> {
        match self.held {
            Some((held, now)) => held.current(self.store, name, now),
            None => Snapshot::named(self.store, name),
        }
    }

    fn opened(&self, name: &RankingName, at: Option<Timestamp>) -> Result<Snapshot, ShowError> {
        let Some(moment) = at else {
            return match self.current(name) {
                Err(SnapshotError::None) => Err(self.unknown_name(name)?),
                snapshot => Ok(snapshot?),
            };
        };
        match Snapshot::at(self.store, name, moment) {
            Err(SnapshotError::None) => {
                // Without any ranking there is more to do than to name another time.
                let shown = self.opened(name, None)?;
                let mut kept = retained_rankings(self.store)?.into_iter();
                let oldest = kept.find(|kept| kept.may_be_like(shown.metadata())).map(|kept| kept.as_of);
                Err(ShowError::NoneAt { moment, oldest })
            }
            snapshot => Ok(snapshot?),
        }
    }

    /// Returns the error that a name has no ranking, with those that have one.
    fn unknown_name(&self, name: &RankingName) -> Result<ShowError, SnapshotError> {
        let names: Vec<String> = ranking_names(self.store)?.iter().map(ToString::to_string).collect();
        Ok(match names.is_empty() {
            true => SnapshotError::None.into(),
            false => ShowError::UnknownName { name: name.to_string(), names },
        })
    }
}

/// Answers with the best sellers of every category of the ranking that a name shows, as [`answer`] does for each, the
/// whole shop's first. All of them are of the same ranking, whatever is published meanwhile.
///
/// # Errors
/// Fails where the ranking cannot be read.
pub fn each_best_sellers(
    sources: &Sources<'_>,
    name: &RankingName,
    now: Timestamp,
    take: &mut dyn FnMut(Option<&str>, Answer<'static>),
) -> Result<(), ShowError> {
    let view = View::BestSellers { category: None, selection: Selection::All };
    let question =
        Question { view, name: name.clone(), at: None, since: MOVEMENT_SINCE, limit: usize::MAX, now };
    let trends = Trends::of(sources.store, sources.opened(name, None)?, question.since)?;
    trends.each(&mut |trend| {
        let answer = of_trend(&trends, &trend, Selection::All, &question);
        take(trend.category.as_deref(), answer);
        Ok(())
    })
}

/// Answers a question.
///
/// # Errors
/// Fails where a ranking cannot be read, or there is nothing of what was asked for; then it names
/// what there is instead.
pub fn answer(sources: &Sources<'_>, question: &Question) -> Result<Answer<'static>, ShowError> {
    let (store, uncommitted) = (sources.store, sources.uncommitted);
    let snapshot = sources.opened(&question.name, question.at)?;
    let trends = |snapshot| Trends::of(store, snapshot, question.since);
    match &question.view {
        View::BestSellers { category, selection } => {
            best_sellers(&trends(snapshot)?, category.as_deref(), *selection, question)
        }
        View::Categories(order) => categories(&snapshot, *order, question),
        View::Item { item_id, explained } => {
            let explained = explained.as_ref().map(Option::as_deref);
            item((store, uncommitted), &trends(snapshot)?, item_id, explained, question)
        }
        View::Diff { category, between } => {
            let opened = |moment| sources.opened(&question.name, Some(moment));
            let [before, after] = [opened(between[0])?, opened(between[1])?];
            diff(&before, &after, category.as_deref(), question)
        }
        View::History { category, item_id } => {
            history(store, &snapshot, item_id, category.as_deref(), question)
        }
        View::Search(text) => search(&snapshot, text, question),
    }
}
