//! The file of what earlier rounds of a ranking found, between two of them.
//!
//! ```text
//! topsell ranking state 2\n
//! plan        8 bytes, the checksum of the plan that goes on with it
//! number of categories that are final; each: 1 and its path (text), or 0 for the shop; hours of its window;
//!     number of eligible items, their aggregate, that of all items over the rules' window, the number of the
//!     best, and these: id (text), printed score (8 bytes, a double), aggregate, aggregate over the rules' window,
//!     days; 1, id (text) and printed score of the first item that is not listed, or 0
//! number of categories that are not final and have sales in the rules' window; each: its path, or the shop, as
//!     above; the aggregate of all its items over that window
//! 1 and the top list of the shop, as far as it is known, or 0
//! 0 without item totals, or 1 and: number of categories; each: its path (text, empty for the shop), the round
//!     that its ranking is from; number of hashes of items in several top-level categories, and these, 8 bytes
//!     each; number of such items that are eligible; each: id (text), score, aggregate, printed score, days
//! checksum    8 bytes, the XXH3 of everything before
//! ```
//!
//! See [`crate::rank::partial_file`] for the parts.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use crate::model::Window;
use crate::rank::binary::{Reader, Writer};
use crate::rank::multi_category::MultiCategoryItem;
use crate::rank::partial_file::{PartFileError, put_top, sealed, take_top, unsealed};
use crate::rank::ranking::{CategoryRanking, NextItem, RankedItem};
use crate::rank::ranking_builder::RankingBuilder;
use crate::rank::round::Round;
use crate::rank::rules::Rules;
use crate::rank::scan_request::ScanRequest;
use crate::rank::scoring::Scored;
use crate::rank::shop_ranking::ShopRanking;

const MAGIC: &[u8] = b"topsell ranking state 2\n";

impl RankingBuilder {
    /// Returns what was found so far, without the rules and the round, which are in the plan of a checksum.
    pub fn state(&self, plan: u64) -> Vec<u8> {
        let mut out = Writer(MAGIC.to_vec());
        out.fixed(plan);
        out.count(self.rankings.len());
        for (category, ranking) in &self.rankings {
            put_path(category.as_deref(), &mut out);
            put_category(ranking, &mut out);
        }
        out.count(self.window_aggregates.len());
        for (category, aggregate) in &self.window_aggregates {
            put_path(category.as_deref(), &mut out);
            out.aggregate(aggregate);
        }
        out.number(self.shop.is_some().into());
        if let Some(shop) = &self.shop {
            put_top(&shop.top, &mut out);
        }
        out.number(self.wants_item_totals.into());
        if self.wants_item_totals {
            self.put_of_item_totals(&mut out);
        }
        sealed(out)
    }

    /// Returns the builder that was left with a state, to go on with the round of a plan of this checksum.
    ///
    /// # Errors
    /// Says why the bytes are no state of this plan.
    pub fn resume(
        rules: Rules,
        round: &Round,
        plan: u64,
        state: &[u8],
    ) -> Result<RankingBuilder, PartFileError> {
        let body = unsealed(state, MAGIC)?;
        let zero = ScanRequest::of(&rules, round).scoring.zero().score;
        let mut reader = Reader::new(body, &zero);
        let as_of = rules.window.as_of();
        if reader.fixed() != Some(plan) {
            return Err(PartFileError::OtherPlan);
        }
        let mut read = || {
            let rankings = reader.all(|reader| {
                let category = take_path(reader)?;
                let hours = u32::try_from(reader.number()?).ok()?;
                let ranking = take_category(category.clone(), Window::ending(as_of, hours), reader)?;
                Some((category, ranking))
            })?;
            let window_aggregates = reader.all(|reader| Some((take_path(reader)?, reader.aggregate()?)))?;
            let shop = match reader.number()? {
                0 => None,
                _ => Some(take_top(&mut reader)?),
            };
            let of_totals = match reader.number()? {
                0 => None,
                _ => Some(take_of_item_totals(&mut reader)?),
            };
            let rankings: BTreeMap<_, _> = rankings.into_iter().collect();
            reader.is_at_end().then_some((rankings, window_aggregates, shop, of_totals))
        };
        let (rankings, window_aggregates, shop, of_totals) = read().ok_or(PartFileError::Unknown)?;
        if shop.is_some() != round.multi_category.is_some() {
            return Err(PartFileError::Unknown);
        }
        let mut builder = RankingBuilder::new(rules);
        builder.window = Window::ending(as_of, round.window_hours);
        builder.round = round.number;
        builder.rankings = rankings;
        builder.window_aggregates = window_aggregates.into_iter().collect();
        builder.shop = shop.map(|top| {
            let mut shop = ShopRanking::default();
            (shop.top, shop.pending) = (top, round.multi_category.clone());
            shop
        });
        if let Some(OfItemTotals { rounds, multi_category }) = of_totals {
            builder.wants_item_totals = true;
            builder.rounds = rounds;
            match &mut builder.shop {
                Some(shop) => (shop.multi_category_hashes, shop.multi_category_items) = multi_category,
                None => builder.multi_category = multi_category,
            }
        }
        Ok(builder)
    }
}

/// Appends a category's path, or that it is the shop.
fn put_path(category: Option<&str>, out: &mut Writer) {
    out.number(category.is_some().into());
    if let Some(path) = category {
        out.text(path);
    }
}

/// Takes a category's path; none for the shop.
fn take_path(reader: &mut Reader<'_>) -> Option<Option<String>> {
    Some(match reader.number()? {
        0 => None,
        _ => Some(reader.text()?.to_owned()),
    })
}

/// What item totals must know of the rounds before.
struct OfItemTotals {
    rounds: HashMap<String, u32>,
    multi_category: (Vec<u64>, Vec<MultiCategoryItem>),
}

impl RankingBuilder {
    fn put_of_item_totals(&self, out: &mut Writer) {
        let rounds: BTreeMap<&String, &u32> = self.rounds.iter().collect();
        out.count(rounds.len());
        for (category, round) in rounds {
            out.text(category);
            out.number((*round).into());
        }
        let (hashes, items) = match &self.shop {
            Some(shop) => (&shop.multi_category_hashes, &shop.multi_category_items),
            None => (&self.multi_category.0, &self.multi_category.1),
        };
        out.count(hashes.len());
        hashes.iter().for_each(|hash| out.fixed(*hash));
        let mut items: Vec<&MultiCategoryItem> = items.iter().collect();
        items.sort_unstable_by(|a, b| a.item_id.cmp(&b.item_id));
        out.count(items.len());
        for MultiCategoryItem { item_id, scored, printed, reported } in items {
            out.text(item_id);
            out.score(&scored.score);
            out.aggregate(&scored.aggregate);
            out.fixed(printed.to_bits());
            out.reported(reported);
        }
    }
}

fn take_of_item_totals(reader: &mut Reader<'_>) -> Option<OfItemTotals> {
    let rounds = reader.all(|reader| {
        let category = reader.text()?.to_owned();
        Some((category, u32::try_from(reader.number()?).ok()?))
    })?;
    let hashes = reader.all(Reader::fixed)?;
    let items = reader.all(|reader| {
        let item_id = reader.text()?.to_owned();
        let scored = Scored { score: reader.score()?, aggregate: reader.aggregate()? };
        let printed = f64::from_bits(reader.fixed()?);
        Some(MultiCategoryItem { item_id, scored, printed, reported: reader.reported()? })
    })?;
    Some(OfItemTotals { rounds: rounds.into_iter().collect(), multi_category: (hashes, items) })
}

fn put_category(ranking: &CategoryRanking, out: &mut Writer) {
    out.number(ranking.window.hours().into());
    out.number(ranking.eligible_items);
    out.aggregate(&ranking.aggregate);
    out.aggregate(&ranking.window_aggregate);
    out.count(ranking.items.len());
    for RankedItem { item_id, score, aggregate, window_aggregate, days } in &ranking.items {
        out.text(item_id);
        out.fixed(score.to_bits());
        out.aggregate(aggregate);
        out.aggregate(window_aggregate);
        out.days(days);
    }
    out.number(ranking.next.is_some().into());
    if let Some(NextItem { item_id, score }) = &ranking.next {
        out.text(item_id);
        out.fixed(score.to_bits());
    }
}

fn take_category(
    category: Option<String>,
    window: Window,
    reader: &mut Reader<'_>,
) -> Option<CategoryRanking> {
    let (eligible_items, aggregate) = (reader.number()?, reader.aggregate()?);
    let window_aggregate = reader.aggregate()?;
    let items = reader.all(|reader| {
        let item_id = reader.text()?.to_owned();
        let score = f64::from_bits(reader.fixed()?);
        let (aggregate, window_aggregate) = (reader.aggregate()?, reader.aggregate()?);
        Some(RankedItem { item_id, score, aggregate, window_aggregate, days: reader.days()? })
    })?;
    let next = match reader.number()? {
        0 => None,
        _ => {
            let item_id = reader.text()?.to_owned();
            Some(NextItem { item_id, score: f64::from_bits(reader.fixed()?) })
        }
    };
    Some(CategoryRanking { category, window, eligible_items, aggregate, window_aggregate, items, next })
}
