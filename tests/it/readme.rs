//! The README's console blocks, run from top to bottom in one world.
//!
//! A line that begins with `$ ` is a command, and what follows it is what it prints. `…` alone on
//! a line stands for any lines, `…` within a line for any text. Commands of `make` are not run.

use std::collections::VecDeque;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::world::{NOW, World, sample};

/// A command of the README, and the lines under it.
#[derive(Debug, PartialEq, Eq)]
struct Example {
    line: usize,
    command: String,
    expected: Vec<String>,
}

/// Returns the commands of all console blocks, in order.
fn examples(readme: &str) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    let mut is_inside = false;
    for (line, number) in readme.lines().zip(1..) {
        let continued = |last: &Example| last.command.ends_with('\\') && last.expected.is_empty();
        if line.starts_with("```") {
            is_inside = !is_inside && line == "```console";
        } else if !is_inside {
            continue;
        } else if let Some(command) = line.strip_prefix("$ ") {
            examples.push(Example { line: number, command: command.to_owned(), expected: Vec::new() });
        } else if let Some(last) = examples.last_mut() {
            match continued(last) {
                true => last.command.push_str(&format!("\n{line}")),
                false => last.expected.push(line.to_owned()),
            }
        }
    }
    examples
}

/// Tells whether lines are as expected, `…` standing for anything.
fn fits(expected: &[String], lines: &[&str]) -> bool {
    match (expected.split_first(), lines.split_first()) {
        (None, None) => true,
        (Some((first, rest)), _) if first.trim() == "…" => {
            (0..=lines.len()).any(|skipped| fits(rest, &lines[skipped..]))
        }
        (Some((first, rest)), Some((line, lines))) => line_fits(first, line) && fits(rest, lines),
        _ => false,
    }
}

fn line_fits(expected: &str, line: &str) -> bool {
    let mut pieces: VecDeque<&str> = expected.split('…').collect();
    let Some(mut rest) = pieces.pop_front().and_then(|first| line.strip_prefix(first)) else { return false };
    let Some(last) = pieces.pop_back() else { return rest.is_empty() };
    for piece in pieces {
        let Some((_, after)) = rest.split_once(piece) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

/// Runs a command as a person would who has `topsell` installed, and returns all that it printed.
fn printed(world: &World, command: &str) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_topsell"));
    let folder = program.parent().expect("a program lies in a folder").display();
    let (mut reader, writer) = std::io::pipe().expect("a pipe can be made");
    let mut shell = Command::new("sh");
    shell
        .args(["-c", command])
        .env_clear()
        .env("HOME", world.path("."))
        .env("PATH", format!("{folder}:/usr/local/bin:/usr/bin:/bin"))
        .env("TOPSELL_NOW", NOW)
        .current_dir(world.path("."))
        .stdin(Stdio::null())
        .stdout(writer.try_clone().expect("a pipe has two ends"))
        .stderr(writer);
    let mut child = shell.spawn().expect("there is a shell");
    // The shell's own copies of the pipe's writing end must not keep it open here.
    drop(shell);
    let mut said = Vec::new();
    reader.read_to_end(&mut said).expect("a pipe can be read");
    child.wait().expect("the shell ends");
    String::from_utf8_lossy(&said).into_owned()
}

/// Returns what is wrong with a `make` command, if its target is none.
fn missing_target(command: &str, makefile: &str) -> Option<String> {
    let targets =
        command.split_whitespace().skip(1).filter(|word| !word.contains('=') && !word.starts_with('-'));
    let is_there = |target: &&str| makefile.lines().any(|line| line.starts_with(&format!("{target}:")));
    targets.filter(|target| !is_there(target)).map(|target| format!("the Makefile has no `{target}`")).next()
}

/// Runs all examples and says which printed something else.
fn differences(readme: &str, makefile: &str) -> Vec<String> {
    let world = World::new();
    // The lake that the examples make must not end up in the project's own folder.
    std::fs::create_dir(world.path("data")).expect("a folder can be made");
    std::os::unix::fs::symlink(sample(), world.path("data/complete-journey")).expect("a link can be made");
    let mut said = Vec::new();
    for Example { line, command, expected } in examples(readme) {
        if command.starts_with("make") {
            said.extend(missing_target(&command, makefile).map(|what| format!("line {line}: {what}")));
            continue;
        }
        let printed = printed(&world, &command);
        // An empty line before the block's end is nobody's output.
        if !fits(&expected, &printed.lines().collect::<Vec<_>>()) {
            let expected = expected.join("\n");
            said.push(format!("line {line}: $ {command}\n--- expected\n{expected}\n--- printed\n{printed}"));
        }
    }
    said
}

#[test]
fn the_readme_shows_what_happens() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(top.join("README.md")).expect("there is a README.md");
    let makefile = std::fs::read_to_string(top.join("Makefile")).expect("there is a Makefile");
    assert!(!examples(&readme).is_empty(), "README.md has no ```console block with a `$ ` line");
    let differences = differences(&readme, &makefile);
    assert!(differences.is_empty(), "README.md shows otherwise:\n\n{}", differences.join("\n"));
}

#[test]
fn a_page_that_shows_otherwise_is_found_out() {
    const PAGE: &str = "\
# A page
```console
$ make demo THREADS=1
anything, since it is not run
$ echo one; echo two >&2; \\
  echo three
one
two
three
```
```sh
$ echo not a console block
```
```console
$ topsell --version
topsell …
$ topsell ingest data/complete-journey/purchases-2017-01-01.csv.gz
…
ingest: … read = … accepted + 0 duplicate + 0 rejected, … new batch
$ ls data/lake
events
…
```
";
    const MAKEFILE: &str = "demo: build\n\techo demo\n";
    assert_eq!(differences(PAGE, MAKEFILE), [""; 0]);
    let changes = [
        ("make demo", "make movie", "line 3: the Makefile has no `movie`"),
        ("three\n```", "four\n```", "line 5: "),
        ("topsell …", "topsell 9…", "line 15: "),
        ("0 rejected", "1 rejected", "line 17: "),
        ("events\n…\n", "events\n", "line 20: "),
    ];
    for (from, to, expected) in changes {
        let said = differences(&PAGE.replace(from, to), MAKEFILE);
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].starts_with(expected), "{said:?}");
    }
}

#[test]
fn an_ellipsis_stands_for_anything() {
    let check = |expected: &str, lines: &[&str], does: bool| {
        let expected: Vec<String> = expected.lines().map(str::to_owned).collect();
        assert_eq!(fits(&expected, lines), does, "{expected:?} {lines:?}");
    };
    check("a\n…\nz", &["a", "z"], true);
    check("a\n…\nz", &["a", "b", "z", "z"], true);
    check("a\n…\nz", &["a", "b"], false);
    check("…", &[], true);
    check("", &["a"], false);
    check("a … c … e", &["a b c d e"], true);
    check("a … c", &["a c"], false);
    check("ab…ba", &["aba"], false);
}
