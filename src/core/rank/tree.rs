//! The categories that sets of paths lie in: each path, its ancestors, and the shop above all.

use crate::model::{Interner, levels_of};

/// The whole shop's number.
pub(super) const SHOP: u32 = 0;

/// Categories by number, and which of them each set of paths lies in.
pub(super) struct Tree {
    names: Interner,
    /// For each set of paths, the wanted categories it lies in, ascending, each once.
    closures: Vec<Vec<u32>>,
}

impl Tree {
    /// Returns a tree of the shop alone.
    pub fn new() -> Tree {
        let mut names = Interner::default();
        // No category has an empty path, so the empty text can stand for the shop.
        names.code("");
        Tree { names, closures: Vec::new() }
    }

    /// Learns the sets of paths that are new, and their categories as far as they are wanted.
    pub fn grow(&mut self, path_sets: &Interner, wants: &dyn Fn(&str) -> bool) {
        for set in self.closures.len()..path_sets.len() {
            let set = path_sets.name(set as u32);
            let paths = set.split('|').filter(|path| !path.is_empty());
            let wanted = paths.flat_map(levels_of).filter(|category| wants(category));
            let mut closure: Vec<u32> = wanted.map(|category| self.names.code(category)).collect();
            closure.sort_unstable();
            closure.dedup();
            self.closures.push(closure);
        }
    }

    /// Returns how many sets of paths it has learned.
    pub fn path_sets(&self) -> usize {
        self.closures.len()
    }

    /// Returns how many categories there are, the shop included.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Returns the wanted categories that a set of paths lies in, ascending.
    pub fn closure(&self, path_set: u32) -> &[u32] {
        &self.closures[path_set as usize]
    }

    /// Returns the categories by number, the shop as the empty text.
    pub fn categories(&self) -> impl Iterator<Item = &str> {
        self.names.iter()
    }
}
