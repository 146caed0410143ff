//! Every operation on the disk may fail: the lake is then as it was before or as it is after, and
//! doing the same again makes it as after.

pub mod disk;

use std::collections::BTreeMap;
use std::path::Path;

use topsell_core::ingest;
use topsell_core::ingest::StreamOptions;
use topsell_core::input_format::Mapping;
use topsell_core::lake::{DryRun, DuplicatePolicy, Lake};
use topsell_core::maintenance::Retention;
use topsell_core::model::{Decay, EventTypes, Hour, Timestamp, Week, Window, Zone};
use topsell_core::pipeline::{self, Caller, RankOutput, Step};
use topsell_core::progress::Progress;
use topsell_core::rank::{Measure, Rules};
use topsell_core::rankings::Publication;
use topsell_core::rankings::RankingRetention;
use topsell_core::rankings::Snapshot;
use topsell_core::rollup::{Replaces, RollupError, Rollups, Scope, Selection, WantedRows};

use topsell_core::storage::{LockTimeout, Store};

use crate::world::World;
use disk::{Faults, Manner};

const FIRST: &str = "ts,event_id,item_id,category,quantity\n\
    2017-01-14T10:00:00Z,e1,a,Books/New|Toys,2\n\
    2017-01-14T11:00:00Z,e2,b,Books,1\n";
const SECOND: &str = "ts,event_id,item_id,category,quantity\n\
    2017-01-14T10:30:00Z,e3,c,Books/Old,5\n\
    2017-01-14T12:00:00Z,e4,a,Toys,7\n\
    not-a-time,e5,a,Toys,7\n";
/// Replaces what the second log brought.
const OTHER: &str = "ts,event_id,item_id,category,quantity\n2017-01-14T12:30:00Z,e6,d,Toys,1\n";
const AS_OF: &str = "2017-01-15T00:00:00Z";

#[test]
fn an_ingest_that_fails_anywhere_leaves_the_lake_before_or_after() {
    every_failure_leaves_before_or_after(&|world| ingest_step(world, "second.csv"), &[]);
}

#[test]
fn the_first_ingest_that_fails_anywhere_can_be_done_again() {
    for manner in [Manner::Undone, Manner::DoneUntold] {
        for operations in 0.. {
            let world = world();
            let faults = Faults::after(operations, manner);
            let outcome = attempt(&world, "lake", &ingest_step(&world, "first.csv"), &faults);
            attempt(&world, "lake", &ingest_step(&world, "first.csv"), &never())
                .expect("a second try succeeds");
            assert_eq!(seen(&world.path("lake")).events, 3, "after {operations} operations, {outcome:?}");
            if !faults.have_struck() {
                break;
            }
        }
    }
}

#[test]
fn a_rollup_that_fails_anywhere_leaves_the_lake_before_or_after() {
    let prepare = |world: &World| vec![ingest_step(world, "second.csv")];
    every_failure_leaves_before_or_after(
        &|_| Step::Rollup { scope: Scope::Changed, replaces: Replaces::DamagedOnly, dry_run: DryRun::No },
        &[&prepare],
    );
}

#[test]
fn a_rollup_from_the_ground_that_fails_anywhere_leaves_the_lake_before_or_after() {
    every_failure_leaves_before_or_after(
        &|_| Step::Rollup { scope: Scope::all(), replaces: Replaces::DamagedOnly, dry_run: DryRun::No },
        &[],
    );
}

#[test]
fn a_merge_that_fails_anywhere_changes_no_row() {
    let prepare = |world: &World| {
        vec![
            ingest_step(world, "second.csv"),
            Step::Rollup { scope: Scope::Changed, replaces: Replaces::DamagedOnly, dry_run: DryRun::No },
        ]
    };
    let (before, after) = every_failure_leaves_before_or_after(&|_| compact_step(), &[&prepare]);
    assert!(after.event_files < before.event_files, "there was something to merge");
    assert_eq!(
        (after.events, after.aggregates, after.ranking),
        (before.events, before.aggregates, before.ranking)
    );
}

#[test]
fn a_replacement_that_fails_anywhere_leaves_the_lake_before_or_after() {
    let prepare = |world: &World| {
        vec![
            ingest_step(world, "second.csv"),
            Step::Rollup { scope: Scope::Changed, replaces: Replaces::DamagedOnly, dry_run: DryRun::No },
            compact_step(),
        ]
    };
    let replace = |world: &World| {
        let second = blake3::hash(SECOND.as_bytes()).to_hex();
        let plan =
            ingest::plan(&[world.path("other.csv")], None).with_batch_id(&second).expect("a good name");
        let options = ingest::Options { duplicates: DuplicatePolicy::Replace, ..options() };
        Step::Ingest {
            plan,
            options,
            mapping: Mapping::none(ingest::FIELDS),
            catalog: None,
            slice_bytes: None,
        }
    };
    let (before, after) = every_failure_leaves_before_or_after(&replace, &[&prepare]);
    assert_eq!((before.events, after.events), (5, 4), "two rows went for the one that came");
}

/// Dropping hours and their aggregates are two commits, in two tables; each is whole by itself, and the
/// files go last.
#[test]
fn a_prune_that_fails_anywhere_leaves_each_table_before_or_after() {
    let world = world();
    world.write("older.csv", "ts,event_id,item_id,category\n2017-01-13T23:00:00Z,e0,a,Toys\n");
    let day = |world: &World| {
        vec![
            ingest_step(world, "older.csv"),
            ingest_step(world, "first.csv"),
            rank_step(),
            ingest_step(world, "second.csv"),
            rank_step(),
            compact_step(),
        ]
    };
    // After every file's last change, so that all that can go goes.
    let far = Timestamp::parse("2100-01-01T00:00:00Z").expect("a good moment");
    let prune = Step::Prune {
        retention: Retention {
            hours: Some(24),
            versions_since: far,
            rankings: RankingRetention { all_since: far, weekly_since: far },
            is_confirmed: true,
        },
        dry_run: DryRun::No,
    };
    for step in day(&world) {
        attempt(&world, "before", &step, &never()).expect("nothing fails yet");
    }
    let before = seen(&world.path("before"));
    copy(&world.path("before"), &world.path("after"));
    attempt(&world, "after", &prune, &never()).expect("nothing fails yet");
    let after = seen(&world.path("after"));
    assert!(after.events < before.events && after.aggregates.len() < before.aggregates.len(), "{after:?}");
    assert_eq!(after.ranking, before.ranking);
    let files = |lake: &str| world.files(lake).into_iter().filter(|name| !name.ends_with(".lock")).count();
    let left = files("after");
    assert!(left < files("before"), "files went");
    for manner in [Manner::Undone, Manner::DoneUntold] {
        for operations in 0.. {
            let lake = format!("lake-{manner:?}-{operations}");
            copy(&world.path("before"), &world.path(&lake));
            let faults = Faults::after(operations, manner);
            let outcome = attempt(&world, &lake, &prune, &faults);
            let seen_now = seen(&world.path(&lake));
            let is_whole = [&before, &after].iter().any(|whole| seen_now.events == whole.events)
                && [&before, &after].iter().any(|whole| seen_now.aggregates == whole.aggregates);
            assert!(
                is_whole && seen_now.ranking == before.ranking,
                "after {operations} operations {manner:?}"
            );
            attempt(&world, &lake, &prune, &never()).expect("a second try succeeds");
            assert_eq!(seen(&world.path(&lake)), after, "after {operations} operations {manner:?}");
            if outcome.is_ok() && !faults.have_struck() {
                assert!(operations > 10, "the faults were never near the step");
                break;
            }
        }
    }
}

#[test]
fn a_rank_that_fails_anywhere_leaves_the_lake_before_or_after() {
    let prepare = |world: &World| {
        vec![
            ingest_step(world, "second.csv"),
            Step::Rollup { scope: Scope::Changed, replaces: Replaces::DamagedOnly, dry_run: DryRun::No },
        ]
    };
    every_failure_leaves_before_or_after(&|_| rank_step(), &[&prepare]);
}

/// Files that nobody names took the room that was missing, until they were old enough for a vacuum.
#[test]
fn a_step_that_finds_no_room_leaves_no_data_files() {
    let world = world();
    world.write("third.csv", SECOND.replace("not-a-time,e5,a,Toys,7\n", ""));
    let rollup = Step::Rollup { scope: Scope::Changed, replaces: Replaces::DamagedOnly, dry_run: DryRun::No };
    let third = ingest_step(&world, "third.csv");
    attempt(&world, "before", &ingest_step(&world, "first.csv"), &never()).expect("nothing fails yet");
    attempt(&world, "before", &rank_step(), &never()).expect("nothing fails yet");
    for (step, name) in [(&third, "ingest"), (&rollup, "rollup"), (&compact_step(), "compact")] {
        let before = files_in(&world, "before");
        let mut failures = 0;
        for bytes in (0..).step_by(501) {
            let lake = format!("lake-{name}-{bytes}");
            copy(&world.path("before"), &world.path(&lake));
            let faults = Faults::full_after(bytes);
            let outcome = attempt(&world, &lake, step, &faults);
            if outcome.is_ok() && !faults.have_struck() {
                break;
            }
            if let Err(error) = outcome {
                failures += 1;
                let with_room = format!("{name} with room for {bytes}: {error}");
                assert_eq!(unnamed_in(&world, &lake), Vec::<String>::new(), "{with_room}");
                // A compaction of both tables has two commits.
                let is_before = name == "compact" || files_in(&world, &lake) == before;
                assert!(is_before, "{with_room}");
            }
        }
        assert!(failures > 3, "{name} failed {failures} times");
        attempt(&world, "before", step, &never()).expect("nothing fails");
    }
}

/// Returns the files of a lake that have data or say which do.
fn files_in(world: &World, lake: &str) -> Vec<String> {
    let has_data = |name: &String| name.ends_with(".parquet") || name.ends_with(".json");
    world.files(lake).into_iter().filter(has_data).collect()
}

/// Returns the data files of a lake's tables that no commit has named.
fn unnamed_in(world: &World, lake: &str) -> Vec<String> {
    let files = files_in(world, lake);
    let commits = files.iter().filter(|name| name.contains("_delta_log/") && name.ends_with(".json"));
    let read = |name: &String| std::fs::read_to_string(world.path(&format!("{lake}/{name}")));
    let commits: String = commits.map(|name| read(name).expect("a commit is text")).collect();
    let is_unnamed = |name: &&String| {
        let file = name.rsplit('/').next().unwrap_or_default();
        name.contains("event_type=") && name.ends_with(".parquet") && !commits.contains(file)
    };
    files.iter().filter(is_unnamed).cloned().collect()
}

/// What a reader of the lake sees.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    events: u64,
    event_files: usize,
    /// Units by item, set of paths, hour and copy.
    aggregates: BTreeMap<(String, String, i32, bool), i64>,
    ranking: Vec<String>,
}

impl Seen {
    /// Returns the number of rows of the `events` table.
    pub fn events(&self) -> u64 {
        self.events
    }
}

/// What is to be done before a step that fails.
type Prepare<'a> = &'a dyn Fn(&World) -> Vec<Step>;

/// Fails a step at its first operation, its second, and so on until nothing fails any more; returns
/// the lake before and after.
fn every_failure_leaves_before_or_after(
    step: &dyn Fn(&World) -> Step,
    prepare: &[Prepare<'_>],
) -> (Seen, Seen) {
    let world = world();
    for step in [ingest_step(&world, "first.csv"), rank_step()] {
        attempt(&world, "before", &step, &never()).expect("nothing fails yet");
    }
    for step in prepare.iter().flat_map(|prepare| prepare(&world)) {
        attempt(&world, "before", &step, &never()).expect("nothing fails yet");
    }
    let before = seen(&world.path("before"));
    copy(&world.path("before"), &world.path("after"));
    attempt(&world, "after", &step(&world), &never()).expect("nothing fails yet");
    let after = seen(&world.path("after"));
    for manner in [Manner::Undone, Manner::DoneUntold] {
        for operations in 0.. {
            let lake = format!("lake-{manner:?}-{operations}");
            copy(&world.path("before"), &world.path(&lake));
            let faults = Faults::after(operations, manner);
            let outcome = attempt(&world, &lake, &step(&world), &faults);
            let left = seen(&world.path(&lake));
            assert!(left == before || left == after, "after {operations} operations {manner:?}: {left:?}");
            if outcome.is_ok() {
                assert_eq!(left, after, "success after {operations} operations {manner:?}");
            }
            attempt(&world, &lake, &step(&world), &never()).expect("a second try succeeds");
            assert_eq!(
                seen(&world.path(&lake)),
                after,
                "a second try after {operations} operations {manner:?}"
            );
            if !faults.have_struck() {
                assert!(operations > 3, "the faults were never near the step");
                break;
            }
        }
    }
    (before, after)
}

/// Returns a folder with some logs.
pub fn world() -> World {
    let world = World::new();
    world.write("first.csv", FIRST);
    world.write("second.csv", SECOND);
    world.write("other.csv", OTHER);
    world
}

/// A disk that does not fail.
pub fn never() -> Faults {
    Faults::after(i64::MAX, Manner::Undone)
}

/// Takes a step on a lake whose disk may fail.
pub fn attempt(world: &World, lake: &str, step: &Step, faults: &Faults) -> Result<(), String> {
    let store =
        Store::open_through(&world.path(lake), |disk| faults.before(disk)).map_err(|e| e.to_string())?;
    take_step(&store, step)
}

/// Takes a step on the lake in a store.
pub fn take_step(store: &Store, step: &Step) -> Result<(), String> {
    let caller =
        Caller { name: "a test".to_owned(), lock_timeout: LockTimeout::NoWait, now: now(), stdin: None };
    pipeline::run(step, store, &caller, &Progress::default()).map(|_| ()).map_err(|e| e.to_string())
}

/// Returns what a reader of a lake sees now.
pub fn seen(lake: &Path) -> Seen {
    seen_in(&Store::open(lake).expect("the lake's folder can be named"))
}

/// Returns what a reader of the lake in a store sees now.
pub fn seen_in(store: &Store) -> Seen {
    let open = Lake::open(store.clone()).expect("the lake can be opened");
    let events = open.events().newest().and_then(|newest| newest.files()).expect("the log can be read");
    let rollups = Rollups::open_or_create(store).expect("the rollups can be opened");
    let span = Hour::new(0)..now().hour().plus(24);
    let event_types = purchases();
    let selection = Selection { event_types: &event_types, hours: span };
    let mut scan = rollups.scan().expect("the log can be read");
    let mut aggregates = BTreeMap::new();
    for part in scan.parts(&selection, None).expect("the aggregates can be found") {
        let read = part.for_each_item(&Progress::default(), WantedRows::default(), &mut |item| {
            for row in item.rows {
                let paths = item.path_sets.name(row.path_set).to_owned();
                let key = (item.item_id.to_owned(), paths, row.hour.number(), row.is_primary);
                assert_eq!(
                    aggregates.insert(key, row.aggregate.units.ten_thousandths()),
                    None,
                    "no two rows share a key"
                );
            }
            Ok::<(), RollupError>(())
        });
        read.expect("the aggregates can be read");
    }
    let snapshot = Snapshot::current(store).map(|snapshot| snapshot.category(None));
    let ranking = snapshot.ok().map(|rows| rows.expect("the snapshot can be read")).unwrap_or_default();
    Seen {
        events: events.iter().map(|file| file.rows).sum(),
        event_files: events.len(),
        aggregates,
        ranking: ranking
            .iter()
            .map(|row| format!("{} {} {}", row.rank, row.item_id, row.aggregate.units))
            .collect(),
    }
}

/// Takes in one of the world's files.
pub fn ingest_step(world: &World, file: &str) -> Step {
    Step::Ingest {
        plan: ingest::plan(&[world.path(file)], None),
        options: options(),
        mapping: Mapping::none(ingest::FIELDS),
        catalog: None,
        slice_bytes: None,
    }
}

fn options() -> ingest::Options {
    ingest::Options {
        now: now(),
        max_skew_seconds: 3_600,
        dry_run: DryRun::No,
        duplicates: DuplicatePolicy::Skip,
        max_reject_bytes: u64::MAX,
        stream: StreamOptions::default(),
    }
}

fn compact_step() -> Step {
    Step::Compact { dry_run: DryRun::No }
}

/// Ranks 150 hours with a half-life of 48, looking no further back.
pub fn rank_step() -> Step {
    let rules = Rules {
        window: Window::ending(now().hour(), 150),
        decay: Decay::half_life_seconds(48 * 3_600).expect("a half-life"),
        measure: Measure::Units,
        limit: 100,
        min_items: 1,
        max_lookback_hours: 150,
        week: Week::ending(now().hour(), Zone::utc()),
    };
    Step::Rank {
        rules,
        event_types: purchases(),
        catalog: None,
        tail: true,
        freshness: None,
        output: RankOutput::Publish(Publication::default()),
    }
}

fn now() -> Timestamp {
    Timestamp::parse(AS_OF).expect("a good moment")
}

/// Copies a lake as it lies on the disk.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder can be made");
    for entry in std::fs::read_dir(from).expect("a folder can be read") {
        let entry = entry.expect("a folder can be read");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("a file can be copied");
        }
    }
}

fn purchases() -> EventTypes {
    EventTypes::of(vec!["purchase".to_owned()], Vec::new())
}
