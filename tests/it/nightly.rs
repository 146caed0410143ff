//! The nightly job, killed at any moment and run again, leaves what it leaves undisturbed.
//!
//! `TOPSELL_NIGHTLY_ROUNDS` says how often to kill it; the default is short.

use std::fmt::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::jobs::job_file;
use crate::processes::{exits_within, next_random};
use crate::world::World;

const ROUNDS: u64 = 3;

#[test]
fn killed_at_random_moments_and_run_again_it_leaves_the_same_bytes() {
    let world = shop();
    let job = job_file(&world, "nightly");
    copy(&world, "before", "undisturbed");
    let said = world.run(&format!("--lake undisturbed run {job}"));
    assert_eq!(said.code, Some(0), "{}", said.whole());
    let took = of_job(&world, "undisturbed").iter().filter_map(|record| record["seconds"].as_f64()).sum();
    let took = Duration::from_secs_f64(took);
    let expected = seen(&world, "undisturbed");
    let rounds = std::env::var("TOPSELL_NIGHTLY_ROUNDS").ok().and_then(|text| text.parse().ok());
    let (mut chance, mut killed) = (11, 0);
    for round in 0..rounds.unwrap_or(ROUNDS) {
        copy(&world, "before", "disturbed");
        let after = took.mul_f64((next_random(&mut chance) % 1_000) as f64 / 1_000.0);
        // Either all of it, as where the machine stops, or the runner alone, whose step goes on.
        let all = round % 3 != 2;
        killed += u64::from(killed_after(&world, &job, after, all));
        let said = world.run(&format!("--lake disturbed run {job}"));
        let when = format!("round {round}, killed after {after:?}, all of it: {all}");
        assert_eq!(said.code, Some(0), "{when}: {}", said.whole());
        assert_eq!(seen(&world, "disturbed"), expected, "{when}");
        for record in of_job(&world, "disturbed") {
            assert_ne!(record["outcome"], "started", "{when}: nobody said how {} ended", record["id"]);
        }
    }
    assert!(killed > 0, "no run was killed while it was at work");
}

/// Returns the records of the job's runs in a lake.
fn of_job(world: &World, lake: &str) -> Vec<serde_json::Value> {
    let folder = format!("{lake}/runs");
    let names = world.files(&folder).into_iter().filter(|name| name.ends_with(".json"));
    let records = names.map(|name| {
        let bytes = std::fs::read(world.path(&folder).join(name)).expect("a record can be read");
        serde_json::from_slice::<serde_json::Value>(&bytes).expect("a record is JSON")
    });
    records.filter(|record| !record["due"].is_null()).collect()
}

/// A lake of a few days of sales, aggregated and ranked, with more that came since.
fn shop() -> World {
    let world = World::new();
    let mut chance = 3;
    for day in 10..15 {
        let mut log = String::from("ts,event_id,item_id,category,quantity,amount\n");
        for line in 0..1_000 {
            let (hour, item) = (next_random(&mut chance) % 24, next_random(&mut chance) % 400);
            let (shop, units) = (item % 7, 1 + next_random(&mut chance) % 3);
            let words = format!(
                "2017-01-{day}T{hour:02}:10:00Z,{day}-{line},item{item},Shop{shop}/Shelf{}",
                item % 3
            );
            writeln!(log, "{words},{units},{units}.50").expect("a text can grow");
        }
        world.write(&format!("{day}.csv"), log);
    }
    for words in ["ingest 10.csv", "ingest 11.csv 12.csv", "rank", "ingest 13.csv 14.csv"] {
        let said = world.run(&format!("--lake before {words}"));
        assert_eq!(said.code, Some(0), "{}", said.whole());
    }
    world
}

/// Puts a copy of a lake in the place of another.
fn copy(world: &World, from: &str, to: &str) {
    let _ = std::fs::remove_dir_all(world.path(to));
    let copied = Command::new("cp").arg("-r").args([world.path(from), world.path(to)]).status();
    assert!(copied.expect("there is a cp").success());
}

/// Starts the job, kills it after a while, and tells whether it was still at work.
fn killed_after(world: &World, job: &str, after: Duration, all: bool) -> bool {
    let mut command = world.command(&["--lake", "disturbed", "--quiet", "run", job]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut runner = command.spawn().expect("the program under test can be started");
    let is_over = exits_within(after, &mut runner);
    // The runner first, so that it begins nothing more.
    let mut victims = vec![runner.id()];
    victims.extend(if all { descendants(runner.id()) } else { Vec::new() });
    if !is_over {
        let pids = victims.iter().map(u32::to_string);
        let _ = Command::new("kill").arg("-9").args(pids).stderr(Stdio::null()).status();
    }
    runner.wait().expect("a child can be waited for");
    !is_over
}

/// Returns the processes below one, the nearest first.
fn descendants(of: u32) -> Vec<u32> {
    let mut found = vec![of];
    let mut at = 0;
    while let Some(&parent) = found.get(at) {
        found.extend(children(parent));
        at += 1;
    }
    found.split_off(1)
}

fn children(of: u32) -> Vec<u32> {
    let path = format!("/proc/{of}/task");
    let tasks = std::fs::read_dir(path).into_iter().flatten().filter_map(Result::ok);
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect()
}

/// Returns all that a lake tells: the bytes of what is published, and what the tables hold.
fn seen(world: &World, lake: &str) -> Vec<(String, Vec<u8>)> {
    let read = |path: &Path| std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let root = world.path(lake);
    let (_, ranking) = world.snapshot(lake);
    let mut seen = vec![("ranking".to_owned(), ranking)];
    seen.push(("report.html".to_owned(), read(&root.join("report.html"))));
    let pointer: serde_json::Value =
        serde_json::from_slice(&read(&root.join("totals/current.json"))).expect("a pointer is JSON");
    let totals = pointer["file"].as_str().expect("a pointer names a file");
    seen.push(("totals".to_owned(), read(&root.join("totals").join(totals))));
    for name in ["rankings/current.json", "totals/current.json"] {
        seen.push((name.to_owned(), read(&root.join(name))));
    }
    let stats = world.run(&format!("--lake {lake} lake stats")).stdout;
    let stats: serde_json::Value = serde_json::from_str(&stats).expect("numbers are JSON");
    let numbers = [&stats["events"]["rows"], &stats["rollups"]["rows"], &stats["batches"], &stats["hours"]];
    seen.push(("tables".to_owned(), format!("{numbers:?}").into_bytes()));
    let verified = world.run(&format!("--lake {lake} lake verify"));
    assert!(
        verified.stderr.contains("no problems found") && !verified.stderr.contains("older than the events"),
        "{}",
        verified.whole()
    );
    seen
}
