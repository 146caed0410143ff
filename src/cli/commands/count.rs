//! `topsell count`: what single items sold, up to this moment.

use std::io::{self, Read};
use std::ops::Range;

use clap::{Args as ClapArgs, ValueEnum};

use crate::failure::{Exit, Failure};
use crate::output::{OutputArgs, Target};
use crate::run_recorder::{self, RecordMode};
use crate::settings::Settings;
use topsell_core::counts;
use topsell_core::counts::{By, Counted};
use topsell_core::model::{Hour, PURCHASE, Timestamp, Window, Zone, check_path, parse_hours};
use topsell_core::pipeline::StepError;
use topsell_output::answers::Counts;

/// Count what single items have sold, up to this moment
///
/// Whatever has come in counts at once, before any rollup: the hour that is still filling too.
#[derive(ClapArgs, Debug)]
#[command(before_help = "\
Examples:
  topsell count 1082185                             the last 24 hours, this one among them
  topsell count 1082185 --last 7d --by day --tz Europe/Berlin
  topsell count 1082185 --from 2017-01-01T00:00:00Z --to 2017-01-08T00:00:00Z
  topsell count --category GROCERY --format csv - < items.txt
")]
#[command(after_help = "\
Time is counted in whole hours, UTC: --last 24h is this hour and the 23 before it; --from and --to
are rounded outwards, and the answer says which hours it covers. An hour belongs to the day in which
it begins. An item that was never sold has sold 0.
")]
pub struct Count {
    /// Items to count, or - to read them from standard input, one a line
    #[arg(required = true, value_name = "ITEM|-")]
    items: Vec<String>,
    /// So many hours, this one being the last; 24h unless --from is given
    #[arg(long, value_name = "TIME", conflicts_with = "from")]
    last: Option<String>,
    /// Where to begin, RFC 3339 or an epoch number
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Where to end; with this hour unless given
    #[arg(long, value_name = "TIME", requires = "from")]
    to: Option<String>,
    /// Count each by itself
    #[arg(long, value_enum)]
    by: Option<CountBy>,
    /// Time zone by whose clocks days begin
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    tz: String,
    /// Types of events to count; may be given several times
    #[arg(long = "event-type", value_name = "TYPE", default_value = PURCHASE)]
    event_types: Vec<String>,
    /// Count only what was sold in this category, or below it
    #[arg(long, value_name = "PATH")]
    category: Option<String>,
    #[command(flatten)]
    output: OutputArgs,
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
    event_types: Vec<String>,
    hours: Range<Hour>,
    category: Option<String>,
    by: Option<By>,
    zone: Zone,
    target: Target,
    /// Where the hours asked for were none that are whole.
    is_rounded: bool,
}

impl Count {
    /// Checks the options.
    ///
    /// # Errors
    /// Names the option that is wrong and what to write instead.
    pub fn check(&self, settings: &Settings) -> Result<Question, Failure> {
        let typed = self;
        let (hours, is_rounded) = hours_of(typed, settings.now)?;
        let category = typed
            .category
            .as_deref()
            .map(|path| check_path(path).map_err(|e| Failure::usage(format!("--category `{path}` {e}"))));
        let mut event_types = typed.event_types.clone();
        event_types.sort_unstable();
        event_types.dedup();
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
            zone: Zone::named(&typed.tz).map_err(|e| Failure::usage(format!("--tz: {e}")))?,
            target: typed.output.target(None, settings.color)?,
            is_rounded,
        })
    }
}

/// Returns the hours that are asked for, and whether they are more than that.
fn hours_of(typed: &Count, now: Timestamp) -> Result<(Range<Hour>, bool), Failure> {
    let moment = |name: &str, text: &str| {
        Timestamp::parse(text).map_err(|e| Failure::usage(format!("{name} `{text}` {e}")))
    };
    let after_now = now.hour().plus(1);
    let Some(from) = &typed.from else {
        let last = typed.last.as_deref().unwrap_or("24h");
        let hours = parse_hours(last).map_err(|e| Failure::usage(format!("--last: {e}")))?;
        let oldest = Window::ending(after_now, hours).oldest();
        return match Timestamp::from_micros(oldest.start().micros()) {
            Ok(_) => Ok((oldest..after_now, false)),
            Err(_) => Err(Failure::usage("--last begins before the year 1".to_owned())),
        };
    };
    let from = moment("--from", from)?;
    let to = typed.to.as_deref().map(|to| moment("--to", to)).transpose()?;
    let hours = from.hour()..to.map_or(after_now, Timestamp::rounded_up);
    if hours.is_empty() {
        let to = to.unwrap_or(now);
        return Err(Failure::usage(format!("--from {from} does not lie before --to {to}")));
    }
    if hours.end.number().abs_diff(hours.start.number()) > MAX_HOURS {
        return Err(Failure::usage("--from and --to lie more than 100 years apart".to_owned()));
    }
    let is_rounded = hours.start.start() != from || to.is_some_and(|to| hours.end.start() != to);
    Ok((hours, is_rounded))
}

const MAX_HOURS: u32 = 100 * 366 * 24;

/// Counts what was asked for, and says it.
///
/// # Errors
/// Fails where the lake cannot be read, or standard input can be neither.
pub fn run(settings: &Settings, typed: &Count) -> Result<Exit, Failure> {
    let question = typed.check(settings)?;
    settings.use_threads()?;
    run_recorder::record(settings, "count", RecordMode::AtEnd, |_| answer(settings, &question))
}

fn answer(settings: &Settings, question: &Question) -> Result<Exit, Failure> {
    let mut items = question.items.clone();
    if question.reads_more {
        items.extend(items_of(io::stdin().lock())?);
    }
    let mut asked: Vec<&str> = Vec::with_capacity(items.len());
    let store = settings.store()?;
    let counted = Counted {
        event_types: &question.event_types,
        hours: question.hours.clone(),
        category: question.category.as_deref(),
    };
    asked.extend(items.iter().map(String::as_str));
    let mut found = counts::by_hour(&store, &counted, &asked).map_err(StepError::Rollup)?;
    // Who is asked for twice is told of once, where first asked for.
    let found: Vec<_> =
        asked.into_iter().filter_map(|item| found.remove(item).map(|by_hour| (item, by_hour))).collect();
    if question.is_rounded {
        let (from, to) = (question.hours.start.start(), question.hours.end.start());
        settings.note(&format!("note: counted in whole hours, from {from} to {to}"));
    }
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
