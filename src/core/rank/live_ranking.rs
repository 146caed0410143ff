//! A ranking in memory that is kept up to date row by row: what each item adds up to, and the best of each category that
//! was asked for; and, before an hour ends, that of the next one.
//!
//! Invariant: the list of a category is the one that a ranking by the same rows has.

use crate::model::{
    Aggregate, AggregateOverflow, AggregateRows, Counting, DayUnits, EventTypes, Events, Hour, HourAggregate,
    Places,
};
use crate::rank::live_rows::SHOP;
use crate::rank::live_sums::LiveSums;
use crate::rank::live_top::LiveTop;
use crate::rank::live_window::{InLists, LiveRules, LiveWindow};
use crate::rank::next_hour::NextHour;
use crate::rank::overflow::Overflow;
use crate::rank::ranking::{CategoryRanking, RankedItem};
use crate::rank::scoring::Scored;

/// A list keeps so many times as many items as it has, so that it is seldom built again.
const MARGIN: usize = 4;
/// A list keeps at least so many items.
const MIN_KEPT: usize = 32;
/// Longer lists are built each time.
const MAX_KEPT_LIMIT: usize = 1_000;

/// What the items add up to within a window.
pub struct LiveRanking {
    pub(super) sums: LiveSums,
    next: Option<Box<NextHour>>,
}

/// How far the next hour is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HourState {
    /// It takes more steps.
    Begun,
    Ready,
    /// It must be read from the lake.
    Unusable,
}

/// A window that is past: large, so that whoever gets it frees it where nobody waits.
pub struct DroppedWindow {
    _window: LiveWindow,
}

impl LiveRanking {
    /// Returns a ranking of no rows.
    pub fn new(rules: LiveRules) -> LiveRanking {
        LiveRanking { sums: LiveSums::new(rules), next: None }
    }

    /// Returns how items are scored.
    pub fn rules(&self) -> LiveRules {
        self.sums.window.rules
    }

    /// Returns how many items it has.
    pub fn items(&self) -> usize {
        self.sums.rows.items.len()
    }

    /// Adds rows of any hours, in any order; those outside of the window count nothing.
    ///
    /// # Errors
    /// Names the item where an aggregate exceeds its range.
    pub fn add_rows(&mut self, rows: &AggregateRows) -> Result<(), AggregateOverflow> {
        let mut items: Vec<Option<u32>> = vec![None; rows.items.len()];
        let sets: Vec<u32> = rows.path_sets.iter().map(|set| self.sums.rows.sets.code(set)).collect();
        for row in &rows.rows {
            if !self.has(row.hour) {
                continue;
            }
            let name = rows.items.name(row.item);
            let item = *items[row.item as usize].get_or_insert_with(|| self.sums.rows.items.code(name));
            let of = HourAggregate {
                hour: row.hour,
                path_set: sets[row.path_set as usize],
                is_primary: row.is_primary,
                aggregate: row.aggregate,
            };
            self.add_row(item, &of).map_err(|e| e.of(name))?;
        }
        Ok(())
    }

    /// Adds the events that count.
    ///
    /// # Errors
    /// Names the item where an aggregate exceeds its range.
    pub fn add_events(
        &mut self,
        events: &Events,
        event_types: &EventTypes,
        counts: impl Fn(usize) -> bool,
    ) -> Result<(), AggregateOverflow> {
        let counting: Vec<Option<Counting>> =
            events.event_types.iter().map(|name| event_types.counting(name)).collect();
        let places = Places::of(&events.path_sets);
        // Few sets of paths have many events.
        let mut sets: Vec<Option<u32>> = Vec::new();
        for row in (0..events.len()).filter(|row| counts(*row)) {
            let event = events.event(row);
            let Some(counting) = counting[event.event_type as usize] else { continue };
            let hour = event.ts.hour();
            if !self.has(hour) {
                continue;
            }
            let aggregate = counting.applied_to(Aggregate::of(event.quantity, event.amount));
            let item = self.sums.rows.items.code(event.item_id);
            for number in places.of_set(event.path_set) {
                let place = places.place(number);
                sets.resize(sets.len().max(number as usize + 1), None);
                let path_set = *sets[number as usize].get_or_insert_with(|| {
                    let names = places.paths(place).iter().map(|path| places.path_names().name(*path));
                    self.sums.rows.sets.code(&names.collect::<Vec<&str>>().join("|"))
                });
                let of = HourAggregate { hour, path_set, is_primary: place.is_primary, aggregate };
                self.add_row(item, &of).map_err(|e| e.of(event.item_id))?;
            }
        }
        Ok(())
    }

    /// Adds what an item has in an hour with one set of paths below a top-level category, joined by `|`.
    ///
    /// # Errors
    /// Names the item where an aggregate exceeds its range.
    pub fn add(
        &mut self,
        item_id: &str,
        paths: &str,
        (is_primary, hour): (bool, Hour),
        aggregate: Aggregate,
    ) -> Result<(), AggregateOverflow> {
        if !self.has(hour) {
            return Ok(());
        }
        let (item, path_set) = (self.sums.rows.items.code(item_id), self.sums.rows.sets.code(paths));
        self.add_row(item, &HourAggregate { hour, path_set, is_primary, aggregate })
            .map_err(|e| e.of(item_id))
    }

    /// Adds the sums of some of the hours.
    ///
    /// # Errors
    /// Names the item where an aggregate exceeds its range.
    pub fn add_hours(&mut self, hours: &LiveRanking) -> Result<(), AggregateOverflow> {
        self.sums.add_hours(&hours.sums)
    }

    /// Has the lists of some categories, which may be unknown, kept from now on.
    ///
    /// # Errors
    /// Names the item where an aggregate exceeds its range.
    pub fn keep(&mut self, lists: &[(Option<String>, usize)]) -> Result<(), AggregateOverflow> {
        for (category, kept) in lists {
            if let Some(number) = self.category(category.as_deref()) {
                let list = self.sums.window.built(&self.sums.rows, number, *kept)?;
                self.sums.window.keep(number, list);
            }
        }
        Ok(())
    }

    /// Returns the categories whose lists are kept, and how many items each keeps.
    pub fn kept(&self) -> Vec<(Option<String>, usize)> {
        let name = |number: u32| match number {
            SHOP => None,
            number => Some(self.sums.rows.sets.categories.name(number).to_owned()),
        };
        self.sums.window.kept().map(|(number, kept)| (name(number), kept)).collect()
    }

    /// Returns whether the ranking of a category needs no list to be built.
    pub fn has_list(&self, category: Option<&str>, limit: usize) -> bool {
        let number = self.category(category);
        number
            .is_none_or(|number| self.sums.window.list(number).is_some_and(|list| list.best(limit).is_some()))
    }

    /// Returns the ranking of a category, of the shop for none, with the best of its items; without the days of each,
    /// the aggregate of those that are not eligible, and the first that is not listed.
    ///
    /// # Errors
    /// Names the item where an aggregate exceeds its range.
    pub fn ranking(
        &mut self,
        category: Option<&str>,
        limit: usize,
    ) -> Result<CategoryRanking, AggregateOverflow> {
        let mut ranking = CategoryRanking {
            category: category.map(str::to_owned),
            window: self.rules().window,
            eligible_items: 0,
            aggregate: Aggregate::default(),
            window_aggregate: Aggregate::default(),
            items: Vec::new(),
            next: None,
        };
        let Some(number) = self.category(category) else { return Ok(ranking) };
        let best_of = |list: &LiveTop| list.best(limit).map(Iterator::collect::<Vec<u32>>);
        let known = self.sums.window.list(number).and_then(|list| Some((best_of(list)?, list)));
        let best = match known {
            Some((best, list)) => {
                (ranking.eligible_items, ranking.aggregate) = (list.eligible_items, list.aggregate);
                best
            }
            None => {
                let kept = limit.saturating_mul(MARGIN).max(MIN_KEPT);
                let list = self.sums.window.built(&self.sums.rows, number, kept)?;
                let best = best_of(&list).unwrap_or_default();
                (ranking.eligible_items, ranking.aggregate) = (list.eligible_items, list.aggregate);
                if limit <= MAX_KEPT_LIMIT {
                    self.sums.window.keep(number, list);
                }
                best
            }
        };
        for item in best {
            let item_id = self.sums.rows.items.name(item).to_owned();
            let scored =
                self.sums.window.scored(&self.sums.rows, item, number).map_err(|e| e.of(&item_id))?;
            if let Some(Scored { score, aggregate }) = scored {
                let (score, days) = (self.sums.window.scoring.printed(&score), DayUnits::default());
                let window_aggregate = aggregate;
                ranking.items.push(RankedItem { item_id, score, aggregate, window_aggregate, days });
            }
        }
        Ok(ranking)
    }

    /// Begins with the window of the next hour, given what the hour that leaves it and the one that comes have by now.
    pub fn begin_next(&mut self, leaving: LiveRanking, entering: LiveRanking) {
        self.next = Some(Box::new(NextHour::begin(self.rules(), leaving.sums, entering.sums)));
    }

    /// Works on the window of the next hour, on at most so many rows.
    pub fn step_next(&mut self, most: usize) -> HourState {
        let Some(next) = &mut self.next else { return HourState::Unusable };
        if next.step(&mut self.sums.rows, &self.sums.window, most).is_err() || next.is_sparse(&self.sums.rows)
        {
            self.next = None;
            return HourState::Unusable;
        }
        if next.is_done() { HourState::Ready } else { HourState::Begun }
    }

    /// Returns whether the window that ends at an hour is ready to be the next one.
    pub fn has_next(&self, as_of: Hour) -> bool {
        self.next.as_ref().is_some_and(|next| next.is_done() && next.window.rules.window.as_of() == as_of)
    }

    /// Turns to the next window, and returns the one before.
    pub fn turn(&mut self) -> Option<DroppedWindow> {
        let next = self.next.take_if(|next| next.is_done())?;
        Some(DroppedWindow { _window: std::mem::replace(&mut self.sums.window, next.window) })
    }

    fn category(&self, category: Option<&str>) -> Option<u32> {
        self.sums.rows.sets.categories.find(category.unwrap_or_default())
    }

    /// Returns whether an hour is in the window, or in the next one.
    #[inline]
    fn has(&self, hour: Hour) -> bool {
        let is_next = || self.next.as_ref().is_some_and(|next| next.window.rules.window.contains(hour));
        self.rules().window.contains(hour) || is_next()
    }

    #[inline]
    fn add_row(&mut self, item: u32, row: &HourAggregate) -> Result<(), Overflow> {
        let at = self.sums.rows.place(item, row.path_set, row.is_primary);
        if self.rules().window.contains(row.hour) {
            self.sums
                .window
                .change(&self.sums.rows, at, InLists::Yes, |scoring, sum| scoring.add(row, sum))?;
        }
        if let Some(next) = &mut self.next
            && next.add(&self.sums.rows, (at, row.hour), row.aggregate).is_err()
        {
            // It is read from the lake, and the error names the item.
            self.next = None;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;

    use super::*;
    use crate::model::{AggregateRow, Decay, Units, Week, Window, Zone};
    use crate::rank::item_scores::ItemScores;
    use crate::rank::ranking_builder::RankingBuilder;
    use crate::rank::rules::{Measure, Rules};

    /// Item, where it is filed, hour, units in quarters.
    type Sale = (u8, u8, i32, i64);

    const HOURS: u32 = 20;
    const END: i32 = 100;
    /// The sets of paths of an event: each below one top-level category, the first of which counts shop-wide.
    const FILED: [&[&str]; 6] = [&["A/a"], &["A/b"], &["A/a|A/b/c"], &["A/a", "B"], &["B/b"], &[""]];

    fn rules(octaves: bool) -> LiveRules {
        let decay = match octaves {
            // Enough for scores of more than two limbs.
            true => Decay::half_life_seconds(3_600).expect("a half-life"),
            false => Decay::None,
        };
        LiveRules { window: Window::ending(Hour::new(END), HOURS), decay, measure: Measure::Units }
    }

    fn rows(sales: &[Sale]) -> AggregateRows {
        let mut rows = AggregateRows::default();
        for (item, filed, hour, units) in sales {
            for (at, set) in FILED[*filed as usize].iter().enumerate() {
                let aggregate = Aggregate {
                    purchases: 1,
                    units: Units::from_ten_thousandths(units * 2_500),
                    amount: i128::from(*units) * 777,
                };
                let (item, path_set) = (rows.items.code(&format!("i{item:02}")), rows.path_sets.code(set));
                let hour = Hour::new(END - 1 - hour);
                rows.rows.push(AggregateRow { item, path_set, hour, is_primary: at == 0, aggregate });
            }
        }
        rows
    }

    /// Returns the rankings of all categories by all rows, as a published ranking is made.
    fn expected(sales: &[Sale], rules: LiveRules, limit: usize) -> Vec<CategoryRanking> {
        let LiveRules { window, decay, measure } = rules;
        let week = Week::ending(window.as_of(), Zone::utc());
        let rules = Rules { window, decay, measure, limit, min_items: 0, max_lookback_hours: 0, week };
        let mut builder = RankingBuilder::new(rules);
        while let Some(request) = builder.next_scan() {
            let mut sums = ItemScores::of(&request);
            sums.add(&rows(sales)).expect("small aggregates fit");
            builder.add(&request, vec![sums.rank().expect("small aggregates fit")]).expect("they fit");
        }
        let mut ranking = builder.finish().ranking.categories;
        // What live rankings leave out.
        for of in &mut ranking {
            of.window_aggregate = Aggregate::default();
            of.next = None;
            of.items.iter_mut().for_each(|item| item.days = DayUnits::default());
        }
        ranking
    }

    fn check(live: &mut LiveRanking, sales: &[Sale], limit: usize) {
        let expected = expected(sales, live.rules(), limit);
        for category in
            [None, Some("A"), Some("A/a"), Some("A/b"), Some("A/b/c"), Some("B"), Some("B/b"), Some("C")]
        {
            let found = live.ranking(category, limit).expect("small aggregates fit");
            let known = expected.iter().find(|of| of.category.as_deref() == category);
            assert_eq!(Some(&found).filter(|found| found.eligible_items > 0), known, "{category:?}");
        }
    }

    fn sale() -> impl proptest::strategy::Strategy<Value = Sale> {
        (0..40_u8, 0..6_u8, -1..HOURS.cast_signed() + 1, -6..20_i64)
    }

    proptest::proptest! {
        #[test]
        fn lists_that_are_kept_are_those_of_a_ranking(
            sales in vec(sale(), 0..150),
            (octaves, limit, asked) in (proptest::bool::ANY, 1..12_usize, 0..100_usize),
        ) {
            let mut live = LiveRanking::new(rules(octaves));
            for (number, sale) in sales.iter().enumerate() {
                live.add_rows(&rows(&[*sale])).expect("small aggregates fit");
                // Some lists are asked for early, and kept from then on; others late.
                if number >= asked && number % 7 == 0 {
                    check(&mut live, &sales[..=number], limit);
                }
            }
            check(&mut live, &sales, limit);
            check(&mut live, &sales, 100);
        }

        #[test]
        fn the_next_hour_is_that_of_a_ranking(
            before in vec(sale(), 0..120),
            during in vec(sale(), 0..120),
            (octaves, asked, most, each) in (proptest::bool::ANY, proptest::bool::ANY, 1..9_usize, 1..5_usize),
        ) {
            let mut live = LiveRanking::new(rules(octaves));
            live.add_rows(&rows(&before)).expect("small aggregates fit");
            if asked {
                check(&mut live, &before, 4);
            }
            let of_hour = |end: i32| {
                let mut hour =
                    LiveRanking::new(LiveRules { window: Window::ending(Hour::new(end), 1), ..rules(octaves) });
                hour.add_rows(&rows(&before)).expect("small aggregates fit");
                hour
            };
            // Sales of hour -1 are of the hour that comes.
            live.begin_next(of_hour(END - HOURS.cast_signed() + 1), of_hour(END + 1));
            let mut sales = before.clone();
            for sale in &during {
                // Some of them while the next hour is made, some after.
                live.add_rows(&rows(&[*sale])).expect("small aggregates fit");
                sales.push(*sale);
                if sales.len() % each == 0 && live.step_next(most) == HourState::Unusable {
                    return Ok(());
                }
            }
            check(&mut live, &sales, 4);
            loop {
                match live.step_next(most) {
                    HourState::Unusable => return Ok(()),
                    HourState::Ready => break,
                    HourState::Begun => {}
                }
            }
            proptest::prop_assert!(live.has_next(Hour::new(END + 1)));
            proptest::prop_assert!(live.turn().is_some());
            check(&mut live, &sales, 4);
        }

        #[test]
        fn hours_that_were_written_to_a_file_add_up(
            sales in vec(sale(), 0..80),
            octaves in proptest::bool::ANY,
            cuts in (1..HOURS, 1..HOURS),
        ) {
            let whole = rules(octaves);
            let mut live = LiveRanking::new(whole);
            let (first, second) = (cuts.0.min(cuts.1), cuts.0.max(cuts.1));
            for (from, to) in [(0, first), (first, second), (second, HOURS)] {
                let end = Hour::new(END - HOURS.cast_signed() + to.cast_signed());
                let part = LiveRules { window: Window::ending(end, to - from), ..whole };
                let mut hours = LiveRanking::new(part);
                hours.add_rows(&rows(&sales)).expect("small aggregates fit");
                let bytes = hours.to_bytes(7);
                proptest::prop_assert!(LiveRanking::of_bytes(&bytes, 8, part).is_err(), "of another key");
                proptest::prop_assert!(LiveRanking::of_bytes(&bytes[1..], 7, part).is_err());
                let read = LiveRanking::of_bytes(&bytes, 7, part).expect("it is such a file");
                live.add_hours(&read).expect("small aggregates fit");
            }
            check(&mut live, &sales, 5);
        }
    }

    #[test]
    fn a_list_that_has_lost_many_items_is_built_again() {
        let mut live = LiveRanking::new(rules(true));
        let mut sales: Vec<Sale> = (0..100).map(|item| (item, 0, 3, i64::from(item) + 1)).collect();
        live.add_rows(&rows(&sales)).expect("small aggregates fit");
        check(&mut live, &sales, 10);
        // The best of them are returned, more than the list keeps, and come back.
        for item in (0..100).rev() {
            sales.push((item, 0, 2, -200));
            live.add_rows(&rows(&sales[sales.len() - 1..])).expect("small aggregates fit");
            if item % 9 == 0 {
                check(&mut live, &sales, 10);
            }
        }
        sales.push((50, 0, 0, 1_000));
        live.add_rows(&rows(&sales[sales.len() - 1..])).expect("small aggregates fit");
        check(&mut live, &sales, 10);
    }
}
