//! Scores as exact integers, by another way than the program's: big integers, square roots and decimals.

use std::sync::OnceLock;

use num_bigint::{BigInt, BigUint};

use crate::oracle::sales::{Decay, JANUARY};

/// Binary places of a fraction here, and of the weights' mantissas.
const PLACES: u64 = 256;
const MANTISSA_PLACES: u64 = 52;

/// Weights of hours: octaves an hour as numerator and denominator, none without decay.
pub struct Weights(Option<(BigInt, BigInt)>);

impl Weights {
    pub fn of(decay: Decay) -> Weights {
        Weights(match decay {
            Decay::None => None,
            Decay::HalfLife(seconds) => Some((3_600.into(), seconds.into())),
            Decay::Rate(rate) => {
                let log2_e: BigInt = "1744111284760651037637903".parse().expect("it is a number");
                // A double is an integer of 53 bits times a power of two.
                let exponent = rate.log2().floor() as i32 - 52;
                let mantissa = (rate / 2_f64.powi(exponent)) as u64;
                let product = BigInt::from(mantissa) * log2_e;
                Some((product >> exponent.unsigned_abs() as usize, BigInt::from(1) << 80_u32))
            }
        })
    }

    /// Returns the weight of an hour of January in units of the octave of another hour.
    pub fn weight(&self, hour: i64, oldest: i64) -> BigInt {
        let Some((numerator, denominator)) = &self.0 else { return 1.into() };
        let octaves = |hour: i64| {
            let product = BigInt::from(JANUARY / 3_600 + hour) * numerator;
            let whole = &product / denominator;
            (whole.clone(), product - whole * denominator)
        };
        let (whole, rest) = octaves(hour);
        let above = u32::try_from(whole - octaves(oldest).0).expect("it is not older");
        let (rest, denominator) = (rest.magnitude(), denominator.magnitude());
        BigInt::from(power_of_two(&((rest << PLACES) / denominator))) << above
    }
}

/// Returns the integer nearest to 2^fraction × 2^52: the product of square roots of square roots of 2.
fn power_of_two(fraction: &BigUint) -> BigUint {
    static ROOTS: OnceLock<Vec<BigUint>> = OnceLock::new();
    let one = BigUint::from(1_u32) << PLACES;
    let roots = ROOTS.get_or_init(|| {
        let next = |root: &BigUint| Some((root << PLACES).sqrt());
        std::iter::successors(Some(&one * 2_u32), next).take(PLACES as usize + 1).collect()
    });
    let mut product = one;
    for place in (0..PLACES).filter(|place| fraction.bit(*place)) {
        product = (product * &roots[(PLACES - place) as usize]) >> PLACES;
    }
    let below = PLACES - MANTISSA_PLACES;
    (product + (BigUint::from(1_u32) << (below - 1))) >> below
}

/// Returns the double nearest to a quotient of positive integers.
pub fn quotient(number: &BigInt, divisor: &BigInt) -> f64 {
    const DECIMALS: u32 = 1_200;
    let scaled = number * BigInt::from(10).pow(DECIMALS);
    let (whole, is_whole) = (&scaled / divisor, &scaled % divisor == BigInt::ZERO);
    // A digit more, so that what is cut off is not taken for a tie.
    let digits = format!("{whole}{}e-{}", if is_whole { 0 } else { 1 }, DECIMALS + 1);
    digits.parse().expect("it is a number")
}
