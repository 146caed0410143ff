//! `topsell lake`: merging small files, checking the whole, counting; and a long history.

use expect_test::expect;

use crate::world::World;

/// Ingests the lines of three days in pieces, with a rollup after each, so that hours and days lie
/// in many files.
fn scattered() -> World {
    let world = World::new();
    for piece in 0..6 {
        let mut log = String::from("ts,event_id,item_id,category,quantity,amount\n");
        for day in 12..15 {
            for hour in 0..3 {
                let item = (piece * 7 + hour) % 5;
                let id = format!("{piece}-{day}-{hour}");
                log.push_str(&format!(
                    "2017-01-{day}T{:02}:00:00Z,{id},item{item},Food/Fruit|Toys,{item},1.25\n",
                    hour + piece
                ));
            }
        }
        world.write(&format!("{piece}.csv"), log);
        assert_eq!(world.run(&format!("ingest {piece}.csv")).code, Some(0));
        assert_eq!(world.run("rank").code, Some(0));
    }
    world
}

#[test]
fn a_damaged_file_keeps_a_verification_from_comparing_only_where_it_must() {
    let world = World::new();
    world.write("a.csv", "ts,item_id,category\n2017-01-13T10:00:00Z,a,Food\n");
    assert_eq!(world.run("ingest a.csv").code, Some(0));
    assert_eq!(world.run("rollup").code, Some(0));
    let change = |folder: &str, end: &str| {
        let name = world.files(folder).into_iter().find(|name| name.ends_with(end)).expect("there is one");
        let path = format!("{folder}/{name}");
        let mut bytes = std::fs::read(world.path(&path)).expect("it can be read");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        world.write(&path, bytes);
    };
    change("data/lake/inputs", ".txt");
    let said = world.run("lake verify");
    assert_eq!(said.code, Some(3));
    assert!(said.stderr.contains("problem: inputs/"), "{}", said.whole());
    assert!(
        said.stderr.contains("aggregates of 1 category day recomputed; 1 problem found"),
        "{}",
        said.whole()
    );
    change("data/lake/events", ".parquet");
    let said = world.run("lake verify");
    assert_eq!(said.code, Some(3));
    assert!(said.stderr.contains(".parquet is damaged: its bytes"), "{}", said.whole());
    assert!(
        said.stderr.contains("; 1 day not compared, because of damaged files; 2 problems found"),
        "{}",
        said.whole()
    );
    let said = world.run("rollup --all");
    assert!(
        said.stderr
            .contains("hint: `topsell lake verify` lists all damaged files, and `topsell lake repair`"),
        "{}",
        said.whole()
    );
}

#[test]
fn a_verification_says_what_it_did_not_compare() {
    let world = World::new();
    let log = |day: u32| format!("ts,item_id,category\n2017-01-{day}T10:00:00Z,a,Food\n");
    world.write("a.csv", log(13));
    world.write("b.csv", log(14));
    assert_eq!(world.run("ingest a.csv").code, Some(0));
    assert_eq!(world.run("rollup").code, Some(0));
    assert_eq!(world.run("ingest b.csv").code, Some(0));
    expect![[r#"
        stderr: gap: no events for 23 hours from 2017-01-13T11:00:00Z
        stderr: verify: 2 event files, 1 rollup file, 5 log files, 0 rankings, aggregates of 1 category day recomputed; 1 day not compared, with events newer than the aggregates: run `topsell rollup` and verify again; no problems found in the rest
        exit code 0
    "#]].assert_eq(&world.run("lake verify").whole());
    assert_eq!(world.run("rollup").code, Some(0));
    expect![[r#"
        stderr: gap: no events for 23 hours from 2017-01-13T11:00:00Z
        stderr: verify: 2 event files, 2 rollup files, 6 log files, 0 rankings, aggregates of 2 category days recomputed; no problems found
        exit code 0
    "#]].assert_eq(&world.run("lake verify").whole());
}

#[test]
fn merging_changes_no_ranking_and_is_planned_before_it_is_done() {
    let world = scattered();
    let before = world.snapshot("data/lake");
    let live = world.run("lake stats").stdout;
    let planned = world.run("lake compact --dry-run");
    expect![[r#"
        stdout: compact events of purchase, categories of all shards, 2017-01-12T00:00:00Z to 2017-01-12T08:00:00Z: 12 files
        stdout: compact events of purchase, categories of all shards, 2017-01-13T00:00:00Z to 2017-01-13T08:00:00Z: 12 files
        stdout: compact events of purchase, categories of all shards, 2017-01-14T00:00:00Z to 2017-01-14T08:00:00Z: 12 files
        stdout: compact aggregates of purchase, categories of all shards, 2017-01-12: 2 files
        stdout: compact aggregates of purchase, categories of all shards, 2017-01-13: 2 files
        stdout: compact aggregates of purchase, categories of all shards, 2017-01-14: 2 files
        stderr: compact: would rewrite 36 event files as 3, 6 rollup files as 3
        exit code 0
    "#]]
    .assert_eq(&planned.whole());
    assert_eq!(world.run("lake stats").stdout, live, "a dry run changes nothing");
    expect![[r#"
        stderr: compact: 36 event files rewritten as 3, 6 rollup files as 3
        exit code 0
    "#]]
    .assert_eq(&world.run("lake compact").whole());
    assert_eq!(world.run("lake compact").whole(), "stderr: compact: nothing to compact\nexit code 0\n");
    assert_eq!(world.run("rank").code, Some(0));
    assert_eq!(world.snapshot("data/lake").1, before.1, "the same ranking, byte for byte");
    assert_eq!(world.run("rollup --all").code, Some(0));
    assert_eq!(world.run("rank").code, Some(0));
    assert_eq!(world.snapshot("data/lake").1, before.1, "and again from the merged events");
}

#[test]
fn a_whole_lake_is_found_whole() {
    let world = scattered();
    expect![[r#"
        stderr: gap: no events for 16 hours from 2017-01-12T08:00:00Z
        stderr: gap: no events for 16 hours from 2017-01-13T08:00:00Z
        stderr: verify: 36 event files, 6 rollup files, 14 log files, 6 rankings, aggregates of 6 category days recomputed; no problems found
        exit code 0
    "#]]
    .assert_eq(&world.run("lake verify").whole());
    world.run("lake compact");
    let said = world.run("lake verify").whole();
    assert!(said.contains("aggregates of 6 category days recomputed; no problems found"), "{said}");
}

#[test]
fn a_damaged_file_is_found() {
    for table in ["events", "rollups"] {
        let world = scattered();
        let folder = format!("data/lake/{table}");
        let names = world.files(&folder).into_iter().map(|name| format!("{folder}/{name}"));
        for name in names.filter(|name| name.ends_with(".parquet")) {
            let mut bytes = std::fs::read(world.path(&name)).expect("a file can be read");
            bytes.truncate(bytes.len() / 2);
            world.write(&name, bytes);
        }
        let said = world.run("lake verify");
        assert_eq!(said.code, Some(3), "{}", said.whole());
        assert!(said.stderr.contains("problem: "), "{}", said.whole());
    }
}

#[test]
fn stats_are_json_on_standard_output() {
    let stats: serde_json::Value =
        serde_json::from_str(&scattered().run("lake stats").stdout).expect("stats are JSON");
    assert_eq!(stats["events"]["rows"], 108);
    assert_eq!(stats["hours"], 24);
    assert_eq!(stats["first_hour"], "2017-01-12T00:00:00Z");
    assert_eq!(stats["largest_categories"][0]["category"], "Food");
}

#[test]
fn a_history_of_many_small_batches_is_summed_up_and_stays_right() {
    let world = World::new();
    for batch in 0..120 {
        let log = format!("ts,item_id,quantity\n2017-01-14T{:02}:{:02}:00Z,a,1\n", batch / 60, batch % 60);
        let said = world.run_with(&["-q", "ingest", "--format", "csv", "-"], log.as_bytes());
        assert_eq!(said.code, Some(0), "{}", said.whole());
    }
    let checkpoints = world.files("data/lake/events/_delta_log");
    let checkpoints = checkpoints.iter().filter(|name| name.contains("checkpoint.parquet")).count();
    assert!(checkpoints >= 2, "the log is summed up every fifty commits: {checkpoints}");
    assert_eq!(world.run("rank").code, Some(0));
    let shown = world.run("show --format csv").stdout;
    assert!(shown.contains(",a,") && shown.contains(",120,120,"), "{shown}");
    let again = world
        .run_with(&["ingest", "--format", "csv", "-"], b"ts,item_id,quantity\n2017-01-14T00:00:00Z,a,1\n");
    assert!(
        again.stderr.contains("1 duplicate"),
        "a batch from before the checkpoint is known: {}",
        again.whole()
    );
}

#[test]
fn a_file_read_in_the_wrong_format_can_come_again_in_the_right_one() {
    let world = World::new();
    let log = "ts,item_id\n2017-01-14T00:00:00Z,a\n";
    let wrong = world.run_with(&["ingest", "--format", "ndjson", "-"], log.as_bytes());
    assert_eq!(wrong.code, Some(4), "{}", wrong.whole());
    let right = world.run_with(&["ingest", "--format", "csv", "-"], log.as_bytes());
    assert!(right.stderr.contains("1 read = 1 accepted"), "{}", right.whole());
}

#[test]
fn a_dry_run_reads_and_reports_and_writes_nothing() {
    let world = World::new();
    world.write("log.csv", "ts,item_id\n2017-01-14T00:00:00Z,a\nnever,b\n");
    expect![[r#"
        stdout: log.csv: CSV, delimiter `,`, quoted fields, UTF-8
        stdout: times     2017-01-14T00:00:00Z to 2017-01-14T00:00:00Z
        stdout: types     purchase 1
        stdout: ids       no event has an id; a line that comes twice counts twice
        stdout: 
        stdout: columns
        stdout: column   field    samples
        stdout: ts       ts       2017-01-14T00:00:00Z  never
        stdout: item_id  item_id  a  b
        stdout: 
        stdout: first events
        stdout: ts                    event_type  item_id  quantity  categories
        stdout: 2017-01-14T00:00:00Z  purchase    a               1
        stdout: 
        stdout: log.csv: CSV, delimiter `,`, quoted fields, UTF-8
        stdout: 
        stdout: columns
        stdout: column   field    samples
        stdout: ts       ts       2017-01-14T00:00:00Z  never
        stdout: item_id  item_id  a  b
        stderr: rejected: log.csv:3: ts `never` is neither ISO 8601 (2017-01-07T13:05:00Z), RFC 2822, a time of web servers' logs nor an epoch number; pass --ts-format to read another form
        stderr: skipped: log.csv is already ingested
        stderr: hint: to load an input again with other options, pass --force too
        stderr: ingest: 4 read = 1 accepted + 2 duplicate + 1 rejected, 1 new batch; dry run, nothing was written
        exit code 4
    "#]]
    .assert_eq(&world.run("ingest --dry-run log.csv log.csv").whole());
    assert_eq!(world.files("."), ["log.csv"], "not even a lake");
    world.write("bad.csv", "ts,item_id\nnever,b\n");
    let planned = world.run("ingest --dry-run bad.csv bad.csv").stderr;
    let done = world.run("--lake other ingest bad.csv bad.csv").stderr;
    assert_eq!(planned.replace("; dry run, nothing was written", ""), done, "a dry run says what a run does");
    assert_eq!(world.run("ingest log.csv").code, Some(4));
    let before = world.files_of_lake();
    let known = world.run("ingest --dry-run log.csv");
    assert!(known.stderr.contains("2 read = 0 accepted + 2 duplicate"), "{}", known.whole());
    assert_eq!(world.files_of_lake(), before);
}

#[test]
fn a_lake_is_found_by_way_of_the_folder_above_it() {
    let world = World::new();
    world.write("log.csv", "ts,item_id\n2017-01-14T00:00:00Z,a\n");
    world.write("shops/one/notes", "");
    std::os::unix::fs::symlink("shops/one", world.path("link")).expect("a link can be made");
    // Above where the link leads, not above the link; and as if what is not there yet were.
    for (lake, folder) in [("link/../lake", "shops/lake"), ("nowhere/../lake", "lake")] {
        let said = world.run(&format!("--lake {lake} ingest log.csv"));
        assert_eq!(said.code, Some(0), "{}", said.whole());
        assert!(world.path(folder).join("events").is_dir(), "{lake}");
        assert_eq!(world.run(&format!("--lake {folder} rank")).code, Some(0));
    }
}
