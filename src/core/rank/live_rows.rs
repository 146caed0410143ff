//! The items of a ranking in memory, and with which sets of paths each was sold.
//!
//! Invariant: an item has one row for each set of paths, and for whether it counts shop-wide; a row keeps its number.

use crate::model::{Interner, levels_of};

/// The number of the shop among the categories; its path is the empty text.
pub(super) const SHOP: u32 = 0;
/// After the last row of an item.
const NONE: u32 = u32::MAX;

/// The rows of all items.
pub(super) struct LiveRows {
    pub items: Interner,
    pub sets: Sets,
    /// The newest row of each item.
    newest: Vec<u32>,
    rows: Vec<LiveRow>,
}

/// That an item was sold with a set of paths.
#[derive(Clone, Copy)]
pub(super) struct LiveRow {
    pub item: u32,
    pub path_set: u32,
    pub is_primary: bool,
    /// The row of the same item before it.
    older: u32,
}

/// The sets of paths, and the categories that they are in.
pub(super) struct Sets {
    pub texts: Interner,
    pub categories: Interner,
    /// By set, ascending.
    categories_of: Vec<Vec<u32>>,
    /// By set, ascending.
    rows_of: Vec<Vec<u32>>,
    /// By category.
    sets_of: Vec<Vec<u32>>,
}

impl Sets {
    fn none() -> Sets {
        let mut categories = Interner::default();
        categories.code("");
        let (categories_of, rows_of, sets_of) = (Vec::new(), Vec::new(), vec![Vec::new()]);
        Sets { texts: Interner::default(), categories, categories_of, rows_of, sets_of }
    }

    /// Returns the number of a set, given as its paths below one top-level category, joined by `|`.
    pub fn code(&mut self, text: &str) -> u32 {
        let set = self.texts.code(text);
        if set as usize == self.categories_of.len() {
            let paths = text.split('|').filter(|path| !path.is_empty());
            let mut of_set: Vec<u32> =
                paths.flat_map(levels_of).map(|path| self.categories.code(path)).collect();
            of_set.sort_unstable();
            of_set.dedup();
            self.sets_of.resize(self.categories.len(), Vec::new());
            of_set.iter().for_each(|category| self.sets_of[*category as usize].push(set));
            self.categories_of.push(of_set);
            self.rows_of.push(Vec::new());
        }
        set
    }

    /// Returns the rows of a set, ascending; none where there is no such set.
    pub fn rows_of(&self, set: usize) -> Option<&[u32]> {
        self.rows_of.get(set).map(Vec::as_slice)
    }
}

impl LiveRow {
    /// Returns whether it is the only row of its item, or the one that was there first.
    pub fn is_oldest(&self) -> bool {
        self.older == NONE
    }
}

impl LiveRows {
    pub fn none() -> LiveRows {
        LiveRows { items: Interner::default(), sets: Sets::none(), newest: Vec::new(), rows: Vec::new() }
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    #[inline]
    pub fn row(&self, at: usize) -> LiveRow {
        self.rows[at]
    }

    pub fn iter(&self) -> impl Iterator<Item = &LiveRow> {
        self.rows.iter()
    }

    /// Returns the row of an item with a set of paths, which is new where there is none.
    #[inline]
    pub fn place(&mut self, item: u32, path_set: u32, is_primary: bool) -> usize {
        if item as usize == self.newest.len() {
            self.newest.push(NONE);
        }
        if let Some(known) = self.find(item, path_set, is_primary) {
            return known;
        }
        let new = u32::try_from(self.rows.len()).expect("fewer than 2^32 rows fit in memory");
        self.rows.push(LiveRow { item, path_set, is_primary, older: self.newest[item as usize] });
        self.newest[item as usize] = new;
        self.sets.rows_of[path_set as usize].push(new);
        new as usize
    }

    /// Returns the row of an item with a set of paths, if there is one.
    #[inline]
    pub fn find(&self, item: u32, path_set: u32, is_primary: bool) -> Option<usize> {
        self.of_item(item).find(|at| {
            let row = &self.rows[*at];
            (row.path_set, row.is_primary) == (path_set, is_primary)
        })
    }

    /// Returns the rows of an item, the newest first.
    #[inline]
    pub fn of_item(&self, item: u32) -> impl Iterator<Item = usize> {
        let row = |at: u32| (at != NONE).then_some(at as usize);
        let newest = self.newest.get(item as usize).copied().unwrap_or(NONE);
        std::iter::successors(row(newest), move |at| row(self.rows[*at].older))
    }

    /// Returns whether an item has no other row.
    #[inline]
    pub fn is_only(&self, at: usize) -> bool {
        let LiveRow { item, older, .. } = self.rows[at];
        older == NONE && self.newest[item as usize] as usize == at
    }

    /// Returns the categories that a row counts in, the shop first.
    #[inline]
    pub fn categories_of(&self, at: usize) -> impl Iterator<Item = u32> {
        let row = &self.rows[at];
        let of_set = self.sets.categories_of[row.path_set as usize].iter().copied();
        row.is_primary.then_some(SHOP).into_iter().chain(of_set)
    }

    /// Returns whether a row counts in a category.
    pub fn counts_in(&self, at: usize, category: u32) -> bool {
        let row = &self.rows[at];
        match category {
            SHOP => row.is_primary,
            _ => self.sets.categories_of[row.path_set as usize].binary_search(&category).is_ok(),
        }
    }

    /// Returns whether a row is the newest of its item in a category.
    fn is_newest_in(&self, at: usize, category: u32) -> bool {
        let mut of_item = self.of_item(self.rows[at].item).take_while(|other| *other != at);
        !of_item.any(|other| self.counts_in(other, category))
    }

    /// Calls `take` with each item that has a row in a category, once.
    pub fn for_each_item_of<E>(
        &self,
        category: u32,
        mut take: impl FnMut(u32) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut take_of = |at: usize| match self.counts_in(at, category) && self.is_newest_in(at, category) {
            true => take(self.rows[at].item),
            false => Ok(()),
        };
        match category {
            SHOP => (0..self.rows.len()).try_for_each(take_of),
            _ => {
                let sets = self.sets.sets_of[category as usize].iter();
                let rows = sets.flat_map(|set| &self.sets.rows_of[*set as usize]);
                rows.into_iter().try_for_each(|at| take_of(*at as usize))
            }
        }
    }
}
