//! `topsell show`: answers from published rankings.

use clap::Args as ClapArgs;

use crate::failure::{Exit, Failure};
use crate::moments::TIME_HELP;
use crate::output::{OutputArgs, Target};
use crate::record_args::RecordArgs;
use crate::run_recorder;
use crate::settings::Settings;
use topsell_core::lake::Lake;
use topsell_core::rankings::SnapshotError;
use topsell_output::show::{self, Question, ShowError, ShowOptions, Sources};

/// Show best sellers, items and categories of the published ranking
///
/// Reads the current ranking, or an earlier one with --at, in milliseconds and without a lock. Export with
/// -o FILE.
#[derive(ClapArgs, Debug)]
#[command(before_help = "\
Examples:
  topsell show -n 10                          the 10 best sellers of the shop
  topsell show Books/Fiction                  the best sellers of a category
  topsell show Books/Fiction -o top.parquet   export them as Parquet
  topsell show --history 1082185              how an item's rank changed over time
  topsell show --item 1082185                 an item's rank in each of its categories
  topsell show --categories --tree            the categories
  topsell show --search 'white bread'         search items by name
  topsell show Books --risers --since 7d      whose rank is better than a week ago
  topsell show --name daily                   a ranking that was published as `daily`
  topsell show --at yesterday                 the ranking as of the start of yesterday
")]
#[command(after_help = TIME_HELP)]
pub struct Show {
    /// Category path, its levels separated by / [default: the whole shop]
    #[arg(value_name = "CATEGORY", conflicts_with_all = ["category", "categories", "search"])]
    pub path: Option<String>,
    /// Category path, as the argument CATEGORY
    #[arg(short, long, value_name = "PATH")]
    pub category: Option<String>,
    /// Show an item's rank in the shop and in each of its categories, with its neighbors
    #[arg(long, value_name = "ID", group = "view")]
    pub item: Option<String>,
    /// With --item, list the hours that make up its score
    #[arg(long, requires = "item")]
    pub explain: bool,
    /// Show an item's rank in all rankings that are kept
    #[arg(long, value_name = "ID", group = "view")]
    pub history: Option<String>,
    /// Show the changes from one ranking to another
    #[arg(long, num_args = 2, value_names = ["TIME", "TIME"], group = "view", conflicts_with = "at")]
    pub diff: Vec<String>,
    /// Only items whose rank changed, the largest change first
    #[arg(long, group = "view")]
    pub movers: bool,
    /// Only items whose rank is better than it was
    #[arg(long, group = "view")]
    pub risers: bool,
    /// Only items whose rank is worse than it was
    #[arg(long, group = "view")]
    pub fallers: bool,
    /// Only items that are not in the previous ranking
    #[arg(long, group = "view")]
    pub new: bool,
    /// Only items that are in the previous ranking and not in this one
    #[arg(long, group = "view")]
    pub dropped: bool,
    /// Compare ranks with those of the newest ranking as of TIME or earlier; a duration is before the
    /// ranking's own time [default: 1d]
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Name under which the ranking was published [default: default]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Use the newest ranking as of TIME or earlier [default: the current ranking]
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    /// List the categories and the number of items in each ranking
    #[arg(long, group = "view", conflicts_with = "category")]
    pub categories: bool,
    /// With --categories, show them as a tree
    #[arg(long, requires = "categories")]
    pub tree: bool,
    /// Search items by name or id, and show their ranks
    #[arg(long, value_name = "TEXT", group = "view", conflicts_with = "category")]
    pub search: Option<String>,
    /// Maximum number of rows
    #[arg(short = 'n', long, value_name = "N")]
    pub limit: Option<usize>,
    #[command(flatten)]
    pub output: OutputArgs,
    /// Maximum width of a table, 0 for no limit [default: width of the terminal]
    #[arg(long, value_name = "COLUMNS")]
    pub width: Option<usize>,
    #[command(flatten)]
    pub record: RecordArgs,
}

/// What to show, and how.
pub struct Showing {
    question: Question,
    target: Target,
    /// The moments that options name in any other way than in full.
    notes: Vec<String>,
}

impl Show {
    /// Checks the options.
    ///
    /// # Errors
    /// Names the option that is wrong and what to write instead.
    pub fn check(&self, settings: &Settings) -> Result<Showing, Failure> {
        self.record.share()?;
        let target = self.output.target(self.width, settings.color)?;
        let typed_path = self.path.as_deref();
        let options = ShowOptions {
            prefix: "--",
            category: self.category.clone().or_else(|| self.path.clone()),
            limit: self.limit,
            name: self.name.clone(),
            at: self.at.clone(),
            since: self.since.clone(),
            movers: self.movers,
            risers: self.risers,
            fallers: self.fallers,
            new: self.new,
            dropped: self.dropped,
            categories: self.categories,
            tree: self.tree,
            item: self.item.clone(),
            explain: self.explain,
            history: self.history.clone(),
            diff: self.diff.clone(),
            search: self.search.clone(),
        };
        let (question, notes) = options.question(settings.now).map_err(|e| {
            let message = e.to_string();
            // The path may have been typed without the option.
            Failure::usage(match typed_path {
                Some(_) => message.replacen("--category", "CATEGORY", 1),
                None => message,
            })
        })?;
        Ok(Showing { question, target, notes })
    }
}

/// Prints the answer.
///
/// # Errors
/// Fails where there is nothing to show, or the output fails.
pub fn run(settings: &Settings, typed: &Show) -> Result<Exit, Failure> {
    let showing = typed.check(settings)?;
    settings.note_moments(showing.notes.iter().cloned());
    run_recorder::record_read(settings, "show", typed.record.share()?, || answer(settings, &showing))
}

fn answer(settings: &Settings, Showing { question, target, .. }: &Showing) -> Result<Exit, Failure> {
    let store = settings.store()?;
    let answer = match show::answer(&Sources { store: &store, uncommitted: &[], held: None }, question) {
        // Without a lake there is more to do than to rank.
        Err(ShowError::Snapshot(SnapshotError::None)) => {
            Lake::open(store)?;
            return Err(SnapshotError::None.into());
        }
        answer => answer?,
    };
    target.write(answer)?;
    Ok(Exit::Success)
}
