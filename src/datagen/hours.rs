//! The hours of purchases: the daily curve.

use std::f64::consts::TAU;
use std::ops::Range;

use topsell_core::model::{Date, Hour};

/// 2024-01-01.
const FIRST_DAY: i32 = 19_723;
const SCALE: f64 = 1e6;

/// Returns the hours of a workload, oldest first.
pub(super) fn hours(count: u32) -> impl Iterator<Item = Hour> {
    let first = Hour::of(Date::new(FIRST_DAY), 0);
    (0..count.cast_signed()).map(move |number| first.plus(number))
}

/// Returns the weight of an hour's sales, as an integer, so that sums do not depend on the order.
pub(super) fn weight(hour: Hour) -> u64 {
    let angle = TAU * f64::from(hour.of_day() - 4) / 24.0;
    libm::round(SCALE * (1.0 - 0.75 * libm::cos(angle))) as u64
}

/// Returns the range of purchase numbers, from 0, of each hour; together they are all purchases.
pub(super) fn purchases_by_hour(purchases: u64, count: u32) -> Vec<(Hour, Range<u64>)> {
    let all: u64 = hours(count).map(weight).sum();
    let mut before = 0;
    let up_to = |weight: u64| (u128::from(purchases) * u128::from(weight) / u128::from(all)) as u64;
    let of_hour = |hour: Hour| {
        let first = up_to(before);
        before += weight(hour);
        (hour, first..up_to(before))
    };
    hours(count).map(of_hour).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_purchase_has_one_hour_and_afternoons_sell_more() {
        for (purchases, count) in [(1, 1), (10, 150), (10_000_000, 150), (999, 3)] {
            let by_hour = purchases_by_hour(purchases, count);
            let mut ends = by_hour.iter().map(|(_, numbers)| numbers.end);
            let starts = by_hour.iter().map(|(_, numbers)| numbers.start);
            assert!(starts.skip(1).eq(ends.clone().take(by_hour.len() - 1)));
            assert_eq!((by_hour[0].1.start, ends.next_back()), (0, Some(purchases)));
        }
        let by_hour = purchases_by_hour(24_000_000, 24);
        let sold = |hour: usize| by_hour[hour].1.end - by_hour[hour].1.start;
        assert_eq!((sold(4), sold(16), sold(10)), (250_000, 1_750_000, 1_000_000));
        assert_eq!(by_hour[0].0.start().to_string(), "2024-01-01T00:00:00Z");
    }
}
