//! Names of lists, and of the folders that hold them.
//!
//! Invariant: two names have two folders, and no folder is outside of that of the lists.

use std::fmt;

use crate::error::ListError;

/// The folder of a lake that holds its lists.
pub const FOLDER: &str = "lists";
/// What the names of the lists of published rankings begin with.
pub const RANKING_PREFIX: &str = "ranking/";
const MAX_BYTES: usize = 128;
/// Ends of paths that stand for a form of a list, and not for another list.
const FORMS: [&str; 3] = [".txt", ".hosts", ".sig"];
/// What stands for `/` in the name of a folder; no name has it.
const LEVEL: char = '~';

/// The name of a list: levels of lower-case letters, digits, `.`, `_` and `-`, separated by `/`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListName(String);

impl ListName {
    /// Reads a name.
    ///
    /// # Errors
    /// Says what a name is.
    pub fn parse(text: &str) -> Result<ListName, ListError> {
        let is_level = |level: &str| {
            let is_plain =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
            level.starts_with(|first: char| first.is_ascii_alphanumeric()) && level.bytes().all(is_plain)
        };
        let is_form = FORMS.iter().any(|form| text.ends_with(form));
        match text.len() <= MAX_BYTES && !is_form && text.split('/').all(is_level) {
            true => Ok(ListName(text.to_owned())),
            false => Err(ListError::Name { name: text.to_owned() }),
        }
    }

    /// Returns the name of the list of a published ranking.
    ///
    /// # Errors
    /// As [`ListName::parse`].
    pub fn of_ranking(ranking: &str) -> Result<ListName, ListError> {
        ListName::parse(&format!("{RANKING_PREFIX}{ranking}"))
    }

    /// Returns whether it is the list of a published ranking, which only its publishing changes.
    pub fn is_ranking(&self) -> bool {
        self.0.starts_with(RANKING_PREFIX)
    }

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the path of the list's folder below the lake.
    pub(crate) fn folder(&self) -> String {
        format!("{FOLDER}/{}", self.0.replace('/', &LEVEL.to_string()))
    }

    /// Returns the name of the list that a folder in that of the lists holds; none where it is no list's.
    pub(crate) fn of_folder(name: &str) -> Option<ListName> {
        ListName::parse(&name.replace(LEVEL, "/")).ok()
    }
}

impl fmt::Display for ListName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_a_folder_of_its_own() {
        for name in ["blocked", "ranking/default", "a.b_c-1/d"] {
            let parsed = ListName::parse(name).expect("it is a name");
            let folder = parsed.folder();
            assert_eq!(
                ListName::of_folder(folder.strip_prefix("lists/").expect("it is below")),
                Some(parsed)
            );
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let long = "a".repeat(129);
        for name in [
            "", "/", "a/", "/a", "a//b", "..", "a/../b", ".a", "A", "a b", "a~b", "a%", "x.txt", "x.hosts",
            &long,
        ] {
            assert!(ListName::parse(name).is_err(), "{name}");
        }
    }
}
