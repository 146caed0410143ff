//! What items have with each set of paths within one window.
//!
//! Invariant: sums add, so that they do not depend on the order of what was added.

use crate::model::{Aggregate, AggregateOverflow, Hour, HourAggregate};
use crate::rank::item_rows::Sum;
use crate::rank::live_rows::LiveRows;
use crate::rank::live_window::{InLists, LiveRules, LiveWindow};
use crate::rank::overflow::Overflow;

/// The rows of all items, and what they have.
pub(super) struct LiveSums {
    pub rows: LiveRows,
    pub window: LiveWindow,
}

impl LiveSums {
    pub fn new(rules: LiveRules) -> LiveSums {
        LiveSums { rows: LiveRows::none(), window: LiveWindow::new(rules) }
    }

    /// Adds what an item has in an hour of the window.
    ///
    /// # Errors
    /// Names the item where an aggregate exceeds its range.
    pub fn add(
        &mut self,
        item_id: &str,
        paths: &str,
        (is_primary, hour): (bool, Hour),
        aggregate: Aggregate,
    ) -> Result<(), AggregateOverflow> {
        let (item, path_set) = (self.rows.items.code(item_id), self.rows.sets.code(paths));
        let at = self.rows.place(item, path_set, is_primary);
        let of = HourAggregate { hour, path_set, is_primary, aggregate };
        let changed = self.window.change(&self.rows, at, InLists::Yes, |scoring, sum| scoring.add(&of, sum));
        changed.map_err(|e| e.of(item_id))
    }

    /// Adds the sums of some of the window's hours.
    ///
    /// # Errors
    /// Names the item where an aggregate exceeds its range.
    pub fn add_hours(&mut self, hours: &LiveSums) -> Result<(), AggregateOverflow> {
        let sets: Vec<u32> = hours.rows.sets.texts.iter().map(|set| self.rows.sets.code(set)).collect();
        for (at, row) in hours.rows.iter().enumerate() {
            let name = hours.rows.items.name(row.item);
            let item = self.rows.items.code(name);
            let at_own = self.rows.place(item, sets[row.path_set as usize], row.is_primary);
            let sum = self.window.in_own_units(&hours.window.rules, &hours.window.sum(at));
            let changed = self.window.change(&self.rows, at_own, InLists::Yes, |_, known| known.add(&sum));
            changed.map_err(|e| e.of(name))?;
        }
        Ok(())
    }

    /// Sets what an item has with a set of paths, while there are no lists.
    pub fn set(&mut self, item_id: &str, paths: &str, is_primary: bool, sum: Sum) {
        let (item, path_set) = (self.rows.items.code(item_id), self.rows.sets.code(paths));
        let at = self.rows.place(item, path_set, is_primary);
        self.window.set(at, sum);
    }

    /// Adds all of it to a later window with other rows, before that has lists.
    pub fn add_to(&self, rows: &mut LiveRows, window: &mut LiveWindow) -> Result<(), Overflow> {
        for (at, row) in self.rows.iter().enumerate() {
            let item = rows.items.code(self.rows.items.name(row.item));
            let path_set = rows.sets.code(self.rows.sets.texts.name(row.path_set));
            let at_own = rows.place(item, path_set, row.is_primary);
            let sum = window.in_own_units(&self.window.rules, &self.window.sum(at));
            window.change(rows, at_own, InLists::NotYet, |_, known| known.add(&sum))?;
        }
        Ok(())
    }
}
