//! Cron expressions as they are written.
//!
//! Invariant: what is refused is refused with the field and the words in it that are wrong.
//!
//! As in Vixie's cron, a field of days that begins with `*` restricts nothing by itself: where the day of
//! the month or that of the week is written so, a day must be named by both; otherwise either will do.

use croner::parser::{CronParser, Seconds};
use jiff::civil;
use strsim::damerau_levenshtein;

use crate::cron::pattern::{Days, Pattern};

/// An expression names no times.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{expression}` is no schedule: {reason}")]
pub struct CalendarError {
    expression: String,
    reason: String,
}

impl CalendarError {
    /// Returns what is wrong, without naming the expression.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

/// A field, and what may stand in it.
struct Field {
    name: &'static str,
    least: u8,
    most: u8,
    /// Names of its numbers, the first being that of the least.
    names: &'static [&'static str],
}

const FIELDS: [Field; 6] = [
    Field { name: "second", least: 0, most: 59, names: &[] },
    Field { name: "minute", least: 0, most: 59, names: &[] },
    Field { name: "hour", least: 0, most: 23, names: &[] },
    Field { name: "day of the month", least: 1, most: 31, names: &[] },
    Field {
        name: "month",
        least: 1,
        most: 12,
        names: &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
    },
    // Sunday is 7 as well as 0.
    Field {
        name: "day of the week",
        least: 0,
        most: 7,
        names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
    },
];

const WORDS: &[(&str, &str)] = &[
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];
/// A word of other crons that names no time at all.
const REBOOT: &str = "@reboot";
const MAX_LENGTH: usize = 1_000;

/// Reads an expression.
pub fn read(expression: &str) -> Result<Pattern, CalendarError> {
    let fault = |reason: String| {
        let end = expression.char_indices().nth(MAX_LENGTH).map_or(expression.len(), |(at, _)| at);
        CalendarError { expression: expression[..end].trim().to_owned(), reason }
    };
    if expression.len() > MAX_LENGTH {
        return Err(fault(format!("it is longer than {MAX_LENGTH} characters")));
    }
    let meant = spelled_out(expression.trim()).map_err(fault)?;
    let mut fields: Vec<&str> = meant.split_whitespace().collect();
    if fields.len() == FIELDS.len() - 1 {
        fields.insert(0, "0");
    }
    if fields.len() != FIELDS.len() {
        return Err(fault(format!(
            "it has {}; write five, `minute hour day-of-month month day-of-week`, or six with seconds first",
            counted(fields.len())
        )));
    }
    let numbers = FIELDS.iter().zip(&fields).map(|(field, text)| field.in_numbers(text));
    let numbers = numbers.collect::<Result<Vec<String>, String>>().map_err(fault)?;
    let parser = CronParser::builder().seconds(Seconds::Required).build();
    let cron = parser.parse(&numbers.join(" ")).map_err(|error| fault(error.to_string()))?.pattern;
    let set = |values: Vec<u16>| values.into_iter().fold(0, |set: u64, value| set | 1 << value);
    let pattern = Pattern {
        seconds: set(cron.seconds.values()),
        minutes: set(cron.minutes.values()),
        hours: set(cron.hours.values()),
        months: set(cron.months.values()),
        days: Days {
            of_month: set(cron.days.values()),
            of_week: set(cron.days_of_week.values()),
            by_both: fields[3].starts_with('*') || fields[5].starts_with('*'),
        },
    };
    // The last years of the calendar are not enough to find the day in.
    let some_day = civil::date(2000, 1, 1).at(0, 0, 0, 0);
    pattern.first_from(some_day).ok_or_else(|| fault("there is never such a day".to_owned()))?;
    Ok(pattern)
}

/// Returns what a word stands for; anything else is returned as it is.
fn spelled_out(expression: &str) -> Result<&str, String> {
    if !expression.starts_with('@') {
        return Ok(expression);
    }
    let is_word = |word: &&(&str, &str)| word.0.eq_ignore_ascii_case(expression);
    if let Some((_, fields)) = WORDS.iter().find(is_word) {
        return Ok(fields);
    }
    if expression.eq_ignore_ascii_case(REBOOT) {
        return Err("a start of the machine is no time; have what starts the scheduler do it".to_owned());
    }
    let near = WORDS.iter().map(|(word, _)| (damerau_levenshtein(word, expression), word)).min();
    match near {
        Some((0..=2, word)) => Err(format!("did you mean `{word}`?")),
        _ => Err(format!("the words are {}", WORDS.iter().map(|word| word.0).collect::<Vec<_>>().join(", "))),
    }
}

fn counted(fields: usize) -> String {
    match fields {
        0 => "no fields".to_owned(),
        1 => "one field".to_owned(),
        many => format!("{many} fields"),
    }
}

impl Field {
    /// Checks what stands in the field, and returns it with numbers for names.
    fn in_numbers(&self, text: &str) -> Result<String, String> {
        let items = text.split(',').map(|item| self.item(item));
        Ok(items.collect::<Result<Vec<String>, String>>()?.join(","))
    }

    /// Checks `*`, a number or a range, each but the number with a step or without one.
    fn item(&self, item: &str) -> Result<String, String> {
        if item.is_empty() {
            return Err(format!("something is missing in the field of the {}", self.name));
        }
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (item, None),
        };
        let step = match step {
            None => String::new(),
            Some(step) => match number(step) {
                Some(0) | None => {
                    return Err(format!("`{step}` is no step; write a whole number from 1 on after the /"));
                }
                // Further than the field reaches is as good as its whole reach.
                Some(step) => format!("/{}", step.min(u32::from(self.most) + 1)),
            },
        };
        if range == "*" {
            return Ok(format!("*{step}"));
        }
        let Some((first, last)) = range.split_once('-') else {
            let value = self.value(range)?;
            if !step.is_empty() {
                let most = self.most;
                return Err(format!("a step needs a range before it; write `{range}-{most}{step}`"));
            }
            return Ok(value.to_string());
        };
        let from = self.value(first)?;
        let mut to = self.value(last)?;
        // A week may end with its Sunday, too.
        if to == 0 && from > 0 && self.most == 7 && last.eq_ignore_ascii_case("SUN") {
            to = 7;
        }
        if to < from {
            let (least, most) = (self.least, self.most.min(if self.most == 7 { 6 } else { self.most }));
            return Err(format!("`{range}` goes backwards; write `{from}-{most},{least}-{to}`"));
        }
        Ok(format!("{from}-{to}{step}"))
    }

    /// Returns the number that is meant.
    fn value(&self, text: &str) -> Result<u8, String> {
        let named = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let number = match named {
            Some(at) => u32::try_from(at).ok().map(|at| at + u32::from(self.least)),
            None => number(text),
        };
        let reach = u32::from(self.least)..=u32::from(self.most);
        match number.filter(|number| reach.contains(number)) {
            Some(number) => Ok(u8::try_from(number).expect("no field reaches beyond 59")),
            None => {
                let names = match self.names {
                    [] => String::new(),
                    [first, .., last] => format!(", or {first} to {last}"),
                    [only] => format!(", or {only}"),
                };
                Err(format!("`{text}` is no {}; write {} to {}{names}", self.name, self.least, self.most))
            }
        }
    }
}

/// Returns a number of digits alone; one beyond all bounds is a very large one.
fn number(text: &str) -> Option<u32> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u32::MAX))
}
