//! When a request is sent again, and after how long.
//!
//! Invariant: pure; the caller waits.

use std::time::Duration;

const FIRST_DELAY: Duration = Duration::from_millis(500);
const MAX_DELAY: Duration = Duration::from_secs(10);
/// Doublings after which the delay is the longest.
const MAX_DOUBLINGS: u32 = 5;
/// Delays differ by up to a quarter, so that many that failed together do not come back together.
const JITTER_STEPS: u32 = 256;

/// What a status says about sending the request again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Accepted,
    /// The endpoint does not have what the request builds on.
    OtherBase,
    /// It may succeed later.
    Again,
    Refused,
}

/// Returns what a status means.
pub fn verdict(status: u16) -> Verdict {
    match status {
        200..=299 => Verdict::Accepted,
        409 | 412 => Verdict::OtherBase,
        408 | 425 | 429 | 500 | 502..=504 => Verdict::Again,
        _ => Verdict::Refused,
    }
}

/// Returns how long to wait after a number of failures, at least one, where the endpoint did not say.
pub fn delay(failures: u32, key: &str) -> Duration {
    let doubled = FIRST_DELAY * 2_u32.pow(failures.saturating_sub(1).min(MAX_DOUBLINGS));
    let bytes = key.bytes().fold(failures, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    let jitter = bytes % JITTER_STEPS;
    let delay = doubled.min(MAX_DELAY);
    delay - delay / 4 * jitter / JITTER_STEPS
}

/// Returns how long an endpoint asks to wait, in the whole seconds of its header, within the longest delay.
pub fn asked_delay(retry_after: &str) -> Option<Duration> {
    let seconds: u64 = retry_after.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(MAX_DELAY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_a_limit_and_differ_by_key() {
        let longest = |failures| (0..500).map(|key| delay(failures, &key.to_string())).max().expect("many");
        let shortest = |failures| (0..500).map(|key| delay(failures, &key.to_string())).min().expect("many");
        assert!(longest(1) <= FIRST_DELAY && shortest(1) >= FIRST_DELAY * 3 / 4);
        assert!(shortest(1) < longest(1));
        assert!(shortest(3) >= FIRST_DELAY * 3);
        assert!(longest(40) <= MAX_DELAY && shortest(40) >= MAX_DELAY * 3 / 4);
    }

    #[test]
    fn only_what_may_succeed_later_is_sent_again() {
        for (status, expected) in [
            (200, Verdict::Accepted),
            (204, Verdict::Accepted),
            (301, Verdict::Refused),
            (401, Verdict::Refused),
            (409, Verdict::OtherBase),
            (412, Verdict::OtherBase),
            (429, Verdict::Again),
            (501, Verdict::Refused),
            (503, Verdict::Again),
        ] {
            assert_eq!(verdict(status), expected, "{status}");
        }
        assert_eq!(asked_delay("2"), Some(Duration::from_secs(2)));
        assert_eq!(asked_delay("86400"), Some(MAX_DELAY));
        assert_eq!(asked_delay("Fri, 31 Dec 1999 23:59:59 GMT"), None);
    }
}
