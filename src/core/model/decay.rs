//! How much an hour's sales still count: exponential decay by whole hours, in integers.
//!
//! A score is a sum of measure × weight, and must be the same however its parts are added up. So the
//! weight of an hour is an integer, by forward decay (Cormode, Shkapenyuk, Srivastava and Xu, "Forward
//! Decay: A Practical Time Decay Model for Streaming Systems", ICDE 2009): it grows with the hour, and only
//! the ratio of two weights has a meaning.

use hashbrown::HashMap;

use crate::model::Hour;
use crate::model::binary_power::power_of_two;

/// The rule by which older sales count less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decay {
    /// Every sale of the window counts fully.
    None,
    /// A sale counts 2^(−octaves) times as much after each hour.
    OctavesPerHour(Octaves),
}

/// A positive rational number of octaves, in lowest terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Octaves {
    numerator: u128,
    denominator: u128,
}

/// What one unit of an hour counts: `mantissa` × 2^`exponent`, in a unit that is the same for all hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weight {
    /// 1 without decay; otherwise from 2^52 to 2^53.
    pub mantissa: u64,
    pub exponent: i64,
}

/// Why a rate is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecayError {
    #[error("is not a number greater than 0")]
    NotPositive,
    #[error("makes a sale count less than 2^-65536 times as much after an hour")]
    TooFast,
    #[error("is so slow that it is no decay at all")]
    TooSlow,
    #[error("is a fraction with a denominator above 2^80")]
    TooLong,
}

/// log2(e) × 2^80, rounded down: 81 bits.
const LOG2_E: u128 = 0x1_7154_7652_b82f_e177_7d0f;
const LOG2_E_SHIFT: u32 = 80;
const SECONDS_PER_HOUR: u128 = 3_600;
/// The most octaves between the oldest and the newest hour of a window, and of one hour.
pub const MAX_OCTAVES: i64 = 65_536;

impl Decay {
    /// Returns the decay by which a sale counts half after so many seconds.
    ///
    /// # Errors
    /// The half-life is zero.
    pub fn half_life_seconds(seconds: u64) -> Result<Decay, DecayError> {
        if seconds == 0 {
            return Err(DecayError::NotPositive);
        }
        Decay::octaves(SECONDS_PER_HOUR, seconds.into())
    }

    /// Returns the decay of a half-life in hours, rounded to a second.
    ///
    /// # Errors
    /// It is shorter than half a second, or no number.
    pub fn near_half_life_hours(hours: f64) -> Result<Decay, DecayError> {
        Decay::half_life_seconds((hours * SECONDS_PER_HOUR as f64).round() as u64)
    }

    /// Returns the decay by which a sale counts e^(−rate) times as much after each hour.
    ///
    /// # Errors
    /// The rate is not positive, or out of range.
    pub fn rate_per_hour(rate: f64) -> Result<Decay, DecayError> {
        if !(rate > 0.0 && rate.is_finite()) {
            return Err(DecayError::NotPositive);
        }
        // Octaves are rate × log2(e); the rate is a fraction of 53 bits times a power of two.
        if rate >= MAX_OCTAVES as f64 {
            return Err(DecayError::TooFast);
        }
        let (mantissa, exponent) = parts_of(rate);
        let places = exponent.unsigned_abs();
        // mantissa × LOG2_E has up to 134 bits: its parts are below and from bit 64 on.
        let low = u128::from(mantissa) * (LOG2_E & u128::from(u64::MAX));
        let high = u128::from(mantissa) * (LOG2_E >> 64) + (low >> 64);
        let numerator = match places {
            // A rate below 2^17 has at least 36 places.
            0..64 => (high << (64 - places)) | ((low & u128::from(u64::MAX)) >> places),
            64..128 => high >> (places - 64),
            _ => 0,
        };
        if numerator == 0 {
            return Err(DecayError::TooSlow);
        }
        Decay::octaves(numerator, 1 << LOG2_E_SHIFT)
    }

    /// Returns the decay by a fraction of octaves an hour.
    ///
    /// # Errors
    /// One of both is zero, or there are too many octaves.
    pub fn octaves(numerator: u128, denominator: u128) -> Result<Decay, DecayError> {
        if numerator == 0 || denominator == 0 {
            return Err(DecayError::NotPositive);
        }
        if numerator.div_ceil(denominator) > MAX_OCTAVES.unsigned_abs().into() {
            return Err(DecayError::TooFast);
        }
        let divisor = greatest_common_divisor(numerator, denominator);
        let (numerator, denominator) = (numerator / divisor, denominator / divisor);
        if denominator > 1 << LOG2_E_SHIFT {
            return Err(DecayError::TooLong);
        }
        Ok(Decay::OctavesPerHour(Octaves { numerator, denominator }))
    }

    /// Returns the weight of an hour.
    pub fn weight(self, hour: Hour) -> Weight {
        self.weight_with(hour, &mut HashMap::new())
    }

    /// Returns the weight of an hour, whose mantissa may be among those that were computed before: with a
    /// half-life of 48 hours there are 48 of them.
    pub fn weight_with(self, hour: Hour, mantissas: &mut HashMap<u128, u64>) -> Weight {
        let Decay::OctavesPerHour(octaves) = self else { return Weight { mantissa: 1, exponent: 0 } };
        let (exponent, rest) = octaves.after(hour);
        let mantissa = *mantissas.entry(rest).or_insert_with(|| power_of_two(rest, octaves.denominator));
        Weight { mantissa, exponent }
    }

    /// Returns by how many octaves the first hour's weight lies below the last one's, rounded as the
    /// exponents of both are.
    pub fn octaves_between(self, first: Hour, last: Hour) -> i64 {
        match self {
            Decay::None => 0,
            Decay::OctavesPerHour(octaves) => octaves.after(last).0 - octaves.after(first).0,
        }
    }

    /// Returns the octaves an hour as numerator and denominator; none without decay.
    pub fn fraction(self) -> Option<(u128, u128)> {
        match self {
            Decay::None => None,
            Decay::OctavesPerHour(octaves) => Some((octaves.numerator, octaves.denominator)),
        }
    }

    /// Returns the octaves an hour as a text, `1/48`; none without decay.
    pub fn fraction_text(self) -> Option<String> {
        self.fraction().map(|(numerator, denominator)| format!("{numerator}/{denominator}"))
    }

    /// Reads octaves an hour, `1/48`; none where the text is no such fraction.
    pub fn of_fraction_text(text: &str) -> Option<Decay> {
        let (numerator, denominator) = text.split_once('/')?;
        Decay::octaves(numerator.parse().ok()?, denominator.parse().ok()?).ok()
    }

    /// Returns the hours after which a sale counts half, rounded; none without decay.
    pub fn half_life_hours(self) -> Option<f64> {
        self.fraction().map(|(numerator, denominator)| denominator as f64 / numerator as f64)
    }
}

impl Octaves {
    /// Returns whole octaves from 1970 to an hour, and the rest as a numerator.
    fn after(self, hour: Hour) -> (i64, u128) {
        // An hour has 28 bits up to the year 9999, the numerator at most 96, and the denominator 80.
        let octaves = i128::from(hour.number()) * self.numerator.cast_signed();
        let denominator = self.denominator.cast_signed();
        let whole = i64::try_from(octaves.div_euclid(denominator)).expect("an hour has few octaves");
        (whole, octaves.rem_euclid(denominator).unsigned_abs())
    }
}

/// Returns a positive number as an integer times a power of two.
fn parts_of(number: f64) -> (u64, i32) {
    const MANTISSA_BITS: u32 = 52;
    let bits = number.to_bits();
    let mantissa = bits & ((1 << MANTISSA_BITS) - 1);
    match (bits >> MANTISSA_BITS) as i32 {
        0 => (mantissa, -1074),
        biased => (mantissa | 1 << MANTISSA_BITS, biased - 1075),
    }
}

fn greatest_common_divisor(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weight(decay: Decay, hour: i32) -> (u64, i64) {
        let Weight { mantissa, exponent } = decay.weight(Hour::new(hour));
        (mantissa, exponent)
    }

    #[test]
    fn a_half_life_doubles_the_weight_exactly() {
        let decay = Decay::half_life_seconds(48 * 3_600).expect("a half-life");
        assert_eq!(decay.fraction(), Some((1, 48)));
        for hour in [-1_000_001, -48, -1, 0, 1, 47, 412_345] {
            let ((mantissa, exponent), later) = (weight(decay, hour), weight(decay, hour + 48));
            assert_eq!(later, (mantissa, exponent + 1), "{hour}");
        }
        assert_eq!(weight(decay, 0), (1 << 52, 0));
        // √2 × 2^52, and before 1970 the exponent is rounded down, too.
        assert_eq!(weight(decay, 24), (6_369_051_672_525_773, 0));
        assert_eq!(weight(decay, -24), (6_369_051_672_525_773, -1));
        assert_eq!(Decay::None.weight(Hour::new(8_760)), Weight { mantissa: 1, exponent: 0 });
        assert_eq!(decay.half_life_hours(), Some(48.0));
    }

    #[test]
    fn a_half_life_has_any_whole_number_of_seconds() {
        let decay = Decay::half_life_seconds(37 * 3_600 + 20 * 60).expect("a half-life");
        assert_eq!(decay.fraction(), Some((3, 112)));
        assert_eq!(decay.octaves_between(Hour::new(0), Hour::new(112)), 3);
        let second = Decay::half_life_seconds(1).expect("a half-life");
        assert_eq!(weight(second, 3), (1 << 52, 10_800));
        assert_eq!(Decay::half_life_seconds(0), Err(DecayError::NotPositive));
        assert!(Decay::octaves(65_536, 1).is_ok());
        assert_eq!(Decay::octaves(65_536 * 7 + 1, 7), Err(DecayError::TooFast));
    }

    #[test]
    fn a_rate_is_the_same_curve() {
        let decay = Decay::rate_per_hour(std::f64::consts::LN_2 / 48.0).expect("a rate");
        assert!(decay.half_life_hours().is_some_and(|hours| (hours - 48.0).abs() < 1e-12));
        let (mantissa, exponent) = weight(decay, 24);
        assert!(exponent == 0 && mantissa.abs_diff(6_369_051_672_525_773) < 4, "{mantissa}");
        // ⌊0x171547652b82fe1777d0f / 8⌋ is odd.
        let exact = Decay::rate_per_hour(0.125).expect("a rate").fraction();
        assert_eq!(exact, Some((LOG2_E >> 3, 1 << 80)));
        for (rate, why) in [
            (0.0, DecayError::NotPositive),
            (-1.0, DecayError::NotPositive),
            (f64::NAN, DecayError::NotPositive),
            (f64::INFINITY, DecayError::NotPositive),
            (1e300, DecayError::TooFast),
            (60_000.0, DecayError::TooFast),
            (1e-300, DecayError::TooSlow),
            (f64::from_bits(1), DecayError::TooSlow),
        ] {
            assert_eq!(Decay::rate_per_hour(rate), Err(why), "{rate}");
        }
    }
}
