//! Ranking in steps: the window first, then, for categories that sell too little, twice as far
//! back, and again.
//!
//! The search does no reading of its own. It says which aggregates it needs next; whoever drives it has
//! tallies take them, as many side by side as it likes, and brings these.

use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::ops::Range;

use hashbrown::{DefaultHashBuilder, HashMap, HashSet};

use crate::model::{AggregateOverflow, Hour, Week, Window, levels_of};
use crate::rank::everyone::SpreadItem;
use crate::rank::score::Scoring;
use crate::rank::shop::{Shop, Spread, is_among};
use crate::rank::tally::{Tallied, Tally};
use crate::rank::top::Top;
use crate::rank::{CategoryRanking, RankedItem, Ranking, Rules};

/// A ranking under way.
pub struct Search {
    rules: Rules,
    window: Window,
    settled: BTreeMap<Option<String>, CategoryRanking>,
    /// The shop over the current window, while spread items are missing.
    shop: Option<Shop>,
    hasher: DefaultHashBuilder,
    is_done: bool,
    wants_everyone: bool,
    rounds: u32,
    /// In which round each category was settled, the shop as the empty text.
    settled_in: HashMap<String, u32>,
    spread: (Vec<u64>, Vec<SpreadItem>),
}

/// What a search has found.
pub struct Found {
    pub ranking: Ranking,
    pub settled: Settled,
}

/// By which of the aggregates each category was ranked.
pub struct Settled {
    /// The round of each category, none of which is in two; the shop's is the empty one.
    rounds: HashMap<String, u32>,
    hasher: DefaultHashBuilder,
    spread: Vec<u64>,
    /// What spread items come to shop-wide, those that rank, in no order.
    pub spread_items: Vec<SpreadItem>,
}

impl Settled {
    /// Tells whether a category, the shop for `None`, was ranked by a round's aggregates.
    pub fn is_in(&self, category: Option<&str>, round: u32) -> bool {
        self.rounds.get(category.unwrap_or_default()) == Some(&round)
    }

    /// Tells whether an item counts shop-wide by [`Settled::spread_items`], and not by its rows.
    pub fn is_spread(&self, item_id: &str) -> bool {
        is_among(&self.spread, self.hasher.hash_one(item_id))
    }
}

/// The aggregates that a search needs next.
pub struct Need {
    /// First hour, and the hour after the last.
    pub hours: Range<Hour>,
    settled: HashSet<String>,
    pub(super) wants_shop: bool,
    pub(super) scoring: Scoring,
    pub(super) week: Week,
    /// How many items a category's ranking has at most.
    pub(super) limit: usize,
    /// The items whose rows are collected for the shop; nothing else is wanted then.
    pub(super) spread: Option<Spread>,
    pub(super) wants_everyone: bool,
    round: u32,
    hasher: DefaultHashBuilder,
}

impl Need {
    /// Returns which round of aggregates this is; those of spread items belong to the round before.
    pub fn round(&self) -> u32 {
        self.round
    }

    /// Returns a tally for some of the aggregates.
    pub fn tally(&self) -> Tally<'_> {
        Tally::new(self)
    }

    /// Tells whether aggregates are wanted whatever their paths.
    pub fn wants_every_path(&self) -> bool {
        self.wants_shop || self.settled.is_empty()
    }

    /// Tells whether aggregates of a path are wanted.
    pub fn wants_path(&self, path: &str) -> bool {
        self.wants_shop || levels_of(path).any(|category| self.wants_category(category))
    }

    /// Tells whether the aggregates of all items are wanted, or only those of some.
    pub fn wants_every_item(&self) -> bool {
        self.spread.as_ref().is_none_or(|spread| spread.ranks_the_others)
    }

    /// Tells whether the aggregates of an item are wanted.
    pub fn wants_item(&self, item_id: &str) -> bool {
        self.spread
            .as_ref()
            .is_none_or(|spread| spread.ranks_the_others || spread.is_asked_for(self.hash(item_id)))
    }

    pub(super) fn wants_category(&self, category: &str) -> bool {
        !self.settled.contains(category)
    }

    pub(super) fn hash(&self, item_id: &str) -> u64 {
        self.hasher.hash_one(item_id)
    }
}

impl Search {
    /// Returns a search that has seen nothing yet.
    pub fn new(rules: Rules) -> Search {
        Search {
            window: rules.window,
            rules,
            settled: BTreeMap::new(),
            shop: None,
            hasher: DefaultHashBuilder::default(),
            is_done: false,
            wants_everyone: false,
            rounds: 0,
            settled_in: HashMap::new(),
            spread: Default::default(),
        }
    }

    /// Returns a search that tells of everyone who ranks, too.
    pub fn of_everyone(rules: Rules) -> Search {
        Search { wants_everyone: true, ..Search::new(rules) }
    }

    /// Returns what to bring next; nothing where the ranking is done.
    pub fn need(&self) -> Option<Need> {
        (!self.is_done).then(|| Need {
            // Units are told of the whole week, whatever is scored.
            hours: self.window.oldest().min(self.rules.week.oldest())..self.window.as_of(),
            settled: self.settled.keys().flatten().cloned().collect(),
            wants_shop: !self.settled.contains_key(&None),
            scoring: Scoring::new(self.window, self.rules.decay, self.rules.measure),
            week: self.rules.week.clone(),
            limit: self.rules.top,
            spread: self.shop.as_ref().and_then(|shop| shop.spread.clone()),
            wants_everyone: self.wants_everyone,
            round: self.rounds,
            hasher: self.hasher.clone(),
        })
    }

    /// Takes the tallies of all the aggregates that were needed.
    ///
    /// # Errors
    /// Names an item whose aggregates over the window do not fit.
    pub fn supply(&mut self, need: &Need, tallies: Vec<Tallied>) -> Result<(), AggregateOverflow> {
        let mut tops: BTreeMap<String, Top> = BTreeMap::new();
        let mut shops = Vec::with_capacity(tallies.len());
        for tallied in tallies {
            shops.push(tallied.shop);
            for (category, top) in tallied.tops {
                tops.entry(category).or_default().merge(top, need.limit)?;
            }
        }
        for (category, top) in tops {
            self.settle(Some(category), top);
        }
        if need.wants_shop {
            let mut shop = match self.shop.take() {
                None => Shop::of(shops, need)?,
                Some(mut shop) => {
                    shop.add(shops, need)?;
                    shop
                }
            };
            if shop.spread.is_some() {
                self.shop = Some(shop);
                return Ok(());
            }
            if self.settle(None, std::mem::take(&mut shop.top)) {
                self.spread = shop.into_spread();
            }
        }
        self.rounds += 1;
        if self.is_last() {
            self.is_done = true;
        } else {
            self.window = self.window.doubled(self.rules.max_lookback_hours);
        }
        Ok(())
    }

    /// Returns the ranking of all categories that have one.
    pub fn finish(self) -> Found {
        let categories = self.settled.into_values().filter(|ranking| ranking.rankable > 0).collect();
        let (spread, spread_items) = self.spread;
        let settled = Settled { rounds: self.settled_in, hasher: self.hasher, spread, spread_items };
        Found { ranking: Ranking { categories }, settled }
    }

    fn is_last(&self) -> bool {
        self.window.hours() >= self.rules.max_lookback_hours || self.rules.min_items == 0
    }

    /// Keeps a category's ranking over the current window, if it is final; tells whether it is.
    fn settle(&mut self, category: Option<String>, top: Top) -> bool {
        let (rankable, aggregate) = (top.seen, top.aggregate);
        if !self.is_last() && rankable < self.rules.min_items {
            return false;
        }
        let items = top.into_sorted(self.rules.top).into_iter().map(|entry| RankedItem {
            item_id: entry.item_id,
            score: entry.scored.score,
            aggregate: entry.scored.aggregate,
            days: entry.days,
        });
        let ranking = CategoryRanking {
            category: category.clone(),
            window: self.window,
            rankable,
            aggregate,
            items: items.collect(),
        };
        if self.wants_everyone {
            self.settled_in.insert(category.clone().unwrap_or_default(), self.rounds);
        }
        self.settled.insert(category, ranking);
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;

    use super::*;
    use crate::model::{Aggregate, DayUnits, Decay, HourAggregate, Interner, Zone};
    use crate::rank::Measure;

    /// Item, top-level category, leaf or none, whether it is the primary copy, hour, units.
    type Sale = (u8, u8, Option<u8>, bool, i32, i64);

    const HOURS: u32 = 20;

    fn rules(top: usize) -> Rules {
        Rules {
            window: Window::ending(Hour::new(100), HOURS),
            decay: Decay::HalfLifeHours(5.0),
            measure: Measure::Units,
            top,
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
            aggregate: Aggregate { purchases: 1, units, amount: 0 },
        }
    }

    /// Ranks by tallies that each see some items of one top-level category.
    fn searched(sales: &[Sale], rules: &Rules, shares: u8) -> Ranking {
        let mut search = Search::new(rules.clone());
        while let Some(need) = search.need() {
            let mut tallies = Vec::new();
            for (top, share) in (0..3).flat_map(|top| (0..shares).map(move |share| (top, share))) {
                let (mut tally, mut path_sets) = (need.tally(), Interner::default());
                for item in (0..=u8::MAX).filter(|item| item % shares == share) {
                    let of_item = sales.iter().filter(|sale| sale.0 == item && sale.1 == top);
                    let mut rows: Vec<HourAggregate> =
                        of_item.map(|&sale| row(sale, &mut path_sets)).collect();
                    rows.sort_by_key(|row| row.hour);
                    if !rows.is_empty() {
                        tally.take(&format!("i{item:03}"), &rows, &path_sets).expect("small sums fit");
                    }
                }
                tallies.push(tally.finish());
            }
            search.supply(&need, tallies).expect("small sums fit");
        }
        search.finish().ranking
    }

    /// Each category's items, best first, with score, units and those of each day; how many could
    /// rank, and what units they come to.
    type Answer = BTreeMap<String, (u64, i64, Vec<(String, String, i64, DayUnits)>)>;

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
                let score =
                    hours.range(0..).fold(0.0, |score, (&hour, &units)| score + units as f64 * weight(hour));
                let sold: i64 = hours.range(0..).map(|(_, units)| units).sum();
                let days = [0, 1, 2, 3, 4, 5, 6].map(|day| {
                    let first = 24 * day - 48;
                    hours.range(first - 80..first - 56).map(|(_, units)| units).sum()
                });
                if sold > 0 && score > 0.0 {
                    ranked.push((score, sold, format!("i{item:03}"), days));
                }
            }
            ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.cmp(&a.1)).then(a.2.cmp(&b.2)));
            let rankable = ranked.len() as u64;
            let units = ranked.iter().map(|ranked| ranked.1).sum();
            let best = ranked.into_iter().take(rules.top);
            if rankable > 0 {
                let best = best.map(|(score, units, item, days)| (item, score.to_string(), units, days));
                answer.insert(category, (rankable, units, best.collect()));
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
                (ranking.rankable, ranking.aggregate.units, items.collect()),
            )
        };
        ranking.categories.into_iter().map(of_category).collect()
    }

    proptest::proptest! {
        #[test]
        fn an_item_counts_once_in_the_shop_wherever_its_copies_lie(
            sales in vec((0_u8..12, 0_u8..3, proptest::option::of(0_u8..2), proptest::bool::ANY, -40_i32..20, -2_i64..5), 0..80),
            top in 0_usize..6,
            shares in 1_u8..3,
        ) {
            let rules = rules(top);
            proptest::prop_assert_eq!(answer(searched(&sales, &rules, shares)), brute_force(&sales, &rules));
        }
    }

    #[test]
    fn where_the_best_are_spread_the_others_are_still_ranked() {
        // Nine items sell best, and in two places each; behind them come those that sell in one.
        let spread = (0..9).flat_map(|item| [(item, 0, None, true, 3, 9), (item, 1, None, true, 4, 9)]);
        let others = (20..29).map(|item| (item, 0, None, true, 5, i64::from(item) - 19));
        let sales: Vec<Sale> = spread.chain(others).collect();
        for top in [1, 3, 12] {
            assert_eq!(
                answer(searched(&sales, &rules(top), 1)),
                brute_force(&sales, &rules(top)),
                "top {top}"
            );
        }
    }
}
