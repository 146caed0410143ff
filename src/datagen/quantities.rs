//! The quantities of purchases.

use crate::random::Random;

/// Of a hundred purchases, the number of those with quantity 1, with up to 2, and with up to 3; the
/// others are returns.
const ONES: u64 = 93;
const UP_TO_TWO: u64 = 97;
const UP_TO_THREE: u64 = 99;

/// From this number of purchases on, their quantities are drawn together.
const MANY: u64 = 32;
/// The mean and the variance of a quantity.
const MEAN: f64 = 0.93 + 2.0 * 0.04 + 3.0 * 0.02 - 0.01;
const VARIANCE: f64 = 0.93 + 4.0 * 0.04 + 9.0 * 0.02 + 0.01 - MEAN * MEAN;

/// Draws the quantity of a purchase.
#[inline]
pub(super) fn quantity(random: &mut Random) -> i64 {
    match random.below(100).0 {
        0..ONES => 1,
        ONES..UP_TO_TWO => 2,
        UP_TO_TWO..UP_TO_THREE => 3,
        _ => -1,
    }
}

/// Draws the sum of the quantities of purchases.
pub(super) fn units(purchases: u64, random: &mut Random) -> i64 {
    if purchases < MANY {
        return (0..purchases).map(|_| quantity(random)).sum();
    }
    let many = purchases as f64;
    let drawn = libm::round(many * MEAN + libm::sqrt(many * VARIANCE) * random.normal());
    drawn.clamp(-many, 3.0 * many) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purchases_drawn_together_have_the_mean_and_variance_of_single_ones() {
        let mut random = Random::of(1, 2, 3);
        for purchases in [1, MANY - 1, MANY, 1_000] {
            let drawn: Vec<f64> = (0..20_000).map(|_| units(purchases, &mut random) as f64).collect();
            let mean = drawn.iter().sum::<f64>() / 2e4;
            let variance = drawn.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 2e4;
            let of = |one: f64| purchases as f64 * one;
            assert!((mean / of(MEAN) - 1.0).abs() < 0.02, "{purchases}: {mean}");
            assert!((variance / of(VARIANCE) - 1.0).abs() < 0.05, "{purchases}: {variance}");
        }
    }
}
