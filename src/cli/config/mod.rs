//! What is set once instead of typed each time: in the environment, in the lake's own `topsell.toml`, in
//! the user's file.
//!
//! Invariant: what was typed stays as typed; of the rest, the nearest layer that says anything of a
//! setting, or of the choice that it is part of, decides it whole.

mod file;
mod keys;
mod layer;
mod nearest;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::{env, io};

use clap::parser::ValueSource;
use clap::{ArgMatches, ColorChoice};

use crate::failure::Failure;
use topsell_core::lake;
use topsell_core::storage::{Store, local_files};

#[cfg(test)]
pub use keys::Kind;
pub use keys::{KEYS, Key, Layers};
pub use layer::{Origin, Value, unknown_variable};

use layer::Layer;

/// The user's file, below the folder of all programs' settings.
const USER_FILE: &str = "topsell/config.toml";

/// All that is set, the nearest layer first.
#[derive(Debug, Default)]
pub struct Config {
    /// What was typed for every command.
    typed: Layer,
    environment: Layer,
    lake: Layer,
    user: Layer,
    /// The files that were looked for, and whether they are there.
    files: Vec<(PathBuf, bool)>,
    /// Variables that look like settings and are none.
    unknown: Vec<String>,
}

impl Config {
    /// Reads the environment and the user's file.
    ///
    /// # Errors
    /// Names the variable, or the file and line, and says what to write.
    pub fn around() -> Result<Config, Failure> {
        let (environment, unknown) = layer::of_environment(env::vars_os())?;
        let mut config = Config { environment, unknown, ..Config::default() };
        if let Some(path) = user_file() {
            let text = match local_files::read(&path) {
                Err(error) if is_absent(&error) => None,
                read => {
                    let unread = |e| Failure::runtime(format!("{}: {e}", path.display()));
                    Some(read.map_err(unread)?)
                }
            };
            config.files.push((path.clone(), text.is_some()));
            if let Some(text) = text {
                config.user = file::read(&text, &path, Layers::USER)?;
            }
        }
        Ok(config)
    }

    /// Adds what was typed, and what the lake's own file says: of the lake that was typed or is set.
    ///
    /// # Errors
    /// Names the file and line, and says what to write.
    pub fn of_run(mut self, typed: &ArgMatches) -> Result<Config, Failure> {
        for key in KEYS.iter().filter(|key| key.is_for_all() && is_typed(typed, key.name)) {
            let texts = typed.get_raw(key.name).into_iter().flatten().map(OsStr::to_owned).collect();
            self.typed.set(key, Value { texts, origin: Origin::CommandLine })?;
        }
        let set = self.value(keys::named("lake")).map(|value| PathBuf::from(value.first()));
        let lake = set.or_else(|| typed.get_one("lake").cloned());
        // A folder that cannot be named is told by whoever works in it.
        let Some(store) = lake.and_then(|lake| Store::open(&lake).ok()) else { return Ok(self) };
        let path = PathBuf::from(store.location_of(lake::SETTINGS_FILE));
        let text = store.get(lake::SETTINGS_FILE);
        // So is one that is no folder.
        let is_there = text.is_ok() || local_files::is_file(&path);
        self.files.insert(0, (path.clone(), is_there));
        if is_there {
            let text = text.map_err(|e| Failure::runtime(e.to_string()))?;
            self.lake = file::read(&text, &path, Layers::LAKE)?;
        }
        Ok(self)
    }

    /// Returns the command, whose options that were not typed have what is set for their defaults;
    /// nothing where none is set.
    pub fn defaults(&self, command: clap::Command, typed: &ArgMatches) -> Option<clap::Command> {
        let (name, innermost) = innermost(typed);
        let is_free = |key: &Key| {
            let mut others = key.rivals().map(|rival| rival.name).chain(key.yields_to.iter().copied());
            !others.any(|other| is_typed(innermost, other))
        };
        let of_command = KEYS.iter().filter(|key| key.is_for(&name) && is_free(key));
        let set: Vec<(&Key, &Value)> =
            of_command.filter_map(|key| self.value(key).map(|value| (key, value))).collect();
        let path: Vec<&str> = name.split_whitespace().collect();
        (!set.is_empty()).then(|| {
            set.into_iter().fold(command, |command, (key, value)| {
                let path = if key.is_for_all() { &[][..] } else { &path[..] };
                with_default(command, path, key, value)
            })
        })
    }

    /// Returns when to use colors, if that is set.
    pub fn color(&self) -> Option<ColorChoice> {
        self.value(keys::named("color"))?.first().to_str()?.parse().ok()
    }

    /// Returns what a setting is set to.
    pub fn value(&self, key: &Key) -> Option<&Value> {
        self.decider(key).and_then(|layer| layer.get(key.name))
    }

    /// Returns the files that were looked for, and whether they are there.
    pub fn files(&self) -> &[(PathBuf, bool)] {
        &self.files
    }

    /// Returns the `TOPSELL_` variables that are not settings.
    pub fn unknown_variables(&self) -> &[String] {
        &self.unknown
    }

    /// Returns whether any layer decides a setting, be it by deciding against it.
    pub fn decides(&self, key: &Key) -> bool {
        self.decider(key).is_some()
    }

    /// Returns the layer that decides a setting.
    fn decider(&self, key: &Key) -> Option<&Layer> {
        let says = |layer: &&Layer| key.rivals().any(|rival| layer.get(rival.name).is_some());
        [&self.typed, &self.environment, &self.lake, &self.user].into_iter().find(says)
    }
}

/// Returns the command that was typed, such as `lake prune`, and its own words.
fn innermost(typed: &ArgMatches) -> (String, &ArgMatches) {
    let mut name = String::new();
    let mut at = typed;
    while let Some((next, matches)) = at.subcommand() {
        name = format!("{name} {next}").trim_start().to_owned();
        at = matches;
    }
    (name, at)
}

fn is_typed(matches: &ArgMatches, id: &str) -> bool {
    // Choices go together over commands: not every command takes all the options of one.
    let is_known = matches.try_contains_id(id).is_ok();
    is_known && matches.value_source(id) == Some(ValueSource::CommandLine)
}

fn with_default(command: clap::Command, path: &[&str], key: &Key, value: &Value) -> clap::Command {
    match path.split_first() {
        None => command.mut_arg(key.name, |arg| arg.default_values(value.texts.iter().cloned())),
        Some((first, rest)) => command.mut_subcommand(first, |below| with_default(below, rest, key, value)),
    }
}

/// Returns where the user's file is: below `XDG_CONFIG_HOME`, else in the home folder's `.config`.
fn user_file() -> Option<PathBuf> {
    let folder = |name: &str| env::var_os(name).filter(|path| Path::new(path).is_absolute());
    let home = |home: OsString| Path::new(&home).join(".config");
    let folder = folder("XDG_CONFIG_HOME").map(PathBuf::from).or_else(|| folder("HOME").map(home));
    Some(folder?.join(USER_FILE))
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
