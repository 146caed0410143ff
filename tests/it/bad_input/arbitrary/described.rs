//! What describes logs: mappings and catalogs.

use proptest::prelude::*;

use crate::bad_input::arbitrary::{account, ended, good_log, harm, harm_or_packing, try_cases};
use crate::ingest::formats::{parquet, texts};
use crate::world::World;

const FORMATS: [&str; 3] = ["csv", "ndjson", "parquet"];

/// A world with a log in three forms.
fn world_of_logs() -> World {
    let world = World::new();
    for format in FORMATS {
        world.write(&format!("log.{format}"), good_log(format));
    }
    world
}

#[test]
fn mappings_of_chance_are_followed_or_refused() {
    const FIELDS: [&str; 9] =
        ["ts", "item_id", "event_id", "category", "categories", "quantity", "amount", "event_type", "x"];
    let world = world_of_logs();
    let column = prop_oneof![
        "[a-z_/=\"\\\\]{0,12}",
        "\\PC{0,8}",
        prop::sample::select(&FIELDS[..]).prop_map(str::to_owned)
    ];
    let pair =
        (prop::sample::select(&FIELDS[..]), column).prop_map(|(field, column)| format!("{field}={column}"));
    let word = prop_oneof![4 => pair, 1 => "\\PC{0,12}".prop_map(|text| format!("={text}"))];
    let cases = (prop::collection::vec(word, 1..4), 0..FORMATS.len());
    try_cases("mappings", 20, cases, |(words, format)| {
        let log = format!("log.{}", FORMATS[format]);
        let maps: Vec<String> = words.iter().map(|word| format!("--map={word}")).collect();
        let mut arguments = vec!["ingest", "--dry-run", &log];
        arguments.extend(maps.iter().map(String::as_str));
        let said = world.run_with(&arguments, b"");
        ended(&said, &[0, 1, 2, 4])?;
        if !said.stderr.starts_with("error: --map: ") {
            account(&said)?;
        }
        Ok(words.iter().map(String::len).sum())
    });
}

#[test]
fn mapping_files_of_chance_are_followed_or_refused() {
    const GOOD: &str = "# A vendor's.\nts = \"ts\"\nitem_id = 'item_id'\ncategory = \"category/event_type\"\n\
        \"amount\" = \"\"\"\namount\"\"\"\nassume_utc = true\n";
    let world = world_of_logs();
    try_cases("mapping files", 20, (harm(), 0..FORMATS.len()), |(harm, format)| {
        let toml = harm.done_to(GOOD.into());
        world.write("map.toml", &toml);
        let said = world.run(&format!("ingest --dry-run --map map.toml log.{}", FORMATS[format]));
        ended(&said, &[0, 1, 2, 4])?;
        if !said.stderr.starts_with("error: --map: ") {
            account(&said)?;
        }
        Ok(toml.len())
    });
}

fn good_catalog(format: &str) -> Vec<u8> {
    let csv = "item_id,category,name\napple,Food/Fruit,\"An \"\"apple\"\"\"\nkäse,,Käse\napple,Gifts,\n\
        7,A%2FB,\r\n\n";
    match format {
        "csv" => csv.into(),
        "tsv" => csv.replace(',', "\t").into(),
        _ => parquet(vec![
            ("item_id", texts([Some("apple"), Some("käse"), Some("apple")])),
            ("category", texts([Some("Food/Fruit"), None, Some("Gifts")])),
            ("name", texts([Some("An apple"), Some("Käse"), None])),
        ]),
    }
}

#[test]
fn catalogs_of_chance_are_read_whole_or_refused() {
    const FORMATS: [&str; 3] = ["csv", "tsv", "parquet"];
    let world = world_of_logs();
    assert_eq!(world.run("ingest log.csv").code, Some(0));
    assert_eq!(world.run("rank --window 30d").code, Some(0));
    try_cases("catalogs", 20, (0..FORMATS.len(), harm_or_packing()), |(format, harm)| {
        let bytes = harm.done_to(good_catalog(FORMATS[format]));
        let name = format!("items.{}", FORMATS[format]);
        world.write(&name, &bytes);
        let published = world.snapshot("data/lake").0;
        let ingested = world.run(&format!("ingest --dry-run log.ndjson --catalog {name}"));
        let ranked = world.run(&format!("rank --window 30d --catalog {name}"));
        for said in [&ingested, &ranked] {
            ended(said, &[0, 1])?;
            let is_named = said.stderr.contains(&format!("error: the item catalog {name}"));
            prop_assert_eq!(said.code == Some(1), is_named, "{}", said.whole());
        }
        if ingested.code == Some(0) {
            prop_assert_eq!(account(&ingested)?, [4, 4, 0, 0]);
        }
        if ranked.code == Some(1) {
            prop_assert_eq!(world.snapshot("data/lake").0, published, "what was published stays");
        }
        Ok(2 * bytes.len())
    });
}
