//! The popularity of items: Zipf's law, drawn in constant time.

use rayon::prelude::*;

use crate::random::Random;

/// The exponent of popularity: the sales of the item of rank r are proportional to r^-1.05.
pub(super) const EXPONENT: f64 = 1.05;

/// Walker's alias table: all slots are equally likely, and each holds one item and, for the upper part
/// of its draws, another.
pub(super) struct Popularity {
    slots: Vec<Slot>,
}

#[derive(Clone, Copy)]
struct Slot {
    /// Draws up to this, of 2^32, are the slot's own item.
    own: u32,
    other: u32,
}

/// Returns the weights of items, best seller first.
pub(super) fn weights(items: u32) -> Vec<f64> {
    (1..=items).into_par_iter().map(|rank| libm::pow(f64::from(rank), -EXPONENT)).collect()
}

impl Popularity {
    /// Returns the table of items, numbered by rank.
    pub fn of(items: u32) -> Popularity {
        let mut shares = weights(items);
        let each = shares.iter().sum::<f64>() / f64::from(items);
        shares.iter_mut().for_each(|share| *share /= each);
        let mut slots: Vec<Slot> = (0..items).map(|other| Slot { own: u32::MAX, other }).collect();
        let own = |share: f64| (share * f64::from(u32::MAX)).clamp(0.0, f64::from(u32::MAX)) as u32;
        // Shares decrease with the rank, so that those above the size of a slot come first; each in turn
        // fills slots of smaller ones until it fits, and its own slot is then filled by the next one.
        let mut giver = 0_usize;
        let first_small = shares.partition_point(|share| *share >= 1.0);
        for taker in first_small..shares.len() {
            slots[taker] = Slot { own: own(shares[taker]), other: giver as u32 };
            shares[giver] -= 1.0 - shares[taker];
            while shares[giver] < 1.0 && giver + 1 < first_small {
                slots[giver] = Slot { own: own(shares[giver]), other: giver as u32 + 1 };
                shares[giver + 1] -= 1.0 - shares[giver];
                giver += 1;
            }
        }
        Popularity { slots }
    }

    /// Draws an item.
    #[inline]
    pub fn draw(&self, random: &mut Random) -> u32 {
        let (slot, rest) = random.below(self.slots.len() as u64);
        let Slot { own, other } = self.slots[slot as usize];
        if (rest >> 32) as u32 <= own { slot as u32 } else { other }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_add_up_to_the_shares_of_zipf() {
        for items in [1, 2, 3, 10, 1_000] {
            let table = Popularity::of(items);
            let mut shares = vec![0.0; items as usize];
            for (at, slot) in table.slots.iter().enumerate() {
                let own = f64::from(slot.own) / f64::from(u32::MAX);
                shares[at] += own;
                shares[slot.other as usize] += 1.0 - own;
            }
            let weights = weights(items);
            let sum = weights.iter().sum::<f64>();
            for (share, weight) in shares.iter().zip(&weights) {
                let expected = weight / sum * f64::from(items);
                assert!((share - expected).abs() < 1e-5, "{items}: {share} {expected}");
            }
        }
    }
}
