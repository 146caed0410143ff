//! Threads that do what would keep the threads of connections from serving others.
//!
//! Invariant: a bounded number of jobs waits; one more is refused at once.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};

use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

/// Worker threads and the jobs that wait for them.
pub struct Workers {
    queue: Arc<Queue>,
    threads: Vec<JoinHandle<()>>,
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

/// Too many jobs wait, or the server stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

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
        Ok(Workers { queue, threads })
    }

    /// Has a worker do something, and returns the outcome.
    ///
    /// # Errors
    /// Fails where too many jobs wait, or the job panicked.
    pub async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refused> {
        let (send, receive) = oneshot::channel();
        self.queue.push(Box::new(move || {
            // Who asked may have gone.
            let _ = send.send(job());
        }))?;
        receive.await.map_err(|_| Refused)
    }

    /// Returns how many jobs wait.
    pub fn waiting(&self) -> usize {
        self.queue.state.lock().map_or(0, |state| state.jobs.len())
    }

    /// Does the jobs that wait, and ends the workers.
    pub fn stop(&mut self) {
        if let Ok(mut state) = self.queue.state.lock() {
            state.is_closed = true;
        }
        self.queue.wakes.notify_all();
        for thread in self.threads.drain(..) {
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
    fn push(&self, job: Job) -> Result<(), Refused> {
        let mut state = self.state.lock().map_err(|_| Refused)?;
        if state.is_closed || state.jobs.len() >= self.max_waiting {
            return Err(Refused);
        }
        state.jobs.push_back(job);
        drop(state);
        self.wakes.notify_one();
        Ok(())
    }

    fn work(&self) {
        loop {
            let job = {
                let Ok(mut state) = self.state.lock() else { return };
                loop {
                    if let Some(job) = state.jobs.pop_front() {
                        break job;
                    }
                    if state.is_closed {
                        return;
                    }
                    state = match self.wakes.wait(state) {
                        Ok(state) => state,
                        Err(_) => return,
                    };
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
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
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
        assert_eq!(block_on(workers.run(|| 4)), Err(Refused));
        release.send(()).expect("the job waits");
        assert_eq!(first.join().expect("no panic"), Ok(1));
        let done: Vec<_> = waiting.into_iter().map(|thread| thread.join().expect("no panic")).collect();
        assert_eq!(done, [Ok(2), Ok(3)]);
        assert_eq!(block_on(workers.run(|| -> u32 { panic!("this panic is meant to be") })), Err(Refused));
        assert_eq!(block_on(workers.run(|| 5)), Ok(5), "and the worker goes on");
    }
}
