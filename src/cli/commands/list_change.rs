//! Changes lists of the lake, or of a server.

use std::io::Read;
use std::process;

use clap::Args as ClapArgs;

use crate::commands::list_fetch;
use crate::failure::{Exit, Failure};
use crate::settings::Settings;
use topsell_core::lake::Lake;
use topsell_core::storage::LockTimeout;
use topsell_lists::{Addition, Change, ListClient, ListName, ListSettings, Lists, list_names};
use topsell_ops::process::machine_name;

/// What stands for standard input.
const STDIN: &str = "-";

/// A list and entries of it.
#[derive(ClapArgs, Debug)]
pub struct Entries {
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
pub enum Action {
    Add,
    Remove,
    Replace,
}

/// Creates a list in the lake, or on a server.
///
/// # Errors
/// Fails where there is one of that name, or the lake or the server does.
pub fn create(settings: &Settings, list: &str, of_list: ListSettings, wait: bool) -> Result<Exit, Failure> {
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
        let name = ListName::parse(list)?;
        Lake::open_or_create(settings.store()?, None)?;
        lists_of(settings, wait)?.create(name, of_list, settings.now.micros())?;
    }
    settings.say(|out| writeln!(out, "list: created {list}, {}", of_list.kind.name()))?;
    Ok(Exit::Success)
}

/// Changes a list in the lake, or on a server.
///
/// # Errors
/// Fails where an entry is none, or the lake or the server does.
pub fn change(
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
    let name = ListName::parse(&typed.list)?;
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

/// Removes versions that are older than lists keep from the files of the lake. A server does so by itself.
///
/// # Errors
/// Fails where a file cannot be written.
pub fn prune(settings: &Settings) -> Result<(), Failure> {
    let store = settings.store()?;
    if list_names(&store)?.is_empty() {
        return Ok(());
    }
    match lists_of(settings, false) {
        Ok(lists) => lists.all().iter().try_for_each(|(_, list)| Ok(list.prune(settings.now.micros())?)),
        Err(failure) if failure.is_busy() => Ok(()),
        Err(failure) => Err(failure),
    }
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
