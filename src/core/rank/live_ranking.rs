//! A ranking in memory that is kept up to date row by row: what each item adds up to, and the best of each category that
//! was asked for.
//!
//! Invariant: the list of a category is the one that a ranking by the same rows has.

use hashbrown::HashMap;

use crate::model::{
    Aggregate, AggregateOverflow, AggregateRows, DayUnits, Decay, Hour, HourAggregate, Interner, Window,
    levels_of,
};
use crate::rank::item_rows::Sum;
use crate::rank::live_top::LiveTop;
use crate::rank::overflow::Overflow;
use crate::rank::ranking::{CategoryRanking, RankedItem};
use crate::rank::rules::Measure;
use crate::rank::scoring::{Scored, Scoring};

/// The number of the shop among the categories; its path is the empty text.
const SHOP: u32 = 0;
/// After the last row of an item.
const NONE: u32 = u32::MAX;
/// A list keeps so many times as many items as it has, so that it is seldom built again.
const MARGIN: usize = 4;
/// A list keeps at least so many items.
const MIN_KEPT: usize = 32;
/// Longer lists are built each time.
const MAX_KEPT_LIMIT: usize = 1_000;

/// How items are scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveRules {
    pub window: Window,
    pub decay: Decay,
    pub measure: Measure,
}

/// What the items add up to within a window.
pub struct LiveRanking {
    rules: LiveRules,
    scoring: Scoring,
    pub(super) items: Interner,
    /// The first row of each item.
    first_rows: Vec<u32>,
    pub(super) rows: Vec<LiveRow>,
    pub(super) sets: Sets,
    /// The lists of categories that were asked for.
    lists: HashMap<u32, LiveTop>,
}

/// What an item has with one set of paths.
pub(super) struct LiveRow {
    pub item: u32,
    pub path_set: u32,
    pub is_primary: bool,
    /// The next row of the same item.
    next: u32,
    pub sum: Sum,
}

/// The sets of paths, and the categories that they are in.
pub(super) struct Sets {
    pub texts: Interner,
    categories: Interner,
    /// By set, ascending.
    categories_of: Vec<Vec<u32>>,
    /// By set.
    rows_of: Vec<Vec<u32>>,
    /// By category.
    sets_of: Vec<Vec<u32>>,
}

impl Sets {
    fn none() -> Sets {
        let mut categories = Interner::default();
        categories.code("");
        let (categories_of, rows_of, sets_of) = (Vec::new(), Vec::new(), vec![Vec::new()]);
        Sets { texts: Interner::default(), categories, categories_of, rows_of, sets_of }
    }

    fn code(&mut self, text: &str) -> u32 {
        let set = self.texts.code(text);
        if set as usize == self.categories_of.len() {
            let paths = text.split('|').filter(|path| !path.is_empty());
            let mut of_set: Vec<u32> =
                paths.flat_map(levels_of).map(|path| self.categories.code(path)).collect();
            of_set.sort_unstable();
            of_set.dedup();
            self.sets_of.resize(self.categories.len(), Vec::new());
            of_set.iter().for_each(|category| self.sets_of[*category as usize].push(set));
            self.categories_of.push(of_set);
            self.rows_of.push(Vec::new());
        }
        set
    }

    fn has(&self, category: u32, row: &LiveRow) -> bool {
        match category {
            SHOP => row.is_primary,
            _ => self.categories_of[row.path_set as usize].binary_search(&category).is_ok(),
        }
    }
}

impl LiveRanking {
    /// Returns a ranking of no rows.
    pub fn new(rules: LiveRules) -> LiveRanking {
        LiveRanking {
            rules,
            scoring: Scoring::new(rules.window, rules.decay, rules.measure),
            items: Interner::default(),
            first_rows: Vec::new(),
            rows: Vec::new(),
            sets: Sets::none(),
            lists: HashMap::new(),
        }
    }

    /// Returns how items are scored.
    pub fn rules(&self) -> LiveRules {
        self.rules
    }

    /// Returns how many items it has.
    pub fn items(&self) -> usize {
        self.items.len()
    }

    /// Adds rows of any hours, in any order; those outside of the window count nothing.
    ///
    /// # Errors
    /// Names the item where an aggregate exceeds its range.
    pub fn add_rows(&mut self, rows: &AggregateRows) -> Result<(), AggregateOverflow> {
        let mut items: Vec<Option<u32>> = vec![None; rows.items.len()];
        let sets: Vec<u32> = rows.path_sets.iter().map(|set| self.sets.code(set)).collect();
        let window = self.rules.window;
        for row in rows.rows.iter().filter(|row| window.contains(row.hour)) {
            let name = rows.items.name(row.item);
            let item = *items[row.item as usize].get_or_insert_with(|| self.items.code(name));
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
        if !self.rules.window.contains(hour) {
            return Ok(());
        }
        let (item, path_set) = (self.items.code(item_id), self.sets.code(paths));
        self.add_row(item, &HourAggregate { hour, path_set, is_primary, aggregate })
            .map_err(|e| e.of(item_id))
    }

    /// Adds the sums of some of the hours.
    ///
    /// # Errors
    /// Names the item where an aggregate exceeds its range.
    pub fn add_hours(&mut self, hours: &LiveRanking) -> Result<(), AggregateOverflow> {
        let (oldest, first) = (self.rules.window.oldest(), hours.rules.window.oldest());
        let exponents = u32::try_from(self.rules.decay.octaves_between(oldest, first)).unwrap_or(0);
        let sets: Vec<u32> = hours.sets.texts.iter().map(|set| self.sets.code(set)).collect();
        for row in &hours.rows {
            let name = hours.items.name(row.item);
            let (item, path_set) = (self.items.code(name), sets[row.path_set as usize]);
            let at = self.place(item, path_set, row.is_primary);
            let mut sum = self.scoring.zero();
            sum.score.add_in_units_of_earlier(&row.sum.score, exponents);
            (sum.absolute, sum.aggregate) = (row.sum.absolute, row.sum.aggregate);
            self.change(at, |_, known| known.add(&sum)).map_err(|e| e.of(name))?;
        }
        Ok(())
    }

    /// Has the lists of some categories, which may be unknown, kept from now on.
    ///
    /// # Errors
    /// Names the item where an aggregate exceeds its range.
    pub fn keep(&mut self, lists: &[(Option<String>, usize)]) -> Result<(), AggregateOverflow> {
        for (category, kept) in lists {
            if let Some(number) = self.sets.categories.find(category.as_deref().unwrap_or_default()) {
                let list = self.built(number, *kept)?;
                self.lists.insert(number, list);
            }
        }
        Ok(())
    }

    /// Returns the categories whose lists are kept, and how many items each keeps.
    pub fn kept(&self) -> Vec<(Option<String>, usize)> {
        let name = |number: u32| match number {
            SHOP => None,
            number => Some(self.sets.categories.name(number).to_owned()),
        };
        self.lists.iter().map(|(number, list)| (name(*number), list.kept())).collect()
    }

    /// Returns whether the ranking of a category needs no list to be built.
    pub fn has_list(&self, category: Option<&str>, limit: usize) -> bool {
        let number = self.sets.categories.find(category.unwrap_or_default());
        number.is_none_or(|number| self.lists.get(&number).is_some_and(|list| list.best(limit).is_some()))
    }

    /// Returns the ranking of a category, of the shop for none, with the best of its items; without the days of each.
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
            window: self.rules.window,
            eligible_items: 0,
            aggregate: Aggregate::default(),
            items: Vec::new(),
        };
        let Some(number) = self.sets.categories.find(category.unwrap_or_default()) else {
            return Ok(ranking);
        };
        let best_of = |list: &LiveTop| list.best(limit).map(Iterator::collect::<Vec<u32>>);
        let known = self.lists.get(&number).and_then(|list| Some((best_of(list)?, list)));
        let best = match known {
            Some((best, list)) => {
                (ranking.eligible_items, ranking.aggregate) = (list.eligible_items, list.aggregate);
                best
            }
            None => {
                let list = self.built(number, limit.saturating_mul(MARGIN).max(MIN_KEPT))?;
                let best = best_of(&list).unwrap_or_default();
                (ranking.eligible_items, ranking.aggregate) = (list.eligible_items, list.aggregate);
                if limit <= MAX_KEPT_LIMIT {
                    self.lists.insert(number, list);
                }
                best
            }
        };
        for item in best {
            let item_id = self.items.name(item).to_owned();
            let scored = self.scored(item, number).map_err(|e| e.of(&item_id))?;
            if let Some(Scored { score, aggregate }) = scored {
                let (score, days) = (self.scoring.printed(&score), DayUnits::default());
                ranking.items.push(RankedItem { item_id, score, aggregate, days });
            }
        }
        Ok(ranking)
    }

    /// Sets what an item has with a set of paths, while there are no lists.
    pub(super) fn set(&mut self, item_id: &str, paths: &str, is_primary: bool, sum: Sum) {
        let (item, path_set) = (self.items.code(item_id), self.sets.code(paths));
        let at = self.place(item, path_set, is_primary);
        self.rows[at].sum = sum;
    }

    fn add_row(&mut self, item: u32, row: &HourAggregate) -> Result<(), Overflow> {
        let at = self.place(item, row.path_set, row.is_primary);
        self.change(at, |scoring, sum| scoring.add(row, sum))
    }

    /// Returns the row of an item with a set of paths, which is new where there is none.
    fn place(&mut self, item: u32, path_set: u32, is_primary: bool) -> usize {
        if item as usize == self.first_rows.len() {
            self.first_rows.push(NONE);
        }
        let first = self.first_rows[item as usize];
        let mut at = first;
        while at != NONE {
            let row = &self.rows[at as usize];
            if (row.path_set, row.is_primary) == (path_set, is_primary) {
                return at as usize;
            }
            at = row.next;
        }
        let new = u32::try_from(self.rows.len()).expect("fewer than 2^32 rows fit in memory");
        self.rows.push(LiveRow { item, path_set, is_primary, next: first, sum: self.scoring.zero() });
        self.first_rows[item as usize] = new;
        self.sets.rows_of[path_set as usize].push(new);
        new as usize
    }

    /// Changes a row, and the lists that it is in.
    fn change(
        &mut self,
        at: usize,
        change: impl FnOnce(&Scoring, &mut Sum) -> Result<(), Overflow>,
    ) -> Result<(), Overflow> {
        let LiveRow { item, path_set, is_primary, .. } = self.rows[at];
        if self.lists.is_empty() {
            return change(&self.scoring, &mut self.rows[at].sum);
        }
        let of_set = &self.sets.categories_of[path_set as usize];
        let shop = is_primary.then_some(SHOP);
        let kept: Vec<u32> =
            shop.into_iter().chain(of_set.iter().copied()).filter(|of| self.lists.contains_key(of)).collect();
        let before = self.scored_in_each(item, &kept)?;
        change(&self.scoring, &mut self.rows[at].sum)?;
        let after = self.scored_in_each(item, &kept)?;
        for (at, category) in kept.iter().enumerate() {
            if let Some(list) = self.lists.get_mut(category) {
                // A single one is that of all categories.
                let of = |scored: &[Option<Scored>]| scored.get(at).or(scored.first()).cloned().flatten();
                list.change(item, (of(&before).as_ref(), of(&after).as_ref()), &self.items)?;
            }
        }
        Ok(())
    }

    /// Returns an item's scores in some categories that it has a row in; one for all of them where it has one row.
    fn scored_in_each(&self, item: u32, categories: &[u32]) -> Result<Vec<Option<Scored>>, Overflow> {
        let first = &self.rows[self.first_rows[item as usize] as usize];
        match first.next {
            NONE if categories.is_empty() => Ok(Vec::new()),
            NONE => Ok(vec![self.scoring.scored(first.sum.clone())?]),
            _ => categories.iter().map(|category| self.scored(item, *category)).collect(),
        }
    }

    /// Returns an item's score in a category; none where it is not eligible.
    fn scored(&self, item: u32, category: u32) -> Result<Option<Scored>, Overflow> {
        let mut sum = self.scoring.zero();
        let mut at = self.first_rows[item as usize];
        while at != NONE {
            let row = &self.rows[at as usize];
            if self.sets.has(category, row) {
                sum.add(&row.sum)?;
            }
            at = row.next;
        }
        self.scoring.scored(sum)
    }

    /// Returns whether a row is the first of its item in a category.
    fn is_first(&self, at: u32, category: u32) -> bool {
        let mut of_item = self.first_rows[self.rows[at as usize].item as usize];
        while of_item != at {
            let row = &self.rows[of_item as usize];
            if self.sets.has(category, row) {
                return false;
            }
            of_item = row.next;
        }
        true
    }

    /// Builds the list of a category from all its items.
    fn built(&self, category: u32, kept: usize) -> Result<LiveTop, AggregateOverflow> {
        let mut list = LiveTop::of(kept);
        let mut push = |at: u32| {
            let row = &self.rows[at as usize];
            if !self.sets.has(category, row) || !self.is_first(at, category) {
                return Ok(());
            }
            let named = |e: Overflow| e.of(self.items.name(row.item));
            match self.scored(row.item, category).map_err(named)? {
                Some(scored) => list.push(row.item, &scored, &self.items).map_err(named),
                None => Ok(()),
            }
        };
        match category {
            SHOP => (0..self.rows.len()).try_for_each(|at| push(at as u32))?,
            _ => {
                let sets = self.sets.sets_of[category as usize].iter();
                sets.flat_map(|set| &self.sets.rows_of[*set as usize]).try_for_each(|at| push(*at))?;
            }
        }
        list.finish(&self.items);
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;

    use super::*;
    use crate::model::{AggregateRow, Units, Week, Zone};
    use crate::rank::item_scores::ItemScores;
    use crate::rank::ranking_builder::RankingBuilder;
    use crate::rank::rules::Rules;

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
        ranking
            .iter_mut()
            .for_each(|of| of.items.iter_mut().for_each(|item| item.days = DayUnits::default()));
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
