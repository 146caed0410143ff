//! Parsed batches into staged ones: their files are written, and they are grouped for commits.
//!
//! Which batches share a commit depends on the inputs alone, not on the speed of threads.

use std::sync::mpsc::{Receiver, SyncSender};

use crate::ingest::commit_group::{CommitGroup, Staged, StagedBatch};
use crate::ingest::conflicting_ids::{ConflictingIds, Found};
use crate::ingest::options::Options;
use crate::ingest::parsed::{Parsed, ParsedBatch};
use crate::ingest::plan::Plan;
use crate::lake::{Lake, LakeError};

/// Writes the files of batches.
pub(super) struct Stager<'a> {
    /// `None` in a dry run.
    target: Option<&'a Lake>,
    options: Options,
    plan: &'a Plan,
    /// The batch, or the input that is committed as a whole, of which more is to come.
    incomplete: Option<StagedBatch<'a>>,
    group: CommitGroup<'a>,
    conflicting_ids: ConflictingIds,
}

impl<'a> Stager<'a> {
    /// Returns a stager that writes into the target lake.
    pub fn new(target: Option<&'a Lake>, plan: &'a Plan, options: Options) -> Stager<'a> {
        Stager {
            target,
            options,
            plan,
            incomplete: None,
            group: CommitGroup::default(),
            conflicting_ids: ConflictingIds::default(),
        }
    }

    /// Stages one batch as a group of its own.
    ///
    /// # Errors
    /// Fails where the lake cannot be written to.
    pub fn stage_alone(&self, parsed: ParsedBatch, options: Options) -> Result<CommitGroup<'a>, LakeError> {
        let input = parsed.input;
        let mut group = CommitGroup::default();
        let mut batch = group.new_batch(self.target, options)?;
        group.write(&mut batch, parsed)?;
        group.push(Staged::Batch { input, batch });
        Ok(group)
    }

    /// Stages all that is received, and sends each group when it is complete.
    ///
    /// # Errors
    /// Fails where the lake cannot be written to; what is complete by then is sent nonetheless.
    pub fn stage_all(
        &mut self,
        receive: Receiver<Parsed>,
        send: &SyncSender<CommitGroup<'a>>,
    ) -> Result<(), LakeError> {
        let mut outcome = Ok(());
        for parsed in receive {
            let is_last = self.commits_after(&parsed);
            outcome = self.stage(parsed);
            if outcome.is_err() {
                break;
            }
            if self.incomplete.is_none()
                && (is_last || self.group.is_full())
                && send.send(std::mem::take(&mut self.group)).is_err()
            {
                // The committer has failed, and returns why.
                return Ok(());
            }
        }
        if !self.group.entries.is_empty() {
            let _ = send.send(std::mem::take(&mut self.group));
        }
        outcome
    }

    /// Returns how many event ids came with the same item and other content.
    pub fn conflicting_ids(&mut self) -> Found {
        self.conflicting_ids.finish()
    }

    /// Returns whether the group is committed before more is received: the next bytes of a stream may
    /// be hours away.
    fn commits_after(&self, parsed: &Parsed) -> bool {
        let is_atomic = self.plan.is_atomic(&self.options);
        match parsed {
            Parsed::Part(_) | Parsed::Note { .. } => false,
            Parsed::Batch(ParsedBatch { input, .. }) | Parsed::AlreadyIngested { input, .. } => {
                !is_atomic && self.is_stream(*input)
            }
            Parsed::InputEnd { input, .. } => {
                is_atomic || [0, 1].iter().any(|next| self.is_stream(input + next))
            }
        }
    }

    fn is_stream(&self, input: usize) -> bool {
        self.plan.inputs.get(input).is_some_and(|input| input.size_bytes.is_none())
    }

    /// Writes the files of a batch, and adds what is complete to the group.
    fn stage(&mut self, parsed: Parsed) -> Result<(), LakeError> {
        let (parsed, is_complete) = match parsed {
            Parsed::AlreadyIngested { input, id, size, elsewhere } => {
                self.group.push(Staged::AlreadyIngested { input, id, size, elsewhere });
                return Ok(());
            }
            Parsed::Note { input, note } => {
                self.group.push(Staged::Note { input, note });
                return Ok(());
            }
            Parsed::InputEnd { input, outcome } => {
                self.group.push(Staged::InputEnd { input, outcome, batch: self.incomplete.take() });
                return Ok(());
            }
            Parsed::Part(parsed) => (parsed, false),
            Parsed::Batch(parsed) => (parsed, !self.plan.is_atomic(&self.options)),
        };
        let mut batch = match self.incomplete.take() {
            Some(batch) => batch,
            None => self.group.new_batch(self.target, self.options)?,
        };
        let input = parsed.input;
        self.conflicting_ids.add(input, &parsed.lines.events);
        self.group.write(&mut batch, parsed)?;
        match is_complete {
            true => self.group.push(Staged::Batch { input, batch }),
            false => self.incomplete = Some(batch),
        }
        Ok(())
    }
}
