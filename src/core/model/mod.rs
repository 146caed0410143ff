//! Plain values: timestamps, hours and windows, events, categories, and the aggregates of events.
//!
//! Invariant: nothing here does I/O or reads the clock, and no number overflows silently.

mod aggregate;
mod amount;
mod binary_power;
mod category;
mod category_group;
mod currency;
mod days;
mod decay;
mod decimal;
mod escape_control;
mod event_time;
mod event_types;
mod events;
mod interner;
mod item_key;
mod moment;
mod null_markers;
mod path_set_categories;
mod path_sets;
mod places;
mod secrets;
mod span;
mod time_format;
mod timestamp;
mod units;
mod varint;
mod week;
mod window;

pub use aggregate::{
    Aggregate, AggregateOverflow, AggregateRow, AggregateRows, DayUnits, HourAggregate, Signs,
};
pub use amount::Amount;
pub use category::{CategoryError, PathSet, check_path, encode_levels, levels_of};
pub use category_group::{CategoryGroup, ROWS_OF_OWN_FILES, ROWS_OF_SHARDS, Shard, Sharing, category_of_set};
pub use currency::Currency;
pub use days::Days;
pub use decay::{Decay, DecayError, MAX_OCTAVES, Weight};
pub use decimal::DecimalError;
pub use escape_control::{escape_control, escape_lines, shown};
pub use event_time::{EventTimes, TimeOptions, likely_time_format, read_event_time};
pub use event_types::{Counting, EventTypes};
pub use events::{Event, Events};
pub use interner::Interner;
pub use item_key::ItemKey;
pub use moment::{MomentError, parse_moment};
pub use null_markers::NullMarkers;
pub use path_set_categories::PathSetCategories;
pub use path_sets::{PathSets, RawCategories, Separators};
pub use places::{Place, Places};
pub use secrets::hide_secrets;
pub use span::{BucketSpan, SpanError, format_duration, parse_bucket_span, parse_hours, parse_seconds};
pub use time_format::TimeFormat;
pub use timestamp::{Date, Hour, TimeZone, Timestamp, TimestampError, local_timestamp, zone_named};
pub use units::{Units, UnitsSum};
pub use varint::{put_varint, put_zigzag, take_varint, take_zigzag};
pub use week::{DAYS, Week, Zone, ZoneError};
pub use window::Window;

/// The event type of a line that names none.
pub const PURCHASE: &str = "purchase";

/// Bytes that an item id, an event id or one category path may have.
///
/// Longer ones come from broken lines, and would be copied into every table.
pub const MAX_ID_BYTES: usize = 8_192;

/// Bytes that an event type may have: it becomes the name of a folder.
pub const MAX_EVENT_TYPE_BYTES: usize = 128;

/// Units that one line may have, positive or negative.
///
/// The bound leaves room to add nine hundred such lines in 64 bits before an aggregate could overflow.
pub const MAX_QUANTITY: Units = Units::from_ten_thousandths(10_000_000_000_000_000);
