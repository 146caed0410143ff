//! Shows lists of the lake.

use crate::failure::{Exit, Failure};
use crate::output::Target;
use crate::settings::Settings;
use topsell_lists::{ListName, Snapshot, list_names, read_list, time_text};
use topsell_output::formats::{Answer, Column, ColumnType, Table, Value};
use topsell_output::text::counted;

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

/// Prints the entries of a list.
///
/// # Errors
/// Fails where there is no such list, or it is damaged.
pub fn show_entries(settings: &Settings, list: &str) -> Result<Exit, Failure> {
    let snapshot = read_list(&settings.store()?, &ListName::parse(list)?)?;
    settings.answer(|out| snapshot.lines.parts().try_for_each(|part| out.write_all(part)))?;
    Ok(Exit::Success)
}

/// Prints which lists there are.
///
/// # Errors
/// Fails where one is damaged.
pub fn show_lists(settings: &Settings, target: &Target) -> Result<Exit, Failure> {
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

/// Prints the versions of a list that are kept.
///
/// # Errors
/// As [`show_entries`].
pub fn history(settings: &Settings, list: &str, limit: usize, target: &Target) -> Result<Exit, Failure> {
    let name = ListName::parse(list)?;
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

/// Reads lists, and prints which are damaged.
///
/// # Errors
/// Fails where one cannot be read, or there is none of a name.
pub fn verify(settings: &Settings, lists: &[String]) -> Result<Exit, Failure> {
    let store = settings.store()?;
    let names = match lists {
        [] => list_names(&store)?,
        lists => lists.iter().map(|list| ListName::parse(list)).collect::<Result<_, _>>()?,
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
