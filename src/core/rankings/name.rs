//! The names under which rankings are published, each with a pointer of its own.
//!
//! Invariant: a name is a file name of any store, and the pointer of the name `default` is where it was before there were
//! names.

use std::fmt;

use crate::rankings::pointer::{POINTER, read_pointer};
use crate::storage::{Store, StoreError};

const FOLDER: &str = "rankings/names";
const DEFAULT: &str = "default";
const MAX_BYTES: usize = 64;

/// A name under which rankings are published.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RankingName(String);

/// A text is not the name of a ranking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to 64 lower-case letters, digits, `-` and `_`, and begin with a letter or a digit")]
pub struct BadRankingName;

impl Default for RankingName {
    fn default() -> RankingName {
        RankingName(DEFAULT.to_owned())
    }
}

impl fmt::Display for RankingName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl RankingName {
    /// Parses a name.
    ///
    /// # Errors
    /// Says what a name may have.
    pub fn parse(text: &str) -> Result<RankingName, BadRankingName> {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let begins = text.bytes().next().is_some_and(is_plain);
        let is_name = text.bytes().all(|byte| is_plain(byte) || b"-_".contains(&byte));
        match begins && is_name && text.len() <= MAX_BYTES {
            true => Ok(RankingName(text.to_owned())),
            false => Err(BadRankingName),
        }
    }

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether it is the name of rankings that are published without one.
    pub fn is_default(&self) -> bool {
        self.0 == DEFAULT
    }

    /// Returns the path of its pointer below the lake.
    pub fn pointer(&self) -> String {
        if self.is_default() { POINTER.to_owned() } else { format!("{FOLDER}/{self}.json") }
    }
}

/// Returns the names that have a ranking, the default one first.
///
/// # Errors
/// Fails where the folder cannot be listed.
pub fn ranking_names(store: &Store) -> Result<Vec<RankingName>, StoreError> {
    let mut names: Vec<RankingName> = store
        .files(FOLDER)?
        .iter()
        .filter_map(|file| file.path.strip_prefix(FOLDER)?.strip_prefix('/')?.strip_suffix(".json"))
        .filter_map(|name| RankingName::parse(name).ok().filter(|name| !name.is_default()))
        .collect();
    names.sort_unstable();
    if store.is_there(POINTER) {
        names.insert(0, RankingName::default());
    }
    Ok(names)
}

/// Returns the name of the file of the ranking that a name shows; `None` where it has no pointer, or a damaged one.
pub fn shown_file(store: &Store, name: &RankingName) -> Option<String> {
    read_pointer(store, &name.pointer()).ok().map(|pointer| pointer.file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_file_names_of_any_store() {
        let long = "a".repeat(MAX_BYTES);
        for good in ["default", "daily", "7-days", "a_b", &long] {
            assert_eq!(RankingName::parse(good).map(|name| name.to_string()).as_deref(), Ok(good));
        }
        for bad in ["", "Daily", "-a", "_a", "a/b", "..", "a.b", "a b", "é", &format!("{long}a")] {
            assert_eq!(RankingName::parse(bad), Err(BadRankingName), "{bad}");
        }
        assert_eq!(RankingName::default().pointer(), "rankings/current.json");
        assert_eq!(RankingName::parse("daily").expect("it is a name").pointer(), "rankings/names/daily.json");
    }
}
