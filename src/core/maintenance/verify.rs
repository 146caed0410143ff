//! Verification of a lake: every referenced file is there and can be read, and the aggregates are what
//! the events add up to.
//!
//! Logs, pointers and what is known of ingested files come first, then the data, day by day, the oldest first.
//!
//! Invariant: nothing is written, and what is damaged does not keep the rest from being checked.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use crate::delta::{LiveFile, LogCheck, LogPlan, TableError};
use crate::lake::LakeScope;
use crate::lake::{self, FilePartition, Lake, LakeError};
use crate::maintenance::gaps::{Gap, gaps};
use crate::maintenance::problem::{FileState, LakeTable, Problem, ProblemKind, TableFile};
use crate::maintenance::seen_version::seen_by_rollups;
use crate::maintenance::stop_request::StopRequest;
use crate::model::{Date, Hour};
use crate::parquet_format::EventColumns;
use crate::progress::{Progress, Stage};
use crate::rankings;
use crate::rollup::{RollupError, Rollups, Verification};
use crate::storage::{NamedChecksums, Store};

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// How much was to be verified.
    pub scope: LakeScope,
    /// Files that were checked.
    pub event_files: u64,
    pub rollup_files: u64,
    /// Copies of whole months, which were compared with the files of their days.
    pub months: u64,
    /// Indexes of paths, which were compared with the files of their days.
    pub path_indexes: u64,
    /// Files of both tables that were not, since they are not in the scope.
    pub files_left: u64,
    /// Published rankings, the newest and older ones.
    pub rankings: u64,
    /// Hours without events between the first and the last with some: a quiet night, or a log shipper
    /// that failed.
    pub gaps: Vec<Gap>,
    /// Days of categories whose aggregates were recomputed and compared.
    pub days_recomputed: u64,
    /// Days of an event type whose aggregates were not compared, since events were added after the last rollup,
    pub days_changed: u64,
    /// or since a file of them is damaged.
    pub days_damaged: u64,
    /// Files of the tables' logs.
    pub log_files: u64,
    /// Files of all kinds that have no checksum: of older versions, or of other programs.
    pub without_checksum: u64,
    /// The tables that cannot be opened, of which no file was checked.
    pub unopened: Vec<LakeTable>,
    /// How the log of each table can be repaired.
    pub log_plans: Vec<(LakeTable, LogPlan)>,
    /// The day before which everything is verified, where it was asked to stop.
    pub stopped_at: Option<Date>,
    pub problems: Vec<Problem>,
}

/// The files of a day.
#[derive(Default)]
struct Day {
    events: Vec<LiveFile>,
    rollups: Vec<LiveFile>,
    /// The event types whose aggregates are compared.
    compared: BTreeSet<String>,
}

/// Reads every referenced file, recomputes the aggregates from raw events, and checks the published
/// rankings; changes nothing.
///
/// # Errors
/// Fails where there is no lake, a table is incompatible, or a folder cannot be listed; files that are damaged,
/// missing or cannot be read are reported as problems.
pub fn verify(
    store: &Store,
    scope: LakeScope,
    stop: &StopRequest,
    progress: &Progress,
) -> Result<Verified, RollupError> {
    let mut found = Verified { scope, ..Verified::default() };
    progress.begin(Stage::VerifyRankings, None);
    let log_of_rollups = crate::rollup::log(store).check_all(None)?;
    let seen = seen_by_rollups(store, &log_of_rollups);
    found.add_log(LakeTable::Events, lake::events_log(store).check_all(seen)?);
    found.add_log(LakeTable::Rollups, log_of_rollups);
    found.problems.extend(lake::check_inputs(store)?.into_iter().map(|(path, error)| {
        let is_damaged = matches!(error, LakeError::DamagedInputs { .. });
        let kind = if is_damaged { ProblemKind::Inputs(path) } else { ProblemKind::OutOfReach };
        Problem { kind, text: error.to_string() }
    }));
    let wants = |path: &str, as_of: Hour| scope.has_file(path, as_of);
    let published = rankings::check_published(store, &wants)?;
    found.rankings = published.rankings;
    let problems = published.problems.into_iter();
    found.problems.extend(problems.map(|(file, text)| {
        let kind = file.map_or(ProblemKind::OutOfReach, ProblemKind::Published);
        Problem { kind, text }
    }));
    progress.end(Stage::VerifyRankings);
    let lake = found.unless_damaged(LakeTable::Events, events_of(store))?;
    let rollups = found.unless_damaged(LakeTable::Rollups, rollups_of(store))?.flatten();
    let mut days: BTreeMap<Date, Day> = BTreeMap::new();
    if let Some((_, files)) = &lake {
        found.gaps = gaps(files)?;
        found.gaps.retain(|gap| scope.is_since(gap.first.plus(gap.hours.cast_signed())));
        for file in files {
            let bad = || LakeError::BadPartition { file: file.path.clone() };
            let partition = FilePartition::of(file).ok_or_else(bad)?;
            match scope.has_file(&format!("events/{}", file.path), partition.last().plus(1)) {
                true => days.entry(partition.day.date).or_default().events.push(file.clone()),
                false => found.files_left += 1,
            }
        }
    }
    if let Some((_, files)) = &rollups {
        for file in files {
            let date = Rollups::date_of(file)?;
            match scope.has_file(&format!("rollups/{}", file.path), Hour::of(date, 24)) {
                true => days.entry(date).or_default().rollups.push(file.clone()),
                false => found.files_left += 1,
            }
        }
    }
    let comparison = lake.as_ref().filter(|_| found.unopened.is_empty());
    let comparison = comparison.map(|(lake, _)| Verification::of(lake, scope)).transpose()?;
    for (event_type, date) in comparison.iter().flat_map(Verification::days) {
        if scope.has_day(event_type, *date) {
            days.entry(*date).or_default().compared.insert(event_type.clone());
        }
    }
    let checked = Checked {
        lake: lake.as_ref().map(|(lake, _)| lake),
        rollups: rollups.as_ref().map(|(rollups, _)| rollups),
        comparison: comparison.as_ref(),
    };
    found.check_days(&checked, &days, stop, progress)?;
    if let Some((rollups, files)) = rollups.as_ref().filter(|_| found.stopped_at.is_none()) {
        found.check_months(rollups, files)?;
        found.check_path_indexes(rollups, files)?;
    }
    Ok(found)
}

/// What is there to be checked, as far as it can be opened.
struct Checked<'a> {
    lake: Option<&'a Lake>,
    rollups: Option<&'a Rollups>,
    comparison: Option<&'a Verification<'a>>,
}

/// Opens the lake, and returns the files of its events.
fn events_of(store: &Store) -> Result<(Lake, Vec<LiveFile>), RollupError> {
    let lake = Lake::open(store.clone())?;
    let files = lake.events().newest()?.files()?;
    Ok((lake, files))
}

fn rollups_of(store: &Store) -> Result<Option<(Rollups, Vec<LiveFile>)>, RollupError> {
    let Some(rollups) = Rollups::open(store)? else { return Ok(None) };
    let files = rollups.files()?.1;
    Ok(Some((rollups, files)))
}

impl Verified {
    fn add_log(&mut self, table: LakeTable, checked: LogCheck) {
        self.log_files += checked.files;
        self.without_checksum += checked.without_checksum;
        self.log_plans.push((table, checked.plan_repair()));
        let problems = checked.problems.into_iter();
        self.problems.extend(problems.map(|problem| {
            let text = problem.text.clone();
            Problem { kind: ProblemKind::Log(table, problem), text }
        }));
    }

    /// Returns what was opened; where that is damaged, none, and the damage is a problem.
    fn unless_damaged<T>(
        &mut self,
        table: LakeTable,
        opened: Result<T, RollupError>,
    ) -> Result<Option<T>, RollupError> {
        let error = match opened {
            Ok(opened) => return Ok(Some(opened)),
            Err(error) => error,
        };
        let of_table = match &error {
            RollupError::Lake(LakeError::Table(error)) | RollupError::Table(error) => error,
            // There is no lake, or it has another format.
            _ => return Err(error),
        };
        if matches!(of_table, TableError::Incompatible { .. }) {
            return Err(error);
        }
        self.unopened.push(table);
        let is_of_log = |problem: &Problem| matches!(&problem.kind, ProblemKind::Log(of, _) if *of == table);
        // Where a file of the log is damaged, that is why, and it is said already.
        if !self.problems.iter().any(is_of_log) {
            let kind = if of_table.is_damage() { ProblemKind::Table(table) } else { ProblemKind::OutOfReach };
            self.problems.push(Problem { kind, text: error.to_string() });
        }
        Ok(None)
    }

    fn check_days(
        &mut self,
        checked: &Checked<'_>,
        days: &BTreeMap<Date, Day>,
        stop: &StopRequest,
        progress: &Progress,
    ) -> Result<(), RollupError> {
        let files = days.values().flat_map(|day| day.events.iter().chain(&day.rollups));
        progress.begin(Stage::VerifyFiles, Some(files.map(|file| file.size_bytes).sum()));
        for (date, day) in days {
            if stop.is_made() {
                self.stopped_at = Some(*date);
                break;
            }
            self.check_day(checked, *date, day, progress)?;
        }
        progress.end(Stage::VerifyFiles);
        Ok(())
    }

    fn check_day(
        &mut self,
        checked: &Checked<'_>,
        date: Date,
        day: &Day,
        progress: &Progress,
    ) -> Result<(), RollupError> {
        let advance = |file: &LiveFile| progress.advance(Stage::VerifyFiles, file.size_bytes);
        let mut broken = Vec::new();
        if let Some(lake) = checked.lake {
            self.event_files += day.events.len() as u64;
            self.without_checksum += without_checksum(&day.events);
            let of_events = day.events.par_iter().filter_map(|file| {
                let problem = problem_of(LakeTable::Events, file, rows_of_events(lake, file));
                advance(file);
                problem
            });
            broken.extend(of_events.collect::<Vec<_>>());
        }
        if let Some(rollups) = checked.rollups {
            self.rollup_files += day.rollups.len() as u64;
            self.without_checksum += without_checksum(&day.rollups);
            let of_rollups = day.rollups.par_iter().filter_map(|file| {
                let problem = problem_of(LakeTable::Rollups, file, rollups.check_file(file));
                advance(file);
                problem
            });
            broken.extend(of_rollups.collect::<Vec<_>>());
        }
        let types: BTreeSet<String> = broken.iter().filter_map(Problem::event_type).collect();
        self.problems.extend(broken);
        let Some(comparison) = checked.comparison else { return Ok(()) };
        for event_type in &day.compared {
            let key = (event_type.clone(), date);
            if comparison.has_changed(&key) {
                self.days_changed += 1;
                continue;
            }
            if types.contains(event_type) {
                self.days_damaged += 1;
                continue;
            }
            match comparison.compare(&key, progress) {
                Ok((categories, differing)) => {
                    self.days_recomputed += categories;
                    self.problems.extend(differing.into_iter().map(|day| Problem {
                        text: format!("rollups: {day}: not what the events add up to"),
                        kind: ProblemKind::Differing(day.event_type, day.date),
                    }));
                }
                // A file of it is not in the share, and damaged.
                Err(error) => {
                    self.days_damaged += 1;
                    self.problems.push(Problem { kind: ProblemKind::Day, text: error.to_string() });
                }
            }
        }
        Ok(())
    }

    fn check_months(&mut self, rollups: &Rollups, files: &[LiveFile]) -> Result<(), RollupError> {
        let scope = self.scope;
        let copies = rollups.copies(files)?;
        for copy in copies.iter().filter(|copy| scope.has_file(&copy.path(), copy.end())) {
            self.months += 1;
            let path = copy.path();
            let problem = match rollups.rows_of_days(copy) {
                // Where the file is in the scope, it is a problem already.
                Err(error) => Problem { kind: ProblemKind::Day, text: error.to_string() },
                Ok(days) => match rollups.rows_of_copy(copy) {
                    Ok(rows) if rows.is_same_as(&days) => continue,
                    Ok(_) => {
                        let text = format!("{path}: not what the files of its days have");
                        Problem { kind: ProblemKind::Month(path), text }
                    }
                    Err(error) => Problem { kind: ProblemKind::Month(path), text: error.to_string() },
                },
            };
            self.add_new(problem);
        }
        Ok(())
    }

    fn check_path_indexes(&mut self, rollups: &Rollups, files: &[LiveFile]) -> Result<(), RollupError> {
        let scope = self.scope;
        let indexes = rollups.path_indexes(files)?;
        for index in indexes.iter().filter(|index| scope.has_file(index.path(), index.end())) {
            self.path_indexes += 1;
            let path = index.path().to_owned();
            let read = match rollups.read_path_index(index) {
                Ok(read) => read,
                Err(error) => {
                    let text = error.to_string();
                    self.add_new(Problem { kind: ProblemKind::PathIndex(path), text });
                    continue;
                }
            };
            match rollups.has_right_paths(index, &read) {
                Ok(true) => {}
                Ok(false) => {
                    let text = format!("{path}: not the paths that the files of its days have");
                    self.add_new(Problem { kind: ProblemKind::PathIndex(path), text });
                }
                // Where the file is in the scope, it is a problem already.
                Err(error) => self.add_new(Problem { kind: ProblemKind::Day, text: error.to_string() }),
            }
        }
        Ok(())
    }

    /// Adds a problem that is not known yet.
    fn add_new(&mut self, problem: Problem) {
        if self.problems.iter().all(|known| known.text != problem.text) {
            self.problems.push(problem);
        }
    }
}

fn rows_of_events(lake: &Lake, file: &LiveFile) -> Result<u64, RollupError> {
    if lake.store().check_whole(&format!("events/{}", file.path), file.size_bytes)? {
        return Ok(file.rows);
    }
    let mut rows = 0;
    lake.read_events(file, EventColumns::All, &mut |batch| rows += batch.rows() as u64)?;
    Ok(rows)
}

/// Returns what is wrong with a file of a table, given how many rows it has.
fn problem_of(table: LakeTable, file: &LiveFile, rows: Result<u64, RollupError>) -> Option<Problem> {
    let (state, text) = match rows {
        Ok(rows) if rows == file.rows => return None,
        Ok(rows) => {
            let text = format!("{table}/{}: has {rows} rows where the log says {}", file.path, file.rows);
            (FileState::Damaged, text)
        }
        Err(error) => (state_of(&error), error.to_string()),
    };
    let (path, partition) = (file.path.clone(), file.partition.clone());
    Some(Problem { kind: ProblemKind::File(TableFile { table, path, partition, state }), text })
}

fn state_of(error: &RollupError) -> FileState {
    let of_store = match error {
        RollupError::Store(error) | RollupError::Lake(LakeError::Store(error)) => error,
        // What was read is not such a file.
        _ => return FileState::Damaged,
    };
    match of_store {
        error if error.is_not_found() => FileState::Missing,
        error if error.is_out_of_reach() => FileState::OutOfReach,
        // It is shorter than what is read of it.
        _ => FileState::Damaged,
    }
}

fn without_checksum(files: &[LiveFile]) -> u64 {
    files.iter().filter(|file| NamedChecksums::of(&file.path).is_none()).count() as u64
}
