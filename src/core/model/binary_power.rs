//! 2 to the power of a fraction, by integer arithmetic alone: `exp2` differs between platforms.

/// ln 2 × 2^128, rounded down.
const LN_2: u128 = 0xb172_17f7_d1cf_79ab_c9e3_b398_03f2_f6af;
/// What is computed has so many binary places.
const PLACES: u32 = 128;
/// What is returned has so many.
const RESULT_PLACES: u32 = 52;

/// Returns the integer nearest to 2^(`numerator` / `denominator`) × 2^52, where the fraction is at least 0
/// and less than 1.
///
/// The denominator has at most 96 bits. The error before rounding is below 2^−120, and only a whole power
/// lies halfway between two integers, or as close to it as that.
pub(super) fn power_of_two(numerator: u128, denominator: u128) -> u64 {
    // By the series of e^x = Σ x^k / k!, each term from the one before; all but the first are fractions.
    let x = high_product(fraction(numerator, denominator), LN_2);
    let (mut sum, mut term, mut k) = (0_u128, x, 1_u128);
    while term > 0 {
        sum += term;
        k += 1;
        term = high_product(term, x) / k;
    }
    let rounded = ((sum >> (PLACES - RESULT_PLACES - 1)) + 1) >> 1;
    (1 << RESULT_PLACES) + rounded as u64
}

/// Returns a fraction below 1 × 2^128, rounded down.
fn fraction(numerator: u128, denominator: u128) -> u128 {
    const STEP: u32 = 32;
    let (mut quotient, mut rest) = (0, numerator);
    for _ in 0..PLACES / STEP {
        let dividend = rest << STEP;
        quotient = (quotient << STEP) | (dividend / denominator);
        rest = dividend % denominator;
    }
    quotient
}

/// Returns the upper half of a product.
fn high_product(a: u128, b: u128) -> u128 {
    const HALF: u32 = 64;
    let low = |number: u128| number & u128::from(u64::MAX);
    let (a1, a0, b1, b0) = (a >> HALF, low(a), b >> HALF, low(b));
    let (inner, outer) = (a1 * b0, a0 * b1);
    let carry = (low(inner) + low(outer) + ((a0 * b0) >> HALF)) >> HALF;
    a1 * b1 + (inner >> HALF) + (outer >> HALF) + carry
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_are_known_ones() {
        const ONE: u64 = 1 << 52;
        assert_eq!(power_of_two(0, 7), ONE);
        // √2, the third root of 4, and the twelfth root of 2, × 2^52, from 60 digits.
        assert_eq!(power_of_two(1, 2), 6_369_051_672_525_773);
        assert_eq!(power_of_two(2, 3), 7_149_018_786_131_517);
        assert_eq!(power_of_two(1, 12), 4_771_397_596_969_315);
        // The next to 2 is nearly 2, and rounds to it where the denominator is large enough.
        assert_eq!(power_of_two((1 << 80) - 1, 1 << 80), 2 * ONE);
        assert!(power_of_two((1 << 40) - 1, 1 << 40) < 2 * ONE);
    }

    proptest::proptest! {
        /// m − ½ < 2^(n/d) × 2^52 < m + ½, by powers of integers: (2m − 1)^d < 2^(n + 53 d) < (2m + 1)^d.
        #[test]
        fn the_nearest_integer_is_returned(denominator in 1_u32..40, numerator in 0_u32..40) {
            let numerator = numerator % denominator;
            let twice = 2 * u128::from(power_of_two(numerator.into(), denominator.into()));
            let bound = numerator + 53 * denominator;
            let power = |base: u128| (0..denominator).fold(vec![1_u32], |product, _| times(&product, base as u64));
            proptest::prop_assert!(numerator == 0 || bits(&power(twice - 1)) <= bound);
            proptest::prop_assert!(bits(&power(twice + 1)) > bound);
        }
    }

    /// How many bits a number has; 2^bound has bound + 1.
    fn bits(limbs: &[u32]) -> u32 {
        let top = limbs.iter().rposition(|&limb| limb > 0).expect("it is positive");
        top as u32 * 32 + 32 - limbs[top].leading_zeros()
    }

    fn times(limbs: &[u32], factor: u64) -> Vec<u32> {
        let mut product = vec![0_u32; limbs.len() + 2];
        for (at, limb) in limbs.iter().enumerate() {
            let mut carry = 0_u128;
            let mut place = u128::from(*limb) * u128::from(factor);
            for digit in product.iter_mut().skip(at) {
                let sum = u128::from(*digit) + (place & 0xffff_ffff) + carry;
                *digit = sum as u32;
                carry = sum >> 32;
                place >>= 32;
            }
        }
        product
    }
}
