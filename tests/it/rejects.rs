//! `rejects/`: bounded in size, for the owner of the lake alone, and gone with the retention.

use std::fs::File;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, SystemTime};

use crate::world::World;

const HEADER: &str = "ts,item_id\n";
const GOOD: &str = "2017-01-14T10:00:00Z,apple\n";

/// Returns the lines that are kept of an input.
fn kept(world: &World, input: &str) -> Vec<u64> {
    let records = world.files("data/lake/rejects").into_iter().flat_map(|name| {
        let text = std::fs::read_to_string(world.path("data/lake/rejects").join(name));
        let text = text.expect("a listed file can be read");
        let lines = text.lines().map(|line| serde_json::from_str(line).expect("it is JSON"));
        lines.collect::<Vec<serde_json::Value>>()
    });
    let mut lines: Vec<u64> = records
        .filter(|record| record["file"] == input)
        .filter_map(|record| record["line"].as_u64())
        .collect();
    lines.sort_unstable();
    lines
}

#[test]
fn the_first_rejects_of_an_input_are_kept_and_the_others_are_counted() {
    let world = World::new();
    for name in ["a", "b", "c", "d", "e"] {
        world.write(
            &format!("{name}.csv"),
            format!("{HEADER}{GOOD}{}", format!("never,{name}\n").repeat(1_000)),
        );
    }
    let said = world.run("ingest --max-rejects 400kB a.csv b.csv c.csv d.csv e.csv");
    assert_eq!(said.code, Some(4), "{}", said.whole());
    assert!(said.stderr.contains("5005 read = 5 accepted + 0 duplicate + 5000 rejected"), "{}", said.whole());
    let counts: Vec<usize> = ["a", "b", "c", "d", "e"]
        .map(|name| {
            let lines = kept(&world, &format!("{name}.csv"));
            let expected: Vec<u64> = (3..3 + lines.len() as u64).collect();
            assert_eq!(lines, expected, "the first ones are kept");
            lines.len()
        })
        .to_vec();
    assert!((200..300).contains(&counts[0]), "a fourth of the run's: {counts:?}");
    assert!(counts[..4].iter().all(|count| *count == counts[0]), "{counts:?}");
    assert!(counts[4] < 5, "the run has no room left: {counts:?}");
    let all: usize = counts.iter().sum();
    let line = format!(
        "rejected: 4995 more lines; {all} of 5000 are in the lake's rejects folder, the others are over the limit of \
         --max-rejects\n"
    );
    assert!(said.stderr.contains(&line), "{}", said.whole());
    let bytes: u64 = world
        .files("data/lake/rejects")
        .iter()
        .map(|name| std::fs::metadata(world.path("data/lake/rejects").join(name)).expect("it is there").len())
        .sum();
    assert!(bytes < 400_000, "{bytes}");
    // The same content again is the same batch, also where not all of its rejects were kept.
    let again = world.run("ingest a.csv");
    assert!(again.stderr.contains("1001 read = 0 accepted + 1001 duplicate"), "{}", again.whole());
}

#[test]
fn messages_share_one_limit_and_are_confirmed_all_the_same() {
    let world = World::new();
    let arguments = ["ingest", "--ack", "rsyslog", "--max-rejects", "8kB", "-"];
    let said = world.run_with(&arguments, "{}\n".repeat(100).as_bytes());
    assert_eq!(said.stdout, "OK\n".repeat(101), "{}", said.whole());
    assert!(said.stderr.contains(" of 100 are in the lake's rejects folder"), "{}", said.whole());
    assert!(kept(&world, "-").len() < 10);
}

#[test]
fn rejects_expire_with_the_retention() {
    let world = World::new();
    world.write("old.csv", format!("{HEADER}{GOOD}never,a\n"));
    world.write("new.csv", format!("{HEADER}{GOOD}never,b\n"));
    for file in ["old.csv", "new.csv"] {
        assert_eq!(world.run(&format!("ingest {file}")).code, Some(4));
    }
    // By the clock of the test, which is set by --now.
    let set_age = |name: &str, at: &str, of: &str| {
        let record = format!("\"file\":\"{of}\"");
        let path = world.path("data/lake/rejects").join(name);
        let text = std::fs::read_to_string(&path).expect("it is there");
        if text.contains(&record) {
            let seconds = at.parse::<u64>().expect("it is a number");
            let file = File::options().append(true).open(path).expect("it can be opened");
            let at = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            file.set_modified(at).expect("it is ours");
        }
    };
    for name in world.files("data/lake/rejects") {
        set_age(&name, "1483228800", "old.csv"); // 2017-01-01
        set_age(&name, "1484395200", "new.csv"); // 2017-01-14
    }
    let prune = "lake prune --retention 3d --now 2017-01-15T00:00:00Z";
    let plan = world.run(&format!("{prune} --dry-run"));
    assert_eq!(plan.stdout.matches("remove rejects/").count(), 1, "{}", plan.whole());
    assert_eq!(world.files("data/lake/rejects").len(), 2);
    let said = world.run(prune);
    assert_eq!(said.code, Some(0), "{}", said.whole());
    assert!(said.stderr.contains("prune: 1 old file of rejects removed\n"), "{}", said.whole());
    assert!(kept(&world, "old.csv").is_empty());
    assert_eq!(kept(&world, "new.csv"), [3]);
}

#[test]
fn a_new_lake_is_readable_by_its_group_and_rejects_by_its_owner() {
    let world = World::new();
    let mode = |path: &str| {
        let meta = std::fs::metadata(world.path(path)).expect("it is there");
        meta.permissions().mode() & 0o7777
    };
    std::fs::create_dir(world.path("shared")).expect("a folder can be made");
    let shared = std::fs::Permissions::from_mode(0o2775);
    std::fs::set_permissions(world.path("shared"), shared).expect("it is ours");
    world.write("log.csv", format!("{HEADER}{GOOD}never,a\n"));
    assert_eq!(world.run("--lake shared/lake ingest log.csv").code, Some(4));
    assert_eq!(mode("shared/lake"), 0o2750, "the group of the parent's, who may read it");
    assert_eq!(mode("shared/lake/rejects") & 0o777, 0o700);
    for name in world.files("shared/lake/rejects") {
        assert_eq!(mode(&format!("shared/lake/rejects/{name}")), 0o600);
    }
    let records = world.files("shared/lake/runs");
    assert!(!records.is_empty());
    for name in records {
        assert_eq!(mode(&format!("shared/lake/runs/{name}")), 0o640);
    }
}
