//! Texts as a terminal shows them: how wide they are, cut, grouped, drawn.
//!
//! Invariant: a cluster of characters that a reader sees as one is never parted, and what is cut is
//! never wider than asked.

use std::fmt::Write;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use topsell_core::model::harmless;

/// What stands where the end of a text was cut off; one cell wide.
const CUT: char = '…';
/// The bars of a sparkline, the lowest first.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Returns how many cells of a terminal a text takes.
pub fn width(text: &str) -> usize {
    // Each cluster by itself: terminals do not join letters over the bounds of their cells.
    if text.is_ascii() { text.len() } else { text.graphemes(true).map(UnicodeWidthStr::width).sum() }
}

/// Returns a text of at most so many cells, its end replaced by `…` where it has more.
pub fn cut(text: &str, cells: usize) -> String {
    if width(text) <= cells {
        return text.to_owned();
    }
    let mut left = cells.saturating_sub(1);
    let fits = |cluster: &&str| {
        let rest = left.checked_sub(width(cluster));
        left = rest.unwrap_or(left);
        rest.is_some()
    };
    let mut kept: String = text.graphemes(true).take_while(fits).collect();
    kept.truncate(kept.trim_end().len());
    if cells > 0 {
        kept.push(CUT);
    }
    kept
}

/// Returns a text that keeps its own direction to itself, so that one that runs from right to left
/// does not turn round what stands beside it.
///
/// It is marked by FIRST STRONG ISOLATE and POP DIRECTIONAL ISOLATE
/// (<https://www.unicode.org/reports/tr9/#Explicit_Directional_Isolates>), of no width; a text that
/// runs from left to right stays as it is.
pub fn isolated(text: &str) -> String {
    match text.chars().any(runs_leftwards) {
        true => format!("\u{2068}{text}\u{2069}"),
        false => text.to_owned(),
    }
}

/// Returns a text from outside as a part of a line: harmless, and its direction its own.
pub fn quoted(text: &str) -> String {
    isolated(&harmless(text))
}

/// Tells whether a character is of a script that is written from right to left, or says that it is.
fn runs_leftwards(c: char) -> bool {
    matches!(c, '\u{590}'..='\u{8ff}' | '\u{200f}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{feff}'
        | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
}

/// Returns a number with its thousands apart: `-1,234,567.8901`.
pub fn grouped(number: &str) -> String {
    let unsigned = number.trim_start_matches('-');
    let (whole, fraction) = unsigned.split_at(unsigned.find('.').unwrap_or(unsigned.len()));
    let mut text = number[..number.len() - unsigned.len()].to_owned();
    for (at, digit) in whole.char_indices() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text + fraction
}

/// Returns a bar for each value, the highest for the largest.
///
/// The lowest bar is kept for what sold nothing, or less than came back, so that one unit can be
/// told from none however many the best day sold.
pub fn sparkline(values: &[i64]) -> String {
    let most = values.iter().copied().max().unwrap_or(0).max(1);
    let steps = BARS.len() as i128 - 1;
    let bar = |&value: &i64| {
        let step = (i128::from(value.max(0)) * steps + i128::from(most) - 1) / i128::from(most);
        BARS[usize::try_from(step).unwrap_or(0)]
    };
    values.iter().map(bar).collect()
}

/// Returns how long ago something was, in the two largest units: `3 d 4 h`.
pub fn age(seconds: i64) -> String {
    let minutes = seconds / 60;
    let (days, hours, minutes) = (minutes / 1_440, minutes / 60 % 24, minutes % 60);
    let mut text = String::new();
    for (number, unit) in [(days, "d"), (hours, "h"), (minutes, "min")] {
        // Minutes of an answer that is days old are nobody's business.
        if number > 0 && !(unit == "min" && days > 0) {
            let gap = if text.is_empty() { "" } else { " " };
            write!(text, "{gap}{number} {unit}").expect("a text can grow");
        }
    }
    if text.is_empty() { "0 min".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FAMILY: &str = "👨\u{200d}👩\u{200d}👧";

    #[test]
    fn widths_are_those_of_terminals() {
        let check = |text: &str, cells: usize| assert_eq!(width(text), cells, "{text:?}");
        check("", 0);
        check("bread", 5);
        check("käse", 4);
        check("ka\u{308}se", 4);
        check("日本語", 6);
        check("ﾊﾝｶｸ", 4);
        check("한국어", 6);
        check("\u{1112}\u{1161}\u{11ab}", 2);
        check("שלום", 4);
        check("لا", 2);
        check("🍎", 2);
        check(FAMILY, 2);
        check("🇩🇪🇯🇵", 4);
        check("👍🏽", 2);
        check("❤\u{fe0f}", 2);
        check("e\u{301}\u{302}\u{303}", 1);
        check("\u{2068}שלום\u{2069}", 4);
    }

    #[test]
    fn texts_are_cut_between_clusters() {
        let check = |text: &str, cells: usize, expected: &str| {
            assert_eq!(cut(text, cells), expected, "{text:?}, {cells}");
        };
        check("bread", 5, "bread");
        check("bread", 4, "bre…");
        check("bread", 1, "…");
        check("bread", 0, "");
        check("dark bread", 6, "dark…");
        check("日本語", 6, "日本語");
        check("日本語", 5, "日本…");
        check("日本語", 4, "日…");
        check("ka\u{308}se", 3, "ka\u{308}…");
        check(&format!("{FAMILY}{FAMILY}"), 4, &format!("{FAMILY}{FAMILY}"));
        check(&format!("{FAMILY}{FAMILY}"), 3, &format!("{FAMILY}…"));
        check(&format!("{FAMILY}{FAMILY}"), 2, "…");
        check("🇩🇪🇯🇵", 3, "🇩🇪…");
        check("שלום עולם", 6, "שלום…");
    }

    #[test]
    fn only_what_runs_leftwards_is_isolated() {
        for plain in ["bread", "日本", "ка́ша", "👨‍👩‍👧", ""] {
            assert_eq!(isolated(plain), plain);
        }
        for leftwards in ["שלום", "milk حليب", "\u{200f}!", "ﷺ"] {
            assert_eq!(isolated(leftwards), format!("\u{2068}{leftwards}\u{2069}"));
        }
    }

    #[test]
    fn thousands_stand_apart() {
        for (number, expected) in [
            ("0", "0"),
            ("999", "999"),
            ("1000", "1,000"),
            ("-1000", "-1,000"),
            ("-100", "-100"),
            ("880528.155", "880,528.155"),
            ("1234567.0001", "1,234,567.0001"),
            (
                "170141183460469231731687303715884105727",
                "170,141,183,460,469,231,731,687,303,715,884,105,727",
            ),
        ] {
            assert_eq!(grouped(number), expected);
        }
    }

    #[test]
    fn a_sparkline_keeps_its_lowest_bar_for_nothing() {
        let check = |values: &[i64], expected: &str| assert_eq!(sparkline(values), expected, "{values:?}");
        check(&[0, 1, 2, 3, 4, 5, 6, 7], "▁▂▃▄▅▆▇█");
        check(&[0; 7], "▁▁▁▁▁▁▁");
        check(&[0, 1, 1_000_000], "▁▂█");
        check(&[-5, 0, 5], "▁▁█");
        check(&[-5, -1], "▁▁");
        check(&[3, 3, 3], "███");
        check(&[i64::MIN, i64::MAX, 1], "▁█▂");
        check(&[], "");
    }

    #[test]
    fn ages_have_two_units_at_most() {
        for (seconds, expected) in [
            (0, "0 min"),
            (59, "0 min"),
            (60, "1 min"),
            (3_600, "1 h"),
            (5_430, "1 h 30 min"),
            (90_000, "1 d 1 h"),
            (86_460, "1 d"),
            (864_000, "10 d"),
        ] {
            assert_eq!(age(seconds), expected);
        }
    }

    proptest! {
        #[test]
        fn what_is_cut_is_never_wider_than_asked(text in any::<String>(), cells in 0_usize..40) {
            let kept = cut(&text, cells);
            prop_assert!(width(&kept) <= cells, "{kept:?}");
            prop_assert!(width(&text) > cells || kept == text);
        }
    }
}
