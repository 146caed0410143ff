//! Sets of paths numbered in the order they are first seen, read from whatever a line gives.

use std::fmt::Write as _;
use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::model::category::MAX_PATHS;
use crate::model::{CategoryError, Interner, NullMarkers, PathSet, check_path, encode_levels, shown};

/// The categories that a line gives, not yet checked.
#[derive(Clone, Debug)]
pub enum RawCategories<'a> {
    /// Paths joined by `|`.
    Text(&'a str),
    /// One path's levels from the top, without escapes; it ends before the first without a value.
    Levels(&'a [&'a str]),
    Set(PathSet),
    /// A set that was written like this, in whatever form.
    Written(&'a str, PathSet),
    /// What [`PathSets::written`] has found.
    Known(u32),
}

impl RawCategories<'_> {
    /// Returns the field and enough of its text to recognize it by.
    pub fn shown(&self) -> String {
        match self {
            RawCategories::Text(text) => format!("category `{}`", shown(text)),
            RawCategories::Levels(levels) => format!("category `{}`", shown(&levels.join("/"))),
            RawCategories::Set(_) | RawCategories::Written(..) | RawCategories::Known(_) => {
                "category".to_owned()
            }
        }
    }
}

/// Distinct sets of paths, each with a small number that stands for it.
///
/// A set is the numbers of its paths: there are many sets of few paths, so a set that is new costs
/// no text of its own.
#[derive(Default)]
pub struct PathSets {
    /// The distinct paths, each in its one spelling.
    paths: Interner,
    /// The paths of all sets, by number and ascending; where each set's end.
    members: Vec<u32>,
    ends: Vec<usize>,
    codes: HashTable<(u64, u32)>,
    hasher: DefaultHashBuilder,
    /// What lines gave before, as it was written: there are few distinct ones.
    by_text: Memo,
    by_levels: Memo,
    by_writing: Memo,
    /// For one path as it was written its number.
    by_path: Memo,
    scratch: String,
    /// Levels that are no value, and end a path.
    nulls: NullMarkers,
    separators: Option<Separators>,
    /// Whether a text had a `>`, which may have been meant to separate levels.
    have_arrows: bool,
}

/// What separates the paths of a text and their levels, instead of `|` and `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Separators {
    pub paths: String,
    pub levels: String,
}

/// Numbers that texts stood for before.
#[derive(Default)]
struct Memo {
    texts: Interner,
    codes: Vec<u32>,
}

impl Memo {
    fn find(&self, text: &str) -> Option<u32> {
        self.texts.find(text).map(|at| self.codes[at as usize])
    }

    fn keep(&mut self, text: &str, code: u32) {
        self.texts.code(text);
        self.codes.push(code);
    }
}

impl PathSets {
    /// Returns no sets; in what lines give, these texts stand for no value.
    pub fn with_nulls(nulls: NullMarkers) -> PathSets {
        PathSets { nulls, ..PathSets::default() }
    }

    /// Returns the sets with other separators in texts. Names then need no escapes, and spaces around them
    /// do not count.
    #[must_use]
    pub fn with_separators(self, separators: Option<Separators>) -> PathSets {
        PathSets { separators, ..self }
    }

    /// Returns the number of the set that a line gives.
    ///
    /// # Errors
    /// Says what is wrong with the paths, without naming them.
    pub fn read(&mut self, raw: &RawCategories<'_>) -> Result<u32, CategoryError> {
        match raw {
            RawCategories::Text(text) => match self.by_text.find(text) {
                Some(code) => Ok(code),
                None => self.read_text(text),
            },
            RawCategories::Levels(levels) => self.read_levels(levels),
            RawCategories::Set(set) => Ok(self.code(set)),
            RawCategories::Written(text, set) => {
                let code = self.code(set);
                if self.by_writing.find(text).is_none() {
                    self.by_writing.keep(text, code);
                }
                Ok(code)
            }
            RawCategories::Known(code) => Ok(*code),
        }
    }

    /// Returns the number of the set that was once [`RawCategories::Written`] so.
    pub fn written(&self, text: &str) -> Option<u32> {
        self.by_writing.find(text)
    }

    /// Returns the number of a set, new or known.
    pub fn code(&mut self, set: &PathSet) -> u32 {
        let members = set.paths().iter().map(|path| self.paths.code(path)).collect();
        self.code_of(members)
    }

    /// Returns the set a number stands for.
    pub fn set(&self, code: u32) -> PathSet {
        let paths = self.members(code).iter().map(|&path| self.paths.name(path).to_owned()).collect();
        PathSet::of(paths).expect("a set that was taken has few enough paths")
    }

    /// Returns the numbers of a set's paths, in no order that means anything.
    pub fn members(&self, code: u32) -> &[u32] {
        let code = code as usize;
        let start = if code == 0 { 0 } else { self.ends[code - 1] };
        &self.members[start..self.ends[code]]
    }

    /// Returns the distinct paths, by number.
    pub fn paths(&self) -> &Interner {
        &self.paths
    }

    /// Returns how many sets there are; their numbers are those below.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Returns the sets alone, by their numbers.
    pub fn into_sets(self) -> Vec<PathSet> {
        (0..).take(self.len()).map(|code| self.set(code)).collect()
    }

    /// Forgets how the sets were written, once no more are read.
    pub fn shrink(&mut self) {
        for memo in [&mut self.by_text, &mut self.by_levels, &mut self.by_writing, &mut self.by_path] {
            *memo = Memo::default();
        }
    }

    /// Returns the paths of a text with other separators.
    fn separated(&self, text: &str, separators: &Separators) -> Result<Vec<String>, CategoryError> {
        let paths = text.split(separators.paths.as_str()).map(|path| {
            let levels = path.split(separators.levels.as_str()).map(str::trim);
            levels.take_while(|level| !self.nulls.contains(level)).collect::<Vec<&str>>()
        });
        paths.filter(|levels| !levels.is_empty()).map(encode_levels).collect()
    }

    /// Returns whether any text had a `>`.
    pub fn have_arrows(&self) -> bool {
        self.have_arrows
    }

    fn read_text(&mut self, text: &str) -> Result<u32, CategoryError> {
        self.have_arrows |= text.contains('>');
        if let Some(separators) = self.separators.clone() {
            let paths = self.separated(text, &separators)?;
            let code = self.code(&PathSet::of(paths)?);
            self.by_text.keep(text, code);
            return Ok(code);
        }
        let mut members = Vec::new();
        for path in text.split('|').filter(|_| !text.is_empty()) {
            members.push(match self.by_path.find(path) {
                Some(code) => code,
                None => {
                    let known = self.without_nulls(path);
                    if known.is_empty() && !path.is_empty() {
                        continue;
                    }
                    let code = self.paths.code(&check_path(known)?);
                    self.by_path.keep(path, code);
                    code
                }
            });
        }
        let code = self.code_of_few(members)?;
        self.by_text.keep(text, code);
        Ok(code)
    }

    /// Returns a path up to the first level that stands for no value.
    fn without_nulls<'p>(&self, path: &'p str) -> &'p str {
        let mut start = 0;
        for level in path.split('/') {
            if !level.is_empty() && self.nulls.contains(level) {
                return path[..start].strip_suffix('/').unwrap_or("");
            }
            start += level.len() + 1;
        }
        path
    }

    fn read_levels(&mut self, levels: &[&str]) -> Result<u32, CategoryError> {
        let filled = levels.split(|level| self.nulls.contains(level)).next().unwrap_or_default();
        self.scratch.clear();
        for level in filled {
            // The length keeps apart what would look alike once joined.
            // Writing to a text cannot fail.
            let _ = write!(self.scratch, "{}:{level}", level.len());
        }
        if let Some(code) = self.by_levels.find(&self.scratch) {
            return Ok(code);
        }
        let paths = match filled {
            [] => Vec::new(),
            filled => vec![encode_levels(filled.iter().copied())?],
        };
        let code = self.code(&PathSet::of(paths)?);
        self.by_levels.keep(&self.scratch, code);
        Ok(code)
    }

    fn code_of_few(&mut self, mut members: Vec<u32>) -> Result<u32, CategoryError> {
        members.sort_unstable();
        members.dedup();
        if members.len() > MAX_PATHS { Err(CategoryError::TooMany) } else { Ok(self.code_of(members)) }
    }

    /// Returns the number of the set of these distinct paths.
    fn code_of(&mut self, mut paths: Vec<u32>) -> u32 {
        paths.sort_unstable();
        let PathSets { members, ends, codes, hasher, .. } = self;
        let hash = hasher.hash_one(&paths);
        let is_same = |&(of, code): &(u64, u32)| {
            let code = code as usize;
            let start = if code == 0 { 0 } else { ends[code - 1] };
            of == hash && members[start..ends[code]] == paths
        };
        if let Some(&(_, code)) = codes.find(hash, is_same) {
            return code;
        }
        let code = u32::try_from(ends.len()).expect("fewer than 2^32 sets fit in memory");
        codes.insert_unique(hash, (hash, code), |&(hash, _)| hash);
        members.extend_from_slice(&paths);
        ends.push(members.len());
        code
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
        check(&["Food", "\\N", "Apples"], &["Food"]);
        check(&["NULL"], &[]);
        let known = sets.read(&RawCategories::Text("Food/Fruit"));
        assert_eq!(known, sets.read(&RawCategories::Levels(&["Food", "Fruit"])));
    }
    #[test]
    fn texts_that_stand_for_no_value_end_a_path() {
        let mut sets = PathSets::with_nulls(NullMarkers::with(&["missing".to_owned()]));
        let mut check = |text: &str, expected: &[&str]| {
            let code = sets.read(&RawCategories::Text(text)).expect("these are paths");
            assert_eq!(sets.set(code).paths(), expected, "{text}");
        };
        check("NULL", &[]);
        check("\\N", &[]);
        check("A/null/x|B", &["A", "B"]);
        check("NULL/x|B/missing", &["B"]);
        check("None|None", &[]);
        assert_eq!(sets.read(&RawCategories::Text("A|")), Err(CategoryError::EmptyLevel));
    }

    #[test]
    fn paths_may_have_other_separators() {
        let separators = Separators { paths: ",".to_owned(), levels: ">".to_owned() };
        let mut sets = PathSets::default().with_separators(Some(separators));
        let mut check = |text: &str, expected: &[&str]| {
            let code = sets.read(&RawCategories::Text(text)).expect("these are paths");
            assert_eq!(sets.set(code).paths(), expected, "{text}");
        };
        check("Clothing > Hoodies, Clothing > Sale", &["Clothing/Hoodies", "Clothing/Sale"]);
        check("Men/Women > 50% off|x", &["Men%2FWomen/50%25 off%7Cx"]);
        check("A > NULL > B,, ", &["A"]);
        check("", &[]);
    }
}
