//! The options that say how to rank, of `rank` and `rank plan`.

use clap::{Args as ClapArgs, ValueEnum};

use crate::failure::Failure;
use crate::moments::moment;
use topsell_core::model::{Decay, EventTypes, PURCHASE, Timestamp, Zone, parse_seconds};
use topsell_core::pipeline::Freshness;
use topsell_core::rank::{Measure, Rules};
use topsell_output::answers::{
    RANKING_HALF_LIFE, RANKING_MAX_LOOKBACK, RANKING_MIN_ITEMS, RANKING_WINDOW, RankingRules, half_life,
};

/// How to rank.
#[derive(ClapArgs, Debug)]
pub struct RankingOptions {
    /// Length of the time window
    #[arg(long, value_name = "DURATION", default_value = RANKING_WINDOW)]
    pub window: String,
    /// End of the time window, rounded up to a full hour [default: now]
    #[arg(long, value_name = "TIME")]
    pub as_of: Option<String>,
    /// What the score adds up; amount is revenue
    #[arg(long, value_enum, default_value = "units")]
    pub measure: MeasureArg,
    /// Age at which an event has half the weight of a new one
    #[arg(long, value_name = "DURATION", default_value = RANKING_HALF_LIFE, conflicts_with_all = ["decay", "no_decay"])]
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
    /// Event types to include; can be repeated
    #[arg(long = "event-type", value_name = "TYPE", default_value = PURCHASE)]
    pub event_types: Vec<String>,
    /// Event types whose units and amounts are subtracted, such as refund,cancel; can be repeated
    #[arg(long, value_name = "TYPE", value_delimiter = ',')]
    pub subtract: Vec<String>,
    /// Extend the window of categories with fewer eligible items than this; 0 to never extend it
    #[arg(long, value_name = "N", default_value_t = RANKING_MIN_ITEMS)]
    pub min_items: u64,
    /// Maximum length of an extended window
    #[arg(long, value_name = "DURATION", default_value = RANKING_MAX_LOOKBACK)]
    pub max_lookback: String,
    /// Maximum age of the newest hour of events at the end of the window; if they are older, publish
    /// nothing and exit with 7 [default: no limit]
    #[arg(long, value_name = "DURATION")]
    pub max_lag: Option<String>,
    /// Time zone for day boundaries
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub tz: String,
}

/// What a score adds up.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum MeasureArg {
    Units,
    Purchases,
    Amount,
}

impl From<MeasureArg> for Measure {
    fn from(measure: MeasureArg) -> Measure {
        match measure {
            MeasureArg::Units => Measure::Units,
            MeasureArg::Purchases => Measure::Purchases,
            MeasureArg::Amount => Measure::Amount,
        }
    }
}

/// Options that were checked, and what to note about them.
pub struct Checked {
    pub rules: Rules,
    pub event_types: EventTypes,
    pub freshness: Option<Freshness>,
    pub note: Option<String>,
}

impl RankingOptions {
    /// Checks the options.
    ///
    /// # Errors
    /// Names the option that is wrong and what to write instead.
    pub fn check(&self, now: Timestamp) -> Result<Checked, Failure> {
        let zone = Zone::named(&self.tz).map_err(|e| Failure::usage(format!("--tz: {e}")))?;
        let as_of = self.as_of.as_deref().map(|text| moment("--as-of", text, now, &zone)).transpose()?;
        let (as_of, note) = as_of.map_or((now, None), |moment| (moment.at, moment.note));
        let max_lag = self.max_lag.as_deref().map(parse_seconds).transpose();
        let max_lag = max_lag.map_err(|e| Failure::usage(format!("--max-lag: {e}")))?;
        let freshness = max_lag.map(|max_lag_seconds| Freshness { until: as_of, max_lag_seconds });
        let event_types = EventTypes::of(self.event_types.clone(), self.subtract.clone());
        Ok(Checked { rules: self.rules(as_of, zone)?, event_types, freshness, note })
    }

    fn rules(&self, as_of: Timestamp, zone: Zone) -> Result<Rules, Failure> {
        let rules = RankingRules {
            prefix: "--",
            moment: "as-of",
            window: &self.window,
            decay: self.weights()?,
            decay_option: if self.decay.is_some() { "decay" } else { "half-life" },
            measure: self.measure.into(),
            limit: self.limit as usize,
            min_items: self.min_items,
            max_lookback: &self.max_lookback,
        };
        rules.read(as_of, zone).map_err(|e| Failure::usage(e.to_string()))
    }

    fn weights(&self) -> Result<Decay, Failure> {
        Ok(match (self.decay, self.no_decay) {
            (_, true) => Decay::None,
            (Some(rate), _) => Decay::rate_per_hour(rate).map_err(|e| {
                Failure::usage(format!("--decay: {rate:?} {e}; pass --no-decay for no decay"))
            })?,
            (None, _) => half_life("--", &self.half_life).map_err(|e| Failure::usage(e.to_string()))?,
        })
    }
}
