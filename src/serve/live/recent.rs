//! Counts of the recent hours in memory, for the server's answers.
//!
//! They are read from the lake at the start, and again after every change of it that is not this server's own. Until that
//! is done, and for whatever they do not know, answers are read from the lake.
//!
//! Invariant: an event is in them before it is acknowledged, once; a change of the lake by others is noticed by the next
//! look at it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::config::{Clock, LogLevel, LogLine};
use crate::live::live_lists::LiveLists;
use crate::live::uncommitted::{BATCH_PREFIX, Uncommitted};
use topsell_core::lake;
use topsell_core::model::{Aggregate, AggregateRows, EventTypes, Events, Hour, Timestamp};
use topsell_core::rollup::{self, Categories, Counts, ReadVersions, RecentHours, RollupError};
use topsell_core::storage::Store;

/// How many ids of events are kept, about 100 bytes each; where there are more, all answers read the lake.
const MAX_IDS: usize = 10_000_000;
/// How many hours are kept besides the current one.
const HOURS: i32 = 25;
/// How many minutes are kept besides the current one: an hour of them may be asked for.
const MINUTES: i64 = 60;

/// The counts, or what they are waiting for.
pub struct Recent {
    store: Store,
    uncommitted: Arc<Uncommitted>,
    /// Are told of every event while it is known which events count.
    lists: Arc<LiveLists>,
    clock: Clock,
    log_line: LogLine,
    state: RwLock<State>,
    /// Held by whoever reads the lake.
    loading: Mutex<()>,
    answered: AtomicU64,
}

enum State {
    /// Nothing is known; nobody reads the lake.
    Unloaded,
    /// There is too much of it; the server reads the lake until it is started again.
    TooLarge,
    /// The lake is being read; meanwhile events are kept, each with its number.
    Loading(Vec<(u64, Events)>),
    Loaded {
        recent: RecentHours,
        versions: ReadVersions,
        /// The number of the last event that was read with the lake.
        upto: u64,
    },
}

/// What is to be counted: event types, hours and items, in the order of the answers.
pub type RecentQuery<'a> = (&'a EventTypes, &'a Range<Hour>, &'a [&'a str]);

impl Recent {
    /// Returns counts that are not read yet.
    pub fn of(
        store: Store,
        uncommitted: Arc<Uncommitted>,
        lists: Arc<LiveLists>,
        clock: Clock,
        log_line: LogLine,
    ) -> Recent {
        Recent {
            store,
            uncommitted,
            lists,
            clock,
            log_line,
            state: RwLock::new(State::Unloaded),
            loading: Mutex::new(()),
            answered: AtomicU64::new(0),
        }
    }

    /// Adds the events of a record by its number; called in the order of the log.
    pub fn add(&self, number: u64, events: Events) {
        match &mut *self.state.write().unwrap_or_else(PoisonError::into_inner) {
            State::Unloaded | State::TooLarge => {}
            State::Loading(queue) => queue.push((number, events)),
            State::Loaded { recent, upto, .. } if number > *upto => {
                let (mut counts, is_idle) = (Vec::new(), self.lists.is_idle());
                let mut count = |_, of: Counts| {
                    if !is_idle {
                        counts.push(of);
                    }
                };
                recent.add(&events, &mut count);
                if !is_idle {
                    self.lists.add(number, events, counts);
                }
            }
            State::Loaded { .. } => {}
        }
    }

    /// Returns what items have sold; none where only the lake tells.
    pub fn by_hour(
        &self,
        (event_types, hours, items): RecentQuery<'_>,
    ) -> Option<Vec<BTreeMap<Hour, Aggregate>>> {
        self.ask(|recent| recent.by_hour(event_types, hours, items))
    }

    /// Asks what is in memory, and counts the answer.
    fn ask<T>(&self, question: impl FnOnce(&RecentHours) -> Option<T>) -> Option<T> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let State::Loaded { recent, .. } = &*state else { return None };
        let found = question(recent)?;
        self.answered.fetch_add(1, Ordering::Relaxed);
        Some(found)
    }

    /// Returns what items have sold in a time range that is not of whole hours; none where only the lake tells.
    pub fn by_minutes(
        &self,
        event_types: &EventTypes,
        times: &Range<Timestamp>,
        items: &[&str],
    ) -> Option<Vec<BTreeMap<Hour, Aggregate>>> {
        self.ask(|recent| recent.by_minutes(event_types, times, items))
    }

    /// Returns the rows of all items of a category, of all for none, in a time range of whole minutes; none where only
    /// the lake tells.
    pub fn all_by_minutes(
        &self,
        event_types: &EventTypes,
        times: &Range<Timestamp>,
        category: Option<&str>,
    ) -> Option<AggregateRows> {
        let categories = category.map_or(Categories::All, Categories::Below);
        self.ask(|recent| recent.all_by_minutes(event_types, times, categories))
    }

    /// Returns how many questions were answered from memory, and whether they can be now.
    pub fn status(&self) -> (u64, bool) {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        (self.answered.load(Ordering::Relaxed), matches!(*state, State::Loaded { .. }))
    }

    /// Looks whether others have changed the lake, and forgets old hours.
    ///
    /// # Errors
    /// Fails where the lake's logs cannot be read.
    pub fn tick(&self) -> Result<(), RollupError> {
        let (known, leaves_items) = match &*self.state.read().unwrap_or_else(PoisonError::into_inner) {
            State::Loaded { versions, recent, .. } => (*versions, recent.leaves_items()),
            _ => return Ok(()),
        };
        let (events, rollups) = self.versions()?;
        let mut is_stale = events < known.events || self.is_replaced(known.rollups, rollups, leaves_items)?;
        if !is_stale && events > known.events {
            let is_own = |id: &str| id.starts_with(BATCH_PREFIX) && self.uncommitted.is_own(id);
            is_stale = lake::events_log(&self.store).changes_rows_since(known.events, events, &is_own)?;
        }
        let oldest = self.oldest();
        if is_stale {
            self.forget();
            return Ok(());
        }
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if let State::Loaded { recent, versions, .. } = &mut *state {
            *versions = ReadVersions { events, rollups };
            let forgotten = recent.forget_before(oldest);
            recent.forget_step();
            recent.forget_minutes_before(self.oldest_minute());
            let (_, ids) = recent.size();
            drop(state);
            if ids > MAX_IDS {
                self.give_up(ids);
            }
            // What is freed may be large; nobody waits for it.
            drop(forgotten);
        }
        Ok(())
    }

    /// Returns the newest versions of the two tables. Of a folder that does not answer nothing is known any more; a bucket
    /// may be out of reach for a while, during which what was read of it stays.
    fn versions(&self) -> Result<(u64, Option<u64>), RollupError> {
        let (events, rollups) = match self.store.is_bucket() {
            true => (lake::events_log(&self.store).known_number()?, rollup::log(&self.store).known_number()?),
            false => (lake::version(&self.store), rollup::version(&self.store)),
        };
        Ok((events.unwrap_or_default(), rollups))
    }

    /// Returns whether the aggregates must be read again: a rollup of the same events changes no count, but it decides
    /// about items that were left to the lake.
    fn is_replaced(
        &self,
        known: Option<u64>,
        newest: Option<u64>,
        leaves_items: bool,
    ) -> Result<bool, RollupError> {
        match (known, newest) {
            (known, newest) if known == newest => Ok(false),
            (Some(known), Some(newest)) if known < newest && !leaves_items => {
                let recorded = rollup::log(&self.store).recorded_since(known, newest)?;
                Ok(recorded.is_none_or(|recorded| recorded.contains(rollup::REPLACED)))
            }
            _ => Ok(true),
        }
    }

    /// Leaves all answers to the lake until it has been read again: this server has changed it.
    pub fn forget(&self) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if matches!(*state, State::TooLarge) {
            return;
        }
        let forgotten = std::mem::replace(&mut *state, State::Unloaded);
        self.lists.forget();
        drop(state);
        // What is freed may be large; nobody waits for it.
        drop(forgotten);
    }

    /// Reads the lake where nothing is known.
    ///
    /// # Errors
    /// Names the file that is missing or damaged.
    pub fn load(&self) -> Result<(), RollupError> {
        let _loading = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
            if !matches!(*state, State::Unloaded) {
                return Ok(());
            }
            *state = State::Loading(Vec::new());
        }
        let outcome = self.read();
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let State::Loading(queue) = std::mem::replace(&mut *state, State::Unloaded) else { return Ok(()) };
        if outcome.is_err() {
            // What is asked now is told what is wrong with the lake.
            self.lists.leave_to_lake();
        }
        let Some((mut recent, versions, upto)) = outcome? else { return Ok(()) };
        queue.iter().filter(|(number, _)| *number > upto).for_each(|(_, events)| {
            // The lists are read from the lake and the log after this.
            recent.add(events, &mut |_, _| {});
        });
        let (items, ids) = recent.size();
        if ids > MAX_IDS {
            drop(state);
            self.give_up(ids);
            return Ok(());
        }
        *state = State::Loaded { recent, versions, upto };
        self.lists.begin();
        drop(state);
        (self.log_line)(LogLevel::Info, &format!("read the counts of {items} items, {ids} event ids"));
        Ok(())
    }

    fn give_up(&self, ids: usize) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let given_up = std::mem::replace(&mut *state, State::TooLarge);
        self.lists.leave_to_lake();
        drop(state);
        drop(given_up);
        let text =
            format!("{ids} event ids of two days are more than {MAX_IDS}; counts read the lake from now on");
        (self.log_line)(LogLevel::Warning, &text);
    }

    fn read(&self) -> Result<Option<(RecentHours, ReadVersions, u64)>, RollupError> {
        // The events first: what is moved to the lake meanwhile is then found in either.
        let (batches, upto) = self.uncommitted.batches_and_number()?;
        let loaded = RecentHours::load(&self.store, (self.oldest(), self.oldest_minute()), &batches)?;
        Ok(loaded.map(|(recent, versions)| (recent, versions, upto)))
    }

    fn oldest(&self) -> Hour {
        (self.clock)().hour().plus(-HOURS)
    }

    fn oldest_minute(&self) -> Timestamp {
        (self.clock)().plus_seconds(-60 * MINUTES)
    }
}
