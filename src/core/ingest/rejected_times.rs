//! Why a time is rejected, and what it may mean instead.

use crate::ingest::raw_event::{RawTime, Rejection};
use crate::model::{TimestampError, likely_time_format, shown};

/// Adds what a number may mean instead of an epoch number, and the option that reads it so.
pub(super) fn with_likely_format(reason: String, raw: RawTime<'_>) -> String {
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
        (_, RawTime::Text(text)) => Rejection::of_column("ts", format!("ts `{}` {error}", shown(text))),
        (_, RawTime::ShipperDate(text)) => {
            Rejection::of_column("date", format!("date `{}` {error}", shown(text)))
        }
        (_, RawTime::Epoch(value) | RawTime::Micros(value)) => {
            Rejection::of_column("ts", format!("ts `{value}` {error}"))
        }
    }
}
