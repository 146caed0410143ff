//! `--map`: a vendor's files are ingested unchanged, and an error in a mapping loses nothing.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, ListBuilder, StringBuilder, TimestampSecondArray};
use expect_test::expect;
use serde_json::json;

use crate::ingest::formats::{parquet, texts};
use crate::world::World;

/// 2017-01-14T10:00:00Z in seconds.
const TEN: i64 = 1_484_388_000;
const MAP: &str = "--map ts=sold_at --map item_id=sku --map quantity=qty --map amount=paid \
    --map category=dept/group/type";

/// What a vendor might write: other names, floats for whole numbers, a column for each level.
const CSV: &str = "\
till,sold_at,sku,qty,paid,dept,group,type,quantity
7,2017-01-14T10:00:00Z,101,3.0,1.5,Food & Co,Fruit/Nuts,,99
7,2017-01-14T10:00:00Z,102,-1.00,2.25,Gifts,,Cards,99
7,2017-01-14T10:00:00Z,103,,,,,Lost,99
";
const NDJSON: &str = r#"
{"till":7,"sold_at":1484388000,"sku":101,"qty":"3","paid":1.5,"dept":"Food & Co","group":"Fruit/Nuts","quantity":99}
{"sold_at":1484388000,"sku":"102","qty":-1,"paid":"2.25","dept":"Gifts","group":"","type":"Cards","category":"Not/This"}
{"sold_at":1484388000,"sku":103,"qty":null,"type":"Lost","categories":["Nor/This"]}
"#;
const SOLD: &str = "\
item,units,purchases,amount
101,3,1,1.5000
103,1,1,0.0000
Food & Co: 1
Food & Co/Fruit%2FNuts: 1
";

fn vendors_parquet() -> Vec<u8> {
    parquet(vec![
        ("till", Arc::new(Int64Array::from(vec![7; 3]))),
        ("sold_at", Arc::new(TimestampSecondArray::from(vec![TEN; 3]))),
        ("sku", Arc::new(Int64Array::from(vec![101, 102, 103]))),
        ("qty", Arc::new(Float64Array::from(vec![Some(3.0), Some(-1.0), None]))),
        ("paid", Arc::new(Float64Array::from(vec![Some(1.5), Some(2.25), None]))),
        ("dept", texts([Some("Food & Co"), Some("Gifts"), None])),
        ("group", texts([Some("Fruit/Nuts"), Some(""), None])),
        ("type", texts([None, Some("Cards"), Some("Lost")])),
        ("quantity", Arc::new(Int64Array::from(vec![99; 3]))),
    ])
}

/// Ingests one file by a mapping, and returns the conversation.
fn ingested(name: &str, content: impl AsRef<[u8]>, flags: &str) -> String {
    let world = World::new();
    world.write(name, content);
    world.run(&format!("ingest {name} {flags}")).whole()
}

/// Ingests one file by a mapping, and returns what sold.
fn sold(name: &str, content: impl AsRef<[u8]>, flags: &str) -> String {
    let world = World::new();
    world.write(name, content);
    let said = world.run(&format!("ingest {name} {flags}"));
    assert_eq!(said.code, Some(0), "{name}: {}", said.whole());
    world.sold()
}

#[test]
fn a_vendors_file_is_ingested_unchanged_in_every_format() {
    assert_eq!(sold("a.csv", CSV, MAP), SOLD);
    assert_eq!(sold("a.tsv", CSV.replace(',', "\t"), MAP), SOLD);
    assert_eq!(sold("a.ndjson", NDJSON, MAP), SOLD);
    assert_eq!(sold("a.parquet", vendors_parquet(), MAP), SOLD);
}

#[test]
fn a_toml_file_maps_as_flags_do_and_flags_override_it() {
    const TOML: &str = "\
# The till's own names.
ts = \"sold_at\"
item_id = \"sku\"
quantity = \"qty\"
amount = \"till\"
category = \"dept/group/type\"
";
    for flags in ["--map vendor.toml --map amount=paid", "--map amount=paid --map vendor.toml"] {
        let world = World::new();
        world.write("vendor.toml", TOML);
        world.write("a.csv", CSV);
        assert_eq!(world.run(&format!("ingest a.csv {flags}")).code, Some(0));
        assert_eq!(world.sold(), SOLD, "{flags}");
    }
}

#[test]
fn an_invalid_mapping_is_reported_before_anything_is_read() {
    let world = World::new();
    let mut said = String::new();
    for (name, toml) in [
        ("unknown", "ts = \"t\"\n\nprice = \"p\"\n"),
        ("number", "ts = \"t\"\nitem_id = 5\n"),
        ("empty", "ts = \"\"\n"),
        ("assumes", "assume_utc = \"yes\"\n"),
        ("broken", "ts = \"t\"\nitem_id = \"sku\nx"),
        ("twice", "ts = \"t\"\nts = \"u\"\n"),
        ("table", "[ts]\nx = 1\n"),
    ] {
        world.write(&format!("{name}.toml"), toml);
        said.push_str(&world.run(&format!("ingest a.csv --map {name}.toml")).stderr);
    }
    for flags in ["--map price=p", "--map ts=", "--map ts=a --map ts=b", "--map =x", "--catalog-map name=x"] {
        let run = world.run(&format!("ingest a.csv {flags}"));
        assert_eq!(run.code, Some(2), "{}", run.whole());
        said.push_str(run.stderr.lines().next().unwrap_or(""));
        said.push('\n');
    }
    let missing = world.run("ingest a.csv --map gone.toml");
    assert_eq!(missing.code, Some(1));
    said.push_str(&missing.stderr);
    expect![[r#"
        error: --map: unknown.toml:3: unknown field `price`; the fields are ts, event_id, item_id, category, categories, event_type, quantity, amount, currency, version, and the options format, delimiter, quoting, encoding, skip_lines, null, bad_field, decimal, ts_format, assume_tz, assume_utc, min_ts, fill, where, level_separator, path_separator, currency
        error: --map: number.toml:2: item_id must be the name of a column, in quotes
        error: --map: empty.toml:1: ts must be the name of a column, in quotes
        error: --map: assumes.toml:1: assume_utc: `yes` is not one of true, false
        error: --map: broken.toml:3: is not TOML: key with no value, expected `=`
        error: --map: twice.toml:2: is not TOML: duplicate key
        error: --map: table.toml:1: ts must be the name of a column, in quotes
        error: --map: `price=p`: unknown field; the fields are ts, event_id, item_id, category, categories, event_type, quantity, amount, currency, version
        error: --map: `ts=`: the column is missing; write FIELD=COLUMN
        error: --map: ts is mapped twice
        error: --map: `=x`: unknown field; the fields are ts, event_id, item_id, category, categories, event_type, quantity, amount, currency, version
        error: the following required arguments were not provided:
        error: --map: gone.toml cannot be read: No such file or directory (os error 2); write FIELD=COLUMN, or name a TOML file
    "#]].assert_eq(&said);
    assert_eq!(world.files("data/lake"), [""; 0]);
}

#[test]
fn a_missing_mapped_column_fails_the_file_even_if_the_field_is_optional() {
    let slips =
        ["--map amount=payed", "--map category=dept/grup/type", "--map event_type=kind", "--map item_id=SKU"];
    let base = "--map ts=sold_at";
    let mut said = String::new();
    for slip in slips {
        let item = if slip.contains("item_id") { "" } else { "--map item_id=sku" };
        let flags = format!("{base} {item} {slip}");
        said.push_str(&ingested("a.csv", CSV, &flags));
        let parquet = ingested("a.parquet", vendors_parquet(), &flags);
        let reason = |said: &str| said.split_once("has no column").map(|(_, what)| what.to_owned());
        let csv = ingested("a.csv", CSV, &flags);
        assert_eq!(reason(&csv), reason(&parquet), "{parquet}");
    }
    expect![[r#"
        stderr: failed: a.csv: line 1: the header has no column `payed`, which amount is mapped to; its columns are: till, sold_at, sku, qty, paid, dept, group, type, quantity
        stderr: ingest: 0 read = 0 accepted + 0 duplicate + 0 rejected, 0 new batches, 1 of 1 input failed
        exit code 1
        stderr: failed: a.csv: line 1: the header has no column `grup`, which category is mapped to; its columns are: till, sold_at, sku, qty, paid, dept, group, type, quantity
        stderr: ingest: 0 read = 0 accepted + 0 duplicate + 0 rejected, 0 new batches, 1 of 1 input failed
        exit code 1
        stderr: failed: a.csv: line 1: the header has no column `kind`, which event_type is mapped to; its columns are: till, sold_at, sku, qty, paid, dept, group, type, quantity
        stderr: ingest: 0 read = 0 accepted + 0 duplicate + 0 rejected, 0 new batches, 1 of 1 input failed
        exit code 1
        stderr: failed: a.csv: line 1: the header has no column `SKU`, which item_id is mapped to; its columns are: till, sold_at, sku, qty, paid, dept, group, type, quantity
        stderr: ingest: 0 read = 0 accepted + 0 duplicate + 0 rejected, 0 new batches, 1 of 1 input failed
        exit code 1
    "#]].assert_eq(&said);
}

#[test]
fn a_mapped_key_may_be_absent_from_a_line_of_json() {
    let line = r#"{"sold_at":1484388000,"sku":1,"quantity":5,"amount":9}"#;
    let other = r#"{"sold_at":1484388000,"sku":2,"qty":3,"paid":null}"#;
    let flags = "--map ts=sold_at --map item_id=sku --map amount=paid --map quantity=qty";
    let lines = format!("{line}\n{other}\n");
    assert_eq!(sold("a.ndjson", lines, flags), "item,units,purchases,amount\n2,3,1,0.0000\n1,1,1,0.0000\n");
    expect![[r#"
        stderr: failed: a.ndjson: no line has the key `sku`, which item_id is mapped to; the keys are: sku, ts
        stderr: ingest: 0 read = 0 accepted + 0 duplicate + 0 rejected, 0 new batches, 1 of 1 input failed
        exit code 1
    "#]]
    .assert_eq(&ingested("a.ndjson", r#"{"sku":1,"sku":2,"ts":1}"#, "--map item_id=sku"));
}

#[test]
fn one_column_may_give_two_fields() {
    let flags = "--map ts=at --map event_id=at --map item_id=sku --map category=sku/";
    const SOLD: &str = "item,units,purchases,amount\nx/y,1,1,0.0000\nx%2Fy: 1\n";
    // The same id twice in an hour counts once.
    assert_eq!(sold("a.csv", "at,sku\n1484388000,x/y\n1484388000,x/y\n", flags), SOLD);
    let line = r#"{"at":1484388000,"sku":"x/y"}"#;
    assert_eq!(sold("a.ndjson", format!("{line}\n{line}\n"), flags), SOLD);
    let columns: Vec<(&str, ArrayRef)> =
        vec![("at", Arc::new(Int64Array::from(vec![TEN; 2]))), ("sku", texts([Some("x/y"); 2]))];
    assert_eq!(sold("a.parquet", parquet(columns), flags), SOLD);
}

#[test]
fn a_column_may_have_a_slash_in_its_name() {
    let category = |name: &str, content: &str, column: &str| {
        let sold = sold(name, content, &format!("--map category={column}"));
        sold.lines().skip(2).collect::<Vec<_>>().join(" ")
    };
    let csv = "ts,item_id,a/b,a,b\n1484388000,1,X/Y|Z,P,Q\n";
    assert_eq!(category("a.csv", csv, "a/b"), "X: 1 X/Y: 1 Z: 1");
    assert_eq!(category("a.csv", csv, "b/a"), "Q: 1 Q/P: 1");
    assert_eq!(category("a.csv", csv, "a/"), "P: 1");
    let json = r#"{"ts":1484388000,"item_id":1,"a/b":"X/Y|Z","a":"P","b":["U/V"]}"#;
    assert_eq!(category("a.ndjson", json, "a/b"), "X: 1 X/Y: 1 Z: 1");
    assert_eq!(category("a.ndjson", json, "b"), "U: 1 U/V: 1");
}

#[test]
fn lists_of_paths_may_have_another_name() {
    let mut lists = ListBuilder::new(StringBuilder::new());
    lists.append_value([Some("A/B"), Some("C")]);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("ts", Arc::new(Int64Array::from(vec![TEN]))),
        ("item_id", texts([Some("1")])),
        ("tags", Arc::new(lists.finish())),
        ("category", texts([Some("Not/This")])),
    ];
    const SOLD: &str = "item,units,purchases,amount\n1,1,1,0.0000\nA: 1\nA/B: 1\nC: 1\n";
    assert_eq!(sold("a.parquet", parquet(columns), "--map categories=tags"), SOLD);
    let line = r#"{"ts":1484388000,"item_id":1,"tags":["A/B","C"],"category":"Not/This"}"#;
    assert_eq!(sold("a.ndjson", line, "--map categories=tags"), SOLD);
    expect![[r#"
        stderr: failed: a.csv: line 1: categories is for NDJSON and Parquet; map category instead
        stderr: ingest: 0 read = 0 accepted + 0 duplicate + 0 rejected, 0 new batches, 1 of 1 input failed
        exit code 1
    "#]]
    .assert_eq(&ingested("a.csv", "ts,item_id,tags\n", "--map categories=tags"));
}

#[test]
fn times_without_an_offset_are_utc_only_with_assume_utc() {
    let log = "ts,item_id\n2017-01-14 10:00:00,1\n2017-01-14T12:00:00+02:00,1\n2017-01-14,2\n";
    expect![[r#"
        stderr: rejected: a.csv:2: ts `2017-01-14 10:00:00` has no offset from UTC; pass --assume-tz ZONE or --assume-utc
        stderr: rejected: a.csv:4: ts `2017-01-14` has no offset from UTC; pass --assume-tz ZONE or --assume-utc
        stderr: hint: to load an input again with other options, pass --force too
        stderr: ingest: 3 read = 1 accepted + 0 duplicate + 2 rejected, 1 new batch
        exit code 4
    "#]].assert_eq(&ingested("a.csv", log, ""));
    expect![[r#"
        stderr: ingest: 3 read = 3 accepted + 0 duplicate + 0 rejected, 1 new batch
        exit code 0
    "#]]
    .assert_eq(&ingested("a.csv", log, "--assume-utc"));
    let world = World::new();
    world.write("utc.toml", "assume_utc = true\n");
    world.write("a.csv", log);
    assert_eq!(world.run("ingest a.csv --map utc.toml").stderr, {
        let flagged = World::new();
        flagged.write("a.csv", log);
        flagged.run("ingest a.csv --assume-utc").stderr
    });
    // Both fell into one hour.
    assert_eq!(world.run("rank --window 1h --as-of 2017-01-14T11:00:00Z --min-items 1").code, Some(0));
    assert!(world.run("show --format csv").stdout.contains(",1,1,2,2,2,"));
}

#[test]
fn quantities_may_have_fractions() {
    let columns = || -> Vec<(&str, ArrayRef)> {
        vec![
            ("ts", Arc::new(Int64Array::from(vec![TEN; 4]))),
            ("item_id", texts([Some("1"); 4])),
            ("quantity", Arc::new(Float64Array::from(vec![2.0, 1.5, -3.0, 1e13]))),
        ]
    };
    expect![[r#"
        stderr: rejected: a.parquet:4: quantity `10000000000000` is out of range: the limit is ±1000000000000
        stderr: ingest: 4 read = 3 accepted + 0 duplicate + 1 rejected, 1 new batch
        exit code 4
    "#]]
    .assert_eq(&ingested("a.parquet", parquet(columns()), ""));
    expect![[r#"
        stderr: ingest: 4 read = 4 accepted + 0 duplicate + 0 rejected, 1 new batch
        exit code 0
    "#]]
    .assert_eq(&ingested(
        "a.csv",
        "ts,item_id,quantity\n1484388000,1,2.0\n1484388000,1,2.\n1484388000,1,.0\n1484388000,1,2.01\n",
        "",
    ));
}

#[test]
fn a_rejected_row_is_kept_with_its_mapped_columns() {
    let world = World::new();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("sold_at", texts([Some("yesterday")])),
        ("sku", texts([Some("1")])),
        ("dept", texts([Some("Food")])),
        ("group", texts([None])),
        ("buyer", texts([Some("Ann")])),
    ];
    world.write("a.parquet", parquet(columns));
    let said = world.run("ingest a.parquet --map ts=sold_at --map item_id=sku --map category=dept/group");
    assert_eq!(said.code, Some(4), "{}", said.whole());
    let kept = &world.records("rejects")[0];
    let row: serde_json::Value =
        serde_json::from_str(kept["text"].as_str().expect("the row is kept as text"))
            .expect("a row is kept as JSON");
    assert_eq!(row, json!({"ts": "yesterday", "item_id": "1", "category": ["Food", ""]}));
}

#[test]
fn the_same_file_by_another_mapping_is_already_ingested() {
    let world = World::new();
    world.write("a.csv", CSV);
    assert_eq!(world.run(&format!("ingest a.csv {MAP}")).code, Some(0));
    expect![[r#"
        stderr: skipped: a.csv is already ingested
        stderr: ingest: 3 read = 0 accepted + 3 duplicate + 0 rejected, 0 new batches
        exit code 0
    "#]]
    .assert_eq(&world.run("ingest a.csv --map ts=sold_at --map item_id=till").whole());
}
