//! Groups of staged batches into the lake, one commit each, and the summary of the ingest.
//!
//! Invariant: a batch is counted after it is committed, and a spool file moved after all of its
//! batches are.

use std::collections::HashSet;
use std::sync::mpsc::Receiver;

use crate::ingest::commit_group::{CommitGroup, Staged, StagedBatch};
use crate::ingest::conflicting_ids::Found;
use crate::ingest::explain::EventProfile;
use crate::ingest::input::Input;
use crate::ingest::line_counts::LineCounts;
use crate::ingest::notices::NoticeKind;
use crate::ingest::options::Options;
use crate::ingest::outliers::DayCounts;
use crate::ingest::parsed::ReadOutcome;
use crate::ingest::plan::Plan;
use crate::ingest::planned_batches::PlannedBatches;
use crate::ingest::spool::Destination;
use crate::ingest::summary::{FIRST_REJECTS, FileNote, NotedFile, SpoolSummary, Summary};
use crate::lake::{BatchSize, CommitOutcome, DryRun, DuplicatePolicy, Lake, LakeError, Reject};
use crate::progress::{BatchOutcome, Count, Progress, Stage};

/// Why an input failed that another run ingested at the same time.
const SUPERSEDED: &str =
    "was ingested by another run at the same time; run the command again, which ingests what is left";

/// Commits batches and counts what they contain.
pub(super) struct Committer<'a> {
    lake: Option<&'a Lake>,
    options: Options,
    planned: PlannedBatches<'a>,
    plan: &'a Plan,
    progress: &'a Progress,
    summary: Summary,
    /// For each input, its number of events of each day.
    days: Vec<DayCounts>,
    /// For each input, its numbers of batches.
    batches: Vec<BatchCounts>,
}

/// What became of an input's batches.
#[derive(Clone, Copy, Default)]
struct BatchCounts {
    already_ingested: u64,
    committed: u64,
    lines_already_ingested: u64,
    is_from_elsewhere: bool,
    /// Whether another run ingested some of its lines at the same time.
    is_superseded: bool,
}

impl<'a> Committer<'a> {
    /// Starts the ingest stage, with every count at zero.
    pub fn start(
        lake: Option<&'a Lake>,
        plan: &'a Plan,
        options: Options,
        has_catalog: bool,
        progress: &'a Progress,
    ) -> Committer<'a> {
        start_stage(plan, has_catalog, progress);
        let summary = Summary {
            categorized: has_catalog.then_some(0),
            inputs: (plan.inputs.len() + plan.failures.len()) as u64,
            profiles: vec![EventProfile::default(); plan.inputs.len()],
            skipped: plan.skipped.clone(),
            replaces: options.duplicates == DuplicatePolicy::Replace,
            spool: plan
                .spool
                .as_ref()
                .map(|spool| SpoolSummary { too_recent: spool.too_recent, ..SpoolSummary::default() }),
            ..Summary::default()
        };
        let batches = vec![BatchCounts::default(); plan.inputs.len()];
        let days = vec![DayCounts::default(); plan.inputs.len()];
        Committer { lake, options, planned: PlannedBatches::of(lake), plan, progress, summary, days, batches }
    }

    /// Commits every group that is received.
    ///
    /// # Errors
    /// Fails where the lake cannot be written to; earlier commits stay.
    pub fn commit_all(mut self, groups: Receiver<CommitGroup<'a>>) -> Result<Committer<'a>, LakeError> {
        for group in groups {
            self.commit(group, self.options.duplicates)?;
        }
        Ok(self)
    }

    /// Commits a group and counts all that it contains.
    ///
    /// # Errors
    /// Fails where the lake cannot be written to; no batch of the group is then counted.
    pub fn commit(
        &mut self,
        mut group: CommitGroup<'a>,
        duplicates: DuplicatePolicy,
    ) -> Result<(), LakeError> {
        let mut ended = Vec::new();
        let mut batches: Vec<(usize, StagedBatch<'a>)> = Vec::new();
        for entry in std::mem::take(&mut group.entries) {
            match entry {
                Staged::AlreadyIngested { input, id, size, elsewhere } => {
                    self.name_batch(input, &id, BatchOutcome::AlreadyIngested);
                    self.count_already_ingested(input, size, elsewhere);
                }
                Staged::Note { input, note } => self.note(input, note),
                Staged::Batch { input, batch } => batches.push((input, batch)),
                Staged::InputEnd { input, outcome, batch } => {
                    let batch = self.whole_input(&mut group, input, &outcome, batch)?;
                    batches.extend(batch.map(|batch| (input, batch)));
                    ended.push((input, outcome));
                }
            }
        }
        // The next run ingests a file that has changed; its lines must not be counted twice.
        batches.retain(|(input, _)| {
            let input = &self.plan.inputs[*input];
            !(input.is_spool_file() && input.has_changed())
        });
        let outcomes = match group.commit(&mut batches)? {
            Some(outcomes) => outcomes,
            None => batches
                .iter()
                .map(|(input, batch)| self.planned.outcome(self.plan, *input, batch, duplicates))
                .collect::<Result<_, _>>()?,
        };
        for ((input, batch), outcome) in batches.into_iter().zip(outcomes) {
            self.count(input, batch, outcome);
        }
        ended.into_iter().try_for_each(|(input, outcome)| self.end_input(input, outcome))
    }

    /// Notes event ids that came with the same item and other content.
    pub fn notice_conflicting_ids(&mut self, found: Found) {
        if let Some(input) = found.input {
            let file = &self.plan.inputs[input].name;
            self.summary.notices.add(NoticeKind::ConflictingIds, found.ids, (file, None), "");
        }
    }

    /// Notes an input that failed as a whole.
    pub fn fail(&mut self, failure: Reject) {
        self.summary.failures.push(failure);
    }

    /// Ends the ingest stage and returns its summary.
    ///
    /// # Errors
    /// Fails where the failures cannot be written to the lake's rejects.
    pub fn finish(mut self) -> Result<Summary, LakeError> {
        let inputs = self.plan.inputs.iter().zip(&self.batches);
        let failed: HashSet<&str> =
            self.summary.failures.iter().map(|failure| failure.file.as_str()).collect();
        let has_failed = |input: &Input| failed.contains(input.name.as_str());
        let already_ingested =
            inputs.filter(|(input, of)| of.already_ingested > 0 && of.committed == 0 && !has_failed(input));
        self.summary.already_ingested = already_ingested.map(|(input, _)| input.name.clone()).collect();
        self.note_identical();
        self.summary.failures.splice(0..0, self.plan.failures.iter().cloned());
        self.progress.count(Count::FilesFailed, self.summary.failures.len() as u64);
        let is_kept = self.summary.failures.is_empty() || self.plan.spool.is_some();
        // Those of a spool folder were kept before their files were moved.
        if let Some(lake) = self.target().filter(|_| !is_kept) {
            lake.keep_failures(&self.summary.failures)?;
        }
        self.progress.end(Stage::Ingest);
        Ok(self.summary)
    }

    /// Notes the inputs of which every line was brought in by another one.
    fn note_identical(&mut self) {
        for input in 0..self.batches.len() {
            let BatchCounts { committed, lines_already_ingested: lines, is_from_elsewhere, .. } =
                self.batches[input];
            if is_from_elsewhere && committed == 0 {
                self.note(input, FileNote::Identical { lines });
            }
        }
    }

    /// Returns the batch of an input that is committed as a whole, where all of it was read.
    fn whole_input(
        &self,
        group: &mut CommitGroup<'a>,
        input: usize,
        outcome: &ReadOutcome,
        batch: Option<StagedBatch<'a>>,
    ) -> Result<Option<StagedBatch<'a>>, LakeError> {
        let ReadOutcome::Complete { content } = outcome else { return Ok(None) };
        if !self.plan.is_atomic(&self.options) {
            return Ok(None);
        }
        let mut batch = match (batch, &self.plan.batch_id) {
            (Some(batch), _) => batch,
            // An input without lines may replace an earlier version that had some.
            (None, Some(_)) if self.batches[input].already_ingested == 0 => {
                group.new_batch(self.target(), self.options)?
            }
            (None, _) => return Ok(None),
        };
        if let Some(id) = &self.plan.batch_id {
            batch.add_id(id, content.as_deref());
        }
        Ok(Some(batch))
    }

    /// Counts a committed batch.
    fn count(&mut self, input: usize, batch: StagedBatch<'_>, outcome: CommitOutcome) {
        let StagedBatch {
            ids,
            lines,
            accepted,
            rejected,
            unkept_rejects,
            categorized,
            notices,
            first_rejects,
            days,
            profile,
            ..
        } = batch;
        let batches = ids.len() as u64;
        let named = match outcome {
            CommitOutcome::AlreadyIngested { .. } => Some(BatchOutcome::AlreadyIngested),
            CommitOutcome::Replaced { added } if added < batches => Some(BatchOutcome::Replaced),
            CommitOutcome::Committed | CommitOutcome::Replaced { .. } => Some(BatchOutcome::New),
            CommitOutcome::Nothing | CommitOutcome::Superseded => None,
        };
        if let Some(named) = named {
            ids.iter().for_each(|id| self.name_batch(input, id, named));
        }
        match outcome {
            CommitOutcome::AlreadyIngested { size, elsewhere } => {
                return self.count_already_ingested(input, size, elsewhere);
            }
            CommitOutcome::Superseded => {
                self.batches[input].is_superseded = true;
                return;
            }
            CommitOutcome::Committed => {
                self.summary.batches += batches;
                self.progress.count(Count::BatchesCommitted, batches);
            }
            CommitOutcome::Replaced { added } => {
                self.summary.replaced += batches - added;
                self.summary.batches += added;
                self.progress.count(Count::BatchesReplaced, batches - added);
                self.progress.count(Count::BatchesCommitted, added);
            }
            CommitOutcome::Nothing => {}
        }
        self.batches[input].committed += 1;
        self.summary.profiles[input].merge(profile);
        self.days[input].merge(&days);
        self.count_lines(lines);
        self.summary.accepted += accepted;
        self.summary.rejected += rejected;
        self.summary.unkept_rejects += unkept_rejects;
        self.summary.notices.merge(notices);
        let room = FIRST_REJECTS.saturating_sub(self.summary.first_rejects.len());
        self.summary.first_rejects.extend(first_rejects.into_iter().take(room));
        self.progress.count(Count::EventsAccepted, accepted);
        self.progress.count(Count::LinesRejected, rejected);
        if categorized > 0 {
            *self.summary.categorized.get_or_insert(0) += categorized;
            self.progress.count(Count::EventsCategorized, categorized);
        }
    }

    fn name_batch(&mut self, input: usize, id: &str, outcome: BatchOutcome) {
        let input = &self.plan.inputs[input].name;
        self.summary.add_batch(input, id, outcome);
        self.progress.batch(input, id, outcome);
    }

    fn note(&mut self, input: usize, note: FileNote) {
        self.summary.notes.push(NotedFile { name: self.plan.inputs[input].name.clone(), note });
    }

    fn count_already_ingested(&mut self, input: usize, size: BatchSize, elsewhere: bool) {
        let batches = &mut self.batches[input];
        batches.already_ingested += 1;
        batches.lines_already_ingested += size.lines;
        batches.is_from_elsewhere |= elsewhere;
        // What became of each line is not known any more: all are counted as used.
        self.count_lines(LineCounts { read: size.lines, filtered: 0, rejected: 0 });
        self.summary.duplicate += size.events;
        self.progress.count(Count::BatchesSkipped, 1);
        self.progress.count(Count::LinesDuplicate, size.events);
    }

    fn count_lines(&mut self, lines: LineCounts) {
        self.summary.lines += lines;
        self.progress.count(Count::LinesRead, lines.read);
        if lines.filtered > 0 {
            self.progress.count(Count::LinesFiltered, lines.filtered);
        }
    }

    /// Ends an input of which all is committed: notes its failure, moves a spool file.
    fn end_input(&mut self, input: usize, outcome: ReadOutcome) -> Result<(), LakeError> {
        let plan = self.plan;
        self.summary.outliers.extend(self.days[input].outliers(&plan.inputs[input].name));
        let is_superseded = self.batches[input].is_superseded;
        let input = &plan.inputs[input];
        match outcome {
            ReadOutcome::Complete { .. } | ReadOutcome::Failed(_)
                if is_superseded && plan.spool.is_none() =>
            {
                self.fail(Reject::of_input(&input.name, SUPERSEDED.to_owned()));
            }
            _ if is_superseded => self.note_changed(input),
            ReadOutcome::Complete { .. } => self.move_spool_file(input, Destination::Done),
            ReadOutcome::Failed(reason) => {
                let failure = Reject::of_input(&input.name, reason);
                if let Some(lake) = self.target().filter(|_| plan.spool.is_some()) {
                    // Kept before the file is moved: a crash in between must not lose the reason.
                    lake.keep_failures(std::slice::from_ref(&failure))?;
                }
                self.fail(failure);
                self.move_spool_file(input, Destination::Failed);
            }
            ReadOutcome::Changed => self.note_changed(input),
        }
        Ok(())
    }

    fn note_changed(&mut self, input: &Input) {
        if let Some(spool) = &mut self.summary.spool {
            spool.changed.push(input.name.clone());
        }
    }

    /// Moves a spool file to its destination, except in a dry run.
    fn move_spool_file(&mut self, input: &Input, destination: Destination) {
        let target = self.target();
        let Some(spool) = &mut self.summary.spool else { return };
        let moved = match target {
            _ if input.has_changed() => return spool.changed.push(input.name.clone()),
            Some(_) => destination.receive(input),
            None => Ok(true),
        };
        match (moved, destination) {
            (Ok(moved), Destination::Done) => spool.done += u64::from(moved),
            (Ok(moved), Destination::Failed) => spool.failed += u64::from(moved),
            (Err(why), _) => spool.unmoved.push(why),
        }
    }

    /// Returns the lake, except in a dry run.
    fn target(&self) -> Option<&'a Lake> {
        self.lake.filter(|_| self.options.dry_run == DryRun::No)
    }
}

/// Starts the stage. Counts are reported even where they stay zero, so that a run's record adds up.
fn start_stage(plan: &Plan, has_catalog: bool, progress: &Progress) {
    progress.begin(Stage::Ingest, plan.size_bytes());
    for count in [
        Count::LinesRead,
        Count::EventsAccepted,
        Count::LinesDuplicate,
        Count::LinesRejected,
        Count::BatchesCommitted,
        Count::BatchesSkipped,
    ] {
        progress.count(count, 0);
    }
    if has_catalog {
        progress.count(Count::EventsCategorized, 0);
    }
}
