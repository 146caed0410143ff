//! The weights of a window's hours, as integers in units of the oldest hour's.

use hashbrown::HashMap;

use crate::model::{Decay, Hour, Weight, Window};
use crate::rank::score::Score;

/// What one unit of each hour counts.
#[derive(Clone, Debug)]
pub struct Weights {
    window: Window,
    /// By age in hours: a mantissa, and how much its exponent is above the oldest hour's.
    by_age: Vec<(u64, u32)>,
}

impl Weights {
    /// Returns the weights of a window's hours.
    ///
    /// The window has at most [`MAX_OCTAVES`](crate::model::MAX_OCTAVES).
    pub fn of(window: Window, decay: Decay) -> Weights {
        let oldest = decay.weight(window.oldest()).exponent;
        let mut mantissas = HashMap::new();
        let weight = |age: u32| {
            let Weight { mantissa, exponent } = decay.weight_with(hour_of_age(window, age), &mut mantissas);
            (mantissa, u32::try_from(exponent - oldest).unwrap_or(0))
        };
        Weights { window, by_age: (0..window.hours()).map(weight).collect() }
    }

    /// Returns the window.
    pub fn window(&self) -> Window {
        self.window
    }

    /// Returns a sum of no hours.
    #[inline]
    pub fn zero(&self) -> Score {
        Score::zero(self.octaves())
    }

    /// Adds the measure of an hour, which is nothing where the window does not have it.
    #[inline]
    pub fn add(&self, measure: i64, hour: Hour, sum: &mut Score) {
        if self.window.contains(hour) {
            let (mantissa, shift) = self.by_age[self.window.age(hour) as usize];
            sum.add_product(measure, mantissa, shift);
        }
    }

    /// Returns the weight of an hour, 0 where the window does not have it.
    pub fn weight(&self, hour: Hour) -> Score {
        let mut weight = self.zero();
        self.add(1, hour, &mut weight);
        weight
    }

    /// Returns a sum as a multiple of the newest hour's weight and of `unit`, rounded once; 0 where that
    /// underflows.
    pub fn relative(&self, sum: &Score, unit: u64) -> f64 {
        let (mantissa, exponents) = self.by_age.first().copied().unwrap_or((1, 0));
        sum.divided_by(u128::from(mantissa) * u128::from(unit), exponents)
    }

    fn octaves(&self) -> u32 {
        self.by_age.first().map_or(0, |(_, exponents)| *exponents)
    }
}

fn hour_of_age(window: Window, age: u32) -> Hour {
    window.newest().plus(-i32::try_from(age).unwrap_or(i32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(seconds: u64) -> Decay {
        Decay::half_life_seconds(seconds).expect("a half-life")
    }

    /// What an item sells in an hour: no pattern, also returns.
    fn sold(item: i64, hour: i32) -> i64 {
        let mixed =
            (i64::from(hour) * 31 + item * 7_919).wrapping_mul(0x9E37_79B9_7F4A_7C15_u64.cast_signed());
        (mixed >> 20).rem_euclid(50_001) - 9_000
    }

    #[test]
    fn a_window_slides_by_adding_and_subtracting_hours() {
        // A simulated year; 60 hours of 12 and of 2 hours half-life are scores of two and of three limbs.
        for half_life in [12 * 3_600, 2 * 3_600] {
            let decay = hours(half_life);
            let window = |end: i32| Weights::of(Window::ending(Hour::new(end), 60), decay);
            let from_scratch = |weights: &Weights, item: i64| {
                let mut sum = weights.zero();
                let first = weights.window().oldest().number();
                (first..first + 60).for_each(|hour| weights.add(sold(item, hour), Hour::new(hour), &mut sum));
                sum
            };
            let begin = 420_000;
            let mut weights = window(begin);
            let mut sums: Vec<Score> = (0..3).map(|item| from_scratch(&weights, item)).collect();
            for end in begin + 1..begin + 8_760 {
                let (next, oldest) = (window(end), weights.window().oldest());
                let later = decay.octaves_between(oldest, next.window().oldest());
                for (item, sum) in (0..).zip(&mut sums) {
                    let mut expired = weights.zero();
                    weights.add(sold(item, oldest.number()), oldest, &mut expired);
                    sum.subtract(&expired);
                    *sum = sum.in_units_of_later(u32::try_from(later).expect("time goes on"));
                    next.add(sold(item, end - 1), Hour::new(end - 1), sum);
                    assert_eq!(*sum, from_scratch(&next, item), "{half_life} s, item {item}, hour {end}");
                }
                weights = next;
            }
        }
    }

    #[test]
    fn one_unit_in_the_newest_hour_is_exactly_one() {
        for (decay, window_hours) in
            [(hours(3_600), 43_830), (hours(134_400), 8_760), (hours(315_360_000), 1), (Decay::None, 150)]
        {
            let weights = Weights::of(Window::ending(Hour::new(420_000), window_hours), decay);
            let relative = |measure: i64, age: i32| {
                let mut sum = weights.zero();
                weights.add(measure, Hour::new(419_999 - age), &mut sum);
                weights.relative(&sum, 10_000)
            };
            assert_eq!(relative(10_000, 0), 1.0);
            assert_eq!(relative(25_000, 0), 2.5);
            assert_eq!(relative(10_000, i32::MAX), 0.0, "outside of the window");
        }
    }

    #[test]
    fn the_last_unit_decides_after_a_trillion_sales_and_after_five_years() {
        // 43,830 half-lives: what is printed of the oldest hours is 0, and their order is exact.
        let weights = Weights::of(Window::ending(Hour::new(420_000), 43_830), hours(3_600));
        let oldest = weights.window().oldest();
        let sum = |measures: &[(i64, Hour)]| {
            let mut sum = weights.zero();
            measures.iter().for_each(|(measure, hour)| weights.add(*measure, *hour, &mut sum));
            sum
        };
        let (one, two) = (sum(&[(1, oldest)]), sum(&[(2, oldest)]));
        assert!(one.is_positive() && one < two && two == sum(&[(1, oldest.plus(1))]));
        assert_eq!((weights.relative(&one, 10_000), weights.relative(&two, 10_000)), (0.0, 0.0));
        let newest = weights.window().newest();
        let trillion = (1_000_000_000_000 * 10_000, newest);
        let (more, less) = (sum(&[trillion, (1, oldest)]), sum(&[trillion]));
        assert!(more > less && less > sum(&[trillion, (-1, oldest)]));
        assert_eq!(weights.relative(&more, 10_000), 1e12);
        // A return that is larger than the sales before it.
        assert!(!sum(&[(5, oldest), (-5, newest)]).is_positive());
    }
}
