//! A ranking by processes that share the lake has the bytes of one that was made by one process, whoever is killed.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Child, Stdio};

use expect_test::expect;
use nix::sys::signal::Signal;

use crate::processes::{signal, wait_until};
use crate::rank_parts::{Chance, done, shop};
use crate::world::World;

/// Returns what is published: rankings and item totals, by their paths.
fn published(world: &World) -> BTreeMap<String, Vec<u8>> {
    let files = world.files("data/lake").into_iter();
    let files = files.filter(|path| path.starts_with("rankings/") || path.starts_with("totals/"));
    files
        .map(|path| {
            let bytes = std::fs::read(world.path("data/lake").join(&path)).expect("it was listed");
            (path, bytes)
        })
        .collect()
}

fn forget_published(world: &World) {
    for folder in ["rankings", "totals"] {
        let _ = std::fs::remove_dir_all(world.path("data/lake").join(folder));
    }
}

/// Ranks with one process, and returns what that publishes; then nothing is published any more.
fn by_one_process(world: &World, options: &str) -> BTreeMap<String, Vec<u8>> {
    done(world.run(&format!("rank {options}")));
    let by_one = published(world);
    forget_published(world);
    by_one
}

/// Returns the name of a plan in the lake, and how many parts it has.
fn planned(printed: &str) -> (String, usize) {
    let (plan, parts) = printed.trim_end().split_once('\t').expect("a plan and its parts are printed");
    (plan.to_owned(), parts.parse().expect("it is a number"))
}

/// Does all rounds that are left of a ranking, and returns how many these were.
fn finish(world: &World, mut plan: (String, usize)) -> usize {
    for round in 1.. {
        for part in 0..plan.1 {
            done(world.run(&format!("rank partial {} --part {part}", plan.0)));
        }
        let printed = done(world.run(&format!("rank merge {}", plan.0)));
        if printed.is_empty() {
            return round;
        }
        plan = planned(&printed);
    }
    unreachable!("a ranking ends")
}

#[test]
fn processes_that_share_the_lake_publish_the_bytes_of_one_process() {
    for (seed, options) in [
        (11, "--as-of 2017-01-15 --window 30h --limit 5"),
        (12, "--as-of 2017-01-15 --window 30h --limit 5 --all-items"),
        (13, "--as-of 2017-01-15 --window 12h --half-life 1h --min-items 25 --max-lookback 600h --all-items"),
        (
            14,
            "--as-of 2017-01-14T11:00:00Z --window 20h --no-decay --measure amount --tz Asia/Kolkata --all-items",
        ),
        (
            15,
            "--as-of 2017-01-15 --window 400h --half-life 37h20min --min-items 0 --measure purchases --all-items",
        ),
    ] {
        let mut chance = Chance(seed);
        let world = World::new();
        shop(&world, &mut chance);
        let by_one = by_one_process(&world, options);
        assert_eq!(by_one.keys().any(|path| path.starts_with("totals/")), options.contains("--all-items"));
        done(world.run(&format!("cluster local --workers 7 rank {options}")));
        assert!(published(&world) == by_one, "{options}");
        assert_eq!(world.files("data/lake/scratch"), [""; 0], "what was published leaves nothing");
        let runs = world.records("runs");
        let traces = |command: &str| -> BTreeSet<String> {
            let of_command = runs.iter().filter(|run| run["command"] == command);
            of_command.map(|run| run["trace_id"].to_string()).collect()
        };
        assert_eq!(traces("cluster local").len(), 1);
        assert_eq!(traces("rank partial"), traces("cluster local"), "one trace of all processes");
        forget_published(&world);
        let parts = 1 + chance.below(40);
        let printed = done(world.run(&format!("rank plan {options} --parts {parts}")));
        finish(&world, planned(&printed));
        assert!(published(&world) == by_one, "{options}, {parts} parts");
    }
}

/// A category with 90 % of all sales has many parts, and many small ones share one.
#[test]
fn a_large_category_is_split_and_small_ones_are_packed() {
    let world = World::new();
    let mut csv = "ts,item_id,category\n".to_owned();
    for number in 0..120_000 {
        let (item, hour) = (number % 40_000, number / 40_000);
        let category = if number % 10 == 9 { format!("Small{}", item % 1_500) } else { "Large".to_owned() };
        csv.push_str(&format!("2017-01-14T{:02}:30:00Z,i{item:05},{category}\n", hour * 5));
    }
    world.write("log.csv", csv);
    done(world.run("ingest log.csv"));
    let options = "--as-of 2017-01-15 --limit 3 --min-items 0";
    let by_one = by_one_process(&world, &format!("{options} --all-items"));
    let printed = done(world.run(&format!("rank plan {options} --all-items --parts 10")));
    let (plan, parts) = planned(&printed);
    let text = std::fs::read(world.path("data/lake").join(&plan)).expect("it was written");
    let json: serde_json::Value = serde_json::from_slice(&text).expect("a plan is JSON");
    let of_large = json["parts"].as_array().expect("it has parts").iter();
    let of_large = of_large.filter(|part| part["categories"]["only"] == "Large").count();
    assert!((4..=12).contains(&of_large), "{of_large} of {parts} parts");
    assert!(parts - of_large <= 17, "{of_large} of {parts} parts");
    finish(&world, (plan, parts));
    assert!(published(&world) == by_one);
}

fn start(world: &World, command: &str) -> Child {
    let words: Vec<&str> = command.split(' ').collect();
    let mut command = world.command(&words);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().expect("the program under test can be started")
}

/// Returns the processes that a process has started and that have not been waited for.
fn children_of(process: u32) -> Vec<u32> {
    let all = std::fs::read_dir("/proc").expect("processes can be listed").flatten();
    let all = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let parent_of = |process: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        // Behind the name, which may have parentheses of its own, are the state and the parent.
        stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse::<u32>().ok()
    };
    all.filter(|child| parent_of(*child) == Some(process)).collect()
}

/// Returns how many results the lake has.
fn results(world: &World) -> usize {
    world.files("data/lake/scratch").iter().filter(|path| path.ends_with(".part")).count()
}

const SLOW: &str = "--as-of 2017-01-15 --window 30h --limit 5 --min-items 0 --parts 30 --all-items";

#[test]
fn a_part_whose_worker_is_killed_is_computed_by_another_one() {
    let world = World::new();
    shop(&world, &mut Chance(21));
    let options = SLOW.replace("--parts 30 ", "");
    let by_one = by_one_process(&world, &options);
    let mut repeated = 0;
    for share in [20, 50, 80] {
        for _ in 0..8 {
            let mut driver = start(&world, &format!("cluster local --workers 2 rank {SLOW}"));
            wait_until("some parts are done", || {
                results(&world) >= 30 * share / 100 || driver.try_wait().expect("it is our child").is_some()
            });
            if driver.try_wait().expect("it is our child").is_none() {
                for worker in children_of(driver.id()) {
                    // It may have ended just now.
                    let _ = nix::sys::signal::kill(
                        nix::unistd::Pid::from_raw(worker.cast_signed()),
                        Signal::SIGKILL,
                    );
                }
            }
            let ended = driver.wait_with_output().expect("it ends");
            let said = String::from_utf8_lossy(&ended.stderr).into_owned();
            assert_eq!(ended.status.code(), Some(0), "{said}");
            assert!(published(&world) == by_one, "{share} %");
            forget_published(&world);
            let again = said.matches("is given out again, signal: 9").count();
            repeated += again;
            if again > 0 {
                break;
            }
        }
    }
    assert!(repeated > 0, "no worker was killed while it was at work");
}

#[test]
fn a_driver_that_is_killed_publishes_nothing_and_goes_on_when_it_is_started_again() {
    let world = World::new();
    shop(&world, &mut Chance(22));
    let by_one = by_one_process(&world, &SLOW.replace("--parts 30 ", ""));
    let mut killed = 0;
    for share in [0, 20, 50, 80] {
        let mut driver = start(&world, &format!("cluster local --workers 2 rank {SLOW}"));
        wait_until("some parts are done", || {
            results(&world) >= 30 * share / 100 || driver.try_wait().expect("it is our child").is_some()
        });
        if driver.try_wait().expect("it is our child").is_none() {
            signal(driver.id(), Signal::SIGKILL);
        }
        let ended = driver.wait().expect("it ends");
        killed += u64::from(ended.code().is_none());
        if ended.code().is_none() {
            assert!(!world.path("data/lake/rankings/current.json").exists(), "half a ranking was published");
        }
        done(world.run(&format!("cluster local --workers 2 rank --wait {SLOW}")));
        assert!(published(&world) == by_one, "{share} %");
        forget_published(&world);
    }
    assert!(killed > 0, "the driver was killed while it was at work");
}

#[test]
fn what_is_damaged_or_of_another_program_is_refused_by_name_and_computed_again() {
    let world = World::new();
    shop(&world, &mut Chance(23));
    let options = "--as-of 2017-01-15 --window 30h --min-items 0 --limit 5 --all-items";
    let by_one = by_one_process(&world, options);
    let (plan, parts) = planned(&done(world.run(&format!("rank plan {options}"))));
    let lake = world.path("data/lake");
    let id = plan.split('/').nth(1).expect("a plan is in a folder").to_owned();
    let without_id = |text: String| text.replace(&id, "rank-ID");
    let missing = world.run(&format!("rank merge {plan}")).whole();
    for part in 0..parts {
        done(world.run(&format!("rank partial {plan} --part {part}")));
    }
    let again = world.run(&format!("rank partial {plan} --part 0")).whole();
    let flip = |name: &str| {
        let path = lake.join(format!("{plan}.{name}"));
        let mut bytes = std::fs::read(&path).expect("it was written");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&path, bytes).expect("it can be written");
    };
    flip("1.part");
    let damaged = world.run(&format!("rank merge {plan}")).whole();
    let computed = world.run(&format!("rank partial {plan} --part 1")).whole();
    let whole = std::fs::read(lake.join(&plan)).expect("it was written");
    let mut json: serde_json::Value = serde_json::from_slice(&whole).expect("a plan is JSON");
    json["program"] = "0.0.9 (c0ffee 2016-12-31)".into();
    std::fs::write(lake.join(&plan), json.to_string()).expect("it can be written");
    let program = env!("CARGO_PKG_VERSION");
    let other = [
        world.run(&format!("rank partial {plan} --part 1")).whole(),
        world.run(&format!("rank merge {plan}")).whole(),
    ]
    .concat();
    let other: String = other
        .lines()
        .map(|line| match line.split_once(&format!("this is topsell {program}")) {
            Some((before, _)) => format!("{before}this is topsell VERSION\n"),
            None => format!("{line}\n"),
        })
        .collect();
    std::fs::write(lake.join(&plan), whole).expect("it can be written");
    let gone = world.run("rank partial scratch/rank-0/plan-0.json --part 0").whole();
    let said = [missing, again, damaged, computed, other, gone].concat();
    expect![[r#"
        stderr: error: the results of 4 of 4 parts are missing: 0, 1, 2, 3
        stderr: hint: compute them with `topsell rank partial --part N`, or pass their files
        exit code 2
        stderr: partial: part 0 of 4, found in the lake
        exit code 0
        stderr: error: scratch/rank-ID/plan-0.json.1.part: its bytes do not have the checksum at their end
        stderr: hint: compute the part again with `topsell rank partial`
        exit code 3
        stderr: partial: part 1 of 4, 5.8 kB in the lake
        exit code 0
        stderr: error: scratch/rank-ID/plan-0.json: the plan was written by topsell 0.0.9 (c0ffee 2016-12-31), and this is topsell VERSION
        stderr: hint: run the same version on all hosts, or plan again with `topsell rank plan`
        exit code 2
        stderr: error: scratch/rank-ID/plan-0.json: the plan was written by topsell 0.0.9 (c0ffee 2016-12-31), and this is topsell VERSION
        stderr: hint: run the same version on all hosts, or plan again with `topsell rank plan`
        exit code 2
        stderr: error: scratch/rank-0/plan-0.json: there is no such plan in the lake
        stderr: hint: its ranking was published, or `lake prune` has removed it; plan again with `topsell rank plan`
        exit code 2
    "#]].assert_eq(&without_id(said));
    assert!(!world.path("data/lake/rankings/current.json").exists());
    // Damaged again: a driver has it computed again without being told.
    flip("0.part");
    flip("2.totals");
    done(world.run(&format!("cluster local --workers 2 rank {options}")));
    assert!(published(&world) == by_one);
}

/// The plan names files of one version of the aggregates.
#[test]
fn a_lake_that_changes_meanwhile_changes_nothing() {
    let world = World::new();
    shop(&world, &mut Chance(24));
    let options =
        "--as-of 2017-01-15 --window 12h --half-life 1h --min-items 25 --max-lookback 600h --all-items";
    let by_one = by_one_process(&world, options);
    let (plan, parts) = planned(&done(world.run(&format!("rank plan {options} --parts 9"))));
    for part in 0..parts / 2 {
        done(world.run(&format!("rank partial {plan} --part {part}")));
    }
    world.write("more.csv", "ts,item_id,category,quantity\n2017-01-14T20:00:00Z,i1,Books/1,9000\n");
    done(world.run("ingest more.csv"));
    done(world.run("rollup"));
    done(world.run("lake compact"));
    done(world.run("lake prune --keep-versions 2h"));
    finish(&world, (plan, parts));
    assert!(published(&world) == by_one);
    // The next one has the new sale.
    done(world.run(&format!("cluster local rank {options}")));
    assert!(published(&world) != by_one);
}

#[test]
fn plans_that_nobody_goes_on_with_are_pruned() {
    let world = World::new();
    shop(&world, &mut Chance(25));
    let (plan, _) = planned(&done(world.run("rank plan --as-of 2017-01-15")));
    done(world.run(&format!("rank partial {plan} --part 0")));
    assert_eq!(world.files("data/lake/scratch").len(), 2);
    done(world.run("lake prune --keep-versions 2h"));
    assert_eq!(world.files("data/lake/scratch").len(), 2);
    let said = world.run("lake prune --yes --now 2100-01-01T00:00:00Z --keep-versions 2h --keep-rankings 2h");
    assert!(
        said.stderr.contains("prune: 2 old plans and results of several processes removed"),
        "{}",
        said.whole()
    );
    assert_eq!(world.files("data/lake/scratch"), [""; 0]);
}

/// Sales of another month, of which nothing is aggregated yet.
fn add_sales(world: &World) {
    let mut csv = "ts,item_id,category,quantity,event_id\n".to_owned();
    for number in 0..900 {
        let (day, item) = (1 + number % 13, number % 70);
        let quantity = if number % 50 == 0 { -1 } else { 1 + number % 3 };
        // Some events come twice, and some of these with another quantity.
        let id = number - if number % 30 == 1 { 1 } else { 0 };
        csv.push_str(&format!(
            "2017-01-{day:02}T{:02}:10:00Z,i{item},Food/{},{quantity},e{id}\n",
            id % 24,
            item % 3
        ));
    }
    world.write("february.csv", csv);
    done(world.run("ingest february.csv"));
}

#[test]
fn a_rollup_by_processes_gives_the_aggregates_of_one_process() {
    let (alone, world) = (World::new(), World::new());
    for world in [&alone, &world] {
        shop(world, &mut Chance(31));
        add_sales(world);
    }
    let by_one = alone.run("rollup");
    let by_many = world.run("cluster local --workers 3 rollup --parts 9");
    let rollup = |said: &str| said.lines().find(|line| line.starts_with("rollup: ")).map(str::to_owned);
    assert!(
        rollup(&by_one.stderr).is_some_and(|line| line.contains("aggregated from")),
        "{}",
        by_one.whole()
    );
    assert_eq!(rollup(&by_many.stderr), rollup(&by_one.stderr), "{}", by_many.whole());
    assert!(
        by_many.stderr.starts_with("plan: 312 hours, 11 parts, 1702 rows of events"),
        "{}",
        by_many.whole()
    );
    let options = "--as-of 2017-01-15 --window 400h --min-items 0";
    let expected = by_one_process(&alone, options);
    assert!(by_one_process(&world, options) == expected);
    let again = world.run("cluster local rollup");
    assert_eq!((again.code, again.stderr.as_str()), (Some(0), "plan: the aggregates are up to date\n"));
    // All of them, recomputed from raw events, are what they were.
    let all = world.run("cluster local --workers 2 rollup --all --parts 5");
    assert_eq!(all.code, Some(0), "{}", all.whole());
    assert!(by_one_process(&world, options) == expected);
    assert_eq!(world.files("data/lake/scratch"), [""; 0]);
    let verified = world.run("lake verify");
    assert_eq!(verified.code, Some(0), "{}", verified.whole());
}

#[test]
fn a_rollup_whose_table_has_changed_meanwhile_commits_nothing() {
    let world = World::new();
    shop(&world, &mut Chance(32));
    add_sales(&world);
    let (plan, parts) = planned(&done(world.run("rollup plan --parts 3")));
    for part in 0..parts {
        done(world.run(&format!("rollup partial {plan} --part {part}")));
    }
    let found = world.run(&format!("rollup partial {plan} --part 0")).whole();
    assert!(found.contains("found in the lake"), "{found}");
    let result = world.path("data/lake").join(format!("{plan}.1.part"));
    let whole = std::fs::read(&result).expect("it was written");
    std::fs::write(&result, &whole[..whole.len() - 9]).expect("it can be written");
    let damaged = world.run(&format!("rollup commit {plan}"));
    assert_eq!(damaged.code, Some(3), "{}", damaged.whole());
    assert!(damaged.stderr.contains(&format!("{plan}.1.part: its bytes do not have")), "{}", damaged.whole());
    std::fs::write(&result, whole).expect("it can be written");
    done(world.run("rollup"));
    let refused = world.run(&format!("rollup commit {plan}"));
    assert_eq!(refused.code, Some(6), "{}", refused.whole());
    assert!(refused.stderr.contains("has changed since this rollup was planned"), "{}", refused.whole());
    assert!(refused.stderr.contains("plan again with `topsell rollup plan`"), "{}", refused.whole());
}

/// As many processes each load their share of the same folder, and check theirs of the lake.
#[test]
fn the_shares_of_inputs_and_of_a_lake_are_all_of_it_and_none_is_twice() {
    let world = World::new();
    for file in 0..12 {
        let mut csv = "ts,item_id,category\n".to_owned();
        for row in 0..5 {
            csv.push_str(&format!("2017-01-{:02}T05:00:00Z,i{file}-{row},Food\n", 1 + file));
        }
        world.write(&format!("logs/{file}.csv"), csv);
    }
    let mut loaded = 0;
    for round in 0..2 {
        for share in 1..=3 {
            let said = world.run(&format!("ingest logs --only-share {share}/3"));
            assert_eq!(said.code, Some(0), "{}", said.whole());
            loaded += usize::from(said.stderr.contains("already ingested")) + round;
        }
    }
    assert_eq!(loaded, 3 + 3, "in the second round, all of them had been loaded");
    done(world.run("rollup"));
    let shop = world.run("rank --as-of 2017-01-15 --window 400h --min-items 0");
    assert!(shop.stderr.contains("rank: 2 categories, 120 rows"), "{}", shop.whole());
    let flipped = world.files("data/lake/events").into_iter().find(|path| path.ends_with(".parquet"));
    let flipped = world.path("data/lake/events").join(flipped.expect("there are some"));
    let mut bytes = std::fs::read(&flipped).expect("it can be read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&flipped, bytes).expect("it can be written");
    let codes = (1..=4).map(|share| world.run(&format!("lake verify --only-share {share}/4")).code);
    let damaged = codes.filter(|code| *code == Some(3)).count();
    // One has the file, and one the day.
    assert!((1..=2).contains(&damaged), "{damaged}");
    for wrong in ["ingest logs --only-share 0/3", "lake verify --only-share 5/4"] {
        let said = world.run(wrong);
        assert_eq!(said.code, Some(2), "{}", said.whole());
        assert!(said.stderr.contains("--only-share: write K/N, such as 3/40"), "{}", said.whole());
    }
}
