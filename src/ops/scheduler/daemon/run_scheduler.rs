//! The main function of a scheduler.

use crate::scheduler::daemon::config::{SchedulerConfig, SchedulerSummary};
use crate::scheduler::daemon::event_channel::{EventChannel, SchedulerEvent};
use crate::scheduler::daemon::job_registry::JobRegistry;
use crate::scheduler::daemon::scheduler_loop::SchedulerLoop;
use crate::scheduler::error::RunError;
use crate::scheduler::planner::Event;

/// Starts due runs until it is stopped.
///
/// # Errors
/// Fails if the lake's folder is not writable or the leader lock cannot be taken.
pub fn run_scheduler(
    config: &SchedulerConfig,
    registry: JobRegistry,
    channel: &EventChannel,
) -> Result<SchedulerSummary, RunError> {
    let mut scheduler = SchedulerLoop::open(config, registry, channel)?;
    loop {
        let mut stop_requested = false;
        for event in channel.wait(scheduler.time_until_next()) {
            match event {
                SchedulerEvent::Stop => stop_requested = true,
                SchedulerEvent::Reload => scheduler.reload(),
                SchedulerEvent::ChildExited => scheduler.reap(),
                SchedulerEvent::Elected(lock) => scheduler.lead(lock?)?,
                SchedulerEvent::OrphanReaped(text) => scheduler.log(&text),
            }
        }
        if stop_requested {
            return Ok(scheduler.stop());
        }
        scheduler.step(Event::Tick);
        if scheduler.is_poll_due() {
            scheduler.poll();
        }
        scheduler.start_ready();
        scheduler.prespawn();
    }
}
