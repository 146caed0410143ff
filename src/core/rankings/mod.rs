//! Published rankings: an immutable file each, and a pointer to the newest.
//!
//! Invariant: the pointer names a whole and checked file, or is not there; what it names never
//! changes.
//!
//! ```text
//! rankings/2017-01-15T00Z-1f0c….parquet    sorted by category and rank; see `columns`
//! rankings/2017-01-15T00Z-1f0c….json       the pointer that named it, for who looks at it later
//! rankings/current.json                    {"schema":1,"file":…,"blake3":…,"size_bytes":…,"rows":…,
//!                                           "as_of":…,"footer":{"size_bytes":…,"blake3":…}}
//! ```
//!
//! `blake3` and `size_bytes` are of the whole file, `footer` of its end, from where the Parquet
//! metadata begins. The metadata has a hash of each row group. So an answer reads three things, the
//! pointer, the footer and one group, and shows nothing that it has not checked. Where the footer is
//! not the one that the pointer tells of, or the pointer tells of none, as those written before it
//! did, the whole file is read and checked instead.

mod facts;
mod groups;
mod kept;
mod pointer;
mod publish;
mod totals;

use std::collections::VecDeque;

use bytes::Bytes;

use crate::model::{AggregateOverflow, Timestamp};
use crate::parquet_format::{ColumnsError, Leader, RankedRow, RankingFile};
use crate::rankings::pointer::{damaged_pointer, newest};
use crate::storage::{Store, StoreError};

pub use facts::{DayFacts, Facts};
pub use kept::{KeepRankings, Kept, check_all, kept, old_rankings};
pub use pointer::current_file;
pub use publish::{Published, publish};
pub use totals::{Draft, PublishedTotals, Totals, check_totals, old_totals};

const FOLDER: &str = "rankings";

/// A published ranking, open for reading.
pub struct Snapshot {
    /// Path below the lake.
    path: String,
    file: RankingFile,
    rows: Rows,
    facts: Facts,
}

/// Where the rows are.
enum Rows {
    /// In memory, checked together with all else.
    Whole(Bytes),
    /// In the file, each group to be checked when it is read.
    InGroups(Store),
}

/// A ranking could not be published or opened.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    #[error("there is no ranking in this lake yet")]
    None,
    #[error("nothing ranks in the hours looked at, so there is nothing to publish")]
    Empty,
    #[error("{file} is damaged: {what}")]
    Damaged { file: String, what: String },
    #[error("{file} {source}")]
    Columns { file: String, source: ColumnsError },
    #[error(transparent)]
    Overflow(#[from] AggregateOverflow),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Snapshot {
    /// Opens the newest published ranking; its rows are checked when they are read.
    ///
    /// # Errors
    /// [`SnapshotError::None`] where none was published; [`SnapshotError::Damaged`] where the file is not
    /// the one that was.
    pub fn current(store: &Store) -> Result<Snapshot, SnapshotError> {
        newest(store, |pointer| pointer.open(store))
    }

    /// Opens the newest ranking that ends no later than a moment, of those still there.
    ///
    /// # Errors
    /// [`SnapshotError::None`] where none is so old; otherwise as [`Snapshot::current`].
    pub fn at(store: &Store, moment: Timestamp) -> Result<Snapshot, SnapshotError> {
        let kept = kept(store)?.into_iter().rfind(|kept| kept.as_of <= moment);
        kept.ok_or(SnapshotError::None)?.open(store)
    }

    /// Opens the newest published ranking and checks it whole.
    ///
    /// # Errors
    /// As [`Snapshot::current`].
    fn checked(store: &Store) -> Result<Snapshot, SnapshotError> {
        newest(store, |pointer| {
            let bytes = store.get(&pointer.path())?;
            if pointer.footer.is_some() && !matches!(pointer.footer_of(&bytes), Some(Ok(_))) {
                pointer.open_whole(bytes)?;
                return Err(damaged_pointer("it tells of another footer than the file has".to_owned()));
            }
            pointer.open_whole(bytes)
        })
    }

    /// Returns one category's rows, best first; the whole shop's for `None`.
    ///
    /// # Errors
    /// Fails where the part of the file that holds them is damaged.
    pub fn category(&self, category: Option<&str>) -> Result<Vec<RankedRow<'static>>, SnapshotError> {
        let mut rows = Vec::new();
        for group in self.file.groups_of(category).map_err(|e| self.damaged(&e.to_string()))? {
            let of_group = self.file.category(group, self.group(group)?, category);
            rows.extend(of_group.map_err(|e| self.damaged(&e.to_string()))?);
        }
        Ok(rows)
    }

    /// Returns how it was made.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Returns every category's rows, best first; the shop comes first, then the categories in byte
    /// order.
    pub fn categories(&self) -> Categories<'_> {
        Categories { snapshot: self, next_group: 0, waiting: VecDeque::new() }
    }

    /// Returns the rows of items whose id and name are wanted, in the order of the file.
    ///
    /// # Errors
    /// Fails where the file is damaged.
    pub fn rows_of(
        &self,
        wants: &dyn Fn(&str, Option<&str>) -> bool,
    ) -> Result<Vec<RankedRow<'static>>, SnapshotError> {
        let mut rows = Vec::new();
        for group in 0..self.file.groups() {
            let found = self.file.rows_wanted(group, self.group(group)?, wants);
            rows.extend(found.map_err(|e| self.damaged(&e.to_string()))?);
        }
        Ok(rows)
    }

    /// Returns every category, the shop first.
    ///
    /// # Errors
    /// Fails where the file is damaged.
    pub fn leaders(&self) -> Result<Vec<Leader>, SnapshotError> {
        let mut leaders = Vec::new();
        for group in 0..self.file.groups() {
            let added = self.file.add_leaders(group, self.group(group)?, &mut leaders);
            added.map_err(|e| self.damaged(&e.to_string()))?;
        }
        Ok(leaders)
    }

    /// Returns the bytes of a group, if they are those that were published.
    fn group(&self, group: usize) -> Result<Bytes, SnapshotError> {
        let range = self.file.range(group);
        match &self.rows {
            Rows::Whole(bytes) => {
                let [from, to] = [range.start, range.end].map(usize::try_from);
                let within = from.ok().zip(to.ok()).filter(|(from, to)| from <= to && *to <= bytes.len());
                let within = within.ok_or_else(|| self.damaged("its footer names rows outside of it"))?;
                Ok(bytes.slice(within.0..within.1))
            }
            Rows::InGroups(store) => {
                let bytes = store.get_range(&self.path, range)?;
                match self.file.is_whole(group, &bytes) {
                    true => Ok(bytes),
                    false => Err(self.damaged("its bytes are not those that were published")),
                }
            }
        }
    }

    fn damaged(&self, what: &str) -> SnapshotError {
        SnapshotError::Damaged { file: self.path.clone(), what: what.to_owned() }
    }
}

/// The categories of a ranking, each with its rows; nothing behind a group that is damaged.
pub struct Categories<'a> {
    snapshot: &'a Snapshot,
    next_group: usize,
    waiting: VecDeque<Vec<RankedRow<'static>>>,
}

impl Categories<'_> {
    /// Reads the next group behind what is waiting already.
    fn read(&mut self) -> Result<(), SnapshotError> {
        let Categories { snapshot, next_group, waiting } = self;
        let bytes = snapshot.group(*next_group)?;
        let read = snapshot.file.each_row(*next_group, bytes, &mut |row| {
            let row = row.into_owned();
            match waiting.back_mut() {
                Some(rows) if rows[0].category == row.category => rows.push(row),
                _ => waiting.push_back(vec![row]),
            }
        });
        *next_group += 1;
        read.map_err(|e| snapshot.damaged(&e.to_string()))
    }
}

impl Iterator for Categories<'_> {
    type Item = Result<Vec<RankedRow<'static>>, SnapshotError>;

    fn next(&mut self) -> Option<Self::Item> {
        // The last that is waiting may go on in the next group.
        while self.waiting.len() < 2 && self.next_group < self.snapshot.file.groups() {
            if let Err(error) = self.read() {
                self.next_group = usize::MAX;
                self.waiting.clear();
                return Some(Err(error));
            }
        }
        self.waiting.pop_front().map(Ok)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Aggregate, Decay, Week, Window, Zone};
    use crate::parquet_format::ROWS_PER_GROUP;
    use crate::rank::{CategoryRanking, Measure, RankedItem, Ranking, Rules};
    use crate::rankings::groups::Groups;
    use crate::rankings::pointer::POINTER;
    use crate::storage::temporary;

    fn rules() -> Rules {
        let as_of = Timestamp::parse("2017-01-15T00:00:00Z").expect("a good moment").hour();
        let window = Window::ending(as_of, 150);
        Rules {
            window,
            decay: Decay::HalfLifeHours(48.0),
            measure: Measure::Units,
            top: usize::MAX,
            min_items: 1,
            max_lookback_hours: 150,
            week: Week::ending(as_of, Zone::utc()),
        }
    }

    /// The shop and categories of so many rows each.
    fn ranking(sizes: &[usize], step: i128) -> Ranking {
        let item = |category: usize, rank: usize| RankedItem {
            item_id: format!("item {}", (rank * 7919 + category) % 5_000),
            score: 1e6 / (rank + category + 1) as f64,
            aggregate: Aggregate {
                purchases: 3,
                units: i64::try_from(1_000_000 - rank).expect("ranks are small"),
                amount: step * rank as i128,
            },
            days: [0, 0, 9, 4, 0, i64::from(rank as u16), i64::from(category as u16)],
        };
        let of_category = |(category, &size): (usize, &usize)| CategoryRanking {
            category: (category > 0).then(|| format!("Category {category:05}")),
            window: rules().window,
            rankable: size as u64 + 5,
            aggregate: Aggregate { purchases: 7, units: 1 << 50, amount: step * 1_000 },
            items: (0..size).map(|rank| item(category, rank)).collect(),
        };
        Ranking { categories: sizes.iter().enumerate().map(of_category).collect() }
    }

    fn rows(ranking: &Ranking) -> Vec<RankedRow<'_>> {
        let groups = Groups::of(ranking, None);
        (0..groups.len()).flat_map(|group| groups.rows_of(group)).collect()
    }

    fn published(store: &Store, ranking: &Ranking) -> Snapshot {
        publish(store, ranking, None, &rules(), &[]).expect("it can be published");
        Snapshot::current(store).expect("it was published")
    }

    /// Changes a byte of the published file, so many from its beginning or, below zero, its end.
    fn harm(store: &Store, at: isize) {
        let path = Snapshot::current(store).expect("it was published").path;
        let mut bytes = store.get(&path).expect("it is there").to_vec();
        let at = if at < 0 { bytes.len() - at.unsigned_abs() } else { at.unsigned_abs() };
        bytes[at] ^= 1;
        store.put(&path, bytes.into()).expect("it can be written");
    }

    fn is_damaged<T>(read: &Result<T, SnapshotError>) -> bool {
        matches!(read, Err(SnapshotError::Damaged { .. }))
    }

    fn problems(store: &Store) -> usize {
        check_all(store).expect("the folder can be listed").1.len()
    }

    /// Rewrites the pointer.
    fn point(store: &Store, change: impl Fn(&mut serde_json::Map<String, serde_json::Value>)) {
        let json = store.get(POINTER).expect("there is a pointer");
        let mut pointer = serde_json::from_slice(&json).expect("a pointer is JSON");
        change(&mut pointer);
        let json = serde_json::to_vec(&pointer).expect("it was JSON");
        store.put(POINTER, json.into()).expect("it can be written");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]

        #[test]
        fn what_is_read_by_parts_is_what_was_ranked(
            sizes in vec(prop_oneof![1..300_usize, 3_000..9_000_usize, 16_380..16_390_usize, Just(40_000)], 1..14),
            step in prop_oneof![Just(100), Just(10_i128.pow(13)), Just(-10_i128.pow(17))],
        ) {
            let (store, _folder) = temporary();
            let ranking = ranking(&sizes, step);
            let snapshot = published(&store, &ranking);
            let whole = Snapshot::checked(&store).expect("it is whole");
            prop_assert!(matches!((&snapshot.rows, &whole.rows), (Rows::InGroups(_), Rows::Whole(_))));
            let expected = rows(&ranking);
            for category in &ranking.categories {
                let of_category: Vec<&RankedRow<'_>> =
                    expected.iter().filter(|row| row.category.as_deref() == category.category.as_deref()).collect();
                let path = category.category.as_deref();
                let read = snapshot.category(path).expect("it can be read");
                // `name` and `rankable` among them.
                prop_assert!(read.iter().eq(of_category), "{path:?}");
                prop_assert_eq!(read, whole.category(path).expect("it can be read"));
            }
            for unknown in ["", "Category", "Category 00001 ", "Z"] {
                prop_assert_eq!(snapshot.category(Some(unknown)).expect("it can be read"), []);
            }
            let leaders = snapshot.leaders().expect("it can be read");
            let counts: Vec<usize> = leaders.iter().map(|leader| leader.items as usize).collect();
            prop_assert_eq!(counts, sizes);
            prop_assert_eq!(leaders, whole.leaders().expect("it can be read"));
            prop_assert_eq!(problems(&store), 0);
        }
    }

    #[test]
    fn a_category_that_fits_into_a_group_is_read_from_one() {
        let (store, _folder) = temporary();
        let ranking = ranking(&[100; 400], 100);
        let snapshot = published(&store, &ranking);
        assert_eq!(snapshot.file.groups(), 400 / (ROWS_PER_GROUP / 100) + 1);
        for category in &ranking.categories {
            let groups = snapshot.file.groups_of(category.category.as_deref());
            assert_eq!(groups.expect("there are categories").len(), 1);
        }
    }

    #[test]
    fn damage_is_told_by_whatever_reads_it_and_the_rest_is_still_shown() {
        let (store, _folder) = temporary();
        let ranking = ranking(&[10_000; 3], 100);
        let snapshot = published(&store, &ranking);
        let last = |group| isize::try_from(snapshot.file.range(group).end - 1).expect("the file is small");
        let ends = [0, 1, 2].map(last);
        harm(&store, ends[1]);
        let snapshot = Snapshot::current(&store).expect("the footer is as it was");
        for (path, expected) in
            [(None, false), (Some("Category 00001"), true), (Some("Category 00002"), false)]
        {
            assert_eq!(is_damaged(&snapshot.category(path)), expected, "{path:?}");
        }
        assert!(is_damaged(&snapshot.leaders()));
        assert_eq!(problems(&store), 2, "the file, and that the newest ranking is one of them");
        // What stands between the rows and the footer is for other engines; no answer is made of it.
        publish(&store, &ranking, None, &rules(), &[]).expect("it can be published again");
        harm(&store, ends[2] + 2);
        let snapshot = Snapshot::current(&store).expect("the footer is as it was");
        assert_eq!(snapshot.leaders().expect("no group has changed").len(), 3);
        assert_eq!(problems(&store), 2);
        for of_footer in [-1, -5, -9, -200] {
            publish(&store, &ranking, None, &rules(), &[]).expect("it can be published again");
            harm(&store, of_footer);
            assert!(is_damaged(&Snapshot::current(&store)), "{of_footer}");
            assert_eq!(problems(&store), 2, "{of_footer}");
        }
    }

    #[test]
    fn without_a_footer_to_go_by_the_whole_file_is_checked() {
        let (store, _folder) = temporary();
        let ranking = ranking(&[10_000; 3], 100);
        let expected = published(&store, &ranking).category(None).expect("it can be read");
        let shown = || Snapshot::current(&store).and_then(|snapshot| snapshot.category(None));
        // As pointers were written before groups were hashed.
        point(&store, |pointer| drop(pointer.remove("footer")));
        assert_eq!(shown().expect("an older pointer is good"), expected);
        assert_eq!(problems(&store), 0);
        harm(&store, 30_000);
        assert!(is_damaged(&shown()));
        publish(&store, &ranking, None, &rules(), &[]).expect("it can be published again");
        for wrong in [serde_json::json!(0), serde_json::json!(10), serde_json::json!(u64::MAX)] {
            point(&store, |pointer| pointer["footer"]["size_bytes"] = wrong.clone());
            assert_eq!(shown().expect("the file is good"), expected);
            assert_eq!(problems(&store), 1, "{wrong}");
        }
    }
}
