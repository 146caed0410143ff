//! How old an answer of an edge may be.

use topsell_lists::time_text;

/// Without an answer from the followed servers for this long, what is held is stale: three times as long as one waits.
const STALE_MICROS: i64 = 90 * 1_000_000;
const NEVER: i64 = i64::MIN;

/// How old a list is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// When the version was made, in microseconds since 1970.
    pub as_of: i64,
    /// When a followed server was last asked successfully, or else when the version was made.
    pub synced: i64,
    pub is_stale: bool,
}

impl Freshness {
    pub(super) fn of(as_of: i64, synced: i64, now: i64) -> Freshness {
        let synced = synced.max(as_of);
        Freshness { as_of, synced, is_stale: synced == NEVER || now.saturating_sub(synced) > STALE_MICROS }
    }

    /// Returns the one of two that was synced earlier.
    #[must_use]
    pub fn older(self, other: Freshness) -> Freshness {
        if other.synced < self.synced { other } else { self }
    }

    /// Returns whether it was synced longer ago than is allowed.
    pub fn is_older_than(self, micros: i64, now: i64) -> bool {
        now.saturating_sub(self.synced) > micros
    }

    /// Returns the headers of an answer.
    pub fn headers(self) -> [(&'static str, String); 3] {
        let text = |micros| if micros == NEVER { "never".to_owned() } else { time_text(micros) };
        [
            ("topsell-as-of", text(self.as_of)),
            ("topsell-synced", text(self.synced)),
            ("topsell-stale", self.is_stale.to_string()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_stale_when_nobody_has_answered_for_three_waits() {
        let second = 1_000_000;
        let of = |synced, now| Freshness::of(10 * second, synced, now);
        assert!(!of(20 * second, 110 * second).is_stale);
        assert!(of(20 * second, 111 * second).is_stale);
        assert_eq!(of(NEVER, 11 * second).synced, 10 * second, "it was made by then");
        assert!(Freshness::of(NEVER, NEVER, second).is_stale);
        assert_eq!(Freshness::of(NEVER, NEVER, 0).headers()[1].1, "never");
        assert!(of(20 * second, 31 * second).is_older_than(10 * second, 31 * second));
        assert!(!of(20 * second, 30 * second).is_older_than(10 * second, 30 * second));
    }
}
