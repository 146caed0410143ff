//! Hourly aggregates of purchases that were never written: a lake of the size of billions of them.
//!
//! In an hour an item is bought as often as Poisson's law says, its mean being the item's share of
//! all purchases times the hour's. What an item sells on a day follows from the seed, the item and
//! the day alone, so each category's file is made by itself, and the copies of an item below
//! several top-level categories agree.

use std::borrow::Cow;

use rayon::prelude::*;

use crate::hours::{hours, weight};
use crate::popularity::weights;
use crate::quantity::{quantity, units};
use crate::random::Random;
use crate::shop::{Item, Shop};
use crate::{DatagenError, Workload};
use topsell_core::lake::Lake;
use topsell_core::model::{Aggregate, Date, PURCHASE};
use topsell_core::parquet_format::AggregateLine;
use topsell_core::rollup::{Load, LoadedDay, RollupError, Summary, load};
use topsell_core::storage::LockTimeout;

/// The sequences that are drawn for each item, one for every day.
const OF_DAY: u64 = 1 << 32;
const HOURS_PER_DAY: usize = 24;
/// Up to so many purchases a day on average, they are drawn one by one, each with its hour and its
/// quantity; above it, hour by hour.
const FEW_A_DAY: f64 = 24.0;
/// Up to this mean Poisson's law is drawn from exactly; above it, the normal law is near enough.
const SMALL_MEAN: f64 = 30.0;
const TEN_THOUSANDTHS_PER_CENT: i128 = 100;

/// Purchases and units of one item in each hour of a day.
type SoldByHour = [(u64, i64); HOURS_PER_DAY];

/// Fills the `rollups` table of a lake without events; returns what was written.
///
/// # Errors
/// Refuses a workload that makes no sense and a lake that holds something; fails where the disk
/// does.
pub fn write_aggregates(lake: &Lake, workload: &Workload, now_ms: i64) -> Result<Summary, DatagenError> {
    workload.check()?;
    let _lock = lake.lock_maintenance("datagen", LockTimeout::NoWait)?;
    let shop = Shop::of(workload);
    let sales = Sales::of(workload);
    let days = days(workload);
    let tops: Vec<(u32, Vec<u32>)> = (0..).zip(items_by_top(&shop)).collect();
    let write = |load: &Load<'_>, (top, items): &(u32, Vec<u32>)| {
        let copies = copies(&shop, &sales, *top, items);
        let category = &shop.tree.tops[*top as usize];
        let write = |day: &Day| load.write(category, day.date, Lines::of(&sales, day, &copies));
        days.iter().map(write).collect::<Result<Vec<LoadedDay>, RollupError>>()
    };
    Ok(load(lake, PURCHASE, &tops, now_ms, write)?)
}

/// How much of the purchases each item and each hour has.
struct Sales {
    seed: u64,
    /// The mean number of purchases of each item, in an hour that weighs 1.
    means: Vec<f64>,
}

/// The hours of one day that purchases are made in.
struct Day {
    date: Date,
    hours: Vec<usize>,
    /// For each of those hours, what it and those before it weigh together.
    up_to: Vec<u64>,
}

/// One item's place below one top-level category.
struct ItemCopy<'a> {
    number: u32,
    // Both are kept here too, because the files' order is no order to look them up in.
    item: Item,
    mean: f64,
    /// The paths below that category, joined by `|`.
    paths: Cow<'a, str>,
    is_primary: bool,
}

impl Sales {
    fn of(workload: &Workload) -> Sales {
        let mut means = weights(workload.items);
        let all_hours: u64 = hours(workload.hours).map(weight).sum();
        let each = workload.purchases as f64 / (means.iter().sum::<f64>() * all_hours as f64);
        means.par_iter_mut().for_each(|mean| *mean *= each);
        Sales { seed: workload.seed, means }
    }

    /// Draws what an item sells in each hour of a day.
    fn draw_day(&self, item: u32, mean: f64, day: &Day, by_hour: &mut SoldByHour) {
        let kind = OF_DAY + u64::from(day.date.number().unsigned_abs());
        let mut random = Random::of(self.seed, kind, u64::from(item));
        let all = day.up_to.last().copied().unwrap_or_default();
        *by_hour = SoldByHour::default();
        if mean * all as f64 <= FEW_A_DAY {
            // The same law, drawn with fewer numbers: how many on the day, and then the hour of
            // each.
            for _ in 0..poisson(mean * all as f64, &mut random) {
                let at = random.below(all).0;
                let hour = day.hours[day.up_to.partition_point(|up_to| *up_to <= at)];
                by_hour[hour].0 += 1;
                by_hour[hour].1 += quantity(&mut random);
            }
        } else {
            let mut before = 0;
            for (&hour, &up_to) in day.hours.iter().zip(&day.up_to) {
                let purchases = poisson(mean * (up_to - before) as f64, &mut random);
                by_hour[hour] = (purchases, units(purchases, &mut random));
                before = up_to;
            }
        }
    }
}

/// Returns the days of a workload, the oldest first.
fn days(workload: &Workload) -> Vec<Day> {
    let mut days: Vec<Day> = Vec::new();
    for hour in hours(workload.hours) {
        if days.last().is_none_or(|day| day.date != hour.date()) {
            days.push(Day { date: hour.date(), hours: Vec::new(), up_to: Vec::new() });
        }
        let day = days.last_mut().expect("one was just added");
        let before = day.up_to.last().copied().unwrap_or_default();
        day.hours.push(hour.of_day() as usize);
        day.up_to.push(before + weight(hour));
    }
    days
}

/// Returns for each top-level category the items in it, ordered by their ids.
fn items_by_top(shop: &Shop) -> Vec<Vec<u32>> {
    let mut by_top: Vec<Vec<u32>> = vec![Vec::new(); shop.tree.tops.len()];
    for (number, item) in (0..).zip(&shop.items) {
        for &leaf in item.leaves() {
            let items = &mut by_top[shop.tree.top_of[leaf as usize] as usize];
            if items.last() != Some(&number) {
                items.push(number);
            }
        }
    }
    by_top.par_iter_mut().for_each(|items| items.sort_by_cached_key(|item| shop.items[*item as usize].id()));
    by_top
}

/// Returns the copies of the given items below one top-level category.
fn copies<'a>(shop: &'a Shop, sales: &Sales, top: u32, items: &[u32]) -> Vec<ItemCopy<'a>> {
    let tree = &shop.tree;
    let copy = |&number: &u32| {
        let (item, mean) = (shop.items[number as usize], sales.means[number as usize]);
        let top_of = |leaf: u32| tree.top_of[leaf as usize];
        // Leaves ascend in byte order, and so do the categories above them: the first one has the
        // copy that counts shop-wide.
        let is_primary = item.leaves().first().is_some_and(|&leaf| top_of(leaf) == top);
        let below = item.leaves().iter().filter(|leaf| top_of(**leaf) == top);
        let below: Vec<&str> = below.map(|leaf| tree.leaves[*leaf as usize].as_str()).collect();
        let paths = match below[..] {
            [path] => Cow::Borrowed(path),
            _ => Cow::Owned(below.join("|")),
        };
        ItemCopy { number, item, mean, paths, is_primary }
    };
    items.iter().map(copy).collect()
}

/// One category's day: by item, and of each item by hour, as rollup files are sorted.
struct Lines<'a> {
    sales: &'a Sales,
    day: &'a Day,
    copies: std::slice::Iter<'a, ItemCopy<'a>>,
    copy: Option<&'a ItemCopy<'a>>,
    /// What that copy's item sells, and the first hour that is still to come.
    by_hour: SoldByHour,
    hour: usize,
}

impl<'a> Lines<'a> {
    fn of(sales: &'a Sales, day: &'a Day, copies: &'a [ItemCopy<'a>]) -> Lines<'a> {
        Lines {
            sales,
            day,
            copies: copies.iter(),
            copy: None,
            by_hour: SoldByHour::default(),
            hour: HOURS_PER_DAY,
        }
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = AggregateLine<'a>;

    fn next(&mut self) -> Option<AggregateLine<'a>> {
        loop {
            let sold = self.by_hour[self.hour..].iter().position(|(purchases, _)| *purchases > 0);
            if let (Some(skipped), Some(copy)) = (sold, self.copy) {
                let hour = self.hour + skipped;
                self.hour = hour + 1;
                let (purchases, units) = self.by_hour[hour];
                let price = i128::from(copy.item.price_cents) * TEN_THOUSANDTHS_PER_CENT;
                return Some(AggregateLine {
                    hour_of_day: i32::try_from(hour).expect("a day has 24 hours"),
                    item_id: copy.item.id(),
                    paths: &copy.paths,
                    is_primary: copy.is_primary,
                    aggregate: Aggregate {
                        purchases: purchases.cast_signed(),
                        units,
                        amount: i128::from(units) * price,
                    },
                });
            }
            let copy = self.copies.next()?;
            self.copy = Some(copy);
            self.hour = 0;
            self.sales.draw_day(copy.number, copy.mean, self.day, &mut self.by_hour);
        }
    }
}

/// Draws a number of Poisson's law.
fn poisson(mean: f64, random: &mut Random) -> u64 {
    if mean > SMALL_MEAN {
        return libm::round(mean + libm::sqrt(mean) * random.normal()).max(0.0) as u64;
    }
    // Each number in turn is taken off what was drawn, until none is left; in the end rounding
    // alone is.
    const NEVER: u64 = 200;
    let mut left = random.fraction();
    let mut share = libm::exp(-mean);
    let mut number = 0;
    while left > share && number < NEVER {
        left -= share;
        number += 1;
        share *= mean / number as f64;
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn poissons_numbers_have_their_mean_for_variance() {
        let mut random = Random::of(1, 2, 3);
        for mean in [0.01, 0.5, 5.0, SMALL_MEAN, SMALL_MEAN + 1.0, 1e6] {
            let drawn: Vec<f64> = (0..50_000).map(|_| poisson(mean, &mut random) as f64).collect();
            let got = drawn.iter().sum::<f64>() / 5e4;
            let variance = drawn.iter().map(|x| (x - got).powi(2)).sum::<f64>() / 5e4;
            assert!((got / mean - 1.0).abs() < 0.15, "{mean}: {got}");
            assert!((variance / mean - 1.0).abs() < 0.15, "{mean}: {variance}");
        }
    }

    #[test]
    fn items_sell_alike_by_the_day_and_by_the_hour() {
        let workload = Workload { purchases: 30_000, items: 10, leaves: 1, tops: 1, hours: 30, seed: 1 };
        let sales = Sales::of(&workload);
        let days = days(&workload);
        assert_eq!(days.iter().map(|day| day.hours.len()).collect::<Vec<_>>(), [24, 6]);
        // Seeds stand for repeated draws of the same item.
        let sold = |factor: f64| {
            let mut sold = [0.0; HOURS_PER_DAY];
            for seed in 0..400 {
                let mut by_hour = SoldByHour::default();
                let mean = sales.means[0] * factor;
                Sales { seed, means: Vec::new() }.draw_day(0, mean, &days[0], &mut by_hour);
                sold.iter_mut()
                    .zip(by_hour)
                    .for_each(|(sold, (purchases, _))| *sold += purchases as f64 / factor);
            }
            [sold[4], sold[10], sold[16]]
        };
        let many = sold(1.0);
        let few = sold(0.001);
        for (many, few) in many.iter().zip(few) {
            assert!((many / few - 1.0).abs() < 0.2, "{many} {few}");
        }
    }
}
