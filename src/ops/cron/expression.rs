//! Parses cron expressions.
//!
//! Invariant: an error names the field and the part of it that is wrong.
//!
//! As in Vixie cron, if the day of the month or the day of the week starts with `*`, a day must match both
//! fields; otherwise one is enough.

use croner::parser::{CronParser, Seconds};
use jiff::civil;
use strsim::damerau_levenshtein;

use crate::cron::pattern::{Days, Pattern};

/// An invalid cron expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid schedule `{expression}`: {reason}")]
pub struct CronError {
    expression: String,
    reason: String,
}

impl CronError {
    /// Returns what is wrong, without the expression.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

/// A field and its valid values.
struct Field {
    name: &'static str,
    min: u8,
    max: u8,
    /// Names of the values from `min` on.
    names: &'static [&'static str],
}

const FIELDS: [Field; 6] = [
    Field { name: "second", min: 0, max: 59, names: &[] },
    Field { name: "minute", min: 0, max: 59, names: &[] },
    Field { name: "hour", min: 0, max: 23, names: &[] },
    Field { name: "day of the month", min: 1, max: 31, names: &[] },
    Field {
        name: "month",
        min: 1,
        max: 12,
        names: &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
    },
    // Sunday is 7 as well as 0.
    Field {
        name: "day of the week",
        min: 0,
        max: 7,
        names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
    },
];

const MACROS: &[(&str, &str)] = &[
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];
/// A macro of other cron implementations that is not a time.
const REBOOT: &str = "@reboot";
const MAX_LENGTH: usize = 1_000;

/// Parses an expression.
pub fn parse(expression: &str) -> Result<Pattern, CronError> {
    let error = |reason: String| {
        let end = expression.char_indices().nth(MAX_LENGTH).map_or(expression.len(), |(at, _)| at);
        CronError { expression: expression[..end].trim().to_owned(), reason }
    };
    if expression.len() > MAX_LENGTH {
        return Err(error(format!("longer than {MAX_LENGTH} characters")));
    }
    let expanded = expand_macro(expression.trim()).map_err(error)?;
    let mut fields: Vec<&str> = expanded.split_whitespace().collect();
    if fields.len() == FIELDS.len() - 1 {
        fields.insert(0, "0");
    }
    if fields.len() != FIELDS.len() {
        return Err(error(format!(
            "expected five fields, `minute hour day-of-month month day-of-week`, or six with seconds first; found {}",
            fields.len()
        )));
    }
    let numbers = FIELDS.iter().zip(&fields).map(|(field, text)| field.normalize(text));
    let numbers = numbers.collect::<Result<Vec<String>, String>>().map_err(error)?;
    let parser = CronParser::builder().seconds(Seconds::Required).build();
    let cron = parser.parse(&numbers.join(" ")).map_err(|source| error(source.to_string()))?.pattern;
    let set = |values: Vec<u16>| values.into_iter().fold(0, |set: u64, value| set | 1 << value);
    let pattern = Pattern {
        seconds: set(cron.seconds.values()),
        minutes: set(cron.minutes.values()),
        hours: set(cron.hours.values()),
        months: set(cron.months.values()),
        days: Days {
            of_month: set(cron.days.values()),
            of_week: set(cron.days_of_week.values()),
            match_both: fields[3].starts_with('*') || fields[5].starts_with('*'),
        },
    };
    // From a date that leaves the whole 400-year cycle to search.
    let start = civil::date(2000, 1, 1).at(0, 0, 0, 0);
    pattern.first_from(start).ok_or_else(|| error("no date matches".to_owned()))?;
    Ok(pattern)
}

/// Returns the fields that a macro stands for; anything else is returned unchanged.
fn expand_macro(expression: &str) -> Result<&str, String> {
    if !expression.starts_with('@') {
        return Ok(expression);
    }
    let is_macro = |entry: &&(&str, &str)| entry.0.eq_ignore_ascii_case(expression);
    if let Some((_, fields)) = MACROS.iter().find(is_macro) {
        return Ok(fields);
    }
    if expression.eq_ignore_ascii_case(REBOOT) {
        return Err("not supported; start the command together with the scheduler".to_owned());
    }
    let near = MACROS.iter().map(|(word, _)| (damerau_levenshtein(word, expression), word)).min();
    match near {
        Some((0..=2, word)) => Err(format!("did you mean `{word}`?")),
        _ => {
            Err(format!("known macros: {}", MACROS.iter().map(|word| word.0).collect::<Vec<_>>().join(", ")))
        }
    }
}

impl Field {
    /// Checks the field and returns it with numbers in place of names.
    fn normalize(&self, text: &str) -> Result<String, String> {
        let items = text.split(',').map(|item| self.item(item));
        Ok(items.collect::<Result<Vec<String>, String>>()?.join(","))
    }

    /// Checks one list item: a number, or `*` or a range with an optional step.
    fn item(&self, item: &str) -> Result<String, String> {
        if item.is_empty() {
            return Err(format!("empty list item in the {} field", self.name));
        }
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (item, None),
        };
        let step = match step {
            None => String::new(),
            Some(text) => match number(text) {
                Some(0) | None => {
                    return Err(format!("invalid step `{text}`: expected an integer of at least 1 after /"));
                }
                Some(step) if step > self.count() => {
                    let (name, count) = (self.name, self.count());
                    return Err(format!(
                        "step `{text}` is beyond the {count} values of the {name} field, so that it is due as if by {count}; list the times instead"
                    ));
                }
                Some(step) => format!("/{step}"),
            },
        };
        if range == "*" {
            return Ok(format!("*{step}"));
        }
        let Some((first, last)) = range.split_once('-') else {
            let value = self.value(range)?;
            if !step.is_empty() {
                let max = self.max;
                return Err(format!("a step needs a range; write `{range}-{max}{step}`"));
            }
            return Ok(value.to_string());
        };
        let from = self.value(first)?;
        let mut to = self.value(last)?;
        // Sunday may also end a week.
        if to == 0 && from > 0 && self.max == 7 && last.eq_ignore_ascii_case("SUN") {
            to = 7;
        }
        if to < from {
            let (min, max) = (self.min, self.max.min(if self.max == 7 { 6 } else { self.max }));
            return Err(format!("range `{range}` is reversed; write `{from}-{max},{min}-{to}`"));
        }
        Ok(format!("{from}-{to}{step}"))
    }

    /// Returns how many values the field has.
    fn count(&self) -> u32 {
        // Sunday is 7 as well as 0.
        u32::from(self.max.min(if self.max == 7 { 6 } else { self.max }) - self.min) + 1
    }

    /// Returns the value of a number or name.
    fn value(&self, text: &str) -> Result<u8, String> {
        let named = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let number = match named {
            Some(at) => u32::try_from(at).ok().map(|at| at + u32::from(self.min)),
            None => number(text),
        };
        let valid = u32::from(self.min)..=u32::from(self.max);
        match number.filter(|number| valid.contains(number)) {
            Some(number) => Ok(u8::try_from(number).expect("no field reaches beyond 59")),
            None => {
                let names = match self.names {
                    [] => String::new(),
                    [first, .., last] => format!(", or {first} to {last}"),
                    [only] => format!(", or {only}"),
                };
                Err(format!("invalid {} `{text}`: expected {} to {}{names}", self.name, self.min, self.max))
            }
        }
    }
}

/// Parses digits; a number that is too large becomes `u32::MAX`.
fn number(text: &str) -> Option<u32> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u32::MAX))
}
