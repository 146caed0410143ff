//! Sets of paths by number, and the top-level category of each.

use crate::model::{Interner, category_of_set};

/// Sets of paths below one top-level category each, written as their paths joined by `|`.
#[derive(Default)]
pub struct PathSetCategories {
    /// The sets by number; whoever adds some calls [`PathSetCategories::categorize`] afterwards.
    pub sets: Interner,
    categories: Interner,
    /// By the number of a set, the number of its category.
    of_sets: Vec<u32>,
}

impl PathSetCategories {
    /// Finds the categories of sets that are new.
    pub fn categorize(&mut self) {
        for set in self.of_sets.len()..self.sets.len() {
            let category = category_of_set(self.sets.name(set as u32)).unwrap_or_default();
            self.of_sets.push(self.categories.code(category));
        }
    }

    /// Returns the number of a set's category.
    #[inline]
    pub fn category_of(&self, set: u32) -> u32 {
        self.of_sets[set as usize]
    }

    /// Returns how many categories have a number.
    pub fn categories(&self) -> u32 {
        self.categories.len() as u32
    }

    /// Returns the name of a category; none for that of the set without paths.
    pub fn category(&self, number: u32) -> Option<&str> {
        Some(self.categories.name(number)).filter(|name| !name.is_empty())
    }
}
