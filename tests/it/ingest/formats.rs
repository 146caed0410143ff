//! Every format that a log may have.

use std::io::Write as _;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float64Array, Int32Array, Int64Array, ListBuilder, RecordBatch, StringArray, StringBuilder,
    TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray,
};
use expect_test::expect;
use flate2::write::{DeflateEncoder, GzEncoder};
use parquet::arrow::ArrowWriter;
use serde_json::json;

use crate::world::World;

/// 2017-01-14T10:00:00Z in seconds.
const TEN: i64 = 1_484_388_000;

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(bytes).expect("memory can be written");
    packed.finish().expect("memory can be written")
}

pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    ::zstd::encode_all(bytes, 0).expect("memory can be written")
}

pub fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut packed = ::bzip2::write::BzEncoder::new(Vec::new(), ::bzip2::Compression::fast());
    packed.write_all(bytes).expect("memory can be written");
    packed.finish().expect("memory can be written")
}

pub fn xz(bytes: &[u8]) -> Vec<u8> {
    let options = lzma_rust2::XzOptions::with_preset(0);
    let mut packed = lzma_rust2::XzWriter::new(Vec::new(), options).expect("the preset is valid");
    packed.write_all(bytes).expect("memory can be written");
    packed.finish().expect("memory can be written")
}

/// Returns a zip archive of files, whose names that end in `/` are folders.
pub fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut packed = rawzip::ZipArchiveWriter::new(Vec::new());
    for (name, bytes) in files {
        if name.ends_with('/') {
            packed.new_dir(*name).create().expect("memory can be written");
            continue;
        }
        let method = rawzip::CompressionMethod::DEFLATE;
        let file = packed.new_file(name).compression_method(method).start();
        let (mut entry, config) = file.expect("memory can be written");
        let encoder = DeflateEncoder::new(&mut entry, flate2::Compression::default());
        let mut writer = config.wrap(encoder);
        writer.write_all(bytes).expect("memory can be written");
        let (encoder, descriptor) = writer.finish().expect("memory can be written");
        encoder.finish().expect("memory can be written");
        entry.finish(descriptor).expect("memory can be written");
    }
    packed.finish().expect("memory can be written")
}

/// Returns a zip archive with one file.
pub fn zip_of(bytes: &[u8]) -> Vec<u8> {
    zip(&[("log.csv", bytes)])
}

/// Returns a Parquet file of the given columns.
pub fn parquet(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let batch =
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, of)| (name, of, true)))
            .expect("the columns are of one length");
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).expect("the schema is plain");
    writer.write(&batch).expect("memory can be written");
    writer.into_inner().expect("memory can be written")
}

pub fn texts<const N: usize>(of: [Option<&str>; N]) -> ArrayRef {
    Arc::new(StringArray::from(of.to_vec()))
}

fn text_lists<const N: usize>(of: [&[&str]; N]) -> ArrayRef {
    let mut lists = ListBuilder::new(StringBuilder::new());
    for list in of {
        lists.append_value(list.iter().map(Some));
    }
    Arc::new(lists.finish())
}

/// Three purchases as Parquet that another program might write: numbers where it can.
pub fn purchases_as_parquet() -> Vec<u8> {
    parquet(vec![
        ("buyer", texts([Some("Ann"), Some("Ben"), None])),
        ("amount", Arc::new(Float64Array::from(vec![Some(1.5), Some(2.25), None]))),
        ("item_id", Arc::new(Int64Array::from(vec![101, 102, 103]))),
        ("categories", text_lists([&["Food/Fruit"], &["Food/Bakery", "Gifts"], &[]])),
        ("quantity", Arc::new(Float64Array::from(vec![Some(3.0), None, Some(-1.0)]))),
        ("ts", Arc::new(TimestampMicrosecondArray::from(vec![TEN * 1_000_000; 3]))),
    ])
}

#[test]
fn every_format_and_compression_gives_the_same_purchases() {
    const CSV: &str = "\
item_id,buyer,amount,ts,category,quantity
101,Ann,1.5,2017-01-14T10:00:00Z,Food/Fruit,3
102,Ben,2.25,2017-01-14T10:00:00Z,Gifts|Food/Bakery,
103,,,2017-01-14T10:00:00Z,,-1
";
    const NDJSON: &str = r#"
{"item_id":101,"buyer":{"name":"Ann"},"amount":1.5,"ts":"2017-01-14T10:00:00Z","categories":["Food/Fruit"],"quantity":3}
{"item_id":"102","amount":"2.25","ts":1484388000,"categories":[["Gifts"],["Food","Bakery"]],"quantity":null}

{"ts":"2017-01-14T10:00:00Z","item_id":"103","quantity":-1,"categories":[]}
"#;
    let tsv = CSV.replace(',', "\t");
    const SOLD: &str = "\
item,units,purchases,amount
101,3,1,1.5000
102,1,1,2.2500
Food: 2
Food/Bakery: 1
Food/Fruit: 1
Gifts: 1
";
    let parquet = purchases_as_parquet();
    let forms: [(&str, &[u8]); 5] = [
        ("log.csv", CSV.as_bytes()),
        ("log.tsv", tsv.as_bytes()),
        ("log.tab", tsv.as_bytes()),
        ("log.ndjson", NDJSON.as_bytes()),
        ("log.parquet", &parquet),
    ];
    for (name, bytes) in forms {
        let packed = [
            ("", bytes.to_vec()),
            (".gz", gzip(bytes)),
            (".ZST", zstd(bytes)),
            (".bz2", bzip2(bytes)),
            (".xz", xz(bytes)),
            (".zip", zip_of(bytes)),
        ];
        for (ending, bytes) in packed {
            let world = World::new();
            let name = format!("{name}{ending}");
            world.write(&name, &bytes);
            let said = world.run(&format!("ingest {name}"));
            let summary = "ingest: 3 read = 3 accepted + 0 duplicate + 0 rejected, 1 new batch\n";
            assert_eq!((said.stderr.as_str(), said.code), (summary, Some(0)), "{name}");
            assert_eq!(world.sold(), SOLD, "{name}");
        }
    }
}

#[test]
fn parquet_from_standard_input_is_ingested_once() {
    let world = World::new();
    let bytes = purchases_as_parquet();
    expect![[r#"
        stderr: ingest: 3 read = 3 accepted + 0 duplicate + 0 rejected, 1 new batch
        exit code 0
    "#]]
    .assert_eq(&world.run_with(&["ingest", "--format", "parquet", "-"], &bytes).whole());
    world.write("log.parquet", &bytes);
    expect![[r#"
        stderr: skipped: log.parquet is already ingested
        stderr: ingest: 3 read = 0 accepted + 3 duplicate + 0 rejected, 0 new batches
        exit code 0
    "#]]
    .assert_eq(&world.run("ingest log.parquet").whole());
}

#[test]
fn times_may_have_every_documented_form() {
    let world = World::new();
    let forms = [
        "2017-01-14T10:00:00Z",
        "2017-01-14T10:00:00.123456789z",
        "2017-01-14t15:30:00+05:30",
        "2017-01-14 10:00:00Z",
        "2017-01-13T22:00:00-12:00",
        "1484388000",
        "1484388000.5",
        "1484388000123",
        "1484388000123.25",
        "1484388000123456",
        "\" 2017-01-14T10:00:00Z \"",
    ];
    let lines: String = forms.iter().enumerate().map(|(n, ts)| format!("{ts},item-{n:02}\n")).collect();
    world.write("log.csv", format!("ts,item_id\n{lines}"));
    let said = world.run("ingest log.csv");
    assert_eq!(said.code, Some(0), "{}", said.whole());
    world.run("rank --window 1h --as-of 2017-01-14T11:00:00Z --min-items 1");
    assert_eq!(world.run("show --format ndjson").stdout.lines().count(), forms.len());
    let refused = ["2017-01-14", "2017-01-14T10:00:00", "14/01/2017 10:00", "0x10", "1484388000s"];
    world.write("bad.csv", format!("ts,item_id\n{}", refused.map(|ts| format!("{ts},a\n")).concat()));
    expect![[r#"
        stderr: rejected: bad.csv:2: ts `2017-01-14` has no offset from UTC; pass --assume-tz ZONE or --assume-utc
        stderr: rejected: bad.csv:3: ts `2017-01-14T10:00:00` has no offset from UTC; pass --assume-tz ZONE or --assume-utc
        stderr: rejected: bad.csv:4: ts `14/01/2017 10:00` may begin with the day or with the month; pass --ts-format, such as '%d.%m.%Y %H:%M:%S'
        stderr: rejected: bad.csv:5: ts `0x10` is neither ISO 8601 (2017-01-07T13:05:00Z), RFC 2822, a time of web servers' logs nor an epoch number; pass --ts-format to read another form
        stderr: rejected: bad.csv:6: ts `1484388000s` is neither ISO 8601 (2017-01-07T13:05:00Z), RFC 2822, a time of web servers' logs nor an epoch number; pass --ts-format to read another form
        stderr: ingest: 5 read = 0 accepted + 0 duplicate + 5 rejected, 0 new batches
        exit code 4
    "#]].assert_eq(&world.run("ingest bad.csv").whole());
}

#[test]
fn levels_and_paths_may_contain_their_separators() {
    let world = World::new();
    let log = "ts,item_id,category\n\
        1484388000,a,A%2FC/50%25|Either%7cOr\n\
        1484388000,b,a%2fc\n\
        1484388000,c,100% Cotton\n\
        1484388000,d,Food//Fruit\n\
        1484388000,e,Food/Fruit|\n\
        1484388000,f,Food|Food|Food/Fruit\n";
    world.write("log.csv", log);
    world
        .write("log.ndjson", r#"{"ts":1484388000,"item_id":"g","categories":[["A/C","50%"],["Either|Or"]]}"#);
    expect![[r#"
        stderr: warning: log.csv:4: 3 lines accepted without category: category `100% Cotton` has a `%` that is not part of %25, %2F or %7C; write a plain `%` as %25; pass --bad-field reject to reject such lines, or drop to accept them
        stderr: hint: to load an input again with other options, pass --force too
        stderr: ingest: 7 read = 7 accepted + 0 duplicate + 0 rejected, 2 new batches
        exit code 4
    "#]].assert_eq(&world.run("ingest log.csv log.ndjson").whole());
    expect![[r#"
        item,units,purchases,amount
        a,1,1,0.0000
        b,1,1,0.0000
        c,1,1,0.0000
        d,1,1,0.0000
        e,1,1,0.0000
        f,1,1,0.0000
        g,1,1,0.0000
        A%2FC: 2
        A%2FC/50%25: 2
        Either%7COr: 2
        Food: 1
        Food/Fruit: 1
        a%2Fc: 1
    "#]]
    .assert_eq(&world.sold());
    let shown = world.run_with(&["show", "--name", "sold", "--category", "a%2Fc", "--format", "csv"], b"");
    assert!(shown.stdout.contains("a%2Fc,1,b,"), "{}", shown.whole());
}

#[test]
fn each_invalid_json_line_has_its_reason() {
    let world = World::new();
    let log = r#"{"ts":1484388000,"item_id":"a","category":["Food","Books"]}
{"ts":1484388000,"item_id":"b\u0020c","category":"Food"}
{"ts":1484388000,"item_id":true}
{"ts":1484388000,"item_id":"a","categories":"Food"}
{"ts":1484388000,"item_id":"a","categories":[["Food",""]]}
{"ts":1484388000}
{"ts":1484388000,"item_id":"a"
{"ts":1484388000,"item_id":"a","item_id":"b"}
"#;
    world.write("log.ndjson", log);
    assert_eq!(world.run("ingest log.ndjson").code, Some(4));
    let reasons: String = world
        .records("rejects")
        .iter()
        .map(|reject| format!("{} {} {}\n", reject["line"], reject["column"], reject["reason"]))
        .collect();
    expect![[r#"
        3 "item_id" "item_id is neither a string nor a number"
        4 "categories" "categories is neither an array of paths nor of arrays of levels"
        5 "categories" "categories has a path that has an empty level; write levels from the top, as in Books/Fiction"
        6 "item_id" "item_id is empty; it is required"
        7 null "not a JSON object: EOF while parsing an object at character 30"
        8 null "not a JSON object: duplicate field `item_id` at character 40"
    "#]].assert_eq(&reasons);
}

#[test]
fn an_array_is_not_an_event() {
    let world = World::new();
    let arrays = r#"[1484388000,"an id","apple","Food",null,null,1,2]
[1,2]
"#;
    world.write("log.ndjson", arrays);
    assert_eq!(world.run("ingest log.ndjson").code, Some(4));
    let rejects = world.records("rejects");
    assert_eq!(rejects.len(), 2, "{rejects:?}");
    for reject in rejects {
        let reason = reject["reason"].as_str().expect("a reason is a text");
        assert!(reason.starts_with("not a JSON object"), "{reason}");
        assert!(!reason.contains("struct "), "a reason is for who wrote the log: {reason}");
    }
}

#[test]
fn amounts_are_kept_to_four_places_however_they_are_written() {
    let world = World::new();
    let amounts = ["1.776357e-15", "1.5e3", "125E-2", "-0.00005", "+7", ".5", "99999999999999.9999"];
    let line = |(n, amount): (usize, &&str)| format!("{TEN},{n}: {amount},{amount}\n");
    let lines: String = amounts.iter().enumerate().map(line).collect();
    world.write(
        "log.csv",
        format!("ts,item_id,amount\n{lines}{TEN},7: none,\n{TEN},8,1e15\n{TEN},9,\"1,5\"\n"),
    );
    expect![[r#"
        stderr: warning: log.csv:10: 1 line accepted without amount: amount `1e15` has more than 14 digits before the point; pass --bad-field reject to reject such lines, or drop to accept them
        stderr: hint: to load an input again with other options, pass --force too
        stderr: ingest: 10 read = 10 accepted + 0 duplicate + 0 rejected, 1 new batch
        exit code 4
    "#]]
    .assert_eq(&world.run("ingest log.csv").whole());
    expect![[r#"
        item,units,purchases,amount
        0: 1.776357e-15,1,1,0.0000
        1: 1.5e3,1,1,1500.0000
        2: 125E-2,1,1,1.2500
        3: -0.00005,1,1,-0.0001
        4: +7,1,1,7.0000
        5: .5,1,1,0.5000
        6: 99999999999999.9999,1,1,99999999999999.9999
        7: none,1,1,0.0000
        8,1,1,0.0000
        9,1,1,1.5000
    "#]]
    .assert_eq(&world.sold());
}

#[test]
fn rows_of_parquet_are_rejected_one_by_one() {
    let world = World::new();
    let bytes = parquet(vec![
        ("ts", Arc::new(TimestampSecondArray::from(vec![Some(TEN), Some(TEN), None]))),
        ("item_id", texts([Some("a"), None, Some("c")])),
        ("amount", Arc::new(Float64Array::from(vec![Some(f64::NAN), Some(1.0), Some(1.0)]))),
        ("category", texts([Some("Food"), None, None])),
    ]);
    world.write("log.parquet", bytes);
    expect![[r#"
        stderr: rejected: log.parquet:2: item_id is empty; it is required
        stderr: rejected: log.parquet:3: ts is empty; it is required
        stderr: ingest: 3 read = 1 accepted + 0 duplicate + 2 rejected, 1 new batch
        exit code 4
    "#]]
    .assert_eq(&world.run("ingest log.parquet").whole());
    let kept = &world.records("rejects")[0];
    assert_eq!((&kept["line"], &kept["column"]), (&json!(2), &json!("item_id")));
    let row: serde_json::Value =
        serde_json::from_str(kept["text"].as_str().expect("the row is kept as text"))
            .expect("a row is kept as JSON");
    assert_eq!(row, json!({"ts": TEN, "amount": "1"}));
}

#[test]
fn times_may_have_every_type_of_parquet() {
    let zone = |zone: &str| Some(Arc::from(zone));
    let columns: [(&str, ArrayRef); 7] = [
        ("milliseconds", Arc::new(TimestampMillisecondArray::from(vec![TEN * 1_000]))),
        ("microseconds", Arc::new(TimestampMicrosecondArray::from(vec![TEN * 1_000_000]))),
        ("nanoseconds", Arc::new(TimestampNanosecondArray::from(vec![TEN * 1_000_000_000]))),
        (
            "elsewhere",
            Arc::new(TimestampMillisecondArray::from(vec![TEN * 1_000]).with_timezone_opt(zone("+05:30"))),
        ),
        ("epoch", Arc::new(Int64Array::from(vec![TEN]))),
        ("small", Arc::new(Int32Array::from(vec![1_484_388_000]))),
        ("text", texts([Some("2017-01-14T10:00:00Z")])),
    ];
    let world = World::new();
    for (name, ts) in columns {
        world.write(
            &format!("logs/{name}.parquet"),
            parquet(vec![("item_id", texts([Some(name)])), ("ts", ts)]),
        );
    }
    let said = world.run("ingest logs");
    assert_eq!(said.code, Some(0), "{}", said.whole());
    assert_eq!(world.run("rank --window 1h --as-of 2017-01-14T11:00:00Z --min-items 1").code, Some(0));
    assert_eq!(world.run("show --format ndjson").stdout.lines().count(), 7);
}

#[test]
fn nothing_about_buyers_is_stored() {
    let world = World::new();
    let log = "buyer,ts,item_id,card\nAnn-the-buyer,1484388000,a,4111\n";
    world.write("log.csv", log);
    world.write("log.ndjson", r#"{"ts":1484388000,"item_id":"b","buyer":"Ann-the-buyer"}"#);
    assert_eq!(world.run("ingest log.csv log.ndjson").code, Some(0));
    for name in world.files("data/lake") {
        let bytes = std::fs::read(world.path("data/lake").join(&name)).expect("a listed file can be read");
        let holds = |what: &[u8]| bytes.windows(what.len()).any(|window| window == what);
        assert!(!holds(b"Ann-the") && !holds(b"buyer") && !holds(b"4111"), "{name} tells of the buyer");
    }
}
