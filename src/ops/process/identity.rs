//! Identifies processes across restarts, and checks whether they are alive.
//!
//! A process id alone is not unique, since it is reused. The start time in clock ticks since boot tells two
//! processes with the same id apart; the boot id and the PID namespace tell whether both can be compared
//! at all.

use std::fs;

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::{Pid, gethostname};

/// Where the kernel reports the boot id and the PID namespace of this process.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
const NAMESPACE: &str = "/proc/self/ns/pid";

/// A unique identity of a process; strings are empty if the system does not report them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The host name.
    pub machine: String,
    /// The boot id, `4c5ad3cc-…`.
    pub boot: String,
    /// The PID namespace, `pid:[4026531836]`.
    pub namespace: String,
    /// The process id.
    pub process: u32,
    /// Its start time in clock ticks since boot.
    pub start_ticks: Option<u64>,
}

/// Whether a process is alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    Alive,
    Dead,
    /// It is on another host or in another container, or the system reports too little.
    Unknown,
}

impl Identity {
    /// Returns the identity of this process.
    pub fn own() -> Identity {
        Identity::of(std::process::id())
    }

    /// Returns the identity of a process of this host.
    pub fn of(process: u32) -> Identity {
        let boot = fs::read_to_string(BOOT_ID).unwrap_or_default().trim().to_owned();
        let namespace = fs::read_link(NAMESPACE).map(|to| to.to_string_lossy().into_owned());
        Identity {
            machine: machine_name(),
            boot,
            namespace: namespace.unwrap_or_default(),
            process,
            start_ticks: process_start_ticks(process),
        }
    }

    /// Returns whether the process is alive, as far as this host can tell.
    pub fn liveness(&self) -> Liveness {
        let here = Identity::of(self.process);
        if self.machine != here.machine || self.boot.is_empty() || here.boot.is_empty() {
            return Liveness::Unknown;
        }
        if self.boot != here.boot {
            // The host has been rebooted since.
            return Liveness::Dead;
        }
        if self.namespace != here.namespace || self.start_ticks.is_none() {
            return Liveness::Unknown;
        }
        match here.start_ticks {
            ticks @ Some(_) if ticks == self.start_ticks => Liveness::Alive,
            Some(_) => Liveness::Dead,
            // Processes of other accounts may be hidden, but their existence can be tested.
            None if is_hidden(self.process) => Liveness::Unknown,
            None => Liveness::Dead,
        }
    }
}

/// Returns the host name.
pub fn machine_name() -> String {
    gethostname().unwrap_or_default().to_string_lossy().into_owned()
}

/// Returns the start time of a process in clock ticks since boot; `None` if there is no such process, it is
/// a zombie, or the system does not report it.
pub fn process_start_ticks(process: u32) -> Option<u64> {
    ticks_of(&fs::read_to_string(format!("/proc/{process}/stat")).ok()?)
}

/// Returns field 22 of `proc_pid_stat(5)` for a process that has not exited.
fn ticks_of(stat: &str) -> Option<u64> {
    // Field 2 is the program's name in parentheses, which may contain spaces and parentheses.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X" | "x") { None } else { fields.nth(18)?.parse().ok() }
}

/// Returns whether there is a process with that id whose start time is hidden.
fn is_hidden(process: u32) -> bool {
    let Some(pid) = i32::try_from(process).ok().filter(|&number| number > 0) else { return false };
    // A zombie is visible.
    let is_seen = fs::metadata(format!("/proc/{process}")).is_ok();
    !is_seen && kill(Pid::from_raw(pid), None) != Err(Errno::ESRCH)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn the_start_time_is_parsed_after_any_program_name() {
        let rest = "1 1 1 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 123456 0 0";
        let check = |stat: String, expected| assert_eq!(ticks_of(&stat), expected, "{stat}");
        check(format!("7 (topsell) S {rest}"), Some(123_456));
        check(format!("7 (a b) S ) R {rest}"), Some(123_456));
        check(format!("7 (topsell) Z {rest}"), None);
        check("7 (topsell) S 1 1".to_owned(), None);
        check(String::new(), None);
        check("7 topsell".to_owned(), None);
    }

    #[test]
    fn a_process_is_alive_until_it_exits_even_if_not_reaped() {
        let own = Identity::own();
        assert_eq!(own.liveness(), Liveness::Alive);
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().expect("cat can be started");
        let of_child = Identity::of(child.id());
        assert_eq!(of_child.liveness(), Liveness::Alive);
        drop(child.stdin.take());
        // It exits at the end of its input.
        while process_start_ticks(child.id()).is_some() {
            std::thread::yield_now();
        }
        assert_eq!(of_child.liveness(), Liveness::Dead, "exited and not reaped");
        child.wait().expect("a child can be waited for");
        assert_eq!(of_child.liveness(), Liveness::Dead);
    }

    #[test]
    fn a_reused_id_is_another_process() {
        let own = Identity::own();
        let before = Identity { start_ticks: own.start_ticks.map(|ticks| ticks - 1), ..own.clone() };
        assert_eq!(before.liveness(), Liveness::Dead);
        let of_last_start = Identity { boot: "another".to_owned(), ..own.clone() };
        assert_eq!(of_last_start.liveness(), Liveness::Dead);
        let elsewhere = Identity { machine: "another".to_owned(), ..own.clone() };
        assert_eq!(elsewhere.liveness(), Liveness::Unknown);
        let in_a_container = Identity { namespace: "pid:[1]".to_owned(), ..own.clone() };
        assert_eq!(in_a_container.liveness(), Liveness::Unknown);
        assert_eq!(Identity { start_ticks: None, ..own }.liveness(), Liveness::Unknown);
    }
}
