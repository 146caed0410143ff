//! Every ranking against brute force straight from the definitions, on sales made up at random.
//!
//! Invariant: nothing here is the program's own code; it is only run, and its snapshot read.

mod counts;
mod logs;
pub mod sales;
pub mod scores;
mod totals;

use std::collections::{BTreeMap, BTreeSet};

use num_bigint::BigInt;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::oracle::counts::check_counts;
use crate::oracle::logs::{event_ids, write_logs};
use crate::oracle::sales::{Between, JANUARY, MEASURES, NOW, ONE, ROUNDS, Rules, Sale, between, rules, sale};
use crate::oracle::scores::{Weights, quotient};
use crate::world::{Ranked, World};

/// How many made-up shops are ranked, unless PROPTEST_CASES says otherwise.
const CASES: u32 = 48;

/// Units, purchases and money, by hour; units and money in ten-thousandths.
pub type Hours = BTreeMap<i64, [i128; 3]>;
/// What each item has sold in each category; `None` is the whole shop.
pub type Nodes<'a> = BTreeMap<Option<String>, BTreeMap<&'a str, Hours>>;

#[test]
fn every_ranking_is_what_brute_force_makes_of_the_same_sales() {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(CASES);
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 300, ..Config::default() };
    let shops = (vec(sale(), 0..90), rules(), vec(between(), ROUNDS - 1));
    let outcome =
        TestRunner::new(config).run(&shops, |(sales, rules, between)| check(&sales, &rules, &between));
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

/// A rounding of 2^(−age / half-life) would part them by a hair, and units would never be asked.
#[test]
fn sales_that_are_whole_half_lives_apart_tie_exactly() {
    let world = World::new();
    let mut csv = "ts,item_id,category,quantity\n".to_owned();
    for age in 0..20 {
        for (item, halvings, units) in [("new", 0, 1), ("old", 1, 2), ("oldest", 2, 4)] {
            let hour = NOW - 1 - age - 3 * halvings;
            csv.push_str(&format!("{},{item},{age},{units}\n", JANUARY + hour * 3_600));
        }
    }
    world.write("sales.csv", csv);
    for command in ["ingest sales.csv", "rank --window 26h --half-life 3h --min-items 0"] {
        let said = world.run(command);
        assert_eq!(said.code, Some(0), "{}", said.whole());
    }
    for of_category in world.ranking("data/lake")[3..].chunks(3) {
        assert!(of_category.iter().all(|row| row.score == of_category[0].score), "{of_category:?}");
        let items: Vec<&str> = of_category.iter().map(|row| row.item_id.as_str()).collect();
        assert_eq!(items, ["oldest", "old", "new"], "{of_category:?}");
    }
}

/// Hive's name for no category is a good name for one. The events of both once lay in one folder,
/// in a file of one name, so that a batch with both kept only half of them.
#[test]
fn a_category_that_is_called_what_hive_calls_none_is_a_category() {
    let world = World::new();
    let none = "2017-01-14T23:00:00Z,a,";
    world.write("two.csv", format!("ts,item_id,category\n{none}\n{none}__HIVE_DEFAULT_PARTITION__\n"));
    for command in ["ingest two.csv", "rank"] {
        let said = world.run(command);
        assert_eq!(said.code, Some(0), "{}", said.whole());
    }
    let units = world.ranking("data/lake").into_iter().map(|row| (row.category, row.units));
    let category = Some("__HIVE_DEFAULT_PARTITION__".to_owned());
    assert_eq!(units.collect::<Vec<_>>(), [(None, 20_000), (category, 10_000)]);
}

/// Lets the sales come in round by round, and compares every ranking on the way, and what single
/// items have sold, before and after their aggregates are made.
fn check(sales: &[Sale], rules: &Rules, between: &[Between]) -> Result<(), TestCaseError> {
    let world = World::new();
    let ids = event_ids(sales);
    for round in 0..ROUNDS {
        let mut logs = write_logs(&world, sales, &ids, round);
        if round > 0 {
            std::fs::copy(world.path("0-0.csv"), world.path("again.csv")).expect("a file can be copied");
            logs.push(("again.csv".to_owned(), ""));
        }
        let (plain, mapped): (Vec<_>, Vec<_>) = logs.into_iter().partition(|(_, options)| options.is_empty());
        let plain: Vec<String> = plain.into_iter().map(|(name, _)| name).collect();
        let mapped = mapped.iter().map(|(name, options)| format!("ingest --allow-rejects {name} {options}"));
        for command in std::iter::once(format!("ingest --allow-rejects {}", plain.join(" "))).chain(mapped) {
            let said = world.run(&command);
            prop_assert_eq!(said.code, Some(0), "{}", said.whole());
        }
        let nodes = nodes(sales, &ids, rules, round);
        check_counts(&world, rules, &nodes)?;
        match between.get(round) {
            Some(Between::Nothing) => {}
            Some(Between::Compact) => prop_assert_eq!(world.run("lake compact").code, Some(0)),
            Some(Between::Rollup) => prop_assert_eq!(world.run("rollup").code, Some(0)),
            Some(Between::Rank) | None => {
                check_ranking(&world, rules, &ranked(&nodes, rules), may_overflow(sales, rules))?;
            }
        }
        if !matches!(between.get(round), Some(Between::Nothing)) {
            check_counts(&world, rules, &nodes)?;
        }
    }
    Ok(())
}

/// Compares the best of everyone with what is published, and everyone with the totals.
fn check_ranking(
    world: &World,
    rules: &Rules,
    everyone: &[Ranked],
    may_overflow: bool,
) -> Result<(), TestCaseError> {
    let mut arguments = rules.arguments();
    arguments.push("--all-items".to_owned());
    let said = world.run_with(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), b"");
    if may_overflow && said.code == Some(1) && said.whole().contains("do not fit in 60 bits") {
        return Ok(());
    }
    let best = |row: &&Ranked| usize::try_from(row.rank).is_ok_and(|rank| rank <= rules.top);
    let expected: Vec<Ranked> = everyone.iter().filter(best).cloned().collect();
    if expected.is_empty() {
        prop_assert_eq!(said.code, Some(7), "nothing ranks: {}", said.whole());
        return Ok(());
    }
    prop_assert_eq!(said.code, Some(0), "{}", said.whole());
    compare(&world.ranking("data/lake"), &expected)
        .and_then(|()| totals::compare(world, everyone))
        .map_err(|parting| TestCaseError::fail(format!("{arguments:?}\n{parting}")))
}

/// Compares two rankings row by row, scores to the last bit, and tells where they part.
pub fn compare(got: &[Ranked], expected: &[Ranked]) -> Result<(), String> {
    for (got, expected) in got.iter().zip(expected) {
        if got != expected {
            return Err(format!("got      {got:?}\nexpected {expected:?}"));
        }
    }
    let (got, expected) = (got.len(), expected.len());
    if got == expected { Ok(()) } else { Err(format!("got {got} rows, expected {expected}")) }
}

// The oracle.

fn ranked(nodes: &Nodes<'_>, rules: &Rules) -> Vec<Ranked> {
    let everyone = Rules { top: usize::MAX, ..rules.clone() };
    nodes.iter().flat_map(|(node, items)| rank(node.as_deref(), items, &everyone)).collect()
}

fn nodes<'a>(sales: &'a [Sale], ids: &[String], rules: &Rules, last_round: usize) -> Nodes<'a> {
    let mut nodes = Nodes::new();
    let lines = |sale: &Sale| sale.lines.iter().filter(|(round, ..)| *round <= last_round).count();
    for (number, sale) in sales.iter().enumerate() {
        let is_counted = rules.event_types.contains(&sale.event_type);
        if !is_counted && !rules.subtract.contains(&sale.event_type) {
            continue;
        }
        let rivals = (0..sales.len()).filter(|&other| {
            let (theirs, ours) = (&sales[other], sale);
            event_of(theirs) == event_of(ours) && ids[other] == ids[number] && lines(theirs) > 0
        });
        let first = rivals.min_by_key(|&rival| (version_of(&sales[rival]), rival));
        let times = if sale.has_id { usize::from(first == Some(number)) } else { lines(sale) } as i128;
        let (units, amount) = (sale.quantity.unwrap_or(ONE).into(), i128::from(sale.amount.unwrap_or(0)));
        let one: [i128; 3] = match is_counted {
            true => [units, 1, amount],
            false => [-i128::abs(units), 0, -amount.abs()],
        };
        for node in nodes_of(&sale.paths) {
            let hours = nodes.entry(node).or_default().entry(sale.item.trim()).or_default();
            let aggregate = hours.entry(sale.second / 3_600).or_default();
            *aggregate = std::array::from_fn(|at| aggregate[at] + times * one[at]);
        }
    }
    nodes
}

/// What identifies an event besides its id: its type, day and item, and whether it is a return.
fn event_of(sale: &Sale) -> (&str, i64, &str, bool) {
    (sale.event_type, sale.second / 86_400, sale.item.trim(), sale.quantity.unwrap_or(ONE) < 0)
}

/// What tells versions of one event apart, in the order by which the first one counts.
fn version_of(sale: &Sale) -> (i64, i64, i64, String) {
    let paths: Vec<&str> = sale.paths.iter().copied().collect();
    (sale.second, sale.quantity.unwrap_or(ONE), sale.amount.unwrap_or(0), paths.join("|"))
}

/// The shop, and every path and all above it, each once.
pub fn nodes_of(paths: &BTreeSet<&str>) -> BTreeSet<Option<String>> {
    let above = |path: &str| -> Vec<Option<String>> {
        let levels: Vec<&str> = path.split('/').collect();
        (1..=levels.len()).map(|depth| Some(levels[..depth].join("/"))).collect()
    };
    paths.iter().flat_map(|path| above(path)).chain([None]).collect()
}

/// Ranks one category's items, or the shop's where there is none.
pub fn rank(category: Option<&str>, items: &BTreeMap<&str, Hours>, rules: &Rules) -> Vec<Ranked> {
    let mut window = rules.window;
    let mut ranked = rank_within(items, rules, window);
    while ranked.len() < rules.min_items && window < rules.max_lookback {
        window = (window * 2).min(rules.max_lookback);
        ranked = rank_within(items, rules, window);
    }
    let moment = |hour: i64| (JANUARY + hour * 3_600) * 1_000_000;
    let eligible_items = i64::try_from(ranked.len()).expect("items are few");
    let of_category = ranked
        .iter()
        .fold([0; 3], |all, (_, _, aggregate)| std::array::from_fn(|at| all[at] + aggregate[at]));
    let in_window = |hours: &Hours| {
        let hours = hours.range(rules.as_of() - rules.window..rules.as_of());
        hours.fold([0; 3], |all, (_, hour)| std::array::from_fn(|at| all[at] + hour[at]))
    };
    let category_in_window = items.values().map(in_window);
    let category_in_window =
        category_in_window.fold([0; 3], |all, item| std::array::from_fn(|at| all[at] + item[at]));
    let row = |(rank, (item, score, aggregate)): (i32, (&str, f64, [i128; 3]))| Ranked {
        category: category.map(str::to_owned),
        rank,
        item_id: item.to_owned(),
        score,
        units: aggregate[0] as i64,
        purchases: aggregate[1] as i64,
        amount: aggregate[2],
        window_from: moment(rules.as_of() - window),
        window_to: moment(rules.as_of()),
        eligible_items,
        days: days(&items[item], rules),
        week: days(&items[item], rules).iter().sum(),
        of_category,
        in_window: (window > rules.window).then(|| in_window(&items[item])),
        category_in_window,
    };
    (1..).zip(ranked).take(rules.top).map(row).collect()
}

/// The units of the seven local days of which the last is that of the newest hour.
fn days(hours: &Hours, rules: &Rules) -> [i64; 7] {
    let day_of = |hour: i64| (hour * 3_600 + rules.zone.1).div_euclid(86_400);
    let mut days = [0; 7];
    for (&hour, aggregate) in hours.range(..rules.as_of()) {
        let back = day_of(rules.as_of() - 1) - day_of(hour);
        if let Some(day) = usize::try_from(back).ok().and_then(|back| 6_usize.checked_sub(back)) {
            days[day] += aggregate[0] as i64;
        }
    }
    days
}

/// The items that can rank over a window, best first.
fn rank_within<'a>(
    items: &BTreeMap<&'a str, Hours>,
    rules: &Rules,
    window: i64,
) -> Vec<(&'a str, f64, [i128; 3])> {
    let weights = Weights::of(rules.decay);
    let (oldest, end) = (rules.as_of() - window, rules.as_of());
    let by_hour: Vec<BigInt> = (oldest..end).map(|hour| weights.weight(hour, oldest)).collect();
    let weight = |hour: i64| &by_hour[usize::try_from(hour - oldest).expect("it is in the window")];
    let unit = if MEASURES[rules.by] == "purchases" { 1 } else { 10_000 };
    let divisor = weight(end - 1) * unit;
    let mut ranked = Vec::new();
    for (&item, hours) in items {
        let (mut score, mut total) = (BigInt::ZERO, [0; 3]);
        for (&hour, aggregate) in hours.range(oldest..end) {
            score += weight(hour) * aggregate[rules.by];
            total = std::array::from_fn(|at| total[at] + aggregate[at]);
        }
        if total[rules.by] > 0 && score > BigInt::ZERO {
            ranked.push((item, score, total));
        }
    }
    ranked.sort_by(|(item, score, aggregate), (other_item, other_score, other_aggregate)| {
        let score = other_score.cmp(score);
        score.then(other_aggregate[0].cmp(&aggregate[0])).then(item.as_bytes().cmp(other_item.as_bytes()))
    });
    let printed = |(item, score, total): (_, BigInt, _)| (item, quotient(&score, &divisor), total);
    ranked.into_iter().map(printed).collect()
}

/// Whether an item's events may add up to more than a score has room for, whatever their signs.
fn may_overflow(sales: &[Sale], rules: &Rules) -> bool {
    let absolute = |sale: &Sale| match MEASURES[rules.by] {
        "units" => sale.quantity.unwrap_or(ONE).unsigned_abs(),
        "purchases" => 1,
        _ => sale.amount.unwrap_or(0).unsigned_abs(),
    };
    let mut items: BTreeMap<&str, u64> = BTreeMap::new();
    for sale in sales {
        *items.entry(sale.item.trim()).or_default() += absolute(sale) * sale.lines.len() as u64;
    }
    items.values().any(|sum| *sum > 1 << 60)
}

impl Rules {
    /// The first full hour that does not begin before the moment asked for.
    pub fn as_of(&self) -> i64 {
        (self.as_of_second + 3_599) / 3_600
    }
}
