//! An answer for people: a title and notes, then tables as wide as the terminal.

use std::io::{self, Write};

use crate::formats::answer::{Answer, ColumnType, Table, TableColumn};
use crate::formats::value::{Value, amount_text};
use crate::terminal::{
    Cell, Heading, Side, Style, TerminalOptions, styled, write_phrases, write_rank_chart, write_table,
};
use crate::text::{duration, grouped, size, sparkline};
use topsell_core::model::escape_control;

/// Cells that the names of properties are padded to.
const PROPERTY: usize = 10;

/// Writes an answer.
pub(super) fn write_page(
    answer: Answer<'_>,
    terminal: TerminalOptions,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut is_first = true;
    if !answer.title.is_empty() {
        writeln!(out, "{}", styled(&answer.title, Style::Bold, terminal.colors))?;
    }
    write_phrases(&answer.notes, terminal, out)?;
    for (name, text) in &answer.properties {
        is_first = false;
        let name = styled(&format!("{name:<PROPERTY$}"), Style::Bold, terminal.colors);
        writeln!(out, "{name}{}", escape_control(text))?;
    }
    if let Some(chart) = &answer.chart {
        write_rank_chart(chart, terminal, out)?;
    }
    for table in answer.tables.into_iter().filter(|table| !table.shown.is_empty()) {
        let title = styled(&table.title, Style::Bold, terminal.colors);
        if !title.is_empty() {
            writeln!(out, "\n{title}")?;
        } else if !is_first {
            writeln!(out)?;
        }
        is_first = false;
        write_rows(table, terminal, out)?;
    }
    answer.closing.iter().try_for_each(|line| writeln!(out, "{}", escape_control(line)))
}

fn write_rows(table: Table<'_>, terminal: TerminalOptions, out: &mut impl Write) -> io::Result<()> {
    match shown_rows(table) {
        None => writeln!(out, "none"),
        Some((headings, lines)) => write_table(&headings, &lines, terminal, out),
    }
}

/// Returns the headings and the rows of a table as people read them; none where it has no rows.
pub(super) fn shown_rows(table: Table<'_>) -> Option<(Vec<Heading>, Vec<Vec<Cell>>)> {
    let types: Vec<(&str, ColumnType)> =
        table.columns.iter().map(|column| (column.name, column.of)).collect();
    let rows: Vec<Vec<Value>> = table.rows.chain(table.footer).collect();
    if rows.is_empty() {
        return None;
    }
    let mut headings = Vec::new();
    let mut lines: Vec<Vec<Cell>> = rows.iter().map(|_| Vec::new()).collect();
    for shown in &table.shown {
        let at = types.iter().position(|(name, _)| *name == shown.column);
        let at = at.expect("what is shown is a column");
        let has_values = rows.iter().any(|row| !row[at].is_none());
        if !has_values && shown.missing.is_empty() {
            continue;
        }
        headings.push(heading(shown, types[at].1));
        let decimals = decimals(rows.iter().map(|row| &row[at]));
        for (row, line) in rows.iter().zip(&mut lines) {
            line.push(match &row[at] {
                Value::Text(path) if shown.is_indented => Cell::of(&indented(path)),
                value => cell(value, decimals, shown.missing),
            });
        }
    }
    Some((headings, lines))
}

fn heading(shown: &TableColumn, of: ColumnType) -> Heading {
    let side = shown.side.unwrap_or(match of {
        ColumnType::Text | ColumnType::Texts | ColumnType::Ranks | ColumnType::UnitsByDay => Side::Left,
        _ => Side::Right,
    });
    Heading { text: shown.heading, side, importance: shown.importance, enough: shown.enough }
}

/// Returns a path's last level, indented by its depth.
fn indented(path: &str) -> String {
    let depth = path.matches('/').count() + 1;
    format!("{}{}", "  ".repeat(depth), path.rsplit('/').next().unwrap_or(path))
}

/// Returns how many decimals a column needs: of amounts two, or all four, of units as many as one of them has.
fn decimals<'a>(values: impl Iterator<Item = &'a Value>) -> usize {
    let needed = |value: &Value| match value {
        Value::Amount(amount) if amount % 100 != 0 => 4,
        Value::Amount(_) => 2,
        Value::Units(units) => places_of(&units.to_string()),
        _ => 0,
    };
    values.map(needed).max().unwrap_or(0)
}

/// Returns how many digits a decimal has behind the point.
fn places_of(decimal: &str) -> usize {
    decimal.split_once('.').map_or(0, |(_, fraction)| fraction.len())
}

/// Returns a decimal with zeros at its end, up to a number of places.
fn padded(decimal: &str, places: usize) -> String {
    let point = if places > 0 && !decimal.contains('.') { "." } else { "" };
    let zeros = places - places_of(decimal);
    format!("{decimal}{point}{:0<zeros$}", "")
}

/// Returns a value as people read it.
fn cell(value: &Value, decimals: usize, missing: &str) -> Cell {
    match value {
        Value::None => Cell::of(missing).styled(Style::Dim),
        Value::Shown(_, cell) => cell.clone(),
        Value::Integer(number) => Cell::of(&grouped(&number.to_string())),
        Value::Units(units) => Cell::of(&grouped(&padded(&units.to_string(), decimals))),
        Value::UnitsByDay(units) => {
            let values: Vec<i64> = units.iter().map(|units| units.ten_thousandths()).collect();
            Cell::of(&sparkline(&values))
        }
        Value::Number(number) => Cell::of(&grouped(&format!("{number:.3}"))),
        Value::Change(fraction) => Cell::of(&format!("{:+.0} %", fraction * 100.0)),
        Value::Seconds(seconds) => Cell::of(&duration(*seconds)),
        Value::Bytes(bytes) => Cell::of(&size(*bytes)),
        Value::Amount(amount) => {
            let text = amount_text(*amount);
            Cell::of(&grouped(&text[..text.len() + decimals - 4]))
        }
        // As it is: to be copied into a calculator.
        Value::WideInteger(text) => Cell::of(text),
        Value::Exact(_) => Cell::of(&grouped(&value.text())),
        Value::Share(_) => Cell::of(&format!("{} %", value.text())),
        Value::Ranks(ranks) => {
            let one = |(rank, category): &(i32, Option<String>)| {
                format!("#{} {}", grouped(&rank.to_string()), category.as_deref().unwrap_or("of the shop"))
            };
            Cell::of(&ranks.iter().map(one).collect::<Vec<_>>().join(", "))
        }
        value => Cell::of(&value.text()),
    }
}
