//! The writing half of an ingest: batches into the lake, one after another, and the accounts.

use std::collections::HashSet;
use std::sync::mpsc::Receiver;

use crate::ingest::builder::Read;
use crate::ingest::spool::{Place, Spooled};
use crate::ingest::{Plan, Summary, failure};
use crate::lake::{Appended, Batch, Known, Lake, LakeError};
use crate::time::Timestamp;
use crate::trace::{Count, Run};

/// Rejected lines that a summary repeats.
const FIRST_REJECTS: usize = 5;

/// What the reading half hands over.
pub(super) enum Parsed {
    Batch(Brought),
    /// A batch that is in already, with so many lines.
    Known {
        input: usize,
        lines: u64,
    },
    /// Nothing more comes from this input.
    End {
        input: usize,
        outcome: Outcome,
    },
}

/// One batch, read.
pub(super) struct Brought {
    pub input: usize,
    pub id: String,
    pub read: Read,
    /// When it was.
    pub at: Timestamp,
    pub known: Known,
}

/// How the reading of an input ended.
pub(super) enum Outcome {
    Read,
    /// It failed as a whole, for this reason.
    Failed(String),
    /// It changed meanwhile, and is left for another run.
    Changed,
}

/// Appends batches and keeps account of them.
pub(super) struct Writer<'a> {
    /// `None` writes nothing.
    lake: Option<&'a Lake>,
    /// The batches of a run that writes nothing, each of which would be new once.
    planned: HashSet<String>,
    plan: &'a Plan,
    run: &'a Run,
    summary: Summary,
    /// For each input, how many batches were in already, and how many came in.
    batches: Vec<(u64, u64)>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(lake: Option<&'a Lake>, plan: &'a Plan, run: &'a Run) -> Writer<'a> {
        let spooled =
            plan.spool.as_ref().map(|spool| Spooled { unsettled: spool.unsettled, ..Spooled::default() });
        Writer {
            lake,
            planned: HashSet::new(),
            plan,
            run,
            summary: Summary { spooled, ..Summary::default() },
            batches: vec![(0, 0); plan.inputs.len()],
        }
    }

    /// Takes all that is handed over.
    ///
    /// # Errors
    /// Fails where the lake does; what was appended before stays.
    pub(super) fn write_all(mut self, receive: Receiver<Parsed>) -> Result<Summary, LakeError> {
        for parsed in receive {
            match parsed {
                Parsed::Known { input, lines } => self.account_known(input, lines),
                Parsed::Batch(brought) => {
                    self.append(brought)?;
                }
                Parsed::End { input, outcome } => self.end(input, outcome)?,
            }
        }
        Ok(self.finish())
    }

    /// Returns the accounts.
    pub(super) fn finish(mut self) -> Summary {
        let known = self.plan.inputs.iter().zip(&self.batches);
        let known = known.filter(|(_, (known, new))| *known > 0 && *new == 0);
        self.summary.known_inputs = known.map(|(input, _)| input.name.clone()).collect();
        self.summary
    }

    /// Brings one batch in.
    ///
    /// # Errors
    /// Fails where the lake does; nothing of the batch is then in, or counted.
    pub(super) fn append(&mut self, brought: Brought) -> Result<(), LakeError> {
        let Brought { input, id, read: Read { events, rejects, filed }, at, known } = brought;
        let (accepted, rejected) = (events.len() as u64, rejects.len() as u64);
        let appended = match self.lake {
            Some(lake) => {
                let now_ms = at.micros() / 1_000;
                lake.append(&Batch { id: &id, events: &events, rejects: &rejects, now_ms, known })?
            }
            None if events.is_empty() => Appended::Nothing,
            None if !self.planned.insert(id) => Appended::Known { lines: accepted + rejected },
            None => Appended::Committed,
        };
        if appended == Appended::Replaced {
            self.run.count(Count::BatchesReplaced, 1);
        }
        match appended {
            Appended::Known { lines } => self.account_known(input, lines),
            appended => {
                let committed = u64::from(appended == Appended::Committed);
                let replaced = u64::from(appended == Appended::Replaced);
                self.batches[input].1 += 1;
                self.summary.batches += committed;
                self.summary.replaced += replaced;
                self.summary.read += accepted + rejected;
                self.summary.accepted += accepted;
                self.summary.rejected += rejected;
                let room = FIRST_REJECTS.saturating_sub(self.summary.first_rejects.len());
                self.summary.first_rejects.extend(rejects.into_iter().take(room));
                self.run.count(Count::BatchesCommitted, committed);
                self.run.count(Count::LinesRead, accepted + rejected);
                self.run.count(Count::EventsAccepted, accepted);
                self.run.count(Count::LinesRejected, rejected);
                if filed > 0 {
                    *self.summary.filed.get_or_insert(0) += filed;
                    self.run.count(Count::EventsFiled, filed);
                }
            }
        }
        Ok(())
    }

    /// Closes an input, all of which is committed; one from a spool goes to its place.
    fn end(&mut self, input: usize, outcome: Outcome) -> Result<(), LakeError> {
        let input = &self.plan.inputs[input];
        let place = match outcome {
            Outcome::Read => Place::Done,
            Outcome::Failed(reason) => {
                let failed = failure(&input.name, reason);
                if let Some(lake) = self.lake.filter(|_| self.plan.spool.is_some()) {
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
        let (Some(spool), Some(spooled)) = (&self.plan.spool, &mut self.summary.spooled) else {
            return Ok(());
        };
        let moved = match (self.lake, input.path()) {
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

    fn account_known(&mut self, input: usize, lines: u64) {
        self.batches[input].0 += 1;
        self.summary.read += lines;
        self.summary.duplicate += lines;
        self.run.count(Count::BatchesKnown, 1);
        self.run.count(Count::LinesRead, lines);
        self.run.count(Count::LinesDuplicate, lines);
    }
}
