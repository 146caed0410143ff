//! What single items have sold between two moments, to the microsecond: whole hours from aggregates, the parts of hours
//! at either end from events.
//!
//! Invariant: an event counts if the version of it that counts is in the time range, so that the counts of adjacent time
//! ranges add up to that of both together.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::counts::query::{ByHour, CountQuery, by_item, sorted};
use crate::model::{Hour, Timestamp};
use crate::rollup::{ItemQuery, RollupError, Selection, live_counts};
use crate::storage::Store;

/// Returns what each of some items has sold from one moment to before another, by hour; the hours of the query are those
/// that the time range touches.
///
/// # Errors
/// As [`by_hour`](crate::counts::by_hour).
pub fn by_exact_times<'a>(
    store: &Store,
    query: &CountQuery<'_>,
    times: &Range<Timestamp>,
    items: &[&'a str],
) -> Result<BTreeMap<&'a str, ByHour>, RollupError> {
    let items = sorted(items);
    let (whole, parts) = split(times);
    let rows = live_counts(store, &query.selection(), query.uncommitted, |counts| {
        let of_items = query.of_items(&items);
        let mut rows = counts.partial_hours(&of_items, &parts)?;
        if !whole.is_empty() {
            let selection = Selection { hours: whole.clone(), ..of_items.selection.clone() };
            rows.append(&counts.aggregates(&ItemQuery { selection, ..of_items })?);
        }
        Ok(rows)
    })?;
    by_item(query, &rows, items)
}

/// Returns whether a time range begins and ends with an hour.
pub fn has_whole_hours(times: &Range<Timestamp>) -> bool {
    split(times).1.is_empty()
}

/// Returns the whole hours of a time range, and the parts of hours before and after them.
pub(super) fn split(times: &Range<Timestamp>) -> (Range<Hour>, Vec<Range<Timestamp>>) {
    let whole = times.start.rounded_up()..times.end.hour();
    if whole.start > whole.end {
        // It is within one hour.
        return (whole.end..whole.end, vec![times.clone()]);
    }
    let parts = [times.start..whole.start.start(), whole.end.start()..times.end];
    let parts = parts.into_iter().filter(|part| !part.is_empty()).collect();
    (whole, parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_range_is_whole_hours_and_parts_of_hours() {
        let check = |from: &str, to: &str, whole: u32, expected: &[(&str, &str)]| {
            let moment = |text: &str| Timestamp::parse(&format!("2017-01-14T{text}Z")).expect("a moment");
            let (hours, parts) = split(&(moment(from)..moment(to)));
            assert_eq!(hours.end.number().abs_diff(hours.start.number()), whole, "{from} to {to}");
            let expected: Vec<Range<Timestamp>> =
                expected.iter().map(|(from, to)| moment(from)..moment(to)).collect();
            assert_eq!(parts, expected, "{from} to {to}");
        };
        check("10:00:00", "12:00:00", 2, &[]);
        check("10:20:00", "10:40:00", 0, &[("10:20:00", "10:40:00")]);
        check("10:00:00", "10:40:00", 0, &[("10:00:00", "10:40:00")]);
        check("10:20:00", "11:00:00", 0, &[("10:20:00", "11:00:00")]);
        check("10:20:00", "11:20:00", 0, &[("10:20:00", "11:00:00"), ("11:00:00", "11:20:00")]);
        let parts = [("10:59:59.999999", "11:00:00"), ("12:00:00", "12:00:00.000001")];
        check("10:59:59.999999", "12:00:00.000001", 1, &parts);
    }
}
