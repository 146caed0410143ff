//! Processes of this machine: which one it is, whether it is still there.
//!
//! Invariant: a process is known by more than its number, which the next one may be given.

mod identity;
mod memory;

pub use identity::{Identity, Liveness, machine_name, process_start_ticks};
pub use memory::peak_memory_bytes;
