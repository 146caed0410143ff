//! Texts in the cells of a terminal: how many they take, cut to fit, kept in their own direction.
//!
//! Invariant: a cluster of characters that a reader sees as one is never split, and what is cut is
//! never wider than asked.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use topsell_core::model::escape_control;

/// What stands where the end of a text was cut off; one cell wide.
const CUT: char = '…';

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

/// Returns a text from outside as a part of a line: escape_control, and its direction its own.
pub fn quoted(text: &str) -> String {
    isolated(&escape_control(text))
}

/// Returns whether a character belongs to a right-to-left script, or marks a text as such.
fn runs_leftwards(c: char) -> bool {
    matches!(c, '\u{590}'..='\u{8ff}' | '\u{200f}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{feff}'
        | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
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

    proptest! {
        #[test]
        fn what_is_cut_is_never_wider_than_asked(text in any::<String>(), cells in 0_usize..40) {
            let kept = cut(&text, cells);
            prop_assert!(width(&kept) <= cells, "{kept:?}");
            prop_assert!(width(&text) > cells || kept == text);
        }
    }
}
