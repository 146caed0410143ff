//! Lists the records of a time range, archived or not.

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::run_history::archive_day::day_of_archive;
use crate::run_history::record::RunRecord;
use crate::run_history::run_id::moment_of;
use crate::run_history::run_store::{FOLDER, RunStore, RunsError};
use topsell_core::model::{Date, Timestamp};

/// The records of a time range.
#[derive(Debug, Default)]
pub struct Listing {
    /// Ordered by the times in their ids.
    pub records: Vec<RunRecord>,
    /// Files that are not records or cannot be read.
    pub problems: Vec<RunsError>,
}

impl RunStore {
    /// Returns the records of runs that started or were due in a time range; reads only the files that can
    /// contain some.
    ///
    /// # Errors
    /// Fails if the folder cannot be listed; errors of single files are among the problems.
    pub fn list(&self, since: Option<Timestamp>, until: Option<Timestamp>) -> Result<Listing, RunsError> {
        let is_wanted = |moment: Timestamp| {
            since.is_none_or(|since| since <= moment) && until.is_none_or(|until| moment < until)
        };
        let mut problems = Vec::new();
        let mut single = Vec::new();
        let is_of_it = |day: Date| {
            since.is_none_or(|since| since.hour().date() <= day)
                && until.is_none_or(|until| day <= until.hour().date())
        };
        for (_, folder) in self.folders()?.iter().filter(|(day, _)| day.is_none_or(is_of_it)) {
            for name in self.store.names(folder)? {
                let Some(id) = name.strip_suffix(".json") else { continue };
                let path = format!("{folder}/{name}");
                match moment_of(id) {
                    Some(moment) if is_wanted(moment) => single.push(path),
                    Some(_) => {}
                    None => problems.push(RunsError::Unreadable {
                        file: self.store.location_of(&path),
                        reason: "its name does not start with a timestamp".to_owned(),
                    }),
                }
            }
        }
        let read: Vec<_> = single.par_iter().filter_map(|path| self.read_file(path).transpose()).collect();
        let mut found = BTreeMap::new();
        // After the single files: records archived in between are found here.
        for name in self.store.names(FOLDER)? {
            if day_of_archive(&name).is_some_and(is_of_it) {
                let (records, bad) = self.read_day(&name)?;
                problems.extend(bad);
                found.extend(records.into_iter().map(|record| (record.id.clone(), record)));
            }
        }
        for record in read {
            match record {
                // In both if archiving was interrupted.
                Ok(record) => drop(found.insert(record.id.clone(), record)),
                Err(problem) => problems.push(problem),
            }
        }
        let mut records: Vec<(Timestamp, RunRecord)> = found
            .into_values()
            .filter_map(|record| moment_of(&record.id).map(|moment| (moment, record)))
            .filter(|(moment, _)| is_wanted(*moment))
            .collect();
        records.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.id.cmp(&b.1.id)));
        Ok(Listing { records: records.into_iter().map(|(_, record)| record).collect(), problems })
    }
}
