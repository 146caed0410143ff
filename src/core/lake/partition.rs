//! Partitions of the tables `events` and `rollups`: event type, group of categories, and date; and which hours of
//! the day a file has.
//!
//! ```text
//! event_type=purchase/category_group=GROCERY/date=2017-01-07/….parquet
//! event_type=purchase/category_group=~07/date=2017-01-07/….parquet
//! event_type=purchase/category_group=~/date=2016-12-25/….parquet
//! ```

use std::collections::BTreeSet;
use std::ops::Range;

use serde_json::Value;

use crate::delta::{LiveFile, NamedFile, Partition};
use crate::model::{CategoryGroup, Date, Hour, Shard, Timestamp};
use crate::storage::folder_name;

/// The column that names the group of categories.
pub const CATEGORY_GROUP: &str = "category_group";

/// The day of a group of categories.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DayPartition {
    pub event_type: String,
    pub date: Date,
    pub group: CategoryGroup,
}

/// The partition of a file, and the first and the last hour of the day that it may have.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FilePartition {
    pub day: DayPartition,
    first_hour: i32,
    last_hour: i32,
}

impl DayPartition {
    /// Reads the partition values of a file or a change.
    pub fn of(values: &Partition) -> Option<DayPartition> {
        let text = |name: &str| values.get(name)?.as_deref();
        Some(DayPartition {
            event_type: text("event_type")?.to_owned(),
            date: Date::parse(text("date")?)?,
            group: CategoryGroup::parse(text(CATEGORY_GROUP))?,
        })
    }

    /// Returns the partition values.
    pub fn values(&self) -> Partition {
        Partition::from([
            ("event_type".to_owned(), Some(self.event_type.clone())),
            (CATEGORY_GROUP.to_owned(), self.group.value()),
            ("date".to_owned(), Some(self.date.to_string())),
        ])
    }

    /// Returns the folder of its files.
    pub fn folder(&self) -> String {
        [
            folder_name("event_type", Some(&self.event_type)),
            folder_name(CATEGORY_GROUP, self.group.value().as_deref()),
            format!("date={}", self.date),
        ]
        .join("/")
    }

    /// Returns the moment the day ends.
    pub fn end(&self) -> Timestamp {
        Hour::of(self.date, 24).start()
    }
}

impl FilePartition {
    /// Returns the partition of a file with the given first and last hour of its day.
    pub fn new(day: DayPartition, hours_of_day: (i32, i32)) -> FilePartition {
        FilePartition { day, first_hour: hours_of_day.0, last_hour: hours_of_day.1 }
    }

    /// Reads a file's partition values, and the range of hours in the log's column statistics.
    pub fn of(file: &NamedFile) -> Option<FilePartition> {
        let hour = |value: &Value, default: i32| {
            let hour = value.as_i64().and_then(|hour| i32::try_from(hour).ok());
            hour.filter(|hour| (0..24).contains(hour)).unwrap_or(default)
        };
        // Statistics of another program may be in no order.
        let (least, most) = file.stats.range("hour");
        let hours = (hour(&least, 0), hour(&most, 23));
        let hours = if hours.0 <= hours.1 { hours } else { (0, 23) };
        Some(FilePartition::new(DayPartition::of(&file.partition)?, hours))
    }

    /// Returns the name of the only category that a file has, as far as the log's column statistics tell, or else
    /// says of which shard it has some.
    pub fn category_name(&self, file: &NamedFile) -> String {
        let (least, most) = file.stats.range("category");
        match least.as_str().filter(|least| most.as_str() == Some(*least)) {
            Some(category) => category.to_owned(),
            None => self.day.group.to_string(),
        }
    }

    /// Returns the first and the last hour of the day.
    pub fn hours_of_day(&self) -> (i32, i32) {
        (self.first_hour, self.last_hour)
    }

    /// Returns the first hour that the file may have.
    pub fn first(&self) -> Hour {
        Hour::of(self.day.date, self.first_hour)
    }

    /// Returns the last hour that the file may have.
    pub fn last(&self) -> Hour {
        Hour::of(self.day.date, self.last_hour)
    }

    /// Returns all hours that the file may have.
    pub fn hours(&self) -> impl Iterator<Item = Hour> + use<> {
        let date = self.day.date;
        (self.first_hour..=self.last_hour).map(move |hour| Hour::of(date, hour))
    }

    /// Returns the hours of its day that are wanted, by hour of day; of a file of several days, those after its date,
    /// too.
    pub fn hours_by_number(&self, is_wanted: impl Fn(&Hour) -> bool) -> Vec<Option<Hour>> {
        let hours = (0..24.max(self.last_hour + 1)).map(|hour| Hour::of(self.day.date, hour));
        hours.map(|hour| Some(hour).filter(&is_wanted)).collect()
    }

    /// Returns whether the file may have rows of an hour.
    pub fn may_contain(&self, hour: Hour) -> bool {
        self.first() <= hour && hour <= self.last()
    }

    /// Returns whether the file may have rows of some hours.
    pub fn overlaps(&self, hours: &Range<Hour>) -> bool {
        self.first() < hours.end && hours.start <= self.last()
    }
}

/// Returns the name of the only category that some files have which are merged, or else says which shard it is.
pub fn category_name_of(files: &[(FilePartition, LiveFile)]) -> String {
    let names = files.iter().map(|(partition, file)| partition.category_name(file));
    let names: BTreeSet<String> = names.collect();
    let mut shards = files.iter().map(|(partition, _)| partition.day.group.shard());
    let shard =
        shards.next().map(|first| if shards.all(|shard| shard == first) { first } else { Shard::All });
    match (names.len(), shard) {
        (2.., Some(shard)) => shard.to_string(),
        _ => names.into_iter().next().unwrap_or_default(),
    }
}

/// Returns the number of gaps before an hour among some hours.
pub(super) fn run_of(hours: &BTreeSet<Hour>, hour: Hour) -> usize {
    let before = hours.range(..=hour);
    before.clone().zip(before.skip(1)).filter(|(a, b)| a.plus(1) != **b).count()
}
