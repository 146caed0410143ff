//! Counts as text: a table to look at, JSON, NDJSON or CSV to work with.

use std::io;
use std::io::Write;

use serde::Serialize;

use topsell_core::counts::{Bucket, Buckets, By, ByHour, Counted};
use topsell_core::model::{Aggregate, AggregateOverflow, PURCHASE, Timestamp, Zone, escape_control};
use topsell_core::rollup::RollupError;

/// Nothing could be counted, or nobody could be told.
#[derive(Debug, thiserror::Error)]
pub enum CountError {
    #[error(transparent)]
    Rollup(#[from] RollupError),
    #[error(transparent)]
    Output(#[from] io::Error),
}

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `is_bright` headings are in bold type.
    Table {
        is_bright: bool,
    },
    Json,
    Ndjson,
    Csv,
}

/// What has been counted, and how it is to be put together.
pub struct Answer<'a> {
    pub counted: &'a Counted<'a>,
    /// In the order in which they were asked for.
    pub items: &'a [(&'a str, ByHour)],
    pub by: Option<By>,
    pub zone: &'a Zone,
    pub now: Timestamp,
}

const SCHEMA: u32 = 1;

#[derive(Serialize)]
struct Whole<'a> {
    schema: u32,
    hours_from: String,
    hours_to: String,
    is_filling: bool,
    event_types: &'a [String],
    category: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_zone: Option<&'a str>,
    items: Vec<Item<'a>>,
}

#[derive(Serialize)]
struct Item<'a> {
    item_id: &'a str,
    #[serde(flatten)]
    numbers: Numbers,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<Vec<InBucket<'a>>>,
}

#[derive(Serialize)]
struct InBucket<'a> {
    #[serde(flatten)]
    place: Place<'a>,
    #[serde(flatten)]
    numbers: Numbers,
}

/// One line of NDJSON, which stands by itself.
#[derive(Serialize)]
struct Line<'a> {
    item_id: &'a str,
    #[serde(flatten)]
    place: Option<Place<'a>>,
    hours_from: String,
    hours_to: String,
    is_filling: bool,
    #[serde(flatten)]
    numbers: Numbers,
}

/// A bucket, under the name of its kind.
#[derive(Serialize)]
struct Place<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    hour: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    day: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weekday: Option<&'a str>,
    hours: u32,
}

#[derive(Serialize)]
struct Numbers {
    purchases: i64,
    units: i64,
    amount: String,
    /// Amount per unit; none where there are no units.
    average: Option<String>,
}

impl Numbers {
    fn of(aggregate: &Aggregate) -> Numbers {
        Numbers {
            purchases: aggregate.purchases,
            units: aggregate.units,
            amount: aggregate.amount_text().to_string(),
            average: average(aggregate),
        }
    }

    fn cells(self) -> [String; 4] {
        let (purchases, units) = (self.purchases.to_string(), self.units.to_string());
        [purchases, units, self.amount, self.average.unwrap_or_default()]
    }
}

const NUMBERS: [&str; 4] = ["purchases", "units", "amount", "average"];

/// Returns the amount per unit to four places, halves rounded away from zero.
fn average(aggregate: &Aggregate) -> Option<String> {
    let units = i128::from(aggregate.units);
    let (whole, rest) = (aggregate.amount.checked_div(units)?, aggregate.amount.checked_rem(units)?);
    let is_half = rest.unsigned_abs() * 2 >= units.unsigned_abs();
    let away = if (aggregate.amount < 0) == (units < 0) { 1 } else { -1 };
    let amount = whole + if is_half { away } else { 0 };
    Some(Aggregate { amount, ..Aggregate::default() }.amount_text().to_string())
}

/// Writes an answer.
///
/// # Errors
/// Names an item whose aggregates do not fit, or fails where the output ends.
pub fn write(answer: &Answer<'_>, form: Form, out: &mut impl Write) -> Result<(), CountError> {
    let buckets = answer.by.map(|by| Buckets::of(answer.counted.hours.clone(), by, answer.zone));
    let buckets = buckets.as_ref();
    match form {
        Form::Table { is_bright } => answer.write_table(buckets, is_bright, out),
        Form::Json => answer.write_json(buckets, out),
        Form::Ndjson => answer.each_line(buckets, &mut |line| Ok(write_json(&line, out)?)),
        Form::Csv => answer.write_csv(buckets, out),
    }
}

impl Answer<'_> {
    fn write_json(&self, buckets: Option<&Buckets>, out: &mut impl Write) -> Result<(), CountError> {
        let items = self.items.iter().map(|(item_id, by_hour)| {
            let by = buckets.map(|buckets| {
                let aggregate = of_buckets(buckets, item_id, by_hour)?;
                let by = buckets.all.iter().zip(&aggregate).map(|(bucket, aggregate)| InBucket {
                    place: self.place(bucket),
                    numbers: Numbers::of(aggregate),
                });
                Ok::<_, CountError>(by.collect())
            });
            Ok(Item { item_id, numbers: Numbers::of(&total(item_id, by_hour)?), by: by.transpose()? })
        });
        let whole = Whole {
            schema: SCHEMA,
            hours_from: self.counted.hours.start.start().to_string(),
            hours_to: self.counted.hours.end.start().to_string(),
            is_filling: self.is_filling(),
            event_types: self.counted.event_types,
            category: self.counted.category,
            time_zone: self.by.map(|_| self.zone.name()),
            items: items.collect::<Result<_, CountError>>()?,
        };
        Ok(write_json(&whole, out)?)
    }

    fn write_csv(&self, buckets: Option<&Buckets>, out: &mut impl Write) -> Result<(), CountError> {
        let mut csv = csv::Writer::from_writer(out);
        let failed = |error: csv::Error| CountError::Output(error.into());
        let place = self.by.map(|by| vec![by.name(), "hours"]).unwrap_or_default();
        let columns =
            [&["item_id"], &place[..], &["hours_from", "hours_to", "is_filling"], &NUMBERS].concat();
        csv.write_record(columns).map_err(failed)?;
        self.each_line(buckets, &mut |line| {
            let mut cells = vec![line.item_id.to_owned()];
            cells.extend(line.place.into_iter().flat_map(Place::cells));
            cells.extend([line.hours_from, line.hours_to, line.is_filling.to_string()]);
            cells.extend(line.numbers.cells());
            csv.write_record(cells).map_err(failed)
        })?;
        Ok(csv.flush()?)
    }

    fn write_table(
        &self,
        buckets: Option<&Buckets>,
        is_bright: bool,
        out: &mut impl Write,
    ) -> Result<(), CountError> {
        // One item's name stands above its buckets.
        let one = match (self.items, self.by) {
            ([(item_id, _)], Some(_)) => Some(*item_id),
            _ => None,
        };
        writeln!(out, "{}", self.heading(one))?;
        let place = self.by.map(|by| match by {
            By::Hour => vec!["hour"],
            By::Day | By::Weekday => vec![by.name(), "hours"],
        });
        let place = place.unwrap_or_default();
        let item = if one.is_some() { &[][..] } else { &["item"] };
        let header = [item, &place[..], &NUMBERS].concat().into_iter().map(str::to_owned).collect();
        let mut lines: Vec<Vec<String>> = vec![header];
        self.each_line(buckets, &mut |line| {
            let mut cells = if one.is_some() { Vec::new() } else { vec![escape_control(line.item_id)] };
            cells.extend(line.place.into_iter().flat_map(Place::cells).take(place.len()));
            cells.extend(line.numbers.cells());
            lines.push(cells);
            Ok(())
        })?;
        let texts = item.len() + usize::from(self.by.is_some());
        Ok(write_aligned(&lines, texts, is_bright, out)?)
    }

    fn heading(&self, one: Option<&str>) -> String {
        let Counted { event_types, hours, category } = self.counted;
        let of = one.map(|item_id| format!(" of {}", escape_control(item_id))).unwrap_or_default();
        let place = category.map_or("the whole shop".to_owned(), escape_control);
        let mut heading = format!(
            "Counts{of} in {place}, {} to {}",
            self.zone.shown(hours.start),
            self.zone.shown(hours.end)
        );
        if *event_types != [PURCHASE] {
            heading.push_str(&format!(", counting {}", escape_control(&event_types.join(", "))));
        }
        if self.is_filling() {
            heading.push_str(", the last hour still filling");
        }
        heading
    }

    /// Gives a line for each item, or each of its buckets.
    fn each_line(
        &self,
        buckets: Option<&Buckets>,
        take: &mut dyn FnMut(Line<'_>) -> Result<(), CountError>,
    ) -> Result<(), CountError> {
        let line = |item_id, place: Option<&Bucket>, aggregate: &Aggregate| {
            let hours = place.map_or(&self.counted.hours, |bucket| &bucket.span);
            let until = place.map_or(self.counted.hours.end, |bucket| bucket.until);
            Line::<'_> {
                item_id,
                hours_from: hours.start.start().to_string(),
                hours_to: hours.end.start().to_string(),
                is_filling: until.start() > self.now,
                place: None,
                numbers: Numbers::of(aggregate),
            }
        };
        for (item_id, by_hour) in self.items {
            let Some(buckets) = buckets else {
                take(line(item_id, None, &total(item_id, by_hour)?))?;
                continue;
            };
            for (bucket, aggregate) in buckets.all.iter().zip(of_buckets(buckets, item_id, by_hour)?) {
                take(Line { place: Some(self.place(bucket)), ..line(item_id, Some(bucket), &aggregate) })?;
            }
        }
        Ok(())
    }

    fn place<'a>(&self, bucket: &'a Bucket) -> Place<'a> {
        let label = |by| Some(bucket.label.as_str()).filter(|_| self.by == Some(by));
        Place { hour: label(By::Hour), day: label(By::Day), weekday: label(By::Weekday), hours: bucket.hours }
    }

    fn is_filling(&self) -> bool {
        self.counted.hours.end.start() > self.now
    }
}

impl Place<'_> {
    fn cells(self) -> [String; 2] {
        let label = self.hour.or(self.day).or(self.weekday).unwrap_or_default();
        [label.to_owned(), self.hours.to_string()]
    }
}

fn total(item_id: &str, by_hour: &ByHour) -> Result<Aggregate, CountError> {
    let total = by_hour.values().try_fold(Aggregate::default(), |total, aggregate| total.plus(*aggregate));
    total.ok_or_else(|| overflow(item_id))
}

fn of_buckets(buckets: &Buckets, item_id: &str, by_hour: &ByHour) -> Result<Vec<Aggregate>, CountError> {
    buckets.aggregates(by_hour).ok_or_else(|| overflow(item_id))
}

fn overflow(item_id: &str) -> CountError {
    RollupError::Overflow(AggregateOverflow { item_id: item_id.to_owned() }).into()
}

fn write_json(value: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    // Through a buffer, so that a broken pipe stays an error of the pipe.
    writeln!(out, "{}", serde_json::to_string(value)?)
}

/// Writes columns below the first line's headings, the first few to the left and numbers to the
/// right.
fn write_aligned(
    lines: &[Vec<String>],
    texts: usize,
    is_bright: bool,
    out: &mut impl Write,
) -> io::Result<()> {
    let width_of = |at: usize| lines.iter().map(|line| line[at].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..lines.first().map_or(0, Vec::len)).map(width_of).collect();
    let (bright, plain) = if is_bright { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
    for (number, line) in lines.iter().enumerate() {
        let cells = line.iter().zip(&widths).enumerate().map(|(at, (cell, width))| match at < texts {
            true => format!("{cell:<width$}"),
            false => format!("{cell:>width$}"),
        });
        let text = cells.collect::<Vec<_>>().join("  ");
        match number {
            0 => writeln!(out, "{bright}{}{plain}", text.trim_end())?,
            _ => writeln!(out, "{}", text.trim_end())?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_average_is_rounded_away_from_zero_and_there_is_none_of_nothing() {
        let check = |amount, units, expected: Option<&str>| {
            let got = average(&Aggregate { purchases: 1, units, amount });
            assert_eq!(got.as_deref(), expected, "{amount} by {units}");
        };
        check(10_000, 3, Some("0.3333"));
        check(20_000, 3, Some("0.6667"));
        check(1, 2, Some("0.0001"));
        check(-1, 2, Some("-0.0001"));
        check(1, -2, Some("-0.0001"));
        check(-1, -2, Some("0.0001"));
        check(1, 3, Some("0.0000"));
        check(10_000, 0, None);
        check(i128::MAX, i64::MIN, Some("-1844674407370955.1616"));
    }
}
