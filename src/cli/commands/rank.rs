//! `topsell rank`: ranks every category and publishes the ranking.

use clap::{Args as ClapArgs, ValueEnum};

use crate::catalog_args::{Catalog, catalog_file};
use crate::failure::{Exit, Failure};
use crate::moments::moment;
use crate::settings::Settings;
use crate::step_runner;
use topsell_core::model::{
    Decay, EventTypes, PURCHASE, Timestamp, Week, Window, Zone, parse_hours, parse_seconds,
};
use topsell_core::pipeline::{Freshness, Step};
use topsell_core::rank::{Measure, Rules};
use topsell_core::storage::LockTimeout;

/// Rank the items of every category and publish the ranking
///
/// Ranks the whole shop and every category at every level by the score of a time window. New events are
/// rolled up first. The published ranking replaces the current one atomically; `topsell show` reads it.
#[derive(ClapArgs, Debug)]
#[command(before_help = "\
Examples:
  topsell rank                                        rank the last 150 hours
  topsell rank --window 7d --no-decay --measure amount
                                                      rank by revenue of the last 7 days
  topsell rank --as-of 2017-01-15                     rank as of a day in the past
  topsell rank --all-items --max-lag 24h --wait       for the nightly job
")]
#[command(after_help = "\
The score of an item is the sum of the measure over the window, weighted by age: 1 in the newest
hour, 1/2 after each half-life. --no-decay weights every hour equally.

TIME is a date (2017-01-10, the start of that day in --tz), RFC 3339 (2017-01-07T13:05:00Z),
an epoch number, `now`, `today`, `yesterday`, or a duration before now (7d).
DURATION is a number and a unit: s, min, h, d, w; the window is whole hours.
")]
pub struct Rank {
    /// Length of the time window
    #[arg(long, value_name = "DURATION", default_value = "150h")]
    pub window: String,
    /// End of the time window, rounded up to a full hour [default: now]
    #[arg(long, value_name = "TIME")]
    pub as_of: Option<String>,
    /// What the score adds up; amount is revenue
    #[arg(long, value_enum, default_value = "units")]
    pub measure: MeasureArg,
    /// Age at which an event has half the weight of a new one
    #[arg(long, value_name = "DURATION", default_value = "48h", conflicts_with_all = ["decay", "no_decay"])]
    pub half_life: String,
    /// Decay rate per hour, instead of a half-life: the weight is e^(-RATE × hours)
    #[arg(long, value_name = "RATE", conflicts_with = "no_decay", allow_negative_numbers = true)]
    pub decay: Option<f64>,
    /// Give all events of the window the same weight
    #[arg(long)]
    pub no_decay: bool,
    /// Maximum number of items in each category's ranking
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100)]
    pub limit: u32,
    /// Also publish the item totals: units, last 7 days and rank of every item in each of its
    /// categories, not only of the top items
    #[arg(long)]
    pub all_items: bool,
    /// Event types to include; can be repeated
    #[arg(long = "event-type", value_name = "TYPE", default_value = PURCHASE)]
    pub event_types: Vec<String>,
    /// Event types whose units and amounts are subtracted, such as refund,cancel; can be repeated
    #[arg(long, value_name = "TYPE", value_delimiter = ',')]
    pub subtract: Vec<String>,
    /// Extend the window of categories with fewer eligible items than this; 0 to never extend it
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub min_items: u64,
    /// Maximum length of an extended window
    #[arg(long, value_name = "DURATION", default_value = "365d")]
    pub max_lookback: String,
    /// Maximum age of the newest hour of events at the end of the window; if they are older, publish
    /// nothing and exit with 7 [default: no limit]
    #[arg(long, value_name = "DURATION")]
    pub max_lag: Option<String>,
    /// Time zone for day boundaries
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub tz: String,
    #[command(flatten)]
    pub catalog: Catalog,
    /// Wait while another run holds the lock, instead of exiting with 6
    #[arg(long)]
    pub wait: bool,
}

/// What a score adds up.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum MeasureArg {
    Units,
    Purchases,
    Amount,
}

/// A checked step, and what to note about its options.
pub struct Request {
    step: Step,
    note: Option<String>,
}

impl Rank {
    /// Checks the options, and returns the step they describe.
    ///
    /// # Errors
    /// Names the option that is wrong and what to write instead.
    pub fn check(&self, now: Timestamp) -> Result<Request, Failure> {
        let zone = Zone::named(&self.tz).map_err(|e| Failure::usage(format!("--tz: {e}")))?;
        let as_of = self.as_of.as_deref().map(|text| moment("--as-of", text, now, &zone)).transpose()?;
        let (as_of, note) = as_of.map_or((now, None), |moment| (moment.at, moment.note));
        let max_lag = self.max_lag.as_deref().map(parse_seconds).transpose();
        let max_lag = max_lag.map_err(|e| Failure::usage(format!("--max-lag: {e}")))?;
        let freshness = max_lag.map(|max_lag_seconds| Freshness { until: as_of, max_lag_seconds });
        let event_types = EventTypes::of(self.event_types.clone(), self.subtract.clone());
        let rules = self.rules(as_of, zone)?;
        let catalog = catalog_file(&self.catalog)?;
        Ok(Request {
            step: Step::Rank { rules, event_types, catalog, tail: self.all_items, freshness },
            note,
        })
    }

    fn rules(&self, as_of: Timestamp, zone: Zone) -> Result<Rules, Failure> {
        let window_hours = hours("--window", &self.window)?;
        let decay = self.weights()?;
        let max_lookback_hours = hours("--max-lookback", &self.max_lookback)?;
        let furthest = Window::ending(as_of.rounded_up(), window_hours.max(max_lookback_hours)).oldest();
        if Timestamp::from_micros(furthest.start().micros()).is_err() {
            return Err(Failure::usage("--as-of: the window begins before the year 1".to_owned()));
        }
        if self.limit == 0 {
            return Err(Failure::usage("--limit: must be at least 1".to_owned()));
        }
        Ok(Rules {
            window: Window::ending(as_of.rounded_up(), window_hours),
            decay,
            measure: match self.measure {
                MeasureArg::Units => Measure::Units,
                MeasureArg::Purchases => Measure::Purchases,
                MeasureArg::Amount => Measure::Amount,
            },
            limit: self.limit as usize,
            min_items: self.min_items,
            max_lookback_hours,
            week: Week::ending(as_of.rounded_up(), zone),
        })
    }

    fn weights(&self) -> Result<Decay, Failure> {
        Ok(match (self.decay, self.no_decay) {
            (_, true) => Decay::None,
            (Some(rate), _) if rate > 0.0 && rate.is_finite() && (1.0 / rate).is_finite() => {
                Decay::RatePerHour(rate)
            }
            (Some(rate), _) => {
                let what =
                    format!("--decay: {rate} is not a number greater than 0; pass --no-decay for no decay");
                return Err(Failure::usage(what));
            }
            (None, _) => Decay::HalfLifeHours(f64::from(hours("--half-life", &self.half_life)?)),
        })
    }
}

fn hours(option: &str, text: &str) -> Result<u32, Failure> {
    parse_hours(text).map_err(|e| Failure::usage(format!("{option}: {e}")))
}

/// Runs the ranking.
///
/// # Errors
/// Fails as the step does.
pub fn run(settings: &Settings, typed: &Rank) -> Result<Exit, Failure> {
    let Request { step, note } = typed.check(settings.now)?;
    settings.note_moments(note);
    step_runner::run(settings, &step, LockTimeout::from_wait(typed.wait), None)
}
