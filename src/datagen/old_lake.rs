//! A lake of some age, made of logs by the commands that make every lake: ingest, rollup, compaction.
//!
//! Invariant: the clock of these commands is the end of the workload, so that no purchase is of the future.

use std::path::Path;

use crate::error::DatagenError;
use crate::hours::hours;
use crate::logs::{LogFormat, LogOptions, LogSpan, WrittenLogs, write_logs};
use crate::workload::Workload;
use topsell_core::delta::{VacuumRule, VacuumScope};
use topsell_core::ingest::{self, FIELDS, StreamOptions};
use topsell_core::input_format::Mapping;
use topsell_core::lake::{DryRun, DuplicatePolicy, Lake};
use topsell_core::model::Timestamp;
use topsell_core::pipeline::{self, Caller, Step};
use topsell_core::progress::Progress;
use topsell_core::rollup::{Replaces, Rollups, Scope};
use topsell_core::storage::{LockTimeout, Store};

/// Writes a workload's logs into `logs` below a folder, and a lake of them into `lake`: events and aggregates, compacted
/// as by the nightly job.
///
/// # Errors
/// Fails where the workload is invalid, or a file cannot be written.
pub fn write_old_lake(folder: &Path, workload: &Workload) -> Result<WrittenLogs, DatagenError> {
    workload.check()?;
    let logs = folder.join("logs");
    let options = LogOptions { format: LogFormat::Csv, span: LogSpan::Day, event_ids: true };
    let written = write_logs(&Store::open(&logs)?, workload, options)?;
    let lake = Store::open(&folder.join("lake"))?;
    let last = hours(workload.hours).last().expect("a workload has an hour");
    let caller = Caller {
        name: "datagen".to_owned(),
        lock_timeout: LockTimeout::NoWait,
        now: last.plus(1).start(),
        stdin: None,
    };
    for step in steps(&logs, caller.now) {
        pipeline::run(&step, &lake, &caller, &Progress::ignored())?;
    }
    remove_replaced(&lake)?;
    Ok(written)
}

/// Removes the files that were merged: on a lake that has grown old they are gone.
fn remove_replaced(store: &Store) -> Result<(), DatagenError> {
    // Whichever clock gave the files their times, all of them are older.
    let in_the_future = Timestamp::parse("2500-01-01T00:00:00Z").expect("it is a time");
    let now_ms = in_the_future.micros() / 1_000;
    let rule = VacuumRule { keep_ms: 0, now_ms, trusts_clock: true, scope: VacuumScope::DataAndLog };
    Lake::open(store.clone())?.vacuum(&rule, DryRun::No)?;
    Rollups::open_or_create(store)?.vacuum(&rule, DryRun::No)?;
    Ok(())
}

fn steps(logs: &Path, now: Timestamp) -> [Step; 3] {
    let options = ingest::Options {
        now,
        max_skew_seconds: 0,
        dry_run: DryRun::No,
        duplicates: DuplicatePolicy::Skip,
        max_reject_bytes: 0,
        stream: StreamOptions::default(),
    };
    let ingest = Step::Ingest {
        plan: ingest::plan(&[logs.to_owned()], None),
        options,
        mapping: Mapping::none(FIELDS),
        catalog: None,
        slice_bytes: None,
    };
    let rollup = Step::Rollup { scope: Scope::Changed, replaces: Replaces::DamagedOnly, dry_run: DryRun::No };
    [ingest, rollup, Step::Compact { dry_run: DryRun::No }]
}
