//! How much of a lake is verified, or aggregated again.

use crate::model::{Date, Hour, Timestamp};
use crate::storage::checksum;

/// How much of a lake is verified, or aggregated again: all of it by default; with both limits, what is since a time
/// and a share of what is older.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LakeScope {
    /// The first hour whose events, aggregates and rankings are in it.
    pub since: Option<Hour>,
    pub share: Option<Share>,
}

/// A share of the files and days of a lake, another one each day.
///
/// A file is in the share of one day of as many as there are shares, by the checksum of its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    shares: u32,
    day: u32,
}

/// Why the text of one of several shares is invalid.
pub const BAD_NTH_SHARE: &str = "write K/N, such as 3/40 for the third of forty shares";
/// Why the text of a share is invalid.
pub const BAD_SHARE: &str = "write 1/N, such as 1/30 for a thirtieth";

impl Share {
    /// Returns the share of a day, from a text such as `1/30`.
    ///
    /// # Errors
    /// Says how to write it.
    pub fn parse(text: &str, now: Timestamp) -> Result<Share, &'static str> {
        let shares: Option<u32> = text.strip_prefix("1/").and_then(|shares| shares.parse().ok());
        let shares = shares.filter(|shares| *shares > 0).ok_or(BAD_SHARE)?;
        let day = now.hour().number().div_euclid(24).rem_euclid(i32::try_from(shares).unwrap_or(i32::MAX));
        Ok(Share { shares, day: day.unsigned_abs() })
    }

    /// Returns one of several shares, from a text such as `3/40`, of which the first is `1/40`.
    ///
    /// # Errors
    /// Says how to write it.
    pub fn parse_nth(text: &str) -> Result<Share, &'static str> {
        let numbers = text.split_once('/').and_then(|(nth, of)| Some((nth.parse().ok()?, of.parse().ok()?)));
        let numbers = numbers.filter(|(nth, of): &(u32, u32)| (1..=*of).contains(nth));
        let (nth, shares) = numbers.ok_or(BAD_NTH_SHARE)?;
        Ok(Share { shares, day: nth - 1 })
    }

    /// Returns whether something is in the share, by its path or another name.
    pub fn has(self, name: &str) -> bool {
        checksum(name.as_bytes()) % u64::from(self.shares) == u64::from(self.day)
    }
}

impl LakeScope {
    /// Returns whether everything is in it.
    pub fn is_all(self) -> bool {
        self == LakeScope::default()
    }

    /// Returns whether a file of an hour or a day is in it, by its path and the end of that time.
    pub fn has_file(self, path: &str, end: Hour) -> bool {
        self.has(end, path)
    }

    /// Returns whether the aggregates of an event type and day are in it.
    pub fn has_day(self, event_type: &str, date: Date) -> bool {
        self.has(Hour::of(date, 24), &format!("{event_type}/{date}"))
    }

    fn has(self, end: Hour, name: &str) -> bool {
        match self.share {
            None => self.is_since(end),
            Some(share) => share.has(name) || (self.since.is_some() && self.is_since(end)),
        }
    }

    /// Returns whether a time that ends then is in it.
    pub fn is_since(self, end: Hour) -> bool {
        self.since.is_none_or(|since| end > since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_both_limits_it_is_what_is_since_a_time_and_a_share_of_the_rest() {
        let now = Timestamp::from_micros(400 * 86_400_000_000).expect("a time");
        let share = Share::parse("1/30", now).ok();
        let since = Some(Hour::of(Date::new(100), 0));
        let of = |since, share| {
            (0..200).map(move |day| LakeScope { since, share }.has_day("view", Date::new(day)))
        };
        let alone = of(None, share).zip(of(since, None)).map(|(share, since)| share || since);
        assert_eq!(of(since, share).collect::<Vec<_>>(), alone.collect::<Vec<_>>());
        let days = of(since, share).filter(|is_in| *is_in).count();
        assert!((101..150).contains(&days), "{days}");
    }

    #[test]
    fn each_name_is_in_the_share_of_one_day_of_as_many_as_there_are_shares() {
        for shares in [1_u8, 7, 30] {
            let mut counts = vec![0; usize::from(shares)];
            for name in 0..3_000 {
                let days = (0..shares).filter(|day| {
                    let now =
                        Timestamp::from_micros((400 + i64::from(*day)) * 86_400_000_000).expect("a time");
                    Share::parse(&format!("1/{shares}"), now)
                        .expect("it is a share")
                        .has(&format!("file-{name}"))
                });
                let days: Vec<u8> = days.collect();
                assert_eq!(days.len(), 1, "{name}: {days:?}");
                counts[usize::from(days[0])] += 1;
            }
            let (least, most) = (counts.iter().min(), counts.iter().max());
            assert!(
                least.zip(most).is_some_and(|(least, most)| most - least < 3_000 / usize::from(shares)),
                "{counts:?}"
            );
        }
        let nth: Vec<Share> =
            (1..=7).map(|nth| Share::parse_nth(&format!("{nth}/7")).expect("it is a share")).collect();
        for name in (0..100).map(|name| format!("file-{name}")) {
            assert_eq!(nth.iter().filter(|share| share.has(&name)).count(), 1, "{name}");
        }
        for bad in ["", "7", "0/7", "8/7", "1/0", "-1/7", "1/x"] {
            assert_eq!(Share::parse_nth(bad), Err(BAD_NTH_SHARE), "{bad}");
        }
        for bad in ["", "30", "1/0", "2/30", "1/-3", "1/x", "1/99999999999"] {
            assert_eq!(
                Share::parse(bad, Timestamp::from_micros(0).expect("a time")),
                Err(BAD_SHARE),
                "{bad}"
            );
        }
    }
}
