//! Decides which runs to start and which to drop, and when.
//!
//! Invariant: pure; receives the time and events, and returns actions. Each due time is handled once: started,
//! or dropped because of a policy. What is marked as handled has been started or dropped.
//!
//! ```text
//!           due ──► on time ──► idle: start   active: skip | queue | kill-old
//!            └────► missed  ──► skip | once | all
//!           run ends ──► start the next in the queue;  died ──► restart, if the job is repeatable
//! ```

mod due_times;
mod job_state;
mod plan;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::job_spec::Job;
use crate::scheduler::planner::job_state::JobState;
use crate::scheduler::planner::plan::SET_BACK_SECONDS;
use topsell_core::model::Timestamp;

pub use plan::{Action, DropReason, Dropped, Event, RunEnd};

/// All jobs and their next due times.
pub struct Planner {
    states: BTreeMap<Arc<str>, JobState>,
    /// When each job needs attention next, soonest first.
    queue: BTreeSet<(Timestamp, Arc<str>)>,
    /// The latest time received.
    latest: Timestamp,
}

impl Planner {
    /// Returns a planner of jobs and the first actions. `handled` contains the time up to which the due runs of
    /// a job have been handled before; other jobs start from now.
    pub fn begin(
        now: Timestamp,
        jobs: Vec<Arc<Job>>,
        handled: &BTreeMap<String, Timestamp>,
    ) -> (Planner, Vec<Action>) {
        let mut planner = Planner { states: BTreeMap::new(), queue: BTreeSet::new(), latest: now };
        let mut actions = Vec::new();
        for job in jobs {
            let mut since = handled.get(&job.name).copied();
            if let Some(later) = since.filter(|since| *since > now.plus_seconds(SET_BACK_SECONDS)) {
                let text = format!(
                    "{}: handled up to {later}, which is in the future; restarting from {now}",
                    job.name
                );
                actions.push(Action::Log(text));
                since = None;
            }
            planner.add(job, since, now, &mut actions);
        }
        planner.look(now, &mut actions);
        (planner, actions)
    }

    /// Handles an event and returns the actions to take now, in order.
    pub fn step(&mut self, now: Timestamp, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        if now.plus_seconds(SET_BACK_SECONDS) < self.latest {
            self.reset(now, &mut actions);
        }
        self.latest = self.latest.max(now);
        match event {
            Event::Tick => {}
            Event::Jobs(jobs) => self.reload(jobs, now, &mut actions),
            Event::Ended { job, at, attempt, end } => {
                self.with(&job, |state| state.ended((at, attempt), end, now, &mut actions));
            }
            Event::Claimed { job, at } => self.with(&job, |state| state.claimed(at, &mut actions)),
            Event::Orphan { job, at, attempt } if self.states.contains_key(&*job) => {
                self.with(&job, |state| state.orphaned((at, attempt), now, &mut actions));
            }
            Event::Orphan { job, at, attempt } => actions.push(Action::ReapOrphan { job, at, attempt }),
        }
        self.look(now, &mut actions);
        actions
    }

    /// Returns when the next tick is needed if no other event occurs.
    pub fn wake(&self) -> Option<Timestamp> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// Returns how many jobs need attention up to a time, counting at most `max`.
    pub fn upcoming(&self, until: Timestamp, max: usize) -> usize {
        self.queue.iter().take_while(|(at, _)| *at <= until).take(max).count()
    }

    /// Handles every job whose time has come.
    fn look(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        while let Some((at, name)) = self.queue.first().cloned() {
            if at > now {
                return;
            }
            self.with(&name, |state| state.look(now, actions));
        }
    }

    /// Changes the state of a job and updates the queue.
    fn with(&mut self, name: &str, change: impl FnOnce(&mut JobState)) {
        let Some((name, state)) = self.states.get_key_value(name) else { return };
        let name = Arc::clone(name);
        if let Some(wakes) = state.wakes() {
            self.queue.remove(&(wakes, Arc::clone(&name)));
        }
        let state = self.states.get_mut(&name).expect("it was found just above");
        change(state);
        match state.wakes() {
            _ if state.is_gone() => drop(self.states.remove(&name)),
            Some(wakes) => drop(self.queue.insert((wakes, name))),
            None => {}
        }
    }

    fn add(&mut self, job: Arc<Job>, since: Option<Timestamp>, now: Timestamp, actions: &mut Vec<Action>) {
        let name: Arc<str> = job.name.as_str().into();
        let state = JobState::new(job, since, now, actions);
        if let Some(wakes) = state.wakes() {
            self.queue.insert((wakes, Arc::clone(&name)));
        }
        self.states.insert(name, state);
    }

    fn reload(&mut self, jobs: Vec<Arc<Job>>, now: Timestamp, actions: &mut Vec<Action>) {
        let stay: BTreeSet<String> = jobs.iter().map(|job| job.name.clone()).collect();
        let gone: Vec<Arc<str>> =
            self.states.keys().filter(|name| !stay.contains(&***name)).cloned().collect();
        for name in gone {
            self.with(&name, |state| state.retire(now, actions));
        }
        for job in jobs {
            if self.states.contains_key(job.name.as_str()) {
                let name = job.name.clone();
                self.with(&name, |state| state.redefine(job, now, actions));
            } else {
                actions.push(Action::Log(format!("{}: added", job.name)));
                self.add(job, None, now, actions);
            }
        }
    }

    fn reset(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        let text = format!(
            "the clock was set back from {} to {now}: restarting all schedules from now",
            self.latest
        );
        actions.push(Action::Log(text));
        self.latest = now;
        let names: Vec<Arc<str>> = self.states.keys().cloned().collect();
        for name in names {
            self.with(&name, |state| state.reset(now, actions));
        }
    }
}
