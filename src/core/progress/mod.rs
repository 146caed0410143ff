//! What a run reports while it works: a closed list of stages and counts.
//!
//! Invariant: this room hears and passes on; it never prints, and never decides.

use std::sync::Arc;

/// A part of the work that takes long enough to watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    Ingest,
    Rollup,
    Rank,
    Publish,
    /// Small files of events become few, and those of sums.
    MergeEvents,
    MergeSums,
    /// Hours past the retention go.
    DropHours,
    /// Files that nothing needs go.
    Sweep,
    /// Records of runs are put away.
    KeepRuns,
    /// Files of events, sums and rankings are read and checked.
    CheckEvents,
    CheckSums,
    CheckRankings,
}

/// Something that a run counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Count {
    LinesRead,
    EventsAccepted,
    LinesDuplicate,
    LinesRejected,
    BatchesCommitted,
    BatchesReplaced,
    BatchesKnown,
    FilesFailed,
    EventsFiled,
    EventsRolledUp,
    EventsRepeated,
    EventIdsInConflict,
    HoursRebuilt,
    RollupRows,
    /// Hours whose sums, and rows of sums, that were not what their events add up to.
    HoursDiffering,
    RowsDiffering,
    CategoriesRanked,
    RowsRanked,
    RowsNamed,
    /// Rows of what every item comes to.
    TotalsRows,
}

/// One thing a run says.
#[derive(Clone, Debug)]
pub enum Signal {
    /// A stage begins; `total` is in the unit it will advance by, where that is known.
    Begins { stage: Stage, total: Option<u64> },
    /// A stage has done so much more.
    Advances { stage: Stage, by: u64 },
    /// A stage is over.
    Ends { stage: Stage },
    /// A count grows.
    Counts { count: Count, by: u64 },
}

/// Someone who wants to know: a progress bar, a record, a log.
pub trait Listener: Send + Sync {
    /// Takes one signal; it must return soon and must not fail.
    fn hear(&self, signal: &Signal);
}

/// One run of the program, as its rooms see it: something to report to.
#[derive(Default)]
pub struct Run {
    listeners: Vec<Arc<dyn Listener>>,
}

impl Run {
    /// Returns a run that nobody follows.
    pub const fn unheard() -> Run {
        Run { listeners: Vec::new() }
    }

    /// Returns a run that the given listeners follow.
    pub fn heard_by(listeners: Vec<Arc<dyn Listener>>) -> Run {
        Run { listeners }
    }

    /// Reports that a stage begins.
    pub fn begin(&self, stage: Stage, total: Option<u64>) {
        self.say(&Signal::Begins { stage, total });
    }

    /// Reports progress within a stage.
    pub fn advance(&self, stage: Stage, by: u64) {
        self.say(&Signal::Advances { stage, by });
    }

    /// Reports that a stage is over.
    pub fn end(&self, stage: Stage) {
        self.say(&Signal::Ends { stage });
    }

    /// Adds to a count.
    pub fn count(&self, count: Count, by: u64) {
        self.say(&Signal::Counts { count, by });
    }

    fn say(&self, signal: &Signal) {
        for listener in &self.listeners {
            listener.hear(signal);
        }
    }
}
