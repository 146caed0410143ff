//! Many at once on one lake: nothing is lost, nothing counts twice.

use std::process::Child;

use topsell_core::delta::{Commit, Outcome};
use topsell_core::lake::Lake;
use topsell_core::storage::Store;

use crate::processes::wait_until;
use crate::world::{World, sample};

#[test]
fn eight_ingests_at_once_each_file_sent_twice_bring_each_file_once() {
    let world = World::new();
    let days: Vec<String> = (1..=8).map(|day| format!("purchases-2017-01-0{day}.csv.gz")).collect();
    let paths: Vec<String> = days.iter().map(|day| sample().join(day).display().to_string()).collect();
    for path in &paths {
        let said = world.run_with(&["--lake", "one", "ingest", path], b"");
        assert_eq!(said.code, Some(0), "{}", said.whole());
    }
    // Two processes for each file, all begun before any is waited for; the lake is not there yet.
    let start = |path: &String| -> Child {
        let mut command = world.command(&["--quiet", "--lake", "many", "ingest", path]);
        command.spawn().expect("the program under test can be started")
    };
    let running: Vec<Child> = paths.iter().chain(&paths).map(start).collect();
    for mut child in running {
        assert!(child.wait().expect("the run ends").success());
    }
    for lake in ["one", "many"] {
        let said = world.run(&format!("--lake {lake} rank"));
        assert_eq!(said.code, Some(0), "{}", said.whole());
    }
    let pointer = |lake: &str| std::fs::read_to_string(world.path(&format!("{lake}/rankings/current.json")));
    assert_eq!(
        pointer("many").expect("a ranking is published"),
        pointer("one").expect("a ranking is published")
    );
}

#[test]
fn a_second_rank_gives_up_or_waits_and_the_holder_is_named() {
    let world = World::new();
    world.write("log.csv", "ts,item_id\n2017-01-14T00:00:00Z,a\n");
    assert_eq!(world.run("ingest log.csv").code, Some(0));
    let lock = std::fs::File::create(world.path("data/lake/maintenance.lock")).expect("a file can be made");
    lock.lock().expect("nobody else has it");
    std::fs::write(world.path("data/lake/maintenance.lock"), "rank (process 7)")
        .expect("a file can be written");
    let said = world.run("rank");
    assert_eq!(said.code, Some(6), "{}", said.whole());
    assert!(said.stderr.contains("the lake is locked by rank (process 7)"), "{}", said.whole());
    let waiting = world.command(&["rank", "--wait"]).spawn();
    let mut waiting = waiting.expect("the program under test can be started");
    let pid = waiting.id().to_string();
    wait_until("it is blocked in the lock", || {
        let locks = std::fs::read_to_string("/proc/locks").expect("the system lists locks");
        let is_of_it = |line: &str| line.split_whitespace().any(|word| word == pid);
        locks.lines().any(|line| line.contains("-> FLOCK") && is_of_it(line))
    });
    assert!(waiting.try_wait().expect("it can be asked").is_none(), "it waits");
    drop(lock);
    assert!(waiting.wait().expect("the run ends").success());
}

/// Everything at once: each run ends well or says that another is at work, no look at the lake shows
/// a part of a batch or of a merging, and in the end every sale counts once.
#[test]
fn all_that_can_be_asked_of_a_lake_may_be_asked_at_once() {
    const SHIPPERS: usize = 4;
    const FILES: usize = 6;
    const ROWS_A_BATCH: u64 = 50;
    const LATER: &str = "2100-01-01T00:00:00Z";
    let world = World::new();
    for shipper in 0..SHIPPERS {
        for file in 0..FILES {
            let line = |n: u64| {
                let (hour, item) = (n % 24, n % 7);
                // The minute tells the files apart, which else would be one batch.
                format!("2017-01-14T{hour:02}:{file:02}:00Z,item{item},Food/Shelf{shipper},1\n")
            };
            let log: String = (0..ROWS_A_BATCH).map(line).collect();
            world.write(&format!("{shipper}-{file}.csv"), format!("ts,item_id,category,quantity\n{log}"));
        }
    }
    assert_eq!(world.run("ingest 0-0.csv").code, Some(0));
    assert_eq!(world.run("rank").code, Some(0));
    let busy = std::sync::atomic::AtomicUsize::new(SHIPPERS);
    let prune = format!("lake prune --yes --now {LATER} --keep-versions 0s --keep-rankings 0s");
    std::thread::scope(|scope| {
        for shipper in 0..SHIPPERS {
            let (world, busy) = (&world, &busy);
            scope.spawn(move || {
                for file in 0..FILES {
                    let said = world.run(&format!("ingest {shipper}-{file}.csv"));
                    assert_eq!(said.code, Some(0), "{}", said.whole());
                }
                busy.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
            });
        }
        for command in ["rank", "rollup", "lake compact", &prune, "show --format json", "lake stats"] {
            let (world, busy) = (&world, &busy);
            scope.spawn(move || {
                while busy.load(std::sync::atomic::Ordering::SeqCst) > 0 {
                    let said = world.run(command);
                    assert!(matches!(said.code, Some(0 | 6)), "{command}: {}", said.whole());
                    if command == "lake stats" {
                        let stats: serde_json::Value =
                            serde_json::from_str(&said.stdout).expect("stats are JSON");
                        let rows = stats["events"]["rows"].as_u64().expect("rows are counted");
                        assert_eq!(rows % ROWS_A_BATCH, 0, "part of a batch is seen: {rows}");
                    }
                    if command.starts_with("show") {
                        let shown: serde_json::Value =
                            serde_json::from_str(&said.stdout).expect("a ranking is JSON");
                        let units = shown["items"]
                            .as_array()
                            .into_iter()
                            .flatten()
                            .filter_map(|item| item["units"].as_u64());
                        assert_eq!(
                            units.sum::<u64>() % ROWS_A_BATCH,
                            0,
                            "part of a batch is ranked: {shown}"
                        );
                    }
                }
            });
        }
    });
    assert_eq!(world.run("lake verify").code, Some(0));
    let sold: u64 = world
        .sold()
        .lines()
        .filter(|line| line.starts_with("item"))
        .filter_map(|line| line.split(',').nth(1)?.parse::<u64>().ok())
        .sum();
    assert_eq!(sold, SHIPPERS as u64 * FILES as u64 * ROWS_A_BATCH);
}

/// Whoever commits between a look at a table and the commit that it led to must make that commit
/// fail. It once did not: the commit looked anew, and one batch stood twice.
#[test]
fn a_commit_stands_only_on_the_version_it_was_decided_on() {
    let world = World::new();
    let store = Store::open(&world.path("lake")).expect("a folder can be named");
    let lake = Lake::open_or_create(store, None).expect("a lake can be made");
    let [first, second] = [(); 2].map(|()| lake.events().newest().expect("the log can be read"));
    let commit = |id: &str| Commit { transactions: vec![(id.to_owned(), 1)], ..Commit::default() };
    let outcome = first.commit(&commit("a")).expect("the log can be written");
    assert_eq!(outcome, Outcome::Committed(1));
    let outcome = second.commit(&commit("b")).expect("the log can be read");
    assert_eq!(outcome, Outcome::Conflict);
    let newest = lake.events().newest().expect("the log can be read");
    assert_eq!(newest.transaction("a").expect("the log can be read"), Some(1));
    assert_eq!(newest.transaction("b").expect("the log can be read"), None);
}
