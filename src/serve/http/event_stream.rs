//! The body of a stream of server-sent events: each change of a value, and comments where there is none.
//!
//! The format is that of <https://html.spec.whatwg.org/multipage/server-sent-events.html>.
//!
//! Invariant: an event is taken when all before it is written, and is then the newest; so a client that reads slowly misses
//! what was in between, and holds the memory of one event.

use std::convert::Infallible;
use std::fmt::Write;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::HttpBody;
use bytes::Bytes;
use hyper::body::Frame;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::Sleep;

use crate::http::write_timeout::WritesWait;

/// How soon a client asks again after its connection has ended, in milliseconds.
const RETRY_MILLISECONDS: u32 = 2_000;
/// How long after an event the next one is sent.
const PAUSE: Duration = Duration::from_secs(1);
const COMMENT: &str = ": nothing has changed\n\n";

/// A value as an event.
#[derive(Clone, Debug)]
pub struct Change {
    /// The same for the same value.
    pub id: Arc<str>,
    pub event: Bytes,
}

/// What a stream has sent, and what it waits for.
struct Following {
    changes: watch::Receiver<Change>,
    ends: watch::Receiver<bool>,
    /// The id of the value that the client has.
    known: Option<String>,
    quiet_time: Duration,
    writes_wait: watch::Receiver<bool>,
    _permit: OwnedSemaphorePermit,
}

type Next = Pin<Box<dyn Future<Output = Option<(Bytes, Following)>> + Send>>;

/// The body.
pub struct EventStream {
    /// None when it has ended.
    next: Option<Next>,
}

impl Change {
    /// Returns a value, one line of text, as an event.
    pub fn of(id: &str, value: &str) -> Change {
        let mut event = String::with_capacity(value.len() + id.len() + 40);
        write!(event, "retry: {RETRY_MILLISECONDS}\nid: {id}\ndata: {value}\n\n").expect("a text can grow");
        Change { id: id.into(), event: event.into() }
    }
}

impl EventStream {
    /// Returns a body that begins with the value, unless the client knows it by its id, and ends when `ends` becomes true.
    /// After `quiet_time` without an event there is a comment. While the connection waits there is nothing. The permit is
    /// held as long as there is the body.
    pub fn of(
        (changes, ends): (watch::Receiver<Change>, watch::Receiver<bool>),
        known: Option<String>,
        quiet_time: Duration,
        WritesWait(writes_wait): WritesWait,
        permit: OwnedSemaphorePermit,
    ) -> EventStream {
        let following = Following { changes, ends, known, quiet_time, writes_wait, _permit: permit };
        EventStream { next: Some(Box::pin(following.next(None))) }
    }
}

impl Following {
    /// Waits until something is to be sent; returns nothing where the stream ends.
    async fn next(mut self, pause: Option<Pin<Box<Sleep>>>) -> Option<(Bytes, Following)> {
        if let Some(pause) = pause {
            tokio::select! {
                () = pause => {}
                _ = self.ends.wait_for(|ends| *ends) => return None,
            }
        }
        let mut is_quiet = false;
        loop {
            tokio::select! {
                // A connection that is gone ends its body.
                _ = self.writes_wait.wait_for(|waits| !*waits) => {}
                _ = self.ends.wait_for(|ends| *ends) => return None,
            }
            let change = self.changes.borrow_and_update().clone();
            if self.known.as_deref() != Some(&*change.id) {
                self.known = Some(change.id.to_string());
                return Some((change.event, self));
            }
            if is_quiet {
                return Some((Bytes::from_static(COMMENT.as_bytes()), self));
            }
            is_quiet = tokio::select! {
                changed = self.changes.changed() => changed.map(|()| false).ok()?,
                _ = self.ends.wait_for(|ends| *ends) => return None,
                () = tokio::time::sleep(self.quiet_time) => true,
            };
        }
    }
}

impl HttpBody for EventStream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(next) = &mut self.next else { return Poll::Ready(None) };
        let Some((bytes, following)) = ready!(next.as_mut().poll(cx)) else {
            self.next = None;
            return Poll::Ready(None);
        };
        // The pause begins now, and not when the connection is ready for more.
        let pause = Box::pin(tokio::time::sleep(PAUSE));
        self.next = Some(Box::pin(following.next(Some(pause))));
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use http_body_util::BodyExt;
    use tokio::sync::Semaphore;

    /// Returns the texts of the next frames of a body, until it ends.
    async fn frames(body: &mut EventStream, count: usize) -> Vec<String> {
        let mut texts = Vec::new();
        while texts.len() < count
            && let Some(frame) = body.frame().await
        {
            let data = frame.expect("it cannot fail").into_data().expect("it is data");
            texts.push(String::from_utf8(data.to_vec()).expect("it is text"));
        }
        texts
    }

    #[test]
    fn a_stream_has_the_newest_value_and_comments_and_ends_when_all_do() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let event = |id: &str, value: &str| format!("retry: 2000\nid: {id}\ndata: {value}\n\n");
        let permits = Arc::new(Semaphore::new(1));
        let permit = Arc::clone(&permits).try_acquire_owned().expect("there is one");
        runtime.block_on(async {
            let (send, changes) = watch::channel(Change::of("a", "1"));
            let (end, ends) = watch::channel(false);
            let quiet_time = Duration::from_millis(20);
            let (waits, writes_wait) = watch::channel(true);
            let known = Some("a".to_owned());
            let mut body =
                EventStream::of((changes, ends), known, quiet_time, WritesWait(writes_wait), permit);
            let early = tokio::time::timeout(10 * quiet_time, frames(&mut body, 1)).await;
            assert!(early.is_err(), "while the connection waits there is nothing");
            waits.send_replace(false);
            assert_eq!(frames(&mut body, 1).await, [COMMENT], "the client has it");
            for (id, value) in [("b", "2"), ("c", "3")] {
                send.send_replace(Change::of(id, value));
            }
            assert_eq!(
                frames(&mut body, 2).await,
                [event("c", "3"), COMMENT.to_owned()],
                "what was between is left out"
            );
            send.send_replace(Change::of("d", "4"));
            end.send_replace(true);
            assert_eq!(frames(&mut body, 9).await, [""; 0]);
            assert_eq!(permits.available_permits(), 1, "and another one may begin");
        });
    }
}
