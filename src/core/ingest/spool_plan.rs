//! The plan of an ingest from a spool folder: which of its logs are complete.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use crate::ingest::input::Input;
use crate::ingest::plan::Plan;
use crate::ingest::skipped::SkippedKind;
use crate::ingest::spool::{Destination, Spool};
use crate::input_format::{Format, format_of_name, reason_to_skip};
use crate::model::Timestamp;
use crate::storage::Directory;
use crate::storage::local_files::{self, Metadata};

/// Plans a spool folder's complete logs, in the byte order of their names.
pub fn plan_spool(folder: &Path, format: Option<Format>, now: Timestamp, min_age_seconds: u64) -> Plan {
    let mut plan = Plan::default();
    let opened =
        Directory::open(folder).and_then(|opened| Ok((Arc::new(opened), local_files::list(folder)?)));
    let (directory, paths) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            plan.fail(folder, &error);
            return plan;
        }
    };
    let mut spool = Spool { too_recent: 0 };
    for path in paths {
        let Some(name) = path.file_name() else { continue };
        // A link is an input too: one that fails.
        let meta = local_files::link_metadata(&path).ok();
        let is_other = |meta: &Metadata| !meta.is_file() && !meta.is_symlink();
        if Destination::NAMES.iter().any(|destination| name == *destination) {
            continue;
        } else if local_files::is_folder(&path) {
            plan.skip(&path, SkippedKind::Folder, "it is a directory in a spool directory");
        } else if let Some(why) = reason_to_skip(&path) {
            plan.skip(&path, SkippedKind::File, why);
        } else if meta.as_ref().is_some_and(is_other) {
            plan.skip(&path, SkippedKind::File, "it is not a regular file");
        } else if meta.as_ref().is_some_and(|meta| !is_old_enough(meta, now, min_age_seconds)) {
            spool.too_recent += 1;
            let why = format!("it was modified less than {min_age_seconds} s ago");
            plan.skip(&path, SkippedKind::TooRecent, &why);
        } else {
            let format = format.or_else(|| format_of_name(&path));
            plan.inputs.push(Input::spool_file(&directory, name, format, meta.as_ref()));
        }
    }
    plan.spool = Some(spool);
    plan
}

/// Returns whether a file was last modified long enough ago; one from the future is being modified.
fn is_old_enough(meta: &Metadata, now: Timestamp, min_age_seconds: u64) -> bool {
    let Ok(modified) = meta.modified() else { return true };
    let since_1970 = modified.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_micros();
    let min_age_micros = u128::from(min_age_seconds) * 1_000_000;
    min_age_seconds == 0 || since_1970 + min_age_micros <= u128::from(now.micros().max(0).unsigned_abs())
}
