//! The command line as clap parses it: the global options and one of the commands.

use clap::builder::styling::{AnsiColor, Styles};
use clap::{ArgMatches, Parser, Subcommand};

use crate::commands::complete_categories::CompleteCategories;
use crate::commands::completions::Completions;
use crate::commands::config::Show as Config;
use crate::commands::count::Count;
use crate::commands::datagen::Datagen;
use crate::commands::health::Health;
use crate::commands::ingest::Ingest;
use crate::commands::lake::Lake;
use crate::commands::man::Man;
use crate::commands::rank::Rank;
use crate::commands::report::Report;
use crate::commands::rollup::Rollup;
use crate::commands::run::Run;
use crate::commands::runs::Runs;
use crate::commands::schedule::Schedule;
use crate::commands::show::Show;
use crate::failure::{EXIT_CODES, Failure};
use crate::settings::{GlobalArgs, Settings};

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

/// Turns purchase logs into best-seller lists.
#[derive(Parser, Debug)]
#[command(name = "topsell", version, styles = STYLES, before_help = EXAMPLES, after_help = EXIT_CODES)]
#[command(arg_required_else_help = true, disable_help_subcommand = true)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub global: GlobalArgs,
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
    Config(Config),
    Completions(Completions),
    Man(Man),
    #[command(hide = true)]
    CompleteCategories(CompleteCategories),
    #[command(hide = true)]
    Datagen(Datagen),
}

impl Command {
    /// Checks the command's options without running it.
    ///
    /// # Errors
    /// Names the option that is wrong and what to write instead.
    pub fn check(&self, settings: &Settings) -> Result<(), Failure> {
        match self {
            Command::Ingest(typed) => typed.check(settings.now).map(drop),
            Command::Rank(typed) => typed.check(settings.now).map(drop),
            Command::Show(typed) => typed.check(settings).map(drop),
            Command::Count(typed) => typed.check(settings).map(drop),
            Command::Report(typed) => typed.check().map(drop),
            Command::Health(typed) => typed.check(settings).map(drop),
            Command::Lake(typed) => typed.check(settings.now).map(drop),
            Command::Runs(typed) => typed.check(settings).map(drop),
            Command::Rollup(_)
            | Command::Run(_)
            | Command::Schedule(_)
            | Command::Config(_)
            | Command::Completions(_)
            | Command::Man(_)
            | Command::CompleteCategories(_)
            | Command::Datagen(_) => Ok(()),
        }
    }
}

/// Returns whether a command reads the settings files and variables.
pub fn reads_settings(typed: &ArgMatches) -> bool {
    !matches!(typed.subcommand_name(), Some("completions" | "man"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::config::{KEYS, Kind};

    #[test]
    fn every_setting_is_an_option_of_the_commands_that_it_names() {
        let mut root = Args::command();
        root.build();
        for key in KEYS {
            let all = if key.is_for_all() { &[""][..] } else { key.commands };
            for path in all {
                let command = path.split_whitespace().fold(&root, |at, name| {
                    at.find_subcommand(name).unwrap_or_else(|| panic!("{}: no command {path}", key.name))
                });
                let mut options = command.get_arguments();
                let option = options.find(|arg| arg.get_id() == key.name && arg.get_long().is_some());
                let option = option.unwrap_or_else(|| panic!("{path} has no option {}", key.name));
                if let Kind::OneOf(names) = key.kind {
                    let possible = option.get_possible_values();
                    let taken: Vec<&str> =
                        possible.iter().map(clap::builder::PossibleValue::get_name).collect();
                    assert!(names.iter().all(|name| taken.contains(name)), "{path} {}: {taken:?}", key.name);
                    // Parquet is nothing to be shown each time.
                    let unset = taken.iter().filter(|name| !names.contains(name) && **name != "parquet");
                    assert_eq!(unset.count(), 0, "{path} {}: {taken:?}", key.name);
                }
            }
        }
    }
}
