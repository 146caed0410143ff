//! Folders of logs as rotation and other programs leave them: which files are read, which are passed over.

use expect_test::expect;

use super::formats::gzip;
use crate::world::World;

/// Returns a purchase of an item.
fn sale(item: &str) -> String {
    format!("{{\"ts\":\"2017-01-14T10:00:00Z\",\"item_id\":\"{item}\"}}\n")
}

/// Returns the items sold, in byte order.
fn items(world: &World) -> String {
    let sold = world.sold();
    let mut items: Vec<&str> =
        sold.lines().skip(1).filter_map(|line| Some(line.split_once(',')?.0)).collect();
    items.sort_unstable();
    items.join(" ")
}

fn log_folder() -> World {
    let world = World::new();
    world.write("logs/a.ndjson", sale("A"));
    world.write("logs/H.JSON", sale("H"));
    world.write("logs/shop.log", sale("B"));
    world.write("logs/shop.log.1", sale("L"));
    world.write("logs/shop.log.2.gz", gzip(sale("M").as_bytes()));
    world.write("logs/shop.ndjson.1", sale("C"));
    world.write("logs/shop.ndjson-20170114.gz", gzip(sale("D").as_bytes()));
    world.write("logs/shop.csv.2017-01-14", "ts,item_id\n2017-01-14T10:00:00Z,E\n");
    world.write("logs/orders.txt", sale("F"));
    world.write("logs/date=2017-01-14/part-00000", sale("G"));
    world.write("logs/notes.txt", "call the supplier");
    world.write("logs/half.ndjson.tmp", sale("X"));
    world.write("logs/a.ndjson.bak", sale("A"));
    world.write("logs/_SUCCESS", "");
    world.write("logs/.git/index.ndjson", sale("X"));
    world.write("logs/lake/_delta_log/0.json", "{}");
    world
}

/// Rotated names and those without an extension of a format used to be passed over with exit code 0 and
/// without a word.
#[test]
fn rotated_logs_are_read_and_what_is_passed_over_is_counted() {
    let world = log_folder();
    expect![[r#"
        stderr: ingest: 10 read = 10 accepted + 0 duplicate + 0 rejected, 10 new batches, 4 files and 2 directories skipped (-v lists them)
        exit code 0
    "#]].assert_eq(&world.run("ingest logs").whole());
    assert_eq!(items(&world), "A B C D E F G H L M");
    expect![[r#"
        stderr: skipped: logs/.git: it is hidden
        stderr: skipped: logs/_SUCCESS: it is hidden
        stderr: skipped: logs/a.ndjson.bak: its name marks it as a copy
        stderr: skipped: logs/half.ndjson.tmp: its name marks it as unfinished
        stderr: skipped: logs/lake: it contains tables, not logs
        stderr: skipped: logs/notes.txt: its format cannot be inferred from its name or content; pass --format
        stderr: batch: logs/H.JSON: 635e49e072b4336efb455653cb11af138327acf10ba63d9855e70a81cdfc845d, new
        stderr: batch: logs/a.ndjson: 318319c842757c6c800780a5ea2bf165ba5930239791102e97fc41544dce1fb7, new
        stderr: batch: logs/date=2017-01-14/part-00000: b13f6c748b5ee64dc6e6915491cf27abc4733672c706d1be286a9705b46f5dde, new
        stderr: batch: logs/orders.txt: d4c7029ab4688f2fb0b810d4c230d6388f9685e864f561fe7e7cc575c67ce0ef, new
        stderr: batch: logs/shop.csv.2017-01-14: b482d6947b56481cce7371e76865c1d29b8cd717ac28d0a22f888b815debc99c, new
        stderr: batch: logs/shop.log: 2a4225400aa0d1a22e32d4518b41a35906cc5c7ead7e2ce9f0145d530f45167e, new
        stderr: batch: logs/shop.log.1: c2091ea21340a579c3df8f040f0db741df33999edd5221aeb572bca31174d31d, new
        stderr: batch: logs/shop.log.2.gz: ea54baaaa300e71a146a05b586ae491dd6ed8c2905c949f65558943f4b64c4ab, new
        stderr: batch: logs/shop.ndjson-20170114.gz: 05f0babd4cb1ee7c087517cb1827724da4d5c897bd163451de8cee7615bf04e9, new
        stderr: batch: logs/shop.ndjson.1: a5ea390465f8ac57b6aecf7283954de89f0ef39f5b7a74668824617ae136391e, new
        stderr: ingest: 10 read = 10 accepted + 0 duplicate + 0 rejected, 10 new batches, 4 files and 2 directories skipped
        exit code 0
    "#]].assert_eq(&world.run("--lake other ingest -v logs").whole());
}

#[test]
fn a_format_that_is_passed_takes_every_file_of_a_folder() {
    let world = log_folder();
    std::fs::remove_file(world.path("logs/shop.csv.2017-01-14")).expect("it is there");
    expect![[r#"
        stderr: rejected: logs/notes.txt:1: not a JSON object; the input ends in the middle of this line, or without a newline
        stderr: ingest: 10 read = 9 accepted + 0 duplicate + 1 rejected, 9 new batches, 3 files and 2 directories skipped (-v lists them)
        exit code 4
    "#]].assert_eq(&world.run("ingest --format ndjson logs").whole());
    assert_eq!(items(&world), "A B C D F G H L M");
}

#[test]
fn a_named_pipe_in_a_folder_is_not_waited_for() {
    let world = World::new();
    world.write("logs/a.ndjson", sale("A"));
    let made = std::process::Command::new("mkfifo").arg(world.path("logs/b.ndjson")).status();
    assert!(made.is_ok_and(|status| status.success()), "a named pipe can be made");
    expect![[r#"
        stderr: skipped: logs/b.ndjson: it is not a regular file
        stderr: batch: logs/a.ndjson: 318319c842757c6c800780a5ea2bf165ba5930239791102e97fc41544dce1fb7, new
        stderr: ingest: 1 read = 1 accepted + 0 duplicate + 0 rejected, 1 new batch, 1 file skipped
        exit code 0
    "#]]
    .assert_eq(&world.run("ingest -v logs").whole());
}

#[test]
fn the_format_of_a_named_file_is_told_by_its_content_too() {
    let world = World::new();
    world.write("shop.log", sale("A"));
    world.write("spool/shop.log", sale("B"));
    assert_eq!(world.run("ingest shop.log").code, Some(0));
    assert_eq!(world.run("ingest --spool spool --min-age 0s").code, Some(0));
    assert_eq!(items(&world), "A B");
}

/// Process substitution names a pipe, which can be read once.
#[test]
fn named_pipes_are_read_once_in_every_format() {
    let world = World::new();
    let csv = "ts,item_id,quantity\n2017-01-14T10:00:00Z,A,1\n";
    let parquet = super::formats::purchases_as_parquet();
    world.write("a.csv.gz", gzip(csv.as_bytes()));
    world.write("b.ndjson", sale("B"));
    world.write("c.parquet", parquet);
    let program = env!("CARGO_BIN_EXE_topsell");
    let call = format!("{program} ingest <(zcat a.csv.gz) <(cat b.ndjson) <(cat c.parquet)");
    let bash = world.command(&[]);
    let environment: Vec<_> =
        bash.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect();
    let mut command = std::process::Command::new("bash");
    command
        .args(["-c", &call])
        .env_clear()
        .envs(environment)
        .env("PATH", "/usr/bin:/bin")
        .current_dir(world.path(""));
    expect![[r#"
        stderr: ingest: 5 read = 5 accepted + 0 duplicate + 0 rejected, 3 new batches
        exit code 0
    "#]]
    .assert_eq(&world.said(&mut command, b"").whole());
    assert_eq!(items(&world), "101 102 A B", "the third one is a return");
}

#[test]
fn folders_of_hive_give_their_values() {
    let world = World::new();
    world.write("shop/category=TOYS/a.ndjson", sale("A"));
    world.write("shop/category=Food%2FFruit/b.csv", "ts,item_id\n2017-01-14T10:00:00Z,B\n");
    world.write("shop/category=__HIVE_DEFAULT_PARTITION__/c.ndjson", sale("C"));
    world.write("shop/category=TOYS/d.csv", "ts,item_id,category\n2017-01-14T10:00:00Z,D,Books\n");
    assert_eq!(world.run("ingest shop").code, Some(0));
    assert_eq!(items(&world), "A B C D");
    let sold = world.sold();
    for category in ["TOYS: 1", "Food/Fruit: 1", "Books: 1"] {
        assert!(sold.contains(category), "{sold}");
    }
}
