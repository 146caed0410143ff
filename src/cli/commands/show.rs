//! `topsell show`: answers from published rankings.

use clap::Args as ClapArgs;

use crate::failure::{Exit, Failure};
use crate::moments::{Moment, TIME_HELP, moment};
use crate::output::{OutputArgs, Target};
use crate::record_args::RecordArgs;
use crate::run_recorder;
use crate::settings::Settings;
use topsell_core::lake::Lake;
use topsell_core::model::{Zone, check_path};
use topsell_core::rankings::SnapshotError;
use topsell_output::show::{self, Order, Question, Selection, ShowError, View};

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
    /// Only items whose rank changed since the previous ranking
    #[arg(long, group = "view")]
    pub movers: bool,
    /// Only items that are not in the previous ranking
    #[arg(long, group = "view")]
    pub new: bool,
    /// Only items that are in the previous ranking and not in this one
    #[arg(long, group = "view")]
    pub dropped: bool,
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
        let moment = |option: &str, text: &str| moment(option, text, settings.now, &Zone::utc());
        let at = self.at.as_deref().map(|text| moment("--at", text)).transpose()?;
        let diff: Vec<Moment> =
            self.diff.iter().map(|text| moment("--diff", text)).collect::<Result<_, _>>()?;
        let notes = at.iter().chain(&diff).filter_map(|moment| moment.note.clone()).collect();
        let at = at.map(|moment| moment.at);
        let limit = self.limit.unwrap_or(usize::MAX);
        let question = Question { view: view(self, &diff)?, at, limit, now: settings.now };
        Ok(Showing { question, target, notes })
    }
}

fn view(typed: &Show, diff: &[Moment]) -> Result<View, Failure> {
    if typed.categories {
        return Ok(View::Categories(if typed.tree { Order::Tree } else { Order::Paths }));
    }
    if let Some(text) = &typed.search {
        return Ok(View::Search(text.clone()));
    }
    let category = typed.category.as_deref().map(|path| checked("--category", path));
    let category = category.or_else(|| typed.path.as_deref().map(|path| checked("CATEGORY", path)));
    let category = category.transpose()?;
    if let Some(item_id) = typed.item.clone() {
        if category.is_some() && !typed.explain {
            let what = "--item shows all categories of the item; omit the category, or pass --explain";
            return Err(Failure::usage(what.to_owned()));
        }
        return Ok(View::Item { item_id, explained: typed.explain.then_some(category) });
    }
    if let Some(item_id) = typed.history.clone() {
        return Ok(View::History { category, item_id });
    }
    if let [before, after] = diff {
        return Ok(View::Diff { category, between: [before.at, after.at] });
    }
    let selection = match (typed.movers, typed.new, typed.dropped) {
        (true, ..) => Selection::Movers,
        (_, true, _) => Selection::New,
        (.., true) => Selection::Dropped,
        _ => Selection::All,
    };
    Ok(View::BestSellers { category, selection })
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
    let answer = match show::answer(&store, question) {
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

fn checked(option: &str, path: &str) -> Result<String, Failure> {
    check_path(path).map_err(|e| Failure::usage(format!("{option} `{path}` {e}")))
}
