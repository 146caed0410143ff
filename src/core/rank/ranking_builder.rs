//! A ranking made in rounds: the rules' window first; then a window twice as long for the categories
//! with too few eligible items, and so on (the look-back).
//!
//! The builder reads nothing. It says which aggregates it needs next; the caller has partial rankers
//! add them, as many in parallel as it likes, and passes the results back.

use std::collections::BTreeMap;
use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashMap};

use crate::model::{AggregateOverflow, Window};
use crate::rank::multi_category::{MultiCategoryItem, contains_hash};
use crate::rank::partial_ranking::PartialRanking;
use crate::rank::ranking::{CategoryRanking, RankedItem, Ranking};
use crate::rank::rules::Rules;
use crate::rank::scan_request::ScanRequest;
use crate::rank::score::Scoring;
use crate::rank::shop_ranking::ShopRanking;
use crate::rank::top_items::TopItems;

/// A ranking in progress.
pub struct RankingBuilder {
    rules: Rules,
    window: Window,
    /// The categories whose ranking is final.
    rankings: BTreeMap<Option<String>, CategoryRanking>,
    /// The shop over the current window, while multi-category items are missing.
    shop: Option<ShopRanking>,
    hasher: DefaultHashBuilder,
    is_done: bool,
    wants_item_totals: bool,
    round: u32,
    /// The round that each category's ranking is from; the shop is the empty path.
    rounds: HashMap<String, u32>,
    multi_category: (Vec<u64>, Vec<MultiCategoryItem>),
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
    hasher: DefaultHashBuilder,
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
        contains_hash(&self.multi_category_hashes, self.hasher.hash_one(item_id))
    }
}

impl RankingBuilder {
    /// Returns a builder that has no aggregates yet.
    pub fn new(rules: Rules) -> RankingBuilder {
        RankingBuilder {
            window: rules.window,
            rules,
            rankings: BTreeMap::new(),
            shop: None,
            hasher: DefaultHashBuilder::default(),
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

    /// Returns which aggregates are needed next; `None` where the ranking is done.
    pub fn next_scan(&self) -> Option<ScanRequest> {
        (!self.is_done).then(|| ScanRequest {
            // Units are reported for the whole week, however short the window.
            hours: self.window.oldest().min(self.rules.week.oldest())..self.window.as_of(),
            final_categories: self.rankings.keys().flatten().cloned().collect(),
            wants_shop: !self.rankings.contains_key(&None),
            scoring: Scoring::new(self.window, self.rules.decay, self.rules.measure),
            week: self.rules.week.clone(),
            limit: self.rules.limit,
            multi_category: self.shop.as_ref().and_then(|shop| shop.pending.clone()),
            wants_item_totals: self.wants_item_totals,
            round: self.round,
            hasher: self.hasher.clone(),
        })
    }

    /// Adds the partial rankings of all the aggregates that were requested.
    ///
    /// # Errors
    /// Interner an item whose aggregate over the window exceeds its range.
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
            self.keep_if_final(Some(category), top);
        }
        if request.wants_shop {
            let mut shop = match self.shop.take() {
                None => ShopRanking::merge(shops, request)?,
                Some(mut shop) => {
                    shop.add_collected(shops, request)?;
                    shop
                }
            };
            if shop.pending.is_some() {
                self.shop = Some(shop);
                return Ok(());
            }
            if self.keep_if_final(None, std::mem::take(&mut shop.top)) {
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
        let (rounds, hasher) = (self.rounds, self.hasher);
        let rounds = CategoryRounds { rounds, hasher, multi_category_hashes, multi_category_items };
        FinishedRanking { ranking: Ranking { categories }, rounds }
    }

    fn is_last_round(&self) -> bool {
        self.window.hours() >= self.rules.max_lookback_hours || self.rules.min_items == 0
    }

    /// Keeps a category's ranking over the current window if it is final, and returns whether it is.
    fn keep_if_final(&mut self, category: Option<String>, top: TopItems) -> bool {
        let (eligible_items, aggregate) = (top.eligible_items, top.aggregate);
        if !self.is_last_round() && eligible_items < self.rules.min_items {
            return false;
        }
        let items = top.into_sorted(self.rules.limit).into_iter().map(|item| RankedItem {
            item_id: item.item_id,
            score: item.scored.score,
            aggregate: item.scored.aggregate,
            days: item.days,
        });
        let ranking = CategoryRanking {
            category: category.clone(),
            window: self.window,
            eligible_items,
            aggregate,
            items: items.collect(),
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
    use crate::model::{Aggregate, DayUnits, Decay, Hour, HourAggregate, Interner, Units, Week, Zone};
    use crate::rank::partial_ranking::PartialRanker;
    use crate::rank::rules::Measure;

    /// Item, top-level category, leaf or none, whether it is the primary copy, hour, units.
    type Sale = (u8, u8, Option<u8>, bool, i32, i64);

    const HOURS: u32 = 20;

    fn rules(limit: usize) -> Rules {
        Rules {
            window: Window::ending(Hour::new(100), HOURS),
            decay: Decay::HalfLifeHours(5.0),
            measure: Measure::Units,
            limit,
            min_items: 0,
            max_lookback_hours: HOURS,
            week: Week::ending(Hour::new(100), Zone::utc()),
        }
    }

    fn row((_, top, leaf, is_primary, hour, units): Sale, path_sets: &mut Interner) -> HourAggregate {
        let path = leaf.map_or_else(|| format!("T{top}"), |leaf| format!("T{top}/{leaf}"));
        HourAggregate {
            hour: Hour::new(80 + hour),
            path_set: path_sets.code(&path),
            is_primary,
            aggregate: Aggregate { purchases: 1, units: quarters(units), amount: 0 },
        }
    }

    /// Returns units sold by weight, so that not all of them are whole.
    fn quarters(number: i64) -> Units {
        Units::from_ten_thousandths(number * 2_500)
    }

    /// Ranks in parts that each have some items of one top-level category.
    fn ranked_in_parts(sales: &[Sale], rules: &Rules, shares: u8) -> Ranking {
        let mut builder = RankingBuilder::new(rules.clone());
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
            let mut ranked: Vec<(f64, i64, String, DayUnits)> = Vec::new();
            for (item, hours) in items {
                let weight = |hour: i32| rules.decay.weight(19 - hour.cast_unsigned());
                // The window is hours 80 to 99, and its last day begins with hour 96.
                let score = hours
                    .range(0..)
                    .fold(0.0, |score, (&hour, &units)| score + quarters(units).to_f64() * weight(hour));
                let sold: i64 = hours.range(0..).map(|(_, units)| units).sum();
                let days = [0, 1, 2, 3, 4, 5, 6].map(|day| {
                    let first = 24 * day - 48;
                    quarters(hours.range(first - 80..first - 56).map(|(_, units)| units).sum())
                });
                if sold > 0 && score > 0.0 {
                    ranked.push((score, sold, format!("i{item:03}"), days));
                }
            }
            ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.cmp(&a.1)).then(a.2.cmp(&b.2)));
            let eligible_items = ranked.len() as u64;
            let units = quarters(ranked.iter().map(|ranked| ranked.1).sum());
            let best = ranked.into_iter().take(rules.limit);
            if eligible_items > 0 {
                let best =
                    best.map(|(score, units, item, days)| (item, score.to_string(), quarters(units), days));
                answer.insert(category, (eligible_items, units, best.collect()));
            }
        }
        answer
    }

    fn answer(ranking: Ranking) -> Answer {
        let of_category = |ranking: CategoryRanking| {
            let items = ranking.items.into_iter();
            let items =
                items.map(|item| (item.item_id, item.score.to_string(), item.aggregate.units, item.days));
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
