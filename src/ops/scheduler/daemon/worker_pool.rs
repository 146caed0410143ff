//! Prespawned worker processes, which start a run when they receive a message on standard input.
//!
//! Invariant: each worker is in its own process group, and exits if the scheduler dies before it sends a
//! message.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::{ChildStdin, Command, Stdio};
use std::time::Duration;

use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};

/// How a worker process is spawned.
#[derive(Clone, Debug)]
pub struct WorkerCommand {
    pub program: OsString,
    pub arguments: Vec<OsString>,
}

/// How long no worker is spawned after one died while waiting.
pub(super) const RESPAWN_DELAY: Duration = Duration::from_secs(1);

/// The waiting worker processes.
pub(super) struct WorkerPool {
    worker_command: WorkerCommand,
    waiting: VecDeque<Worker>,
}

struct Worker {
    process: u32,
    stdin: ChildStdin,
}

impl WorkerPool {
    pub fn of(worker_command: WorkerCommand) -> WorkerPool {
        WorkerPool { worker_command, waiting: VecDeque::new() }
    }

    /// Returns the number of waiting workers.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Spawns a worker.
    pub fn spawn(&mut self) -> io::Result<()> {
        let WorkerCommand { program, arguments } = &self.worker_command;
        let mut command = Command::new(program);
        // Signals to the scheduler's process group, such as by Ctrl-C, must not reach the runs.
        command.args(arguments).stdin(Stdio::piped()).process_group(0);
        let mut child = command.spawn()?;
        let stdin = child.stdin.take().expect("its standard input is a pipe");
        self.waiting.push_back(Worker { process: child.id(), stdin });
        Ok(())
    }

    /// Sends a message to a worker and returns its process id; `None` if no worker receives it.
    pub fn send(&mut self, message: &str) -> Option<u32> {
        // Writing fails if the worker has died.
        while let Some(mut worker) = self.waiting.pop_front() {
            if worker.stdin.write_all(message.as_bytes()).is_ok() {
                return Some(worker.process);
            }
        }
        None
    }

    /// Removes an exited worker; returns whether it was waiting.
    pub fn remove(&mut self, process: u32) -> bool {
        let before = self.waiting.len();
        self.waiting.retain(|worker| worker.process != process);
        self.waiting.len() < before
    }

    /// Dismisses all but a number of waiting workers.
    pub fn shrink(&mut self, to: usize) {
        self.waiting.truncate(to);
    }
}

/// Reaps an exited child process; returns its id and the signal that terminated it, if any.
pub(super) fn reap() -> Option<(u32, Option<i32>)> {
    // All children of a scheduler are workers.
    let (process, signal) = match waitpid(None, Some(WaitPidFlag::WNOHANG)).ok()? {
        WaitStatus::Exited(process, _) => (process, None),
        WaitStatus::Signaled(process, signal, _) => (process, Some(signal as i32)),
        _ => return None,
    };
    Some((process.as_raw().unsigned_abs(), signal))
}
