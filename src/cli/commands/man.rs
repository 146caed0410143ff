//! `topsell man`: a manual page for each command.
//!
//! Invariant: the same program writes the same pages, whoever asks and wherever.

use std::path::PathBuf;

use bytes::Bytes;
use clap::{Args as ClapArgs, Command};
use clap_mangen::roff::{Inline, Roff, bold, roman};

use crate::config::{KEYS, Key, Layers};
use crate::failure::{EXIT_CODES, Exit, Failure};
use crate::settings::Settings;
use topsell_core::storage::Store;

/// Write the manual pages to a directory
///
/// One page for each command: topsell.1, topsell-rank.1 and so on.
#[derive(ClapArgs, Debug)]
#[command(before_help = "\
Examples:
  topsell man /usr/local/share/man/man1
  topsell man . && man ./topsell-rank.1
")]
pub struct Man {
    /// Directory for the pages; existing pages are replaced
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
}

const SECTION: &str = "1";
/// Environment variables besides the settings.
const OTHER_VARIABLES: &[(&str, &str)] = &[
    ("NO_COLOR", "Disables colors if not empty; --color and TOPSELL_COLOR take precedence."),
    ("FORCE_COLOR", "Enables colors if neither empty nor 0, even if the output is not a terminal."),
    ("TERM", "Disables colors and progress bars if dumb."),
    ("XDG_CONFIG_HOME, HOME", "Location of the user's settings file."),
];
const FILES: &[(&str, &str)] = &[
    ("LAKE/topsell.toml", "Settings of the lake."),
    ("$XDG_CONFIG_HOME/topsell/config.toml", "Settings of the user; default: ~/.config/topsell/config.toml."),
];

/// Writes the pages.
///
/// # Errors
/// Names the file that cannot be written.
pub fn run(settings: &Settings, typed: &Man, root: Command) -> Result<Exit, Failure> {
    let store = Store::open(&typed.folder).map_err(|e| Failure::runtime(e.to_string()))?;
    let pages = pages(root);
    for (name, page) in &pages {
        store.put(name, Bytes::from(page.clone())).map_err(|e| Failure::runtime(e.to_string()))?;
    }
    settings.note(&format!("man: {} pages in {}", pages.len(), store.location()));
    Ok(Exit::Success)
}

/// Returns each page under the name of its file.
fn pages(mut root: Command) -> Vec<(String, String)> {
    root.build();
    let mut pages = Vec::new();
    add_pages(&root, &root, &mut pages);
    pages
}

fn add_pages(root: &Command, command: &Command, pages: &mut Vec<(String, String)>) {
    let below =
        || command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help");
    pages.push((format!("{}.{SECTION}", full_name(command)), page(root, command)));
    below().for_each(|below| add_pages(root, below, pages));
}

fn full_name(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

fn page(root: &Command, command: &Command) -> String {
    let (name, version) = (full_name(command), root.get_version().unwrap_or_default());
    let man = clap_mangen::Man::new(command.clone());
    // No date: the same program writes the same page.
    let title = name.to_uppercase();
    let mut text =
        format!(".TH {title} {SECTION} \"\" \"topsell {version}\" \"Best-seller lists\"\n").into_bytes();
    let usage = command.clone().render_usage().to_string();
    let mut synopsis = Roff::new();
    synopsis.control("SH", ["SYNOPSIS"]);
    synopsis.text([bold(usage.trim_start_matches("Usage: "))]);
    let written = man
        .render_name_section(&mut text)
        .and_then(|()| synopsis.to_writer(&mut text))
        .and_then(|()| man.render_description_section(&mut text))
        .and_then(|()| match command.get_arguments().any(|arg| !arg.is_hide_set()) {
            true => man.render_options_section(&mut text),
            false => Ok(()),
        })
        .and_then(|()| match command.get_subcommands().any(|below| !below.is_hide_set()) {
            true => man.render_subcommands_section(&mut text),
            false => Ok(()),
        })
        .and_then(|()| ending(root, command).to_writer(&mut text));
    written.expect("a page in memory can grow");
    String::from_utf8_lossy(&text).into_owned()
}

/// Returns the sections that are ours.
fn ending(root: &Command, command: &Command) -> Roff {
    let mut roff = Roff::new();
    let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    if !after.is_empty() && after != EXIT_CODES {
        roff.control("SH", ["NOTES"]);
        as_typed(&mut roff, &after);
    }
    let examples = command.get_before_help().map(ToString::to_string).unwrap_or_default();
    if let Some(examples) = examples.strip_prefix("Examples:\n") {
        roff.control("SH", ["EXAMPLES"]);
        as_typed(&mut roff, examples);
    }
    roff.control("SH", ["EXIT STATUS"]);
    for line in EXIT_CODES.lines().skip(1) {
        let (code, meaning) = line.trim().split_once("  ").unwrap_or((line, ""));
        item(&mut roff, code, meaning);
    }
    let is_root = full_name(command) == full_name(root);
    let name = full_name(command).split_once('-').map(|(_, name)| name.replace('-', " ")).unwrap_or_default();
    let is_for = |key: &&Key| {
        // What every command takes is told once, by the first page, which tells of all.
        let is_told = is_root || key.commands.contains(&name.as_str());
        is_told && key.said_in.has(Layers::ENVIRONMENT)
    };
    let variables: Vec<&Key> = KEYS.iter().filter(is_for).collect();
    if !variables.is_empty() {
        roff.control("SH", ["ENVIRONMENT"]);
        for key in variables {
            item(&mut roff, &key.variable(), &format!("As {}.", option(root, key)));
        }
    }
    if is_root {
        OTHER_VARIABLES.iter().for_each(|(name, meaning)| item(&mut roff, name, meaning));
        roff.control("SH", ["FILES"]);
        FILES.iter().for_each(|(name, meaning)| item(&mut roff, name, meaning));
    }
    roff.control("SH", ["SEE ALSO"]);
    let others = root.get_subcommands().filter(|other| !other.is_hide_set() && other.get_name() != "help");
    let others = others.filter(|_| is_root).map(full_name);
    let others: Vec<&str> = others.chain((!is_root).then_some(full_name(root))).collect();
    let mut line: Vec<Inline> = Vec::new();
    for (at, other) in others.iter().enumerate() {
        line.push(bold(*other));
        line.push(roman(if at + 1 == others.len() { "(1)" } else { "(1), " }));
    }
    roff.text(line);
    roff
}

/// Returns the option that a setting stands for, and the commands that take it.
fn option(root: &Command, key: &Key) -> String {
    let path = key.commands.first().copied().unwrap_or_default();
    let command = path.split_whitespace().try_fold(root, |at, name| at.find_subcommand(name));
    let option = command.and_then(|command| command.get_arguments().find(|arg| arg.get_id() == key.name));
    let long = option.and_then(|option| option.get_long()).unwrap_or(key.name);
    match key.commands {
        [] => format!("--{long}"),
        commands => format!("--{long} of {}", commands.join(" and ")),
    }
}

fn item(roff: &mut Roff, name: &str, meaning: &str) {
    roff.control("TP", []);
    roff.text([bold(name)]);
    roff.text([roman(meaning)]);
}

/// Adds lines that are kept as they are.
fn as_typed(roff: &mut Roff, text: &str) {
    roff.control("nf", []);
    for line in text.trim_end().lines() {
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
}
