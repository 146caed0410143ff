//! How a ranking was made, from the key-value metadata of its file.

use crate::model::{Decay, EventTypes, Timestamp};
use crate::rank::Measure;

/// The keys that must be equal for two rankings to be comparable, and the options that set them.
const RULES: [(&str, &str); 8] = [
    ("topsell.window_hours", "--window"),
    ("topsell.half_life_hours", "--half-life"),
    ("topsell.by", "--measure"),
    ("topsell.event_types", "--event-type"),
    ("topsell.subtract", "--subtract"),
    ("topsell.top", "--limit"),
    ("topsell.min_items", "--min-items"),
    ("topsell.max_lookback_hours", "--max-lookback"),
];
/// How many digits of the hash of the rules a file's name has.
const HASH_DIGITS: usize = 8;

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
    /// The window of a category with fewer eligible items is extended; `None` in older files.
    pub min_items: Option<u64>,
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
            min_items: number("topsell.min_items"),
            days: days(label),
            rules: RULES.map(|(name, _)| label(name).map(str::to_owned)).into(),
        })
    }

    /// Returns whether both were made by the same rules, so that only sales make a difference.
    pub fn is_like(&self, other: &RankingMetadata) -> bool {
        self.rules == other.rules
    }

    /// Returns the options by which another ranking was made in another way.
    pub(super) fn differing(&self, other: &RankingMetadata) -> Vec<&'static str> {
        let options = RULES.iter().zip(self.rules.iter().zip(&other.rules));
        options.filter(|(_, (ours, theirs))| ours != theirs).map(|((_, option), _)| *option).collect()
    }

    /// Returns the first digits of the hash of the rules.
    pub(super) fn rules_hash(&self) -> String {
        let json = serde_json::to_vec(&self.rules).expect("rules are plain texts");
        let mut hash = blake3::hash(&json).to_hex().to_string();
        hash.truncate(HASH_DIGITS);
        hash
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
