//! What a run waits for: a step that comes to its end, someone who wants it to stop, time that goes by.

use std::cell::Cell;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use crate::process::Progress;

/// Where a run hears of everything it waits for.
pub struct Inbox {
    send: Sender<News>,
    receive: Receiver<News>,
    stopped: Cell<Option<i32>>,
}

/// A handle by which another thread stops a run.
#[derive(Clone)]
pub struct Bell(Sender<News>);

/// One piece of news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    Step(Progress),
    /// A signal came that tells the run to stop.
    Stop(i32),
}

impl Default for Inbox {
    fn default() -> Inbox {
        let (send, receive) = channel();
        Inbox { send, receive, stopped: Cell::new(None) }
    }
}

impl Inbox {
    /// Returns a handle by which another thread stops the run.
    pub fn bell(&self) -> Bell {
        Bell(self.send.clone())
    }

    /// Returns whom a step tells how it gets on.
    pub(super) fn teller(&self) -> impl Fn(Progress) + Send + use<> {
        let send = self.send.clone();
        // A run that has given a step up hears nothing of it any more.
        move |progress| {
            let _ = send.send(News::Step(progress));
        }
    }

    /// Waits for news; none where none came in time.
    pub(super) fn wait(&self, at_most: Option<Duration>) -> Option<News> {
        let news = match at_most {
            Some(at_most) => self.receive.recv_timeout(at_most),
            None => self.receive.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        if let Ok(News::Stop(signal)) = news {
            self.stopped.set(Some(signal));
        }
        news.ok()
    }

    /// Waits for so long, or until told to stop; tells by what signal.
    pub(super) fn pause(&self, length: Duration) -> Option<i32> {
        // Between steps nothing else is waited for.
        if self.stopped.get().is_none() {
            self.wait(Some(length));
        }
        self.stopped.get()
    }

    /// Tells by what signal the run was told to stop, if it was.
    pub(super) fn stopped(&self) -> Option<i32> {
        while let Ok(news) = self.receive.try_recv() {
            if let News::Stop(signal) = news {
                self.stopped.set(Some(signal));
            }
        }
        self.stopped.get()
    }
}

impl Bell {
    /// Tells the run to stop, because of a signal.
    pub fn ring(&self, signal: i32) {
        // Nobody is left to stop where the run is over.
        let _ = self.0.send(News::Stop(signal));
    }
}
