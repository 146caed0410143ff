//! Process groups: who is in one, and how all of them are ended.

use std::fs;

use nix::sys::signal;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// A process group that a command leads, or led: its number is the leader's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group(Pid);

impl Group {
    /// Returns the group of that number; none where there can be no such group.
    pub fn of(leader: u32) -> Option<Group> {
        // 1 would be everyone.
        let pid = i32::try_from(leader).ok().filter(|&number| number > 1)?;
        Some(Group(Pid::from_raw(pid)))
    }

    /// Returns its number.
    pub fn number(self) -> u32 {
        self.0.as_raw().unsigned_abs()
    }

    /// Asks all of them to end.
    pub fn terminate(self) {
        // Nobody may be left to hear of it. One that was stopped hears of it when it goes on.
        let _ = killpg(self.0, Signal::SIGTERM);
        let _ = killpg(self.0, Signal::SIGCONT);
    }

    /// Ends all of them.
    pub fn kill(self) {
        let _ = killpg(self.0, Signal::SIGKILL);
    }

    /// Tells whether all of them have ended, as far as the system tells.
    pub fn is_over(self) -> bool {
        let number = self.number();
        !stats().any(|(_, stat)| group_of(&stat) == Some(number))
    }
}

/// Asks a process to end; it may have ended already.
pub fn terminate(process: u32) {
    send(process, Signal::SIGTERM);
}

/// Ends a process; it may have ended already.
pub fn kill(process: u32) {
    send(process, Signal::SIGKILL);
}

fn send(process: u32, signal: Signal) {
    if let Some(Group(pid)) = Group::of(process) {
        let _ = signal::kill(pid, signal);
    }
}

/// Returns the processes that found a variable in the environment they were started in, as far as the
/// system lets us look, but for those of a group.
pub fn processes_with(variable: &str, value: &str, but_for: Option<Group>) -> Vec<u32> {
    let wanted = format!("{variable}={value}");
    let has_it = |process: &u32| {
        let environment = fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
        environment.split(|&byte| byte == 0).any(|pair| pair == wanted.as_bytes())
    };
    let is_other = |stat: &str| group_of(stat).is_some_and(|group| but_for.map(Group::number) != Some(group));
    let others = stats().filter(|(_, stat)| is_other(stat)).map(|(process, _)| process);
    others.filter(has_it).collect()
}

/// Returns the processes there are, and what `proc_pid_stat(5)` tells of each.
fn stats() -> impl Iterator<Item = (u32, String)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    numbers.filter_map(|number| Some((number, fs::read_to_string(format!("/proc/{number}/stat")).ok()?)))
}

/// Returns the group of a process that has not ended.
fn group_of(stat: &str) -> Option<u32> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X" | "x") { None } else { fields.nth(1)?.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_is_found_behind_any_name() {
        assert_eq!(group_of("7 (a ) b) S 1 42 9 0"), Some(42));
        assert_eq!(group_of("7 (a) Z 1 42 9 0"), None);
        assert_eq!(group_of("7 (a) S"), None);
        assert_eq!(group_of(""), None);
    }

    #[test]
    fn no_number_names_everyone() {
        assert_eq!(Group::of(0), None);
        assert_eq!(Group::of(1), None);
        assert_eq!(Group::of(u32::MAX), None);
        assert_eq!(Group::of(7).map(Group::number), Some(7));
    }
}
