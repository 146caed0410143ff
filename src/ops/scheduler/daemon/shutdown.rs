//! The shutdown of a scheduler: starts nothing new, waits for active runs, terminates them, kills them.

use std::time::Duration;

use crate::process::terminate;
use crate::scheduler::daemon::config::{SHUTDOWN_POLL_INTERVAL, SchedulerSummary};
use crate::scheduler::daemon::event_channel::SchedulerEvent;
use crate::scheduler::daemon::scheduler_loop::SchedulerLoop;
use crate::scheduler::daemon::started_run::stop_timeout;
use crate::scheduler::reap_orphans::reap_orphan;

/// The time between SIGTERM and SIGKILL for the step of a killed run.
const KILL_AFTER: Duration = Duration::from_secs(1);

impl SchedulerLoop<'_> {
    /// Releases the leader lock, starts nothing more, and waits for the active runs.
    pub(super) fn stop(mut self) -> SchedulerSummary {
        self.check_claims();
        self.write_marks();
        self.planner = None;
        self.lock = None;
        self.ready.clear();
        self.pool.shrink(0);
        if !self.started.is_empty() {
            let (count, s) = (self.started.len(), if self.started.len() == 1 { "" } else { "s" });
            self.log(&format!("stopping: waiting for {count} run{s}"));
        }
        let mut terminate_at = self.config.clock.elapsed().saturating_add(self.config.shutdown_timeout);
        self.reap();
        while !self.started.is_empty() {
            for event in self.channel.wait(SHUTDOWN_POLL_INTERVAL) {
                match event {
                    // A second request skips the timeout.
                    SchedulerEvent::Stop => terminate_at = Duration::ZERO,
                    SchedulerEvent::OrphanReaped(text) => self.log(&text),
                    SchedulerEvent::Reload | SchedulerEvent::ChildExited | SchedulerEvent::Elected(_) => {}
                }
            }
            self.reap();
            if self.config.clock.elapsed() >= terminate_at {
                self.terminate_runs();
            }
            self.kill_overdue();
        }
        self.summary
    }

    /// Cleans up after a run whose process died, and waits for it.
    pub(super) fn reap_orphan_now(&self, job: &str) {
        if let Err(error) = reap_orphan(self.config.store, job, KILL_AFTER, self.config.clock.wall()) {
            self.warn(&format!("{job}: {error}"));
        }
    }

    fn terminate_runs(&mut self) {
        let elapsed = self.config.clock.elapsed();
        for (process, run) in &mut self.started {
            if !run.is_stopping() {
                terminate(*process);
                run.kill_at = Some(elapsed + stop_timeout(&run.job));
                self.summary.stopped += 1;
            }
        }
    }
}
