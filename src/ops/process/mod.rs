//! Processes of this machine: starting them, waiting for them, ending them, knowing them again.
//!
//! Invariant: a process is known by more than its number, which the next one may be given; a group is
//! signalled only while its number is known to be its own.

mod command;
mod group;
mod identity;
mod memory;
mod output;
mod running;

pub use command::{Account, Command, StartError};
pub use group::{Group, kill, processes_with, terminate};
pub use identity::{Identity, Liveness, machine_name, process_start_ticks};
pub use memory::{peak_memory_bytes, peak_memory_of_children_bytes};
pub use output::{Output, Tail};
pub use running::{How, Progress, Running};
