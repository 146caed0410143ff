//! Processes of this host: start, wait, terminate, identify.
//!
//! Invariant: a process is identified by more than its id, which may be reused; a process group is
//! signalled only while its id is known to be its own.

mod command;
mod escaped_writer;
mod group;
mod identity;
mod memory;
mod open_files;
mod output;
mod process_handle;
mod running;

pub use command::{Account, Command, StartError};
pub use escaped_writer::EscapedWriter;
pub use group::{Group, kill, processes_with, terminate};
pub use identity::{Identity, Liveness, machine_name, process_start_ticks};
pub use memory::{peak_memory_bytes, peak_memory_of_children_bytes};
pub use open_files::raise_open_files;
pub use output::{Output, Tail};
pub use process_handle::{kill_with, terminate_with};
pub use running::{ProcessEvent, ProcessExit, Running};
