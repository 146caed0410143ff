//! `topsell ingest`: what is ingested, what is reported, what is kept in the rejects.

pub mod formats;
mod lines;
mod shapes;

use expect_test::expect;
use serde_json::json;

use crate::world::World;

const LOG: &str = "\
ts,event_id,item_id,category,quantity,amount
2017-01-14T10:00:00Z,1,apple,Food/Fruit,3,1.50
2017-01-14T11:00:00Z,2,bread,Food/Bakery,1,2.25
2017-01-14T12:00:00Z,3,novel,Books|Gifts,1,9.99
";

#[test]
fn the_help_of_the_program() {
    let world = World::new();
    expect![[r#"
        stdout: Examples:
        stdout:   topsell ingest logs/                     take in every log of a folder
        stdout:   topsell rank --window 150h               rank the last 150 hours, as cron does
        stdout:   topsell show --limit 10                  the shop's ten best sellers
        stdout:   topsell show --category Books/Fiction    the best sellers of a category
        stdout:   topsell count 1082185 --last 24h         what one item has sold, up to this moment
        stdout: 
        stdout: Turns purchase logs into best-seller lists
        stdout: 
        stdout: Usage: topsell [OPTIONS] <COMMAND>
        stdout: 
        stdout: Commands:
        stdout:   ingest       Read purchase logs into the lake
        stdout:   rollup       Bring the sums up to date with the events
        stdout:   rank         Rank every category and the whole shop, and publish the ranking
        stdout:   show         Show the best sellers, from the newest published ranking
        stdout:   count        Count what single items have sold, up to this moment
        stdout:   report       Write a published ranking as one HTML page, to look at in any browser
        stdout:   run          Run a job now, whatever its schedule says
        stdout:   schedule     Start jobs when they are due, until told to stop
        stdout:   health       Tell in one line, and by the exit code, whether someone must look
        stdout:   lake         Look after the lake: merge small files, let go of old ones, check it, see what is in
        stdout:                it
        stdout:   runs         See what runs did, and how they ended: the newest first
        stdout:   config       Show each setting, its value and where that comes from
        stdout:   completions  Print the script that completes topsell's words in a shell
        stdout:   man          Write the manual pages into a folder
        stdout: 
        stdout: Options:
        stdout:   -h, --help     Print help
        stdout:   -V, --version  Print version
        stdout: 
        stdout: Options of every command:
        stdout:       --lake <DIR>           Folder of the lake; TOPSELL_LAKE unless given [default: data/lake]
        stdout:       --threads <N>          Threads to work on; as many as there are processors unless said
        stdout:   -q, --quiet                Say nothing but errors
        stdout:   -v, --verbose              Say more
        stdout:       --color <WHEN>         When to use colors [default: auto] [possible values: auto, always,
        stdout:                              never]
        stdout:       --metrics-file <FILE>  Leave metrics of the lake and its last runs in this file, for the
        stdout:                              textfile collector of Prometheus's node_exporter
        stdout: 
        stdout: Exit codes:
        stdout:   0  done
        stdout:   1  could not: the disk, the lake or an input stood in the way
        stdout:   2  misused: the command line makes no sense
        stdout:   3  damaged data: a file of the lake is not what it was
        stdout:   4  done, but some lines or files were rejected
        stdout:   5  nothing found: no such category, item or ranking
        stdout:   6  busy: another run is at work on the lake
        stdout:   7  stale: the ranking would have been empty, or of old sales; the one before stays
        exit code 0
    "#]].assert_eq(&world.run("--help").whole());
    expect![[r#"
        stdout: topsell 0.1.0
        exit code 0
    "#]]
    .assert_eq(&world.run("--version").whole());
    assert_eq!(world.run("").code, Some(2), "a bare call is a misuse");
    assert!(world.run("").stderr.contains("Usage: topsell"), "a bare call is answered with the help");
}

#[test]
fn the_help_describes_a_log() {
    expect![[r#"
        stdout: Examples:
        stdout:   topsell ingest purchases-2017-01-01.csv.gz
        stdout:   topsell ingest /var/spool/shop/             every log below the folder, in name order
        stdout:   topsell ingest --spool /var/spool/shop/     finished logs, moved away when they are in
        stdout:   zcat *.ndjson.gz | topsell ingest --format ndjson -
        stdout:   kcat -C -t purchases | topsell ingest --commit-every 10s -
        stdout:   topsell ingest --map vendor.toml --catalog products.parquet sales.parquet
        stdout: 
        stdout: Read purchase logs into the lake
        stdout: 
        stdout: Every input is one batch, long ones and streams are several; each is committed whole. The same
        stdout: content again, under whatever name or compression, changes nothing.
        stdout: 
        stdout: Usage: topsell ingest [OPTIONS] [FILE|DIR|-]...
        stdout: 
        stdout: Arguments:
        stdout:   [FILE|DIR|-]...
        stdout:           Logs to read: files, folders, or - for standard input
        stdout: 
        stdout: Options:
        stdout:       --spool <DIR>
        stdout:           Take in the finished logs directly in a folder, and move each to its done/ or failed/
        stdout: 
        stdout:       --min-age <TIME>
        stdout:           With --spool: leave files alone that changed less than this ago, 10s unless given; 0s to
        stdout:           take them too
        stdout: 
        stdout:       --commit-every <TIME|LINES>
        stdout:           Commit what came on standard input so far every so often, such as 10s, or every so many
        stdout:           lines, such as 50000; may be given once each
        stdout: 
        stdout:       --ack <SENDER>
        stdout:           Answer each message on standard input when it is on disk, as the sender asks
        stdout: 
        stdout:           Possible values:
        stdout:           - rsyslog: The omprog module with confirmMessages="on", with or without useTransactions
        stdout: 
        stdout:       --allow-rejects
        stdout:           Exit with 0 where lines or some of the files were rejected; they are kept and told all the
        stdout:           same
        stdout: 
        stdout:       --format <FORMAT>
        stdout:           Format of the inputs; told by their names unless given, of standard input by its content
        stdout:           
        stdout:           [possible values: csv, tsv, ndjson, parquet]
        stdout: 
        stdout:       --map <FIELD=COLUMN|FILE>
        stdout:           Column to read a field from, or a TOML file of such pairs; may be given several times
        stdout: 
        stdout:       --assume-utc
        stdout:           Take times without an offset as UTC, instead of rejecting them
        stdout: 
        stdout:       --catalog <FILE>
        stdout:           CSV, TSV or Parquet file of item_id, category and name: `ingest` takes from it the
        stdout:           categories of items whose line has none, `rank` the names of ranked items
        stdout: 
        stdout:       --catalog-map <FIELD=COLUMN|FILE>
        stdout:           Column of the catalog to read item_id, category or name from, or a TOML file of such
        stdout:           pairs; may be given several times
        stdout: 
        stdout:       --max-skew <TIME>
        stdout:           How far ahead of the clock an event may lie
        stdout:           
        stdout:           [default: 1h]
        stdout: 
        stdout:       --dry-run
        stdout:           Read and report, and write nothing
        stdout: 
        stdout:       --batch-id <ID>
        stdout:           What the batch of the only input is called; by its content unless given
        stdout: 
        stdout:       --force
        stdout:           Take in again what was taken in before, by --batch-id or with the same content, in the
        stdout:           place of what it brought then; all of an input or nothing
        stdout: 
        stdout:       --slice-size <SIZE>
        stdout:           Bytes into which long inputs are cut, such as 64MiB; bounds the memory used, and is set
        stdout:           for good when a lake is made
        stdout: 
        stdout:   -h, --help
        stdout:           Print help (see a summary with '-h')
        stdout: 
        stdout: Options of every command:
        stdout:       --lake <DIR>
        stdout:           Folder of the lake; TOPSELL_LAKE unless given
        stdout:           
        stdout:           [default: data/lake]
        stdout: 
        stdout:       --threads <N>
        stdout:           Threads to work on; as many as there are processors unless said
        stdout: 
        stdout:   -q, --quiet
        stdout:           Say nothing but errors
        stdout: 
        stdout:   -v, --verbose
        stdout:           Say more
        stdout: 
        stdout:       --color <WHEN>
        stdout:           When to use colors
        stdout:           
        stdout:           [default: auto]
        stdout:           [possible values: auto, always, never]
        stdout: 
        stdout:       --metrics-file <FILE>
        stdout:           Leave metrics of the lake and its last runs in this file, for the textfile collector of
        stdout:           Prometheus's node_exporter
        stdout: 
        stdout: Columns, by the names in the header, in any order; others are dropped:
        stdout:   ts          when: RFC 3339 with an offset, or an epoch number, whose unit is told by its
        stdout:               size: below 10^11 seconds, below 10^14 milliseconds, else microseconds
        stdout:   item_id     what was bought
        stdout:   event_id    optional: the same id counts once a day
        stdout:   category    optional: paths split by |, levels by /; inside a level %25 %2F %7C
        stdout:   categories  NDJSON and Parquet, instead: an array of paths, or of arrays of levels
        stdout:   event_type  optional: `purchase` unless given
        stdout:   quantity    optional: a whole number, 1 unless given, negative for a return
        stdout:   amount      optional: a decimal, kept to four places, halves rounded away from zero
        stdout: 
        stdout: Other names are mapped: --map ts=sold_at --map item_id=sku, or --map FILE with lines such as
        stdout: ts = "sold_at", and assume_utc = true. category=department/group/type makes a path of one
        stdout: column for each level; category=department/ takes one column as one level.
        stdout: 
        stdout: Lines that are no events are kept in the lake's rejects/ folder with the reason, and the exit
        stdout: code is 4. Only ts and item_id are required; in NDJSON, `date` serves for ts, and so does the
        stdout: time of a line such as Fluent Bit writes: `tag: [1483794300.25, {"item_id":"7"}]`.
        exit code 0
    "#]].assert_eq(&World::new().run("ingest --help").whole());
}

#[test]
fn a_log_is_ingested_and_every_line_is_counted() {
    let world = World::new();
    world.write("log.csv", format!("{LOG}2017-01-14T13:00:00Z,4,,Food,1,1\nyesterday,5,apple,,1,1\n"));
    expect![[r#"
        stderr: rejected: log.csv:5: item_id is empty; it is required
        stderr: rejected: log.csv:6: ts `yesterday` is neither RFC 3339 with an offset (2017-01-07T13:05:00Z) nor epoch seconds, milliseconds or microseconds
        stderr: ingest: 5 read = 3 accepted + 0 duplicate + 2 rejected, 1 new batch
        exit code 4
    "#]].assert_eq(&world.run("ingest log.csv").whole());
    let counts = world.records("runs").remove(0);
    assert_eq!(
        counts["counts"],
        json!({
            "read": 5, "accepted": 3, "duplicate": 0, "rejected": 2,
            "batches": 1, "skipped_batches": 0, "failed_inputs": 0,
        })
    );
    assert_eq!((&counts["command"], &counts["exit_code"]), (&json!("ingest"), &json!(4)));
    expect![[r#"
        item,units,purchases,amount
        apple,3,1,1.5000
        bread,1,1,2.2500
        novel,1,1,9.9900
        Books: 1
        Food: 2
        Food/Bakery: 1
        Food/Fruit: 1
        Gifts: 1
    "#]]
    .assert_eq(&world.sold());
}

#[test]
fn rejected_lines_are_kept_with_their_reasons() {
    let world = World::new();
    let log = b"ts,item_id,amount\n2017-01-14T10:00:00Z,a,cheap\n2017-01-14T10:00:00Z,b\xff,1\nx,y\n";
    world.write("logs/log.csv", log);
    expect![[r#"
        stderr: rejected: logs/log.csv:2: amount `cheap` is not a decimal number such as 12.34 or 1.5e3
        stderr: rejected: logs/log.csv:3: item_id is not UTF-8
        stderr: rejected: logs/log.csv:4: line has 2 fields, but the header has 3
        stderr: ingest: 3 read = 0 accepted + 0 duplicate + 3 rejected, 0 new batches
        exit code 4
    "#]]
    .assert_eq(&world.run("ingest logs/log.csv").whole());
    let kept = world.records("rejects");
    assert_eq!(
        kept,
        [
            json!({
                "file": "logs/log.csv", "line": 2, "column": "amount",
                "reason": "amount `cheap` is not a decimal number such as 12.34 or 1.5e3",
                "text": "2017-01-14T10:00:00Z,a,cheap",
            }),
            json!({
                "file": "logs/log.csv", "line": 3, "column": "item_id", "reason": "item_id is not UTF-8",
                "bytes_hex": "323031372d30312d31345431303a30303a30305a2c62ff2c31",
            }),
            json!({
                "file": "logs/log.csv", "line": 4,
                "reason": "line has 2 fields, but the header has 3", "text": "x,y",
            }),
        ]
    );
}

#[test]
fn only_the_first_rejected_lines_are_printed() {
    let world = World::new();
    world.write("log.csv", format!("ts,item_id\n{}", "soon,apple\n".repeat(8)));
    expect![[r#"
        stderr: rejected: log.csv:2: ts `soon` is neither RFC 3339 with an offset (2017-01-07T13:05:00Z) nor epoch seconds, milliseconds or microseconds
        stderr: rejected: log.csv:3: ts `soon` is neither RFC 3339 with an offset (2017-01-07T13:05:00Z) nor epoch seconds, milliseconds or microseconds
        stderr: rejected: log.csv:4: ts `soon` is neither RFC 3339 with an offset (2017-01-07T13:05:00Z) nor epoch seconds, milliseconds or microseconds
        stderr: rejected: log.csv:5: ts `soon` is neither RFC 3339 with an offset (2017-01-07T13:05:00Z) nor epoch seconds, milliseconds or microseconds
        stderr: rejected: log.csv:6: ts `soon` is neither RFC 3339 with an offset (2017-01-07T13:05:00Z) nor epoch seconds, milliseconds or microseconds
        stderr: rejected: 3 more lines; all are in the lake's rejects folder
        stderr: ingest: 8 read = 0 accepted + 0 duplicate + 8 rejected, 0 new batches
        exit code 4
    "#]].assert_eq(&world.run("ingest log.csv").whole());
    assert_eq!(world.records("rejects").len(), 8);
}

#[test]
fn the_same_content_again_is_skipped() {
    let world = World::new();
    world.write("log.csv", format!("{LOG}yesterday,5,apple,,1,1\n"));
    let log = std::fs::read(world.path("log.csv")).expect("it was just written");
    world.write("renamed.csv", &log);
    world.write("packed.csv.gz", formats::gzip(&log));
    world.write("packed.csv.zst", formats::zstd(&log));
    assert_eq!(world.run("ingest log.csv").code, Some(4));
    let before = world.files("data/lake/events");
    expect![[r#"
        stderr: skipped: log.csv is already ingested
        stderr: skipped: renamed.csv is already ingested
        stderr: skipped: packed.csv.gz is already ingested
        stderr: skipped: packed.csv.zst is already ingested
        stderr: ingest: 16 read = 0 accepted + 16 duplicate + 0 rejected, 0 new batches
        exit code 0
    "#]]
    .assert_eq(&world.run("ingest log.csv renamed.csv packed.csv.gz packed.csv.zst").whole());
    assert_eq!(world.files("data/lake/events"), before);
    assert_eq!(world.records("rejects").len(), 1);
    let runs = world.records("runs");
    let again = json!({
        "read": 16, "accepted": 0, "duplicate": 16, "rejected": 0,
        "batches": 0, "skipped_batches": 4, "failed_inputs": 0,
    });
    assert!(runs.iter().any(|run| run["counts"] == again), "{runs:?}");
    let (_, log) = LOG.split_once('\n').expect("it has a header");
    world.write("appended.csv", format!("{LOG}{log}"));
    expect![[r#"
        stderr: ingest: 6 read = 6 accepted + 0 duplicate + 0 rejected, 1 new batch
        exit code 0
    "#]]
    .assert_eq(&world.run("ingest appended.csv").whole());
}

#[test]
fn the_logs_of_a_folder_are_ingested_and_other_files_are_skipped() {
    let world = World::new();
    world.write("logs/b.csv", LOG);
    world.write("logs/a/deep.ndjson", r#"{"ts":"2017-01-14T10:00:00Z","item_id":"pear"}"#);
    world.write("logs/README.md", "not a log");
    world.write("logs/.hidden.csv", LOG);
    world.write("logs/half.csv.tmp", LOG);
    expect![[r#"
        stderr: skipped: logs/.hidden.csv: it is hidden
        stderr: skipped: logs/README.md: its file extension is not that of a supported format
        stderr: skipped: logs/half.csv.tmp: its file extension is not that of a supported format
        stderr: ingest: 4 read = 4 accepted + 0 duplicate + 0 rejected, 2 new batches
        exit code 0
    "#]]
    .assert_eq(&world.run("ingest logs --verbose").whole());
    expect![[r#"
        stderr: skipped: logs/a/deep.ndjson is already ingested
        stderr: skipped: logs/b.csv is already ingested
        stderr: ingest: 4 read = 0 accepted + 4 duplicate + 0 rejected, 0 new batches
        exit code 0
    "#]]
    .assert_eq(&world.run("ingest logs").whole());
    let quiet = world.run("--quiet ingest logs");
    assert_eq!((quiet.stderr.as_str(), quiet.code), ("", Some(0)));
}

#[test]
fn the_format_of_standard_input_is_detected() {
    let world = World::new();
    let from_stdin = |arguments: &[&str], text: &str| world.run_with(arguments, text.as_bytes()).whole();
    expect![[r#"
        stderr: ingest: 3 read = 3 accepted + 0 duplicate + 0 rejected, 1 new batch
        exit code 0
    "#]]
    .assert_eq(&from_stdin(&["ingest", "-"], LOG));
    let line = r#"{"ts":1484388000,"item_id":"pear"}"#;
    expect![[r#"
        stderr: ingest: 1 read = 1 accepted + 0 duplicate + 0 rejected, 1 new batch
        exit code 0
    "#]]
    .assert_eq(&from_stdin(&["ingest", "--format", "ndjson", "-"], line));
    expect![[r#"
        stderr: skipped: - is already ingested
        stderr: ingest: 1 read = 0 accepted + 1 duplicate + 0 rejected, 0 new batches
        exit code 0
    "#]]
    .assert_eq(&from_stdin(&["ingest", "-"], line));
    expect![[r#"
        stderr: skipped: - is already ingested
        stderr: ingest: 3 read = 0 accepted + 3 duplicate + 0 rejected, 0 new batches
        exit code 0
    "#]]
    .assert_eq(&from_stdin(&["ingest", "-"], LOG));
}

#[test]
fn events_too_far_in_the_future_are_rejected() {
    let world = World::new();
    world.write("log.csv", "ts,item_id\n2017-01-15T00:59:59Z,a\n2017-01-15T01:00:01Z,b\n");
    expect![[r#"
        stderr: rejected: log.csv:3: ts `2017-01-15T01:00:01Z` is in the future; the latest time accepted is 2017-01-15T01:00:00Z
        stderr: ingest: 2 read = 1 accepted + 0 duplicate + 1 rejected, 1 new batch
        exit code 4
    "#]].assert_eq(&world.run("ingest log.csv").whole());
    world.write("later.csv", "ts,item_id\n2017-01-15T01:00:01Z,b\n");
    expect![[r#"
        stderr: ingest: 1 read = 1 accepted + 0 duplicate + 0 rejected, 1 new batch
        exit code 0
    "#]]
    .assert_eq(&world.run("ingest --max-skew 2h later.csv").whole());
    expect![[r#"
        stderr: error: --max-skew: `soon` is not a length of time; write a whole number and a unit (s, min, h, d, w), such as 10s or 1h
        exit code 2
    "#]].assert_eq(&world.run("ingest --max-skew soon later.csv").whole());
}

#[test]
fn usage_errors_are_reported() {
    let world = World::new();
    expect![[r#"
        stderr: error: the following required arguments were not provided:
        stderr:   <FILE|DIR|->...
        stderr: 
        stderr: Usage: topsell ingest <FILE|DIR|->...
        stderr: 
        stderr: For more information, try '--help'.
        exit code 2
    "#]]
    .assert_eq(&world.run("ingest").whole());
    expect![[r#"
        stderr: error: invalid value 'xml' for '--format <FORMAT>'
        stderr:   [possible values: csv, tsv, ndjson, parquet]
        stderr: 
        stderr: For more information, try '--help'.
        exit code 2
    "#]]
    .assert_eq(&world.run("ingest --format xml log.xml").whole());
    expect![[r#"
        stderr: error: threads: `0` is no whole number from 1 to 65535
        exit code 2
    "#]]
    .assert_eq(&world.run("ingest --threads 0 -").whole());
    world.write("log.txt", LOG);
    expect![[r#"
        stderr: failed: log.txt: cannot infer the format from the file extension; pass --format csv, tsv, ndjson or parquet
        stderr: ingest: 0 read = 0 accepted + 0 duplicate + 0 rejected, 0 new batches, 1 of 1 input failed
        exit code 1
    "#]]
    .assert_eq(&world.run("ingest log.txt").whole());
    expect![[r#"
        stderr: ingest: 3 read = 3 accepted + 0 duplicate + 0 rejected, 1 new batch
        exit code 0
    "#]]
    .assert_eq(&world.run("ingest --format csv log.txt").whole());
}

#[test]
fn the_flag_or_the_environment_sets_the_lake() {
    let world = World::new();
    world.write("log.csv", LOG);
    world.run("ingest --lake there log.csv");
    assert!(world.path("there/events/_delta_log").is_dir());
    let mut command = world.command(&["ingest", "log.csv"]);
    let output = command.env("TOPSELL_LAKE", "elsewhere/still").output().expect("the program starts");
    assert_eq!(output.status.code(), Some(0));
    assert!(world.path("elsewhere/still/events/_delta_log").is_dir());
    assert!(!world.path("data").exists());
    for lake in ["a space", "50% off", "über", "x#y?z"] {
        let said = world.run_with(&["--lake", lake, "ingest", "log.csv"], b"");
        assert_eq!(said.code, Some(0), "{lake}: {}", said.whole());
        assert!(world.path(lake).join("events/_delta_log").is_dir(), "{lake}");
    }
    // The Delta library would look for `aA`.
    let said = world.run_with(&["--lake", "a%41", "ingest", "log.csv"], b"");
    assert_eq!(said.code, Some(1), "{}", said.whole());
    assert!(said.stderr.contains("rename the folder") && !world.path("a%41").exists(), "{}", said.whole());
}
