//! `topsell rollup`: the aggregates follow the events, and nothing is aggregated twice.

use expect_test::expect;
use serde_json::json;

use crate::world::World;

/// A log of so many events an hour, in the first hours of a day.
fn day(date: &str, hours: u32, events_per_hour: u32) -> String {
    let mut log = String::from("ts,event_id,item_id,category,quantity,amount\n");
    for hour in 0..hours {
        for n in 0..events_per_hour {
            log.push_str(&format!("{date}T{hour:02}:30:00Z,{date}-{hour}-{n},item-{n},Food/Fruit,2,0.50\n"));
        }
    }
    log
}

#[test]
fn the_help_says_when_to_recompute_everything() {
    expect![[r#"
        stdout: Examples:
        stdout:   topsell rollup               aggregate the hours that changed since the last rollup
        stdout:   topsell rollup --all         recompute all aggregates from raw events and report differences
        stdout:   topsell rollup --since 7d    the same for the last 7 days only
        stdout:   topsell rollup --since 7d --share 1/30
        stdout:                                also for a thirtieth of the older days, other ones each day
        stdout:   topsell rollup --dry-run     print which hours would be aggregated again, and why
        stdout:   topsell rollup plan          aggregate in several processes
        stdout: 
        stdout: Aggregate new events by item and hour
        stdout: 
        stdout: Only hours whose events changed are aggregated again. `topsell rank` does this first, so running it
        stdout: separately is rarely needed.
        stdout: 
        stdout: Usage: topsell rollup [OPTIONS]
        stdout:        topsell rollup <COMMAND>
        stdout: 
        stdout: Commands:
        stdout:   plan     Plan a rollup in several processes
        stdout:   partial  Aggregate a part of a planned rollup
        stdout:   commit   Commit all parts of a planned rollup
        stdout:   help     Print this message or the help of the given subcommand(s)
        stdout: 
        stdout: Options:
        stdout:       --all
        stdout:           Recompute all hours from raw events, not only those that changed
        stdout: 
        stdout:       --since <TIME>
        stdout:           Only days of TIME or later, and what changed since the last rollup; all of their hours are
        stdout:           recomputed from raw events
        stdout: 
        stdout:       --share <1/N>
        stdout:           One of N shares of the days, another one each day, besides what is --since a time: in N
        stdout:           days, all of them are recomputed from raw events
        stdout: 
        stdout:       --yes
        stdout:           Proceed even if aggregates differ from their events although these did not change, and
        stdout:           replace them; without it, that is an error
        stdout: 
        stdout:       --dry-run
        stdout:           Print the plan and change nothing
        stdout: 
        stdout:       --wait
        stdout:           Wait while another run holds the lock, instead of exiting with 6
        stdout: 
        stdout:   -h, --help
        stdout:           Print help (see a summary with '-h')
        stdout: 
        stdout: Global options:
        stdout:       --lake <DIR>
        stdout:           Lake directory, or s3://BUCKET/PREFIX
        stdout:           
        stdout:           [default: data/lake]
        stdout: 
        stdout:       --threads <N>
        stdout:           Number of threads [default: number of CPUs]
        stdout: 
        stdout:   -q, --quiet
        stdout:           Print errors only
        stdout: 
        stdout:   -v, --verbose
        stdout:           Print more details
        stdout: 
        stdout:       --color <WHEN>
        stdout:           When to use colors
        stdout:           
        stdout:           [default: auto]
        stdout:           [possible values: auto, always, never]
        stdout: 
        stdout:       --metrics-file <FILE>
        stdout:           Write metrics of the lake and its last runs to FILE, for the textfile collector of the
        stdout:           Prometheus node_exporter
        stdout: 
        stdout: TIME is a date (2017-01-10, the start of that day in UTC), RFC 3339 (2017-01-07T13:05:00Z),
        stdout: an epoch number, `now`, `today`, `yesterday`, or a duration before now (7d).
        exit code 0
    "#]].assert_eq(&World::new().run("rollup --help").whole());
}

#[test]
fn aggregates_are_brought_up_to_date_once() {
    let world = World::new();
    world.write("log.csv", day("2017-01-14", 5, 3));
    world.run("ingest log.csv");
    expect![[r#"
        stderr: rollup: 5 hours aggregated from 15 events, 15 rows written, 1 file added, 0 removed
        exit code 0
    "#]]
    .assert_eq(&world.run("rollup --verbose").whole());
    let before = world.files("data/lake/rollups");
    expect![[r#"
        stderr: rollup: up to date
        exit code 0
    "#]]
    .assert_eq(&world.run("rollup").whole());
    assert_eq!(world.files("data/lake/rollups"), before, "the second time does nothing");
    let sold = world.sold();
    expect![[r#"
        stderr: rollup: 5 hours aggregated from 15 events, 0 rows written, 0 files added, 0 removed
        stderr: rollup: 5 hours compared with the stored aggregates; no differences
        exit code 0
    "#]]
    .assert_eq(&world.run("rollup --all --verbose").whole());
    assert_eq!(world.sold(), sold, "recomputed aggregates are the same");
    let quiet = world.run("rollup --all --quiet");
    assert_eq!((quiet.stderr.as_str(), quiet.code), ("", Some(0)));
}

#[test]
fn a_dry_run_lists_which_hours_would_be_recomputed_and_why() {
    let world = World::new();
    world.write("a.csv", day("2017-01-12", 6, 2));
    world.write("b.csv", day("2017-01-13", 2, 2));
    world.run("ingest a.csv b.csv");
    expect![[r#"
        stdout: recompute purchase, Food, 2017-01-12: hours 0-5; 12 event rows in 1 file; never aggregated before
        stdout: recompute purchase, Food, 2017-01-13: hours 0-1; 4 event rows in 1 file; never aggregated before
        stderr: rollup: would recompute 8 hours
        exit code 0
    "#]].assert_eq(&world.run("rollup --dry-run").whole());
    assert_eq!(world.files("data/lake/rollups"), [""; 0], "nothing is written");
    world.run("rollup");
    expect![[r#"
        stderr: rollup: up to date
        exit code 0
    "#]]
    .assert_eq(&world.run("rollup --dry-run").whole());
    world.write("late.csv", "ts,item_id,category\n2017-01-12T03:59:59Z,late,Food\n");
    world.write("b.csv", day("2017-01-13", 1, 2));
    world.run("ingest late.csv");
    world.run("ingest --replace b.csv");
    let planned = world.run("rollup --dry-run").whole();
    expect![[r#"
        stdout: recompute purchase, Food, 2017-01-12: hours 3; 13 event rows in 2 files; events were added
        stderr: rollup: would recompute 1 hour
        exit code 0
    "#]]
    .assert_eq(&planned);
    assert_eq!(world.run("rollup --dry-run").whole(), planned, "nothing has changed");
    world.run("rollup");
    expect![[r#"
        stdout: recompute purchase, Food, 2017-01-12: hours 0-5; 13 event rows in 2 files; all of the day is recomputed
        stdout: recompute purchase, Food, 2017-01-13: hours 0-1; 4 event rows in 1 file; all of the day is recomputed
        stderr: rollup: would recompute 8 hours
        exit code 0
    "#]].assert_eq(&world.run("rollup --all --dry-run").whole());
}

#[test]
fn late_data_touches_its_own_hours_only() {
    let world = World::new();
    world.write("a.csv", day("2017-01-12", 6, 2));
    world.write("b.csv", day("2017-01-13", 6, 2));
    world.run("ingest a.csv b.csv");
    world.run("rollup");
    world.write("late.csv", "ts,item_id,category\n2017-01-12T03:59:59Z,late,Food\n");
    world.run("ingest late.csv");
    let before = world.files("data/lake/rollups");
    expect![[r#"
        stderr: rollup: 1 hour aggregated from 3 events, 13 rows written, 1 file added, 1 removed
        exit code 0
    "#]]
    .assert_eq(&world.run("rollup --verbose").whole());
    let written: Vec<String> = world.files("data/lake/rollups");
    let new = written.iter().filter(|name| !before.contains(name) && name.ends_with(".parquet"));
    assert!(new.clone().count() > 0, "the late hour was written");
    assert!(new.clone().all(|name| name.contains("date=2017-01-12")), "{:?}", new.collect::<Vec<_>>());
    expect![[r#"
        item,units,purchases,amount
        item-0,24,12,6.0000
        item-1,24,12,6.0000
        late,1,1,0.0000
        Food: 3
        Food/Fruit: 2
    "#]]
    .assert_eq(&world.sold());
}

#[test]
fn an_event_that_comes_again_in_another_file_counts_once() {
    let world = World::new();
    let line = |id: &str, item: &str| format!("2017-01-14T10:00:00Z,{id},{item},Food|Gifts,2,1.00\n");
    let header = "ts,event_id,item_id,category,quantity,amount\n";
    world.write("a.csv", format!("{header}{}{}", line("1", "apple"), line("2", "apple")));
    world.write("b.csv", format!("{header}{}{}{}", line("2", "apple"), line("3", "pear"), line("3", "pear")));
    // Without an id every line is an event of its own.
    world.write("c.csv", format!("{header}{}{}", line("", "plum"), line("", "plum")));
    world.run("ingest a.csv b.csv c.csv");
    expect![[r#"
        stderr: rollup: 1 hour aggregated from 5 events, 6 rows written, 2 duplicate events ignored
        exit code 0
    "#]]
    .assert_eq(&world.run("rollup").whole());
    let counts = &world.records("runs").into_iter().find(|run| run["command"] == "rollup");
    assert_eq!(counts.as_ref().map(|run| &run["counts"]["repeated_events"]), Some(&json!(2)));
    expect![[r#"
        item,units,purchases,amount
        apple,4,2,2.0000
        plum,4,2,2.0000
        pear,2,1,1.0000
        Food: 3
        Gifts: 3
    "#]]
    .assert_eq(&world.sold());
}

/// An order number as the event id kept one line of each order: the smallest by time and item.
#[test]
fn an_id_of_several_items_and_of_a_return_is_several_events() {
    let world = World::new();
    let order = "2017-01-14T10:00:00Z,1001,MUG,2,20.00\n2017-01-14T10:00:00Z,1001,PAN,1,50.00\n";
    let back = "2017-01-14T15:00:00Z,1001,MUG,-2,-20.00\n2017-01-14T15:00:00Z,1001,PAN,0,0\n";
    world.write("orders.csv", format!("ts,event_id,item_id,quantity,amount\n{order}{back}{back}"));
    // The line without a unit is a sale with the id of another.
    assert_eq!(world.run("ingest orders.csv").code, Some(4));
    let counts = "count MUG PAN --last 24h --format csv";
    let live = world.run(counts);
    // A line of no unit is a sale: it conflicts with the sale of one pan, which is the earlier.
    expect![[r#"
        stderr: rollup: 2 hours aggregated from 3 events, 3 rows written, 3 duplicate events ignored, 1 event id with differing contents counted once
        exit code 0
    "#]]
    .assert_eq(&world.run("rollup").whole());
    expect![[r#"
        stdout: item_id,hours_from,hours_to,is_filling,purchases,units,amount,average
        stdout: MUG,2017-01-14T01:00:00Z,2017-01-15T01:00:00Z,true,2,0,0.0000,
        stdout: PAN,2017-01-14T01:00:00Z,2017-01-15T01:00:00Z,true,1,1,50.0000,50.0000
        exit code 0
    "#]]
    .assert_eq(&live.whole());
    assert_eq!(world.run(counts).whole(), live.whole());
    assert_eq!(world.run("lake verify").code, Some(0));
}

#[test]
fn an_id_counts_once_a_day_and_on_each_day_by_itself() {
    let world = World::new();
    let log = "ts,event_id,item_id\n2017-01-13T23:59:59Z,1,apple\n2017-01-14T10:59:59Z,1,apple\n\
               2017-01-14T11:00:00Z,1,apple\n";
    world.write("log.csv", log);
    world.run("ingest log.csv");
    expect![[r#"
        stderr: rollup: 3 hours aggregated from 2 events, 2 rows written, 1 duplicate event ignored, 1 event id with differing contents counted once
        exit code 0
    "#]].assert_eq(&world.run("rollup").whole());
}

/// The hour that a version lay in before a smaller one of another hour came is re-aggregated too.
#[test]
fn a_version_of_another_hour_takes_back_what_was_counted() {
    let world = World::new();
    let log = |name: &str, hour: u32, quantity: u32| {
        let line = format!("2017-01-14T{hour:02}:30:00Z,1,apple,Food,{quantity}");
        world.write(name, format!("ts,event_id,item_id,category,quantity\n{line}\n"));
        assert_eq!(world.run(&format!("ingest {name}")).code, Some(0));
        format!("{}{}", world.run("rollup").whole(), world.sold())
    };
    expect![[r#"
        stderr: rollup: 1 hour aggregated from 1 event, 1 row written
        exit code 0
        item,units,purchases,amount
        apple,1,1,0.0000
        Food: 1
    "#]]
    .assert_eq(&log("ten.csv", 10, 1));
    expect![[r#"
        stderr: rollup: 2 hours aggregated from 1 event, 0 rows written, 1 duplicate event ignored, 1 event id with differing contents counted once
        exit code 0
        item,units,purchases,amount
        apple,1,1,0.0000
        Food: 1
    "#]].assert_eq(&log("twelve.csv", 12, 5));
    expect![[r#"
        stderr: rollup: 3 hours aggregated from 1 event, 1 row written, 2 duplicate events ignored, 1 event id with differing contents counted once
        exit code 0
        item,units,purchases,amount
        apple,7,1,0.0000
        Food: 1
    "#]].assert_eq(&log("nine.csv", 9, 7));
    assert_eq!(world.run("lake verify").code, Some(0));
}

/// Versions that differ only below a category that is not their first once counted in each.
#[test]
fn an_id_with_other_further_categories_counts_in_those_of_one_version() {
    let world = World::new();
    let header = "ts,event_id,item_id,category\n";
    let line = |further: &str| format!("{header}2017-01-14T10:30:00Z,1,apple,Food|{further}\n");
    for further in ["Gifts", "Books", "Toys/Wood"] {
        world.write("log.csv", line(further));
        assert_eq!(world.run("ingest log.csv").code, Some(0));
    }
    expect![[r#"
        stderr: rollup: 1 hour aggregated from 1 event, 2 rows written, 2 duplicate events ignored, 1 event id with differing contents counted once
        exit code 0
        item,units,purchases,amount
        apple,1,1,0.0000
        Books: 1
        Food: 1
    "#]].assert_eq(&format!("{}{}", world.run("rollup").whole(), world.sold()));
}

#[test]
fn an_id_with_other_contents_counts_once_and_is_reported_whatever_came_first() {
    let versions = [
        "2017-01-14T10:00:05Z,1,apple,Food/Fruit,1,9.00\n",
        "2017-01-14T10:00:05Z,1,apple,Food/Fruit,3,1.00\n",
        "2017-01-14T10:00:05Z,1,apple,Books|Gifts,3,1.00\n",
        "2017-01-14T10:00:06Z,1,apple,Food/Fruit,1,1.00\n",
    ];
    let answer = |order: [usize; 4]| {
        let world = World::new();
        for at in order {
            let header = "ts,event_id,item_id,category,quantity,amount\n";
            world.write(&format!("{at}.csv"), format!("{header}{}", versions[at]));
            assert_eq!(world.run(&format!("ingest {at}.csv")).code, Some(0));
            // A rollup in between must not settle what a later file disputes.
            assert_eq!(world.run("rollup").code, Some(0));
        }
        format!("{}{}", world.run("rollup --all").whole(), world.sold())
    };
    let first = answer([0, 1, 2, 3]);
    expect![[r#"
        stderr: rollup: 1 hour aggregated from 1 event, 0 rows written, 3 duplicate events ignored, 1 event id with differing contents counted once
        stderr: rollup: 1 hour compared with the stored aggregates; no differences
        exit code 0
        item,units,purchases,amount
        apple,1,1,9.0000
        Food: 1
        Food/Fruit: 1
    "#]].assert_eq(&first);
    assert_eq!(answer([3, 2, 1, 0]), first);
    assert_eq!(answer([2, 0, 3, 1]), first);
}

#[test]
fn without_a_lake_there_is_nothing_to_aggregate() {
    let world = World::new();
    expect![[r#"
        stderr: error: there is no lake in WORLD/data/lake
        stderr: hint: load logs with `topsell ingest FILE`, or pass another directory with --lake
        exit code 1
    "#]]
    .assert_eq(&world.run("rollup").whole());
    assert_eq!(world.files("data"), [""; 0], "asking makes no lake");
}

/// Returns the only file of a lake's aggregates, by its path in the world.
fn only_aggregate_file(world: &World, lake: &str) -> String {
    let files = world.files(&format!("{lake}/rollups"));
    let mut data = files.iter().filter(|name| name.ends_with(".parquet") && name.starts_with("event_type"));
    let only = data.next_back().expect("there are aggregates");
    assert_eq!(data.count(), 0, "{files:?}");
    format!("{lake}/rollups/{only}")
}

#[test]
fn recomputed_aggregates_are_compared_with_the_stored_ones() {
    let world = World::new();
    world.write("log.csv", day("2017-01-14", 5, 3));
    // Of the same hours, but the last, with other aggregates of one item, and without another.
    let other = day("2017-01-14", 4, 2).replace("item-1,Food/Fruit,2", "item-1,Food/Fruit,3");
    world.write("other.csv", other);
    assert_eq!(world.run("ingest log.csv").code, Some(0));
    assert_eq!(world.run("--lake other ingest other.csv").code, Some(0));
    assert_eq!(world.run("--lake other rollup").code, Some(0));
    expect![[r#"
        stderr: rollup: 5 hours aggregated from 15 events, 15 rows written
        exit code 0
    "#]]
    .assert_eq(&world.run("rollup --all").whole());
    expect![[r#"
        stderr: rollup: 5 hours aggregated from 15 events, 0 rows written
        stderr: rollup: 5 hours compared with the stored aggregates; no differences
        exit code 0
    "#]]
    .assert_eq(&world.run("rollup --all").whole());
    let sold = world.sold();
    world.run("lake prune --yes --now 2100-01-01T00:00:00Z --keep-versions 0s");
    let wrong = std::fs::read(world.path(&only_aggregate_file(&world, "other"))).expect("it is there");
    without_checksums(&world, &wrong);
    assert_ne!(world.sold(), sold, "the aggregates are wrong");
    expect![[r#"
        stderr: error: the aggregates of 5 hours are not what their events add up to, though these did not change since: 2017-01-14T00:00:00Z purchase, 2017-01-14T01:00:00Z purchase, 2017-01-14T02:00:00Z purchase, …
        stderr: hint: nothing was replaced; check the files with `topsell lake verify`, and if the events are right, pass --yes
        exit code 3
    "#]].assert_eq(&world.run("rollup --all").whole());
    assert_ne!(world.sold(), sold, "nothing was replaced");
    expect![[r#"
        stderr: rollup: 5 hours aggregated from 15 events, 15 rows written
        stderr: differing: 2017-01-14T00:00:00Z purchase: 2 rows
        stderr: differing: 2017-01-14T01:00:00Z purchase: 2 rows
        stderr: differing: 2017-01-14T02:00:00Z purchase: 2 rows
        stderr: differing: 2017-01-14T03:00:00Z purchase: 2 rows
        stderr: differing: 2017-01-14T04:00:00Z purchase: 3 rows
        stderr: rollup: 5 hours compared with the stored aggregates; 5 hours DIFFERED, in 11 rows: replaced by what the events add up to
        exit code 0
    "#]].assert_eq(&world.run("rollup --all --yes").whole());
    let count = |name: &str| {
        let counts = |run: &serde_json::Value| run["counts"][name].as_u64();
        world.records("runs").iter().filter_map(counts).max()
    };
    assert_eq!((count("differing_hours"), count("differing_rows")), (Some(5), Some(11)));
    assert_eq!(world.sold(), sold, "and are healed");
    world.run("lake prune --yes --now 2100-01-01T00:00:00Z --keep-versions 0s");
    let damaged = only_aggregate_file(&world, "data/lake");
    world.write(&damaged, "no Parquet");
    let damaged = damaged.rsplit('/').next().expect("it has a name").to_owned();
    expect![[r#"
        stderr: rollup: 5 hours aggregated from 15 events, 15 rows written
        stderr: damaged: rollups/event_type=purchase/category_group=~09/date=2017-01-14/….parquet was replaced by what the events add up to
        stderr: differing: 2017-01-14T00:00:00Z purchase: 3 rows
        stderr: differing: 2017-01-14T01:00:00Z purchase: 3 rows
        stderr: differing: 2017-01-14T02:00:00Z purchase: 3 rows
        stderr: differing: 2017-01-14T03:00:00Z purchase: 3 rows
        stderr: differing: 2017-01-14T04:00:00Z purchase: 3 rows
        stderr: rollup: 5 hours compared with the stored aggregates; 5 hours DIFFERED, in 15 rows: replaced by what the events add up to
        exit code 3
    "#]].assert_eq(&world.run("rollup --all").whole().replace(&damaged, "….parquet"));
    assert_eq!(world.sold(), sold, "what cannot be read is healed, too");
    expect![[r#"
        stderr: rollup: 5 hours aggregated from 15 events, 0 rows written, 0 files added, 0 removed
        stderr: rollup: 5 hours compared with the stored aggregates; no differences
        exit code 0
    "#]]
    .assert_eq(&world.run("rollup --all -v").whole());
}

/// Replaces the only file of aggregates by one of a version that knew no checksums.
fn without_checksums(world: &World, bytes: &[u8]) {
    let file = only_aggregate_file(world, "data/lake");
    let name = file.rsplit('/').next().expect("it has a name");
    let plain = format!("{}.parquet", name.split('-').next().expect("it has a unique part"));
    let size = std::fs::metadata(world.path(&file)).expect("it is there").len();
    std::fs::remove_file(world.path(&file)).expect("it can be removed");
    world.write(&file.replace(name, &plain), bytes);
    for commit in world.files("data/lake/rollups/_delta_log").iter().filter(|name| name.ends_with(".json")) {
        let path = format!("data/lake/rollups/_delta_log/{commit}");
        let text = std::fs::read_to_string(world.path(&path)).expect("a commit is text");
        let text = text.replace("topsell.checksum", "other").replace("topsell.previous", "another");
        let (was, is) = (format!("\"size\":{size}"), format!("\"size\":{}", bytes.len()));
        world.write(&path, text.replace(name, &plain).replace(&was, &is));
    }
}

/// The end of a log is lost, or a copy is restored, and the next commits get the numbers of others.
#[test]
fn another_commit_of_the_version_that_was_aggregated_is_aggregated() {
    let world = World::new();
    let log = |item: &str, hour: u32| {
        format!("ts,item_id,category,quantity\n2017-01-14T{hour:02}:30:00Z,{item},Food,1\n")
    };
    for (name, hour) in [("a", 1), ("b", 2), ("c", 3), ("d", 4)] {
        world.write(&format!("{name}.csv"), log(name, hour));
    }
    world.run("ingest a.csv");
    world.run("ingest b.csv");
    assert!(world.sold().contains("b,1,1,"), "{}", world.sold());
    let commit = |number: u64| format!("data/lake/events/_delta_log/{number:020}.json");
    std::fs::remove_file(world.path(&commit(2))).expect("it can be removed");
    assert_eq!(world.run("ingest c.csv").code, Some(0));
    let counted = world.run("count a b c --from 2017-01-14 --to 2017-01-15 --format csv");
    assert!(
        counted.stdout.contains("\nc,")
            && !counted.stdout.contains("\nb,2017-01-14T00:00:00Z,2017-01-15T00:00:00Z,true,1"),
        "{}",
        counted.whole()
    );
    let said = world.run("rollup --dry-run");
    assert!(said.stdout.contains("the log does not say what changed"), "{}", said.whole());
    let sold = world.sold();
    assert!(sold.contains("c,1,1,") && sold.contains("a,1,1,") && !sold.contains("b,1,1,"), "{sold}");
    assert_eq!(world.run("rollup").stderr, "rollup: up to date\n");
    world.run("ingest d.csv");
    let said = world.run("rollup --dry-run");
    assert!(said.stdout.contains("events were added"), "{}", said.whole());
}

#[test]
fn each_day_is_recomputed_once_in_as_many_days_as_there_are_shares() {
    let world = World::new();
    for date in 3..13 {
        world.write(&format!("{date}.csv"), day(&format!("2017-01-{date:02}"), 2, 3));
        assert_eq!(world.run(&format!("ingest {date}.csv")).code, Some(0));
    }
    assert_eq!(world.run("rollup").code, Some(0));
    let files = world.files("data/lake/rollups");
    let of_day = |name: &&String| name.contains("date=2017-01-06") && name.ends_with(".parquet");
    let damaged = files.iter().find(of_day).expect("the day has aggregates");
    world.write(&format!("data/lake/rollups/{damaged}"), "no Parquet");
    let (mut compared, mut found) = (0, 0);
    for day in 1..5 {
        let said = world.run(&format!("rollup --share 1/4 --now 2017-02-0{day}T03:30:00Z"));
        found += u64::from(said.code == Some(3) && said.stderr.contains(damaged));
        assert!(said.code == Some(0) || said.code == Some(3), "{}", said.whole());
        let hours = said.stderr.split("rollup: ").filter_map(|line| line.split_once(" hours compared"));
        compared += hours.filter_map(|(hours, _)| hours.parse::<u64>().ok()).sum::<u64>();
    }
    assert_eq!((compared, found), (20, 1), "each of ten days of two hours once, the damaged one too");
    assert_eq!(world.run("lake verify").code, Some(0), "and it was replaced");
}

#[test]
fn a_part_is_recomputed_and_so_is_what_changed() {
    let world = World::new();
    for date in 10..13 {
        world.write(&format!("{date}.csv"), day(&format!("2017-01-{date}"), 2, 3));
        assert_eq!(world.run(&format!("ingest {date}.csv")).code, Some(0));
    }
    assert_eq!(world.run("rollup").code, Some(0));
    world.write("late.csv", day("2017-01-10", 1, 1));
    assert_eq!(world.run("ingest late.csv").code, Some(0));
    expect![[r#"
        stderr: note: since 2017-01-12T00:00:00Z
        stderr: rollup: 3 hours aggregated from 9 events, 0 rows written, 1 duplicate event ignored
        stderr: rollup: 2 hours compared with the stored aggregates; no differences
        exit code 0
    "#]]
    .assert_eq(&world.run("rollup --since 2017-01-12").whole());
    expect![[r#"
        stderr: note: since 2017-01-13T00:00:00Z
        stderr: rollup: up to date
        exit code 0
    "#]]
    .assert_eq(&world.run("rollup --since 2017-01-13").whole());
    let said = world.run("rollup --since 7d --all");
    assert_eq!(said.code, Some(2), "{}", said.whole());
    let said = world.run("rollup --yes");
    assert_eq!(said.code, Some(2), "{}", said.whole());
}

#[test]
fn what_changed_since_the_last_rollup_is_no_difference() {
    let world = World::new();
    let log = "ts,event_id,item_id,quantity\n2017-01-14T05:30:00Z,x,b,1\n2017-01-14T07:30:00Z,y,c,1\n";
    world.write("log.csv", log);
    assert_eq!(world.run("ingest log.csv").code, Some(0));
    assert_eq!(world.run("rollup").code, Some(0));
    // The same id in an earlier hour: it counts there, and no longer where it counted.
    world.write("late.csv", "ts,event_id,item_id\n2017-01-14T03:30:00Z,x,b\n2017-01-15T00:10:00Z,z,a\n");
    assert_eq!(world.run("ingest late.csv").code, Some(0));
    expect![[r#"
        stderr: rollup: 4 hours aggregated from 3 events, 3 rows written, 1 duplicate event ignored, 1 event id with differing contents counted once
        stderr: rollup: 1 hour compared with the stored aggregates, 3 more had changed; no differences
        exit code 0
    "#]].assert_eq(&world.run("rollup --all").whole());
    expect![[r#"
        stderr: rollup: 4 hours aggregated from 3 events, 0 rows written, 1 duplicate event ignored, 1 event id with differing contents counted once
        stderr: rollup: 4 hours compared with the stored aggregates; no differences
        exit code 0
    "#]].assert_eq(&world.run("rollup --all").whole());
    // Layout is no change.
    assert_eq!(world.run("lake compact").code, Some(0));
    expect![[r#"
        stderr: rollup: 4 hours aggregated from 3 events, 0 rows written, 1 duplicate event ignored, 1 event id with differing contents counted once
        stderr: rollup: 4 hours compared with the stored aggregates; no differences
        exit code 0
    "#]].assert_eq(&world.run("rollup --all").whole());
}
