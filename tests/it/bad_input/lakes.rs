//! Folders that are not lakes, and damaged lakes.

use expect_test::expect;

use crate::bad_input::GOOD;
use crate::world::World;

/// The default lake is `data/lake`, so that a folder of logs may contain it; its own
/// tables have the columns of a log, and would be ingested a second time.
#[test]
fn a_lake_does_not_ingest_itself() {
    let world = World::new();
    world.write("data/log.csv", GOOD.replace("apple\n", "apple\nbroken,\n"));
    assert_eq!(world.run("ingest data").code, Some(4));
    assert_eq!(world.run("rank").code, Some(0));
    let before = world.sold();
    expect![[r#"
        stderr: skipped: data/log.csv is already ingested
        stderr: ingest: 2 read = 0 accepted + 2 duplicate + 0 rejected, 0 new batches, 1 directory skipped (-v lists them)
        exit code 0
    "#]]
    .assert_eq(&world.run("ingest data").whole());
    assert_eq!(world.sold(), before);
}

#[test]
fn the_reason_why_there_can_be_no_lake_is_reported_once() {
    let world = World::new();
    world.write("log.csv", GOOD);
    world.write("file", "in the way");
    for lake in ["file", "file/lake"] {
        for command in ["ingest log.csv", "rollup", "rank", "show"] {
            let said = world.run(&format!("--lake {lake} {command}"));
            let reasons =
                said.stderr.matches("Not a directory").count() + said.stderr.matches("no lake").count();
            assert_eq!((said.code, reasons), (Some(1), 1), "{lake} {command}: {}", said.whole());
            assert!(said.stderr.contains(lake), "the lake is named: {}", said.whole());
            assert!(!said.stderr.contains("Generic"), "{}", said.whole());
        }
    }
    assert_eq!(world.files("."), ["file", "log.csv"]);
}

#[test]
fn a_folder_that_holds_something_else_is_left_alone() {
    let world = World::new();
    world.write("log.csv", GOOD);
    world.write("photos/cat.jpg", "meow");
    expect![[r#"
        stderr: error: WORLD/photos is not empty and is not a lake
        stderr: hint: pass an empty or new directory with --lake
        exit code 1
    "#]]
    .assert_eq(&world.run("--lake photos ingest log.csv").whole());
    assert_eq!(world.files("photos"), ["cat.jpg"]);
    std::fs::create_dir(world.path("empty")).expect("a folder can be made");
    assert_eq!(world.run("--lake empty ingest log.csv").code, Some(0), "an empty folder will do");
}

#[test]
fn a_table_of_another_maker_is_left_alone() {
    let world = World::new();
    let schema = r#"{\"type\":\"struct\",\"fields\":[{\"name\":\"id\",\"type\":\"long\",\"nullable\":true,\"metadata\":{}}]}"#;
    let commit = format!(
        r#"{{"protocol":{{"minReaderVersion":1,"minWriterVersion":2}}}}
{{"metaData":{{"id":"other","format":{{"provider":"parquet","options":{{}}}},"schemaString":"{schema}","partitionColumns":[],"configuration":{{}},"createdTime":0}}}}
"#
    );
    let log = "other/events/_delta_log/00000000000000000000.json";
    world.write(log, &commit);
    world.write("log.csv", GOOD);
    expect![[r#"
        stderr: error: WORLD/other has the lake format 0, and this program reads and writes format 6 only
        stderr: hint: upgrade the lake with `topsell lake upgrade`; make a backup first to be able to go back
        exit code 1
    "#]]
    .assert_eq(&world.run("--lake other ingest log.csv").whole());
    expect![[r#"
        stderr: error: the `events` table is incompatible: it has no column `event_type`
        exit code 1
    "#]]
    .assert_eq(&world.run("--lake other lake upgrade").whole());
    assert_eq!(world.files("other"), ["events/_delta_log/00000000000000000000.json"]);
    world.write(log, "{ this is no commit\n");
    let said = world.run("--lake other lake upgrade");
    assert!(said.code == Some(1) || said.code == Some(3), "{}", said.whole());
    assert!(said.stderr.starts_with("error: the log of the `events` table"), "{}", said.whole());
}

#[test]
fn a_damaged_lake_is_reported_as_such() {
    let world = World::new();
    world.write("log.csv", GOOD);
    world.run("ingest log.csv");
    let files = world.files("data/lake/events");
    let name = files.iter().find(|name| name.ends_with(".parquet")).expect("an event was written");
    let path = world.path("data/lake/events").join(name);
    let good = std::fs::read(&path).expect("a listed file can be read");
    let rank = || world.run("rank").whole().replace(name.rsplit('/').next().unwrap_or(name), "….parquet");
    std::fs::write(&path, &good[..good.len() / 2]).expect("it can be changed");
    expect![[r#"
        stderr: error: WORLD/data/lake/events/event_type=purchase/category_group=__HIVE_DEFAULT_PARTITION__/date=2017-01-14/….parquet is damaged: its bytes do not have the checksum with which they were written
        stderr: hint: `topsell lake verify` lists all damaged files, and `topsell lake repair` does what can be done about them
        exit code 3
    "#]].assert_eq(&rank());
    std::fs::remove_file(&path).expect("it can be removed");
    expect![[r#"
        stderr: error: WORLD/data/lake/events/event_type=purchase/category_group=__HIVE_DEFAULT_PARTITION__/date=2017-01-14/….parquet: No such file or directory (os error 2)
        stderr: hint: a file that the lake references is missing; restore it from a backup
        exit code 3
    "#]].assert_eq(&rank());
    std::fs::write(&path, &good).expect("it can be brought back");
    assert_eq!(world.run("rank").code, Some(0));
}
