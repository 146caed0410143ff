//! `topsell count`: what single items, or all of them together, sold up to this moment.

use std::io::{self, BufRead, BufReader};

use clap::{Args as ClapArgs, ValueEnum};

use crate::failure::{Exit, Failure};
use crate::output::{OutputArgs, Target};
use crate::record_args::RecordArgs;
use crate::run_recorder;
use crate::settings::Settings;
use topsell_core::counts::By;
use topsell_core::model::PURCHASE;
use topsell_output::answers::{CountOptions, CountQuestion, Statistic, TimeRangeOptions};
use topsell_output::formats::Answer;

/// Items of standard input that are counted together, where the format of the answer has a row for each.
const ITEMS_AT_A_TIME: usize = 10_000;

/// Count the sales of items, of a category or of the shop, up to now
///
/// Without items, all items are counted together. Includes events that are not rolled up yet, and the current hour.
#[derive(ClapArgs, Debug)]
#[command(before_help = "\
Examples:
  topsell count 1082185                             the last 24 hours
  topsell count 1082185 --last 24h --by hour        the last 24 hours, hour by hour
  topsell count 1082185 --last 7d --by day --tz Europe/Berlin
  topsell count 1082185 --from 2017-01-01 --to 2017-01-08
  topsell count 1082185 --last 24h --at 2017-01-08T13:05:00Z
  topsell count 1082185 --last 10min                the last ten minutes
  topsell count 1082185 --from 2017-01-08T13:05:00.25Z --to 2017-01-08T14:10:00Z --exact-times
  topsell count 1082185 --event-type view --stat count
  topsell count --last 7d --by day                  the whole shop, day by day
  topsell count -c GROCERY --last 7d --top 10       a category, and its 10 best sellers
  topsell count -c GROCERY --format csv - < items.txt
")]
#[command(after_help = "\
Counts whole UTC hours: --last 24h is the current hour and the 23 before it; --from is rounded
down and --to up to a full hour. --last 10min counts whole minutes: the current minute and the 9
before it. With --exact-times, an event counts if its time is at --from or later and before --to
(default: now), to the microsecond; --last 10min are then the ten minutes before now. An hour
belongs to the day in which it begins. Items without sales count 0.

TIME is a date (2017-01-10, the start of that day in --tz), RFC 3339 (2017-01-07T13:05:00Z),
an epoch number, `now`, `today`, `yesterday`, or a duration before now (7d).
")]
pub struct Count {
    /// Items to count, or - to read them from standard input, one per line [default: all items together]
    #[arg(value_name = "ITEM|-")]
    items: Vec<String>,
    /// Count the last hours or minutes, including the current one [default: 24h, without --from]
    #[arg(long, value_name = "DURATION", conflicts_with = "from")]
    last: Option<String>,
    /// Start of the time range
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// End of the time range, exclusive; with --from or --last [default: the end of the current hour]
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Use TIME as the current time: count the hours up to then
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Count to the microsecond, instead of whole hours or minutes
    #[arg(long)]
    exact_times: bool,
    /// Group by
    #[arg(long, value_enum, value_name = "GROUP")]
    by: Option<CountBy>,
    /// Time zone for day boundaries
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    tz: String,
    /// Event types to include; can be repeated
    #[arg(long = "event-type", value_name = "TYPE", default_value = PURCHASE)]
    event_types: Vec<String>,
    /// Event types whose units and amounts are subtracted, such as refund,cancel; can be repeated
    #[arg(long, value_name = "TYPE", value_delimiter = ',')]
    subtract: Vec<String>,
    /// Category path; counts only sales in this category or below it
    #[arg(short, long, value_name = "PATH")]
    category: Option<String>,
    /// Without items, also list the N items that sold most units
    #[arg(long, value_name = "N", conflicts_with = "items")]
    top: Option<usize>,
    /// Show only these statistics of the quantities; can be repeated
    #[arg(long, value_enum, value_name = "STATISTIC", value_delimiter = ',')]
    stat: Vec<CountStatistic>,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    record: RecordArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum CountBy {
    Hour,
    Day,
    Weekday,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum CountStatistic {
    /// Number of events
    Count,
    /// Sum of the quantities
    Sum,
    /// Sum divided by count
    Mean,
}

/// What is to be counted, and where the answer goes.
pub struct Counting {
    question: CountQuestion,
    reads_more: bool,
    target: Target,
}

impl Count {
    /// Checks the options.
    ///
    /// # Errors
    /// Names the option that is wrong and what to write instead.
    pub fn check(&self, settings: &Settings) -> Result<Counting, Failure> {
        let typed = self;
        typed.record.share()?;
        let asked = typed.items.len();
        let items: Vec<String> = typed.items.iter().filter(|item| *item != "-").cloned().collect();
        let reads_more = items.len() < asked;
        let range = TimeRangeOptions {
            prefix: "--",
            last: typed.last.clone(),
            from: typed.from.clone(),
            to: typed.to.clone(),
            at: typed.at.clone(),
            zone: typed.tz.clone(),
        };
        let options = CountOptions {
            all: asked == 0,
            items,
            range,
            exact_times: typed.exact_times,
            by: typed.by.map(By::from),
            statistics: typed.stat.iter().copied().map(Statistic::from).collect(),
            event_types: typed.event_types.clone(),
            subtract: typed.subtract.clone(),
            category: typed.category.clone(),
            top: typed.top,
        };
        let question = CountQuestion::of(options, settings.now).map_err(|e| Failure::usage(e.to_string()))?;
        Ok(Counting { question, reads_more, target: typed.output.target(None, settings.color)? })
    }
}

impl From<CountBy> for By {
    fn from(by: CountBy) -> By {
        match by {
            CountBy::Hour => By::Hour,
            CountBy::Day => By::Day,
            CountBy::Weekday => By::Weekday,
        }
    }
}

impl From<CountStatistic> for Statistic {
    fn from(statistic: CountStatistic) -> Statistic {
        match statistic {
            CountStatistic::Count => Statistic::Count,
            CountStatistic::Sum => Statistic::Sum,
            CountStatistic::Mean => Statistic::Mean,
        }
    }
}

/// Counts what was asked for, and says it.
///
/// # Errors
/// Fails where the lake cannot be read, or standard input can be neither.
pub fn run(settings: &Settings, typed: &Count) -> Result<Exit, Failure> {
    let counting = typed.check(settings)?;
    settings.use_threads()?;
    run_recorder::record_read(settings, "count", typed.record.share()?, || answer(settings, counting))
}

fn answer(settings: &Settings, counting: Counting) -> Result<Exit, Failure> {
    let Counting { mut question, reads_more, target } = counting;
    let mut lines = ItemLines { input: BufReader::new(io::stdin()), number: 0 };
    let store = settings.store()?;
    settings.note_moments(question.notes().iter().cloned());
    if !reads_more || !target.takes_parts() {
        if reads_more {
            lines.read(usize::MAX, &mut question.items)?;
        }
        let answered = question.answer(&store, &[], |answer| target.write(with_notes_said(settings, answer)));
        answered.map_err(Failure::from)??;
        return Ok(Exit::Success);
    }
    let (mut is_first, mut is_read) = (true, true);
    while is_read && (lines.read(ITEMS_AT_A_TIME, &mut question.items)? || is_first) {
        let answered = question
            .answer(&store, &[], |answer| target.write_part(with_notes_said(settings, answer), is_first));
        is_read = answered.map_err(Failure::from)??;
        is_first = false;
        question.items.clear();
    }
    Ok(Exit::Success)
}

/// Says the notes of an answer beside it, in any format.
fn with_notes_said<'a>(settings: &Settings, mut answer: Answer<'a>) -> Answer<'a> {
    answer.notes.drain(..).for_each(|note| settings.note(&format!("note: {}", note.text)));
    answer
}

/// Standard input, with an item id on each line.
struct ItemLines<R> {
    input: R,
    /// How many lines have been read.
    number: u64,
}

impl<R: BufRead> ItemLines<R> {
    /// Appends the ids of the next lines, up to a number of ids, and returns whether there are any.
    fn read(&mut self, most: usize, into: &mut Vec<String>) -> Result<bool, Failure> {
        let before = into.len();
        let mut line = Vec::new();
        while into.len() - before < most {
            line.clear();
            let read = self.input.read_until(b'\n', &mut line);
            if read.map_err(|error| Failure::runtime(format!("standard input: {error}")))? == 0 {
                break;
            }
            self.number += 1;
            let item = line.strip_suffix(b"\n").unwrap_or(&line);
            let item = str::from_utf8(item.strip_suffix(b"\r").unwrap_or(item));
            let item = item.map_err(|_| {
                Failure::runtime(format!("standard input, line {}: is no UTF-8 text", self.number))
            })?;
            if !item.is_empty() {
                into.push(item.to_owned());
            }
        }
        Ok(into.len() > before)
    }
}
