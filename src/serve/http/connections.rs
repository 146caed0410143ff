//! Connections: accepted on a thread for each CPU, served until the client or the server ends them.
//!
//! Invariant: a client that sends nothing, or slowly, holds a connection and no more; one that reads nothing loses it.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::net::TcpListener as StdListener;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, Response};
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::http::answers::unavailable;
use crate::http::state::State;
use crate::http::trace::Client;
use crate::http::write_timeout::{GivenBytes, WriteTimeout, WritesWait};

/// The size of the head of a request.
const MAX_HEAD_BYTES: usize = 64 << 10;
/// The path that answers with streams.
const STREAMED: &str = "/v1/top";
/// How many bytes of answers a connection holds that are not written, besides those of one more answer.
const MAX_GIVEN_BYTES: u64 = 4 << 20;
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

type RouterAnswer = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Future;

/// A router's answer in the making; none where the connection holds too much that is not written.
struct Answering {
    inner: Option<Pin<Box<RouterAnswer>>>,
    given: GivenBytes,
}

impl Future for Answering {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let response = match &mut self.inner {
            Some(inner) => ready!(inner.as_mut().poll(context))?,
            None => {
                let mut refused = unavailable("too many answers wait on this connection");
                refused.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                refused
            }
        };
        self.given.add(response.body().size_hint().lower());
        Poll::Ready(Ok(response))
    }
}

/// The router, for the requests of one connection.
struct OfConnection {
    router: TowerToHyperService<Router>,
    /// Who asks, where requests are logged.
    client: Option<Client>,
    waits: WritesWait,
    given: GivenBytes,
}

impl Service<Request<Incoming>> for OfConnection {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        if let Some(client) = self.client {
            request.extensions_mut().insert(client);
        }
        // For streams; all others are asked for by the thousand.
        if request.uri().path() == STREAMED {
            request.extensions_mut().insert(self.waits.clone());
        }
        let has_room = self.given.count() < MAX_GIVEN_BYTES;
        Answering { inner: has_room.then(|| Box::pin(self.router.call(request))), given: self.given.clone() }
    }
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
    let (stream, waits) = WriteTimeout::new(stream, state.limits.write_time);
    let given = stream.given();
    let service = OfConnection { router: TowerToHyperService::new(router), client, waits, given };
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

#[cfg(test)]
mod tests {
    use super::*;

    use std::io::{Read, Write};
    use std::sync::atomic::AtomicU64;
    use std::sync::mpsc;

    use axum::routing::get;
    use bytes::Bytes;
    use hyper::body::Frame;

    use crate::config::{CountDefaults, Limits, LogLine};
    use crate::http::list_streams::ListStreams;
    use crate::http::published_lists::PublishedLists;
    use crate::http::state::StateConfig;
    use topsell_core::model::{Date, Hour};
    use topsell_core::storage::Store;

    /// A body of much data and without an end, which tells when it is dropped.
    struct Large(bool, mpsc::Sender<()>);

    impl HttpBody for Large {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            match std::mem::replace(&mut self.0, true) {
                false => Poll::Ready(Some(Ok(Frame::data(vec![b'x'; 64 << 20].into())))),
                true => Poll::Pending,
            }
        }
    }

    impl Drop for Large {
        fn drop(&mut self) {
            let _ = self.1.send(());
        }
    }

    fn state(limits: Limits) -> Arc<State> {
        let state = State::start(StateConfig {
            // Nothing reads it.
            store: Store::open(&std::env::temp_dir()).expect("it is a folder"),
            clock: Arc::new(|| Hour::of(Date::new(17_000), 0).start()),
            tokens: None,
            tls: None,
            access_log: None,
            limits,
            counts: CountDefaults {
                event_types: Vec::new(),
                subtract: Vec::new(),
                zone: "UTC".to_owned(),
                decay: Default::default(),
            },
            versioned: no_lists(),
        });
        Arc::new(state.expect("threads"))
    }

    fn no_lists() -> PublishedLists {
        let (store, _folder) = topsell_core::storage::temporary();
        let log_line: LogLine = Arc::new(|_, _| {});
        let now = Hour::of(Date::new(17_000), 0).start();
        PublishedLists::open(&store, "a test", (None, 1), now, &log_line).expect("there are none")
    }

    #[test]
    fn a_client_that_reads_nothing_loses_its_connection() {
        let limits = Limits { write_time: Duration::from_millis(200), ..Limits::default() };
        let state = state(limits);
        let (send, dropped) = mpsc::channel();
        let (send_waits, waits) = mpsc::channel();
        let handler = async move |request: axum::extract::Request| {
            let waits = request.extensions().get::<WritesWait>().cloned();
            send_waits.send(waits.expect("it is a path of streams")).expect("somebody listens");
            Body::new(Large(false, send.clone()))
        };
        let router = Router::new().route(STREAMED, get(handler));
        let listener = StdListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it has an address");
        let serving = serve_connections(&listener, 1, &router, &state).expect("a thread");
        let mut client = std::net::TcpStream::connect(address).expect("it listens");
        client.write_all(b"GET /v1/top HTTP/1.1\r\nHost: shop\r\n\r\n").expect("it reads");
        dropped
            .recv_timeout(Duration::from_secs(60))
            .expect("the connection ends, though the client holds it");
        let WritesWait(waits) = waits.recv().expect("it was asked");
        assert!(*waits.borrow(), "and whoever gave the data was told that it waits");
        serving.stop();
        drop(client);
    }

    /// Answers as many bytes as a path says, and counts the requests.
    fn serving(limits: Limits, answer_bytes: usize) -> (Serving, SocketAddr, Arc<AtomicU64>) {
        let asked = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&asked);
        let handler = async move || {
            counted.fetch_add(1, Ordering::Relaxed);
            vec![b'x'; answer_bytes]
        };
        let router = Router::new().route("/x", get(handler));
        let listener = StdListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it has an address");
        (serve_connections(&listener, 1, &router, &state(limits)).expect("a thread"), address, asked)
    }

    /// hyper answers all requests that it has read before it writes anything, and would keep on reading.
    #[test]
    fn a_client_that_asks_for_much_at_once_costs_little_memory() {
        const ANSWER_BYTES: usize = 256 << 10;
        let limits = Limits { write_time: Duration::from_secs(60), ..Limits::default() };
        let (serving, address, asked) = serving(limits, ANSWER_BYTES);
        let mut client = std::net::TcpStream::connect(address).expect("it listens");
        let mut sender = client.try_clone().expect("it can be shared");
        let sending = thread::spawn(move || {
            // It fails where the system's buffers do not take what the server does not read.
            sender.write_all(&b"GET /x HTTP/1.1\r\nHost: shop\r\n\r\n".repeat(100_000))
        });
        client.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout can be set");
        let mut part = vec![0; 1 << 20];
        // The connection ends by a reset, since requests were not read; what is on its way may be lost by that.
        while let Ok(1..) = client.read(&mut part) {}
        let known = asked.load(Ordering::Relaxed);
        assert!((1..200).contains(&known), "{known} of 100,000 requests were answered");
        drop(client);
        let _ = sending.join().expect("no panic");
        serving.stop();
    }

    #[test]
    fn small_answers_to_many_requests_at_once_all_come() {
        const REQUESTS: usize = 20_000;
        let (serving, address, asked) = serving(Limits::default(), 100);
        let mut client = std::net::TcpStream::connect(address).expect("it listens");
        let mut sender = client.try_clone().expect("it can be shared");
        let sending = thread::spawn(move || {
            let all = b"GET /x HTTP/1.1\r\nHost: shop\r\n\r\n".repeat(REQUESTS - 1);
            sender.write_all(&all).expect("it reads");
            sender
                .write_all(b"GET /x HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n")
                .expect("it reads");
        });
        let mut answers = Vec::new();
        client.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout can be set");
        client.read_to_end(&mut answers).expect("all answers come");
        sending.join().expect("no panic");
        let ok = answers.windows(15).filter(|part| *part == b"HTTP/1.1 200 OK").count();
        assert_eq!((ok, asked.load(Ordering::Relaxed)), (REQUESTS, REQUESTS as u64));
        serving.stop();
    }

    #[test]
    fn so_many_streams_there_may_be_until_all_end() {
        let streams = ListStreams::of(2, 1);
        let first = streams.permit().expect("there is room");
        let second = streams.permit().expect("there is room");
        assert_eq!((streams.permit().is_none(), streams.open()), (true, 2));
        drop(first);
        assert!(streams.permit().is_some(), "there is room again");
        streams.end();
        assert!(streams.permit().is_none());
        drop(second);
    }
}
