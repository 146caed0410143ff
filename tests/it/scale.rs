//! Shops that are all out of proportion, and a disk that is full: the ranking is still what brute
//! force makes of the same sales.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use topsell_core::lake::DryRun;
use topsell_core::pipeline::Step;
use topsell_core::rollup::{Replaces, Scope};

use crate::faults::disk::Faults;
use crate::faults::{attempt, copy, ingest_step, never, rank_step, seen};
use crate::oracle::sales::{Decay, JANUARY, NOW, Rules, UTC};
use crate::oracle::{Hours, compare, nodes_of, rank};
use crate::world::{Ranked, World};

/// Some units of an item, sold at once.
struct Sale {
    /// Of January.
    hour: i64,
    item: String,
    /// Joined by `|`.
    paths: String,
    units: i64,
}

fn sale(hour: i64, item: impl Into<String>, paths: impl Into<String>, units: i64) -> Sale {
    Sale { hour, item: item.into(), paths: paths.into(), units }
}

/// The best three by units, the last 30 hours decayed with a half-life of 12, and no further back.
fn rules() -> Rules {
    Rules {
        as_of_second: NOW * 3_600,
        window: 30,
        max_lookback: 30,
        min_items: 0,
        top: 3,
        decay: Decay::HalfLife(12 * 3_600),
        by: 0,
        event_types: vec!["purchase"],
        subtract: Vec::new(),
        zone: UTC,
    }
}

/// Numbers without a pattern, the same in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(self.0 >> 33).expect("31 bits fit") % end
    }
}

fn log(sales: &[Sale]) -> String {
    let mut csv = "ts,item_id,category,quantity\n".to_owned();
    for (number, Sale { hour, item, paths, units }) in (0..).zip(sales) {
        let ts = JANUARY + hour * 3_600 + number % 3_600;
        writeln!(csv, "{ts},{item},{paths},{units}").expect("a text can grow");
    }
    csv
}

fn brute_force(sales: &[Sale], rules: &Rules) -> Vec<Ranked> {
    let mut nodes: BTreeMap<Option<String>, BTreeMap<&str, Hours>> = BTreeMap::new();
    for sale in sales {
        for node in nodes_of(&sale.paths.split('|').filter(|path| !path.is_empty()).collect()) {
            let hours = nodes.entry(node).or_default().entry(&sale.item).or_default();
            let aggregate = hours.entry(sale.hour).or_default();
            *aggregate = [aggregate[0] + i128::from(sale.units) * 10_000, aggregate[1] + 1, 0];
        }
    }
    nodes.iter().flat_map(|(node, items)| rank(node.as_deref(), items, rules)).collect()
}

fn succeed(world: &World, arguments: &str) {
    let said = world.run(arguments);
    assert_eq!(said.code, Some(0), "{}", said.whole());
}

/// Ranks the lake and compares every row.
fn check_ranking(world: &World, sales: &[Sale], rules: &Rules) {
    // Other rules than before, in the same lake.
    succeed(world, &format!("{} --promote", rules.arguments().join(" ")));
    let outcome = compare(&world.ranking("data/lake"), &brute_force(sales, rules));
    outcome.unwrap_or_else(|parting| panic!("{parting}"));
}

/// Takes the sales in, ranks them, and compares every row.
fn check(sales: &[Sale], rules: &Rules) -> World {
    let world = World::new();
    world.write("log.csv", log(sales));
    succeed(&world, "ingest log.csv");
    check_ranking(&world, sales, rules);
    world
}

/// Its primary copy lies below another top-level category every time.
#[test]
fn an_item_sells_in_every_hour_of_every_category() {
    let mut sales = Vec::new();
    for (hour, top, leaf) in places(NOW - 33..NOW, 12, 3) {
        let path = format!("C{top:02}/S/{leaf}");
        let next = format!("C{:02}/S/{leaf}", (top + hour) % 12);
        let paths = if leaf == 0 { format!("{path}|{next}") } else { path.clone() };
        sales.push(sale(hour, "everywhere", paths, 1 + hour % 3));
        sales.push(sale(hour, format!("i{top:02}-{}", hour % 7), path, 2));
    }
    check(&sales, &rules());
    check(&sales, &Rules { min_items: 9, max_lookback: 40, ..rules() });
}

fn places(
    hours: impl IntoIterator<Item = i64>,
    tops: i64,
    leaves: i64,
) -> impl Iterator<Item = (i64, i64, i64)> {
    hours
        .into_iter()
        .flat_map(move |hour| (0..tops).flat_map(move |top| (0..leaves).map(move |leaf| (hour, top, leaf))))
}

#[test]
fn one_category_has_nine_sales_of_ten() {
    let mut chance = Chance(1);
    let mut one = |number: i64| {
        let item = chance.below(3_000).min(chance.below(3_000));
        let top = if number % 10 == 0 { 1 + item % 20 } else { 0 };
        let hour = NOW - 1 - chance.below(10);
        sale(hour, format!("i{item}"), format!("C{top}/S{}/L{}", item % 7, item % 91), 1)
    };
    let sales: Vec<Sale> = (0..30_000).map(&mut one).collect();
    check(&sales, &Rules { top: 100, ..rules() });
}

/// Of one another they are told apart only behind their fifteenth byte.
#[test]
fn long_ids_begin_alike_in_the_files_of_many_days() {
    let mut chance = Chance(3);
    let sales: Vec<Sale> = (0..6_000)
        .map(|number| {
            let item = chance.below(40).min(chance.below(40));
            let item = format!("urn:shop:product:{}", "0".repeat(item as usize % 5) + &item.to_string());
            // Some a byte shorter or longer than what is compared first.
            let item = [item.as_str(), "urn:shop:produ", "urn:shop:produc", "urn:shop:product"]
                [if number % 20 == 0 { 1 + number as usize % 3 } else { 0 }]
            .to_owned();
            sale(NOW - 1 - chance.below(300), item, format!("C/L{}", chance.below(3)), 1 + number % 4)
        })
        .collect();
    check(&sales, &Rules { window: 300, max_lookback: 300, top: 7, ..rules() });
}

#[test]
fn an_hour_has_one_event_or_none() {
    let mut sales = vec![sale(NOW - 1, "only", "A/x", 1)];
    check(&sales, &rules());
    for (hour, top, leaf) in places(NOW - 30..NOW - 3, 5, 4) {
        sales.push(sale(hour, format!("i{}", hour % 11), format!("C{top}/L{leaf}"), 1));
    }
    // The newest hour has one event, the two before have none, and one before these has one.
    sales.retain(|sale| sale.hour != NOW - 9);
    sales.push(sale(NOW - 9, "rare", "C1/L2", 1));
    let world = check(&sales, &rules());
    sales.push(sale(NOW - 2, "late", "A/x|C4/L0", 1));
    world.write("late.csv", log(&sales[sales.len() - 1..]));
    succeed(&world, "ingest late.csv");
    check_ranking(&world, &sales, &rules());
}

#[test]
fn ten_thousand_paths_lie_under_one_top_level_category() {
    let mut chance = Chance(2);
    let path = |leaf: i64| format!("C/S{}/L{leaf}", leaf % 100);
    let mut sales: Vec<Sale> = (0..10_000)
        .map(|leaf| {
            let item = format!("i{}", leaf / 2);
            let other = chance.below(10_000);
            sale(NOW - 1 - chance.below(30), item, format!("{}|{}", path(leaf), path(other)), 1)
        })
        .collect();
    // As many paths as one event may have.
    let many: Vec<String> = (0..64).map(|number| path(number * 151)).collect();
    sales.extend((0..30).map(|age| sale(NOW - 1 - age, "in many", many.join("|"), 3)));
    check(&sales, &rules());
}

#[test]
fn fifty_thousand_items_sell_in_one_hour() {
    let one = |number: i64| {
        let item = format!("{:010x}", number * 7_368_787 % 1_099_511_627_776);
        sale(NOW - 1, item, format!("C{}", number % 3), 1 + number / 3 % 2)
    };
    let sales: Vec<Sale> = (0..50_000).map(one).collect();
    let world = check(&sales, &Rules { top: 100, ..rules() });
    check_ranking(&world, &sales, &Rules { top: 50_000, ..rules() });
}

#[test]
fn ids_are_long_and_begin_alike() {
    let lengths = (1..=40).chain([63, 64, 65, 127, 128, 129, 255, 256, 1_000, 4_095, 8_190, 8_191, 8_192]);
    let mut sales = Vec::new();
    for length in lengths {
        for (number, tail) in (0..).zip(["a", "b", "é", "\u{10ffff}"]) {
            let Some(head) = usize::checked_sub(length, tail.len()) else { continue };
            let id = "a".repeat(head) + tail;
            // Of some, there is but one copy on one day; of others, several everywhere.
            let days = 1 + (length + number) % 3;
            for day in (0..).take(days) {
                sales.push(sale(NOW - 1 - 24 * day, id.clone(), "A/x|B", 1));
                sales.push(sale(NOW - 5 - 24 * day, id.clone(), "A/x", 1));
            }
        }
    }
    let rules = Rules { window: 80, max_lookback: 80, ..rules() };
    let world = check(&sales, &rules);
    check_ranking(&world, &sales, &Rules { decay: Decay::None, top: 1_000, ..rules });
}

/// Files that have only paths of settled categories are passed over when others look further back.
#[test]
fn some_categories_look_further_back_while_others_are_settled() {
    for (seed, min_items) in [(3, 3), (4, 4)] {
        let mut chance = Chance(seed);
        let mut sales = Vec::new();
        for (number, age) in (0..).zip((0..1_200).step_by(5)) {
            let mut sell = |paths: &str, units: i64| {
                let item = format!("i{}", chance.below(9));
                sales.push(sale(NOW - 1 - age, item, paths, units));
            };
            // Below B are only settled ones; below A and C, settled ones have others beside them,
            // in files of their own and in the same ones.
            for busy in ["A/busy", "A/busy", "A/busy/0", "B/busy", "B/busy"] {
                sell(busy, 2);
            }
            match number {
                number if number % 19 == 5 => sell("A/rare", 1),
                number if number % 17 == 7 => sell("A/busy/0|A/seldom|C", 1),
                number if number % 41 == 9 => sell("C/rare|D/rare", 2),
                number if age > 700 && number % 10 == 0 => sell("E/gone", 1),
                number if number % 7 == 3 => sell("A/seldom", -1),
                _ => {}
            }
        }
        let rules = Rules { min_items, max_lookback: 1_000, ..rules() };
        let world = check(&sales, &rules);
        // The whole shop is settled, or looks back itself and wants every file.
        check_ranking(&world, &sales, &Rules { min_items: 10, ..rules });
    }
}

#[test]
fn a_disk_that_is_full_in_the_middle_of_a_rollup_leaves_the_lake_as_it_was() {
    let world = World::new();
    let all: Vec<Sale> = places((NOW - 60..NOW).step_by(4), 5, 2)
        .map(|(hour, top, leaf)| {
            sale(hour, format!("i{}", hour % 13), format!("C{top}/L{leaf}"), 1 + hour % 2)
        })
        .collect();
    let (first, second) = all.split_at(all.len() / 3);
    world.write("first.csv", log(first));
    world.write("second.csv", log(second));
    for step in [ingest_step(&world, "first.csv"), rank_step(), ingest_step(&world, "second.csv")] {
        attempt(&world, "before", &step, &never()).expect("there is room");
    }
    let before = seen(&world.path("before"));
    copy(&world.path("before"), &world.path("after"));
    let rollup = Step::Rollup { scope: Scope::Changed, replaces: Replaces::DamagedOnly, dry_run: DryRun::No };
    let room = Faults::full_after(i64::MAX);
    attempt(&world, "after", &rollup, &room).expect("there is room");
    let needed = i64::MAX - room.left();
    let rules = Rules {
        window: 150,
        max_lookback: 150,
        min_items: 1,
        top: 100,
        decay: Decay::HalfLife(48 * 3_600),
        ..rules()
    };
    let expected = brute_force(&all, &rules);
    // Nothing fits, or nearly everything.
    for room in (0..10).map(|tenths| needed * tenths / 10) {
        let lake = format!("room-for-{room}");
        copy(&world.path("before"), &world.path(&lake));
        let disk = Faults::full_after(room);
        let error = attempt(&world, &lake, &rollup, &disk).expect_err("there is too little room");
        assert!(disk.have_struck(), "{error}");
        assert_eq!(seen(&world.path(&lake)), before, "room for {room} of {needed} bytes");
        attempt(&world, &lake, &rank_step(), &never()).expect("there is room again");
        let outcome = compare(&world.ranking(&lake), &expected);
        outcome.unwrap_or_else(|parting| panic!("room for {room} of {needed} bytes: {parting}"));
    }
}

/// A shop with a file for each category and hour had 3.4 GB of files for 200,000 events, and their ranking did not
/// end.
#[test]
fn categories_without_levels_share_files_however_many_they_are() {
    let mut chance = Chance(5);
    let mut one = |number: i64| {
        let item = chance.below(9_000);
        let flat = format!("flat{}", item * 7 % 4_000);
        let paths = match number % 7 {
            0 => format!("{flat}|~flat{}", item % 3_000),
            1 => String::new(),
            2 => flat,
            _ => "large/leaf".to_owned(),
        };
        sale(NOW - 1 - chance.below(40), format!("i{item}"), paths, 1 + number % 3)
    };
    let mut sales: Vec<Sale> = (0..70_000).map(&mut one).collect();
    let rules = Rules { min_items: 3, max_lookback: 40, ..rules() };
    let world = check(&sales, &rules);
    let files = |table: &str| {
        let files = world.files("data/lake");
        files.iter().filter(|file| file.contains(&format!("{table}/event_type"))).count()
    };
    let days = 3;
    assert!(files("events") <= 18 * days && files("rollups") <= 18 * days, "{:?}", world.files("data/lake"));
    let of_large = |file: &&String| file.contains("category_group=large/");
    assert!(world.files("data/lake").iter().any(|file| of_large(&file)));
    // What comes later is in the files of small categories first.
    for round in 0..3 {
        let more: Vec<Sale> = (0..900).map(|number| one(number + round)).collect();
        world.write("late.csv", log(&more));
        succeed(&world, "ingest late.csv");
        sales.extend(more);
        check_ranking(&world, &sales, &rules);
    }
    succeed(&world, "lake verify");
    succeed(&world, "lake compact");
    check_ranking(&world, &sales, &rules);
    succeed(&world, "lake verify");
    for (event_type, lines) in [("view", 40_000), ("like", 10)] {
        let rows: String = (0..lines)
            .map(|number| {
                format!("{},{event_type},i{},large/leaf\n", JANUARY + 3_600 * (NOW - 2), number % 90)
            })
            .collect();
        world.write("views.csv", format!("ts,event_type,item_id,category\n{rows}"));
        succeed(&world, "ingest views.csv");
    }
    check_ranking(&world, &sales, &rules);
    succeed(&world, "lake verify");
}
