//! Killed at any moment, the lake is as before or as after: nothing acknowledged is lost, nothing
//! counts twice.
//!
//! `TOPSELL_KILL_ROUNDS` says how many runs to kill; the default is short.

use std::process::Stdio;
use std::time::Duration;

use crate::world::World;

const ROUNDS: u64 = 40;
const FILES: u64 = 12;

#[test]
fn runs_killed_at_random_moments_lose_nothing_and_count_nothing_twice() {
    let world = World::new();
    for file in 0..FILES {
        world.write(&format!("{file}.csv"), log(file));
    }
    let rounds = std::env::var("TOPSELL_KILL_ROUNDS").ok().and_then(|text| text.parse().ok());
    let mut chance = 7;
    let mut acknowledged = [false; FILES as usize];
    let mut killed = 0;
    for round in 0..rounds.unwrap_or(ROUNDS) {
        let file = next(&mut chance) % FILES;
        let name = format!("{file}.csv");
        let command: &[&str] = match round % 5 {
            0 | 1 => &["-q", "ingest", &name],
            2 => &["-q", "rank"],
            3 => &["-q", "lake", "compact"],
            _ => &["-q", "rollup", "--all"],
        };
        let child = world.command(command).stderr(Stdio::null()).spawn();
        let mut child = child.expect("the program under test can be started");
        // The runs take 20 to 100 ms here; some end before they are killed, as they should.
        std::thread::sleep(Duration::from_micros(next(&mut chance) % 60_000));
        child.kill().expect("a child can be killed");
        let status = child.wait().expect("the run ends");
        killed += u64::from(status.code().is_none());
        if status.success() && round % 5 <= 1 {
            acknowledged[file as usize] = true;
        }
    }
    assert!(killed > 0, "no run was killed while it was at work");
    check(&world, &acknowledged);
}

fn check(world: &World, acknowledged: &[bool]) {
    for (file, acknowledged) in acknowledged.iter().enumerate() {
        let said = world.run(&format!("ingest {file}.csv"));
        assert_eq!(said.code, Some(0), "{}", said.whole());
        let is_known = said.stderr.contains(" 0 accepted");
        assert!(is_known || !acknowledged, "what was acknowledged is in: {}", said.whole());
        assert_eq!(world.run(&format!("--lake clean ingest {file}.csv")).code, Some(0));
    }
    for lake in ["data/lake", "clean"] {
        let said = world.run(&format!("--lake {lake} rank"));
        assert_eq!(said.code, Some(0), "{}", said.whole());
    }
    assert_eq!(world.snapshot("data/lake"), world.snapshot("clean"));
    let said = world.run("lake verify");
    assert_eq!(said.code, Some(0), "{}", said.whole());
    assert!(said.stderr.contains("all is well") && !said.stderr.contains("behind"), "{}", said.whole());
}

/// Returns a log whose events have no ids, so that only the batches keep them from counting twice.
fn log(file: u64) -> String {
    let mut text = String::from("ts,item_id,category,quantity\n");
    let mut chance = file + 1;
    for _ in 0..200 {
        let (hour, item, shelf) = (next(&mut chance) % 24, next(&mut chance) % 30, next(&mut chance) % 4);
        text.push_str(&format!("2017-01-14T{hour:02}:00:00Z,item{item},Shop{shelf}/Shelf{item},1\n"));
    }
    text
}

/// Returns the next of a row of numbers without a pattern (a 64-bit linear congruence, after Knuth).
fn next(chance: &mut u64) -> u64 {
    *chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *chance >> 33
}
