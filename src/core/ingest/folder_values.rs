//! Values in the names of an input's folders, as Hive has them: `category=BOOKS/date=2017-01-14/`.
//!
//! Invariant: a value of the record itself is kept.

use std::path::Path;

use crate::ingest::fields::{CATEGORY, EVENT_TYPE, FIELDS, ITEM_ID, TS};
use crate::ingest::raw_event::{RawEvent, RawTime};
use crate::input_format::Mapping;
use crate::model::RawCategories;
use crate::storage::url_decoded;

/// Hive's name for no value.
const NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// The values of fields that a folder's name has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FolderValues {
    ts: Option<String>,
    item_id: Option<String>,
    category: Option<String>,
    event_type: Option<String>,
}

impl FolderValues {
    /// Returns the values in the folders of a path, by the columns that fields are mapped to; none where
    /// there are none.
    pub fn of(path: &Path, mapping: &Mapping) -> Option<FolderValues> {
        let folders = path.parent()?.components().filter_map(|folder| folder.as_os_str().to_str());
        let pairs: Vec<(&str, &str)> = folders.filter_map(|folder| folder.split_once('=')).collect();
        let value = |field: usize| {
            let column = mapping.column(field).unwrap_or(FIELDS[field]);
            let (_, value) = pairs.iter().rev().find(|(key, _)| *key == column)?;
            (*value != NULL).then(|| url_decoded(value))
        };
        let values = FolderValues {
            ts: value(TS),
            item_id: value(ITEM_ID),
            category: value(CATEGORY),
            event_type: value(EVENT_TYPE),
        };
        (values != FolderValues::default()).then_some(values)
    }

    /// Returns a record with these values where it has none.
    pub fn fill<'a>(&'a self, raw: &RawEvent<'a>) -> RawEvent<'a> {
        let or = |own: Option<&'a str>, value: &'a Option<String>| {
            own.filter(|text| !text.trim().is_empty()).or(value.as_deref())
        };
        let mut filled = raw.clone();
        filled.item_id = or(raw.item_id, &self.item_id);
        filled.event_type = or(raw.event_type, &self.event_type);
        if let (RawTime::Missing, Some(ts)) = (raw.ts, &self.ts) {
            filled.ts = RawTime::Text(ts);
        }
        let has_category = match &raw.categories {
            RawCategories::Text(own) => !own.trim().is_empty(),
            RawCategories::Levels(levels) => levels.iter().any(|level| !level.trim().is_empty()),
            _ => true,
        };
        if let Some(category) = self.category.as_ref().filter(|_| !has_category) {
            filled.categories = RawCategories::Text(category);
        }
        filled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_give_values_of_the_columns_they_name() {
        let mapping = Mapping::none(FIELDS);
        let check = |path: &str, category: Option<&str>, event_type: Option<&str>| {
            let values = FolderValues::of(Path::new(path), &mapping).unwrap_or_default();
            assert_eq!(
                (values.category.as_deref(), values.event_type.as_deref()),
                (category, event_type),
                "{path}"
            );
        };
        check("shop/category=TOYS/a.parquet", Some("TOYS"), None);
        check("category=Food%2FFruit/event_type=view/x=1/a", Some("Food/Fruit"), Some("view"));
        check("category=__HIVE_DEFAULT_PARTITION__/a", None, None);
        check("category=A/category=B/category=C", Some("B"), None);
        check("a/b", None, None);
    }
}
