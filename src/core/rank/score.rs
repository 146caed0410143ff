//! A score as an exact integer of any width: partial scores add in any order, and can be subtracted.
//!
//! All scores of a ranking are in units of the weight of its window's oldest hour, with as many bits as its
//! window needs: two's complement, in 64-bit limbs.

use std::cmp::Ordering;
use std::fmt;

/// An exact sum of measures × weights, which may be negative while parts are missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Score {
    /// Up to two limbs.
    Narrow(i128),
    /// More limbs, the lowest first.
    Wide(Box<[u64]>),
}

/// How many limbs a [`Score::Narrow`] has.
const NARROW_LIMBS: u64 = 2;
const LIMB_BITS: u32 = 64;
/// The bits of a score whose hours have one exponent: 113 of |Σ measure| ≤ 2^60 times a mantissa ≤ 2^53, and
/// the sign.
const BITS_OF_ONE_EXPONENT: u64 = 114;

impl Score {
    /// Returns zero, wide enough where the greatest exponent is so many above the least.
    pub fn zero(exponents: u32) -> Score {
        match (BITS_OF_ONE_EXPONENT + u64::from(exponents)).div_ceil(LIMB_BITS.into()) {
            ..=NARROW_LIMBS => Score::Narrow(0),
            limbs => Score::Wide(vec![0; limbs as usize].into()),
        }
    }

    /// Adds measure × mantissa × 2^`shift`.
    ///
    /// The caller bounds the measures; what is beyond the width is lost.
    #[inline]
    pub fn add_product(&mut self, measure: i64, mantissa: u64, shift: u32) {
        let product = i128::from(measure).wrapping_mul(i128::from(mantissa));
        match self {
            Score::Narrow(sum) => *sum = sum.wrapping_add(product.wrapping_shl(shift)),
            Score::Wide(limbs) => add_shifted(limbs, product, shift),
        }
    }

    /// Adds a score of the same ranking.
    pub fn add(&mut self, other: &Score) {
        self.combine(other, false);
    }

    /// Subtracts a score that was added before.
    pub fn subtract(&mut self, other: &Score) {
        self.combine(other, true);
    }

    /// Adds a score of some of the hours, in units that are 2^`exponents` times as large: that of a window whose oldest
    /// hour is later. It is no wider than this one.
    pub fn add_in_units_of_earlier(&mut self, later: &Score, exponents: u32) {
        match (self, later) {
            (Score::Narrow(sum), Score::Narrow(later)) => {
                *sum = sum.wrapping_add(later.wrapping_shl(exponents));
            }
            (Score::Wide(limbs), later) => {
                let later = later.limbs();
                for (at, limb) in (0..).zip(&later) {
                    // Only the highest has a sign.
                    let number = match at as usize + 1 == later.len() {
                        true => i128::from(limb.cast_signed()),
                        false => i128::from(*limb),
                    };
                    add_shifted(limbs, number, exponents + at * LIMB_BITS);
                }
            }
            (Score::Narrow(_), Score::Wide(_)) => {
                debug_assert!(false, "a score of some hours is no wider than that of all");
            }
        }
    }

    /// Returns whether it is greater than zero.
    #[inline]
    pub fn is_positive(&self) -> bool {
        match self {
            Score::Narrow(sum) => *sum > 0,
            Score::Wide(limbs) => !is_negative(limbs) && limbs.iter().any(|limb| *limb != 0),
        }
    }

    /// Returns the score in units that are 2^`exponents` times as large: that of the same hours in a window
    /// whose oldest hour is later. Exact where the score has none of the hours between.
    #[must_use]
    pub fn in_units_of_later(&self, exponents: u32) -> Score {
        if let Score::Narrow(sum) = self {
            return Score::Narrow(sum >> exponents.min(i128::BITS - 1));
        }
        let limbs = self.limbs();
        let sign = if is_negative(&limbs) { u64::MAX } else { 0 };
        let (skipped, bits) = ((exponents / LIMB_BITS) as usize, exponents % LIMB_BITS);
        let limb = |at: usize| limbs.get(at + skipped).copied().unwrap_or(sign);
        let shifted = (0..limbs.len()).map(|at| match bits {
            0 => limb(at),
            bits => limb(at) >> bits | limb(at + 1) << (LIMB_BITS - bits),
        });
        self.of_same_width(shifted.collect())
    }

    /// Returns the quotient by `divisor` × 2^`exponents`, rounded once, half to even; 0 where the score is
    /// not positive or the quotient underflows.
    ///
    /// The divisor is positive and less than 2^68.
    pub fn divided_by(&self, divisor: u128, exponents: u32) -> f64 {
        match self {
            _ if !self.is_positive() => 0.0,
            Score::Narrow(sum) => quotient(sum.unsigned_abs(), false, 0, divisor, exponents),
            Score::Wide(limbs) => {
                let top = limbs.iter().rposition(|limb| *limb != 0).unwrap_or(0);
                // The three highest limbs have at least 129 bits, of which 128 are enough.
                let limb = |back: usize| top.checked_sub(back).map_or(0, |at| limbs[at]);
                let zeros = limb(0).leading_zeros();
                let upper = u128::from(limb(0)) << LIMB_BITS | u128::from(limb(1));
                let (first, rest) = match zeros {
                    0 => (upper, limb(2)),
                    zeros => (upper << zeros | u128::from(limb(2) >> (LIMB_BITS - zeros)), limb(2) << zeros),
                };
                let is_cut = rest != 0 || limbs[..top.saturating_sub(2)].iter().any(|limb| *limb != 0);
                // At most 1,026 limbs.
                let exponent = i64::from(LIMB_BITS) * (i64::from(top as u32) - 1) - i64::from(zeros);
                quotient(first, is_cut, exponent, divisor, exponents)
            }
        }
    }

    /// Passes on the bytes, the highest first, without zeros at both ends; and returns how many they are with
    /// those at the end. Of two positive scores, the greater has the greater number, or else the greater
    /// bytes.
    pub(super) fn with_bytes(&self, take: impl FnOnce(u16, &[u8])) {
        match self {
            Score::Narrow(sum) => with_significant(&sum.to_be_bytes(), take),
            Score::Wide(limbs) => {
                let bytes: Vec<u8> = limbs.iter().rev().flat_map(|limb| limb.to_be_bytes()).collect();
                with_significant(&bytes, take);
            }
        }
    }

    /// Returns the limbs, the lowest first, without those at the end that only repeat the sign.
    pub(super) fn significant_limbs(&self) -> Vec<u64> {
        let mut limbs = self.limbs();
        while let [.., below, top] = limbs[..]
            && top == (below.cast_signed() >> (LIMB_BITS - 1)).cast_unsigned()
        {
            limbs.pop();
        }
        limbs
    }

    /// Returns the score of some limbs, as wide as this one; none where it has not so many.
    pub(super) fn of_limbs(&self, limbs: &[u64]) -> Option<Score> {
        let mut all = limbs.to_vec();
        let width = self.limbs().len();
        let sign = if is_negative(limbs) { u64::MAX } else { 0 };
        all.resize(width.max(limbs.len()), sign);
        (all.len() == width && !limbs.is_empty()).then(|| self.of_same_width(all))
    }

    fn combine(&mut self, other: &Score, is_subtracted: bool) {
        match (&mut *self, other) {
            (Score::Narrow(sum), Score::Narrow(other)) if is_subtracted => *sum = sum.wrapping_sub(*other),
            (Score::Narrow(sum), Score::Narrow(other)) => *sum = sum.wrapping_add(*other),
            _ => {
                // a − b = a + ¬b + 1 in two's complement.
                let (mut sum, other) = (self.limbs(), other.limbs());
                debug_assert_eq!(sum.len(), other.len(), "scores of one ranking have one width");
                let mut carry = is_subtracted;
                for (limb, other) in sum.iter_mut().zip(other) {
                    let other = if is_subtracted { !other } else { other };
                    (*limb, carry) = add_with_carry(*limb, other, carry);
                }
                *self = self.of_same_width(sum);
            }
        }
    }

    fn limbs(&self) -> Vec<u64> {
        match self {
            Score::Narrow(sum) => vec![*sum as u64, (*sum >> LIMB_BITS) as u64],
            Score::Wide(limbs) => limbs.to_vec(),
        }
    }

    fn of_same_width(&self, limbs: Vec<u64>) -> Score {
        match self {
            Score::Narrow(_) => {
                Score::Narrow((u128::from(limbs[1]) << LIMB_BITS | u128::from(limbs[0])).cast_signed())
            }
            Score::Wide(_) => Score::Wide(limbs.into()),
        }
    }
}

/// By value, for scores of the same ranking.
impl Ord for Score {
    #[inline]
    fn cmp(&self, other: &Score) -> Ordering {
        match (self, other) {
            (Score::Narrow(a), Score::Narrow(b)) => a.cmp(b),
            (Score::Wide(a), Score::Wide(b)) => order(a, b),
            _ => order(&self.limbs(), &other.limbs()),
        }
    }
}

impl PartialOrd for Score {
    #[inline]
    fn partial_cmp(&self, other: &Score) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The integer in decimal.
impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// The greatest power of ten that fits in a limb.
        const TEN_TO_19: u128 = 10_000_000_000_000_000_000;
        let mut zero = self.clone();
        zero.subtract(self);
        let is_negative = is_negative(&self.limbs());
        zero.combine(self, is_negative);
        let mut limbs = zero.limbs();
        let mut groups = Vec::new();
        while limbs.iter().any(|limb| *limb != 0) {
            let mut rest = 0_u128;
            for limb in limbs.iter_mut().rev() {
                let dividend = rest << LIMB_BITS | u128::from(*limb);
                (*limb, rest) = ((dividend / TEN_TO_19) as u64, dividend % TEN_TO_19);
            }
            groups.push(rest as u64);
        }
        let mut digits = groups.pop().unwrap_or(0).to_string();
        groups.iter().rev().for_each(|group| digits.push_str(&format!("{group:019}")));
        f.pad_integral(!is_negative, "", &digits)
    }
}

/// Of both signs, the negative number is less; of one sign, the order is that of the limbs.
fn order(a: &[u64], b: &[u64]) -> Ordering {
    is_negative(b).cmp(&is_negative(a)).then_with(|| a.iter().rev().cmp(b.iter().rev()))
}

fn is_negative(limbs: &[u64]) -> bool {
    limbs.last().is_some_and(|top| top.cast_signed() < 0)
}

fn with_significant(bytes: &[u8], take: impl FnOnce(u16, &[u8])) {
    let first = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(first, |last| last + 1);
    // A score of 65,536 octaves has 8,208 bytes.
    take((bytes.len() - first) as u16, &bytes[first..end]);
}

fn add_with_carry(a: u64, b: u64, carry: bool) -> (u64, bool) {
    let (sum, first) = a.overflowing_add(b);
    let (sum, second) = sum.overflowing_add(carry.into());
    (sum, first || second)
}

/// Adds a signed number × 2^`shift`.
#[inline]
fn add_shifted(limbs: &mut [u64], number: i128, shift: u32) {
    let (first, bits) = ((shift / LIMB_BITS) as usize, shift % LIMB_BITS);
    let sign = (number >> 127) as u64;
    let (low, high) = (number as u64, (number >> LIMB_BITS) as u64);
    let shifted = match bits {
        0 => [low, high, sign],
        bits => {
            let up = LIMB_BITS - bits;
            [low << bits, high << bits | low >> up, sign << bits | high >> up]
        }
    };
    let mut carry = false;
    let Some(limbs) = limbs.get_mut(first..) else { return };
    for (at, limb) in limbs.iter_mut().enumerate() {
        let added = shifted.get(at).copied().unwrap_or(sign);
        if at > 2 && (added == 0) != carry {
            // Nothing changes from here on: 0 is added, or all ones and a carry.
            return;
        }
        (*limb, carry) = add_with_carry(*limb, added, carry);
    }
}

/// Returns (number + less than 1 where `is_cut`) × 2^`exponent` / (divisor × 2^`exponents`), rounded once.
fn quotient(number: u128, is_cut: bool, exponent: i64, divisor: u128, exponents: u32) -> f64 {
    /// Of a double: the bits of its mantissa, and the exponent of its least positive number.
    const MANTISSA_BITS: i64 = 53;
    const LEAST: i64 = -1074;
    let zeros = number.leading_zeros();
    // At least 60 bits of a quotient: the number has 128 and the divisor at most 68.
    let number = number << zeros;
    let (quotient, rest) = (number / divisor, number % divisor);
    let is_cut = is_cut || rest != 0;
    let bits = i64::from(u128::BITS - quotient.leading_zeros());
    let unit = exponent - i64::from(zeros) - i64::from(exponents);
    // The exponent of the highest bit, and that of the last bit that is kept.
    let highest = unit + bits - 1;
    let last = (highest - MANTISSA_BITS + 1).max(LEAST);
    let dropped = last - unit;
    if dropped > bits {
        return 0.0;
    }
    let kept = quotient.checked_shr(dropped as u32).unwrap_or(0);
    let half = 1_u128 << (dropped - 1);
    let below = quotient & (half << 1).wrapping_sub(1);
    let rounds_up = below > half || below == half && (is_cut || kept & 1 == 1);
    let kept = kept as u64 + u64::from(rounds_up);
    // The highest of 53 bits is one more in the exponent's place, and so is a carry into the next.
    f64::from_bits(((last - LEAST).unsigned_abs() << (MANTISSA_BITS - 1)) + kept)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;

    use super::*;

    /// A number as a sign and 32-bit digits, the lowest first: slow, and another way than limbs.
    fn product(measure: i64, mantissa: u64, shift: u32) -> Vec<i128> {
        let mut digits = vec![0_i128; 300];
        let number = i128::from(measure) * i128::from(mantissa);
        let (at, bits) = ((shift / 32) as usize, shift % 32);
        for (place, part) in
            [number & 0xffff_ffff, number >> 32 & 0xffff_ffff, number >> 64].into_iter().enumerate()
        {
            digits[at + place] += part << bits;
        }
        digits
    }

    fn carried(mut digits: Vec<i128>) -> Vec<i128> {
        let last = digits.len() - 1;
        for at in 0..last {
            digits[at + 1] += digits[at] >> 32;
            digits[at] &= 0xffff_ffff;
        }
        digits
    }

    fn total(parts: &[(i64, u64, u32)]) -> Vec<i128> {
        let all = parts.iter().map(|(measure, mantissa, shift)| product(*measure, *mantissa, *shift));
        carried(all.fold(vec![0; 300], |sum, part| sum.iter().zip(part).map(|(a, b)| a + b).collect()))
    }

    fn digits_of(score: &Score) -> Vec<i128> {
        let limbs = score.limbs();
        let sign = if is_negative(&limbs) { -1 } else { 0 };
        let mut digits: Vec<i128> =
            limbs.iter().flat_map(|limb| [i128::from(limb & 0xffff_ffff), i128::from(limb >> 32)]).collect();
        digits.resize(299, if sign == 0 { 0 } else { 0xffff_ffff });
        digits.push(sign);
        digits
    }

    fn sum(octaves: u32, parts: &[(i64, u64, u32)]) -> Score {
        let mut score = Score::zero(octaves);
        parts.iter().for_each(|(measure, mantissa, shift)| score.add_product(*measure, *mantissa, *shift));
        score
    }

    /// Measures that together stay below 2^60, mantissas, and shifts up to some octaves.
    fn parts(octaves: u32) -> impl proptest::strategy::Strategy<Value = Vec<(i64, u64, u32)>> {
        vec((-(1_i64 << 54)..1 << 54, 1_u64 << 52..=1 << 53, 0..=octaves), 0..40)
    }

    fn of_widths() -> impl proptest::strategy::Strategy<Value = (u32, Vec<(i64, u64, u32)>)> {
        use proptest::strategy::Strategy;
        proptest::sample::select(vec![0_u32, 3, 14, 15, 78, 79, 182, 1000])
            .prop_flat_map(|octaves| parts(octaves).prop_map(move |parts| (octaves, parts)))
    }

    proptest::proptest! {
        #[test]
        fn any_split_and_order_gives_the_same_sum((octaves, parts) in of_widths(), cut in 0_usize..40) {
            let whole = sum(octaves, &parts);
            proptest::prop_assert_eq!(digits_of(&whole), total(&parts));
            let (first, rest) = parts.split_at(cut.min(parts.len()));
            let reversed: Vec<_> = rest.iter().rev().copied().collect();
            let (mut first, rest) = (sum(octaves, first), sum(octaves, &reversed));
            let before = first.clone();
            first.add(&rest);
            proptest::prop_assert_eq!(&first, &whole);
            first.subtract(&rest);
            proptest::prop_assert_eq!(&first, &before);
            // The order of two is that of their digits, and the same as that of their bytes where both are
            // positive.
            proptest::prop_assert_eq!(Score::zero(octaves).of_limbs(&before.significant_limbs()), Some(before.clone()));
            let by_digits = digits_of(&before).iter().rev().cmp(digits_of(&rest).iter().rev());
            proptest::prop_assert_eq!(before.cmp(&rest), by_digits);
            let bytes = |score: &Score| {
                let mut found = None;
                score.with_bytes(|length, bytes| found = Some((length, bytes.to_vec())));
                found
            };
            if before.is_positive() && rest.is_positive() {
                proptest::prop_assert_eq!(bytes(&before).cmp(&bytes(&rest)), by_digits);
            }
        }

        #[test]
        fn units_of_a_later_hour_are_exact(parts in parts(150), by in 0_u32..200) {
            let later: Vec<_> = parts.iter().map(|(measure, mantissa, shift)| (*measure, *mantissa, shift + by)).collect();
            proptest::prop_assert_eq!(sum(400, &later).in_units_of_later(by), sum(400, &parts));
        }

        #[test]
        fn small_quotients_are_what_doubles_say(number in 1_i64..1 << 53, divisor in 1_u64..1 << 53, shift in 0_u32..900) {
            // One division of two doubles that are exact is rounded once, half to even.
            let expected = number as f64 / divisor as f64;
            let mut score = Score::zero(shift);
            score.add_product(number, 1, shift);
            proptest::prop_assert_eq!(score.divided_by(divisor.into(), shift), expected);
        }
    }

    #[test]
    fn quotients_round_once_and_underflow_to_zero() {
        let score = |parts: &[(i64, u64, u32)]| sum(2_000, parts);
        // 2^53 + 1 is halfway, and rounds to the even one; anything more rounds up.
        assert_eq!(score(&[(1, 1, 1_053), (1, 1, 1_000)]).divided_by(1, 1_000), 9_007_199_254_740_992.0);
        assert_eq!(
            score(&[(1, 1, 1_053), (1, 1, 1_000), (1, 1, 0)]).divided_by(1, 1_000),
            9_007_199_254_740_994.0
        );
        assert_eq!(score(&[(1, 1, 1_053), (3, 1, 1_000)]).divided_by(1, 1_000), 9_007_199_254_740_996.0);
        // The least number, half of it, and a little more than half.
        assert_eq!(score(&[(1, 1, 926)]).divided_by(1, 2_000), f64::from_bits(1));
        assert_eq!(score(&[(1, 1, 925)]).divided_by(1, 2_000), 0.0);
        assert_eq!(score(&[(1, 1, 925), (1, 1, 3)]).divided_by(1, 2_000), f64::from_bits(1));
        assert_eq!(score(&[(3, 1, 925)]).divided_by(1, 2_000), f64::from_bits(2));
        assert_eq!(score(&[(1, 1, 0)]).divided_by(1, 2_000), 0.0);
        assert_eq!(score(&[(1, 1, 978)]).divided_by(1, 2_000), f64::MIN_POSITIVE);
        // A mantissa of ones carries into the exponent.
        assert_eq!(score(&[((1 << 54) - 1, 1, 0)]).divided_by(1, 0), 18_014_398_509_481_984.0);
        assert_eq!(score(&[(-1, 1, 5)]).divided_by(1, 0), 0.0);
        assert_eq!(score(&[]).divided_by(1, 0), 0.0);
    }

    #[test]
    fn an_integer_is_printed_with_all_digits() {
        assert_eq!(sum(0, &[]).to_string(), "0");
        assert_eq!(sum(0, &[(-7, 3, 0)]).to_string(), "-21");
        assert_eq!(sum(100, &[(1, 1, 100)]).to_string(), "1267650600228229401496703205376");
        assert_eq!(sum(100, &[(-1, 1, 100), (1, 1, 0)]).to_string(), "-1267650600228229401496703205375");
        assert_eq!(sum(100, &[(10_000_000_000_000_000, 10_000, 0)]).to_string(), "100000000000000000000");
    }
}
