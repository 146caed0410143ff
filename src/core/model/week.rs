//! The last seven days, as they are on a clock on the wall somewhere.

use jiff::civil;
use jiff::tz::TimeZone;

use crate::model::{Hour, Timestamp};

/// How many days a week has.
pub const DAYS: usize = 7;

/// Hours that a week has at most, with room for whatever a zone's rules may add.
const MAX_HOURS: i32 = 7 * 24 + 2 * 24;

/// A time zone of the IANA database, <https://www.iana.org/time-zones>, by its name.
#[derive(Clone, Debug, PartialEq)]
pub struct Zone {
    zone: TimeZone,
    name: String,
}

/// There is no such time zone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a time zone; pass a name such as Europe/Berlin, or UTC")]
pub struct ZoneError(String);

impl Zone {
    /// Returns the zone in which every day has 24 hours.
    pub fn utc() -> Zone {
        Zone { zone: TimeZone::UTC, name: "UTC".to_owned() }
    }

    /// Finds a zone by its name, whatever the case of letters.
    ///
    /// # Errors
    /// Names the text that is none.
    pub fn named(name: &str) -> Result<Zone, ZoneError> {
        if name == "UTC" {
            // The database need not be looked for.
            return Ok(Zone::utc());
        }
        let zone = TimeZone::get(name).map_err(|_| ZoneError(name.to_owned()))?;
        let name = zone.iana_name().unwrap_or(name).to_owned();
        Ok(Zone { zone, name })
    }

    /// Returns its name, as the database spells it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns when and by how much clocks there are changed.
    pub fn rules(&self) -> &TimeZone {
        &self.zone
    }

    /// Returns a moment as a clock there has it; none beyond the calendar's end.
    pub fn zoned(&self, moment: Timestamp) -> Option<jiff::Zoned> {
        let moment = jiff::Timestamp::from_microsecond(moment.micros()).ok()?;
        Some(moment.to_zoned(self.zone.clone()))
    }

    /// Returns the local day in which an hour begins.
    pub fn day_of(&self, hour: Hour) -> civil::Date {
        self.local(hour).date()
    }

    /// Returns the local date and time at which an hour begins.
    pub fn local(&self, hour: Hour) -> civil::DateTime {
        // Hours beyond the calendar are taken for its last.
        let moment = jiff::Timestamp::from_second(i64::from(hour.number()) * 3_600);
        self.zone.to_datetime(moment.unwrap_or(jiff::Timestamp::MAX))
    }

    /// Returns the moment at which an hour begins, RFC 3339 as a clock there has it.
    pub fn shown(&self, hour: Hour) -> String {
        let moment = jiff::Timestamp::from_second(i64::from(hour.number()) * 3_600);
        let moment = moment.unwrap_or(jiff::Timestamp::MAX).to_zoned(self.zone.clone());
        match moment.offset().is_zero() {
            true => hour.start().to_string(),
            false => moment.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
        }
    }

    /// Returns a moment, RFC 3339 as a clock there has it, with as many decimals as it needs.
    pub fn shown_moment(&self, moment: Timestamp) -> String {
        match self.zoned(moment).filter(|zoned| !zoned.offset().is_zero()) {
            Some(zoned) => zoned.strftime("%Y-%m-%dT%H:%M:%S%.f%:z").to_string(),
            None => moment.to_string(),
        }
    }

    /// Returns the first hour that begins on a local day, or after it where none does.
    pub fn first_hour(&self, day: civil::Date) -> Option<Hour> {
        let midnight = day.to_zoned(self.zone.clone()).ok()?;
        let moment = Timestamp::from_micros(midnight.timestamp().as_microsecond()).ok()?;
        Some(moment.rounded_up())
    }
}

/// The seven local days of which the last is that of a ranking's newest hour.
///
/// An hour belongs to the day in which it begins, so where clocks change a day has 23 or 25 hours.
#[derive(Clone, Debug, PartialEq)]
pub struct Week {
    zone: Zone,
    /// The first hour of each day, and the hour at which all end.
    bounds: [Hour; DAYS + 1],
    /// The day of each hour from the first on; it is looked up once for every aggregate.
    days: Vec<u8>,
}

impl Week {
    /// Returns the week whose last day is that of the hour before `as_of`, and ends with it.
    pub fn ending(as_of: Hour, zone: Zone) -> Week {
        let last = zone.day_of(as_of.plus(-1));
        let mut bounds = [as_of; DAYS + 1];
        for (back, bound) in (0_i64..).zip(bounds[..DAYS].iter_mut().rev()) {
            let day = last.checked_sub(jiff::Span::new().days(back)).ok();
            // Before the calendar begins there are no days, and no sales.
            let first = day.and_then(|day| zone.first_hour(day));
            *bound = first.unwrap_or(Hour::new(i32::MIN)).min(as_of);
        }
        let of_hours = bounds[0].number().max(as_of.number().saturating_sub(MAX_HOURS))..as_of.number();
        bounds[0] = Hour::new(of_hours.start);
        let day = |hour| bounds[..DAYS].iter().rposition(|first| first.number() <= hour).unwrap_or(0);
        let days = of_hours.map(|hour| day(hour) as u8).collect();
        Week { zone, bounds, days }
    }

    /// Returns the zone whose days these are.
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// Returns the first hour of all.
    pub fn oldest(&self) -> Hour {
        self.bounds[0]
    }

    /// Returns the first hour of each day, oldest first.
    pub fn starts(&self) -> &[Hour] {
        &self.bounds[..DAYS]
    }

    /// Returns which of the days an hour belongs to, the oldest being 0.
    #[inline]
    pub fn day_of(&self, hour: Hour) -> Option<usize> {
        let since = usize::try_from(hour.number().checked_sub(self.bounds[0].number())?).ok()?;
        self.days.get(since).map(|day| usize::from(*day))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The hours of each day of the week that ends at a moment.
    fn check(as_of: &str, zone: &str, expected: [i32; DAYS]) {
        let as_of = Timestamp::parse(as_of).expect("a good moment").hour();
        let week = Week::ending(as_of, Zone::named(zone).expect("a good zone"));
        let mut counted = [0; DAYS];
        for hour in week.oldest().number() - 30..as_of.number() + 30 {
            if let Some(day) = week.day_of(Hour::new(hour)) {
                counted[day] += 1;
            }
        }
        assert_eq!(counted, expected, "{as_of:?} {zone}");
        for (day, first) in week.starts().iter().enumerate() {
            let is_there = expected[day] > 0;
            assert_eq!(week.day_of(*first) == Some(day), is_there, "{day}");
        }
    }

    #[test]
    fn days_are_as_long_as_on_the_wall() {
        check("2017-01-15T00:00:00Z", "UTC", [24; 7]);
        check("2017-01-15T06:00:00Z", "UTC", [24, 24, 24, 24, 24, 24, 6]);
        check("2017-01-15T01:00:00Z", "utc", [24, 24, 24, 24, 24, 24, 1]);
        // Clocks go forward on 26 March, and back on 29 October.
        check("2017-03-27T22:00:00Z", "Europe/Berlin", [24, 24, 24, 24, 24, 23, 24]);
        check("2017-10-30T10:00:00Z", "Europe/Berlin", [24, 24, 24, 24, 24, 25, 11]);
        // Midnight itself is passed over.
        check("2018-11-05T02:00:00Z", "America/Sao_Paulo", [24, 24, 24, 24, 24, 24, 23]);
        // Half an hour off: each hour belongs to the day in which it begins.
        check("2017-01-15T19:00:00Z", "Asia/Kolkata", [24; 7]);
        check("2017-01-15T20:00:00Z", "Asia/Kolkata", [24, 24, 24, 24, 24, 24, 1]);
        // A whole day was left out.
        check("2012-01-01T10:00:00Z", "Pacific/Apia", [24, 24, 24, 24, 0, 24, 24]);
    }

    #[test]
    fn weeks_at_the_ends_of_the_calendar_are_cut_short() {
        let week = Week::ending(Hour::new(-17_259_888 + 30), Zone::utc());
        assert_eq!(week.day_of(Hour::new(-17_259_888)), Some(5));
        let week = Week::ending(Hour::new(i32::MAX), Zone::utc());
        assert_eq!((week.day_of(Hour::new(0)), week.day_of(Hour::new(i32::MAX - 1))), (None, Some(6)));
    }

    #[test]
    fn moments_are_shown_with_the_decimals_that_they_need() {
        for (text, zone, expected) in [
            ("2017-01-14T12:00:00.25Z", "Europe/Berlin", "2017-01-14T13:00:00.25+01:00"),
            ("2017-01-14T12:00:00Z", "Europe/Berlin", "2017-01-14T13:00:00+01:00"),
            ("2017-01-14T12:00:00.000001Z", "UTC", "2017-01-14T12:00:00.000001Z"),
            ("2017-01-14T12:00:00Z", "Europe/London", "2017-01-14T12:00:00Z"),
        ] {
            let moment = Timestamp::parse(text).expect("a good moment");
            assert_eq!(Zone::named(zone).expect("a good zone").shown_moment(moment), expected);
        }
    }

    #[test]
    fn a_zone_is_found_by_its_name_alone() {
        assert_eq!(
            Zone::named("europe/berlin").map(|zone| zone.name().to_owned()),
            Ok("Europe/Berlin".into())
        );
        for text in ["", "Europe/Nowhere", "../etc/passwd", "+01:00", "CET-1CEST\0"] {
            assert_eq!(Zone::named(text), Err(ZoneError(text.to_owned())), "{text}");
        }
    }
}
