//! `topsell list`: versioned lists of the lake, or of a server.

use std::io::Read;
use std::process;

use clap::{Args as ClapArgs, Subcommand, ValueEnum};

use crate::commands::list_fetch::{self, Fetch};
use crate::failure::{Exit, Failure};
use crate::output::{OutputArgs, Target};
use crate::settings::Settings;
use topsell_core::lake::Lake;
use topsell_core::model::parse_seconds;
use topsell_core::storage::LockTimeout;
use topsell_lists::{
    Addition, Change, ListClient, ListKind, ListName, ListSettings, Lists, Snapshot, list_names, read_list,
    time_text,
};
use topsell_ops::process::machine_name;
use topsell_output::formats::{Answer, Column, ColumnType, Table, Value};
use topsell_output::text::counted;

/// What stands for standard input.
const STDIN: &str = "-";
const ROWS: [Column; 5] = [
    Column::new("list", ColumnType::Text),
    Column::new("kind", ColumnType::Text),
    Column::new("entries", ColumnType::Integer),
    Column::new("version", ColumnType::Text),
    Column::new("changed", ColumnType::Text),
];
const HISTORY: [Column; 5] = [
    Column::new("version", ColumnType::Text),
    Column::new("time", ColumnType::Text),
    Column::new("added", ColumnType::Integer),
    Column::new("removed", ColumnType::Integer),
    Column::new("updated", ColumnType::Integer),
];

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

/// A list and entries of it.
#[derive(ClapArgs, Debug)]
struct Entries {
    /// Name of the list, or its address on a server
    #[arg(value_name = "LIST")]
    list: String,
    /// Entries; - reads them from standard input, a line each, without empty lines and those that begin with #
    #[arg(value_name = "ENTRY", required = true)]
    entries: Vec<String>,
    /// Id of the change: the same change with the same id is made once
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// Wait while another run holds the lock, instead of exiting with 6
    #[arg(long)]
    wait: bool,
}

/// What is done with entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Add,
    Remove,
    Replace,
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

fn create(settings: &Settings, list: &str, of_list: ListSettings, wait: bool) -> Result<Exit, Failure> {
    if let Some(client) = client_of(list)? {
        let every = of_list.publish_every_ms / 1_000;
        let body = format!(
            "{{\"kind\":\"{}\",\"publish_every\":\"{every}s\",\"keep\":\"{}s\",\"poll\":\"{}s\"}}",
            of_list.kind.name(),
            of_list.keep_seconds,
            of_list.poll_seconds
        );
        client.send("PUT", body.into_bytes()).map_err(|e| Failure::runtime(e.to_string()))?;
    } else {
        let name = own_name(list)?;
        Lake::open_or_create(settings.store()?, None)?;
        lists_of(settings, wait)?.create(name, of_list, settings.now.micros())?;
    }
    settings.say(|out| writeln!(out, "list: created {list}, {}", of_list.kind.name()))?;
    Ok(Exit::Success)
}

fn change(
    settings: &Settings,
    typed: &Entries,
    action: Action,
    ttl_seconds: Option<u64>,
) -> Result<Exit, Failure> {
    let lines = lines_of(&typed.entries)?;
    let change = match action {
        Action::Remove => Change { remove: lines, ..Change::default() },
        Action::Add | Action::Replace => Change {
            add: lines.iter().map(|line| addition(line)).collect(),
            replace: action == Action::Replace,
            ttl_seconds,
            ..Change::default()
        },
    };
    let change = Change { id: typed.id.clone(), ..change };
    if let Some(client) = client_of(&typed.list)? {
        let answer = client.send("POST", change.body()).map_err(|e| Failure::runtime(e.to_string()))?;
        let answer = String::from_utf8_lossy(&answer).trim_end().to_owned();
        settings.say(|out| writeln!(out, "list: {answer}"))?;
        return Ok(Exit::Success);
    }
    let name = own_name(&typed.list)?;
    Lake::open(settings.store()?)?;
    let list = lists_of(settings, typed.wait)?.get(&name)?;
    let change = change.checked(list.settings().kind)?;
    let (outcome, _) = list.change(change, settings.now.micros())?;
    list.compact_if_due()?;
    settings.say(|out| {
        let updated = match outcome.updated {
            0 => String::new(),
            updated => format!("{updated} updated, "),
        };
        let (added, removed, unchanged) = (outcome.added, outcome.removed, outcome.unchanged);
        writeln!(out, "list: {added} added, {removed} removed, {updated}{unchanged} unchanged")
    })?;
    Ok(Exit::Success)
}

fn show_entries(settings: &Settings, list: &str) -> Result<Exit, Failure> {
    let snapshot = read_list(&settings.store()?, &own_name(list)?)?;
    settings.answer(|out| snapshot.lines.parts().try_for_each(|part| out.write_all(part)))?;
    Ok(Exit::Success)
}

fn show_lists(settings: &Settings, target: &Target) -> Result<Exit, Failure> {
    let store = settings.store()?;
    let lists: Result<Vec<Snapshot>, _> =
        list_names(&store)?.iter().map(|name| read_list(&store, name)).collect();
    let row = |of: &Snapshot| -> Vec<Value> {
        vec![
            of.name.as_str().into(),
            of.settings.kind.name().into(),
            Value::Integer(i64::try_from(of.lines.len()).unwrap_or(i64::MAX)),
            of.version_text().into(),
            time_text(of.time).into(),
        ]
    };
    let rows: Vec<Vec<Value>> = lists?.iter().map(row).collect();
    target.write(Answer { tables: vec![Table::new("lists", &ROWS, rows)], ..Answer::default() })?;
    Ok(Exit::Success)
}

fn history(settings: &Settings, list: &str, limit: usize, target: &Target) -> Result<Exit, Failure> {
    let name = own_name(list)?;
    let snapshot = read_list(&settings.store()?, &name)?;
    let number = |number: u64| Value::Integer(i64::try_from(number).unwrap_or(i64::MAX));
    let rows: Vec<Vec<Value>> = snapshot
        .history()
        .into_iter()
        .take(limit)
        .map(|of| {
            vec![
                of.version.text(&name).into(),
                time_text(of.time).into(),
                number(of.added),
                number(of.removed),
                number(of.updated),
            ]
        })
        .collect();
    target.write(Answer { tables: vec![Table::new("versions", &HISTORY, rows)], ..Answer::default() })?;
    Ok(Exit::Success)
}

fn verify(settings: &Settings, lists: &[String]) -> Result<Exit, Failure> {
    let store = settings.store()?;
    let names = match lists {
        [] => list_names(&store)?,
        lists => lists.iter().map(|list| own_name(list)).collect::<Result<_, _>>()?,
    };
    let mut damaged = Vec::new();
    for name in &names {
        match read_list(&store, name) {
            Ok(_) => {}
            Err(error) if error.is_damage() => damaged.push(error.to_string()),
            Err(error) => return Err(error.into()),
        }
    }
    damaged.iter().try_for_each(|what| settings.answer(|out| writeln!(out, "damaged: {what}")))?;
    settings.say(|out| {
        writeln!(out, "verify: {}, {} damaged", counted(names.len() as u64, "list", "lists"), damaged.len())
    })?;
    Ok(if damaged.is_empty() { Exit::Success } else { Exit::DataCorruption })
}

/// Opens the lists of the lake for changes.
fn lists_of(settings: &Settings, wait: bool) -> Result<Lists, Failure> {
    let holder = format!("list (process {}, host {}, since {})", process::id(), machine_name(), settings.now);
    let (lists, opened) =
        Lists::open(&settings.store()?, &holder, LockTimeout::from_wait(wait), settings.now.micros())?;
    for (name, bytes) in opened.cut {
        settings.note(&format!(
            "warning: list {name}: cut {bytes} bytes, the rest of a write that nobody was told of"
        ));
    }
    Ok(lists)
}

/// Returns the server's list where an address was typed instead of a name.
fn client_of(list: &str) -> Result<Option<ListClient>, Failure> {
    if !list.contains("://") {
        return Ok(None);
    }
    list_fetch::client(list).map(Some)
}

fn own_name(list: &str) -> Result<ListName, Failure> {
    Ok(ListName::parse(list)?)
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

fn addition(line: &str) -> Addition {
    match line.split_once('\t') {
        Some((key, value)) => Addition { key: key.to_owned(), value: Some(value.to_owned()) },
        None => Addition::entry(line),
    }
}

/// Returns the entries that were typed, or the lines of standard input.
fn lines_of(typed: &[String]) -> Result<Vec<String>, Failure> {
    if !typed.iter().any(|entry| entry == STDIN) {
        return Ok(typed.to_vec());
    }
    if typed.len() > 1 {
        return Err(Failure::usage("pass either entries or `-`, not both".to_owned()));
    }
    let mut text = String::new();
    let read = std::io::stdin().lock().read_to_string(&mut text);
    read.map_err(|e| Failure::runtime(format!("standard input: {e}")))?;
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    Ok(lines.map(str::to_owned).collect())
}
