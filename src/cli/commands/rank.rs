//! `topsell rank`: ranks every category and publishes the ranking.

use clap::{Args as ClapArgs, ValueEnum};

use crate::catalog_args::{Catalog, catalog_file};
use crate::failure::{Exit, Failure};
use crate::settings::Settings;
use crate::step_runner;
use topsell_core::model::{Decay, PURCHASE, Timestamp, Week, Window, Zone, parse_hours, parse_seconds};
use topsell_core::pipeline::{Freshness, Step};
use topsell_core::rank::{Measure, Rules};
use topsell_core::storage::LockTimeout;

/// Rank every category and the whole shop, and publish the ranking
///
/// Brings the sums up to date first.
#[derive(ClapArgs, Debug)]
#[command(before_help = "\
Examples:
  topsell rank                                        the last 150 hours
  topsell rank --window 7d --no-decay --by amount     a week's turnover
  topsell rank --as-of 2017-01-15T00:00:00Z           as it was then
  topsell rank --tail                                 with the rank of every item, as once a night
")]
pub struct Rank {
    /// Hours to look at, the newest being the one before --as-of
    #[arg(long, value_name = "TIME", default_value = "150h")]
    pub window: String,
    /// Time after which a sale counts half
    #[arg(long, value_name = "TIME", default_value = "48h", conflicts_with_all = ["decay", "no_decay"])]
    pub half_life: String,
    /// The same as a rate per hour: a sale counts e^(-RATE x hours)
    #[arg(long, value_name = "RATE", conflicts_with = "no_decay", allow_negative_numbers = true)]
    pub decay: Option<f64>,
    /// Count old sales like new ones
    #[arg(long)]
    pub no_decay: bool,
    /// Items to rank in each category
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub top: u32,
    /// Where the window ends, RFC 3339 or an epoch number, rounded up to the full hour; now
    /// unless given
    #[arg(long, value_name = "TIME")]
    pub as_of: Option<String>,
    /// Time zone of the seven days that units are told of, besides the window
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub tz: String,
    /// Types of events to count; may be given several times
    #[arg(long = "event-type", value_name = "TYPE", default_value = PURCHASE)]
    pub event_types: Vec<String>,
    /// What the score adds up
    #[arg(long, value_enum, default_value = "units")]
    pub by: By,
    /// Publish what every item comes to, too, and its rank in each of its categories, not only the
    /// best; for the nightly run
    #[arg(long)]
    pub tail: bool,
    /// A category with fewer eligible items looks further back
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub min_items: u64,
    /// How far back it looks at most
    #[arg(long, value_name = "TIME", default_value = "365d")]
    pub max_lookback: String,
    /// Publish nothing, and exit with 7, where the newest hour of sales ended longer than this
    /// before --as-of; however old unless given
    #[arg(long, value_name = "TIME")]
    pub max_lag: Option<String>,
    #[command(flatten)]
    pub catalog: Catalog,
    /// Wait while another run is at work on the lake, instead of giving up
    #[arg(long)]
    pub wait: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum By {
    Units,
    Purchases,
    Amount,
}

impl Rank {
    /// Checks the options, and returns the step they describe.
    ///
    /// # Errors
    /// Names the option that is wrong and what to write instead.
    pub fn check(&self, now: Timestamp) -> Result<Step, Failure> {
        let typed = self;
        let hours =
            |name: &str, text: &str| parse_hours(text).map_err(|e| Failure::usage(format!("{name}: {e}")));
        let window_hours = hours("--window", &typed.window)?;
        let decay = match (typed.decay, typed.no_decay) {
            (_, true) => Decay::None,
            (Some(rate), _) if rate > 0.0 && rate.is_finite() && (1.0 / rate).is_finite() => {
                Decay::RatePerHour(rate)
            }
            (Some(rate), _) => {
                return Err(Failure::usage(format!(
                    "--decay {rate} is no rate above 0; for none at all say --no-decay"
                )));
            }
            (None, _) => Decay::HalfLifeHours(f64::from(hours("--half-life", &typed.half_life)?)),
        };
        let as_of = match &typed.as_of {
            Some(text) => {
                Timestamp::parse(text).map_err(|e| Failure::usage(format!("--as-of `{text}` {e}")))?
            }
            None => now,
        };
        let max_lag = typed.max_lag.as_deref().map(parse_seconds).transpose();
        let max_lag = max_lag.map_err(|e| Failure::usage(format!("--max-lag: {e}")))?;
        let freshness = max_lag.map(|max_lag_seconds| Freshness { until: as_of, max_lag_seconds });
        let max_lookback_hours = hours("--max-lookback", &typed.max_lookback)?;
        let furthest = Window::ending(as_of.rounded_up(), window_hours.max(max_lookback_hours)).oldest();
        if Timestamp::from_micros(furthest.start().micros()).is_err() {
            return Err(Failure::usage(
                "--as-of lies so early that the window begins before the year 1".to_owned(),
            ));
        }
        let zone = Zone::named(&typed.tz).map_err(|e| Failure::usage(format!("--tz: {e}")))?;
        if typed.top == 0 {
            return Err(Failure::usage("--top 0 ranks nothing; write at least 1".to_owned()));
        }
        let rules = Rules {
            window: Window::ending(as_of.rounded_up(), window_hours),
            decay,
            measure: match typed.by {
                By::Units => Measure::Units,
                By::Purchases => Measure::Purchases,
                By::Amount => Measure::Amount,
            },
            limit: typed.top as usize,
            min_items: typed.min_items,
            max_lookback_hours,
            week: Week::ending(as_of.rounded_up(), zone),
        };
        let mut event_types = typed.event_types.clone();
        event_types.sort_unstable();
        event_types.dedup();
        let catalog = catalog_file(&typed.catalog)?;
        Ok(Step::Rank { rules, event_types, catalog, tail: typed.tail, freshness })
    }
}

/// Runs the ranking.
///
/// # Errors
/// Fails as the step does.
pub fn run(settings: &Settings, typed: &Rank) -> Result<Exit, Failure> {
    let step = typed.check(settings.now)?;
    let lock_timeout = LockTimeout::from_wait(typed.wait);
    step_runner::run(settings, &step, lock_timeout, None)
}
