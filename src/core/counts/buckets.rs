//! Hours grouped by day or weekday in a time zone.
//!
//! Invariant: an hour belongs to the local day in which it begins, so that every hour is in one day,
//! and a day has 23 to 25 hours where the zone changes its offset.

use std::collections::BTreeMap;
use std::ops::Range;

use jiff::civil;

use crate::counts::query::ByHour;
use crate::model::{Aggregate, Hour, Zone};

/// What hours are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Hour,
    Day,
    Weekday,
}

/// A group of hours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    pub label: String,
    /// First hour, and the hour after the last; of the whole query for a weekday.
    pub span: Range<Hour>,
    /// How many hours it has.
    pub hours: u32,
    /// The end of the last of them.
    pub until: Hour,
}

/// What identifies a bucket, in the order of buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Hour(Hour),
    Day(civil::Date),
    /// 1 is Monday.
    Weekday(i8),
}

const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

impl By {
    /// Returns the name of the grouping.
    pub fn name(self) -> &'static str {
        match self {
            By::Hour => "hour",
            By::Day => "day",
            By::Weekday => "weekday",
        }
    }

    fn key(self, hour: Hour, zone: &Zone) -> Key {
        match self {
            By::Hour => Key::Hour(hour),
            By::Day => Key::Day(zone.day_of(hour)),
            By::Weekday => Key::Weekday(zone.day_of(hour).weekday().to_monday_one_offset()),
        }
    }
}

/// The buckets of a range of hours, and the bucket of each hour.
pub struct Buckets {
    pub all: Vec<Bucket>,
    first: Hour,
    /// By hours since the first.
    of_hours: Vec<usize>,
}

impl Buckets {
    /// Returns the buckets of a range of hours; for weekdays always all seven.
    pub fn of(hours: Range<Hour>, by: By, zone: &Zone) -> Buckets {
        let each = || (hours.start.number()..hours.end.number()).map(Hour::new);
        let keys: Vec<Key> = each().map(|hour| by.key(hour, zone)).collect();
        let mut all: BTreeMap<Key, Bucket> = BTreeMap::new();
        if by == By::Weekday {
            for (number, label) in (1..).zip(WEEKDAYS) {
                let (label, span) = (label.to_owned(), hours.clone());
                all.insert(Key::Weekday(number), Bucket { label, span, hours: 0, until: hours.start });
            }
        }
        for (&key, hour) in keys.iter().zip(each()) {
            let bucket = all.entry(key).or_insert_with(|| Bucket {
                label: match key {
                    Key::Day(date) => date.to_string(),
                    _ => zone.shown(hour),
                },
                span: hour..hour,
                hours: 0,
                until: hour,
            });
            bucket.hours += 1;
            bucket.until = hour.plus(1);
            bucket.span.end = bucket.span.end.max(hour.plus(1));
        }
        let places: BTreeMap<Key, usize> = all.keys().copied().zip(0..).collect();
        let of_hours = keys.iter().map(|key| places[key]).collect();
        Buckets { all: all.into_values().collect(), first: hours.start, of_hours }
    }

    /// Returns the aggregates of each bucket; none where one does not fit into 64 bits.
    pub fn aggregates(&self, by_hour: &ByHour) -> Option<Vec<Aggregate>> {
        let mut aggregates = vec![Aggregate::default(); self.all.len()];
        for (hour, of_hour) in by_hour {
            let after = usize::try_from(hour.number() - self.first.number()).ok()?;
            let bucket = &mut aggregates[*self.of_hours.get(after)?];
            *bucket = bucket.plus(*of_hour)?;
        }
        Some(aggregates)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::model::Timestamp;

    fn hour(text: &str) -> Hour {
        Timestamp::parse(text).expect("a good moment").hour()
    }

    #[test]
    fn days_have_as_many_hours_as_their_clocks_go_round() {
        let check = |zone: &str, from: &str, to: &str, expected: &[(&str, u32)]| {
            let zone = Zone::named(zone).expect("there is one");
            let buckets = Buckets::of(hour(from)..hour(to), By::Day, &zone);
            let got: Vec<(&str, u32)> =
                buckets.all.iter().map(|bucket| (bucket.label.as_str(), bucket.hours)).collect();
            assert_eq!(got, expected, "{}", zone.name());
        };
        let days = [("2017-03-25", 24), ("2017-03-26", 23), ("2017-03-27", 24)];
        check("Europe/Berlin", "2017-03-24T23:00:00Z", "2017-03-27T22:00:00Z", &days);
        let days = [("2017-10-28", 24), ("2017-10-29", 25), ("2017-10-30", 24)];
        check("Europe/Berlin", "2017-10-27T22:00:00Z", "2017-10-30T23:00:00Z", &days);
        // Half an hour past the full one.
        let days = [("2017-01-13", 5), ("2017-01-14", 24)];
        check("Asia/Kolkata", "2017-01-13T14:00:00Z", "2017-01-14T19:00:00Z", &days);
    }
}
