//! The window of the next hour, made from the present one while purchases go on: the sums without the hour that leaves,
//! in units of the hour that is then the oldest, and the same lists.
//!
//! It is made in steps, so that nobody waits for it. Until a row was copied, its purchases are in the copy; from then on
//! they are added to both windows. The same goes for an item and the lists.
//!
//! Invariant: once all steps are done, sums and lists are those of the window if it were read from the lake.

use crate::model::{Aggregate, Hour, HourAggregate, Window};
use crate::rank::item_rows::Sum;
use crate::rank::live_rows::{LiveRow, LiveRows};
use crate::rank::live_sums::LiveSums;
use crate::rank::live_top::LiveTop;
use crate::rank::live_window::{InLists, LiveRules, LiveWindow};
use crate::rank::overflow::Overflow;

/// The next window, and how much of it is there.
pub(super) struct NextHour {
    pub window: LiveWindow,
    /// What is in the hour that leaves, until it is found among the rows.
    leaving: LiveSums,
    left: Left,
    /// What is in the hour that comes, until it is added.
    entering: LiveSums,
    progress: Progress,
    /// Rows without anything.
    empty_rows: usize,
}

/// What rows have in the hour that leaves.
#[derive(Default)]
struct Left {
    sums: Vec<Sum>,
    /// By row: one more than the place of its sum, or zero.
    places: Vec<u32>,
}

impl Left {
    fn get(&self, at: usize) -> Option<&Sum> {
        let place = self.places.get(at).copied().unwrap_or_default();
        self.sums.get((place as usize).checked_sub(1)?)
    }

    fn add(&mut self, at: usize, sum: Sum) -> Result<(), Overflow> {
        self.places.resize(self.places.len().max(at + 1), 0);
        match self.places[at] {
            0 => {
                self.sums.push(sum);
                self.places[at] =
                    u32::try_from(self.sums.len()).expect("there are no more of them than of rows");
                Ok(())
            }
            place => self.sums[place as usize - 1].add(&sum),
        }
    }
}

/// What has been done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// So many rows of the hour that leaves are found.
    Found(usize),
    /// So many rows are copied.
    Copied(usize),
    /// All are, and the items of so many sets of paths are in the lists, and those of so many rows of the next set.
    Listed {
        sets: usize,
        rows: usize,
    },
    Done,
}

impl NextHour {
    /// Returns the next window before its first step, given what the hours that leave and come have.
    pub fn begin(rules: LiveRules, leaving: LiveSums, entering: LiveSums) -> NextHour {
        let window = Window::ending(rules.window.as_of().plus(1), rules.window.hours());
        let window = LiveWindow::new(LiveRules { window, ..rules });
        let (left, progress) = (Left::default(), Progress::Found(0));
        NextHour { window, leaving, left, entering, progress, empty_rows: 0 }
    }

    /// Returns whether all is done.
    pub fn is_done(&self) -> bool {
        self.progress == Progress::Done
    }

    /// Returns whether most rows have nothing any more, so that it is better to read them again.
    pub fn is_sparse(&self, rows: &LiveRows) -> bool {
        self.empty_rows > rows.len() / 2
    }

    /// Adds a purchase that has been added to the present window, if it is one of its hours.
    pub fn add(
        &mut self,
        rows: &LiveRows,
        (at, hour): (usize, Hour),
        aggregate: Aggregate,
    ) -> Result<(), Overflow> {
        let row = rows.row(at);
        let of = HourAggregate { hour, path_set: row.path_set, is_primary: row.is_primary, aggregate };
        if let Progress::Found(_) | Progress::Copied(_) = self.progress {
            let copied = if let Progress::Copied(copied) = self.progress { copied } else { 0 };
            if self.leaving.window.rules.window.contains(hour) {
                // Of a row that was copied, it is not needed any more.
                let sum = self.leaving.window.scoring.sum(std::iter::once(&of))?;
                return self.left.add(at, sum);
            }
            if self.entering.window.rules.window.contains(hour) {
                let (item, paths) = (rows.items.name(row.item), rows.sets.texts.name(row.path_set));
                let added = self.entering.add(item, paths, (row.is_primary, hour), aggregate);
                return added.map_err(|_| Overflow::Aggregate);
            }
            if at >= copied {
                return Ok(());
            }
        }
        if !self.window.rules.window.contains(hour) {
            return Ok(());
        }
        let in_lists = if self.is_listed(rows, row.item) { InLists::Yes } else { InLists::NotYet };
        self.window.change(rows, at, in_lists, |scoring, sum| scoring.add(&of, sum))
    }

    /// Does the next of it, of at most so many rows.
    pub fn step(&mut self, rows: &mut LiveRows, now: &LiveWindow, most: usize) -> Result<(), Overflow> {
        match self.progress {
            Progress::Found(found) if found < self.leaving.rows.len() => {
                let end = self.leaving.rows.len().min(found.saturating_add(most));
                (found..end).try_for_each(|at| self.find(rows, at))?;
                self.progress = Progress::Found(end);
            }
            Progress::Found(_) => self.progress = Progress::Copied(0),
            Progress::Copied(copied) if copied < rows.len() => {
                let end = rows.len().min(copied.saturating_add(most));
                (copied..end).for_each(|at| self.copy(now, at));
                self.progress = Progress::Copied(end);
            }
            Progress::Copied(_) => {
                self.entering.add_to(rows, &mut self.window)?;
                now.kept().for_each(|(category, kept)| self.window.keep(category, LiveTop::of(kept)));
                self.progress = Progress::Listed { sets: 0, rows: 0 };
            }
            Progress::Listed { .. } => self.list(rows, most)?,
            Progress::Done => {}
        }
        Ok(())
    }

    /// Adds the items of the next sets of paths to the lists, an item with its oldest row.
    fn list(&mut self, rows: &LiveRows, most: usize) -> Result<(), Overflow> {
        let mut left = most;
        while let Progress::Listed { sets, rows: from } = self.progress
            && left > 0
        {
            let Some(of_set) = rows.sets.rows_of(sets) else {
                self.progress = Progress::Done;
                return Ok(());
            };
            let end = of_set.len().min(from.saturating_add(left));
            let of_set_rows = of_set[from..end].iter().map(|at| rows.row(*at as usize));
            of_set_rows
                .filter(LiveRow::is_oldest)
                .try_for_each(|row| self.window.add_to_lists(rows, row.item))?;
            left -= (end - from).clamp(1, left);
            self.progress = match end == of_set.len() {
                true => Progress::Listed { sets: sets + 1, rows: 0 },
                false => Progress::Listed { sets, rows: end },
            };
        }
        Ok(())
    }

    /// Finds a row of the hour that leaves among all rows.
    fn find(&mut self, rows: &LiveRows, at: usize) -> Result<(), Overflow> {
        let LiveRow { item, path_set, is_primary, .. } = self.leaving.rows.row(at);
        let item = rows.items.find(self.leaving.rows.items.name(item));
        let path_set = rows.sets.texts.find(self.leaving.rows.sets.texts.name(path_set));
        let own = item.zip(path_set).and_then(|(item, path_set)| rows.find(item, path_set, is_primary));
        own.map_or(Ok(()), |own| self.left.add(own, self.leaving.window.sum(at)))
    }

    fn copy(&mut self, now: &LiveWindow, at: usize) {
        let mut sum = now.sum(at);
        if let Some(left) = self.left.get(at) {
            sum.subtract(&now.in_own_units(&self.leaving.window.rules, left));
        }
        let (first, second) = (now.rules.window.oldest(), self.window.rules.window.oldest());
        let exponents = u32::try_from(now.rules.decay.octaves_between(first, second)).unwrap_or(0);
        sum.score = sum.score.in_units_of_later(exponents);
        self.window.set(at, sum);
        self.empty_rows += usize::from(self.window.is_empty(at));
    }

    /// Returns whether the lists have an item already, or will have it by its changes.
    fn is_listed(&self, rows: &LiveRows, item: u32) -> bool {
        let Progress::Listed { sets, rows: from } = self.progress else { return self.is_done() };
        let Some(oldest) = rows.of_item(item).last() else { return false };
        let set = rows.row(oldest).path_set as usize;
        let next = || rows.sets.rows_of(set).and_then(|of_set| of_set.get(from));
        set < sets || (set == sets && next().is_none_or(|next| oldest < *next as usize))
    }
}
