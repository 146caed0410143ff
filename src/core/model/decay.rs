//! How much an hour's sales still count: exponential decay by age in whole hours.

/// The rule by which older sales count less.
///
/// A unit sold `age` hours before the newest bucket counts 2^(−age / half-life), the exponential
/// decay of <https://en.wikipedia.org/wiki/Exponential_decay>; the rate k of e^(−k·age) is
/// ln 2 / half-life.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Decay {
    /// Every sale of the window counts fully.
    None,
    /// A sale counts half after so many hours.
    HalfLifeHours(f64),
    /// A sale counts e^(−rate) times as much after each hour.
    RatePerHour(f64),
}

impl Decay {
    /// Returns what one unit of the given age counts: 1 at age 0, falling to 0.
    pub fn weight(self, age_hours: u32) -> f64 {
        let age = f64::from(age_hours);
        match self {
            Decay::None => 1.0,
            Decay::HalfLifeHours(half_life) => halvings(age, half_life),
            Decay::RatePerHour(rate) => (-rate * age).exp(),
        }
    }

    /// Returns the hours after which a sale counts half; none without decay.
    pub fn half_life_hours(self) -> Option<f64> {
        match self {
            Decay::None => None,
            Decay::HalfLifeHours(half_life) => Some(half_life),
            Decay::RatePerHour(rate) => Some(std::f64::consts::LN_2 / rate),
        }
    }
}

/// Returns 2^(−age / half-life), with whole halvings exact, so that two units one half-life old
/// tie with one new unit instead of missing it by a rounding.
fn halvings(age: f64, half_life: f64) -> f64 {
    let whole = (age / half_life).floor();
    let rest = age - whole * half_life;
    (-rest / half_life).exp2() * (-whole).exp2()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_half_life_halves_exactly() {
        let decay = Decay::HalfLifeHours(48.0);
        assert_eq!(decay.weight(0), 1.0);
        assert_eq!(decay.weight(48), 0.5);
        assert_eq!(decay.weight(49) * 2.0, decay.weight(1));
        assert!((decay.weight(24) - 0.5_f64.sqrt()).abs() < 1e-15);
        assert_eq!(Decay::None.weight(8760), 1.0);
    }

    #[test]
    fn a_rate_is_the_same_curve() {
        let rate = Decay::RatePerHour(std::f64::consts::LN_2 / 48.0);
        for age in [0, 1, 47, 149, 8759] {
            let ratio = rate.weight(age) / Decay::HalfLifeHours(48.0).weight(age);
            assert!((ratio - 1.0).abs() < 1e-12, "{age}");
        }
        assert!(rate.half_life_hours().is_some_and(|h| (h - 48.0).abs() < 1e-12));
    }
}
