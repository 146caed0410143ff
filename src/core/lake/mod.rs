//! The lake: the `events` table by group of categories and day, and the rejects beside it.
//!
//! Invariant: a batch is in the `events` table as a whole and once, or not at all.
//!
//! ```text
//! format.json
//! events/event_type=purchase/category_group=GROCERY/date=2017-01-07/….parquet
//! inputs/….txt
//! rejects/<batch>.ndjson
//! report.html
//! topsell.toml
//! ```

mod append;
mod batch_content;
mod batch_size;
mod category_groups;
mod compact;
mod compaction_record;
mod decide;
mod decimal_units;
mod dry_run;
mod error;
mod events;
mod events_table;
mod expire;
mod expired_scratch;
mod file_part;
mod file_sharing;
mod format;
mod inputs_cache;
mod known_inputs;
mod layout;
mod left_over;
mod manifest;
mod newest;
mod open;
mod partition;
mod prune_inputs;
mod quarantine;
mod rebuild_log;
mod rejects;
mod remove_damaged;
mod repair_inputs;
mod replace;
mod reserve;
mod rewrite_files;
mod rollups_table;
mod scope;
mod settings;
mod staged_commit;
mod staged_files;
#[cfg(test)]
pub mod test_events;
mod transaction_cache;
mod uncommitted;
mod vacuum;
mod write_events;
mod writers_lock;

pub use append::AppendTransaction;
pub use batch_size::BatchSize;
pub use compact::{Compaction, DayMerge, MergedFiles};
pub use compaction_record::CompactionDays;
pub use decide::{CommitOutcome, DuplicatePolicy};
pub use dry_run::DryRun;
pub use error::LakeError;
pub use events::{
    columns_to_aggregate, events_log, events_path, read_all_events, read_events_in, read_events_of, version,
};
pub use expire::Expired;
pub use expired_scratch::expired_scratch;
pub use file_part::FilePart;
pub use file_sharing::FileSharing;
pub use format::{
    CURRENT_FORMAT, UpgradeLocks, UpgradePlan, UpgradeStep, apply_upgrade, check_format, lock_for_upgrade,
    plan_upgrade, restore_format,
};
pub use known_inputs::{InputKey, KnownInput, check_inputs};
pub use layout::{ITEM_SCORES, LISTS_LOCK, PAGE, SCRATCH, SERVER_LOCK, SERVER_LOG, SETTINGS_FILE};
pub use newest::newest_hour;
pub use open::{DEFAULT_SLICE_BYTES, Lake};
pub use partition::{CATEGORY_GROUP, DayPartition, FilePartition, category_name_of};
pub use quarantine::{QuarantineStats, Quarantined, note_quarantined, quarantine_stats};
pub use rebuild_log::rebuild_events_log;
pub use rejects::Reject;
pub use remove_damaged::LostEvents;
pub use repair_inputs::repair_inputs;
pub use rollups_table::{ROLLUPS, ROLLUPS_SCHEMA};
pub use scope::{BAD_SHARE, LakeScope, Share};
pub use settings::LakeSettings;
pub use staged_files::StagedFiles;
pub use uncommitted::UncommittedBatch;
pub use writers_lock::{WritersLock, lock_maintenance, lock_writers};
