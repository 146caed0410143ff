//! What every item comes to that ranks anywhere, not only the best.
//!
//! A tally writes down each of its items as it comes by, packed, since there are many. Their ranks
//! are told when all are together; see [`Everyone`].
//!
//! An item sells the same in all its categories mostly, and is one row then. Where it lay in others
//! for a part of the time, it is a row for each of the aggregates that it comes to; in none of its
//! categories it is in two rows.

use hashbrown::HashMap;

use crate::model::{Aggregate, DAYS, DayUnits};
use crate::rank::score::Scored;

/// Rows of one tally, packed, in the order of their items' ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Everyone {
    /// See [`EveryoneRow`]; texts with their lengths before them, numbers of few bytes where they are
    /// small.
    pub packed: Vec<u8>,
    pub rows: u64,
    /// The sets of categories that rows tell by their numbers, each by the categories' numbers.
    pub sets: Vec<Vec<u32>>,
    /// The categories by their numbers.
    pub categories: Vec<String>,
}

/// What an item comes to in some of its categories.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EveryoneRow<'a> {
    pub item_id: &'a str,
    pub score: f64,
    /// In the window.
    pub units: i64,
    /// Units of each day.
    pub days: PackedDays<'a>,
    /// Number in [`Everyone::sets`].
    pub set: u32,
    /// Whether it is what the item comes to shop-wide, too, unless it counts so elsewhere as well.
    pub is_for_shop: bool,
}

/// Units of each day, not unpacked yet: a row is ordered and moved without them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackedDays<'a>(&'a [u8]);

impl PackedDays<'_> {
    /// Returns the units.
    pub fn units(mut self) -> DayUnits {
        let mut days = [0; DAYS];
        for day in &mut days {
            // Each was there when the row was unpacked.
            *day = take_zigzag(&mut self.0).unwrap_or_default();
        }
        days
    }
}

/// Packs rows.
#[derive(Default)]
pub(super) struct EveryoneWriter {
    rows: Everyone,
    numbers: HashMap<Vec<u32>, u32>,
    /// By sets of paths the numbers of their categories' sets, as far as they were asked for.
    by_paths: Vec<Option<u32>>,
}

impl EveryoneWriter {
    /// Returns the number of a set of categories.
    pub fn set_of(&mut self, categories: &[u32]) -> u32 {
        if let Some(number) = self.numbers.get(categories) {
            return *number;
        }
        let number = self.rows.sets.len() as u32;
        self.numbers.insert(categories.to_vec(), number);
        self.rows.sets.push(categories.to_vec());
        number
    }

    /// Returns the number of the categories that a set of paths lies in, which are always the same.
    pub fn set_of_paths(&mut self, path_set: u32, categories: &[u32]) -> u32 {
        let path_set = path_set as usize;
        if let Some(Some(number)) = self.by_paths.get(path_set) {
            return *number;
        }
        let number = self.set_of(categories);
        self.by_paths.resize(self.by_paths.len().max(path_set + 1), None);
        self.by_paths[path_set] = Some(number);
        number
    }

    /// Takes a row.
    pub fn push(&mut self, item_id: &str, scored: Scored, days: &DayUnits, set: u32, is_for_shop: bool) {
        let Everyone { packed, rows, .. } = &mut self.rows;
        put_varint(item_id.len() as u64, packed);
        packed.extend_from_slice(item_id.as_bytes());
        packed.extend_from_slice(&scored.score.to_le_bytes());
        put_zigzag(scored.aggregate.units, packed);
        days.iter().for_each(|day| put_zigzag(*day, packed));
        put_varint(u64::from(set) << 1 | u64::from(is_for_shop), packed);
        *rows += 1;
    }

    /// Returns the rows, whose categories have these names.
    pub fn finish<'a>(self, categories: impl Iterator<Item = &'a str>) -> Everyone {
        Everyone { categories: categories.map(str::to_owned).collect(), ..self.rows }
    }
}

impl Everyone {
    /// Returns the rows of items that are spread, which count shop-wide and in no category.
    pub fn of_spread(items: &[SpreadItem]) -> Everyone {
        let mut sorted: Vec<&SpreadItem> = items.iter().collect();
        sorted.sort_unstable_by(|a, b| a.item_id.cmp(&b.item_id));
        let mut writer = EveryoneWriter::default();
        let none = writer.set_of(&[]);
        for SpreadItem { item_id, score, aggregate, days } in sorted {
            writer.push(item_id, Scored { score: *score, aggregate: *aggregate }, days, none, true);
        }
        writer.finish(std::iter::empty())
    }

    /// Returns the rows that were packed; fewer where the bytes are not those that were.
    pub fn rows_of(packed: &[u8]) -> impl Iterator<Item = EveryoneRow<'_>> {
        let mut left = packed;
        std::iter::from_fn(move || {
            let length = usize::try_from(take_varint(&mut left)?).ok()?;
            let item_id = std::str::from_utf8(left.split_off(..length)?).ok()?;
            let score = f64::from_le_bytes(*left.split_off(..8)?.first_chunk()?);
            let units = take_zigzag(&mut left)?;
            let mut days = PackedDays(left);
            for _ in 0..DAYS {
                take_varint(&mut left)?;
            }
            days.0 = &days.0[..days.0.len() - left.len()];
            let flags = take_varint(&mut left)?;
            let set = u32::try_from(flags >> 1).ok()?;
            Some(EveryoneRow { item_id, score, units, days, set, is_for_shop: flags & 1 == 1 })
        })
    }
}

/// What an item comes to shop-wide that lies below several top-level categories.
#[derive(Clone, Debug, PartialEq)]
pub struct SpreadItem {
    pub item_id: String,
    pub score: f64,
    pub aggregate: Aggregate,
    pub days: DayUnits,
}

/// Seven bits a byte, the lowest first, as in <https://protobuf.dev/programming-guides/encoding/>.
fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn put_zigzag(value: i64, out: &mut Vec<u8>) {
    put_varint((value << 1 ^ value >> 63).cast_unsigned(), out);
}

fn take_varint(from: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *from.split_off_first()?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn take_zigzag(from: &mut &[u8]) -> Option<i64> {
    let value = take_varint(from)?;
    Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_unpacked_as_they_were() {
        let mut writer = EveryoneWriter::default();
        let days = [0, 1, -1, i64::MAX, i64::MIN, 127, 128];
        let scored = |units, score| Scored { score, aggregate: Aggregate { purchases: 1, units, amount: 5 } };
        let sets = [writer.set_of_paths(7, &[1, 2]), writer.set_of(&[]), writer.set_of(&[1, 2])];
        assert_eq!((sets, writer.set_of_paths(7, &[1, 2])), ([0, 1, 0], 0));
        writer.push("a", scored(i64::MAX, 0.1), &days, sets[0], true);
        writer.push("", scored(-64, f64::MAX), &[0; DAYS], sets[1], false);
        writer.push("名前", scored(1, 1.0), &days, sets[2], false);
        let everyone = writer.finish(["", "A", "A/B"].into_iter());
        let expected = [
            ("a", 0.1, i64::MAX, days, 0, true),
            ("", f64::MAX, -64, [0; DAYS], 1, false),
            ("名前", 1.0, 1, days, 0, false),
        ];
        let found = Everyone::rows_of(&everyone.packed);
        let found =
            found.map(|row| (row.item_id, row.score, row.units, row.days.units(), row.set, row.is_for_shop));
        assert_eq!(found.collect::<Vec<_>>(), expected);
        assert_eq!((everyone.rows, everyone.sets), (3, vec![vec![1, 2], vec![]]));
        let cut = &everyone.packed[..everyone.packed.len() - 1];
        assert_eq!(Everyone::rows_of(cut).count(), 2);
    }
}
