//! Ids and event types that seem not to be what was meant: they are read as they are, and noticed.

use crate::ingest::notices::NoticeKind;
use crate::model::{Events, PURCHASE};

/// Characters that nobody sees, and that two spellings of an id may differ in. Those that join and separate
/// letters are not among them: some scripts need them.
const INVISIBLE: [char; 6] = ['\u{ad}', '\u{200b}', '\u{200e}', '\u{200f}', '\u{2060}', '\u{feff}'];

/// Returns what is suspicious about an id, of which it may not be known whether quotes enclose it.
#[inline]
pub(super) fn suspicion_of_id(field: &'static str, id: &str, may_be_quoted: bool) -> Option<NoticeKind> {
    let bytes = id.as_bytes();
    match bytes {
        [b'"', _, .., b'"'] if may_be_quoted => Some(NoticeKind::QuotedField { field }),
        // `="0012"`, by which a spreadsheet keeps zeros in front, and `4.00638E+12`, where it has not kept a number.
        [b'=', b'"', ..] | [b'0'..=b'9', .., b'E', b'+', _, _] => Some(NoticeKind::SpreadsheetId { field }),
        _ if !id.is_ascii() && id.contains(INVISIBLE) => Some(NoticeKind::InvisibleCharacters { field }),
        _ => None,
    }
}

/// Returns how many events have a type that is `purchase` but for upper and lower case, and the first such type.
pub(super) fn other_case_of_purchase(events: &Events) -> Option<(NoticeKind, u64, String)> {
    let is_other = |name: &String| name != PURCHASE && name.eq_ignore_ascii_case(PURCHASE);
    let first = events.event_types.iter().find(|name| is_other(name))?.clone();
    let types: Vec<bool> = events.event_types.iter().map(is_other).collect();
    let count = (0..events.len()).filter(|&row| types[events.event_type(row) as usize]).count() as u64;
    Some((NoticeKind::TypeCase, count, first))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(id: &str, expected: Option<NoticeKind>) {
        assert_eq!(suspicion_of_id("item_id", id, true), expected, "{id:?}");
    }

    #[test]
    fn ids_that_a_spreadsheet_or_a_web_page_has_changed_are_noticed() {
        let field = "item_id";
        check("4.00638E+12", Some(NoticeKind::SpreadsheetId { field }));
        check("4E+12", Some(NoticeKind::SpreadsheetId { field }));
        check("=\"0012\"", Some(NoticeKind::SpreadsheetId { field }));
        check("\"A\"", Some(NoticeKind::QuotedField { field }));
        check("A\u{200b}", Some(NoticeKind::InvisibleCharacters { field }));
        for plain in ["", "A", "=", "\"", "\"A", "E+12", "SIZE+12", "tisch-é", "می\u{200c}خواهم", "7E12"]
        {
            check(plain, None);
        }
    }
}
