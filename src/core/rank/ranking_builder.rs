//! A ranking made in rounds: the rules' window first; then a window twice as long for the categories
//! with too few eligible items, and so on (the look-back).
//!
//! The builder reads nothing. It says which aggregates it needs next; the caller has partial rankers
//! add them, as many in parallel as it likes, and passes the results back.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use crate::model::{Aggregate, AggregateOverflow, Hour, Window};
use crate::rank::multi_category::{MultiCategoryItem, contains_hash, hash_of};
use crate::rank::overflow::Overflow;
use crate::rank::partial_ranking::PartialRanking;
use crate::rank::ranking::{CategoryRanking, NextItem, RankedItem, Ranking};
use crate::rank::round::Round;
use crate::rank::rules::Rules;
use crate::rank::scan_request::ScanRequest;
use crate::rank::scoring::Scoring;
use crate::rank::shop_ranking::ShopRanking;
use crate::rank::top_items::TopItems;

/// A ranking in progress.
pub struct RankingBuilder {
    rules: Rules,
    pub(super) window: Window,
    /// The oldest hour of any aggregate; none where that is not known.
    oldest_hour: Option<Hour>,
    /// The categories whose ranking is final.
    pub(super) rankings: BTreeMap<Option<String>, CategoryRanking>,
    /// What all items of a category whose ranking is not final add up to over the rules' window.
    pub(super) window_aggregates: BTreeMap<Option<String>, Aggregate>,
    /// The shop over the current window, while multi-category items are missing.
    pub(super) shop: Option<ShopRanking>,
    is_done: bool,
    pub(super) wants_item_totals: bool,
    pub(super) round: u32,
    /// The round that each category's ranking is from; the shop is the empty path.
    pub(super) rounds: HashMap<String, u32>,
    pub(super) multi_category: (Vec<u64>, Vec<MultiCategoryItem>),
}

/// A ranking, and what item totals must know of how it was made.
pub struct FinishedRanking {
    pub ranking: Ranking,
    pub rounds: CategoryRounds,
}

/// The round of look-back that each category's ranking is from.
pub struct CategoryRounds {
    /// The shop is the empty path.
    rounds: HashMap<String, u32>,
    multi_category_hashes: Vec<u64>,
    /// The eligible multi-category items, in no order.
    pub multi_category_items: Vec<MultiCategoryItem>,
}

impl CategoryRounds {
    /// Returns whether the ranking of a category, of the shop for `None`, is from a round.
    pub fn is_from(&self, category: Option<&str>, round: u32) -> bool {
        self.rounds.get(category.unwrap_or_default()) == Some(&round)
    }

    /// Returns whether an item counts shop-wide by [`CategoryRounds::multi_category_items`], and not by
    /// the rows of its parts.
    pub fn is_multi_category(&self, item_id: &str) -> bool {
        contains_hash(&self.multi_category_hashes, hash_of(item_id))
    }
}

impl RankingBuilder {
    /// Returns a builder that has no aggregates yet.
    pub fn new(rules: Rules) -> RankingBuilder {
        RankingBuilder {
            window: rules.window,
            rules,
            oldest_hour: None,
            rankings: BTreeMap::new(),
            window_aggregates: BTreeMap::new(),
            shop: None,
            is_done: false,
            wants_item_totals: false,
            round: 0,
            rounds: HashMap::new(),
            multi_category: Default::default(),
        }
    }

    /// Returns a builder that also returns the totals of all eligible items.
    pub fn with_item_totals(rules: Rules) -> RankingBuilder {
        RankingBuilder { wants_item_totals: true, ..RankingBuilder::new(rules) }
    }

    /// Sets the oldest hour that any aggregate is of. Longer windows than one that begins there have nothing more,
    /// and need not be read.
    pub fn set_oldest_hour(&mut self, oldest_hour: Option<Hour>) {
        self.oldest_hour = oldest_hour;
    }

    /// Returns whether a longer window may be read next, unless [`RankingBuilder::set_oldest_hour`] tells that there is
    /// nothing more.
    pub fn may_look_back(&self) -> bool {
        self.window.hours() < self.rules.max_lookback_hours && self.rules.min_items > 0
    }

    /// Returns whether the ranking of a category, of the shop for `None`, is what it will be.
    pub fn is_final(&self, category: Option<&str>) -> bool {
        self.is_done || self.rankings.contains_key(&category.map(str::to_owned))
    }

    /// Returns which aggregates are needed next; `None` where the ranking is done.
    pub fn next_scan(&self) -> Option<ScanRequest> {
        let request = self.next_round().map(|round| ScanRequest::of(&self.rules, &round));
        request.map(|request| ScanRequest { wants_item_totals: self.wants_item_totals, ..request })
    }

    /// Returns what the next pass over the aggregates is for; `None` where the ranking is done.
    pub fn next_round(&self) -> Option<Round> {
        (!self.is_done).then(|| Round {
            number: self.round,
            window_hours: self.window.hours(),
            final_categories: self.rankings.keys().flatten().cloned().collect(),
            wants_shop: !self.rankings.contains_key(&None),
            multi_category: self.shop.as_ref().and_then(|shop| shop.pending.clone()),
        })
    }

    /// Adds the partial rankings of all the aggregates that were requested.
    ///
    /// # Errors
    /// Names an item whose aggregate over the window exceeds its range.
    pub fn add(
        &mut self,
        request: &ScanRequest,
        parts: Vec<PartialRanking>,
    ) -> Result<(), AggregateOverflow> {
        let mut tops: BTreeMap<String, TopItems> = BTreeMap::new();
        let mut shops = Vec::with_capacity(parts.len());
        for part in parts {
            shops.push(part.shop);
            for (category, top) in part.tops {
                tops.entry(category).or_default().merge(top, request.limit)?;
            }
        }
        for (category, top) in tops {
            if self.round == 0 {
                let total = top.total().ok_or_else(|| Overflow::Aggregate.of(&category))?;
                self.window_aggregates.insert(Some(category.clone()), total);
            }
            self.keep_if_final(Some(category), top, &request.scoring);
        }
        if request.wants_shop {
            let mut shop = match self.shop.take() {
                None => {
                    let shop = ShopRanking::merge(shops, request)?;
                    if self.round == 0 {
                        self.window_aggregates.insert(None, shop.total);
                    }
                    shop
                }
                Some(mut shop) => {
                    shop.add_collected(shops, request)?;
                    shop
                }
            };
            if shop.pending.is_some() {
                self.shop = Some(shop);
                return Ok(());
            }
            if self.keep_if_final(None, std::mem::take(&mut shop.top), &request.scoring) {
                self.multi_category = shop.into_multi_category();
            }
        }
        self.round += 1;
        if self.is_last_round() {
            self.is_done = true;
        } else {
            self.window = self.window.doubled(self.rules.max_lookback_hours);
        }
        Ok(())
    }

    /// Returns the ranking of all categories that have eligible items.
    pub fn finish(self) -> FinishedRanking {
        let rankings = self.rankings.into_values();
        let categories = rankings.filter(|ranking| ranking.eligible_items > 0).collect();
        let (multi_category_hashes, multi_category_items) = self.multi_category;
        let rounds = CategoryRounds { rounds: self.rounds, multi_category_hashes, multi_category_items };
        FinishedRanking { ranking: Ranking { categories }, rounds }
    }

    fn is_last_round(&self) -> bool {
        !self.may_look_back() || self.oldest_hour.is_some_and(|oldest| self.window.oldest() <= oldest)
    }

    /// Returns the window by which a category with so few eligible items is ranked in the last round: if a longer
    /// one was not read because it has nothing more, that one.
    fn last_window(&self, eligible_items: u64) -> Window {
        let hours = self.window.hours().max(self.rules.max_lookback_hours);
        match eligible_items < self.rules.min_items {
            true => Window::ending(self.window.as_of(), hours),
            false => self.window,
        }
    }

    /// Keeps a category's ranking over the current window if it is final, and returns whether it is.
    fn keep_if_final(&mut self, category: Option<String>, top: TopItems, scoring: &Scoring) -> bool {
        let (eligible_items, aggregate) = (top.eligible_items, top.aggregate);
        if !self.is_last_round() && eligible_items < self.rules.min_items {
            return false;
        }
        let mut best = top.into_sorted(self.rules.limit.saturating_add(1));
        let rest = best.split_off(best.len().min(self.rules.limit)).into_iter().next();
        let next = rest
            .filter(|_| self.rules.limit > 0)
            .map(|item| NextItem { item_id: item.item_id, score: scoring.printed(&item.scored.score) });
        let items = best.into_iter().map(|item| RankedItem {
            item_id: item.item_id,
            score: scoring.printed(&item.scored.score),
            aggregate: item.scored.aggregate,
            window_aggregate: item.reported.window,
            days: item.reported.days,
        });
        let ranking = CategoryRanking {
            category: category.clone(),
            window: self.last_window(eligible_items),
            eligible_items,
            aggregate,
            // A category that is not known from the first round has no sales in the rules' window.
            window_aggregate: self.window_aggregates.remove(&category).unwrap_or_default(),
            items: items.collect(),
            next,
        };
        if self.wants_item_totals {
            self.rounds.insert(category.clone().unwrap_or_default(), self.round);
        }
        self.rankings.insert(category, ranking);
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;

    use super::*;
    use crate::model::{Aggregate, DayUnits, Decay, HourAggregate, Interner, Units, Week, Zone};
    use crate::rank::partial_file::{PartFile, PartResult, PlanKey};
    use crate::rank::partial_items::PartialItems;
    use crate::rank::partial_ranking::PartialRanker;
    use crate::rank::rules::Measure;

    /// Item, top-level category, leaf or none, whether it is the primary copy, hour, units.
    type Sale = (u8, u8, Option<u8>, bool, i32, i64);

    const HOURS: u32 = 20;

    fn rules(limit: usize) -> Rules {
        Rules {
            window: Window::ending(Hour::new(100), HOURS),
            decay: Decay::half_life_seconds(5 * 3_600).expect("a half-life"),
            measure: Measure::Units,
            limit,
            min_items: 0,
            max_lookback_hours: HOURS,
            week: Week::ending(Hour::new(100), Zone::utc()),
        }
    }

    fn key() -> PlanKey {
        PlanKey { program: "1.2.3".to_owned(), checksum: 7 }
    }

    #[test]
    fn a_result_of_another_version_of_the_program_is_refused() {
        let rules = rules(3);
        let request = ScanRequest::of(&rules, &Round::first(&rules));
        let result = PartResult::Sums(PartialItems::default());
        let of_other = PlanKey { program: "1.2.4".to_owned(), ..key() };
        let bytes = PartFile { plan: of_other, part: 0, result }.to_bytes();
        let refused = PartFile::of_bytes(&bytes, &key(), &request).err().map(|error| error.to_string());
        let expected = "it was computed by topsell 1.2.4, not by the version of the plan";
        assert_eq!(refused.as_deref(), Some(expected));
    }

    fn row((_, top, leaf, is_primary, hour, units): Sale, path_sets: &mut Interner) -> HourAggregate {
        let path = leaf.map_or_else(|| format!("T{top}"), |leaf| format!("T{top}/{leaf}"));
        HourAggregate {
            hour: Hour::new(80 + hour),
            path_set: path_sets.code(&path),
            is_primary,
            aggregate: Aggregate { purchases: 1, units: quarters(units), amount: i128::from(units) * 777 },
        }
    }

    /// Returns units sold by weight, so that not all of them are whole.
    fn quarters(number: i64) -> Units {
        Units::from_ten_thousandths(number * 2_500)
    }

    /// Ranks in parts that each have some items of one top-level category.
    fn ranked_in_parts(sales: &[Sale], rules: &Rules, shares: u8) -> Ranking {
        ranked_from(sales, rules, shares, None)
    }

    /// Ranks in the same way, with the oldest hour, if it is given.
    fn ranked_from(sales: &[Sale], rules: &Rules, shares: u8, oldest: Option<Hour>) -> Ranking {
        let mut builder = RankingBuilder::new(rules.clone());
        builder.set_oldest_hour(oldest);
        while let Some(request) = builder.next_scan() {
            let mut parts = Vec::new();
            for (top, share) in (0..3).flat_map(|top| (0..shares).map(move |share| (top, share))) {
                let (mut part, mut path_sets) = (PartialRanker::new(&request), Interner::default());
                for item in (0..=u8::MAX).filter(|item| item % shares == share) {
                    let of_item = sales.iter().filter(|sale| sale.0 == item && sale.1 == top);
                    let mut rows: Vec<HourAggregate> =
                        of_item.map(|&sale| row(sale, &mut path_sets)).collect();
                    rows.sort_by_key(|row| row.hour);
                    if !rows.is_empty() {
                        part.add_item(&format!("i{item:03}"), &rows, &path_sets)
                            .expect("small aggregates fit");
                    }
                }
                parts.push(part.finish());
            }
            builder.add(&request, parts).expect("small aggregates fit");
        }
        builder.finish().ranking
    }

    /// Ranks by sums: every sale goes to one of some parts of its top-level category, as `part_of` says, which
    /// are merged in the order of `order`; and every result is written and read as a file.
    fn ranked_by_sums(sales: &[Sale], rules: &Rules, part_of: &[u8], order: &[u8]) -> Ranking {
        const PARTS: u8 = 4;
        let mut builder = RankingBuilder::new(rules.clone());
        while let Some(round) = builder.next_round() {
            let request = ScanRequest::of(rules, &round);
            let mut files = Vec::new();
            for (top, part) in (0..3).flat_map(|top| (0..PARTS).map(move |part| (top, part))) {
                let mut sums = PartialItems::default();
                let mut path_sets = Interner::default();
                for (number, sale) in sales.iter().enumerate().filter(|(_, sale)| sale.1 == top) {
                    if part_of.get(number % part_of.len().max(1)).copied().unwrap_or(0) % PARTS == part {
                        let rows = [row(*sale, &mut path_sets)];
                        let added = sums.add_item(&format!("i{:03}", sale.0), &rows, &path_sets, &request);
                        added.expect("small aggregates fit");
                    }
                }
                let result = PartResult::Sums(sums);
                files.push((top, PartFile { plan: key(), part: part.into(), result }.to_bytes()));
            }
            files.sort_by_key(|(_, bytes)| {
                order.iter().fold(0_u32, |sum, by| sum ^ (u32::from(*by) * bytes.len() as u32))
            });
            let mut tops: BTreeMap<u8, PartialItems> = BTreeMap::new();
            for (top, bytes) in files {
                let file = PartFile::of_bytes(&bytes, &key(), &request).expect("it is a result");
                let PartResult::Sums(sums) = file.result else { panic!("it has sums") };
                tops.entry(top).or_default().merge(sums).expect("small aggregates fit");
            }
            let ranked = |sums: PartialItems| {
                let result = PartResult::Ranking(sums.rank(&request).expect("small aggregates fit"));
                let bytes = PartFile { plan: key(), part: 0, result }.to_bytes();
                match PartFile::of_bytes(&bytes, &key(), &request).expect("it is a result").result {
                    PartResult::Ranking(ranking) => ranking,
                    PartResult::Sums(_) => panic!("it has a ranking"),
                }
            };
            let parts = tops.into_values().map(ranked).collect();
            builder.add(&request, parts).expect("small aggregates fit");
            // As another process would go on with it.
            if let Some(round) = builder.next_round() {
                let state = builder.state(9);
                assert!(RankingBuilder::resume(rules.clone(), &round, 8, &state).is_err(), "of another plan");
                builder = RankingBuilder::resume(rules.clone(), &round, 9, &state).expect("it is a state");
            }
        }
        builder.finish().ranking
    }

    /// Of each category: the eligible items, their units, and the best of them, best first, each with
    /// score, units and those of each day.
    type Answer = BTreeMap<String, (u64, Units, Vec<(String, String, Units, DayUnits)>)>;

    fn brute_force(sales: &[Sale], rules: &Rules) -> Answer {
        let mut units: BTreeMap<String, BTreeMap<u8, BTreeMap<i32, i64>>> = BTreeMap::new();
        for &(item, top, leaf, is_primary, hour, sold) in sales {
            let mut categories = vec![format!("T{top}")];
            categories.extend(leaf.map(|leaf| format!("T{top}/{leaf}")));
            categories.extend(is_primary.then(String::new));
            for category in categories {
                *units.entry(category).or_default().entry(item).or_default().entry(hour).or_default() += sold;
            }
        }
        let mut answer = Answer::new();
        for (category, items) in units {
            let mut ranked: Vec<(i128, i64, String, DayUnits)> = Vec::new();
            for (item, hours) in items {
                // The window is hours 80 to 99, and its last day begins with hour 96.
                let score = hours.range(0..).fold(0, |score, (&hour, &units)| {
                    score + i128::from(quarters(units).ten_thousandths()) * weight(rules, hour)
                });
                let sold: i64 = hours.range(0..).map(|(_, units)| units).sum();
                let days = [0, 1, 2, 3, 4, 5, 6].map(|day| {
                    let first = 24 * day - 48;
                    quarters(hours.range(first - 80..first - 56).map(|(_, units)| units).sum())
                });
                if sold > 0 && score > 0 {
                    ranked.push((score, sold, format!("i{item:03}"), days));
                }
            }
            ranked.sort_by(|a, b| b.0.cmp(&a.0).then(b.1.cmp(&a.1)).then(a.2.cmp(&b.2)));
            let eligible_items = ranked.len() as u64;
            let units = quarters(ranked.iter().map(|ranked| ranked.1).sum());
            let best = ranked.into_iter().take(rules.limit);
            if eligible_items > 0 {
                let printed = |score: i128| score as f64 / (10_000 * weight(rules, 19)) as f64;
                let best = best
                    .map(|(score, units, item, days)| (item, near(printed(score)), quarters(units), days));
                answer.insert(category, (eligible_items, units, best.collect()));
            }
        }
        answer
    }

    /// The weight of an hour after 80 in units of hour 80's octave.
    fn weight(rules: &Rules, hour: i32) -> i128 {
        let weight = |hour: i32| rules.decay.weight(Hour::new(80 + hour));
        i128::from(weight(hour).mantissa) << (weight(hour).exponent - weight(0).exponent)
    }

    /// What two roundings more or less do not change.
    fn near(score: f64) -> String {
        format!("{score:.12e}")
    }

    fn answer(ranking: Ranking) -> Answer {
        let of_category = |ranking: CategoryRanking| {
            let items = ranking.items.into_iter();
            let items = items.map(|item| (item.item_id, near(item.score), item.aggregate.units, item.days));
            (
                ranking.category.unwrap_or_default(),
                (ranking.eligible_items, ranking.aggregate.units, items.collect()),
            )
        };
        ranking.categories.into_iter().map(of_category).collect()
    }

    proptest::proptest! {
        #[test]
        fn an_item_counts_once_in_the_shop_wherever_its_copies_are(
            sales in vec((0_u8..12, 0_u8..3, proptest::option::of(0_u8..2), proptest::bool::ANY, -40_i32..20, -2_i64..5), 0..80),
            limit in 0_usize..6,
            shares in 1_u8..3,
        ) {
            let rules = rules(limit);
            proptest::prop_assert_eq!(answer(ranked_in_parts(&sales, &rules, shares)), brute_force(&sales, &rules));
        }
    }

    proptest::proptest! {
        /// By file, thread, hour or host: look-back over hundreds of half-lives, and scores of many limbs.
        #[test]
        fn any_split_of_the_aggregates_gives_the_same_ranking(
            sales in vec((0_u8..12, 0_u8..3, proptest::option::of(0_u8..2), proptest::bool::ANY, -400_i32..20, -2_i64..5), 0..60),
            limit in 1_usize..6,
            min_items in 0_u64..6,
            half_life in proptest::sample::select(vec![0_u64, 3_600, 5 * 3_600, 134_400, 315_360_000]),
            max_lookback_hours in 20_u32..420,
            measure in proptest::sample::select(vec![Measure::Units, Measure::Purchases, Measure::Amount]),
            part_of in vec(proptest::num::u8::ANY, 1..60),
            order in vec(proptest::num::u8::ANY, 1..4),
        ) {
            let decay = match half_life {
                0 => Decay::None,
                seconds => Decay::half_life_seconds(seconds).expect("a half-life"),
            };
            let rules = Rules { min_items, decay, max_lookback_hours, measure, ..rules(limit) };
            let whole = ranked_in_parts(&sales, &rules, 1);
            proptest::prop_assert_eq!(&ranked_in_parts(&sales, &rules, 3), &whole);
            // Windows that have nothing more need not be read.
            let oldest = sales.iter().map(|sale| Hour::new(80 + sale.4)).min();
            proptest::prop_assert_eq!(&ranked_from(&sales, &rules, 1, oldest), &whole);
            proptest::prop_assert_eq!(&ranked_by_sums(&sales, &rules, &part_of, &order), &whole);
        }
    }

    /// What all sales of a category in the rules' window add up to, and those of each of its items.
    fn of_window(sales: &[Sale], category: Option<&str>) -> (Aggregate, BTreeMap<String, Aggregate>) {
        let is_in = |sale: &&Sale| {
            let top = format!("T{}", sale.1);
            let leaf = sale.2.map(|leaf| format!("{top}/{leaf}"));
            // The window begins with hour 80.
            let is_of_category = match category {
                None => sale.3,
                Some(category) => category == top || leaf.as_deref() == Some(category),
            };
            is_of_category && (0..HOURS.cast_signed()).contains(&sale.4)
        };
        let (mut all, mut items) = (Aggregate::default(), BTreeMap::new());
        for sale in sales.iter().filter(is_in) {
            let aggregate = row(*sale, &mut Interner::default()).aggregate;
            all = all.plus(aggregate).expect("small aggregates fit");
            let item = items.entry(format!("i{:03}", sale.0)).or_insert_with(Aggregate::default);
            *item = item.plus(aggregate).expect("small aggregates fit");
        }
        (all, items)
    }

    proptest::proptest! {
        /// However far a category looks back, it never seems to have sold more than the shop.
        #[test]
        fn extended_windows_have_the_figures_of_the_rules_window_too(
            sales in vec((0_u8..12, 0_u8..3, proptest::option::of(0_u8..2), proptest::bool::ANY, -200_i32..20, -2_i64..5), 0..60),
            min_items in 0_u64..6,
            shares in 1_u8..3,
        ) {
            let rules = Rules { min_items, max_lookback_hours: 220, ..rules(4) };
            let ranking = ranked_in_parts(&sales, &rules, shares);
            let whole = ranked_in_parts(&sales, &Rules { limit: usize::MAX, ..rules.clone() }, shares);
            for (found, whole) in ranking.categories.iter().zip(&whole.categories) {
                // The first that is not listed is behind the last that is.
                let next = whole.items.get(rules.limit).map(|item| (&item.item_id, item.score));
                proptest::prop_assert_eq!(found.next.as_ref().map(|next| (&next.item_id, next.score)), next);
                let (all, items) = of_window(&sales, found.category.as_deref());
                proptest::prop_assert_eq!(found.window_aggregate, all);
                for item in &found.items {
                    let expected = items.get(&item.item_id).copied().unwrap_or_default();
                    proptest::prop_assert_eq!(item.window_aggregate, expected);
                }
                let parent = found.category.as_deref().and_then(|path| path.split_once('/')).map(|(top, _)| top);
                for other in ranking.categories.iter().filter(|other| other.category.as_deref() == parent) {
                    let is_whole = parent.is_some() || sales.iter().all(|sale| sale.3);
                    proptest::prop_assert!(!is_whole || all.purchases <= other.window_aggregate.purchases);
                }
            }
        }
    }

    #[test]
    fn where_the_best_are_multi_category_items_the_others_are_still_ranked() {
        // Nine items sell best, and in two places each; behind them come those that sell in one.
        let best = (0..9).flat_map(|item| [(item, 0, None, true, 3, 9), (item, 1, None, true, 4, 9)]);
        let others = (20..29).map(|item| (item, 0, None, true, 5, i64::from(item) - 19));
        let sales: Vec<Sale> = best.chain(others).collect();
        for limit in [1, 3, 12] {
            assert_eq!(
                answer(ranked_in_parts(&sales, &rules(limit), 1)),
                brute_force(&sales, &rules(limit)),
                "limit {limit}"
            );
        }
    }
}
