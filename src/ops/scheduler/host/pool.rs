//! Processes that run jobs: some wait at the gate before anything is due, so that a word is enough.
//!
//! Invariant: each is in a process group of its own, and goes away by itself where the one that started it
//! dies before it has said the word.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::{ChildStdin, Command, Stdio};

use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};

/// How a process is started that waits for the word.
#[derive(Clone, Debug)]
pub struct Starter {
    pub program: OsString,
    pub arguments: Vec<OsString>,
}

/// Processes that wait.
pub(super) struct Pool {
    starter: Starter,
    waiting: VecDeque<Waiting>,
}

struct Waiting {
    process: u32,
    stdin: ChildStdin,
}

impl Pool {
    pub fn of(starter: Starter) -> Pool {
        Pool { starter, waiting: VecDeque::new() }
    }

    /// Returns how many wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Starts one more.
    pub fn add(&mut self) -> io::Result<()> {
        let Starter { program, arguments } = &self.starter;
        let mut command = Command::new(program);
        // What is meant for the scheduler's group, such as ^C, is not meant for the runs.
        command.args(arguments).stdin(Stdio::piped()).process_group(0);
        let mut child = command.spawn()?;
        let stdin = child.stdin.take().expect("its standard input is a pipe");
        self.waiting.push_back(Waiting { process: child.id(), stdin });
        Ok(())
    }

    /// Says the word to one of those that wait, and returns its process; none where nobody hears it.
    pub fn say(&mut self, word: &str) -> Option<u32> {
        // One that died meanwhile has left a pipe that nobody reads.
        while let Some(mut one) = self.waiting.pop_front() {
            if one.stdin.write_all(word.as_bytes()).is_ok() {
                return Some(one.process);
            }
        }
        None
    }

    /// Strikes one off that has ended; tells whether it waited.
    pub fn strike(&mut self, process: u32) -> bool {
        let before = self.waiting.len();
        self.waiting.retain(|one| one.process != process);
        self.waiting.len() < before
    }

    /// Sends away all but so many of those that wait.
    pub fn shrink(&mut self, to: usize) {
        self.waiting.truncate(to);
    }
}

/// Returns a child that has ended, and the signal that ended it, if one did; none where there is no such child.
pub(super) fn reap() -> Option<(u32, Option<i32>)> {
    // All children of a scheduler are runs.
    let (process, signal) = match waitpid(None, Some(WaitPidFlag::WNOHANG)).ok()? {
        WaitStatus::Exited(process, _) => (process, None),
        WaitStatus::Signaled(process, signal, _) => (process, Some(signal as i32)),
        _ => return None,
    };
    Some((process.as_raw().unsigned_abs(), signal))
}
