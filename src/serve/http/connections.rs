//! Connections: accepted on a thread for each CPU, served until the client or the server ends them.
//!
//! Invariant: a client that sends nothing, or slowly, holds a connection and no more.

use std::io;
use std::net::SocketAddr;
use std::net::TcpListener as StdListener;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::http::state::State;
use crate::http::trace::Client;

/// The size of the head of a request.
const MAX_HEAD_BYTES: usize = 64 << 10;
/// How long nothing is accepted after an error such as too many open files.
const PAUSE: Duration = Duration::from_millis(50);

/// The threads that serve connections.
pub struct Serving {
    stop: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
}

impl Serving {
    /// Has requests finish, and ends all connections within the time of the limits.
    pub fn stop(self) {
        let _ = self.stop.send(true);
        for thread in self.threads {
            let _ = thread.join();
        }
    }
}

/// Serves the connections of a listener.
///
/// # Errors
/// Fails where a thread cannot be started.
pub fn serve_connections(
    listener: &StdListener,
    threads: usize,
    router: &Router,
    state: &Arc<State>,
) -> io::Result<Serving> {
    listener.set_nonblocking(true)?;
    let (stop, stopped) = watch::channel(false);
    let connections = Arc::new(Semaphore::new(state.limits.connections));
    let mut serving = Serving { stop, threads: Vec::with_capacity(threads) };
    for number in 0..threads.max(1) {
        let listener = listener.try_clone()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let acceptor = Acceptor {
            router: router.clone(),
            state: Arc::clone(state),
            tls: state.tls.as_ref().map(|tls| TlsAcceptor::from(tls.config())),
            connections: Arc::clone(&connections),
            stopped: stopped.clone(),
        };
        let name = format!("http-{number}");
        let thread =
            thread::Builder::new().name(name).spawn(move || runtime.block_on(acceptor.run(listener)))?;
        serving.threads.push(thread);
    }
    Ok(serving)
}

/// Accepts connections on one thread.
struct Acceptor {
    router: Router,
    state: Arc<State>,
    tls: Option<TlsAcceptor>,
    connections: Arc<Semaphore>,
    stopped: watch::Receiver<bool>,
}

impl Acceptor {
    async fn run(mut self, listener: StdListener) {
        let Ok(listener) = TcpListener::from_std(listener) else { return };
        // Each connection holds a clone: when all are dropped, all have ended.
        let (open, mut all_ended) = tokio::sync::mpsc::channel::<()>(1);
        loop {
            let permit = tokio::select! {
                permit = Arc::clone(&self.connections).acquire_owned() => permit,
                _ = self.stopped.wait_for(|is_stopped| *is_stopped) => break,
            };
            let Ok(permit) = permit else { break };
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = self.stopped.wait_for(|is_stopped| *is_stopped) => break,
            };
            let Ok((stream, client)) = accepted else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            let (router, state, stopped) =
                (self.router.clone(), Arc::clone(&self.state), self.stopped.clone());
            let (open, tls) = (open.clone(), self.tls.clone());
            tokio::spawn(async move {
                state.requests.connections.fetch_add(1, Ordering::Relaxed);
                accept((stream, client), tls, router, &state, stopped).await;
                state.requests.connections.fetch_sub(1, Ordering::Relaxed);
                drop((permit, open));
            });
        }
        drop((listener, open));
        // What takes longer is cut off with the runtime.
        let _ = tokio::time::timeout(self.state.limits.shutdown_time, all_ended.recv()).await;
    }
}

async fn accept(
    (stream, client): (TcpStream, SocketAddr),
    tls: Option<TlsAcceptor>,
    router: Router,
    state: &State,
    mut stopped: watch::Receiver<bool>,
) {
    // Small answers must not wait for the acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let client = state.access_log.as_ref().map(|_| Client(client));
    let Some(tls) = tls else { return serve(stream, client, router, state, stopped).await };
    let shaken = tokio::select! {
        shaken = handshake(&tls, stream, state) => shaken,
        _ = stopped.wait_for(|is_stopped| *is_stopped) => return,
    };
    match shaken {
        Some(stream) => serve(stream, client, router, state, stopped).await,
        None => {
            state.requests.failed_handshakes.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Returns the encrypted connection; none where the client does not speak TLS, or takes too long.
async fn handshake(tls: &TlsAcceptor, stream: TcpStream, state: &State) -> Option<TlsStream<TcpStream>> {
    let shaken = tokio::time::timeout(state.limits.head_time, tls.accept(stream)).await;
    shaken.ok().and_then(Result::ok)
}

async fn serve<S>(
    stream: S,
    client: Option<Client>,
    router: Router,
    state: &State,
    mut stopped: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        if let Some(client) = client {
            request.extensions_mut().insert(client);
        }
        router.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(state.limits.head_time)
        .pipeline_flush(true)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        // A client may break off at any moment.
        _ = connection.as_mut() => return,
        _ = stopped.wait_for(|is_stopped| *is_stopped) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
