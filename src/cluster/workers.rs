//! Worker processes of this host: some at a time, one part each.
//!
//! Invariant: a part is done when its process has ended with success. One whose process dies is given out again, which
//! does no harm: the same part always has the same result, under the same name.

use std::collections::VecDeque;
use std::io;
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

/// The exit code of a usage error, which another try would have, too.
const USAGE_ERROR: i32 = 2;
/// How much of what a process said is repeated.
const SAID_BYTES: usize = 2_000;

/// How many processes there are at a time, and how often a part is given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workers {
    pub count: usize,
    pub max_tries: u32,
}

/// Why not all parts are done.
#[derive(Debug, thiserror::Error)]
pub enum PartsError {
    #[error("part {part} failed {tries} times, {how}: {said}")]
    Failed { part: usize, tries: u32, how: String, said: String },
    #[error("part {part}: cannot start a process: {source}")]
    Unstartable { part: usize, source: io::Error },
}

/// What is left to do.
#[derive(Default)]
struct Queue {
    /// Parts, and how often each was given out.
    parts: VecDeque<(usize, u32)>,
    repeated: u64,
    failed: Option<PartsError>,
}

impl Workers {
    /// Runs a process for each part, and returns how often one was given out again.
    ///
    /// # Errors
    /// Says which part failed how; those that others have begun are waited for.
    pub fn run(
        self,
        parts: usize,
        command: &(dyn Fn(usize) -> Command + Sync),
        tell: &(dyn Fn(&str) + Sync),
    ) -> Result<u64, PartsError> {
        let queue =
            Mutex::new(Queue { parts: (0..parts).map(|part| (part, 0)).collect(), ..Queue::default() });
        thread::scope(|scope| {
            for _ in 0..self.count.clamp(1, parts.max(1)) {
                scope.spawn(|| self.work(&queue, command, tell));
            }
        });
        let Queue { repeated, failed, .. } = queue.into_inner().unwrap_or_else(PoisonError::into_inner);
        failed.map_or(Ok(repeated), Err)
    }

    /// Does parts until there are none.
    fn work(
        self,
        queue: &Mutex<Queue>,
        command: &(dyn Fn(usize) -> Command + Sync),
        tell: &(dyn Fn(&str) + Sync),
    ) {
        loop {
            // On a line of its own, so that the queue is not locked while the process runs.
            let next = locked(queue).next();
            let Some((part, tries)) = next else { return };
            let mut command = command(part);
            let output = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).output();
            let output = match output {
                Ok(output) => output,
                Err(source) => {
                    locked(queue).fail(PartsError::Unstartable { part, source });
                    continue;
                }
            };
            if output.status.success() {
                continue;
            }
            let tries = tries + 1;
            let (how, said) = (output.status.to_string(), said(&output));
            if tries < self.max_tries && output.status.code() != Some(USAGE_ERROR) {
                tell(&format!("part {part} is given out again, {how}: {said}"));
                let mut queue = locked(queue);
                queue.parts.push_back((part, tries));
                queue.repeated += 1;
            } else {
                locked(queue).fail(PartsError::Failed { part, tries, how, said });
            }
        }
    }
}

impl Queue {
    fn next(&mut self) -> Option<(usize, u32)> {
        if self.failed.is_some() { None } else { self.parts.pop_front() }
    }

    fn fail(&mut self, error: PartsError) {
        self.failed.get_or_insert(error);
    }
}

fn locked(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the end of what a process said.
fn said(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.trim();
    match said.char_indices().rev().nth(SAID_BYTES) {
        Some((from, _)) => said[from..].to_owned(),
        None if said.is_empty() => "it said nothing".to_owned(),
        None => said.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn shell(script: String) -> Command {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(script);
        command
    }

    #[test]
    fn a_part_whose_process_is_killed_is_given_out_again() {
        let started = AtomicUsize::new(0);
        let command = |part: usize| match (part, started.fetch_add(1, Ordering::Relaxed)) {
            (3, 0..=8) => shell("kill -9 $$".to_owned()),
            _ => shell("exit 0".to_owned()),
        };
        let workers = Workers { count: 3, max_tries: 9 };
        let repeated = workers.run(8, &command, &|_| {}).expect("it is done in the end");
        assert_eq!(started.load(Ordering::Relaxed) as u64, 8 + repeated);
        assert!(repeated > 0);
    }

    #[test]
    fn a_part_that_always_fails_is_named_with_what_it_said() {
        let workers = Workers { count: 2, max_tries: 3 };
        let fails = |code: u8| {
            let command = |part: usize| match part {
                2 => shell(format!("echo error: no access >&2; exit {code}")),
                _ => shell("exit 0".to_owned()),
            };
            workers.run(5, &command, &|_| {}).expect_err("it fails").to_string()
        };
        assert_eq!(fails(1), "part 2 failed 3 times, exit status: 1: error: no access");
        // Another try would say the same.
        assert_eq!(fails(2), "part 2 failed 1 times, exit status: 2: error: no access");
    }
}
