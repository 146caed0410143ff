//! `--catalog`: the item catalog gives purchases their categories and ranked items their names.

mod vendor;

use std::sync::Arc;

use arrow::array::{ArrayRef, ListBuilder, RecordBatch, StringBuilder};
use expect_test::expect;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::properties::WriterProperties;
use serde_json::json;

use crate::ingest::formats::{gzip, parquet, texts};
use crate::world::World;

const LOG: &str = "\
ts,item_id,category,quantity
2017-01-14T10:00:00Z,a,,1
2017-01-14T10:00:00Z,b,Own/Place,2
2017-01-14T10:00:00Z,c,,3
2017-01-14T10:00:00Z,unknown,,4
";
const CATALOG: &str = "\
item_id,category,name
a,Food/Fruit,Apple
b,Food/Bread,Bread
c,,Ce\u{1b}[31mnt
a,Gifts,Another name
";

/// A world with the log and a catalog.
fn shop() -> World {
    let world = World::new();
    world.write("log.csv", LOG);
    world.write("items.csv", CATALOG);
    world
}

#[test]
fn a_line_without_a_category_gets_it_from_the_catalog() {
    let world = shop();
    expect![[r#"
        stderr: catalog: 1 of 4 events categorized from the item catalog
        stderr: ingest: 4 read = 4 accepted + 0 duplicate + 0 rejected, 1 new batch
        exit code 0
    "#]]
    .assert_eq(&world.run("ingest log.csv --catalog items.csv").whole());
    expect![[r#"
        item,units,purchases,amount
        unknown,4,1,0.0000
        c,3,1,0.0000
        b,2,1,0.0000
        a,1,1,0.0000
        Food: 1
        Food/Fruit: 1
        Gifts: 1
        Own: 1
        Own/Place: 1
    "#]]
    .assert_eq(&world.sold());
    let runs = world.records("runs");
    let ingest = runs.iter().find(|run| run["command"] == "ingest").expect("the run is recorded");
    assert_eq!(ingest["counts"]["categorized_events"], json!(1));
    expect![[r#"
        stderr: skipped: log.csv is already ingested
        stderr: ingest: 4 read = 0 accepted + 4 duplicate + 0 rejected, 0 new batches
        exit code 0
    "#]]
    .assert_eq(&world.run("ingest log.csv --catalog items.csv").whole());
    let bare = shop();
    assert_eq!(bare.run("ingest log.csv").code, Some(0));
    let again = bare.run("ingest log.csv --catalog items.csv");
    assert!(again.stderr.starts_with("skipped: log.csv is already ingested"), "{}", again.whole());
    let dry = shop().run("ingest log.csv --catalog items.csv --dry-run");
    assert!(
        dry.stderr.contains("catalog: 1 of 4 events categorized from the item catalog\n"),
        "{}",
        dry.whole()
    );
}

#[test]
fn an_invalid_catalog_stops_the_run_before_anything_is_written() {
    let row =
        |row: &str| format!("item_id,category,name\na,Food,Apple\n\n{row}\nb,Food,Bread\n").into_bytes();
    let long = format!("x,{}", "a".repeat(9_000));
    let files: [(&str, Vec<u8>); 15] = [
        ("empty.csv", Vec::new()),
        ("blank.csv", b"\n\n".to_vec()),
        ("bare.csv", b"item_id,name\na,b\n".to_vec()),
        ("twice.csv", b"item_id,category,category\na,b,c\n".to_vec()),
        ("item.csv", row(",Food,x")),
        ("path.csv", row("x,Food//Fruit,x")),
        ("escape.csv", row("x,50% off,x")),
        ("long.csv", row(&format!("{long},x"))),
        ("short.csv", row("x,Food")),
        ("wide.csv", row("x,Food,x,x")),
        ("quote.csv", row("x,\"Food,x")),
        ("bytes.csv", b"item_id,category\na,\xff\n".to_vec()),
        ("cut.csv.gz", gzip(&row("x,Food,x").repeat(500))[..60].to_vec()),
        ("not.parquet", b"PAR1".to_vec()),
        ("items.ndjson", b"{}".to_vec()),
    ];
    let world = World::new();
    world.write("log.csv", LOG);
    let mut said = String::new();
    for (name, content) in files {
        world.write(name, content);
        let run = world.run(&format!("ingest log.csv --catalog {name}"));
        assert_eq!(run.code, Some(1), "{name}: {}", run.whole());
        said.push_str(run.stderr.lines().next().unwrap_or(""));
        said.push('\n');
    }
    let run = world.run("ingest log.csv --catalog gone.csv");
    said.push_str(&run.stderr);
    expect![[r#"
        error: the item catalog empty.csv is empty; its first line must be a header
        error: the item catalog blank.csv is empty; its first line must be a header
        error: the item catalog bare.csv:1: the header has no column `category`; its columns are: item_id, name
        error: the item catalog twice.csv:1: the header has two columns `category`
        error: the item catalog item.csv:4: item_id is empty; it is required
        error: the item catalog path.csv:4: category `Food//Fruit` has an empty level; write levels from the top, as in Books/Fiction
        error: the item catalog escape.csv:4: category `50% off` has a `%` that is not part of %25, %2F or %7C; write a plain `%` as %25
        error: the item catalog long.csv:4: category `aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…` is longer than 8192 bytes
        error: the item catalog short.csv:4: row has 2 fields, but the header has 3
        error: the item catalog wide.csv:4: row has more fields than the header, which has 3
        error: the item catalog quote.csv:4: row has an unclosed quote; a row must be on one line
        error: the item catalog bytes.csv:2: row is not UTF-8; name the encoding in a file for --catalog-map, as in encoding = "windows-1252"
        error: the item catalog cut.csv.gz: ends in the middle of its gzip data; its last part was not ingested, so ingest the complete file again
        error: the item catalog not.parquet is not a readable Parquet file: EOF: Parquet file too small. Size is 4 but need 8
        error: the item catalog items.ndjson has an unsupported file extension; it must be .csv, .tsv or .parquet
        error: the item catalog gone.csv: cannot be read: No such file or directory (os error 2)
        hint: fix the catalog, or map its columns with --catalog-map
    "#]].assert_eq(&said);
    assert_eq!(world.files("data/lake"), [""; 0]);
}

#[test]
fn a_catalog_may_be_parquet_with_lists_of_paths() {
    let mut lists = ListBuilder::new(StringBuilder::new());
    lists.append_value([Some("Food/Fruit"), Some("Gifts")]);
    lists.append_null();
    let items: Vec<(&str, ArrayRef)> =
        vec![("item_id", texts([Some("a"), Some("c")])), ("category", Arc::new(lists.finish()))];
    let csv = "\u{feff}category,\"item_id\",x\r\n\r\n\"Food/Fruit|Gifts\",a,\"say \"\"x\"\", y\"\r\n,c,";
    for (name, content) in [("items.parquet", parquet(items)), ("items.csv", csv.as_bytes().to_vec())] {
        let world = shop();
        world.write(name, content);
        let said = world.run(&format!("ingest log.csv --catalog {name}"));
        assert_eq!(said.code, Some(0), "{name}: {}", said.whole());
        assert!(world.sold().ends_with("Food: 1\nFood/Fruit: 1\nGifts: 1\nOwn: 1\nOwn/Place: 1\n"), "{name}");
    }
}

#[test]
fn an_invalid_row_of_parquet_is_reported_by_its_number() {
    let world = World::new();
    world.write("log.csv", LOG);
    let items: Vec<(&str, ArrayRef)> = vec![
        ("item_id", texts([Some("a"), Some("b"), None])),
        ("category", texts([Some("Food"), None, None])),
    ];
    world.write("items.parquet", parquet(items));
    expect![[r#"
        stderr: error: the item catalog items.parquet:3: item_id is empty; it is required
        stderr: hint: fix the catalog, or map its columns with --catalog-map
        exit code 1
    "#]]
    .assert_eq(&world.run("ingest log.csv --catalog items.parquet").whole());
    expect![[r#"
        stderr: error: the item catalog items.parquet has no column `title`, which name is mapped to; its columns are: item_id, category
        stderr: hint: fix the catalog, or map its columns with --catalog-map
        exit code 1
    "#]]
        .assert_eq(&world.run("ingest log.csv --catalog items.parquet --catalog-map name=title").whole());
}

/// Ranks the log by a catalog and returns the output, without the file's size and name.
fn ranked(world: &World, flags: &str) -> String {
    let said = world.run(&format!("rank --window 24h --min-items 1 {flags}")).whole();
    let lines = said.lines().map(|line| line.split(" bytes in ").next().unwrap_or(line));
    lines.map(|line| format!("{}\n", line.rsplit_once(", ").map_or(line, |(head, _)| head))).collect()
}

#[test]
fn ranked_items_have_their_names_in_every_format() {
    let world = shop();
    let long = "x".repeat(60);
    world.write("items.csv", format!("{CATALOG}unknown,,\"{long}, \u{1b}[31mred\"\nother,,Never sold\n"));
    assert_eq!(world.run("ingest log.csv").code, Some(0));
    expect![[r#"
        stderr: rollup: 1 hour aggregated from 4 events
        stderr: rank: 3 categories, 6 rows, 6 of them named
        exit code 0
    "#]]
    .assert_eq(&ranked(&world, "--catalog items.csv"));
    for form in ["table", "json", "ndjson", "csv"] {
        let said = world.run(&format!("show --limit 3 --format {form}"));
        match form {
            "table" => expect![[r#"
                stdout: Best sellers of the whole shop
                stdout: as of 2017-01-15T00:00:00Z, 24 hours from 2017-01-14T00:00:00Z, half-life 48 h
                stdout: rank  item     name                                                                         units    share  7 days   weeks  score  purchases  amount
                stdout:    1  unknown  xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx, \u{1b}[31mred      4  40.00 %  ▁▁▁▁▁▁█      1  3.315          1    0.00
                stdout:    2  c        Ce\u{1b}[31mnt                                                                   3  30.00 %  ▁▁▁▁▁▁█      1  2.487          1    0.00
                stdout:    3  b        Bread                                                                            2  20.00 %  ▁▁▁▁▁▁█      1  1.658          1    0.00
                stdout:                1 other                                                                          1  10.00 %                                 1    0.00
                exit code 0
            "#]].assert_eq(&said.whole()),
            "json" => expect![[r#"
                stdout: {"schema":1,"category":null,"as_of":"2017-01-15T00:00:00Z","window_from":"2017-01-14T00:00:00Z","window_to":"2017-01-15T00:00:00Z","half_life_hours":48.0,"window_hours":24,"by":"units","previous_as_of":null,"time_zone":"UTC","days_from":["2017-01-08T00:00:00Z","2017-01-09T00:00:00Z","2017-01-10T00:00:00Z","2017-01-11T00:00:00Z","2017-01-12T00:00:00Z","2017-01-13T00:00:00Z","2017-01-14T00:00:00Z"],"eligible_items":4,"total":{"units":10,"purchases":4,"amount":"0.0000"},"others":{"items":1,"units":1,"purchases":1,"amount":"0.0000","share_percent":10.0},"ranking_window_hours":24,"is_extended":false,"window_total":{"units":10,"purchases":4,"amount":"0.0000"},"window_others":{"units":1,"purchases":1,"amount":"0.0000","share_percent":10.0},"items":[{"rank":1,"item_id":"unknown","score":3.315362601536175,"units":4,"purchases":1,"amount":"0.0000","name":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx, \u001b[31mred","movement":null,"previous_rank":null,"share_percent":40.0,"weeks":1,"units_by_day":[0,0,0,0,0,0,4],"units_week":4,"window_units":4,"window_purchases":1,"window_amount":"0.0000","window_share_percent":40.0},{"rank":2,"item_id":"c","score":2.486521951152131,"units":3,"purchases":1,"amount":"0.0000","name":"Ce\u001b[31mnt","movement":null,"previous_rank":null,"share_percent":30.0,"weeks":1,"units_by_day":[0,0,0,0,0,0,3],"units_week":3,"window_units":3,"window_purchases":1,"window_amount":"0.0000","window_share_percent":30.0},{"rank":3,"item_id":"b","score":1.6576813007680875,"units":2,"purchases":1,"amount":"0.0000","name":"Bread","movement":null,"previous_rank":null,"share_percent":20.0,"weeks":1,"units_by_day":[0,0,0,0,0,0,2],"units_week":2,"window_units":2,"window_purchases":1,"window_amount":"0.0000","window_share_percent":20.0}]}
                exit code 0
            "#]].assert_eq(&said.whole()),
            "ndjson" => expect![[r#"
                stdout: {"category":null,"rank":1,"item_id":"unknown","score":3.315362601536175,"units":4,"purchases":1,"amount":"0.0000","name":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx, \u001b[31mred","movement":null,"previous_rank":null,"share_percent":40.0,"weeks":1,"units_by_day":[0,0,0,0,0,0,4],"units_week":4,"window_units":4,"window_purchases":1,"window_amount":"0.0000","window_share_percent":40.0}
                stdout: {"category":null,"rank":2,"item_id":"c","score":2.486521951152131,"units":3,"purchases":1,"amount":"0.0000","name":"Ce\u001b[31mnt","movement":null,"previous_rank":null,"share_percent":30.0,"weeks":1,"units_by_day":[0,0,0,0,0,0,3],"units_week":3,"window_units":3,"window_purchases":1,"window_amount":"0.0000","window_share_percent":30.0}
                stdout: {"category":null,"rank":3,"item_id":"b","score":1.6576813007680875,"units":2,"purchases":1,"amount":"0.0000","name":"Bread","movement":null,"previous_rank":null,"share_percent":20.0,"weeks":1,"units_by_day":[0,0,0,0,0,0,2],"units_week":2,"window_units":2,"window_purchases":1,"window_amount":"0.0000","window_share_percent":20.0}
                exit code 0
            "#]].assert_eq(&said.whole()),
            _ => expect![[r#"
                stdout: category,rank,item_id,score,units,purchases,amount,name,movement,previous_rank,share_percent,weeks,units_by_day,units_week,window_units,window_purchases,window_amount,window_share_percent
                stdout: ,1,unknown,3.315362601536175,4,1,0.0000,"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx, [31mred",,,40.00,1,0 0 0 0 0 0 4,4,4,1,0.0000,40.00
                stdout: ,2,c,2.486521951152131,3,1,0.0000,Ce[31mnt,,,30.00,1,0 0 0 0 0 0 3,3,3,1,0.0000,30.00
                stdout: ,3,b,1.6576813007680875,2,1,0.0000,Bread,,,20.00,1,0 0 0 0 0 0 2,2,2,1,0.0000,20.00
                exit code 0
            "#]].assert_eq(&said.whole()),
        }
    }
    let runs = world.records("runs");
    let rank = runs.iter().find(|run| run["command"] == "rank").expect("the run is recorded");
    assert_eq!(rank["counts"]["named_rows"], json!(6));
}

#[test]
fn other_names_make_another_ranking_and_the_same_names_the_same_bytes() {
    let world = shop();
    assert_eq!(world.run("ingest log.csv --catalog items.csv").code, Some(0));
    let published = |flags: &str| {
        ranked(&world, flags);
        world.snapshot("data/lake").1
    };
    let plain = published("");
    let named = published("--catalog items.csv");
    assert_ne!(plain, named);
    assert_eq!(named, published("--catalog items.csv --threads 1"));
    world.write(
        "renamed.tsv",
        "sku\tcalled\nzz\tNobody\nb\tBread\nc\tCe\u{1b}[31mnt\nb\tNot this\na\t \na\tApple\n",
    );
    let mapped = "--catalog renamed.tsv --catalog-map item_id=sku --catalog-map name=called";
    assert_eq!(named, published(mapped));
    assert_eq!(plain, published(""));
    let csv = world.run("show --format csv").stdout;
    assert!(csv.starts_with("category,rank,item_id,score,units,purchases,amount,name,"), "{csv}");
    assert!(csv.contains(",1,unknown,3.315362601536175,4,1,0.0000,,"), "no name is an empty field: {csv}");
}

#[test]
fn a_catalog_without_names_of_ranked_items_is_reported_and_an_invalid_one_publishes_nothing() {
    let world = shop();
    assert_eq!(world.run("ingest log.csv").code, Some(0));
    world.write("others.csv", "item_id,name\nzz,Nobody\n");
    expect![[r#"
        stderr: rollup: 1 hour aggregated from 4 events
        stderr: rank: 3 categories, 6 rows, 0 of them named
        exit code 0
    "#]]
    .assert_eq(&ranked(&world, "--catalog others.csv"));
    let before = world.snapshot("data/lake");
    world.write("bad.csv", "item_id,name\na,Apple\n,Nobody\n");
    expect![[r#"
        stderr: error: the item catalog bad.csv:3: item_id is empty; it is required
        stderr: hint: fix the catalog, or map its columns with --catalog-map
        exit code 1
    "#]]
    .assert_eq(&world.run("rank --catalog bad.csv").whole());
    expect![[r#"
        stderr: error: the item catalog items.csv:1: the header has no column `title`, which name is mapped to; its columns are: item_id, category, name
        stderr: hint: fix the catalog, or map its columns with --catalog-map
        exit code 1
    "#]].assert_eq(&world.run("rank --catalog items.csv --catalog-map name=title").whole());
    assert_eq!(world.snapshot("data/lake"), before);
}

#[test]
fn a_ranking_published_before_there_were_names_can_still_be_shown() {
    let world = shop();
    assert_eq!(world.run("ingest log.csv").code, Some(0));
    ranked(&world, "");
    let shown = world.run("show --format json").whole();
    let (mut pointer, bytes) = world.snapshot("data/lake");
    let file = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes)).expect("it is Parquet");
    let labels = file.metadata().file_metadata().key_value_metadata().cloned();
    let batches = file.build().expect("it can be read").collect::<Result<Vec<_>, _>>();
    let batch: &RecordBatch = &batches.expect("it can be read")[0];
    let kept: Vec<usize> =
        (0..batch.num_columns()).filter(|&at| batch.schema().field(at).name() != "name").collect();
    assert_eq!(kept.len() + 1, batch.num_columns());
    let old = batch.project(&kept).expect("a batch has its own columns");
    let properties = WriterProperties::builder().set_key_value_metadata(labels).build();
    let writer = ArrowWriter::try_new(Vec::new(), old.schema(), Some(properties));
    let mut writer = writer.expect("the schema is plain");
    writer.write(&old).expect("memory can be written");
    let old = writer.into_inner().expect("memory can be written");
    pointer["blake3"] = json!(blake3::hash(&old).to_hex().to_string());
    pointer["size_bytes"] = json!(old.len());
    pointer["file"] = json!("old.parquet");
    pointer["checksum"] = json!(null);
    world.write("data/lake/rankings/old.parquet", old);
    world.write("data/lake/rankings/current.json", pointer.to_string());
    assert_eq!(world.run("show --format json").whole(), shown);
    assert_eq!(world.run("show --format csv").code, Some(0));
    assert_eq!(world.run("show --format table").code, Some(0));
}

/// A catalog of a spreadsheet was refused for its delimiter, which ingest finds by itself.
#[test]
fn a_catalog_is_read_in_the_dialect_that_a_log_may_have() {
    let utf16 = "\u{feff}item_id;category\napple;Food\n".encode_utf16().flat_map(u16::to_le_bytes);
    let cases: [(&str, Vec<u8>, &str); 6] = [
        ("semicolon.csv", b"item_id;category\napple;Food\n".to_vec(), ""),
        ("named.csv", b"sep=|\nitem_id|category\napple|Food\n".to_vec(), ""),
        ("blank.tsv", b"\n\n\"item_id\",\"category\"\n\"apple\",\"Food\"\n".to_vec(), ""),
        ("utf16.csv", utf16.collect(), ""),
        ("latin1.csv", b"Stand: heute\nitem_id;category\napple;Caf\xe9\n".to_vec(), "latin1.toml"),
        ("single.csv", b"item_id,category\napple,'Food, fresh'\n".to_vec(), "single.toml"),
    ];
    let world = World::new();
    world.write("log.csv", "ts,item_id\n2017-01-14T10:00:00Z,apple\n");
    world.write("latin1.toml", "encoding = \"windows-1252\"\nskip_lines = 1\n");
    world.write("single.toml", "quoting = \"single\"\n");
    for (name, content, map) in cases {
        world.write(name, content);
        let map = if map.is_empty() { String::new() } else { format!(" --catalog-map {map}") };
        let said = world.run(&format!("--lake {name}.lake ingest log.csv --catalog {name}{map}"));
        assert_eq!(said.code, Some(0), "{name}: {}", said.whole());
        assert!(said.stderr.contains("catalog: 1 of 1 event categorized"), "{name}: {}", said.whole());
        assert_eq!(world.run(&format!("--lake {name}.lake rank --as-of 2017-01-15")).code, Some(0));
        let shown = world.run(&format!("--lake {name}.lake show --categories"));
        let category = match name {
            "latin1.csv" => "Café",
            "single.csv" => "Food, fresh",
            _ => "Food",
        };
        assert!(shown.stdout.contains(category), "{name}: {}", shown.whole());
    }
    world.write("behind.csv", "item_id,category\n\"apple\"x,Food\n");
    let said = world.run("ingest log.csv --catalog behind.csv");
    assert!(said.stderr.contains("behind.csv:2: row has text behind a closing quote"), "{}", said.whole());
    world.write("bad.toml", "where = \"a = b\"\n");
    let said = world.run("ingest log.csv --catalog semicolon.csv --catalog-map bad.toml");
    let options = "and the options delimiter, quoting, encoding, skip_lines";
    assert!(said.stderr.contains(options), "{}", said.whole());
}
