//! The writing half of an ingest: batches are staged on one thread and committed on another.
//!
//! While one batch is parsed, the files of the previous one are written, and those before it are
//! synced and committed.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use crate::ingest::committer::Committer;
use crate::ingest::options::Options;
use crate::ingest::parsed::{Parsed, ParsedBatch};
use crate::ingest::plan::Plan;
use crate::ingest::stager::Stager;
use crate::ingest::summary::Summary;
use crate::lake::{DryRun, DuplicatePolicy, Lake, LakeError, Reject};
use crate::progress::Progress;

/// The capacity of the channels between the threads, in batches and groups; it bounds the memory.
pub(super) const CHANNEL_CAPACITY: usize = 1;

/// Stages and commits batches.
pub(super) struct Writer<'a> {
    options: Options,
    stager: Stager<'a>,
    committer: Committer<'a>,
}

impl<'a> Writer<'a> {
    /// Starts the ingest stage; a dry run writes nothing.
    pub fn start(
        lake: Option<&'a Lake>,
        plan: &'a Plan,
        options: Options,
        has_catalog: bool,
        progress: &'a Progress,
    ) -> Writer<'a> {
        let target = lake.filter(|_| options.dry_run == DryRun::No);
        Writer {
            options,
            stager: Stager::new(target, plan, options),
            committer: Committer::start(lake, plan, options, has_catalog, progress),
        }
    }

    /// Stages and commits all that is received.
    ///
    /// # Errors
    /// Fails where the lake cannot be written to; earlier commits stay.
    pub fn write_all(self, receive: Receiver<Parsed>) -> Result<Committer<'a>, LakeError> {
        let Writer { mut stager, committer, .. } = self;
        thread::scope(|scope| {
            let (send, groups) = sync_channel(CHANNEL_CAPACITY);
            let committing = scope.spawn(move || committer.commit_all(groups));
            let outcome = stager.stage_all(receive, &send);
            drop(send);
            let committer = committing.join().expect("the committer does not panic");
            // An error of the stager came first: the committer has only got what was complete by then.
            outcome?;
            let mut committer = committer?;
            committer.notice_conflicting_ids(stager.conflicting_ids());
            Ok(committer)
        })
    }

    /// Stages and commits one batch.
    ///
    /// # Errors
    /// Fails where the lake cannot be written to; the batch is then neither committed nor counted.
    pub fn write(&mut self, batch: ParsedBatch, duplicates: DuplicatePolicy) -> Result<(), LakeError> {
        let group = self.stager.stage_alone(batch, Options { duplicates, ..self.options })?;
        self.committer.commit(group, duplicates)
    }

    /// Notes an input that failed as a whole.
    pub fn fail(&mut self, failure: Reject) {
        self.committer.fail(failure);
    }

    /// Ends the ingest stage and returns its summary.
    ///
    /// # Errors
    /// Fails where the failures cannot be written to the lake's rejects.
    pub fn finish(self) -> Result<Summary, LakeError> {
        self.committer.finish()
    }
}
