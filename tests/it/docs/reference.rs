//! What pages say about options and settings, compared with the program.

use std::collections::BTreeSet;
use std::path::Path;

use crate::docs::cli_reference::all_help;
use crate::docs::{pages, text_of};
use crate::world::World;

/// Programs whose options are mentioned, too, and what was renamed.
const OTHERS: [&str; 8] =
    ["cargo", "docker", "make", "pip", "rsync", "spark-submit", "topsell_spark_main.py", "useradd"];
const HISTORY: &str = "CHANGELOG.md";

/// Returns the long options in a text.
fn options(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_lowercase() || c == '-';
    let words = text.split(|c: char| !is_part(c)).filter(|word| word.starts_with("--") && word.len() > 2);
    words.map(|word| word.trim_end_matches('-').to_owned()).filter(|word| word.len() > 2).collect()
}

/// Returns the inline code of a page, outside of code blocks.
fn inline_code(page: &str) -> Vec<&str> {
    let mut is_code = false;
    let mut found = Vec::new();
    for line in page.lines() {
        let is_fence = line.starts_with("```");
        is_code ^= is_fence;
        if !is_code && !is_fence {
            found.extend(line.split('`').skip(1).step_by(2));
        }
    }
    found
}

#[test]
fn every_option_that_a_page_names_exists() {
    let help: String = all_help(&World::new(), "").into_iter().map(|(_, help)| help).collect();
    let known = options(&help);
    let mut wrong = Vec::new();
    for page in pages().into_iter().filter(|page| !page.ends_with(HISTORY)) {
        for code in inline_code(&text_of(&page)) {
            let is_ours = !OTHERS.iter().any(|program| code.contains(&format!("{program} ")));
            let unknown = options(code).into_iter().filter(|option| is_ours && !known.contains(option));
            wrong.extend(unknown.map(|option| format!("{}: {option} in `{code}`", page.display())));
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn the_settings_page_lists_every_setting() {
    let answer = World::new().run("config --format json").stdout;
    let answer: serde_json::Value = serde_json::from_str(&answer).expect("the settings are JSON");
    let settings = answer["settings"].as_array().expect("settings are a list");
    let names = settings.iter().map(|setting| setting["key"].as_str().expect("a setting has a key"));
    let known: BTreeSet<String> = names.map(str::to_owned).collect();
    let page = text_of(Path::new("docs/src/reference/settings.md"));
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let first_cells = rows.filter_map(|row| row.split('|').nth(1));
    let listed = first_cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_owned).collect();
    assert_eq!(known, listed);
}

#[test]
fn options_and_code_are_found() {
    assert_eq!(options("`--a-b X`, --c; a--d -- e"), ["--a-b", "--c"].map(str::to_owned).into());
    assert_eq!(inline_code("a `b` c\n```\n`d`\n```\n`e`"), ["b", "e"]);
}
