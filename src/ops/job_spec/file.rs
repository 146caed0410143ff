//! Job files: TOML, a job in each.
//!
//! Invariant: every word of a file is understood or refused, with its line and column.
//!
//! ```text
//! schedule = "30 3 * * *"          none: it runs when someone says so only
//! time_zone = "Europe/Berlin"      UTC unless said
//! steps = ["lake compact --wait", { run = "rank --all-items", success_exit_codes = [6] }, { exec = ["cp", "a", "b"] }]
//! retries = 2
//! [environment]
//! TOPSELL_LAKE = "/srv/lake"
//! ```

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use crate::cron::Calendar;
use crate::job_spec::error::JobError;
use crate::job_spec::{Job, Missed, Overlap, Policy};
use topsell_core::model::{Zone, parse_seconds};

use crate::job_spec::step;

/// Says what is wrong with words that are to be typed after `topsell`, if anything is.
pub type Check<'a> = &'a dyn Fn(&[String]) -> Result<(), String>;

const KEYS: &[&str] = &[
    "schedule",
    "time_zone",
    "steps",
    "name",
    "overlap",
    "missed",
    "deadline",
    "timeout",
    "kill_after",
    "retries",
    "retry_delay",
    "retry_max_delay",
    "jitter",
    "repeatable",
    "working_dir",
    "environment",
];
/// Keys of earlier versions, and their names today.
const RENAMED: &[(&str, &str)] = &[("folder", "working_dir"), ("accept", "success_exit_codes")];
/// How alike two words are of which one may be meant for the other.
const ALIKE: f64 = 0.6;
const MAX_NAME: usize = 64;
const MAX_RETRIES: i64 = 1_000;

/// A value as it stands in the file, and where.
pub(super) type Written<'a> = toml::Spanned<DeValue<'a>>;

/// Reads a job file's text; what is wrong first is told.
///
/// # Errors
/// Names the file, line and column, and says what to write.
pub fn read_file(path: &Path, text: &str) -> Result<Job, JobError> {
    read(path, text, "UTC", &|_| Ok(())).map_err(|mut faults| faults.remove(0))
}

/// Reads a job file's text and has the words of its steps checked; a zone is that of a schedule that names none.
///
/// # Errors
/// Says all that is wrong, at least one thing.
pub fn read(path: &Path, text: &str, zone: &str, check: Check<'_>) -> Result<Job, Vec<JobError>> {
    let mut page = Page { path, text, faults: Vec::new() };
    let table = match DeTable::parse(text) {
        Ok(table) => table,
        Err(error) => {
            page.fault(
                error.span().unwrap_or(0..0),
                format!("it is no TOML: {}", error.message().trim_end()),
            );
            return Err(page.faults);
        }
    };
    let job = job(&mut page, table.get_ref(), zone, check);
    match page.faults.is_empty() {
        true => Ok(job),
        false => {
            page.faults.sort_by_key(|fault| match fault {
                JobError::Wrong { line, column, .. } => (*line, *column),
                _ => (0, 0),
            });
            Err(page.faults)
        }
    }
}

/// A file's text, and what was found wrong with it.
pub(super) struct Page<'a> {
    path: &'a Path,
    text: &'a str,
    faults: Vec<JobError>,
}

impl Page<'_> {
    /// Returns line and column of a byte, both from 1.
    fn place(&self, byte: usize) -> (u32, u32) {
        let before = &self.text.as_bytes()[..byte.min(self.text.len())];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let column = 1 + String::from_utf8_lossy(&before[start..]).chars().count();
        (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
    }

    /// Keeps what is wrong at a place.
    pub(super) fn fault(&mut self, at: Range<usize>, what: String) {
        let (line, column) = self.place(at.start);
        self.faults.push(JobError::Wrong { file: self.path.to_owned(), line, column, what });
    }

    /// Returns a text.
    pub(super) fn text<'v>(&mut self, key: &str, value: &'v Written<'_>) -> Option<&'v str> {
        match value.get_ref() {
            DeValue::String(text) if text.contains('\0') => {
                self.fault(value.span(), format!("`{key}` has a NUL character in it"));
                None
            }
            DeValue::String(text) => Some(text),
            _ => {
                self.fault(value.span(), format!("`{key}` is a text; write it in quotes"));
                None
            }
        }
    }

    /// Returns a whole number between 0 and another.
    pub(super) fn number(&mut self, key: &str, value: &Written<'_>, most: i64) -> Option<u32> {
        let number = match value.get_ref() {
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        let number = number.filter(|number| (0..=most).contains(number));
        if number.is_none() {
            self.fault(value.span(), format!("`{key}` is a whole number from 0 to {most}"));
        }
        number.and_then(|number| u32::try_from(number).ok())
    }

    /// Returns a length of time, in seconds.
    fn seconds(&mut self, key: &str, value: &Written<'_>) -> Option<u64> {
        let text = self.text(key, value)?;
        match parse_seconds(text) {
            Ok(seconds) => Some(seconds),
            Err(error) => {
                self.fault(value.span(), format!("`{key}`: {error}"));
                None
            }
        }
    }

    /// Returns one of several choices.
    fn choice<T: Copy>(&mut self, key: &str, value: &Written<'_>, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text(key, value)?;
        let found = choices.iter().find(|(name, _)| *name == text);
        if found.is_none() {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            self.fault(value.span(), format!("`{key}` is one of {}", names.join(", ")));
        }
        found.map(|(_, choice)| *choice)
    }

    /// Refuses a key that is none.
    pub(super) fn unknown(&mut self, at: Range<usize>, key: &str, known: &[&str], whose: &str) {
        if let Some((_, renamed)) = RENAMED.iter().find(|(old, new)| *old == key && known.contains(new)) {
            self.fault(at, format!("`{key}` has been renamed; write `{renamed}`"));
            return;
        }
        let alike = |name: &&&str| strsim::normalized_damerau_levenshtein(key, name);
        let near =
            known.iter().max_by(|a, b| alike(a).total_cmp(&alike(b))).filter(|name| alike(name) >= ALIKE);
        let meant = near.map_or_else(
            || format!("there are {}", known.join(", ")),
            |name| format!("did you mean `{name}`?"),
        );
        self.fault(at, format!("{whose} has no `{key}`; {meant}"));
    }
}

fn job(page: &mut Page<'_>, table: &DeTable<'_>, zone: &str, check: Check<'_>) -> Job {
    let mut job = Job {
        name: String::new(),
        file: page.path.to_owned(),
        line: 1,
        schedule: None,
        time_zone: zone.to_owned(),
        steps: Vec::new(),
        policy: Policy::default(),
        environment: BTreeMap::new(),
        working_dir: None,
        owner: None,
    };
    let mut is_named = false;
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "schedule" => {
                job.line = page.place(key.span().start).0;
                job.schedule = page.text("schedule", value).map(str::to_owned);
            }
            "time_zone" => {
                if let Some(text) = page.text("time_zone", value) {
                    match Zone::named(text) {
                        Ok(zone) => zone.name().clone_into(&mut job.time_zone),
                        Err(error) => page.fault(value.span(), error.to_string()),
                    }
                }
            }
            "steps" => job.steps = step::read_all(page, value, check),
            "name" => {
                is_named = true;
                if let Some(text) = page.text("name", value) {
                    match checked_name(text) {
                        Ok(()) => text.clone_into(&mut job.name),
                        Err(what) => page.fault(value.span(), what),
                    }
                }
            }
            "working_dir" => {
                // Relative to the job file, as in every settings file.
                let dir = page.text("working_dir", value).map(PathBuf::from);
                job.working_dir = dir.map(|dir| page.path.parent().map_or(dir.clone(), |at| at.join(dir)));
            }
            "environment" => job.environment = environment(page, value),
            policy => policies(page, &mut job.policy, policy, key.span(), value),
        }
    }
    if !is_named {
        let stem = page.path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        match checked_name(&stem) {
            Ok(()) => job.name = stem,
            Err(what) => page.fault(0..0, format!("{what}; it is the file's: say another with `name = `")),
        }
    }
    if let Some(schedule) = &job.schedule {
        let zone = Zone::named(&job.time_zone).unwrap_or_else(|_| Zone::utc());
        if let Err(error) = Calendar::parse(schedule, zone) {
            let at = table.iter().find(|(key, _)| key.get_ref() == "schedule");
            page.fault(at.map_or(0..0, |(_, value)| value.span()), error.to_string());
        }
    }
    if !table.iter().any(|(key, _)| key.get_ref() == "steps") {
        page.fault(0..0, "it has no steps; write some, such as `steps = [\"rank\"]`".to_owned());
    }
    job
}

/// Takes one policy, or refuses what is none.
fn policies(page: &mut Page<'_>, policy: &mut Policy, key: &str, at: Range<usize>, value: &Written<'_>) {
    let overlaps = [("skip", Overlap::Skip), ("queue", Overlap::Queue), ("kill-old", Overlap::KillOld)];
    let misses = [("skip", Missed::Skip), ("once", Missed::Once), ("all", Missed::All)];
    let set = |to: &mut u64, said: Option<u64>| *to = said.unwrap_or(*to);
    match key {
        "overlap" => policy.overlap = page.choice(key, value, &overlaps).unwrap_or(policy.overlap),
        "missed" => policy.missed = page.choice(key, value, &misses).unwrap_or(policy.missed),
        "deadline" => policy.deadline_seconds = page.seconds(key, value),
        "timeout" => {
            policy.timeout_seconds = page.seconds(key, value);
            if policy.timeout_seconds == Some(0) {
                page.fault(
                    value.span(),
                    "`timeout` of no time ends every run; leave it out for none".to_owned(),
                );
            }
        }
        "kill_after" => set(&mut policy.kill_after_seconds, page.seconds(key, value)),
        "retries" => policy.retries = page.number(key, value, MAX_RETRIES).unwrap_or(0),
        "retry_delay" => set(&mut policy.retry_delay_seconds, page.seconds(key, value)),
        "retry_max_delay" => set(&mut policy.retry_max_delay_seconds, page.seconds(key, value)),
        "jitter" => set(&mut policy.jitter_seconds, page.seconds(key, value)),
        "repeatable" => match value.get_ref() {
            DeValue::Boolean(is_repeatable) => policy.is_repeatable = *is_repeatable,
            _ => page.fault(value.span(), "`repeatable` is true or false".to_owned()),
        },
        unknown => page.unknown(at, unknown, KEYS, "a job"),
    }
}

fn environment(page: &mut Page<'_>, value: &Written<'_>) -> BTreeMap<String, String> {
    let DeValue::Table(table) = value.get_ref() else {
        page.fault(value.span(), "`environment` is a section of variables; write `[environment]`".to_owned());
        return BTreeMap::new();
    };
    let mut variables = BTreeMap::new();
    for (name, value) in table {
        let text = page.text(name.get_ref(), value);
        if !is_variable(name.get_ref()) {
            page.fault(name.span(), format!("`{}` is no name of a variable", name.get_ref()));
        } else if let Some(text) = text {
            variables.insert(name.get_ref().to_string(), text.to_owned());
        }
    }
    variables
}

/// Tells whether a shell could name a variable so.
pub(super) fn is_variable(name: &str) -> bool {
    let is_word = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_word && !name.is_empty() && !name.as_bytes()[0].is_ascii_digit()
}

/// Says what is wrong with a job's name, which is part of the names of files.
fn checked_name(name: &str) -> Result<(), String> {
    let is_plain = name.bytes().all(is_plain);
    match name {
        name if is_plain && (1..=MAX_NAME).contains(&name.len()) && !name.starts_with('.') => Ok(()),
        name => Err(format!(
            "`{name}` is no name of a job; take up to {MAX_NAME} of A-Z a-z 0-9 - _ . and no . at its beginning"
        )),
    }
}

/// Tells whether a byte may stand in a job's name.
pub(super) fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)
}
