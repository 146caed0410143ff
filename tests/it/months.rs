//! Copies of whole months: made by a compaction, compared by `lake verify`, written again by `lake repair`, removed by
//! `lake prune`, and read in the place of the files of their days.

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
        let files = self.files("data/lake/rollups/_months").into_iter();
        files.map(|file| format!("data/lake/rollups/_months/{file}")).collect()
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
    let whole = fs::read(&path).expect("it can be read");
    let mut damaged = whole.clone();
    let middle = damaged.len() / 2;
    damaged[middle..middle + 40].iter_mut().for_each(|byte| *byte = !*byte);
    fs::write(&path, damaged).expect("it can be written");
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
