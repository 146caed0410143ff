//! Lakes in which one file is not what it was.

use proptest::prelude::*;

use crate::bad_input::arbitrary::{Harm, ended, harm, try_cases};
use crate::world::{Said, World};

const COMMANDS: [&str; 10] = [
    "rollup",
    "rollup --all",
    "rank --window 365d",
    "show",
    "show --categories",
    "lake verify",
    "lake stats",
    "lake compact",
    "lake prune --now 2100-01-01T00:00:00Z --keep-versions 0s --keep-rankings 0s",
    "ingest more.csv",
];

/// A good lake, and what it says.
struct Good {
    files: Vec<(String, Vec<u8>)>,
    sold: String,
}

impl Good {
    /// Makes a lake of so many commits, all of them aggregated and ranked.
    fn of(commits: usize) -> Good {
        let world = World::new();
        let line = |n: usize| {
            let (hour, category) = (10 + n % 2, ["Food/Fruit|Gifts", "Food", ""][n % 3]);
            format!("2017-01-14T{hour}:00:00Z,id-{n},item-{},{category},{},1.25\n", n % 4, n % 7)
        };
        let lines: String = (0..commits).map(line).collect();
        let log = format!("ts,event_id,item_id,category,quantity,amount\n{lines}");
        let said = world.run_with(&["ingest", "--commit-every", "1", "-"], log.as_bytes());
        assert_eq!(said.code, Some(0), "{}", said.whole());
        let sold = world.sold();
        assert_eq!(world.run("rank --window 365d").code, Some(0));
        assert_eq!(world.run("lake verify").code, Some(0));
        let files = world.files("data/lake").into_iter().filter(|name| !name.starts_with("runs/"));
        let files = files.map(|name| {
            let bytes =
                std::fs::read(world.path("data/lake").join(&name)).expect("a listed file can be read");
            (name, bytes)
        });
        Good { files: files.collect(), sold }
    }

    /// Returns the numbers of the files whose names are such.
    fn numbers(&self, is_such: impl Fn(&str) -> bool) -> Vec<usize> {
        let found: Vec<usize> = (0..self.files.len()).filter(|&at| is_such(&self.files[at].0)).collect();
        assert!(!found.is_empty(), "the lake has such files");
        found
    }

    /// Returns a copy in which one file is harmed, and how many bytes that file has.
    fn harmed(&self, file: usize, harm: &Harm) -> (World, usize) {
        let world = World::new();
        let mut size = 0;
        for (at, (name, bytes)) in self.files.iter().enumerate() {
            let name = format!("data/lake/{name}");
            if at == file {
                let bytes = harm.done_to(bytes.clone());
                size = bytes.len();
                world.write(&name, bytes);
            } else {
                world.write(&name, bytes);
            }
        }
        world.write("more.csv", "ts,item_id,category\n2017-01-14T10:00:00Z,item-1,Food\n");
        (world, size)
    }

    /// Ranks, re-aggregates everything and ranks again, and checks that nothing else has sold than before.
    fn is_unchanged(&self, world: &World) -> Result<(), TestCaseError> {
        prop_assert_eq!(&world.sold(), &self.sold);
        ended(&world.run("rollup --all"), &[0])?;
        prop_assert_eq!(&world.sold(), &self.sold);
        Ok(())
    }
}

fn is_damaged(said: &Said) -> bool {
    said.code == Some(3)
}

/// A byte that is changed within a value of an event shows only against the aggregates that were made of it
/// before; so these are compared first, as a nightly `lake verify` does.
#[test]
fn changed_data_files_are_noticed_or_say_the_same() {
    let good = Good::of(6);
    let data = good.numbers(|name| name.ends_with(".parquet") && !name.contains("_delta_log"));
    let cases = (prop::sample::select(data), harm(), prop::sample::select(&COMMANDS[..]));
    try_cases("data files", 15, cases, |(file, harm, command)| {
        let (world, size) = good.harmed(file, &harm);
        let verified = world.run("lake verify");
        ended(&verified, &[0, 3])?;
        if verified.code == Some(0) {
            good.is_unchanged(&world)?;
        }
        let (world, _) = good.harmed(file, &harm);
        ended(&world.run(command), &[0, 1, 3, 5])?;
        Ok(size)
    });
}

#[test]
fn changed_table_logs_are_noticed_or_say_the_same() {
    // With and without a summary of the log.
    let lakes = [Good::of(3), Good::of(52)];
    let logs = [0, 1].map(|lake| lakes[lake].numbers(|name| name.contains("_delta_log")));
    let file = prop_oneof![
        (Just(0), prop::sample::select(logs[0].clone())),
        (Just(1), prop::sample::select(logs[1].clone())),
    ];
    let cases = (file, harm(), prop::sample::select(&COMMANDS[..]));
    try_cases("table logs", 15, cases, |((lake, file), harm, command)| {
        let (world, size) = lakes[lake].harmed(file, &harm);
        ended(&world.run(command), &[0, 1, 3, 5])?;
        let (world, _) = lakes[lake].harmed(file, &harm);
        let verified = world.run("lake verify");
        ended(&verified, &[0, 1, 3])?;
        if verified.code == Some(0) {
            lakes[lake].is_unchanged(&world)?;
        }
        Ok(size)
    });
}

#[test]
fn changed_rankings_are_never_shown() {
    let good = Good::of(4);
    let rankings = good.numbers(|name| name.starts_with("rankings/"));
    let questions =
        ["show --format csv", "show --category Food --format csv", "show --categories --format csv"];
    let answers = questions.map(|question| good.harmed(usize::MAX, &Harm::Bytes(Vec::new())).0.run(question));
    let cases = (prop::sample::select(rankings), harm(), 0..questions.len());
    try_cases("rankings", 15, cases, |(file, harm, question)| {
        let (world, size) = good.harmed(file, &harm);
        let said = world.run(questions[question]);
        ended(&said, &[0, 3])?;
        match is_damaged(&said) {
            true => prop_assert_eq!(world.run("lake verify").code, Some(3), "{}", said.whole()),
            false => prop_assert_eq!(&said.stdout, &answers[question].stdout),
        }
        // Another ranking heals it.
        prop_assert_eq!(world.run("rank --window 365d").code, Some(0));
        prop_assert_eq!(world.run("show").code, Some(0));
        Ok(size)
    });
}

#[test]
fn settings_of_chance_are_followed_or_refused() {
    let good = Good::of(2);
    const ON_IT: [&str; 6] = [
        "ingest more.csv",
        "lake prune --dry-run",
        "lake prune",
        "rank --window 365d",
        "show",
        "lake verify",
    ];
    try_cases("settings", 15, (harm(), prop::sample::select(&ON_IT[..])), |(harm, command)| {
        let (world, _) = good.harmed(usize::MAX, &harm);
        let toml = harm.done_to(b"# What is kept.\nretention = \"400d\"\n".to_vec());
        world.write("data/lake/topsell.toml", &toml);
        let said = world.run(command);
        ended(&said, &[0, 2, 4, 5])?;
        let is_named = said.stderr.starts_with("error: ") && said.stderr.contains("topsell.toml");
        prop_assert_eq!(said.code == Some(2), is_named, "{}", said.whole());
        Ok(toml.len())
    });
}
