//! One attempt at one step: started, awaited, and terminated on a timeout or a signal.

use std::time::Duration;

use crate::process::{Command, Output, ProcessEvent, ProcessExit, Running, StartError};
use crate::scheduler::clock::Clock;
use crate::scheduler::run_events::{RunEvent, RunEvents};

/// The interval of checks whether a process group has exited; it grows up to the maximum.
const MIN_POLL_INTERVAL: Duration = Duration::from_millis(2);
const MAX_POLL_INTERVAL: Duration = Duration::from_millis(100);
/// How long to wait for the remaining output of a terminated process.
const OUTPUT_TIMEOUT: Duration = Duration::from_secs(1);

/// How an attempt ended.
#[derive(Debug)]
pub(super) enum AttemptEnd {
    Exited(ProcessExit),
    /// The run's timeout expired, and it was terminated.
    TimedOut(ProcessExit),
    /// The run received this signal, and the step was terminated.
    Stopped(i32, ProcessExit),
    NotStarted(StartError),
}

/// When an attempt must end.
pub(super) struct Limits {
    /// On the monotonic clock; `None` for no limit.
    pub until: Option<Duration>,
    /// The time between SIGTERM and SIGKILL.
    pub kill_after: Duration,
}

/// Starts a step, calls `on_start`, and waits for its end.
pub(super) fn attempt(
    command: &Command,
    output: Output,
    limits: &Limits,
    events: &RunEvents,
    clock: &Clock,
    on_start: impl FnOnce(&Running),
) -> AttemptEnd {
    let mut running = match command.start(output, events.step_listener()) {
        Ok(running) => running,
        Err(error) => return AttemptEnd::NotStarted(error),
    };
    on_start(&running);
    let mut has_exited = false;
    loop {
        let left = limits.until.map(|until| until.saturating_sub(clock.elapsed()));
        match events.wait(left) {
            Some(RunEvent::Step(ProcessEvent::Exited)) => has_exited = true,
            Some(RunEvent::Step(ProcessEvent::OutputClosed)) => return AttemptEnd::Exited(running.reap()),
            Some(RunEvent::Stop(signal)) => {
                terminate(&running, has_exited, limits.kill_after, events, clock);
                return AttemptEnd::Stopped(signal, running.reap());
            }
            None => {
                terminate(&running, has_exited, limits.kill_after, events, clock);
                return AttemptEnd::TimedOut(running.reap());
            }
        }
    }
}

/// Terminates the step's process group, and kills it after a timeout or on a second signal. Returns when no
/// member is left.
fn terminate(
    running: &Running,
    mut has_exited: bool,
    kill_after: Duration,
    events: &RunEvents,
    clock: &Clock,
) {
    let group = running.group();
    running.terminate();
    let terminated_at = clock.elapsed();
    let mut interval = MIN_POLL_INTERVAL;
    let mut is_output_closed = false;
    let mut is_killed = false;
    while !(has_exited && group.has_exited()) {
        if !is_killed && clock.elapsed().saturating_sub(terminated_at) >= kill_after {
            running.kill();
            is_killed = true;
        }
        match events.wait(Some(interval)) {
            Some(RunEvent::Step(ProcessEvent::Exited)) => has_exited = true,
            Some(RunEvent::Step(ProcessEvent::OutputClosed)) => is_output_closed = true,
            Some(RunEvent::Stop(_)) => {
                running.kill();
                is_killed = true;
            }
            None => interval = (interval * 2).min(MAX_POLL_INTERVAL),
        }
    }
    let exited_at = clock.elapsed();
    while !is_output_closed {
        let left = OUTPUT_TIMEOUT.saturating_sub(clock.elapsed().saturating_sub(exited_at));
        is_output_closed = match events.wait(Some(left)) {
            Some(RunEvent::Step(ProcessEvent::OutputClosed)) | None => true,
            Some(_) => false,
        };
    }
}
