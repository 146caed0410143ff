//! When a job is due, and when its runs begin: a while after, where jitter says so.

use std::collections::VecDeque;

use crate::cron::Calendar;
use crate::job_spec::Job;
use crate::scheduler::planner::GRACE_SECONDS;
use topsell_core::model::{Timestamp, Zone};

const MICROS_PER_SECOND: u64 = 1_000_000;

/// The due times of a job.
pub(super) struct Times {
    calendar: Calendar,
    name: String,
    jitter_seconds: u64,
}

impl Times {
    /// Returns the due times of a job; none where it has no schedule, or one that names no times.
    pub fn of(job: &Job) -> Option<Times> {
        let zone = Zone::named(&job.time_zone).ok()?;
        let calendar = Calendar::parse(job.schedule.as_ref()?, zone).ok()?;
        Some(Times { calendar, name: job.name.clone(), jitter_seconds: job.policy.jitter_seconds })
    }

    /// Returns the first due time after a moment.
    pub fn next_after(&self, moment: Timestamp) -> Option<Timestamp> {
        // Whatever a calendar says, time goes on.
        self.calendar.next_after(moment).filter(|next| *next > moment)
    }

    /// Returns when the run that is due then begins: the same on every machine.
    pub fn begin(&self, due: Timestamp) -> Timestamp {
        if self.jitter_seconds == 0 {
            return due;
        }
        let hash = blake3::hash(format!("{} {due}", self.name).as_bytes());
        let chance = hash.as_bytes().first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let micros = chance % self.jitter_seconds.saturating_mul(MICROS_PER_SECOND).max(1);
        let later = i64::try_from(micros).ok().and_then(|micros| due.micros().checked_add(micros));
        later.and_then(|micros| Timestamp::from_micros(micros).ok()).unwrap_or(due)
    }

    /// Returns the last moment at which what was due is missed by now.
    pub fn missed_until(&self, now: Timestamp) -> Timestamp {
        let jitter = i64::try_from(self.jitter_seconds).unwrap_or(i64::MAX);
        now.plus_seconds(jitter.saturating_add(GRACE_SECONDS).saturating_neg())
    }

    /// Returns the newest due times after one moment and up to another, at most so many.
    pub fn newest(&self, after: Timestamp, until: Timestamp, most: usize) -> VecDeque<Timestamp> {
        // Calendars count forwards only. The span to look at is doubled, from its end, until it holds
        // enough: a job of every second that nobody looked at for a year is not counted through.
        let mut seconds = 60;
        loop {
            let from = after.max(until.plus_seconds(-seconds));
            let mut found = VecDeque::new();
            let mut last = from;
            while let Some(next) = self.next_after(last).filter(|next| *next <= until) {
                if found.len() == most {
                    found.pop_front();
                }
                found.push_back(next);
                last = next;
            }
            if found.len() >= most || from == after {
                return found;
            }
            seconds *= 2;
        }
    }
}
