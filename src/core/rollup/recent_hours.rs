//! The aggregates of all items in the recent hours, in memory, and kept up to date event by event.
//!
//! Invariant: the counts are those of [`live_counts`] after the same events, or there are none: an event whose id came
//! with other contents is decided by rules that need all versions, so that its item is left to the lake from then on.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use hashbrown::hash_map::Entry;
use hashbrown::{HashMap, HashSet};

use crate::delta::Partition;
use crate::lake::{FilePartition, Lake, UncommittedBatch};
use crate::model::{
    Aggregate, AggregateRows, Counting, Date, Event, EventTypes, Events, Hour, Interner, PathSets, Timestamp,
};
use crate::parquet_format::{EventBatch, EventColumns};
use crate::rollup::all_counts::Categories;
use crate::rollup::error::RollupError;
use crate::rollup::event_file::EventFile;
use crate::rollup::event_hash::{Content, EventHasher, EventKey, version_of};
use crate::rollup::live_counts::{LiveCounts, ReadVersions, live_counts};
use crate::rollup::recent_minutes::{Moment, RecentMinutes};
use crate::rollup::table::Selection;
use crate::rollup::uncommitted::uncommitted_at;
use crate::storage::Store;

/// After every event: the end of the year 9999.
const LAST_HOUR: i32 = 70_389_528;
/// Items that are looked at in one step of forgetting.
const ITEMS_PER_STEP: usize = 1 << 16;

/// The aggregates of the hours from some hour on.
pub struct RecentHours {
    from: Hour,
    items: Interner,
    event_types: Vec<OfType>,
    hasher: EventHasher,
    /// Items of which an event came with other contents.
    disputed: HashSet<u32>,
    minutes: RecentMinutes,
    /// The next item to forget old hours of; none where all are forgotten.
    forgetting: Option<usize>,
}

/// The events of one type.
struct OfType {
    name: String,
    /// By item.
    cells: Vec<Vec<Cell>>,
    ids: IdsByDate,
}

/// What an item's events of one hour and sign add up to.
#[derive(Clone, Copy)]
struct Cell {
    hour: Hour,
    aggregate: Aggregate,
}

/// Whether an event counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counts {
    Yes,
    /// It is one that is counted already.
    No,
    /// Only the lake tells.
    Unknown,
}

type IdsByDate = BTreeMap<Date, HashMap<EventKey, KnownEvent>>;

/// An event that has an id.
#[derive(Clone, Copy)]
struct KnownEvent {
    content: Content,
    /// Whether it came with several contents.
    is_disputed: bool,
}

impl RecentHours {
    /// Reads the hours from `from` on and the minutes from `minutes_from` on, and what is not committed yet; none where
    /// the lake changed meanwhile.
    ///
    /// # Errors
    /// Names the file that is missing or damaged.
    pub fn load(
        store: &Store,
        (from, minutes_from): (Hour, Timestamp),
        uncommitted: &[Arc<UncommittedBatch>],
    ) -> Result<Option<(RecentHours, ReadVersions)>, RollupError> {
        let lake = Lake::open(store.clone())?;
        let newest = lake.events().newest()?;
        // No event is of a year so far ahead.
        let last = Hour::new(LAST_HOUR);
        let days = from.date()..=last.date();
        let is_recent = |partition: &Partition| {
            let date = partition.get("date").and_then(Option::as_deref).and_then(Date::parse);
            date.is_none_or(|date| date >= from.date())
        };
        let mut files = Vec::new();
        for file in newest.files_of_days(&days, &is_recent)? {
            let bad = || RollupError::BadPartition { file: file.path.clone() };
            let partition = FilePartition::of(&file).ok_or_else(bad)?;
            files.push(EventFile { partition, file: file.into(), bytes: None });
        }
        files.extend(EventFile::of_uncommitted(&uncommitted_at(store, &newest, uncommitted)?)?);
        let mut names: BTreeSet<String> =
            files.iter().map(|of| of.partition.day.event_type.clone()).collect();
        names.extend(LiveCounts::event_types_of(store, &days, &is_recent)?);
        let event_types = EventTypes::of(names.into_iter().collect(), Vec::new());
        let selection = Selection { event_types: &event_types, hours: from..last };
        let (mut recent, versions) = live_counts(store, &selection, uncommitted, |counts| {
            let mut recent = RecentHours::none_from(from, minutes_from);
            counts.for_each_row(&selection, &mut |event_type, item, hour, aggregate| {
                let (event_type, item) = (recent.code_of_type(event_type), recent.items.code(item));
                recent.add_cell(event_type, item, hour, aggregate);
            })?;
            Ok((recent, counts.versions()))
        })?;
        if versions.events != newest.number() {
            return Ok(None);
        }
        for of in &files {
            if of.has_ids() || of.partition.hours().any(|hour| recent.minutes.has_part_of(hour)) {
                recent.add_ids_and_minutes(&lake, of)?;
            }
        }
        Ok(Some((recent, versions)))
    }

    fn none_from(from: Hour, minutes_from: Timestamp) -> RecentHours {
        RecentHours {
            from,
            items: Interner::default(),
            event_types: Vec::new(),
            hasher: EventHasher::default(),
            disputed: HashSet::new(),
            minutes: RecentMinutes::none_from(minutes_from),
            forgetting: None,
        }
    }

    /// Adds events, each as soon as it is known, and tells `counts` of each whether it counts.
    pub fn add(&mut self, events: &Events, counts: &mut dyn FnMut(usize, Counts)) {
        let event_types: Vec<usize> = events.event_types.iter().map(|name| self.code_of_type(name)).collect();
        // Few sets of paths have many events.
        let mut paths: Vec<Option<String>> = vec![None; events.path_sets.len()];
        for row in 0..events.len() {
            let event = events.event(row);
            let hour = event.ts.hour();
            if hour.date() < self.from.date() {
                counts(row, if event.event_id.is_none() { Counts::Yes } else { Counts::Unknown });
                continue;
            }
            let event_type = event_types[event.event_type as usize];
            let item = self.items.code(event.item_id);
            let event_counts = self.event_counts(event_type, item, &event, &events.path_sets);
            counts(row, event_counts);
            if event_counts == Counts::Yes && hour >= self.from {
                let aggregate = Aggregate::of(event.quantity, event.amount);
                self.add_cell(event_type, item, hour, aggregate);
                if self.minutes.has_moment(event.ts.micros()) {
                    let paths = paths[event.path_set as usize]
                        .get_or_insert_with(|| events.path_sets.set(event.path_set).paths().join("|"));
                    let moment = Moment { ts_micros: event.ts.micros(), paths, is_primary: true };
                    self.minutes.add(event_type, item, moment, aggregate);
                }
            }
        }
    }

    /// Returns what each of some items has sold in some hours, in their order; none where only the lake tells.
    pub fn by_hour(
        &self,
        event_types: &EventTypes,
        hours: &std::ops::Range<Hour>,
        items: &[&str],
    ) -> Option<Vec<BTreeMap<Hour, Aggregate>>> {
        if hours.start < self.from {
            return None;
        }
        let counted: Vec<(&OfType, Counting)> = self
            .event_types
            .iter()
            .filter_map(|of| event_types.counting(&of.name).map(|counting| (of, counting)))
            .collect();
        let of_item = |item: &&str| {
            let mut by_hour: BTreeMap<Hour, Aggregate> = BTreeMap::new();
            let Some(item) = self.items.find(item) else { return Some(by_hour) };
            if self.disputed.contains(&item) {
                return None;
            }
            for (of, counting) in &counted {
                let cells = of.cells.get(item as usize).map_or(&[][..], Vec::as_slice);
                for cell in cells.iter().filter(|cell| hours.contains(&cell.hour)) {
                    let known = by_hour.entry(cell.hour).or_default();
                    *known = known.plus(counting.applied_to(cell.aggregate))?;
                }
            }
            Some(by_hour)
        };
        items.iter().map(of_item).collect()
    }

    /// Returns what each of some items has sold in a time range of whole minutes, in their order; none where only the
    /// lake tells.
    pub fn by_minutes(
        &self,
        event_types: &EventTypes,
        times: &Range<Timestamp>,
        items: &[&str],
    ) -> Option<Vec<BTreeMap<Hour, Aggregate>>> {
        if !self.minutes.has(times) {
            return None;
        }
        let of_item = |item: &&str| {
            let mut by_hour = BTreeMap::new();
            let Some(item) = self.items.find(item) else { return Some(by_hour) };
            if self.disputed.contains(&item) || self.minutes.leaves(item) {
                return None;
            }
            for (event_type, of) in self.event_types.iter().enumerate() {
                if let Some(counting) = event_types.counting(&of.name) {
                    self.minutes.add_to(&mut by_hour, (event_type, counting), item, times)?;
                }
            }
            Some(by_hour)
        };
        items.iter().map(of_item).collect()
    }

    /// Returns the rows of all items of some categories in a time range of whole minutes; none where only the lake tells.
    pub fn all_by_minutes(
        &self,
        event_types: &EventTypes,
        times: &Range<Timestamp>,
        categories: Categories<'_>,
    ) -> Option<AggregateRows> {
        if !self.minutes.has(times) || !self.disputed.is_empty() {
            return None;
        }
        let counting: Vec<Option<Counting>> =
            self.event_types.iter().map(|of| event_types.counting(&of.name)).collect();
        self.minutes.rows(&counting, &self.items, times, categories)
    }

    /// Leaves minutes before a moment to the lake, and frees the memory of some of them.
    pub fn forget_minutes_before(&mut self, from: Timestamp) {
        self.minutes.forget_before(from);
    }

    /// Leaves hours before `from` to the lake, and returns the ids of their days, whose memory is freed with them; [`RecentHours::forget_step`] frees their memory.
    pub fn forget_before(&mut self, from: Hour) -> impl Send + use<> {
        if from <= self.from {
            return Vec::new();
        }
        self.from = from;
        self.forgetting = Some(0);
        let of_types = self.event_types.iter_mut().map(|of| {
            let kept = of.ids.split_off(&from.date());
            std::mem::replace(&mut of.ids, kept)
        });
        of_types.collect::<Vec<IdsByDate>>()
    }

    /// Frees the memory of old hours of some items; returns whether there are more.
    pub fn forget_step(&mut self) -> bool {
        let Some(start) = self.forgetting else { return false };
        let end = start.saturating_add(ITEMS_PER_STEP);
        for of in &mut self.event_types {
            let (length, from) = (of.cells.len(), self.from);
            for cells in &mut of.cells[start.min(length)..end.min(length)] {
                cells.retain(|cell| cell.hour >= from);
            }
        }
        self.forgetting = Some(end).filter(|end| *end < self.items.len());
        self.forgetting.is_some()
    }

    /// Returns whether there are items that are left to the lake.
    pub fn leaves_items(&self) -> bool {
        !self.disputed.is_empty()
    }

    /// Returns how many items there are, and ids of events.
    pub fn size(&self) -> (usize, usize) {
        let ids = self.event_types.iter().flat_map(|of| of.ids.values());
        (self.items.len(), ids.map(HashMap::len).sum())
    }

    fn code_of_type(&mut self, name: &str) -> usize {
        let known = self.event_types.iter().position(|of| of.name == name);
        known.unwrap_or_else(|| {
            self.event_types.push(OfType { name: name.to_owned(), cells: Vec::new(), ids: BTreeMap::new() });
            self.event_types.len() - 1
        })
    }

    fn add_cell(&mut self, event_type: usize, item: u32, hour: Hour, aggregate: Aggregate) {
        let of_items = &mut self.event_types[event_type].cells;
        if of_items.len() <= item as usize {
            of_items.resize_with(item as usize + 1, Vec::new);
        }
        let cells = &mut of_items[item as usize];
        // The newest hour is the usual one.
        let known = cells
            .iter_mut()
            .rev()
            .find(|cell| cell.hour == hour && cell.aggregate.signs() == aggregate.signs());
        match known {
            None => cells.push(Cell { hour, aggregate }),
            Some(cell) => match cell.aggregate.plus(aggregate) {
                Some(sum) => cell.aggregate = sum,
                // The lake says which number does not fit.
                None => drop(self.disputed.insert(item)),
            },
        }
    }

    /// Returns whether an event counts: it is none that is known already.
    fn event_counts(
        &mut self,
        event_type: usize,
        item: u32,
        event: &Event<'_>,
        path_sets: &PathSets,
    ) -> Counts {
        let Some(event_id) = event.event_id else { return Counts::Yes };
        let key = self.hasher.key(event_id, event.item_id, event.quantity.is_negative());
        let paths = path_sets.set(event.path_set).paths().join("|");
        let Aggregate { units, amount, .. } = Aggregate::of(event.quantity, event.amount);
        let content = self.hasher.content((event.ts.micros(), units, amount, &paths));
        let of_day = self.event_types[event_type].ids.entry(event.ts.hour().date()).or_default();
        let Some(known) = of_day.get(&key) else {
            of_day.insert(key, KnownEvent { content, is_disputed: false });
            return Counts::Yes;
        };
        if known.content == content && !known.is_disputed {
            return Counts::No;
        }
        self.disputed.insert(item);
        Counts::Unknown
    }

    /// Adds the ids of a file's events, and the events of the recent minutes.
    fn add_ids_and_minutes(&mut self, lake: &Lake, of: &EventFile) -> Result<(), RollupError> {
        let event_type = self.code_of_type(&of.partition.day.event_type);
        let RecentHours { hasher, items, minutes, event_types, .. } = self;
        let of_day = event_types[event_type].ids.entry(of.partition.day.date).or_default();
        of.read(lake, EventColumns::All, &mut |batch: &EventBatch| {
            let mut scratch = String::new();
            for row in 0..batch.rows() {
                let is_new = match hasher.key_of(batch, row) {
                    None => true,
                    // The first copy has all paths.
                    Some(_) if !batch.is_primary(row) => false,
                    Some(key) => {
                        let content = hasher.content(version_of(batch, row, &mut scratch));
                        match of_day.entry(key) {
                            Entry::Vacant(vacant) => {
                                vacant.insert(KnownEvent { content, is_disputed: false });
                                true
                            }
                            Entry::Occupied(known) if known.get().content == content => false,
                            Entry::Occupied(mut known) => {
                                known.get_mut().is_disputed = true;
                                // Which version counts, and in which minute, only the lake tells.
                                minutes.leave(items.code(batch.item_id(row)));
                                false
                            }
                        }
                    }
                };
                if is_new && minutes.has_moment(batch.ts_micros(row)) {
                    let item = items.code(batch.item_id(row));
                    let (ts_micros, is_primary) = (batch.ts_micros(row), batch.is_primary(row));
                    let moment = Moment { ts_micros, paths: batch.all_paths(row, &mut scratch), is_primary };
                    minutes.add(event_type, item, moment, batch.aggregate(row));
                }
            }
        })
    }
}
