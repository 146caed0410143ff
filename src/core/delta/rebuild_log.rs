//! A checkpoint of a table's newest version without commits that are damaged or missing.
//!
//! The kernel writes it, from a copy of the log in which these commits change nothing. So everything else that was
//! committed stays, and no version has another number than before.
//!
//! ```text
//! quarantine/rebuilt/<table>/_delta_log/     the copy, until its checkpoint is part of the log
//! ```

use std::collections::BTreeSet;

use bytes::Bytes;
use memchr::memmem;

use crate::delta::check_log::LogCheck;
use crate::delta::error::TableError;
use crate::delta::log_checksums::{CHECKSUMS, checkpoint_name};
use crate::delta::log_reader::LogReader;
use crate::delta::schema::TableSchema;
use crate::delta::table::Table;
use crate::storage::{QUARANTINE, Store, checksum};

/// A commit that changes nothing.
const EMPTY_COMMIT: &[u8] = b"{\"commitInfo\":{\"operation\":\"WRITE\"}}\n";

/// Writes a checkpoint of a table's newest version, in which some commits have changed nothing.
///
/// No other process may commit to the table.
///
/// # Errors
/// Fails where the disk does, or the rest of the log cannot be read.
pub fn write_checkpoint_without(
    store: &Store,
    name: &str,
    schema: TableSchema,
    check: &LogCheck,
    lost: &BTreeSet<u64>,
) -> Result<(), TableError> {
    let log = LogReader::new(store, name);
    let copied = format!("{QUARANTINE}/rebuilt/{name}");
    let copy = LogReader::new(store, &copied);
    store.make_quarantine()?;
    // Of a run that was killed.
    store.remove(store.files(&copied)?.iter())?;
    let base = check.base();
    if let Some(base) = base {
        let bytes = store.get(&log.checkpoint(base))?;
        store.put_quickly(
            &format!("{copied}/{CHECKSUMS}/{}", checkpoint_name(base, checksum(&bytes))),
            Bytes::new(),
        )?;
        store.put_quickly(&copy.checkpoint(base), bytes)?;
    }
    let newest = check.newest().unwrap_or_default();
    for version in base.map_or(0, |base| base + 1)..=newest {
        let commit = match lost.contains(&version) {
            true => Bytes::from_static(EMPTY_COMMIT),
            false => without_tags(&store.get(&log.path(version))?).into(),
        };
        store.put_quickly(&copy.path(version), commit)?;
    }
    let unreadable =
        || TableError::Damaged { table: name.to_owned(), what: "its log cannot be rebuilt".to_owned() };
    Table::open(store, &copied, schema)?.ok_or_else(unreadable)?.checkpoint()?;
    let checkpoint = store.get(&copy.checkpoint(newest))?;
    let sum = checkpoint_name(newest, checksum(&checkpoint));
    store.put(&format!("{name}/{CHECKSUMS}/{sum}"), Bytes::new())?;
    store.put(&log.checkpoint(newest), checkpoint)?;
    store.put(&log.last_checkpoint(), store.get(&copy.last_checkpoint())?)?;
    store.remove(store.files(&copied)?.iter())?;
    Ok(())
}

/// Returns a commit without its checksums: that of the commit before it may be another one.
fn without_tags(commit: &[u8]) -> Vec<u8> {
    const OPENING: &[u8] = b"{\"commitInfo\":{";
    const TAGS: &[u8] = b"\"tags\":{";
    let Some(at) = memmem::find(commit, OPENING).map(|at| at + OPENING.len()) else { return commit.to_vec() };
    let rest = commit[at..].strip_prefix(TAGS).and_then(|tags| {
        let end = memchr::memchr(b'}', tags)?;
        Some(tags[end + 1..].strip_prefix(b",").unwrap_or(&tags[end + 1..]))
    });
    rest.map_or_else(|| commit.to_vec(), |rest| [&commit[..at], rest].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delta::log_checksums::{LogFile, with_checksum};

    #[test]
    fn a_commit_without_its_checksums_is_what_was_committed() {
        for commit in
            ["{\"commitInfo\":{\"timestamp\":1}}\n{\"txn\":{}}\n", "{\"commitInfo\":{}}\n", "{\"txn\":{}}\n"]
        {
            let tagged = with_checksum("a/_delta_log/1.json", LogFile::Commit(1), commit.as_bytes(), Some(5));
            assert_eq!(String::from_utf8_lossy(&without_tags(&tagged)), commit);
            assert_eq!(String::from_utf8_lossy(&without_tags(commit.as_bytes())), commit);
        }
    }
}
