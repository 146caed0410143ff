//! The documentation: its console blocks, links, command line reference and words.
//!
//! In a `console` block, a line that begins with `$ ` is a command, and the lines below it are its output.
//! `…` alone on a line stands for any lines, `…` within a line for any text. Each page runs in its own folder
//! with the sample in it, and by the real clock. Commands of `make` are not run. `UPDATE_EXPECT=1` rewrites
//! outputs that differ.

mod cli_reference;
mod links;
mod presets;
mod reference;
mod words;

use std::collections::VecDeque;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use crate::world::{World, sample};

/// Pages run at the same time.
const WORKERS: usize = 2;

/// A command of a page, and the lines below it.
#[derive(Debug, PartialEq, Eq)]
struct Example {
    /// Line of the command, from 1.
    line: usize,
    command: String,
    expected: Vec<String>,
}

impl Example {
    /// Returns the index of the first line below the command.
    fn output_line(&self) -> usize {
        self.line - 1 + self.command.lines().count()
    }
}

/// An example whose output differs, and a description.
struct Difference {
    example: Example,
    printed: Vec<String>,
    text: String,
}

/// Returns the folder of the repository.
fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the pages of the book and the Markdown files beside it, by their paths from the repository.
fn pages() -> Vec<PathBuf> {
    let mut pages: Vec<PathBuf> =
        ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"].map(PathBuf::from).into();
    let mut folders = vec![repository().join("docs/src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the book can be listed") {
            let path = entry.expect("the book can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path.strip_prefix(repository()).expect("it was found there").to_path_buf());
            }
        }
    }
    pages.sort_unstable();
    pages
}

pub fn text_of(page: &Path) -> String {
    std::fs::read_to_string(repository().join(page)).unwrap_or_else(|e| panic!("{}: {e}", page.display()))
}

/// Returns the commands of all console blocks, in order.
fn examples(page: &str) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    let mut is_inside = false;
    for (line, number) in page.lines().zip(1..) {
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

/// Returns whether lines are as expected, `…` standing for anything.
fn fits(expected: &[String], lines: &[String]) -> bool {
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

/// Runs a command as a person would who has `topsell` installed, and returns all lines that it printed.
fn printed(world: &World, command: &str) -> Vec<String> {
    let program = Path::new(env!("CARGO_BIN_EXE_topsell"));
    let folder = program.parent().expect("a program is in a folder").display();
    let (mut reader, writer) = std::io::pipe().expect("a pipe can be made");
    let mut shell = Command::new("sh");
    shell
        .args(["-c", command])
        .env_clear()
        .env("HOME", world.path("."))
        .env("PATH", format!("{folder}:/usr/local/bin:/usr/bin:/bin"))
        .current_dir(world.path("."))
        .stdin(Stdio::null())
        .stdout(writer.try_clone().expect("a pipe has two ends"))
        .stderr(writer);
    let mut child = shell.spawn().expect("there is a shell");
    // The shell's own copies of the pipe's writing end must not keep it open here.
    drop(shell);
    let mut output = Vec::new();
    reader.read_to_end(&mut output).expect("a pipe can be read");
    child.wait().expect("the shell ends");
    String::from_utf8_lossy(&output).lines().map(str::to_owned).collect()
}

/// Returns what is wrong with a `make` command, if its target does not exist.
fn missing_target(command: &str, makefile: &str) -> Option<String> {
    let mut targets =
        command.split_whitespace().skip(1).filter(|word| !word.contains('=') && !word.starts_with('-'));
    let exists = |target: &str| makefile.lines().any(|line| line.starts_with(&format!("{target}:")));
    targets.find(|target| !exists(target)).map(|target| format!("the Makefile has no `{target}`"))
}

/// Runs all examples of a page and returns those that printed something else.
fn differences(page: &str, makefile: &str) -> Vec<Difference> {
    let world = World::new();
    // The lake that the examples make must not end up in the project's own folder.
    std::fs::create_dir(world.path("data")).expect("a folder can be made");
    std::os::unix::fs::symlink(sample(), world.path("data/complete-journey")).expect("a link can be made");
    let mut found = Vec::new();
    for example in examples(page) {
        let Example { line, command, expected } = &example;
        if command.starts_with("make") {
            if let Some(what) = missing_target(command, makefile) {
                found.push(Difference {
                    text: format!("{line}: {what}"),
                    printed: expected.clone(),
                    example,
                });
            }
            continue;
        }
        let printed = printed(&world, command);
        if !fits(expected, &printed) {
            let [expected, lines] = [expected, &printed].map(|lines| lines.join("\n"));
            let text = format!("{line}: $ {command}\n--- expected\n{expected}\n--- printed\n{lines}");
            found.push(Difference { example, printed, text });
        }
    }
    found
}

/// Returns a page with the outputs that were printed in place of those that differ.
fn updated(page: &str, differences: &[Difference]) -> String {
    let mut lines: Vec<&str> = page.lines().collect();
    for Difference { example, printed, .. } in differences.iter().rev() {
        let begin = example.output_line();
        let end = begin + example.expected.len();
        lines.splice(begin..end, printed.iter().map(String::as_str));
    }
    lines.join("\n") + "\n"
}

#[test]
fn every_page_shows_what_happens() {
    let makefile = text_of(Path::new("Makefile"));
    let queue = Mutex::new(pages());
    let found = Mutex::new(Vec::new());
    let next = || queue.lock().expect("no worker panics with the lock").pop();
    let work = || {
        while let Some(page) = next() {
            let text = text_of(&page);
            let differences = differences(&text, &makefile);
            if !differences.is_empty() && std::env::var_os("UPDATE_EXPECT").is_some() {
                let path = repository().join(&page);
                std::fs::write(path, updated(&text, &differences)).expect("a page can be written");
            }
            let mut found = found.lock().expect("no worker panics with the lock");
            found.extend(differences.into_iter().map(|one| format!("{}:{}", page.display(), one.text)));
        }
    };
    std::thread::scope(|scope| (0..WORKERS).for_each(|_| drop(scope.spawn(work))));
    let mut found = found.into_inner().expect("no worker panics with the lock");
    found.sort_unstable();
    assert!(found.is_empty(), "pages show something else:\n\n{}", found.join("\n\n"));
}

#[test]
fn the_readme_is_short_and_has_examples() {
    let readme = text_of(Path::new("README.md"));
    assert!(!examples(&readme).is_empty(), "README.md has no ```console block with a `$ ` line");
    assert!(readme.len() < 8_000, "README.md has {} bytes", readme.len());
}

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

#[test]
fn a_page_that_shows_something_else_is_found() {
    let found = |page: &str| differences(page, MAKEFILE).into_iter().map(|one| one.text).collect::<Vec<_>>();
    assert_eq!(found(PAGE), [""; 0]);
    let changes = [
        ("make demo", "make movie", "3: the Makefile has no `movie`"),
        ("three\n```", "four\n```", "5: "),
        ("topsell …", "topsell 9…", "15: "),
        ("0 rejected", "1 rejected", "17: "),
        ("events\n…\n", "events\n", "20: "),
    ];
    for (from, to, expected) in changes {
        let found = found(&PAGE.replace(from, to));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(expected), "{found:?}");
    }
}

#[test]
fn outputs_that_differ_can_be_rewritten() {
    let wrong = PAGE.replace("one\ntwo\nthree\n", "one\n");
    assert_eq!(updated(&wrong, &differences(&wrong, MAKEFILE)), PAGE);
}

#[test]
fn an_ellipsis_stands_for_anything() {
    let check = |expected: &str, lines: &[&str], does: bool| {
        let expected: Vec<String> = expected.lines().map(str::to_owned).collect();
        let lines: Vec<String> = lines.iter().map(|&line| line.to_owned()).collect();
        assert_eq!(fits(&expected, &lines), does, "{expected:?} {lines:?}");
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
