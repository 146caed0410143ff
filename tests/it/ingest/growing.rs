//! Files that grow in other forms than plain text, in spool folders, and what prune leaves of what is known of
//! them.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use expect_test::expect;

use crate::ingest::formats::{gzip, parquet};
use crate::world::World;

const HEADER: &str = "ts,item_id,quantity\n";

fn line(day: u32, item: &str) -> String {
    format!("2017-01-{day:02}T10:00:00Z,{item},1\n")
}

#[test]
fn of_gzip_members_that_were_appended_only_the_new_lines_are_ingested() {
    let world = World::new();
    let mut packed = gzip(format!("{HEADER}{}", line(14, "a")).as_bytes());
    world.write("shop.csv.gz", &packed);
    assert_eq!(world.run("ingest shop.csv.gz").code, Some(0));
    packed.extend(gzip(format!("{}{}", line(14, "b"), line(14, "c")).as_bytes()));
    world.write("shop.csv.gz", &packed);
    expect![[r#"
        stderr: note: shop.csv.gz has grown: 1 line already ingested, 2 new
        stderr: ingest: 3 read = 2 accepted + 1 duplicate + 0 rejected, 1 new batch
        exit code 0
    "#]]
    .assert_eq(&world.run("ingest shop.csv.gz").whole());
    // A member that is still being written is ingested when it is complete.
    let member = gzip(line(14, "d").as_bytes());
    world.write("shop.csv.gz", [&packed[..], &member[..member.len() / 2]].concat());
    expect![[r#"
        stderr: failed: shop.csv.gz: ends in the middle of its gzip data; its last part was not ingested, so ingest the complete file again
        stderr: ingest: 0 read = 0 accepted + 0 duplicate + 0 rejected, 0 new batches, 1 of 1 input failed
        exit code 1
    "#]].assert_eq(&world.run("ingest shop.csv.gz").whole());
    packed.extend(&member);
    world.write("shop.csv.gz", &packed);
    expect![[r#"
        stderr: note: shop.csv.gz has grown: 3 lines already ingested, 1 new
        stderr: ingest: 4 read = 1 accepted + 3 duplicate + 0 rejected, 1 new batch
        exit code 0
    "#]]
    .assert_eq(&world.run("ingest shop.csv.gz").whole());
    expect![[r#"
        item,units,purchases,amount
        a,1,1,0.0000
        b,1,1,0.0000
        c,1,1,0.0000
        d,1,1,0.0000
    "#]]
    .assert_eq(&world.sold());
}

#[test]
fn a_file_that_comes_into_a_spool_folder_again_and_has_grown_brings_what_is_new() {
    let world = World::new();
    let spool = "ingest --min-age 0s --spool spool";
    world.write("spool/day.csv", format!("{HEADER}{}", line(14, "a")));
    expect![[r#"
        stderr: spool: 1 file moved to done, 0 to failed
        stderr: ingest: 1 read = 1 accepted + 0 duplicate + 0 rejected, 1 new batch
        exit code 0
    "#]]
    .assert_eq(&world.run(spool).whole());
    world.write("spool/day.csv", format!("{HEADER}{}{}", line(14, "a"), line(14, "b")));
    expect![[r#"
        stderr: note: spool/day.csv has grown: 1 line already ingested, 1 new
        stderr: spool: 1 file moved to done, 0 to failed
        stderr: ingest: 2 read = 1 accepted + 1 duplicate + 0 rejected, 1 new batch
        exit code 0
    "#]]
    .assert_eq(&world.run(spool).whole());
    // Corrected in the middle.
    world.write("spool/day.csv", format!("{HEADER}{}{}", line(14, "a"), line(14, "B")));
    expect![[r#"
        stderr: warning: spool/day.csv has changed since it was ingested: 1 line of its earlier version stays in the lake, and 1 line was loaded now
        stderr: hint: to replace a file that is rewritten each time, pass the same --batch-id with --force each time
        stderr: spool: 1 file moved to done, 0 to failed
        stderr: ingest: 2 read = 1 accepted + 1 duplicate + 0 rejected, 1 new batch
        exit code 4
    "#]].assert_eq(&world.run(spool).whole());
    expect![[r#"
        item,units,purchases,amount
        B,1,1,0.0000
        a,1,1,0.0000
        b,1,1,0.0000
    "#]]
    .assert_eq(&world.sold());
}

/// Rows that were already ingested used to be skipped without their values.
#[test]
fn values_are_filled_from_rows_of_a_parquet_file_that_are_already_ingested() {
    let world = World::new();
    let rows = 3_000;
    let column = |value: &dyn Fn(usize) -> Option<String>| -> ArrayRef {
        Arc::new(StringArray::from((0..rows).map(value).collect::<Vec<Option<String>>>()))
    };
    let columns = || -> Vec<(&str, ArrayRef)> {
        vec![
            ("order", column(&|_| Some("1".to_owned()))),
            ("ts", column(&|row| (row == 0).then(|| "2017-01-14T10:00:00Z".to_owned()))),
            ("item_id", column(&|row| Some(format!("item{}", row / 2_000)))),
            // The last rows are rejected at first.
            ("quantity", column(&|row| Some(if row < 2_000 { "1" } else { "many" }.to_owned()))),
        ]
    };
    world.write("orders.parquet", parquet(columns()));
    let said = world.run("ingest --slice-size 64KiB --fill order orders.parquet");
    assert!(said.stderr.contains("2000 accepted + 0 duplicate + 1000 rejected"), "{}", said.whole());
    let said = world.run("ingest --fill order --bad-field drop orders.parquet");
    expect![[r#"
        stderr: note: orders.parquet:2049: 952 lines accepted without quantity: quantity `many` is not a number such as 12.34
        stderr: ingest: 3000 read = 952 accepted + 2048 duplicate + 0 rejected, 1 new batch
        exit code 0
    "#]]
    .assert_eq(&said.whole());
    expect![[r#"
        item,units,purchases,amount
        item0,2000,2000,0.0000
        item1,952,952,0.0000
    "#]]
    .assert_eq(&world.sold());
}

#[test]
fn what_is_known_of_files_is_pruned_with_their_events() {
    let world = World::new();
    let size = |world: &World| {
        let names = world.files("data/lake/inputs");
        let texts = names.iter().map(|name| world.path("data/lake/inputs").join(name));
        let texts = texts.map(|path| std::fs::read_to_string(path).expect("it is text"));
        texts.map(|text| text.split_whitespace().filter(|word| word.starts_with('.')).count()).sum::<usize>()
    };
    world.write("old.csv", format!("{HEADER}{}", line(10, "a")));
    world.write("new.csv", format!("{HEADER}{}", line(14, "b")));
    world.write("both.csv", format!("{HEADER}{}", line(10, "c")));
    assert_eq!(world.run("ingest old.csv new.csv both.csv").code, Some(0));
    world.write("both.csv", format!("{HEADER}{}{}", line(10, "c"), line(14, "d")));
    assert_eq!(world.run("ingest both.csv").code, Some(0));
    assert_eq!(size(&world), 12);
    expect![[r#"
        prune: 1 hour before 2017-01-13T00:00:00Z would expire, 2 rows in 2 files
        prune: 0 unreferenced files and 0 old rankings would be removed, 0 B
        prune: 6 old entries of ingested files would be removed
    "#]]
    .assert_eq(&world.run("lake prune --retention 48h --dry-run").stderr);
    assert_eq!(size(&world), 12);
    expect![[r#"
        prune: 1 hour before 2017-01-13T00:00:00Z expired, 2 rows in 2 files
        prune: 0 unreferenced files and 0 old rankings removed, 0 B
        prune: 6 old entries of ingested files removed
    "#]]
    .assert_eq(&world.run("lake prune --retention 48h").stderr);
    assert_eq!(size(&world), 6);
    // What is left is enough.
    world.write("both.csv", format!("{HEADER}{}{}{}", line(10, "c"), line(14, "d"), line(14, "e")));
    expect![[r#"
        stderr: skipped: old.csv is already ingested
        stderr: skipped: new.csv is already ingested
        stderr: note: both.csv has grown: 2 lines already ingested, 1 new
        stderr: ingest: 5 read = 1 accepted + 4 duplicate + 0 rejected, 1 new batch
        exit code 0
    "#]]
    .assert_eq(&world.run("ingest both.csv old.csv new.csv").whole());
    expect![[r#"
        prune: no hours before 2017-01-13T00:00:00Z
        prune: 0 unreferenced files and 0 old rankings removed, 0 B
    "#]]
    .assert_eq(&world.run("lake prune --retention 48h").stderr);
}
