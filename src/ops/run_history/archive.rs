//! Records of days that are over: a Parquet file for each day, until they are too old to be kept.
//!
//! Invariant: a record is in the day's file, on disk, before its own is removed; until then it is in both,
//! and counts once.

use std::collections::{BTreeMap, BTreeSet};

use crate::run_history::book::{Book, FOLDER, RunsError, path_of};
use crate::run_history::liveness::State;
use crate::run_history::name::moment_of;
use crate::run_history::newest::LastRuns;
use crate::run_history::record::{Outcome, RunRecord};
use topsell_core::model::{Date, Timestamp};
use topsell_core::parquet_format::{decode_run_records, encode_run_records};
use topsell_core::storage::StoreError;

/// How a day's folder begins.
const DAY: &str = "date=";

/// What to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepRuns {
    /// Days before this one are over for good, and are put away.
    pub loose_since: Timestamp,
    /// Days before this one go.
    pub since: Timestamp,
}

/// What keeping records comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeptRuns {
    /// Records that were put away into the files of their days.
    pub archived: u64,
    /// Files that are removed since they are too old: days, and records of their own.
    pub old: Vec<String>,
    /// What could not be put away, and was left as it is.
    pub problems: Vec<String>,
}

impl Book {
    /// Says what is to be put away, and which files are too old.
    ///
    /// # Errors
    /// Fails where the folder cannot be listed.
    pub fn plan_keeping(&self, keep: &KeepRuns) -> Result<KeptRuns, StoreError> {
        let mut kept = KeptRuns { old: self.old(keep)?, ..KeptRuns::default() };
        kept.archived = self.due_days(keep)?.into_values().map(|ids| ids.len() as u64).sum();
        Ok(kept)
    }

    /// Puts away the records of days that are over, and removes what is too old; one at a time may do this.
    ///
    /// # Errors
    /// Fails where the disk does; no record is lost by it.
    pub fn keep(&self, keep: &KeepRuns) -> Result<KeptRuns, StoreError> {
        let mut kept = KeptRuns { old: self.old(keep)?, ..KeptRuns::default() };
        for path in &kept.old {
            self.remove(path)?;
        }
        for (day, ids) in self.due_days(keep)? {
            match self.put_away(day, &ids) {
                Ok(archived) => kept.archived += archived,
                Err(RunsError::Store(error)) => return Err(error),
                Err(error) => kept.problems.push(error.to_string()),
            }
        }
        Ok(kept)
    }

    /// Returns the record of a day that was put away, if it is there.
    pub(super) fn archived(&self, id: &str) -> Result<Option<RunRecord>, RunsError> {
        let Some(moment) = moment_of(id) else { return Ok(None) };
        let folder = folder_of(moment.hour().date());
        if !self.store.has_folder(&format!("{FOLDER}/{folder}")) {
            return Ok(None);
        }
        let (records, _) = self.read_day(&folder)?;
        Ok(records.into_iter().find(|record| record.id == id))
    }

    /// Returns the records in a day's folder, and what is wrong with its files.
    pub(super) fn read_day(&self, folder: &str) -> Result<(Vec<RunRecord>, Vec<RunsError>), RunsError> {
        // A file that goes while we look was put into another, which is there by then.
        const TRIES: u32 = 5;
        for _ in 0..TRIES {
            let (mut records, mut problems, mut is_moving) = (Vec::new(), Vec::new(), false);
            for path in self.files_of(folder)? {
                let file = self.store.location_of(&path);
                match self.store.get(&path) {
                    Err(error) if error.is_not_found() => is_moving = true,
                    Err(error) => problems.push(error.into()),
                    Ok(bytes) => match decode_run_records::<RunRecord>(bytes) {
                        Ok(read) => records.extend(read.into_iter().map(spelled)),
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

    /// Returns the records of their own that are to be put away, by day.
    fn due_days(&self, keep: &KeepRuns) -> Result<BTreeMap<Date, Vec<String>>, StoreError> {
        let loose_since = keep.loose_since.hour().date();
        let mut days: BTreeMap<Date, Vec<String>> = BTreeMap::new();
        // What ran last is asked for by who watches, however long ago it was.
        let last: BTreeSet<String> = match self.last_runs() {
            Ok((last, _)) => last.into_values().flat_map(LastRuns::ids).collect(),
            Err(RunsError::Store(error)) => return Err(error),
            Err(_) => BTreeSet::new(),
        };
        for id in self.ids()? {
            let Some(day) = moment_of(&id).map(|moment| moment.hour().date()) else { continue };
            if day < loose_since && day >= keep.since.hour().date() && !last.contains(&id) {
                days.entry(day).or_default().push(id);
            }
        }
        Ok(days)
    }

    /// Puts the records of a day into one file, together with what was there before; tells how many.
    fn put_away(&self, day: Date, ids: &[String]) -> Result<u64, RunsError> {
        let folder = folder_of(day);
        let before = self.files_of(&folder)?;
        let (records, problems) = self.read_day(&folder)?;
        if let Some(problem) = problems.into_iter().next() {
            // Nothing is put in the place of what may yet be mended.
            return Err(problem);
        }
        let mut all: BTreeMap<String, RunRecord> =
            records.into_iter().map(|record| (record.id.clone(), record)).collect();
        let mut going = Vec::new();
        for id in ids {
            // What is no record stays as it is until it is too old.
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
        // Named by what is in it: the same records again are the same file again.
        let path = format!("{at}/{}.parquet", &blake3::hash(&bytes).to_hex()[..16]);
        self.store.put(&path, bytes)?;
        for old in going.iter().chain(before.iter().filter(|before| **before != path)) {
            self.store.delete(old)?;
        }
        Ok(going.len() as u64)
    }

    /// Returns what is too old: days, and whatever else has the name of a run.
    fn old(&self, keep: &KeepRuns) -> Result<Vec<String>, StoreError> {
        let since = keep.since.hour().date();
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

/// Returns the day of a folder; none of what is no such folder.
pub(super) fn day_of(name: &str) -> Option<Date> {
    Date::parse(name.strip_prefix(DAY)?)
}

fn folder_of(day: Date) -> String {
    format!("{DAY}{day}")
}

/// Tells whether nobody will write to a record any more.
fn is_over(record: &RunRecord) -> bool {
    match record.state() {
        State::Ended(outcome) => outcome != Outcome::Started,
        // Whoever has the job next says how it ended.
        State::NeverEnded => record.due.is_none(),
        State::Running | State::PerhapsRunning => false,
    }
}

/// Tells whether all moments of a record are spelled as we do: columns hold no others.
fn has_moments(record: &RunRecord) -> bool {
    let of_spans = record.spans.iter().flat_map(|span| [Some(&span.started), span.ended.as_ref()]);
    let due = record.due.as_ref().and_then(|due| due.at.as_ref());
    let mut all = [Some(&record.started), record.ended.as_ref(), due].into_iter().chain(of_spans).flatten();
    all.all(|text| Timestamp::parse(text).is_ok_and(|moment| moment.to_string() == *text))
}

/// Returns a record with its moments spelled as they were.
fn spelled(mut record: RunRecord) -> RunRecord {
    let spell = |text: &mut String| {
        if let Ok(moment) = Timestamp::parse(text) {
            *text = moment.to_string();
        }
    };
    spell(&mut record.started);
    record.ended.iter_mut().for_each(spell);
    record.due.iter_mut().filter_map(|due| due.at.as_mut()).for_each(spell);
    for span in &mut record.spans {
        spell(&mut span.started);
        span.ended.iter_mut().for_each(spell);
    }
    record
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::process::Identity;
    use crate::run_history::name::{due_id, fresh_id};
    use crate::run_history::record::{Due, Span, Versions};
    use topsell_core::storage::temporary;

    fn moment(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("it is a moment")
    }

    /// Returns the record of a run of which everything is told.
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
            id: due_id("nightly", moment(started), 1),
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
            id: fresh_id(moment(started), "rank"),
            command: "rank".to_owned(),
            started: started.to_owned(),
            outcome: Outcome::Done,
            ..RunRecord::default()
        }
    }

    fn keep(now: &str) -> KeepRuns {
        let now = moment(now);
        KeepRuns { loose_since: now.plus_seconds(-86_400), since: now.plus_seconds(-90 * 86_400) }
    }

    #[test]
    fn what_is_put_away_is_what_it_was_and_counts_once() {
        let (store, _folder) = temporary();
        let book = Book::open(&store);
        let records = [
            full("2026-11-20T10:00:00Z"),
            plain("2026-11-20T10:00:00.1Z"),
            plain("2026-11-20T10:00:00.12Z"),
            full("2026-11-22T00:00:00Z"),
            plain("2026-11-22T00:00:00.5Z"),
        ];
        records.iter().for_each(|record| book.finish(record).expect("the disk works"));
        let all = || {
            let listing = book.list(None, None).expect("the folder can be listed");
            assert!(listing.problems.is_empty(), "{:?}", listing.problems);
            listing.records
        };
        assert_eq!(all(), records, "in the order of their beginnings");
        let planned = book.plan_keeping(&keep("2026-11-22T12:00:00Z")).expect("the folder can be listed");
        let kept = book.keep(&keep("2026-11-22T12:00:00Z")).expect("the disk works");
        assert_eq!((planned.archived, kept.archived, kept.problems.len()), (3, 3, 0));
        assert_eq!(store.files("runs/date=2026-11-20").expect("it is there").len(), 1);
        assert_eq!(all(), records);
        // As if whoever put them away was stopped before the last was removed.
        book.finish(&records[0]).expect("the disk works");
        assert_eq!(all(), records);
        let late = plain("2026-11-20T23:59:59.999999Z");
        book.finish(&late).expect("the disk works");
        assert_eq!(book.keep(&keep("2026-11-22T12:00:00Z")).expect("the disk works").archived, 2);
        assert_eq!(store.files("runs/date=2026-11-20").expect("it is there").len(), 1, "the older one went");
        assert_eq!(all().len(), 6);
        assert_eq!(book.read(&late.id).expect("it can be read"), Some(late));
        let since = Some(moment("2026-11-20T10:00:00.1Z"));
        let until = Some(moment("2026-11-22T00:00:00Z"));
        assert_eq!(book.list(since, until).expect("the folder can be listed").records.len(), 3);
    }

    #[test]
    fn a_due_run_that_was_put_away_cannot_be_claimed_again() {
        let (store, _folder) = temporary();
        let book = Book::open(&store);
        let record = full("2026-11-20T10:00:00Z");
        assert!(book.claim(&record).expect("the disk works"));
        assert!(!book.claim(&record).expect("the disk works"));
        assert!(book.claim(&full("2026-11-22T10:00:00Z")).expect("the disk works"));
        book.keep(&keep("2026-11-22T12:00:00Z")).expect("the disk works");
        assert!(store.has_folder("runs/date=2026-11-20") && !store.is_there(&path_of(&record.id)));
        assert!(!book.claim(&record).expect("the disk works"));
        assert!(book.claim(&full("2026-11-21T10:00:00Z")).expect("the disk works"));
    }

    #[test]
    fn what_may_yet_be_written_to_stays_and_what_is_too_old_goes() {
        let (store, _folder) = temporary();
        let book = Book::open(&store);
        let mut running = plain("2026-11-20T01:00:00Z");
        (running.outcome, running.ended) = (Outcome::Started, None);
        running.is_run_by(Identity::own());
        let mut unsaid = full("2026-11-20T02:00:00Z");
        unsaid.outcome = Outcome::Started;
        unsaid.is_run_by(Identity { start_ticks: Some(1), ..Identity::own() });
        let mut dead = plain("2026-11-20T03:00:00Z");
        dead.outcome = Outcome::Started;
        dead.is_run_by(Identity { start_ticks: Some(1), ..Identity::own() });
        let mut odd = plain("2026-11-20T04:00:00Z");
        odd.started = "noon".to_owned();
        let last = plain("2026-11-20T06:00:00Z");
        for record in [&running, &unsaid, &dead, &odd, &last, &plain("2026-08-01T00:00:00Z")] {
            book.note(record).expect("the disk works");
        }
        store.put("runs/20260801T000000Z-torn.json", "{".into()).expect("the disk works");
        store.put("runs/20261120T050000Z-torn.json", "{".into()).expect("the disk works");
        store.put("runs/date=2026-08-01/x.parquet", "PAR1".into()).expect("the disk works");
        let kept = book.keep(&keep("2026-11-22T12:00:00Z")).expect("the disk works");
        assert_eq!((kept.archived, kept.old.len()), (1, 3), "{kept:?}");
        let mut left = store.names("runs").expect("it is there");
        left.sort_unstable();
        let ids = [&running.id, &unsaid.id, &odd.id, &last.id].map(|id| format!("{id}.json"));
        let [running, unsaid, odd, last] = ids.each_ref().map(String::as_str);
        assert_eq!(left, [running, unsaid, odd, "20261120T050000Z-torn.json", last, "date=2026-11-20"]);
        let listing = book.list(None, None).expect("the folder can be listed");
        assert_eq!((listing.records.len(), listing.problems.len()), (5, 1));
    }
}
