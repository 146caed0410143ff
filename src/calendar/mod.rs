//! Times at which something is due: cron expressions on a clock on some wall.
//!
//! Invariant: pure; never asks what time it is.

use croner::Cron;
use croner::parser::{CronParser, Seconds};

use crate::time::{Timestamp, Zone};

/// The times that an expression names in a zone.
#[derive(Clone, Debug)]
pub struct Calendar {
    cron: Cron,
    zone: Zone,
}

/// An expression names no times.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{expression}` is no schedule: {reason}")]
pub struct CalendarError {
    expression: String,
    reason: String,
}

impl Calendar {
    /// Reads five fields, six with seconds first, or a word such as `@hourly`.
    ///
    /// # Errors
    /// Says what is wrong with the expression.
    pub fn parse(expression: &str, zone: Zone) -> Result<Calendar, CalendarError> {
        let parser = CronParser::builder().seconds(Seconds::Optional).build();
        let cron = parser.parse(expression).map_err(|error| CalendarError {
            expression: expression.to_owned(),
            reason: error.to_string(),
        })?;
        Ok(Calendar { cron, zone })
    }

    /// Returns the first time after a moment; none where there is none any more.
    pub fn next_after(&self, moment: Timestamp) -> Option<Timestamp> {
        let zoned = self.zone.zoned(moment)?;
        let next = self.cron.find_next_occurrence(&zoned, false).ok()?;
        Timestamp::from_micros(next.timestamp().as_microsecond()).ok()
    }
}
