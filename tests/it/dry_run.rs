//! `ingest --dry-run`: what it understood of each input, of files and of streams.

use crate::world::World;

/// More than twenty inputs were not explained, and nothing said so.
#[test]
fn every_input_is_explained_and_what_is_not_is_named() {
    let world = World::new();
    for day in 10..35 {
        world.write(&format!("logs/{day}.csv"), format!("ts,item_id\n2017-01-14T10:00:00Z,item{day}\n"));
    }
    world.write("logs/none.csv", "");
    let said = world.run("ingest --dry-run logs missing.csv");
    assert_eq!(said.code, Some(4), "{}", said.whole());
    let explained: Vec<&str> = said.stdout.lines().filter(|line| line.contains(": CSV, ")).collect();
    assert_eq!(explained.len(), 25, "{}", said.whole());
    assert_eq!(said.stdout.matches("\n\nlogs/").count(), 24, "a blank line is between two: {}", said.whole());
    let unexplained = "explained: 25 of 27 inputs, not missing.csv, logs/none.csv\n";
    assert!(said.stderr.contains(unexplained), "{}", said.whole());
}

#[test]
fn a_stream_is_explained_by_its_beginning_and_counted_to_its_end() {
    let world = World::new();
    let stream: String = (0..500)
        .map(|number| format!("{{\"when\":\"2017-01-14T10:00:00Z\",\"sku\":\"item{number}\"}}\n"))
        .collect();
    let said = world.run_with(&["ingest", "--dry-run", "--write-map", "map.toml", "-"], stream.as_bytes());
    let first = "-: NDJSON, UTF-8, columns by the first 200 records\n\ncolumns\n";
    assert!(said.stdout.starts_with(first), "{}", said.whole());
    assert!(said.stdout.contains("--map ts=when"), "{}", said.whole());
    assert!(said.stderr.contains("500 read = 0 accepted + 0 duplicate + 500 rejected"), "{}", said.whole());
    let said = world.run_with(&["ingest", "--dry-run", "--map", "map.toml", "-"], stream.as_bytes());
    assert!(said.stdout.contains("types     purchase 500\n"), "{}", said.whole());
    let text = "ts,item_id\n2017-01-14T10:00:00Z,a\n".encode_utf16().flat_map(u16::to_le_bytes);
    let said = world.run_with(&["ingest", "--dry-run", "--format", "csv", "-"], &text.collect::<Vec<u8>>());
    assert!(said.stdout.starts_with("-: CSV, delimiter `,`, quoted fields, UTF-16LE\n"), "{}", said.whole());
}
