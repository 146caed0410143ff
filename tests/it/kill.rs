//! Killed at any moment, the lake is as before or as after: nothing acknowledged is lost, nothing
//! counts twice.
//!
//! `TOPSELL_KILL_ROUNDS` says how many runs to kill; the default is short.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::process::{Child, Stdio};
use std::time::Duration;

use crate::processes::{exits_within, next_random};
use crate::world::World;

const ROUNDS: u64 = 40;
const FILES: u64 = 12;
/// A moment after any file's last change, from which nothing looks new.
const LATER: &str = "2100-01-01T00:00:00Z";

#[test]
fn runs_killed_at_random_moments_lose_nothing_and_count_nothing_twice() {
    let world = World::new();
    let logs: Vec<Log> = (0..FILES).map(Log::of).collect();
    for (file, log) in logs.iter().enumerate() {
        world.write(&format!("{file}.csv"), &log.text);
    }
    let rounds = std::env::var("TOPSELL_KILL_ROUNDS").ok().and_then(|text| text.parse().ok());
    let mut chance = 7;
    let mut acknowledged = [false; FILES as usize];
    let mut killed = 0;
    for round in 0..rounds.unwrap_or(ROUNDS) {
        // Two ingests, and one of those that take turns, all at once.
        let files = [(); 2].map(|()| next_random(&mut chance) % FILES);
        let ingests = files.map(|file| start(&world, &format!("ingest --slice-size 64KiB {file}.csv")));
        let mut upkeep = start(&world, &upkeep(round));
        // The runs take 20 to 200 ms here; some end before they are killed, as they should.
        exits_within(Duration::from_micros(next_random(&mut chance) % 90_000), &mut upkeep);
        killed += kill(upkeep).is_none() as u64;
        for (file, ingest) in files.into_iter().zip(ingests) {
            let code = kill(ingest);
            killed += u64::from(code.is_none());
            acknowledged[file as usize] |= code == Some(0);
            assert!(matches!(code, None | Some(0)), "an ingest ended with {code:?}");
        }
    }
    assert!(killed > 0, "no run was killed while it was at work");
    check(&world, &logs, &acknowledged);
}

fn upkeep(round: u64) -> String {
    match round % 5 {
        0 => "rank".to_owned(),
        1 => "lake compact".to_owned(),
        2 => format!("lake prune --yes --now {LATER} --keep-versions 0s --keep-rankings 0s"),
        3 => "rollup".to_owned(),
        _ => "rollup --all".to_owned(),
    }
}

fn start(world: &World, command: &str) -> Child {
    let words: Vec<&str> = ["-q"].into_iter().chain(command.split(' ')).collect();
    let child = world.command(&words).stderr(Stdio::null()).spawn();
    child.expect("the program under test can be started")
}

/// Kills a run and returns its exit code, if it had ended before.
fn kill(mut child: Child) -> Option<i32> {
    child.kill().expect("a child can be killed");
    child.wait().expect("the run ends").code()
}

fn check(world: &World, logs: &[Log], acknowledged: &[bool]) {
    for (file, acknowledged) in acknowledged.iter().enumerate() {
        let said = world.run(&format!("ingest {file}.csv"));
        assert_eq!(said.code, Some(0), "{}", said.whole());
        let is_known = said.stderr.contains(" 0 accepted");
        assert!(is_known || !acknowledged, "what was acknowledged is in: {}", said.whole());
        let said = world.run(&format!("--lake clean ingest --slice-size 64KiB {file}.csv"));
        assert_eq!(said.code, Some(0), "{}", said.whole());
    }
    for lake in ["data/lake", "clean"] {
        let said = world.run(&format!("--lake {lake} rank"));
        assert_eq!(said.code, Some(0), "{}", said.whole());
    }
    assert_eq!(world.snapshot("data/lake"), world.snapshot("clean"));
    let said = world.run("lake verify");
    assert_eq!(said.code, Some(0), "{}", said.whole());
    assert!(
        said.stderr.contains("no problems found") && !said.stderr.contains("older than the events"),
        "{}",
        said.whole()
    );
    assert_eq!(world.sold(), sold(logs));
    let records = world.records("runs");
    // Of those that were killed, nobody wrote what they had counted.
    let ended = records.iter().filter(|record| !record["ended"].is_null());
    for record in ended.filter(|record| record["command"] == "ingest") {
        let count = |name: &str| record["counts"][name].as_u64().expect("an ingest counts its lines");
        assert_eq!(count("read"), count("accepted") + count("duplicate") + count("rejected"), "{record}");
    }
}

/// Aggregates the logs in the plainest way, and says what sold as [`World::sold`] does.
fn sold(logs: &[Log]) -> String {
    let mut seen = BTreeSet::new();
    let mut units: BTreeMap<&str, u64> = BTreeMap::new();
    let mut items: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for sale in logs.iter().flat_map(|log| &log.sales) {
        if sale.id.is_empty() || seen.insert(&sale.id) {
            *units.entry(&sale.item).or_default() += 1;
            items.entry(sale.shop.clone()).or_default().insert(&sale.item);
            items.entry(format!("{}/Shelf", sale.shop)).or_default().insert(&sale.item);
        }
    }
    let mut best: Vec<(&&str, &u64)> = units.iter().collect();
    best.sort_by(|(item, units), (other, other_units)| other_units.cmp(units).then(item.cmp(other)));
    let mut text = String::from("item,units,purchases,amount\n");
    for (item, units) in best {
        writeln!(text, "{item},{units},{units},0.0000").expect("a text can grow");
    }
    for (category, items) in items {
        writeln!(text, "{category}: {}", items.len()).expect("a text can grow");
    }
    text
}

struct Sale {
    id: String,
    item: String,
    shop: String,
}

/// A log of a few lines, or of so many that it makes several batches.
struct Log {
    text: String,
    sales: Vec<Sale>,
}

impl Log {
    /// Most events have no ids, so that only the batches keep them from counting twice; the others
    /// come in several logs.
    fn of(file: u64) -> Log {
        let mut log =
            Log { text: String::from("ts,event_id,item_id,category,quantity\n"), sales: Vec::new() };
        let mut chance = file + 1;
        let lines = 1 << (next_random(&mut chance) % 13);
        for _ in 0..lines {
            let shared = next_random(&mut chance) % 500;
            let id = if shared < 100 { format!("event-{shared}") } else { String::new() };
            // An event that comes again is the same again.
            let mut of_event = if id.is_empty() { next_random(&mut chance) } else { shared };
            let (hour, item) =
                (next_random(&mut of_event) % 24, format!("item{}", next_random(&mut of_event) % 30));
            let shop = format!("Shop{}", next_random(&mut of_event) % 4);
            let line = format!("2017-01-14T{hour:02}:00:00Z,{id},{item},{shop}/Shelf,1");
            writeln!(log.text, "{line}").expect("a text can grow");
            log.sales.push(Sale { id, item, shop });
        }
        log
    }
}
