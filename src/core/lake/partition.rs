//! Partitions of the `events` table: event type, top-level category, date and hour.

use crate::delta::Partition;
use crate::model::{Date, Hour};
use crate::storage::folder_name;

/// The hour of one top-level category that a file of the `events` table holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HourPartition {
    pub event_type: String,
    pub hour: Hour,
    /// `None` for events without a category.
    pub category: Option<String>,
}

impl HourPartition {
    /// Reads the partition values of a file or a change.
    pub fn of(values: &Partition) -> Option<HourPartition> {
        let text = |name: &str| values.get(name)?.as_deref();
        let date = Date::parse(text("date")?)?;
        let hour: i32 = text("hour")?.parse().ok()?;
        Some(HourPartition {
            event_type: text("event_type")?.to_owned(),
            hour: Hour::of(date, hour),
            category: values.get("category").cloned().flatten(),
        })
    }

    pub(super) fn values(&self) -> Partition {
        let mut values = partition_map(&self.event_type, self.category.as_deref(), self.hour.date());
        values.insert("hour".to_owned(), Some(self.hour.of_day().to_string()));
        values
    }

    pub(super) fn folder(&self) -> String {
        let day = hive_folder(&self.event_type, self.category.as_deref(), self.hour.date());
        format!("{day}/hour={}", self.hour.of_day())
    }
}

/// Returns the partition values that events and rollups share.
pub fn partition_map(event_type: &str, category: Option<&str>, date: Date) -> Partition {
    Partition::from([
        ("event_type".to_owned(), Some(event_type.to_owned())),
        ("category".to_owned(), category.map(str::to_owned)),
        ("date".to_owned(), Some(date.to_string())),
    ])
}

/// Returns the folder of these values.
pub fn hive_folder(event_type: &str, category: Option<&str>, date: Date) -> String {
    [folder_name("event_type", Some(event_type)), folder_name("category", category), format!("date={date}")]
        .join("/")
}
