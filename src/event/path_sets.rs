//! Sets of paths numbered in the order they are first seen, read from whatever a line gives.

use std::fmt::Write as _;

use hashbrown::HashMap;

use crate::event::{CategoryError, PathSet, encode_levels, shown};

/// The categories that a line gives, not yet checked.
#[derive(Clone, Debug)]
pub enum RawCategories<'a> {
    /// Paths joined by `|`.
    Text(&'a str),
    /// One path's levels from the top, without escapes; it ends before the first empty one.
    Levels(&'a [&'a str]),
    Set(PathSet),
}

impl RawCategories<'_> {
    /// Returns the field and enough of its text to recognize it by.
    pub fn shown(&self) -> String {
        match self {
            RawCategories::Text(text) => format!("category `{}`", shown(text)),
            RawCategories::Levels(levels) => format!("category `{}`", shown(&levels.join("/"))),
            RawCategories::Set(_) => "category".to_owned(),
        }
    }
}

/// Distinct sets of paths, each with a small number that stands for it.
#[derive(Default)]
pub struct PathSets {
    sets: Vec<PathSet>,
    codes: HashMap<PathSet, u32>,
    /// What lines gave before, as it was written: there are few distinct ones.
    by_text: HashMap<String, u32>,
    by_levels: HashMap<String, u32>,
    scratch: String,
}

impl PathSets {
    /// Returns the number of the set that a line gives.
    ///
    /// # Errors
    /// Says what is wrong with the paths, without naming them.
    pub fn read(&mut self, raw: &RawCategories<'_>) -> Result<u32, CategoryError> {
        match raw {
            RawCategories::Text(text) => {
                if let Some(&code) = self.by_text.get(*text) {
                    return Ok(code);
                }
                let code = self.code(&PathSet::parse(text)?);
                self.by_text.insert((*text).to_owned(), code);
                Ok(code)
            }
            RawCategories::Levels(levels) => self.read_levels(levels),
            RawCategories::Set(set) => Ok(self.code(set)),
        }
    }

    /// Returns the number of a set, new or known.
    pub fn code(&mut self, set: &PathSet) -> u32 {
        if let Some(&code) = self.codes.get(set) {
            return code;
        }
        let code = u32::try_from(self.sets.len()).expect("fewer than 2^32 sets fit in memory");
        self.sets.push(set.clone());
        self.codes.insert(set.clone(), code);
        code
    }

    /// Returns the set a number stands for.
    pub fn set(&self, code: u32) -> &PathSet {
        &self.sets[code as usize]
    }

    /// Returns the sets alone, by their numbers.
    pub fn into_sets(self) -> Vec<PathSet> {
        self.sets
    }

    fn read_levels(&mut self, levels: &[&str]) -> Result<u32, CategoryError> {
        let filled = levels.split(|level| level.is_empty()).next().unwrap_or_default();
        self.scratch.clear();
        for level in filled {
            // The length keeps apart what would look alike once joined.
            // Writing to a text cannot fail.
            let _ = write!(self.scratch, "{}:{level}", level.len());
        }
        if let Some(&code) = self.by_levels.get(self.scratch.as_str()) {
            return Ok(code);
        }
        let paths = match filled {
            [] => Vec::new(),
            filled => vec![encode_levels(filled.iter().copied())?],
        };
        let code = self.code(&PathSet::of(paths)?);
        self.by_levels.insert(self.scratch.clone(), code);
        Ok(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_stop_at_the_first_empty_one_and_need_no_escapes() {
        let mut sets = PathSets::default();
        let mut check = |levels: &[&str], expected: &[&str]| {
            let code = sets.read(&RawCategories::Levels(levels)).expect("these are levels");
            assert_eq!(sets.set(code).paths(), expected, "{levels:?}");
        };
        check(&["Food", "Fruit"], &["Food/Fruit"]);
        check(&["Food", "Fruit"], &["Food/Fruit"]);
        check(&["Food", "", "Apples"], &["Food"]);
        check(&["", "Fruit"], &[]);
        check(&[], &[]);
        check(&["A/B", "C|D", "5%"], &["A%2FB/C%7CD/5%25"]);
        check(&["1:a", "b"], &["1:a/b"]);
        check(&["1", "1:ab"], &["1/1:ab"]);
        let known = sets.read(&RawCategories::Text("Food/Fruit"));
        assert_eq!(known, sets.read(&RawCategories::Levels(&["Food", "Fruit"])));
    }
}
