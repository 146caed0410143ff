//! Notes and fields about the ranking that an answer is from.

use crate::show::question::Question;
use crate::terminal::{Cell, Style};
use crate::text::{age, grouped};
use topsell_core::model::Timestamp;
use topsell_core::parquet_format::RankedRow;
use topsell_core::rankings::RankingMetadata;

/// Returns the end of a ranking's window, and how long ago that was.
pub(super) fn as_of(facts: &RankingMetadata, question: &Question) -> Cell {
    let text = format!("as of {}", facts.as_of);
    let text = match age_seconds(facts, question.now) {
        Some(seconds @ 60..) if question.at.is_none() => format!("{text} ({} old)", age(seconds)),
        _ => text,
    };
    Cell::of(&text).styled(Style::Dim)
}

/// Returns how long ago a ranking's window ended; nothing where it has not ended yet.
fn age_seconds(facts: &RankingMetadata, now: Timestamp) -> Option<i64> {
    let micros = now.micros().saturating_sub(facts.as_of.micros());
    Some(micros / 1_000_000).filter(|seconds| *seconds >= 0)
}

/// Returns how old a ranking is, and whether it should have been replaced by now, for the headers of a response.
pub(super) fn headers(
    facts: &RankingMetadata,
    is_stale: Option<bool>,
    question: &Question,
) -> Vec<(&'static str, String)> {
    let age = age_seconds(facts, question.now).map(|seconds| ("topsell-ranking-age", seconds.to_string()));
    let stale = is_stale.map(|is_stale| ("topsell-ranking-stale", is_stale.to_string()));
    age.into_iter().chain(stale).collect()
}

/// Returns the length of the ranking's window.
pub(super) fn window(hours: u32) -> Cell {
    Cell::of(&format!("units of {} h", grouped(&hours.to_string()))).styled(Style::Dim)
}

/// Returns that a category's window is extended, and why; nothing where it is not, or an older ranking does not tell.
pub(super) fn extended(facts: &RankingMetadata, row: &RankedRow<'_>) -> Option<Cell> {
    if i64::from(facts.window_hours) >= hours(row) {
        return None;
    }
    let in_hours = |hours: i64| format!("{} h", grouped(&hours.to_string()));
    let (whole, own) = (in_hours(hours(row)), in_hours(facts.window_hours.into()));
    let why =
        facts.min_items.map_or(String::new(), |items| format!(": fewer than {items} items sold in {own}"));
    Some(Cell::of(&format!("window extended to {whole}{why}")))
}

/// Returns which hours a category's ranking covers.
pub(super) fn covered(row: &RankedRow<'_>) -> Cell {
    let hours = hours(row);
    let unit = if hours == 1 { "hour" } else { "hours" };
    let text = format!("{} {unit} from {}", grouped(&hours.to_string()), row.window_from);
    Cell::of(&text).styled(Style::Dim)
}

/// Returns how many hours a category's ranking covers.
pub(super) fn hours(row: &RankedRow<'_>) -> i64 {
    i64::from(row.window_to.hour().number()) - i64::from(row.window_from.hour().number())
}

/// Returns the half-life.
pub(super) fn decay(facts: &RankingMetadata) -> Cell {
    let text = facts.half_life_hours.map_or("no decay".to_owned(), |hours| format!("half-life {hours} h"));
    Cell::of(&text).styled(Style::Dim)
}
