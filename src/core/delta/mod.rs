//! Delta tables: open, create, commit added and removed files, list changes, checkpoint, vacuum.
//!
//! Invariant: a file is part of a table only once the commit that adds it is on disk, and a commit is
//! atomic.
//!
//! The protocol is <https://github.com/delta-io/delta/blob/master/PROTOCOL.md>. This room knows file
//! names, partitions and statistics, and not what is in the files.

mod change_column;
mod changes;
mod check_log;
mod checked_disk;
mod checkpoint_rows;
mod commit;
mod error;
mod file_stats;
mod files;
mod kernel_engine;
mod last_checkpoint;
mod log_actions;
mod log_checksums;
mod log_listing;
mod log_reader;
mod partition_values;
mod rebuild_log;
mod repair_log;
mod rewrite;
mod schema;
mod stored_file;
mod table;
mod table_state;
mod vacuum;

pub use change_column::Replacement;
pub use changes::{Change, PartitionRange};
pub use check_log::{LogCheck, LogProblem};
pub use commit::{Commit, CommitKind, NewFile, Outcome};
pub use error::TableError;
pub use file_stats::FileStats;
pub use files::{LiveFile, NamedFile};
pub use log_checksums::LogFile;
pub use log_reader::{FilesSince, LogReader};
pub use partition_values::Partition;
pub use rebuild_log::write_checkpoint_without;
pub use repair_log::{LogPlan, LogRepair, Note};
pub use rewrite::{MAX_TRIES, Rewrite, Rewriter, StepLimits};
pub use schema::{Column, ColumnType, TableSchema};
pub use stored_file::StoredNewFile;
pub use table::{PinnedVersion, Table, Version};
pub use table_state::TableState;
pub use vacuum::{VacuumPlan, VacuumRule, VacuumScope};
