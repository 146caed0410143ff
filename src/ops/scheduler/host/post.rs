//! What a scheduler hears, from whatever thread.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use topsell_core::storage::{Lock, LockError};

/// Where a scheduler hears of everything it waits for.
pub struct Post {
    send: Sender<News>,
    receive: Receiver<News>,
}

/// A handle by which another thread passes on what it has heard.
#[derive(Clone)]
pub struct Messenger(Sender<News>);

/// One piece of news.
pub(super) enum News {
    Stop,
    Reload,
    /// A child may have ended.
    Child,
    /// It leads from now on, or never will.
    Leads(Result<Lock, LockError>),
    /// What became of looking after a run whose process died.
    Buried(String),
}

impl Default for Post {
    fn default() -> Post {
        let (send, receive) = channel();
        Post { send, receive }
    }
}

impl Post {
    /// Returns a handle for another thread.
    pub fn messenger(&self) -> Messenger {
        Messenger(self.send.clone())
    }

    /// Waits for news for so long, and returns all there is.
    pub(super) fn wait(&self, length: Duration) -> Vec<News> {
        let first = self.receive.recv_timeout(length).ok();
        first.into_iter().chain(self.receive.try_iter()).collect()
    }
}

impl Messenger {
    /// The scheduler is to start nothing more, and to end.
    pub fn stop(&self) {
        self.pass(News::Stop);
    }

    /// The scheduler is to read its jobs again.
    pub fn reload(&self) {
        self.pass(News::Reload);
    }

    /// A child of the process may have ended.
    pub fn child_ended(&self) {
        self.pass(News::Child);
    }

    pub(super) fn pass(&self, news: News) {
        // A scheduler that has ended hears nothing more.
        let _ = self.0.send(news);
    }
}
