//! `topsell rank`: what each flag changes, and when nothing is published.

use expect_test::expect;

use crate::world::World;

const LOG: &str = "\
ts,event_id,item_id,category,event_type,quantity,amount
2017-01-14T23:10:00Z,1,apple,Food/Fruit,,3,1.50
2017-01-14T23:20:00Z,2,bread,Food/Bakery,,2,4.00
2017-01-12T23:00:00Z,3,pear,Food/Fruit,,4,3.20
2017-01-14T22:00:00Z,4,novel,Books/Fiction|Gifts,,1,9.99
2017-01-14T21:00:00Z,5,apple,Food/Fruit,,-1,-0.50
2017-01-14T23:30:00Z,6,apple,Food/Fruit,view,7,
2017-01-14T23:35:00Z,7,cake,Food/Bakery,,2,
2017-01-14T23:36:00Z,8,cake,Food/Bakery,,-2,
2017-01-01T12:00:00Z,9,plum,Food/Fruit,,5,2.00
2017-01-14T23:40:00Z,10,gift card,,,1,20
";

/// A lake with a few purchases, aggregated but not ranked.
fn shop() -> World {
    let world = World::new();
    world.write("log.csv", LOG);
    assert_eq!(world.run("ingest log.csv").code, Some(0));
    assert_eq!(world.run("rollup").code, Some(0));
    world
}

/// Runs a ranking; the snapshot's size and hash, which follow the Parquet library, are left out.
fn rank(world: &World, flags: &str) -> String {
    let said = world.run(&format!("rank --promote {flags}")).whole();
    let mut steady = String::new();
    for line in said.lines() {
        let told = line.split_once(" rows, ").zip(line.rsplit_once('/')).filter(|_| line.contains("rank: "));
        match told {
            Some(((head, _), (_, file))) => {
                let moment = file.split('-').take(3).collect::<Vec<_>>().join("-");
                steady.push_str(&format!("{head} rows, … in rankings/{moment}-….parquet\n"));
            }
            None => steady.push_str(&format!("{line}\n")),
        }
    }
    steady
}

/// Ranks, and returns the window, the decay and the best sellers of the shop, one a line.
fn ranked(world: &World, flags: &str) -> String {
    let said = world.run(&format!("rank --promote --min-items 1 {flags}"));
    assert_eq!(said.code, Some(0), "{}", said.whole());
    let shown = world.run("show --format json").stdout;
    let answer: serde_json::Value = serde_json::from_str(&shown).expect("the answer is JSON");
    let (from, to) = (&answer["window_from"], &answer["window_to"]);
    let mut text = format!("{from} to {to}, half-life {}\n", answer["half_life_hours"]);
    for item in answer["items"].as_array().expect("items are an array") {
        let [rank, id, score] = ["rank", "item_id", "score"].map(|key| &item[key]);
        text.push_str(&format!("{rank} {id} {score}\n"));
    }
    text
}

#[test]
fn the_help_tells_every_default() {
    expect![[r#"
        stdout: Examples:
        stdout:   topsell rank                                        rank the last 150 hours
        stdout:   topsell rank --window 7d --no-decay --measure amount
        stdout:                                                       rank by revenue of the last 7 days
        stdout:   topsell rank --as-of 2017-01-15                     rank as of a day in the past
        stdout:   topsell rank --name daily --window 24h              publish another ranking beside the default one
        stdout:   topsell rank --dry-run                              say what would be published
        stdout:   topsell rank -o ranking.parquet                     write the ranking to a file, publish nothing
        stdout:   topsell rank --all-items --max-lag 24h --wait       for the nightly job
        stdout:   topsell rank plan -o plan.json                      rank in several processes
        stdout: 
        stdout: Rank the items of every category and publish the ranking
        stdout: 
        stdout: Ranks the whole shop and every category at every level by the score of a time window. New events are
        stdout: rolled up first. The published ranking replaces the current one atomically; `topsell show` reads it.
        stdout: 
        stdout: A name, `default` unless --name is given, shows its first ranking, and from then on newer ones that
        stdout: were made with the same options. A ranking of an earlier time, or with other options, is kept and
        stdout: replaces nothing, unless --promote is given.
        stdout: 
        stdout: Usage: topsell rank [OPTIONS]
        stdout:        topsell rank <COMMAND>
        stdout: 
        stdout: Commands:
        stdout:   plan     Plan a ranking in several processes
        stdout:   partial  Compute a part of a planned ranking
        stdout:   merge    Merge the results of all parts of a plan
        stdout:   help     Print this message or the help of the given subcommand(s)
        stdout: 
        stdout: Options:
        stdout:       --window <DURATION>
        stdout:           Length of the time window
        stdout:           
        stdout:           [default: 150h]
        stdout: 
        stdout:       --as-of <TIME>
        stdout:           End of the time window, rounded up to a full hour [default: now]
        stdout: 
        stdout:       --measure <MEASURE>
        stdout:           What the score adds up; amount is revenue
        stdout:           
        stdout:           [default: units]
        stdout:           [possible values: units, purchases, amount]
        stdout: 
        stdout:       --half-life <DURATION>
        stdout:           Age at which an event has half the weight of a new one
        stdout:           
        stdout:           [default: 48h]
        stdout: 
        stdout:       --decay <RATE>
        stdout:           Decay rate per hour, instead of a half-life: the weight is e^(-RATE × hours)
        stdout: 
        stdout:       --no-decay
        stdout:           Give all events of the window the same weight
        stdout: 
        stdout:   -n, --limit <N>
        stdout:           Maximum number of items in each category's ranking
        stdout:           
        stdout:           [default: 100]
        stdout: 
        stdout:       --event-type <TYPE>
        stdout:           Event types to include; can be repeated
        stdout:           
        stdout:           [default: purchase]
        stdout: 
        stdout:       --subtract <TYPE>
        stdout:           Event types whose units and amounts are subtracted, such as refund,cancel; can be repeated
        stdout: 
        stdout:       --min-items <N>
        stdout:           Extend the window of categories with fewer eligible items than this; 0 to never extend it
        stdout:           
        stdout:           [default: 10]
        stdout: 
        stdout:       --max-lookback <DURATION>
        stdout:           Maximum length of an extended window
        stdout:           
        stdout:           [default: 365d]
        stdout: 
        stdout:       --max-lag <DURATION>
        stdout:           Maximum age of the newest hour of events at the end of the window; if they are older,
        stdout:           publish nothing and exit with 7 [default: no limit]
        stdout: 
        stdout:       --tz <ZONE>
        stdout:           Time zone for day boundaries
        stdout:           
        stdout:           [default: UTC]
        stdout: 
        stdout:       --all-items
        stdout:           Also publish the item totals: units, last 7 days and rank of every item in each of its
        stdout:           categories, not only of the top items
        stdout: 
        stdout:       --catalog <FILE>
        stdout:           Item catalog: a CSV, TSV or Parquet file with the columns item_id, category and name;
        stdout:           `ingest` reads missing categories from it, `rank` item names
        stdout: 
        stdout:       --catalog-map <FIELD=COLUMN|FILE>
        stdout:           Column of the catalog that holds item_id, category or name, or a TOML file of such pairs;
        stdout:           can be repeated
        stdout: 
        stdout:       --name <NAME>
        stdout:           Name under which the ranking is published, for rankings of several kinds side by side
        stdout:           [default: default]
        stdout: 
        stdout:       --promote
        stdout:           Show the ranking under its name also if it is older than the one that the name shows, or
        stdout:           made with other options
        stdout: 
        stdout:       --dry-run
        stdout:           Print what would be published, by what is rolled up, and change nothing
        stdout: 
        stdout:   -o, --output <FILE>
        stdout:           Write the ranking to this Parquet file instead of publishing it
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
        stdout: The score of an item is the sum of the measure over the window, weighted by age: 1 in the newest
        stdout: hour, 1/2 after each half-life. --no-decay weights every hour equally.
        stdout: 
        stdout: TIME is a date (2017-01-10, the start of that day in --tz), RFC 3339 (2017-01-07T13:05:00Z),
        stdout: an epoch number, `now`, `today`, `yesterday`, or a duration before now (7d).
        stdout: DURATION is a number and a unit: s, min, h, d, w, y; the window is whole hours.
        exit code 0
    "#]]
    .assert_eq(&World::new().run("rank --help").whole());
}

#[test]
fn one_command_aggregates_ranks_and_publishes() {
    let world = World::new();
    world.write("log.csv", LOG);
    world.run("ingest log.csv");
    expect![[r#"
        stderr: rollup: 6 hours aggregated from 10 events, 11 rows written
        stderr: rank: 7 categories, 17 rows, … in rankings/2017-01-15T00Z-….parquet
        exit code 0
    "#]]
    .assert_eq(&rank(&world, ""));
    expect![[r#"
        stderr: rollup: up to date
        stderr: rank: 7 categories, 17 rows, … in rankings/2017-01-15T00Z-….parquet
        exit code 0
    "#]]
    .assert_eq(&rank(&world, "--verbose"));
    expect![[r#"
        exit code 0
    "#]]
    .assert_eq(&rank(&world, "--quiet"));
    assert_eq!(world.files("data/lake/rankings").len(), 3, "the same answer is the same file");
    assert_eq!(world.run("rank --quiet --limit 1").code, Some(0));
    assert_eq!(world.files("data/lake/rankings").len(), 5, "the ranking before is kept");
}

#[test]
fn a_window_is_so_many_whole_hours() {
    let world = shop();
    expect![[r#"
        "2017-01-14T22:00:00Z" to "2017-01-15T00:00:00Z", half-life null
        1 "apple" 3.0
        2 "bread" 2.0
        3 "gift card" 1.0
        4 "novel" 1.0
    "#]]
    .assert_eq(&ranked(&world, "--window 2h --no-decay"));
    assert_eq!(ranked(&world, "--window 7d"), ranked(&world, "--window 168h"));
    expect![[r#"
        "2017-01-08T00:00:00Z" to "2017-01-15T00:00:00Z", half-life 48.0
        1 "apple" 2.028468058846394
        2 "pear" 2.0
        3 "bread" 2.0
        4 "gift card" 1.0
        5 "novel" 0.9856631986401876
    "#]]
    .assert_eq(&ranked(&world, "--window 7d"));
}

#[test]
fn decay_is_a_half_life_or_a_rate_or_none() {
    let world = shop();
    expect![[r#"
        "2017-01-08T18:00:00Z" to "2017-01-15T00:00:00Z", half-life 1.0
        1 "apple" 2.75
        2 "bread" 2.0
        3 "gift card" 1.0
        4 "novel" 0.5
        5 "pear" 1.4210854715202004e-14
    "#]]
    .assert_eq(&ranked(&world, "--half-life 1h"));
    expect![[r#"
        "2017-01-08T18:00:00Z" to "2017-01-15T00:00:00Z", half-life 1.0
        1 "apple" 2.75
        2 "bread" 2.0
        3 "gift card" 1.0
        4 "novel" 0.5000000000000001
        5 "pear" 1.4210854715202023e-14
    "#]]
    .assert_eq(&ranked(&world, "--decay 0.6931471805599453"));
    expect![[r#"
        "2017-01-08T18:00:00Z" to "2017-01-15T00:00:00Z", half-life null
        1 "pear" 4.0
        2 "apple" 2.0
        3 "bread" 2.0
        4 "gift card" 1.0
        5 "novel" 1.0
    "#]]
    .assert_eq(&ranked(&world, "--no-decay"));
}

#[test]
fn the_score_may_add_up_something_else() {
    let world = shop();
    expect![[r#"
        "2017-01-08T18:00:00Z" to "2017-01-15T00:00:00Z", half-life null
        1 "gift card" 20.0
        2 "novel" 9.99
        3 "bread" 4.0
        4 "pear" 3.2
        5 "apple" 1.0
    "#]]
    .assert_eq(&ranked(&world, "--no-decay --measure amount"));
    expect![[r#"
        "2017-01-08T18:00:00Z" to "2017-01-15T00:00:00Z", half-life null
        1 "apple" 2.0
        2 "cake" 2.0
        3 "pear" 1.0
        4 "bread" 1.0
        5 "gift card" 1.0
        6 "novel" 1.0
    "#]]
    .assert_eq(&ranked(&world, "--no-decay --measure purchases"));
    expect![[r#"
        "2017-01-08T18:00:00Z" to "2017-01-15T00:00:00Z", half-life null
        1 "apple" 7.0
    "#]]
    .assert_eq(&ranked(&world, "--no-decay --event-type view"));
    expect![[r#"
        "2017-01-08T18:00:00Z" to "2017-01-15T00:00:00Z", half-life null
        1 "apple" 9.0
        2 "pear" 4.0
        3 "bread" 2.0
        4 "gift card" 1.0
        5 "novel" 1.0
    "#]]
    .assert_eq(&ranked(&world, "--no-decay --event-type view --event-type purchase"));
    expect![[r#"
        "2017-01-08T18:00:00Z" to "2017-01-15T00:00:00Z", half-life null
        1 "pear" 4.0
        2 "apple" 2.0
    "#]]
    .assert_eq(&ranked(&world, "--no-decay --limit 2 --threads 1"));
}

#[test]
fn a_window_ends_at_a_full_hour() {
    let world = shop();
    expect![[r#"
        "2017-01-06T18:00:00Z" to "2017-01-13T00:00:00Z", half-life 1.0
        1 "pear" 4.0
    "#]]
    .assert_eq(&ranked(&world, "--as-of 2017-01-13T00:00:00Z --half-life 1h"));
    let later = ranked(&world, "--as-of 2017-01-12T23:00:01Z --half-life 1h");
    assert_eq!(later, ranked(&world, "--as-of 1484265600 --half-life 1h"), "an hour begun counts whole");
}

#[test]
fn what_makes_no_sense_is_refused_with_the_reason() {
    let world = shop();
    let flags = [
        "--window 90m",
        "--window 90min",
        "--window 0h",
        "--window 150",
        "--half-life 90m",
        "--half-life 0s",
        "--half-life 8min",
        "--max-lookback forever",
        "--decay 0",
        "--decay -0.1",
        "--decay inf",
        "--decay 1e-300",
        "--decay 50000",
        "--limit 0",
        "--as-of yesterday",
        "--as-of 9999-12-30T21:30:00Z",
    ];
    let said: String = flags.map(|flags| rank(&world, flags)).concat();
    expect![[r#"
        stderr: error: --window: `90m`: m may be minutes or months; write min for minutes, and months in days, such as 30d
        exit code 2
        stderr: error: --window: `90min` is not a whole number of hours, and sales are aggregated by the hour; write 1h or 2h
        exit code 2
        stderr: error: --window: `0h` is zero; pass at least 1h
        exit code 2
        stderr: error: --window: `150` is not a duration; pass a whole number and a unit (s, min, h, d, w, y), such as 150h or 7d
        exit code 2
        stderr: error: --half-life: `90m`: m may be minutes or months; write min for minutes, and months in days, such as 30d
        exit code 2
        stderr: error: --half-life: `0s` is zero; pass at least 1s
        exit code 2
        stderr: error: --half-life: the longer of --window and --max-lookback has 65692 half-lives, and the maximum is 65536; pass a slower decay or a shorter --max-lookback
        exit code 2
        stderr: error: --max-lookback: `forever` is not a duration; pass a whole number and a unit (s, min, h, d, w, y), such as 150h or 7d
        exit code 2
        stderr: error: --decay: 0.0 is not a number greater than 0; pass --no-decay for no decay
        exit code 2
        stderr: error: --decay: -0.1 is not a number greater than 0; pass --no-decay for no decay
        exit code 2
        stderr: error: --decay: inf is not a number greater than 0; pass --no-decay for no decay
        exit code 2
        stderr: error: --decay: 1e-300 is so slow that it is no decay at all; pass --no-decay for no decay
        exit code 2
        stderr: error: --decay: 50000.0 makes a sale count less than 2^-65536 times as much after an hour; pass --no-decay for no decay
        exit code 2
        stderr: error: --limit: must be at least 1
        exit code 2
        stderr: note: as of 2017-01-14T00:00:00Z
        stderr: rollup: up to date
        stderr: rank: 3 categories, 6 rows, … in rankings/2017-01-14T00Z-….parquet
        exit code 0
        stderr: error: --as-of `9999-12-30T21:30:00Z` is outside the years 1 to 9998
        exit code 2
    "#]].assert_eq(&said);
}

#[test]
fn flags_that_contradict_each_other_are_refused() {
    let world = shop();
    expect![[r#"
        stderr: error: the argument '--half-life <DURATION>' cannot be used with '--no-decay'
        stderr: 
        stderr: Usage: topsell rank --promote --half-life <DURATION>
        stderr: 
        stderr: For more information, try '--help'.
        exit code 2
    "#]]
    .assert_eq(&rank(&world, "--half-life 24h --no-decay"));
    for flags in ["--decay 0.1 --no-decay", "--decay 0.1 --half-life 24h", "--quiet --verbose"] {
        let said = world.run(&format!("rank {flags}"));
        assert!(said.stderr.contains("cannot be used with"), "{}", said.whole());
        assert_eq!((said.stdout.as_str(), said.code), ("", Some(2)));
    }
    for flags in
        ["--measure weight", "--limit many", "--limit -1", "--wIndow 1h", "--color sometimes", "log.csv"]
    {
        assert_eq!(world.run(&format!("rank {flags}")).code, Some(2), "{flags}");
    }
}

#[test]
fn a_category_that_sells_too_little_looks_further_back_and_says_so() {
    let world = shop();
    let shown = |flags: &str, category: &str| {
        assert_eq!(world.run(&format!("rank --promote --window 24h {flags}")).code, Some(0));
        let said = world.run(&format!("show --category {category} --format table"));
        said.stdout
    };
    expect![[r#"
        Best sellers of Food/Fruit
        as of 2017-01-15T00:00:00Z, window extended to 96 h: fewer than 2 items sold in 24 h, 96 hours from 2017-01-11T00:00:00Z, half-life 24 h
        rank  item   units     share  units (extended)  7 days   weeks  score  purchases  amount
           1  apple      2  100.00 %                 2  ▁▁▁▁▁▁█      1  2.056          2    1.00
           2  pear       0    0.00 %                 4  ▁▁▁▁█▁▁      1  1.000          0    0.00
    "#]]
    .assert_eq(&shown("--min-items 2 --half-life 24h", "Food/Fruit"));
    expect![[r#"
        Best sellers of Food/Fruit
        as of 2017-01-15T00:00:00Z, window extended to 384 h: fewer than 3 items sold in 24 h, 384 hours from 2016-12-30T00:00:00Z, half-life 24 h
        rank  item   units     share  units (extended)  7 days   weeks  score  purchases  amount
           1  apple      2  100.00 %                 2  ▁▁▁▁▁▁█      1  2.056          2    1.00
           2  pear       0    0.00 %                 4  ▁▁▁▁█▁▁      1  1.000          0    0.00
           3  plum       0    0.00 %                 5  ▁▁▁▁▁▁▁      1  0.000          0    0.00
    "#]]
    .assert_eq(&shown("--min-items 3 --half-life 24h", "Food/Fruit"));
    expect![[r#"
        Best sellers of Food/Fruit
        as of 2017-01-15T00:00:00Z, window extended to 100 h: fewer than 3 items sold in 24 h, 100 hours from 2017-01-10T20:00:00Z, half-life 24 h
        rank  item   units     share  units (extended)  7 days   weeks  score  purchases  amount
           1  apple      2  100.00 %                 2  ▁▁▁▁▁▁█      1  2.056          2    1.00
           2  pear       0    0.00 %                 4  ▁▁▁▁█▁▁      1  1.000          0    0.00
    "#]]
    .assert_eq(&shown("--min-items 3 --half-life 24h --max-lookback 100h", "Food/Fruit"));
    expect![[r#"
        Best sellers of Food/Fruit
        as of 2017-01-15T00:00:00Z, 24 hours from 2017-01-14T00:00:00Z, half-life 24 h
        rank  item   units     share  7 days   weeks  score  purchases  amount
           1  apple      2  100.00 %  ▁▁▁▁▁▁█      1  2.056          2    1.00
    "#]]
    .assert_eq(&shown("--min-items 3 --half-life 24h --max-lookback 1h", "Food/Fruit"));
    expect![[r#"
        Best sellers of Food
        as of 2017-01-15T00:00:00Z, 24 hours from 2017-01-14T00:00:00Z, half-life 24 h
        rank  item   units    share  7 days   weeks  score  purchases  amount
           1  apple      2  50.00 %  ▁▁▁▁▁▁█      1  2.056          2    1.00
           2  bread      2  50.00 %  ▁▁▁▁▁▁█      1  2.000          1    4.00
    "#]]
    .assert_eq(&shown("--min-items 0 --half-life 24h", "Food"));
}

#[test]
fn without_a_lake_there_is_nothing_to_rank() {
    let world = World::new();
    expect![[r#"
        stderr: error: there is no lake in WORLD/data/lake
        stderr: hint: load logs with `topsell ingest FILE`, or pass another directory with --lake
        exit code 1
    "#]]
    .assert_eq(&rank(&world, ""));
    assert_eq!(world.files("data"), [""; 0], "asking makes no lake");
}

#[test]
fn where_nothing_sold_the_published_ranking_stays() {
    let world = shop();
    expect![[r#"
        stderr: error: no item is eligible in the hours looked at, so there is nothing to publish
        stderr: hint: the previous ranking stays published; check --as-of, --window and --event-type
        exit code 7
    "#]]
    .assert_eq(&rank(&world, "--event-type refund"));
    expect![[r#"
        stderr: error: there is no ranking in this lake yet
        stderr: hint: publish one with `topsell rank`
        exit code 5
    "#]]
    .assert_eq(&world.run("show").whole());
    assert_eq!(world.run("rank").code, Some(0));
    let before = world.run("show").stdout;
    expect![[r#"
        stderr: error: no item is eligible in the hours looked at, so there is nothing to publish
        stderr: hint: the previous ranking stays published; check --as-of, --window and --event-type
        exit code 7
    "#]]
    .assert_eq(&rank(&world, "--as-of 2019-01-01T00:00:00Z"));
    expect![[r#"
        stderr: error: --as-of: the window begins before the year 1
        exit code 2
    "#]]
    .assert_eq(&rank(&world, "--as-of 0001-01-01T00:00:00Z"));
    assert_eq!(world.run("show").stdout, before);
    let run = world.records("runs").into_iter().find(|run| run["exit_code"] == 7);
    assert_eq!(run.map(|run| run["command"].clone()), Some("rank".into()), "failures are recorded too");
}

#[test]
fn sales_that_ended_too_long_ago_are_not_published_as_if_they_were_new() {
    let world = World::new();
    world.write(
        "log.csv",
        "ts,item_id,event_type\n2017-01-14T10:20:00Z,a,\n2017-01-14T22:00:00Z,b,refund\n\
         2017-01-15T00:30:00Z,c,\n",
    );
    assert_eq!(world.run("ingest log.csv").code, Some(0));
    expect![[r#"
        stderr: error: the newest hour of sales ended 2017-01-14T11:00:00Z, 13 h before 2017-01-15T00:00:00Z, and the limit is 12 h 59 min (--max-lag)
        stderr: hint: the previous ranking stays published; check whether new logs are being ingested
        exit code 7
    "#]].assert_eq(&rank(&world, "--max-lag 12h59min"));
    assert_eq!(world.run("show").code, Some(5), "nothing was published");
    assert_eq!(world.run("rank --max-lag 13h").code, Some(0));
    let before = world.snapshot("data/lake");
    // The sales that came after what is asked for are no news for it, nor are those of other types.
    expect![[r#"
        stderr: error: the newest hour of sales ended 2017-01-14T11:00:00Z, 1 h before 2017-01-14T12:00:00Z, and the limit is 30 min (--max-lag)
        stderr: hint: the previous ranking stays published; check whether new logs are being ingested
        exit code 7
    "#]].assert_eq(&rank(&world, "--max-lag 30min --as-of 2017-01-14T12:00:00Z"));
    assert_eq!(world.run("rank --max-lag 0s --as-of 2017-01-14T10:30:00Z").code, Some(0));
    assert_eq!(world.run("rank --max-lag 13h").code, Some(0));
    assert_eq!(world.run_in(&[("TOPSELL_MAX_LAG", "1h")], "rank").code, Some(7), "it can be set");
    expect![[r#"
        stderr: error: there are no sales before 2017-01-15T00:00:00Z, so there is nothing to publish
        stderr: hint: the previous ranking stays published; check whether new logs are being ingested
        exit code 7
    "#]]
    .assert_eq(&rank(&world, "--max-lag 2h --event-type view"));
    assert_eq!(world.snapshot("data/lake"), before);
}
