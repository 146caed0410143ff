//! JSON that others read: it says its schema, and what was promised once stays.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::world::World;

const LOG: &str = "ts,item_id,category,quantity\n\
    2017-01-14T12:00:00Z,a,Books/Fiction,1\n\
    2017-01-14T12:00:00Z,b,Books,two\n";

/// Adds the path of every key of a value, `[]` standing for each of a list.
fn add_paths(value: &Value, path: &str, paths: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, below) in map {
                let path = format!("{path}.{key}").trim_start_matches('.').to_owned();
                paths.insert(path.clone());
                add_paths(below, &path, paths);
            }
        }
        Value::Array(list) => list.iter().for_each(|below| add_paths(below, &format!("{path}[]"), paths)),
        _ => {}
    }
}

/// Holds a text against the keys that were promised; others may stand beside them.
fn check(what: &str, json: &str, promised: &str) {
    let value: Value =
        serde_json::from_str(json).unwrap_or_else(|e| panic!("{what} is no JSON: {e}: {json}"));
    let mut paths = BTreeSet::new();
    add_paths(&value, "", &mut paths);
    for promised in promised.split_whitespace() {
        assert!(paths.contains(promised), "{what} has no {promised} any more: {paths:?}");
    }
}

#[test]
fn what_was_promised_stays() {
    let world = World::new();
    world.write("log.csv", LOG);
    world.write("names.csv", "item_id,name\na,A book\n");
    assert_eq!(world.run("ingest log.csv").code, Some(4));
    assert_eq!(world.run("rank --catalog names.csv").code, Some(0));
    let said = |arguments: &str| {
        let said = world.run(arguments);
        assert_eq!(said.code, Some(0), "{}", said.whole());
        said.stdout
    };
    let show = said("show --category Books --format json");
    check(
        "show",
        &show,
        "schema category as_of window_from window_to half_life_hours items items[].rank items[].item_id \
         items[].name items[].score items[].units items[].purchases items[].amount",
    );
    let categories = said("show --categories --format json");
    check(
        "show --categories",
        &categories,
        "schema as_of categories categories[].category categories[].items categories[].eligible_items \
         categories[].window_from categories[].window_to",
    );
    let stats = said("lake stats");
    check(
        "lake stats",
        &stats,
        "schema events events.version events.files events.rows events.size_bytes rollups rollups.version \
         rollups.files rollups.rows rollups.size_bytes batches hours empty_hours first_hour last_hour reserve_bytes \
         quarantine quarantine.files quarantine.size_bytes quarantine.event_rows \
         largest_categories largest_categories[].category largest_categories[].rows",
    );
    let config = said("config --format json");
    check(
        "config",
        &config,
        "schema settings settings[].key settings[].variable settings[].values settings[].from \
         settings[].file settings[].line files files[].file files[].is_there",
    );
    for (what, json) in [("show", show), ("--categories", categories), ("stats", stats), ("config", config)] {
        let value: Value = serde_json::from_str(&json).expect("it was read before");
        assert_eq!(value["schema"], 1, "{what}: {json}");
    }
    check(
        "a line of show",
        said("show --format ndjson").lines().next().unwrap_or(""),
        "category rank item_id name score units purchases amount",
    );
    check(
        "a line of categories",
        said("show --categories --format ndjson").lines().next().unwrap_or(""),
        "category items eligible_items window_from window_to",
    );
    check(
        "the pointer",
        &world.snapshot("data/lake").0.to_string(),
        "schema file blake3 size_bytes rows as_of",
    );
    for run in world.records("runs") {
        check(
            "a run's record",
            &run.to_string(),
            "schema command started seconds exit_code outcome version process counts stage_seconds",
        );
    }
    for reject in world.records("rejects") {
        check("a rejected line", &reject.to_string(), "file line column reason text");
    }
}
