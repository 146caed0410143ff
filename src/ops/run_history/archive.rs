//! Archives the records of past days in one Parquet file per day, and deletes them after the retention.
//!
//! Invariant: a record is durable in the day's file before its own file is deleted; while it is in both, it
//! counts once.

use std::collections::{BTreeMap, BTreeSet};

use crate::run_history::last_runs::LastRuns;
use crate::run_history::record::{Outcome, RunRecord};
use crate::run_history::run_id::moment_of;
use crate::run_history::run_state::RunState;
use crate::run_history::run_store::{FOLDER, RunStore, RunsError, path_of};
use topsell_core::model::{Date, Timestamp};
use topsell_core::parquet_format::{decode_run_records, encode_run_records};
use topsell_core::storage::StoreError;

/// The prefix of a day's folder.
const DAY: &str = "date=";

/// Which records to archive and which to delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunRetention {
    /// Records of days before this one are archived.
    pub archive_before: Timestamp,
    /// Records of days before this one are deleted.
    pub delete_before: Timestamp,
}

/// The result of applying a retention.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetentionReport {
    /// The number of records archived.
    pub archived: u64,
    /// Paths deleted as too old: folders of days and single records.
    pub deleted: Vec<String>,
    /// What could not be archived, and was left unchanged.
    pub problems: Vec<String>,
}

impl RunStore {
    /// Returns what applying the retention would archive and delete.
    ///
    /// # Errors
    /// Fails if the folder cannot be listed.
    pub fn plan_retention(&self, retention: &RunRetention) -> Result<RetentionReport, StoreError> {
        let mut kept = RetentionReport { deleted: self.expired(retention)?, ..RetentionReport::default() };
        kept.archived = self.due_days(retention)?.into_values().map(|ids| ids.len() as u64).sum();
        Ok(kept)
    }

    /// Archives records of past days and deletes those that are too old; the caller must hold the lock.
    ///
    /// # Errors
    /// Fails on an I/O error; no record is lost.
    pub fn apply_retention(&self, retention: &RunRetention) -> Result<RetentionReport, StoreError> {
        let mut kept = RetentionReport { deleted: self.expired(retention)?, ..RetentionReport::default() };
        for path in &kept.deleted {
            self.remove(path)?;
        }
        for (day, ids) in self.due_days(retention)? {
            match self.archive_day(day, &ids) {
                Ok(archived) => kept.archived += archived,
                Err(RunsError::Store(error)) => return Err(error),
                Err(error) => kept.problems.push(error.to_string()),
            }
        }
        Ok(kept)
    }

    /// Returns an archived record, if there is one.
    pub(super) fn read_archived(&self, id: &str) -> Result<Option<RunRecord>, RunsError> {
        let Some(moment) = moment_of(id) else { return Ok(None) };
        let folder = folder_of(moment.hour().date());
        if !self.store.has_folder(&format!("{FOLDER}/{folder}")) {
            return Ok(None);
        }
        let (records, _) = self.read_day(&folder)?;
        Ok(records.into_iter().find(|record| record.id == id))
    }

    /// Returns the records in a day's folder, and errors of its files.
    pub(super) fn read_day(&self, folder: &str) -> Result<(Vec<RunRecord>, Vec<RunsError>), RunsError> {
        // A file that disappears while it is read was merged into another, which exists by then.
        const MAX_TRIES: u32 = 5;
        for _ in 0..MAX_TRIES {
            let (mut records, mut problems, mut is_moving) = (Vec::new(), Vec::new(), false);
            for path in self.files_of(folder)? {
                let file = self.store.location_of(&path);
                match self.store.get(&path) {
                    Err(error) if error.is_not_found() => is_moving = true,
                    Err(error) => problems.push(error.into()),
                    Ok(bytes) => match decode_run_records::<RunRecord>(bytes) {
                        Ok(read) => records.extend(read.into_iter().map(normalized)),
                        Err(source) => problems.push(RunsError::Columns { file, source }),
                    },
                }
            }
            if !is_moving {
                return Ok((records, problems));
            }
        }
        Ok((Vec::new(), Vec::new()))
    }

    /// Returns the Parquet files of a day's folder.
    fn files_of(&self, folder: &str) -> Result<Vec<String>, RunsError> {
        let mut names = self.store.names(&format!("{FOLDER}/{folder}"))?;
        names.retain(|name| name.ends_with(".parquet"));
        names.sort_unstable();
        Ok(names.into_iter().map(|name| format!("{FOLDER}/{folder}/{name}")).collect())
    }

    /// Returns the ids of the records to archive, by day.
    fn due_days(&self, retention: &RunRetention) -> Result<BTreeMap<Date, Vec<String>>, StoreError> {
        let archive_before = retention.archive_before.hour().date();
        let mut days: BTreeMap<Date, Vec<String>> = BTreeMap::new();
        // The last runs stay in files of their own: health checks read them often.
        let last: BTreeSet<String> = match self.last_runs() {
            Ok((last, _)) => last.into_values().flat_map(LastRuns::ids).collect(),
            Err(RunsError::Store(error)) => return Err(error),
            Err(_) => BTreeSet::new(),
        };
        for id in self.ids()? {
            let Some(day) = moment_of(&id).map(|moment| moment.hour().date()) else { continue };
            if day < archive_before && day >= retention.delete_before.hour().date() && !last.contains(&id) {
                days.entry(day).or_default().push(id);
            }
        }
        Ok(days)
    }

    /// Merges records of a day into its file; returns how many.
    fn archive_day(&self, day: Date, ids: &[String]) -> Result<u64, RunsError> {
        let folder = folder_of(day);
        let before = self.files_of(&folder)?;
        let (records, problems) = self.read_day(&folder)?;
        if let Some(problem) = problems.into_iter().next() {
            // A damaged file may still be repaired, so it is not replaced.
            return Err(problem);
        }
        let mut all: BTreeMap<String, RunRecord> =
            records.into_iter().map(|record| (record.id.clone(), record)).collect();
        let mut going = Vec::new();
        for id in ids {
            // A file that is not a record is left until it is deleted as too old.
            let Ok(Some(record)) = self.read_file(&path_of(id)) else { continue };
            if is_over(&record) && record.id == *id && has_moments(&record) {
                all.insert(id.clone(), record);
                going.push(path_of(id));
            }
        }
        if going.is_empty() {
            return Ok(0);
        }
        let records: Vec<RunRecord> = all.into_values().collect();
        let at = format!("{FOLDER}/{folder}");
        let encoded = encode_run_records(&records);
        let bytes = encoded.map_err(|source| RunsError::Columns { file: at.clone(), source })?;
        // Named by its content, so that the same records give the same file.
        let path = format!("{at}/{}.parquet", &blake3::hash(&bytes).to_hex()[..16]);
        // Others cannot read what they could not read before.
        match going.iter().chain(&before).any(|path| self.store.is_private(path)) {
            true => self.store.put_for_group(&path, &bytes, None)?,
            false => self.store.put(&path, bytes)?,
        }
        self.store.restrict_to_root(&path);
        for old in going.iter().chain(before.iter().filter(|before| **before != path)) {
            self.store.delete(old)?;
        }
        Ok(going.len() as u64)
    }

    /// Returns what is older than the retention: folders of days, and files named like a run.
    fn expired(&self, retention: &RunRetention) -> Result<Vec<String>, StoreError> {
        let since = retention.delete_before.hour().date();
        let mut old = BTreeSet::new();
        for name in self.store.names(FOLDER)? {
            let moment = name.strip_suffix(".json").and_then(moment_of);
            if day_of(&name).or(moment.map(|moment| moment.hour().date())).is_some_and(|day| day < since) {
                old.insert(format!("{FOLDER}/{name}"));
            }
        }
        Ok(old.into_iter().collect())
    }

    fn remove(&self, path: &str) -> Result<(), StoreError> {
        if path.ends_with(".json") {
            return self.store.delete(path);
        }
        self.store.remove(self.store.files(path)?.iter())
    }
}

/// Returns the day of a folder, if it is one of archived runs.
pub(super) fn day_of(name: &str) -> Option<Date> {
    Date::parse(name.strip_prefix(DAY)?)
}

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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::process::Identity;
    use crate::run_history::record::{Due, Span, Versions};
    use crate::run_history::run_id::{due_run_id, new_run_id};
    use topsell_core::storage::temporary;

    fn moment(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("it is a moment")
    }

    /// Returns a record with every field set.
    fn full(started: &str) -> RunRecord {
        let versions = Versions { events: Some(7), rollups: None, ranking: Some("r.parquet".to_owned()) };
        let attributes = BTreeMap::from([("process_group".to_owned(), "77".to_owned())]);
        let span = |name: &str, parent: Option<&str>| Span {
            span_id: format!("{name:0>16}"),
            parent_span_id: parent.map(str::to_owned),
            name: name.to_owned(),
            started: started.to_owned(),
            ended: parent.map(|_| "2026-11-20T10:00:01.5Z".to_owned()),
            outcome: Outcome::Done,
            attributes: if parent.is_some() { attributes.clone() } else { BTreeMap::new() },
        };
        RunRecord {
            schema: 2,
            id: due_run_id("nightly", moment(started), 1),
            command: "run".to_owned(),
            asked: vec!["run".to_owned(), "ü \"x\"\n".to_owned()],
            due: Some(Due { job: "nightly".to_owned(), at: Some(started.to_owned()), attempt: 1 }),
            started: started.to_owned(),
            ended: Some("2026-11-20T10:00:02.000001Z".to_owned()),
            seconds: Some(2.000_001),
            outcome: Outcome::TimedOut,
            message: Some("too long".to_owned()),
            exit_code: Some(1),
            signal: Some(15),
            trace_id: "ab".repeat(16),
            span_id: "cd".repeat(8),
            before: versions.clone(),
            after: versions,
            counts: BTreeMap::from([("read".to_owned(), 1 << 60), ("none".to_owned(), 0)]),
            input_bytes: Some(1),
            stage_seconds: BTreeMap::from([("rank".to_owned(), 0.1)]),
            spans: vec![span("a", Some("cdcdcdcdcdcdcdcd")), span("b", None)],
            peak_memory_bytes: Some(1 << 40),
            output_tail: Some("the end\n".to_owned()),
            ..RunRecord::default()
        }
    }

    fn plain(started: &str) -> RunRecord {
        RunRecord {
            id: new_run_id(moment(started), "rank"),
            command: "rank".to_owned(),
            started: started.to_owned(),
            outcome: Outcome::Done,
            ..RunRecord::default()
        }
    }

    fn retention(now: &str) -> RunRetention {
        let now = moment(now);
        RunRetention {
            archive_before: now.plus_seconds(-86_400),
            delete_before: now.plus_seconds(-90 * 86_400),
        }
    }

    #[test]
    fn archived_records_are_unchanged_and_count_once() {
        let (store, _folder) = temporary();
        let run_store = RunStore::open(&store);
        let records = [
            full("2026-11-20T10:00:00Z"),
            plain("2026-11-20T10:00:00.1Z"),
            plain("2026-11-20T10:00:00.12Z"),
            full("2026-11-22T00:00:00Z"),
            plain("2026-11-22T00:00:00.5Z"),
        ];
        records.iter().for_each(|record| run_store.finish(record).expect("the disk works"));
        let all = || {
            let listing = run_store.list(None, None).expect("the folder can be listed");
            assert!(listing.problems.is_empty(), "{:?}", listing.problems);
            listing.records
        };
        assert_eq!(all(), records, "ordered by start");
        let planned =
            run_store.plan_retention(&retention("2026-11-22T12:00:00Z")).expect("the folder can be listed");
        let kept = run_store.apply_retention(&retention("2026-11-22T12:00:00Z")).expect("the disk works");
        assert_eq!((planned.archived, kept.archived, kept.problems.len()), (3, 3, 0));
        assert_eq!(store.files("runs/date=2026-11-20").expect("it is there").len(), 1);
        assert_eq!(all(), records);
        // As if archiving was interrupted before the last file was deleted.
        run_store.finish(&records[0]).expect("the disk works");
        assert_eq!(all(), records);
        let late = plain("2026-11-20T23:59:59.999999Z");
        run_store.finish(&late).expect("the disk works");
        assert_eq!(
            run_store.apply_retention(&retention("2026-11-22T12:00:00Z")).expect("the disk works").archived,
            2
        );
        assert_eq!(store.files("runs/date=2026-11-20").expect("it is there").len(), 1, "the older one went");
        assert_eq!(all().len(), 6);
        assert_eq!(run_store.read(&late.id).expect("it can be read"), Some(late));
        let since = Some(moment("2026-11-20T10:00:00.1Z"));
        let until = Some(moment("2026-11-22T00:00:00Z"));
        assert_eq!(run_store.list(since, until).expect("the folder can be listed").records.len(), 3);
    }

    #[test]
    fn an_archived_due_run_cannot_be_claimed_again() {
        let (store, _folder) = temporary();
        let run_store = RunStore::open(&store);
        let record = full("2026-11-20T10:00:00Z");
        assert!(run_store.claim(&record).expect("the disk works"));
        assert!(!run_store.claim(&record).expect("the disk works"));
        assert!(run_store.claim(&full("2026-11-22T10:00:00Z")).expect("the disk works"));
        run_store.apply_retention(&retention("2026-11-22T12:00:00Z")).expect("the disk works");
        assert!(store.has_folder("runs/date=2026-11-20") && !store.is_there(&path_of(&record.id)));
        assert!(!run_store.claim(&record).expect("the disk works"));
        assert!(run_store.claim(&full("2026-11-21T10:00:00Z")).expect("the disk works"));
    }

    #[test]
    fn records_that_may_change_stay_and_old_ones_are_deleted() {
        let (store, _folder) = temporary();
        let run_store = RunStore::open(&store);
        let mut running = plain("2026-11-20T01:00:00Z");
        (running.outcome, running.ended) = (Outcome::Started, None);
        running.set_process(Identity::own());
        let mut unsaid = full("2026-11-20T02:00:00Z");
        unsaid.outcome = Outcome::Started;
        unsaid.set_process(Identity { start_ticks: Some(1), ..Identity::own() });
        let mut dead = plain("2026-11-20T03:00:00Z");
        dead.outcome = Outcome::Started;
        dead.set_process(Identity { start_ticks: Some(1), ..Identity::own() });
        let mut odd = plain("2026-11-20T04:00:00Z");
        odd.started = "noon".to_owned();
        let last = plain("2026-11-20T06:00:00Z");
        for record in [&running, &unsaid, &dead, &odd, &last, &plain("2026-08-01T00:00:00Z")] {
            run_store.save(record).expect("the disk works");
        }
        store.put("runs/20260801T000000Z-torn.json", "{".into()).expect("the disk works");
        store.put("runs/20261120T050000Z-torn.json", "{".into()).expect("the disk works");
        store.put("runs/date=2026-08-01/x.parquet", "PAR1".into()).expect("the disk works");
        let kept = run_store.apply_retention(&retention("2026-11-22T12:00:00Z")).expect("the disk works");
        assert_eq!((kept.archived, kept.deleted.len()), (1, 3), "{kept:?}");
        let mut left = store.names("runs").expect("it is there");
        left.sort_unstable();
        let ids = [&running.id, &unsaid.id, &odd.id, &last.id].map(|id| format!("{id}.json"));
        let [running, unsaid, odd, last] = ids.each_ref().map(String::as_str);
        assert_eq!(left, [running, unsaid, odd, "20261120T050000Z-torn.json", last, "date=2026-11-20"]);
        let listing = run_store.list(None, None).expect("the folder can be listed");
        assert_eq!((listing.records.len(), listing.problems.len()), (5, 1));
    }
}
