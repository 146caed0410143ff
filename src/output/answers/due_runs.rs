//! The runs of jobs that come next, as an answer.
//!
//! Invariant: runs are in the order of their times, then of their jobs' names, and are computed
//! while they are written, however many there are.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::formats::{Answer, Column, ColumnType, JsonLayout, Table, TableColumn, Value};
use crate::terminal::Cell;
use topsell_core::model::{Timestamp, Zone, escape_control, shown};
use topsell_ops::cron::CronSchedule;
use topsell_ops::job_spec::{Job, StepAction};

/// Which runs to list.
pub struct DueRuns<'a> {
    /// Jobs that have a schedule, and when they are due.
    pub jobs: Vec<(&'a Job, CronSchedule)>,
    /// Jobs without a schedule.
    pub unscheduled: Vec<&'a str>,
    pub after: Timestamp,
    /// How many runs of each job.
    pub each: u32,
    /// Instead: all runs before this.
    pub until: Option<Timestamp>,
}

const COLUMNS: [Column; 6] = [
    Column::new("due", ColumnType::Text),
    Column::new("utc", ColumnType::Moment),
    Column::new("job", ColumnType::Text),
    Column::new("time_zone", ColumnType::Text),
    Column::new("schedule", ColumnType::Text),
    Column::new("what", ColumnType::Texts),
];
const SHOWN: [TableColumn; 4] = [
    TableColumn::essential("due", "due"),
    TableColumn::minor("utc", "UTC", 0).left(),
    TableColumn::essential("job", "job"),
    TableColumn::essential("what", "what").cut_to(16),
];

impl<'a> DueRuns<'a> {
    /// Returns the answer.
    pub fn answer(self) -> Answer<'a> {
        let unscheduled = self.unscheduled.iter().map(|&name| name.to_owned()).collect();
        Answer {
            envelope: vec![("after", self.after.into())],
            envelope_end: vec![("unscheduled", Value::Texts(unscheduled))],
            tables: vec![Table::new("runs", &COLUMNS, Runs::of(self)).showing(SHOWN)],
            json: JsonLayout::RowPerLine,
            ..Answer::default()
        }
    }
}

/// The rows, one by one.
struct Runs<'a> {
    plan: DueRuns<'a>,
    /// The next run of each job, and the job's position.
    next: BinaryHeap<Reverse<(Timestamp, usize)>>,
    /// How many runs of each job there were.
    counts: Vec<u32>,
}

impl<'a> Runs<'a> {
    fn of(plan: DueRuns<'a>) -> Runs<'a> {
        let jobs = plan.jobs.iter().enumerate();
        let first = |(at, (_, schedule)): (usize, &(_, CronSchedule))| {
            Some(Reverse((schedule.next_after(plan.after)?, at)))
        };
        Runs { next: jobs.filter_map(first).collect(), counts: vec![0; plan.jobs.len()], plan }
    }
}

impl Iterator for Runs<'_> {
    type Item = Vec<Value>;

    fn next(&mut self) -> Option<Vec<Value>> {
        loop {
            let Reverse((due, at)) = self.next.pop()?;
            let is_over = match self.plan.until {
                Some(until) => due >= until,
                None => self.counts[at] >= self.plan.each,
            };
            if is_over {
                continue;
            }
            self.counts[at] = self.counts[at].saturating_add(1);
            let (job, schedule) = &self.plan.jobs[at];
            self.next.extend(schedule.next_after(due).map(|due| Reverse((due, at))));
            return Some(row(due, job, schedule.zone()));
        }
    }
}

fn row(due: Timestamp, job: &Job, zone: &Zone) -> Vec<Value> {
    let what = commands(job);
    let line = shown(&what.join("; "));
    vec![
        local(due, zone).into(),
        due.into(),
        (&job.name).into(),
        zone.name().into(),
        job.schedule.as_deref().into(),
        Value::Texts(what).shown(Cell::of(&line)),
    ]
}

/// Returns a time with the offset of its zone.
fn local(due: Timestamp, zone: &Zone) -> String {
    let zoned = zone.zoned(due).expect("due times are in the calendar");
    zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// Returns the steps as a shell takes them.
fn commands(job: &Job) -> Vec<String> {
    let steps = job.steps.iter().map(|step| match &step.action {
        StepAction::Topsell(words) => joined(words),
        // A crontab's command is for a shell already.
        StepAction::Exec(words) => match words.as_slice() {
            [_, flag, command] if flag == "-c" => command.clone(),
            words => joined(words),
        },
    });
    steps.map(|text| escape_control(&text)).collect()
}

fn joined(words: &[String]) -> String {
    shlex::try_join(words.iter().map(String::as_str)).unwrap_or_else(|_| words.join(" "))
}
