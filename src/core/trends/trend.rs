//! Published rankings compared: movements, weeks on the list, and shares.

use std::cmp::Ordering;
use std::iter::Peekable;

use hashbrown::{HashMap, HashSet};

use crate::model::{Aggregate, Timestamp};
use crate::parquet_format::RankedRow;
use crate::rank::Measure;
use crate::rankings::{
    Categories, RankingMetadata, RetainedRanking, Snapshot, SnapshotError, newest_like, retained_rankings,
};
use crate::storage::Store;
use crate::trends::share::shares_of;

/// How many weeks back rankings are searched.
const WEEKS: i64 = 52;
/// Longer than any lake has rankings.
const MAX_SINCE_SECONDS: u64 = 100 * 366 * 24 * 3_600;
const SECONDS_PER_WEEK: i64 = 7 * 24 * 3_600;

/// Since when movements are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// So many seconds before the end of the ranking's window.
    Before(u64),
    At(Timestamp),
}

/// How an item's rank differs from the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Movement {
    /// There is no earlier ranking to compare with.
    Unknown,
    /// It was not on the list.
    New,
    Up(u32),
    Down(u32),
    Same,
}

/// An item on a list.
#[derive(Clone, Debug, PartialEq)]
pub struct TrendEntry {
    pub row: RankedRow<'static>,
    pub movement: Movement,
    pub previous_rank: Option<i32>,
    /// On how many weeks' lists it was, this one included, as far as rankings are retained.
    pub weeks: u32,
}

/// A category's list, compared with earlier ones.
#[derive(Clone, Debug, PartialEq)]
pub struct Trend {
    /// The path; `None` is the whole shop.
    pub category: Option<String>,
    /// Best first.
    pub places: Vec<TrendEntry>,
    /// The items that have left the list, by their previous ranks.
    pub dropped: Vec<RankedRow<'static>>,
}

/// A ranking, and the earlier ones that it is compared with.
pub struct Trends {
    current: Snapshot,
    previous: Option<Snapshot>,
    /// The end of the one before, by the same rules.
    before: Option<Timestamp>,
    /// The last of each earlier week, newest first.
    weeks: Vec<Snapshot>,
}

impl Trends {
    /// Compares a ranking with those by the same rules before it, as far as they are still stored and not damaged:
    /// movements with the newest that ends no later than `since`, or the oldest if none does.
    ///
    /// # Errors
    /// Fails where the folder of rankings cannot be listed.
    pub fn of(store: &Store, current: Snapshot, since: Since) -> Result<Trends, SnapshotError> {
        let mut retained = retained_rankings(store)?;
        let as_of = current.metadata().as_of;
        retained.retain(|ranking| ranking.as_of < as_of && ranking.may_be_like(current.metadata()));
        let newest_in = |after: Option<Timestamp>, until: Timestamp| {
            let end = retained.partition_point(|retained| retained.as_of <= until);
            let begin = after.map_or(0, |after| retained.partition_point(|retained| retained.as_of <= after));
            let within = retained.get(begin..end).unwrap_or_default();
            newest_intact(store, within, current.metadata())
        };
        let back = |weeks: i64| as_of.plus_seconds(-weeks * SECONDS_PER_WEEK);
        let until = match since {
            Since::Before(seconds) => as_of.plus_seconds(-seconds.clamp(1, MAX_SINCE_SECONDS).cast_signed()),
            Since::At(moment) => moment,
        };
        let previous = newest_in(None, until);
        let previous = previous.or_else(|| {
            let mut later = retained.iter();
            later.find_map(|ranking| newest_intact(store, std::slice::from_ref(ranking), current.metadata()))
        });
        let before = retained.last().map(|ranking| ranking.as_of);
        let weeks = (1..=WEEKS).filter_map(|week| newest_in(Some(back(week + 1)), back(week))).collect();
        Ok(Trends { current, previous, before, weeks })
    }

    /// Compares one ranking with another, whatever was published between them.
    pub fn between(previous: Snapshot, current: Snapshot) -> Trends {
        let before = Some(previous.metadata().as_of);
        Trends { current, previous: Some(previous), before, weeks: Vec::new() }
    }

    /// Returns the ranking that is compared.
    pub fn current(&self) -> &Snapshot {
        &self.current
    }

    /// Returns the ranking that movements refer to.
    pub fn previous(&self) -> Option<&Snapshot> {
        self.previous.as_ref()
    }

    /// Returns the last of each earlier week, newest first.
    pub(super) fn weeks(&self) -> &[Snapshot] {
        &self.weeks
    }

    /// Returns whether the ranking is older than twice the time between it and the one before; `None`
    /// where there is none before.
    pub fn is_stale(&self, now: Timestamp) -> Option<bool> {
        let as_of = self.current.metadata().as_of.micros();
        let spacing = as_of - self.before?.micros();
        Some(now.micros() - as_of > 2 * spacing)
    }

    /// Returns a category's list, the whole shop's for `None`; `None` where it has none.
    ///
    /// # Errors
    /// Fails where the ranking is damaged; a damaged earlier one is ignored.
    pub fn category(&self, category: Option<&str>) -> Result<Option<Trend>, SnapshotError> {
        let rows = self.current.category(category)?;
        let before = |snapshot: &Snapshot| snapshot.category(category).ok();
        let previous = self.previous.as_ref().and_then(before);
        let weeks: Vec<_> = self.weeks.iter().filter_map(before).collect();
        let is_there = !rows.is_empty() || previous.as_ref().is_some_and(|rows| !rows.is_empty());
        Ok(is_there.then(|| trend(category.map(str::to_owned), rows, previous.as_deref(), &weeks)))
    }

    /// Passes on the list of every category that is ranked now, the whole shop's first, then the
    /// categories' in byte order.
    ///
    /// # Errors
    /// Fails where the ranking is damaged, or as `take` does.
    pub fn each<E: From<SnapshotError>>(
        &self,
        take: &mut dyn FnMut(Trend) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut previous = self.previous.as_ref().map(CategoryCursor::of);
        let mut weeks: Vec<CategoryCursor<'_>> = self.weeks.iter().map(CategoryCursor::of).collect();
        for rows in self.current.categories() {
            let rows = rows?;
            let category = rows.first().and_then(|row| row.category.as_deref()).map(str::to_owned);
            let of_previous = previous.as_mut().and_then(|beside| beside.rows(category.as_deref()));
            let of_weeks: Vec<_> =
                weeks.iter_mut().filter_map(|beside| beside.rows(category.as_deref())).collect();
            take(trend(category, rows, of_previous.as_deref(), &of_weeks))?;
        }
        Ok(())
    }
}

impl Trend {
    /// Returns a list that is compared with no other.
    pub(super) fn of_rows(rows: &[RankedRow<'static>]) -> Trend {
        let places = rows.iter().map(|row| entry_of(row.clone(), None, 0)).collect();
        Trend { category: None, places, dropped: Vec::new() }
    }

    /// Returns the share of the category, in hundredths of a percent, that each of the first items has,
    /// and that of all its other items; together exactly [`WHOLE`](crate::trends::WHOLE). `None` where the
    /// ranking has no total of the category.
    ///
    /// A share is of what the score adds up, and the same however many items are asked for.
    pub fn shares(&self, first: usize, by: Measure) -> Option<(Vec<u32>, u32)> {
        let whole = self.places.first()?.row.details?.eligible;
        let parts = self.places.iter().map(|place| place.row.aggregate);
        Some(first_of(first, shares_of(parts, whole, by)?))
    }

    /// Returns the shares of the ranking's window in the same way. Where the category's window is extended, they are of
    /// what all its items add up to; `None` where returns make that less than its parts, and in older rankings.
    pub fn window_shares(&self, first: usize, by: Measure) -> Option<(Vec<u32>, u32)> {
        if !self.is_extended()? {
            return self.shares(first, by);
        }
        let of_items = |place: &TrendEntry| place.row.window_aggregate();
        let parts = self.places.iter().map(of_items).collect::<Option<Vec<Aggregate>>>()?;
        Some(first_of(first, shares_of(parts.into_iter(), self.window_total()?, by)?))
    }

    /// Returns whether the category's window is longer than that of the ranking; `None` in older rankings.
    pub fn is_extended(&self) -> Option<bool> {
        self.places.first()?.row.is_extended()
    }

    /// Returns what all items of the category add up to over the ranking's window, eligible or not; `None` in older
    /// rankings.
    pub fn window_total(&self) -> Option<Aggregate> {
        Some(self.places.first()?.row.details?.window?.category)
    }
}

/// Returns the first of some shares, and the rest of them added to that of the others.
fn first_of(first: usize, (mut shares, others): (Vec<u32>, u32)) -> (Vec<u32>, u32) {
    let more: u32 = shares.drain(first.min(shares.len())..).sum();
    (shares, others + more)
}

/// Returns the newest of some rankings that was made by the same rules as another and can be opened.
fn newest_intact(
    store: &Store,
    mut retained: &[RetainedRanking],
    like: &RankingMetadata,
) -> Option<Snapshot> {
    while let Some((last, rest)) = retained.split_last() {
        if let Ok(Some(snapshot)) = newest_like(store, std::slice::from_ref(last), like) {
            return Some(snapshot);
        }
        retained = rest;
    }
    None
}

/// The categories of another ranking, looked up in ascending order.
struct CategoryCursor<'a> {
    categories: Peekable<Categories<'a>>,
    is_damaged: bool,
}

impl<'a> CategoryCursor<'a> {
    fn of(snapshot: &'a Snapshot) -> CategoryCursor<'a> {
        CategoryCursor { categories: snapshot.categories().peekable(), is_damaged: false }
    }

    /// Returns a category's rows, an empty list where it has none; `None` from a damaged row group on.
    fn rows(&mut self, category: Option<&str>) -> Option<Vec<RankedRow<'static>>> {
        while !self.is_damaged {
            let order = match self.categories.peek() {
                Some(Ok(rows)) => rows.first().map(|row| row.category.as_deref().cmp(&category)),
                Some(Err(_)) => {
                    self.is_damaged = true;
                    return None;
                }
                None => None,
            };
            match order {
                Some(Ordering::Less) => drop(self.categories.next()),
                Some(Ordering::Equal) => return self.categories.next()?.ok(),
                Some(Ordering::Greater) | None => return Some(Vec::new()),
            }
        }
        None
    }
}

/// Returns an item of a list, given its rank before, if there was a list then and it was on it, and on how many earlier
/// weeks' lists it was.
pub(super) fn entry_of(row: RankedRow<'static>, before: Option<Option<i32>>, in_weeks: u32) -> TrendEntry {
    let movement = match before {
        None => Movement::Unknown,
        Some(None) => Movement::New,
        Some(Some(before)) => match before.cmp(&row.rank) {
            Ordering::Equal => Movement::Same,
            Ordering::Greater => Movement::Up(before.abs_diff(row.rank)),
            Ordering::Less => Movement::Down(before.abs_diff(row.rank)),
        },
    };
    TrendEntry { row, movement, previous_rank: before.flatten(), weeks: 1 + in_weeks }
}

/// Returns a category's list, compared with earlier ones.
fn trend(
    category: Option<String>,
    rows: Vec<RankedRow<'static>>,
    previous: Option<&[RankedRow<'static>]>,
    weeks: &[Vec<RankedRow<'static>>],
) -> Trend {
    let ranks: Option<HashMap<&str, i32>> =
        previous.map(|rows| rows.iter().map(|row| (&*row.item_id, row.rank)).collect());
    let mut in_weeks: HashMap<&str, u32> = HashMap::new();
    for row in weeks.iter().flatten() {
        *in_weeks.entry(&row.item_id).or_default() += 1;
    }
    let place = |row: RankedRow<'static>| {
        let before = ranks.as_ref().map(|ranks| ranks.get(&*row.item_id).copied());
        let in_weeks = in_weeks.get(&*row.item_id).copied().unwrap_or(0);
        entry_of(row, before, in_weeks)
    };
    let places: Vec<TrendEntry> = rows.into_iter().map(place).collect();
    let dropped = {
        let listed: HashSet<&str> = places.iter().map(|place| &*place.row.item_id).collect();
        let is_gone = |row: &&RankedRow<'static>| !listed.contains(&*row.item_id);
        previous.into_iter().flatten().filter(is_gone).cloned().collect()
    };
    Trend { category, places, dropped }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DayUnits, Decay, EventTypes, Hour, Week, Window, Zone};
    use crate::parquet_format::RowDetails;
    use crate::rank::{CategoryRanking, Measure, RankedItem, Ranking, Rules};
    use crate::rankings::{Promote, Publication, publish};
    use crate::storage::temporary;

    const DAY: Since = Since::Before(24 * 3_600);

    /// Publishes lists of items, best first, the shop's under the empty name.
    fn published(store: &Store, as_of: i32, hours: u32, lists: &[(&str, &str)]) -> Snapshot {
        let as_of = Hour::new(as_of);
        let window = Window::ending(as_of, hours);
        let rules = Rules {
            window,
            decay: Decay::None,
            measure: Measure::Units,
            limit: 5,
            min_items: 1,
            max_lookback_hours: 150,
            week: Week::ending(as_of, Zone::utc()),
        };
        let item = |(place, item): (usize, char)| RankedItem {
            item_id: item.to_string(),
            score: 9.0 - place as f64,
            aggregate: Aggregate { purchases: 1, units: (9 - i32::from(place as u8)).into(), amount: 0 },
            window_aggregate: Aggregate::default(),
            days: DayUnits::default(),
        };
        let of_category = |(category, items): &(&str, &str)| CategoryRanking {
            category: (!category.is_empty()).then(|| (*category).to_owned()),
            window,
            eligible_items: 9,
            aggregate: Aggregate { purchases: 9, units: 40.into(), amount: 0 },
            window_aggregate: Aggregate { purchases: 9, units: 40.into(), amount: 0 },
            items: items.chars().enumerate().map(item).collect(),
            next: None,
        };
        let ranking = Ranking { categories: lists.iter().map(of_category).collect() };
        let publication = Publication { promote: Promote::Yes, ..Publication::default() };
        let event_types = EventTypes::of(vec!["purchase".to_owned()], Vec::new());
        publish(store, &ranking, None, &rules, &event_types, &publication).expect("it can be published");
        Snapshot::current(store).expect("it was published")
    }

    /// Each place as `rank item movement weeks`, then what dropped.
    fn text_of(trend: &Trend) -> String {
        let place = |place: &TrendEntry| {
            let moved = match place.movement {
                Movement::Unknown => "?".to_owned(),
                Movement::New => "new".to_owned(),
                Movement::Up(by) => format!("+{by}"),
                Movement::Down(by) => format!("-{by}"),
                Movement::Same => "=".to_owned(),
            };
            format!("{}{}{moved}/{}", place.row.rank, place.row.item_id, place.weeks)
        };
        let mut texts: Vec<String> = trend.places.iter().map(place).collect();
        texts.extend(trend.dropped.iter().map(|row| format!("-{}", row.item_id)));
        format!("{}: {}", trend.category.as_deref().unwrap_or(""), texts.join(" "))
    }

    fn all(trends: &Trends) -> Vec<String> {
        let mut found = Vec::new();
        let each = trends.each(&mut |trend| {
            let alone = trends.category(trend.category.as_deref())?;
            assert_eq!(alone.as_ref(), Some(&trend), "one by one as all together");
            found.push(text_of(&trend));
            Ok::<(), SnapshotError>(())
        });
        each.expect("they can be read");
        found
    }

    #[test]
    fn a_list_is_compared_with_the_one_before_by_the_same_rules() {
        let (store, _folder) = temporary();
        let week = 7 * 24;
        published(&store, 10_000 - 2 * week - 5, 150, &[("", "xa"), ("A", "a"), ("Z", "z")]);
        published(&store, 10_000 - week, 150, &[("", "ab"), ("A", "ba")]);
        let before = published(&store, 10_000 - 24, 150, &[("", "abc"), ("A", "cab"), ("M", "m")]);
        let other = published(&store, 10_000 - 1, 24, &[("", "zyx"), ("A", "zyx"), ("B", "b")]);
        let current = published(&store, 10_000, 150, &[("", "bdac"), ("A", "cd"), ("B", "b")]);
        let trends = Trends::of(&store, current, DAY).expect("they are retained");
        let expected = ["1b+1/2 2dnew/1 3a-2/3 4c-1/1", "1c=/1 2dnew/1 -a -b", "1bnew/1"];
        let expected: Vec<String> =
            ["", "A", "B"].iter().zip(expected).map(|(name, list)| format!("{name}: {list}")).collect();
        assert_eq!(all(&trends), expected);
        // A category that is no longer ranked is still returned.
        let gone = trends.category(Some("M")).expect("it can be read").expect("it was there before");
        assert_eq!(text_of(&gone), "M: -m");
        assert_eq!(trends.category(Some("N")).expect("it can be read"), None);
        let as_of = trends.current().metadata().as_of;
        assert_eq!(trends.is_stale(as_of.plus_seconds(48 * 3_600)), Some(false));
        assert_eq!(trends.is_stale(as_of.plus_seconds(48 * 3_600 + 1)), Some(true));
        // A ranking by rules of its own has no others to be compared with.
        let alone = Trends::of(&store, other, DAY).expect("they are retained");
        assert_eq!(
            text_of(&alone.category(Some("B")).expect("it can be read").expect("it is there")),
            "B: 1b?/1"
        );
        assert_eq!(alone.is_stale(as_of), None);
        let between = Trends::between(before, alone.current);
        assert_eq!(
            all(&between),
            [": 1znew/1 2ynew/1 3xnew/1 -a -b -c", "A: 1znew/1 2ynew/1 3xnew/1 -c -a -b", "B: 1bnew/1"]
        );
    }

    #[test]
    fn an_earlier_ranking_that_is_damaged_or_gone_is_ignored() {
        let (store, _folder) = temporary();
        published(&store, 10_000 - 48, 150, &[("", "b")]);
        let before = retained_rankings(&store).expect("it is retained");
        published(&store, 10_000 - 24, 150, &[("", "ab")]);
        let damaged = retained_rankings(&store).expect("both are retained").pop().expect("there are two");
        assert_ne!(before.as_slice(), std::slice::from_ref(&damaged));
        for file in store.files("rankings").expect("it can be listed") {
            if file.path.contains("1971-02-20T16Z") && file.path.ends_with(".parquet") {
                store.put(&file.path, b"PAR1".as_slice().into()).expect("it can be written");
            }
        }
        assert!(damaged.open(&store).is_err(), "{:?}", damaged.as_of);
        let current = published(&store, 10_000, 150, &[("", "ab")]);
        let trends = Trends::of(&store, current, DAY).expect("they are retained");
        assert_eq!(all(&trends), [": 1anew/1 2b-1/1"]);
    }

    #[test]
    fn shares_of_a_list_and_of_all_others_are_the_whole() {
        let (store, _folder) = temporary();
        let current = published(&store, 10_000, 150, &[("", "abc")]);
        let trends = Trends::of(&store, current, DAY).expect("it is there");
        let trend = trends.category(None).expect("it can be read").expect("it is there");
        // 9, 8 and 7 of 40.
        assert_eq!(trend.shares(9, Measure::Units), Some((vec![2_250, 2_000, 1_750], 4_000)));
        assert_eq!(trend.shares(1, Measure::Units), Some((vec![2_250], 7_750)));
        assert_eq!(trend.shares(3, Measure::Purchases), Some((vec![1_111, 1_111, 1_111], 6_667)));
        assert_eq!(trend.shares(3, Measure::Amount), None);
        // Of rounding, an item has the same part however many are asked for.
        let mut equal = trend.clone();
        equal.places.push(equal.places[2].clone());
        for place in &mut equal.places {
            place.row.aggregate.purchases = 1;
            let details = place.row.details.as_mut().expect("it has a total");
            details.eligible.purchases = 6;
        }
        assert_eq!(equal.shares(4, Measure::Purchases), Some((vec![1_667, 1_667, 1_667, 1_666], 3_333)));
        assert_eq!(equal.shares(3, Measure::Purchases), Some((vec![1_667, 1_667, 1_667], 4_999)));
        let mut without_details = trend;
        without_details.places[0].row.details = None::<RowDetails>;
        assert_eq!(without_details.shares(3, Measure::Units), None);
    }
}
