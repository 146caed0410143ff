//! What the rows of a ranking in memory add up to within one window, and the lists of categories that are kept of it.
//!
//! Invariant: a kept list is the one that all sums give.

use crate::model::{Aggregate, AggregateOverflow, Decay, Window};
use crate::rank::item_rows::Sum;
use crate::rank::live_rows::LiveRows;
use crate::rank::live_top::{Listed, LiveTop};
use crate::rank::overflow::Overflow;
use crate::rank::rules::Measure;
use crate::rank::scoring::{Scored, Scoring};

/// How items are scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveRules {
    pub window: Window,
    pub decay: Decay,
    pub measure: Measure,
}

/// Sums and lists.
pub(super) struct LiveWindow {
    pub rules: LiveRules,
    pub scoring: Scoring,
    /// By row; rows after the last of them have nothing.
    sums: Vec<Sum>,
    /// By category.
    lists: Vec<Option<Box<LiveTop>>>,
    has_lists: bool,
}

/// Whether a change of a row is one of the lists, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InLists {
    Yes,
    /// They do not have the item yet.
    NotYet,
}

impl LiveWindow {
    pub fn new(rules: LiveRules) -> LiveWindow {
        let scoring = Scoring::new(rules.window, rules.decay, rules.measure);
        LiveWindow { rules, scoring, sums: Vec::new(), lists: Vec::new(), has_lists: false }
    }

    /// Returns what a row has.
    pub fn sum(&self, at: usize) -> Sum {
        self.sums.get(at).cloned().unwrap_or_else(|| self.scoring.zero())
    }

    /// Returns a sum of some of the window's hours in the units of its scores.
    pub fn in_own_units(&self, hours: &LiveRules, sum: &Sum) -> Sum {
        let (oldest, first) = (self.rules.window.oldest(), hours.window.oldest());
        let exponents = u32::try_from(self.rules.decay.octaves_between(oldest, first)).unwrap_or(0);
        let mut own = self.scoring.zero();
        own.score.add_in_units_of_earlier(&sum.score, exponents);
        (own.absolute, own.aggregate) = (sum.absolute, sum.aggregate);
        own
    }

    /// Sets what a row has, while there are no lists.
    pub fn set(&mut self, at: usize, sum: Sum) {
        *self.sum_mut(at) = sum;
    }

    /// Returns the list of a category, if it is kept.
    #[inline]
    pub fn list(&self, category: u32) -> Option<&LiveTop> {
        self.lists.get(category as usize)?.as_deref()
    }

    /// Keeps the list of a category.
    pub fn keep(&mut self, category: u32, list: LiveTop) {
        let length = self.lists.len().max(category as usize + 1);
        self.lists.resize_with(length, || None);
        self.lists[category as usize] = Some(Box::new(list));
        self.has_lists = true;
    }

    /// Returns the numbers of the categories whose lists are kept, and how many items each keeps.
    pub fn kept(&self) -> impl Iterator<Item = (u32, usize)> {
        let lists = (0..).zip(&self.lists);
        lists.filter_map(|(category, list)| Some((category, list.as_ref()?.kept())))
    }

    /// Changes what a row has, and the lists that it is in.
    #[inline]
    pub fn change(
        &mut self,
        rows: &LiveRows,
        at: usize,
        in_lists: InLists,
        change: impl FnOnce(&Scoring, &mut Sum) -> Result<(), Overflow>,
    ) -> Result<(), Overflow> {
        self.sum_mut(at);
        if !self.has_lists || in_lists == InLists::NotYet {
            return change(&self.scoring, &mut self.sums[at]);
        }
        if !rows.is_only(at) {
            return self.change_one_of_several(rows, at, change);
        }
        let item = rows.row(at).item;
        let LiveWindow { scoring, sums, lists, .. } = self;
        let sum = &mut sums[at];
        let before = scoring.scored(sum.clone())?.map(|scored| Listed::of(item, &scored, &rows.items));
        change(scoring, sum)?;
        let after = scoring.scored(sum.clone())?.map(|scored| match &before {
            Some(before) => before.with(scored),
            None => Listed::of(item, &scored, &rows.items),
        });
        for category in rows.categories_of(at) {
            if let Some(Some(list)) = lists.get_mut(category as usize) {
                list.change((before.as_ref(), after.as_ref()), &rows.items)?;
            }
        }
        Ok(())
    }

    /// Changes a row of an item that has others, so that its scores differ from category to category.
    fn change_one_of_several(
        &mut self,
        rows: &LiveRows,
        at: usize,
        change: impl FnOnce(&Scoring, &mut Sum) -> Result<(), Overflow>,
    ) -> Result<(), Overflow> {
        let item = rows.row(at).item;
        let kept = rows.categories_of(at).filter(|category| self.list(*category).is_some());
        let before: Vec<(u32, Option<Scored>)> = kept
            .map(|category| Ok((category, self.scored(rows, item, category)?)))
            .collect::<Result<_, _>>()?;
        change(&self.scoring, &mut self.sums[at])?;
        for (category, before) in before {
            let after = self.scored(rows, item, category)?;
            if let Some(Some(list)) = self.lists.get_mut(category as usize) {
                let listed = |of: Option<Scored>| of.map(|scored| Listed::of(item, &scored, &rows.items));
                list.change((listed(before).as_ref(), listed(after).as_ref()), &rows.items)?;
            }
        }
        Ok(())
    }

    /// Adds an item to all kept lists that it belongs to, none of which has it.
    pub fn add_to_lists(&mut self, rows: &LiveRows, item: u32) -> Result<(), Overflow> {
        let mut of_item = rows.of_item(item);
        let first = of_item.next();
        let Some(only) = first.filter(|_| of_item.next().is_none()) else {
            let mut categories: Vec<u32> = rows.of_item(item).flat_map(|at| rows.categories_of(at)).collect();
            categories.sort_unstable();
            categories.dedup();
            return categories.into_iter().try_for_each(|category| {
                let after = self.scored(rows, item, category)?;
                let after = after.map(|scored| Listed::of(item, &scored, &rows.items));
                match self.lists.get_mut(category as usize) {
                    Some(Some(list)) => list.change((None, after.as_ref()), &rows.items),
                    _ => Ok(()),
                }
            });
        };
        let Some(sum) = self.sums.get(only) else { return Ok(()) };
        let Some(scored) = self.scoring.scored(sum.clone())? else { return Ok(()) };
        let after = Listed::of(item, &scored, &rows.items);
        rows.categories_of(only).try_for_each(|category| match self.lists.get_mut(category as usize) {
            Some(Some(list)) => list.change((None, Some(&after)), &rows.items),
            _ => Ok(()),
        })
    }

    /// Returns an item's score in a category; none where it is not eligible.
    pub fn scored(&self, rows: &LiveRows, item: u32, category: u32) -> Result<Option<Scored>, Overflow> {
        let mut sum = self.scoring.zero();
        for at in rows.of_item(item).filter(|at| rows.counts_in(*at, category)) {
            if let Some(of_row) = self.sums.get(at) {
                sum.add(of_row)?;
            }
        }
        self.scoring.scored(sum)
    }

    /// Builds the list of a category from all its items.
    pub fn built(&self, rows: &LiveRows, category: u32, kept: usize) -> Result<LiveTop, AggregateOverflow> {
        let mut list = LiveTop::of(kept);
        rows.for_each_item_of(category, |item| {
            let named = |e: Overflow| e.of(rows.items.name(item));
            match self.scored(rows, item, category).map_err(named)? {
                Some(scored) => list.push(item, &scored, &rows.items).map_err(named),
                None => Ok(()),
            }
        })?;
        list.finish(&rows.items);
        Ok(list)
    }

    /// Returns what a row has, if anything counts on it.
    pub fn is_empty(&self, at: usize) -> bool {
        let is_empty = |sum: &Sum| sum.absolute == 0 && sum.aggregate == Aggregate::default();
        self.sums.get(at).is_none_or(is_empty)
    }

    #[inline]
    fn sum_mut(&mut self, at: usize) -> &mut Sum {
        while self.sums.len() <= at {
            self.sums.push(self.scoring.zero());
        }
        &mut self.sums[at]
    }
}
