//! How a ranking was made, as its file says.

use crate::model::Timestamp;

/// The labels that two rankings share which can be held against each other.
const RULES: [&str; 7] = [
    "topsell.window_hours",
    "topsell.half_life_hours",
    "topsell.by",
    "topsell.event_types",
    "topsell.top",
    "topsell.min_items",
    "topsell.max_lookback_hours",
];

/// How a ranking was made.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// Where its window ends.
    pub as_of: Timestamp,
    pub window_hours: u32,
    /// Hours after which a sale counted half; none without decay.
    pub half_life_hours: Option<f64>,
    /// What the score adds up: `units`, `purchases` or `amount`.
    pub by: String,
    pub event_types: Vec<String>,
    /// How many items a category ranks at most.
    pub top: u64,
    /// The days that units are told of; none in files written before they were.
    pub days: Option<DayFacts>,
    rules: Vec<Option<String>>,
}

/// The days that units are told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayFacts {
    /// The time zone's name.
    pub zone: String,
    /// Where each of them begins, oldest first; the last ends with the ranking's window.
    pub starts: Vec<Timestamp>,
}

impl Facts {
    /// Reads a file's labels; what cannot be read, and a ranking must have, is named.
    pub(super) fn of<'a>(
        as_of: &str,
        label: &dyn Fn(&str) -> Option<&'a str>,
    ) -> Result<Facts, &'static str> {
        let half_life_hours = match label("topsell.half_life_hours").ok_or("it names no half-life")? {
            "none" => None,
            text => Some(text.parse().map_err(|_| "its half-life is no number")?),
        };
        let number = |name: &str| label(name).and_then(|text| text.parse::<u64>().ok());
        let window_hours = number("topsell.window_hours").and_then(|hours| u32::try_from(hours).ok());
        let event_types = label("topsell.event_types").and_then(|json| serde_json::from_str(json).ok());
        Ok(Facts {
            as_of: Timestamp::parse(as_of).map_err(|_| "its time is no moment")?,
            window_hours: window_hours.ok_or("it does not say how many hours it covers")?,
            half_life_hours,
            by: label("topsell.by").ok_or("it does not say what it adds up")?.to_owned(),
            event_types: event_types.ok_or("it does not say what events it counts")?,
            top: number("topsell.top").ok_or("it does not say how many items it ranks")?,
            days: days(label),
            rules: RULES.map(|name| label(name).map(str::to_owned)).into(),
        })
    }

    /// Tells whether both were made by the same rules, so that they differ by what was sold alone.
    pub fn is_like(&self, other: &Facts) -> bool {
        self.rules == other.rules
    }
}

fn days<'a>(label: &dyn Fn(&str) -> Option<&'a str>) -> Option<DayFacts> {
    let zone = label("topsell.time_zone")?.to_owned();
    let starts: Vec<String> = serde_json::from_str(label("topsell.days")?).ok()?;
    let starts = starts.iter().map(|start| Timestamp::parse(start).ok());
    Some(DayFacts { zone, starts: starts.collect::<Option<_>>()? })
}
