//! The archive of a day: its records in Parquet files, read and written a piece at a time.
//!
//! ```text
//! runs/date=2026-11-20/<hash of the content>-<number of records>.parquet
//! ```
//!
//! Invariant: a record is durable in a file of its day before its own file is deleted; while it is in several, it
//! counts once. What is in memory to archive a day is one piece of it, however many runs it had.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::run_history::record::{Outcome, RunRecord};
use crate::run_history::run_id::moment_of;
use crate::run_history::run_state::RunState;
use crate::run_history::run_store::{FOLDER, RunStore, RunsError};
use topsell_core::model::{Date, Timestamp};
use topsell_core::parquet_format::{decode_run_records, encode_run_records};
use topsell_core::storage::StoredFile;

/// The prefix of the folder of a day's archived runs.
const DAY: &str = "date=";
/// The records of a piece, and the bytes of their own files.
const MAX_RECORDS: usize = 4_096;
const MAX_BYTES: usize = 16 << 20;
/// Files of fewer records are merged with those that are archived next; of older versions, whose names do not tell, the
/// files that are smaller than this.
const FEW_RECORDS: u64 = MAX_RECORDS as u64 / 2;
const SMALL_BYTES: u64 = 1 << 20;

/// Records that become one file.
#[derive(Default)]
struct Piece {
    records: BTreeMap<String, RunRecord>,
    size_bytes: usize,
    /// The files of these records, each of one record.
    single: Vec<String>,
    /// Files of archived records that are merged with them.
    merged: Vec<StoredFile>,
}

impl RunStore {
    /// Returns an archived record, if there is one.
    pub(super) fn read_archived(&self, id: &str) -> Result<Option<RunRecord>, RunsError> {
        let Some(moment) = moment_of(id) else { return Ok(None) };
        let folder = folder_of(moment.hour().date());
        if !self.store.has_folder(&format!("{FOLDER}/{folder}")) {
            return Ok(None);
        }
        let mut found = None;
        self.read_files_of_day(&folder, &mut |records| {
            found = records.into_iter().find(|record| record.id == id);
            if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        Ok(found)
    }

    /// Returns the records in a day's folder, and errors of its files.
    pub(super) fn read_day(&self, folder: &str) -> Result<(Vec<RunRecord>, Vec<RunsError>), RunsError> {
        let mut records = Vec::new();
        let problems = self.read_files_of_day(folder, &mut |read| {
            records.extend(read);
            ControlFlow::Continue(())
        })?;
        Ok((records, problems))
    }

    /// Reads the files in a day's folder, one after the other, and returns their errors. A record may be read more
    /// than once.
    fn read_files_of_day(
        &self,
        folder: &str,
        read: &mut dyn FnMut(Vec<RunRecord>) -> ControlFlow<()>,
    ) -> Result<Vec<RunsError>, RunsError> {
        // A file that disappears while it is read was merged into another, which exists by then.
        const MAX_TRIES: u32 = 5;
        let mut problems = Vec::new();
        for _ in 0..MAX_TRIES {
            let mut is_moving = false;
            problems.clear();
            for path in self.files_of(folder)? {
                match self.read_archive(&path) {
                    Ok(None) => is_moving = true,
                    Ok(Some(records)) => {
                        if read(records).is_break() {
                            return Ok(problems);
                        }
                    }
                    Err(problem) => problems.push(problem),
                }
            }
            if !is_moving {
                break;
            }
        }
        Ok(problems)
    }

    /// Returns the records in a file of archived ones; none where it is gone.
    fn read_archive(&self, path: &str) -> Result<Option<Vec<RunRecord>>, RunsError> {
        let bytes = match self.store.get(path) {
            Err(error) if error.is_not_found() => return Ok(None),
            bytes => bytes?,
        };
        let failed = |source| RunsError::Columns { file: self.store.location_of(path), source };
        let records = decode_run_records::<RunRecord>(bytes).map_err(failed)?;
        Ok(Some(records.into_iter().map(normalized).collect()))
    }

    /// Returns the Parquet files of a day's folder.
    fn files_of(&self, folder: &str) -> Result<Vec<String>, RunsError> {
        let mut names = self.store.names(&format!("{FOLDER}/{folder}"))?;
        names.retain(|name| name.ends_with(".parquet"));
        names.sort_unstable();
        Ok(names.into_iter().map(|name| format!("{FOLDER}/{folder}/{name}")).collect())
    }

    /// Archives records of a day; returns how many.
    pub(super) fn archive_day(&self, day: Date, ids: &[String]) -> Result<u64, RunsError> {
        let folder = folder_of(day);
        let (mut piece, mut archived) = (Piece::default(), 0);
        for id in ids {
            let path = self.place_of(id);
            // A file that is not a record is left until it is deleted as too old.
            let Ok(Some((record, size_bytes))) = self.read_sized(&path) else { continue };
            if !is_over(&record) || record.id != *id || !has_moments(&record) {
                continue;
            }
            if archived == 0 && piece.single.is_empty() {
                // A damaged file may still be repaired, so it is not replaced.
                self.add_small_files(&folder, &mut piece)?;
            }
            piece.records.insert(id.clone(), record);
            piece.size_bytes += size_bytes;
            piece.single.push(path);
            if piece.records.len() >= MAX_RECORDS || piece.size_bytes >= MAX_BYTES {
                archived += self.write_piece(&folder, &std::mem::take(&mut piece))?;
            }
        }
        if !piece.single.is_empty() {
            archived += self.write_piece(&folder, &piece)?;
        }
        Ok(archived)
    }

    /// Adds the records of files that are too small to stay by themselves.
    fn add_small_files(&self, folder: &str, piece: &mut Piece) -> Result<(), RunsError> {
        let files = self.store.files(&format!("{FOLDER}/{folder}"))?.into_iter();
        for file in files.filter(is_small) {
            if piece.records.len() >= MAX_RECORDS {
                break;
            }
            let records = self.read_archive(&file.path)?.unwrap_or_default();
            piece.records.extend(records.into_iter().map(|record| (record.id.clone(), record)));
            piece.merged.push(file);
        }
        Ok(())
    }

    /// Writes a piece, and removes the files that had its records; returns how many were not archived before.
    fn write_piece(&self, folder: &str, piece: &Piece) -> Result<u64, RunsError> {
        let at = format!("{FOLDER}/{folder}");
        let records: Vec<&RunRecord> = piece.records.values().collect();
        let encoded = encode_run_records(&records);
        let bytes = encoded.map_err(|source| RunsError::Columns { file: at.clone(), source })?;
        // Named by its content, so that the same records give the same file.
        let path = format!("{at}/{}-{}.parquet", &blake3::hash(&bytes).to_hex()[..16], records.len());
        // Others cannot read what they could not read before.
        let mut sources = piece.single.iter().chain(piece.merged.iter().map(|file| &file.path));
        match sources.any(|source| self.store.is_private(source)) {
            true => self.store.put_for_group(&path, &bytes, None)?,
            false => self.store.put(&path, bytes)?,
        }
        self.store.restrict_to_root(&path);
        let single =
            piece.single.iter().map(|path| StoredFile { path: path.clone(), size_bytes: 0, modified_ms: 0 });
        let single: Vec<StoredFile> = single.collect();
        let merged = piece.merged.iter().filter(|file| file.path != path);
        // The folder of the day goes with its last record.
        self.store.remove(single.iter().chain(merged))?;
        Ok(piece.single.len() as u64)
    }
}

/// Returns whether a file has so few records that it does not stay by itself.
fn is_small(file: &StoredFile) -> bool {
    let name = file.path.rsplit('/').next().and_then(|name| name.strip_suffix(".parquet"));
    let Some(name) = name else { return false };
    let count = name.split_once('-').and_then(|(_, count)| count.parse::<u64>().ok());
    count.map_or(file.size_bytes < SMALL_BYTES, |count| count < FEW_RECORDS)
}

/// Returns the day of a folder, if it is one of archived runs.
pub(super) fn day_of_archive(name: &str) -> Option<Date> {
    Date::parse(name.strip_prefix(DAY)?)
}

/// Returns the name of the folder of a day's archived runs.
fn folder_of(day: Date) -> String {
    format!("{DAY}{day}")
}

/// Returns whether a record is final.
fn is_over(record: &RunRecord) -> bool {
    match record.state() {
        RunState::Ended(outcome) => outcome != Outcome::Started,
        // The job's next run records how it ended.
        RunState::NeverEnded => record.due.is_none(),
        RunState::Running | RunState::PerhapsRunning => false,
    }
}

/// Returns whether all timestamps of a record are in our format, since the archive stores no other.
fn has_moments(record: &RunRecord) -> bool {
    let of_spans = record.spans.iter().flat_map(|span| [Some(&span.started), span.ended.as_ref()]);
    let due = record.due.as_ref().and_then(|due| due.at.as_ref());
    let mut all = [Some(&record.started), record.ended.as_ref(), due].into_iter().chain(of_spans).flatten();
    all.all(|text| Timestamp::parse(text).is_ok_and(|moment| moment.to_string() == *text))
}

/// Returns a record with its timestamps in our format.
fn normalized(mut record: RunRecord) -> RunRecord {
    let normalize = |text: &mut String| {
        if let Ok(moment) = Timestamp::parse(text) {
            *text = moment.to_string();
        }
    };
    normalize(&mut record.started);
    record.ended.iter_mut().for_each(normalize);
    record.due.iter_mut().filter_map(|due| due.at.as_mut()).for_each(normalize);
    for span in &mut record.spans {
        normalize(&mut span.started);
        span.ended.iter_mut().for_each(normalize);
    }
    record
}
