//! `topsell completions`, and what its scripts ask back: the categories that go on from what was typed.
//!
//! Invariant: whoever presses TAB is answered quickly or not at all; nothing is said of why.

mod line;
mod paths;

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args as ClapArgs, Command, CommandFactory, ValueEnum};
use clap_complete::aot;

use crate::args::Args;
use crate::failure::{Exit, Failure, unless_reader_left};
use topsell_core::rankings::{Snapshot, SnapshotError};
use topsell_core::storage::{Store, StoreError};
use topsell_output::show::ShowError;

use line::Typed;

/// Print the script that completes topsell's words in a shell
///
/// It completes commands, options and their values, and categories from the newest ranking of the lake
/// that is typed or set.
#[derive(ClapArgs, Debug)]
#[command(before_help = "\
Examples:
  source <(topsell completions bash)
  topsell completions zsh > ~/.zfunc/_topsell        a folder of $fpath, before compinit
  topsell completions fish > ~/.config/fish/completions/topsell.fish
")]
pub struct Completions {
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Shells that words are completed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
}

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

const NAME: &str = "topsell";
/// The option that takes a category, in whichever command.
const OPTION: &str = "category";
/// What zsh's script does for values that nothing is known of, and for a category's.
const ZSH_CATEGORY: (&str, &str) = (":PATH:_default'", ":PATH:_topsell_categories'");

/// Writes a shell's script.
///
/// # Errors
/// Fails where the output does.
pub fn write(shell: Shell, out: &mut dyn Write) -> Result<Exit, Failure> {
    let written = out.write_all(script(shell).as_bytes()).and_then(|()| out.flush());
    written.map_err(ShowError::from).or_else(unless_reader_left)?;
    Ok(Exit::Done)
}

fn script(shell: Shell) -> String {
    let mut command = visible(&Args::command());
    let generated = |generator: aot::Shell, command: &mut Command| {
        let mut script = Vec::new();
        aot::generate(generator, command, NAME, &mut script);
        String::from_utf8_lossy(&script).into_owned()
    };
    match shell {
        Shell::Bash => generated(aot::Shell::Bash, &mut command) + include_str!("categories.bash"),
        Shell::Zsh => {
            let script = generated(aot::Shell::Zsh, &mut command);
            let (first, rest) = script.split_once('\n').unwrap_or(("#compdef topsell", &script));
            let rest = rest.replace(ZSH_CATEGORY.0, ZSH_CATEGORY.1);
            // The first line tells zsh what the file is; the last ones run it.
            format!("{first}\n\n{}{rest}", include_str!("categories.zsh"))
        }
        Shell::Fish => {
            let mut script = generated(aot::Shell::Fish, &mut command) + include_str!("categories.fish");
            for name in command.get_subcommands().filter(|command| takes_category(command)) {
                script.push_str(&format!(
                    "complete -c topsell -n \"__fish_seen_subcommand_from {}\" -l {OPTION} -x -k -a \"(__topsell_categories)\"\n",
                    name.get_name()
                ));
            }
            script
        }
    }
}

fn takes_category(command: &Command) -> bool {
    command.get_arguments().any(|arg| arg.get_long() == Some(OPTION))
}

/// Returns the command without what is not shown.
fn visible(command: &Command) -> Command {
    let shown = command.get_subcommands().filter(|below| !below.is_hide_set()).cloned();
    let options = command.get_arguments().filter(|arg| !arg.is_hide_set()).cloned();
    let version = command.get_version().unwrap_or_default().to_owned();
    Command::new(NAME).version(version).disable_help_subcommand(true).args(options).subcommands(shown)
}

/// Answers a script, of the lake that the line names or that is set; with an exit code other than 0
/// where no category is being typed.
///
/// # Errors
/// Fails where the lake has no ranking that can be read.
pub fn answer(question: &CompleteCategories, lake: PathBuf) -> Result<Exit, Failure> {
    let (lake, typed) = match (&question.line, &question.word) {
        (Some(line), Some(word)) => match Typed::of(line, word) {
            Some(typed) => (typed.lake.clone().unwrap_or(lake), typed),
            None => return Ok(Exit::NothingFound),
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
    written.map_err(ShowError::from).or_else(unless_reader_left)?;
    Ok(Exit::Done)
}

/// Returns the categories of the newest ranking, sorted.
fn known(lake: &std::path::Path) -> Result<Vec<String>, SnapshotError> {
    let store: Result<Store, StoreError> = Store::open(lake);
    let leaders = Snapshot::current(&store?)?.leaders()?;
    Ok(leaders.into_iter().filter_map(|leader| leader.category).collect())
}
