//! Which process it is, and whether it is still there.
//!
//! A number alone names no process: when one ends, another is given its number sooner or later. The moment
//! at which it began, in ticks since the machine was started, tells the two apart; which start of the
//! machine that was, and which namespace the number is from, tell whether ticks and number mean anything
//! here at all.

use std::fs;

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::{Pid, gethostname};

/// Where the kernel says which start of the machine this is, and which namespace our numbers are from.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
const NAMESPACE: &str = "/proc/self/ns/pid";

/// All that it takes to find a process again; texts are empty where the system does not tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The machine's name in its network.
    pub machine: String,
    /// Which start of the machine it was, `4c5ad3cc-…`.
    pub boot: String,
    /// Which processes see each other's numbers, `pid:[4026531836]`.
    pub namespace: String,
    /// Its number.
    pub process: u32,
    /// When it began, in ticks since the machine was started.
    pub start_ticks: Option<u64>,
}

/// Whether a process is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    Alive,
    Dead,
    /// It is on another machine or in another container, or this system tells too little.
    Unknown,
}

impl Identity {
    /// Returns what names the process that asks.
    pub fn own() -> Identity {
        Identity::of(std::process::id())
    }

    /// Returns what names a process of this machine.
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

    /// Tells whether the process is still there, as far as can be told from here.
    pub fn liveness(&self) -> Liveness {
        let here = Identity::of(self.process);
        if self.machine != here.machine || self.boot.is_empty() || here.boot.is_empty() {
            return Liveness::Unknown;
        }
        if self.boot != here.boot {
            // The machine has been started anew since.
            return Liveness::Dead;
        }
        if self.namespace != here.namespace || self.start_ticks.is_none() {
            return Liveness::Unknown;
        }
        match here.start_ticks {
            ticks @ Some(_) if ticks == self.start_ticks => Liveness::Alive,
            Some(_) => Liveness::Dead,
            // Not every system shows everyone the processes of others; it does own to there being one.
            None if is_hidden(self.process) => Liveness::Unknown,
            None => Liveness::Dead,
        }
    }
}

/// Returns the machine's name in its network.
pub fn machine_name() -> String {
    gethostname().unwrap_or_default().to_string_lossy().into_owned()
}

/// Returns when a process of this machine began, in ticks since the machine was started; none where
/// there is no such process, it has ended and only waits to be asked how, or the system does not tell.
pub fn process_start_ticks(process: u32) -> Option<u64> {
    ticks_of(&fs::read_to_string(format!("/proc/{process}/stat")).ok()?)
}

/// Returns the 22nd field of what `proc_pid_stat(5)` describes, of a process that has not ended.
fn ticks_of(stat: &str) -> Option<u64> {
    // The second field is the program's name in parentheses, which may hold spaces and parentheses.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X" | "x") { None } else { fields.nth(18)?.parse().ok() }
}

/// Tells whether there is a process of that number whose beginning is not to be seen.
fn is_hidden(process: u32) -> bool {
    let Some(pid) = i32::try_from(process).ok().filter(|&number| number > 0) else { return false };
    // One that has ended, and waits to be asked how, is to be seen.
    let is_seen = fs::metadata(format!("/proc/{process}")).is_ok();
    !is_seen && kill(Pid::from_raw(pid), None) != Err(Errno::ESRCH)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn the_time_of_its_beginning_is_found_behind_any_name() {
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
    fn a_process_is_alive_until_it_has_ended_even_if_nobody_asked_how() {
        let own = Identity::own();
        assert_eq!(own.liveness(), Liveness::Alive);
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().expect("cat can be started");
        let of_child = Identity::of(child.id());
        assert_eq!(of_child.liveness(), Liveness::Alive);
        drop(child.stdin.take());
        // It ends at the end of its input, some time soon.
        while process_start_ticks(child.id()).is_some() {
            std::thread::yield_now();
        }
        assert_eq!(of_child.liveness(), Liveness::Dead, "ended, and not waited for");
        child.wait().expect("a child can be waited for");
        assert_eq!(of_child.liveness(), Liveness::Dead);
    }

    #[test]
    fn a_number_that_has_been_given_away_is_another_process() {
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
