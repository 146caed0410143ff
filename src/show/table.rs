//! Tables for people: aligned columns, nothing that a terminal could take for a command.

use std::io::{self, Write};

use crate::columns::RankedRow;
use crate::event::harmless;
use crate::snapshot::Snapshot;

/// Writes one category's best sellers under a line that says what they are.
pub(super) fn category(
    snapshot: &Snapshot,
    first: &RankedRow,
    rows: &[RankedRow],
    is_bright: bool,
    out: &mut impl Write,
) -> io::Result<()> {
    let name = first.category.as_deref().map_or("the whole shop".to_owned(), harmless);
    let decay =
        snapshot.half_life_hours.map_or("no decay".to_owned(), |hours| format!("half-life {hours} h"));
    writeln!(out, "Best sellers of {name}, {} to {}, {decay}", first.window_from, first.window_to)?;
    let header = ["rank", "item", "score", "units", "purchases", "amount"].map(str::to_owned);
    let lines = rows.iter().map(|row| {
        [
            row.rank.to_string(),
            harmless(&row.item_id),
            format!("{:.3}", row.score),
            row.sums.units.to_string(),
            row.sums.purchases.to_string(),
            row.sums.amount_text().to_string(),
        ]
    });
    write_aligned(&header, &lines.collect::<Vec<_>>(), &[1], is_bright, out)
}

/// Writes the categories and how many items each ranks.
pub(super) fn categories(
    leaders: &[(RankedRow, u64)],
    is_bright: bool,
    out: &mut impl Write,
) -> io::Result<()> {
    let header = ["category", "items", "rankable", "from", "to"].map(str::to_owned);
    let lines = leaders.iter().map(|(row, items)| {
        [
            row.category.as_deref().map_or("(the whole shop)".to_owned(), harmless),
            items.to_string(),
            row.rankable.to_string(),
            row.window_from.to_string(),
            row.window_to.to_string(),
        ]
    });
    write_aligned(&header, &lines.collect::<Vec<_>>(), &[0], is_bright, out)
}

/// Writes columns, texts to the left and numbers to the right.
fn write_aligned<const N: usize>(
    header: &[String; N],
    lines: &[[String; N]],
    texts: &[usize],
    is_bright: bool,
    out: &mut impl Write,
) -> io::Result<()> {
    let width_of =
        |at: usize| lines.iter().chain([header]).map(|line| line[at].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..N).map(width_of).collect();
    let (bright, plain) = if is_bright { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
    for (number, line) in std::iter::once(header).chain(lines).enumerate() {
        let cells: Vec<String> = (0..N)
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
