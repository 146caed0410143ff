//! Threads that do what would keep the threads of connections from serving others.
//!
//! Invariant: a bounded number of jobs waits; one more is refused at once.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::oneshot;

/// How long a job waits before it is refused where more than a few wait.
const MAX_WAIT: Duration = Duration::from_millis(50);
/// So many are no sign of overload.
const FEW: usize = 16;

type Job = Box<dyn FnOnce() + Send>;

/// Worker threads and the jobs that wait for them.
pub struct Workers {
    queue: Arc<Queue>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

struct Queue {
    state: Mutex<QueueState>,
    wakes: Condvar,
    max_waiting: usize,
}

#[derive(Default)]
struct QueueState {
    jobs: VecDeque<Job>,
    is_closed: bool,
}

/// Why a job was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotDone {
    /// Too many jobs wait, or the server stops.
    Refused,
    /// It panicked.
    Panicked,
}

impl Workers {
    /// Starts workers.
    ///
    /// # Errors
    /// Fails where a thread cannot be started.
    pub fn start(count: usize, max_waiting: usize) -> io::Result<Workers> {
        let queue = Arc::new(Queue { state: Mutex::default(), wakes: Condvar::new(), max_waiting });
        let mut threads = Vec::with_capacity(count);
        for number in 0..count {
            let queue = Arc::clone(&queue);
            let name = format!("worker-{number}");
            threads.push(thread::Builder::new().name(name).spawn(move || queue.work())?);
        }
        Ok(Workers { queue, threads: Mutex::new(threads) })
    }

    /// Has a worker do something, and returns the outcome. One that waits for long among many is not done at all.
    ///
    /// # Errors
    /// Fails where too many jobs wait, or the job panicked.
    pub async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, NotDone> {
        let (start, mut started) = oneshot::channel();
        let (send, receive) = oneshot::channel();
        self.queue.push(Box::new(move || {
            // Who asked may have gone, or been refused.
            if start.send(()).is_ok() {
                let _ = send.send(job());
            }
        }))?;
        loop {
            match tokio::time::timeout(MAX_WAIT, &mut started).await {
                Ok(Ok(())) => return receive.await.map_err(|_| NotDone::Panicked),
                Ok(Err(_)) => return Err(NotDone::Refused),
                Err(_) if self.waiting() > FEW => return Err(NotDone::Refused),
                Err(_) => {}
            }
        }
    }

    /// Returns how many jobs wait.
    pub fn waiting(&self) -> usize {
        self.queue.lock().jobs.len()
    }

    /// Refuses the jobs that wait, finishes those that were begun, and ends the workers.
    pub fn stop(&self) {
        let waiting = {
            let mut state = self.queue.lock();
            state.is_closed = true;
            std::mem::take(&mut state.jobs)
        };
        drop(waiting);
        self.queue.wakes.notify_all();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads.into_iter().filter(|thread| thread.thread().id() != thread::current().id()) {
            let _ = thread.join();
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, job: Job) -> Result<(), NotDone> {
        let mut state = self.lock();
        if state.is_closed || state.jobs.len() >= self.max_waiting {
            return Err(NotDone::Refused);
        }
        state.jobs.push_back(job);
        drop(state);
        self.wakes.notify_one();
        Ok(())
    }

    fn work(&self) {
        loop {
            let job = {
                let mut state = self.lock();
                loop {
                    if let Some(job) = state.jobs.pop_front() {
                        break job;
                    }
                    if state.is_closed {
                        return;
                    }
                    state = self.wakes.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
            };
            // A job that panics must not take the worker with it; whoever asked is told that it failed.
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::sync::mpsc;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime")
            .block_on(future)
    }

    #[test]
    fn one_job_more_than_may_wait_is_refused() {
        let workers = Arc::new(Workers::start(1, 2).expect("a thread"));
        let (release, wait) = mpsc::channel::<()>();
        let (started, starts) = mpsc::channel();
        let busy = Arc::clone(&workers);
        let first = thread::spawn(move || {
            block_on(busy.run(move || {
                started.send(()).expect("somebody waits");
                wait.recv().expect("it is released");
                1
            }))
        });
        starts.recv().expect("the job starts");
        let waiting: Vec<_> = (2..4)
            .map(|number| {
                let workers = Arc::clone(&workers);
                thread::spawn(move || block_on(workers.run(move || number)))
            })
            .collect();
        while workers.waiting() < 2 {
            thread::yield_now();
        }
        assert_eq!(block_on(workers.run(|| 4)), Err(NotDone::Refused));
        release.send(()).expect("the job waits");
        assert_eq!(first.join().expect("no panic"), Ok(1));
        let done: Vec<_> = waiting.into_iter().map(|thread| thread.join().expect("no panic")).collect();
        assert_eq!(done, [Ok(2), Ok(3)]);
        assert_eq!(
            block_on(workers.run(|| -> u32 { panic!("this panic is meant to be") })),
            Err(NotDone::Panicked)
        );
        assert_eq!(block_on(workers.run(|| 5)), Ok(5), "and the worker goes on");
    }
}
