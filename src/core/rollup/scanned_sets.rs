//! The sets of paths of some files, and which of them are wanted.

use crate::model::PathSetCategories;

/// Returns whether the rows of a path are wanted.
pub type WantsPath<'a> = &'a (dyn Fn(&str) -> bool + Sync);

/// Sets of paths by number, each asked once whether one of its paths is wanted.
#[derive(Default)]
pub(super) struct ScannedSets<'a> {
    pub path_sets: PathSetCategories,
    /// All paths for none.
    wants: Option<WantsPath<'a>>,
    are_wanted: Vec<bool>,
}

impl<'a> ScannedSets<'a> {
    /// Returns no sets yet, and which are wanted.
    pub fn wanting(wants: Option<WantsPath<'a>>) -> ScannedSets<'a> {
        ScannedSets { wants, ..ScannedSets::default() }
    }

    /// Returns, by the number of each set, whether it is wanted; none where all are.
    pub fn are_wanted(&mut self) -> Option<&[bool]> {
        let wants = self.wants?;
        let sets = &self.path_sets.sets;
        for set in self.are_wanted.len()..sets.len() {
            self.are_wanted.push(sets.name(set as u32).split('|').any(wants));
        }
        Some(&self.are_wanted)
    }
}
