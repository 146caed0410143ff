use super::*;
use crate::model::{Decay, Hour, Week, Window, Zone};
use crate::parquet_format::RowTotals;
use crate::rank::{CategoryRanking, Measure, RankedItem, Ranking, Rules};
use crate::rankings::publish;
use crate::storage::temporary;

/// Publishes lists of items, best first, the shop's under the empty name.
fn published(store: &Store, as_of: i32, hours: u32, lists: &[(&str, &str)]) -> Snapshot {
    let as_of = Hour::new(as_of);
    let window = Window::ending(as_of, hours);
    let rules = Rules {
        window,
        decay: Decay::None,
        measure: Measure::Units,
        top: 5,
        min_items: 1,
        max_lookback_hours: 150,
        week: Week::ending(as_of, Zone::utc()),
    };
    let item = |(place, item): (usize, char)| RankedItem {
        item_id: item.to_string(),
        score: 9.0 - place as f64,
        aggregate: Aggregate { purchases: 1, units: 9 - i64::from(place as u8), amount: 0 },
        days: [0; 7],
    };
    let of_category = |(category, items): &(&str, &str)| CategoryRanking {
        category: (!category.is_empty()).then(|| (*category).to_owned()),
        window,
        rankable: 9,
        aggregate: Aggregate { purchases: 9, units: 40, amount: 0 },
        items: items.chars().enumerate().map(item).collect(),
    };
    let ranking = Ranking { categories: lists.iter().map(of_category).collect() };
    publish(store, &ranking, None, &rules, &["purchase".to_owned()]).expect("it can be published");
    Snapshot::current(store).expect("it was published")
}

/// Each place as `rank item movement weeks`, then what dropped.
fn said(chart: &Chart) -> String {
    let place = |place: &Place| {
        let moved = match place.movement {
            Movement::Unknown => "?".to_owned(),
            Movement::New => "new".to_owned(),
            Movement::Up(by) => format!("+{by}"),
            Movement::Down(by) => format!("-{by}"),
            Movement::Same => "=".to_owned(),
        };
        format!("{}{}{moved}/{}", place.row.rank, place.row.item_id, place.weeks)
    };
    let mut said: Vec<String> = chart.places.iter().map(place).collect();
    said.extend(chart.dropped.iter().map(|row| format!("-{}", row.item_id)));
    format!("{}: {}", chart.category.as_deref().unwrap_or(""), said.join(" "))
}

fn all(charts: &Charts) -> Vec<String> {
    let mut found = Vec::new();
    let each = charts.each(&mut |chart| {
        let alone = charts.category(chart.category.as_deref())?;
        assert_eq!(alone.as_ref(), Some(&chart), "one by one as all together");
        found.push(said(&chart));
        Ok::<(), SnapshotError>(())
    });
    each.expect("they can be read");
    found
}

#[test]
fn a_list_is_held_against_the_one_before_by_the_same_rules() {
    let (store, _folder) = temporary();
    let week = 7 * 24;
    published(&store, 10_000 - 2 * week - 5, 150, &[("", "xa"), ("A", "a"), ("Z", "z")]);
    published(&store, 10_000 - week, 150, &[("", "ab"), ("A", "ba")]);
    let before = published(&store, 10_000 - 24, 150, &[("", "abc"), ("A", "cab"), ("M", "m")]);
    let other = published(&store, 10_000 - 1, 24, &[("", "zyx"), ("A", "zyx"), ("B", "b")]);
    let current = published(&store, 10_000, 150, &[("", "bdac"), ("A", "cd"), ("B", "b")]);
    let charts = Charts::of(&store, current).expect("they are kept");
    let expected = ["1b+1/2 2dnew/1 3a-2/3 4c-1/1", "1c=/1 2dnew/1 -a -b", "1bnew/1"];
    let expected: Vec<String> =
        ["", "A", "B"].iter().zip(expected).map(|(name, said)| format!("{name}: {said}")).collect();
    assert_eq!(all(&charts), expected);
    // What is ranked no more is told of all the same.
    let gone = charts.category(Some("M")).expect("it can be read").expect("it was there before");
    assert_eq!(said(&gone), "M: -m");
    assert_eq!(charts.category(Some("N")).expect("it can be read"), None);
    let as_of = charts.current().facts().as_of;
    assert_eq!(charts.is_stale(as_of.plus_seconds(48 * 3_600)), Some(false));
    assert_eq!(charts.is_stale(as_of.plus_seconds(48 * 3_600 + 1)), Some(true));
    // Rankings by rules of their own have no others to be held against.
    let alone = Charts::of(&store, other).expect("they are kept");
    assert_eq!(said(&alone.category(Some("B")).expect("it can be read").expect("it is there")), "B: 1b?/1");
    assert_eq!(alone.is_stale(as_of), None);
    let between = Charts::between(before, alone.current);
    assert_eq!(
        all(&between),
        [": 1znew/1 2ynew/1 3xnew/1 -a -b -c", "A: 1znew/1 2ynew/1 3xnew/1 -c -a -b", "B: 1bnew/1"]
    );
}

#[test]
fn a_ranking_before_that_is_damaged_or_gone_is_as_if_it_never_was() {
    let (store, _folder) = temporary();
    published(&store, 10_000 - 48, 150, &[("", "b")]);
    let before = kept(&store).expect("it is kept");
    published(&store, 10_000 - 24, 150, &[("", "ab")]);
    let damaged = kept(&store).expect("both are kept").pop().expect("there are two");
    assert_ne!(before.as_slice(), std::slice::from_ref(&damaged));
    for file in store.files("rankings").expect("it can be listed") {
        if file.path.contains("1971-02-20T16Z") && file.path.ends_with(".parquet") {
            store.put(&file.path, b"PAR1".as_slice().into()).expect("it can be written");
        }
    }
    assert!(damaged.open(&store).is_err(), "{:?}", damaged.as_of);
    let current = published(&store, 10_000, 150, &[("", "ab")]);
    let charts = Charts::of(&store, current).expect("they are kept");
    assert_eq!(all(&charts), [": 1anew/1 2b-1/1"]);
}

#[test]
fn shares_of_a_list_and_of_all_others_are_the_whole() {
    let (store, _folder) = temporary();
    let current = published(&store, 10_000, 150, &[("", "abc")]);
    let charts = Charts::of(&store, current).expect("it is there");
    let chart = charts.category(None).expect("it can be read").expect("it is there");
    // 9, 8 and 7 of 40.
    assert_eq!(chart.shares(9, "units"), Some((vec![2_250, 2_000, 1_750], 4_000)));
    assert_eq!(chart.shares(1, "units"), Some((vec![2_250], 7_750)));
    assert_eq!(chart.shares(3, "purchases"), Some((vec![1_111, 1_111, 1_111], 6_667)));
    assert_eq!(chart.shares(3, "amount"), None);
    let mut untold = chart;
    untold.places[0].row.totals = None::<RowTotals>;
    assert_eq!(untold.shares(3, "units"), None);
}
