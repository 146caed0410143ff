//! The categories that sets of paths lie in: each path, its ancestors, and the shop above all.

use crate::event::{Names, levels_of};

/// The whole shop's number.
pub(super) const SHOP: u32 = 0;

/// Categories by number, and which of them each set of paths lies in.
pub(super) struct Tree {
    names: Names,
    /// For each set of paths, the wanted categories it lies in, ascending, each once.
    closures: Vec<Vec<u32>>,
    pub wants_shop: bool,
}

impl Tree {
    /// Returns the categories of the given sets, as far as they are wanted.
    pub fn of(path_sets: &Names, wants: &dyn Fn(Option<&str>) -> bool) -> Tree {
        let mut names = Names::default();
        // No category has an empty path, so the empty text can stand for the shop.
        names.code("");
        let closures = path_sets
            .iter()
            .map(|set| {
                let paths = set.split('|').filter(|path| !path.is_empty());
                let wanted = paths.flat_map(levels_of).filter(|category| wants(Some(category)));
                let mut closure: Vec<u32> = wanted.map(|category| names.code(category)).collect();
                closure.sort_unstable();
                closure.dedup();
                closure
            })
            .collect();
        Tree { names, closures, wants_shop: wants(None) }
    }

    /// Returns how many categories there are, the shop included.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Returns a category's path; `None` for the shop.
    pub fn category(&self, code: u32) -> Option<&str> {
        (code != SHOP).then(|| self.names.name(code))
    }

    /// Returns the wanted categories that a set of paths lies in, ascending.
    pub fn closure(&self, path_set: u32) -> &[u32] {
        &self.closures[path_set as usize]
    }
}
