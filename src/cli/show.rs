//! What is asked of published rankings.

use std::io::{self, BufWriter, IsTerminal, Write};

use clap::{Args as ClapArgs, ColorChoice, ValueEnum};

use crate::cli::failure::{Exit, Failure, unless_reader_left};
use crate::cli::settings::{Settings, Task, colors};
use crate::event::check_path;
use crate::lake::Lake;
use crate::show::{self, Form, Order, Paper, Question, View};
use crate::snapshot::{Snapshot, SnapshotError};
use crate::time::Timestamp;

/// Cells of a line where a terminal does not tell.
const USUAL_WIDTH: usize = 80;

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
    /// List the categories, with how many items each ranks
    #[arg(long, conflicts_with = "category")]
    pub categories: bool,
    /// With --categories: each below the one that it is part of
    #[arg(long, requires = "categories")]
    pub tree: bool,
    /// Find items by words of their names or ids, and say where each ranks
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["category", "categories"])]
    pub search: Option<String>,
    /// Lines to show at most
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Form of the answer; a table on a terminal, else JSON
    #[arg(long, value_enum)]
    pub format: Option<ShowFormat>,
    /// Cells of a table's line; the terminal's unless given, 0 for as many as it takes
    #[arg(long, value_name = "CELLS")]
    pub width: Option<usize>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ShowFormat {
    Table,
    Json,
    Csv,
    Ndjson,
}

/// What to show, and how.
pub struct Showing {
    question: Question,
    form: Form,
}

/// Returns what was typed as a task.
///
/// # Errors
/// Says which word is wrong and what to write.
pub fn task(typed: Show, color: ColorChoice, now: Timestamp) -> Result<Task, Failure> {
    let paper = Paper { width: width(typed.width), colors: colors(color) };
    let form = match typed.format {
        Some(ShowFormat::Table) => Form::Table(paper),
        None if io::stdout().is_terminal() => Form::Table(paper),
        Some(ShowFormat::Json) | None => Form::Json,
        Some(ShowFormat::Csv) => Form::Csv,
        Some(ShowFormat::Ndjson) => Form::Ndjson,
    };
    let view = match (typed.categories, typed.search, typed.category) {
        (true, ..) if typed.tree => View::Categories(Order::Tree),
        (true, ..) => View::Categories(Order::Paths),
        (_, Some(text), _) => View::Search(text),
        (_, _, path) => View::Best(path.map(|path| checked(&path)).transpose()?),
    };
    let question = Question { view, limit: typed.limit.unwrap_or(usize::MAX), now };
    Ok(Task::Show(Showing { question, form }))
}

/// Answers.
///
/// # Errors
/// Fails where there is nothing to show, or the output ends.
pub fn run(settings: &Settings, Showing { question, form }: &Showing) -> Result<Exit, Failure> {
    let store = settings.store()?;
    let snapshot = match Snapshot::current(&store) {
        // Without a lake there is more to do than to rank.
        Err(SnapshotError::None) => {
            Lake::open(store)?;
            return Err(SnapshotError::None.into());
        }
        snapshot => snapshot?,
    };
    let answer = show::answer(&snapshot, question)?;
    let mut out = BufWriter::new(io::stdout().lock());
    let shown = answer.write(*form, &mut out).and_then(|()| out.flush());
    shown.map_err(show::ShowError::from).or_else(unless_reader_left)?;
    Ok(Exit::Done)
}

fn checked(path: &str) -> Result<String, Failure> {
    check_path(path).map_err(|e| Failure::misused(format!("--category `{path}` {e}")))
}

/// Returns how wide a table may be; what is no terminal is as wide as it takes.
fn width(typed: Option<usize>) -> Option<usize> {
    let said = std::env::var("COLUMNS").ok().and_then(|cells| cells.parse::<usize>().ok());
    let of_terminal = || {
        let size = terminal_size::terminal_size_of(io::stdout());
        size.map(|(terminal_size::Width(cells), _)| usize::from(cells))
    };
    let usual = || io::stdout().is_terminal().then_some(USUAL_WIDTH);
    typed.or_else(of_terminal).or(said).or_else(usual).filter(|cells| *cells > 0)
}
