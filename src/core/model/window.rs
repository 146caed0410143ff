//! A window: so many hour buckets, and how old each is.

use crate::model::Hour;

/// Exactly `hours` buckets, the newest being the one before the moment it is taken at.
///
/// The newest bucket may still be filling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    as_of: Hour,
    hours: u32,
}

impl Window {
    /// Returns the window of so many hours that ends where the hour `as_of` begins.
    pub fn ending(as_of: Hour, hours: u32) -> Window {
        Window { as_of, hours }
    }

    /// Returns how many buckets it has.
    pub fn hours(self) -> u32 {
        self.hours
    }

    /// Returns the oldest bucket.
    pub fn oldest(self) -> Hour {
        self.as_of.plus(-i32::try_from(self.hours).unwrap_or(i32::MAX))
    }

    /// Returns the newest bucket.
    pub fn newest(self) -> Hour {
        self.as_of.plus(-1)
    }

    /// Returns the hour it was taken at, the first one outside it.
    pub fn as_of(self) -> Hour {
        self.as_of
    }

    /// Returns whether a bucket is in it.
    pub fn contains(self, hour: Hour) -> bool {
        self.oldest() <= hour && hour < self.as_of
    }

    /// Returns the age of a bucket in hours; the newest has age 0.
    pub fn age(self, hour: Hour) -> u32 {
        self.newest().number().saturating_sub(hour.number()).max(0).unsigned_abs()
    }

    /// Returns the window twice as long with the same end, or of `max_hours` where that is less.
    #[must_use]
    pub fn doubled(self, max_hours: u32) -> Window {
        Window { hours: self.hours.saturating_mul(2).min(max_hours), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_its_hours_and_ends_before_as_of() {
        let window = Window::ending(Hour::new(100), 3);
        assert_eq!((window.oldest(), window.newest()), (Hour::new(97), Hour::new(99)));
        let inside: Vec<i32> = (90..110).filter(|&h| window.contains(Hour::new(h))).collect();
        assert_eq!(inside, [97, 98, 99]);
        assert_eq!(window.age(Hour::new(99)), 0);
        assert_eq!(window.age(Hour::new(97)), 2);
        assert_eq!(window.doubled(5).oldest(), Hour::new(95));
    }
}
