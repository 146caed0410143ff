//! Every view at three widths, with colors and without, and in the forms for programs; of a shop
//! whose names run in all directions.
//!
//! What is expected lies in `views/`, where it reads as the program prints it; `\e` is the character
//! that begins what a terminal takes for a command, and what is of no width and turns the direction
//! of a text is spelled out, too.

use std::fmt::Write as _;

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use bytes::Bytes;
use expect_test::{ExpectFile, expect_file};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::world::World;

const CATALOG: &str = "\
item_id,category,name
choc,Food/Sweets,שוקולד מריר 85%
milk,Food/Dairy,حليب كامل الدسم milk 1 L
tea,Food/Tea,烏龍茶 500ml 特選 凍頂
ramen,Food/Noodles,한국 라면 매운맛 큰컵
family,Food/Sweets,👨\u{200d}👩\u{200d}👧\u{200d}👦 family pack of assorted biscuits
sauce,Food/Noodles|World,🇩🇪🇯🇵 sauce with ❤\u{fe0f} and 👍🏽
creme,Food/Sweets,Cre\u{301}me bru\u{302}le\u{301}e a\u{300} la vanille de Madagascar
trick,Food,cod\u{202e}gpj.exe \u{1b}[31mred
an-id-that-is-longer-than-any-column-has-room-for-0123456789-abcdefghij,Food,
tofu,Food/Tofu%2FSoy,豆腐
";

/// Item, units, and the day of January on which they were sold.
const SALES: &[(&str, i64, u32)] = &[
    ("choc", 40, 13),
    ("milk", 30, 13),
    ("tea", 25, 13),
    ("ramen", 20, 13),
    ("sauce", 1_500, 13),
    ("creme", 3, 13),
    ("tofu", 9, 12),
    ("choc", 5, 14),
    ("milk", 90, 14),
    ("tea", 2_500, 14),
    ("family", 300, 14),
    ("trick", 7, 14),
    ("an-id-that-is-longer-than-any-column-has-room-for-0123456789-abcdefghij", 6, 14),
    ("sauce", 40, 14),
];

/// Returns a shop with the rankings of three days, the last of which lost an item and found others.
fn shop() -> World {
    let world = World::new();
    world.write("items.csv", CATALOG);
    let mut log = String::from("ts,item_id,quantity,amount\n");
    for (at, (item, units, day)) in SALES.iter().enumerate() {
        writeln!(log, "2017-01-{day:02}T{:02}:15:00Z,{item},{units},{units}.{:02}", 8 + at, at * 7)
            .expect("a text can grow");
    }
    world.write("log.csv", log);
    for command in [
        "ingest log.csv --catalog items.csv",
        "rank --as-of 2017-01-13T00:00:00Z",
        "rank --as-of 2017-01-14T00:00:00Z",
        "rank --as-of 2017-01-15T00:00:00Z",
    ] {
        let rules = "--window 36h --half-life 12h --min-items 1 --tz Asia/Tokyo --catalog items.csv";
        let command = if command.starts_with("rank") { format!("{command} {rules}") } else { command.into() };
        let said = world.run(&command);
        assert_eq!(said.code, Some(0), "{}", said.whole());
    }
    world
}

/// Compares what a view shows, in every way, with what is expected.
fn check(world: &World, view: &str, expected: &ExpectFile) {
    let mut whole = String::new();
    for cells in [60, 80, 160] {
        let table = format!("show {view} --format table --width {cells}");
        let plain = world.run(&format!("{table} --color never"));
        assert_eq!((plain.stderr.as_str(), plain.code), ("", Some(0)), "{view}");
        let bright = world.run(&format!("{table} --color always")).stdout;
        assert_eq!(without_colors(&bright), plain.stdout, "{view}: colors change nothing else");
        for line in plain.stdout.lines().filter(|line| !line.contains("an-id-that-is-longer")) {
            let is_path = line.contains("Food/");
            assert!(is_path || cells_of(line) <= cells, "{view}: wider than {cells}: {line}");
        }
        write!(whole, "--width {cells}\n{}\n", visible(&plain.stdout)).expect("a text can grow");
        write!(whole, "--width {cells} --color always\n{}\n", visible(&bright)).expect("a text can grow");
    }
    for format in ["json", "ndjson", "csv"] {
        let said = world.run(&format!("show {view} --format {format}")).stdout;
        write!(whole, "--format {format}\n{said}\n").expect("a text can grow");
    }
    expected.assert_eq(&whole);
    check_parquet(world, view);
}

/// Returns numbers without zeros at the end of their fractions.
fn plain(numbers: &str) -> String {
    let number = |text: &str| match text.parse::<f64>().is_ok() && text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    numbers.split(' ').map(number).collect::<Vec<_>>().join(" ")
}

/// Holds a view's Parquet against its CSV, value by value.
fn check_parquet(world: &World, view: &str) {
    let said = world.run(&format!("show {view} -o view.parquet"));
    assert_eq!(said.code, Some(0), "{}", said.whole());
    let bytes = std::fs::read(world.path("view.parquet")).expect("the file was written");
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes)).expect("the file is Parquet");
    let batches: Vec<RecordBatch> =
        reader.build().expect("the file is Parquet").map(|batch| batch.expect("it can be read")).collect();
    let csv = world.run(&format!("show {view} --format csv")).stdout;
    let mut lines = csv::Reader::from_reader(csv.as_bytes());
    let options = FormatOptions::default().with_timestamp_tz_format(Some("%Y-%m-%dT%H:%M:%SZ"));
    let mut rows = 0;
    for batch in &batches {
        for (at, line) in (0..batch.num_rows()).zip(lines.records().map(|line| line.expect("it is CSV"))) {
            for (column, expected) in batch.columns().iter().zip(&line) {
                let value = ArrayFormatter::try_new(column, &options).expect("it can be shown");
                let value = value.value(at).to_string();
                // A list is written otherwise, and so are zeros behind the point: of amounts they are in both.
                let value = value.trim_matches(['[', ']']).replace(", ", " ");
                assert_eq!(plain(&value), plain(expected), "{view}: {line:?}");
            }
            rows += 1;
        }
    }
    assert_eq!(rows, csv::Reader::from_reader(csv.as_bytes()).records().count(), "{view}");
}

/// Returns how many cells a line takes, each cluster by itself.
fn cells_of(line: &str) -> usize {
    line.graphemes(true).map(UnicodeWidthStr::width).sum()
}

fn without_colors(text: &str) -> String {
    let mut pieces = text.split("\u{1b}[");
    let first = pieces.next().unwrap_or("").to_owned();
    first + &pieces.map(|piece| piece.split_once('m').map_or("", |(_, rest)| rest)).collect::<String>()
}

/// Spells out what steers a terminal or turns the direction of a text.
fn visible(text: &str) -> String {
    text.replace('\u{1b}', "\\e").replace('\u{2068}', "\\u{2068}").replace('\u{2069}', "\\u{2069}")
}

#[test]
fn the_best_sellers() {
    check(&shop(), "", &expect_file!["views/best.txt"]);
}

#[test]
fn a_category_and_all_that_is_not_shown_of_it() {
    check(&shop(), "--category Food/Sweets --limit 2", &expect_file!["views/category.txt"]);
}

#[test]
fn movers() {
    check(&shop(), "--movers", &expect_file!["views/movers.txt"]);
}

#[test]
fn new_items() {
    check(&shop(), "--new --category Food", &expect_file!["views/new.txt"]);
}

#[test]
fn dropped_items() {
    check(&shop(), "--dropped", &expect_file!["views/dropped.txt"]);
}

#[test]
fn a_ranking_of_another_time() {
    check(&shop(), "--at 2017-01-14T12:00:00Z --limit 3", &expect_file!["views/at.txt"]);
}

#[test]
fn two_rankings_held_against_each_other() {
    let between = "2017-01-13T00:00:00Z 2017-01-15T00:00:00Z";
    check(&shop(), &format!("--diff {between}"), &expect_file!["views/diff.txt"]);
}

#[test]
fn a_line_of_ranks() {
    check(&shop(), "--history choc --category Food", &expect_file!["views/history.txt"]);
}

#[test]
fn an_item_and_what_ranks_beside_it() {
    check(&shop(), "--item choc", &expect_file!["views/item.txt"]);
}

#[test]
fn the_categories() {
    check(&shop(), "--categories", &expect_file!["views/categories.txt"]);
}

#[test]
fn the_categories_as_a_tree() {
    check(&shop(), "--categories --tree", &expect_file!["views/tree.txt"]);
}

#[test]
fn items_that_are_looked_for() {
    check(&shop(), "--search s", &expect_file!["views/search.txt"]);
}

#[test]
fn a_score_that_is_explained() {
    check(&shop(), "--item choc --explain --category Food", &expect_file!["views/explain.txt"]);
}
