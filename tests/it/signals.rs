//! A signal to end: every command ends, whatever it is doing.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::processes::{exits_within, signal, wait_until};
use crate::world::World;

/// What is promised of commands that read no standard input is "at once"; the machine of the tests may be busy.
const AT_ONCE: Duration = Duration::from_secs(5);

fn shop() -> World {
    let world = World::new();
    let line = |n: u32| format!("2017-01-14T{:02}:{:02}:00Z,item{n},Food,1\n", n % 24, n % 60);
    let lines: String = (0..100).map(line).collect();
    world.write("log.csv", format!("ts,item_id,category,quantity\n{lines}"));
    for command in ["ingest log.csv", "rank --all-items"] {
        let said = world.run(command);
        assert_eq!(said.code, Some(0), "{}", said.whole());
    }
    world.write("more.csv", "ts,item_id,category,quantity\n2017-01-14T05:30:00Z,more,Food,1\n");
    assert_eq!(world.run("ingest more.csv").code, Some(0));
    world
}

/// Replaces the data files in a folder by named pipes that nobody writes to: a disk that does not answer.
fn hang(folder: &Path) {
    for entry in std::fs::read_dir(folder).expect("it can be listed") {
        let path = entry.expect("it can be listed").path();
        if path.is_dir() && !path.ends_with("_delta_log") {
            hang(&path);
        } else if path.extension().is_some_and(|extension| extension == "parquet") {
            std::fs::remove_file(&path).expect("it is there");
            mkfifo(&path, Mode::from_bits_truncate(0o600)).expect("a pipe can be made");
        }
    }
}

/// Waits until a process sleeps and goes on sleeping.
fn wait_until_it_hangs(child: &mut Child, command: &str) {
    let stat = format!("/proc/{}/stat", child.id());
    let mut asleep = 0;
    wait_until("it hangs", || {
        assert!(child.try_wait().expect("it can be asked").is_none(), "{command} has ended by itself");
        let stat = std::fs::read_to_string(&stat).unwrap_or_default();
        let sleeps = stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('S'));
        asleep = if sleeps { asleep + 1 } else { 0 };
        asleep > 50
    });
}

fn ends_at_once(world: &World, command: &str, kind: Signal) {
    let arguments: Vec<&str> = command.split(' ').collect();
    let mut command_line = world.command(&arguments);
    let child = command_line.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut child = child.expect("the program under test can be started");
    wait_until_it_hangs(&mut child, command);
    signal(child.id(), kind);
    assert!(exits_within(AT_ONCE, &mut child), "{command} does not end on {kind}");
}

#[test]
fn every_command_that_reads_a_disk_which_does_not_answer_ends_at_once() {
    for (folder, commands) in [
        ("events", &["rollup --all", "rank", "lake compact", "lake verify", "lake prune", "count item1"][..]),
        ("rollups", &["rank --as-of 2017-01-15", "count item1", "lake verify"][..]),
        ("rankings", &["show", "show --format json", "report -o report.html", "lake verify"][..]),
    ] {
        let world = shop();
        hang(&world.path("data/lake").join(folder));
        for command in commands {
            for kind in [Signal::SIGTERM, Signal::SIGINT] {
                ends_at_once(&world, command, kind);
            }
        }
    }
}

#[test]
fn every_command_that_waits_for_an_input_or_a_lock_ends_at_once() {
    let world = shop();
    mkfifo(&world.path("pipe.csv"), Mode::from_bits_truncate(0o600)).expect("a pipe can be made");
    let lock = |name: &str| {
        let options = &mut std::fs::File::options();
        let file = options.write(true).create(true).truncate(false).open(world.path("data/lake").join(name));
        let file = file.expect("a lock can be opened");
        file.lock().expect("nobody holds it");
        file
    };
    let locks = ["maintenance.lock", "compaction.lock"].map(lock);
    for command in [
        "ingest pipe.csv",
        "ingest --catalog pipe.csv log.csv",
        "rank --wait",
        "rollup --wait",
        "lake compact --wait",
        "lake prune --wait",
    ] {
        for kind in [Signal::SIGTERM, Signal::SIGINT] {
            ends_at_once(&world, command, kind);
        }
    }
    drop(locks);
    // A prune keeps batches from being written.
    let door = lock("writers.door.lock");
    ends_at_once(&world, "ingest --force log.csv", Signal::SIGTERM);
    drop(door);
    assert_eq!(world.run("rank").code, Some(0), "what was ended holds no lock");
}
