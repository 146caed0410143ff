//! Inputs as shops have them: each folder of `tests/intake` holds small files, and `conversation.txt` with
//! commands and all that they print.
//!
//! ```text
//! $ topsell ingest orders.tsv --map ts=purchase-date
//! stderr: ingest: 3 read = …
//! exit code 0
//! $ sold
//! item,units,purchases,amount
//! …
//! ```
//!
//! `$ sold` ranks a whole year and prints what sold, `$ new lake` removes the lake, `$ rejects` lists the kept
//! rejects. `$ cat a >> b` appends to a file, `$ cat a > b` truncates it and writes it, `$ mv a b` and
//! `$ cp a b` are as in a shell. `UPDATE_EXPECT=1` writes what is printed into the files.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::world::World;

const CONVERSATION: &str = "conversation.txt";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/intake")
}

/// Copies a case's inputs, and what lies in folders below it, into a world.
fn copy(world: &World, from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("a case can be listed") {
        let path = entry.expect("a case can be listed").path();
        let to = to.join(path.file_name().expect("a file has a name"));
        if path.is_dir() {
            copy(world, &path, &to);
        } else if !path.ends_with(CONVERSATION) {
            world.write(&to.display().to_string(), std::fs::read(&path).expect("an input can be read"));
        }
    }
}

/// Returns the words of a command; a word in single quotes may contain spaces.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = command.trim_start();
    while !rest.is_empty() {
        let mut word = String::new();
        let mut is_quoted = false;
        let mut end = rest.len();
        for (at, c) in rest.char_indices() {
            match c {
                '\'' => is_quoted = !is_quoted,
                c if c.is_whitespace() && !is_quoted => {
                    end = at;
                    break;
                }
                c => word.push(c),
            }
        }
        assert!(!is_quoted, "a quote is open in: {command}");
        words.push(word);
        rest = rest[end..].trim_start();
    }
    words
}

/// Changes a file as a shell does: what is written into a file stays in the same file.
fn change_file(world: &World, words: &[&str]) {
    let open = |to: &str| {
        let path = world.path(to);
        std::fs::create_dir_all(path.parent().expect("it is in a folder")).expect("a folder can be made");
        std::fs::File::options().create(true).append(true).open(path).expect("a file can be opened")
    };
    let read = |from: &str| std::fs::read(world.path(from)).expect("a file can be read");
    match *words {
        ["cat", from, redirection @ (">" | ">>"), to] => {
            let (bytes, mut file) = (read(from), open(to));
            if redirection == ">" {
                file.set_len(0).expect("a file can be truncated");
            }
            file.write_all(&bytes).expect("a file can be written");
        }
        ["cp", from, to] => world.write(to, read(from)),
        ["mv", from, to] => {
            std::fs::rename(world.path(from), world.path(to)).expect("a file can be moved");
        }
        _ => {
            panic!("a command is `topsell …`, `sold`, `rejects`, `new lake`, `cat`, `cp` or `mv`: {words:?}")
        }
    }
}

/// Returns the kept rejects, a line each.
fn rejects(world: &World) -> String {
    let rejects = world.records("rejects");
    let line = |reject: &serde_json::Value| {
        format!("{}:{} {} {}\n", reject["file"], reject["line"], reject["reason"], reject["text"])
    };
    rejects.iter().map(line).collect()
}

fn answer(world: &World, command: &str) -> String {
    match command {
        "sold" => world.sold(),
        "rejects" => rejects(world),
        "new lake" => {
            std::fs::remove_dir_all(world.path("data/lake")).expect("there is a lake to remove");
            String::new()
        }
        _ => {
            let Some(arguments) = command.strip_prefix("topsell ") else {
                change_file(world, &command.split_whitespace().collect::<Vec<_>>());
                return String::new();
            };
            let words = words(arguments);
            world.run_with(&words.iter().map(String::as_str).collect::<Vec<_>>(), b"").whole()
        }
    }
}

/// Runs the commands of a case, and returns the conversation.
fn conversation(case: &Path, expected: &str) -> String {
    let world = World::new();
    copy(&world, case, Path::new(""));
    let commands = expected.lines().filter_map(|line| line.strip_prefix("$ "));
    commands.map(|command| format!("$ {command}\n{}", answer(&world, command))).collect()
}

#[test]
fn inputs_as_shops_have_them_go_in_right_or_say_what_is_wrong() {
    let cases = std::fs::read_dir(folder()).expect("there are cases");
    let mut cases: Vec<PathBuf> = cases.map(|entry| entry.expect("cases can be listed").path()).collect();
    cases.sort_unstable();
    assert!(!cases.is_empty());
    let mut differing = Vec::new();
    for case in &cases {
        let file = case.join(CONVERSATION);
        let expected = std::fs::read_to_string(&file).expect("a case has a conversation");
        let got = conversation(case, &expected);
        assert!(got.contains("$ topsell "), "{} runs nothing", case.display());
        if got == expected {
            continue;
        }
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&file, &got).expect("a conversation can be written");
        }
        differing.push(format!("{}:\n{got}", case.display()));
    }
    assert!(differing.is_empty(), "{} of {} differ:\n{}", differing.len(), cases.len(), differing.join("\n"));
}

#[test]
fn words_in_quotes_may_contain_spaces() {
    assert_eq!(words("a  --where 'b = c' d''"), ["a", "--where", "b = c", "d"]);
}
