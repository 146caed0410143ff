//! What the checks of an event depend on besides the event.

use crate::ingest::options::{Options, ParseOptions};
use crate::input_format::ReadOptions;
use crate::item_catalog::ItemCatalog;
use crate::lake::LakeSettings;
use crate::model::{Hour, Timestamp};

/// The limits of events at a given time.
#[derive(Clone, Copy)]
pub(super) struct Limits<'a> {
    /// The latest time that is accepted.
    pub newest: Timestamp,
    /// The earliest time that is accepted, whatever the retention.
    pub earliest: Timestamp,
    /// The first hour that is accepted; earlier ones are past the retention.
    pub oldest: Option<Hour>,
    /// How times and values are written.
    pub read_options: &'a ReadOptions,
    /// The item catalog, for items whose line has no category.
    pub catalog: Option<&'a ItemCatalog>,
}

impl<'a> Limits<'a> {
    /// Returns the limits at a given time.
    pub fn at(
        now: Timestamp,
        options: &Options,
        settings: LakeSettings,
        parse_options: ParseOptions<'a>,
    ) -> Limits<'a> {
        Limits {
            newest: now.plus_seconds(options.max_skew_seconds),
            earliest: parse_options.mapping.options().times.earliest(),
            oldest: settings.oldest_kept(now),
            read_options: parse_options.mapping.options(),
            catalog: parse_options.catalog,
        }
    }
}
