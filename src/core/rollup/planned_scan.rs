//! The parts of a scan as values that other processes can read: without the table's log.

use serde::{Deserialize, Serialize};

use crate::delta::NamedFile;
use crate::lake::{DayPartition, FilePartition};
use crate::model::{CategoryGroup, Date, Shard};
use crate::parquet_format::{CategoryFilter, ItemRange};
use crate::rollup::error::RollupError;
use crate::rollup::scan::Scan;
use crate::rollup::scan_part::ScanPart;
use crate::rollup::scanned_file::ScannedFile;
use crate::rollup::scanned_sets::WantsPath;
use crate::rollup::table::Selection;
use crate::storage::Store;

/// A file of aggregates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedFile {
    /// Path below the folder of the table.
    path: String,
    size_bytes: u64,
    rows: u64,
    event_type: String,
    category_group: Option<String>,
    date: String,
    /// The first and the last hour of the day that it may hold.
    first_hour: i32,
    last_hour: i32,
}

/// A part of a scan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedPart {
    /// The shard of its categories.
    pub shard: PlannedShard,
    /// Which of these categories it has.
    #[serde(default, skip_serializing_if = "is_all")]
    categories: CategoryFilter,
    /// Whether other parts have other rows of the same items.
    pub splits_items: bool,
    /// The first item, and the one behind the last; none where there is no such end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    /// About how many rows it has.
    pub rows: u64,
    /// The files, by their numbers in the plan.
    pub files: Vec<usize>,
}

/// A shard as its number, `"all"`, or null for that without categories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Option<ShardName>", into = "Option<ShardName>")]
pub struct PlannedShard(pub Shard);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum ShardName {
    Number(u8),
    Name(String),
}

const ALL: &str = "all";

impl From<PlannedShard> for Option<ShardName> {
    fn from(PlannedShard(shard): PlannedShard) -> Option<ShardName> {
        match shard {
            Shard::Uncategorized => None,
            Shard::Numbered(number) => Some(ShardName::Number(number)),
            Shard::All => Some(ShardName::Name(ALL.to_owned())),
        }
    }
}

impl TryFrom<Option<ShardName>> for PlannedShard {
    type Error = &'static str;

    fn try_from(name: Option<ShardName>) -> Result<PlannedShard, &'static str> {
        let shard = match name {
            None => Some(Shard::Uncategorized),
            Some(ShardName::Number(number)) => Shard::numbered().nth(number.into()),
            Some(ShardName::Name(name)) => (name == ALL).then_some(Shard::All),
        };
        shard.map(PlannedShard).ok_or("a shard is the number of one, `all` or null")
    }
}

fn is_all(categories: &CategoryFilter) -> bool {
    *categories == CategoryFilter::All
}

/// Whether the items of a part are whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Split {
    /// A large category is split by its items.
    #[default]
    Items,
    /// Each file is a part.
    Files,
}

impl Scan<'_> {
    /// Returns the parts of a selection, about so many if a number is given, and the files that they read.
    ///
    /// # Errors
    /// Names the file that is missing or damaged.
    pub fn planned(
        &mut self,
        selection: &Selection<'_>,
        wants: Option<WantsPath<'_>>,
        split: Split,
        parts: Option<u64>,
    ) -> Result<(Vec<PlannedFile>, Vec<PlannedPart>), RollupError> {
        // A plan names files that are kept for as long as their version is.
        self.reads_copies = false;
        self.parts_wanted = parts;
        let parts = self.parts(selection, wants)?;
        let mut files: Vec<PlannedFile> =
            parts.iter().flat_map(|part| part.files.iter().map(|file| PlannedFile::of(file))).collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        files.dedup();
        let number = |path: &str| files.binary_search_by(|file| file.path.as_str().cmp(path)).unwrap_or(0);
        let planned = match split {
            Split::Items => parts
                .iter()
                .map(|part| PlannedPart {
                    shard: PlannedShard(part.shard),
                    categories: part.range.categories.clone(),
                    splits_items: false,
                    from: part.range.from.clone(),
                    until: part.range.until.clone(),
                    rows: part.rows(),
                    files: part.files.iter().map(|file| number(&file.file.path)).collect(),
                })
                .collect(),
            Split::Files => {
                let shards = files.iter().map(PlannedFile::shard).collect::<Result<Vec<_>, _>>()?;
                let apart = Shard::apart(shards.iter().copied(), true);
                let shard_of = |of: Shard| if apart.contains(&of) { of } else { Shard::All };
                let files = (0..).zip(files.iter().zip(shards));
                files.map(|(number, (file, shard))| file.as_part(number, shard_of(shard))).collect()
            }
        };
        Ok((files, planned))
    }

    /// Returns the scan of the files of a plan.
    ///
    /// # Errors
    /// Names a file whose partition is invalid.
    pub fn of_planned<'a>(store: &'a Store, files: &[PlannedFile]) -> Result<Scan<'a>, RollupError> {
        let files = files.iter().map(PlannedFile::scanned).collect::<Result<_, _>>()?;
        Ok(Scan::of_files(store, files))
    }

    /// Returns a part of a plan; none where it names a file that the plan does not have.
    pub fn planned_part<'a>(&'a self, part: &PlannedPart, selection: &Selection<'a>) -> Option<ScanPart<'a>> {
        let files = part.files.iter().map(|number| self.files.get(*number));
        Some(ScanPart {
            store: self.store,
            files: files.collect::<Option<_>>()?,
            range: ItemRange {
                categories: part.categories.clone(),
                from: part.from.clone(),
                until: part.until.clone(),
                shard: None,
            },
            shard: part.shard.0,
            rows: part.rows,
            selection: selection.clone(),
        })
    }
}

impl PlannedFile {
    fn of(scanned: &ScannedFile) -> PlannedFile {
        let ScannedFile { partition, file, .. } = scanned;
        let (first_hour, last_hour) = partition.hours_of_day();
        PlannedFile {
            path: file.path.clone(),
            size_bytes: file.size_bytes,
            rows: file.rows,
            event_type: partition.day.event_type.clone(),
            category_group: partition.day.group.value(),
            date: partition.day.date.to_string(),
            first_hour,
            last_hour,
        }
    }

    fn scanned(&self) -> Result<ScannedFile, RollupError> {
        let named = NamedFile::new(&self.path, self.size_bytes, self.rows);
        let bad = || RollupError::BadPartition { file: self.path.clone() };
        let date = Date::parse(&self.date).ok_or_else(bad)?;
        let group = CategoryGroup::parse(self.category_group.as_deref()).ok_or_else(bad)?;
        let day = DayPartition { event_type: self.event_type.clone(), date, group };
        let partition = FilePartition::new(day, (self.first_hour, self.last_hour));
        Ok(ScannedFile::new(partition, named))
    }

    fn shard(&self) -> Result<Shard, RollupError> {
        Ok(self.scanned()?.partition.day.group.shard())
    }

    fn as_part(&self, number: usize, shard: Shard) -> PlannedPart {
        PlannedPart {
            shard: PlannedShard(shard),
            categories: CategoryFilter::All,
            splits_items: true,
            from: None,
            until: None,
            rows: self.rows,
            files: vec![number],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_read_as_it_was_written() {
        for (shard, text) in
            [(Shard::Uncategorized, "null"), (Shard::Numbered(15), "15"), (Shard::All, "\"all\"")]
        {
            let planned = PlannedShard(shard);
            assert_eq!(serde_json::to_string(&planned).expect("it can be written"), text);
            assert_eq!(serde_json::from_str::<PlannedShard>(text).expect("it was written so"), planned);
        }
        for text in ["16", "\"other\"", "-1", "[]"] {
            assert!(serde_json::from_str::<PlannedShard>(text).is_err(), "{text}");
        }
    }
}
