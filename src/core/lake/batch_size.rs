//! The size of a batch, as the table's log keeps it.
//!
//! ```text
//! transaction version = events                                         where lines = events
//!                     = 2^62 | lines << 31 | events                    else; both below 2^31
//! ```
//!
//! So a batch that is already ingested is counted without being parsed.

/// The number of events of a batch, accepted or rejected, and of the lines that they were read from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BatchSize {
    pub events: u64,
    pub lines: u64,
}

const HAS_LINES: u64 = 1 << 62;
const BITS: u32 = 31;
const MASK: u64 = (1 << BITS) - 1;

impl BatchSize {
    /// Returns the size by a transaction's version; none where the version is that of a removed batch.
    pub(super) fn of_version(version: i64) -> Option<BatchSize> {
        let version = u64::try_from(version).ok()?;
        Some(match version & HAS_LINES {
            0 => BatchSize { events: version, lines: version },
            _ => BatchSize { events: version & MASK, lines: version >> BITS & MASK },
        })
    }

    /// Returns the size without that of a part.
    pub fn minus(self, part: BatchSize) -> BatchSize {
        BatchSize {
            events: self.events.saturating_sub(part.events),
            lines: self.lines.saturating_sub(part.lines),
        }
    }

    /// Returns the transaction's version. Of more than two billion lines, only the events are kept.
    pub(super) fn version(self) -> i64 {
        let BatchSize { events, lines } = self;
        let packs = events != lines && events <= MASK && lines <= MASK;
        let version = if packs { HAS_LINES | lines << BITS | events } else { events.min(HAS_LINES - 1) };
        version.cast_signed()
    }
}

impl std::ops::AddAssign for BatchSize {
    fn add_assign(&mut self, other: BatchSize) {
        self.events += other.events;
        self.lines += other.lines;
    }
}

impl std::iter::Sum for BatchSize {
    fn sum<I: Iterator<Item = BatchSize>>(sizes: I) -> BatchSize {
        sizes.fold(BatchSize::default(), |mut all, size| {
            all += size;
            all
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_read_as_it_was_written() {
        for (events, lines) in [(0, 0), (7, 7), (7, 3), (0, 5), (MASK, 1), (1 << 40, 1 << 40)] {
            let size = BatchSize { events, lines };
            assert_eq!(BatchSize::of_version(size.version()), Some(size));
        }
        assert_eq!(BatchSize::of_version(-1), None);
        assert_eq!(BatchSize::of_version(12), Some(BatchSize { events: 12, lines: 12 }));
    }
}
