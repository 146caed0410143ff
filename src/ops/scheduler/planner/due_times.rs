//! The due times of a job, and when its runs start: later by the jitter.

use std::collections::VecDeque;

use crate::cron::CronSchedule;
use crate::job_spec::Job;
use crate::scheduler::planner::plan::GRACE_SECONDS;
use topsell_core::model::{Timestamp, Zone};

const MICROS_PER_SECOND: u64 = 1_000_000;

/// The due times of a job.
pub(super) struct DueTimes {
    schedule: CronSchedule,
    name: String,
    jitter_seconds: u64,
}

impl DueTimes {
    /// Returns the due times of a job; `None` if it has no valid schedule.
    pub fn of(job: &Job) -> Option<DueTimes> {
        let zone = Zone::named(&job.time_zone).ok()?;
        let schedule = CronSchedule::parse(job.schedule.as_ref()?, zone).ok()?;
        Some(DueTimes { schedule, name: job.name.clone(), jitter_seconds: job.policy.jitter_seconds })
    }

    /// Returns the first due time after a moment.
    pub fn next_after(&self, moment: Timestamp) -> Option<Timestamp> {
        // Guards against a schedule that does not advance.
        self.schedule.next_after(moment).filter(|next| *next > moment)
    }

    /// Returns when the run due at a time starts: the same on every host.
    pub fn start(&self, due: Timestamp) -> Timestamp {
        if self.jitter_seconds == 0 {
            return due;
        }
        let hash = blake3::hash(format!("{} {due}", self.name).as_bytes());
        let random = hash.as_bytes().first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let micros = random % self.jitter_seconds.saturating_mul(MICROS_PER_SECOND).max(1);
        let later = i64::try_from(micros).ok().and_then(|micros| due.micros().checked_add(micros));
        later.and_then(|micros| Timestamp::from_micros(micros).ok()).unwrap_or(due)
    }

    /// Returns the latest due time that counts as missed by now.
    pub fn missed_until(&self, now: Timestamp) -> Timestamp {
        let jitter = i64::try_from(self.jitter_seconds).unwrap_or(i64::MAX);
        now.plus_seconds(jitter.saturating_add(GRACE_SECONDS).saturating_neg())
    }

    /// Returns the newest due times in a range, at most `max`.
    pub fn newest(&self, after: Timestamp, until: Timestamp, max: usize) -> VecDeque<Timestamp> {
        // Schedules can only be searched forwards. The range is doubled from its end until it has enough, so
        // that a job that was due every second for a year is not enumerated.
        let mut seconds = 60;
        loop {
            let from = after.max(until.plus_seconds(-seconds));
            let mut found = VecDeque::new();
            let mut last = from;
            while let Some(next) = self.next_after(last).filter(|next| *next <= until) {
                if found.len() == max {
                    found.pop_front();
                }
                found.push_back(next);
                last = next;
            }
            if found.len() >= max || from == after {
                return found;
            }
            seconds *= 2;
        }
    }
}
