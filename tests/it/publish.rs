//! A published ranking in Redis, in static files and at an HTTP endpoint: readers see one ranking or the other.

mod endpoint;
mod files;
mod http;
mod options;
mod redis;
mod redis_server;

use std::fmt::Write as _;

use crate::world::World;

/// The categories of the made-up shop, besides the whole shop and the category above them.
const CATEGORIES: usize = 40;

/// Writes a log in which `item` sells in every category, and `more` besides in some of them.
fn log(world: &World, name: &str, item: &str, more: &[(usize, &str)]) {
    let mut log = String::from("ts,event_id,item_id,category,quantity,amount\n");
    for at in 0..CATEGORIES {
        let id = format!("{name}-{at}");
        writeln!(log, "2017-01-14T20:00:00Z,{id},{item},Shop/C{at:03},2,3.50").expect("a text can grow");
    }
    for (at, item) in more {
        writeln!(log, "2017-01-14T21:00:00Z,{name}-{item}-{at},{item},Shop/C{at:03},1,1")
            .expect("a text can grow");
    }
    world.write(&format!("{name}.csv"), log);
}

/// Ingests a log into a lake and ranks it as of an hour of the day.
fn rank(world: &World, lake: &str, log: &str, as_of: &str) {
    for command in [
        format!("--lake {lake} ingest {log}.csv"),
        format!("--lake {lake} rank --window 48h --no-decay --min-items 0 --as-of {as_of}"),
    ] {
        let done = world.run(&command);
        assert_eq!(done.code, Some(0), "{command}: {}", done.whole());
    }
}

/// Returns a world with two lakes, in which other items sell.
fn two_lakes() -> World {
    let world = World::new();
    for lake in ["one", "two"] {
        log(&world, lake, lake, &[]);
        rank(&world, lake, lake, "2017-01-15");
    }
    world
}

/// Returns a world with a lake that is ranked.
fn one_lake() -> World {
    let world = World::new();
    log(&world, "first", "apple", &[(7, "pear")]);
    rank(&world, "data/lake", "first", "2017-01-15");
    world
}
