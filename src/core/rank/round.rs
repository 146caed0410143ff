//! A round of a ranking: what a pass over the aggregates is for, and the rules, as values that other
//! processes can read.

use serde::{Deserialize, Serialize};

use crate::model::{Decay, Timestamp, Week, Window, Zone};
use crate::rank::multi_category::PendingItems;
use crate::rank::rules::{Measure, Rules};

/// What a pass over the aggregates is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Round {
    /// The round of look-back, from 0; collecting items of several categories belongs to the round before.
    pub(super) number: u32,
    /// The length of the window.
    pub(super) window_hours: u32,
    /// The categories whose ranking is final.
    pub(super) final_categories: Vec<String>,
    /// Whether the whole shop is ranked.
    pub(super) wants_shop: bool,
    /// The items whose rows are collected for the shop; nothing else is wanted then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) multi_category: Option<PendingItems>,
}

impl Round {
    /// Returns the first round of a ranking.
    pub fn first(rules: &Rules) -> Round {
        Round {
            number: 0,
            window_hours: rules.window.hours(),
            final_categories: Vec::new(),
            wants_shop: true,
            multi_category: None,
        }
    }

    /// Checks a round that was read from a file.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn check(&self, rules: &Rules) -> Result<(), &'static str> {
        let first = rules.window.hours();
        if !(first..=rules.max_lookback_hours.max(first)).contains(&self.window_hours) {
            return Err("window_hours of the round is not between those of the rules");
        }
        match &self.multi_category {
            Some(pending) if !pending.is_valid() => Err("multi_category is invalid"),
            _ => Ok(()),
        }
    }

    /// Returns the round of look-back.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Returns the length of the window.
    pub fn window_hours(&self) -> u32 {
        self.window_hours
    }

    /// Returns whether it only collects what the shop's ranking needs of items in several categories.
    pub fn is_for_multi_category_items(&self) -> bool {
        self.multi_category.is_some()
    }
}

/// Rules as texts and numbers.
#[derive(Serialize, Deserialize)]
struct TextRules {
    /// The end of the window, RFC 3339.
    as_of: String,
    window_hours: u32,
    /// A fraction such as `1/48`; none without decay.
    octaves_per_hour: Option<String>,
    measure: String,
    limit: u64,
    min_items: u64,
    max_lookback_hours: u32,
    time_zone: String,
}

/// Rules that are written as texts and numbers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "TextRules", into = "TextRules")]
pub struct PlannedRules(pub Rules);

impl From<PlannedRules> for TextRules {
    fn from(PlannedRules(rules): PlannedRules) -> TextRules {
        TextRules {
            as_of: rules.window.as_of().start().to_string(),
            window_hours: rules.window.hours(),
            octaves_per_hour: rules.decay.fraction_text(),
            measure: rules.measure.name().to_owned(),
            limit: rules.limit as u64,
            min_items: rules.min_items,
            max_lookback_hours: rules.max_lookback_hours,
            time_zone: rules.week.zone().name().to_owned(),
        }
    }
}

impl TryFrom<TextRules> for PlannedRules {
    type Error = &'static str;

    /// Says which value is invalid.
    fn try_from(text: TextRules) -> Result<PlannedRules, &'static str> {
        let as_of = Timestamp::parse(&text.as_of).map_err(|_| "as_of is no time")?;
        if as_of.rounded_up().start() != as_of {
            return Err("as_of is no full hour");
        }
        let as_of = as_of.hour();
        let zone = Zone::named(&text.time_zone).map_err(|_| "time_zone is unknown")?;
        let decay = match &text.octaves_per_hour {
            None => Decay::None,
            Some(text) => Decay::of_fraction_text(text).ok_or("octaves_per_hour is no fraction")?,
        };
        let rules = Rules {
            window: Window::ending(as_of, text.window_hours),
            decay,
            measure: Measure::named(&text.measure).ok_or("measure is unknown")?,
            limit: usize::try_from(text.limit).map_err(|_| "limit is too large")?,
            min_items: text.min_items,
            max_lookback_hours: text.max_lookback_hours,
            week: Week::ending(as_of, zone),
        };
        rules.check()?;
        Ok(PlannedRules(rules))
    }
}
