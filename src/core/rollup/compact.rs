//! Compaction: the rollup files of a shard's day rewritten as one, with further ones for its large categories; of a
//! day with few rows, those of all shards.
//!
//! It is done in steps, as that of the `events` table; a rollup that runs meanwhile waits for one commit at most,
//! and what it rewrites is left as it is.
//!
//! Invariant: no aggregate changes. A run that ends between two steps has lost nothing.

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::delta::{CommitKind, LiveFile, Rewrite, Rewriter, StepLimits};
use crate::lake::{CompactionDays, DayPartition, FilePartition, FileSharing, ROLLUPS, category_name_of};
use crate::model::{CategoryGroup, Date, Shard, Timestamp};
use crate::rollup::error::RollupError;
use crate::rollup::table::{Rollups, partition_of};
use crate::rollup::write::{Output, encode_day};
use crate::storage::BulkWriter;

/// A day of one event type and shard.
type ShardDay = (String, Shard, Date);

/// Files of one day and shard that are merged.
pub struct DayMerge {
    day: ShardDay,
    /// The name of their only category, or else of the shard.
    category: String,
    files: Vec<LiveFile>,
}

impl DayMerge {
    /// Returns the event type, the name of the category or of the shard, and the date.
    pub fn day(&self) -> (&str, &str, Date) {
        (&self.day.0, &self.category, self.day.2)
    }

    fn of(day: ShardDay, files: Vec<(FilePartition, LiveFile)>) -> Option<DayMerge> {
        let mut groups: BTreeMap<&CategoryGroup, usize> = BTreeMap::new();
        for (partition, _) in &files {
            *groups.entry(&partition.day.group).or_default() += 1;
        }
        let is_several = |files: &usize| *files > 1;
        (groups.values().any(is_several) || day.1 == Shard::All && groups.len() > 1).then_some(())?;
        let category = category_name_of(&files);
        Some(DayMerge { day, category, files: files.into_iter().map(|(_, file)| file).collect() })
    }

    /// Returns how many files are merged.
    pub fn files(&self) -> u64 {
        self.files.len() as u64
    }
}

/// What a compaction of the `rollups` table did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CompactedDays {
    /// How many files were merged, and into how many.
    pub files: u64,
    pub written: u64,
    /// How many copies of whole months were written.
    pub months: u64,
}

/// A compaction of the `rollups` table.
pub struct AggregateCompaction<'a> {
    rollups: &'a Rollups,
    days: CompactionDays,
    until: Timestamp,
    /// How many files of days that have ended were looked at.
    files: usize,
    rewriter: Rewriter<'a>,
    steps: Vec<Vec<DayMerge>>,
}

impl Rollups {
    /// Decides what to compact: the days that ended before `until` and have several files.
    ///
    /// # Errors
    /// Fails where the table's log cannot be read.
    pub fn plan_compaction(
        &self,
        until: Timestamp,
        limits: StepLimits,
    ) -> Result<AggregateCompaction<'_>, RollupError> {
        let newest = self.table.newest()?;
        let looked_at = CompactionDays::of(&self.store, ROLLUPS, &newest, until)?;
        let files = newest.files_of_days(&looked_at.range(), &|of| looked_at.has(of))?;
        let of = |file: LiveFile| Ok((partition_of(&file)?, file));
        let mut ended = files.into_iter().map(of).collect::<Result<Vec<_>, RollupError>>()?;
        let files = ended.iter().filter(|(partition, _)| looked_at.has_ended(partition.day.date)).count();
        ended.retain(|(partition, _)| partition.day.end() <= until);
        let mut file_sharing = FileSharing::default();
        for (partition, file) in &ended {
            file_sharing.add(partition, file.rows);
        }
        let mut days: BTreeMap<ShardDay, Vec<(FilePartition, LiveFile)>> = BTreeMap::new();
        for (partition, file) in ended {
            let shard = file_sharing.merged_group(&partition).shard();
            let DayPartition { event_type, date, .. } = &partition.day;
            days.entry((event_type.clone(), shard, *date)).or_default().push((partition, file));
        }
        let merges = days.into_iter().filter_map(|(day, files)| DayMerge::of(day, files)).collect();
        let steps = limits.steps(merges, |merge| &merge.files);
        Ok(AggregateCompaction {
            rollups: self,
            days: looked_at,
            until,
            files,
            rewriter: Rewriter::of(&newest),
            steps,
        })
    }
}

impl AggregateCompaction<'_> {
    /// Returns the steps, and what each merges.
    pub fn steps(&self) -> &[Vec<DayMerge>] {
        &self.steps
    }

    /// Returns the event types and the first days of the months that will be copied into one file each.
    ///
    /// # Errors
    /// Fails where the table's log cannot be read, or the disk fails.
    pub fn months(&self) -> Result<Vec<(String, Date)>, RollupError> {
        self.rollups.months_to_write(&self.days, self.until)
    }

    /// Returns how many files are to be merged, and into how many if no category gets files of its own.
    pub fn size(&self) -> (u64, u64) {
        let merges = || self.steps.iter().flatten();
        (merges().map(DayMerge::files).sum(), merges().count() as u64)
    }

    /// Does all steps, and calls `done` with the number of files after each; then writes copies of months and
    /// indexes of paths. Files that a rollup has replaced meanwhile are left as they are.
    ///
    /// # Errors
    /// Fails where the disk does; what the steps before have done stays.
    pub fn run(mut self, now_ms: i64, done: &dyn Fn(u64)) -> Result<CompactedDays, RollupError> {
        let (mut files, mut written_files, mut is_complete) = (0, 0, true);
        let mut steps = std::mem::take(&mut self.steps).into_iter().peekable();
        let had_steps = steps.peek().is_some();
        while let Some(step) = steps.next() {
            let is_last = is_complete && steps.peek().is_none() && !self.days.is_all();
            let recorded = is_last.then(|| self.days.recorded());
            let recorded = recorded.as_ref().map_or(&[][..], |of| &of[..]);
            let bulk = self.rollups.store.bulk_writer(ROLLUPS)?;
            let rewrites: Result<Vec<Rewrite>, RollupError> =
                step.par_iter().map(|merge| self.rollups.merge(merge, &bulk)).collect();
            let rewrites = rewrites?;
            let written = Some(bulk.finish()?);
            let are_done =
                self.rewriter.commit(CommitKind::Optimize, &rewrites, written, recorded, now_ms)?;
            is_complete &= are_done.iter().all(|is_done| *is_done);
            for (rewrite, _) in rewrites.iter().zip(are_done).filter(|(_, is_done)| *is_done) {
                files += rewrite.removes.len() as u64;
                written_files += rewrite.adds.len() as u64;
            }
            done(step.iter().map(DayMerge::files).sum());
        }
        let months = self.rollups.write_months(&self.days, self.until)?;
        self.rollups.write_path_indexes(&self.days, self.until)?;
        if !had_steps {
            self.days.record_nothing_to_do(&self.rewriter, self.files, now_ms)?;
        } else if is_complete && self.days.is_all() {
            // Months that are not looked at again have their files by now.
            self.rewriter.record(&self.days.recorded(), now_ms)?;
        }
        Ok(CompactedDays { files, written: written_files, months })
    }
}

impl Rollups {
    /// Writes what the files of a day become; it is not durable yet.
    fn merge(&self, merge: &DayMerge, bulk: &BulkWriter<'_>) -> Result<Rewrite, RollupError> {
        let (event_type, shard, date) = &merge.day;
        let aggregates = self.read_shard(&merge.files, *shard)?;
        let files = encode_day(event_type, *date, *shard, &aggregates, &aggregates.order())?;
        let adds = files.into_iter().map(|file| file.write(&Output::Bulk(bulk))).collect::<Result<_, _>>()?;
        Ok(Rewrite { removes: merge.files.clone(), adds })
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::strategy::Strategy;

    use super::*;
    use crate::lake::Lake;
    use crate::lake::LakeScope;
    use crate::lake::test_events::add_sales_of;
    use crate::model::{EventTypes, Hour};
    use crate::progress::Progress;
    use crate::rollup::table::Selection;
    use crate::rollup::verify::Verification;
    use crate::rollup::{Replaces, Scope, WantedRows, rollup};
    use crate::storage::temporary;

    const CATEGORIES: [&str; 6] = ["Food", "Books", "Toys", "Garden", "Shoes", "Wine"];

    /// Units by category and item.
    type Units = BTreeMap<(String, String), i64>;

    /// Category, hour, and of each sale the item and the quantity.
    type SalesFile = (usize, i32, Vec<(u32, i32)>);

    /// What happens between two looks at a lake.
    #[derive(Clone, Debug)]
    struct Events {
        files: Vec<SalesFile>,
        /// The file of the round, if any, that comes a second time.
        repeated: usize,
        is_compacted: (bool, bool),
        is_recomputed: bool,
    }

    fn events() -> impl Strategy<Value = Events> {
        let file = (0..CATEGORIES.len(), 0..48_i32, vec((0..9_u32, 1..4_i32), 1..30));
        (vec(file, 0..9), 0..20_usize, any::<(bool, bool)>(), any::<bool>()).prop_map(
            |(files, repeated, is_compacted, is_recomputed)| Events {
                files,
                repeated,
                is_compacted,
                is_recomputed,
            },
        )
    }

    fn ranked_units(lake: &Lake) -> Units {
        let rollups = Rollups::open_or_create(lake.store()).expect("it can be read");
        let types = EventTypes::of(vec!["purchase".to_owned()], Vec::new());
        let selection = Selection { event_types: &types, hours: Hour::new(0)..Hour::new(48) };
        let mut scan = rollups.scan().expect("it can be read");
        let mut units = Units::new();
        for part in scan.parts(&selection, None).expect("it can be read") {
            part.for_each_item::<RollupError>(&Progress::ignored(), WantedRows::default(), &mut |of| {
                let sum = of.rows.iter().map(|row| row.aggregate.units.to_string().parse::<f64>());
                let sum: f64 = sum.map(|units| units.expect("it is a number")).sum();
                let place = (of.category.unwrap_or_default().to_owned(), of.item_id.to_owned());
                assert_eq!(units.insert(place, sum as i64), None, "an item is in two parts");
                Ok(())
            })
            .expect("it can be read");
        }
        units
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        /// Days become small and large, files are shared by all shards and by one, and are recomputed and merged.
        #[test]
        fn whichever_shards_share_files_the_aggregates_are_what_the_events_add_up_to(
            rounds in vec(events(), 1..6),
        ) {
            let (store, _folder) = temporary();
            let lake = Lake::open_or_create(store, None).expect("a lake can be made");
            let closed = Hour::new(48).start();
            let (mut id, mut expected) = (0, Units::new());
            for round in rounds {
                for (number, (category, hour, sales)) in round.files.iter().enumerate() {
                    let items: Vec<String> = sales.iter().map(|(item, _)| format!("item{item}")).collect();
                    let sales: Vec<(u32, &str, i32)> = sales
                        .iter()
                        .zip(&items)
                        .map(|((_, quantity), item)| {
                            id += 1;
                            (id, item.as_str(), *quantity)
                        })
                        .collect();
                    let category = CATEGORIES[*category];
                    for _ in 0..=usize::from(round.repeated == number) {
                        add_sales_of(&lake, category, Hour::new(*hour), &sales);
                    }
                    for (_, item, quantity) in sales {
                        *expected.entry((category.to_owned(), item.to_owned())).or_default() += i64::from(quantity);
                    }
                }
                let limits = StepLimits::default;
                if round.is_compacted.0 {
                    lake.plan_compaction(closed, limits()).expect("it can be read").run(0, &|_| {}).expect("it is done");
                }
                let scope = if round.is_recomputed { Scope::all() } else { Scope::Changed };
                rollup(&lake, scope, Replaces::DamagedOnly, 0, &Progress::ignored()).expect("it is done");
                if round.is_compacted.1 {
                    let rollups = Rollups::open_or_create(lake.store()).expect("it can be read");
                    rollups.plan_compaction(closed, limits()).expect("it can be read").run(0, &|_| {}).expect("it is done");
                }
                prop_assert_eq!(&ranked_units(&lake), &expected);
                let verification = Verification::of(&lake, LakeScope::default()).expect("it can be read");
                for day in verification.days() {
                    let (_, differing) = verification.compare(day, &Progress::ignored()).expect("it can be read");
                    prop_assert!(differing.is_empty() && !verification.has_changed(day), "{differing:?}");
                }
            }
        }
    }
}
