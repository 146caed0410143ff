//! The staircase of rooms in `src/lib.rs`, kept: who may use whom, and what lives where.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Outside crates that live in few rooms, and those rooms.
const LODGERS: &[(&str, &[&str])] = &[
    ("parquet", &["parquet_format"]),
    ("arrow", &["parquet_format", "delta"]),
    ("delta_kernel", &["delta"]),
    ("delta_kernel_default_engine", &["delta"]),
    ("object_store", &["storage", "delta"]),
    ("tokio", &["storage", "delta"]),
    ("futures", &["storage", "delta"]),
    ("tempfile", &["storage", "delta"]),
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
    ("clap_mangen", &["cli"]),
    ("indicatif", &["cli"]),
    ("anyhow", &["cli"]),
];

/// What only the door may do.
const DOOR_ONLY: &[&str] =
    &["println!", "eprintln!", "print!", "eprint!", "dbg!", "SystemTime::now", "Instant::now"];
const DOOR: &str = "cli";
const MAX_CODE_LINES: usize = 400;

/// A file of `src`, its path from there, and its text.
struct Page {
    path: String,
    text: String,
}

impl Page {
    /// Returns the room that the file belongs to; `lib.rs` and `main.rs` belong to none.
    fn room(&self) -> Option<&str> {
        self.path.split_once('/').map(|(room, _)| room)
    }

    /// Returns the lines without comments, numbered from 1.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().zip(1..).map(|(line, number)| {
            let is_comment = line.trim_start().starts_with("//");
            (number, if is_comment { "" } else { line.split(" // ").next().unwrap_or(line) })
        })
    }
}

/// Returns the rooms and the floor each is on, as a library's root lists them.
fn floors(root: &str) -> BTreeMap<String, usize> {
    let mut floors = BTreeMap::new();
    let mut floor = 0;
    for line in root.lines().map(str::trim) {
        match line.strip_prefix("pub mod ").and_then(|rest| rest.strip_suffix(';')) {
            Some(room) => {
                floors.insert(room.to_owned(), floor);
            }
            None if line.is_empty() => floor += 1,
            None => {}
        }
    }
    floors
}

/// Returns where each path that begins with `start` goes on, such as the rooms after `crate::`.
fn after<'a>(line: &'a str, start: &str) -> Vec<&'a str> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let stands_alone = |at: usize| !line[..at].ends_with(|c| is_name(c) || c == ':');
    let found = line.match_indices(start).filter(|(at, _)| stands_alone(*at));
    found
        .map(|(at, _)| {
            let rest = &line[at + start.len()..];
            &rest[..rest.find(|c| !is_name(c)).unwrap_or(rest.len())]
        })
        .collect()
}

/// Says which files use rooms that are not below them.
fn climbers(pages: &[Page], floors: &BTreeMap<String, usize>) -> Vec<String> {
    let mut said = Vec::new();
    for page in pages {
        let Some(room) = page.room() else { continue };
        let Some(floor) = floors.get(room) else {
            said.push(format!("{}: the room {room} is not listed in lib.rs", page.path));
            continue;
        };
        for (number, line) in page.code() {
            for used in after(line, "crate::") {
                let is_below = floors.get(used).is_some_and(|of_used| of_used < floor);
                if used != room && !is_below {
                    said.push(format!("{}:{number}: {room} may not use `crate::{used}`", page.path));
                }
            }
            let leaves = line.contains("super::super::") || line.trim_start().starts_with("use topsell");
            if leaves {
                said.push(format!("{}:{number}: say `crate::` and the room", page.path));
            }
        }
    }
    said
}

/// Says which files use outside crates that live elsewhere.
fn strangers(pages: &[Page]) -> Vec<String> {
    let mut said = Vec::new();
    for page in pages {
        for (number, line) in page.code() {
            for (name, rooms) in LODGERS {
                let is_used = !after(line, &format!("{name}::")).is_empty()
                    || line.trim_start().starts_with(&format!("use {name};"));
                if is_used && !page.room().is_some_and(|room| rooms.contains(&room)) {
                    said.push(format!("{}:{number}: {name} lives in {}", page.path, rooms.join(" and ")));
                }
            }
        }
    }
    said
}

/// Says which files print, ask the time, are too long or trust themselves too much.
fn manners(pages: &[Page]) -> Vec<String> {
    let mut said = Vec::new();
    for page in pages {
        for (number, line) in page.code() {
            let is_said = |words: &str| {
                line.match_indices(words)
                    .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
            };
            for words in DOOR_ONLY.iter().filter(|words| is_said(words)) {
                if page.room() != Some(DOOR) {
                    said.push(format!("{}:{number}: `{words}` is for {DOOR} alone", page.path));
                }
            }
            if line.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|word| word == "unsafe") {
                said.push(format!("{}:{number}: `unsafe` is for nobody", page.path));
            }
        }
        let code = page.text.lines().take_while(|line| line.trim() != "#[cfg(test)]").count();
        if code > MAX_CODE_LINES {
            said.push(format!("{}: {code} lines of code; at most {MAX_CODE_LINES}", page.path));
        }
    }
    said
}

/// Returns every file of the program's own source.
fn pages() -> Vec<Page> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut open: Vec<PathBuf> = vec![top.clone()];
    let mut pages = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).expect("the source can be listed") {
            let path = entry.expect("the source can be listed").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let below = path.strip_prefix(&top).expect("it was found below").display().to_string();
                let text = std::fs::read_to_string(&path).expect("the source can be read");
                pages.push(Page { path: below, text });
            }
        }
    }
    pages.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    pages
}

/// Returns the list of rooms, as the library's root has it.
fn listed() -> BTreeMap<String, usize> {
    let root = pages().into_iter().find(|page| page.path == "lib.rs").expect("a library has a root");
    floors(&root.text)
}

#[test]
fn every_room_is_listed_and_every_listed_room_is_there() {
    let mut rooms: Vec<String> = pages().iter().filter_map(|page| page.room().map(str::to_owned)).collect();
    rooms.dedup();
    let mut listed: Vec<String> = listed().into_keys().collect();
    listed.sort_unstable();
    assert!(listed.len() > 10, "lib.rs lists the rooms: {listed:?}");
    assert_eq!(rooms, listed);
    let loose: Vec<String> =
        pages().into_iter().filter(|page| page.room().is_none()).map(|p| p.path).collect();
    assert_eq!(loose, ["lib.rs", "main.rs"], "whatever is no room lies in one");
}

#[test]
fn rooms_use_rooms_of_earlier_floors_only() {
    assert_eq!(climbers(&pages(), &listed()), [""; 0]);
}

#[test]
fn outside_crates_live_in_few_rooms() {
    assert_eq!(strangers(&pages()), [""; 0]);
    let all: String = pages().into_iter().map(|page| page.text).collect();
    let gone = LODGERS.iter().filter(|(name, _)| !all.contains(name)).collect::<Vec<_>>();
    assert!(gone.is_empty(), "nobody uses these any more: {gone:?}");
}

#[test]
fn only_the_door_prints_and_asks_the_time_and_no_file_is_too_long() {
    assert_eq!(manners(&pages()), [""; 0]);
}

#[test]
fn each_rule_of_the_house_can_be_broken() {
    let floors = floors("pub mod low;\npub mod twin;\n\npub mod high;\n\n/// The door.\npub mod cli;\n");
    assert_eq!(floors.values().collect::<Vec<_>>(), [&2, &1, &0, &0]);
    let check = |path: &str, text: &str, expected: &[&str]| {
        let page = [Page { path: path.to_owned(), text: text.to_owned() }];
        let said = [climbers(&page, &floors), strangers(&page), manners(&page)].concat();
        assert_eq!(said, expected, "{path}: {text}");
    };
    check("high/mod.rs", "use crate::low::Thing;\nuse crate::high::part;\n// crate::cli is above\n", &[]);
    check("low/mod.rs", "use crate::high::Thing;", &["low/mod.rs:1: low may not use `crate::high`"]);
    check("low/a.rs", "\nfn f(x: crate::cli::X)", &["low/a.rs:2: low may not use `crate::cli`"]);
    check("low/a.rs", "use crate::twin::Thing;", &["low/a.rs:1: low may not use `crate::twin`"]);
    check("low/a.rs", "use crate::{twin, high};", &["low/a.rs:1: low may not use `crate::`"]);
    check("low/a.rs", "use super::super::high;", &["low/a.rs:1: say `crate::` and the room"]);
    check("attic/mod.rs", "", &["attic/mod.rs: the room attic is not listed in lib.rs"]);
    check("low/a.rs", "use parquet::file::X;", &["low/a.rs:1: parquet lives in columns"]);
    check("low/a.rs", "-> arrow::array::X {", &["low/a.rs:1: arrow lives in columns and table"]);
    check("low/a.rs", "use tempfile;", &["low/a.rs:1: tempfile lives in store and table"]);
    check("low/a.rs", "use crate::low::tempfile::X;\nmy_arrow::x();", &[]);
    check("low/a.rs", "    println!(\"x\");", &["low/a.rs:1: `println!` is for cli alone"]);
    check("high/a.rs", "let t = Instant::now();", &["high/a.rs:1: `Instant::now` is for cli alone"]);
    check("cli/a.rs", "let t = Instant::now(); println!();", &[]);
    check("cli/a.rs", "unsafe { x() }", &["cli/a.rs:1: `unsafe` is for nobody"]);
    check("cli/a.rs", "#![forbid(unsafe_code)] // unsafe", &[]);
    check("cli/a.rs", &"x\n".repeat(401), &["cli/a.rs: 401 lines of code; at most 400"]);
    check("cli/a.rs", &format!("x\n#[cfg(test)]\n{}", "x\n".repeat(401)), &[]);
}
