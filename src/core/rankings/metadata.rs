//! How a ranking was made, from the key-value metadata of its file.

use crate::model::{Decay, EventTypes, Timestamp};
use crate::rank::Measure;

/// The keys that must be equal for two rankings to be comparable.
const RULES: [&str; 8] = [
    "topsell.window_hours",
    "topsell.half_life_hours",
    "topsell.by",
    "topsell.event_types",
    "topsell.subtract",
    "topsell.top",
    "topsell.min_items",
    "topsell.max_lookback_hours",
];

/// How a ranking was made.
#[derive(Clone, Debug, PartialEq)]
pub struct RankingMetadata {
    /// The end of its window.
    pub as_of: Timestamp,
    pub window_hours: u32,
    /// Hours after which a sale counts half; `None` without decay.
    pub half_life_hours: Option<f64>,
    /// The decay, exactly as far as the file has it.
    pub decay: Decay,
    /// What the score adds up.
    pub by: Measure,
    pub event_types: EventTypes,
    /// How many items a category ranks at most.
    pub top: u64,
    /// The days whose units are reported; `None` in older files, which have none.
    pub days: Option<DaysMetadata>,
    rules: Vec<Option<String>>,
}

/// The days whose units are reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaysMetadata {
    /// The time zone's name.
    pub zone: String,
    /// The start of each day, oldest first; the last ends with the ranking's window.
    pub starts: Vec<Timestamp>,
}

impl RankingMetadata {
    /// Parses a file's key-value metadata.
    ///
    /// # Errors
    /// Says which required value is missing or invalid.
    pub(super) fn of<'a>(
        as_of: &str,
        label: &dyn Fn(&str) -> Option<&'a str>,
    ) -> Result<RankingMetadata, &'static str> {
        let half_life_hours = match label("topsell.half_life_hours").ok_or("it has no half-life")? {
            "none" => None,
            text => Some(text.parse().map_err(|_| "its half-life is not a number")?),
        };
        let number = |name: &str| label(name).and_then(|text| text.parse::<u64>().ok());
        let window_hours = number("topsell.window_hours").and_then(|hours| u32::try_from(hours).ok());
        let texts = |json: &str| serde_json::from_str::<Vec<String>>(json).ok();
        let counted = label("topsell.event_types").and_then(texts).ok_or("it has no event types")?;
        // A ranking that subtracts nothing does not say so.
        let subtracted = label("topsell.subtract").map_or(Some(Vec::new()), texts);
        let subtracted = subtracted.ok_or("its subtracted event types are invalid")?;
        Ok(RankingMetadata {
            as_of: Timestamp::parse(as_of).map_err(|_| "its time is invalid")?,
            window_hours: window_hours.ok_or("it has no window length")?,
            half_life_hours,
            decay: decay(label("topsell.octaves_per_hour"), half_life_hours)?,
            by: label("topsell.by").and_then(Measure::named).ok_or("it has no known measure")?,
            event_types: EventTypes::of(counted, subtracted),
            top: number("topsell.top").ok_or("it has no limit")?,
            days: days(label),
            rules: RULES.map(|name| label(name).map(str::to_owned)).into(),
        })
    }

    /// Returns whether both were made by the same rules, so that only sales make a difference.
    pub fn is_like(&self, other: &RankingMetadata) -> bool {
        self.rules == other.rules
    }
}

/// Parses octaves an hour, `3/112`; a file from before exact scores has only the half-life.
fn decay(octaves: Option<&str>, half_life_hours: Option<f64>) -> Result<Decay, &'static str> {
    let Some(octaves) = octaves else {
        let decay = half_life_hours.map_or(Ok(Decay::None), Decay::near_half_life_hours);
        return decay.map_err(|_| "its half-life is invalid");
    };
    Decay::of_fraction_text(octaves).ok_or("its octaves an hour are invalid")
}

fn days<'a>(label: &dyn Fn(&str) -> Option<&'a str>) -> Option<DaysMetadata> {
    let zone = label("topsell.time_zone")?.to_owned();
    let starts: Vec<String> = serde_json::from_str(label("topsell.days")?).ok()?;
    let starts = starts.iter().map(|start| Timestamp::parse(start).ok());
    Some(DaysMetadata { zone, starts: starts.collect::<Option<_>>()? })
}
