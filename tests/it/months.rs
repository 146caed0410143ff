//! Copies of whole months and indexes of paths: made by a compaction, compared by `lake verify`, written again by
//! `lake repair`, removed by `lake prune`, and read in the place of the files of their days.

use std::fs;

use crate::world::World;

const COUNT: &str = "count A --from 2017-01-01 --to 2017-04-01 --now 2017-04-02T00:00:00Z";

/// Returns a world with a lake of three months, one of which has not ended, and its copies.
fn world() -> World {
    let world = World::new();
    let mut log = String::from("ts,item_id,category,quantity,amount\n");
    for (month, days) in [(1, 31), (2, 28), (3, 20)] {
        for day in 1..=days {
            log.push_str(&format!("2017-{month:02}-{day:02}T08:15:00Z,A,Food/Bread,2,1.50\n"));
            log.push_str(&format!("2017-{month:02}-{day:02}T23:45:00Z,B,Toys,1,9.99\n"));
        }
    }
    world.write("log.csv", log);
    world.ok("ingest log.csv --now 2017-03-21T00:00:00Z");
    world.ok("rollup --now 2017-03-21T00:00:00Z");
    let planned = world.ok("lake compact --dry-run --now 2017-03-21T00:00:00Z");
    assert!(planned.contains("the month from 2017-02-01, into one file"), "{planned}");
    assert!(planned.contains("would copy the aggregates of 2 months"), "{planned}");
    let done = world.ok("lake compact --now 2017-03-21T00:00:00Z");
    assert!(done.contains("the aggregates of 2 months copied"), "{done}");
    world
}

impl World {
    fn ok(&self, arguments: &str) -> String {
        let said = self.run(arguments);
        assert_eq!(said.code, Some(0), "{arguments}: {}", said.whole());
        said.stdout + &said.stderr
    }

    fn copies(&self) -> Vec<String> {
        self.files_in("data/lake/rollups/_months")
    }

    fn indexes(&self) -> Vec<String> {
        self.files_in("data/lake/rollups/_paths")
    }

    fn files_in(&self, folder: &str) -> Vec<String> {
        self.files(folder).into_iter().map(|file| format!("{folder}/{file}")).collect()
    }

    /// Inverts some bytes in the middle of a file, and returns what it was.
    fn damage(&self, path: &str) -> Vec<u8> {
        let whole = fs::read(self.path(path)).expect("it can be read");
        let mut damaged = whole.clone();
        let middle = damaged.len() / 2;
        damaged[middle..middle + 40].iter_mut().for_each(|byte| *byte = !*byte);
        fs::write(self.path(path), damaged).expect("it can be written");
        whole
    }
}

#[test]
fn months_that_have_ended_are_read_from_one_file_each() {
    let world = world();
    let copies = world.copies();
    assert_eq!(copies.len(), 2, "{copies:?}");
    let counted = world.ok(COUNT);
    assert!(counted.contains("\"units\":158"), "{counted}");
    // Without one of them, its days are read.
    fs::remove_file(world.path(&copies[0])).expect("it can be removed");
    assert_eq!(world.ok(COUNT), counted);
    // It is written again by the compaction after the month was written to, and counts what came.
    world
        .write("late.csv", "ts,item_id,category,quantity,amount\n2017-01-09T01:00:00Z,A,Food/Bread,5,1.00\n");
    world.ok("ingest late.csv --now 2017-03-21T01:00:00Z");
    let late = world.ok(COUNT);
    assert!(late.contains("\"units\":163"), "{late}");
    world.ok("rollup --now 2017-03-21T01:00:00Z");
    assert_eq!(world.ok(COUNT), late);
    let said = world.ok("lake compact --now 2017-03-21T02:00:00Z");
    assert!(said.contains("the aggregates of 1 month copied into one file each"), "{said}");
    assert_eq!(world.ok(COUNT), late);
    assert!(world.ok("lake verify").contains("2 copies of months compared"));
}

#[test]
fn an_outdated_copy_is_not_read_and_is_removed_when_it_is_old() {
    let world = world();
    let copies = world.copies();
    world
        .write("late.csv", "ts,item_id,category,quantity,amount\n2017-02-09T01:00:00Z,A,Food/Bread,5,1.00\n");
    world.ok("ingest late.csv --now 2017-03-21T01:00:00Z");
    world.ok("rollup --now 2017-03-21T01:00:00Z");
    let late = world.ok(COUNT);
    assert!(late.contains("\"units\":163"), "{late}");
    // That of February is still the old one.
    assert_eq!(world.copies(), copies);
    assert!(world.ok("lake verify").contains("1 copy of months compared"));
    world.ok("lake compact --now 2017-03-21T02:00:00Z");
    assert_eq!(world.copies().len(), 3);
    world.ok("lake prune --keep-versions 1d --now 2017-03-21T02:00:00Z");
    assert_eq!(world.copies().len(), 3, "whoever began to read before may still need it");
    world.ok("lake prune --keep-versions 0s --yes --now 2030-01-01T00:00:00Z");
    let left = world.copies();
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(left.contains(&copies[0]) && !left.contains(&copies[1]), "{left:?}");
    assert_eq!(world.ok(COUNT), late);
}

#[test]
fn a_damaged_copy_is_found_and_written_again() {
    let world = world();
    let (counted, copies) = (world.ok(COUNT), world.copies());
    let path = world.path(&copies[1]);
    let whole = world.damage(&copies[1]);
    let found = world.run("lake verify");
    let name = copies[1].rsplit('/').next().expect("it has a name");
    assert!(found.code != Some(0) && found.whole().contains(name), "{}", found.whole());
    let repaired = world.run("lake repair --yes");
    assert!(repaired.whole().contains("again, from the files of its days"), "{}", repaired.whole());
    assert_eq!(fs::read(&path).expect("it is there again"), whole);
    world.ok("lake verify");
    assert_eq!(world.ok(COUNT), counted);
}

#[test]
fn a_shop_with_one_category_and_one_without_any_have_copies_too() {
    for category in ["Food", ""] {
        let world = World::new();
        let mut log = String::from("ts,item_id,category,quantity,amount\n");
        for day in 1..=31 {
            log.push_str(&format!("2017-01-{day:02}T08:15:00Z,A,{category},2,1.50\n"));
        }
        world.write("log.csv", log);
        world.ok("ingest log.csv --now 2017-02-02T00:00:00Z");
        let counted = world.ok(COUNT);
        world.ok("rollup --now 2017-02-02T00:00:00Z");
        world.ok("lake compact --now 2017-02-02T00:00:00Z");
        let copies = world.copies();
        assert_eq!(copies.len(), 1, "{category}: {copies:?}");
        assert_eq!(world.ok(COUNT), counted);
        assert!(counted.contains("\"units\":62"), "{counted}");
        assert!(world.ok("lake verify").contains("1 copy of months compared"));
        world.ok("lake prune --keep-versions 0s --yes --now 2030-01-01T00:00:00Z");
        assert_eq!(world.copies(), copies);
    }
}

impl World {
    /// Ranks with a window that all categories must extend, and returns their lists.
    fn ranked(&self) -> String {
        self.ok(
            "rank --window 2d --min-items 2 --max-lookback 90d --as-of 2017-03-21 --now 2017-03-21T00:00:00Z",
        );
        let show = |category: &str| self.ok(&format!("show --category {category} --format csv"));
        show("Toys") + &show("Food/Bread")
    }
}

/// The month that has not ended has an index. It follows what is written; where it is damaged or missing, the ranking
/// is the same, `lake verify` says so, and `lake repair` writes it again.
#[test]
fn a_month_that_has_not_ended_has_an_index_of_paths() {
    let world = world();
    let ranked = world.ranked();
    let indexes = world.indexes();
    assert_eq!(indexes.len(), 1, "{indexes:?}");
    assert!(indexes[0].contains("/event_type=purchase/2017-03-"), "{indexes:?}");
    assert!(world.ok("lake verify").contains(", 1 index of paths compared"));
    let whole = world.damage(&indexes[0]);
    assert_eq!(world.ranked(), ranked);
    let found = world.run("lake verify");
    assert_ne!(found.code, Some(0), "{}", found.whole());
    assert!(found.whole().contains(&indexes[0]["data/lake/".len()..]), "{}", found.whole());
    let repaired = world.run("lake repair --yes");
    assert!(repaired.whole().contains("again, from the files of its days"), "{}", repaired.whole());
    assert_eq!(fs::read(world.path(&indexes[0])).expect("it is there again"), whole);
    assert_eq!(world.ranked(), ranked);
    world.ok("lake verify");
    // A late event of that month, and another category.
    world.write("late.csv", "ts,item_id,category,quantity,amount\n2017-03-09T01:00:00Z,C,Toys,5,1.00\n");
    world.ok("ingest late.csv --now 2017-03-21T00:00:00Z");
    world.ok("rollup --now 2017-03-21T00:00:00Z");
    world.ok("lake compact --now 2017-03-21T00:00:00Z");
    let rewritten = world.indexes();
    assert!(rewritten.len() == 1 && rewritten != indexes, "{rewritten:?}");
    assert!(fs::read(world.path(&rewritten[0])).expect("it can be read") != whole);
    let late = world.ranked();
    assert!(late != ranked && late.contains(",C,"), "{late}");
    // Nothing is written where nothing changed.
    world.ok("lake compact --now 2017-03-21T00:30:00Z");
    assert_eq!(world.indexes(), rewritten);
    // Once the month has ended, its copy is read.
    world.ok("lake compact --now 2017-04-01T02:00:00Z");
    assert_eq!(world.indexes(), Vec::<String>::new());
    assert_eq!(world.ranked(), late);
}
