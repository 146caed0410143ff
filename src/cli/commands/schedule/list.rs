//! `topsell schedule --list`: what will run when.
//!
//! Invariant: runs are told in the order of their times, and worked out while they are told, however many.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, BufWriter, IsTerminal, Write};

use serde_json::json;

use crate::commands::schedule::{Schedule, ScheduleFormat};
use crate::failure::{Exit, Failure, unless_reader_left};
use crate::settings::Settings;
use topsell_core::model::{Timestamp, Zone, escape_control, shown};
use topsell_ops::cron::Calendar;
use topsell_ops::job_spec::{Does, Found, Job};
use topsell_output::show::ShowError;

/// Jobs that have a schedule, and the times by which theirs ends.
struct Plan<'a> {
    jobs: Vec<(&'a Job, Calendar)>,
    /// How many runs of each job.
    each: u32,
    /// Every run is before this, if it is said; then there are as many as there are.
    until: Option<Timestamp>,
}

/// Tells when what will run.
///
/// # Errors
/// Fails where there is nothing to tell, and where the output does.
pub fn run(settings: &Settings, typed: &Schedule, found: &Found) -> Result<Exit, Failure> {
    let moment =
        |text: &String| Timestamp::parse(text).map_err(|e| Failure::usage(format!("--until `{text}` {e}")));
    let until = typed.until.as_ref().map(moment).transpose()?;
    if found.jobs.is_empty() && found.faults.is_empty() {
        return Err(Failure::not_found("no jobs are written down there".to_owned()));
    }
    let unscheduled: Vec<&str> =
        found.jobs.values().filter(|job| job.schedule.is_none()).map(|job| job.name.as_str()).collect();
    if !unscheduled.is_empty() {
        settings.note(&format!("note: without a schedule, run by hand: {}", unscheduled.join(", ")));
    }
    let jobs = found.jobs.values().filter_map(|job| Some((job, calendar(job)?))).collect();
    let plan = Plan { jobs, each: typed.limit, until };
    let unsaid = if io::stdout().is_terminal() { ScheduleFormat::Table } else { ScheduleFormat::Json };
    let mut out = BufWriter::new(io::stdout().lock());
    let written = match typed.format.unwrap_or(unsaid) {
        ScheduleFormat::Table => table(&plan, settings.now, &mut out),
        ScheduleFormat::Csv => csv(&plan, settings.now, &mut out),
        ScheduleFormat::Ndjson => ndjson(&plan, settings.now, &mut out),
        ScheduleFormat::Json => json(&plan, settings.now, &unscheduled, &mut out),
    };
    written.and_then(|()| out.flush()).map_err(ShowError::from).or_else(unless_reader_left)?;
    Ok(if found.faults.is_empty() { Exit::Success } else { Exit::UsageError })
}

/// Returns when a job is due; jobs are read only with schedules and zones that are some.
fn calendar(job: &Job) -> Option<Calendar> {
    Calendar::parse(job.schedule.as_deref()?, Zone::named(&job.time_zone).ok()?).ok()
}

impl Plan<'_> {
    /// Calls for each run, in the order of their times, then of the jobs' names.
    fn each_run(
        &self,
        after: Timestamp,
        mut tell: impl FnMut(Timestamp, &Job, &Zone) -> io::Result<()>,
    ) -> io::Result<()> {
        let first =
            |(at, (_, calendar)): (usize, &(_, Calendar))| Some(Reverse((calendar.next_after(after)?, at)));
        let mut next: BinaryHeap<_> = self.jobs.iter().enumerate().filter_map(first).collect();
        let mut told = vec![0_u32; self.jobs.len()];
        while let Some(Reverse((due, at))) = next.pop() {
            let is_over = self.until.map_or(told[at] >= self.each, |until| due >= until);
            if is_over {
                continue;
            }
            let (job, calendar) = &self.jobs[at];
            tell(due, job, calendar.zone())?;
            told[at] = told[at].saturating_add(1);
            next.extend(calendar.next_after(due).map(|due| Reverse((due, at))));
        }
        Ok(())
    }
}

fn table(plan: &Plan<'_>, now: Timestamp, out: &mut impl Write) -> io::Result<()> {
    let width = plan.jobs.iter().map(|(job, _)| job.name.len()).max().unwrap_or(0).max("job".len());
    writeln!(out, "{:<25}  {:<20}  {:<width$}  what", "due", "UTC", "job")?;
    plan.each_run(now, |due, job, zone| {
        let what = shown(&does(job).join("; "));
        writeln!(out, "{}  {due:<20}  {:<width$}  {what}", local(due, zone), job.name)
    })
}

fn csv(plan: &Plan<'_>, now: Timestamp, out: &mut impl Write) -> io::Result<()> {
    let mut rows = csv::Writer::from_writer(out);
    rows.write_record(["due", "utc", "job", "time_zone", "schedule", "what"])?;
    plan.each_run(now, |due, job, zone| {
        let schedule = job.schedule.as_deref().unwrap_or_default();
        let what = does(job).join("; ");
        let row = [&local(due, zone), &due.to_string(), &job.name, zone.name(), schedule, &what];
        Ok(rows.write_record(row)?)
    })?;
    rows.flush()
}

fn ndjson(plan: &Plan<'_>, now: Timestamp, out: &mut impl Write) -> io::Result<()> {
    plan.each_run(now, |due, job, zone| writeln!(out, "{}", value(due, job, zone)))
}

fn json(plan: &Plan<'_>, now: Timestamp, unscheduled: &[&str], out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{{\n  \"schema\": 1,\n  \"after\": \"{now}\",\n  \"runs\": [")?;
    let mut before = "";
    plan.each_run(now, |due, job, zone| {
        write!(out, "{before}    {}", value(due, job, zone))?;
        before = ",\n";
        Ok(())
    })?;
    writeln!(out, "\n  ],\n  \"unscheduled\": {}\n}}", json!(unscheduled))
}

fn value(due: Timestamp, job: &Job, zone: &Zone) -> serde_json::Value {
    json!({
        "due": local(due, zone),
        "utc": due.to_string(),
        "job": job.name,
        "time_zone": zone.name(),
        "schedule": job.schedule,
        "what": does(job),
    })
}

/// Returns a moment as a clock there has it.
fn local(due: Timestamp, zone: &Zone) -> String {
    let zoned = zone.zoned(due).expect("due times lie in the calendar");
    zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// Returns each step as it could be typed.
fn does(job: &Job) -> Vec<String> {
    let steps = job.steps.iter().map(|step| match &step.does {
        Does::Topsell(words) => joined(words),
        // A crontab's command is one for the shell already.
        Does::Exec(words) => match words.as_slice() {
            [_, flag, command] if flag == "-c" => command.clone(),
            words => joined(words),
        },
    });
    steps.map(|text| escape_control(&text)).collect()
}

fn joined(words: &[String]) -> String {
    shlex::try_join(words.iter().map(String::as_str)).unwrap_or_else(|_| words.join(" "))
}
