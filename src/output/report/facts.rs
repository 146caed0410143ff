//! What a page says of the ranking as a whole.

use serde::Serialize;

use crate::report::part::Directory;
use topsell_core::model::{DAYS, Timestamp, Zone};
use topsell_core::rankings::{DaysMetadata, RankingMetadata};
use topsell_core::trends::Trends;

const SCHEMA: u32 = 1;
const MICROS_OF_HOUR: i64 = 3_600_000_000;
/// `2017-01-15T00:00`, of a moment written out.
const TO_THE_MINUTE: usize = 16;

/// The page's facts, as its script reads them.
#[derive(Serialize)]
pub(super) struct PageFacts<'a> {
    schema: u32,
    version: &'a str,
    title: &'a str,
    as_of: Local,
    /// When the page was written.
    written: Local,
    /// How old the ranking was then.
    age_hours: i64,
    /// The previous ranking, with which movements are computed.
    before: Option<Local>,
    window_hours: u32,
    half_life_hours: Option<f64>,
    by: &'a str,
    event_types: &'a [String],
    /// The dates of the seven days; none of older rankings.
    days: Option<Vec<String>>,
    last_day_open: bool,
    #[serde(flatten)]
    directory: &'a Directory,
}

/// A date and time on a clock on the wall, and the zone it hangs in.
type Local = [String; 2];

impl<'a> PageFacts<'a> {
    /// Returns the facts of a ranking, and of the page that is written of it now.
    pub fn of(charts: &'a Trends, directory: &'a Directory, title: &'a str, now: Timestamp) -> PageFacts<'a> {
        let facts = charts.current().metadata();
        let zone = zone_of(facts);
        PageFacts {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION"),
            title,
            as_of: local(facts.as_of, &zone),
            written: [to_the_minute(&now.to_string()), Zone::utc().name().to_owned()],
            age_hours: ((now.micros() - facts.as_of.micros()) / MICROS_OF_HOUR).max(0),
            before: charts.previous().map(|previous| local(previous.metadata().as_of, &zone)),
            window_hours: facts.window_hours,
            half_life_hours: facts.half_life_hours,
            by: facts.by.name(),
            event_types: &facts.event_types.counted,
            days: facts.days.as_ref().and_then(|days| dates(days, &zone)),
            last_day_open: zone.day_of(facts.as_of.hour()) == zone.day_of(facts.as_of.hour().plus(-1)),
            directory,
        }
    }
}

/// Returns the zone that a ranking's days are in.
fn zone_of(facts: &RankingMetadata) -> Zone {
    let named = facts.days.as_ref().and_then(|days| Zone::named(&days.zone).ok());
    named.unwrap_or_else(Zone::utc)
}

/// Returns the dates of the days, if they are as many as a week has.
fn dates(days: &DaysMetadata, zone: &Zone) -> Option<Vec<String>> {
    let dates: Vec<String> = days.starts.iter().map(|start| zone.day_of(start.hour()).to_string()).collect();
    (dates.len() == DAYS).then_some(dates)
}

fn local(moment: Timestamp, zone: &Zone) -> Local {
    [to_the_minute(&zone.local(moment.hour()).to_string()), zone.name().to_owned()]
}

fn to_the_minute(moment: &str) -> String {
    moment.chars().take(TO_THE_MINUTE).collect()
}
