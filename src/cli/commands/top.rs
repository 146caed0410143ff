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
use topsell_output::answers::{TOP_LIMIT, TimeRangeOptions, TopOptions, TopQuestion};

/// List the items that sold most, up to now
///
/// Includes events that are not rolled up yet, and the current hour. No ranking needs to be published.
#[derive(ClapArgs, Debug)]
#[command(before_help = "\
Examples:
  topsell top                                       the last 24 hours, the whole shop
  topsell top -c GROCERY/CHEESE --last 3h           a category, the last three hours
  topsell top --event-type view --last 1h -n 20     what is looked at in this hour
  topsell top --measure amount --from 2017-01-01 --to 2017-01-08
")]
#[command(after_help = "\
Adds up whole UTC hours, all with the same weight: --last 24h is the current hour and the 23 before
it; --from is rounded down and --to up to a full hour. Items whose returns outweigh their sales are
left out. Reads all aggregates of the hours; `topsell show` reads a published ranking and is faster.

TIME is a date (2017-01-10, the start of that day in --tz), RFC 3339 (2017-01-07T13:05:00Z),
an epoch number, `now`, `today`, `yesterday`, or a duration before now (7d).
")]
pub struct Top {
    /// Count the last hours, including the current one [default: 24h, without --from]
    #[arg(long, value_name = "DURATION", conflicts_with = "from")]
    last: Option<String>,
    /// Start of the time range
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// End of the time range, exclusive [default: the end of the current hour]
    #[arg(long, value_name = "TIME", requires = "from")]
    to: Option<String>,
    /// Use TIME as the current time: list what sold up to then
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Category path; lists only sales in this category or below it
    #[arg(short, long, value_name = "PATH")]
    category: Option<String>,
    /// Maximum number of items
    #[arg(short = 'n', long, value_name = "N", default_value_t = TOP_LIMIT)]
    limit: usize,
    /// What items are ordered by
    #[arg(long, value_enum, value_name = "MEASURE", default_value = "units")]
    measure: MeasureArg,
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
            event_types: self.event_types.clone(),
            subtract: self.subtract.clone(),
            category: self.category.clone(),
            measure: Some(Measure::from(self.measure).name().to_owned()),
            limit: Some(self.limit),
        };
        let question = TopQuestion::of(options, settings.now).map_err(|e| Failure::usage(e.to_string()))?;
        Ok(Listing { question, target: self.output.target(None, settings.color)? })
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
