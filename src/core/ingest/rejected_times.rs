//! Why a time is rejected, and what it may mean instead.

use crate::ingest::limits::Limits;
use crate::ingest::raw_event::{RawTime, Rejection};
use crate::model::{Hour, Timestamp, TimestampError, likely_time_format, shown};

/// The forms that are read, in short; `docs/src/guides/times.md` has all of them.
const NO_FORM: &str = "neither ISO 8601 (2017-01-07T13:05:00Z), RFC 2822, a time of web servers' logs nor an epoch \
     number; pass --ts-format to read another form";

/// Checks that a time is within the limits.
#[inline]
pub(super) fn check_limits(ts: Timestamp, raw: RawTime<'_>, limits: &Limits<'_>) -> Result<(), Rejection> {
    let oldest = limits.oldest.map(Hour::start);
    if ts <= limits.newest && ts >= limits.earliest && oldest.is_none_or(|oldest| ts >= oldest) {
        return Ok(());
    }
    let reason = match oldest {
        _ if ts > limits.newest => {
            let limit = limits.newest;
            let reason = format!("ts `{ts}` is in the future; the latest time accepted is {limit}");
            with_likely_format(reason, raw)
        }
        Some(oldest) if ts >= limits.earliest => {
            format!("ts `{ts}` is past the lake's retention, which starts at {oldest}")
        }
        _ => {
            let limit = limits.earliest;
            let reason = with_likely_format(format!("ts `{}` is {ts}, before {limit}", raw.shown()), raw);
            format!("{reason}; pass --min-ts to accept such times")
        }
    };
    Err(Rejection::of_column("ts", reason))
}

/// Adds what a number may mean instead of an epoch number, and the option that reads it so.
fn with_likely_format(reason: String, raw: RawTime<'_>) -> String {
    match likely_time_format(&raw.shown()) {
        Some((format, meaning)) => format!("{reason}; it looks like {meaning}: pass --ts-format {format}"),
        None => reason,
    }
}

pub(super) fn time_rejection(error: &TimestampError, raw: RawTime<'_>) -> Rejection {
    match (error, raw) {
        (TimestampError::Empty, _) | (_, RawTime::Missing) => {
            Rejection::of_column("ts", "ts is empty; it is required")
        }
        (TimestampError::Unreadable, RawTime::Text(text)) => {
            Rejection::of_column("ts", format!("ts `{}` is {NO_FORM}", shown(text)))
        }
        (_, RawTime::Text(text)) => Rejection::of_column("ts", format!("ts `{}` {error}", shown(text))),
        (_, RawTime::ShipperDate(text)) => {
            Rejection::of_column("date", format!("date `{}` {error}", shown(text)))
        }
        (_, RawTime::Epoch(value) | RawTime::Micros(value)) => {
            Rejection::of_column("ts", format!("ts `{value}` {error}"))
        }
    }
}
