//! The numbers and texts of the files of partial rankings.
//!
//! | what | how |
//! |---|---|
//! | number | varint; with a sign zigzag-encoded, see [`put_varint`] |
//! | text | the number of its bytes, and these |
//! | aggregate | purchases, units in ten-thousandths, both with a sign; the amount as 16 bytes, the lowest first |
//! | score | the number of its 64-bit limbs, and these, the lowest first; two's complement, without limbs that only repeat the sign |
//! | days | the units of seven days, with a sign |
//! | reported | days, and the aggregate over the rules' window |

use crate::model::{Aggregate, DayUnits, Units, put_varint, put_zigzag, take_varint, take_zigzag};
use crate::rank::item_rows::Sum;
use crate::rank::reported::Reported;
use crate::rank::score::Score;

/// Appends values to bytes.
#[derive(Default)]
pub(super) struct Writer(pub Vec<u8>);

impl Writer {
    pub fn number(&mut self, number: u64) {
        put_varint(number, &mut self.0);
    }

    pub fn count(&mut self, number: usize) {
        self.number(number as u64);
    }

    pub fn fixed(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    pub fn text(&mut self, text: &str) {
        self.count(text.len());
        self.0.extend_from_slice(text.as_bytes());
    }

    pub fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    pub fn units(&mut self, units: Units) {
        put_zigzag(units.ten_thousandths(), &mut self.0);
    }

    pub fn aggregate(&mut self, aggregate: &Aggregate) {
        put_zigzag(aggregate.purchases, &mut self.0);
        self.units(aggregate.units);
        self.0.extend_from_slice(&aggregate.amount.to_le_bytes());
    }

    pub fn days(&mut self, days: &DayUnits) {
        days.iter().for_each(|day| self.units(*day));
    }

    pub fn reported(&mut self, reported: &Reported) {
        self.days(&reported.days);
        self.aggregate(&reported.window);
    }

    pub fn score(&mut self, score: &Score) {
        let limbs = score.significant_limbs();
        self.count(limbs.len());
        limbs.iter().for_each(|limb| self.fixed(*limb));
    }

    pub fn sum(&mut self, sum: &Sum) {
        self.score(&sum.score);
        self.number(sum.absolute);
        self.aggregate(&sum.aggregate);
    }
}

/// Takes values off the front of bytes; `None` where they are no such value.
pub(super) struct Reader<'a> {
    left: &'a [u8],
    /// A score of no hours, as wide as all scores are.
    zero: &'a Score,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8], zero: &'a Score) -> Reader<'a> {
        Reader { left: bytes, zero }
    }

    pub fn is_at_end(&self) -> bool {
        self.left.is_empty()
    }

    pub fn number(&mut self) -> Option<u64> {
        take_varint(&mut self.left)
    }

    /// Takes the number of some values, each of at least one byte.
    pub fn count(&mut self) -> Option<usize> {
        let count = usize::try_from(self.number()?).ok()?;
        (count <= self.left.len()).then_some(count)
    }

    pub fn fixed(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(*self.left.split_off(..8)?.first_chunk()?))
    }

    pub fn text(&mut self) -> Option<&'a str> {
        let length = self.count()?;
        std::str::from_utf8(self.left.split_off(..length)?).ok()
    }

    pub fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.count()?;
        self.left.split_off(..length)
    }

    pub fn units(&mut self) -> Option<Units> {
        take_zigzag(&mut self.left).map(Units::from_ten_thousandths)
    }

    pub fn aggregate(&mut self) -> Option<Aggregate> {
        let (purchases, units) = (take_zigzag(&mut self.left)?, self.units()?);
        let amount = i128::from_le_bytes(*self.left.split_off(..16)?.first_chunk()?);
        Some(Aggregate { purchases, units, amount })
    }

    pub fn days(&mut self) -> Option<DayUnits> {
        let mut days = DayUnits::default();
        for day in &mut days {
            *day = self.units()?;
        }
        Some(days)
    }

    pub fn reported(&mut self) -> Option<Reported> {
        Some(Reported { days: self.days()?, window: self.aggregate()? })
    }

    pub fn score(&mut self) -> Option<Score> {
        let count = self.count()?;
        let limbs = (0..count).map(|_| self.fixed()).collect::<Option<Vec<u64>>>()?;
        self.zero.of_limbs(&limbs)
    }

    pub fn sum(&mut self) -> Option<Sum> {
        Some(Sum { score: self.score()?, absolute: self.number()?, aggregate: self.aggregate()? })
    }

    /// Takes as many values as a count says.
    pub fn all<T>(&mut self, mut take: impl FnMut(&mut Reader<'a>) -> Option<T>) -> Option<Vec<T>> {
        (0..self.count()?).map(|_| take(self)).collect()
    }
}
