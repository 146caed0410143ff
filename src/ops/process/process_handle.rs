//! Signals to processes that are not children of this one.
//!
//! Invariant: a process is looked at and signalled by the same handle, so that a signal never reaches another
//! process that has got its id meanwhile. Where the system has no such handles, it is looked at right before.

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

use crate::process::group::{Group, has_environment, processes_with};
use crate::process::identity::{Identity, Liveness};

/// A process, whatever becomes of its id.
struct ProcessHandle {
    pid: Pid,
    #[cfg(target_os = "linux")]
    descriptor: Option<std::os::fd::OwnedFd>,
}

impl ProcessHandle {
    /// Opens the process that has an id now; none where there is no such process.
    #[cfg(target_os = "linux")]
    fn open(process: u32) -> Option<ProcessHandle> {
        use rustix::io::Errno;
        use rustix::process::{PidfdFlags, pidfd_open};

        let pid = i32::try_from(process).ok().filter(|&number| number > 1)?;
        let descriptor = match pidfd_open(rustix::process::Pid::from_raw(pid)?, PidfdFlags::empty()) {
            Ok(descriptor) => Some(descriptor),
            Err(Errno::SRCH) => return None,
            // Linux before 5.3, or a sandbox.
            Err(_) => None,
        };
        Some(ProcessHandle { pid: Pid::from_raw(pid), descriptor })
    }

    #[cfg(not(target_os = "linux"))]
    fn open(process: u32) -> Option<ProcessHandle> {
        let pid = i32::try_from(process).ok().filter(|&number| number > 1)?;
        Some(ProcessHandle { pid: Pid::from_raw(pid) })
    }

    /// Sends a signal; the process may have exited.
    fn send(&self, signal: Signal) {
        #[cfg(target_os = "linux")]
        if let Some(descriptor) = &self.descriptor {
            let of_rustix = rustix::process::Signal::from_named_raw(signal as i32);
            if let Some(signal) = of_rustix {
                let _ = rustix::process::pidfd_send_signal(descriptor, signal);
            }
            return;
        }
        let _ = signal::kill(self.pid, signal);
    }
}

impl Identity {
    /// Sends SIGTERM to the process, if it is still this one.
    pub fn terminate(&self) {
        self.send(Signal::SIGTERM);
    }

    /// Sends SIGKILL to the process, if it is still this one.
    pub fn kill(&self) {
        self.send(Signal::SIGKILL);
    }

    fn send(&self, signal: Signal) {
        let Some(handle) = ProcessHandle::open(self.process) else { return };
        if self.liveness() == Liveness::Alive {
            handle.send(signal);
        }
    }
}

/// Sends SIGTERM to the processes that were started with an environment variable, except members of a group.
pub fn terminate_with(variable: &str, value: &str, except: Option<Group>) {
    send_with(variable, value, except, Signal::SIGTERM);
}

/// Sends SIGKILL to the processes that were started with an environment variable, except members of a group.
pub fn kill_with(variable: &str, value: &str, except: Option<Group>) {
    send_with(variable, value, except, Signal::SIGKILL);
}

fn send_with(variable: &str, value: &str, except: Option<Group>, signal: Signal) {
    for process in processes_with(variable, value, except) {
        let Some(handle) = ProcessHandle::open(process) else { continue };
        if has_environment(process, variable, value) {
            handle.send(signal);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    use super::*;

    #[test]
    fn a_signal_reaches_the_process_that_is_meant_and_no_other() {
        let mut child = Command::new("sleep").arg("300").spawn().expect("sleep can be started");
        let identity = Identity::of(child.id());
        let before =
            Identity { start_ticks: identity.start_ticks.map(|ticks| ticks - 1), ..identity.clone() };
        let elsewhere = Identity { machine: "another".to_owned(), ..identity.clone() };
        for other in [before, elsewhere] {
            other.kill();
            assert_eq!(identity.liveness(), Liveness::Alive, "its id was another's");
        }
        identity.terminate();
        let status = child.wait().expect("a child can be waited for");
        assert_eq!(status.signal(), Some(Signal::SIGTERM as i32));
        // Nobody has the id now.
        identity.kill();
    }

    #[test]
    fn processes_are_found_and_signalled_by_their_environment() {
        let value = format!("of-test-{}", std::process::id());
        let mut command = Command::new("sleep");
        command.arg("300").env("OWN_MARK", &value);
        let mut child = command.spawn().expect("sleep can be started");
        while !has_environment(child.id(), "OWN_MARK", &value) {
            std::thread::yield_now();
        }
        kill_with("OWN_MARK", "of-nobody", None);
        kill_with("OWN_MARK", &value, None);
        let status = child.wait().expect("a child can be waited for");
        assert_eq!(status.signal(), Some(Signal::SIGKILL as i32));
    }
}
