//! A connection that is given up where the other end takes nothing for too long, and that tells when it waits.
//!
//! With `pipeline_flush`, hyper asks a body for more while what it gave before is not written, without a limit: a body that
//! goes on for long must ask whether the connection waits.
//!
//! Invariant: a write that waits does not wait for longer than the limit.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::time::Sleep;

/// Whether the connection of a request waits for the other end to take what was written.
#[derive(Clone, Debug)]
pub struct WritesWait(pub watch::Receiver<bool>);

/// A stream whose writes may wait for so long.
pub struct WriteTimeout<S> {
    stream: S,
    time: Duration,
    /// Ends the write that is waiting.
    timer: Option<Pin<Box<Sleep>>>,
    waits: watch::Sender<bool>,
}

impl<S> WriteTimeout<S> {
    /// Returns a stream whose writes may wait for some time, and what tells whether one does.
    pub fn new(stream: S, time: Duration) -> (WriteTimeout<S>, WritesWait) {
        let (waits, receiver) = watch::channel(false);
        (WriteTimeout { stream, time, timer: None, waits }, WritesWait(receiver))
    }

    fn in_time<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            if self.timer.take().is_some() {
                self.waits.send_replace(false);
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
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WriteTimeout<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.in_time(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
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
