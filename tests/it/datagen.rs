//! `topsell datagen`: synthetic purchases that are as documented.

mod aggregates;

use std::collections::{BTreeMap, BTreeSet};

use crate::world::World;

const PURCHASES: usize = 200_000;
const ITEMS: usize = 20_000;

/// One line of a log.
struct Line<'a> {
    ts: &'a str,
    event_id: &'a str,
    item_id: &'a str,
    paths: Vec<&'a str>,
    quantity: i64,
    cents: i64,
}

fn made(world: &World, options: &str) {
    let said = world.run(&format!("datagen {options}"));
    assert_eq!(said.code, Some(0), "{}", said.whole());
}

/// Returns a folder's files and their texts.
fn texts(world: &World, folder: &str) -> Vec<(String, String)> {
    let text = |name: &String| std::fs::read_to_string(world.path(folder).join(name)).expect("a log is text");
    world.files(folder).into_iter().map(|name| (name.clone(), text(&name))).collect()
}

fn lines(texts: &[(String, String)]) -> Vec<Line<'_>> {
    let parsed = texts.iter().flat_map(|(_, text)| text.lines().skip(1)).map(|line| {
        let fields: Vec<&str> = line.split(',').collect();
        let [ts, event_id, item_id, category, quantity, amount] = fields[..] else {
            panic!("{line} has six fields")
        };
        let (_, places) = amount.split_once('.').expect("an amount has a point");
        assert_eq!(places.len(), 2, "{line}");
        Line {
            ts,
            event_id,
            item_id,
            paths: category.split('|').collect(),
            quantity: quantity.parse().expect("a quantity is a number"),
            cents: amount.replace('.', "").parse().expect("an amount is a number"),
        }
    });
    parsed.collect()
}

fn near(share: f64, expected: f64, tolerance: f64) {
    assert!((share - expected).abs() < tolerance, "{share} is not near {expected}");
}

#[test]
fn the_same_arguments_give_the_same_bytes_on_any_number_of_threads() {
    let world = World::new();
    let small = "--purchases 20000 --items 500 --leaves 60 --tops 7 --hours 30";
    for (more, first) in [("", "csv"), ("--event-ids", "csv"), ("--format=ndjson", "ndjson")] {
        // An older file of the same name goes, whatever it was.
        world.write(&format!("one{more}/purchases-2024-01-01T00.{first}"), "older".repeat(100_000));
        for (folder, options) in [("one", "--threads 1"), ("two", "--threads 2"), ("other", "--seed 2")] {
            made(&world, &format!("{small} {options} {more} {folder}{more}"));
        }
        let [one, two, other] =
            ["one", "two", "other"].map(|folder| texts(&world, &format!("{folder}{more}")));
        assert_eq!(one.len(), 30);
        assert_eq!(one, two);
        assert_ne!(one, other);
    }
}

#[test]
fn purchases_have_the_requested_number_and_distribution() {
    let world = World::new();
    let size = format!("--purchases {PURCHASES} --items {ITEMS} --leaves 1000 --tops 50");
    made(&world, &format!("{size} --event-ids logs"));
    let texts = texts(&world, "logs");
    assert_eq!(texts.len(), 150);
    assert_eq!(texts[0].0, "purchases-2024-01-01T00.csv");
    assert_eq!(texts[149].0, "purchases-2024-01-07T05.csv");
    for (name, text) in &texts {
        let times: Vec<&str> = text.lines().skip(1).map(|line| &line[..20]).collect();
        let hour = &name["purchases-".len()..][..13];
        assert!(times.is_sorted() && times.iter().all(|time| time.starts_with(hour)), "{name}");
        assert!(times.last() > Some(&&*format!("{hour}:55")), "{name} fills its hour");
        assert!(text.starts_with("ts,event_id,item_id,category,quantity,amount\n"));
    }
    let lines = lines(&texts);
    assert_eq!(lines.len(), PURCHASES);
    assert_eq!(lines.iter().map(|line| line.event_id).collect::<BTreeSet<_>>().len(), PURCHASES);
    assert!(lines.iter().all(|line| line.event_id.len() == 16 && line.ts.ends_with('Z')));

    // Whatever is bought again has the same paths and the same price.
    let mut items: BTreeMap<&str, (&Vec<&str>, i64, usize)> = BTreeMap::new();
    for line in &lines {
        let price = line.cents / line.quantity;
        let item = items.entry(line.item_id).or_insert((&line.paths, price, 0));
        assert_eq!((item.0, item.1), (&line.paths, price));
        item.2 += 1;
    }
    assert!(
        items
            .keys()
            .all(|id| id.len() == 10 && id.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase()))
    );
    let leaves: BTreeSet<&str> = items.values().flat_map(|item| item.0.iter().copied()).collect();
    let tops: BTreeSet<_> = leaves.iter().map(|leaf| leaf.split('/').next()).collect();
    assert_eq!((leaves.len(), tops.len()), (1_000, 50));
    assert!(leaves.iter().all(|leaf| leaf.split('/').count() == 3));

    let of_items = |paths: usize| {
        items.values().filter(|item| item.0.len() == paths).count() as f64 / items.len() as f64
    };
    near(of_items(1), 0.7, 0.02);
    near(of_items(2), 0.2, 0.02);
    near(of_items(3), 0.1, 0.02);
    let of_lines = |quantity: i64| {
        lines.iter().filter(|line| line.quantity == quantity).count() as f64 / lines.len() as f64
    };
    for (quantity, share) in [(1, 0.93), (2, 0.04), (3, 0.02), (-1, 0.01)] {
        near(of_lines(quantity), share, 0.003);
    }
    let mut prices: Vec<i64> = items.values().map(|item| item.1).collect();
    prices.sort_unstable();
    near(prices[prices.len() / 2] as f64, 665.0, 40.0);

    // Zipf: what the ranks 1, 10 and 100 sell, and all above the thousandth.
    let mut sold: Vec<usize> = items.values().map(|item| item.2).collect();
    sold.sort_unstable_by_key(|sold| std::cmp::Reverse(*sold));
    let weight = |rank: usize| (rank as f64).powf(-1.05);
    let all: f64 = (1..=ITEMS).map(weight).sum();
    for rank in [1, 10, 100] {
        let expected = weight(rank) / all;
        near(sold[rank - 1] as f64 / PURCHASES as f64, expected, 0.1 * expected);
    }
    let expected = (1..=1_000).map(weight).sum::<f64>() / all;
    near(sold[..1_000].iter().sum::<usize>() as f64 / PURCHASES as f64, expected, 0.01);
}

#[test]
fn every_line_is_ingested_and_both_formats_are_equal() {
    let world = World::new();
    let size = "--purchases 3000 --items 200 --leaves 40 --tops 40 --hours 5";
    made(&world, &format!("{size} csv"));
    made(&world, &format!("{size} --format ndjson ndjson"));
    let shows = ["csv", "ndjson"].map(|form| {
        let taken = world.run(&format!("ingest --now 2024-01-02T00:00:00Z --lake {form}-lake {form}"));
        assert_eq!(taken.code, Some(0), "{}", taken.whole());
        assert!(taken.stderr.contains("3000 accepted + 0 duplicate + 0 rejected"), "{}", taken.whole());
        let ranked = world.run(&format!("rank --as-of 2024-01-01T05:00:00Z --lake {form}-lake"));
        assert_eq!(ranked.code, Some(0), "{}", ranked.whole());
        world.run(&format!("show --lake {form}-lake --format csv")).stdout
    });
    assert_eq!(shows[0], shows[1]);
    assert!(shows[0].lines().count() > 50);
}

#[test]
fn invalid_workloads_are_refused() {
    let world = World::new();
    let check = |options: &str, expected: &str| {
        let said = world.run(&format!("datagen {options} logs"));
        assert_eq!(said.code, Some(2), "{}", said.whole());
        assert!(said.stderr.contains(expected), "{}", said.whole());
        assert_eq!(world.files("logs"), [""; 0]);
    };
    check("--purchases 1 --items 0 --leaves 1 --tops 1", "--items 0 is out of range");
    check("--purchases 0 --items 1 --leaves 1 --tops 1", "--purchases 0 is out of range");
    check("--purchases 1 --items 1 --leaves 1 --tops 0", "--tops 0 is out of range");
    check("--purchases 1 --items 1 --leaves 1 --tops 2", "--leaves 1 is less than --tops 2");
    check(
        "--purchases 1 --items 1 --leaves 2000000 --tops 2",
        "--leaves 2000000 is out of range; the maximum is 1000000",
    );
    check("--purchases 1 --items 1 --leaves 1 --tops 1 --hours 0", "--hours 0 is out of range");
    check("--purchases 1 --items 1 --leaves 1", "--tops");
    check("--aggregates --purchases 1 --items 1 --leaves 1 --tops 2", "--leaves 1 is less than --tops 2");
    check("--aggregates --purchases 1 --items 1 --leaves 1 --tops 1 --format csv", "--format");
    world.write("file", "");
    let said = world.run("datagen --purchases 1 --items 1 --leaves 1 --tops 1 file/logs");
    assert_eq!(said.code, Some(1), "{}", said.whole());
    assert!(said.stderr.contains("WORLD/file/logs"), "{}", said.whole());
    let help = world.run("--help");
    assert!(!help.stdout.contains("datagen"), "shops do not need it");
}
