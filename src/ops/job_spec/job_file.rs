//! Job files: TOML, one job per file.
//!
//! Invariant: every key of a file is understood or refused, with its line and column.
//!
//! ```text
//! schedule = "30 3 * * *"          without it, the job is started by hand only
//! time_zone = "Europe/Berlin"      default: UTC
//! steps = ["lake compact --wait", { run = "rank --all-items", success_exit_codes = [6] }, { exec = ["cp", "a", "b"] }]
//! retries = 2
//! [environment]
//! TOPSELL_LAKE = "/srv/lake"
//! ```

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use crate::cron::CronSchedule;
use crate::job_spec::error::JobError;
use crate::job_spec::job::{Job, Missed, Overlap, Policy};
use crate::job_spec::names::{check_job_name, is_variable};
use crate::job_spec::step;
use crate::job_spec::toml_reader::{CommandCheck, TomlReader, TomlValue};
use topsell_core::model::Zone;

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
const MAX_RETRIES: i64 = 1_000;

/// Parses a job file without checking its steps' arguments; returns the first error.
///
/// # Errors
/// Names the file, line and column, and what to write instead.
pub fn read_file(path: &Path, text: &str) -> Result<Job, JobError> {
    read(path, text, "UTC", &|_| Ok(())).map_err(|mut errors| errors.remove(0))
}

/// Parses a job file and checks the arguments of its steps; `zone` is the default time zone.
///
/// # Errors
/// Returns all errors, at least one.
pub fn read(path: &Path, text: &str, zone: &str, check: CommandCheck<'_>) -> Result<Job, Vec<JobError>> {
    let mut reader = TomlReader { path, text, errors: Vec::new() };
    let table = match DeTable::parse(text) {
        Ok(table) => table,
        Err(error) => {
            let message = format!("invalid TOML: {}", error.message().trim_end());
            reader.error(error.span().unwrap_or(0..0), message);
            return Err(reader.errors);
        }
    };
    let job = parse_job(&mut reader, table.get_ref(), zone, check);
    if reader.errors.is_empty() {
        return Ok(job);
    }
    reader.errors.sort_by_key(|error| match error {
        JobError::Invalid { line, column, .. } => (*line, *column),
        _ => (0, 0),
    });
    Err(reader.errors)
}

fn parse_job(reader: &mut TomlReader<'_>, table: &DeTable<'_>, zone: &str, check: CommandCheck<'_>) -> Job {
    let mut job = Job {
        name: String::new(),
        file: reader.path.to_owned(),
        line: 1,
        schedule: None,
        time_zone: zone.to_owned(),
        steps: Vec::new(),
        policy: Policy::default(),
        environment: BTreeMap::new(),
        working_dir: None,
        owner: None,
    };
    for (key, value) in table {
        apply_key(reader, &mut job, key, value, check);
    }
    if !has_key(table, "name") {
        name_after_file(reader, &mut job);
    }
    check_schedule(reader, &job, table);
    if !has_key(table, "steps") {
        reader.error(0..0, "missing key `steps`; add for example `steps = [\"rank\"]`".to_owned());
    }
    job
}

fn has_key(table: &DeTable<'_>, name: &str) -> bool {
    table.iter().any(|(key, _)| key.get_ref() == name)
}

/// Sets the field of the job that a key stands for.
fn apply_key(
    reader: &mut TomlReader<'_>,
    job: &mut Job,
    key: &toml::Spanned<Cow<'_, str>>,
    value: &TomlValue<'_>,
    check: CommandCheck<'_>,
) {
    match key.get_ref().as_ref() {
        "schedule" => {
            job.line = reader.position(key.span().start).0;
            job.schedule = reader.text("schedule", value).map(str::to_owned);
        }
        "time_zone" => match reader.text("time_zone", value).map(Zone::named) {
            Some(Ok(zone)) => zone.name().clone_into(&mut job.time_zone),
            Some(Err(error)) => reader.error(value.span(), error.to_string()),
            None => {}
        },
        "steps" => job.steps = step::read_all(reader, value, check),
        "name" => match reader.text("name", value).map(|name| (name, check_job_name(name))) {
            Some((name, Ok(()))) => name.clone_into(&mut job.name),
            Some((_, Err(message))) => reader.error(value.span(), message),
            None => {}
        },
        "working_dir" => {
            // Relative to the job file, as in every settings file.
            let dir = reader.text("working_dir", value).map(PathBuf::from);
            job.working_dir = dir.map(|dir| reader.path.parent().map_or(dir.clone(), |at| at.join(dir)));
        }
        "environment" => job.environment = environment(reader, value),
        policy => apply_policy(reader, &mut job.policy, policy, key.span(), value),
    }
}

/// Names a job after its file.
fn name_after_file(reader: &mut TomlReader<'_>, job: &mut Job) {
    let stem = reader.path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    match check_job_name(&stem) {
        Ok(()) => job.name = stem,
        Err(message) => {
            reader.error(0..0, format!("{message}; this is the file's name, set another with `name`"));
        }
    }
}

fn check_schedule(reader: &mut TomlReader<'_>, job: &Job, table: &DeTable<'_>) {
    let Some(schedule) = &job.schedule else { return };
    let zone = Zone::named(&job.time_zone).unwrap_or_else(|_| Zone::utc());
    if let Err(error) = CronSchedule::parse(schedule, zone) {
        let at = table.iter().find(|(key, _)| key.get_ref() == "schedule");
        reader.error(at.map_or(0..0, |(_, value)| value.span()), error.to_string());
    }
}

/// Sets the policy that a key stands for, or records an unknown key.
fn apply_policy(
    reader: &mut TomlReader<'_>,
    policy: &mut Policy,
    key: &str,
    at: Range<usize>,
    value: &TomlValue<'_>,
) {
    let overlaps = [("skip", Overlap::Skip), ("queue", Overlap::Queue), ("kill-old", Overlap::KillOld)];
    let misses = [("skip", Missed::Skip), ("once", Missed::Once), ("all", Missed::All)];
    let set = |field: &mut u64, value: Option<u64>| *field = value.unwrap_or(*field);
    match key {
        "overlap" => policy.overlap = reader.choice(key, value, &overlaps).unwrap_or(policy.overlap),
        "missed" => policy.missed = reader.choice(key, value, &misses).unwrap_or(policy.missed),
        "deadline" => policy.deadline_seconds = reader.seconds(key, value),
        "timeout" => {
            policy.timeout_seconds = reader.seconds(key, value);
            if policy.timeout_seconds == Some(0) {
                reader.error(
                    value.span(),
                    "`timeout` must be greater than zero; omit it for no timeout".to_owned(),
                );
            }
        }
        "kill_after" => set(&mut policy.kill_after_seconds, reader.seconds(key, value)),
        "retries" => policy.retries = reader.number(key, value, MAX_RETRIES).unwrap_or(0),
        "retry_delay" => set(&mut policy.retry_delay_seconds, reader.seconds(key, value)),
        "retry_max_delay" => set(&mut policy.retry_max_delay_seconds, reader.seconds(key, value)),
        "jitter" => set(&mut policy.jitter_seconds, reader.seconds(key, value)),
        "repeatable" => match value.get_ref() {
            DeValue::Boolean(is_repeatable) => policy.is_repeatable = *is_repeatable,
            _ => reader.error(value.span(), "`repeatable` must be true or false".to_owned()),
        },
        unknown => reader.unknown_key(at, unknown, KEYS),
    }
}

fn environment(reader: &mut TomlReader<'_>, value: &TomlValue<'_>) -> BTreeMap<String, String> {
    let DeValue::Table(table) = value.get_ref() else {
        reader.error(
            value.span(),
            "`environment` must be a table of variables; write `[environment]`".to_owned(),
        );
        return BTreeMap::new();
    };
    let mut variables = BTreeMap::new();
    for (name, value) in table {
        let text = reader.text(name.get_ref(), value);
        if !is_variable(name.get_ref()) {
            reader.error(name.span(), format!("invalid variable name `{}`", name.get_ref()));
        } else if let Some(text) = text {
            variables.insert(name.get_ref().to_string(), text.to_owned());
        }
    }
    variables
}
