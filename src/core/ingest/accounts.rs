//! What becomes of batches whose files are written: commits, each of many batches, and the accounts.

use std::collections::HashSet;
use std::sync::mpsc::Receiver;

use crate::ingest::spool::{Place, Spooled};
use crate::ingest::writer::{Group, Open, Outcome};
use crate::ingest::{Options, Plan, Summary, failure};
use crate::lake::{Appended, DryRun, Known, Lake, LakeError};
use crate::progress::{Count, Progress};

/// Rejected lines that a summary repeats.
pub(super) const FIRST_REJECTS: usize = 5;

/// What is to be accounted for, in the order of the inputs.
pub(super) enum Written<'a> {
    /// A batch whose files are written.
    Batch { input: usize, open: Open<'a> },
    /// A batch that is in already, with so many lines.
    Known { input: usize, lines: u64 },
    /// Nothing more comes from this input; what it has open comes in as a whole, or not at all.
    End { input: usize, outcome: Outcome, open: Option<Open<'a>> },
}

/// Commits batches and keeps account of them.
pub(super) struct Accounts<'a> {
    lake: Option<&'a Lake>,
    options: Options,
    /// The batches of a run that writes nothing, each of which would be new once.
    planned: HashSet<String>,
    plan: &'a Plan,
    progress: &'a Progress,
    summary: Summary,
    /// For each input, how many batches were in already, and how many came in.
    batches: Vec<(u64, u64)>,
}

impl<'a> Accounts<'a> {
    /// Returns accounts without an entry.
    pub(super) fn of(
        lake: Option<&'a Lake>,
        plan: &'a Plan,
        options: Options,
        progress: &'a Progress,
    ) -> Accounts<'a> {
        let spooled =
            plan.spool.as_ref().map(|spool| Spooled { unsettled: spool.unsettled, ..Spooled::default() });
        Accounts {
            lake,
            options,
            planned: HashSet::new(),
            plan,
            progress,
            summary: Summary { spooled, ..Summary::default() },
            batches: vec![(0, 0); plan.inputs.len()],
        }
    }

    /// Takes all that was written.
    ///
    /// # Errors
    /// Fails where the lake does; what was committed before stays.
    pub(super) fn take_all(mut self, groups: Receiver<Group<'a>>) -> Result<Summary, LakeError> {
        for group in groups {
            self.take(group, self.options.known)?;
        }
        Ok(self.finish())
    }

    /// Commits a group, and accounts for all that is in it.
    ///
    /// # Errors
    /// Fails where the lake does; no batch of the group is then counted.
    pub(super) fn take(&mut self, mut group: Group<'a>, known: Known) -> Result<(), LakeError> {
        let mut ended = Vec::new();
        let mut batches: Vec<(usize, Open<'a>)> = Vec::new();
        for written in std::mem::take(&mut group.written) {
            match written {
                Written::Known { input, lines } => self.account_known(input, lines),
                Written::Batch { input, open } => batches.push((input, open)),
                Written::End { input, outcome, open } => {
                    let open = self.close(&mut group, input, &outcome, open)?;
                    batches.extend(open.map(|open| (input, open)));
                    ended.push((input, outcome));
                }
            }
        }
        // The next run takes what has changed; what is in by then would count again with the whole
        // of it.
        batches.retain(|(input, _)| {
            let source = &self.plan.inputs[*input];
            !(source.is_spooled() && source.has_changed())
        });
        let appended = match (group.append, batches.last()) {
            (Some(append), Some((_, last))) => {
                let now_ms = last.at.micros() / 1_000;
                let deliveries = batches.iter_mut().filter_map(|(_, open)| open.delivery.take());
                append.commit(deliveries.collect(), now_ms)?
            }
            _ => batches.iter().map(|(_, open)| self.planned(open, known)).collect::<Result<_, _>>()?,
        };
        for ((input, open), appended) in batches.into_iter().zip(appended) {
            self.account(input, open, appended);
        }
        // No file of a spool is moved before what it brought is in.
        ended.into_iter().try_for_each(|(input, outcome)| self.end(input, outcome))
    }

    /// Returns the accounts.
    pub(super) fn finish(mut self) -> Summary {
        let known = self.plan.inputs.iter().zip(&self.batches);
        let known = known.filter(|(_, (known, new))| *known > 0 && *new == 0);
        self.summary.known_inputs = known.map(|(input, _)| input.name.clone()).collect();
        self.summary
    }

    /// Returns an input that comes in as a whole, if all of it was read; else nothing of it is in.
    fn close(
        &self,
        group: &mut Group<'a>,
        input: usize,
        outcome: &Outcome,
        open: Option<Open<'a>>,
    ) -> Result<Option<Open<'a>>, LakeError> {
        if !self.plan.is_whole(&self.options) || !matches!(outcome, Outcome::Read) {
            return Ok(None);
        }
        let mut open = match (open, &self.plan.batch_id) {
            (Some(open), _) => open,
            // Known, or without any line; under a name, it may take the place of one that had some.
            (None, Some(_)) if self.batches[input].0 == 0 => {
                group.open(self.target(), self.options, self.options.known)?
            }
            (None, _) => return Ok(None),
        };
        if let Some(id) = &self.plan.batch_id {
            open.name(id);
        }
        Ok(Some(open))
    }

    /// Accounts for what was written of an input.
    fn account(&mut self, input: usize, open: Open<'_>, appended: Appended) {
        let Open { ids, accepted, rejected, filed, first_rejects, .. } = open;
        let batches = ids.len() as u64;
        match appended {
            Appended::Known { lines } => return self.account_known(input, lines),
            Appended::Committed => {
                self.summary.batches += batches;
                self.progress.count(Count::BatchesCommitted, batches);
            }
            Appended::Replaced { added } => {
                self.summary.replaced += batches - added;
                self.summary.batches += added;
                self.progress.count(Count::BatchesReplaced, batches - added);
                self.progress.count(Count::BatchesCommitted, added);
            }
            Appended::Nothing => {}
        }
        self.batches[input].1 += 1;
        self.summary.read += accepted + rejected;
        self.summary.accepted += accepted;
        self.summary.rejected += rejected;
        let room = FIRST_REJECTS.saturating_sub(self.summary.first_rejects.len());
        self.summary.first_rejects.extend(first_rejects.into_iter().take(room));
        self.progress.count(Count::LinesRead, accepted + rejected);
        self.progress.count(Count::EventsAccepted, accepted);
        self.progress.count(Count::LinesRejected, rejected);
        if filed > 0 {
            *self.summary.filed.get_or_insert(0) += filed;
            self.progress.count(Count::EventsCategorized, filed);
        }
    }

    /// Says how a commit would end.
    fn planned(&mut self, open: &Open<'_>, known: Known) -> Result<Appended, LakeError> {
        let Open { ids, accepted, rejected, .. } = open;
        let mut added = 0;
        for id in ids {
            let in_lake = self.lake.map_or(Ok(None), |lake| lake.known_batch(id))?;
            let is_known = in_lake.is_some() || (*accepted > 0 && !self.planned.insert(id.clone()));
            added += u64::from(!is_known);
        }
        Ok(match (added < ids.len() as u64, known) {
            (true, Known::Replace) => Appended::Replaced { added },
            (true, Known::Skip) => Appended::Known { lines: accepted + rejected },
            _ if *accepted == 0 => Appended::Nothing,
            _ => Appended::Committed,
        })
    }

    /// Closes an input, all of which is committed; one from a spool goes to its place.
    fn end(&mut self, input: usize, outcome: Outcome) -> Result<(), LakeError> {
        let input = &self.plan.inputs[input];
        let place = match outcome {
            Outcome::Read => Place::Done,
            Outcome::Failed(reason) => {
                let failed = failure(&input.name, reason);
                if let Some(lake) = self.target().filter(|_| self.plan.spool.is_some()) {
                    // Kept before the file goes: why it failed must not be lost in between.
                    lake.keep_failures(std::slice::from_ref(&failed))?;
                }
                self.summary.failures.push(failed);
                Place::Failed
            }
            Outcome::Changed => {
                if let Some(spooled) = &mut self.summary.spooled {
                    spooled.changed.push(input.name.clone());
                }
                return Ok(());
            }
        };
        let target = self.target();
        let (Some(spool), Some(spooled)) = (&self.plan.spool, &mut self.summary.spooled) else {
            return Ok(());
        };
        let moved = match (target, input.path()) {
            _ if input.has_changed() => {
                spooled.changed.push(input.name.clone());
                return Ok(());
            }
            (Some(_), Some(path)) => spool.put(path, place),
            _ => Ok(true),
        };
        match (moved, place) {
            (Ok(moved), Place::Done) => spooled.done += u64::from(moved),
            (Ok(moved), Place::Failed) => spooled.failed += u64::from(moved),
            (Err(why), _) => spooled.unmoved.push(why),
        }
        Ok(())
    }

    /// Returns the lake, if anything is to be written.
    fn target(&self) -> Option<&'a Lake> {
        self.lake.filter(|_| self.options.dry_run == DryRun::No)
    }

    fn account_known(&mut self, input: usize, lines: u64) {
        self.batches[input].0 += 1;
        self.summary.read += lines;
        self.summary.duplicate += lines;
        self.progress.count(Count::BatchesSkipped, 1);
        self.progress.count(Count::LinesRead, lines);
        self.progress.count(Count::LinesDuplicate, lines);
    }
}
