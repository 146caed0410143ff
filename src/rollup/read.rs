//! Reading the sums of a span of hours.

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::columns::decode_sums;
use crate::event::SumRows;
use crate::rollup::{ROLLUPS, RollupError, Rollups};
use crate::table::LiveFile;
use crate::time::{Date, Hour, Timestamp};
use crate::trace::{Run, Stage};

/// Where a rollup file lies, and which hours it may hold.
pub(super) struct Place {
    pub event_type: String,
    pub category: Option<String>,
    pub date: Date,
    first_hour: i32,
    last_hour: i32,
}

/// Which sums to read.
pub struct Wanted<'a> {
    pub event_types: &'a [String],
    /// First hour, and the hour after the last.
    pub hours: std::ops::Range<Hour>,
    /// Tells of a set of paths, joined by `|`, whether its sums are wanted.
    pub paths: &'a (dyn Fn(&str) -> bool + Sync),
}

impl Place {
    /// Tells whether the file may hold rows of an hour.
    pub fn may_hold(&self, hour: Hour) -> bool {
        hour.date() == self.date && (self.first_hour..=self.last_hour).contains(&hour.of_day())
    }

    /// Returns the moment the file's day ends.
    pub fn end(&self) -> Timestamp {
        Hour::of(self.date, 24).start()
    }

    fn may_be_wanted(&self, wanted: &Wanted<'_>) -> bool {
        let first = Hour::of(self.date, self.first_hour);
        let last = Hour::of(self.date, self.last_hour);
        let in_span = first < wanted.hours.end && last >= wanted.hours.start;
        in_span && wanted.event_types.contains(&self.event_type)
    }
}

/// Reads a rollup file's place from its partition and the hours that the log says it has.
pub(super) fn place_of(file: &LiveFile) -> Result<Place, RollupError> {
    let text = |name: &str| file.partition.get(name).and_then(Option::as_deref);
    let bad = || RollupError::BadPartition { file: format!("{ROLLUPS}/{}", file.path) };
    let hour = |ends: &serde_json::Value, otherwise: i32| {
        ends["hour"].as_i64().and_then(|hour| i32::try_from(hour).ok()).unwrap_or(otherwise)
    };
    Ok(Place {
        event_type: text("event_type").ok_or_else(bad)?.to_owned(),
        category: text("category").map(str::to_owned),
        date: text("date").and_then(Date::parse).ok_or_else(bad)?,
        first_hour: hour(&file.min_values, 0),
        last_hour: hour(&file.max_values, 23),
    })
}

/// The rollups of one version, whatever is committed meanwhile.
pub struct Pinned<'a> {
    rollups: &'a Rollups,
    files: Vec<(LiveFile, Place)>,
}

impl Pinned<'_> {
    /// Returns the wanted sums.
    ///
    /// # Errors
    /// Names the file that is missing or damaged.
    pub fn read(&self, wanted: &Wanted<'_>, run: &Run) -> Result<SumRows, RollupError> {
        let mut by_category: BTreeMap<Option<&str>, Vec<&(LiveFile, Place)>> = BTreeMap::new();
        let mut rows = 0;
        for pinned in self.files.iter().filter(|(_, place)| place.may_be_wanted(wanted)) {
            rows += pinned.0.rows;
            by_category.entry(pinned.1.category.as_deref()).or_default().push(pinned);
        }
        run.begin(Stage::Read, Some(rows));
        // An item lies mostly below one category, so its id is looked up once there and once here.
        let parts: Result<Vec<SumRows>, RollupError> = by_category
            .into_values()
            .collect::<Vec<_>>()
            .into_par_iter()
            .map(|files| {
                let mut part = SumRows::default();
                for (file, place) in files {
                    self.rollups.read_file(file, place, wanted, &mut part)?;
                    run.advance(Stage::Read, file.rows);
                }
                Ok(part)
            })
            .collect();
        let mut all = SumRows::default();
        for part in parts? {
            all.append(&part);
        }
        run.end(Stage::Read);
        Ok(all)
    }
}

impl Rollups {
    /// Returns the newest version's sums, to be read in several steps that fit together.
    ///
    /// # Errors
    /// Fails where the table's log cannot be read.
    pub fn pin(&self) -> Result<Pinned<'_>, RollupError> {
        let files = self.table.newest()?.files()?.into_iter();
        let placed = files.map(|file| place_of(&file).map(|place| (file, place)));
        Ok(Pinned { rollups: self, files: placed.collect::<Result<_, _>>()? })
    }

    /// Appends a file's wanted rows.
    pub(super) fn read_file(
        &self,
        file: &LiveFile,
        place: &Place,
        wanted: &Wanted<'_>,
        into: &mut SumRows,
    ) -> Result<(), RollupError> {
        let path = format!("{ROLLUPS}/{}", file.path);
        let bytes = self.store.get(&path)?;
        decode_sums(
            bytes,
            place.date,
            &|hour| wanted.hours.contains(&hour),
            &|paths| (wanted.paths)(paths),
            into,
        )
        .map_err(|source| RollupError::Columns { file: path, source })
    }
}
