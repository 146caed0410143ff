//! An answer as a part of a document: tables in Markdown or HTML, with all columns that a terminal may show.
//!
//! Invariant: no text of an answer is taken for markup.
//!
//! Markdown's tables are those of <https://github.github.com/gfm/#tables-extension->.

use std::io::{self, Write};

use crate::formats::answer::Answer;
use crate::formats::table::shown_rows;
use crate::terminal::{Cell, Heading, Side};
use crate::text::escape_html;
use topsell_core::model::escape_control;

/// What Markdown takes for markup within a line.
const OF_MARKDOWN: [char; 11] = ['\\', '|', '`', '*', '_', '[', ']', '<', '>', '~', '&'];

/// Writes an answer as Markdown.
pub(super) fn write_markdown(answer: Answer<'_>, out: &mut impl Write) -> io::Result<()> {
    let mut blocks = Vec::new();
    if !answer.title.is_empty() {
        blocks.push(format!("**{}**\n", markdown(&escape_control(&answer.title))));
    }
    blocks.extend(paragraphs(&answer).iter().map(|text| format!("{}\n", markdown(text))));
    for table in answer.tables.into_iter().filter(|table| !table.shown.is_empty()) {
        if !table.title.is_empty() {
            blocks.push(format!("**{}**\n", markdown(&table.title)));
        }
        blocks.push(match shown_rows(table) {
            None => "none\n".to_owned(),
            Some((headings, rows)) => markdown_table(&headings, &rows),
        });
    }
    blocks.extend(answer.closing.iter().map(|line| format!("{}\n", markdown(&escape_control(line)))));
    out.write_all(blocks.join("\n").as_bytes())
}

/// Writes an answer as an HTML page without a style.
pub(super) fn write_html(answer: Answer<'_>, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "<!doctype html>\n<meta charset=\"utf-8\">")?;
    if !answer.title.is_empty() {
        let title = escape_html(&escape_control(&answer.title));
        writeln!(out, "<title>{title}</title>\n<h1>{title}</h1>")?;
    }
    paragraphs(&answer).iter().try_for_each(|text| writeln!(out, "<p>{}</p>", escape_html(text)))?;
    for table in answer.tables.into_iter().filter(|table| !table.shown.is_empty()) {
        if !table.title.is_empty() {
            writeln!(out, "<h2>{}</h2>", escape_html(&table.title))?;
        }
        match shown_rows(table) {
            None => writeln!(out, "<p>none</p>")?,
            Some((headings, rows)) => write_html_table(&headings, &rows, out)?,
        }
    }
    let closing = answer.closing.iter();
    closing
        .map(|line| escape_control(line))
        .try_for_each(|line| writeln!(out, "<p>{}</p>", escape_html(&line)))
}

/// Returns what stands before the tables: the notes on a line, and the properties.
fn paragraphs(answer: &Answer<'_>) -> Vec<String> {
    let notes: Vec<&str> = answer.notes.iter().map(|note| note.text.as_str()).collect();
    let notes = (!notes.is_empty()).then(|| notes.join("; "));
    let properties = answer.properties.iter();
    notes
        .into_iter()
        .chain(properties.map(|(name, text)| format!("{name}: {}", escape_control(text))))
        .collect()
}

fn markdown_table(headings: &[Heading], rows: &[Vec<Cell>]) -> String {
    let line = |texts: &mut dyn Iterator<Item = String>| {
        texts.fold("|".to_owned(), |line, text| format!("{line} {text} |")) + "\n"
    };
    let names = line(&mut headings.iter().map(|heading| markdown(heading.text)));
    let sides = headings.iter().map(|heading| match heading.side {
        Side::Left => ":--".to_owned(),
        Side::Right => "--:".to_owned(),
    });
    let sides = line(&mut sides.into_iter());
    rows.iter().fold(names + &sides, |table, row| {
        table + &line(&mut row.iter().map(|cell| with_indent(&cell.text, markdown)))
    })
}

fn write_html_table(headings: &[Heading], rows: &[Vec<Cell>], out: &mut impl Write) -> io::Result<()> {
    let right = |heading: &Heading| match heading.side {
        Side::Left => "",
        Side::Right => " style=\"text-align:right\"",
    };
    write!(out, "<table>\n<thead><tr>")?;
    for heading in headings {
        write!(out, "<th{}>{}</th>", right(heading), escape_html(heading.text))?;
    }
    writeln!(out, "</tr></thead>\n<tbody>")?;
    for row in rows {
        write!(out, "<tr>")?;
        for (heading, cell) in headings.iter().zip(row) {
            write!(out, "<td{}>{}</td>", right(heading), with_indent(&cell.text, escape_html))?;
        }
        writeln!(out, "</tr>")?;
    }
    writeln!(out, "</tbody>\n</table>")
}

/// Returns a text with the spaces before it kept.
fn with_indent(text: &str, escape: impl Fn(&str) -> String) -> String {
    let rest = text.trim_start_matches(' ');
    "&nbsp;".repeat(text.len() - rest.len()) + &escape(rest)
}

fn markdown(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        if OF_MARKDOWN.contains(&letter) {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::formats::answer::{Column, ColumnType, Table, TableColumn};
    use crate::formats::value::Value;

    const COLUMNS: [Column; 2] =
        [Column::new("item_id", ColumnType::Text), Column::new("units", ColumnType::Integer)];
    const SHOWN: [TableColumn; 2] =
        [TableColumn::essential("item_id", "item"), TableColumn::essential("units", "units")];

    fn written(write: impl Fn(Answer<'_>, &mut Vec<u8>) -> io::Result<()>) -> String {
        let rows = [("a|b", 1_234), ("<script>*x*", 5)];
        let rows = rows.map(|(item, units)| vec![item.into(), Value::Integer(units)]);
        let answer = Answer {
            title: "Best & <sellers>".to_owned(),
            notes: vec![Cell::of("150 h"), Cell::of("a_b")],
            properties: vec![("item", "x\ny".to_owned())],
            tables: vec![
                Table::new("items", &COLUMNS, rows).showing(SHOWN),
                Table::new("others", &COLUMNS, []).showing(SHOWN).titled("Others".to_owned()),
            ],
            closing: vec!["1 more".to_owned()],
            ..Answer::default()
        };
        let mut bytes = Vec::new();
        write(answer, &mut bytes).expect("memory can be written to");
        String::from_utf8(bytes).expect("it is text")
    }

    #[test]
    fn no_text_is_markup_in_markdown() {
        expect![[r#"
            **Best \& \<sellers\>**

            150 h; a\_b

            item: x\\ny

            | item | units |
            | :-- | --: |
            | a\|b | 1,234 |
            | \<script\>\*x\* | 5 |

            **Others**

            none

            1 more
        "#]]
        .assert_eq(&written(write_markdown));
    }

    #[test]
    fn no_text_is_markup_in_html() {
        expect![[r#"
            <!doctype html>
            <meta charset="utf-8">
            <title>Best &amp; &lt;sellers&gt;</title>
            <h1>Best &amp; &lt;sellers&gt;</h1>
            <p>150 h; a_b</p>
            <p>item: x\ny</p>
            <table>
            <thead><tr><th>item</th><th style="text-align:right">units</th></tr></thead>
            <tbody>
            <tr><td>a|b</td><td style="text-align:right">1,234</td></tr>
            <tr><td>&lt;script&gt;*x*</td><td style="text-align:right">5</td></tr>
            </tbody>
            </table>
            <h2>Others</h2>
            <p>none</p>
            <p>1 more</p>
        "#]]
        .assert_eq(&written(write_html));
    }

    #[test]
    fn spaces_before_a_text_are_kept() {
        assert_eq!(with_indent("  a b", escape_html), "&nbsp;&nbsp;a b");
    }
}
