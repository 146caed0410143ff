//! Tables of which another program asks more than ours ever ask are left alone by every command.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::world::World;

/// What every command that opens a table does; `show` opens none.
const COMMANDS: [&str; 9] = [
    "ingest more.csv",
    "ingest --dry-run more.csv",
    "rollup",
    "rollup --all",
    "rank",
    "lake compact",
    "lake prune --yes --retention 1h",
    "lake verify",
    "lake stats",
];

/// A lake with a ranking, and something left for each command to do.
fn lake() -> World {
    let world = World::new();
    for (name, item) in [("log.csv", "a"), ("second.csv", "b"), ("more.csv", "c")] {
        world.write(name, format!("ts,item_id,category\n2017-01-10T00:00:00Z,{item},Food\n"));
    }
    for command in ["ingest log.csv", "rank", "ingest second.csv"] {
        assert_eq!(world.run(command).code, Some(0));
    }
    world
}

/// Commits to a table what another program would to enable features and set properties.
fn change(world: &World, table: &str, versions: (i32, i32), features: [&[&str]; 2], properties: &Value) {
    let log = format!("data/lake/{table}/_delta_log");
    let first = std::fs::read_to_string(world.path(&format!("{log}/00000000000000000000.json")));
    let first = first.expect("a table has a first commit");
    let actions: Vec<Value> =
        first.lines().map(|line| serde_json::from_str(line).expect("a commit is JSON")).collect();
    let find = |name: &str| actions.iter().find(|action| action.get(name).is_some()).expect("it is there");
    let mut metadata = find("metaData").clone();
    for (name, value) in properties.as_object().expect("properties are an object") {
        metadata["metaData"]["configuration"][name] = value.clone();
    }
    let mut protocol = json!({"minReaderVersion": versions.0, "minWriterVersion": versions.1});
    for ((name, features), first) in ["readerFeatures", "writerFeatures"].iter().zip(features).zip([3, 7]) {
        if versions == (first, 7) || versions.1 == first {
            protocol[*name] = json!(features);
        }
    }
    let next = world.files(&log).len();
    world
        .write(&format!("{log}/{next:020}.json"), format!("{metadata}\n{}\n", json!({"protocol": protocol})));
}

/// Returns every file of the lake but its records of runs, and what it holds.
fn content(world: &World) -> BTreeMap<String, Vec<u8>> {
    let mut names = world.files("data/lake");
    names.retain(|name| !name.starts_with("runs/") && !name.ends_with(".lock"));
    let read = |name: &String| std::fs::read(world.path("data/lake").join(name)).expect("a file can be read");
    names.iter().map(|name| (name.clone(), read(name))).collect()
}

/// Sees every command refuse with exit code 1, say why, and change nothing.
fn check_refused(world: &World, commands: &[&str], said: &str) {
    let before = content(world);
    for command in commands {
        let refused = world.run(command);
        assert_eq!(refused.code, Some(1), "{command}: {}", refused.whole());
        assert!(refused.stderr.contains(said), "{command}: {said}: {}", refused.whole());
        assert!(content(world) == before, "{command} changed something");
    }
    assert_eq!(world.run("show").code, Some(0), "the published ranking is a file of its own");
}

/// Deletion vectors once were not looked for, and the rows they take out were counted.
#[test]
fn features_of_the_protocol_that_others_enabled_stop_every_command() {
    let see = |features: [&[&str]; 2], properties: &Value, what: &str| {
        let world = lake();
        change(&world, "events", (3, 7), features, properties);
        let said = format!("error: the `events` table is incompatible: {what}");
        check_refused(&world, &COMMANDS, &said);
    };
    let check = |features: [&[&str]; 2], properties: &Value, feature: &str| {
        let what = format!("it has the table feature `{feature}`, which topsell does not know; drop the");
        see(features, properties, &what);
    };
    let enabled = &json!({"delta.enableDeletionVectors": "true"});
    check([&["deletionVectors"], &["deletionVectors"]], enabled, "deletionVectors");
    check([&["deletionVectors"], &["deletionVectors"]], &json!({}), "deletionVectors");
    check([&["typeWidening"], &["typeWidening"]], &json!({}), "typeWidening");
    check([&["v2Checkpoint"], &["v2Checkpoint"]], &json!({}), "v2Checkpoint");
    check([&[], &["domainMetadata", "rowTracking"]], &json!({}), "domainMetadata");
    check([&[], &["changeDataFeed"]], &json!({"delta.enableChangeDataFeed": "true"}), "changeDataFeed");
    check([&[], &["appendOnly"]], &json!({"delta.appendOnly": "true"}), "appendOnly");
    check([&["columnMapping"], &["columnMapping"]], &json!({}), "columnMapping");
    see([&["ofTomorrow"], &["ofTomorrow"]], &json!({}), "Feature 'ofTomorrow' is not supported; undo it");
}

#[test]
fn a_rollups_table_that_others_changed_stops_whoever_looks_at_it() {
    let world = lake();
    change(&world, "rollups", (3, 7), [&["deletionVectors"], &["deletionVectors"]], &json!({}));
    let said = "the `rollups` table is incompatible: it has the table feature `deletionVectors`";
    check_refused(&world, &COMMANDS[2..], said);
    assert_eq!(world.run("ingest more.csv").code, Some(0), "what is sent is not lost meanwhile");
}

#[test]
fn properties_and_versions_that_are_not_ours_stop_every_command() {
    let none: [&[&str]; 2] = [&[], &[]];
    let world = lake();
    change(&world, "events", (3, 7), none, &json!({"delta.checkpointPolicy": "v2"}));
    check_refused(&world, &COMMANDS, "it has the property `delta.checkpointPolicy` = `v2`, which");
    let world = lake();
    change(&world, "events", (1, 2), none, &json!({}));
    check_refused(&world, &COMMANDS, "it needs reader version 1 and writer version 2 of the Delta");
}

#[test]
fn properties_that_ask_for_nothing_stop_no_command() {
    let world = lake();
    let left = json!({
        "delta.enableDeletionVectors": "false",
        "delta.columnMapping.mode": "none",
        "delta.setTransactionRetentionDuration": "interval 400 days",
        "owner": "the shop",
    });
    change(&world, "events", (3, 7), [&[], &[]], &left);
    for command in COMMANDS {
        assert_eq!(world.run(command).code, Some(0), "{command}");
    }
}
