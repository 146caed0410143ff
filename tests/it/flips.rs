//! A flipped bit in any file of a lake is found by whoever reads it, or does no harm.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::world::World;

const NOW: &str = "--now 2017-01-15T00:00:00Z";

/// Returns a lake with files of every kind: large and small ones, with checkpoints, rankings and totals.
pub fn lake() -> World {
    let world = World::new();
    let mut log = String::from("ts,event_id,item_id,category,quantity,amount\n");
    for row in 0..6_000 {
        let (hour, minute) = (row % 24, row / 24 % 60);
        let item = row * 7 % 1_900;
        log +=
            &format!("2017-01-13T{hour:02}:{minute:02}:00Z,e{row},item-{item:05},Food/{},1,2.50\n", item % 3);
    }
    world.write("day.csv", &log);
    world.run("ingest day.csv");
    for number in 0..52 {
        let more =
            format!("ts,item_id,category,quantity\n2017-01-14T10:{number:02}:00Z,late-{number},Tools,2\n");
        let said = world.run_with(&["-q", "ingest", "--format", "csv", "-"], more.as_bytes());
        assert_eq!(said.code, Some(0), "{}", said.whole());
    }
    let said = world.run(&format!("rank --window 150h --all-items {NOW}"));
    assert_eq!(said.code, Some(0), "{}", said.whole());
    world
}

/// Returns what the lake says, a command each; for a command that failed its exit code and message.
fn answers(world: &World) -> Vec<String> {
    let commands = [
        "count item-00007 --from 2017-01-13 --to 2017-01-15 --format csv",
        "show --format csv",
        "show --category Food/1 --format csv --limit 1000",
        "show --item item-00007 --format csv",
        "--lake data/lake ingest day.csv",
        "rank --window 150h --dry-run",
        "rollup --all",
        "rank --window 150h --all-items",
        "show --format csv --limit 1000",
    ];
    let answer = |command: &&str| {
        let now = if command.contains("--lake") { "" } else { NOW };
        let said = world.run(&format!("{command} {now}"));
        match said.code {
            Some(0) => said.stdout,
            code => format!("exit {code:?}\n{}", said.stderr),
        }
    };
    commands.iter().map(answer).collect()
}

pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder can be made");
    for entry in fs::read_dir(from).expect("it can be listed") {
        let entry = entry.expect("it can be listed");
        let to = to.join(entry.file_name());
        match entry.file_type().expect("it has a type").is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(fs::copy(entry.path(), to).expect("a file can be copied")),
        }
    }
}

/// Returns the kind of a file by its path below the lake.
pub fn kind(path: &str) -> Option<&'static str> {
    let is_in = |folder: &str| path.starts_with(folder);
    let kinds = [
        ("commit of events", is_in("events/_delta_log/") && path.ends_with(".json")),
        ("commit of rollups", is_in("rollups/_delta_log/") && path.ends_with(".json")),
        ("checkpoint", path.ends_with(".checkpoint.parquet")),
        ("last checkpoint", path.ends_with("_last_checkpoint")),
        ("large events", is_in("events/") && path.contains("category_group=~09")),
        ("small events", is_in("events/") && path.contains("category_group=~03")),
        ("large aggregates", is_in("rollups/") && path.contains("category_group=~09")),
        ("small aggregates", is_in("rollups/") && path.contains("category_group=~03")),
        ("newest pointer", path == "rankings/current.json"),
        ("pointer", is_in("rankings/") && path.ends_with(".json")),
        ("ranking", is_in("rankings/") && path.ends_with(".parquet")),
        ("pointer to totals", path == "totals/current.json"),
        ("totals", is_in("totals/") && path.ends_with(".parquet")),
        ("inputs", is_in("inputs/")),
        ("format", path == "format.json"),
    ];
    kinds.into_iter().find(|(_, is)| *is && !path.ends_with(".lock")).map(|(name, _)| name)
}

#[test]
fn a_flipped_bit_in_any_file_is_found_or_does_no_harm() {
    let flips_per_kind: usize =
        std::env::var("TOPSELL_FLIPS").ok().and_then(|text| text.parse().ok()).unwrap_or(4);
    let world = lake();
    let good = world.path("good");
    let lake = world.path("data/lake");
    copy(&lake, &good);
    let expected = answers(&world);
    let mut kinds: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for path in world.files("good") {
        if let Some(kind) = kind(&path) {
            kinds.entry(kind).or_default().push(path);
        }
    }
    assert_eq!(kinds.len(), 15, "{:?}", kinds.keys());
    let mut random: u64 = 0x2545_F491_4F6C_DD1D;
    let mut next = move |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % below as u64) as usize
    };
    let (mut wrong, mut found) = (Vec::new(), BTreeMap::new());
    for (kind, paths) in &kinds {
        for flip in 0..flips_per_kind {
            let path = &paths[next(paths.len())];
            fs::remove_dir_all(&lake).expect("it can be removed");
            copy(&good, &lake);
            let mut bytes = fs::read(lake.join(path)).expect("a file can be read");
            let what = match flip % 4 {
                3 => {
                    bytes.truncate(next(bytes.len()));
                    format!("{kind}: {path} cut to {} bytes", bytes.len())
                }
                _ => {
                    let bit = next(bytes.len() * 8);
                    bytes[bit / 8] ^= 1 << (bit % 8);
                    format!("{kind}: {path} with bit {bit} flipped")
                }
            };
            fs::write(lake.join(path), &bytes).expect("a file can be written");
            let verified = world.run("lake verify");
            // The end of what is known of inputs may be a line that a power failure has cut off, and a tag of
            // another name is none of ours: then a file is without a checksum, which is said.
            let is_told = verified.code != Some(0)
                || verified.stderr.contains("without a checksum")
                || *kind == "inputs" && flip % 4 == 3
                || kind.contains("pointer") && !String::from_utf8_lossy(&bytes).contains("\"checksum\"");
            if !is_told {
                wrong.push(format!("{what}: not found by verify: {}", verified.stderr));
            }
            for (is, should) in answers(&world).iter().zip(&expected) {
                let is_error = is.starts_with("exit Some(3)") || is.starts_with("exit Some(1)");
                if is != should && !is_error {
                    wrong.push(format!("{what}:\n{}", is.lines().take(4).collect::<Vec<_>>().join("\n")));
                }
                if is_error && !should.starts_with("exit") {
                    *found.entry(*kind).or_insert(0) += 1;
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of them:\n{}", wrong.len(), wrong.join("\n"));
    assert!(found.len() >= 10, "too few kinds of files were found damaged: {found:?}");
}
