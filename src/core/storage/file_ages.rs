//! How old files are, by a clock that may have jumped.
//!
//! A wrong clock makes every file look old at once, and what is removed then may still be read. So time is taken
//! from the files, too: between two that were written one after the other, and between the newest and now, no
//! more than a limit counts. One jump of the clock is one such interval.

/// Whoever asks for files to be kept for a shorter time than this takes the clock as it is.
const MIN_KEEP_MS: i64 = 2 * 3_600_000;

/// How long files are kept, and by which clock.
#[derive(Clone, Copy, Debug)]
pub struct FileRetention {
    pub keep_ms: i64,
    pub now_ms: i64,
    /// Whether the clock is known to be right.
    pub trusts_clock: bool,
}

/// Ages of files, in milliseconds.
pub struct FileAges {
    now_ms: i64,
    limit_ms: i64,
    /// The smallest time among the newest files, up to each of them, and the age of that file.
    known: Vec<(i64, i64)>,
}

impl FileAges {
    /// Returns the ages at a moment, by a clock that is known to be right or, where it is not, by the times of files,
    /// too; see `FileAges::at`.
    pub fn of_retention(retention: FileRetention, times_ms: impl IntoIterator<Item = i64>) -> FileAges {
        let FileRetention { keep_ms, now_ms, trusts_clock } = retention;
        if trusts_clock { FileAges::by_clock(now_ms) } else { FileAges::at(now_ms, keep_ms, times_ms) }
    }

    /// Returns the ages at a moment. `times_ms` are those of files that are written one after the other, the
    /// newest first; what is kept for `keep_ms` needs more than one interval to become older than that.
    fn at(now_ms: i64, keep_ms: i64, times_ms: impl IntoIterator<Item = i64>) -> FileAges {
        let limit_ms = if keep_ms < MIN_KEEP_MS { i64::MAX } else { keep_ms / 2 };
        FileAges::with_limit(now_ms, limit_ms, times_ms)
    }

    /// Returns the ages by a clock that is known to be right.
    fn by_clock(now_ms: i64) -> FileAges {
        FileAges::with_limit(now_ms, i64::MAX, [])
    }

    fn with_limit(now_ms: i64, limit_ms: i64, times_ms: impl IntoIterator<Item = i64>) -> FileAges {
        let mut ages = FileAges { now_ms, limit_ms, known: Vec::new() };
        for time in times_ms {
            let (later, age) = ages.known.last().copied().unwrap_or((now_ms, 0));
            // One that is later than the ones after it was written by another clock.
            ages.known.push((time.min(later), age.saturating_add(ages.interval(time, later))));
        }
        ages
    }

    /// Returns the age of a file that was written at a time; 0 where that is in the future.
    pub fn of(&self, time_ms: i64) -> i64 {
        let later = self.known.partition_point(|(time, _)| *time > time_ms);
        let (after, age) = match later {
            0 => (self.now_ms, 0),
            later => self.known[later - 1],
        };
        age.saturating_add(self.interval(time_ms, after))
    }

    fn interval(&self, from_ms: i64, until_ms: i64) -> i64 {
        until_ms.saturating_sub(from_ms).clamp(0, self.limit_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000;

    /// Checks the ages of files of some days, kept for seven days, at a day.
    fn check(now: i64, commits: &[i64], files: &[(i64, f64)]) {
        let ages = FileAges::at(now * DAY, 7 * DAY, commits.iter().map(|day| day * DAY));
        for (day, expected) in files {
            let age = ages.of(day * DAY) as f64 / DAY as f64;
            assert!((age - expected).abs() < 0.001, "{now} {commits:?}: {day} is {age}, not {expected}");
        }
    }

    #[test]
    fn where_files_are_written_each_day_ages_are_those_of_the_clock() {
        check(20, &[20, 19, 18, 17, 16, 15, 14, 13, 12, 11], &[(20, 0.0), (15, 5.0), (11, 9.0), (10, 10.0)]);
    }

    #[test]
    fn one_jump_of_the_clock_makes_nothing_older_than_what_is_kept() {
        check(4_000, &[20, 19, 18], &[(20, 3.5), (19, 4.5), (18, 5.5)]);
        // And a commit by the wrong clock.
        check(4_001, &[4_000, 20, 19], &[(4_000, 1.0), (20, 4.5), (19, 5.5)]);
        // And the clock is right again.
        check(21, &[4_000, 20, 19], &[(4_000, 0.0), (20, 1.0), (19, 2.0), (10, 5.5)]);
        check(30, &[29, 25, 21, 4_000, 20], &[(21, 8.0), (20, 9.0), (4_000, 0.0)]);
    }

    #[test]
    fn what_is_in_the_future_has_no_age_and_a_clock_that_is_right_is_believed() {
        check(20, &[], &[(21, 0.0), (19, 1.0), (0, 3.5)]);
        assert_eq!(FileAges::by_clock(4_000 * DAY).of(20 * DAY), 3_980 * DAY);
        // Kept for a short time.
        assert_eq!(FileAges::at(DAY, 3_600_000, []).of(0), DAY);
    }
}
