//! The state of a scheduler: leadership, polling, and the execution of the planner's actions.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use crate::run_history::{Due, RunStore};
use crate::scheduler::daemon::config::{
    LogLevel, POLL_INTERVAL, SHUTDOWN_POLL_INTERVAL, SchedulerConfig, SchedulerSummary,
};
use crate::scheduler::daemon::event_channel::{EventChannel, SchedulerEvent};
use crate::scheduler::daemon::job_registry::{JobRegistry, RegistryChange};
use crate::scheduler::daemon::leader;
use crate::scheduler::daemon::leader::LastRun;
use crate::scheduler::daemon::ready_runs::ReadyRuns;
use crate::scheduler::daemon::started_run::StartedRun;
use crate::scheduler::daemon::worker_pool::WorkerPool;
use crate::scheduler::error::RunError;
use crate::scheduler::planner::{Action, Event, Planner};
use crate::scheduler::reap_orphans::reap_orphan;
use crate::scheduler::schedule_folder::{FOLDER, LEADER_LOCK};
use topsell_core::model::Timestamp;
use topsell_core::storage::{Lock, LockError, LockTimeout};

/// The state of a scheduler.
pub(super) struct SchedulerLoop<'a> {
    pub config: &'a SchedulerConfig<'a>,
    pub channel: &'a EventChannel,
    registry: JobRegistry,
    pub run_store: RunStore,
    pub pool: WorkerPool,
    /// Set while this scheduler is the leader, together with the lock.
    pub planner: Option<Planner>,
    pub lock: Option<Lock>,
    /// Runs to start as soon as a worker process is available.
    pub ready: ReadyRuns,
    /// Active runs by process id.
    pub started: BTreeMap<u32, StartedRun>,
    /// Active runs of other schedulers, by job.
    foreign_runs: BTreeMap<String, String>,
    /// Marks that are not saved yet.
    marks: BTreeMap<String, Timestamp>,
    pub next_poll: Duration,
    /// No worker process is spawned before this time.
    pub spawn_after: Duration,
    pub summary: SchedulerSummary,
}

impl<'a> SchedulerLoop<'a> {
    /// Starts as the leader, or as a standby if another scheduler is the leader.
    pub fn open(
        config: &'a SchedulerConfig,
        registry: JobRegistry,
        channel: &'a EventChannel,
    ) -> Result<SchedulerLoop<'a>, RunError> {
        config.store.make_folder(FOLDER)?;
        let mut scheduler = SchedulerLoop {
            config,
            channel,
            run_store: RunStore::open(config.store),
            pool: WorkerPool::of(config.worker_command.clone()),
            planner: None,
            lock: None,
            ready: ReadyRuns::default(),
            started: BTreeMap::new(),
            foreign_runs: BTreeMap::new(),
            marks: BTreeMap::new(),
            next_poll: config.clock.elapsed() + POLL_INTERVAL,
            spawn_after: Duration::ZERO,
            summary: SchedulerSummary::default(),
            registry,
        };
        match config.store.lock(LEADER_LOCK, &config.name, LockTimeout::NoWait) {
            Ok(lock) => scheduler.lead(lock)?,
            Err(LockError::Held { holder }) => {
                scheduler.log(&format!("standby: {holder} is the leader"));
                let (store, name, sender) = (config.store.clone(), config.name.clone(), channel.sender());
                // Blocks in the lock, so that this scheduler takes over as soon as the leader exits.
                thread::spawn(move || {
                    sender.send(SchedulerEvent::Elected(store.lock(
                        LEADER_LOCK,
                        &name,
                        LockTimeout::Unlimited,
                    )));
                });
            }
            Err(error) => return Err(error.into()),
        }
        Ok(scheduler)
    }

    /// Becomes the leader: reads what was handled and what the previous leader left.
    pub fn lead(&mut self, lock: Lock) -> Result<(), RunError> {
        self.lock = Some(lock);
        let jobs = self.registry.jobs();
        let (handled, problems) = leader::handled(self.config.store, &jobs)?;
        problems.iter().for_each(|problem| self.warn(problem));
        let mut orphans = Vec::new();
        for job in &jobs {
            match leader::last_run_of(self.config.store, &job.name)? {
                LastRun::Ended => {}
                LastRun::Running(run) => drop(self.foreign_runs.insert(job.name.clone(), run)),
                LastRun::Orphan(due) => orphans.push((job.name.clone(), due)),
            }
        }
        let (count, s) = (jobs.len(), if jobs.len() == 1 { "" } else { "s" });
        self.log(&format!("active as leader, {count} job{s}"));
        let (planner, actions) = Planner::begin(self.config.clock.wall(), jobs, &handled);
        self.planner = Some(planner);
        self.apply(actions);
        self.start_ready();
        self.write_marks();
        for (job, due) in orphans {
            self.orphan_found(&job, due);
        }
        Ok(())
    }

    /// Handles a run whose process died without recording an end.
    fn orphan_found(&mut self, job: &str, due: Option<Due>) {
        let at = due.as_ref().and_then(|due| Timestamp::parse(due.at.as_ref()?).ok());
        match (due, at) {
            (Some(due), Some(at)) => {
                self.log(&format!("{job} of {at}: process died"));
                self.step(Event::Orphan { job: job.to_owned(), at, attempt: due.attempt });
            }
            // A run that was started by hand is not planned.
            _ => self.reap_orphan(job),
        }
    }

    /// Passes an event to the planner and takes its actions.
    pub fn step(&mut self, event: Event) {
        let Some(planner) = &mut self.planner else { return };
        let actions = planner.step(self.config.clock.wall(), event);
        self.apply(actions);
    }

    fn apply(&mut self, actions: Vec<Action>) {
        let mut is_dropped = false;
        for action in actions {
            match action {
                Action::Start { job, at, attempt } => self.ready.push(job, at, attempt),
                Action::Kill { job } => self.kill(&job),
                Action::Drop(dropped) => {
                    self.record_drop(&dropped);
                    is_dropped = true;
                }
                Action::ReapOrphan { job, .. } => self.reap_orphan(&job),
                Action::Mark { job, handled } => drop(self.marks.insert(job, handled)),
                Action::Log(text) => self.log(&text),
            }
        }
        if is_dropped {
            // A start that is saved late is found by its record; dropped runs may have none.
            self.write_marks();
        }
    }

    /// Returns whether it is time to poll.
    pub fn is_poll_due(&mut self) -> bool {
        let elapsed = self.config.clock.elapsed();
        let is_due = elapsed >= self.next_poll;
        if is_due {
            let is_stopping = self.started.values().any(StartedRun::is_stopping);
            let length = if is_stopping { SHUTDOWN_POLL_INTERVAL } else { POLL_INTERVAL };
            self.next_poll = elapsed + length;
        }
        is_due
    }

    /// Reads all jobs again.
    pub fn reload(&mut self) {
        let change = self.registry.reload(self.config.check);
        self.log("jobs reloaded");
        self.apply_change(&change);
    }

    /// Checks what causes no event: changed files, runs of other schedulers, marks to save.
    pub fn poll(&mut self) {
        if let Some(change) = self.registry.reload_if_changed(self.config.check) {
            self.apply_change(&change);
        }
        self.kill_overdue();
        self.check_claims();
        for (job, run) in std::mem::take(&mut self.foreign_runs) {
            match leader::state_of_run(self.config.store, &job, run) {
                Ok(LastRun::Ended) => {}
                Ok(LastRun::Running(run)) => drop(self.foreign_runs.insert(job, run)),
                Ok(LastRun::Orphan(due)) => self.orphan_found(&job, due),
                Err(error) => self.warn(&format!("{job}: {error}")),
            }
        }
        self.write_marks();
        let needed = self.needed_workers(POLL_INTERVAL * 12);
        if self.pool.len() > needed {
            self.pool.shrink(needed);
        }
    }

    /// Applies changed jobs.
    fn apply_change(&mut self, change: &RegistryChange) {
        change.errors.iter().for_each(|error| self.warn(error));
        if change.jobs_changed {
            self.step(Event::Jobs(self.registry.jobs()));
            self.write_marks();
        }
    }

    /// Saves up to when each job has been handled.
    pub fn write_marks(&mut self) {
        for (job, handled) in std::mem::take(&mut self.marks) {
            if let Err(error) = leader::write_mark(self.config.store, &job, handled) {
                self.warn(&format!("cannot save the scheduler's progress: {error}"));
            }
        }
    }

    /// Cleans up after a run whose process died, in a thread, since its steps may take a while to exit.
    fn reap_orphan(&self, job: &str) {
        let (store, sender) = (self.config.store.clone(), self.channel.sender());
        let now = self.config.clock.wall();
        let kill_after = self.registry.job(job).map_or(30, |job| job.policy.kill_after_seconds);
        let job = job.to_owned();
        thread::spawn(move || match reap_orphan(&store, &job, Duration::from_secs(kill_after), now) {
            Ok(None) => {}
            Ok(Some(record)) => {
                let why = record.message.unwrap_or_default();
                sender.send(SchedulerEvent::OrphanReaped(format!("{job}: run {}: {why}", record.id)));
            }
            Err(error) => sender.send(SchedulerEvent::OrphanReaped(format!("{job}: {error}"))),
        });
    }

    pub fn log(&self, text: &str) {
        (self.config.log)(LogLevel::Info, text);
    }

    pub fn warn(&self, text: &str) {
        (self.config.log)(LogLevel::Warning, text);
    }
}
