//! One attempt at one step: started, awaited, ended where it takes too long or nobody wants it any more.

use std::time::Duration;

use crate::process::{Command, How, Output, Progress, Running, StartError};
use crate::scheduler::clock::Clock;
use crate::scheduler::inbox::{Inbox, News};

/// Between two looks whether all of a group has ended; it grows up to the other.
const SHORTEST_LOOK: Duration = Duration::from_millis(2);
const LONGEST_LOOK: Duration = Duration::from_millis(100);
/// How long output is waited for that a process left which had to be ended.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How an attempt ended.
#[derive(Debug)]
pub(super) enum End {
    Exited(How),
    /// It took longer than the run may, and was ended.
    TimedOut(How),
    /// The run was told to stop by this signal, and the step was ended.
    Stopped(i32, How),
    Unstartable(StartError),
}

/// When an attempt must end, and how long it is asked to before it is made to.
pub(super) struct Limits {
    /// On the clock of lengths; none where it may take as long as it does.
    pub until: Option<Duration>,
    pub kill_after: Duration,
}

/// Starts a step, says so, and waits for its end.
pub(super) fn attempt(
    command: &Command,
    output: Output,
    limits: &Limits,
    inbox: &Inbox,
    clock: &Clock,
    on_start: impl FnOnce(&Running),
) -> End {
    let mut running = match command.start(output, inbox.teller()) {
        Ok(running) => running,
        Err(error) => return End::Unstartable(error),
    };
    on_start(&running);
    let mut has_exited = false;
    loop {
        let left = limits.until.map(|until| until.saturating_sub(clock.lapsed()));
        match inbox.wait(left) {
            Some(News::Step(Progress::Exited)) => has_exited = true,
            Some(News::Step(Progress::Silent)) => return End::Exited(running.reap()),
            Some(News::Stop(signal)) => {
                end(&running, has_exited, limits.kill_after, inbox, clock);
                return End::Stopped(signal, running.reap());
            }
            None => {
                end(&running, has_exited, limits.kill_after, inbox, clock);
                return End::TimedOut(running.reap());
            }
        }
    }
}

/// Asks all of the step's group to end, and ends them when that has taken too long, or somebody asks a
/// second time. Returns when none of them is left.
fn end(running: &Running, mut has_exited: bool, kill_after: Duration, inbox: &Inbox, clock: &Clock) {
    let group = running.group();
    group.terminate();
    let asked_at = clock.lapsed();
    let mut look = SHORTEST_LOOK;
    let mut is_silent = false;
    let mut is_killed = false;
    while !(has_exited && group.is_over()) {
        if !is_killed && clock.lapsed().saturating_sub(asked_at) >= kill_after {
            group.kill();
            is_killed = true;
        }
        match inbox.wait(Some(look)) {
            Some(News::Step(Progress::Exited)) => has_exited = true,
            Some(News::Step(Progress::Silent)) => is_silent = true,
            Some(News::Stop(_)) => {
                group.kill();
                is_killed = true;
            }
            None => look = (look * 2).min(LONGEST_LOOK),
        }
    }
    let left_at = clock.lapsed();
    while !is_silent {
        let left = LAST_WORDS.saturating_sub(clock.lapsed().saturating_sub(left_at));
        is_silent = match inbox.wait(Some(left)) {
            Some(News::Step(Progress::Silent)) | None => true,
            Some(_) => false,
        };
    }
}
