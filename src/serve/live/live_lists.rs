//! Lists in memory that every purchase changes at once: of whole hours, and the list by score.
//!
//! The first question after a list has it kept from then on, for as long as it is asked for. It is read from the lake in
//! the background; before an hour ends, that of the next hour is made from it, in steps, so that nobody waits when the
//! hour turns. Until a list is read, and for whatever is not kept, answers are computed from the lake.
//!
//! Invariant: a kept list is the one that the lake and the log have: an event is in it before it is acknowledged. Where an
//! event came of which only the lake tells whether it counts, or others have changed the lake, it is read again.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::config::{Clock, LogLevel, LogLine};
use crate::live::kept_list::KeptList;
use crate::live::list_reader::{KeptCategory, ListReader};
use crate::live::live_board::{Board, CountedRecord, ListKind};
use crate::live::uncommitted::Uncommitted;
use topsell_core::model::{Decay, Events, Hour, Timestamp, Window};
use topsell_core::rank::{CategoryRanking, DroppedWindow, HourState};
use topsell_core::rollup::{Counts, RollupError};
use topsell_core::storage::Store;

/// How many lists are kept, each of all categories.
const MAX_LISTS: usize = 4;
/// The most hours of a list without decay that is kept.
const MAX_HOURS: u32 = 25;
/// How many seconds after the last question a list is kept.
const KEPT_SECONDS: u64 = 3_600;
/// How many seconds before the hour ends the lists of the next one are made.
const AHEAD_SECONDS: i64 = 600;
/// Of so many rows the next hour is made in one step, some milliseconds in which events and requests wait.
const ROWS_PER_STEP: usize = 4_096;
/// So many records are added while others wait.
const FEW_RECORDS: usize = 64;
/// How many items the shop's list keeps where it was not asked for before.
const SHOP_KEPT: usize = 64;

/// The lists.
pub struct LiveLists {
    reader: ListReader,
    clock: Clock,
    log_line: LogLine,
    state: Mutex<State>,
    /// Whether there are no lists.
    is_idle: AtomicBool,
    answered: AtomicU64,
}

/// What is asked of a list.
#[derive(Clone, Debug)]
pub struct ListQuestion {
    pub kind: ListKind,
    pub window: Window,
    pub category: Option<String>,
    pub limit: usize,
}

/// The answer to a question.
#[derive(Debug)]
pub enum ListAnswer {
    Found(CategoryRanking),
    /// The list is kept, and this category's has to be built, which takes longer.
    NotBuilt,
    /// The list is being read, and needs so much that nothing else is tried meanwhile.
    Warming,
    /// It is not kept.
    NotKept,
}

#[derive(Default)]
struct State {
    lists: Vec<KeptList>,
    /// Whether every event is told of.
    is_fed: bool,
    /// Whether it is not known if that will ever be; then nobody waits for it.
    is_left_to_lake: bool,
    /// What is freed when nobody waits.
    past: Vec<DroppedWindow>,
}

impl LiveLists {
    /// Returns no lists; that by score is read as soon as somebody asks for it.
    pub fn of(
        store: Store,
        uncommitted: Arc<Uncommitted>,
        clock: Clock,
        log_line: LogLine,
        by_score: ListKind,
    ) -> LiveLists {
        LiveLists {
            reader: ListReader { store, uncommitted, by_score },
            clock,
            log_line,
            state: Mutex::default(),
            is_idle: AtomicBool::new(true),
            answered: AtomicU64::new(0),
        }
    }

    /// Has the list by score read without a question, as where an earlier server has kept its sums.
    pub fn begin_by_score(&self) {
        let list = KeptList::of(self.reader.by_score.clone(), (self.clock)());
        self.lock().lists.push(list);
        self.is_idle.store(false, Ordering::Relaxed);
    }

    /// Returns how many questions were answered from memory, and how many lists are kept.
    pub fn status(&self) -> (u64, usize) {
        let kept = self.lock().lists.iter().filter(|list| !list.boards.is_empty()).count();
        (self.answered.load(Ordering::Relaxed), kept)
    }

    /// Every event is told of from now on.
    pub fn begin(&self) {
        let mut state = self.lock();
        (state.is_fed, state.is_left_to_lake) = (true, false);
    }

    /// Leaves all answers to the lake for a time that is not known.
    pub fn leave_to_lake(&self) {
        self.forget();
        self.lock().is_left_to_lake = true;
    }

    /// Leaves all answers to the lake: some events are not told of, or others have changed the lake.
    pub fn forget(&self) {
        let mut state = self.lock();
        state.is_fed = false;
        let forgotten: Vec<Board> = state.lists.iter_mut().flat_map(KeptList::discard).collect();
        drop(state);
        // What is freed may be large; nobody waits for it.
        drop(forgotten);
    }

    /// Returns whether there are no lists, so that nothing has to be told.
    pub fn is_idle(&self) -> bool {
        self.is_idle.load(Ordering::Relaxed)
    }

    /// Adds the events of a record by its number, and which of them count; called in the order of the log.
    pub fn add(&self, number: u64, events: Events, counts: Vec<Counts>) {
        let record = Arc::new(CountedRecord { number, events, counts });
        self.lock().lists.iter_mut().for_each(|list| list.add(&record));
    }

    /// Answers a question, and has its list kept from now on; builds the list of its category only where it may.
    pub fn answer(&self, question: &ListQuestion, may_build: bool) -> ListAnswer {
        let now = (self.clock)();
        let is_by_score = question.kind == self.reader.by_score;
        let as_of = question.window.as_of();
        let is_current = as_of == current(&question.kind, now);
        if !is_by_score && (question.kind.decay != Decay::None || question.window.hours() > MAX_HOURS) {
            return ListAnswer::NotKept;
        }
        let mut state = self.lock();
        if !state.is_fed {
            let waits = is_by_score && is_current && !state.is_left_to_lake;
            return if waits { ListAnswer::Warming } else { ListAnswer::NotKept };
        }
        let State { lists, past, .. } = &mut *state;
        let Some(list) = lists.iter_mut().find(|list| list.kind == question.kind) else {
            if !is_current || (!is_by_score && lists.len() >= MAX_LISTS) {
                return ListAnswer::NotKept;
            }
            lists.push(KeptList::of(question.kind.clone(), now));
            self.is_idle.store(false, Ordering::Relaxed);
            return if is_by_score { ListAnswer::Warming } else { ListAnswer::NotKept };
        };
        list.last_asked = list.last_asked.max(now);
        let category = question.category.as_deref();
        let board = match is_current {
            true => list.board_of(as_of, past),
            false => list.boards.iter_mut().find(|board| board.as_of() == as_of),
        };
        let Some(board) = board else {
            let waits = is_by_score && is_current && list.failure.is_none();
            return if waits { ListAnswer::Warming } else { ListAnswer::NotKept };
        };
        if !may_build && !board.ranking.has_list(category, question.limit) {
            return ListAnswer::NotBuilt;
        }
        match board.ranking.ranking(category, question.limit) {
            Ok(found) => {
                self.answered.fetch_add(1, Ordering::Relaxed);
                ListAnswer::Found(found)
            }
            Err(_) => ListAnswer::NotKept,
        }
    }

    /// Forgets lists that nobody asks for and hours that are past, and reads a list that is needed and not there.
    pub fn tick(&self) {
        let now = (self.clock)();
        let mut state = self.lock();
        let mut forgotten = Vec::new();
        let State { lists, past, .. } = &mut *state;
        lists.retain_mut(|list| {
            // Nobody may have asked since the hour turned.
            list.board_of(current(&list.kind, now), past);
            let is_asked =
                list.kind == self.reader.by_score || now.seconds_since(list.last_asked) < KEPT_SECONDS;
            let (kept, old) = std::mem::take(&mut list.boards)
                .into_iter()
                .partition(|board| is_asked && board.as_of() >= current(&list.kind, now));
            list.boards = kept;
            forgotten.push(old);
            is_asked
        });
        let past = std::mem::take(past);
        self.is_idle.store(state.lists.is_empty(), Ordering::Relaxed);
        let wanted = state.is_fed.then(|| wanted(&state.lists, now)).flatten();
        drop(state);
        drop((forgotten, past));
        let outcome = match wanted {
            Some((kind, as_of, Source::Lake)) => self.read(&kind, as_of).map_err(|error| (kind, error)),
            Some((kind, as_of, Source::HourBefore)) => {
                self.make_next(&kind, as_of).map_err(|error| (kind, error))
            }
            None => Ok(()),
        };
        if let Err((kind, error)) = outcome {
            self.note_failure(&kind, &error);
        }
    }

    /// Makes the list of the next hour from that of this one, of which it needs the first hour and what comes after the last.
    fn make_next(&self, kind: &ListKind, as_of: Hour) -> Result<(), RollupError> {
        let Some((discarded, _)) = self.begin_reading(kind) else { return Ok(()) };
        let (before, oldest) = (as_of.plus(-1), Window::ending(as_of.plus(-1), kind.hours).oldest());
        let outcome = self
            .reader
            .hour(kind, oldest.plus(1))
            .and_then(|left| Ok((left, self.reader.hour(kind, as_of)?)));
        let (mut leaving, mut entering) = outcome?;
        let read_from_lake = |list: &mut KeptList| (list.queue, list.read_from_lake) = (None, Some(as_of));
        loop {
            let mut state = self.lock();
            let Some(list) = state.lists.iter_mut().find(|list| list.kind == *kind) else { return Ok(()) };
            let queue = list.queue.replace(Vec::new()).unwrap_or_default();
            if list.discarded != discarded || list.boards.iter().all(|board| board.as_of() != before) {
                list.queue = None;
                return Ok(());
            }
            let is_last = queue.len() <= FEW_RECORDS;
            let state = is_last.then_some(state);
            for record in &queue {
                leaving.add(kind, record)?;
                entering.add(kind, record)?;
            }
            if let Some(mut state) = state {
                if let Some(list) = state.lists.iter_mut().find(|list| list.kind == *kind) {
                    list.queue = None;
                    let board = list.boards.iter_mut().find(|board| board.as_of() == before);
                    if let Some(board) = board {
                        board.ranking.begin_next(leaving.ranking, entering.ranking);
                    }
                }
                break;
            }
        }
        let step = |list: &mut KeptList| {
            let board = list.boards.iter_mut().find(|board| board.as_of() == before)?;
            Some(board.ranking.step_next(ROWS_PER_STEP))
        };
        while let Some(reached) = self.with_list(kind, step).flatten() {
            match reached {
                HourState::Begun => {}
                HourState::Ready => return self.reader.write_files(kind, before),
                HourState::Unusable => {
                    self.with_list(kind, read_from_lake);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Reads a list from the lake.
    fn read(&self, kind: &ListKind, as_of: Hour) -> Result<(), RollupError> {
        let Some((discarded, lists)) = self.begin_reading(kind) else { return Ok(()) };
        let mut board = self.reader.board(kind, as_of, &lists)?;
        loop {
            let mut state = self.lock();
            let Some(list) = state.lists.iter_mut().find(|list| list.kind == *kind) else { return Ok(()) };
            if list.discarded != discarded {
                list.queue = None;
                return Ok(());
            }
            let queue = list.queue.replace(Vec::new()).unwrap_or_default();
            let is_last = queue.len() <= FEW_RECORDS;
            // Events may come faster than a single lock for all of them would let others ask.
            let state = is_last.then_some(state);
            queue.iter().try_for_each(|record| board.add(kind, record))?;
            if let Some(mut state) = state {
                if let Some(list) = state.lists.iter_mut().find(|list| list.kind == *kind) {
                    (list.queue, list.failure) = (None, None);
                    list.boards.push(board);
                }
                return Ok(());
            }
        }
    }

    /// Has records kept while a list is read; returns how often it was discarded, and which categories it has.
    fn begin_reading(&self, kind: &ListKind) -> Option<(u64, Vec<KeptCategory>)> {
        let mut state = self.lock();
        let list = state.lists.iter_mut().find(|list| list.kind == *kind)?;
        list.queue = Some(Vec::new());
        let mut lists = list.boards.last().map(|board| board.ranking.kept()).unwrap_or_default();
        if lists.iter().all(|(category, _)| category.is_some()) {
            lists.push((None, SHOP_KEPT));
        }
        Some((list.discarded, lists))
    }

    fn note_failure(&self, kind: &ListKind, error: &RollupError) {
        let text = error.to_string();
        let note = |list: &mut KeptList| {
            list.queue = None;
            list.failure.replace(text.clone()).as_ref() != Some(&text)
        };
        let is_new = self.with_list(kind, note);
        if is_new == Some(true) {
            (self.log_line)(LogLevel::Error, &format!("cannot read a list into memory: {text}"));
        }
    }

    fn with_list<T>(&self, kind: &ListKind, then: impl FnOnce(&mut KeptList) -> T) -> Option<T> {
        self.lock().lists.iter_mut().find(|list| list.kind == *kind).map(then)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the end of the newest hour of a list; one by score ends with a full hour, as a ranking does.
fn current(kind: &ListKind, now: Timestamp) -> Hour {
    match kind.decay {
        Decay::None => now.hour().plus(1),
        Decay::OctavesPerHour(_) => now.rounded_up(),
    }
}

/// What a list is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Lake,
    HourBefore,
}

/// Returns a list that is needed now or soon, and is not there; one that is needed now before others.
fn wanted(lists: &[KeptList], now: Timestamp) -> Option<(ListKind, Hour, Source)> {
    let missing_at = |moment: Timestamp| {
        let missing = |list: &&KeptList| {
            let as_of = current(&list.kind, moment);
            list.boards.iter().all(|board| board.as_of() != as_of && !board.ranking.has_next(as_of))
        };
        let list = lists.iter().find(missing)?;
        let as_of = current(&list.kind, moment);
        let has_before = list.boards.iter().any(|board| board.as_of() == as_of.plus(-1));
        let is_made = has_before && list.read_from_lake != Some(as_of);
        Some((list.kind.clone(), as_of, if is_made { Source::HourBefore } else { Source::Lake }))
    };
    missing_at(now).or_else(|| missing_at(now.plus_seconds(AHEAD_SECONDS)))
}
