//! The hashes by which events are compared: SipHash-1-3 with 128 bits of output, a keyed hash.
//!
//! Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF"; the 128-bit output is that of the
//! authors' reference code. With 128 bits, two of 10 billion events of a day have the same hash with a
//! probability below 10⁻¹⁸. The key is new in each run, so that nobody can construct ids that collide.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::num::NonZeroU128;

use siphasher::sip128::{Hasher128, SipHasher13};

use crate::model::Units;
use crate::parquet_format::EventBatch;

/// The hash of what identifies an event within an event type and day.
pub(super) type EventKey = u128;
/// The hash of a version of an event.
pub(super) type Content = NonZeroU128;

/// The content of an event beside what identifies it, in the order by which the smallest counts:
/// timestamp, quantity, amount, all paths joined by `|`.
pub(super) type Version<'a> = (i64, Units, i128, &'a str);

pub(super) fn version_of<'a>(batch: &'a EventBatch, row: usize, scratch: &'a mut String) -> Version<'a> {
    let aggregate = batch.aggregate(row);
    (batch.ts_micros(row), aggregate.units, aggregate.amount, batch.all_paths(row, scratch))
}

/// Follows a text: no UTF-8 has this byte, so that other texts never give the same bytes.
const END_OF_TEXT: u8 = 0xff;

/// Hashes events with a random key.
pub(super) struct EventHasher(SipHasher13);

impl Default for EventHasher {
    fn default() -> EventHasher {
        // The standard library's keys are from the operating system's random numbers.
        let (high, low) = (RandomState::new().hash_one(0), RandomState::new().hash_one(1));
        EventHasher(SipHasher13::new_with_keys(high, low))
    }
}

impl EventHasher {
    /// Returns the key of a row's event; none where it has no id.
    pub(super) fn key_of(&self, batch: &EventBatch, row: usize) -> Option<EventKey> {
        let id = batch.event_id(row)?;
        Some(self.key(id, batch.item_id(row), batch.aggregate(row).units.is_negative()))
    }

    pub(super) fn key(&self, id: &str, item_id: &str, is_return: bool) -> EventKey {
        let mut hash = self.0;
        hash.write(id.as_bytes());
        hash.write(&[END_OF_TEXT]);
        hash.write(item_id.as_bytes());
        hash.write(&[END_OF_TEXT, u8::from(is_return)]);
        hash.finish128().as_u128()
    }

    pub(super) fn content(&self, (ts_micros, quantity, amount, paths): Version<'_>) -> Content {
        let mut hash = self.0;
        hash.write(&ts_micros.to_le_bytes());
        hash.write(&quantity.ten_thousandths().to_le_bytes());
        hash.write(&amount.to_le_bytes());
        hash.write(paths.as_bytes());
        Content::new(hash.finish128().as_u128()).unwrap_or(Content::MAX)
    }

    pub(super) fn content_of(&self, batch: &EventBatch, row: usize) -> Content {
        self.content(version_of(batch, row, &mut String::new()))
    }
}
