//! What can be typed.

use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{ArgMatches, Args as ClapArgs, ColorChoice, Parser, Subcommand, ValueEnum};

use crate::complete::{CompleteCategories, Completions};
use crate::config::Ask;
use crate::count::Count;
use crate::datagen::Datagen;
use crate::health::Ask as Health;
use crate::man::Man;
use crate::page::Report;
use crate::run::Run;
use crate::runs::Runs;
use crate::schedule::Schedule;
use crate::show::Show;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default());

const EXAMPLES: &str = "\
Examples:
  topsell ingest logs/                     take in every log of a folder
  topsell rank --window 150h               rank the last 150 hours, as cron does
  topsell show --limit 10                  the shop's ten best sellers
  topsell show --category Books/Fiction    the best sellers of a category
  topsell count 1082185 --last 24h         what one item has sold, up to this moment
";

pub const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  could not: the disk, the lake or an input stood in the way
  2  misused: the command line makes no sense
  3  damaged data: a file of the lake is not what it was
  4  done, but some lines or files were rejected
  5  nothing found: no such category, item or ranking
  6  busy: another run is at work on the lake
  7  stale: the ranking would have been empty, or of old sales; the one before stays
";

/// Turns purchase logs into best-seller lists.
#[derive(Parser, Debug)]
#[command(name = "topsell", version, styles = STYLES, before_help = EXAMPLES, after_help = EXIT_CODES)]
#[command(arg_required_else_help = true, disable_help_subcommand = true)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub common: Common,
}

/// What every command takes.
#[derive(ClapArgs, Debug)]
#[command(next_help_heading = "Options of every command")]
pub struct Common {
    /// Folder of the lake; TOPSELL_LAKE unless given
    #[arg(long, global = true, value_name = "DIR", default_value = "data/lake")]
    pub lake: PathBuf,
    /// Threads to work on; as many as there are processors unless said
    #[arg(long, global = true, value_name = "N")]
    pub threads: Option<u16>,
    /// Say nothing but errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// When to use colors
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: ColorChoice,
    /// Leave metrics of the lake and its last runs in this file, for the textfile collector of
    /// Prometheus's node_exporter
    #[arg(long, global = true, value_name = "FILE")]
    pub metrics_file: Option<PathBuf>,
    /// The moment to take for now, RFC 3339; for tests and for doing an old run again
    #[arg(long, global = true, value_name = "TIME", env = "TOPSELL_NOW", hide = true)]
    pub now: Option<String>,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    Ingest(Ingest),
    Rollup(Rollup),
    Rank(Rank),
    Show(Show),
    Count(Count),
    Report(Report),
    Run(Run),
    Schedule(Schedule),
    Health(Health),
    Lake(Lake),
    Runs(Runs),
    Config(Ask),
    Completions(Completions),
    Man(Man),
    #[command(hide = true)]
    CompleteCategories(CompleteCategories),
    #[command(hide = true)]
    Datagen(Datagen),
}

/// Read purchase logs into the lake
///
/// Every input is one batch, long ones and streams are several; each is committed whole. The same
/// content again, under whatever name or compression, changes nothing.
#[derive(ClapArgs, Debug)]
#[command(before_help = "\
Examples:
  topsell ingest purchases-2017-01-01.csv.gz
  topsell ingest /var/spool/shop/             every log below the folder, in name order
  topsell ingest --spool /var/spool/shop/     finished logs, moved away when they are in
  zcat *.ndjson.gz | topsell ingest --format ndjson -
  kcat -C -t purchases | topsell ingest --commit-every 10s -
  topsell ingest --map vendor.toml --catalog products.parquet sales.parquet
")]
#[command(after_help = "\
Columns, by the names in the header, in any order; others are dropped:
  ts          when: RFC 3339 with an offset, or an epoch number, whose unit is told by its
              size: below 10^11 seconds, below 10^14 milliseconds, else microseconds
  item_id     what was bought
  event_id    optional: the same id counts once a day
  category    optional: paths split by |, levels by /; inside a level %25 %2F %7C
  categories  NDJSON and Parquet, instead: an array of paths, or of arrays of levels
  event_type  optional: `purchase` unless given
  quantity    optional: a whole number, 1 unless given, negative for a return
  amount      optional: a decimal, kept to four places, halves rounded away from zero

Other names are mapped: --map ts=sold_at --map item_id=sku, or --map FILE with lines such as
ts = \"sold_at\", and assume_utc = true. category=department/group/type makes a path of one
column for each level; category=department/ takes one column as one level.

Lines that are no events are kept in the lake's rejects/ folder with the reason, and the exit
code is 4. Only ts and item_id are required; in NDJSON, `date` serves for ts, and so does the
time of a line such as Fluent Bit writes: `tag: [1483794300.25, {\"item_id\":\"7\"}]`.
")]
pub struct Ingest {
    /// Logs to read: files, folders, or - for standard input
    #[arg(required_unless_present = "spool", value_name = "FILE|DIR|-")]
    pub inputs: Vec<PathBuf>,
    /// Take in the finished logs directly in a folder, and move each to its done/ or failed/
    #[arg(long, value_name = "DIR", conflicts_with = "inputs")]
    pub spool: Option<PathBuf>,
    /// With --spool: leave files alone that changed less than this ago, 10s unless given; 0s to
    /// take them too
    #[arg(long, value_name = "TIME")]
    pub min_age: Option<String>,
    /// Commit what came on standard input so far every so often, such as 10s, or every so many
    /// lines, such as 50000; may be given once each
    #[arg(long, value_name = "TIME|LINES")]
    pub commit_every: Vec<String>,
    /// Answer each message on standard input when it is on disk, as the sender asks
    #[arg(long, value_enum, value_name = "SENDER", conflicts_with_all = ["commit_every", "spool", "min_age", "dry_run"])]
    pub ack: Option<Sender>,
    /// Exit with 0 where lines or some of the files were rejected; they are kept and told all the
    /// same
    #[arg(long)]
    pub allow_rejects: bool,
    /// Format of the inputs; told by their names unless given, of standard input by its content
    #[arg(long, value_enum)]
    pub format: Option<LogFormat>,
    /// Column to read a field from, or a TOML file of such pairs; may be given several times
    #[arg(long = "map", value_name = "FIELD=COLUMN|FILE")]
    pub map: Vec<String>,
    /// Take times without an offset as UTC, instead of rejecting them
    #[arg(long)]
    pub assume_utc: bool,
    #[command(flatten)]
    pub catalog: Catalog,
    /// How far ahead of the clock an event may lie
    #[arg(long, value_name = "TIME", default_value = "1h")]
    pub max_skew: String,
    /// Read and report, and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// What the batch of the only input is called; by its content unless given
    #[arg(long, value_name = "ID", conflicts_with_all = ["spool", "ack", "commit_every"])]
    pub batch_id: Option<String>,
    /// Take in again what was taken in before, by --batch-id or with the same content, in the place
    /// of what it brought then; all of an input or nothing
    #[arg(long, conflicts_with_all = ["ack", "commit_every"])]
    pub force: bool,
    /// Bytes into which long inputs are cut, such as 64MiB; bounds the memory used, and is set
    /// for good when a lake is made
    #[arg(long, value_name = "SIZE")]
    pub slice_size: Option<String>,
}

/// Who waits for answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Sender {
    /// The omprog module with confirmMessages="on", with or without useTransactions
    Rsyslog,
}

/// What names a catalog.
#[derive(ClapArgs, Debug)]
pub struct Catalog {
    /// CSV, TSV or Parquet file of item_id, category and name: `ingest` takes from it the
    /// categories of items whose line has none, `rank` the names of ranked items
    #[arg(long, value_name = "FILE")]
    pub catalog: Option<PathBuf>,
    /// Column of the catalog to read item_id, category or name from, or a TOML file of such
    /// pairs; may be given several times
    #[arg(long, value_name = "FIELD=COLUMN|FILE", requires = "catalog")]
    pub catalog_map: Vec<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LogFormat {
    Csv,
    Tsv,
    Ndjson,
    Parquet,
}

/// Bring the sums up to date with the events
#[derive(ClapArgs, Debug)]
#[command(before_help = "\
Examples:
  topsell rollup            sum anew the hours that changed since last time
  topsell rollup --all      sum everything anew, from the ground
")]
pub struct Rollup {
    /// Sum everything anew, not only what changed
    #[arg(long)]
    pub all: bool,
    /// Wait while another run is at work on the lake, instead of giving up
    #[arg(long)]
    pub wait: bool,
}

/// Rank every category and the whole shop, and publish the ranking
///
/// Brings the sums up to date first.
#[derive(ClapArgs, Debug)]
#[command(before_help = "\
Examples:
  topsell rank                                        the last 150 hours
  topsell rank --window 7d --no-decay --by amount     a week's turnover
  topsell rank --as-of 2017-01-15T00:00:00Z           as it was then
  topsell rank --tail                                 with the rank of every item, as once a night
")]
pub struct Rank {
    /// Hours to look at, the newest being the one before --as-of
    #[arg(long, value_name = "TIME", default_value = "150h")]
    pub window: String,
    /// Time after which a sale counts half
    #[arg(long, value_name = "TIME", default_value = "48h", conflicts_with_all = ["decay", "no_decay"])]
    pub half_life: String,
    /// The same as a rate per hour: a sale counts e^(-RATE x hours)
    #[arg(long, value_name = "RATE", conflicts_with = "no_decay", allow_negative_numbers = true)]
    pub decay: Option<f64>,
    /// Count old sales like new ones
    #[arg(long)]
    pub no_decay: bool,
    /// Items to rank in each category
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub top: u32,
    /// Where the window ends, RFC 3339 or an epoch number, rounded up to the full hour; now
    /// unless given
    #[arg(long, value_name = "TIME")]
    pub as_of: Option<String>,
    /// Time zone of the seven days that units are told of, besides the window
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub tz: String,
    /// Types of events to count; may be given several times
    #[arg(long = "event-type", value_name = "TYPE", default_value = topsell_core::model::PURCHASE)]
    pub event_types: Vec<String>,
    /// What the score adds up
    #[arg(long, value_enum, default_value = "units")]
    pub by: By,
    /// Publish what every item comes to, too, and its rank in each of its categories, not only the
    /// best; for the nightly run
    #[arg(long)]
    pub tail: bool,
    /// A category with fewer rankable items looks further back
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub min_items: u64,
    /// How far back it looks at most
    #[arg(long, value_name = "TIME", default_value = "365d")]
    pub max_lookback: String,
    /// Publish nothing, and exit with 7, where the newest hour of sales ended longer than this
    /// before --as-of; however old unless given
    #[arg(long, value_name = "TIME")]
    pub max_lag: Option<String>,
    #[command(flatten)]
    pub catalog: Catalog,
    /// Wait while another run is at work on the lake, instead of giving up
    #[arg(long)]
    pub wait: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum By {
    Units,
    Purchases,
    Amount,
}

/// Look after the lake: merge small files, let go of old ones, check it, see what is in it
#[derive(ClapArgs, Debug)]
#[command(before_help = "\
Examples:
  topsell lake compact            merge small files, as the nightly job does
  topsell lake prune --dry-run    what nothing needs any more
  topsell lake verify             whether all is well
  topsell lake stats              what is in it
")]
#[command(arg_required_else_help = true, disable_help_subcommand = true)]
pub struct Lake {
    #[command(subcommand)]
    pub command: LakeCommand,
}

#[derive(Subcommand, Debug)]
pub enum LakeCommand {
    /// Merge small files: events of hours that are over, sums of days that are over
    ///
    /// Rankings stay as they are, and readers at work read on. The files that are merged stay on
    /// disk for them.
    #[command(before_help = "\
Examples:
  topsell lake compact --dry-run     what would be merged
  topsell lake compact --wait        merge it, as the nightly job does
")]
    Compact {
        /// Say what would be merged, and merge nothing
        #[arg(long)]
        dry_run: bool,
        /// Wait while another run is at work on the lake, instead of giving up
        #[arg(long)]
        wait: bool,
    },
    /// Drop hours past the retention, and remove files that nothing needs any more
    ///
    /// The retention is what --retention says, else `retention = "400d"` in the lake's
    /// topsell.toml; without either all hours stay. A UTC day goes when all of it is older. Dropped
    /// hours' files, and those that were merged or summed anew, are removed when the versions that
    /// name them are kept no longer.
    #[command(before_help = "\
Examples:
  topsell lake prune --retention 400d --dry-run     what would go
  topsell lake prune --wait                         what the lake's topsell.toml lets go
")]
    Prune {
        /// Drop the hours of days that are over for longer than this
        #[arg(long, value_name = "TIME")]
        retention: Option<String>,
        /// Keep the tables as they were for so long, for whoever still reads them
        #[arg(long, value_name = "TIME", default_value = "7d")]
        keep_versions: String,
        /// Keep published rankings for so long
        #[arg(long, value_name = "TIME", default_value = "35d")]
        keep_rankings: String,
        /// Of older ones, keep the last of each week for so long; by these `show` tells how many
        /// weeks an item has been on a list
        #[arg(long, value_name = "TIME", default_value = "53w")]
        keep_weekly: String,
        /// Keep records of runs for so long; those of days that are over go into one file a day
        #[arg(long, value_name = "TIME", default_value = "90d")]
        keep_runs: String,
        /// Say what would go, and remove nothing
        #[arg(long)]
        dry_run: bool,
        /// Wait while another run is at work on the lake, instead of giving up
        #[arg(long)]
        wait: bool,
    },
    /// Read every file that the lake names, and count all sums again; exit code 3 if any is wrong
    #[command(before_help = "\
Examples:
  topsell lake verify || echo 'bring the lake back from a copy'
")]
    Verify,
    /// Count files, rows, hours and categories
    #[command(before_help = "\
Examples:
  topsell lake stats | jq '.events.rows'
")]
    Stats,
}

/// Tells whether a command goes by what is set once, besides what was typed.
pub fn goes_by_settings(typed: &ArgMatches) -> bool {
    !matches!(typed.subcommand_name(), Some("completions" | "man"))
}
