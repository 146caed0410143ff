//! The command line as clap parses it: the global options and one of the commands.

use clap::builder::styling::{AnsiColor, Styles};
use clap::{ArgMatches, CommandFactory, Parser, Subcommand};

use crate::commands::cluster::Cluster;
use crate::commands::complete_categories::CompleteCategories;
use crate::commands::completions::Completions;
use crate::commands::config::Show as Config;
use crate::commands::count::Count;
use crate::commands::datagen::Datagen;
use crate::commands::doctor::Doctor;
use crate::commands::health::Health;
use crate::commands::ingest::Ingest;
use crate::commands::init::Init;
use crate::commands::lake::Lake;
use crate::commands::list::List;
use crate::commands::man::Man;
use crate::commands::publish::Publish;
use crate::commands::rank::Rank;
use crate::commands::report::Report;
use crate::commands::rollup::Rollup;
use crate::commands::run::Run;
use crate::commands::runs::Runs;
use crate::commands::schedule::Schedule;
use crate::commands::serve::Serve;
use crate::commands::show::Show;
use crate::commands::top::Top;
use crate::failure::{EXIT_CODES, Failure};
use crate::program::PROGRAM;
use crate::settings::{GlobalArgs, Settings};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default());

const EXAMPLES: &str = "\
Examples:
  topsell ingest logs/                 load all log files of a directory
  topsell rank --window 150h           rank the last 150 hours
  topsell show -n 10                   show the 10 best sellers of the shop
  topsell show Books/Fiction           show the best sellers of a category
  topsell count 1082185 --last 24h     count an item's sales of the last 24 hours
";

/// Turns purchase logs into best-seller rankings
#[derive(Parser, Debug)]
#[command(name = "topsell", version, long_version = PROGRAM, styles = STYLES)]
#[command(before_help = EXAMPLES, after_help = EXIT_CODES, arg_required_else_help = true)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub global: GlobalArgs,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    Init(Init),
    Ingest(Ingest),
    Rollup(Rollup),
    Rank(Rank),
    Show(Show),
    Count(Count),
    Top(Top),
    Report(Report),
    Publish(Publish),
    Serve(Serve),
    List(List),
    Run(Run),
    Schedule(Schedule),
    Cluster(Cluster),
    Health(Health),
    Lake(Lake),
    Doctor(Doctor),
    Runs(Runs),
    Config(Config),
    Completions(Completions),
    Man(Man),
    #[command(hide = true)]
    CompleteCategories(CompleteCategories),
    #[command(hide = true)]
    Datagen(Datagen),
}

/// The commands of the overview, by what they are for.
const GROUPS: &[(&str, &[&str])] = &[
    ("Load and rank", &["init", "ingest", "rollup", "rank", "cluster"]),
    ("Query", &["show", "count", "top", "report", "serve"]),
    ("Publish", &["publish", "list"]),
    ("Run and monitor jobs", &["run", "schedule", "runs", "health"]),
    ("Maintain", &["lake", "doctor"]),
    ("Configure", &["config", "completions", "man", "help"]),
];

/// Returns the command line's definition, its commands listed in groups.
pub fn command() -> clap::Command {
    let command = Args::command();
    let template = format!(
        "{{before-help}}{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{}{}\n{{options}}{{after-help}}\n",
        groups(&command),
        heading("Global options")
    );
    command.help_template(template)
}

fn groups(command: &clap::Command) -> String {
    let about = |name: &str| match command.find_subcommand(name) {
        Some(command) => command.get_about().map(ToString::to_string).unwrap_or_default(),
        None => "Print this message or the help of a command".to_owned(),
    };
    let group = |(title, names): &(&str, &[&str])| {
        let lines = names.iter().map(|name| format!("  {}  {}\n", literal(name), about(name)));
        format!("{}\n{}\n", heading(title), lines.collect::<String>())
    };
    GROUPS.iter().map(group).collect()
}

fn heading(title: &str) -> String {
    let style = STYLES.get_header();
    format!("{style}{title}:{style:#}")
}

fn literal(name: &str) -> String {
    let style = STYLES.get_literal();
    format!("{style}{name:<11}{style:#}")
}

impl Command {
    /// Checks the command's options without running it.
    ///
    /// # Errors
    /// Names the option that is wrong and what to write instead.
    pub fn check(&self, settings: &Settings) -> Result<(), Failure> {
        match self {
            Command::Init(typed) => typed.check(),
            Command::Ingest(typed) => typed.check(settings.now).map(drop),
            Command::Rank(typed) => typed.check(settings.now).map(drop),
            Command::Cluster(typed) => typed.check(settings.now).map(drop),
            Command::Show(typed) => typed.check(settings).map(drop),
            Command::Count(typed) => typed.check(settings).map(drop),
            Command::Top(typed) => typed.check(settings).map(drop),
            Command::Report(typed) => typed.check(settings.now).map(drop),
            Command::Serve(typed) => typed.check().map(drop),
            Command::Publish(typed) => typed.check().map(drop),
            Command::Health(typed) => typed.check(settings).map(drop),
            Command::Lake(typed) => typed.check(settings.now, settings.verbosity).map(drop),
            Command::Runs(typed) => typed.check(settings).map(drop),
            Command::List(typed) => typed.check(settings).map(drop),
            Command::Rollup(_)
            | Command::Run(_)
            | Command::Schedule(_)
            | Command::Config(_)
            | Command::Completions(_)
            | Command::Man(_)
            | Command::Doctor(_)
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
    use super::*;
    use crate::config::{KEYS, Kind};

    #[test]
    fn every_command_is_in_one_group_of_the_overview() {
        let command = command();
        let visible = command.get_subcommands().filter(|below| !below.is_hide_set());
        let mut expected: Vec<&str> = visible.map(clap::Command::get_name).chain(["help"]).collect();
        expected.sort_unstable();
        let mut listed: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        listed.sort_unstable();
        assert_eq!(listed, expected);
    }

    #[test]
    fn every_setting_is_an_option_of_the_commands_that_it_names() {
        let mut root = command();
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
