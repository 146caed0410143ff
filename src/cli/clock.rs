//! The clock: the only place that asks what time it is.

use std::time::SystemTime;

use crate::failure::Failure;
use topsell_core::model::Timestamp;

/// Where the time comes from.
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    Machine,
    /// Always this moment.
    Fixed(Timestamp),
}

impl Clock {
    /// Returns what time it is.
    ///
    /// # Errors
    /// Fails where the machine's clock is set before 1970.
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the time")]
    pub fn now(self) -> Result<Timestamp, Failure> {
        if let Clock::Fixed(now) = self {
            return Ok(now);
        }
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let micros = since.ok().and_then(|since| i64::try_from(since.as_micros()).ok());
        let now = micros.and_then(|micros| Timestamp::from_micros(micros).ok());
        now.ok_or_else(|| Failure::runtime("the machine's clock is set before 1970".to_owned()))
    }
}
