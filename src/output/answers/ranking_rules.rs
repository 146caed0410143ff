//! The rules of a ranking by its options: of `topsell rank`, and of a decayed list.
//!
//! Invariant: both are read by the same rules and have the same defaults, so that the same options rank the same.

use std::fmt::Display;

use crate::text::BadOption;
use topsell_core::model::{Decay, MAX_OCTAVES, Timestamp, Week, Window, Zone, parse_hours, parse_seconds};
use topsell_core::rank::{Measure, Rules};

/// What a ranking has where nothing else is asked for.
pub const RANKING_WINDOW: &str = "150h";
pub const RANKING_HALF_LIFE: &str = "48h";
pub const RANKING_MIN_ITEMS: u64 = 10;
pub const RANKING_MAX_LOOKBACK: &str = "365d";

/// The options of a ranking; `prefix` is what stands in front of the names of options in messages.
#[derive(Clone, Debug)]
pub struct RankingRules<'a> {
    pub prefix: &'static str,
    /// The name of the option with the end of the window.
    pub moment: &'static str,
    pub window: &'a str,
    pub decay: Decay,
    /// The name of the option with the decay.
    pub decay_option: &'static str,
    pub measure: Measure,
    pub limit: usize,
    pub min_items: u64,
    pub max_lookback: &'a str,
}

impl RankingRules<'_> {
    /// Reads the rules of a ranking as of a moment.
    ///
    /// # Errors
    /// Names the option that is wrong and what to write instead.
    pub fn read(&self, as_of: Timestamp, zone: Zone) -> Result<Rules, BadOption> {
        let prefix = self.prefix;
        let window_hours = self.hours("window", self.window)?;
        let max_lookback_hours = self.hours("max-lookback", self.max_lookback)?;
        let longest = Window::ending(as_of.rounded_up(), window_hours.max(max_lookback_hours));
        let furthest = longest.oldest();
        if Timestamp::from_micros(furthest.start().micros()).is_err() {
            let moment = self.moment;
            return Err(BadOption::new(format!("{prefix}{moment}: the window begins before the year 1")));
        }
        let half_lives = self.decay.octaves_between(furthest, longest.newest());
        if half_lives > MAX_OCTAVES {
            let option = self.decay_option;
            let what = format!(
                "{prefix}{option}: the longer of {prefix}window and {prefix}max-lookback has {half_lives} half-lives, \
                 and the maximum is {MAX_OCTAVES}; pass a slower decay or a shorter {prefix}max-lookback"
            );
            return Err(BadOption::new(what));
        }
        if self.limit == 0 {
            return Err(BadOption::new(format!("{prefix}limit: must be at least 1")));
        }
        Ok(Rules {
            window: Window::ending(as_of.rounded_up(), window_hours),
            decay: self.decay,
            measure: self.measure,
            limit: self.limit,
            min_items: self.min_items,
            max_lookback_hours,
            week: Week::ending(as_of.rounded_up(), zone),
        })
    }

    fn hours(&self, option: &str, text: &str) -> Result<u32, BadOption> {
        parse_hours(text).map_err(|e| BadOption::new(format!("{}{option}: {e}", self.prefix)))
    }
}

/// Reads a half-life.
///
/// # Errors
/// Says what is wrong with it.
pub fn half_life(prefix: &str, text: &str) -> Result<Decay, BadOption> {
    let failed = |e: &dyn Display| BadOption::new(format!("{prefix}half-life: {e}"));
    let seconds = parse_seconds(text).map_err(|e| failed(&e))?;
    let zero = format!("`{text}` is zero; pass at least 1s");
    Decay::half_life_seconds(seconds).map_err(|_| failed(&zero))
}
