//! Groups of top-level categories: which of them share the files of a table.
//!
//! A category with few rows shares files with others, or each file would have a few rows. Which others is
//! told by the CRC-32 of its name, so that whoever looks for a category finds it in one of two groups: its own,
//! or that of its shard.
//!
//! | group | has |
//! |---|---|
//! | `GROCERY` | rows of this category alone |
//! | `~07` | rows of categories of shard 7, those with the CRC-32 7 modulo 16 |
//! | none | rows without a category |

use std::fmt;

use flate2::Crc;

use crate::model::category::top_level;

/// The number of shards.
pub const SHARDS: u8 = 16;

/// A category with as many rows of a day among those that are written together has files of its own.
pub const ROWS_OF_OWN_FILES: usize = if cfg!(test) { 40 } else { 1 << 14 };

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
    /// Categories of a shard, by its number.
    Shared(u8),
}

/// A share of all categories, whose rows are aggregated and ranked together; rows without a category are one, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard(Option<u8>);

impl CategoryGroup {
    /// Returns the group in which a category has as many rows as it has.
    pub fn of(category: Option<&str>, rows: usize) -> CategoryGroup {
        match category {
            None => CategoryGroup::Uncategorized,
            Some(category) if rows >= ROWS_OF_OWN_FILES && !category.starts_with(SHARED) => {
                CategoryGroup::Own(category.to_owned())
            }
            Some(category) => CategoryGroup::Shared(number_of(category)),
        }
    }

    /// Returns the group of a partition value; `None` where it is not that of one.
    pub fn parse(value: Option<&str>) -> Option<CategoryGroup> {
        let Some(value) = value else { return Some(CategoryGroup::Uncategorized) };
        match value.strip_prefix(SHARED) {
            None => Some(CategoryGroup::Own(value.to_owned())),
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
            CategoryGroup::Shared(number) => Some(format!("{SHARED}{number:02}")),
        }
    }

    /// Returns the shard of its categories.
    pub fn shard(&self) -> Shard {
        match self {
            CategoryGroup::Uncategorized => Shard(None),
            CategoryGroup::Own(category) => Shard(Some(number_of(category))),
            CategoryGroup::Shared(number) => Shard(Some(*number)),
        }
    }

    /// Returns whether rows of a category may be in it.
    pub fn may_have(&self, category: Option<&str>) -> bool {
        match self {
            CategoryGroup::Own(own) => category == Some(own),
            _ => self.shard() == Shard::of(category),
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
        match self.0 {
            Some(number) => write!(f, "categories of shard {number}"),
            None => f.write_str("(no category)"),
        }
    }
}

impl Shard {
    /// Returns the shard of a category.
    pub fn of(category: Option<&str>) -> Shard {
        Shard(category.map(number_of))
    }

    /// Returns its number; none for rows without a category.
    pub fn number(self) -> Option<u8> {
        self.0
    }

    /// Returns the shard of a number; `None` where there is none of it.
    pub fn numbered(number: Option<u8>) -> Option<Shard> {
        number.is_none_or(|number| number < SHARDS).then_some(Shard(number))
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
        let few = CategoryGroup::of(Some("GROCERY"), ROWS_OF_OWN_FILES - 1);
        let many = CategoryGroup::of(Some("GROCERY"), ROWS_OF_OWN_FILES);
        assert_eq!((few.value().as_deref(), many.value().as_deref()), (Some("~03"), Some("GROCERY")));
        assert_eq!(few.shard(), many.shard());
        for group in [few, many, CategoryGroup::of(None, 9)] {
            assert_eq!(CategoryGroup::parse(group.value().as_deref()), Some(group));
        }
        for category in ["~", "~00", "~x"] {
            let group = CategoryGroup::of(Some(category), usize::MAX);
            assert!(matches!(group, CategoryGroup::Shared(_)) && group.may_have(Some(category)));
        }
        for value in ["~", "~7", "~16", "~007", "~+7", "~x"] {
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
