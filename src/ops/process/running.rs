//! A command that has been started: its end awaited, its output passed on.

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
use std::sync::Arc;
use std::thread;

use nix::errno::Errno;
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;

use crate::process::command::{Command, StartError};
use crate::process::group::Group;
use crate::process::identity::process_start_ticks;
use crate::process::output::{Hearing, Output};

/// Threads that wait need little.
const STACK_BYTES: usize = 128 << 10;

/// A command at work, or ended and not asked how.
#[derive(Debug)]
pub struct Running {
    child: Child,
    group: Group,
}

/// What a command that was started comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The process has ended; what it printed may still be on its way.
    Exited,
    /// All that it printed has been passed on.
    Silent,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct How {
    pub exit_code: Option<u8>,
    pub signal: Option<i32>,
}

impl Command {
    /// Starts it in a process group of its own, and tells how it gets on: each kind of progress once.
    ///
    /// # Errors
    /// Says why it cannot be started; then nothing is told, and nothing runs.
    pub fn start(
        &self,
        output: Output,
        tell: impl Fn(Progress) + Send + 'static,
    ) -> Result<Running, StartError> {
        let program = || self.program.to_string_lossy().into_owned();
        let unstartable = |source| StartError::Unstartable { program: program(), source };
        let mut child = self.prepared()?.spawn().map_err(unstartable)?;
        let group = Group::of(child.id()).expect("a child has a number of its own");
        let threads = attend(&mut child, self.stdin.as_ref(), output, tell);
        let mut running = Running { child, group };
        if let Err(source) = threads {
            group.kill();
            running.reap();
            return Err(StartError::NoThread { program: program(), source });
        }
        Ok(running)
    }
}

impl Running {
    /// Returns the process group, which nobody else's is until the process has been [reaped](Running::reap).
    pub fn group(&self) -> Group {
        self.group
    }

    /// Returns when the process began, in ticks since the machine was started.
    pub fn start_ticks(&self) -> Option<u64> {
        process_start_ticks(self.child.id())
    }

    /// Waits until the process has ended, lets its number go and tells how it ended.
    pub fn reap(&mut self) -> How {
        // Waiting for one's own child, once, cannot fail.
        self.child.wait().map(How::of).unwrap_or_default()
    }
}

impl How {
    fn of(status: ExitStatus) -> How {
        let exit_code = status.code().map(|code| u8::try_from(code).unwrap_or(u8::MAX));
        How { exit_code, signal: status.signal() }
    }
}

/// Starts the threads that see to a process: its input, its output, its end.
fn attend(
    child: &mut Child,
    stdin: Option<&String>,
    output: Output,
    tell: impl Fn(Progress) + Send + 'static,
) -> std::io::Result<()> {
    let started =
        |work: Box<dyn FnOnce() + Send>| thread::Builder::new().stack_size(STACK_BYTES).spawn(work).map(drop);
    let hearing = Arc::new(Hearing::default());
    type Pipe = Box<dyn Read + Send>;
    let stdout = child.stdout.take().map(|pipe| Box::new(pipe) as Pipe);
    let stderr = child.stderr.take().map(|pipe| Box::new(pipe) as Pipe);
    for (pipe, to) in [(stdout, output.stdout), (stderr, output.stderr)] {
        let Some(pipe) = pipe else { continue };
        let (hearing, tail) = (hearing.clone(), output.tail.clone());
        hearing.expect();
        started(Box::new(move || hearing.read(pipe, to, &tail)))?;
    }
    if let (Some(mut pipe), Some(text)) = (child.stdin.take(), stdin.cloned()) {
        // A command need not read what it is given.
        started(Box::new(move || drop(pipe.write_all(text.as_bytes()))))?;
    }
    let process = child.id();
    started(Box::new(move || {
        wait_for_end(process);
        tell(Progress::Exited);
        hearing.wait_for_silence();
        tell(Progress::Silent);
    }))
}

/// Waits until a child has ended, and leaves it its number: so nobody else is signalled by it.
fn wait_for_end(process: u32) {
    let Ok(pid) = i32::try_from(process).map(Pid::from_raw) else { return };
    let ended = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
    while waitid(Id::Pid(pid), ended) == Err(Errno::EINTR) {}
}
