//! A ranking as static files, in a folder and in a bucket, whatever fails meanwhile.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use expect_test::expect;
use object_store::memory::InMemory;
use serde_json::Value;

use topsell_core::model::Timestamp;
use topsell_core::rankings::Snapshot;
use topsell_core::storage::Store;
use topsell_publish::{DryRun, Encoding, RankingValues, StaticOptions, publish_to_files};

use crate::bucket::objects::Objects;
use crate::bucket::{FAILURES, store_of};
use crate::faults::disk::{Faults, Manner};
use crate::processes::{exits_within, next_random};
use crate::publish::{CATEGORIES, log, one_lake, rank, two_lakes};
use crate::world::{NOW, World};

/// The categories of a ranking: those of the log, the one above them, and the whole shop.
const ALL: usize = CATEGORIES + 2;

/// Returns the best item of every category that the index names, and the name of its ranking; none without an index.
fn published(store: &Store) -> Option<(String, BTreeSet<String>, usize)> {
    let index = store.get("index.json").ok()?;
    let index: Value = serde_json::from_slice(&index).expect("an index is JSON");
    let categories = index["categories"].as_object().expect("an object").iter();
    let paths = categories.map(|(name, path)| (Value::from(name.as_str()), path));
    let paths: Vec<(Value, &Value)> = paths.chain([(Value::Null, &index["shop"])]).collect();
    let mut items = BTreeSet::new();
    for (category, path) in &paths {
        let bytes = store.get(path.as_str().expect("a path")).expect("what the index names is there");
        let value: Value = serde_json::from_slice(&bytes).expect("it is complete");
        assert_eq!(value["category"], *category);
        items.insert(value["items"][0]["item_id"].as_str().expect("an id").to_owned());
    }
    Some((index["ranking"].as_str().expect("a name").to_owned(), items, paths.len()))
}

fn values_of(world: &World, lake: &str) -> RankingValues {
    let store = Store::open(&world.path(lake)).expect("a folder can be named");
    let snapshot = Snapshot::current(&store).expect("there is a ranking");
    RankingValues::of(&snapshot, usize::MAX, Encoding::Json).expect("it can be read")
}

fn options() -> StaticOptions {
    StaticOptions {
        keep_seconds: 3_600,
        is_full: false,
        allows_older: true,
        dry_run: DryRun::No,
        holder: "test".to_owned(),
        now: Timestamp::parse(NOW).expect("a moment"),
    }
}

#[test]
fn a_folder_has_a_file_for_each_category_and_an_index() {
    let world = one_lake();
    let said = world.run("publish site/best");
    expect![[r#"
        stderr: publish: 42 categories written, 0 unchanged, 0 removed, 10.9 kB; site/best has the ranking as of 2017-01-15T00:00:00Z
        exit code 0
    "#]].assert_eq(&said.whole());
    let files = world.files("site/best");
    assert_eq!(files.iter().filter(|name| name.starts_with("categories/")).count(), ALL);
    let index = std::fs::read_to_string(world.path("site/best/index.json")).expect("there is an index");
    let index: Value = serde_json::from_str(&index).expect("it is JSON");
    assert_eq!(
        (&index["schema"], &index["as_of"], &index["by"]),
        (&1.into(), &"2017-01-15T00:00:00Z".into(), &"units".into())
    );
    let file = index["categories"]["Shop/C007"].as_str().expect("a path");
    let value = std::fs::read_to_string(world.path("site/best").join(file)).expect("it is there");
    expect![[r#"
        {"schema":1,"category":"Shop/C007","by":"units","window_hours":48,"eligible_items":2,"is_extended":false,"items":[{"rank":1,"item_id":"apple","units":2,"purchases":1,"amount":"3.5000","window_units":2,"window_purchases":1,"window_amount":"3.5000"},{"rank":2,"item_id":"pear","units":1,"purchases":1,"amount":"1.0000","window_units":1,"window_purchases":1,"window_amount":"1.0000"}]}
    "#]].assert_eq(&value);
    let again = world.run("publish site/best");
    assert!(
        again.stderr.starts_with("publish: 0 categories written, 42 unchanged, 0 removed, 0 B"),
        "{}",
        again.whole()
    );
    // What is damaged by its size, or gone, is written again.
    std::fs::write(world.path("site/best").join(file), "x").expect("it can be written");
    let mended = world.run("publish site/best");
    assert!(mended.stderr.starts_with("publish: 1 category written, 41 unchanged"), "{}", mended.whole());
    assert_eq!(std::fs::read_to_string(world.path("site/best").join(file)).expect("it is there"), value);
}

#[test]
fn files_that_the_index_no_longer_names_stay_for_a_time() {
    let world = one_lake();
    // Whose files these are is not known, so that they stay.
    world.write("site/categories/readme.txt", "x");
    world.write("site/robots.txt", "x");
    assert_eq!(world.run("publish site").code, Some(0));
    let first: BTreeSet<String> = world.files("site").into_iter().collect();
    world.write("more.csv", "ts,event_id,item_id,category\n2017-01-14T22:00:00Z,m1,plum,Shop/C003\n");
    rank(&world, "data/lake", "more", "2017-01-15T01:00:00Z");
    let planned = world.run("publish site --dry-run");
    assert!(
        planned.stderr.starts_with("publish: 3 categories to write, 39 unchanged"),
        "{}",
        planned.whole()
    );
    assert_eq!(world.files("site").into_iter().collect::<BTreeSet<_>>(), first);
    let said = world.run_in(&[("TOPSELL_NOW", "2017-01-15T01:00:00Z")], "publish site");
    assert!(said.stderr.starts_with("publish: 3 categories written, 39 unchanged"), "{}", said.whole());
    let second: BTreeSet<String> = world.files("site").into_iter().collect();
    assert!(second.is_superset(&first));
    assert_eq!(second.difference(&first).count(), 4, "three files, and the note of the superseded ones");
    // Nothing has changed a day later, and what was kept for a day goes.
    for (now, left) in [("2017-01-16T00:59:59Z", second.len()), ("2017-01-16T01:00:01Z", second.len() - 3)] {
        let said = world.run_in(&[("TOPSELL_NOW", now)], "publish site");
        assert!(said.stderr.starts_with("publish: 0 categories written, 42 unchanged"), "{}", said.whole());
        assert_eq!(world.files("site").len(), left, "{now}");
    }
    let store = Store::open(&world.path("site")).expect("a folder can be named");
    assert_eq!(published(&store).map(|(_, _, count)| count), Some(ALL));
    assert!(world.path("site/categories/readme.txt").exists() && world.path("site/robots.txt").exists());
}

#[test]
fn an_older_ranking_and_a_foreign_index_are_refused() {
    let world = two_lakes();
    rank(&world, "two", "two", "2017-01-15T02:00:00Z");
    assert_eq!(world.run("--lake two publish site").code, Some(0));
    let refused = world.run("--lake one publish site");
    assert_eq!(refused.code, Some(7), "{}", refused.whole());
    assert_eq!(world.run("--lake one publish site --allow-older").code, Some(0));
    world.write("other/index.json", "{\"pages\":[]}");
    let refused = world.run("--lake one publish other");
    assert_eq!(refused.code, Some(2), "{}", refused.whole());
    assert!(refused.stderr.contains("index.json was written by another program"), "{}", refused.whole());
    assert_eq!(
        std::fs::read_to_string(world.path("other/index.json")).expect("it is there"),
        "{\"pages\":[]}"
    );
}

#[test]
fn every_operation_may_fail_and_the_index_names_complete_files() {
    let world = two_lakes();
    let [one, two] = ["one", "two"].map(|lake| values_of(&world, lake));
    for manner in [Manner::Undone, Manner::DoneUntold, Manner::Full] {
        let step = if manner == Manner::Full { 700 } else { 1 };
        for round in 0.. {
            let folder = tempfile::tempdir().expect("a folder can be made");
            let plain = Store::open(folder.path()).expect("a folder can be named");
            publish_to_files(&plain, &one, &options()).expect("nothing fails yet");
            let faults = Faults::after(round * step, manner);
            let store = Store::open_through(folder.path(), |disk| faults.before(disk)).expect("a folder");
            let outcome = publish_to_files(&store, &two, &options());
            let (ranking, items, count) = published(&plain).expect("there is an index");
            assert_eq!((items.len(), count), (1, ALL), "{manner:?} {round}: {items:?}");
            let expected = if items.contains("two") { &two } else { &one };
            assert_eq!(ranking, expected.ranking);
            assert!(outcome.is_err() || ranking == two.ranking, "{manner:?} {round}");
            publish_to_files(&plain, &two, &options()).expect("a second try succeeds");
            assert_eq!(published(&plain).map(|(ranking, ..)| ranking), Some(two.ranking.clone()));
            if !faults.have_struck() {
                assert!(round > 5, "{manner:?}");
                break;
            }
        }
    }
}

#[test]
fn a_bucket_gets_the_same_whatever_its_requests_meet() {
    let world = two_lakes();
    let [one, two] = ["one", "two"].map(|lake| values_of(&world, lake));
    for failing in FAILURES {
        for every in [1, 3, 7, 40] {
            let objects = Arc::new(InMemory::new());
            let plain = store_of(&Objects::of(&objects), Duration::from_secs(60));
            publish_to_files(&plain, &one, &options()).expect("nothing fails yet");
            let store = store_of(&Objects::failing(&objects, every, failing), Duration::from_millis(50));
            let outcome = publish_to_files(&store, &two, &options());
            let (ranking, items, count) = published(&plain).expect("there is an index");
            assert_eq!((items.len(), count), (1, ALL), "{failing:?} {every}: {items:?}");
            assert!(outcome.is_err() || ranking == two.ranking, "{failing:?} {every}");
        }
    }
}

#[test]
fn a_publication_that_is_killed_leaves_the_old_ranking_or_the_new_one() {
    let world = two_lakes();
    assert_eq!(world.run("--lake one publish site").code, Some(0));
    let store = Store::open(&world.path("site")).expect("a folder can be named");
    let (mut random, mut killed) = (11, 0);
    for lake in ["two", "one"].into_iter().cycle().take(40) {
        let words = ["--lake", lake, "publish", "site", "--allow-older", "--full"];
        let mut command = world.command(&words);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the program under test can be started");
        if !exits_within(Duration::from_micros(next_random(&mut random) % 60_000), &mut child) {
            child.kill().expect("it can be killed");
            child.wait().expect("it is our child");
            killed += 1;
        }
        let (_, items, count) = published(&store).expect("there is an index");
        assert_eq!((items.len(), count), (1, ALL), "{items:?}");
    }
    assert!(killed > 3, "{killed} were killed");
    assert_eq!(world.run("--lake one publish site --allow-older").code, Some(0));
}

#[test]
fn two_do_not_publish_to_one_folder_at_once() {
    let world = World::new();
    log(&world, "one", "one", &[]);
    rank(&world, "data/lake", "one", "2017-01-15");
    assert_eq!(world.run("publish site").code, Some(0));
    let store = Store::open(&world.path("site")).expect("a folder can be named");
    let lock = store.lock("publish.lock", "process 1", topsell_core::storage::LockTimeout::NoWait);
    let busy = world.run("publish site");
    assert_eq!(busy.code, Some(6), "{}", busy.whole());
    assert!(busy.stderr.contains("another run is publishing there: process 1"), "{}", busy.whole());
    drop(lock);
    assert_eq!(world.run("publish site").code, Some(0));
}
