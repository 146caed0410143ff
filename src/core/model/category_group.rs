//! Groups of top-level categories: which of them share the files of a table.
//!
//! A category with few rows shares files with others, or each file would have a few rows. Which others is
//! told by the CRC-32 of its name, so that whoever looks for a category finds it in one of three groups: its own,
//! that of its shard, or that of all shards.
//!
//! | group | has |
//! |---|---|
//! | `GROCERY` | rows of this category alone |
//! | `~07` | rows of categories of shard 7, those with the CRC-32 7 modulo 16 |
//! | `~` | rows of any categories, of a day that has few |
//! | none | rows without a category |

use std::collections::BTreeSet;
use std::fmt;

use flate2::Crc;

use crate::model::category::top_level;

/// The number of shards.
pub const SHARDS: u8 = 16;

/// A category with as many rows of a day among those that are written together has files of its own.
pub const ROWS_OF_OWN_FILES: usize = if cfg!(test) { 40 } else { 1 << 14 };

/// A day with fewer rows in files that categories share has them in files of all shards.
pub const ROWS_OF_SHARDS: u64 = ROWS_OF_OWN_FILES as u64;

/// What precedes the number of a shard in the name of its group; a category with such a name has no group of its
/// own.
const SHARED: char = '~';

/// The categories that files of a partition have.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CategoryGroup {
    /// Rows without a category.
    Uncategorized,
    /// One category.
    Own(String),
    /// Categories of all shards.
    SharedByAll,
    /// Categories of a shard, by its number.
    Shared(u8),
}

/// Which files categories share that have too few rows for their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sharing {
    /// Those of each shard.
    ByShard,
    /// Those of all shards.
    ByAll,
}

/// Categories whose rows are aggregated and ranked together; rows without a category are a shard of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shard {
    Uncategorized,
    Numbered(u8),
    /// All that have a number, where some files have categories of several.
    All,
}

impl CategoryGroup {
    /// Returns the group in which a category has as many rows as it has.
    pub fn of(category: Option<&str>, rows: usize, sharing: Sharing) -> CategoryGroup {
        match category {
            None => CategoryGroup::Uncategorized,
            Some(category) if rows >= ROWS_OF_OWN_FILES && !category.starts_with(SHARED) => {
                CategoryGroup::Own(category.to_owned())
            }
            Some(_) if sharing == Sharing::ByAll => CategoryGroup::SharedByAll,
            Some(category) => CategoryGroup::Shared(number_of(category)),
        }
    }

    /// Returns whether its files have rows of several categories.
    pub fn is_shared(&self) -> bool {
        matches!(self, CategoryGroup::Shared(_) | CategoryGroup::SharedByAll)
    }

    /// Returns the group of a partition value; `None` where it is not that of one.
    pub fn parse(value: Option<&str>) -> Option<CategoryGroup> {
        let Some(value) = value else { return Some(CategoryGroup::Uncategorized) };
        match value.strip_prefix(SHARED) {
            None => Some(CategoryGroup::Own(value.to_owned())),
            Some("") => Some(CategoryGroup::SharedByAll),
            Some(number) => {
                let number = number.parse().ok().filter(|number| *number < SHARDS)?;
                let group = CategoryGroup::Shared(number);
                (group.value().as_deref() == Some(value)).then_some(group)
            }
        }
    }

    /// Returns the partition value; `None` for rows without a category.
    pub fn value(&self) -> Option<String> {
        match self {
            CategoryGroup::Uncategorized => None,
            CategoryGroup::Own(category) => Some(category.clone()),
            CategoryGroup::SharedByAll => Some(SHARED.to_string()),
            CategoryGroup::Shared(number) => Some(format!("{SHARED}{number:02}")),
        }
    }

    /// Returns the shard of its categories.
    pub fn shard(&self) -> Shard {
        match self {
            CategoryGroup::Uncategorized => Shard::Uncategorized,
            CategoryGroup::Own(category) => Shard::Numbered(number_of(category)),
            CategoryGroup::SharedByAll => Shard::All,
            CategoryGroup::Shared(number) => Shard::Numbered(*number),
        }
    }

    /// Returns whether rows of a category may be in it.
    pub fn may_have(&self, category: Option<&str>) -> bool {
        match self {
            CategoryGroup::Own(own) => category == Some(own),
            _ => self.shard().has(category),
        }
    }
}

impl fmt::Display for CategoryGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CategoryGroup::Own(category) => f.write_str(category),
            _ => self.shard().fmt(f),
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shard::Uncategorized => f.write_str("(no category)"),
            Shard::Numbered(number) => write!(f, "categories of shard {number}"),
            Shard::All => f.write_str("categories of all shards"),
        }
    }
}

impl Shard {
    /// Returns the shard of a category.
    pub fn of(category: Option<&str>) -> Shard {
        category.map_or(Shard::Uncategorized, |category| Shard::Numbered(number_of(category)))
    }

    /// Returns the shards with a number.
    pub fn numbered() -> impl Iterator<Item = Shard> {
        (0..SHARDS).map(Shard::Numbered)
    }

    /// Returns whether a category is of it.
    pub fn has(self, category: Option<&str>) -> bool {
        match self {
            Shard::All => category.is_some(),
            _ => self == Shard::of(category),
        }
    }

    /// Returns the shards of some files, given with their rows, each of which can be read by itself. Files of all shards
    /// are read for each of them, unless their rows would then be most of what is read.
    pub fn to_read(files: impl Iterator<Item = (Shard, u64)>) -> BTreeSet<Shard> {
        let (mut shards, mut of_all, mut all) = (BTreeSet::new(), 0, 0);
        for (shard, rows) in files {
            shards.insert(shard);
            all += rows;
            of_all += if shard == Shard::All { rows } else { 0 };
        }
        Shard::apart(shards.into_iter(), of_all * u64::from(SHARDS) >= all)
    }

    /// Returns the shards of some files, no two of which have a category in common: where a file has categories of all,
    /// this is the only one, or else all with a number are returned, of each of which that file may have some.
    pub fn apart(shards: impl Iterator<Item = Shard>, has_one_for_all: bool) -> BTreeSet<Shard> {
        let mut apart: BTreeSet<Shard> = shards.collect();
        if apart.contains(&Shard::All) && has_one_for_all {
            apart.retain(|shard| !matches!(shard, Shard::Numbered(_)));
        } else if apart.remove(&Shard::All) {
            apart.extend((0..SHARDS).map(Shard::Numbered));
        }
        apart
    }

    /// Returns whether files of another shard may have categories that are not of this one.
    pub fn is_part_of(self, other: Shard) -> bool {
        other == Shard::All && self != Shard::All
    }

    /// Returns whether categories may be of both.
    pub fn overlaps(self, other: Shard) -> bool {
        self == other
            || self == Shard::All && other != Shard::Uncategorized
            || other == Shard::All && self != Shard::Uncategorized
    }
}

/// Returns the top-level category of a set of paths below one, which are joined by `|`; none for the set without
/// paths.
pub fn category_of_set(paths: &str) -> Option<&str> {
    let first = paths.split('|').next().unwrap_or_default();
    Some(top_level(first)).filter(|category| !category.is_empty())
}

fn number_of(category: &str) -> u8 {
    let mut crc = Crc::new();
    crc.update(category.as_bytes());
    (crc.sum() % u32::from(SHARDS)) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_category_is_in_its_own_group_or_in_that_of_its_shard() {
        // As Python's zlib.crc32(b"GROCERY") % 16 gives it.
        let of = |rows, sharing| CategoryGroup::of(Some("GROCERY"), rows, sharing);
        let few = of(ROWS_OF_OWN_FILES - 1, Sharing::ByShard);
        let of_small_day = of(ROWS_OF_OWN_FILES - 1, Sharing::ByAll);
        let many = of(ROWS_OF_OWN_FILES, Sharing::ByShard);
        assert_eq!(many, of(ROWS_OF_OWN_FILES, Sharing::ByAll));
        let values = [&few, &of_small_day, &many].map(CategoryGroup::value);
        assert_eq!(values, ["~03", "~", "GROCERY"].map(|value| Some(value.to_owned())));
        assert_eq!(few.shard(), many.shard());
        assert!(few.shard().overlaps(of_small_day.shard()) && of_small_day.may_have(Some("GROCERY")));
        let uncategorized = CategoryGroup::of(None, 9, Sharing::ByAll);
        assert!(!uncategorized.shard().overlaps(Shard::All) && !of_small_day.may_have(None));
        for group in [few, of_small_day, many, uncategorized] {
            assert_eq!(CategoryGroup::parse(group.value().as_deref()), Some(group));
        }
        for category in ["~", "~00", "~x"] {
            let group = CategoryGroup::of(Some(category), usize::MAX, Sharing::ByShard);
            assert!(matches!(group, CategoryGroup::Shared(_)) && group.may_have(Some(category)));
        }
        for value in ["~7", "~16", "~007", "~+7", "~x", "~~"] {
            assert_eq!(CategoryGroup::parse(Some(value)), None, "{value}");
        }
    }

    #[test]
    fn a_set_of_paths_is_of_the_first_level() {
        assert_eq!(category_of_set("Books/Fiction|Books/New"), Some("Books"));
        assert_eq!(category_of_set("Toys"), Some("Toys"));
        assert_eq!(category_of_set(""), None);
    }
}
