//! One way to write answers: every command that answers takes the same options and formats.

use arrow::array::{Array, RecordBatch};
use bytes::Bytes;
use expect_test::expect;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::world::World;

const LOG: &str = "\
ts,item_id,category,quantity,amount
2017-01-14T12:00:00Z,烏龍茶,Tea,1,2.5
2017-01-14T13:00:00Z,ka\u{308}se,Dairy,1200,3000
2017-01-14T13:00:00Z,👨\u{200d}👩\u{200d}👧 pack,Sweets,3,9
";
/// Answers whose rows are a table, and one whose table is not empty.
const ANSWERS: [&str; 8] = [
    "show",
    "show --categories",
    "count ka\u{308}se --by day",
    "runs",
    "runs stats",
    "config",
    "lake stats",
    "schedule --list --jobs jobs",
];

fn shop() -> World {
    let world = World::new();
    world.write("log.csv", LOG);
    world.write("jobs/夜.toml", "name = \"night\"\nschedule = \"0 2 * * *\"\nsteps = [\"rank\"]\n");
    assert_eq!(world.run("ingest log.csv").code, Some(0));
    assert_eq!(world.run("rank --min-items 1").code, Some(0));
    world
}

fn read(world: &World, name: &str) -> RecordBatch {
    let bytes = std::fs::read(world.path(name)).expect("the file was written");
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes)).expect("the file is Parquet");
    let mut batches = reader.build().expect("the file is Parquet");
    batches.next().expect("the file has rows").expect("its rows can be read")
}

#[test]
fn every_answer_has_every_format_and_a_file_gets_that_of_its_extension() {
    let world = shop();
    for answer in ANSWERS {
        for (name, format) in
            [("a.csv", "csv"), ("a.json", "json"), ("a.ndjson", "ndjson"), ("a.txt", "table")]
        {
            let printed = world.run(&format!("{answer} --format {format}"));
            assert_eq!(printed.code, Some(0), "{answer} --format {format}: {}", printed.whole());
            let written = world.run(&format!("{answer} -o {name}"));
            assert_eq!((written.code, written.stdout.as_str()), (Some(0), ""), "{answer} -o {name}");
            let text = std::fs::read_to_string(world.path(name)).expect("the file was written");
            let text = text.replace(&world.path("").display().to_string(), "WORLD/");
            // Every recorded run changes what `runs` lists.
            if !answer.starts_with("runs") {
                assert_eq!(text, printed.stdout, "{answer} -o {name}");
            }
        }
        assert_eq!(world.run(&format!("{answer} -o a.parquet")).code, Some(0), "{answer}");
        let batch = read(&world, "a.parquet");
        let names: Vec<String> = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
        let csv = world.run(&format!("{answer} --format csv")).stdout;
        assert_eq!(csv.lines().next(), Some(names.join(",").as_str()), "{answer}");
        let json = world.run(&format!("{answer} --json")).stdout;
        assert!(json.contains("\"schema\""), "{answer}: {json}");
        let both = world.run(&format!("{answer} --json --format csv"));
        assert_eq!(both.code, Some(2), "{answer}: {}", both.whole());
    }
}

#[test]
fn an_answer_without_rows_has_json_and_a_text() {
    let world = shop();
    let id = world.records("runs")[0]["id"].as_str().expect("it has an id").to_owned();
    for answer in ["health".to_owned(), format!("runs show {id}")] {
        for (name, format) in [("a.json", "json"), ("a.txt", "table")] {
            let printed = world.run(&format!("{answer} --format {format}"));
            assert_eq!(world.run(&format!("{answer} -o {name}")).code, Some(0), "{answer} -o {name}");
            let text = std::fs::read_to_string(world.path(name)).expect("the file was written");
            assert_eq!(text, printed.stdout, "{answer} -o {name}");
        }
        assert_eq!(world.run(&format!("{answer} --format csv")).code, Some(2), "{answer}");
        assert_eq!(world.run(&format!("{answer} -o a.csv")).code, Some(2), "{answer}");
    }
}

#[test]
fn counts_in_parquet_have_types() {
    let world = shop();
    assert_eq!(world.run("count ka\u{308}se --by day -o counts.parquet").code, Some(0));
    let batch = read(&world, "counts.parquet");
    let types: Vec<String> = batch
        .schema()
        .fields()
        .iter()
        .map(|field| format!("{}: {}", field.name(), field.data_type()))
        .collect();
    expect![[r#"
        item_id: Utf8
        day: Utf8
        hours: Int64
        hours_from: Timestamp(µs, "UTC")
        hours_to: Timestamp(µs, "UTC")
        is_filling: Boolean
        purchases: Int64
        units: Decimal128(38, 4)
        amount: Decimal128(38, 4)
        average: Decimal128(38, 4)"#]]
    .assert_eq(&types.join("\n"));
    assert!(batch.column_by_name("average").is_some_and(|average| average.null_count() < average.len()));
}

#[test]
fn wide_characters_line_up_in_every_table() {
    let world = shop();
    let items = "烏龍茶 ka\u{308}se";
    for answer in [format!("count {items}"), "lake stats".to_owned()] {
        let table = world.run(&format!("{answer} --format table --now 2017-01-15T00:00:00Z")).stdout;
        let cells = |line: &str| line.graphemes(true).map(UnicodeWidthStr::width).sum::<usize>();
        let rows: Vec<&str> = table.lines().rev().take(2).collect();
        assert_eq!(cells(rows[0]), cells(rows[1]), "{table}");
    }
    expect![[r#"
        stdout: Counts in the whole shop, 2017-01-14T01:00:00Z to 2017-01-15T01:00:00Z, the last hour still filling
        stdout: item    purchases  units    amount  average
        stdout: 烏龍茶          1      1      2.50     2.50
        stdout: käse            1  1,200  3,000.00     2.50
        exit code 0
    "#]]
        .assert_eq(&world.run(&format!("count {items} --format table --now 2017-01-15T00:00:00Z")).whole());
}
