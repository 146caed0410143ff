//! Lakes of every format, kept in `tests/formats`: upgraded, they give the numbers that they gave
//! before, and what cannot be read is refused.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use topsell_core::lake::{CURRENT_FORMAT, apply_upgrade, check_format, lock_for_upgrade, plan_upgrade};
use topsell_core::storage::{LockTimeout, Store};

use crate::faults::disk::{Faults, Manner};
use crate::world::{World, fields_of};

const LAKE: &str = "data/lake";
/// A moment after all events of the lakes.
const NOW: &str = "2017-01-14T13:00:00Z";
/// Commands that read or write a lake.
const COMMANDS: [&str; 14] = [
    "show",
    "count pear",
    "report",
    "rollup",
    "rank",
    "ingest more.csv",
    "ingest --dry-run more.csv",
    "lake compact",
    "lake prune --dry-run",
    "lake verify",
    "lake stats",
    "runs",
    "health",
    "run jobs/none.toml",
];

/// Returns a world with a copy of the lake of a format.
fn world_of(format: impl Display) -> World {
    let world = World::new();
    copy(&lake_of(format), &world.path(LAKE));
    world.write("more.csv", "ts,item_id,category\n2017-01-14T12:30:00Z,pear,Food/Fruit\n");
    world.write("jobs/none.toml", "schedule = \"0 * * * *\"\n[[step]]\nrun = \"show\"\n");
    world
}

fn lake_of(format: impl Display) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/formats/{format}"))
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder can be made");
    for entry in std::fs::read_dir(from).expect("the lake is there") {
        let from = entry.expect("the lake can be listed").path();
        let to = to.join(from.file_name().expect("an entry has a name"));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            std::fs::copy(&from, &to).expect("a file can be copied");
        }
    }
}

/// Returns the output of a command that succeeds.
fn run(world: &World, arguments: &str) -> String {
    let ran = world.run(&format!("{arguments} --now {NOW}"));
    assert_eq!(ran.code, Some(0), "{arguments}: {}", ran.whole());
    ran.stdout
}

/// Returns the numbers of a lake: of its newest ranking, of the one before, and of two items.
fn numbers(world: &World) -> Vec<String> {
    let items = ["rank", "item_id", "score", "units", "purchases", "amount"];
    let newest = fields_of(&run(world, "show --format csv"), items);
    let before = fields_of(&run(world, "show --at 2017-01-13T13:00:00Z --format csv"), items);
    let counts = fields_of(
        &run(world, "count pear ball --last 48h --format csv"),
        ["item_id", "units", "purchases", "amount"],
    );
    [newest, before]
        .concat()
        .iter()
        .map(|row| row.join(","))
        .chain(counts.iter().map(|row| row.join(",")))
        .collect()
}

/// What [`numbers`] returns for the lake of every format, as it was published.
const NUMBERS: [&str; 10] = [
    "1,pear,5.056957372364202,6,2,12.0000",
    "2,ball,2.305945242750189,3,2,29.9700",
    "3,apple,1.4158114690225403,3,1,4.5000",
    "4,bread,0.026870269477022313,1,2,3.0000",
    "1,apple,2.8316229380450806,3,1,4.5000",
    "2,bread,1.887748625363387,2,1,6.0000",
    "3,ball,0.9438743126816935,1,1,9.9900",
    "4,pear,0.9438743126816935,1,1,2.0000",
    "pear,6,2,12.0000",
    "ball,3,2,29.9700",
];

/// Returns a line of [`NUMBERS`] with an exact score instead of a sum of doubles.
fn exact(line: &'static str) -> &'static str {
    match line {
        "3,apple,1.4158114690225403,3,1,4.5000" => "3,apple,1.41581146902254,3,1,4.5000",
        "4,bread,0.026870269477022313,1,2,3.0000" => "4,bread,0.02687026947702228,1,2,3.0000",
        "1,apple,2.8316229380450806,3,1,4.5000" => "1,apple,2.83162293804508,3,1,4.5000",
        "2,bread,1.887748625363387,2,1,6.0000" => "2,bread,1.8877486253633868,2,1,6.0000",
        "3,ball,0.9438743126816935,1,1,9.9900" => "3,ball,0.9438743126816934,1,1,9.9900",
        "4,pear,0.9438743126816935,1,1,2.0000" => "4,pear,0.9438743126816934,1,1,2.0000",
        line => line,
    }
}

/// Returns what was published in a format: from 5 on, with exact scores.
fn published(format: u32) -> [&'static str; 10] {
    NUMBERS.map(|line| if format < 5 { line } else { exact(line) })
}

/// Returns the same after the newest ranking was made again.
fn ranked_again(format: u32) -> [&'static str; 10] {
    let mut lines = published(format);
    lines[..4].iter_mut().for_each(|line| *line = exact(line));
    lines
}

#[test]
fn a_lake_of_each_format_gives_the_same_numbers_after_its_upgrade() {
    for format in 0..=CURRENT_FORMAT {
        let world = world_of(format);
        let upgrade = world.run("lake upgrade");
        assert_eq!(upgrade.code, Some(0), "{}", upgrade.whole());
        assert_eq!(
            upgrade.stderr.contains("nothing changed"),
            format == CURRENT_FORMAT,
            "{}",
            upgrade.stderr
        );
        assert_eq!(numbers(&world), published(format), "format {format}");
        run(&world, "lake verify");
        let again = run(&world, "runs --format ndjson").lines().count();
        assert!(again >= 6, "records of runs are still read: {again}");
        // The same window ranked again is the same ranking, and more can be added.
        run(&world, "rank --window 48h --half-life 24h --min-items 1");
        assert_eq!(numbers(&world), ranked_again(format), "format {format}");
        run(&world, "ingest more.csv");
        assert!(run(&world, "count pear --last 48h --format csv").contains(",3,7,"));
        let upgrade = world.run("lake upgrade");
        assert_eq!(
            upgrade.whole(),
            format!(
                "stderr: upgrade: the lake has format {CURRENT_FORMAT} already; nothing changed\nexit code 0\n"
            )
        );
    }
}

/// Aggregates of format 1 keep one line of each event id; recomputed, they keep one of each item, and a
/// return beside its sale.
#[test]
fn aggregates_that_identified_events_by_their_ids_alone_are_recomputed() {
    let world = world_of("1-event-ids");
    assert_eq!(world.run("lake upgrade").code, Some(0));
    let counts = || world.run("count MUG PAN --last 48h --format csv").stdout;
    let counts = || fields_of(&counts(), ["item_id", "units", "purchases", "amount"]);
    let expected = [["MUG", "0", "2", "0.0000"], ["PAN", "4", "2", "200.0000"]];
    assert_eq!(counts(), expected, "before the rollup");
    let plan = world.run("rollup --dry-run");
    assert!(plan.stdout.contains("; aggregated by an older version of topsell\n"), "{}", plan.whole());
    run(&world, "rollup");
    assert_eq!(counts(), expected, "after it");
    run(&world, "lake verify");
    assert_eq!(world.run("rollup").stderr, "rollup: up to date\n");
}

#[test]
fn an_older_lake_is_refused_with_the_command_that_upgrades_it() {
    let world = world_of(0);
    let before = world.files(LAKE);
    for command in COMMANDS {
        let ran = world.run(command);
        assert_eq!(ran.code, Some(1), "{command}: {}", ran.whole());
        assert!(ran.stderr.contains("lake format 0"), "{command}: {}", ran.stderr);
        assert!(ran.stderr.contains("topsell lake upgrade"), "{command}: {}", ran.stderr);
    }
    assert_eq!(world.run("config").code, Some(0));
    let plan = world.run("lake upgrade --dry-run");
    assert_eq!(plan.code, Some(0), "{}", plan.whole());
    assert!(plan.stdout.starts_with("upgrade 0 to 1: "), "{}", plan.stdout);
    assert_eq!(world.files(LAKE), before, "nothing was changed");
}

#[test]
fn a_newer_lake_is_refused_and_left_as_it_is() {
    let world = world_of(CURRENT_FORMAT);
    let newer = CURRENT_FORMAT + 1;
    world.write("data/lake/format.json", format!("{{\"format\":{newer},\"more\":true}}"));
    let before = world.files(LAKE);
    for command in COMMANDS.into_iter().chain(["lake upgrade"]) {
        let ran = world.run(command);
        assert_eq!(ran.code, Some(1), "{command}: {}", ran.whole());
        assert!(ran.stderr.contains(&format!("lake format {newer}")), "{command}: {}", ran.stderr);
        assert!(ran.stderr.contains("hint: install"), "{command}: {}", ran.stderr);
    }
    assert_eq!(world.files(LAKE), before);
    world.write("data/lake/format.json", "what?");
    let ran = world.run("show");
    assert_eq!(ran.code, Some(3), "{}", ran.whole());
    assert!(ran.stderr.contains("format.json"), "{}", ran.stderr);
}

#[test]
fn an_upgrade_that_was_interrupted_is_completed_by_the_next_one() {
    for manner in [Manner::Undone, Manner::DoneUntold] {
        let mut interruptions = 0;
        loop {
            let world = world_of(0);
            let faults = Faults::after(interruptions, manner);
            let store = Store::open_through(&world.path(LAKE), |disk| faults.before(disk));
            let store = store.expect("a lake can be named");
            let upgraded = plan_upgrade(&store).map_err(|error| error.to_string()).and_then(|plan| {
                let locks = lock_for_upgrade(&store, "a test", LockTimeout::NoWait);
                let locks = locks.expect("nobody holds the locks");
                apply_upgrade(&store, &locks, &plan, 0).map_err(|error| error.to_string())
            });
            if !faults.have_struck() {
                upgraded.expect("nothing failed");
                break;
            }
            interruptions += 1;
            // A process that another test is starting may hold the locks for a moment, too.
            let upgrade = world.run("lake upgrade --wait");
            assert_eq!(upgrade.code, Some(0), "{}", upgrade.whole());
            assert_eq!(numbers(&world), NUMBERS);
            assert!(!world.path("data/lake/upkeep.lock").exists());
        }
        assert!(interruptions >= 3, "reading, removing and writing can fail: {interruptions}");
    }
}

#[test]
fn an_upgrade_waits_for_nobody_unless_asked_to() {
    let world = world_of(0);
    let store = Store::open(&world.path(LAKE)).expect("a lake can be named");
    let held = store.lock("upkeep.lock", "an old run", LockTimeout::NoWait).expect("nobody holds it");
    let ran = world.run("lake upgrade");
    assert_eq!(ran.code, Some(6), "{}", ran.whole());
    assert!(ran.stderr.contains("an old run"), "{}", ran.stderr);
    drop(held);
    assert_eq!(world.run("lake upgrade --wait").code, Some(0));
}

#[test]
fn a_new_lake_has_the_current_format_and_a_folder_without_a_lake_none() {
    let world = World::new();
    world.write("more.csv", "ts,item_id,category\n2017-01-14T12:30:00Z,pear,Food/Fruit\n");
    let missing = world.run("lake upgrade");
    assert_eq!(missing.code, Some(1), "{}", missing.whole());
    assert_eq!(world.run("ingest more.csv").code, Some(0));
    let store = Store::open(&world.path(LAKE)).expect("a lake can be named");
    check_format(&store).expect("it is of this format");
    let expected = format!("{{\"format\":{CURRENT_FORMAT}}}\n");
    assert_eq!(store.get("format.json").expect("it was written"), expected);
}
