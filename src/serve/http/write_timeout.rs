//! A connection that is given up where the other end takes nothing for too long, and that tells when it waits.
//!
//! With `pipeline_flush`, hyper asks a body for more while what it gave before is not written, without a limit: a body that
//! goes on for long must ask whether the connection waits. It also answers each request that it has read before it writes
//! anything, so that it gets few at a time, and none while a write waits.
//!
//! Invariant: a write that waits does not wait for longer than the limit, and nothing is read meanwhile.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::time::Sleep;

/// Whether the connection of a request waits for the other end to take what was written.
#[derive(Clone, Debug)]
pub struct WritesWait(pub watch::Receiver<bool>);

/// How many bytes are read at a time: of requests that are answered together.
const MAX_READ_BYTES: usize = 16 << 10;

/// The bytes of answers that were given to a connection and are not written yet.
#[derive(Clone, Debug, Default)]
pub struct GivenBytes(Arc<AtomicU64>);

impl GivenBytes {
    /// Adds those of an answer.
    pub fn add(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Returns how many there are.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Removes those that were written, with the heads of their answers, which were not added.
    fn remove(&self, bytes: usize) {
        // Only the task of the connection changes it.
        self.0.store(self.count().saturating_sub(bytes as u64), Ordering::Relaxed);
    }
}

/// A stream whose writes may wait for so long.
pub struct WriteTimeout<S> {
    stream: S,
    time: Duration,
    /// Ends the write that is waiting.
    timer: Option<Pin<Box<Sleep>>>,
    waits: watch::Sender<bool>,
    given: GivenBytes,
    /// Whoever wants to read, and may when the write no longer waits.
    reader: Option<Waker>,
}

impl<S> WriteTimeout<S> {
    /// Returns a stream whose writes may wait for some time, and what tells whether one does.
    pub fn new(stream: S, time: Duration) -> (WriteTimeout<S>, WritesWait) {
        let (waits, receiver) = watch::channel(false);
        let given = GivenBytes::default();
        (WriteTimeout { stream, time, timer: None, waits, given, reader: None }, WritesWait(receiver))
    }

    /// Returns the bytes that are not written yet, which whoever gives them must add.
    pub fn given(&self) -> GivenBytes {
        self.given.clone()
    }

    fn note_written(&self, written: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(bytes)) = written {
            self.given.remove(*bytes);
        }
    }

    fn in_time<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            if self.timer.take().is_some() {
                self.waits.send_replace(false);
                if let Some(reader) = self.reader.take() {
                    reader.wake();
                }
            }
            return written;
        }
        let WriteTimeout { time, timer, waits, .. } = self;
        let timer = timer.get_or_insert_with(|| {
            waits.send_replace(true);
            Box::pin(tokio::time::sleep(*time))
        });
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WriteTimeout<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.timer.is_some() {
            self.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let mut part = into.take(MAX_READ_BYTES);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut part))?;
        let read = part.filled().to_vec();
        into.put_slice(&read);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WriteTimeout<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note_written(&written);
        self.in_time(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.note_written(&written);
        self.in_time(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.in_time(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
