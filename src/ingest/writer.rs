//! The writing half of an ingest: batches into the lake, one after another, and the accounts.

use std::collections::HashSet;
use std::sync::mpsc::Receiver;

use crate::event::Events;
use crate::ingest::{Options, Plan, Summary};
use crate::lake::{Appended, Batch, Known, Lake, LakeError, Reject};
use crate::trace::{Count, Run};

/// Rejected lines that a summary repeats.
const FIRST_REJECTS: usize = 5;

/// What the reading half hands over.
pub(super) enum Parsed {
    Batch {
        input: usize,
        id: String,
        events: Events,
        rejects: Vec<Reject>,
    },
    /// A batch that is in already, with so many lines.
    Known {
        input: usize,
        lines: u64,
    },
}

/// Appends batches and keeps account of them.
pub(super) struct Writer<'a> {
    /// `None` writes nothing.
    lake: Option<&'a Lake>,
    /// The batches of a run that writes nothing, each of which would be new once.
    planned: HashSet<String>,
    plan: &'a Plan,
    known: Known,
    now_ms: i64,
    run: &'a Run,
    summary: Summary,
    /// For each input, how many batches were in already, and how many came in.
    batches: Vec<(u64, u64)>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(lake: Option<&'a Lake>, plan: &'a Plan, options: Options, run: &'a Run) -> Writer<'a> {
        let batches = vec![(0, 0); plan.inputs.len()];
        Writer {
            lake,
            planned: HashSet::new(),
            plan,
            known: options.known,
            now_ms: options.now.micros() / 1_000,
            run,
            summary: Summary::default(),
            batches,
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
                Parsed::Batch { input, id, events, rejects } => self.append(input, &id, &events, rejects)?,
            }
        }
        let known = self.plan.inputs.iter().zip(&self.batches);
        let known = known.filter(|(_, (known, new))| *known > 0 && *new == 0);
        self.summary.known_inputs = known.map(|(input, _)| input.name.clone()).collect();
        Ok(self.summary)
    }

    fn append(
        &mut self,
        input: usize,
        id: &str,
        events: &Events,
        rejects: Vec<Reject>,
    ) -> Result<(), LakeError> {
        let (accepted, rejected) = (events.len() as u64, rejects.len() as u64);
        let appended = match self.lake {
            Some(lake) => {
                lake.append(&Batch { id, events, rejects: &rejects, known: self.known, now_ms: self.now_ms })?
            }
            None if events.is_empty() => Appended::Nothing,
            None if !self.planned.insert(id.to_owned()) => Appended::Known { lines: accepted + rejected },
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
            }
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
