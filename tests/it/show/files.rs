//! Answers in files.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Decimal128Type, Float64Type};
use bytes::Bytes;
use expect_test::expect;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::show::shop;
use crate::world::World;

fn read(world: &World, name: &str) -> RecordBatch {
    let bytes = std::fs::read(world.path(name)).expect("the file was written");
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes)).expect("the file is Parquet");
    let mut batches = reader.build().expect("the file is Parquet");
    batches.next().expect("the file has rows").expect("its rows can be read")
}

#[test]
fn every_form_is_written_whole_into_a_file_whose_name_tells_it() {
    let world = shop();
    let named = [("a.csv", "csv"), ("a.json", "json"), ("A.NDJSON", "ndjson"), ("a.txt", "table")];
    for (name, format) in named.into_iter().chain([("a.md", "markdown"), ("a.html", "html")]) {
        world.write(name, "an older and much longer file".repeat(1_000));
        let said = world.run(&format!("show -o {name}"));
        assert_eq!((said.whole().as_str(), said.code), ("exit code 0\n", Some(0)), "{name}");
        let written = std::fs::read_to_string(world.path(name)).expect("the file was written");
        assert_eq!(written, world.run(&format!("show --format {format}")).stdout, "{name}");
    }
    assert_eq!(
        world.run("show --format csv --output list").code,
        Some(0),
        "a form that is said needs no name"
    );
    expect![[r#"
        stderr: error: cannot infer the format from the file extension of list.xlsx; pass --format table, json, ndjson, csv, markdown, html or parquet
        exit code 2
    "#]]
    .assert_eq(&world.run("show -o list.xlsx").whole());
    // Whatever format is set, and beside no other that is typed.
    let safe = world.run("show --format csv --csv-safe").stdout;
    for variables in [&[][..], &[("TOPSELL_FORMAT", "table")][..]] {
        assert_eq!(world.run_in(variables, "show --excel").stdout, format!("\u{feff}{safe}"));
    }
    assert_eq!(world.run("show --excel --format table").code, Some(2));
    let nowhere = world.run("show -o nowhere/list.csv");
    assert!(
        nowhere.stderr.starts_with("error: nowhere/list.csv: No such file or directory"),
        "{}",
        nowhere.whole()
    );
    assert_eq!(nowhere.code, Some(1));
    assert_eq!(world.run("show --category Nothing -o a.csv").code, Some(5));
    let kept = std::fs::read_to_string(world.path("a.csv")).expect("the file is there");
    assert!(kept.starts_with("category,rank,"), "a failure leaves the older file: {kept}");
}

#[test]
fn parquet_has_the_numbers_of_the_other_forms() {
    let world = shop();
    assert_eq!(world.run("show -o shop.parquet").code, Some(0));
    let batch = read(&world, "shop.parquet");
    let names = batch.schema().fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>();
    let csv = world.run("show --format csv").stdout;
    assert_eq!(csv.lines().next(), Some(names.join(",").as_str()));
    let column = |name: &str| batch.column_by_name(name).expect("there is such a column");
    let items = column("item_id").as_string::<i32>();
    let units = column("units").as_primitive::<Decimal128Type>();
    let scores = column("score").as_primitive::<Float64Type>();
    let amounts = column("amount").as_primitive::<Decimal128Type>();
    for (at, line) in csv.lines().skip(1).enumerate() {
        let fields = [scores.value(at).to_string(), (units.value(at) / 10_000).to_string()].join(",");
        assert!(line.contains(&fields), "{line}: {fields}");
        let item = items.value(at).replace('"', "\"\"");
        assert!(line.contains(&item) && line.contains(&amounts.value_as_string(at)), "{line}");
    }
    assert!(column("category").is_null(0) && column("name").is_null(0));
    let first = std::fs::read(world.path("shop.parquet")).expect("the file was written");
    assert_eq!(world.run("show --format parquet --output again").code, Some(0));
    assert_eq!(std::fs::read(world.path("again")).expect("the file was written"), first, "the same bytes");
    assert_eq!(world.run("show --categories -o categories.parquet").code, Some(0));
    assert_eq!(read(&world, "categories.parquet").num_rows(), 8);
}
