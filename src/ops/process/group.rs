//! Process groups: their members, and how they are terminated.

use std::fs;

use nix::errno::Errno;
use nix::sys::signal;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// A process group; its id is the process id of its leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group(Pid);

impl Group {
    /// Returns the group with an id, if the id is valid.
    pub fn of(leader: u32) -> Option<Group> {
        // A signal to group 1 would reach every process.
        let pid = i32::try_from(leader).ok().filter(|&number| number > 1)?;
        Some(Group(Pid::from_raw(pid)))
    }

    /// Returns its id.
    pub fn id(self) -> u32 {
        self.0.as_raw().unsigned_abs()
    }

    /// Sends SIGTERM to all members.
    pub fn terminate(self) {
        // All may have exited. A stopped process receives the signal when it continues.
        let _ = killpg(self.0, Signal::SIGTERM);
        let _ = killpg(self.0, Signal::SIGCONT);
    }

    /// Sends SIGKILL to all members.
    pub fn kill(self) {
        let _ = killpg(self.0, Signal::SIGKILL);
    }

    /// Returns whether there is such a group; its members may have exited.
    pub(super) fn exists(self) -> bool {
        killpg(self.0, None) != Err(Errno::ESRCH)
    }

    /// Returns whether all members have exited, as far as the system reports it.
    pub fn has_exited(self) -> bool {
        let id = self.id();
        !stats().any(|(_, stat)| group_of(&stat) == Some(id))
    }
}

/// Sends SIGTERM to a child that has not been reaped, whose id is still its own.
pub fn terminate(process: u32) {
    send(process, Signal::SIGTERM);
}

/// Sends SIGKILL to a child that has not been reaped, whose id is still its own.
pub fn kill(process: u32) {
    send(process, Signal::SIGKILL);
}

fn send(process: u32, signal: Signal) {
    if let Some(Group(pid)) = Group::of(process) {
        let _ = signal::kill(pid, signal);
    }
}

/// Returns the processes that were started with an environment variable, except members of a group; only
/// those whose environment this process may read.
pub fn processes_with(variable: &str, value: &str, except: Option<Group>) -> Vec<u32> {
    let has_it = |process: &u32| has_environment(*process, variable, value);
    let is_other = |stat: &str| group_of(stat).is_some_and(|group| except.map(Group::id) != Some(group));
    let others = stats().filter(|(_, stat)| is_other(stat)).map(|(process, _)| process);
    others.filter(has_it).collect()
}

/// Returns whether a process was started with an environment variable, as far as this process may know.
pub(super) fn has_environment(process: u32, variable: &str, value: &str) -> bool {
    let wanted = format!("{variable}={value}");
    let environment = fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
    environment.split(|&byte| byte == 0).any(|pair| pair == wanted.as_bytes())
}

/// Returns all processes with the content of their `proc_pid_stat(5)` files.
fn stats() -> impl Iterator<Item = (u32, String)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    numbers.filter_map(|number| Some((number, fs::read_to_string(format!("/proc/{number}/stat")).ok()?)))
}

/// Returns the group of a process that has not exited.
fn group_of(stat: &str) -> Option<u32> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X" | "x") { None } else { fields.nth(1)?.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_is_parsed_after_any_program_name() {
        assert_eq!(group_of("7 (a ) b) S 1 42 9 0"), Some(42));
        assert_eq!(group_of("7 (a) Z 1 42 9 0"), None);
        assert_eq!(group_of("7 (a) S"), None);
        assert_eq!(group_of(""), None);
    }

    #[test]
    fn no_id_addresses_all_processes() {
        assert_eq!(Group::of(0), None);
        assert_eq!(Group::of(1), None);
        assert_eq!(Group::of(u32::MAX), None);
        assert_eq!(Group::of(7).map(Group::id), Some(7));
    }
}
