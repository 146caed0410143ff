//! Random numbers that are the same on every machine and in every version of this program.
//!
//! SplitMix64: the state grows by a constant, and mixing the state gives the number. It is implemented
//! here because a seed promises this very sequence, which a crate may change.

use std::f64::consts::TAU;

/// The step of SplitMix64: the fraction of the golden ratio, made odd.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// A sequence of random numbers.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    /// Returns the sequence of one of many objects, such as an hour or an item.
    pub fn of(seed: u64, kind: u64, number: u64) -> Random {
        Random(mixed(mixed(mixed(seed).wrapping_add(kind)).wrapping_add(number)))
    }

    /// Returns 64 random bits.
    #[inline]
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mixed(self.0)
    }

    /// Returns a number from 0 to `end` - 1, and the unused random bits as a fraction of 2^64.
    ///
    /// Multiplying instead of dividing favours some numbers by one part in 2^64 / `end`.
    #[inline]
    pub fn below(&mut self, end: u64) -> (u64, u64) {
        let product = u128::from(self.bits()) * u128::from(end);
        ((product >> 64) as u64, product as u64)
    }

    /// Returns a number above 0 and at most 1.
    #[inline]
    pub fn fraction(&mut self) -> f64 {
        ((self.bits() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    /// Returns a number of the standard normal distribution.
    pub fn normal(&mut self) -> f64 {
        // The Box-Muller transform, by `libm`, since the functions of platforms differ in the last bit.
        libm::sqrt(-2.0 * libm::log(self.fraction())) * libm::cos(TAU * self.fraction())
    }
}

/// Returns a mix of the bits of a number; different numbers give different ones.
#[inline]
pub(super) fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_the_published_one() {
        // The first numbers of the reference implementation from the state 1234567.
        let mut random = Random(1_234_567);
        let first = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!(first.map(|_| random.bits()), first);
    }

    #[test]
    fn normal_numbers_have_mean_0_and_variance_1() {
        let mut random = Random::of(1, 2, 3);
        let drawn: Vec<f64> = (0..100_000).map(|_| random.normal()).collect();
        let mean = drawn.iter().sum::<f64>() / 1e5;
        let variance = drawn.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 1e5;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
    }
}
