//! A started command: waits for its exit and forwards its output.

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
use std::sync::Arc;
use std::thread;

use nix::errno::Errno;
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;

use crate::process::command::{Command, StartError};
use crate::process::group::{Group, kill, terminate};
use crate::process::identity::process_start_ticks;
use crate::process::output::{Output, OutputReader};

/// Waiting threads need little stack.
const STACK_BYTES: usize = 128 << 10;

/// A child process that has not been reaped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    group: Group,
}

/// What happens to a started command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessEvent {
    /// The process has exited; its output may not be complete yet.
    Exited,
    /// All of its output has been forwarded.
    OutputClosed,
}

/// How a process exited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcessExit {
    pub exit_code: Option<u8>,
    pub signal: Option<i32>,
}

impl Command {
    /// Starts the command in its own process group; `notify` receives each event once.
    ///
    /// # Errors
    /// Returns why it cannot be started; then no process runs and there are no events.
    pub fn start(
        &self,
        output: Output,
        notify: impl Fn(ProcessEvent) + Send + 'static,
    ) -> Result<Running, StartError> {
        let program = || self.program.to_string_lossy().into_owned();
        let unstartable = |source| StartError::Unstartable { program: program(), source };
        let mut child = self.prepared()?.spawn().map_err(unstartable)?;
        let group = Group::of(child.id()).expect("a child process has an id greater than 1");
        let threads = start_threads(&mut child, self.stdin.as_ref(), output, notify);
        let mut running = Running { child, group };
        if let Err(source) = threads {
            running.kill();
            running.reap();
            return Err(StartError::NoThread { program: program(), source });
        }
        Ok(running)
    }
}

impl Running {
    /// Returns the process group, whose id is not reused until the process has been [reaped](Running::reap).
    pub fn group(&self) -> Group {
        self.group
    }

    /// Sends SIGTERM to the process and all members of its group.
    pub fn terminate(&self) {
        // One that has just been started may not have made its group yet. Only one of the two: a second
        // signal is a request to end at once.
        match self.group.exists() {
            true => self.group.terminate(),
            false => terminate(self.child.id()),
        }
    }

    /// Sends SIGKILL to the process and all members of its group.
    pub fn kill(&self) {
        kill(self.child.id());
        self.group.kill();
    }

    /// Returns when the process started, in clock ticks since boot.
    pub fn start_ticks(&self) -> Option<u64> {
        process_start_ticks(self.child.id())
    }

    /// Waits until the process has exited, releases its id and returns how it exited.
    pub fn reap(&mut self) -> ProcessExit {
        // Waiting for a child, once, cannot fail.
        self.child.wait().map(ProcessExit::of).unwrap_or_default()
    }
}

impl ProcessExit {
    fn of(status: ExitStatus) -> ProcessExit {
        let exit_code = status.code().map(|code| u8::try_from(code).unwrap_or(u8::MAX));
        ProcessExit { exit_code, signal: status.signal() }
    }
}

/// Starts the threads that handle the input, output and exit of a process.
fn start_threads(
    child: &mut Child,
    stdin: Option<&String>,
    output: Output,
    notify: impl Fn(ProcessEvent) + Send + 'static,
) -> std::io::Result<()> {
    let started =
        |work: Box<dyn FnOnce() + Send>| thread::Builder::new().stack_size(STACK_BYTES).spawn(work).map(drop);
    let reader = Arc::new(OutputReader::default());
    type Pipe = Box<dyn Read + Send>;
    let stdout = child.stdout.take().map(|pipe| Box::new(pipe) as Pipe);
    let stderr = child.stderr.take().map(|pipe| Box::new(pipe) as Pipe);
    for (pipe, to) in [(stdout, output.stdout), (stderr, output.stderr)] {
        let Some(pipe) = pipe else { continue };
        let (reader, tail) = (reader.clone(), output.tail.clone());
        reader.register();
        started(Box::new(move || reader.read(pipe, to, &tail)))?;
    }
    if let (Some(mut pipe), Some(text)) = (child.stdin.take(), stdin.cloned()) {
        // A command need not read its input.
        started(Box::new(move || drop(pipe.write_all(text.as_bytes()))))?;
    }
    let process = child.id();
    started(Box::new(move || {
        wait_for_exit(process);
        notify(ProcessEvent::Exited);
        reader.wait_until_forwarded();
        notify(ProcessEvent::OutputClosed);
    }))
}

/// Waits until a child has exited without releasing its id, so that no other process is signalled by it.
fn wait_for_exit(process: u32) {
    let Ok(pid) = i32::try_from(process).map(Pid::from_raw) else { return };
    let ended = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
    while waitid(Id::Pid(pid), ended) == Err(Errno::EINTR) {}
}
