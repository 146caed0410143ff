//! The categories of path sets: each path, its ancestors, and the shop at the root.

use crate::model::{Interner, levels_of};

/// The whole shop's number.
pub(super) const SHOP: u32 = 0;

/// Categories by number, and which of them each path set belongs to.
pub(super) struct CategoryTree {
    names: Interner,
    /// For each path set, the wanted categories it belongs to, ascending, each once.
    categories_by_set: Vec<Vec<u32>>,
}

impl CategoryTree {
    /// Returns a tree of the shop alone.
    pub fn new() -> CategoryTree {
        let mut names = Interner::default();
        // No category has an empty path, so the empty text can stand for the shop.
        names.code("");
        CategoryTree { names, categories_by_set: Vec::new() }
    }

    /// Adds the path sets that are new, and those of their categories that are wanted.
    pub fn extend(&mut self, path_sets: &Interner, wants: &dyn Fn(&str) -> bool) {
        for set in self.categories_by_set.len()..path_sets.len() {
            let set = path_sets.name(set as u32);
            let paths = set.split('|').filter(|path| !path.is_empty());
            let wanted = paths.flat_map(levels_of).filter(|category| wants(category));
            let mut categories: Vec<u32> = wanted.map(|category| self.names.code(category)).collect();
            categories.sort_unstable();
            categories.dedup();
            self.categories_by_set.push(categories);
        }
    }

    /// Returns how many path sets were added.
    pub fn path_sets(&self) -> usize {
        self.categories_by_set.len()
    }

    /// Returns how many categories there are, the shop included.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Returns the wanted categories that a path set belongs to, ascending.
    pub fn categories_of(&self, path_set: u32) -> &[u32] {
        &self.categories_by_set[path_set as usize]
    }

    /// Returns a category's path; the shop's is empty.
    pub fn name(&self, category: u32) -> &str {
        self.names.name(category)
    }

    /// Returns the categories' paths by number; the shop's is empty.
    pub fn categories(&self) -> impl Iterator<Item = &str> {
        self.names.iter()
    }
}
