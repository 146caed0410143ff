//! Consecutive categories, packed: columns as JSON, deflated, in base64.
//!
//! Invariant: a part stands by itself; its rows are of whole categories, in their order.

use std::io::Write;
use std::mem;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use hashbrown::HashMap;
use serde::{Serialize, Serializer};

use topsell_core::model::{Aggregate, DAYS, DayUnits, Units, UnitsSum};
use topsell_core::parquet_format::RankedRow;
use topsell_core::rank::Measure;
use topsell_core::trends::{Movement, Trend, TrendEntry};

/// Rows from which on a part is closed: it is unpacked as a whole, in milliseconds.
const ROWS_OF_PART: usize = 8_192;
/// The largest whole number that a script keeps exactly.
const LARGEST_EXACT: i128 = (1 << 53) - 1;
/// The largest number of ten-thousandths that a script keeps and prints exactly.
const LARGEST_FRACTION: i128 = 999_999_999_999_999;
/// How many of the items that are no longer listed are named.
const NAMED_DROPPED: usize = 5;
const MICROS_OF_HOUR: i64 = 3_600_000_000;

/// A whole number, or its digits as a text where a script would round it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Whole(pub i128);

/// Units as a number, or as a text where a script would round it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Decimal(UnitsSum);

/// Every category, in the order in which the parts hold them.
#[derive(Default, Serialize)]
pub(super) struct Directory {
    /// None is the whole shop.
    paths: Vec<Option<String>>,
    /// How many items each lists.
    items: Vec<usize>,
    /// What all items of each category sold in the ranking's window; none where an older ranking does not tell.
    units: Vec<Option<Decimal>>,
    /// The first category of each part.
    firsts: Vec<usize>,
}

/// Categories on their way into parts.
pub(super) struct Packer {
    /// What the score adds up.
    by: Measure,
    window_hours: i64,
    directory: Directory,
    packed: Vec<String>,
    open: Part,
    items: Items,
}

/// A part as its JSON has it: arrays of one element for each row.
#[derive(Default, Serialize)]
struct Part {
    categories: Vec<Own>,
    /// Item ids, ascending as scripts compare texts.
    ids: Vec<String>,
    names: Vec<Option<String>>,
    /// The item's place among the ids.
    item: Vec<u32>,
    /// In the ranking's window, like all that follows.
    units: Vec<Decimal>,
    /// What the score adds up, where that is not units: a number, or a decimal as text.
    measured: Vec<Measured>,
    /// What the score adds up in the extended window of the category; none where it is not extended.
    extended: Vec<Option<Measured>>,
    /// In hundredths of a percent; none where the ranking does not tell the whole.
    share: Vec<Option<u32>>,
    /// The rank before; 0 for a new item, none where there was no ranking before.
    previous: Vec<Option<i32>>,
    weeks: Vec<u32>,
    /// Seven for each row.
    days: Vec<Decimal>,
}

/// The data of a category itself.
#[derive(Serialize)]
struct Own {
    eligible_items: Whole,
    hours: i64,
    /// All items in the ranking's window; the eligible ones in an older ranking, which does not tell.
    whole: Option<Figures>,
    /// What the items add up to that are not listed.
    others: Option<Figures>,
    others_share: Option<u32>,
    /// What all eligible items add up to in the extended window, and those that are not listed.
    extended: Option<[Measured; 2]>,
    /// The units of its listed items.
    days: [Decimal; DAYS],
    dropped_count: usize,
    /// Items that were listed before and are not now, and the ranks they had.
    dropped: Vec<(u32, i32)>,
}

#[derive(Serialize)]
struct Figures {
    units: Decimal,
    purchases: Whole,
    amount: String,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Measured {
    Units(Decimal),
    Count(Whole),
    Amount(String),
}

/// The distinct items of a part, in the order in which they came.
#[derive(Default)]
struct Items {
    numbers: HashMap<String, u32>,
    names: Vec<Option<String>>,
}

impl Serialize for Whole {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match i64::try_from(self.0) {
            Ok(number) if self.0.abs() <= LARGEST_EXACT => to.serialize_i64(number),
            _ => to.collect_str(&self.0),
        }
    }
}

impl Decimal {
    fn of(units: Units) -> Decimal {
        Decimal(units.into())
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0.whole() {
            Some(whole) => Whole(whole).serialize(to),
            None if self.0.0.abs() <= LARGEST_FRACTION => to.serialize_f64(self.0.to_f64()),
            None => to.collect_str(&self.0),
        }
    }
}

impl Packer {
    /// Returns one that holds nothing yet.
    pub fn new(by: Measure, window_hours: u32) -> Packer {
        Packer {
            by,
            window_hours: window_hours.into(),
            directory: Directory::default(),
            packed: Vec::new(),
            open: Part::default(),
            items: Items::default(),
        }
    }

    /// Adds the category that comes next.
    pub fn add(&mut self, chart: &Trend) {
        let Some(first) = chart.places.first() else { return };
        if self.open.categories.is_empty() {
            self.directory.firsts.push(self.directory.paths.len());
        }
        self.directory.paths.push(chart.category.clone());
        self.directory.items.push(chart.places.len());
        let is_comparable = chart.is_extended().is_some() || hours_of(&first.row) <= self.window_hours;
        let comparable = whole_of(chart).filter(|_| is_comparable);
        self.directory.units.push(comparable.map(|aggregate| Decimal::of(aggregate.units)));
        self.add_own(chart, &first.row);
        for place in &chart.places {
            self.add_row(place);
        }
        if self.open.item.len() >= ROWS_OF_PART {
            self.close();
        }
    }

    /// Returns the directory and the packed parts.
    pub fn finish(mut self) -> (Directory, Vec<String>) {
        if !self.open.categories.is_empty() {
            self.close();
        }
        (self.directory, self.packed)
    }

    fn add_own(&mut self, chart: &Trend, first: &RankedRow<'_>) {
        let listed = chart.places.len();
        let shares = match chart.is_extended() {
            Some(true) => chart.window_shares(listed, self.by),
            Some(false) | None => chart.shares(listed, self.by),
        };
        let (shares, others_share) = match shares {
            Some((shares, others)) => (shares.into_iter().map(Some).collect(), Some(others)),
            None => (vec![None; listed], None),
        };
        self.open.share.extend(shares);
        let whole = whole_of(chart);
        let dropped = chart.dropped.iter().take(NAMED_DROPPED);
        let own = Own {
            eligible_items: Whole(first.eligible_items.into()),
            hours: hours_of(first),
            whole: whole.map(Figures::of),
            others: whole.map(|whole| Figures::left(whole, chart)),
            others_share,
            extended: self.extended(chart),
            days: days_of(chart),
            dropped_count: chart.dropped.len(),
            dropped: dropped.map(|row| (self.items.number(row), row.rank)).collect(),
        };
        self.open.categories.push(own);
    }

    fn add_row(&mut self, place: &TrendEntry) {
        let TrendEntry { row, weeks, .. } = place;
        self.open.item.push(self.items.number(row));
        let window = window_of(row);
        self.open.units.push(Decimal::of(window.units));
        if self.by != Measure::Units {
            self.open.measured.push(Measured::of(window, self.by));
        }
        let is_extended = row.is_extended() == Some(true);
        self.open.extended.push(is_extended.then(|| Measured::of(row.aggregate, self.by)));
        self.open.previous.push(previous_of(place));
        self.open.weeks.push(*weeks);
        self.open.days.extend(days_of_row(row).map(Decimal::of));
    }

    /// Returns what all eligible items add up to in an extended window, and those that are not listed.
    fn extended(&self, chart: &Trend) -> Option<[Measured; 2]> {
        let whole = chart.places.first()?.row.details?.eligible;
        let listed = chart.places.iter().map(|place| place.row.aggregate);
        let others = listed.fold(whole, Aggregate::minus);
        chart.is_extended()?.then(|| [whole, others].map(|aggregate| Measured::of(aggregate, self.by)))
    }

    fn close(&mut self) {
        let mut part = mem::take(&mut self.open);
        mem::take(&mut self.items).sort_into(&mut part);
        self.packed.push(packed(&part));
    }
}

impl Measured {
    fn of(aggregate: Aggregate, by: Measure) -> Measured {
        match by {
            Measure::Units => Measured::Units(Decimal::of(aggregate.units)),
            Measure::Purchases => Measured::Count(Whole(aggregate.purchases.into())),
            Measure::Amount => Measured::Amount(amount_text(aggregate.amount)),
        }
    }
}

impl Figures {
    fn of(aggregate: Aggregate) -> Figures {
        Figures {
            units: Decimal::of(aggregate.units),
            purchases: Whole(aggregate.purchases.into()),
            amount: amount_text(aggregate.amount),
        }
    }

    /// Returns the aggregate of the items that are not listed.
    fn left(whole: Aggregate, chart: &Trend) -> Figures {
        let left = |of: fn(Aggregate) -> i128| {
            chart.places.iter().fold(of(whole), |rest, place| rest.saturating_sub(of(window_of(&place.row))))
        };
        Figures {
            units: Decimal(UnitsSum(left(|aggregate| aggregate.units.ten_thousandths().into()))),
            purchases: Whole(left(|aggregate| aggregate.purchases.into())),
            amount: amount_text(left(|aggregate| aggregate.amount)),
        }
    }
}

impl Items {
    fn number(&mut self, row: &RankedRow<'_>) -> u32 {
        let next = u32::try_from(self.names.len()).expect("a part has fewer than 2^32 items");
        let number = *self.numbers.entry_ref(row.item_id.as_ref()).or_insert(next);
        if number == next {
            self.names.push(None);
        }
        // A ranking before may not have known the name.
        let name = &mut self.names[number as usize];
        if name.is_none() {
            *name = row.name.as_deref().map(str::to_owned);
        }
        number
    }

    /// Puts the items into a part, and renumbers its rows by their order there.
    fn sort_into(mut self, part: &mut Part) {
        let mut ids: Vec<(String, u32)> = self.numbers.into_iter().collect();
        ids.sort_unstable_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
        let mut places = vec![0; ids.len()];
        for (place, (id, number)) in (0..).zip(ids) {
            places[number as usize] = place;
            part.ids.push(id);
            part.names.push(self.names[number as usize].take());
        }
        if part.names.iter().all(Option::is_none) {
            part.names.clear();
        }
        let dropped = part.categories.iter_mut().flat_map(|own| own.dropped.iter_mut().map(|(item, _)| item));
        part.item.iter_mut().chain(dropped).for_each(|item| *item = places[*item as usize]);
    }
}

/// Returns the aggregate of a category's items in the ranking's window; in older rankings of the eligible ones in the
/// category's.
fn whole_of(chart: &Trend) -> Option<Aggregate> {
    let details = chart.places.first()?.row.details?;
    Some(details.window.map_or(details.eligible, |window| window.category))
}

/// Returns an item's aggregate in the ranking's window; in older rankings in the category's.
fn window_of(row: &RankedRow<'_>) -> Aggregate {
    row.window_aggregate().unwrap_or(row.aggregate)
}

/// Returns how many hours a row's category covers.
fn hours_of(row: &RankedRow<'_>) -> i64 {
    (row.window_to.micros() - row.window_from.micros()) / MICROS_OF_HOUR
}

fn amount_text(amount: i128) -> String {
    Aggregate { amount, ..Aggregate::default() }.amount_text().to_string()
}

/// Returns the rank before; 0 for a new item, none where there was no ranking before.
fn previous_of(place: &TrendEntry) -> Option<i32> {
    match place.movement {
        Movement::Unknown => None,
        Movement::New => Some(0),
        Movement::Up(_) | Movement::Down(_) | Movement::Same => place.previous_rank,
    }
}

/// Returns the units of each day, of the items listed.
fn days_of(chart: &Trend) -> [Decimal; DAYS] {
    let mut days = [Decimal::default(); DAYS];
    for place in &chart.places {
        for (day, units) in days.iter_mut().zip(days_of_row(&place.row)) {
            day.0.0 += i128::from(units.ten_thousandths());
        }
    }
    days
}

/// Returns a row's units of each day; what an older ranking does not tell is not shown.
fn days_of_row(row: &RankedRow<'_>) -> DayUnits {
    row.details.map_or_else(DayUnits::default, |details| details.days)
}

/// Returns a part as letters and digits that no markup takes for its own.
fn packed(part: &Part) -> String {
    let json = serde_json::to_vec(part).expect("a part is plain texts and numbers");
    let mut deflated = ZlibEncoder::new(Vec::new(), Compression::default());
    let written = deflated.write_all(&json).and_then(|()| deflated.finish());
    STANDARD.encode(written.expect("memory takes what is written into it"))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::ZlibDecoder;
    use serde_json::Value;

    use super::*;
    use topsell_core::model::Timestamp;
    use topsell_core::parquet_format::{RowDetails, WindowFigures};

    fn row(category: usize, rank: i32, item_id: String, details: Option<RowDetails>) -> RankedRow<'static> {
        let hour = |hours: i64| Timestamp::from_micros(hours * MICROS_OF_HOUR).expect("a good moment");
        RankedRow {
            category: Some(format!("Category {category:03}").into()),
            rank,
            item_id: item_id.into(),
            name: None,
            score: 1.0,
            aggregate: Aggregate { purchases: 1, units: 1.into(), amount: 10_000 },
            window_from: hour(1_000),
            window_to: hour(1_150),
            eligible_items: 10_000,
            next: None,
            details,
        }
    }

    fn chart(category: usize, items: Vec<String>, details: Option<RowDetails>) -> Trend {
        let place = |(rank, item)| TrendEntry {
            row: row(category, rank, item, details),
            movement: Movement::Up(2),
            previous_rank: Some(rank + 2),
            weeks: 3,
        };
        let dropped = vec![row(category, 7, "gone".to_owned(), None)];
        let places = (1..).zip(items).map(place).collect();
        Trend { category: Some(format!("Category {category:03}")), places, dropped }
    }

    fn unpacked(packed: &str) -> Value {
        let bytes = STANDARD.decode(packed).expect("a part is base64");
        let mut json = String::new();
        ZlibDecoder::new(&bytes[..]).read_to_string(&mut json).expect("a part is deflated text");
        serde_json::from_str(&json).expect("a part is JSON")
    }

    fn length(column: &Value) -> usize {
        column.as_array().expect("a column is an array").len()
    }

    #[test]
    fn numbers_are_exact_or_text() {
        let check = |number, expected: &str| {
            assert_eq!(serde_json::to_string(&Whole(number)).expect("a number is JSON"), expected);
        };
        check(0, "0");
        check(LARGEST_EXACT, "9007199254740991");
        check(-LARGEST_EXACT, "-9007199254740991");
        check(LARGEST_EXACT + 1, "\"9007199254740992\"");
        check(i128::MIN, "\"-170141183460469231731687303715884105728\"");
    }

    #[test]
    fn parts_hold_whole_categories_and_no_more_than_they_need_to() {
        let details = RowDetails {
            days: [1.into(); DAYS],
            eligible: Aggregate { purchases: 0, units: 10_000.into(), amount: 0 },
            window: None,
        };
        let mut packer = Packer::new(Measure::Units, 150);
        for category in 0..30 {
            let items = (0..1_000).map(|item| format!("item {}", item * 7 + category)).collect();
            packer.add(&chart(category, items, Some(details)));
        }
        packer.add(&chart(99, Vec::new(), None));
        let (directory, parts) = packer.finish();
        assert_eq!(directory.firsts, [0, 9, 18, 27]);
        assert_eq!((directory.paths.len(), directory.items.len(), parts.len()), (30, 30, 4));
        for (part, categories) in parts.iter().map(|part| unpacked(part)).zip([9, 9, 9, 3]) {
            let rows = categories * 1_000;
            assert_eq!(length(&part["categories"]), categories);
            for column in ["item", "units", "extended", "share", "previous", "weeks"] {
                assert_eq!(length(&part[column]), rows, "{column}");
            }
            assert_eq!((length(&part["days"]), length(&part["measured"])), (rows * DAYS, 0));
            let ids = part["ids"].as_array().expect("ids are an array");
            let ids: Vec<&str> = ids.iter().filter_map(Value::as_str).collect();
            assert!(ids.is_sorted());
            assert_eq!(
                part["categories"][0]["dropped"][0][0],
                ids.binary_search(&"gone").expect("it is there")
            );
        }
    }

    #[test]
    fn ids_come_as_scripts_compare_them() {
        // By bytes the first comes last: its two halves are smaller than the other is.
        let items = ["𝒳", "ￗ", "b", "a"].map(str::to_owned).to_vec();
        let mut packer = Packer::new(Measure::Units, 150);
        packer.add(&chart(0, items, None));
        let part = unpacked(&packer.finish().1[0]);
        assert_eq!(part["ids"], serde_json::json!(["a", "b", "gone", "𝒳", "ￗ"]));
        assert_eq!(part["item"], serde_json::json!([3, 4, 1, 0]));
    }

    #[test]
    fn what_an_older_ranking_does_not_tell_is_left_out() {
        let mut packer = Packer::new(Measure::Amount, 150);
        packer.add(&chart(0, vec!["a".to_owned()], None));
        let (directory, parts) = packer.finish();
        assert_eq!(directory.units, [None]);
        let part = unpacked(&parts[0]);
        assert_eq!(part["share"], serde_json::json!([null]));
        assert_eq!(part["measured"], serde_json::json!(["1.0000"]));
        let own = &part["categories"][0];
        assert!(own["whole"].is_null() && own["others"].is_null() && own["others_share"].is_null());
        assert_eq!((&own["eligible_items"], &own["hours"]), (&10_000.into(), &150.into()));
    }

    #[test]
    fn only_categories_of_the_same_hours_are_compared() {
        let details = RowDetails {
            days: [1.into(); DAYS],
            eligible: Aggregate { purchases: 0, units: 5.into(), amount: 0 },
            window: None,
        };
        for (window_hours, expected) in [(150, Some(Decimal::of(5.into()))), (149, None)] {
            let mut packer = Packer::new(Measure::Units, window_hours);
            packer.add(&chart(0, vec!["a".to_owned()], Some(details)));
            assert_eq!(packer.finish().0.units, [expected]);
        }
    }

    #[test]
    fn extended_windows_are_beside_the_figures_of_the_ranking_s_window() {
        let of = |units: i32| Aggregate { purchases: 1, units: units.into(), amount: 0 };
        let window = WindowFigures { item: Some(of(0)), category: of(3) };
        let details = RowDetails { days: [1.into(); DAYS], eligible: of(5), window: Some(window) };
        let mut packer = Packer::new(Measure::Units, 24);
        packer.add(&chart(0, vec!["a".to_owned()], Some(details)));
        let (directory, parts) = packer.finish();
        assert_eq!(directory.units, [Some(Decimal::of(3.into()))]);
        let part = unpacked(&parts[0]);
        let (own, json) =
            (&part["categories"][0], |text| serde_json::from_str::<Value>(text).expect("it is JSON"));
        assert_eq!(
            [&part["units"], &part["extended"], &part["share"]],
            [&json("[0]"), &json("[1]"), &json("[0]")]
        );
        assert_eq!(
            [&own["whole"]["units"], &own["others"]["units"], &own["extended"]],
            [&json("3"), &json("3"), &json("[5,4]")]
        );
    }
}
