//! Item totals written, and found again by row group, item and rank.

use bytes::Bytes;

use crate::model::{DayUnits, Units};
use crate::parquet_format::item_totals::read::{ItemTotalsFile, ItemTotalsRow};
use crate::parquet_format::item_totals::write::{ItemTotalsEncoder, ItemTotalsGroup, ItemTotalsLine};

const CATEGORIES: [&str; 3] = ["A", "A/x", "A/y"];

/// Groups of items in their order; each item ranks in `A`, and by turns in `A/x`, `A/y` or both.
fn file(groups: &[(Option<&str>, std::ops::Range<i64>)]) -> (Bytes, Vec<ItemTotalsRow>) {
    let mut encoder = ItemTotalsEncoder::of(&[("topsell.test", "yes".to_owned())]).expect("it can begin");
    let (mut bytes, mut rows) = (Vec::new(), Vec::new());
    for (top, numbers) in groups {
        let ids: Vec<String> = numbers.clone().map(|number| format!("item {number:03}")).collect();
        let mut group = ItemTotalsGroup::default();
        group.begin(*top, &CATEGORIES);
        for (number, item_id) in numbers.clone().zip(&ids) {
            let days = [0, 1, 2, 3, 4, 5, 6].map(|day| number * 1_000 - day % 3 * 700);
            let days: DayUnits = days.map(Units::from_ten_thousandths);
            let set: &[u32] = match (top, number % 3) {
                (None, _) => &[],
                (_, 0) => &[0, 1],
                (_, 1) => &[0, 2],
                _ => &[0, 1, 2],
            };
            let shop_rank = (number % 4 > 0).then_some(number);
            let line = ItemTotalsLine {
                item_id,
                days: &days,
                units: Units::from_ten_thousandths((number - 50) * 10_000),
                window_units: Units::from_ten_thousandths((number - 60) * 10_000),
                score: number as f64 / 7.0,
                shop_rank,
            };
            let ranks: Vec<(u32, i64)> = set.iter().map(|&of| (of, number + i64::from(of))).collect();
            group.push(&line, ranks.iter().copied());
            rows.push(ItemTotalsRow {
                top_category: top.map(str::to_owned),
                item_id: item_id.clone(),
                days,
                units: line.units,
                window_units: Some(line.window_units),
                score: line.score,
                shop_rank,
                ranks: ranks.iter().map(|&(of, rank)| (CATEGORIES[of as usize].to_owned(), rank)).collect(),
            });
        }
        let encoded = group.encode().expect("it can be encoded");
        bytes.extend(encoder.add(encoded).expect("it can be added"));
    }
    let (end, footer_at) = encoder.finish().expect("it can be finished");
    assert!(footer_at < end.len());
    bytes.extend(end);
    (bytes.into(), rows)
}

#[test]
fn what_was_written_is_found_by_group_item_and_rank() {
    let (bytes, rows) = file(&[(None, 0..3), (Some("A"), 3..40), (Some("A"), 40..41), (Some("B"), 41..60)]);
    let file = ItemTotalsFile::open(bytes.clone(), bytes.len() as u64).expect("it is a file of totals");
    assert_eq!((file.groups(), file.rows(), file.label("topsell.test")), (4, 60, Some("yes")));
    let part = |range: std::ops::Range<u64>| bytes.slice(range.start as usize..range.end as usize);
    let mut read = Vec::new();
    for group in 0..4 {
        let all: Vec<usize> = (0..[3, 37, 1, 19][group]).collect();
        read.extend(file.rows_at(group, part(file.range(group)), &all).expect("it can be read"));
    }
    assert_eq!(read, rows);
    let groups = |top| file.groups_of_top(top).expect("there are categories");
    assert_eq!((groups(None), groups(Some("A")), groups(Some("B"))), (vec![0], vec![1, 2], vec![3]));
    for row in &rows {
        let groups = file.groups_of_item(&row.item_id).expect("there are items");
        let found = groups.iter().flat_map(|&group| {
            let ids = part(file.range_of_items(group).expect("there are items"));
            assert!(file.has_item(group, ids, &row.item_id).expect("it can be read"));
            file.item(group, part(file.range(group)), &row.item_id).expect("it can be read")
        });
        assert_eq!(found.collect::<Vec<_>>(), std::slice::from_ref(row));
    }
    assert_eq!(file.groups_of_item("item 999").expect("there are items"), Vec::<usize>::new());
    for category in [None, Some("A"), Some("A/x"), Some("A/y"), Some("A/z")] {
        let rank_of = |row: &ItemTotalsRow| match category {
            None => row.shop_rank,
            Some(path) => row.ranks.iter().find(|(of, _)| of == path).map(|(_, rank)| *rank),
        };
        for ranks in [[1, 3], [5, 7], [40, 42], [59, 61]] {
            let found = (0..4).flat_map(|group| {
                let bytes = part(file.range_of_ranks(group, category).expect("there are ranks"));
                let found = file.rows_ranked(group, bytes, category, &ranks).expect("it can be read");
                file.rows_at(group, part(file.range(group)), &found).expect("it can be read")
            });
            let expected = rows.iter().filter(|row| rank_of(row).is_some_and(|rank| ranks.contains(&rank)));
            assert_eq!(found.collect::<Vec<_>>(), expected.cloned().collect::<Vec<_>>(), "{category:?}");
        }
    }
}
