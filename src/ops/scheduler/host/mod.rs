//! A scheduler that stays up: it leads or stands by, starts a process for each due run, and stops in order.
//!
//! Invariant: the planner decides, and this does it; a run is begun by a word said to a process that waits,
//! and belongs to that process from then on: it outlives the scheduler.

mod ahead;
mod lead;
mod pool;
mod post;
mod runs;
mod shelf;
mod stop;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::job_spec::{Check, Job};
use crate::run_history::{Book, Due};
use crate::scheduler::clock::Clock;
use crate::scheduler::host::lead::{LEADER, Left};
use crate::scheduler::host::pool::Pool;
use crate::scheduler::host::post::News;
use crate::scheduler::host::runs::Work;
use crate::scheduler::planner::{Action, Event, Planner};
use crate::scheduler::{FOLDER, RunError, bury};
use topsell_core::model::Timestamp;
use topsell_core::storage::{Lock, LockError, LockTimeout, Store};

pub use pool::Starter;
pub use post::{Messenger, Post};
pub use shelf::{Change, Shelf};

/// Between two looks at files, marks and runs of others, if nothing happens before.
const BETWEEN_LOOKS: Duration = Duration::from_secs(5);
/// The same while something is about to end.
const BETWEEN_LOOKS_AT_THE_END: Duration = Duration::from_millis(50);

/// Whether a line is told to everyone, or only of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Normal,
    Trouble,
}

/// What a scheduler goes by.
pub struct Host<'a> {
    pub store: &'a Store,
    pub clock: Clock<'a>,
    pub check: Check<'a>,
    pub starter: Starter,
    /// How long runs at work are waited for before they are told to stop.
    pub shutdown_timeout: Duration,
    /// Who leads, as others are told.
    pub name: String,
    pub say: &'a dyn Fn(Tone, &str),
}

/// What a scheduler did until it was told to stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Served {
    pub started: u64,
    pub dropped: u64,
    /// Runs that were told to stop, since they did not end in time.
    pub stopped: u64,
}

/// Starts jobs when they are due, until told to stop.
///
/// # Errors
/// Fails where the lake's folder cannot be written, and nobody can lead.
pub fn serve(host: &Host, shelf: Shelf, post: &Post) -> Result<Served, RunError> {
    let mut desk = Desk::open(host, shelf, post)?;
    loop {
        let news = post.wait(desk.until_next());
        let mut is_told_to_stop = false;
        for news in news {
            match news {
                News::Stop => is_told_to_stop = true,
                News::Reload => {
                    let change = desk.shelf.read_again(host.check);
                    desk.tell("the jobs are read again");
                    desk.take(&change);
                }
                News::Child => desk.reap(),
                News::Leads(lock) => desk.lead(lock?)?,
                News::Buried(text) => desk.tell(&text),
            }
        }
        if is_told_to_stop {
            return Ok(desk.stop());
        }
        desk.go_on(Event::Tick);
        if desk.is_time_to_look() {
            desk.look();
        }
        desk.start();
        desk.wait_ahead();
    }
}

/// Everything a scheduler has before it.
struct Desk<'a> {
    host: &'a Host<'a>,
    post: &'a Post,
    shelf: Shelf,
    book: Book,
    pool: Pool,
    /// There is one while it leads, and the lock with it.
    planner: Option<Planner>,
    lock: Option<Lock>,
    /// To be started as soon as a process can be told.
    ready: VecDeque<(Arc<Job>, Timestamp, u32)>,
    /// Runs at work, by their processes.
    works: BTreeMap<u32, Work>,
    /// Runs at work that another scheduler has started, by their jobs.
    of_others: BTreeMap<String, String>,
    /// What is handled, and not yet written down.
    marks: BTreeMap<String, Timestamp>,
    next_look: Duration,
    no_more_until: Duration,
    served: Served,
}

impl<'a> Desk<'a> {
    fn open(host: &'a Host, shelf: Shelf, post: &'a Post) -> Result<Desk<'a>, RunError> {
        host.store.make_folder(FOLDER)?;
        let mut desk = Desk {
            host,
            post,
            book: Book::open(host.store),
            pool: Pool::of(host.starter.clone()),
            planner: None,
            lock: None,
            ready: VecDeque::new(),
            works: BTreeMap::new(),
            of_others: BTreeMap::new(),
            marks: BTreeMap::new(),
            next_look: host.clock.lapsed() + BETWEEN_LOOKS,
            no_more_until: Duration::ZERO,
            served: Served::default(),
            shelf,
        };
        match host.store.lock(LEADER, &host.name, LockTimeout::NoWait) {
            Ok(lock) => desk.lead(lock)?,
            Err(LockError::Held { holder }) => {
                desk.tell(&format!("standing by: {holder} leads"));
                let (store, name, messenger) = (host.store.clone(), host.name.clone(), post.messenger());
                // Blocked in the lock: the system wakes it the moment that the leader is gone.
                thread::spawn(move || {
                    messenger.pass(News::Leads(store.lock(LEADER, &name, LockTimeout::Unlimited)));
                });
            }
            Err(error) => return Err(error.into()),
        }
        Ok(desk)
    }

    /// Begins to lead: finds out what was handled, and what was left behind.
    fn lead(&mut self, lock: Lock) -> Result<(), RunError> {
        self.lock = Some(lock);
        let jobs = self.shelf.jobs();
        let (handled, problems) = lead::handled(self.host.store, &jobs)?;
        problems.iter().for_each(|problem| self.trouble(problem));
        let mut orphans = Vec::new();
        for job in &jobs {
            match lead::left_by(self.host.store, &job.name)? {
                Left::Nothing => {}
                Left::AtWork(run) => drop(self.of_others.insert(job.name.clone(), run)),
                Left::Orphan(due) => orphans.push((job.name.clone(), due)),
            }
        }
        let (count, s) = (jobs.len(), if jobs.len() == 1 { "" } else { "s" });
        self.tell(&format!("leading, with {count} job{s}"));
        let (planner, todo) = Planner::begin(self.host.clock.wall(), jobs, &handled);
        self.planner = Some(planner);
        self.apply(todo);
        self.start();
        self.write_marks();
        for (job, due) in orphans {
            self.found(&job, due);
        }
        Ok(())
    }

    /// A run of a job has no end, and its process is gone.
    fn found(&mut self, job: &str, due: Option<Due>) {
        let at = due.as_ref().and_then(|due| Timestamp::parse(due.at.as_ref()?).ok());
        match (due, at) {
            (Some(due), Some(at)) => {
                self.tell(&format!("{job} of {at}: its process died"));
                self.go_on(Event::Orphan { job: job.to_owned(), at, attempt: due.attempt });
            }
            // Nobody waits for what someone ran by hand.
            _ => self.bury(job),
        }
    }

    /// Tells the planner what has happened, and does what it says.
    fn go_on(&mut self, event: Event) {
        let Some(planner) = &mut self.planner else { return };
        let todo = planner.step(self.host.clock.wall(), event);
        self.apply(todo);
    }

    fn apply(&mut self, todo: Vec<Action>) {
        let mut is_dropped = false;
        for action in todo {
            match action {
                Action::Start { job, at, attempt } => self.ready.push_back((job, at, attempt)),
                Action::Kill { job } => self.kill(&job),
                Action::Drop(dropped) => {
                    self.record_drop(&dropped);
                    is_dropped = true;
                }
                Action::Bury { job, .. } => self.bury(&job),
                Action::Mark { job, handled } => drop(self.marks.insert(job, handled)),
                Action::Note(text) => self.tell(&text),
            }
        }
        if is_dropped {
            // A start that is noted late is found by its record; not all that is dropped has one.
            self.write_marks();
        }
    }

    fn is_time_to_look(&mut self) -> bool {
        let lapsed = self.host.clock.lapsed();
        let is_time = lapsed >= self.next_look;
        if is_time {
            let is_ending = self.works.values().any(Work::is_ending);
            let length = if is_ending { BETWEEN_LOOKS_AT_THE_END } else { BETWEEN_LOOKS };
            self.next_look = lapsed + length;
        }
        is_time
    }

    /// Looks at what nobody tells of: files that changed, runs that others started, marks to be written.
    fn look(&mut self) {
        if let Some(change) = self.shelf.look(self.host.check) {
            self.take(&change);
        }
        self.end_the_stubborn();
        self.confirm();
        for (job, run) in std::mem::take(&mut self.of_others) {
            match lead::fate_of(self.host.store, &job, run) {
                Ok(Left::Nothing) => {}
                Ok(Left::AtWork(run)) => drop(self.of_others.insert(job, run)),
                Ok(Left::Orphan(due)) => self.found(&job, due),
                Err(error) => self.trouble(&format!("{job}: {error}")),
            }
        }
        self.write_marks();
        let needed = self.wanted(BETWEEN_LOOKS * 12);
        if self.pool.len() > needed {
            self.pool.shrink(needed);
        }
    }

    /// Takes other jobs, if there are any.
    fn take(&mut self, change: &Change) {
        change.faults.iter().for_each(|fault| self.trouble(&format!("{fault}; it stays as it was")));
        if change.is_any {
            self.go_on(Event::Jobs(self.shelf.jobs()));
            self.write_marks();
        }
    }

    fn write_marks(&mut self) {
        for (job, handled) in std::mem::take(&mut self.marks) {
            if let Err(error) = lead::write_mark(self.host.store, &job, handled) {
                self.trouble(&format!("what is handled cannot be noted: {error}"));
            }
        }
    }

    /// Sees to a run whose process died, without waiting for it: what it left may take a while to end.
    fn bury(&self, job: &str) {
        let (store, messenger) = (self.host.store.clone(), self.post.messenger());
        let now = self.host.clock.wall();
        let kill_after = self.shelf.job(job).map_or(30, |job| job.policy.kill_after_seconds);
        let job = job.to_owned();
        thread::spawn(move || match bury(&store, &job, Duration::from_secs(kill_after), now) {
            Ok(None) => {}
            Ok(Some(record)) => {
                let why = record.message.unwrap_or_default();
                messenger.pass(News::Buried(format!("{job}: run {}: {why}", record.id)));
            }
            Err(error) => messenger.pass(News::Buried(format!("{job}: {error}"))),
        });
    }

    fn tell(&self, text: &str) {
        (self.host.say)(Tone::Normal, text);
    }

    fn trouble(&self, text: &str) {
        (self.host.say)(Tone::Trouble, text);
    }
}
