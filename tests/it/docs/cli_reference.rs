//! The reference of the command line, rendered from the help of every command.
//!
//! `UPDATE_EXPECT=1` rewrites the page.

use std::fmt::Write as _;
use std::path::Path;

use crate::docs::{repository, text_of};
use crate::world::World;

const PAGE: &str = "docs/src/reference/cli.md";
const HEAD: &str = "\
# Command line

The help of every command, as `topsell COMMAND --help` prints it.
This page is generated; `UPDATE_EXPECT=1 cargo test --test it -- docs::` rewrites it.
Options that can be set once for all runs are listed in [Settings](settings.md), exit codes in
[Exit codes](exit-codes.md).
";

/// Returns the commands that a help text lists between its usage and its options, other than `help` itself.
fn commands(help: &str) -> Vec<&str> {
    let listed = help.lines().skip_while(|line| !line.starts_with("Usage:"));
    let listed = listed.take_while(|line| !line.ends_with("ptions:") && *line != "Arguments:");
    // What is indented further continues a line.
    let entries = listed.filter_map(|line| line.strip_prefix("  ")).filter(|entry| !entry.starts_with(' '));
    let names = entries.filter_map(|entry| entry.split_whitespace().next());
    names.filter(|name| *name != "help").collect()
}

/// Returns the help of a command and of all commands below it, in order, with the words that name them.
pub fn all_help(world: &World, command: &str) -> Vec<(String, String)> {
    let shown = world.run(format!("{command} --help").trim());
    assert_eq!(shown.code, Some(0), "{command}: {}", shown.whole());
    let help = shown.stdout;
    let below: Vec<String> =
        commands(&help).into_iter().map(|name| format!("{command} {name}").trim().to_owned()).collect();
    let mut all = vec![(command.to_owned(), help)];
    all.extend(below.iter().flat_map(|command| all_help(world, command)));
    all
}

#[test]
fn the_command_line_reference_is_what_help_says() {
    let mut page = HEAD.to_owned();
    for (command, help) in all_help(&World::new(), "") {
        let title = format!("topsell {command}");
        write!(page, "\n## {}\n\n```text\n{}\n```\n", title.trim(), help.trim_end())
            .expect("a text can grow");
    }
    let is_current = repository().join(PAGE).exists() && text_of(Path::new(PAGE)) == page;
    if !is_current && std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(repository().join(PAGE), &page).expect("the page can be written");
    }
    assert!(is_current, "{PAGE} differs from the help; run this test with UPDATE_EXPECT=1");
}

#[test]
fn commands_are_found_in_help() {
    let help = "Usage: x\n\nRun:\n  one   first\n        more\n\nConfigure:\n  help  Print\n  two\n\nOptions:\n  -h\n";
    assert_eq!(commands(help), ["one", "two"]);
}
