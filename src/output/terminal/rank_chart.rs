//! Ranks over time, as a line chart of characters.

use std::io::{self, Write};

use crate::terminal::table::{Style, TerminalOptions, styled};
use crate::text::{grouped, width};

/// Lines that a chart has at most.
const MOST_LINES: usize = 10;
/// Cells of a step at most.
const WIDEST_STEP: usize = 6;
/// Cells of a chart where the width of the terminal is not known.
const USUAL_WIDTH: usize = 80;

/// Ranks in the order of time, `None` where there was no rank.
#[derive(Debug)]
pub struct RankChart {
    pub ranks: Vec<Option<i32>>,
    /// Labels below the first and the last.
    pub ends: [String; 2],
}

/// Writes a chart, the best rank at its top; nothing where there is no rank at all.
///
/// # Errors
/// Fails where the output does.
pub fn write_rank_chart(
    chart: &RankChart,
    terminal: TerminalOptions,
    out: &mut impl Write,
) -> io::Result<()> {
    let known = || chart.ranks.iter().flatten().map(|rank| i64::from(*rank));
    let Some((best, worst)) = known().min().zip(known().max()) else { return Ok(()) };
    let label = |rank: i64| format!("#{}", grouped(&rank.to_string()));
    let margin = width(&label(worst)).max(width(&label(best)));
    let room = terminal.width.unwrap_or(USUAL_WIDTH).saturating_sub(margin + 2).max(1);
    let ranks = thinned(&chart.ranks, room);
    let step = (room / ranks.len().max(1)).clamp(1, WIDEST_STEP);
    let span = worst - best;
    let lines = usize::try_from(span + 1).unwrap_or(MOST_LINES).min(MOST_LINES);
    let below = i64::try_from(lines - 1).unwrap_or(0);
    let line_of = |rank: i32| {
        let line = (2 * (i64::from(rank) - best) * below + span) / (2 * span).max(1);
        usize::try_from(line).unwrap_or(0)
    };
    let drawn = drawn(&ranks.iter().map(|rank| rank.map(line_of)).collect::<Vec<_>>(), lines, step);
    for (at, line) in drawn.iter().enumerate() {
        // The rank that this line stands for, as near as a whole one comes.
        let rank = best + (2 * i64::try_from(at).unwrap_or(0) * span + below) / (2 * below).max(1);
        let line: String = line.iter().collect();
        let line = styled(line.trim_end(), Style::Fresh, terminal.colors);
        writeln!(out, "{:>margin$} ┤{line}", label(rank))?;
    }
    let cells = ranks.len() * step;
    let [first, last] = &chart.ends;
    let gap = cells.saturating_sub(width(first) + width(last)).max(2);
    let ends = if first == last { first.clone() } else { format!("{first}{}{last}", " ".repeat(gap)) };
    writeln!(out, "{} {}", " ".repeat(margin + 1), styled(&ends, Style::Dim, terminal.colors))
}

/// Returns at most so many of the ranks, the last of each run of them.
fn thinned(ranks: &[Option<i32>], most: usize) -> Vec<Option<i32>> {
    let count = ranks.len().min(most);
    (1..=count).map(|at| ranks[at * ranks.len() / count - 1]).collect()
}

/// Draws a line through points, each so many cells behind the one before.
fn drawn(points: &[Option<usize>], lines: usize, step: usize) -> Vec<Vec<char>> {
    let mut drawn = vec![vec![' '; points.len() * step]; lines];
    for (at, point) in points.iter().enumerate() {
        let Some(line) = *point else { continue };
        let from = at * step;
        drawn[line][from..from + step].fill('─');
        let turn = from + step - 1;
        match points.get(at + 1).copied().flatten() {
            Some(next) if next < line => {
                drawn[line][turn] = '╯';
                drawn[next][turn] = '╭';
                drawn[next + 1..line].iter_mut().for_each(|between| between[turn] = '│');
            }
            Some(next) if next > line => {
                drawn[line][turn] = '╮';
                drawn[next][turn] = '╰';
                drawn[line + 1..next].iter_mut().for_each(|between| between[turn] = '│');
            }
            _ => {}
        }
    }
    drawn
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::terminal::table::Colors;

    fn charted(ranks: &[Option<i32>], cells: Option<usize>) -> String {
        let chart = RankChart { ranks: ranks.to_vec(), ends: ["then".to_owned(), "now".to_owned()] };
        let mut out = Vec::new();
        let terminal = TerminalOptions { width: cells, colors: Colors::Never };
        write_rank_chart(&chart, terminal, &mut out).expect("memory takes all");
        String::from_utf8(out).expect("it is text")
    }

    #[test]
    fn a_line_goes_through_the_ranks_and_breaks_where_there_is_none() {
        let ranks = [Some(3), Some(1), Some(1), None, Some(2)];
        assert_eq!(
            charted(&ranks, Some(19)),
            "#1 ┤  ╭──────\n\
             #2 ┤  │         ───\n\
             #3 ┤──╯\n    then        now\n"
        );
        assert_eq!(charted(&ranks, Some(9)), "#1 ┤╭──\n#2 ┤│   ─\n#3 ┤╯\n    then  now\n");
        assert_eq!(charted(&[Some(7)], Some(60)), "#7 ┤──────\n    then  now\n");
        assert_eq!(charted(&[None, None], Some(60)), "");
        assert_eq!(charted(&[], Some(60)), "");
    }

    #[test]
    fn many_ranks_share_lines_and_cells() {
        let ranks: Vec<Option<i32>> = (1..=100).map(Some).collect();
        let text = charted(&ranks, Some(40));
        assert_eq!(text.lines().count(), 11);
        assert!(text.starts_with("  #1 ┤") && text.contains("\n#100 ┤"), "{text}");
        assert!(text.lines().all(|line| width(line) <= 40), "{text}");
    }

    proptest! {
        #[test]
        fn any_ranks_can_be_charted(
            ranks in proptest::collection::vec(proptest::option::of(any::<i32>()), 0..200),
            cells in proptest::option::of(0_usize..100),
        ) {
            charted(&ranks, cells);
        }
    }
}
