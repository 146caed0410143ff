//! The plan of an ingest from files, folders and buckets.

use std::io;
use std::path::{Path, PathBuf};

use crate::ingest::input::Input;
use crate::ingest::log_object::LogObject;
use crate::ingest::plan::{Plan, UNKNOWN_FORMAT};
use crate::ingest::skipped::SkippedKind;
use crate::input_format::{Format, format_of_name, reason_to_skip};
use crate::model::Timestamp;
use crate::storage::{Location, Store};

/// Returns whether a path is the URL of a bucket's object or prefix.
fn is_url(path: &Path) -> bool {
    path.to_str().is_some_and(Location::is_url)
}

/// Plans the complete logs of a bucket: an object, or those below a prefix that were written before a moment, in the
/// order of their keys.
pub fn plan_objects(url: &Path, format: Option<Format>, before: Option<Timestamp>) -> Plan {
    let mut plan = Plan::default();
    plan.add_objects(url, format, before);
    plan
}

/// Plans the given inputs: files, the logs of folders in name order and of buckets in the order of their keys, `-` for
/// standard input.
pub fn plan(paths: &[PathBuf], format: Option<Format>) -> Plan {
    let mut plan = Plan::default();
    for path in paths {
        match is_url(path) {
            true => plan.add_objects(path, format, None),
            false => plan.add(path, format),
        }
    }
    plan
}

impl Plan {
    fn add_objects(&mut self, url: &Path, format: Option<Format>, before: Option<Timestamp>) {
        let found = Store::open(url).and_then(|store| Ok((store.logs()?, store)));
        let (files, store) = match found {
            Ok(found) => found,
            Err(error) => return self.fail(url, &io::Error::other(error)),
        };
        if files.is_empty() {
            return self.fail(url, &io::ErrorKind::NotFound.into());
        }
        for file in files {
            let url = PathBuf::from(store.location_of(&file.path));
            let told = format.or_else(|| format_of_name(&url));
            let is_recent = before.is_some_and(|before| file.modified_ms > before.micros() / 1_000);
            match (reason_to_skip(&url), told) {
                (Some(why), _) if !file.path.is_empty() => self.skip(&url, SkippedKind::File, why),
                (_, None) => self.skip(&url, SkippedKind::File, UNKNOWN_FORMAT),
                _ if is_recent => self.skip(&url, SkippedKind::TooRecent, "it was written just now"),
                (_, format) => {
                    let size = file.size_bytes;
                    let object = LogObject { store: store.clone(), file, url: url.clone() };
                    self.inputs.push(Input::object(&url, format, size, object));
                }
            }
        }
    }
}
