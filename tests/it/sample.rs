//! The whole sample, ranked, against figures worked out by a program that shares nothing with this one.
//!
//! `tests/independent/figures.py` says how the figures are made and how their file is laid out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;

use crate::world::{Ranked, World, sample_logs};

/// The shop and every category of the sample.
const CATEGORIES: usize = 2_091;
const MICROS_PER_HOUR: i64 = 3_600_000_000;
/// 2017-01-15T00:00:00Z.
const AS_OF_MICROS: i64 = 1_484_438_400_000_000;

/// One line of the figures.
#[derive(Deserialize)]
struct Figure {
    category: String,
    /// 0 in the line that describes the category.
    rank: i32,
    item_id: String,
    score: Option<f64>,
    units: Option<i64>,
    purchases: Option<i64>,
    amount: String,
    window_hours: Option<i64>,
    eligible_items: Option<i64>,
}

#[test]
fn the_sample_ranks_as_independent_figures_say() {
    let ranking = ranking_of_the_sample();
    let rows: BTreeMap<(&str, i32), &Ranked> =
        ranking.iter().map(|row| ((row.category.as_deref().unwrap_or(""), row.rank), row)).collect();
    assert_eq!(rows.len(), ranking.len(), "no category has a rank twice");

    let figures = figures();
    for figure in &figures {
        let key = (figure.category.as_str(), figure.rank.max(1));
        let row = rows.get(&key).unwrap_or_else(|| panic!("the ranking has no {key:?}"));
        if figure.rank == 0 { check_category(figure, row) } else { check_item(figure, row) }
    }

    let expected: BTreeSet<&str> = figures.iter().map(|figure| figure.category.as_str()).collect();
    let got: BTreeSet<&str> = rows.keys().map(|(category, _)| *category).collect();
    assert_eq!(got, expected);
    assert_eq!(got.len(), CATEGORIES);
}

fn ranking_of_the_sample() -> Vec<Ranked> {
    let world = World::new();
    let logs: Vec<String> = sample_logs().iter().map(|log| log.display().to_string()).collect();
    let mut ingest = vec!["ingest"];
    ingest.extend(logs.iter().map(String::as_str));
    let said = world.run_with(&ingest, b"");
    assert_eq!(said.code, Some(0), "{}", said.whole());
    let said = world.run("rank --as-of 2017-01-15T00:00:00Z");
    assert_eq!(said.code, Some(0), "{}", said.whole());
    world.ranking("data/lake")
}

fn figures() -> Vec<Figure> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/independent/expected.csv");
    let mut lines = csv::Reader::from_path(path).expect("the figures are there");
    lines.deserialize().map(|line| line.expect("the figures can be read")).collect()
}

fn check_category(figure: &Figure, first: &Ranked) {
    let name = &figure.category;
    let hours = figure.window_hours.expect("a category's line has its window");
    assert_eq!(first.window_to, AS_OF_MICROS, "{name}");
    assert_eq!((first.window_to - first.window_from) / MICROS_PER_HOUR, hours, "{name}");
    assert_eq!(Some(first.eligible_items), figure.eligible_items, "{name}");
}

fn check_item(figure: &Figure, row: &Ranked) {
    let name = format!("{}, rank {}", figure.category, figure.rank);
    assert_eq!(row.item_id, figure.item_id, "{name}");
    assert_eq!(Some(row.score), figure.score, "{name}");
    assert_eq!(Some(row.units), figure.units.map(|units| units * 10_000), "{name}");
    assert_eq!(Some(row.purchases), figure.purchases, "{name}");
    let amount: i128 = figure.amount.replace('.', "").parse().expect("an amount has four places");
    assert_eq!(row.amount, amount, "{name}");
}
