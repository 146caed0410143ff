//! `topsell list`: versioned lists of the lake, or of a server.

use clap::{Args as ClapArgs, Subcommand, ValueEnum};

use crate::commands::list_change::{Action, Entries, change, create};
use crate::commands::list_fetch::{self, Fetch};
use crate::commands::list_show::{history, show_entries, show_lists, verify};
use crate::failure::{Exit, Failure};
use crate::output::{OutputArgs, Target};
use crate::settings::Settings;
use topsell_core::model::parse_seconds;
use topsell_lists::{ListKind, ListSettings};

/// Keep lists that many clients follow: create, change, show, fetch, verify
///
/// A list is a set of hosts or texts, or a map; each change makes a version, and one answer of `topsell serve` leads a client
/// from any version that is kept to the newest. Names of lists are those of the lake; where a server runs, pass the
/// address of the list, such as http://127.0.0.1:7600/v1/lists/blocked, and in TOPSELL_TOKEN the token that permits it.
#[derive(ClapArgs, Debug)]
#[command(before_help = "\
Examples:
  topsell list create blocked --kind host             a list of hosts
  topsell list add blocked bad.example --ttl 1d       for a day
  topsell list add blocked - < hosts.txt              from standard input, a line each
  topsell list show blocked                           its entries
  topsell list fetch http://127.0.0.1:7600/v1/lists/blocked --into blocked.txt
")]
#[command(arg_required_else_help = true, disable_help_subcommand = true)]
pub struct List {
    #[command(subcommand)]
    command: ListCommand,
}

/// Kinds of lists as they are typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum KindArg {
    Host,
    Text,
    Map,
}

#[derive(Subcommand, Debug)]
enum ListCommand {
    /// Create a list without entries
    #[command(before_help = "\
Examples:
  topsell list create blocked --kind host
  topsell list create notices --publish-every 10s --keep 30d --poll 1h
")]
    Create {
        /// Name of the list, or its address on a server
        #[arg(value_name = "LIST")]
        list: String,
        /// What the entries are: names of hosts, texts of one line, or keys with JSON values
        #[arg(long, value_name = "KIND", value_enum, default_value = "text")]
        kind: KindArg,
        /// How often a server makes a version where something has changed
        #[arg(long, value_name = "DURATION", default_value = "1s")]
        publish_every: String,
        /// Keep the versions of this period, from which one answer leads to the newest
        #[arg(long, value_name = "DURATION", default_value = "7d")]
        keep: String,
        /// How long clients are told to wait before they ask again, about
        #[arg(long, value_name = "DURATION", default_value = "30min")]
        poll: String,
        /// Wait while another run holds the lock, instead of exiting with 6
        #[arg(long)]
        wait: bool,
    },
    /// Add entries
    ///
    /// Of a map, an entry is its key, a tab, and its value as JSON.
    #[command(before_help = "\
Examples:
  topsell list add blocked bad.example other.example
  topsell list add blocked bad.example --ttl 10min
  topsell list add blocked - --id import-17 < hosts.txt
")]
    Add {
        #[command(flatten)]
        entries: Entries,
        /// Remove the entries after this time [default: keep them]
        #[arg(long, value_name = "DURATION")]
        ttl: Option<String>,
    },
    /// Remove entries; of a map, by their keys
    #[command(before_help = "\
Examples:
  topsell list remove blocked bad.example
")]
    Remove {
        #[command(flatten)]
        entries: Entries,
    },
    /// Replace all entries by others, in one version
    #[command(before_help = "\
Examples:
  topsell list replace blocked - < hosts.txt
")]
    Replace {
        #[command(flatten)]
        entries: Entries,
    },
    /// Show the entries of a list, or which lists there are
    #[command(before_help = "\
Examples:
  topsell list show                 the lists of the lake
  topsell list show blocked         the entries of a list, a line each
")]
    Show {
        /// Name of the list [default: list the lists]
        #[arg(value_name = "LIST")]
        list: Option<String>,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Show the versions that are kept, the newest first
    #[command(before_help = "\
Examples:
  topsell list history blocked -n 10
")]
    History {
        /// Name of the list
        #[arg(value_name = "LIST")]
        list: String,
        /// Maximum number of rows
        #[arg(short = 'n', long, value_name = "N")]
        limit: Option<usize>,
        #[command(flatten)]
        output: OutputArgs,
    },
    Fetch(Fetch),
    /// Check lists for corruption; exit with 3 if any is found
    #[command(before_help = "\
Examples:
  topsell list verify               all lists of the lake
  topsell list verify blocked
")]
    Verify {
        /// Names of lists [default: all]
        #[arg(value_name = "LIST")]
        lists: Vec<String>,
    },
}

/// What options say, besides the change itself.
pub enum Checked {
    Create(ListSettings),
    Change { ttl_seconds: Option<u64> },
    Output(Target),
    Other,
}

impl List {
    /// Checks the options.
    ///
    /// # Errors
    /// Names the option that is wrong and what to write instead.
    pub fn check(&self, settings: &Settings) -> Result<Checked, Failure> {
        Ok(match &self.command {
            ListCommand::Create { kind, publish_every, keep, poll, .. } => Checked::Create(ListSettings {
                kind: kind_of(*kind),
                publish_every_ms: seconds("--publish-every", publish_every)?.saturating_mul(1_000),
                keep_seconds: seconds("--keep", keep)?,
                poll_seconds: seconds("--poll", poll)?,
            }),
            ListCommand::Add { ttl, .. } => {
                let ttl_seconds = ttl.as_deref().map(|text| seconds("--ttl", text)).transpose()?;
                Checked::Change { ttl_seconds }
            }
            ListCommand::Remove { .. } | ListCommand::Replace { .. } => Checked::Change { ttl_seconds: None },
            ListCommand::Show { output, .. } | ListCommand::History { output, .. } => {
                Checked::Output(output.target(None, settings.color)?)
            }
            ListCommand::Fetch(typed) => typed.check().map(|_| Checked::Other)?,
            ListCommand::Verify { .. } => Checked::Other,
        })
    }
}

/// Does what was typed.
///
/// # Errors
/// Fails where the list, the lake or the server does.
pub fn run(settings: &Settings, typed: &List) -> Result<Exit, Failure> {
    match (&typed.command, typed.check(settings)?) {
        (ListCommand::Create { list, wait, .. }, Checked::Create(of_list)) => {
            create(settings, list, of_list, *wait)
        }
        (ListCommand::Add { entries, .. }, Checked::Change { ttl_seconds }) => {
            change(settings, entries, Action::Add, ttl_seconds)
        }
        (ListCommand::Remove { entries }, _) => change(settings, entries, Action::Remove, None),
        (ListCommand::Replace { entries }, _) => change(settings, entries, Action::Replace, None),
        (ListCommand::Show { list: None, .. }, Checked::Output(target)) => show_lists(settings, &target),
        (ListCommand::Show { list: Some(list), .. }, _) => show_entries(settings, list),
        (ListCommand::History { list, limit, .. }, Checked::Output(target)) => {
            history(settings, list, limit.unwrap_or(usize::MAX), &target)
        }
        (ListCommand::Fetch(typed), _) => list_fetch::run(settings, typed),
        (ListCommand::Verify { lists }, _) => verify(settings, lists),
        _ => unreachable!("each command is checked as what it is"),
    }
}

fn kind_of(typed: KindArg) -> ListKind {
    match typed {
        KindArg::Host => ListKind::Host,
        KindArg::Text => ListKind::Text,
        KindArg::Map => ListKind::Map,
    }
}

fn seconds(option: &str, text: &str) -> Result<u64, Failure> {
    parse_seconds(text).map_err(|e| Failure::usage(format!("{option}: {e}")))
}
