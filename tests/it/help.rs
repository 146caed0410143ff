//! Help: examples first, and what was probably meant.

use expect_test::expect;

use crate::world::World;

#[test]
fn help_begins_with_examples_that_the_program_understands() {
    let world = World::new();
    for command in [
        "",
        "ingest",
        "rollup",
        "rank",
        "show",
        "count",
        "schedule",
        "lake",
        "lake compact",
        "lake prune",
        "lake verify",
        "lake stats",
        "health",
        "run",
        "config",
        "completions",
        "man",
    ] {
        let help = world.run(&format!("{command} --help")).stdout;
        let examples = help.strip_prefix("Examples:\n").unwrap_or_else(|| panic!("{command}: {help}"));
        let words = format!("topsell {command}");
        let first = examples.lines().take_while(|line| !line.is_empty());
        assert!(first.clone().any(|line| line.contains(words.trim())), "{command}: {help}");
        assert_eq!(world.run(&format!("{command} -h")).stdout.lines().next(), Some("Examples:"));
    }
}

#[test]
fn slips_are_answered_with_what_was_probably_meant() {
    let world = World::new();
    let said: String = ["shwo", "show --catgory Books", "rank --by unit", "lake prnue", "show --format jsn"]
        .map(|words| world.run(words).whole())
        .concat();
    expect![[r#"
        stderr: error: unrecognized subcommand 'shwo'
        stderr: 
        stderr:   tip: a similar subcommand exists: 'show'
        stderr: 
        stderr: Usage: topsell [OPTIONS] <COMMAND>
        stderr: 
        stderr: For more information, try '--help'.
        exit code 2
        stderr: error: unexpected argument '--catgory' found
        stderr: 
        stderr:   tip: a similar argument exists: '--category'
        stderr: 
        stderr: Usage: topsell show --category <PATH>
        stderr: 
        stderr: For more information, try '--help'.
        exit code 2
        stderr: error: invalid value 'unit' for '--by <BY>'
        stderr:   [possible values: units, purchases, amount]
        stderr: 
        stderr:   tip: a similar value exists: 'units'
        stderr: 
        stderr: For more information, try '--help'.
        exit code 2
        stderr: error: unrecognized subcommand 'prnue'
        stderr: 
        stderr:   tip: a similar subcommand exists: 'prune'
        stderr: 
        stderr: Usage: topsell lake [OPTIONS] <COMMAND>
        stderr: 
        stderr: For more information, try '--help'.
        exit code 2
        stderr: error: invalid value 'jsn' for '--format <FORMAT>'
        stderr:   [possible values: table, json, csv, ndjson, parquet]
        stderr: 
        stderr:   tip: a similar value exists: 'json'
        stderr: 
        stderr: For more information, try '--help'.
        exit code 2
    "#]]
    .assert_eq(&said);
}
