//! The writing half of an ingest: the files of batches into the lake, and who commits them.
//!
//! One batch is read while the files of the one before are written, and while the one before that
//! becomes durable and is committed.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use crate::ingest::accounts::{Accounts, FIRST_REJECTS, Written};
use crate::ingest::builder::Read;
use crate::ingest::{Options, Plan, Summary, WAITING};
use crate::lake::{Append, Doing, Known, Lake, LakeError, Reject};
use crate::time::Timestamp;
use crate::trace::Run;

/// What the reading half hands over.
pub(super) enum Parsed {
    Batch(Brought),
    /// The beginning of a batch that is too large to be held; the rest of it follows.
    Part(Brought),
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
}

/// How the reading of an input ended.
pub(super) enum Outcome {
    Read,
    /// It failed as a whole, for this reason.
    Failed(String),
    /// It changed meanwhile, and is left for another run.
    Changed,
}

/// Writes batches, and has them committed.
pub(super) struct Writer<'a> {
    files: Files<'a>,
    accounts: Accounts<'a>,
}

/// Writes the files of batches.
struct Files<'a> {
    target: Option<&'a Lake>,
    options: Options,
    plan: &'a Plan,
    /// A batch, or an input that comes in as a whole or not at all, as far as it has come.
    open: Option<Open<'a>>,
}

/// What is written and not committed yet.
pub(super) struct Open<'a> {
    /// `None` writes nothing.
    pub append: Option<Append<'a>>,
    pub ids: BTreeSet<String>,
    pub accepted: u64,
    pub rejected: u64,
    pub filed: u64,
    pub first_rejects: Vec<Reject>,
    pub at: Timestamp,
}

impl<'a> Open<'a> {
    /// Begins with nothing; where there is no lake to write into, it stays so.
    pub fn begin(target: Option<&'a Lake>, options: Options, known: Known) -> Result<Open<'a>, LakeError> {
        Ok(Open {
            append: target.map(|lake| lake.append(known)).transpose()?,
            ids: BTreeSet::new(),
            accepted: 0,
            rejected: 0,
            filed: 0,
            first_rejects: Vec::new(),
            at: options.now,
        })
    }

    fn add(&mut self, brought: Brought) -> Result<(), LakeError> {
        let Brought { id, read: Read { events, rejects, filed }, at, .. } = brought;
        if let Some(append) = &mut self.append {
            append.add(&id, &events, &rejects)?;
        }
        self.ids.insert(id);
        self.accepted += events.len() as u64;
        self.rejected += rejects.len() as u64;
        self.filed += filed;
        let room = FIRST_REJECTS.saturating_sub(self.first_rejects.len());
        self.first_rejects.extend(rejects.into_iter().take(room));
        self.at = at;
        Ok(())
    }

    /// Calls it by a further name.
    pub fn name(&mut self, id: &str) {
        if let Some(append) = &mut self.append {
            append.name(id);
        }
        self.ids.insert(id.to_owned());
    }
}

impl<'a> Writer<'a> {
    /// Returns a writer that appends to the lake, or only looks at it where that is what is asked.
    pub(super) fn new(lake: Option<&'a Lake>, plan: &'a Plan, options: Options, run: &'a Run) -> Writer<'a> {
        let target = lake.filter(|_| options.doing == Doing::Applying);
        let files = Files { target, options, plan, open: None };
        Writer { files, accounts: Accounts::of(lake, plan, options, run) }
    }

    /// Takes all that is handed over.
    ///
    /// # Errors
    /// Fails where the lake does; what was committed before stays.
    pub(super) fn write_all(self, receive: Receiver<Parsed>) -> Result<Summary, LakeError> {
        let Writer { mut files, accounts } = self;
        thread::scope(|scope| {
            let (send, written) = sync_channel(WAITING);
            let committing = scope.spawn(move || accounts.take_all(written));
            let outcome = files.write_all(receive, &send);
            drop(send);
            let summary = committing.join().expect("whoever commits does not panic")?;
            outcome.map(|()| summary)
        })
    }

    /// Returns the accounts.
    pub(super) fn finish(self) -> Summary {
        self.accounts.finish()
    }

    /// Brings one batch in.
    ///
    /// # Errors
    /// Fails where the lake does; nothing of the batch is then in, or counted.
    pub(super) fn append(&mut self, brought: Brought, known: Known) -> Result<(), LakeError> {
        let input = brought.input;
        let mut open = Open::begin(self.files.target, self.files.options, known)?;
        open.add(brought)?;
        self.accounts.commit(input, open, known)
    }
}

impl<'a> Files<'a> {
    fn write_all(
        &mut self,
        receive: Receiver<Parsed>,
        send: &SyncSender<Written<'a>>,
    ) -> Result<(), LakeError> {
        for parsed in receive {
            // Whoever commits says why it has ended.
            if let Some(written) = self.write(parsed)?
                && send.send(written).is_err()
            {
                break;
            }
        }
        Ok(())
    }

    /// Writes the files of what was read, and returns what is now to be accounted for.
    fn write(&mut self, parsed: Parsed) -> Result<Option<Written<'a>>, LakeError> {
        let (brought, is_all) = match parsed {
            Parsed::Known { input, lines } => return Ok(Some(Written::Known { input, lines })),
            Parsed::End { input, outcome } => {
                return Ok(Some(Written::End { input, outcome, open: self.open.take() }));
            }
            Parsed::Part(brought) => (brought, false),
            Parsed::Batch(brought) => (brought, !self.plan.is_whole(&self.options)),
        };
        let mut open = match self.open.take() {
            Some(open) => open,
            None => Open::begin(self.target, self.options, self.options.known)?,
        };
        let input = brought.input;
        open.add(brought)?;
        if is_all {
            return Ok(Some(Written::Batch { input, open }));
        }
        self.open = Some(open);
        Ok(None)
    }
}
