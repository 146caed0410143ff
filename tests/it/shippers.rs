//! Log shippers, each as it calls the program.

mod fluent_bit;
mod fluentd;
mod http;
mod rsyslog;
pub mod spool;
mod stream;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

use nix::sys::signal::Signal;

use crate::processes;
use crate::processes::wait_until;
use crate::world::World;

/// A child of a shipper, as the shipper holds it: by its pipes.
struct Held {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Option<BufReader<ChildStdout>>,
}

impl Held {
    /// Starts `topsell` with arguments split at spaces.
    fn start(world: &World, arguments: &str) -> Held {
        let arguments: Vec<&str> = arguments.split_whitespace().collect();
        Held::of(world.command(&arguments))
    }

    /// Starts a command.
    fn of(mut command: Command) -> Held {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program under test can be started");
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        Held { child, stdin, stdout: stdout.map(BufReader::new) }
    }

    fn write(&mut self, text: &str) {
        let stdin = self.stdin.as_mut().expect("it is still open");
        stdin.write_all(text.as_bytes()).expect("the child reads");
    }

    /// Reads one line that the child writes on stdout; empty where it will write no more.
    fn answer(&mut self) -> String {
        let mut line = String::new();
        let stdout = self.stdout.as_mut().expect("it is still open");
        stdout.read_line(&mut line).expect("the child writes text");
        line.trim_end().to_owned()
    }

    /// Sends a line and returns the answer.
    fn ask(&mut self, line: &str) -> String {
        self.write(&format!("{line}\n"));
        self.answer()
    }

    fn signal(&self, signal: Signal) {
        processes::signal(self.child.id(), signal);
    }

    fn close(&mut self) {
        self.stdin = None;
    }

    /// Waits for the end, and returns all that was left to be said, and the exit code.
    fn end(mut self) -> (String, ExitStatus) {
        let mut said = String::new();
        let mut stderr = self.child.stderr.take().expect("it is a pipe");
        stderr.read_to_string(&mut said).expect("the child writes text");
        let status = self.child.wait().expect("the child ends");
        (said, status)
    }
}

/// Returns how many commits the default lake has seen after the one that made it.
fn commits(world: &World) -> usize {
    let files = world.files("data/lake/events/_delta_log");
    files.iter().filter(|name| name.ends_with(".json")).count().saturating_sub(1)
}

/// Waits until the default lake has seen so many commits.
fn wait_for_commits(world: &World, wanted: usize) {
    wait_until(&format!("{wanted} commits are on disk"), || commits(world) >= wanted);
}

/// Returns an event of an item as a line of JSON, without its end.
pub fn purchase(item: &str) -> String {
    format!(r#"{{"ts":"2017-01-14T10:00:00Z","item_id":"{item}"}}"#)
}

/// Returns each item that sold and its units, and checks every run's accounts on the way.
fn sold(world: &World) -> String {
    let runs = world.records("runs");
    // Of those that were killed, nobody wrote what they had counted.
    for run in runs.iter().filter(|run| run["command"] == "ingest" && !run["ended"].is_null()) {
        let count = |name: &str| run["counts"][name].as_u64().expect("every count is told");
        let sum = count("accepted") + count("duplicate") + count("rejected");
        assert_eq!(count("read"), sum, "{run}");
    }
    let units = |line: &str| line.split(',').take(2).collect::<Vec<_>>().join("=");
    world.sold().lines().skip(1).filter(|line| line.contains(',')).map(units).collect::<Vec<_>>().join(" ")
}
