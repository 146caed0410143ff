//! `topsell show`: a published ranking in every form, and what stands in its way.

mod explain;
mod files;
mod questions;
mod tail;
mod views;

use std::process::Stdio;

use expect_test::expect;
use serde_json::Value;

use crate::world::World;

const LOG: &str = "\
ts,item_id,category,quantity,amount
2017-01-14T23:10:00Z,apple,Food/Fruit,3,1.50
2017-01-14T23:20:00Z,\"bread, \"\"dark\"\"\",Food/Bakery,2,4
2017-01-14T23:20:00Z,käse,Food/CHEESE & MORE,2,4
2017-01-14T11:00:00Z,novel,Books/Fiction|Gifts,1,9.99
2017-01-14T11:00:00Z,\u{1b}[31mred,,-1,
2017-01-14T12:00:00Z,\u{1b}[31mred,,2,
";

/// Returns a lake with a published ranking.
fn shop() -> World {
    let world = World::new();
    world.write("log.csv", LOG);
    assert_eq!(world.run("ingest log.csv").code, Some(0));
    assert_eq!(world.run("rank --window 24h --half-life 12h --min-items 1").code, Some(0));
    world
}

#[test]
fn the_help_shows_how_to_ask() {
    expect![[r#"
        stdout: Examples:
        stdout:   topsell show -n 10                          the 10 best sellers of the shop
        stdout:   topsell show Books/Fiction                  the best sellers of a category
        stdout:   topsell show Books/Fiction -o top.parquet   export them as Parquet
        stdout:   topsell show --history 1082185              how an item's rank changed over time
        stdout:   topsell show --item 1082185                 an item's rank in each of its categories
        stdout:   topsell show --categories --tree            the categories
        stdout:   topsell show --search 'white bread'         search items by name
        stdout:   topsell show Books --risers --since 7d      whose rank is better than a week ago
        stdout:   topsell show --name daily                   a ranking that was published as `daily`
        stdout:   topsell show --at yesterday                 the ranking as of the start of yesterday
        stdout: 
        stdout: Show best sellers, items and categories of the published ranking
        stdout: 
        stdout: Reads the current ranking, or an earlier one with --at, in milliseconds and without a lock. Export
        stdout: with -o FILE.
        stdout: 
        stdout: Usage: topsell show [OPTIONS] [CATEGORY]
        stdout: 
        stdout: Arguments:
        stdout:   [CATEGORY]
        stdout:           Category path, its levels separated by / [default: the whole shop]
        stdout: 
        stdout: Options:
        stdout:   -c, --category <PATH>
        stdout:           Category path, as the argument CATEGORY
        stdout: 
        stdout:       --item <ID>
        stdout:           Show an item's rank in the shop and in each of its categories, with its neighbors
        stdout: 
        stdout:       --explain
        stdout:           With --item, list the hours that make up its score
        stdout: 
        stdout:       --history <ID>
        stdout:           Show an item's rank in all rankings that are kept
        stdout: 
        stdout:       --diff <TIME> <TIME>
        stdout:           Show the changes from one ranking to another
        stdout: 
        stdout:       --movers
        stdout:           Only items whose rank changed, the largest change first
        stdout: 
        stdout:       --risers
        stdout:           Only items whose rank is better than it was
        stdout: 
        stdout:       --fallers
        stdout:           Only items whose rank is worse than it was
        stdout: 
        stdout:       --new
        stdout:           Only items that are not in the previous ranking
        stdout: 
        stdout:       --dropped
        stdout:           Only items that are in the previous ranking and not in this one
        stdout: 
        stdout:       --since <TIME>
        stdout:           Compare ranks with those of the newest ranking as of TIME or earlier; a duration is before
        stdout:           the ranking's own time [default: 1d]
        stdout: 
        stdout:       --name <NAME>
        stdout:           Name under which the ranking was published [default: default]
        stdout: 
        stdout:       --at <TIME>
        stdout:           Use the newest ranking as of TIME or earlier [default: the current ranking]
        stdout: 
        stdout:       --categories
        stdout:           List the categories and the number of items in each ranking
        stdout: 
        stdout:       --tree
        stdout:           With --categories, show them as a tree
        stdout: 
        stdout:       --search <TEXT>
        stdout:           Search items by name or id, and show their ranks
        stdout: 
        stdout:   -n, --limit <N>
        stdout:           Maximum number of rows
        stdout: 
        stdout:   -o, --output <FILE>
        stdout:           Write the answer to FILE, atomically, instead of standard output; the extension decides
        stdout:           the format: .parquet, .csv, .json, .ndjson, .md, .html or .txt
        stdout: 
        stdout:       --format <FORMAT>
        stdout:           Format of the answer [default: table on a terminal, otherwise json]
        stdout:           
        stdout:           [possible values: table, json, csv, ndjson, markdown, html, parquet]
        stdout: 
        stdout:       --json
        stdout:           Short for --format json
        stdout: 
        stdout:       --csv-safe
        stdout:           In CSV, put ' before texts that a spreadsheet would take for formulas
        stdout: 
        stdout:       --excel
        stdout:           CSV for Excel: as --csv-safe, with a byte order mark, by which it is read as UTF-8
        stdout: 
        stdout:       --width <COLUMNS>
        stdout:           Maximum width of a table, 0 for no limit [default: width of the terminal]
        stdout: 
        stdout:       --record
        stdout:           Keep a run record of this run
        stdout: 
        stdout:       --record-reads <SHARE>
        stdout:           Share of the runs of show, count and report that leave a run record: 0 (none), 1 (all) or
        stdout:           1/N, by the id of the trace
        stdout:           
        stdout:           [default: 0]
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
    "#]].assert_eq(&World::new().run("show --help").whole());
}

#[test]
fn the_shop_is_shown_as_a_table() {
    let world = shop();
    expect![[r#"
        stdout: Best sellers of the whole shop
        stdout: as of 2017-01-15T00:00:00Z, 24 hours from 2017-01-14T00:00:00Z, half-life 12 h
        stdout: rank  item           units    share  7 days   weeks  score  purchases  amount
        stdout:    1  apple              3  33.34 %  ▁▁▁▁▁▁█      1  3.000          1    1.50
        stdout:    2  bread, "dark"      2  22.22 %  ▁▁▁▁▁▁█      1  2.000          1    4.00
        stdout:    3  käse               2  22.22 %  ▁▁▁▁▁▁█      1  2.000          1    4.00
        stdout:    4  \u{1b}[31mred      1  11.11 %  ▁▁▁▁▁▁█      1  0.559          2    0.00
        stdout:    5  novel              1  11.11 %  ▁▁▁▁▁▁█      1  0.500          1    9.99
        exit code 0
    "#]]
    .assert_eq(&world.run("show --format table").whole());
    expect![[r#"
        stdout: Best sellers of Food
        stdout: as of 2017-01-15T00:00:00Z, 24 hours from 2017-01-14T00:00:00Z, half-life 12 h
        stdout: rank  item          units    share  7 days   weeks  score  purchases  amount
        stdout:    1  apple             3  42.86 %  ▁▁▁▁▁▁█      1  3.000          1    1.50
        stdout:       all 2 others      4  57.14 %                                 2    8.00
        exit code 0
    "#]]
    .assert_eq(&world.run("show --format table --limit 1 --category Food").whole());
    let bright = world.run("show --format table --limit 1 --color always").stdout;
    assert!(bright.contains("\u{1b}[1mrank"), "{bright}");
}

#[test]
fn lines_for_programs_hold_what_the_table_holds() {
    let world = shop();
    expect![[r#"
        stdout: category,rank,item_id,score,units,purchases,amount,name,movement,previous_rank,share_percent,weeks,units_by_day,units_week,window_units,window_purchases,window_amount,window_share_percent
        stdout: ,1,apple,3,3,1,1.5000,,,,33.34,1,0 0 0 0 0 0 3,3,3,1,1.5000,33.34
        stdout: ,2,"bread, ""dark""",2,2,1,4.0000,,,,22.22,1,0 0 0 0 0 0 2,2,2,1,4.0000,22.22
        stdout: ,3,käse,2,2,1,4.0000,,,,22.22,1,0 0 0 0 0 0 2,2,2,1,4.0000,22.22
        stdout: ,4,[31mred,0.5594630943592952,1,2,0.0000,,,,11.11,1,0 0 0 0 0 0 1,1,1,2,0.0000,11.11
        stdout: ,5,novel,0.5,1,1,9.9900,,,,11.11,1,0 0 0 0 0 0 1,1,1,1,9.9900,11.11
        exit code 0
    "#]]
    .assert_eq(&world.run("show --format csv").whole());
    expect![[r#"
        stdout: {"category":null,"rank":1,"item_id":"apple","score":3.0,"units":3,"purchases":1,"amount":"1.5000","movement":null,"previous_rank":null,"share_percent":33.34,"weeks":1,"units_by_day":[0,0,0,0,0,0,3],"units_week":3,"window_units":3,"window_purchases":1,"window_amount":"1.5000","window_share_percent":33.34}
        stdout: {"category":null,"rank":2,"item_id":"bread, \"dark\"","score":2.0,"units":2,"purchases":1,"amount":"4.0000","movement":null,"previous_rank":null,"share_percent":22.22,"weeks":1,"units_by_day":[0,0,0,0,0,0,2],"units_week":2,"window_units":2,"window_purchases":1,"window_amount":"4.0000","window_share_percent":22.22}
        exit code 0
    "#]].assert_eq(&world.run("show --format ndjson --limit 2").whole());
    expect![[r#"
        stdout: category,rank,item_id,score,units,purchases,amount,name,movement,previous_rank,share_percent,weeks,units_by_day,units_week,window_units,window_purchases,window_amount,window_share_percent
        stdout: Gifts,1,novel,0.5,1,1,9.9900,,,,100.00,1,0 0 0 0 0 0 1,1,1,1,9.9900,100.00
        exit code 0
    "#]]
    .assert_eq(&world.run("show --format csv --category Gifts").whole());
    expect![[r#"
        stdout: {"category":"Gifts","rank":1,"item_id":"novel","score":0.5,"units":1,"purchases":1,"amount":"9.9900","movement":null,"previous_rank":null,"share_percent":100.0,"weeks":1,"units_by_day":[0,0,0,0,0,0,1],"units_week":1,"window_units":1,"window_purchases":1,"window_amount":"9.9900","window_share_percent":100.0}
        exit code 0
    "#]].assert_eq(&world.run("show --format ndjson --category Gifts").whole());
}

#[test]
fn json_has_exactly_the_promised_keys() {
    let world = shop();
    expect![[r#"
        stdout: {"schema":1,"category":null,"as_of":"2017-01-15T00:00:00Z","window_from":"2017-01-14T00:00:00Z","window_to":"2017-01-15T00:00:00Z","half_life_hours":12.0,"window_hours":24,"by":"units","previous_as_of":null,"time_zone":"UTC","days_from":["2017-01-08T00:00:00Z","2017-01-09T00:00:00Z","2017-01-10T00:00:00Z","2017-01-11T00:00:00Z","2017-01-12T00:00:00Z","2017-01-13T00:00:00Z","2017-01-14T00:00:00Z"],"eligible_items":5,"total":{"units":9,"purchases":6,"amount":"19.4900"},"others":{"items":4,"units":6,"purchases":5,"amount":"17.9900","share_percent":66.66},"ranking_window_hours":24,"is_extended":false,"window_total":{"units":9,"purchases":6,"amount":"19.4900"},"window_others":{"units":6,"purchases":5,"amount":"17.9900","share_percent":66.66},"items":[{"rank":1,"item_id":"apple","score":3.0,"units":3,"purchases":1,"amount":"1.5000","movement":null,"previous_rank":null,"share_percent":33.34,"weeks":1,"units_by_day":[0,0,0,0,0,0,3],"units_week":3,"window_units":3,"window_purchases":1,"window_amount":"1.5000","window_share_percent":33.34}]}
        exit code 0
    "#]].assert_eq(&world.run("show --limit 1").whole());
    expect![[r#"
        stdout: {"schema":1,"category":"Books/Fiction","as_of":"2017-01-15T00:00:00Z","window_from":"2017-01-14T00:00:00Z","window_to":"2017-01-15T00:00:00Z","half_life_hours":12.0,"window_hours":24,"by":"units","previous_as_of":null,"time_zone":"UTC","days_from":["2017-01-08T00:00:00Z","2017-01-09T00:00:00Z","2017-01-10T00:00:00Z","2017-01-11T00:00:00Z","2017-01-12T00:00:00Z","2017-01-13T00:00:00Z","2017-01-14T00:00:00Z"],"eligible_items":1,"total":{"units":1,"purchases":1,"amount":"9.9900"},"others":null,"ranking_window_hours":24,"is_extended":false,"window_total":{"units":1,"purchases":1,"amount":"9.9900"},"window_others":null,"items":[{"rank":1,"item_id":"novel","score":0.5,"units":1,"purchases":1,"amount":"9.9900","movement":null,"previous_rank":null,"share_percent":100.0,"weeks":1,"units_by_day":[0,0,0,0,0,0,1],"units_week":1,"window_units":1,"window_purchases":1,"window_amount":"9.9900","window_share_percent":100.0}]}
        exit code 0
    "#]].assert_eq(&world.run("show --format json --limit 1 --category Books/Fiction").whole());
    assert_eq!(world.run("rank --promote --no-decay --min-items 1").code, Some(0));
    let answer: Value = serde_json::from_str(&world.run("show").stdout).expect("the answer is JSON");
    let keys = |of: &Value| of.as_object().expect("it is an object").keys().cloned().collect::<Vec<_>>();
    let mut expected =
        vec!["schema", "category", "as_of", "window_from", "window_to", "half_life_hours", "items"];
    expected.extend(["window_hours", "by", "previous_as_of", "time_zone"]);
    expected.extend(["days_from", "eligible_items", "total", "others"]);
    expected.extend(["ranking_window_hours", "is_extended", "window_total", "window_others"]);
    expected.sort_unstable();
    assert_eq!(keys(&answer), expected);
    let items = answer["items"].as_array().expect("items are an array");
    let mut expected = vec!["rank", "item_id", "score", "units", "purchases", "amount"];
    expected.extend(["movement", "previous_rank", "share_percent", "weeks", "units_by_day", "units_week"]);
    expected.extend(["window_units", "window_purchases", "window_amount", "window_share_percent"]);
    expected.sort_unstable();
    for item in items {
        assert_eq!(keys(item), expected, "none has a name");
        assert!(item["amount"].is_string() && item["score"].is_number(), "{item}");
    }
    assert!(answer["category"].is_null() && answer["half_life_hours"].is_null());
    assert_eq!(items.len(), 5);
}

#[test]
fn the_categories_are_listed_with_what_they_rank() {
    let world = shop();
    expect![[r#"
        stdout: Categories
        stdout: as of 2017-01-15T00:00:00Z, units of 24 h
        stdout: category            ranked  items  units  purchases  amount           window from  units (extended)             window to
        stdout: (the whole shop)         5      5      9          6   19.49  2017-01-14T00:00:00Z                 9  2017-01-15T00:00:00Z
        stdout: Books                    1      1      1          1    9.99  2017-01-14T00:00:00Z                 1  2017-01-15T00:00:00Z
        stdout: Books/Fiction            1      1      1          1    9.99  2017-01-14T00:00:00Z                 1  2017-01-15T00:00:00Z
        stdout: Food                     3      3      7          3    9.50  2017-01-14T00:00:00Z                 7  2017-01-15T00:00:00Z
        stdout: Food/Bakery              1      1      2          1    4.00  2017-01-14T00:00:00Z                 2  2017-01-15T00:00:00Z
        stdout: Food/CHEESE & MORE       1      1      2          1    4.00  2017-01-14T00:00:00Z                 2  2017-01-15T00:00:00Z
        stdout: Food/Fruit               1      1      3          1    1.50  2017-01-14T00:00:00Z                 3  2017-01-15T00:00:00Z
        stdout: Gifts                    1      1      1          1    9.99  2017-01-14T00:00:00Z                 1  2017-01-15T00:00:00Z
        exit code 0
    "#]]
    .assert_eq(&world.run("show --categories --format table").whole());
    expect![[r#"
        stdout: {"schema":1,"as_of":"2017-01-15T00:00:00Z","ranking_window_hours":24,"categories":[{"category":null,"items":5,"eligible_items":5,"window_from":"2017-01-14T00:00:00Z","window_to":"2017-01-15T00:00:00Z","depth":0,"units":9,"purchases":6,"amount":"19.4900","window_units":9,"window_purchases":6,"window_amount":"19.4900","is_extended":false},{"category":"Books","items":1,"eligible_items":1,"window_from":"2017-01-14T00:00:00Z","window_to":"2017-01-15T00:00:00Z","depth":1,"units":1,"purchases":1,"amount":"9.9900","window_units":1,"window_purchases":1,"window_amount":"9.9900","is_extended":false}]}
        exit code 0
    "#]].assert_eq(&world.run("show --categories --limit 2").whole());
    expect![[r#"
        stdout: category,items,eligible_items,window_from,window_to,depth,units,purchases,amount,window_units,window_purchases,window_amount,is_extended
        stdout: ,5,5,2017-01-14T00:00:00Z,2017-01-15T00:00:00Z,0,9,6,19.4900,9,6,19.4900,false
        stdout: Books,1,1,2017-01-14T00:00:00Z,2017-01-15T00:00:00Z,1,1,1,9.9900,1,1,9.9900,false
        stdout: Books/Fiction,1,1,2017-01-14T00:00:00Z,2017-01-15T00:00:00Z,2,1,1,9.9900,1,1,9.9900,false
        exit code 0
    "#]]
    .assert_eq(&world.run("show --categories --format csv --limit 3").whole());
    expect![[r#"
        stdout: {"category":null,"items":5,"eligible_items":5,"window_from":"2017-01-14T00:00:00Z","window_to":"2017-01-15T00:00:00Z","depth":0,"units":9,"purchases":6,"amount":"19.4900","window_units":9,"window_purchases":6,"window_amount":"19.4900","is_extended":false}
        stdout: {"category":"Books","items":1,"eligible_items":1,"window_from":"2017-01-14T00:00:00Z","window_to":"2017-01-15T00:00:00Z","depth":1,"units":1,"purchases":1,"amount":"9.9900","window_units":1,"window_purchases":1,"window_amount":"9.9900","is_extended":false}
        stdout: {"category":"Books/Fiction","items":1,"eligible_items":1,"window_from":"2017-01-14T00:00:00Z","window_to":"2017-01-15T00:00:00Z","depth":2,"units":1,"purchases":1,"amount":"9.9900","window_units":1,"window_purchases":1,"window_amount":"9.9900","is_extended":false}
        exit code 0
    "#]].assert_eq(&world.run("show --categories --format ndjson --limit 3").whole());
    assert_eq!(world.run("show --categories --category Food").code, Some(2));
}

#[test]
fn an_unknown_category_is_answered_with_the_nearest_names() {
    let world = shop();
    let ask = |category: &str| world.run_with(&["show", "--category", category], b"").whole();
    expect![[r#"
        stderr: error: there is no ranking of `food/fruits`
        stderr: hint: did you mean `Food/Fruit`?
        exit code 5
    "#]]
    .assert_eq(&ask("food/fruits"));
    expect![[r#"
        stderr: error: there is no ranking of `cheese & more`
        stderr: hint: did you mean `Food/CHEESE & MORE`?
        exit code 5
    "#]]
    .assert_eq(&ask("cheese & more"));
    expect![[r#"
        stderr: error: there is no ranking of `Garden`
        stderr: hint: list the categories with `topsell show --categories`
        exit code 5
    "#]]
    .assert_eq(&ask("Garden"));
    expect![[r#"
        stderr: error: --category `Food//Fruit` has an empty level; write levels from the top, as in Books/Fiction
        exit code 2
    "#]].assert_eq(&ask("Food//Fruit"));
    expect![[r#"
        stderr: error: --category `50% off` has a `%` that is not part of %25, %2F or %7C; write a plain `%` as %25
        exit code 2
    "#]].assert_eq(&ask("50% off"));
}

#[test]
fn before_the_first_ranking_there_is_nothing_to_show() {
    let world = World::new();
    expect![[r#"
        stderr: error: there is no lake in WORLD/data/lake
        stderr: hint: load logs with `topsell ingest FILE`, or pass another directory with --lake
        exit code 1
    "#]]
    .assert_eq(&world.run("show").whole());
    assert_eq!(world.files("data"), [""; 0], "asking makes no lake");
    world.write("log.csv", LOG);
    world.run("ingest log.csv");
    expect![[r#"
        stderr: error: there is no ranking in this lake yet
        stderr: hint: publish one with `topsell rank`
        exit code 5
    "#]]
    .assert_eq(&world.run("show --categories").whole());
}

/// Changes the published file, shows it, and changes it back.
fn shown_after(world: &World, name: &str, change: impl Fn(&mut Vec<u8>)) -> String {
    let path = world.path("data/lake/rankings").join(name);
    let good = std::fs::read(&path).expect("the ranking was published");
    let mut bad = good.clone();
    change(&mut bad);
    std::fs::write(&path, bad).expect("the file can be changed");
    let said = world.run("show --limit 1");
    std::fs::write(&path, good).expect("the file can be changed back");
    let snapshot = world.files("data/lake/rankings").swap_remove(1);
    said.whole().replace(&snapshot, "2017-01-15T00Z-….parquet")
}

#[test]
fn a_damaged_ranking_is_told_and_not_shown() {
    let world = shop();
    let files = world.files("data/lake/rankings");
    let [beside, snapshot, pointer] = files.as_slice() else { panic!("one snapshot: {files:?}") };
    assert_eq!(
        (pointer.as_str(), beside.strip_suffix(".json")),
        ("current.json", snapshot.strip_suffix(".parquet"))
    );
    expect![[r#"
        stderr: error: rankings/2017-01-15T00Z-….parquet is damaged: its bytes are not those that were published
        stderr: hint: publish a new ranking with `topsell rank`
        exit code 3
    "#]].assert_eq(&shown_after(&world, snapshot, |bytes| bytes[100] ^= 1));
    let truncated = shown_after(&world, snapshot, |bytes| bytes.truncate(50));
    assert!(truncated.ends_with("exit code 3\n"), "{truncated}");
    expect![[r#"
        stderr: error: rankings/current.json is damaged: EOF while parsing a string at line 1 column 30
        stderr: hint: publish a new ranking with `topsell rank`
        exit code 3
    "#]]
    .assert_eq(&shown_after(&world, pointer, |bytes| bytes.truncate(30)));
    let elsewhere = |bytes: &mut Vec<u8>| {
        let text = String::from_utf8_lossy(bytes).replace("\"file\":\"", "\"file\":\"//../");
        // As a pointer of an older version has none.
        let text = text.replace("\"checksum\"", "\"none\"");
        *bytes = text.into_bytes();
    };
    expect![[r#"
        stderr: error: rankings/current.json is damaged: it names `//../2017-01-15T00Z-….parquet`, which is not a ranking
        stderr: hint: publish a new ranking with `topsell rank`
        exit code 3
    "#]].assert_eq(&shown_after(&world, pointer, elsewhere));
    let newer = |bytes: &mut Vec<u8>| {
        let text = String::from_utf8_lossy(bytes).replace("\"schema\":1", "\"schema\":2");
        *bytes = text.into_bytes();
    };
    expect![[r#"
        stderr: error: rankings/current.json is damaged: its bytes do not have the checksum with which they were written
        stderr: hint: publish a new ranking with `topsell rank`
        exit code 3
    "#]]
    .assert_eq(&shown_after(&world, pointer, newer));
    std::fs::remove_file(world.path("data/lake/rankings").join(snapshot)).expect("it can be removed");
    let said = world.run("show").whole().replace(snapshot, "2017-01-15T00Z-….parquet");
    expect![[r#"
        stderr: error: rankings/current.json is damaged: it names rankings/2017-01-15T00Z-….parquet, which does not exist
        stderr: hint: publish a new ranking with `topsell rank`
        exit code 3
    "#]].assert_eq(&said);
    assert_eq!(world.run("rank --window 24h").code, Some(0), "ranking anew mends it");
    assert_eq!(world.run("show").code, Some(0));
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    let world = shop();
    for arguments in ["show", "show --format csv", "show --categories --format table", "show --help"] {
        let (reader, writer) = std::io::pipe().expect("a pipe can be made");
        drop(reader);
        let arguments: Vec<&str> = arguments.split(' ').collect();
        let mut command = world.command(&arguments);
        let output = command.stdout(writer).stdin(Stdio::null()).stderr(Stdio::piped()).output();
        let output = output.expect("the program starts");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!((stderr.as_ref(), output.status.code()), ("", Some(0)), "{arguments:?}");
    }
}
