//! `topsell config`: each setting, its value and where that comes from.

use std::io::{self, Write};

use clap::{Args as ClapArgs, ColorChoice, Command};

use crate::config::{Config, KEYS, Key, Origin, Value, unknown_variable};
use crate::failure::{Exit, Failure};
use crate::output::OutputArgs;
use topsell_core::model::escape_control;
use topsell_output::formats::{self, Answer, Column, ColumnType, JsonLayout, Table, TableColumn};
use topsell_output::terminal::Cell;

/// Show the settings, their values and origins
///
/// Settings are defaults of options. In order of precedence: command line options, TOPSELL_ environment
/// variables, topsell.toml in the lake, ~/.config/topsell/config.toml, built-in defaults.
#[derive(ClapArgs, Debug)]
#[command(before_help = "\
Examples:
  topsell config                       show all settings
  TOPSELL_WINDOW=7d topsell config     every setting has an environment variable
  topsell config --format json | jq '.settings[] | select(.from != \"built in\")'
")]
#[command(after_help = "\
Example of a settings file, in TOML; paths are relative to the directory of the file:
  window = \"7d\"
  limit = 50
  no_decay = true
  event_types = [\"purchase\", \"return\"]
")]
pub struct Show {
    #[command(flatten)]
    pub output: OutputArgs,
}

const COLUMNS: [Column; 6] = [
    Column::new("key", ColumnType::Text),
    Column::new("variable", ColumnType::Text),
    Column::new("values", ColumnType::Texts),
    Column::new("from", ColumnType::Text),
    Column::new("file", ColumnType::Text),
    Column::new("line", ColumnType::Integer),
];
const SHOWN: [TableColumn; 3] = [
    TableColumn::essential("key", "setting"),
    TableColumn::essential("values", "value"),
    TableColumn::essential("from", "from"),
];
const FILE_COLUMNS: [Column; 2] =
    [Column::new("file", ColumnType::Text), Column::new("is_there", ColumnType::Flag)];

/// Prints every setting.
///
/// # Errors
/// Fails where the output does.
pub fn run(typed: &Show, config: &Config, root: &Command, color: ColorChoice) -> Result<Exit, Failure> {
    let target = typed.output.target(None, color)?;
    for name in config.unknown_variables() {
        // Without stderr, warnings are lost and the answer is not.
        let _ = writeln!(io::stderr(), "warning: {}", escape_control(&unknown_variable(name)));
    }
    target.write(answer(config, root))?;
    Ok(Exit::Success)
}

fn answer<'a>(config: &'a Config, root: &'a Command) -> Answer<'a> {
    let rows = KEYS.iter().map(|key| row(key, settled(config, root, key).as_ref()));
    let files = config.files().iter();
    let file_rows =
        files.clone().map(|(file, is_there)| vec![file.display().to_string().into(), (*is_there).into()]);
    let read = files.map(|(file, is_there)| {
        format!("{}: {}", file.display(), if *is_there { "read" } else { "not found" })
    });
    Answer {
        tables: vec![
            Table::new("settings", &COLUMNS, rows).showing(SHOWN),
            Table::new("files", &FILE_COLUMNS, file_rows),
        ],
        closing: [String::new()].into_iter().chain(read).collect(),
        json: JsonLayout::Indented,
        ..Answer::default()
    }
}

fn row(key: &Key, value: Option<&Value>) -> Vec<formats::Value> {
    let texts = value
        .map(|value| value.texts.iter().map(|text| text.to_string_lossy().into_owned()).collect::<Vec<_>>());
    let shown = Cell::of(&texts.iter().flatten().cloned().collect::<Vec<_>>().join(", "));
    let from = Cell::of(&value.map_or("not set".to_owned(), |value| place(&value.origin)));
    let (file, line) = match value.map(|value| &value.origin) {
        Some(Origin::Lake { file, line } | Origin::User { file, line }) => {
            (Some(file.display().to_string()), Some(*line))
        }
        _ => (None, None),
    };
    vec![
        key.name.into(),
        key.variable().into(),
        texts.map_or(formats::Value::None, formats::Value::Texts).shown(shown),
        formats::Value::from(value.map(|value| layer_name(&value.origin))).shown(from),
        file.into(),
        line.map_or(formats::Value::None, formats::Value::count),
    ]
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
