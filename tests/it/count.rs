//! `topsell count`: what single items have sold, up to this moment.

use expect_test::expect;
use serde_json::Value;
use topsell_core::counts;
use topsell_core::counts::CountQuery;
use topsell_core::delta::{NamedFile, Partition};
use topsell_core::lake::{Lake, events_log};
use topsell_core::model::{EventTypes, Timestamp};
use topsell_core::storage::Store;

use crate::world::{World, fields_of};

const LOG: &str = "\
ts,item_id,category,quantity,amount
2017-01-13T23:59:59Z,apple,Food/Fruit,7,7
2017-01-14T11:00:00Z,apple,Food/Fruit|Gifts,3,1.50
2017-01-14T23:10:00Z,apple,Food/Fruit,3,1.50
2017-01-14T23:20:00Z,apple,Food/Fruit,-1,-0.50
2017-01-14T23:20:00Z,\"bread, \"\"dark\"\"\",Food/Bakery,2,4
2017-01-14T11:00:00Z,\u{1b}[31mred,,-1,
2017-01-14T12:00:00Z,\u{1b}[31mred,,1,3
";

/// A lake of which nothing is aggregated yet.
fn shop() -> World {
    let world = World::new();
    world.write("log.csv", LOG);
    assert_eq!(world.run("ingest log.csv").code, Some(0));
    world
}

fn json(world: &World, arguments: &str) -> Value {
    let said = world.run(arguments);
    assert_eq!(said.code, Some(0), "{}", said.whole());
    serde_json::from_str(&said.stdout).expect("an answer is JSON")
}

fn units(world: &World, arguments: &str) -> i64 {
    json(world, arguments)["items"][0]["units"].as_i64().expect("units are a number")
}

#[test]
fn the_help_shows_how_to_ask() {
    expect![[r#"
        stdout: Examples:
        stdout:   topsell count 1082185                             the last 24 hours
        stdout:   topsell count 1082185 --last 24h --by hour        the last 24 hours, hour by hour
        stdout:   topsell count 1082185 --last 7d --by day --tz Europe/Berlin
        stdout:   topsell count 1082185 --from 2017-01-01 --to 2017-01-08
        stdout:   topsell count 1082185 --last 24h --at 2017-01-08T13:05:00Z
        stdout:   topsell count 1082185 --last 10min                the last ten minutes
        stdout:   topsell count 1082185 --from 2017-01-08T13:05:00.25Z --to 2017-01-08T14:10:00Z --exact-times
        stdout:   topsell count 1082185 --event-type view --stat count
        stdout:   topsell count --last 7d --by day                  the whole shop, day by day
        stdout:   topsell count -c GROCERY --last 7d --top 10       a category, and its 10 best sellers
        stdout:   topsell count -c GROCERY --format csv - < items.txt
        stdout: 
        stdout: Count the sales of items, of a category or of the shop, up to now
        stdout: 
        stdout: Without items, all items are counted together. Includes events that are not rolled up yet, and the
        stdout: current hour.
        stdout: 
        stdout: Usage: topsell count [OPTIONS] [ITEM|-]...
        stdout: 
        stdout: Arguments:
        stdout:   [ITEM|-]...
        stdout:           Items to count, or - to read them from standard input, one per line [default: all items
        stdout:           together]
        stdout: 
        stdout: Options:
        stdout:       --last <DURATION>
        stdout:           Count the last hours or minutes, including the current one [default: 24h, without --from]
        stdout: 
        stdout:       --from <TIME>
        stdout:           Start of the time range
        stdout: 
        stdout:       --to <TIME>
        stdout:           End of the time range, exclusive; with --from or --last [default: the end of the current
        stdout:           hour]
        stdout: 
        stdout:       --at <TIME>
        stdout:           Use TIME as the current time: count the hours up to then
        stdout: 
        stdout:       --exact-times
        stdout:           Count to the microsecond, instead of whole hours or minutes
        stdout: 
        stdout:       --by <GROUP>
        stdout:           Group by
        stdout:           
        stdout:           [possible values: hour, day, weekday]
        stdout: 
        stdout:       --tz <ZONE>
        stdout:           Time zone for day boundaries
        stdout:           
        stdout:           [default: UTC]
        stdout: 
        stdout:       --event-type <TYPE>
        stdout:           Event types to include; can be repeated
        stdout:           
        stdout:           [default: purchase]
        stdout: 
        stdout:       --subtract <TYPE>
        stdout:           Event types whose units and amounts are subtracted, such as refund,cancel; can be repeated
        stdout: 
        stdout:   -c, --category <PATH>
        stdout:           Category path; counts only sales in this category or below it
        stdout: 
        stdout:       --top <N>
        stdout:           Without items, also list the N items that sold most units
        stdout: 
        stdout:       --stat <STATISTIC>
        stdout:           Show only these statistics of the quantities; can be repeated
        stdout: 
        stdout:           Possible values:
        stdout:           - count: Number of events
        stdout:           - sum:   Sum of the quantities
        stdout:           - mean:  Sum divided by count
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
        stdout: Counts whole UTC hours: --last 24h is the current hour and the 23 before it; --from is rounded
        stdout: down and --to up to a full hour. --last 10min counts whole minutes: the current minute and the 9
        stdout: before it. With --exact-times, an event counts if its time is at --from or later and before --to
        stdout: (default: now), to the microsecond; --last 10min are then the ten minutes before now. An hour
        stdout: belongs to the day in which it begins. Items without sales count 0.
        stdout: 
        stdout: TIME is a date (2017-01-10, the start of that day in --tz), RFC 3339 (2017-01-07T13:05:00Z),
        stdout: an epoch number, `now`, `today`, `yesterday`, or a duration before now (7d).
        exit code 0
    "#]].assert_eq(&World::new().run("count --help").whole());
}

#[test]
fn an_item_is_counted_over_the_last_day_and_the_hour_that_is_still_filling() {
    let world = shop();
    let table = "count apple --format table --now 2017-01-14T23:30:00Z";
    expect![[r#"
        stdout: Counts in the whole shop, 2017-01-14T00:00:00Z to 2017-01-15T00:00:00Z, the last hour still filling
        stdout: item   purchases  units  amount  average
        stdout: apple          3      5    2.50     0.50
        exit code 0
    "#]].assert_eq(&world.run(table).whole());
    let before = world.run(table).whole();
    assert_eq!(world.run("rollup").code, Some(0));
    assert_eq!(world.run(table).whole(), before);
    expect![[r#"
        stdout: {"schema":1,"hours_from":"2017-01-14T00:00:00Z","hours_to":"2017-01-15T00:00:00Z","is_filling":true,"event_types":["purchase"],"category":null,"items":[{"item_id":"apple","purchases":3,"units":5,"amount":"2.5000","average":"0.5000"},{"item_id":"nobody's","purchases":0,"units":0,"amount":"0.0000","average":null}]}
        exit code 0
    "#]].assert_eq(&world.run("count apple nobody's --now 2017-01-14T23:30:00Z").whole());
}

#[test]
fn each_hour_day_or_weekday_is_counted_by_itself_in_every_form() {
    let world = shop();
    for (arguments, expected) in [
        (
            "count apple --last 2h --by hour --format table",
            expect![[r#"
                stdout: Counts of apple in the whole shop, 2017-01-14T22:00:00Z to 2017-01-15T00:00:00Z, the last hour still filling
                stdout: hour                  purchases  units  amount  average
                stdout: 2017-01-14T22:00:00Z          0      0    0.00        -
                stdout: 2017-01-14T23:00:00Z          2      2    1.00     0.50
                exit code 0
            "#]],
        ),
        (
            "count apple --last 2h --by hour --format json",
            expect![[r#"
            stdout: {"schema":1,"hours_from":"2017-01-14T22:00:00Z","hours_to":"2017-01-15T00:00:00Z","is_filling":true,"event_types":["purchase"],"category":null,"time_zone":"UTC","items":[{"item_id":"apple","purchases":2,"units":2,"amount":"1.0000","average":"0.5000","by":[{"hour":"2017-01-14T22:00:00Z","hours":1,"purchases":0,"units":0,"amount":"0.0000","average":null},{"hour":"2017-01-14T23:00:00Z","hours":1,"purchases":2,"units":2,"amount":"1.0000","average":"0.5000"}]}]}
            exit code 0
        "#]],
        ),
        (
            "count apple --last 2d --by day --format ndjson",
            expect![[r#"
            stdout: {"item_id":"apple","day":"2017-01-13","hours":24,"hours_from":"2017-01-13T00:00:00Z","hours_to":"2017-01-14T00:00:00Z","is_filling":false,"purchases":1,"units":7,"amount":"7.0000","average":"1.0000"}
            stdout: {"item_id":"apple","day":"2017-01-14","hours":24,"hours_from":"2017-01-14T00:00:00Z","hours_to":"2017-01-15T00:00:00Z","is_filling":true,"purchases":3,"units":5,"amount":"2.5000","average":"0.5000"}
            exit code 0
        "#]],
        ),
        (
            "count apple --last 8d --by weekday --format csv",
            expect![[r#"
                stdout: item_id,weekday,hours,hours_from,hours_to,is_filling,purchases,units,amount,average
                stdout: apple,Monday,24,2017-01-07T00:00:00Z,2017-01-15T00:00:00Z,false,0,0,0.0000,
                stdout: apple,Tuesday,24,2017-01-07T00:00:00Z,2017-01-15T00:00:00Z,false,0,0,0.0000,
                stdout: apple,Wednesday,24,2017-01-07T00:00:00Z,2017-01-15T00:00:00Z,false,0,0,0.0000,
                stdout: apple,Thursday,24,2017-01-07T00:00:00Z,2017-01-15T00:00:00Z,false,0,0,0.0000,
                stdout: apple,Friday,24,2017-01-07T00:00:00Z,2017-01-15T00:00:00Z,false,1,7,7.0000,1.0000
                stdout: apple,Saturday,48,2017-01-07T00:00:00Z,2017-01-15T00:00:00Z,true,3,5,2.5000,0.5000
                stdout: apple,Sunday,24,2017-01-07T00:00:00Z,2017-01-15T00:00:00Z,false,0,0,0.0000,
                exit code 0
            "#]],
        ),
        (
            "count apple nobody's --last 3d --by day --format table --category Gifts",
            expect![[r#"
                stdout: Counts in Gifts, 2017-01-12T00:00:00Z to 2017-01-15T00:00:00Z, the last hour still filling
                stdout: item      day         hours  purchases  units  amount  average
                stdout: apple     2017-01-12     24          0      0    0.00        -
                stdout: apple     2017-01-13     24          0      0    0.00        -
                stdout: apple     2017-01-14     24          1      3    1.50     0.50
                stdout: nobody's  2017-01-12     24          0      0    0.00        -
                stdout: nobody's  2017-01-13     24          0      0    0.00        -
                stdout: nobody's  2017-01-14     24          0      0    0.00        -
                exit code 0
            "#]],
        ),
        (
            "count apple --last 1h --format csv --event-type view",
            expect![[r#"
                stdout: item_id,hours_from,hours_to,is_filling,purchases,units,amount,average
                stdout: apple,2017-01-14T23:00:00Z,2017-01-15T00:00:00Z,true,0,0,0.0000,
                stderr: note: the lake has no such events at any time
                exit code 0
            "#]],
        ),
    ] {
        expected.assert_eq(&world.run(&format!("{arguments} --now 2017-01-14T23:30:00Z")).whole());
    }
}

#[test]
fn many_items_come_by_standard_input_and_odd_ones_do_no_harm() {
    let world = shop();
    let items = "apple\nbread, \"dark\"\r\n\n\u{1b}[31mred\napple\nnobody's\n";
    let ask = |arguments: &str| {
        let arguments = format!("count {arguments} --last 26h");
        world.run_with(&arguments.split(' ').collect::<Vec<_>>(), items.as_bytes()).whole()
    };
    expect![[r#"
        stdout: Counts in the whole shop, 2017-01-13T23:00:00Z to 2017-01-15T01:00:00Z, the last hour still filling
        stdout: item           purchases  units  amount  average
        stdout: apple                  4     12    9.50   0.7917
        stdout: bread, "dark"          1      2    4.00   2.0000
        stdout: \u{1b}[31mred          2      0    3.00        -
        stdout: nobody's               0      0    0.00        -
        exit code 0
    "#]].assert_eq(&ask("- --format table"));
    expect![[r#"
        stdout: item_id,hours_from,hours_to,is_filling,purchases,units,amount,average
        stdout: apple,2017-01-13T23:00:00Z,2017-01-15T01:00:00Z,true,4,12,9.5000,0.7917
        stdout: "bread, ""dark""",2017-01-13T23:00:00Z,2017-01-15T01:00:00Z,true,1,2,4.0000,2.0000
        stdout: [31mred,2017-01-13T23:00:00Z,2017-01-15T01:00:00Z,true,2,0,3.0000,
        stdout: nobody's,2017-01-13T23:00:00Z,2017-01-15T01:00:00Z,true,0,0,0.0000,
        exit code 0
    "#]]
    .assert_eq(&ask("- --format csv"));
    expect![[r#"
        stdout: {"item_id":"nobody's","hours_from":"2017-01-13T23:00:00Z","hours_to":"2017-01-15T01:00:00Z","is_filling":true,"purchases":0,"units":0,"amount":"0.0000","average":null}
        stdout: {"item_id":"apple","hours_from":"2017-01-13T23:00:00Z","hours_to":"2017-01-15T01:00:00Z","is_filling":true,"purchases":4,"units":12,"amount":"9.5000","average":"0.7917"}
        stdout: {"item_id":"bread, \"dark\"","hours_from":"2017-01-13T23:00:00Z","hours_to":"2017-01-15T01:00:00Z","is_filling":true,"purchases":1,"units":2,"amount":"4.0000","average":"2.0000"}
        stdout: {"item_id":"\u001b[31mred","hours_from":"2017-01-13T23:00:00Z","hours_to":"2017-01-15T01:00:00Z","is_filling":true,"purchases":0,"units":0,"amount":"0.0000","average":null}
        exit code 0
    "#]].assert_eq(&ask("nobody's - --format ndjson --category Food"));
    expect![[r#"
        stderr: error: standard input, line 2: is no UTF-8 text
        exit code 1
    "#]]
    .assert_eq(&world.run_with(&["count", "-"], b"apple\n\xff\n").whole());
    expect![[r#"
        stdout: {"schema":1,"hours_from":"2017-01-14T01:00:00Z","hours_to":"2017-01-15T01:00:00Z","is_filling":true,"event_types":["purchase"],"category":null,"items":[]}
        exit code 0
    "#]].assert_eq(&world.run_with(&["count", "-"], b"").whole());
}

#[test]
fn more_items_than_are_counted_together_are_one_answer() {
    let world = shop();
    let mut items: Vec<String> = (0..25_000).map(|number| format!("item{number}")).collect();
    items[10_001] = "apple".to_owned();
    let stdin = items.join("\n");
    let ask = |format: &str| {
        let arguments = format!("count first - --last 26h --format {format}");
        let said = world.run_with(&arguments.split(' ').collect::<Vec<_>>(), stdin.as_bytes());
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        said.stdout
    };
    let (csv, ndjson) = (ask("csv"), ask("ndjson"));
    let whole: Value = serde_json::from_str(&ask("json")).expect("it is JSON");
    let whole = whole["items"].as_array().expect("it has items");
    assert_eq!(csv.lines().count(), items.len() + 2);
    let rows = csv.lines().skip(1).zip(ndjson.lines());
    for ((csv, ndjson), item) in rows.zip(whole) {
        let row: Value = serde_json::from_str(ndjson).expect("it is JSON");
        let id = item["item_id"].as_str().expect("it is a text");
        assert!(row["item_id"] == item["item_id"] && row["units"] == item["units"], "{row} {item}");
        assert!(
            csv.starts_with(&format!("{id},")) && csv.contains(&format!(",{},", item["units"])),
            "{csv} {item}"
        );
    }
}

#[test]
fn what_makes_no_sense_is_said_and_hours_are_whole() {
    let world = shop();
    for (arguments, expected) in [
        (
            "count apple --last 90m",
            expect![[r#"
                stderr: error: --last: `90m`: m may be minutes or months; write min for minutes, and months in days, such as 30d
                exit code 2
            "#]],
        ),
        (
            "count apple --last 50a",
            expect![[r#"
                stderr: error: --last: `50a` is not a duration; pass a whole number and a unit (s, min, h, d, w, y), such as 24h, 7d or 10min
                exit code 2
            "#]],
        ),
        (
            "count apple --last 9000d --now 0010-01-01T00:00:00Z",
            expect![[r#"
                stderr: error: --last: the time range begins before the year 1
                exit code 2
            "#]],
        ),
        (
            "count apple --last 2h --from 2017-01-14T00:00:00Z",
            expect![[r#"
                stderr: error: the argument '--last <DURATION>' cannot be used with '--from <TIME>'
                stderr: 
                stderr: Usage: topsell count --last <DURATION> <ITEM|->...
                stderr: 
                stderr: For more information, try '--help'.
                exit code 2
            "#]],
        ),
        (
            "count apple --to 2017-01-14T00:00:00Z",
            expect![[r#"
                stderr: error: --to needs --from or --last
                exit code 2
            "#]],
        ),
        (
            "count apple --from someday",
            expect![[r#"
                stderr: error: --from `someday` is not a time; write a date (2017-01-10), RFC 3339 (2017-01-07T13:05:00Z), an epoch number, now, today, yesterday, or a duration before now (7d)
                exit code 2
            "#]],
        ),
        (
            "count apple --from 2017-01-16T00:00:00Z",
            expect![[r#"
                stderr: error: --from 2017-01-16T00:00:00Z is not before --to 2017-01-15T00:00:00Z
                exit code 2
            "#]],
        ),
        (
            "count apple --from 1800-01-01T00:00:00Z",
            expect![[r#"
                stderr: error: --from and --to are more than 100 years apart
                exit code 2
            "#]],
        ),
        (
            "count apple --tz Mars/Olympus",
            expect![[r#"
            stderr: error: --tz: `Mars/Olympus` is not a time zone; pass a name such as Europe/Berlin, or UTC
            exit code 2
        "#]],
        ),
        (
            "count apple --category Food//Fruit",
            expect![[r#"
            stderr: error: --category `Food//Fruit` has an empty level; write levels from the top, as in Books/Fiction
            exit code 2
        "#]],
        ),
        (
            "count apple --from 2017-01-14T11:30:00+00:30 --to 2017-01-14T11:20:00Z",
            expect![[r#"
            stdout: {"schema":1,"hours_from":"2017-01-14T11:00:00Z","hours_to":"2017-01-14T12:00:00Z","is_filling":false,"event_types":["purchase"],"category":null,"items":[{"item_id":"apple","purchases":1,"units":3,"amount":"1.5000","average":"0.5000"}]}
            stderr: note: counted in whole hours, from 2017-01-14T11:00:00Z to 2017-01-14T12:00:00Z
            exit code 0
        "#]],
        ),
        (
            "--lake nowhere count apple",
            expect![[r#"
                stderr: error: there is no lake in WORLD/nowhere
                stderr: hint: load logs with `topsell ingest FILE`, or pass another directory with --lake
                exit code 1
            "#]],
        ),
    ] {
        expected.assert_eq(&world.run(arguments).whole());
    }
}

/// In spring a day has 23 hours and in autumn 25, and the sales of each hour are in one of them.
#[test]
fn days_and_weekdays_are_those_of_the_clocks_where_they_change() {
    let world = World::new();
    let mut log = "ts,item_id,quantity\n".to_owned();
    let (spring, autumn) = (1_490_313_600, 1_509_062_400);
    for begins in [spring, autumn] {
        // Four days from 2017-03-24 and 2017-10-27, a unit more with every hour.
        (0..96).for_each(|hour| log.push_str(&format!("{},a,{}\n", begins + hour * 3_600, hour + 1)));
    }
    world.write("log.csv", log);
    assert_eq!(world.run("ingest log.csv --now 2017-12-01T00:00:00Z").code, Some(0));
    let days = |from: &str, to: &str| {
        format!(
            "count a --tz europe/berlin --format table --from {from} --to {to} --now 2017-12-01T00:00:00Z"
        )
    };
    let spring = days("2017-03-25T00:00:00+01:00", "2017-03-28T00:00:00+02:00");
    let autumn = days("2017-10-28T00:00:00+02:00", "2017-10-31T00:00:00+01:00");
    for (arguments, expected) in [
        (
            format!("{spring} --by day"),
            expect![[r#"
                stdout: Counts of a in the whole shop, 2017-03-25T00:00:00+01:00 to 2017-03-28T00:00:00+02:00
                stdout: day         hours  purchases  units  amount  average
                stdout: 2017-03-25     24         24    852    0.00     0.00
                stdout: 2017-03-26     23         23  1,357    0.00     0.00
                stdout: 2017-03-27     24         24  1,980    0.00     0.00
                exit code 0
            "#]],
        ),
        (
            format!("{spring} --by weekday"),
            expect![[r#"
                stdout: Counts of a in the whole shop, 2017-03-25T00:00:00+01:00 to 2017-03-28T00:00:00+02:00
                stdout: weekday    hours  purchases  units  amount  average
                stdout: Monday        24         24  1,980    0.00     0.00
                stdout: Tuesday        0          0      0    0.00        -
                stdout: Wednesday      0          0      0    0.00        -
                stdout: Thursday       0          0      0    0.00        -
                stdout: Friday         0          0      0    0.00        -
                stdout: Saturday      24         24    852    0.00     0.00
                stdout: Sunday        23         23  1,357    0.00     0.00
                exit code 0
            "#]],
        ),
        (
            format!("{autumn} --by day"),
            expect![[r#"
                stdout: Counts of a in the whole shop, 2017-10-28T00:00:00+02:00 to 2017-10-31T00:00:00+01:00
                stdout: day         hours  purchases  units  amount  average
                stdout: 2017-10-28     24         24    828    0.00     0.00
                stdout: 2017-10-29     25         25  1,475    0.00     0.00
                stdout: 2017-10-30     24         24  2,004    0.00     0.00
                exit code 0
            "#]],
        ),
        (
            format!("{autumn} --by weekday"),
            expect![[r#"
                stdout: Counts of a in the whole shop, 2017-10-28T00:00:00+02:00 to 2017-10-31T00:00:00+01:00
                stdout: weekday    hours  purchases  units  amount  average
                stdout: Monday        24         24  2,004    0.00     0.00
                stdout: Tuesday        0          0      0    0.00        -
                stdout: Wednesday      0          0      0    0.00        -
                stdout: Thursday       0          0      0    0.00        -
                stdout: Friday         0          0      0    0.00        -
                stdout: Saturday      24         24    828    0.00     0.00
                stdout: Sunday        25         25  1,475    0.00     0.00
                exit code 0
            "#]],
        ),
        (
            days("2017-10-29T02:00:00+02:00", "2017-10-29T03:00:00+01:00") + " --by hour",
            expect![[r#"
                stdout: Counts of a in the whole shop, 2017-10-29T02:00:00+02:00 to 2017-10-29T03:00:00+01:00
                stdout: hour                       purchases  units  amount  average
                stdout: 2017-10-29T02:00:00+02:00          1     49    0.00     0.00
                stdout: 2017-10-29T02:00:00+01:00          1     50    0.00     0.00
                exit code 0
            "#]],
        ),
    ] {
        expected.assert_eq(&world.run(&arguments).whole());
    }
    // Local Sunday, 23 hours from the 25th at 23:00 UTC on, which were sold by 48, 49, … 70.
    let sunday: i64 = (48..=70).sum();
    assert_eq!(units(&world, "count a --from 2017-03-25T23:00:00Z --to 2017-03-26T22:00:00Z"), sunday);
}

/// What has come in since the last rollup is found by the table's log, in three ways: rows without
/// ids add up, ids are settled as a rollup would, and what was taken back is gone.
#[test]
fn what_came_in_or_went_since_the_last_rollup_counts_at_once() {
    let world = World::new();
    let ask = "count a --from 2017-01-14T00:00:00Z --to 2017-01-15T00:00:00Z";
    let ingest = |name: &str, lines: &str, more: &str| {
        world.write(name, format!("ts,item_id,event_id,quantity\n{lines}"));
        let said = world.run(&format!("ingest {more} {name}"));
        assert_eq!(said.code, Some(0), "{}", said.whole());
    };
    let check = |expected: i64| {
        assert_eq!(units(&world, ask), expected);
        assert_eq!(world.run("lake compact").code, Some(0));
        assert_eq!(units(&world, ask), expected, "after compaction");
    };
    ingest("1.csv", "2017-01-14T10:00:00Z,a,,1\n2017-01-14T10:00:00Z,b,,50\n", "");
    check(1);
    assert_eq!(world.run("rollup").code, Some(0));
    check(1);
    ingest("2.csv", "2017-01-14T10:30:00Z,a,,2\n2017-01-14T10:30:00Z,b,,50\n", "");
    ingest("3.csv", "2017-01-14T20:30:00Z,a,,4\n2017-01-15T00:00:00Z,a,,99\n", "");
    check(7);
    ingest("4.csv", "2017-01-14T20:30:00Z,a,x,8\n2017-01-14T20:30:00Z,a,x,8\n", "");
    check(15);
    assert_eq!(world.run("rollup").code, Some(0));
    check(15);
    // Another version of the same sale counts in its place; its hour is none of the first.
    ingest("5.csv", "2017-01-14T09:30:00Z,a,x,3\n2017-01-14T09:30:00Z,b,x,8\n", "");
    check(10);
    assert_eq!(units(&world, &ask.replace(" a ", " b ")), 108);
    ingest("6.csv", "2017-01-14T20:30:00Z,a,,16\n", "--batch-id till");
    check(26);
    assert_eq!(world.run("rollup").code, Some(0));
    ingest("6.csv", "2017-01-14T20:30:00Z,a,,32\n", "--batch-id till --force");
    check(42);
    assert_eq!(world.run("rollup").code, Some(0));
    check(42);
}

/// Holds what a table's log says by itself against what the library says of the table.
fn check_log(world: &World) {
    let store = Store::open(&world.path("data/lake")).expect("the lake can be named");
    let lake = Lake::open(store.clone()).expect("the lake can be opened");
    let table = lake.events().newest().expect("the log can be read");
    let log = events_log(&store);
    let of_day = |partition: &Partition| partition["date"].as_deref() == Some("2017-01-14");
    let state = log.newest(&of_day).expect("the log can be read").expect("the log is understood");
    assert_eq!((state.number, state.table_id()), (table.number(), table.table_id()));
    assert_eq!(log.table_id().expect("the log can be read").as_deref(), Some(table.table_id()));
    let batches = table.transaction("topsell:batches").expect("the log can be read");
    assert!(batches.is_some() && state.transaction("topsell:batches") == batches);
    let told = |file: &NamedFile| (file.path.clone(), file.size_bytes, file.partition.clone());
    let files = table.files_of(&of_day).expect("the log can be read");
    assert!(!files.is_empty());
    assert_eq!(
        state.files.iter().map(told).collect::<Vec<_>>(),
        files.iter().map(|f| told(f)).collect::<Vec<_>>()
    );
}

/// Commits are read one by one, after the last sum of the log or the version that the rollups cover.
#[test]
fn a_log_that_was_summed_up_and_swept_says_the_same() {
    let world = World::new();
    let sale = |minute: usize| format!("ts,item_id\n2017-01-14T10:{minute:02}:00Z,a\n");
    for minute in 0..55 {
        world.write(&format!("{minute}.csv"), sale(minute));
        assert_eq!(world.run(&format!("ingest --batch-id {minute} {minute}.csv")).code, Some(0));
        if minute % 20 == 3 {
            check_log(&world);
        }
    }
    check_log(&world);
    world.write("3.csv", "ts,item_id\n2017-01-14T11:00:00Z,a\n");
    for command in ["ingest --force --batch-id 3 3.csv", "lake compact", "rollup"] {
        assert_eq!(world.run(command).code, Some(0));
        check_log(&world);
    }
    let prune = "lake prune --yes --keep-versions 0s --now 2100-01-01T00:00:00Z";
    assert_eq!(world.run(prune).code, Some(0));
    let log = "data/lake/events/_delta_log";
    assert!(!world.files(log).contains(&format!("{:020}.json", 0)), "the first commit is gone");
    check_log(&world);
    assert_eq!(units(&world, "count a"), 55);
    world.write("late.csv", sale(55));
    assert_eq!(world.run("ingest late.csv").code, Some(0));
    check_log(&world);
    assert_eq!(units(&world, "count a"), 56);
    // What is not said as we say it is left to the library.
    let commit = |number: u64| format!("{log}/{number:020}.json");
    let newest = (0..99).rev().find(|number| world.path(&commit(*number)).exists());
    let other = r#"{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["deletionVectors"],"writerFeatures":["deletionVectors"]}}"#;
    world.write(&commit(newest.expect("there is a commit") + 1), other);
    let said = world.run("count a");
    assert!(said.code == Some(1) && said.stderr.contains("deletionVectors"), "{}", said.whole());
}

/// What other rooms ask: in which categories an item has sold, and since when.
#[test]
fn an_item_is_told_by_category_and_from_its_first_sale_to_its_last() {
    let world = shop();
    let store = Store::open(&world.path("data/lake")).expect("the lake can be named");
    let types = EventTypes::of(vec!["purchase".to_owned()], Vec::new());
    let hour = |text: &str| Timestamp::parse(text).expect("a good moment").hour();
    let hours = hour("2017-01-01T00:00:00Z")..hour("2017-01-15T00:00:00Z");
    let counted = CountQuery { event_types: &types, hours, category: None, uncommitted: &[] };
    let in_gifts = CountQuery { category: Some("Gifts"), ..counted.clone() };
    for summed in [false, true] {
        if summed {
            assert_eq!(world.run("rollup").code, Some(0));
        }
        let sold = counts::by_category(&store, &counted, "apple").expect("the lake can be read");
        let units =
            |of: &counts::ByHour| of.values().map(|of| of.units.ten_thousandths()).sum::<i64>() / 10_000;
        let sold: Vec<(Option<&str>, i64)> =
            sold.iter().map(|(of, aggregate)| (of.as_deref(), units(aggregate))).collect();
        assert_eq!(sold, [(None, 12), (Some("Food"), 12), (Some("Food/Fruit"), 12), (Some("Gifts"), 3)]);
        let ends =
            |counted, item| counts::first_and_last(&store, counted, item).expect("the lake can be read");
        let first_and_last = Some((hour("2017-01-13T23:00:00Z"), hour("2017-01-14T23:00:00Z")));
        assert_eq!(ends(&counted, "apple"), first_and_last);
        let once = hour("2017-01-14T11:00:00Z");
        assert_eq!(ends(&in_gifts, "apple"), Some((once, once)));
        assert_eq!(ends(&counted, "nobody's"), None);
    }
}

#[test]
fn a_damaged_file_is_named() {
    let world = shop();
    assert_eq!(world.run("rollup").code, Some(0));
    let rollups = "data/lake/rollups";
    let files = world.files(rollups);
    let name = files.iter().find(|name| name.contains("category_group=~09") && name.contains("2017-01-14"));
    let name = format!("{rollups}/{}", name.expect("there are sums of that day"));
    let whole = std::fs::read(world.path(&name)).expect("the file is there");
    let said = |world: &World| {
        let said = world.run("count apple");
        (said.code, said.stderr.contains("category_group=~09/date=2017-01-14"), said.whole())
    };
    for cut in [0, 3, whole.len() / 2, whole.len() - 1] {
        std::fs::write(world.path(&name), &whole[..cut]).expect("a file can be written");
        let (code, is_named, whole) = said(&world);
        assert_eq!((code, is_named), (Some(3), true), "cut at {cut}: {whole}");
    }
    std::fs::remove_file(world.path(&name)).expect("a file can be removed");
    let (code, is_named, whole) = said(&world);
    assert_eq!((code, is_named), (Some(3), true), "gone: {whole}");
}

/// Ingests, rollups and merging go on while counts are asked for: each is of whole commits, and none
/// is less than the one before.
#[test]
fn counts_only_grow_while_sales_come_in() {
    const FILES: i64 = 24;
    const UNITS_A_FILE: i64 = 10;
    let world = World::new();
    for file in 0..FILES {
        let line = |n: i64| match file % 3 {
            // With ids, without, and late.
            0 => format!("2017-01-14T22:{file:02}:{n:02}Z,a,{file}-{n},Food\n"),
            1 => format!("2017-01-14T22:{file:02}:{n:02}Z,a,,Food|Gifts\n"),
            _ => format!("2017-01-14T0{n}:{file:02}:00Z,a,,\n"),
        };
        let lines: String = (0..UNITS_A_FILE).map(line).collect();
        world.write(&format!("{file}.csv"), format!("ts,item_id,event_id,category\n{lines}"));
    }
    assert_eq!(world.run("ingest 0.csv").code, Some(0));
    let is_over = std::sync::atomic::AtomicBool::new(false);
    let order = std::sync::atomic::Ordering::SeqCst;
    std::thread::scope(|scope| {
        let (world, is_over) = (&world, &is_over);
        scope.spawn(move || {
            for file in 1..FILES {
                assert_eq!(world.run(&format!("ingest {file}.csv")).code, Some(0));
            }
            is_over.store(true, order);
        });
        for command in ["rollup --wait", "lake compact --wait"] {
            scope.spawn(move || {
                while !is_over.load(order) {
                    assert_eq!(world.run(command).code, Some(0));
                }
            });
        }
        let prune = "lake prune --yes --wait --keep-versions 0s --now 2100-01-01T00:00:00Z";
        scope.spawn(move || {
            while !is_over.load(order) {
                assert_eq!(world.run(prune).code, Some(0));
            }
        });
        let mut last = UNITS_A_FILE;
        while !is_over.load(order) {
            let now = units(world, "count a --now 2017-01-14T23:30:00Z");
            assert_eq!(now % UNITS_A_FILE, 0, "a part of a batch is counted: {now}");
            assert!(now >= last, "{last} were sold, and then {now}");
            // All of them, and parts of the first and the last hour from events.
            let exact = "--exact-times --from 2017-01-14T00:00:00.5Z --to 2017-01-14T22:59:59.999999Z";
            last = units(world, &format!("count a {exact}"));
            assert_eq!(last % UNITS_A_FILE, 0, "a part of a batch is counted: {last}");
            assert!(last >= now, "{now} were sold, and then {last}");
        }
    });
    assert_eq!(units(&world, "count a --now 2017-01-14T23:30:00Z"), FILES * UNITS_A_FILE);
}

/// Refunds that are events of their own type could only be left out or added.
#[test]
fn a_lake_may_subtract_refunds_from_every_count_and_ranking() {
    let world = World::new();
    let header = "ts,event_type,item_id,quantity,amount\n";
    let sales = "2017-01-14T10:00:00Z,purchase,MUG,9,90.00\n2017-01-14T10:00:00Z,purchase,PAN,1,50.00\n";
    // In one hour, with either sign.
    let refunds = "2017-01-14T15:00:00Z,refund,MUG,2,20.00\n2017-01-14T15:00:00Z,refund,MUG,-1,-10.00\n\
                   2017-01-14T15:00:00Z,cancel,PAN,1,50.00\n";
    world.write("log.csv", format!("{header}{sales}{refunds}"));
    assert_eq!(world.run("ingest log.csv").code, Some(0));
    world.write("data/lake/topsell.toml", "subtract = [\"refund\", \"cancel\"]\n");
    let counted = |options: &str| {
        let said = world.run(&format!("count MUG PAN --format csv {options}"));
        assert_eq!(said.code, Some(0), "{}", said.whole());
        let rows = fields_of(&said.stdout, ["item_id", "units", "purchases", "amount"]);
        rows.iter().map(|row| row.join(",")).collect::<Vec<_>>().join(" ")
    };
    let ranked = |options: &str| {
        let said = world.run(&format!("rank --promote --all-items {options}"));
        assert_eq!(said.code, Some(0), "{}", said.whole());
        let rows =
            fields_of(&world.run("show --format csv").stdout, ["item_id", "units", "purchases", "amount"]);
        rows.iter().map(|row| row.join(",")).collect::<Vec<_>>().join(" ")
    };
    const SUBTRACTED: &str = "MUG,6,1,60.0000 PAN,0,1,0.0000";
    const SOLD: &str = "MUG,9,1,90.0000 PAN,1,1,50.0000";
    assert_eq!((counted("").as_str(), counted("--subtract=").as_str()), (SUBTRACTED, SOLD));
    assert_eq!(ranked("--no-decay"), "MUG,6,1,60.0000");
    assert_eq!((counted("").as_str(), counted("--subtract=").as_str()), (SUBTRACTED, SOLD));
    // An explained score and a report are of the ranking.
    let explained = world.run("show --item MUG --explain --format csv").stdout;
    assert!(explained.contains("2017-01-14T15:00:00Z"), "{explained}");
    assert_eq!(counted("--subtract refund"), "MUG,6,1,60.0000 PAN,1,1,50.0000");
    assert_eq!(counted("--subtract cancel"), "MUG,9,1,90.0000 PAN,0,1,0.0000");
    // What is counted is not subtracted.
    assert_eq!(counted("--event-type refund"), "MUG,1,2,10.0000 PAN,-1,0,-50.0000");
    assert_eq!(ranked("--no-decay --subtract="), SOLD);
}
