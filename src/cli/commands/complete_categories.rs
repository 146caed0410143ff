//! The hidden command that completion scripts call: the categories that continue what was typed.
//!
//! Invariant: answers quickly or not at all; reports no reason.

use std::io::{self, Write};
use std::path::Path;

use clap::Args as ClapArgs;

use crate::completion::line::Typed;
use crate::completion::paths;
use crate::failure::{Exit, Failure, unless_reader_left};
use crate::settings::Settings;
use topsell_core::lake::check_format;
use topsell_core::rankings::{Snapshot, SnapshotError};
use topsell_core::storage::{Store, StoreError};

/// Print the categories that go on from what was typed, a line each
#[derive(ClapArgs, Debug)]
pub struct CompleteCategories {
    /// All of them, not only the next level's
    #[arg(long)]
    all: bool,
    /// The line that bash completes, up to the cursor
    #[arg(long, requires = "word", conflicts_with = "asked")]
    line: Option<String>,
    /// What bash is going to replace
    #[arg(long, requires = "line", allow_hyphen_values = true)]
    word: Option<String>,
    /// The beginning of a category
    asked: Option<String>,
}

/// Answers a script, of the lake that the line names or that is set; with an exit code other than 0
/// where no category is being typed.
///
/// # Errors
/// Fails where the lake has no ranking that can be read.
pub fn run(settings: &Settings, question: &CompleteCategories) -> Result<Exit, Failure> {
    let lake = settings.lake.clone();
    let (lake, typed) = match (&question.line, &question.word) {
        (Some(line), Some(word)) => match Typed::of(line, word) {
            Some(typed) => (typed.lake.clone().unwrap_or(lake), typed),
            None => return Ok(Exit::NotFound),
        },
        _ => (lake, Typed::plain(question.asked.clone().unwrap_or_default())),
    };
    let known = known(&lake).map_err(Failure::from)?;
    let mut found = match question.all {
        true => paths::below(&known, &typed.asked),
        false => paths::next(&known, &typed.asked),
    };
    found.retain(|path| !path.contains(char::is_control));
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut written = found.iter().try_for_each(|path| writeln!(out, "{}", typed.replacing(path)));
    written = written.and_then(|()| out.flush());
    written.or_else(unless_reader_left)?;
    Ok(Exit::Success)
}

/// Returns the categories of the newest ranking, sorted.
fn known(lake: &Path) -> Result<Vec<String>, SnapshotError> {
    let store: Result<Store, StoreError> = Store::open(lake);
    let store = store?;
    if check_format(&store).is_err() {
        return Ok(Vec::new());
    }
    let leaders = Snapshot::current(&store)?.category_summaries()?;
    Ok(leaders.into_iter().filter_map(|leader| leader.category).collect())
}
