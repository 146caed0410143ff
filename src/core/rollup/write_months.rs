//! Copies of whole months written, checked and removed.
//!
//! Invariant: a copy has the rows of the files that its name stands for, and no others.

use crate::delta::{LiveFile, Partition, VacuumRule};
use crate::lake::{CompactionDays, DayPartition, ROLLUPS};
use crate::model::{AggregateRows, Date, Hour, Timestamp};
use crate::parquet_format::encode_month;
use crate::rollup::error::RollupError;
use crate::rollup::months::{
    ByMonth, Copies, Month, PartitionedFile, all_copies, folder_of, outdated_copies,
};
use crate::rollup::table::{Rollups, partition_of, path_of, read_file_of};
use crate::rollup::write::lines_of;
use crate::storage::StoredFile;

/// A copy of a month, and what it must have the rows of.
pub struct MonthCopy {
    copy: PartitionedFile,
    month: Month,
}

impl MonthCopy {
    /// Returns the path below the lake.
    pub fn path(&self) -> String {
        path_of(&self.copy.1)
    }

    /// Returns the end of its last hour.
    pub fn end(&self) -> Hour {
        self.copy.0.last().plus(1)
    }
}

impl Rollups {
    /// Writes copies of the months that ended before `until`, have small days only, and have no copy of their files; of
    /// those that a compaction has looked at. Returns how many were written.
    ///
    /// # Errors
    /// Fails where the disk does; the copies that are written stay.
    pub(super) fn write_months(
        &self,
        looked_at: &CompactionDays,
        until: Timestamp,
    ) -> Result<u64, RollupError> {
        let files = self.files_of_months(looked_at, until)?;
        let mut written = 0;
        for (month, _) in self.months_of(&files)?.into_iter().filter(|(_, copy)| copy.is_none()) {
            self.write_month(&month)?;
            written += 1;
        }
        Ok(written)
    }

    /// Returns the event types and the first days of the months that a compaction will copy, once it has merged the
    /// files of their days.
    ///
    /// # Errors
    /// Fails where the table's log cannot be read, or the disk fails.
    pub(super) fn months_to_write(
        &self,
        looked_at: &CompactionDays,
        until: Timestamp,
    ) -> Result<Vec<(String, Date)>, RollupError> {
        let months = self.months_of(&self.files_of_months(looked_at, until)?)?.into_iter();
        let without = months.filter(|(_, copy)| copy.is_none());
        Ok(without.map(|(month, _)| (month.event_type, *month.days.start())).collect())
    }

    /// Returns the files of the months that have ended and that a compaction has looked at.
    fn files_of_months(
        &self,
        looked_at: &CompactionDays,
        until: Timestamp,
    ) -> Result<Vec<LiveFile>, RollupError> {
        let is_wanted = |partition: &Partition| {
            let days = DayPartition::of(partition).and_then(|day| day.date.month());
            days.is_some_and(|days| Hour::of(*days.end(), 24).start() <= until && looked_at.has_month(&days))
        };
        Ok(self.table.newest()?.files_of_days(&looked_at.range_of_months(), &is_wanted)?)
    }

    /// Returns the copies of months whose files are all among some, given all files of these months.
    ///
    /// # Errors
    /// Fails where the disk does.
    pub fn copies(&self, files: &[LiveFile]) -> Result<Vec<MonthCopy>, RollupError> {
        let months = self.months_of(files)?.into_iter();
        Ok(months.filter_map(|(month, copy)| Some(MonthCopy { copy: copy?, month })).collect())
    }

    /// Returns the months that may have a copy, and that copy.
    fn months_of(&self, files: &[LiveFile]) -> Result<Vec<(Month, Option<PartitionedFile>)>, RollupError> {
        let files = files.iter().map(|file| Ok((partition_of(file)?, file.clone().into())));
        let months = ByMonth::of(files.collect::<Result<Vec<_>, RollupError>>()?).months;
        let mut copies = Copies::of(&self.store);
        let mut found = Vec::new();
        for month in months.into_iter().filter(Month::may_have_copy) {
            let copy = copies.of_month(&month)?;
            found.push((month, copy));
        }
        Ok(found)
    }

    /// Returns all rows of a copy.
    ///
    /// # Errors
    /// Says that it is missing or damaged.
    pub fn rows_of_copy(&self, MonthCopy { copy, .. }: &MonthCopy) -> Result<AggregateRows, RollupError> {
        let mut rows = AggregateRows::default();
        read_file_of(&self.store, &copy.0, &copy.1, &mut rows)?;
        Ok(rows)
    }

    /// Returns all rows of the files that a copy was made from.
    ///
    /// # Errors
    /// Names the file that is missing or damaged.
    pub fn rows_of_days(&self, copy: &MonthCopy) -> Result<AggregateRows, RollupError> {
        self.rows_of_month(&copy.month)
    }

    /// Writes a copy that is damaged or wrong again.
    ///
    /// # Errors
    /// Fails where the disk does, or a file of the month is damaged.
    pub fn rewrite_copy(&self, path: &str) -> Result<bool, RollupError> {
        let files = self.files()?.1;
        let copies = self.copies(&files)?;
        let Some(copy) = copies.iter().find(|copy| copy.path() == path) else { return Ok(false) };
        self.store.delete(path)?;
        self.write_month(&copy.month)?;
        Ok(true)
    }

    /// Returns the copies that are of other files than the table has, and old enough to be removed.
    ///
    /// # Errors
    /// Fails where the table's log cannot be read, or the disk fails.
    pub(super) fn outdated_months(&self, rule: &VacuumRule) -> Result<Vec<StoredFile>, RollupError> {
        if !self.store.has_folder(&all_copies()) {
            return Ok(Vec::new());
        }
        let outdated = outdated_copies(&self.store, &self.table.newest()?.paths()?)?;
        self.old_enough(rule, outdated)
    }

    /// Returns those of some files that a vacuum may remove.
    pub(super) fn old_enough(
        &self,
        rule: &VacuumRule,
        mut files: Vec<StoredFile>,
    ) -> Result<Vec<StoredFile>, RollupError> {
        if !files.is_empty() {
            let log = self.store.files(&format!("{ROLLUPS}/_delta_log"))?;
            let mut times: Vec<i64> = log.iter().map(|file| file.modified_ms).collect();
            times.sort_unstable_by(|a, b| b.cmp(a));
            let ages = rule.ages(times);
            files.retain(|file| ages.of(file.modified_ms) > rule.keep_ms);
        }
        Ok(files)
    }

    fn write_month(&self, month: &Month) -> Result<(), RollupError> {
        let rows = self.rows_of_month(month)?;
        let order = rows.order();
        let first = Hour::of(*month.days.start(), 0).number();
        let lines = lines_of(&rows, rows.in_order(&order), |hour| hour.number() - first);
        let folder = folder_of(&month.event_type);
        let encoded = encode_month(lines)
            .map_err(|source| RollupError::Columns { file: format!("a file of {folder}"), source })?;
        let path = format!("{folder}/{}", encoded.name(&month.copy_name()));
        Ok(self.store.put(&path, encoded.bytes)?)
    }

    fn rows_of_month(&self, month: &Month) -> Result<AggregateRows, RollupError> {
        let mut rows = AggregateRows::default();
        for (partition, file) in &month.files {
            read_file_of(&self.store, partition, file, &mut rows)?;
        }
        Ok(rows)
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::delta::StepLimits;
    use crate::lake::Lake;
    use crate::lake::test_events::add_sales_of;
    use crate::model::EventTypes;
    use crate::progress::Progress;
    use crate::rollup::live_counts::{ItemQuery, live_counts};
    use crate::rollup::scan_part::WantedRows;
    use crate::rollup::table::Selection;
    use crate::rollup::{Replaces, Scope, rollup};
    use crate::storage::temporary;

    const CATEGORIES: [&str; 4] = ["Food/Fruit", "Food/Bread", "Toys", ""];
    const ITEMS: [&str; 3] = ["item0", "item1", "item2"];
    /// All of January to March 1970, and some days of April.
    const HOURS: i32 = 2_400;

    /// Of each sale the category, the hour, the item and the quantity.
    type Sales = Vec<(usize, i32, usize, i32)>;

    fn sold(sales: &Sales, hours: &Range<i32>, is_of: impl Fn(usize, usize) -> bool) -> i64 {
        let sold =
            sales.iter().filter(|(category, hour, item, _)| hours.contains(hour) && is_of(*category, *item));
        sold.map(|sale| i64::from(sale.3)).sum()
    }

    fn units(rows: &AggregateRows) -> i64 {
        rows.rows
            .iter()
            .filter(|row| row.is_primary)
            .map(|row| row.aggregate.units.ten_thousandths() / 10_000)
            .sum()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10))]

        /// Whatever is added, to whichever months, before and after they were copied, and whether or not it is
        /// aggregated yet: counts and scans are what the sales add up to, and no copy has anything else.
        #[test]
        fn copies_of_months_change_no_answer(
            rounds in vec(
                (vec((0..4_usize, 0..HOURS, 0..3_usize, 1..4_i32), 1..14), any::<bool>(), any::<bool>(), any::<bool>()),
                1..6,
            ),
            ends in vec((0..HOURS, 0..HOURS), 3),
        ) {
            let (store, _folder) = temporary();
            let lake = Lake::open_or_create(store.clone(), None).expect("a lake can be made");
            let closed = Hour::new(HOURS).start();
            let types = EventTypes::of(vec!["purchase".to_owned()], Vec::new());
            let (mut id, mut sales) = (0, Sales::new());
            for (added, is_aggregated, is_compacted, is_recomputed) in rounds {
                for &(category, hour, item, quantity) in &added {
                    id += 1;
                    add_sales_of(&lake, CATEGORIES[category], Hour::new(hour), &[(id, ITEMS[item], quantity)]);
                }
                sales.extend(added);
                let scope = if is_recomputed { Scope::all() } else { Scope::Changed };
                if is_aggregated {
                    rollup(&lake, scope, Replaces::DamagedOnly, 0, &Progress::ignored()).expect("it is done");
                }
                let rollups = Rollups::open_or_create(&store).expect("it can be read");
                if is_compacted {
                    let plan = rollups.plan_compaction(closed, StepLimits::default()).expect("it can be read");
                    plan.run(0, &|_| {}).expect("it is done");
                }
                for &(from, until) in &ends {
                    let hours = from.min(until)..from.max(until) + 1;
                    let of_hours = Hour::new(hours.start)..Hour::new(hours.end);
                    let selection = Selection { event_types: &types, hours: of_hours };
                    for (number, item) in ITEMS.iter().enumerate() {
                        let items = [*item];
                        let query = ItemQuery { items: &items, selection: selection.clone(), top_level: None };
                        let counted = live_counts(&store, &selection, &[], |counts| counts.aggregates(&query));
                        let counted = units(&counted.expect("it can be read"));
                        prop_assert_eq!(counted, sold(&sales, &hours, |_, item| item == number));
                    }
                    if !is_aggregated {
                        continue;
                    }
                    let wants = |path: &str| path == "Food/Bread";
                    let mut scan = rollups.scan().expect("it can be read");
                    // As a ranking does that looks back: the newest hours first.
                    let newest = Selection { hours: Hour::new(HOURS - 100)..Hour::new(HOURS), ..selection.clone() };
                    scan.parts(&newest, None).expect("it can be read");
                    let mut scanned = 0;
                    for part in scan.parts(&selection, Some(&wants)).expect("it can be read") {
                        let wanted = WantedRows { item: None, path: Some(&wants) };
                        part.for_each_item::<RollupError>(&Progress::ignored(), wanted, &mut |of| {
                            let rows = of.rows.iter().filter(|row| of.path_sets.name(row.path_set) == "Food/Bread");
                            scanned += rows.map(|row| row.aggregate.units.ten_thousandths() / 10_000).sum::<i64>();
                            Ok(())
                        })
                        .expect("it can be read");
                    }
                    prop_assert_eq!(scanned, sold(&sales, &hours, |category, _| category == 1));
                }
                let files = rollups.files().expect("it can be read").1;
                for copy in rollups.copies(&files).expect("it can be read") {
                    let rows = rollups.rows_of_copy(&copy).expect("it can be read");
                    prop_assert!(rows.is_same_as(&rollups.rows_of_days(&copy).expect("it can be read")));
                }
                // Of each month that has ended and has two days or more, there is one.
                if is_compacted {
                    let months = rollups.months_of(&files).expect("it can be read").into_iter();
                    let without = months.filter(|(month, copy)| Hour::of(*month.days.end(), 24) <= Hour::new(HOURS) && copy.is_none());
                    prop_assert_eq!(without.count(), 0);
                }
            }
        }
    }
}
