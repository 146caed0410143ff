//! Progress of one command: a closed list of stages and counts, passed on to listeners.
//!
//! Invariant: this module passes updates on; it prints nothing and decides nothing.

use std::sync::Arc;

/// A part of the work that takes long enough to watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    Ingest,
    Rollup,
    Rank,
    Publish,
    CompactEvents,
    CompactAggregates,
    /// Removes hours that are past the retention.
    ExpireHours,
    /// Removes files that are no longer referenced.
    Vacuum,
    /// Moves records of runs into files by day.
    ArchiveRuns,
    /// Checks logs, rankings and pointers.
    VerifyRankings,
    /// Checks the files of the tables, by the byte.
    VerifyFiles,
}

/// Something that a command counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Count {
    LinesRead,
    /// Lines without an event, by the filter or because they have no items.
    LinesFiltered,
    EventsAccepted,
    LinesDuplicate,
    LinesRejected,
    BatchesCommitted,
    BatchesReplaced,
    /// Batches that were already ingested.
    BatchesSkipped,
    FilesFailed,
    /// Events whose categories came from the item catalog.
    EventsCategorized,
    EventsRolledUp,
    /// Events whose id had been counted before.
    EventsRepeated,
    EventIdsInConflict,
    /// Events of which a greater version number replaced another.
    EventsCorrected,
    HoursRebuilt,
    RollupRows,
    /// Hours, and rows of aggregates, that differ from what their events add up to.
    HoursDiffering,
    RowsDiffering,
    CategoriesRanked,
    RowsRanked,
    /// Ranked rows whose item has a name in the item catalog.
    RowsNamed,
    ItemTotalsRows,
}

/// One update of a command's progress.
#[derive(Clone, Debug)]
pub enum Update {
    /// A stage has started; `total`, where it is known, is in the unit that the stage advances by.
    StageStarted { stage: Stage, total: Option<u64> },
    /// A stage has completed `by` more units.
    StageAdvanced { stage: Stage, by: u64 },
    /// A stage has finished.
    StageFinished { stage: Stage },
    /// A count has grown.
    CountIncreased { count: Count, by: u64 },
    /// A batch of an input was ingested, now or before.
    BatchIngested { input: String, id: String, outcome: BatchOutcome },
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchOutcome {
    New,
    /// It replaced an earlier version of itself.
    Replaced,
    AlreadyIngested,
}

impl BatchOutcome {
    /// Returns its name in records of runs.
    pub fn name(self) -> &'static str {
        match self {
            BatchOutcome::New => "new",
            BatchOutcome::Replaced => "replaced",
            BatchOutcome::AlreadyIngested => "already_ingested",
        }
    }
}

/// A receiver of updates: a progress bar, a run's record, a log.
pub trait Listener: Send + Sync {
    /// Takes one update; it must return soon and must not fail.
    fn on_update(&self, update: &Update);
}

/// What the modules of one command report to.
#[derive(Default)]
pub struct Progress {
    listeners: Vec<Arc<dyn Listener>>,
}

impl Progress {
    /// Returns a progress without listeners.
    pub const fn ignored() -> Progress {
        Progress { listeners: Vec::new() }
    }

    /// Returns a progress that passes updates on to the given listeners.
    pub fn with_listeners(listeners: Vec<Arc<dyn Listener>>) -> Progress {
        Progress { listeners }
    }

    /// Reports that a stage starts.
    pub fn begin(&self, stage: Stage, total: Option<u64>) {
        self.pass_on(&Update::StageStarted { stage, total });
    }

    /// Reports progress within a stage.
    pub fn advance(&self, stage: Stage, by: u64) {
        self.pass_on(&Update::StageAdvanced { stage, by });
    }

    /// Reports that a stage has finished.
    pub fn end(&self, stage: Stage) {
        self.pass_on(&Update::StageFinished { stage });
    }

    /// Adds to a count.
    pub fn count(&self, count: Count, by: u64) {
        self.pass_on(&Update::CountIncreased { count, by });
    }

    /// Reports a batch of an input.
    pub fn batch(&self, input: &str, id: &str, outcome: BatchOutcome) {
        let (input, id) = (input.to_owned(), id.to_owned());
        self.pass_on(&Update::BatchIngested { input, id, outcome });
    }

    fn pass_on(&self, update: &Update) {
        for listener in &self.listeners {
            listener.on_update(update);
        }
    }
}
