//! Tables for people: aligned columns, nothing that a terminal could take for a command.

use std::io::{self, Write};

use crate::columns::Leader;
use crate::columns::RankedRow;
use crate::event::harmless;
use crate::snapshot::Snapshot;

/// Where a line has the item's name.
const NAME: usize = 2;
/// Characters of a name that are shown.
const SHOWN_CHARS: usize = 48;

/// Writes one category's best sellers under a line that says what they are.
pub(super) fn category(
    snapshot: &Snapshot,
    first: &RankedRow<'_>,
    rows: &[RankedRow<'_>],
    is_bright: bool,
    out: &mut impl Write,
) -> io::Result<()> {
    let name = first.category.as_deref().map_or("the whole shop".to_owned(), harmless);
    let decay =
        snapshot.half_life_hours.map_or("no decay".to_owned(), |hours| format!("half-life {hours} h"));
    writeln!(out, "Best sellers of {name}, {} to {}, {decay}", first.window_from, first.window_to)?;
    let header = ["rank", "item", "name", "score", "units", "purchases", "amount"].map(str::to_owned);
    let line = |row: &RankedRow<'_>| {
        [
            row.rank.to_string(),
            harmless(&row.item_id),
            short(&harmless(row.name.as_deref().unwrap_or(""))),
            format!("{:.3}", row.score),
            row.sums.units.to_string(),
            row.sums.purchases.to_string(),
            row.sums.amount_text().to_string(),
        ]
    };
    let mut lines: Vec<Vec<String>> =
        [header].into_iter().chain(rows.iter().map(line)).map(Vec::from).collect();
    if rows.iter().all(|row| row.name.is_none()) {
        lines.iter_mut().for_each(|line| drop(line.remove(NAME)));
        return write_aligned(&lines, &[1], is_bright, out);
    }
    write_aligned(&lines, &[1, NAME], is_bright, out)
}

fn short(name: &str) -> String {
    match name.char_indices().nth(SHOWN_CHARS) {
        None => name.to_owned(),
        Some((at, _)) => format!("{}…", &name[..at]),
    }
}

/// Writes the categories and how many items each ranks.
pub(super) fn categories(leaders: &[Leader], is_bright: bool, out: &mut impl Write) -> io::Result<()> {
    let header = ["category", "items", "rankable", "from", "to"].map(str::to_owned).to_vec();
    let lines = leaders.iter().map(|leader| {
        vec![
            leader.category.as_deref().map_or("(the whole shop)".to_owned(), harmless),
            leader.items.to_string(),
            leader.rankable.to_string(),
            leader.window_from.to_string(),
            leader.window_to.to_string(),
        ]
    });
    write_aligned(&std::iter::once(header).chain(lines).collect::<Vec<_>>(), &[0], is_bright, out)
}

/// Writes columns below the first line's headings, texts to the left and numbers to the right.
fn write_aligned(
    lines: &[Vec<String>],
    texts: &[usize],
    is_bright: bool,
    out: &mut impl Write,
) -> io::Result<()> {
    let width_of = |at: usize| lines.iter().map(|line| line[at].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..lines.first().map_or(0, Vec::len)).map(width_of).collect();
    let (bright, plain) = if is_bright { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
    for (number, line) in lines.iter().enumerate() {
        let cells: Vec<String> = (0..widths.len())
            .map(|at| match texts.contains(&at) {
                true => format!("{:<1$}", line[at], widths[at]),
                false => format!("{:>1$}", line[at], widths[at]),
            })
            .collect();
        let text = cells.join("  ");
        match number {
            0 => writeln!(out, "{bright}{}{plain}", text.trim_end())?,
            _ => writeln!(out, "{}", text.trim_end())?,
        }
    }
    Ok(())
}
