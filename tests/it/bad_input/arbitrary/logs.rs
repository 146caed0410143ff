//! Logs in every form, as files and as streams.

use proptest::prelude::*;

use crate::bad_input::arbitrary::{account, ended, good_log, harm_or_packing, json_lines, try_cases};
use crate::world::World;

const FORMATS: [&str; 4] = ["csv", "tsv", "ndjson", "parquet"];

/// Takes bytes in as a file and from standard input.
fn check(world: &World, format: &str, bytes: &[u8]) -> Result<usize, TestCaseError> {
    let lines = json_lines(bytes).filter(|_| format == "ndjson");
    let name = format!("log.{format}");
    world.write(&name, bytes);
    let from_file = world.run(&format!("ingest {name}"));
    let again = world.run_with(&["ingest", "--format", format, "-"], bytes);
    for said in [&from_file, &again] {
        ended(said, &[0, 1, 4])?;
        let [read, _, _, rejected] = account(said)?;
        prop_assert!(lines.is_none_or(|lines| lines == read), "{:?} lines: {}", lines, said.whole());
        let is_whole = rejected == 0 && !said.stderr.contains("failed: ");
        prop_assert_eq!(said.code == Some(0), is_whole, "{}", said.whole());
    }
    // Only an input of which nothing could be read is read again, with nothing to show for it.
    let [_, first, ..] = account(&from_file)?;
    let [_, accepted, _, rejected] = account(&again)?;
    prop_assert_eq!(accepted, 0, "what was ingested stays: {}", again.whole());
    prop_assert!(rejected == 0 || first == 0, "and is skipped: {}", again.whole());
    Ok(2 * bytes.len())
}

#[test]
fn random_logs_are_counted() {
    let worlds = FORMATS.map(|_| World::new());
    try_cases("logs", 60, (0..FORMATS.len(), harm_or_packing()), |(format, harm)| {
        check(&worlds[format], FORMATS[format], &harm.done_to(good_log(FORMATS[format])))
    });
    for world in worlds {
        let said = world.run("rank --window 365d");
        assert!(
            matches!(said.code, Some(0 | 1 | 5 | 7)),
            "what was ingested can be ranked: {}",
            said.whole()
        );
    }
}
