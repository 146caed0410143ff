//! Help: examples first, and what was probably meant.

use expect_test::expect;

use crate::world::World;

#[test]
fn help_begins_with_examples_that_the_program_understands() {
    let world = World::new();
    for command in [
        "",
        "ingest",
        "rollup",
        "rank",
        "show",
        "count",
        "top",
        "schedule",
        "lake",
        "lake compact",
        "lake prune",
        "lake verify",
        "lake stats",
        "health",
        "run",
        "config",
        "completions",
        "man",
        "report",
        "runs",
        "runs show",
        "runs stats",
        "runs export",
    ] {
        let help = world.run(&format!("{command} --help")).stdout;
        let examples = help.strip_prefix("Examples:\n").unwrap_or_else(|| panic!("{command}: {help}"));
        let words = format!("topsell {command}");
        let first = examples.lines().take_while(|line| !line.is_empty());
        assert!(first.clone().any(|line| line.contains(words.trim())), "{command}: {help}");
        assert_eq!(world.run(&format!("{command} -h")).stdout.lines().next(), Some("Examples:"));
    }
}

#[test]
fn slips_are_answered_with_what_was_probably_meant() {
    let world = World::new();
    let said: String =
        ["shwo", "show --catgory Books", "rank --measure unit", "lake prnue", "show --format jsn"]
            .map(|words| world.run(words).whole())
            .concat();
    expect![[r#"
        stderr: error: unrecognized subcommand 'shwo'
        stderr: 
        stderr:   tip: a similar subcommand exists: 'show'
        stderr: 
        stderr: Usage: topsell [OPTIONS] <COMMAND>
        stderr: 
        stderr: For more information, try '--help'.
        exit code 2
        stderr: error: unexpected argument '--catgory' found
        stderr: 
        stderr:   tip: a similar argument exists: '--category'
        stderr: 
        stderr: Usage: topsell show --category <PATH> [CATEGORY]
        stderr: 
        stderr: For more information, try '--help'.
        exit code 2
        stderr: error: invalid value 'unit' for '--measure <MEASURE>'
        stderr:   [possible values: units, purchases, amount]
        stderr: 
        stderr:   tip: a similar value exists: 'units'
        stderr: 
        stderr: For more information, try '--help'.
        exit code 2
        stderr: error: unrecognized subcommand 'prnue'
        stderr: 
        stderr:   tip: a similar subcommand exists: 'prune'
        stderr: 
        stderr: Usage: topsell lake [OPTIONS] <COMMAND>
        stderr: 
        stderr: For more information, try '--help'.
        exit code 2
        stderr: error: invalid value 'jsn' for '--format <FORMAT>'
        stderr:   [possible values: table, json, csv, ndjson, markdown, html, parquet]
        stderr: 
        stderr:   tip: a similar value exists: 'json'
        stderr: 
        stderr: For more information, try '--help'.
        exit code 2
    "#]]
    .assert_eq(&said);
}

#[test]
fn help_is_a_command_too() {
    let world = World::new();
    for command in ["", "rank", "lake prune", "runs stats"] {
        let help = world.run(&format!("help {command}"));
        assert_eq!((help.stderr.as_str(), help.code), ("", Some(0)), "{command}");
        assert_eq!(help.stdout, world.run(&format!("{command} --help")).stdout, "{command}");
    }
    assert_eq!(world.run("help nonsense").code, Some(2));
}

#[test]
fn the_overview_lists_commands_in_groups() {
    let help = World::new().run("--help").stdout;
    expect![[r#"
        Examples:
          topsell ingest logs/                 load all log files of a directory
          topsell rank --window 150h           rank the last 150 hours
          topsell show -n 10                   show the 10 best sellers of the shop
          topsell show Books/Fiction           show the best sellers of a category
          topsell count 1082185 --last 24h     count an item's sales of the last 24 hours

        Turns purchase logs into best-seller rankings

        Usage: topsell [OPTIONS] <COMMAND>

        Load and rank:
          ingest       Load purchase logs into the lake
          rollup       Aggregate new events by item and hour
          rank         Rank the items of every category and publish the ranking
          cluster      Rank or aggregate with several processes

        Query:
          show         Show best sellers, items and categories of the published ranking
          count        Count the sales of items, up to now
          top          List the items that sold most, up to now
          report       Write a published ranking as an HTML page
          serve        Serve counts and rankings over HTTP, and take in events

        Run and monitor jobs:
          run          Run a job now, regardless of its schedule
          schedule     Run jobs on their schedules
          runs         List past runs and their outcomes
          health       Check the lake's status, for monitoring

        Maintain:
          lake         Maintain the lake: compact, prune, verify, repair, show statistics
          doctor       Check what the store of a lake in a bucket must promise

        Configure:
          config       Show the settings, their values and origins
          completions  Print a shell completion script
          man          Write the manual pages to a directory
          help         Print this message or the help of a command

        Global options:
              --lake <DIR>           Lake directory, or s3://BUCKET/PREFIX [default: data/lake]
              --threads <N>          Number of threads [default: number of CPUs]
          -q, --quiet                Print errors only
          -v, --verbose              Print more details
              --color <WHEN>         When to use colors [default: auto] [possible values: auto, always,
                                     never]
              --metrics-file <FILE>  Write metrics of the lake and its last runs to FILE, for the textfile
                                     collector of the Prometheus node_exporter
          -h, --help                 Print help
          -V, --version              Print version

        Exit codes:
          0  success
          1  runtime error: a disk, lake or input error
          2  usage error: invalid command line or settings
          3  data corruption: a file of the lake is damaged
          4  completed with rejects: some lines or files were rejected
          5  not found: no such category, item, ranking or run
          6  busy: another run holds the lock
          7  stale: the ranking would be empty or outdated; the previous one stays published
    "#]]
    .assert_eq(&help);
}

#[test]
fn the_long_version_names_the_commit_and_its_date() {
    let world = World::new();
    let short = concat!("topsell ", env!("CARGO_PKG_VERSION"));
    assert_eq!(world.run("-V").stdout.trim_end(), short);
    let long = world.run("--version").stdout;
    let build = long.trim_end().strip_prefix(short).expect("it begins with the short version");
    let is_plain = |c: char| c.is_ascii_alphanumeric() || " -()".contains(c);
    assert!(build.is_empty() || build.starts_with(" (") && build.chars().all(is_plain), "{long}");
}

#[test]
fn times_are_dates_or_relative_and_repeated_in_full() {
    let world = World::new();
    world.write("log.csv", "ts,item_id,category\n2017-01-09T12:00:00Z,apple,Fruit\n");
    assert_eq!(world.run("ingest log.csv").code, Some(0));
    let notes = |words: &str| {
        let run = world.run(words);
        assert_eq!(run.code, Some(0), "{words}: {}", run.whole());
        run.stderr.lines().find(|line| line.starts_with("note:")).unwrap_or("").to_owned()
    };
    assert_eq!(notes("rank --as-of 2017-01-10"), "note: as of 2017-01-10T00:00:00Z");
    assert_eq!(notes("rank --as-of yesterday --tz Europe/Berlin"), "note: as of 2017-01-13T23:00:00Z");
    assert_eq!(notes("rank --as-of 2017-01-14T12:00:00Z"), "");
    assert_eq!(notes("show --at 4d"), "note: at 2017-01-11T00:00:00Z");
    assert_eq!(notes("report --at today"), "note: at 2017-01-15T00:00:00Z");
    assert_eq!(notes("count apple --from 7d --to today"), "note: from 2017-01-08T00:00:00Z");
    assert_eq!(world.run("show Fruit").stdout, world.run("show -c Fruit").stdout);
    assert_eq!(world.run("runs --since yesterday").code, Some(0));
    let refused = world.run("rank --as-of someday");
    assert_eq!(refused.code, Some(2), "{}", refused.whole());
}
