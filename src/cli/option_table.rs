//! Holds the options of all commands to one table: an option means the same wherever it occurs.

use clap::{Arg, Command};

use crate::args::command;

/// An option's long and short form, the name of its value (none for a flag), and how its help begins.
type Row = (&'static str, Option<char>, &'static str, &'static str);

const OPTIONS: &[Row] = &[
    ("access-log", None, "WHICH", "Which requests are logged"),
    ("ack", None, "SENDER", "Acknowledge"),
    ("all", None, "", "Recompute all hours"),
    ("all-items", None, "", "Also "),
    ("all-users", None, "", "Also read the .crontab"),
    ("allow-rejects", None, "", "Exit with 0"),
    ("as-of", None, "TIME", "End of the time window"),
    ("assume-tz", None, "ZONE", "Time zone of times without an offset"),
    ("assume-utc", None, "", "Read times without an offset"),
    ("at", None, "TIME", "Use "),
    ("bad-field", None, "ACTION", "What to do where an optional field"),
    ("batch-id", None, "ID", "Id of the batch"),
    ("by", None, "GROUP", "Group by"),
    ("catalog", None, "FILE", "Item catalog"),
    ("catalog-map", None, "FIELD=COLUMN|FILE", "Column of the catalog"),
    ("categories", None, "", "List the categories"),
    ("category", Some('c'), "PATH", "Category path"),
    ("check", None, "", "Validate all jobs"),
    ("color", None, "WHEN", "When to use colors"),
    ("command", None, "COMMAND", "Only runs of this command"),
    ("commit-every", None, "DURATION|LINES", "Commit standard input"),
    ("crontab", None, "FILE", "Crontab"),
    ("csv-safe", None, "", "In CSV,"),
    ("currency", None, "CODE", "Use only records in this currency"),
    ("decay", None, "RATE", "Decay rate per hour"),
    ("decimal", None, "MARK", "Decimal mark"),
    ("delimiter", None, "CHAR", "Delimiter of CSV"),
    ("diff", None, "TIME", "Show the changes"),
    ("dropped", None, "", "Only items that"),
    ("dry-run", None, "", "Print the plan and change nothing"),
    ("encoding", None, "NAME", "Character encoding"),
    ("event-type", None, "TYPE", "Event types to include"),
    ("exact-times", None, "", "Count to the microsecond"),
    ("excel", None, "", "CSV for Excel"),
    ("explain", None, "", "With --item"),
    ("failed", None, "", "Only runs that failed"),
    ("fill", None, "COLUMN", "Column that the lines of an order share"),
    ("force", None, "", "Load inputs that are already ingested again"),
    ("format", None, "FORMAT", ""),
    ("from", None, "TIME", "Start of the time range"),
    ("half-life", None, "DURATION", "Age at which"),
    ("help", Some('h'), "", "Print help"),
    ("history", None, "ID", "Show an item's rank"),
    ("item", None, "ID", "Show an item's rank"),
    ("job", None, "NAME", ""),
    ("jobs", None, "DIR", "Directory of job files"),
    ("json", None, "", "Short for --format json"),
    ("keep-rankings", None, "DURATION", "Keep all published rankings"),
    ("keep-runs", None, "DURATION", "Keep run records"),
    ("keep-versions", None, "DURATION", "Keep the files"),
    ("keep-weekly", None, "DURATION", "Of older rankings"),
    ("lake", None, "DIR", "Lake directory, or s3://BUCKET/PREFIX"),
    ("last", None, "DURATION", "Count the last hours"),
    ("listen", None, "ADDRESS", "Address and port"),
    ("level-separator", None, "TEXT", "Separator of the levels"),
    ("limit", Some('n'), "N", "Maximum number of"),
    ("list", None, "", "List the upcoming runs"),
    ("log-dir", None, "DIR", "Directory of accepted events"),
    ("log-format", None, "FORMAT", "How lines of the log are written"),
    ("map", None, "FIELD=COLUMN|FILE|preset:NAME", "Column that holds a field"),
    ("max-age", None, "DURATION", "Maximum age of the published ranking"),
    ("max-failed", None, "N", "Maximum number of"),
    ("max-lag", None, "DURATION", "Maximum age of the newest hour of events"),
    ("max-lookback", None, "DURATION", "Maximum length of an extended window"),
    ("max-rejects", None, "SIZE", "Keep at most this much of the rejected lines"),
    ("max-skew", None, "DURATION", "Reject events later"),
    ("measure", None, "MEASURE", "What "),
    ("metrics-file", None, "FILE", "Write metrics"),
    ("min", None, "N", "With --rising"),
    ("min-age", None, "DURATION", "With --spool"),
    ("min-free", None, "SIZE", "Minimum of free space"),
    ("min-items", None, "N", "Extend the window"),
    ("min-ts", None, "TIME", "Reject events before this time"),
    ("movers", None, "", "Only items"),
    ("new", None, "", "Only items"),
    ("no-decay", None, "", "Give all events"),
    ("null", None, "TEXT", "Text that stands for no value"),
    ("only-share", None, "K/N", "Only the K-th of N shares of the "),
    ("output", Some('o'), "FILE", ""),
    ("part", None, "N", "Number of the part"),
    ("parts", None, "N", "About how many parts "),
    ("path-separator", None, "TEXT", "Separator of the paths"),
    ("presets", None, "", "List the presets"),
    ("quiet", Some('q'), "", "Print errors only"),
    ("quoting", None, "STYLE", "What encloses fields"),
    ("record", None, "", "Keep a run record"),
    ("record-reads", None, "SHARE", "Share of the runs"),
    ("retention", None, "DURATION", "Delete events and aggregates"),
    ("rising", None, "", "Order by how much more"),
    ("search", None, "TEXT", "Search items"),
    ("share", None, "1/N", "One of N shares of the"),
    ("split", None, "SPLIT", "How large categories are split"),
    ("shutdown-timeout", None, "DURATION", "On SIGTERM"),
    ("since", None, "TIME", "Only "),
    ("skip-lines", None, "N", "Skip this many lines"),
    ("slice-size", None, "SIZE", "Size of the slices"),
    ("spool", None, "DIR", "Load the finished files"),
    ("stat", None, "STATISTIC", "Show only these statistics"),
    ("subtract", None, "TYPE", "Event types whose units and amounts are subtracted"),
    ("threads", None, "N", "Number of threads"),
    ("tls-cert", None, "FILE", "Certificate"),
    ("tls-key", None, "FILE", "Private key"),
    ("token-file", None, "FILE", "File with a line"),
    ("title", None, "TEXT", "Title of the page"),
    ("to", None, "TIME", "End of the time range"),
    ("tree", None, "", "With --categories"),
    ("ts-format", None, "FORMAT", "Format of ts"),
    ("tz", None, "ZONE", "Time zone for"),
    ("verbose", Some('v'), "", "Print more details"),
    ("version", Some('V'), "", "Print version"),
    ("wait", None, "", "Wait while another run holds the lock"),
    ("where", None, "FILTER", "Use only records that pass"),
    ("workers", None, "N", "Number of processes"),
    ("write-map", None, "FILE", "With --dry-run, write the mapping"),
    ("width", None, "COLUMNS", "Maximum width of a table"),
    ("yes", None, "", "Proceed"),
    ("window", None, "DURATION", "Length of the time window"),
];

/// Calls for each visible option of a command and those below it.
fn each_option(command: &Command, path: &str, check: &mut impl FnMut(&str, &str, &Arg)) {
    let visible = command.get_arguments().filter(|arg| !arg.is_hide_set());
    for arg in visible {
        if let Some(long) = arg.get_long() {
            check(path, long, arg);
        }
    }
    let below = command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help");
    below.for_each(|below| each_option(below, &format!("{path} {}", below.get_name()), check));
}

#[test]
fn an_option_means_the_same_in_every_command() {
    let mut root = command();
    root.build();
    let mut seen = Vec::new();
    each_option(&root, "topsell", &mut |path, long, arg| {
        let row = OPTIONS.iter().find(|(name, ..)| *name == long);
        let (_, short, value, help) = row.unwrap_or_else(|| panic!("{path} --{long} is not in the table"));
        let names = arg.get_value_names().unwrap_or_default();
        let takes_value = arg.get_action().takes_values();
        assert_eq!(arg.get_short(), *short, "{path} --{long}");
        assert_eq!(takes_value, !value.is_empty(), "{path} --{long}");
        assert!(!takes_value || names.iter().all(|name| name == value), "{path} --{long}: {names:?}");
        let text = arg.get_help().map(ToString::to_string).unwrap_or_default();
        assert!(text.starts_with(help), "{path} --{long}: {text}");
        seen.push(long.to_owned());
    });
    let unused = OPTIONS.iter().map(|(name, ..)| *name).filter(|name| *name != "json");
    let unused: Vec<&str> = unused.filter(|name| !seen.iter().any(|seen| seen == name)).collect();
    assert!(unused.is_empty(), "no command has {unused:?}");
}
