//! `topsell lake verify` of a part of a lake: a share that is another one each day, and what is newer than a time.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use expect_test::expect;

use topsell_core::lake::LakeScope;
use topsell_core::maintenance::{StopRequest, Verified};
use topsell_core::model::Timestamp;
use topsell_core::pipeline::{self, Caller, Done, Step};
use topsell_core::progress::Progress;
use topsell_core::storage::{LockTimeout, Store};

use crate::world::World;

/// Returns a lake with an event each hour of five days, and a ranking a day.
fn five_days() -> World {
    let world = World::new();
    for day in 10..15 {
        let mut log = String::from("ts,item_id,category\n");
        // With gaps in between, so that each hour has a file of its own.
        for hour in (0..24).step_by(2) {
            log += &format!("2017-01-{day}T{hour:02}:00:00Z,item{hour},Food\n");
        }
        world.write(&format!("{day}.csv"), log);
        for command in
            [format!("ingest {day}.csv"), format!("rank --min-items 1 --as-of 2017-01-{}", day + 1)]
        {
            assert_eq!(world.run(&command).code, Some(0), "{command}");
        }
    }
    world
}

/// Returns the number before some words in a summary.
fn count(stderr: &str, words: &str) -> u64 {
    let before =
        stderr.split(words).next().and_then(|before| before.rsplit([' ', ',']).find(|word| !word.is_empty()));
    before.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no {words} in {stderr}"))
}

#[test]
fn each_file_is_in_the_share_of_one_day() {
    const SHARES: u64 = 6;
    let world = five_days();
    assert_eq!(world.run("lake verify").code, Some(0));
    let mut sums = [0; 4];
    for day in 0..SHARES {
        let said =
            world.run(&format!("lake verify --share 1/{SHARES} --now 2017-02-{:02}T03:30:00Z", day + 1));
        assert_eq!(said.code, Some(0), "{}", said.whole());
        assert!(said.stderr.contains("; no problems found in what was checked"), "{}", said.whole());
        for (sum, words) in sums.iter_mut().zip([" event file", " rollup file", " ranking", " category day"])
        {
            *sum += count(&said.stderr, words);
        }
        let checked = count(&said.stderr, " event file") + count(&said.stderr, " rollup file");
        assert_eq!(checked + count(&said.stderr, " more file"), 65, "what is left is said: {}", said.stderr);
    }
    assert_eq!(sums, [60, 5, 5, 5], "in as many days as there are shares, each once");
    let mut read: Vec<u64> = Vec::new();
    for record in world.records("runs").iter().filter(|record| record["command"] == "verify") {
        read.push(record["read_bytes"].as_u64().expect("bytes are counted"));
    }
    read.sort_unstable();
    let all = read.pop().expect("all of it was verified");
    let of_shares: u64 = read.iter().sum();
    assert!(of_shares < all * 3, "logs are checked each time, and the rest once: {read:?} of {all}");
    // Which files are in a share is up to their names, which are random.
    assert!(read.iter().all(|share| share * 3 < all * 2), "a share costs less: {read:?} of {all}");
    let said = world.run("lake verify --share 30");
    assert_eq!(
        said.whole(),
        "stderr: error: --share: write 1/N, such as 1/30 for a thirtieth\nexit code 2\n"
    );
}

#[test]
fn a_share_finds_what_is_damaged_in_it_on_its_day() {
    let world = five_days();
    let files = world.files("data/lake/events").into_iter();
    let file = files.filter(|file| file.ends_with(".parquet")).nth(50).expect("there are more");
    world.write(&format!("data/lake/events/{file}"), "damaged");
    let found = (1..=7).filter(|day| {
        let said = world.run(&format!("lake verify --share 1/7 --now 2017-02-{day:02}T03:30:00Z"));
        said.stderr.contains(&format!("events/{file} is damaged"))
    });
    // On the day of the file, and on that of the aggregates that it adds up to.
    assert!((1..=2).contains(&found.count()));
}

#[test]
fn what_is_older_than_a_time_is_left_out_and_counted() {
    let world = five_days();
    expect![[r#"
        stderr: gap: no events for 1 hour from 2017-01-14T13:00:00Z
        stderr: gap: no events for 1 hour from 2017-01-14T15:00:00Z
        stderr: gap: no events for 1 hour from 2017-01-14T17:00:00Z
        stderr: gap: no events for 1 hour from 2017-01-14T19:00:00Z
        stderr: gap: no events for 1 hour from 2017-01-14T21:00:00Z
        stderr: verify: 6 event files, 1 rollup file, 12 log files, 1 ranking, aggregates of 1 category day recomputed; 58 more files not checked, because of --since; no problems found in what was checked
        exit code 0
    "#]].assert_eq(&world.run("lake verify --since 2017-01-14T12:00:00Z").whole());
    expect![[r#"
        stderr: note: since 2017-01-14T00:00:00Z
        stderr: gap: no events for 1 hour from 2017-01-14T01:00:00Z
        stderr: gap: no events for 1 hour from 2017-01-14T03:00:00Z
        stderr: gap: no events for 1 hour from 2017-01-14T05:00:00Z
        stderr: gap: no events for 1 hour from 2017-01-14T07:00:00Z
        stderr: gap: no events for 1 hour from 2017-01-14T09:00:00Z
        stderr: gap: no events for 1 hour from 2017-01-14T11:00:00Z
        stderr: gap: no events for 1 hour from 2017-01-14T13:00:00Z
        stderr: gap: no events for 1 hour from 2017-01-14T15:00:00Z
        stderr: gap: no events for 1 hour from 2017-01-14T17:00:00Z
        stderr: gap: no events for 1 hour from 2017-01-14T19:00:00Z
        stderr: gap: 1 more gap, 1 hour
        stderr: verify: 12 event files, 1 rollup file, 12 log files, 1 ranking, aggregates of 1 category day recomputed; 52 more files not checked, because of --since; no problems found in what was checked
        exit code 0
    "#]].assert_eq(&world.run("lake verify --since 1d").whole());
}

fn verify(world: &World, since: Option<&str>, stop: &StopRequest) -> Verified {
    let at = |text: &str| Timestamp::parse(text).expect("it is a time");
    let scope = LakeScope { since: since.map(|since| at(since).hour()), share: None };
    let now = at("2017-01-15T00:00:00Z");
    let caller = Caller { name: "test".to_owned(), lock_timeout: LockTimeout::NoWait, now, stdin: None };
    let store = Store::open(&world.path("data/lake")).expect("a lake can be named");
    let step = Step::Verify { scope, stop: stop.clone() };
    match pipeline::run(&step, &store, &caller, &Progress::ignored()) {
        Ok(Done::Verified(verified)) => verified,
        _ => panic!("a verification ends with what it found"),
    }
}

#[test]
fn a_verification_that_is_stopped_says_from_where_to_continue() {
    let world = five_days();
    let stopped = verify(&world, None, &StopRequest(Arc::new(AtomicBool::new(true))));
    assert_eq!((stopped.event_files, stopped.rankings), (0, 5), "data comes last");
    let from = stopped.stopped_at.expect("it was stopped").to_string();
    assert_eq!(from, "2017-01-10", "before the first day");
    let continued = verify(&world, Some(&format!("{from}T00:00:00Z")), &StopRequest::default());
    assert_eq!((continued.event_files, continued.stopped_at), (60, None));
}
