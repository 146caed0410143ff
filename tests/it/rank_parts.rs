//! A ranking in several processes has the bytes of one that was made by one process: in any order of the
//! parts, with parts computed twice, and with results that come twice.

use std::fmt::Write as _;

use expect_test::expect;

use crate::world::{Said, World};

/// Numbers without a pattern, the same in every run.
pub struct Chance(pub u64);

impl Chance {
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits fit") % end
    }

    pub fn shuffle<T>(&mut self, all: &mut [T]) {
        (1..all.len()).for_each(|at| all.swap(at, self.below(at + 1)));
    }
}

/// A shop of three weeks: some items are in several top-level categories, some categories are thin.
pub fn shop(world: &World, chance: &mut Chance) {
    let tops = ["Books", "Food", "Tools", "Toys"];
    for file in 0..3 {
        let mut csv = "ts,item_id,category,quantity,amount\n".to_owned();
        for _ in 0..400 {
            let item = chance.below(60);
            let hours_ago = chance.below(1 + chance_of_age(item) * 24);
            let day = 14 * 24 - 1 - i64::try_from(hours_ago).expect("it is small");
            let second =
                1_483_228_800 + day * 3_600 + i64::try_from(chance.below(3_600)).expect("it is small");
            let top = tops[if item.is_multiple_of(7) { chance.below(4) } else { item % 4 }];
            let quantity = [1, 1, 2, 3, -1][chance.below(5)];
            let leaf = chance.below(3);
            let _ = writeln!(csv, "{second},i{item},{top}/{leaf},{quantity},{quantity}.25");
        }
        let name = format!("{file}.csv");
        world.write(&name, csv);
        let said = world.run(&format!("ingest {name}"));
        assert_eq!(said.code, Some(0), "{}", said.whole());
        assert_eq!(world.run("rollup").code, Some(0));
    }
}

/// How many days ago an item may have been sold: of some only long ago.
fn chance_of_age(item: usize) -> usize {
    if item.is_multiple_of(5) { 20 } else { 3 }
}

pub fn done(said: Said) -> String {
    assert_eq!(said.code, Some(0), "{}", said.whole());
    said.stdout
}

/// Ranks in parts, and returns how many rounds that took.
fn rank_in_parts(world: &World, options: &str, split: &str, chance: &mut Chance) -> usize {
    let mut plan = "round0.json".to_owned();
    done(world.run(&format!("rank plan {options} --split {split} -o {plan}")));
    for round in 1.. {
        let text = std::fs::read(world.path(&plan)).expect("the plan was written");
        let json: serde_json::Value = serde_json::from_slice(&text).expect("a plan is JSON");
        let parts = json["parts"].as_array().expect("it has parts").len();
        let mut results: Vec<String> = (0..parts).map(|part| format!("{plan}.{part}")).collect();
        let mut order: Vec<usize> = (0..parts).collect();
        chance.shuffle(&mut order);
        for part in order {
            let result = &results[part];
            done(world.run(&format!("rank partial {plan} --part {part} -o {result}")));
            if chance.below(4) == 0 {
                // Another host has computed the same.
                done(world.run(&format!("rank partial {plan} --part {part} --threads 1 -o {result}.again")));
                let bytes = |name: &str| std::fs::read(world.path(name)).expect("the result was written");
                assert_eq!(bytes(result), bytes(&format!("{result}.again")), "{result}");
                results.push(format!("{result}.again"));
            }
        }
        chance.shuffle(&mut results);
        let next = format!("round{round}.json");
        let printed = done(world.run(&format!("rank merge {plan} {} -o {next}", results.join(" "))));
        if printed.is_empty() {
            return round;
        }
        assert_eq!(printed.trim_end(), next);
        plan = next;
    }
    unreachable!("a ranking ends")
}

#[test]
fn a_ranking_in_parts_has_the_bytes_of_one_made_at_once() {
    let mut rounds = Vec::new();
    for (seed, options, split) in [
        (1, "--as-of 2017-01-15 --window 30h --limit 5", "items"),
        (2, "--as-of 2017-01-15 --window 30h --limit 5", "files"),
        (3, "--as-of 2017-01-15 --window 12h --half-life 1h --min-items 25 --max-lookback 600h", "files"),
        (
            4,
            "--as-of 2017-01-14T11:00:00Z --window 20h --no-decay --measure amount --tz Asia/Kolkata",
            "items",
        ),
        (
            5,
            "--as-of 2017-01-15 --window 400h --half-life 37h20min --min-items 0 --measure purchases",
            "files",
        ),
    ] {
        let mut chance = Chance(seed);
        let world = World::new();
        shop(&world, &mut chance);
        rounds.push(rank_in_parts(&world, options, split, &mut chance));
        let in_parts = world.snapshot("data/lake");
        std::fs::remove_dir_all(world.path("data/lake/rankings")).expect("rankings can be removed");
        done(world.run(&format!("rank {options}")));
        let at_once = world.snapshot("data/lake");
        assert!(in_parts == at_once, "{options}: {} and {}", in_parts.0, at_once.0);
    }
    assert!(rounds.iter().any(|rounds| *rounds > 4), "windows are extended: {rounds:?}");
}

#[test]
fn what_is_no_result_of_the_plan_is_refused_with_the_reason() {
    let mut chance = Chance(6);
    let world = World::new();
    shop(&world, &mut chance);
    done(world.run("rank plan --as-of 2017-01-15 --window 30h --min-items 0 -o plan.json"));
    done(world.run("rank plan --as-of 2017-01-14 --window 30h --min-items 0 -o other.json"));
    for part in 0..4 {
        done(world.run(&format!("rank partial plan.json --part {part} -o {part}.part")));
    }
    done(world.run("rank partial other.json --part 0 -o other.part"));
    let mut bytes = std::fs::read(world.path("0.part")).expect("the result was written");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    world.write("flipped.part", &bytes);
    world.write("cut.part", &bytes[..20]);
    world.write("text.json", "{}");
    let said: String = [
        "rank merge plan.json 0.part 2.part -o next.json",
        "rank merge plan.json 0.part 1.part 2.part other.part -o next.json",
        "rank merge plan.json flipped.part -o next.json",
        "rank merge plan.json cut.part -o next.json",
        "rank merge plan.json gone.part -o next.json",
        "rank merge text.json 0.part -o next.json",
        "rank partial plan.json --part 99 -o 99.part",
        "rank partial gone.json --part 0 -o 0.part",
        "rank plan --window 0h -o plan.json",
        "rank plan --all-items -o plan.json",
    ]
    .map(|command| world.run(command).whole())
    .concat();
    expect![[r#"
        stderr: error: the results of 2 of 4 parts are missing: 1, 3
        stderr: hint: compute them with `topsell rank partial --part N`, or pass their files
        exit code 2
        stderr: error: other.part: it belongs to another plan
        stderr: hint: pass the results of this plan
        exit code 2
        stderr: error: flipped.part: its bytes do not have the checksum at their end
        stderr: hint: compute the part again with `topsell rank partial`
        exit code 3
        stderr: error: cut.part: not written by `rank partial` or `rank merge`, or by an incompatible version of topsell
        exit code 1
        stderr: error: gone.part: No such file or directory (os error 2)
        exit code 1
        stderr: error: text.json: not a ranking plan, or written by an incompatible version of topsell: missing field `format` at line 1 column 2
        exit code 2
        stderr: error: the plan has 4 parts, from 0; there is no part 99
        exit code 2
        stderr: error: gone.json: No such file or directory (os error 2)
        exit code 1
        stderr: error: --window: `0h` is zero; pass at least 1h
        exit code 2
        stderr: error: the argument '--all-items' cannot be used with '--output <FILE>'
        stderr: 
        stderr: Usage: topsell rank plan --all-items
        stderr: 
        stderr: For more information, try '--help'.
        exit code 2
    "#]].assert_eq(&said);
    assert!(!world.path("next.json").exists() && !world.path("data/lake/rankings/current.json").exists());
    done(world.run("rank merge plan.json 0.part 1.part 2.part 3.part -o next.json"));
    // Some items are in several categories, which is another round.
    let state = std::fs::read(world.path("next.json.state")).expect("there is another round");
    done(world.run("rank partial next.json --part 0 -o next.part"));
    let damaged = |bytes: &[u8]| {
        world.write("next.json.state", bytes);
        world.run("rank merge next.json next.part -o last.json").whole()
    };
    let mut flipped = state.clone();
    flipped[state.len() / 2] ^= 1;
    let said = [damaged(&flipped), damaged(&state[..10]), damaged(&bytes)].concat();
    std::fs::remove_file(world.path("next.json.state")).expect("it is there");
    let said = said + &world.run("rank merge next.json next.part -o last.json").whole();
    // A state of another round, which a run that was killed may have left there.
    done(world.run("rank plan --as-of 2017-01-14 --window 20h --min-items 0 -o earlier.json"));
    for part in 0..4 {
        done(world.run(&format!("rank partial earlier.json --part {part} -o earlier.{part}")));
    }
    let results = (0..4).map(|part| format!("earlier.{part}")).collect::<Vec<_>>().join(" ");
    assert_eq!(done(world.run(&format!("rank merge earlier.json {results} -o other.json"))), "other.json\n");
    let of_other = std::fs::read(world.path("other.json.state")).expect("there is another round");
    expect![[r#"
        stderr: error: next.json.state: the state of the rounds before this plan: its bytes do not have the checksum at their end
        stderr: hint: keep the file that `rank merge` wrote beside the plan, or merge the round before again
        exit code 1
        stderr: error: next.json.state: the state of the rounds before this plan: not written by `rank partial` or `rank merge`, or by an incompatible version of topsell
        stderr: hint: keep the file that `rank merge` wrote beside the plan, or merge the round before again
        exit code 1
        stderr: error: next.json.state: the state of the rounds before this plan: not written by `rank partial` or `rank merge`, or by an incompatible version of topsell
        stderr: hint: keep the file that `rank merge` wrote beside the plan, or merge the round before again
        exit code 1
        stderr: error: next.json.state: the state of the rounds before this plan: No such file or directory (os error 2)
        stderr: hint: keep the file that `rank merge` wrote beside the plan, or merge the round before again
        exit code 1
        stderr: error: next.json.state: the state of the rounds before this plan: it belongs to another plan
        stderr: hint: keep the file that `rank merge` wrote beside the plan, or merge the round before again
        exit code 1
    "#]].assert_eq(&(said + &damaged(&of_other)));
    let mut plan: serde_json::Value =
        serde_json::from_slice(&std::fs::read(world.path("plan.json")).expect("it is there")).expect("JSON");
    plan["round"]["window_hours"] = u32::MAX.into();
    world.write("wide.json", plan.to_string());
    expect![[r#"
        stderr: error: wide.json: not a ranking plan, or written by an incompatible version of topsell: window_hours of the round is not between those of the rules
        exit code 2
    "#]].assert_eq(&world.run("rank partial wide.json --part 0 -o wide.part").whole());
}

/// Results had the limit of files that people write.
#[test]
fn a_result_may_be_larger_than_a_file_that_people_write() {
    let world = World::new();
    let mut csv = "ts,item_id,category\n".to_owned();
    for item in 0..60_000 {
        let _ = writeln!(
            csv,
            "2017-01-14T{:02}:30:00Z,an-item-with-a-long-id-{item},Food/leaf-{}",
            item % 24,
            item % 90
        );
    }
    world.write("log.csv", csv);
    done(world.run("ingest log.csv"));
    let options = "--as-of 2017-01-15 --limit 3";
    let rounds = rank_in_parts(&world, options, "files", &mut Chance(9));
    let (in_parts, size) = (
        world.snapshot("data/lake"),
        std::fs::metadata(world.path("round0.json.0")).expect("it is there").len(),
    );
    assert!(size > 4 << 20, "{size} bytes");
    assert_eq!(rounds, 1);
    done(world.run(&format!("rank {options}")));
    assert_eq!(world.snapshot("data/lake").1, in_parts.1);
}
