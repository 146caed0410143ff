//! `topsell config`: each setting, its value and where that comes from.

use std::io::{self, BufWriter, IsTerminal, Write};

use clap::{Args as ClapArgs, Command, ValueEnum};
use serde_json::json;

use crate::config::{Config, KEYS, Key, Origin, Value, unknown_variable};
use crate::failure::{Exit, Failure, unless_reader_left};
use topsell_core::model::escape_control;
use topsell_output::show::ShowError;

/// Show each setting, its value and where that comes from
///
/// An option that is typed goes before the environment's TOPSELL_ variables, these before the lake's
/// own topsell.toml, that before the user's file, and that before what is built in.
#[derive(ClapArgs, Debug)]
#[command(before_help = "\
Examples:
  topsell config                       what is set, and where
  TOPSELL_WINDOW=7d topsell config     a variable for each setting
  topsell config --format json | jq '.settings[] | select(.from != \"built in\")'
")]
#[command(after_help = "\
A file of settings has lines such as these; a path in it counts from the file's folder:
  window = \"7d\"
  top = 50
  no_decay = true
  event_types = [\"purchase\", \"return\"]
")]
pub struct Show {
    /// Form of the answer; a table on a terminal, else JSON
    #[arg(long, value_enum)]
    pub format: Option<ConfigFormat>,
}

/// The form of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ConfigFormat {
    Table,
    Json,
}

/// Prints every setting.
///
/// # Errors
/// Fails where the output does.
pub fn run(typed: &Show, config: &Config, root: &Command) -> Result<Exit, Failure> {
    let default = if io::stdout().is_terminal() { ConfigFormat::Table } else { ConfigFormat::Json };
    let (mut out, mut notes) = (BufWriter::new(io::stdout().lock()), io::stderr().lock());
    let format = typed.format.unwrap_or(default);
    let written = write(config, root, format, &mut out, &mut notes).and_then(|()| out.flush());
    written.map_err(ShowError::from).or_else(unless_reader_left)?;
    Ok(Exit::Success)
}

/// Writes every setting to `out`, and warnings to `notes`.
fn write(
    config: &Config,
    root: &Command,
    form: ConfigFormat,
    out: &mut dyn Write,
    notes: &mut dyn Write,
) -> io::Result<()> {
    for name in config.unknown_variables() {
        writeln!(notes, "warning: {}", unknown_variable(name))?;
    }
    let settled: Vec<(&Key, Option<Value>)> =
        KEYS.iter().map(|key| (key, settled(config, root, key))).collect();
    match form {
        ConfigFormat::Table => write_table(config, &settled, out),
        ConfigFormat::Json => write_json(config, &settled, out),
    }
}

/// Returns the effective value of a setting; none where it is not set and has no default.
fn settled(config: &Config, root: &Command, key: &Key) -> Option<Value> {
    if config.decides(key) { config.value(key).cloned() } else { built_in(root, key) }
}

fn built_in(root: &Command, key: &Key) -> Option<Value> {
    let path = key.commands.first().copied().unwrap_or_default();
    let command = path.split_whitespace().try_fold(root, |at, name| at.find_subcommand(name))?;
    let option = command.get_arguments().find(|arg| arg.get_id() == key.name)?;
    let texts: Vec<_> = option.get_default_values().iter().map(clap::builder::OsStr::to_os_string).collect();
    (!texts.is_empty()).then_some(Value { texts, origin: Origin::BuiltIn })
}

fn write_table(config: &Config, settled: &[(&Key, Option<Value>)], out: &mut dyn Write) -> io::Result<()> {
    let shown = |value: &Value| {
        let texts: Vec<String> =
            value.texts.iter().map(|text| escape_control(&text.to_string_lossy())).collect();
        texts.join(", ")
    };
    let lines: Vec<[String; 3]> = settled
        .iter()
        .map(|(key, value)| {
            let from =
                value.as_ref().map_or("not set".to_owned(), |value| escape_control(&place(&value.origin)));
            [key.name.to_owned(), value.as_ref().map(shown).unwrap_or_default(), from]
        })
        .collect();
    let width = |at: usize| lines.iter().map(|line| line[at].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1)];
    for [name, value, from] in &lines {
        let line = format!("{name:<0$}  {value:<1$}  {from}", widths[0], widths[1]);
        writeln!(out, "{}", line.trim_end())?;
    }
    writeln!(out)?;
    for (file, is_there) in config.files() {
        let state = if *is_there { "read" } else { "not there" };
        writeln!(out, "{}: {state}", escape_control(&file.display().to_string()))?;
    }
    Ok(())
}

fn write_json(config: &Config, settled: &[(&Key, Option<Value>)], out: &mut dyn Write) -> io::Result<()> {
    let settings = settled.iter().map(|(key, value)| {
        let texts = value.as_ref().map(|value| {
            value.texts.iter().map(|text| text.to_string_lossy().into_owned()).collect::<Vec<_>>()
        });
        let (file, line) = match value.as_ref().map(|value| &value.origin) {
            Some(Origin::Lake { file, line } | Origin::User { file, line }) => {
                (Some(file.display().to_string()), Some(line))
            }
            _ => (None, None),
        };
        json!({
            "key": key.name,
            "variable": key.variable(),
            "values": texts,
            "from": value.as_ref().map(|value| layer_name(&value.origin)),
            "file": file,
            "line": line,
        })
    });
    let files = config.files().iter();
    let files =
        files.map(|(file, is_there)| json!({"file": file.display().to_string(), "is_there": is_there}));
    let answer = json!({
        "schema": 1,
        "settings": settings.collect::<Vec<_>>(),
        "files": files.collect::<Vec<_>>(),
    });
    writeln!(out, "{answer:#}")
}

fn layer_name(origin: &Origin) -> &'static str {
    match origin {
        Origin::CommandLine => "command line",
        Origin::Environment { .. } => "environment",
        Origin::Lake { .. } => "lake",
        Origin::User { .. } => "user",
        Origin::BuiltIn => "built in",
    }
}

fn place(origin: &Origin) -> String {
    match origin {
        Origin::Environment { variable } => variable.clone(),
        Origin::Lake { file, line } | Origin::User { file, line } => format!("{}:{line}", file.display()),
        Origin::CommandLine | Origin::BuiltIn => layer_name(origin).to_owned(),
    }
}
