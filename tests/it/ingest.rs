//! `topsell ingest`: what is ingested, what is reported, what is kept in the rejects.

mod compression;
mod folders;
pub mod formats;
mod growing;
mod lines;
mod nested_parquet;
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
        stdout:   topsell ingest logs/                 load all log files of a directory
        stdout:   topsell rank --window 150h           rank the last 150 hours
        stdout:   topsell show -n 10                   show the 10 best sellers of the shop
        stdout:   topsell show Books/Fiction           show the best sellers of a category
        stdout:   topsell count 1082185 --last 24h     count an item's sales of the last 24 hours
        stdout: 
        stdout: Turns purchase logs into best-seller rankings
        stdout: 
        stdout: Usage: topsell [OPTIONS] <COMMAND>
        stdout: 
        stdout: Load and rank:
        stdout:   init         Make a lake and its settings file
        stdout:   ingest       Load purchase logs into the lake
        stdout:   rollup       Aggregate new events by item and hour
        stdout:   rank         Rank the items of every category and publish the ranking
        stdout:   cluster      Rank or aggregate with several processes
        stdout: 
        stdout: Query:
        stdout:   show         Show best sellers, items and categories of the published ranking
        stdout:   count        Count the sales of items, of a category or of the shop, up to now
        stdout:   top          List the items that sold most, up to now
        stdout:   report       Write a published ranking as an HTML page
        stdout:   serve        Serve counts and rankings over HTTP, and take in events
        stdout: 
        stdout: Publish:
        stdout:   publish      Publish the ranking to Redis, static files or an HTTP endpoint
        stdout:   list         Keep lists that many clients follow: create, change, show, fetch, verify
        stdout: 
        stdout: Run and monitor jobs:
        stdout:   run          Run a job now, regardless of its schedule
        stdout:   schedule     Run jobs on their schedules
        stdout:   runs         List past runs and their outcomes
        stdout:   health       Check the lake's status, for monitoring
        stdout: 
        stdout: Maintain:
        stdout:   lake         Maintain the lake: compact, prune, verify, repair, show statistics
        stdout:   doctor       Check what the store of a lake in a bucket must promise
        stdout: 
        stdout: Configure:
        stdout:   config       Show the settings, their values and origins
        stdout:   completions  Print a shell completion script
        stdout:   man          Write the manual pages to a directory
        stdout:   help         Print this message or the help of a command
        stdout: 
        stdout: Global options:
        stdout:       --lake <DIR>           Lake directory, or s3://BUCKET/PREFIX [default: data/lake]
        stdout:       --threads <N>          Number of threads [default: number of CPUs]
        stdout:   -q, --quiet                Print errors only
        stdout:   -v, --verbose              Print more details
        stdout:       --color <WHEN>         When to use colors [default: auto] [possible values: auto, always,
        stdout:                              never]
        stdout:       --metrics-file <FILE>  Write metrics of the lake and its last runs to FILE, for the textfile
        stdout:                              collector of the Prometheus node_exporter
        stdout:   -h, --help                 Print help
        stdout:   -V, --version              Print version
        stdout: 
        stdout: Exit codes:
        stdout:   0  success
        stdout:   1  runtime error: a disk, lake or input error
        stdout:   2  usage error: invalid command line or settings
        stdout:   3  data corruption: a file of the lake is damaged
        stdout:   4  completed with rejects: some lines or files were rejected
        stdout:   5  not found: no such category, item, ranking or run
        stdout:   6  busy: another run holds the lock
        stdout:   7  stale: the ranking would be empty or outdated; the previous one stays published
        exit code 0
    "#]].assert_eq(&world.run("--help").whole());
    expect![[r#"
        stdout: topsell 0.1.0
        exit code 0
    "#]]
    .assert_eq(&world.run("-V").whole());
    assert_eq!(world.run("").code, Some(2), "a bare call is a misuse");
    assert!(world.run("").stderr.contains("Usage: topsell"), "a bare call is answered with the help");
}

#[test]
fn the_help_describes_a_log() {
    expect![[r#"
        stdout: Examples:
        stdout:   topsell ingest purchases-2017-01-01.csv.gz
        stdout:   topsell ingest logs/                                load all log files of a directory
        stdout:   topsell ingest --force --batch-id till-7 till-7.csv  replace what batch till-7 loaded before
        stdout:   topsell ingest --spool /var/spool/shop/             load finished files, then move them away
        stdout:   zcat *.ndjson.gz | topsell ingest --format ndjson -
        stdout:   kcat -C -t purchases | topsell ingest --commit-every 10s -
        stdout:   topsell ingest --map vendor.toml --catalog products.parquet sales.parquet
        stdout: 
        stdout: Load purchase logs into the lake
        stdout: 
        stdout: Each input is committed atomically as one batch; large files and streams become several. Content
        stdout: that is already ingested is skipped, whatever its file name or compression.
        stdout: 
        stdout: Usage: topsell ingest [OPTIONS] [FILE|DIR|-]...
        stdout: 
        stdout: Arguments:
        stdout:   [FILE|DIR|-]...
        stdout:           Files or directories to load, objects or prefixes of a bucket (s3://BUCKET/PREFIX), or -
        stdout:           for standard input
        stdout: 
        stdout: Options:
        stdout:       --spool <DIR>
        stdout:           Load the finished files directly in DIR, and move each to DIR/done or DIR/failed; with
        stdout:           s3://BUCKET/PREFIX, load the objects that are new, which stay
        stdout: 
        stdout:       --only-share <K/N>
        stdout:           Only the K-th of N shares of the inputs, for N processes that each load one
        stdout: 
        stdout:       --min-age <DURATION>
        stdout:           With --spool, ignore files modified less than this ago [default: 10s]
        stdout: 
        stdout:       --commit-every <DURATION|LINES>
        stdout:           Commit standard input at this interval (10s) or after this many lines (50000); can be
        stdout:           given once each
        stdout: 
        stdout:       --ack <SENDER>
        stdout:           Acknowledge each message on standard input when it is on disk, in the protocol of SENDER
        stdout: 
        stdout:           Possible values:
        stdout:           - rsyslog: The omprog module with confirmMessages="on", with or without useTransactions
        stdout: 
        stdout:       --allow-rejects
        stdout:           Exit with 0 instead of 4 if lines or files were rejected; they are still reported and
        stdout:           stored
        stdout: 
        stdout:       --max-rejects <SIZE>
        stdout:           Keep at most this much of the rejected lines of a run, and a fourth of it of one input;
        stdout:           the others are counted only
        stdout:           
        stdout:           [default: 64MiB]
        stdout: 
        stdout:       --format <FORMAT>
        stdout:           Format of the inputs [default: inferred from the file extension, for standard input from
        stdout:           its content]
        stdout:           
        stdout:           [possible values: csv, tsv, ndjson, parquet]
        stdout: 
        stdout:       --map <FIELD=COLUMN|FILE|preset:NAME>
        stdout:           Column that holds a field, or a TOML file of such pairs, or preset:NAME; can be repeated
        stdout: 
        stdout:       --presets
        stdout:           List the presets for --map, and load nothing
        stdout: 
        stdout:       --catalog <FILE>
        stdout:           Item catalog: a CSV, TSV or Parquet file with the columns item_id, category and name;
        stdout:           `ingest` reads missing categories from it, `rank` item names
        stdout: 
        stdout:       --catalog-map <FIELD=COLUMN|FILE>
        stdout:           Column of the catalog that holds item_id, category or name, or a TOML file of such pairs;
        stdout:           can be repeated
        stdout: 
        stdout:       --max-skew <DURATION>
        stdout:           Reject events later than this after the current time
        stdout:           
        stdout:           [default: 1h]
        stdout: 
        stdout:       --dry-run
        stdout:           Print the plan and change nothing
        stdout: 
        stdout:       --write-map <FILE>
        stdout:           With --dry-run, write the mapping in use, or the proposed one, to FILE for --map
        stdout: 
        stdout:       --batch-id <ID>
        stdout:           Id of the batch of a single input [default: a hash of its content]
        stdout: 
        stdout:       --force
        stdout:           Load inputs that are already ingested again, replacing the events of the earlier batch
        stdout:           with the same --batch-id or content
        stdout: 
        stdout:       --slice-size <SIZE>
        stdout:           Size of the slices in which large inputs are read (64MiB); limits memory use, and is fixed
        stdout:           when the lake is created
        stdout: 
        stdout:   -h, --help
        stdout:           Print help (see a summary with '-h')
        stdout: 
        stdout: Input dialect (also keys of a --map file: skip_lines = 2):
        stdout:       --delimiter <CHAR>
        stdout:           Delimiter of CSV: one ASCII character, or tab [default: the one of , ; tab | that the
        stdout:           header has]
        stdout: 
        stdout:       --quoting <STYLE>
        stdout:           What encloses fields: none, standard (RFC 4180), backslash (standard, and \" inside of a
        stdout:           field) or single (single quotes) [default: standard for CSV, none for TSV]
        stdout: 
        stdout:       --encoding <NAME>
        stdout:           Character encoding, such as windows-1252 [default: UTF-8, or UTF-16 by its byte order
        stdout:           mark]
        stdout: 
        stdout:       --skip-lines <N>
        stdout:           Skip this many lines before the header
        stdout: 
        stdout:       --null <TEXT>
        stdout:           Text that stands for no value in any field, besides the usual ones (\N, NULL, NaN, None,
        stdout:           nil, NA, n/a, -, "" and others); can be repeated
        stdout: 
        stdout:       --bad-field <ACTION>
        stdout:           What to do where an optional field cannot be read: drop the field or reject the line
        stdout:           [default: reject for quantity, drop for others]
        stdout: 
        stdout:       --decimal <MARK>
        stdout:           Decimal mark of quantities and amounts: point or comma [default: inferred where it is
        stdout:           clear]
        stdout: 
        stdout:       --ts-format <FORMAT>
        stdout:           Format of ts: strptime directives such as %d.%m.%Y, excel, or epoch-seconds, epoch-minutes
        stdout:           and so on; without an offset, UTC or --assume-tz
        stdout: 
        stdout:       --assume-tz <ZONE>
        stdout:           Time zone of times without an offset, such as Europe/Berlin; of an hour that comes twice
        stdout:           the first is meant
        stdout: 
        stdout:       --assume-utc
        stdout:           Read times without an offset as UTC instead of rejecting them
        stdout: 
        stdout:       --min-ts <TIME>
        stdout:           Reject events before this time [default: 2000-01-01]
        stdout: 
        stdout:       --fill <COLUMN>
        stdout:           Column that the lines of an order share; its later lines take ts, event_type, currency and
        stdout:           the columns of --where from its first line where they have none
        stdout: 
        stdout:       --where <FILTER>
        stdout:           Use only records that pass, such as 'Financial Status in (paid, partially_refunded)'
        stdout: 
        stdout:       --level-separator <TEXT>
        stdout:           Separator of the levels of a category [default: /]
        stdout: 
        stdout:       --path-separator <TEXT>
        stdout:           Separator of the paths of a category [default: |]
        stdout: 
        stdout:       --currency <CODE>
        stdout:           Use only records in this currency
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
        stdout: Input columns, in any order; only ts and item_id are required, unknown columns are ignored:
        stdout:   ts          time: RFC 3339 with an offset, or an epoch number in seconds (below 10^11),
        stdout:               milliseconds (below 10^14) or microseconds
        stdout:   item_id     item
        stdout:   event_id    id of the event; events of an item with the same id are counted once a day, a sale
        stdout:               and a return each
        stdout:   category    category paths, separated by |, their levels by /; escape % / | in a level as
        stdout:               %25 %2F %7C
        stdout:   categories  in NDJSON and Parquet, instead of category: an array of paths or of arrays of levels
        stdout:   event_type  type of the event [default: purchase]
        stdout:   quantity    decimal, negative for a return [default: 1]
        stdout:   amount      decimal, rounded to four places, halves away from zero
        stdout:   version     integer or time, only if mapped: of an event that arrives several times, the greatest
        stdout:               version counts
        stdout: 
        stdout: Map other column names with --map ts=sold_at --map item_id=sku, or --map FILE, a TOML file with
        stdout: lines
        stdout: such as ts = "sold_at" and assume_utc = true. category=department/group/type builds a path from one
        stdout: column per level; category=department/ uses one column as one level.
        stdout: 
        stdout: Invalid lines are stored with the reason in rejects/ of the lake, and the exit code is 4. In NDJSON,
        stdout: `date` can replace ts, as can the time of a Fluent Bit line: `tag: [1483794300.25,
        stdout: {"item_id":"7"}]`.
        exit code 0
    "#]].assert_eq(&World::new().run("ingest --help").whole());
}

#[test]
fn a_log_is_ingested_and_every_line_is_counted() {
    let world = World::new();
    world.write("log.csv", format!("{LOG}2017-01-14T13:00:00Z,4,,Food,1,1\nyesterday,5,apple,,1,1\n"));
    expect![[r#"
        stderr: rejected: log.csv:5: item_id is empty; it is required
        stderr: rejected: log.csv:6: ts `yesterday` is neither ISO 8601 (2017-01-07T13:05:00Z), RFC 2822, a time of web servers' logs nor an epoch number; pass --ts-format to read another form
        stderr: hint: to load an input again with other options, pass --force too
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
        stderr: rejected: logs/log.csv:2: amount `cheap` is not a number such as 12.34
        stderr: rejected: logs/log.csv:3: item_id is not UTF-8; pass the encoding of the file, as in --encoding windows-1252
        stderr: rejected: logs/log.csv:4: line has 2 fields, but the header has 3
        stderr: warning: logs/log.csv:3: 1 line rejected that is not UTF-8; pass the encoding of the file, as in --encoding windows-1252
        stderr: ingest: 3 read = 0 accepted + 0 duplicate + 3 rejected, 0 new batches
        exit code 4
    "#]]
    .assert_eq(&world.run("ingest logs/log.csv --bad-field reject").whole());
    let kept = world.records("rejects");
    assert_eq!(
        kept,
        [
            json!({
                "file": "logs/log.csv", "line": 2, "column": "amount",
                "reason": "amount `cheap` is not a number such as 12.34",
                "text": "2017-01-14T10:00:00Z,a,cheap",
            }),
            json!({
                "file": "logs/log.csv", "line": 3, "column": "item_id",
                "reason": "item_id is not UTF-8; pass the encoding of the file, as in --encoding windows-1252",
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
        stderr: rejected: log.csv:2: ts `soon` is neither ISO 8601 (2017-01-07T13:05:00Z), RFC 2822, a time of web servers' logs nor an epoch number; pass --ts-format to read another form
        stderr: rejected: log.csv:3: ts `soon` is neither ISO 8601 (2017-01-07T13:05:00Z), RFC 2822, a time of web servers' logs nor an epoch number; pass --ts-format to read another form
        stderr: rejected: log.csv:4: ts `soon` is neither ISO 8601 (2017-01-07T13:05:00Z), RFC 2822, a time of web servers' logs nor an epoch number; pass --ts-format to read another form
        stderr: rejected: log.csv:5: ts `soon` is neither ISO 8601 (2017-01-07T13:05:00Z), RFC 2822, a time of web servers' logs nor an epoch number; pass --ts-format to read another form
        stderr: rejected: log.csv:6: ts `soon` is neither ISO 8601 (2017-01-07T13:05:00Z), RFC 2822, a time of web servers' logs nor an epoch number; pass --ts-format to read another form
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
        stderr: warning: 2 inputs have the content of another file, so 8 lines were not loaded: renamed.csv, packed.csv.gz
        stderr: hint: if these are other sales, load each file with a --batch-id of its own, or add a column that differs
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
        stderr: skipped: logs/README.md: its format cannot be inferred from its name or content; pass --format
        stderr: skipped: logs/half.csv.tmp: its name marks it as unfinished
        stderr: batch: logs/a/deep.ndjson: 6765758696a4707ca0cf0198a9a8aa3936752161dc9988083b8364499c792a82, new
        stderr: batch: logs/b.csv: 9150e87b56b59847275de16804b1707749149de8a42b94ea77f77db0743683b8, new
        stderr: ingest: 4 read = 4 accepted + 0 duplicate + 0 rejected, 2 new batches, 3 files skipped
        exit code 0
    "#]]
    .assert_eq(&world.run("ingest logs --verbose").whole());
    expect![[r#"
        stderr: skipped: logs/a/deep.ndjson is already ingested
        stderr: skipped: logs/b.csv is already ingested
        stderr: ingest: 4 read = 0 accepted + 4 duplicate + 0 rejected, 0 new batches, 3 files skipped (-v lists them)
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
        stderr: error: --max-skew: `soon` is not a duration; pass a whole number and a unit (s, min, h, d, w, y), such as 10s or 1h
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
        stderr: error: threads: `0` is not an integer from 1 to 65535
        exit code 2
    "#]]
    .assert_eq(&world.run("ingest --threads 0 -").whole());
    world.write("log.txt", LOG);
    expect![[r#"
        stderr: failed: log.txt: cannot infer the format from the file name or content; pass --format csv, tsv, ndjson or parquet
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
