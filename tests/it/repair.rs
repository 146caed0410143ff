//! `topsell lake repair`: what can be computed again is, what cannot be is named, and the rest goes on.

use std::collections::BTreeMap;
use std::fs;
use std::process::Stdio;
use std::time::Duration;

use expect_test::expect;

use crate::flips::{copy, kind, lake};
use crate::processes::{exits_within, next_random};
use crate::world::World;

/// How a file is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Harm {
    FlippedBit,
    OtherBytes,
    Cut,
    Removed,
}

const HARMS: [Harm; 4] = [Harm::FlippedBit, Harm::OtherBytes, Harm::Cut, Harm::Removed];

fn harm(world: &World, path: &str, harm: Harm, chance: &mut u64) {
    let at = world.path(path);
    let mut bytes = fs::read(&at).expect("a file can be read");
    let mut next = |below: usize| (next_random(chance) % below.max(1) as u64) as usize;
    match harm {
        Harm::FlippedBit => {
            let bit = next(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        Harm::OtherBytes => {
            let from = next(bytes.len());
            let until = bytes.len().min(from + 40);
            bytes[from..until].iter_mut().for_each(|byte| *byte = !*byte);
        }
        Harm::Cut => bytes.truncate(next(bytes.len())),
        Harm::Removed => {
            fs::remove_file(&at).expect("a file can be removed");
            return;
        }
    }
    fs::write(&at, &bytes).expect("a file can be written");
}

/// Returns how many rows of events the lake has, each of a purchase of its own.
fn event_rows(world: &World) -> u64 {
    let stats = world.run("lake stats");
    assert_eq!(stats.code, Some(0), "{}", stats.whole());
    let stats: serde_json::Value = serde_json::from_str(&stats.stdout).expect("stats are JSON");
    stats["events"]["rows"].as_u64().expect("rows are counted")
}

/// Returns how many rows of events a repair says are lost.
fn lost_rows(stderr: &str) -> u64 {
    let lines = stderr.lines().filter_map(|line| line.strip_prefix("lost: ")?.split_once(".parquet: "));
    let rows = lines.filter_map(|(_, rest)| rest.split_once(" row")?.0.parse::<u64>().ok());
    rows.sum()
}

/// Returns what the lake says before and after another ranking; for a command that failed its exit code.
fn answers(world: &World) -> Vec<String> {
    let commands = [
        "count item-00007 --from 2017-01-13 --to 2017-01-15 --format csv",
        "show --format csv --limit 1000",
        "rank --window 150h --all-items --now 2017-01-15T00:00:00Z",
        "show --category Food/1 --format csv --limit 1000",
    ];
    let answer = |command: &&str| {
        let said = world.run(command);
        if said.code == Some(0) { said.stdout } else { format!("exit {:?}\n{}", said.code, said.stderr) }
    };
    commands.iter().map(answer).collect()
}

#[test]
fn whatever_is_damaged_is_repaired_or_named() {
    let per_kind: usize = std::env::var("TOPSELL_FLIPS").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let world = lake();
    let good = world.path("good");
    let lake = world.path("data/lake");
    copy(&lake, &good);
    let rows = event_rows(&world);
    let expected = answers(&world);
    let mut kinds: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for path in world.files("good") {
        if let Some(kind) = kind(&path).filter(|kind| *kind != "format") {
            kinds.entry(kind).or_default().push(path);
        }
    }
    let (mut wrong, mut chance) = (Vec::new(), 11);
    for (kind, paths) in &kinds {
        for round in 0..per_kind * HARMS.len() {
            let path = &paths[(next_random(&mut chance) % paths.len() as u64) as usize];
            let manner = HARMS[round % HARMS.len()];
            fs::remove_dir_all(&lake).expect("it can be removed");
            copy(&good, &lake);
            harm(&world, &format!("data/lake/{path}"), manner, &mut chance);
            let what = format!("{kind}: {path}, {manner:?}");
            let found = world.run("lake verify").code;
            let said = world.run("lake repair --yes");
            let mut note = |problem: &str| wrong.push(format!("{what}: {problem}: {}", said.whole()));
            if said.stderr.contains("cannot repair: ") {
                if *kind != "commit of events" || said.code != Some(3) {
                    note("could be repaired");
                }
                continue;
            }
            let lost =
                said.stderr.lines().any(|line| line.starts_with("lost: ") || line.starts_with("note: "));
            if said.code != Some(if lost { 3 } else { 0 }) {
                note("another exit code");
            }
            // A larger file is not searched for it.
            if manner == Harm::FlippedBit && found == Some(3) && lost && *kind != "large events" {
                note("one bit can be found");
            }
            let verified = world.run("lake verify");
            if verified.code != Some(0) {
                note(&format!("found afterwards: {}", verified.stderr));
            }
            let has_lost_commit = said.stderr.contains("is lost; ingest again what was ingested then");
            if rows - event_rows(&world) != lost_rows(&said.stderr) && !has_lost_commit {
                note("another loss than was named");
            }
            let again = world.run("lake repair --yes");
            if again.whole() != "stderr: repair: nothing to repair; no problems left\nexit code 0\n" {
                note(&format!("a second time: {}", again.whole()));
            }
            let answers = answers(&world);
            let differing = answers.iter().zip(&expected).filter(|(is, should)| is != should).count();
            if differing > 0 && !lost && *kind != "totals" && *kind != "pointer to totals" {
                note(&format!("{differing} answers differ: {answers:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of them:\n{}", wrong.len(), wrong.join("\n"));
}

/// Returns a lake with two categories, an hour each, and a ranking.
fn small_lake() -> World {
    let world = World::new();
    world.write(
        "log.csv",
        "ts,item_id,category,quantity\n\
         2017-01-13T10:00:00Z,a,Food,1\n\
         2017-01-13T10:05:00Z,b,Food,2\n\
         2017-01-13T10:10:00Z,c,Toys,3\n",
    );
    for command in ["ingest log.csv", "rank --min-items 1"] {
        assert_eq!(world.run(command).code, Some(0));
    }
    world
}

fn file_of(world: &World, part: &str) -> String {
    let mut files = world.files("data/lake").into_iter();
    let path = files.find(|path| path.contains(part)).expect("there is such a file");
    format!("data/lake/{path}")
}

fn ranking_of(world: &World, day: &str) -> String {
    let pointer = file_of(world, &format!("rankings/{day}"));
    format!("{}.parquet", pointer.trim_end_matches(".json").trim_end_matches(".parquet"))
}

/// Damages the events of the category Food.
fn harm_events(world: &World, manner: Harm, chance: &mut u64) {
    harm(world, &file_of(world, "events/event_type=purchase/category_group=~09"), manner, chance);
}

/// Spells out file names, which differ each time.
fn plain(text: &str) -> String {
    let is_unique =
        |word: &str| word.len() >= 16 && word.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    let words = text.split_inclusive(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    let spelled = words.map(|word| {
        let (name, end) = word.split_at(word.len() - word.chars().next_back().map_or(0, char::len_utf8));
        if is_unique(name) { format!("…{end}") } else { word.to_owned() }
    });
    spelled.collect()
}

#[test]
fn lost_events_are_named_and_come_back_with_the_log() {
    let world = small_lake();
    let before = world.run("show --format csv").stdout;
    let mut chance = 3;
    harm_events(&world, Harm::OtherBytes, &mut chance);
    let snapshot = world.files_of_lake();
    expect![[r#"
        stdout: quarantine events/event_type=purchase/category_group=~09/date=2017-01-13/….parquet: 2 rows of purchase, Food, 2017-01-13T10:00:00Z, batch ……
        stderr: problem: WORLD/data/lake/events/event_type=purchase/category_group=~09/date=2017-01-13/….parquet is damaged: its bytes do not have the checksum with which they were written
        stderr: repair: 1 repair planned
        exit code 0
    "#]].assert_eq(&plain(&world.run("lake repair --dry-run").whole()));
    expect![[r#"
        stderr: problem: WORLD/data/lake/events/event_type=purchase/category_group=~09/date=2017-01-13/….parquet is damaged: its bytes do not have the checksum with which they were written
        stderr: quarantine events/event_type=purchase/category_group=~09/date=2017-01-13/….parquet: 2 rows of purchase, Food, 2017-01-13T10:00:00Z, batch ……
        stderr: repair: nothing was changed; pass --yes to carry out the plan
        exit code 1
    "#]].assert_eq(&plain(&world.run("lake repair").whole()));
    assert_eq!(world.files_of_lake(), snapshot, "nothing was changed");
    expect![[r#"
        stderr: problem: WORLD/data/lake/events/event_type=purchase/category_group=~09/date=2017-01-13/….parquet is damaged: its bytes do not have the checksum with which they were written
        stderr: quarantine events/event_type=purchase/category_group=~09/date=2017-01-13/….parquet: 2 rows of purchase, Food, 2017-01-13T10:00:00Z, batch ……
        stderr: lost: events/event_type=purchase/category_group=~09/date=2017-01-13/….parquet: 2 rows of purchase, Food, 2017-01-13T10:00:00Z, batch ……
        stderr: hint: to load lost events again, ingest the logs of those hours with --force, which replaces what is left of each batch
        stderr: repair: 1 hour recomputed, 1 file quarantined; 2 rows of events LOST; no problems left
        exit code 3
    "#]].assert_eq(&plain(&world.run("lake repair --yes").whole()));
    expect![[r#"
        stderr: verify: 1 event file, 1 rollup file, 6 log files, 1 ranking, aggregates of 1 category day recomputed; no problems found
        exit code 0
    "#]].assert_eq(&world.run("lake verify").whole());
    let stats: serde_json::Value =
        serde_json::from_str(&world.run("lake stats").stdout).expect("stats are JSON");
    assert_eq!(stats["quarantine"]["event_rows"], 2);
    assert_eq!(stats["quarantine"]["files"], 1);
    let said = world.run("ingest --force log.csv");
    assert_eq!(said.code, Some(0), "{}", said.whole());
    assert_eq!(event_rows(&world), 3);
    assert_eq!(world.run("rank --min-items 1").code, Some(0));
    assert_eq!(world.run("show --format csv").stdout, before);
}

/// A disk that is not mounted is no reason to give up the aggregates, which nothing can compute then.
#[test]
fn aggregates_stay_where_they_are_while_events_cannot_be_read() {
    let world = World::new();
    let lines = (0..12).map(|at| format!("2017-01-13T10:00:00Z,item{at},Category{at},1\n"));
    world.write("log.csv", format!("ts,item_id,category,quantity\n{}", lines.collect::<String>()));
    for command in ["ingest log.csv", "rank --min-items 1"] {
        assert_eq!(world.run(command).code, Some(0));
    }
    let before = world.run("show --format csv").stdout;
    let mut chance = 5;
    harm(&world, "data/lake/rollups/_delta_log/00000000000000000001.json", Harm::OtherBytes, &mut chance);
    let (events, elsewhere) = (world.path("data/lake/events/event_type=purchase"), world.path("elsewhere"));
    fs::rename(&events, &elsewhere).expect("a folder can be moved");
    let aggregates =
        || world.files("data/lake").iter().filter(|path| path.contains("rollups/event_type")).count();
    let there = aggregates();
    let said = world.run("lake repair --yes");
    assert_eq!(said.code, Some(3), "{}", said.whole());
    assert!(said.stderr.contains("mounted") && said.stderr.contains("rebuilt once"), "{}", said.whole());
    assert_eq!(aggregates(), there);
    fs::rename(&elsewhere, &events).expect("a folder can be moved");
    let said = world.run("lake repair --yes");
    assert_eq!(said.code, Some(0), "{}", said.whole());
    assert_eq!(world.run("lake verify").code, Some(0));
    assert_eq!(world.run("show --format csv").stdout, before);
    // Pointers are checked whatever share of the files is.
    fs::remove_file(world.path("data/lake/rankings/current.json")).expect("it is there");
    for day in 10..16 {
        let said = world.run(&format!("--now 2017-02-{day}T00:00:00Z lake verify --share 1/30"));
        assert!(said.stderr.contains("current.json is missing"), "{}", said.whole());
    }
}

#[test]
fn a_damaged_log_does_not_keep_the_rest_from_being_verified() {
    let world = small_lake();
    let mut chance = 3;
    for part in ["events/_delta_log/00000000000000000001.json", "rankings/current.json"] {
        harm(&world, &format!("data/lake/{part}"), Harm::OtherBytes, &mut chance);
    }
    harm(
        &world,
        &file_of(&world, "rollups/event_type=purchase/category_group=~09"),
        Harm::OtherBytes,
        &mut chance,
    );
    expect![[r#"
        stderr: problem: events/_delta_log/….json is damaged: it is empty or not text
        stderr: problem: rankings/current.json is damaged: invalid unicode code point at line 1 column 64
        stderr: problem: WORLD/data/lake/rollups/event_type=purchase/category_group=~09/date=2017-01-13/….parquet is damaged: its bytes do not have the checksum with which they were written
        stderr: verify: 0 event files, 2 rollup files, 4 log files, 1 ranking, aggregates of 0 category days recomputed; the files of `events` were not checked, because its log is damaged; no day was compared; 3 problems found
        exit code 3
    "#]].assert_eq(&plain(&world.run("lake verify").whole()));
}

#[test]
fn a_repair_that_is_killed_at_any_moment_is_completed_by_another_one() {
    let world = lake();
    copy(&world.path("data/lake"), &world.path("good"));
    let rows = event_rows(&world);
    world
        .write("more.csv", "ts,item_id,category\n2017-01-14T12:00:00Z,a,Toys\n2017-01-14T12:01:00Z,b,Toys\n");
    let mut chance = 5;
    let damaged = [
        ("events/event_type=purchase/category_group=~03", Harm::OtherBytes),
        ("events/event_type=purchase/category_group=~09/date=2017-01-13", Harm::Removed),
        ("rollups/event_type=purchase/category_group=~03", Harm::Cut),
        ("events/_delta_log/00000000000000000007.json", Harm::Cut),
        ("rollups/_delta_log/00000000000000000001.json", Harm::OtherBytes),
        ("rankings/2017", Harm::OtherBytes),
        ("inputs/", Harm::OtherBytes),
    ];
    let mut killed = 0;
    for round in 0..8 {
        fs::remove_dir_all(world.path("data/lake")).expect("it can be removed");
        copy(&world.path("good"), &world.path("data/lake"));
        for (part, manner) in damaged {
            harm(&world, &file_of(&world, part), manner, &mut chance);
        }
        // Ingesting goes on meanwhile.
        let mut ingest = world.command(&["-q", "ingest", "more.csv"]).spawn().expect("it can be started");
        for _ in 0..=round % 4 {
            let mut command = world.command(&["-q", "lake", "repair", "--yes"]);
            let mut child = command.stderr(Stdio::null()).spawn().expect("it can be started");
            exits_within(Duration::from_micros(next_random(&mut chance) % 120_000), &mut child);
            child.kill().expect("a child can be killed");
            killed += u64::from(child.wait().expect("the run ends").code().is_none());
        }
        assert_eq!(ingest.wait().expect("the run ends").code(), Some(0));
        let said = world.run("lake repair --yes");
        assert!(matches!(said.code, Some(0 | 3)), "{}", said.whole());
        let verified = world.run("lake verify");
        assert_eq!(verified.code, Some(0), "{}", verified.whole());
        let stats: serde_json::Value =
            serde_json::from_str(&world.run("lake stats").stdout).expect("stats are JSON");
        let lost = stats["quarantine"]["event_rows"].as_u64().expect("rows are counted");
        assert!(lost > 0);
        assert_eq!(event_rows(&world), rows + 2 - lost, "the loss is listed, whoever completed the repair");
        assert_eq!(world.run("rank").code, Some(0));
    }
    assert!(killed > 0, "no repair was killed while it was at work");
}

#[test]
fn the_file_of_the_format_is_written_again_where_the_table_tells_it() {
    let world = small_lake();
    world.write("data/lake/format.json", "{\"forma\u{0}\":4}\n");
    assert_eq!(world.run("show").code, Some(3));
    let planned = world.run("lake repair --dry-run");
    assert!(planned.stdout.starts_with("rewrite format.json: "), "{}", planned.whole());
    let refused = world.run("lake repair");
    assert_eq!(refused.code, Some(1), "{}", refused.whole());
    assert_eq!(world.run("show").code, Some(3));
    let said = world.run("lake repair --yes");
    assert_eq!(said.code, Some(0), "{}", said.whole());
    assert_eq!(world.run("lake verify").code, Some(0));
    assert_eq!(world.run("show").code, Some(0));
}

/// A run that was killed after it moved files left nobody a word of what was moved.
#[test]
fn nothing_is_quarantined_that_cannot_be_listed() {
    let world = small_lake();
    let mut chance = 3;
    harm(&world, "data/lake/rollups/_delta_log/00000000000000000000.json", Harm::OtherBytes, &mut chance);
    fs::create_dir_all(world.path("data/lake/quarantine/list.ndjson")).expect("a folder can be made");
    let files = || world.files("data/lake").into_iter().filter(|path| !path.ends_with(".lock"));
    let before: Vec<String> = files().collect();
    let said = world.run("-q lake repair --yes");
    assert_eq!(said.code, Some(1), "{}", said.whole());
    let left: Vec<String> = files().filter(|path| !path.starts_with("runs/")).collect();
    for path in before.iter().filter(|path| !path.starts_with("runs/")) {
        assert!(left.contains(path), "{path} is gone: {}", said.whole());
    }
    fs::remove_dir(world.path("data/lake/quarantine/list.ndjson")).expect("it is empty");
    assert_eq!(world.run("lake repair --yes").code, Some(0));
    let list = fs::read_to_string(world.path("data/lake/quarantine/list.ndjson")).expect("it is there");
    assert_eq!(list.lines().count(), 1, "{list}");
    assert!(list.contains("\"file\":\"rollups\"") && list.contains("quarantine/rollups"), "{list}");
}

/// A later step that failed hid what an earlier one had lost.
#[test]
fn what_was_lost_is_said_even_where_a_later_step_fails() {
    let world = small_lake();
    let mut chance = 3;
    harm_events(&world, Harm::OtherBytes, &mut chance);
    harm(&world, &ranking_of(&world, "2017-01-15"), Harm::OtherBytes, &mut chance);
    // The ranking cannot be quarantined.
    fs::create_dir_all(world.path("data/lake/quarantine")).expect("a folder can be made");
    world.write("data/lake/quarantine/rankings", "in the way");
    let said = world.run("lake repair --yes");
    assert_eq!(said.code, Some(3), "{}", said.whole());
    let lines: Vec<&str> = said.stderr.lines().collect();
    assert!(lines.iter().any(|line| line.starts_with("lost: events/")), "{}", said.whole());
    let summary = lines.iter().position(|line| line.starts_with("repair: ")).expect("there is a summary");
    assert!(lines[summary].contains("2 rows of events LOST; stopped by an error"), "{}", said.whole());
    assert!(lines[summary + 1].starts_with("error: "), "{}", said.whole());
    fs::remove_file(world.path("data/lake/quarantine/rankings")).expect("it is there");
    assert_eq!(world.run("lake repair --yes").code, Some(3));
    assert_eq!(world.run("lake verify").code, Some(0));
}

#[test]
fn a_missing_file_of_events_is_not_counted_as_quarantined() {
    let world = small_lake();
    let mut chance = 3;
    harm_events(&world, Harm::Removed, &mut chance);
    let said = world.run("lake repair --yes");
    let expected = "repair: 1 hour recomputed, 1 missing file removed from the table; 2 rows of events LOST; no problems \
                    left";
    assert_eq!(said.stderr.lines().last(), Some(expected), "{}", said.whole());
    assert_eq!(said.code, Some(3));
}

/// A ranking is written before anything names it, and a run may be killed in between.
#[test]
fn a_ranking_that_was_never_published_does_not_become_the_newest() {
    let world = small_lake();
    let published = world.run("show --format csv").stdout;
    let pointer = fs::read(world.path("data/lake/rankings/current.json")).expect("it is there");
    assert_eq!(world.run("rank --min-items 1 --as-of 2017-01-13T11:00:00Z --limit 1").code, Some(0));
    assert_eq!(world.run("rank --min-items 1 --now 2017-01-17T00:00:00Z --limit 1").code, Some(0));
    let newest = ranking_of(&world, "2017-01-17");
    let beside = newest.replace(".parquet", ".json");
    fs::remove_file(world.path(&beside)).expect("it has a pointer");
    let repaired = || {
        let said = world.run("lake repair --yes");
        assert_eq!(said.code, Some(3), "{}", said.whole());
        assert!(said.stderr.contains("the newest intact ranking"), "{}", said.whole());
        world.run("show --format csv").stdout
    };
    fs::remove_file(world.path("data/lake/rankings/current.json")).expect("it is there");
    assert_eq!(repaired(), published);
    assert!(world.path(&newest).exists());
    // One that the damaged pointer still names was published.
    let name = newest.rsplit('/').next().expect("it has a name");
    world.write("data/lake/rankings/current.json", format!("{{\"file\":\"{name}\"}}"));
    assert_ne!(repaired(), published);
    fs::write(world.path("data/lake/rankings/current.json"), pointer).expect("it can be written");
    assert_eq!(world.run("show --format csv").stdout, published);
}

/// Nothing follows the newest commit by which it could be missed, but the aggregates have seen it.
#[test]
fn a_newest_commit_that_is_gone_is_missed_and_what_was_in_it_can_be_ingested_again() {
    let world = small_lake();
    let before = world.run("show --format csv").stdout;
    fs::remove_file(world.path("data/lake/events/_delta_log/00000000000000000001.json"))
        .expect("it is there");
    let found = world.run("lake verify");
    assert_eq!(found.code, Some(3), "{}", found.whole());
    assert!(found.stderr.contains("00000000000000000001.json is missing"), "{}", found.whole());
    let said = world.run("lake repair --yes");
    assert_eq!(said.code, Some(3), "{}", said.whole());
    assert!(said.stderr.contains("version 1 of the table `events`"), "{}", said.whole());
    assert!(said.stderr.ends_with("no problems left\n"), "{}", said.whole());
    assert_eq!(world.run("lake verify").code, Some(0));
    assert_eq!(world.run("ingest log.csv").code, Some(0));
    assert_eq!(event_rows(&world), 3);
    assert_eq!(world.run("rank --min-items 1").code, Some(0));
    assert_eq!(world.run("show --format csv").stdout, before);
    assert_eq!(world.run("lake verify").code, Some(0));
}
