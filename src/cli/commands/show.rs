//! What is asked of published rankings.

use clap::Args as ClapArgs;

use crate::failure::{Exit, Failure};
use crate::output::{OutputArgs, Target};
use crate::run_recorder::{self, RecordMode};
use crate::settings::Settings;
use topsell_core::lake::Lake;
use topsell_core::model::{Timestamp, check_path};
use topsell_core::rankings::SnapshotError;
use topsell_output::show::{self, Order, Question, Selection, ShowError, View};

/// Show the best sellers, from the newest published ranking
#[derive(ClapArgs, Debug)]
#[command(before_help = "\
Examples:
  topsell show --limit 10                               the shop's ten best sellers
  topsell show --category 'DRUG GM/CANDY - PACKAGED'    those of a category
  topsell show --categories --tree                      which categories there are
  topsell show --search 'white bread'                   where items rank, found by their names
  topsell show --format json | jq '.items[0]'
")]
pub struct Show {
    /// Category to show: levels from the top, split by /; the whole shop unless given
    #[arg(long, value_name = "PATH")]
    pub category: Option<String>,
    /// Show where an item ranks, in the shop and in each of its categories, and what beside it
    #[arg(long, value_name = "ID", group = "view")]
    pub item: Option<String>,
    /// With --item: the hours that its score in the shop, or in a category, is made of, so that it
    /// can be checked by hand
    #[arg(long, requires = "item")]
    pub explain: bool,
    /// Show an item's rank in the shop, or in a category, over the rankings that are kept
    #[arg(long, value_name = "ID", group = "view")]
    pub history: Option<String>,
    /// Show what changed from the ranking of one time to that of another, RFC 3339
    #[arg(long, num_args = 2, value_names = ["FROM", "TO"], group = "view", conflicts_with = "at")]
    pub diff: Vec<String>,
    /// Of the best sellers, those that rose or fell since the ranking before
    #[arg(long, group = "view")]
    pub movers: bool,
    /// Of the best sellers, those that were not on the list before
    #[arg(long, group = "view")]
    pub new: bool,
    /// Those that were on the list before, and are no more
    #[arg(long, group = "view")]
    pub dropped: bool,
    /// Show the ranking of then, RFC 3339: the newest that ends no later, of those still kept
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    /// List the categories, with how many items each ranks
    #[arg(long, group = "view", conflicts_with = "category")]
    pub categories: bool,
    /// With --categories: each below the one that it is part of
    #[arg(long, requires = "categories")]
    pub tree: bool,
    /// Find items by words of their names or ids, and say where each ranks
    #[arg(long, value_name = "TEXT", group = "view", conflicts_with = "category")]
    pub search: Option<String>,
    /// Lines to show at most
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    #[command(flatten)]
    pub output: OutputArgs,
    /// Cells of a table's line; the terminal's unless given, 0 for as many as it takes
    #[arg(long, value_name = "CELLS")]
    pub width: Option<usize>,
}

/// What to show, and how.
pub struct Showing {
    question: Question,
    target: Target,
}

impl Show {
    /// Checks the options.
    ///
    /// # Errors
    /// Names the option that is wrong and what to write instead.
    pub fn check(&self, settings: &Settings) -> Result<Showing, Failure> {
        let target = self.output.target(self.width, settings.color)?;
        let at = self.at.as_deref().map(|text| moment("--at", text)).transpose()?;
        let limit = self.limit.unwrap_or(usize::MAX);
        let question = Question { view: view(self)?, at, limit, now: settings.now };
        Ok(Showing { question, target })
    }
}

fn view(typed: &Show) -> Result<View, Failure> {
    if typed.categories {
        return Ok(View::Categories(if typed.tree { Order::Tree } else { Order::Paths }));
    }
    if let Some(text) = &typed.search {
        return Ok(View::Search(text.clone()));
    }
    let category = typed.category.as_deref().map(checked).transpose()?;
    if let Some(item_id) = typed.item.clone() {
        if category.is_some() && !typed.explain {
            let what =
                "--item shows all categories that an item ranks in; leave --category out, or add --explain";
            return Err(Failure::usage(what.to_owned()));
        }
        return Ok(View::Item { item_id, explained: typed.explain.then_some(category) });
    }
    if let Some(item_id) = typed.history.clone() {
        return Ok(View::History { category, item_id });
    }
    if let [before, after] = typed.diff.as_slice() {
        let between = [moment("--diff", before)?, moment("--diff", after)?];
        return Ok(View::Diff { category, between });
    }
    let selection = match (typed.movers, typed.new, typed.dropped) {
        (true, ..) => Selection::Movers,
        (_, true, _) => Selection::New,
        (.., true) => Selection::Dropped,
        _ => Selection::All,
    };
    Ok(View::BestSellers { category, selection })
}

fn moment(option: &str, text: &str) -> Result<Timestamp, Failure> {
    Timestamp::parse(text).map_err(|e| Failure::usage(format!("{option} `{text}` {e}")))
}

/// Answers.
///
/// # Errors
/// Fails where there is nothing to show, or the output ends.
pub fn run(settings: &Settings, typed: &Show) -> Result<Exit, Failure> {
    let showing = typed.check(settings)?;
    run_recorder::record(settings, "show", RecordMode::AtEnd, |_| answer(settings, &showing))
}

fn answer(settings: &Settings, Showing { question, target }: &Showing) -> Result<Exit, Failure> {
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

fn checked(path: &str) -> Result<String, Failure> {
    check_path(path).map_err(|e| Failure::usage(format!("--category `{path}` {e}")))
}
