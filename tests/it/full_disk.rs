//! A disk without a free byte: what fails leaves nothing behind, and a prune makes room.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::world::World;

/// A disk of its own, as long as this lives.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Returns a disk of some mebibytes; none, with a message, where this account cannot mount one.
    fn mounted(world: &World, mebibytes: u32) -> Option<SmallDisk> {
        let at = world.path("disk");
        std::fs::create_dir(&at).expect("a folder can be made");
        let size = format!("size={mebibytes}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&at).output();
        if mounted.is_ok_and(|mount| mount.status.success()) {
            return Some(SmallDisk(at));
        }
        // Past the harness, which shows nothing of a test that passes.
        let _ = writeln!(std::io::stderr(), "NOT TESTED without the right to mount: a disk that is full");
        None
    }

    /// Fills it up to the last byte.
    fn fill(&self) {
        let mut filler = std::fs::File::create(self.0.join("filler")).expect("a file can be made");
        for size in [1 << 20, 1 << 12, 1] {
            while filler.write_all(&vec![0; size]).is_ok() {}
        }
    }

    fn make_room(&self) {
        std::fs::remove_file(self.0.join("filler")).expect("it is there");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

/// Sales of some hours of a day.
fn log(world: &World, name: &str, day: u32) {
    let line = |n: u32| {
        let (hour, minute, item) = (n % 24, n % 60, n % 500);
        format!("2017-01-{day:02}T{hour:02}:{minute:02}:00Z,item{item},Top{}/Leaf{},1\n", item % 5, item % 50)
    };
    let lines: String = (0..2_000).map(line).collect();
    world.write(name, format!("ts,item_id,category,quantity\n{lines}"));
}

/// Returns the files of the lake that a command could leave behind.
fn files(lake: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![lake.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).expect("it can be listed") {
            let path = entry.expect("it can be listed").path();
            let is_record = ["runs", "inputs"].iter().any(|name| path.ends_with(name));
            if path.is_dir() && !is_record {
                open.push(path);
            } else if path.is_file() && path.extension().is_none_or(|extension| extension != "lock") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn on_a_full_disk_nothing_is_left_behind_and_a_prune_makes_room() {
    let world = World::new();
    let Some(disk) = SmallDisk::mounted(&world, 96) else { return };
    let run = |command: &str| world.run(&format!("--lake disk/lake {command}"));
    for day in 10..14 {
        log(&world, "log.csv", day);
        for command in ["ingest log.csv", "rank"] {
            let said = run(command);
            assert_eq!(said.code, Some(0), "{}", said.whole());
        }
    }
    assert_eq!(run("lake prune").code, Some(0));
    let lake = world.path("disk/lake");
    let reserve = || std::fs::metadata(lake.join("reserve")).map_or(0, |file| file.len());
    assert_eq!(reserve(), 8 << 20);
    assert!(run("lake stats").stdout.contains("\"reserve_bytes\": 8388608"));
    log(&world, "more.csv", 13);
    log(&world, "last.csv", 14);
    // Aggregates that are not up to date, and hours with several files.
    let more = std::fs::read_to_string(world.path("more.csv")).expect("it was written");
    world.write("more.csv", more.replace(",1\n", ",2\n"));
    assert_eq!(run("ingest more.csv").code, Some(0));
    let shown = run("show --format csv").stdout;
    disk.fill();
    let before = files(&lake);
    for command in ["ingest last.csv", "rollup", "rank", "rank --all-items", "lake compact", "rollup --all"] {
        let said = run(command);
        assert_eq!(said.code, Some(1), "{command}: {}", said.whole());
        assert!(said.stderr.contains("No space left on device"), "{command}: {}", said.whole());
        assert!(said.stderr.contains("hint: "), "{command}: {}", said.whole());
        assert_eq!(files(&lake), before, "{command}: {}", said.whole());
    }
    assert_eq!(run("show --format csv").stdout, shown);
    // All but the last days.
    let said = run("lake prune --retention 48h --keep-versions 0s --yes");
    assert_eq!(said.code, Some(0), "{}", said.whole());
    assert!(said.stderr.contains("72 hours before 2017-01-13T00:00:00Z expired"), "{}", said.whole());
    assert_eq!(reserve(), 0, "room is scarce");
    for command in ["rank", "lake compact", "lake verify"] {
        let said = run(command);
        assert_eq!(said.code, Some(0), "{command}: {}", said.whole());
    }
    disk.make_room();
    assert_eq!(run("lake prune").code, Some(0));
    assert_eq!(reserve(), 8 << 20);
}
