//! `topsell datagen --aggregates`: hourly aggregates that rank as the purchases would.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::AsArray;
use arrow::datatypes::{Decimal128Type, Int32Type, Int64Type};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::made;
use crate::world::{World, units};

const PURCHASES: i64 = 20_000;
const SHOP: &str = "--purchases 20000 --items 300 --leaves 60 --tops 7 --hours 30";
const RANK: &str = "rank --as-of 2024-01-02T06:00:00Z --window 30h --min-items 1 --limit 1000 --lake";
const HOURS: i32 = 30;

/// Purchases, units and ten-thousandths.
type Aggregate = (i64, i64, i128);

/// One row of a rollup file.
#[derive(Clone, Debug)]
struct Row {
    category: String,
    /// From the first hour of all.
    hour: i32,
    item_id: String,
    paths: Vec<String>,
    is_primary: bool,
    aggregate: Aggregate,
}

/// Returns the rollup files by their partitions, whatever their own names, and their bytes.
fn files(world: &World, lake: &str) -> Vec<(String, Vec<u8>)> {
    let folder = format!("{lake}/rollups");
    let names = world.files(&folder).into_iter().filter(|name| name.ends_with(".parquet"));
    let files = names.filter(|name| !name.starts_with('_')).map(|name| {
        let bytes = std::fs::read(world.path(&folder).join(&name)).expect("a file can be read");
        (name.rsplit_once('/').map(|(partition, _)| partition.to_owned()).expect("it has a folder"), bytes)
    });
    let mut files: Vec<_> = files.collect();
    files.sort();
    files
}

fn rows(partition: &str, bytes: &[u8]) -> Vec<Row> {
    let part =
        |name: &str| partition.split('/').find_map(|part| part.strip_prefix(name)).expect("it is there");
    let day = match part("date=") {
        "2024-01-01" => 0,
        "2024-01-02" => 1,
        other => panic!("{other} is no day of the thirty hours"),
    };
    let file = ParquetRecordBatchReaderBuilder::try_new(Bytes::copy_from_slice(bytes));
    let batches = file.and_then(ParquetRecordBatchReaderBuilder::build).expect("a rollup file is Parquet");
    let mut rows = Vec::new();
    for batch in batches {
        let batch = batch.expect("a rollup file can be read");
        let column = |name: &str| batch.column_by_name(name).expect("a rollup file has all its columns");
        for at in 0..batch.num_rows() {
            let long = |name: &str| column(name).as_primitive::<Int64Type>().value(at);
            let paths = column("categories").as_list::<i32>().value(at);
            let paths = paths.as_string::<i32>().iter().map(|path| path.expect("a path is there").to_owned());
            rows.push(Row {
                category: column("category").as_string::<i32>().value(at).to_owned(),
                hour: 24 * day + column("hour").as_primitive::<Int32Type>().value(at),
                item_id: column("item_id").as_string::<i32>().value(at).to_owned(),
                paths: paths.collect(),
                is_primary: column("is_primary").as_boolean().value(at),
                aggregate: (
                    long("purchases"),
                    units(&batch, "units", at) / 10_000,
                    column("amount").as_primitive::<Decimal128Type>().value(at),
                ),
            });
        }
    }
    assert!(rows.is_sorted_by_key(|row| (row.item_id.clone(), row.paths.clone(), row.hour)), "{partition}");
    rows
}

/// Returns the score and the aggregates of every item of every category, the shop's own name being
/// empty, as the simplest of all programs would add them up.
fn added_up(rows: &[Row]) -> BTreeMap<(String, String), (f64, Aggregate)> {
    let mut all: BTreeMap<(String, String), (f64, Aggregate)> = BTreeMap::new();
    for row in rows {
        let mut categories: BTreeSet<String> = row.is_primary.then(String::new).into_iter().collect();
        for path in &row.paths {
            let levels: Vec<&str> = path.split('/').collect();
            categories.extend((1..=levels.len()).map(|level| levels[..level].join("/")));
        }
        for category in categories {
            let (score, aggregate) = all.entry((category, row.item_id.clone())).or_default();
            *score += row.aggregate.1 as f64 * (-f64::from(HOURS - 1 - row.hour) / 48.0).exp2();
            *aggregate =
                (aggregate.0 + row.aggregate.0, aggregate.1 + row.aggregate.1, aggregate.2 + row.aggregate.2);
        }
    }
    all.retain(|_, (score, aggregate)| aggregate.1 > 0 && *score > 0.0);
    all
}

#[test]
fn synthetic_aggregates_rank_as_they_add_up() {
    let world = World::new();
    made(&world, &format!("{SHOP} --aggregates --threads 1 one"));
    made(&world, &format!("{SHOP} --aggregates --threads 2 two"));
    let written = files(&world, "one");
    assert_eq!(written.len(), 14);
    assert_eq!(written, files(&world, "two"), "threads change no byte");
    let mut rows: Vec<Row> = written.iter().flat_map(|(partition, bytes)| rows(partition, bytes)).collect();
    rows.sort_by(|a, b| a.category.cmp(&b.category));

    let mut copies: BTreeMap<(&str, i32), Vec<&Row>> = BTreeMap::new();
    let mut prices: BTreeMap<&str, i128> = BTreeMap::new();
    for row in &rows {
        assert!(
            row.paths.iter().all(|path| path.split('/').next() == Some(row.category.as_str())),
            "{row:?}"
        );
        let (purchases, units, amount) = row.aggregate;
        assert!(purchases > 0 && (-purchases..=3 * purchases).contains(&units), "{row:?}");
        copies.entry((&row.item_id, row.hour)).or_default().push(row);
        if units != 0 {
            assert_eq!(amount % i128::from(units), 0, "{row:?}");
            let price = amount / i128::from(units);
            assert_eq!(*prices.entry(&row.item_id).or_insert(price), price, "{row:?}");
        }
    }
    assert!(copies.values().any(|copies| copies.len() == 3), "some items lie in three categories");
    for copies in copies.values() {
        assert!(copies.iter().all(|copy| copy.aggregate == copies[0].aggregate), "{copies:?}");
        assert!(copies.is_sorted_by_key(|copy| &copy.category));
        let primary: Vec<bool> = copies.iter().map(|copy| copy.is_primary).collect();
        assert!(primary[0] && !primary[1..].contains(&true), "{copies:?}");
    }

    let said = world.run(&format!("{RANK} one"));
    assert_eq!(said.code, Some(0), "{}", said.whole());
    assert!(said.stderr.starts_with("rollup: up to date"), "{}", said.whole());
    let mut expected = added_up(&rows);
    for ranked in world.ranking("one") {
        let key = (ranked.category.clone().unwrap_or_default(), ranked.item_id.clone());
        let (score, aggregate) = expected.remove(&key).expect("nothing ranks that did not sell");
        assert_eq!((ranked.purchases, ranked.units / 10_000, ranked.amount), aggregate, "{key:?}");
        assert!((ranked.score / score - 1.0).abs() < 1e-9, "{key:?}");
    }
    assert!(expected.is_empty(), "{expected:?} sold and did not rank");
}

#[test]
fn synthetic_aggregates_are_near_those_of_the_same_shops_logs() {
    let world = World::new();
    made(&world, &format!("{SHOP} --aggregates aggregates"));
    made(&world, &format!("{SHOP} logs"));
    world.run("ingest --now 2024-01-03T00:00:00Z --lake counted logs");
    let sold = |lake: &str| {
        let said = world.run(&format!("{RANK} {lake}"));
        assert_eq!(said.code, Some(0), "{}", said.whole());
        let ranking = world.ranking(lake);
        let of_shop = ranking.iter().filter(|row| row.category.is_none());
        let categories: BTreeSet<_> = ranking.iter().map(|row| row.category.clone()).collect();
        (of_shop.map(|row| (row.item_id.clone(), row.purchases)).collect::<BTreeMap<_, _>>(), categories)
    };
    let ((drawn, drawn_in), (counted, counted_in)) = (sold("aggregates"), sold("counted"));
    assert_eq!(drawn_in, counted_in, "every item lies in the same categories");
    let near = |drawn: i64, counted: i64| {
        // Both vary, each by about the root of its mean.
        let spread = ((drawn + counted) as f64).sqrt();
        assert!(((drawn - counted) as f64).abs() < 5.0 * spread, "{drawn} is not near {counted}");
    };
    near(drawn.values().sum(), PURCHASES);
    for item in drawn.keys().chain(counted.keys()) {
        let of = |sold: &BTreeMap<String, i64>| sold.get(item).copied().unwrap_or_default();
        near(of(&drawn), of(&counted));
    }
}

#[test]
fn synthetic_aggregates_are_written_into_new_lakes_only() {
    let world = World::new();
    made(&world, &format!("{SHOP} --aggregates aggregates"));
    world.write("log.csv", "ts,item_id\n2017-01-14T03:00:00Z,a\n");
    assert_eq!(world.run("ingest --lake events log.csv").code, Some(0));
    for lake in ["aggregates", "events"] {
        let before = world.files(lake);
        let said = world.run(&format!("datagen {SHOP} --aggregates {lake}"));
        assert_eq!(said.code, Some(1), "{}", said.whole());
        assert!(said.stderr.contains("the lake already holds events or aggregates"), "{}", said.whole());
        let left: Vec<String> =
            world.files(lake).into_iter().filter(|name| name.ends_with(".parquet")).collect();
        assert!(left.iter().all(|name| before.contains(name)), "{left:?}");
    }
}
