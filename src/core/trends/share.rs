//! Shares that add up to exactly the whole after rounding.

use std::cmp::Reverse;

use crate::model::Aggregate;
use crate::rank::Measure;

/// A whole, in hundredths of a percent.
pub const WHOLE: u32 = 10_000;

/// Returns each part's share of their total in hundredths of a percent, which add up to exactly
/// [`WHOLE`]; `None` where a part is negative or all are zero.
///
/// By the method of the largest remainder, <https://en.wikipedia.org/wiki/Largest_remainders_method>:
/// each share is rounded down, and what is missing goes to those that lost most, of equals to the
/// first.
pub fn shares(parts: &[i128]) -> Option<Vec<u32>> {
    let mut sum: i128 = 0;
    for part in parts {
        sum = sum.checked_add(*part).filter(|_| *part >= 0)?;
    }
    if sum == 0 {
        return None;
    }
    // Scaled down only beyond anything that a shop sells, where the last digits do not matter.
    let scale = sum / (i128::MAX / i128::from(WHOLE)) + 1;
    let scaled = |part: i128| part / scale * i128::from(WHOLE);
    let whole = sum / scale;
    let mut shares: Vec<u32> =
        parts.iter().map(|&part| u32::try_from(scaled(part) / whole).unwrap_or(WHOLE)).collect();
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by_key(|&at| (Reverse(scaled(parts[at]) % whole), at));
    let missing = WHOLE.saturating_sub(shares.iter().sum());
    for &at in order.iter().cycle().take(missing as usize) {
        shares[at] += 1;
    }
    Some(shares)
}

/// Returns the share that each of some aggregates has of a whole, and that of the rest of it; together exactly
/// [`WHOLE`]. None where the whole is nothing, or less than its parts.
pub fn shares_of(
    parts: impl Iterator<Item = Aggregate>,
    whole: Aggregate,
    measure: Measure,
) -> Option<(Vec<u32>, u32)> {
    let of = |aggregate: Aggregate| match measure {
        Measure::Amount => aggregate.amount,
        Measure::Purchases => i128::from(aggregate.purchases),
        Measure::Units => i128::from(aggregate.units.ten_thousandths()),
    };
    let mut parts: Vec<i128> = parts.map(of).collect();
    parts.push(of(whole).checked_sub(parts.iter().sum())?);
    let mut shares = shares(&parts)?;
    let others = shares.pop()?;
    Some((shares, others))
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_rounding_cuts_off_goes_to_those_that_lost_most() {
        let check = |parts: &[i128], expected: Option<&[u32]>| {
            assert_eq!(shares(parts).as_deref(), expected, "{parts:?}");
        };
        check(&[1, 1, 1], Some(&[3_334, 3_333, 3_333]));
        check(&[1, 2, 3, 0], Some(&[1_667, 3_333, 5_000, 0]));
        check(&[5], Some(&[10_000]));
        check(&[], None);
        check(&[0, 0], None);
        check(&[3, -1], None);
        check(&[i128::MAX / 2, i128::MAX / 2], Some(&[5_000, 5_000]));
        check(&[i128::MAX, 1], None);
    }

    proptest! {
        #[test]
        fn shares_are_the_whole_and_none_is_off_by_more_than_one(
            parts in vec(prop_oneof![0..20_i128, 0..i128::from(i64::MAX), 0..i128::MAX / 64], 1..50),
        ) {
            if let Some(found) = shares(&parts) {
                prop_assert_eq!(found.iter().sum::<u32>(), WHOLE);
                let sum = parts.iter().map(|&part| part as f64).sum::<f64>();
                for (share, part) in found.iter().zip(&parts) {
                    prop_assert!((f64::from(*share) - *part as f64 / sum * 10_000.0).abs() < 1.001);
                }
            }
        }
    }
}
