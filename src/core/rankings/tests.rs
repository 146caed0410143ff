//! Rankings published into a lake, read back, and damaged.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::model::{Aggregate, Decay, EventTypes, Timestamp, Units, Week, Window, Zone};
use crate::parquet_format::{ROWS_PER_GROUP, RankedRow};
use crate::rank::{CategoryRanking, Measure, NextItem, RankedItem, Ranking, Rules};
use crate::rankings::cache::RankingCache;
use crate::rankings::check::check_published;
use crate::rankings::error::SnapshotError;
use crate::rankings::name::{RankingName, ranking_names};
use crate::rankings::pointer::POINTER;
use crate::rankings::publication::{Promote, Publication};
use crate::rankings::publish::publish;
use crate::rankings::row_groups::RowGroups;
use crate::rankings::snapshot::{Rows, Snapshot};
use crate::storage::{Store, temporary};

fn rules() -> Rules {
    let as_of = Timestamp::parse("2017-01-15T00:00:00Z").expect("a good moment").hour();
    let window = Window::ending(as_of, 150);
    Rules {
        window,
        decay: Decay::half_life_seconds(48 * 3_600).expect("a half-life"),
        measure: Measure::Units,
        limit: usize::MAX,
        min_items: 1,
        max_lookback_hours: 150,
        week: Week::ending(as_of, Zone::utc()),
    }
}

fn promoted() -> Publication {
    Publication { promote: Promote::Yes, ..Publication::default() }
}

/// The shop and categories with the given numbers of rows.
fn ranking(sizes: &[usize], step: i128) -> Ranking {
    let item = |category: usize, rank: usize| RankedItem {
        item_id: format!("item {}", (rank * 7919 + category) % 5_000),
        score: 1e6 / (rank + category + 1) as f64,
        aggregate: Aggregate {
            purchases: 3,
            units: i32::try_from(1_000_000 - rank).expect("ranks are small").into(),
            amount: step * rank as i128,
        },
        window_aggregate: Aggregate { purchases: 2, units: 1.into(), amount: 7 },
        days: [0, 0, 9, 4, 0, i32::from(rank as u16), i32::from(category as u16)].map(Units::from),
    };
    let of_category = |(category, &size): (usize, &usize)| CategoryRanking {
        category: (category > 0).then(|| format!("Category {category:05}")),
        // Every third is extended.
        window: Window::ending(rules().window.as_of(), if category % 3 == 2 { 300 } else { 150 }),
        eligible_items: size as u64 + 5,
        aggregate: Aggregate {
            purchases: 7,
            units: Units::from_ten_thousandths(1 << 50),
            amount: step * 1_000,
        },
        window_aggregate: Aggregate { purchases: 9, units: (-3).into(), amount: step * 2_000 },
        items: (0..size).map(|rank| item(category, rank)).collect(),
        next: (category % 2 == 1).then(|| NextItem { item_id: format!("next of {category}"), score: 0.125 }),
    };
    Ranking { categories: sizes.iter().enumerate().map(of_category).collect() }
}

fn rows(ranking: &Ranking) -> Vec<RankedRow<'_>> {
    let groups = RowGroups::of(ranking, None, rules().window);
    (0..groups.len()).flat_map(|group| groups.rows_of(group)).collect()
}

fn published(store: &Store, ranking: &Ranking) -> Snapshot {
    publish(store, ranking, None, &rules(), &EventTypes::default(), &promoted())
        .expect("it can be published");
    Snapshot::current(store).expect("it was published")
}

/// Changes a byte of the published file, counted from its beginning or, if negative, from its end.
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
    check_published(store, &|_, _| true).expect("the folder can be listed").problems.len()
}

/// Rewrites the pointer, without a checksum, as older versions do.
fn point(store: &Store, change: impl Fn(&mut serde_json::Map<String, serde_json::Value>)) {
    let json = store.get(POINTER).expect("there is a pointer");
    let mut pointer: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(&json).expect("a pointer is JSON");
    change(&mut pointer);
    pointer.remove("checksum");
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
        let whole = Snapshot::checked(&store, &RankingName::default()).expect("it is whole");
        prop_assert!(matches!((&snapshot.rows, &whole.rows), (Rows::InGroups(_), Rows::Whole(_))));
        let expected = rows(&ranking);
        for category in &ranking.categories {
            let of_category: Vec<&RankedRow<'_>> =
                expected.iter().filter(|row| row.category.as_deref() == category.category.as_deref()).collect();
            let path = category.category.as_deref();
            let read = snapshot.category(path).expect("it can be read");
            // Including `name` and `eligible_items`.
            prop_assert!(read.iter().eq(of_category), "{path:?}");
            prop_assert_eq!(read, whole.category(path).expect("it can be read"));
        }
        for unknown in ["", "Category", "Category 00001 ", "Z"] {
            prop_assert_eq!(snapshot.category(Some(unknown)).expect("it can be read"), []);
        }
        let summaries = snapshot.category_summaries().expect("it can be read");
        let counts: Vec<usize> = summaries.iter().map(|summary| summary.items as usize).collect();
        prop_assert_eq!(counts, sizes);
        prop_assert_eq!(summaries, whole.category_summaries().expect("it can be read"));
        prop_assert_eq!(problems(&store), 0);
    }
}

#[test]
fn a_cached_ranking_stays_until_a_newer_one_was_checked() {
    let (store, _folder) = temporary();
    let held = RankingCache::default();
    let now = Timestamp::from_micros(0).expect("a moment");
    let later = Timestamp::from_micros(1_000_000).expect("a moment");
    assert!(matches!(held.current(&store, &RankingName::default(), now), Err(SnapshotError::None)));
    let first = published(&store, &ranking(&[10, 10], 100));
    let shown = |held: &RankingCache| {
        let snapshot = held.current(&store, &RankingName::default(), now).expect("one is held");
        (snapshot.path.clone(), snapshot.category(None).expect("it is in memory").len())
    };
    assert_eq!(shown(&held), (first.path.clone(), 10));
    // What is held was checked; nothing is read again.
    harm(&store, 5);
    assert_eq!((shown(&held), held.failures()), ((first.path.clone(), 10), (0, false)));
    let second = published(&store, &ranking(&[20, 10], 100));
    harm(&store, 5);
    for _ in 0..3 {
        assert_eq!((shown(&held), held.failures()), ((first.path.clone(), 10), (1, true)));
    }
    // Without one before, what is whole in it is shown, and the damage is said by what is not.
    let other = RankingCache::default();
    for _ in 0..3 {
        assert!(is_damaged(
            &other.current(&store, &RankingName::default(), now).and_then(|snapshot| snapshot.category(None))
        ));
        assert_eq!(other.failures(), (1, true));
    }
    // What was repaired since is found, though the pointer is the same.
    harm(&store, 5);
    let repaired = held.current(&store, &RankingName::default(), later).expect("it is whole");
    assert_eq!((repaired.path, held.failures()), (second.path.clone(), (1, false)));
    let third = published(&store, &ranking(&[30, 10], 100));
    assert_eq!((shown(&held), held.failures()), ((third.path.clone(), 30), (1, false)));
    assert_ne!(second.path, third.path);
    store.delete(POINTER).expect("it can be removed");
    assert!(matches!(held.current(&store, &RankingName::default(), now), Err(SnapshotError::None)));
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
fn damage_is_found_by_every_reader_and_the_rest_is_still_shown() {
    let (store, _folder) = temporary();
    let ranking = ranking(&[10_000; 3], 100);
    let snapshot = published(&store, &ranking);
    let last = |group| isize::try_from(snapshot.file.range(group).end - 1).expect("the file is small");
    let ends = [0, 1, 2].map(last);
    harm(&store, ends[1]);
    let snapshot = Snapshot::current(&store).expect("the footer is as it was");
    for (path, expected) in [(None, false), (Some("Category 00001"), true), (Some("Category 00002"), false)] {
        assert_eq!(is_damaged(&snapshot.category(path)), expected, "{path:?}");
    }
    assert!(is_damaged(&snapshot.category_summaries()));
    assert_eq!(problems(&store), 2, "the file, and that the newest ranking is one of them");
    // What stands between the rows and the footer is for other engines; no answer is made of it.
    publish(&store, &ranking, None, &rules(), &EventTypes::default(), &promoted())
        .expect("it can be published again");
    harm(&store, ends[2] + 2);
    let snapshot = Snapshot::current(&store).expect("the footer is as it was");
    assert_eq!(snapshot.category_summaries().expect("no group has changed").len(), 3);
    assert_eq!(problems(&store), 2);
    for of_footer in [-1, -5, -9, -200] {
        publish(&store, &ranking, None, &rules(), &EventTypes::default(), &promoted())
            .expect("it can be published again");
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
    publish(&store, &ranking, None, &rules(), &EventTypes::default(), &promoted())
        .expect("it can be published again");
    for wrong in [serde_json::json!(0), serde_json::json!(10), serde_json::json!(u64::MAX)] {
        point(&store, |pointer| pointer["footer"]["size_bytes"] = wrong.clone());
        assert_eq!(shown().expect("the file is good"), expected);
        assert_eq!(problems(&store), 1, "{wrong}");
    }
}

/// Rules of a ranking that ends so many hours later.
fn later(hours: i32, window_hours: u32) -> Rules {
    let as_of = rules().window.as_of().plus(hours);
    Rules { window: Window::ending(as_of, window_hours), week: Week::ending(as_of, Zone::utc()), ..rules() }
}

#[test]
fn a_name_shows_newer_rankings_by_its_own_rules_unless_one_is_promoted() {
    let (store, _folder) = temporary();
    let ranking = ranking(&[3], 1);
    let name = |text: &str| RankingName::parse(text).expect("it is a name");
    let publish_as = |text: &str, promote, rules: &Rules| {
        let publication = Publication { name: name(text), promote };
        let published = publish(&store, &ranking, None, rules, &EventTypes::default(), &publication);
        published.expect("it can be published").unmoved.map(|unmoved| unmoved.differing)
    };
    let shown = |text: &str| {
        let snapshot = Snapshot::named(&store, &name(text)).expect("it has a ranking");
        let metadata = snapshot.metadata();
        let hours = metadata.as_of.hour().number() - rules().window.as_of().number();
        (hours, metadata.window_hours)
    };
    assert!(matches!(Snapshot::named(&store, &name("default")), Err(SnapshotError::None)));
    // The first, whatever its time; then the same again, and a newer one.
    assert_eq!(publish_as("default", Promote::IfNewer, &later(-100, 150)), None);
    assert_eq!(publish_as("default", Promote::IfNewer, &later(-100, 150)), None);
    assert_eq!(publish_as("default", Promote::IfNewer, &later(0, 150)), None);
    // An older one, and one by other rules.
    assert_eq!(publish_as("default", Promote::IfNewer, &later(-1, 150)), Some(vec![]));
    assert_eq!(publish_as("default", Promote::IfNewer, &later(1, 24)), Some(vec!["--window"]));
    assert_eq!(shown("default"), (0, 150));
    // They are kept all the same: at their time, the rules of the name count.
    let at = |text: &str, hours| {
        let moment = later(hours, 150).window.as_of().start();
        Snapshot::at(&store, &name(text), moment).map(|of| of.metadata().as_of.hour().number())
    };
    let number = |hours| later(hours, 150).window.as_of().number();
    assert_eq!(at("default", -1).expect("it is kept"), number(-1));
    assert_eq!(at("default", 5).expect("it is kept"), number(0));
    // Other names have rankings of their own.
    assert_eq!(publish_as("daily", Promote::IfNewer, &later(1, 24)), None);
    assert_eq!((shown("daily"), shown("default")), ((1, 24), (0, 150)));
    assert_eq!(at("daily", 5).expect("it is kept"), number(1));
    assert!(matches!(at("daily", 0), Err(SnapshotError::None)));
    assert_eq!(ranking_names(&store).expect("it can be listed"), [name("default"), name("daily")]);
    // Promoted, in spite of its time and its rules; from now on these are those of the name.
    assert_eq!(publish_as("default", Promote::Yes, &later(-50, 24)), None);
    assert_eq!(shown("default"), (-50, 24));
    assert_eq!(publish_as("default", Promote::IfNewer, &later(2, 150)), Some(vec!["--window"]));
    // Where nothing can be shown, anything is better.
    store.put(POINTER, b"{".as_slice().into()).expect("it can be written");
    assert_eq!(publish_as("default", Promote::IfNewer, &later(-70, 150)), None);
    assert_eq!(shown("default"), (-70, 150));
}
