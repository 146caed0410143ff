//! The steps of a job file: `topsell` commands, or other programs and their arguments.

use toml::de::{DeTable, DeValue};

use crate::job_spec::job::{JobStep, StepAction};
use crate::job_spec::toml_reader::{CommandCheck, TomlReader, TomlValue};
use topsell_core::model::hide_secrets;

const KEYS: &[&str] = &["run", "exec", "name", "success_exit_codes", "stdin"];
/// The command that has subcommands.
const COMMAND_GROUP: &str = "lake";
const PROGRAM: &str = "topsell";

/// Parses the list of steps.
pub(super) fn read_all(
    reader: &mut TomlReader<'_>,
    value: &TomlValue<'_>,
    check: CommandCheck<'_>,
) -> Vec<JobStep> {
    match value.get_ref() {
        DeValue::Array(steps) if !steps.is_empty() => {
            steps.iter().filter_map(|step| read(reader, step, check)).collect()
        }
        _ => {
            reader.error(
                value.span(),
                "`steps` must be a list of at least one step, such as [\"rank\"]".to_owned(),
            );
            Vec::new()
        }
    }
}

fn read(reader: &mut TomlReader<'_>, value: &TomlValue<'_>, check: CommandCheck<'_>) -> Option<JobStep> {
    match value.get_ref() {
        DeValue::String(_) => {
            let action = run(reader, value, check)?;
            Some(JobStep { name: default_name(&action), action, success_exit_codes: Vec::new(), stdin: None })
        }
        DeValue::Table(table) => read_table(reader, value, table, check),
        _ => {
            reader.error(
                value.span(),
                "a step must be a string, { run = \"…\" } or { exec = [\"…\"] }".to_owned(),
            );
            None
        }
    }
}

fn read_table(
    reader: &mut TomlReader<'_>,
    value: &TomlValue<'_>,
    table: &DeTable<'_>,
    check: CommandCheck<'_>,
) -> Option<JobStep> {
    let (mut actions, mut name, mut success_exit_codes, mut stdin) = (Vec::new(), None, Vec::new(), None);
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "run" => actions.push(run(reader, value, check)),
            "exec" => actions.push(exec(reader, value)),
            "name" => match reader.text("name", value) {
                Some("") => reader.error(value.span(), "`name` must not be empty".to_owned()),
                text => name = text.map(str::to_owned),
            },
            "success_exit_codes" => success_exit_codes = exit_codes(reader, value),
            "stdin" => stdin = reader.text("stdin", value).map(str::to_owned),
            unknown => reader.unknown_key(key.span(), unknown, KEYS),
        }
    }
    if actions.len() != 1 {
        reader.error(value.span(), "a step must have either `run` or `exec`".to_owned());
        return None;
    }
    let action = actions.pop()??;
    Some(JobStep { name: name.unwrap_or_else(|| default_name(&action)), action, success_exit_codes, stdin })
}

/// Parses the arguments of a `topsell` command.
fn run(reader: &mut TomlReader<'_>, value: &TomlValue<'_>, check: CommandCheck<'_>) -> Option<StepAction> {
    let text = reader.text("run", value)?;
    let checked = match shlex::split(text) {
        None => Err("unclosed quote".to_owned()),
        Some(words) if words.is_empty() => Err("empty command".to_owned()),
        Some(words) if words[0] == PROGRAM => {
            Err(format!("omit `{PROGRAM}`; to run another binary, write exec = [\"{PROGRAM}\", …]"))
        }
        Some(words) => check(&words).map(|()| words),
    };
    match checked {
        Ok(words) => Some(StepAction::Topsell(words)),
        Err(what) => {
            // It may name a target with its password.
            reader.error(value.span(), hide_secrets(&format!("step `{text}`: {what}")));
            None
        }
    }
}

/// Parses a program and its arguments.
fn exec(reader: &mut TomlReader<'_>, value: &TomlValue<'_>) -> Option<StepAction> {
    let DeValue::Array(words) = value.get_ref() else {
        reader.error(
            value.span(),
            "`exec` must be a list of strings, such as [\"cp\", \"a\", \"b\"]".to_owned(),
        );
        return None;
    };
    let words: Option<Vec<String>> =
        words.iter().map(|word| reader.text("exec", word).map(str::to_owned)).collect();
    match words? {
        words if words.first().is_some_and(|program| !program.is_empty()) => Some(StepAction::Exec(words)),
        _ => {
            reader.error(value.span(), "`exec` must start with a program".to_owned());
            None
        }
    }
}

fn exit_codes(reader: &mut TomlReader<'_>, value: &TomlValue<'_>) -> Vec<u8> {
    let DeValue::Array(codes) = value.get_ref() else {
        reader
            .error(value.span(), "`success_exit_codes` must be a list of exit codes, such as [6]".to_owned());
        return Vec::new();
    };
    let codes = codes.iter().filter_map(|code| reader.number("success_exit_codes", code, 255));
    codes.filter_map(|code| u8::try_from(code).ok()).collect()
}

/// Returns the name of a step that sets none.
fn default_name(action: &StepAction) -> String {
    match action {
        StepAction::Topsell(words) => match words.as_slice() {
            [first, second, ..] if first == COMMAND_GROUP => format!("{first} {second}"),
            words => words.first().cloned().unwrap_or_default(),
        },
        StepAction::Exec(words) => {
            let program = words.first().map(String::as_str).unwrap_or_default();
            program.rsplit('/').next().unwrap_or(program).to_owned()
        }
    }
}
