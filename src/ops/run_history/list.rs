//! All records of a time, wherever they lie.

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::run_history::archive::day_of;
use crate::run_history::book::{Book, FOLDER, RunsError};
use crate::run_history::name::moment_of;
use crate::run_history::record::RunRecord;
use topsell_core::model::Timestamp;

/// What records there are.
#[derive(Debug, Default)]
pub struct Listing {
    /// In the order of the moments that their names begin with.
    pub records: Vec<RunRecord>,
    /// Files that are no records, or cannot be read.
    pub problems: Vec<RunsError>,
}

impl Book {
    /// Returns the records of runs that began, or were due, from one moment on and before another; it opens
    /// only what may hold some.
    ///
    /// # Errors
    /// Fails where the folder cannot be listed; what is wrong with a file stands among the problems.
    pub fn list(&self, since: Option<Timestamp>, until: Option<Timestamp>) -> Result<Listing, RunsError> {
        let is_wanted = |moment: Timestamp| {
            since.is_none_or(|since| since <= moment) && until.is_none_or(|until| moment < until)
        };
        let mut problems = Vec::new();
        let mut loose = Vec::new();
        for name in self.store.names(FOLDER)? {
            let Some(id) = name.strip_suffix(".json") else { continue };
            let path = format!("{FOLDER}/{name}");
            match moment_of(id) {
                Some(moment) if is_wanted(moment) => loose.push(path),
                Some(_) => {}
                None => problems.push(RunsError::Unreadable {
                    file: self.store.location_of(&path),
                    reason: "its name does not begin with a moment".to_owned(),
                }),
            }
        }
        let read: Vec<_> = loose.par_iter().filter_map(|path| self.read_file(path).transpose()).collect();
        let mut found = BTreeMap::new();
        // After the loose ones: what was put away in between is found there.
        for name in self.store.names(FOLDER)? {
            let Some(day) = day_of(&name) else { continue };
            let is_of_it = since.is_none_or(|since| since.hour().date() <= day)
                && until.is_none_or(|until| day <= until.hour().date());
            if is_of_it {
                let (records, bad) = self.read_day(&name)?;
                problems.extend(bad);
                found.extend(records.into_iter().map(|record| (record.id.clone(), record)));
            }
        }
        for record in read {
            match record {
                // Where both are there, whoever put it away was stopped half-way.
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
