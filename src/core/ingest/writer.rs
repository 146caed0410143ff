//! The writing half of an ingest: the files of batches into the lake, and who commits them.
//!
//! One batch is read while the files of the one before are written, and while those before that
//! become durable and are committed: many at once, since a commit costs as much as a batch. Which
//! ones come in together hangs on the inputs alone, and not on who is quicker.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use crate::ingest::accounts::{Accounts, FIRST_REJECTS, Written};
use crate::ingest::builder::Read;
use crate::ingest::{Options, Plan, Summary, WAITING};
use crate::lake::{Append, Delivery, DryRun, Known, Lake, LakeError, Reject};
use crate::model::Timestamp;
use crate::progress::Progress;

/// What a group may have before it is committed: batches and ends of inputs, lines, files. A second
/// or two of work are then lost where a run is killed, and the files' names take little memory.
const MAX_WRITTEN: usize = 128;
const MAX_LINES: u64 = 1 << 20;
const MAX_FILES: usize = 1_024;

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
    group: Group<'a>,
}

/// What is accounted for at once; its batches come in by one commit.
#[derive(Default)]
pub(super) struct Group<'a> {
    /// What the batches are written through; nothing where nothing is written.
    pub append: Option<Append<'a>>,
    pub written: Vec<Written<'a>>,
    lines: u64,
    files: usize,
}

/// What is written and not committed yet.
pub(super) struct Open<'a> {
    /// `None` writes nothing.
    pub delivery: Option<Delivery<'a>>,
    pub ids: BTreeSet<String>,
    pub accepted: u64,
    pub rejected: u64,
    pub filed: u64,
    pub first_rejects: Vec<Reject>,
    pub at: Timestamp,
}

impl<'a> Group<'a> {
    /// Opens a batch; where there is no lake to write into, nothing of it is written.
    pub fn open(
        &mut self,
        target: Option<&'a Lake>,
        options: Options,
        known: Known,
    ) -> Result<Open<'a>, LakeError> {
        if self.append.is_none() {
            // One stay among the writers for all of the group: who held one and waited for another
            // would wait for somebody who waits for the first to end.
            self.append = target.map(|lake| lake.append(known)).transpose()?;
        }
        Ok(Open {
            delivery: self.append.as_ref().map(Append::delivery),
            ids: BTreeSet::new(),
            accepted: 0,
            rejected: 0,
            filed: 0,
            first_rejects: Vec::new(),
            at: options.now,
        })
    }

    fn add(&self, open: &mut Open<'a>, brought: Brought) -> Result<(), LakeError> {
        let Brought { id, read: Read { events, rejects, filed }, at, .. } = brought;
        if let (Some(append), Some(delivery)) = (&self.append, &mut open.delivery) {
            append.add(delivery, &id, &events, &rejects)?;
        }
        open.ids.insert(id);
        open.accepted += events.len() as u64;
        open.rejected += rejects.len() as u64;
        open.filed += filed;
        let room = FIRST_REJECTS.saturating_sub(open.first_rejects.len());
        open.first_rejects.extend(rejects.into_iter().take(room));
        open.at = at;
        Ok(())
    }

    fn push(&mut self, written: Written<'a>) {
        if let Written::Batch { open, .. } = &written {
            self.lines += open.accepted + open.rejected;
            self.files += open.delivery.as_ref().map_or(0, Delivery::files);
        }
        self.written.push(written);
    }

    /// Tells whether it is large enough for a commit to cost next to nothing for each batch, or so
    /// large that who is killed before it would have to do much again.
    fn is_full(&self) -> bool {
        self.written.len() >= MAX_WRITTEN || self.lines >= MAX_LINES || self.files >= MAX_FILES
    }
}

impl Open<'_> {
    /// Calls it by a further name.
    pub fn name(&mut self, id: &str) {
        if let Some(delivery) = &mut self.delivery {
            delivery.name(id);
        }
        self.ids.insert(id.to_owned());
    }
}

impl<'a> Writer<'a> {
    /// Returns a writer that appends to the lake, or only looks at it where that is what is asked.
    pub(super) fn new(
        lake: Option<&'a Lake>,
        plan: &'a Plan,
        options: Options,
        progress: &'a Progress,
    ) -> Writer<'a> {
        let target = lake.filter(|_| options.dry_run == DryRun::No);
        let files = Files { target, options, plan, open: None, group: Group::default() };
        Writer { files, accounts: Accounts::of(lake, plan, options, progress) }
    }

    /// Takes all that is handed over.
    ///
    /// # Errors
    /// Fails where the lake does; what was committed before stays.
    pub(super) fn write_all(self, receive: Receiver<Parsed>) -> Result<Summary, LakeError> {
        let Writer { mut files, accounts } = self;
        thread::scope(|scope| {
            let (send, groups) = sync_channel(WAITING);
            let committing = scope.spawn(move || accounts.take_all(groups));
            let outcome = files.write_all(receive, &send);
            drop(send);
            let summary = committing.join().expect("whoever commits does not panic");
            // What failed here came first: whoever commits has only taken what was whole by then.
            outcome.and(summary)
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
        let mut group = Group::default();
        let mut open = group.open(self.files.target, self.files.options, known)?;
        group.add(&mut open, brought)?;
        group.push(Written::Batch { input, open });
        self.accounts.take(group, known)
    }
}

impl<'a> Files<'a> {
    fn write_all(
        &mut self,
        receive: Receiver<Parsed>,
        send: &SyncSender<Group<'a>>,
    ) -> Result<(), LakeError> {
        let mut outcome = Ok(());
        for parsed in receive {
            let is_last = self.commits_after(&parsed);
            outcome = self.write(parsed);
            if outcome.is_err() {
                break;
            }
            // Whoever commits says why it has ended.
            if self.open.is_none()
                && (is_last || self.group.is_full())
                && send.send(std::mem::take(&mut self.group)).is_err()
            {
                return Ok(());
            }
        }
        // What is whole comes in, also where something has failed after it.
        if !self.group.written.is_empty() {
            let _ = send.send(std::mem::take(&mut self.group));
        }
        outcome
    }

    /// Tells whether what is written by then is to be committed before more is waited for: from a
    /// stream, more may not come for hours.
    fn commits_after(&self, parsed: &Parsed) -> bool {
        match parsed {
            Parsed::Part(_) => false,
            Parsed::Batch(Brought { input, .. }) | Parsed::Known { input, .. } => {
                !self.plan.is_whole(&self.options) && self.is_stream(*input)
            }
            Parsed::End { input, .. } => {
                self.plan.is_whole(&self.options) || [0, 1].iter().any(|next| self.is_stream(input + next))
            }
        }
    }

    fn is_stream(&self, input: usize) -> bool {
        self.plan.inputs.get(input).is_some_and(|input| input.size_bytes.is_none())
    }

    /// Writes the files of what was read, and what is to be accounted for into the group.
    fn write(&mut self, parsed: Parsed) -> Result<(), LakeError> {
        let (brought, is_all) = match parsed {
            Parsed::Known { input, lines } => {
                self.group.push(Written::Known { input, lines });
                return Ok(());
            }
            Parsed::End { input, outcome } => {
                self.group.push(Written::End { input, outcome, open: self.open.take() });
                return Ok(());
            }
            Parsed::Part(brought) => (brought, false),
            Parsed::Batch(brought) => (brought, !self.plan.is_whole(&self.options)),
        };
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.group.open(self.target, self.options, self.options.known)?,
        };
        let input = brought.input;
        self.group.add(&mut open, brought)?;
        match is_all {
            true => self.group.push(Written::Batch { input, open }),
            false => self.open = Some(open),
        }
        Ok(())
    }
}
