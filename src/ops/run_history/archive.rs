//! Decides which records are archived and which are deleted, and does it day by day.

use std::collections::{BTreeMap, BTreeSet};

use crate::run_history::archive_day::day_of_archive;
use crate::run_history::last_runs::LastRuns;
use crate::run_history::run_store::{FOLDER, RunStore, RunsError, day_of};
use topsell_core::model::{Date, Timestamp};
use topsell_core::storage::StoreError;

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
            let Some(day) = day_of(&id) else { continue };
            if day < archive_before && day >= retention.delete_before.hour().date() && !last.contains(&id) {
                days.entry(day).or_default().push(id);
            }
        }
        Ok(days)
    }

    /// Returns what is older than the retention: folders of days, and files named like a run.
    fn expired(&self, retention: &RunRetention) -> Result<Vec<String>, StoreError> {
        let since = retention.delete_before.hour().date();
        let mut old = BTreeSet::new();
        for name in self.store.names(FOLDER)? {
            let of_record = name.strip_suffix(".json").and_then(day_of);
            if day_of_archive(&name).or(of_record).is_some_and(|day| day < since) {
                old.insert(format!("{FOLDER}/{name}"));
            }
        }
        let of_days = self.folders()?.into_iter();
        old.extend(of_days.filter(|(day, _)| day.is_some_and(|day| day < since)).map(|(_, folder)| folder));
        Ok(old.into_iter().collect())
    }

    fn remove(&self, path: &str) -> Result<(), StoreError> {
        if path.ends_with(".json") {
            return self.store.delete(path);
        }
        self.store.remove(self.store.files(path)?.iter())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::process::Identity;
    use crate::run_history::record::{Due, Outcome, RunRecord, Span, Versions};
    use crate::run_history::run_id::{due_run_id, new_run_id};
    use crate::run_history::run_store::path_of;
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
        assert_eq!(left, ["2026-11-20", "20261120T050000Z-torn.json", "date=2026-11-20"]);
        let mut left = store.names("runs/2026-11-20").expect("it is there");
        left.sort_unstable();
        let ids = [&running.id, &unsaid.id, &odd.id, &last.id].map(|id| format!("{id}.json"));
        assert_eq!(left, ids);
        let listing = run_store.list(None, None).expect("the folder can be listed");
        assert_eq!((listing.records.len(), listing.problems.len()), (5, 1));
    }

    /// Older versions had all records in one folder, which took minutes to list after some weeks.
    #[test]
    fn records_of_older_versions_are_read_where_they_are_and_archived_with_the_others() {
        let (store, _folder) = temporary();
        let run_store = RunStore::open(&store);
        let (older, newer) = (full("2026-11-20T10:00:00Z"), plain("2026-11-20T11:00:00Z"));
        let flat = format!("runs/{}.json", older.id);
        store.put(&flat, older.json().into()).expect("the disk works");
        run_store.finish(&newer).expect("the disk works");
        assert!(store.is_there(&format!("runs/2026-11-20/{}.json", newer.id)), "in the folder of its day");
        let all = || run_store.list(None, None).expect("the folder can be listed").records;
        assert_eq!(all(), [older.clone(), newer.clone()]);
        assert!(run_store.contains(&older.id) && !run_store.claim(&older).expect("the disk works"));
        // Its own version goes on to write to it.
        run_store.finish(&older).expect("the disk works");
        assert!(store.is_there(&flat) && all().len() == 2);
        run_store.finish(&plain("2026-11-22T11:00:00Z")).expect("the disk works");
        let kept = run_store.apply_retention(&retention("2026-11-22T12:00:00Z")).expect("the disk works");
        assert_eq!((kept.archived, kept.problems.len()), (1, 0), "the last run of the job stays");
        assert_eq!(all().len(), 3);
        assert!(!store.has_folder("runs/2026-11-20"), "an empty folder goes");
    }

    /// A page that asks ten times a second leaves 864,000 records a day, which did not fit into memory.
    #[test]
    fn a_day_is_archived_in_pieces_and_its_late_records_join_the_last_one() {
        let (store, _folder) = temporary();
        let run_store = RunStore::open(&store);
        let at = |second: i64| moment("2026-11-20T00:00:00Z").plus_seconds(second).to_string();
        for second in 0..5_000 {
            run_store.save(&plain(&at(second))).expect("the disk works");
        }
        let retention = retention("2026-11-22T12:00:00Z");
        let archive = || run_store.apply_retention(&retention).expect("the disk works").archived;
        let files = || store.files("runs/date=2026-11-20").expect("it can be listed").len();
        assert_eq!((archive(), files()), (4_999, 2), "the last run stays");
        for second in 5_000..5_003 {
            run_store.save(&plain(&at(second))).expect("the disk works");
            assert_eq!((archive(), files()), (1, 2));
        }
        let listing = run_store.list(None, None).expect("the folder can be listed");
        assert_eq!((listing.records.len(), listing.problems.len()), (5_003, 0));
        let first = &listing.records[0];
        assert_eq!(run_store.read(&first.id).expect("it can be read").as_ref(), Some(first));
    }
}
