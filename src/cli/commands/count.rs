//! `topsell count`: what single items sold, up to this moment.

use std::io::{self, Read};
use std::ops::Range;

use clap::{Args as ClapArgs, ValueEnum};

use crate::failure::{Exit, Failure};
use crate::moments::moment;
use crate::output::{OutputArgs, Target};
use crate::record_args::RecordArgs;
use crate::run_recorder;
use crate::settings::Settings;
use topsell_core::counts;
use topsell_core::counts::{By, CountQuery};
use topsell_core::model::{EventTypes, Hour, PURCHASE, Timestamp, Window, Zone, check_path, parse_hours};
use topsell_core::pipeline::StepError;
use topsell_output::answers::Counts;

/// Count the sales of items, up to now
///
/// Includes events that are not rolled up yet, and the current hour.
#[derive(ClapArgs, Debug)]
#[command(before_help = "\
Examples:
  topsell count 1082185                             the last 24 hours
  topsell count 1082185 --last 24h --by hour        the last 24 hours, hour by hour
  topsell count 1082185 --last 7d --by day --tz Europe/Berlin
  topsell count 1082185 --from 2017-01-01 --to 2017-01-08
  topsell count -c GROCERY --format csv - < items.txt
")]
#[command(after_help = "\
Counts whole UTC hours: --last 24h is the current hour and the 23 before it; --from is rounded
down and --to up to a full hour. An hour belongs to the day in which it begins. Items without
sales count 0.

TIME is a date (2017-01-10, the start of that day in --tz), RFC 3339 (2017-01-07T13:05:00Z),
an epoch number, `now`, `today`, `yesterday`, or a duration before now (7d).
")]
pub struct Count {
    /// Items to count, or - to read them from standard input, one per line
    #[arg(required = true, value_name = "ITEM|-")]
    items: Vec<String>,
    /// Count the last hours, including the current one [default: 24h, without --from]
    #[arg(long, value_name = "DURATION", conflicts_with = "from")]
    last: Option<String>,
    /// Start of the time range
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// End of the time range, exclusive [default: the end of the current hour]
    #[arg(long, value_name = "TIME", requires = "from")]
    to: Option<String>,
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

/// What is to be counted.
pub struct Question {
    items: Vec<String>,
    reads_more: bool,
    event_types: EventTypes,
    hours: Range<Hour>,
    category: Option<String>,
    by: Option<By>,
    zone: Zone,
    target: Target,
    /// What to say about the time range, where it was not typed as full hours.
    notes: Vec<String>,
}

impl Count {
    /// Checks the options.
    ///
    /// # Errors
    /// Names the option that is wrong and what to write instead.
    pub fn check(&self, settings: &Settings) -> Result<Question, Failure> {
        let typed = self;
        typed.record.share()?;
        let zone = Zone::named(&typed.tz).map_err(|e| Failure::usage(format!("--tz: {e}")))?;
        let (hours, notes) = hours_of(typed, settings.now, &zone)?;
        let category = typed
            .category
            .as_deref()
            .map(|path| check_path(path).map_err(|e| Failure::usage(format!("--category `{path}` {e}"))));
        let event_types = EventTypes::of(typed.event_types.clone(), typed.subtract.clone());
        let mut items = typed.items.clone();
        let asked = items.len();
        items.retain(|item| item != "-");
        Ok(Question {
            reads_more: items.len() < asked,
            items,
            event_types,
            hours,
            category: category.transpose()?,
            by: typed.by.map(|by| match by {
                CountBy::Hour => By::Hour,
                CountBy::Day => By::Day,
                CountBy::Weekday => By::Weekday,
            }),
            zone,
            target: typed.output.target(None, settings.color)?,
            notes,
        })
    }
}

/// Returns the hours of the time range, and what to note about them.
fn hours_of(typed: &Count, now: Timestamp, zone: &Zone) -> Result<(Range<Hour>, Vec<String>), Failure> {
    let moment = |name: &str, text: &str| moment(name, text, now, zone);
    let after_now = now.hour().plus(1);
    let Some(from) = &typed.from else {
        let last = typed.last.as_deref().unwrap_or("24h");
        let hours = parse_hours(last).map_err(|e| Failure::usage(format!("--last: {e}")))?;
        let oldest = Window::ending(after_now, hours).oldest();
        return match Timestamp::from_micros(oldest.start().micros()) {
            Ok(_) => Ok((oldest..after_now, Vec::new())),
            Err(_) => Err(Failure::usage("--last: the time range begins before the year 1".to_owned())),
        };
    };
    let from = moment("--from", from)?;
    let to = typed.to.as_deref().map(|to| moment("--to", to)).transpose()?;
    let typed = [Some(&from), to.as_ref()].into_iter().flatten();
    let notes: Vec<String> = typed.filter_map(|moment| moment.note.clone()).collect();
    let (from, to) = (from.at, to.map(|moment| moment.at));
    let hours = from.hour()..to.map_or(after_now, Timestamp::rounded_up);
    if hours.is_empty() {
        let to = to.unwrap_or(now);
        return Err(Failure::usage(format!("--from {from} is not before --to {to}")));
    }
    if hours.end.number().abs_diff(hours.start.number()) > MAX_HOURS {
        return Err(Failure::usage("--from and --to are more than 100 years apart".to_owned()));
    }
    let is_rounded = hours.start.start() != from || to.is_some_and(|to| hours.end.start() != to);
    let rounded =
        || format!("note: counted in whole hours, from {} to {}", hours.start.start(), hours.end.start());
    let notes = if is_rounded { vec![rounded()] } else { notes };
    Ok((hours, notes))
}

const MAX_HOURS: u32 = 100 * 366 * 24;

/// Counts what was asked for, and says it.
///
/// # Errors
/// Fails where the lake cannot be read, or standard input can be neither.
pub fn run(settings: &Settings, typed: &Count) -> Result<Exit, Failure> {
    let question = typed.check(settings)?;
    settings.use_threads()?;
    run_recorder::record_read(settings, "count", typed.record.share()?, || answer(settings, &question))
}

fn answer(settings: &Settings, question: &Question) -> Result<Exit, Failure> {
    let mut items = question.items.clone();
    if question.reads_more {
        items.extend(items_of(io::stdin().lock())?);
    }
    let mut asked: Vec<&str> = Vec::with_capacity(items.len());
    let store = settings.store()?;
    let counted = CountQuery {
        event_types: &question.event_types,
        hours: question.hours.clone(),
        category: question.category.as_deref(),
        uncommitted: &[],
    };
    asked.extend(items.iter().map(String::as_str));
    let mut found = counts::by_hour(&store, &counted, &asked).map_err(StepError::Rollup)?;
    // Who is asked for twice is told of once, where first asked for.
    let found: Vec<_> =
        asked.into_iter().filter_map(|item| found.remove(item).map(|by_hour| (item, by_hour))).collect();
    settings.note_moments(question.notes.iter().cloned());
    let counts =
        Counts { counted: &counted, items: &found, by: question.by, zone: &question.zone, now: settings.now };
    question.target.write(counts.answer().map_err(StepError::Rollup)?)?;
    Ok(Exit::Success)
}

/// Reads item ids, one a line.
fn items_of(mut input: impl Read) -> Result<Vec<String>, Failure> {
    let mut bytes = Vec::new();
    let failed = |error: io::Error| Failure::runtime(format!("standard input: {error}"));
    input.read_to_end(&mut bytes).map_err(failed)?;
    let lines = bytes.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let mut items = Vec::new();
    for (number, line) in (1..).zip(lines) {
        let item = str::from_utf8(line);
        let item =
            item.map_err(|_| Failure::runtime(format!("standard input, line {number}: is no UTF-8 text")))?;
        if !item.is_empty() {
            items.push(item.to_owned());
        }
    }
    Ok(items)
}
