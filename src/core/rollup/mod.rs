//! Rollup: the `rollups` table of hourly aggregates, kept up to date with the `events` table.
//!
//! Invariant: a rollup row is a pure function of the events of its hour, whatever the order they
//! were ingested in; the table's own log records which version of `events` it covers.
//!
//! Read the files in this order; each uses only files above it.
//!
//! | file | what it does |
//! |---|---|
//! | `table` | the table: its schema, its files, the partition and hours of each |
//! | `names_hash` | by which what was made from some files is known to be of them |
//! | `months` | copies of whole months, which are read in the place of their files |
//! | `changes` | which hours and days changed since the last rollup |
//! | `plan` | decides which hours to recompute, from the tables' logs |
//! | `event_hash` | the hashes by which events are compared |
//! | `conflict_resolution` | reads event ids, and decides which version of an event with differing contents counts |
//! | `dedup` | which hours are affected by that, and which event rows count |
//! | `aggregate` | reads a category's events and aggregates those that count |
//! | `write` | encodes and writes the files |
//! | `scanned_sets`, `cursor`, `diff` | compare recomputed aggregates with the stored ones |
//! | `update` | all of these in order, then one commit: `topsell rollup` |
//! | `parts` | the same in several processes: parts as values for these, their outcomes, one commit |
//! | `path_index` | which days have which paths, so that other files are not opened |
//! | `k_way_merge`, `scanned_file`, `scan_part`, `scan` | read a range of hours item by item, for a ranking |
//! | `planned_scan` | the parts of such a read as values for other processes |
//! | `point_lookup`, `live_counts` | read some items as of this moment, for counts |
//! | `all_counts` | read all items as of this moment, for lists |
//! | `partial_hours` | read some items, or all, in parts of hours, from events |
//! | `verify` | recompute everything and compare, for `topsell lake verify` |
//! | `write_months`, `write_path_index` | write, check and remove the copies of months and the indexes of paths |
//! | `compact`, `load` | rewrite small files as one; write aggregates without events |
//!
//! # Performance
//!
//! Recomputing three million purchases from 2,400 files, one for each shard and hour, spends its CPU time as
//! follows:
//!
//! | share | on |
//! |---|---|
//! | 19 % | opening files and reading their bytes |
//! | 9 % | decoding rows |
//! | 12 % | numbering items and paths, and adding |
//! | 33 % | writing 1.5 million rows: 4 % sorting, 18 % encoding with 10 % of compression in it, 4 % creating and writing 112 files |
//! | 6 % | planning from the tables' logs |
//! | 3 % | freeing what the logs say of each file |
//!
//! ```text
//! topsell datagen --purchases 3000000 --items 300000 --leaves 1000 --tops 50 logs
//! topsell --lake lake ingest logs
//! perf record --call-graph dwarf,16384 topsell --threads 1 --lake lake rollup --all
//! perf report --no-inline --children
//! ```

// Floating-point sums depend on their order.
#![cfg_attr(not(test), deny(clippy::float_arithmetic))]

mod dry_run;
mod error;
mod table;

mod changes;
mod event_file;

mod months;
mod names_hash;

mod plan;

mod event_hash;

mod conflict_resolution;
mod dedup;

mod aggregate;

mod write;

mod scanned_sets;

mod cursor;
mod diff;

mod update;

mod parts;

mod k_way_merge;
mod scanned_file;

mod scan_part;

mod path_index;

mod scan;

mod planned_scan;

mod uncommitted;

mod live_counts;
mod point_lookup;

mod all_counts;
mod partial_hours;

mod recent_minutes;

mod recent_hours;

mod verify;

mod write_months;

mod write_path_index;

mod compact;
mod load;

pub use all_counts::{Categories, LiveAggregates};
pub use compact::{AggregateCompaction, CompactedDays, DayMerge};
pub use dry_run::{PlannedCategory, PlannedRollup, dry_run};
pub use error::RollupError;
pub use live_counts::{ItemQuery, LiveCounts, ReadVersions, live_counts};
pub use load::{Load, LoadedDay, load};
pub use parts::{PartOutcome, PlannedParts, commit_parts, compute_part, plan_parts};
pub use plan::{Reason, Scope};
pub use planned_scan::{PlannedFile, PlannedPart, PlannedShard, Split};
pub use recent_hours::{Counts, RecentHours};
pub use scan::Scan;
pub use scan_part::{ItemAggregates, ScanPart, WantedRows};
pub use scanned_sets::WantsPath;
pub use table::{Rollups, Selection, log, version};
pub use update::{Diff, REPLACED, Replaces, Summary, rebuild, rollup};
pub use verify::{DifferingDay, Verification};
pub use write_months::MonthCopy;
pub use write_path_index::PathIndexFile;
