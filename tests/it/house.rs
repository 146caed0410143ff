//! The staircase of rooms in `src/lib.rs`, kept: who may use whom, and what lives where.

mod circles;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Every outside crate and the rooms that may use it; a crate's name alone is the whole crate.
const LODGERS: &[(&str, &[&str])] = &[
    ("anyhow", &["cli"]),
    ("arrow", &["core/delta", "core/parquet_format"]),
    ("async_trait", &["core/delta", "core/storage"]),
    ("aws_lc_rs", &["lists", "serve/tls"]),
    ("base64", &["lists", "output/report", "serve/http"]),
    (
        "blake3",
        &[
            "core/ingest",
            "core/input_format",
            "core/lake",
            "core/parquet_format",
            "core/rankings",
            "core/storage",
            "ops/job_spec",
            "ops/run_history",
            "ops/scheduler",
            "output/report",
            "publish",
        ],
    ),
    ("axum", &["serve/http"]),
    (
        "bytes",
        &[
            "cli",
            "core/delta",
            "core/distributed",
            "core/lake",
            "core/maintenance",
            "core/parquet_format",
            "core/rankings",
            "core/rollup",
            "core/storage",
            "lists",
            "ops/run_history",
            "publish",
            "serve/http",
        ],
    ),
    ("bzip2", &["core/input_format"]),
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
    ("clap_mangen", &["cli"]),
    ("croner", &["ops/cron"]),
    ("csv", &["output/formats"]),
    ("csv_core", &["core/input_format"]),
    ("delta_kernel", &["core/delta"]),
    ("delta_kernel_default_engine", &["core/delta"]),
    ("encoding_rs", &["core/input_format"]),
    ("flate2", &["core/input_format", "core/model", "output/report"]),
    ("futures", &["core/delta", "core/storage", "lists/tests"]),
    (
        "hashbrown",
        &[
            "core/ingest",
            "core/item_catalog",
            "core/lake",
            "core/model",
            "core/parquet_format",
            "core/rank",
            "core/rankings",
            "core/rollup",
            "core/trends",
            "output/report",
            "output/show",
        ],
    ),
    ("http_body_util", &["serve/http"]),
    ("hyper", &["serve/http"]),
    ("hyper_util", &["serve/http"]),
    ("indicatif", &["cli"]),
    ("jiff", &["core/counts", "core/model", "ops/cron"]),
    ("libm", &["datagen"]),
    ("lzma_rust2", &["core/input_format"]),
    ("memchr", &["core/delta", "core/ingest", "core/input_format", "lists"]),
    ("nix", &["core/storage", "ops/job_spec", "ops/process", "ops/scheduler"]),
    ("object_store", &["core/delta", "core/storage", "lists/tests"]),
    ("parquet", &["core/parquet_format"]),
    ("percent_encoding", &["core/storage"]),
    ("rawzip", &["core/input_format"]),
    (
        "rayon",
        &[
            "cli",
            "core/lake",
            "core/maintenance",
            "core/parquet_format",
            "core/pipeline",
            "core/rank",
            "core/rankings",
            "core/rollup",
            "core/trends",
            "datagen",
            "ops/run_history",
        ],
    ),
    ("redis", &["publish"]),
    ("reqwest", &["lists", "publish"]),
    ("rustix", &["core/storage", "ops/process", "serve/log"]),
    ("rustls", &["serve/tls"]),
    (
        "serde",
        &[
            "core/delta",
            "core/distributed",
            "core/ingest",
            "core/input_format",
            "core/lake",
            "core/parquet_format",
            "core/rank",
            "core/rankings",
            "core/rollup",
            "core/storage",
            "lists",
            "ops/job_spec",
            "ops/run_history",
            "ops/scheduler",
            "output/formats",
            "output/report",
            "publish",
            "serve/config",
            "serve/http",
            "serve/live",
        ],
    ),
    (
        "serde_json",
        &[
            "core/delta",
            "core/distributed",
            "core/ingest",
            "core/input_format",
            "core/lake",
            "core/parquet_format",
            "core/rankings",
            "core/rollup",
            "core/storage",
            "lists",
            "ops/job_spec",
            "ops/run_history",
            "ops/scheduler",
            "output/formats",
            "output/report",
            "output/runs",
            "publish",
            "serve/config",
            "serve/edge",
            "serve/http",
        ],
    ),
    ("sha2", &["lists", "serve/http"]),
    ("shlex", &["ops/job_spec", "output/answers", "output/runs"]),
    ("signal_hook", &["cli"]),
    ("siphasher", &["core/rollup"]),
    ("strsim", &["cli", "ops/cron", "ops/job_spec", "output/show"]),
    ("tempfile", &["core/storage", "serve/live", "serve/log"]),
    ("twox_hash", &["core/storage", "serve/log"]),
    ("terminal_size", &["cli"]),
    (
        "thiserror",
        &[
            "core/delta",
            "core/distributed",
            "core/ingest",
            "core/input_format",
            "core/item_catalog",
            "core/lake",
            "core/maintenance",
            "core/model",
            "core/parquet_format",
            "core/pipeline",
            "core/rank",
            "core/rankings",
            "core/rollup",
            "cluster",
            "core/storage",
            "datagen",
            "lists",
            "ops/cron",
            "ops/job_spec",
            "ops/process",
            "ops/run_history",
            "ops/scheduler",
            "output/answers",
            "output/formats",
            "output/show",
            "publish",
            "serve",
            "serve/config",
            "serve/http",
            "serve/live",
            "serve/log",
            "serve/tls",
        ],
    ),
    ("tokio", &["core/storage", "lists", "publish", "serve/http"]),
    ("tokio_rustls", &["serve/http"]),
    ("toml", &["cli", "core/input_format", "core/lake", "ops/job_spec"]),
    ("unicode_segmentation", &["output/text"]),
    ("unicode_width", &["output/text"]),
    ("url", &["core/delta", "core/storage", "lists", "serve/http"]),
    ("uuid", &["core/parquet_format", "core/storage", "ops/run_history"]),
    ("zstd", &["core/input_format", "core/parquet_format"]),
];

/// Outside crates that tests and benches alone use.
const FOR_TESTS: &[&str] = &["async_trait", "divan", "expect_test", "num_bigint", "proptest"];

/// What only the command line may do.
const CLI_ONLY: &[&str] =
    &["println!", "eprintln!", "print!", "eprint!", "dbg!", "SystemTime::now", "Instant::now"];
const CLI: &str = "cli";
/// What opens files, and the rooms that may: the storage, the reader of `/proc`, the log of the server, and tests of the
/// files of lists.
const FILE_SYSTEM: &[&str] = &["std::fs", "File::open(", "OpenOptions::new("];
const FILE_ROOMS: &[&str] = &["core/storage", "lists/tests", "ops/process", "serve/log"];
const MAX_CODE_LINES: usize = 400;

/// A file of `src`, its path from there, and its text.
struct Page {
    path: String,
    text: String,
}

impl Page {
    /// Returns the crate that the file belongs to; `main.rs` belongs to none.
    fn member(&self) -> Option<&str> {
        self.path.split_once('/').map(|(member, _)| member)
    }

    /// Returns the room that the file belongs to; a crate's `lib.rs` belongs to none.
    fn room(&self) -> Option<&str> {
        let (_, below) = self.path.split_once('/')?;
        below.split_once('/').map(|(room, _)| room)
    }

    /// Tells whether the file lies in one of some places, each a crate or one of its rooms.
    fn is_in(&self, places: &[&str]) -> bool {
        let lies_in = |place: &str| self.path.strip_prefix(place).is_some_and(|rest| rest.starts_with('/'));
        places.iter().copied().any(lies_in)
    }

    /// Returns the lines without comments, numbered from 1.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().zip(1..).map(|(line, number)| {
            let is_comment = line.trim_start().starts_with("//");
            (number, if is_comment { "" } else { line.split(" // ").next().unwrap_or(line) })
        })
    }
}

/// Returns the rooms and the floor each is on, as a crate's root lists them.
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

/// Says which files of a crate use rooms of it that are not below them.
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
            if line.contains("super::super::") {
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
                if is_used && !page.is_in(rooms) {
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
            for words in CLI_ONLY.iter().filter(|words| is_said(words)) {
                if page.member() != Some(CLI) {
                    said.push(format!("{}:{number}: `{words}` is for {CLI} alone", page.path));
                }
            }
            if line.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|word| word == "unsafe") {
                said.push(format!("{}:{number}: `unsafe` is for nobody", page.path));
            }
        }
        let code = page.text.lines().take_while(|line| line.trim() != "#[cfg(test)]").count();
        for (number, line) in page.code().take(code).filter(|_| !page.is_in(FILE_ROOMS)) {
            let stands_alone = |at: usize| !line[..at].ends_with(char::is_alphanumeric);
            let used = |words: &&&str| line.match_indices(**words).any(|(at, _)| stands_alone(at));
            if let Some(words) = FILE_SYSTEM.iter().find(used) {
                said.push(format!("{}:{number}: `{words}` is for {}", page.path, FILE_ROOMS.join(" and ")));
            }
        }
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

/// Returns the files of each crate that has rooms, and its rooms as its root lists them.
fn crates() -> Vec<(Vec<Page>, BTreeMap<String, usize>)> {
    let mut members: BTreeMap<String, Vec<Page>> = BTreeMap::new();
    for page in pages() {
        if let Some(member) = page.member().map(str::to_owned) {
            members.entry(member).or_default().push(page);
        }
    }
    let with_rooms = members.into_values().map(|pages| {
        let root = pages.iter().find(|page| page.path.ends_with("/lib.rs")).expect("a crate has a root");
        let floors = floors(&root.text);
        (pages, floors)
    });
    with_rooms.filter(|(_, floors)| !floors.is_empty()).collect()
}

#[test]
fn every_room_is_listed_and_every_listed_room_is_there() {
    let crates = crates();
    assert!(crates.len() >= 3, "core, ops and output have rooms");
    for (pages, floors) in crates {
        let mut rooms: Vec<String> = pages.iter().filter_map(|page| page.room().map(str::to_owned)).collect();
        rooms.dedup();
        let mut listed: Vec<String> = floors.into_keys().collect();
        listed.sort_unstable();
        assert_eq!(rooms, listed);
    }
    let loose: Vec<String> =
        pages().into_iter().filter(|page| page.member().is_none()).map(|p| p.path).collect();
    assert_eq!(loose, ["main.rs"], "whatever is in no crate lies in one");
}

#[test]
fn rooms_use_rooms_of_earlier_floors_only() {
    for (pages, floors) in crates() {
        assert_eq!(climbers(&pages, &floors), [""; 0]);
    }
}

#[test]
fn no_files_take_names_from_each_other_in_a_circle() {
    let mut members: BTreeMap<String, Vec<Page>> = BTreeMap::new();
    for page in pages() {
        if let Some(member) = page.member().map(str::to_owned) {
            members.entry(member).or_default().push(page);
        }
    }
    let mut found = Vec::new();
    for (member, pages) in &members {
        let below = |page: &'_ Page| page.path[member.len() + 1..].to_owned();
        let files: Vec<(String, &str)> = pages.iter().map(|page| (below(page), page.text.as_str())).collect();
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), *text)).collect();
        found.extend(
            circles::circles(&files).into_iter().map(|circle| format!("{member}: {}", circle.join(", "))),
        );
    }
    assert_eq!(found, [""; 0]);
}

#[test]
fn outside_crates_live_in_few_rooms() {
    assert_eq!(strangers(&pages()), [""; 0]);
    let all: String = pages().into_iter().map(|page| page.text).collect();
    let gone = LODGERS.iter().filter(|(name, _)| !all.contains(name)).collect::<Vec<_>>();
    assert!(gone.is_empty(), "nobody uses these any more: {gone:?}");
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let manifest = std::fs::read_to_string(manifest).expect("a workspace has a manifest");
    let (_, shared) = manifest.split_once("[workspace.dependencies]\n").expect("the crates share packages");
    let shared = shared.lines().take_while(|line| !line.starts_with('['));
    let named = shared.filter_map(|line| line.split_once(" = ")).map(|(name, _)| name.replace('-', "_"));
    let is_listed = |name: &String| {
        LODGERS.iter().any(|(listed, _)| listed == name) || FOR_TESTS.contains(&name.as_str())
    };
    let unlisted: Vec<String> =
        named.filter(|name| !name.starts_with("topsell_") && !is_listed(name)).collect();
    assert_eq!(unlisted, [""; 0], "each outside crate is listed with the rooms that may use it");
}

#[test]
fn only_the_command_line_prints_and_asks_the_time_and_no_file_is_too_long() {
    assert_eq!(manners(&pages()), [""; 0]);
}

/// Clippy refuses floating-point arithmetic there, whose result would depend on the order.
#[test]
fn rooms_that_add_scores_add_no_floats() {
    for room in ["rank", "rankings", "trends", "rollup"] {
        let path = format!("{}/src/core/{room}/mod.rs", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).expect("the room is there");
        assert!(text.contains("deny(clippy::float_arithmetic)"), "{path}");
    }
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
    check("x/high/mod.rs", "use crate::low::Thing;\nuse crate::high::part;\n// crate::cli is above\n", &[]);
    check("x/low/mod.rs", "use crate::high::Thing;", &["x/low/mod.rs:1: low may not use `crate::high`"]);
    check("x/low/a.rs", "\nfn f(x: crate::cli::X)", &["x/low/a.rs:2: low may not use `crate::cli`"]);
    check("x/low/a.rs", "use crate::twin::Thing;", &["x/low/a.rs:1: low may not use `crate::twin`"]);
    check("x/low/a.rs", "use crate::{twin, high};", &["x/low/a.rs:1: low may not use `crate::`"]);
    check("x/low/a.rs", "use super::super::high;", &["x/low/a.rs:1: say `crate::` and the room"]);
    check("x/attic/mod.rs", "", &["x/attic/mod.rs: the room attic is not listed in lib.rs"]);
    check("x/low/a.rs", "use parquet::file::X;", &["x/low/a.rs:1: parquet lives in core/parquet_format"]);
    check(
        "x/low/a.rs",
        "-> arrow::array::X {",
        &["x/low/a.rs:1: arrow lives in core/delta and core/parquet_format"],
    );
    check(
        "x/low/a.rs",
        "use tempfile;",
        &["x/low/a.rs:1: tempfile lives in core/storage and serve/live and serve/log"],
    );
    check("x/low/a.rs", "use crate::low::tempfile::X;\nmy_arrow::x();", &[]);
    check("x/low/a.rs", "    println!(\"x\");", &["x/low/a.rs:1: `println!` is for cli alone"]);
    check("x/high/a.rs", "let t = Instant::now();", &["x/high/a.rs:1: `Instant::now` is for cli alone"]);
    check("cli/a.rs", "let t = Instant::now(); println!();", &[]);
    check(
        "cli/a.rs",
        "use std::fs;",
        &["cli/a.rs:1: `std::fs` is for core/storage and lists/tests and ops/process and serve/log"],
    );
    check("cli/a.rs", "x();\n#[cfg(test)]\nuse std::fs;", &[]);
    check("cli/a.rs", "RankingFile::open(bytes)", &[]);
    check("cli/a.rs", "unsafe { x() }", &["cli/a.rs:1: `unsafe` is for nobody"]);
    check("cli/a.rs", "#![forbid(unsafe_code)] // unsafe", &[]);
    check("cli/a.rs", &"x\n".repeat(401), &["cli/a.rs: 401 lines of code; at most 400"]);
    check("cli/a.rs", &format!("x\n#[cfg(test)]\n{}", "x\n".repeat(401)), &[]);
}
