//! Totals of all eligible items, not only the best: packed, since there are many.
//!
//! A part of a ranking packs each of its items as it is added. Their ranks are computed when all
//! parts are there.
//!
//! An item mostly has the same totals in all its categories, which is one row. Where it was in some of
//! them for a part of the time, it has a row for each distinct total. A total that counts shop-wide
//! only is a row with no category.
//!
//! ```text
//! length of the id | id | printed score | score | units | those of the rules' window | units of each day | set << 1 | is_for_shop
//! varint                  f64 LE          bytes   zigzag   zigzag                       zigzag              varint
//! ```
//!
//! The bytes of a score, the highest first, come without zeros at their end, behind their numbers with and
//! without these, as varints.

use hashbrown::HashMap;

use crate::model::{DAYS, DayUnits, Units, put_varint, put_zigzag, take_varint, take_zigzag};
use crate::rank::multi_category::MultiCategoryItem;
use crate::rank::reported::Reported;
use crate::rank::scoring::{Scored, Scoring};

/// The rows of one part, packed, in the order of their items' ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackedItemTotals {
    /// The bytes of the rows; see the module.
    pub packed: Vec<u8>,
    pub rows: u64,
    /// The sets of categories that rows refer to by number, each as its categories' numbers.
    pub sets: Vec<Vec<u32>>,
    /// The categories by their numbers.
    pub categories: Vec<String>,
}

/// The totals of one item in some of its categories.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PackedItemTotalsRow<'a> {
    pub item_id: &'a str,
    /// As it is printed.
    pub score: f64,
    /// Exact: of two with the same rules and window, the greater is that of the greater score.
    pub exact: ScoreBytes<'a>,
    /// Units in the window by which the item is ranked.
    pub units: Units,
    /// Units in the rules' window.
    pub window_units: Units,
    /// Units of each day.
    pub days: PackedDays<'a>,
    /// Number in [`PackedItemTotals::sets`].
    pub set: u32,
    /// Whether these are the item's shop-wide totals, too, unless it is a multi-category item.
    pub is_for_shop: bool,
}

/// The bytes of a positive score, in the order of scores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ScoreBytes<'a> {
    /// How many there are, zeros at their end included.
    pub length: u16,
    /// The highest first, without zeros at their end.
    pub bytes: &'a [u8],
}

/// Units of each day, still packed: rows are sorted and moved without unpacking them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackedDays<'a>(&'a [u8]);

impl PackedDays<'_> {
    /// Returns the units.
    pub fn units(mut self) -> DayUnits {
        let mut days = [Units::ZERO; DAYS];
        for day in &mut days {
            // The row was checked to have all of them.
            *day = take_units(&mut self.0).unwrap_or_default();
        }
        days
    }
}

/// The number before units that are not whole.
const NOT_WHOLE: u64 = 1;

/// Appends units: whole ones, which most are, as twice the zigzag code of their number.
fn put_units(units: Units, out: &mut Vec<u8>) {
    const ONE: i64 = Units::ONE.ten_thousandths();
    let value = units.ten_thousandths();
    if value % ONE == 0 {
        // A ten-thousandth of what 64 bits hold leaves room for both shifts.
        let whole = value / ONE;
        let zigzag = (whole << 1) ^ (whole >> 63);
        put_varint((zigzag << 1).cast_unsigned(), out);
    } else {
        put_varint(NOT_WHOLE, out);
        put_zigzag(value, out);
    }
}

/// Takes what [`put_units`] appended.
fn take_units(bytes: &mut &[u8]) -> Option<Units> {
    match take_varint(bytes)? {
        NOT_WHOLE => take_zigzag(bytes).map(Units::from_ten_thousandths),
        twice => {
            let zigzag = twice >> 1;
            Units::whole((zigzag >> 1).cast_signed() ^ -((zigzag & 1).cast_signed()))
        }
    }
}

/// Packs rows.
#[derive(Default)]
pub(super) struct ItemTotalsWriter {
    rows: PackedItemTotals,
    numbers: HashMap<Vec<u32>, u32>,
    /// By path set, the number of its set of categories, once that was asked for.
    by_paths: Vec<Option<u32>>,
}

impl ItemTotalsWriter {
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

    /// Returns the number of the set of categories that a path set always belongs to.
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

    /// Adds a row.
    pub fn push(
        &mut self,
        item_id: &str,
        scored: &Scored,
        scoring: &Scoring,
        reported: &Reported,
        set: u32,
        is_for_shop: bool,
    ) {
        self.push_printed(item_id, scored, scoring.printed(&scored.score), reported, set, is_for_shop);
    }

    fn push_printed(
        &mut self,
        item_id: &str,
        scored: &Scored,
        printed: f64,
        reported: &Reported,
        set: u32,
        is_for_shop: bool,
    ) {
        let PackedItemTotals { packed, rows, .. } = &mut self.rows;
        put_varint(item_id.len() as u64, packed);
        packed.extend_from_slice(item_id.as_bytes());
        packed.extend_from_slice(&printed.to_le_bytes());
        scored.score.with_bytes(|length, bytes| {
            put_varint(length.into(), packed);
            put_varint(bytes.len() as u64, packed);
            packed.extend_from_slice(bytes);
        });
        put_units(scored.aggregate.units, packed);
        put_units(reported.window.units, packed);
        reported.days.iter().for_each(|day| put_units(*day, packed));
        put_varint(u64::from(set) << 1 | u64::from(is_for_shop), packed);
        *rows += 1;
    }

    /// Returns the rows, with the names of the categories that they are in; `name` gives that of a number.
    pub fn finish<'a>(self, name: impl Fn(u32) -> &'a str) -> PackedItemTotals {
        let mut rows = self.rows;
        let mut numbers: HashMap<u32, u32> = HashMap::new();
        for category in rows.sets.iter_mut().flatten() {
            *category = *numbers.entry(*category).or_insert_with(|| {
                rows.categories.push(name(*category).to_owned());
                rows.categories.len() as u32 - 1
            });
        }
        rows
    }
}

impl PackedItemTotals {
    /// Returns rows of multi-category items that count shop-wide and in no category.
    pub fn of_multi_category(items: &[MultiCategoryItem]) -> PackedItemTotals {
        let mut sorted: Vec<&MultiCategoryItem> = items.iter().collect();
        sorted.sort_unstable_by(|a, b| a.item_id.cmp(&b.item_id));
        let mut writer = ItemTotalsWriter::default();
        let none = writer.set_of(&[]);
        for MultiCategoryItem { item_id, scored, printed, reported } in sorted {
            writer.push_printed(item_id, scored, *printed, reported, none, true);
        }
        writer.finish(|_| "")
    }

    /// Unpacks rows; ends early at bytes that are no row.
    pub fn rows_of(packed: &[u8]) -> impl Iterator<Item = PackedItemTotalsRow<'_>> {
        let mut left = packed;
        std::iter::from_fn(move || {
            let length = usize::try_from(take_varint(&mut left)?).ok()?;
            let item_id = std::str::from_utf8(left.split_off(..length)?).ok()?;
            let score = f64::from_le_bytes(*left.split_off(..8)?.first_chunk()?);
            let length = u16::try_from(take_varint(&mut left)?).ok()?;
            let kept = usize::try_from(take_varint(&mut left)?).ok()?;
            let exact = ScoreBytes { length, bytes: left.split_off(..kept)? };
            let (units, window_units) = (take_units(&mut left)?, take_units(&mut left)?);
            let mut days = PackedDays(left);
            for _ in 0..DAYS {
                take_units(&mut left)?;
            }
            days.0 = &days.0[..days.0.len() - left.len()];
            let flags = take_varint(&mut left)?;
            let set = u32::try_from(flags >> 1).ok()?;
            let is_for_shop = flags & 1 == 1;
            Some(PackedItemTotalsRow { item_id, score, exact, units, window_units, days, set, is_for_shop })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Aggregate;
    use crate::rank::score::Score;

    #[test]
    fn rows_are_unpacked_as_they_were() {
        let mut writer = ItemTotalsWriter::default();
        let days = [0, 10_000, -10_000, i64::MAX, i64::MIN, 1_270_000, -1].map(Units::from_ten_thousandths);
        let sets = [writer.set_of_paths(7, &[1, 2]), writer.set_of(&[]), writer.set_of(&[1, 2])];
        assert_eq!((sets, writer.set_of_paths(7, &[1, 2])), ([0, 1, 0], 0));
        let mut push =
            |item_id: &str, units: Units, score: (i128, f64), days: &DayUnits, set, is_for_shop| {
                let aggregate = Aggregate { purchases: 1, units, amount: 5 };
                let scored = Scored { score: Score::Narrow(score.0), aggregate };
                let window = Aggregate { units: Units::from_ten_thousandths(3), ..aggregate };
                let reported = Reported { days: *days, window };
                writer.push_printed(item_id, &scored, score.1, &reported, set, is_for_shop);
            };
        push("a", Units::from_ten_thousandths(i64::MAX), (0x1200, 0.1), &days, sets[0], true);
        push("", (-64).into(), (i128::MAX, f64::MAX), &[Units::ZERO; DAYS], sets[1], false);
        push("名前", 1.into(), (1, 1.0), &days, sets[2], false);
        let packed = writer.finish(|category| ["", "A", "A/B"][category as usize]);
        assert_eq!(packed.categories, ["A", "A/B"]);
        let exact = |length, bytes: &'static [u8]| ScoreBytes { length, bytes };
        const MAX: [u8; 16] = i128::MAX.to_be_bytes();
        let expected = [
            ("a", 0.1, exact(2, &[0x12]), Units::from_ten_thousandths(i64::MAX), days, 0, true),
            ("", f64::MAX, exact(16, &MAX), (-64).into(), [Units::ZERO; DAYS], 1, false),
            ("名前", 1.0, exact(1, &[1]), 1.into(), days, 0, false),
        ];
        let found = PackedItemTotals::rows_of(&packed.packed).map(|row| {
            assert_eq!(row.window_units.ten_thousandths(), 3);
            (row.item_id, row.score, row.exact, row.units, row.days.units(), row.set, row.is_for_shop)
        });
        assert_eq!(found.collect::<Vec<_>>(), expected);
        assert_eq!((packed.rows, packed.sets), (3, vec![vec![0, 1], vec![]]));
        let cut = &packed.packed[..packed.packed.len() - 1];
        assert_eq!(PackedItemTotals::rows_of(cut).count(), 2);
    }
}
