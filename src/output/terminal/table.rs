//! Tables for people: columns side by side, as many as the terminal is wide for.
//!
//! Invariant: a line is no wider than the terminal, unless what may not be cut is.

use std::io::{self, Write};

use crate::text::{cut, isolated, width};
use topsell_core::model::escape_control;

/// What a table is written on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalOptions {
    /// Cells of a line; as many as it takes for `None`.
    pub width: Option<usize>,
    pub colors: Colors,
}

impl TerminalOptions {
    /// No terminal at all.
    pub const PLAIN: TerminalOptions = TerminalOptions { width: None, colors: Colors::Never };
}

/// Whether to use colors and bold type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colors {
    Always,
    Never,
}

/// How a text stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Plain,
    Bold,
    Dim,
    Good,
    Bad,
    Fresh,
}

/// Which side of its column a text keeps to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Left,
    Right,
}

/// A column: what stands above it, and what becomes of it where the terminal is narrow.
#[derive(Clone, Copy, Debug)]
pub struct Heading {
    pub text: &'static str,
    pub side: Side,
    /// The least important column is left out first, the essential ones never.
    pub importance: Importance,
    /// How many cells are enough to recognize a text by; none where it may not be cut.
    pub enough: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Importance {
    Minor(u8),
    Essential,
}

/// What stands in one place of a table.
#[derive(Clone, Debug)]
pub struct Cell {
    pub text: String,
    pub style: Style,
}

impl Cell {
    /// Returns a text from outside, made safe to show.
    pub fn of(text: &str) -> Cell {
        Cell { text: escape_control(text), style: Style::Plain }
    }

    /// Returns the cell standing out.
    #[must_use]
    pub fn styled(self, style: Style) -> Cell {
        Cell { style, ..self }
    }
}

/// Cells between two columns.
const GAP: usize = 2;

/// Writes rows below their headings.
pub fn write_table(
    headings: &[Heading],
    rows: &[Vec<Cell>],
    terminal: TerminalOptions,
    out: &mut impl Write,
) -> io::Result<()> {
    let natural: Vec<usize> = headings
        .iter()
        .enumerate()
        .map(|(at, heading)| {
            let mut cells: Vec<usize> = rows.iter().map(|row| width(&row[at].text)).collect();
            cells.sort_unstable();
            match (heading.side, heading.enough) {
                (Side::Left, None) => usual(&cells, terminal.width),
                _ => cells.last().copied().unwrap_or(0),
            }
            .max(width(heading.text))
        })
        .collect();
    let widths = fitted(headings, &natural, terminal.width);
    let line = |cells: &[Cell], out: &mut dyn Write| {
        let shown = widths.iter().zip(headings).zip(cells);
        let shown: Vec<_> =
            shown.filter_map(|((cells, heading), cell)| Some(((*cells)?, heading, cell))).collect();
        let last = shown.iter().rposition(|(_, _, cell)| !cell.text.is_empty());
        for (at, (cells, heading, cell)) in
            shown.into_iter().take(last.map_or(0, |last| last + 1)).enumerate()
        {
            let text = match heading.enough {
                Some(_) => cut(&cell.text, cells),
                None => cell.text.clone(),
            };
            let room = " ".repeat(cells.saturating_sub(width(&text)));
            let gap = if at == 0 { "" } else { "  " };
            let text = styled(&isolated(&text), cell.style, terminal.colors);
            match heading.side {
                // Nothing is to follow what is last.
                Side::Left if Some(at) == last => write!(out, "{gap}{text}")?,
                Side::Left => write!(out, "{gap}{text}{room}")?,
                Side::Right => write!(out, "{gap}{room}{text}")?,
            }
        }
        writeln!(out)
    };
    let head = headings.iter().map(|heading| Cell::of(heading.text).styled(Style::Bold));
    line(&head.collect::<Vec<_>>(), out)?;
    rows.iter().try_for_each(|row| line(row, out))
}

/// Returns how wide a column is whose texts may not be cut, of their widths in order: where a few
/// are as wide as half of the terminal, these have longer lines, and the others do not have to give way.
fn usual(cells: &[usize], terminal: Option<usize>) -> usize {
    let most = terminal.unwrap_or(usize::MAX) / 2;
    let fitting = cells.partition_point(|cells| *cells <= most);
    let shown = if fitting * 2 > cells.len() { &cells[..fitting] } else { cells };
    shown.last().copied().unwrap_or(0)
}

/// Returns how wide each column is; none where it is left out.
fn fitted(headings: &[Heading], natural: &[usize], terminal: Option<usize>) -> Vec<Option<usize>> {
    let enough: Vec<usize> = headings
        .iter()
        .zip(natural)
        .map(|(heading, natural)| heading.enough.map_or(*natural, |enough| (*natural).min(enough)))
        .collect();
    let Some(terminal) = terminal else { return natural.iter().map(|cells| Some(*cells)).collect() };
    let mut kept: Vec<usize> = (0..headings.len()).collect();
    let needed = |kept: &[usize]| {
        let cells: usize = kept.iter().map(|&at| enough[at]).sum();
        cells + GAP * kept.len().saturating_sub(1)
    };
    while needed(&kept) > terminal {
        let least = kept.iter().copied().min_by_key(|&at| headings[at].importance);
        match least.filter(|&at| headings[at].importance != Importance::Essential) {
            Some(least) => kept.retain(|&at| at != least),
            None => break,
        }
    }
    // What is left over goes to what was cut.
    let mut spare = terminal.saturating_sub(needed(&kept));
    let mut widths = vec![None; headings.len()];
    for at in kept {
        let more = (natural[at] - enough[at]).min(spare);
        spare -= more;
        widths[at] = Some(enough[at] + more);
    }
    widths
}

/// Writes phrases one behind the other, on as many lines as they need.
pub fn write_phrases(phrases: &[Cell], terminal: TerminalOptions, out: &mut impl Write) -> io::Result<()> {
    let mut used = 0;
    for (at, phrase) in phrases.iter().enumerate() {
        let comma = if at + 1 < phrases.len() { "," } else { "" };
        let cells = width(&phrase.text) + comma.len();
        let fits = terminal.width.is_none_or(|terminal| used + 1 + cells <= terminal);
        let gap = match used {
            0 => "",
            _ if fits => " ",
            _ => "\n",
        };
        used = if gap == "\n" { cells } else { used + gap.len() + cells };
        write!(out, "{gap}{}", styled(&format!("{}{comma}", phrase.text), phrase.style, terminal.colors))?;
    }
    if phrases.is_empty() { Ok(()) } else { writeln!(out) }
}

/// Returns a text with what makes it stand out around it.
pub fn styled(text: &str, style: Style, colors: Colors) -> String {
    let code = match style {
        Style::Plain => return text.to_owned(),
        _ if colors == Colors::Never || text.is_empty() => return text.to_owned(),
        Style::Bold => 1,
        Style::Dim => 2,
        Style::Good => 32,
        Style::Bad => 31,
        Style::Fresh => 36,
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADINGS: [Heading; 4] = [
        Heading { text: "rank", side: Side::Right, importance: Importance::Essential, enough: None },
        Heading { text: "item", side: Side::Left, importance: Importance::Essential, enough: None },
        Heading { text: "name", side: Side::Left, importance: Importance::Minor(2), enough: Some(6) },
        Heading { text: "units", side: Side::Right, importance: Importance::Minor(1), enough: None },
    ];

    fn check(cells: Option<usize>, expected: &[&str]) {
        let row = |cells: [&str; 4]| cells.map(Cell::of).to_vec();
        let rows = [row(["1", "a-1", "dark bread 日本", "1,000"]), row(["2", "b", "שלום", ""])];
        let mut out = Vec::new();
        let terminal = TerminalOptions { width: cells, colors: Colors::Never };
        write_table(&HEADINGS, &rows, terminal, &mut out).expect("memory takes all");
        let text = String::from_utf8(out).expect("it is text");
        assert_eq!(text.lines().collect::<Vec<_>>(), expected, "{terminal:?}");
    }

    #[test]
    fn columns_give_way_where_the_paper_is_narrow() {
        let whole = [
            "rank  item  name             units",
            "   1  a-1   dark bread 日本  1,000",
            "   2  b     \u{2068}שלום\u{2069}",
        ];
        check(None, &whole);
        check(Some(34), &whole);
        check(
            Some(30),
            &[
                "rank  item  name         units",
                "   1  a-1   dark bread…  1,000",
                "   2  b     \u{2068}שלום\u{2069}",
            ],
        );
        check(Some(24), &["rank  item  name", "   1  a-1   dark bread…", "   2  b     \u{2068}שלום\u{2069}"]);
        check(Some(12), &["rank  item", "   1  a-1", "   2  b"]);
        check(Some(1), &["rank  item", "   1  a-1", "   2  b"]);
    }

    #[test]
    fn one_long_id_is_a_long_line_and_no_more() {
        let long = "x".repeat(30);
        let row = |id: &str, name: &str| ["1", id, name, "5"].map(Cell::of).to_vec();
        let rows = [row("a-1", "bread"), row(&long, "bread"), row("b", "bread")];
        let written = |cells: usize, rows: &[Vec<Cell>]| {
            let mut out = Vec::new();
            let terminal = TerminalOptions { width: Some(cells), colors: Colors::Never };
            write_table(&HEADINGS, rows, terminal, &mut out).expect("memory takes all");
            String::from_utf8(out).expect("it is text")
        };
        assert_eq!(
            written(40, &rows),
            format!(
                "rank  item  name   units\n   1  a-1   bread      5\n   1  {long}  bread      5\n   1  b     bread      5\n"
            )
        );
        // Where most are long, all are given the room.
        assert_eq!(written(40, &rows[1..2]), format!("rank  item\n   1  {long}\n"));
        assert!(written(60, &rows).starts_with("rank  item                            name   units\n"));
    }

    #[test]
    fn phrases_are_parted_between_lines_only() {
        let check = |cells: Option<usize>, expected: &str| {
            let mut out = Vec::new();
            let phrases = ["as of today", "150 hours", "no decay"].map(Cell::of);
            let terminal = TerminalOptions { width: cells, colors: Colors::Never };
            write_phrases(&phrases, terminal, &mut out).expect("memory takes all");
            assert_eq!(String::from_utf8(out).as_deref(), Ok(expected));
        };
        check(None, "as of today, 150 hours, no decay\n");
        check(Some(32), "as of today, 150 hours, no decay\n");
        check(Some(24), "as of today, 150 hours,\nno decay\n");
        check(Some(1), "as of today,\n150 hours,\nno decay\n");
    }

    #[test]
    fn styles_are_for_terminals_that_have_them() {
        assert_eq!(styled("x", Style::Bold, Colors::Always), "\x1b[1mx\x1b[0m");
        assert_eq!(styled("x", Style::Bold, Colors::Never), "x");
        assert_eq!(styled("", Style::Dim, Colors::Always), "");
    }
}
