//! `topsell schedule --list`: the next due runs.

use crate::commands::schedule::args::Schedule;
use crate::failure::{Exit, Failure};
use crate::moments::moment;
use crate::settings::Settings;
use topsell_core::model::Zone;
use topsell_ops::cron::CronSchedule;
use topsell_ops::job_spec::{Job, JobSet};
use topsell_output::answers::DueRuns;

/// Lists the next due runs.
///
/// # Errors
/// Fails where there are no jobs, and where the output does.
pub fn run(settings: &Settings, typed: &Schedule, found: &JobSet) -> Result<Exit, Failure> {
    let zone = Zone::named(&typed.tz).map_err(|e| Failure::usage(format!("--tz: {e}")))?;
    let until = typed.until.as_deref().map(|text| moment("--until", text, settings.now, &zone));
    let until = until.transpose()?.map(|moment| moment.at);
    let target = typed.output.target(None, settings.color)?;
    if found.jobs.is_empty() && found.errors.is_empty() {
        return Err(Failure::not_found("no jobs found".to_owned()));
    }
    let unscheduled: Vec<&str> =
        found.jobs.values().filter(|job| job.schedule.is_none()).map(|job| job.name.as_str()).collect();
    if !unscheduled.is_empty() {
        settings.note(&format!("note: jobs without a schedule: {}", unscheduled.join(", ")));
    }
    let jobs = found.jobs.values().filter_map(|job| Some((job, schedule_of(job)?))).collect();
    let due = DueRuns { jobs, unscheduled, after: settings.now, each: typed.limit, until };
    target.write(due.answer())?;
    Ok(if found.errors.is_empty() { Exit::Success } else { Exit::UsageError })
}

/// Returns the schedule of a job; those of jobs that were read are valid.
fn schedule_of(job: &Job) -> Option<CronSchedule> {
    CronSchedule::parse(job.schedule.as_deref()?, Zone::named(&job.time_zone).ok()?).ok()
}
