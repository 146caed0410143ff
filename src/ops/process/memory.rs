//! Peak memory of processes.

use std::fs;

use nix::sys::resource::{UsageWho, getrusage};

/// Returns the peak resident memory of this process, if the system reports it.
pub fn peak_memory_bytes() -> Option<u64> {
    peak_of(&fs::read_to_string("/proc/self/status").ok()?)
}

/// Returns the largest peak resident memory of all child processes that have been waited for.
pub fn peak_memory_of_children_bytes() -> Option<u64> {
    let kibibytes = getrusage(UsageWho::RUSAGE_CHILDREN).ok()?.max_rss();
    u64::try_from(kibibytes).ok()?.checked_mul(1024)
}

/// Parses the line `VmHWM:      1234 kB` of `proc_pid_status(5)`.
fn peak_of(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_in_bytes_or_absent() {
        assert_eq!(peak_of("Name:\tx\nVmHWM:\t    1234 kB\nVmRSS:\t 1 kB\n"), Some(1_263_616));
        assert_eq!(peak_of("Name:\tx\n"), None);
        assert_eq!(peak_of("VmHWM:\tmuch kB\n"), None);
        assert_eq!(peak_of("VmHWM:\t18446744073709551615 kB\n"), None);
    }
}
