//! Under which top-level categories the events of each set of paths are written.

use crate::model::category::top_level;
use crate::model::{Interner, PathSets};

/// The paths of one set below one top-level category, or the set without any.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Number in [`Places::categories`]; none for the set without paths.
    pub category: Option<u32>,
    /// Whether the copy written here counts shop-wide: the one under the first category.
    pub is_primary: bool,
    /// The set, where others of its paths are below other top-level categories.
    pub parted_set: Option<u32>,
    start: usize,
    end: usize,
}

/// The places of every set, by number.
pub struct Places<'a> {
    sets: &'a PathSets,
    categories: Interner,
    places: Vec<Place>,
    /// Where each set's places end.
    ends: Vec<u32>,
    /// The places' paths, in byte order.
    paths: Vec<u32>,
}

impl<'a> Places<'a> {
    /// Returns the places of all the sets.
    pub fn of(sets: &'a PathSets) -> Places<'a> {
        let ranks = sets.paths().ranks();
        let mut categories = Interner::default();
        let tops: Vec<u32> = sets.paths().iter().map(|path| categories.code(top_level(path))).collect();
        let top_ranks = categories.ranks();
        let mut all = Places { sets, categories, places: Vec::new(), ends: Vec::new(), paths: Vec::new() };
        for set in (0..).take(sets.len()) {
            let mut start = all.paths.len();
            all.paths.extend_from_slice(sets.members(set));
            let members = &mut all.paths[start..];
            members.sort_unstable_by_key(|&path| {
                (top_ranks[tops[path as usize] as usize], ranks[path as usize])
            });
            let is_parted = members.iter().any(|&path| tops[path as usize] != tops[members[0] as usize]);
            let parted_set = is_parted.then_some(set);
            let mut is_primary = true;
            if members.is_empty() {
                all.places.push(Place { category: None, is_primary, parted_set, start, end: start });
            }
            while start < all.paths.len() {
                let top = tops[all.paths[start] as usize];
                let below = all.paths[start..].iter().take_while(|&&path| tops[path as usize] == top).count();
                let end = start + below;
                all.places.push(Place { category: Some(top), is_primary, parted_set, start, end });
                (start, is_primary) = (end, false);
            }
            all.ends.push(u32::try_from(all.places.len()).expect("fewer than 2^32 places fit in memory"));
        }
        all
    }

    /// Returns the numbers of a set's places; the first is the primary one.
    pub fn of_set(&self, set: u32) -> std::ops::Range<u32> {
        let set = set as usize;
        let start = if set == 0 { 0 } else { self.ends[set - 1] };
        start..self.ends[set]
    }

    /// Returns a place.
    pub fn place(&self, number: u32) -> &Place {
        &self.places[number as usize]
    }

    /// Returns the paths of a place by number, in byte order.
    pub fn paths(&self, place: &Place) -> &[u32] {
        &self.paths[place.start..place.end]
    }

    /// Returns the names of paths, by number.
    pub fn path_names(&self) -> &Interner {
        self.sets.paths()
    }

    /// Returns the top-level categories, by number.
    pub fn categories(&self) -> &Interner {
        &self.categories
    }

    /// Returns all paths of a set in byte order, joined by `|`.
    pub fn joined(&self, set: u32) -> String {
        let mut paths: Vec<&str> =
            self.sets.members(set).iter().map(|&path| self.path_names().name(path)).collect();
        paths.sort_unstable();
        paths.join("|")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::model::RawCategories;

    fn check(text: &str, expected: &[(Option<&str>, &str)]) {
        let mut sets = PathSets::default();
        for text in ["Z/z|B/b", text] {
            sets.read(&RawCategories::Text(text)).expect("these are paths");
        }
        let places = Places::of(&sets);
        let got: Vec<(Option<&str>, String)> = places
            .of_set(1)
            .map(|number| {
                let place = places.place(number);
                assert_eq!(place.is_primary, number == places.of_set(1).start);
                assert_eq!(place.parted_set, (expected.len() > 1).then_some(1));
                let paths = places.paths(place).iter().map(|&path| places.path_names().name(path));
                let category = place.category.map(|category| places.categories().name(category));
                (category, paths.collect::<Vec<_>>().join("|"))
            })
            .collect();
        let got: Vec<(Option<&str>, &str)> = got.iter().map(|(top, paths)| (*top, paths.as_str())).collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn a_set_is_once_below_each_of_its_top_level_categories() {
        check("", &[(None, "")]);
        check("Toys", &[(Some("Toys"), "Toys")]);
        check("Toys/b|Books/x|Toys/a|Toys/b", &[(Some("Books"), "Books/x"), (Some("Toys"), "Toys/a|Toys/b")]);
        // In byte order of the paths, the second category is within the first.
        check("A/x|A!y|A", &[(Some("A"), "A|A/x"), (Some("A!y"), "A!y")]);
    }
}
