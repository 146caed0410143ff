//! `topsell top`: what sold most, up to this moment.

use clap::Args as ClapArgs;

use crate::commands::ranking_options::MeasureArg;
use crate::failure::{Exit, Failure};
use crate::output::{OutputArgs, Target};
use crate::record_args::RecordArgs;
use crate::run_recorder;
use crate::settings::Settings;
use topsell_core::model::PURCHASE;
use topsell_core::pipeline::StepError;
use topsell_core::rank::Measure;
use topsell_output::answers::{
    DecayOptions, RANKING_HALF_LIFE, RANKING_MAX_LOOKBACK, RANKING_MIN_ITEMS, RANKING_WINDOW, RISING_MIN,
    TOP_LIMIT, TimeRangeOptions, TopKind, TopOptions, TopQuestion,
};

/// List the items that sold most, up to now
///
/// Includes events that are not rolled up yet, and the current hour. No ranking needs to be published.
#[derive(ClapArgs, Debug)]
#[command(before_help = "\
Examples:
  topsell top                                       the last 24 hours, the whole shop
  topsell top -c GROCERY/CHEESE --last 3h           a category, the last three hours
  topsell top --event-type view --last 1h -n 20     what is looked at in this hour
  topsell top --last 10min                          the last ten minutes
  topsell top --measure amount --from 2017-01-01 --to 2017-01-08
  topsell top --rising --last 3h                    what sells more than in the 21 hours before
  topsell top --decay                               what `topsell rank` would publish now
")]
#[command(after_help = "\
Adds up whole UTC hours, all with the same weight: --last 24h is the current hour and the 23 before
it; --from is rounded down and --to up to a full hour. --last 10min adds up whole minutes: the
current minute and the 9 before it. With --exact-times, an event counts if its time is at --from or
later and before --to (default: now), to the microsecond. Items whose returns outweigh their sales
are left out. Reads all aggregates of the hours, and for minutes and exact times the events of the
hours at both ends; `topsell show` reads a published ranking and is faster.

With --rising, items are ordered by (x - b) / sqrt(b + 1): x is the measure in these hours, b its mean
over the 7 times as many hours before. An hour that is still filling is compared with full hours.

With --decay, the list is that of `topsell rank` as of this moment, with the same scores: the window
ends with the current hour, and is extended where fewer than --min-items items are eligible.

TIME is a date (2017-01-10, the start of that day in --tz), RFC 3339 (2017-01-07T13:05:00Z),
an epoch number, `now`, `today`, `yesterday`, or a duration before now (7d).
")]
pub struct Top {
    /// Count the last hours or minutes, including the current one [default: 24h, without --from]
    #[arg(long, value_name = "DURATION", conflicts_with_all = ["from", "decayed"])]
    last: Option<String>,
    /// Start of the time range
    #[arg(long, value_name = "TIME", conflicts_with = "decayed")]
    from: Option<String>,
    /// End of the time range, exclusive [default: the end of the current hour]
    #[arg(long, value_name = "TIME", requires = "from")]
    to: Option<String>,
    /// Use TIME as the current time: list what sold up to then
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Count to the microsecond, instead of whole hours or minutes
    #[arg(long, conflicts_with_all = ["rising", "decayed"])]
    exact_times: bool,
    /// Category path; lists only sales in this category or below it
    #[arg(short, long, value_name = "PATH")]
    category: Option<String>,
    /// Maximum number of items
    #[arg(short = 'n', long, value_name = "N", default_value_t = TOP_LIMIT)]
    limit: usize,
    /// What items are ordered by
    #[arg(long, value_enum, value_name = "MEASURE", default_value = "units")]
    measure: MeasureArg,
    /// Order by how much more was sold than in the time before
    #[arg(long, conflicts_with = "decayed")]
    rising: bool,
    /// With --rising, leave out items with less of the measure
    #[arg(long, value_name = "N", default_value_t = RISING_MIN, requires = "rising")]
    min: u32,
    // Not `decay`, which would be the setting of `rank`.
    /// Decay rate per hour of a list by score, as `topsell rank` makes it; without RATE, by --half-life
    #[arg(id = "decayed", long = "decay", value_name = "RATE", num_args = 0..=1, allow_negative_numbers = true)]
    decayed: Option<Option<f64>>,
    /// Age at which an event has half the weight of a new one, with --decay
    #[arg(long, value_name = "DURATION", default_value = RANKING_HALF_LIFE, requires = "decayed")]
    half_life: String,
    /// Length of the time window, with --decay
    #[arg(long, value_name = "DURATION", default_value = RANKING_WINDOW, requires = "decayed")]
    window: String,
    /// Extend the window, with --decay, where fewer items than this are eligible; 0 to never extend it
    #[arg(long, value_name = "N", default_value_t = RANKING_MIN_ITEMS, requires = "decayed")]
    min_items: u64,
    /// Maximum length of an extended window, with --decay
    #[arg(long, value_name = "DURATION", default_value = RANKING_MAX_LOOKBACK, requires = "decayed")]
    max_lookback: String,
    /// Time zone for day boundaries
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    tz: String,
    /// Event types to include; can be repeated
    #[arg(long = "event-type", value_name = "TYPE", default_value = PURCHASE)]
    event_types: Vec<String>,
    /// Event types whose units and amounts are subtracted, such as refund,cancel; can be repeated
    #[arg(long, value_name = "TYPE", value_delimiter = ',')]
    subtract: Vec<String>,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    record: RecordArgs,
}

/// What is to be listed, and where the answer goes.
pub struct Listing {
    question: TopQuestion,
    target: Target,
}

impl Top {
    /// Checks the options.
    ///
    /// # Errors
    /// Names the option that is wrong and what to write instead.
    pub fn check(&self, settings: &Settings) -> Result<Listing, Failure> {
        self.record.share()?;
        let range = TimeRangeOptions {
            prefix: "--",
            last: self.last.clone(),
            from: self.from.clone(),
            to: self.to.clone(),
            at: self.at.clone(),
            zone: self.tz.clone(),
        };
        let options = TopOptions {
            range,
            exact_times: self.exact_times,
            event_types: self.event_types.clone(),
            subtract: self.subtract.clone(),
            category: self.category.clone(),
            measure: Some(Measure::from(self.measure).name().to_owned()),
            limit: Some(self.limit),
            kind: self.kind(),
        };
        let question = TopQuestion::of(options, settings.now).map_err(|e| Failure::usage(e.to_string()))?;
        Ok(Listing { question, target: self.output.target(None, settings.color)? })
    }

    fn kind(&self) -> TopKind {
        match self.decayed {
            Some(rate) => TopKind::Decayed(DecayOptions {
                window: self.window.clone(),
                half_life: self.half_life.clone(),
                rate,
                min_items: self.min_items,
                max_lookback: self.max_lookback.clone(),
            }),
            None if self.rising => TopKind::Rising { min: self.min },
            None => TopKind::Sum,
        }
    }
}

/// Adds up what was asked for, and says it.
///
/// # Errors
/// Fails where the lake cannot be read.
pub fn run(settings: &Settings, typed: &Top) -> Result<Exit, Failure> {
    let listing = typed.check(settings)?;
    settings.use_threads()?;
    run_recorder::record_read(settings, "top", typed.record.share()?, || answer(settings, &listing))
}

fn answer(settings: &Settings, Listing { question, target }: &Listing) -> Result<Exit, Failure> {
    let store = settings.store()?;
    let answered = question.answer(&store, &[], |answer| {
        settings.note_moments(question.notes().iter().cloned());
        target.write(answer)
    });
    answered.map_err(StepError::Rollup)??;
    Ok(Exit::Success)
}
