//! Where output goes that cannot be written: a full disk is an error, a reader that has left is none.

use std::fs::File;
use std::io::Read as _;
use std::process::{Command, Stdio};

use crate::world::World;

const LOG: &str = "ts,item_id,category\n2017-01-14T12:00:00Z,apple,Food\n2017-01-14T13:00:00Z,bread,Food\n";
/// Calls that print an answer, without their own arguments for help.
const ANSWERS: [&str; 21] = [
    "--help",
    "--version",
    "-V",
    "help rank",
    "show --format csv",
    "show --format table",
    "show --format json",
    "show --categories --format ndjson",
    "count apple --format json",
    "health",
    "runs --format csv",
    "runs stats --format json",
    "runs export 20170115T000000Z-rank --format otlp",
    "lake stats --format json",
    "config --format json",
    "completions bash",
    "report -o -",
    "schedule --list --jobs jobs --format csv",
    "ingest --presets",
    "ingest --dry-run next.csv",
    "rollup --all --dry-run",
];
const COMMANDS: [&str; 17] = [
    "ingest",
    "rollup",
    "rank",
    "show",
    "count",
    "top",
    "report",
    "run",
    "schedule",
    "health",
    "lake compact",
    "lake prune",
    "lake verify",
    "runs show",
    "config",
    "completions",
    "man",
];

fn shop() -> World {
    let world = World::new();
    world.write("log.csv", LOG);
    world.write("next.csv", LOG.replace("apple", "plum"));
    world.write("jobs/night.toml", "schedule = \"0 2 * * *\"\nsteps = [\"rank\"]\n");
    assert_eq!(world.run("ingest log.csv").code, Some(0));
    assert_eq!(world.run("rank --min-items 1").code, Some(0));
    world
}

/// Runs a call with its stdout elsewhere, and returns its exit code and what it said on stderr.
fn run_into(world: &World, call: &str, stdout: Stdio) -> (Option<i32>, String) {
    let mut command: Command = world.command(&call.split(' ').collect::<Vec<_>>());
    let child = command.stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped()).spawn();
    let mut child = child.expect("the program under test can be started");
    let mut said = String::new();
    child.stderr.take().expect("stderr is a pipe").read_to_string(&mut said).expect("it is text");
    (child.wait().expect("it ends").code(), said)
}

fn calls() -> impl Iterator<Item = String> {
    let help = COMMANDS.iter().map(|command| format!("{command} --help"));
    ANSWERS.iter().map(|call| (*call).to_owned()).chain(help)
}

#[test]
fn an_answer_that_the_disk_has_no_space_for_is_an_error() {
    let world = shop();
    for call in calls() {
        let full = File::options().write(true).open("/dev/full").expect("Linux has a full device");
        let (code, said) = run_into(&world, &call, full.into());
        assert!(code == Some(1) && said.contains("No space left on device"), "{call}: {code:?} {said}");
    }
}

#[test]
fn a_reader_that_has_left_is_no_error() {
    let world = shop();
    for call in calls() {
        let (reader, writer) = std::io::pipe().expect("a pipe can be made");
        drop(reader);
        let (code, said) = run_into(&world, &call, writer.into());
        assert!(code == Some(0) && !said.contains("error"), "{call}: {code:?} {said}");
    }
}

#[test]
fn more_threads_than_are_of_use_are_capped_with_a_warning() {
    let world = shop();
    let said = world.run("--threads 60000 rollup");
    assert_eq!(said.code, Some(0), "{}", said.whole());
    assert!(said.stderr.starts_with("warning: --threads 60000: "), "{}", said.whole());
    assert!(!world.run("--threads 16 rollup").stderr.contains("--threads"));
    assert_eq!(world.run("--threads 70000 rollup").code, Some(2));
}

#[test]
fn names_from_outside_are_escaped_wherever_they_are_printed() {
    let world = shop();
    let evil = "\u{1b}[2Jx\r\n\u{202e}.csv";
    world.write(evil, LOG);
    world.write(&format!("spool/{evil}"), "nonsense");
    world.write(&format!("spool/{evil}.ndjson"), "nonsense\n");
    std::os::unix::fs::symlink("nowhere", world.path(&format!("spool/l{evil}"))).expect("a link can be made");
    world.write(&format!("jobs/{evil}.toml"), "schedule = \"never\"\n");
    let calls: [&[&str]; 14] = [
        &["ingest", evil],
        &["--verbose", "ingest", evil, "--force"],
        &["--verbose", "ingest", "--min-age", "0s", "--spool", "spool"],
        &["ingest", "missing\u{1b}[2J.csv"],
        &["ingest", "--map", evil, "log.csv"],
        &["ingest", "--dry-run", evil],
        &["--lake", evil, "rank"],
        &["--lake", evil, "health"],
        &["show", "--category", evil],
        &["show", "--item", evil],
        &["run", evil],
        &["schedule", "--check", "--jobs", "jobs"],
        &["rank", "--tz", evil],
        &[evil],
    ];
    for call in calls {
        let said = world.run_with(call, b"");
        let text = format!("{}{}", said.stdout, said.stderr);
        let is_obeyed = |c: char| c.is_control() && !matches!(c, '\n' | '\t') || c == '\u{202e}';
        assert!(!text.contains(is_obeyed), "{call:?}: {text:?}");
    }
}
