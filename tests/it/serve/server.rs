//! A server under test, and a client that says exactly what it is told to.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::processes::{signal, wait_until};
use crate::world::World;

const LOG: &str = "serve.log";
const JSON: &str = "Content-Type: application/json\r\n";

/// A server at work, which ends with the test.
pub struct Server {
    child: Child,
    pub address: String,
}

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Server {
    /// Starts a server of the lake `data/lake`, and waits until it is ready.
    pub fn start(world: &World, words: &[&str]) -> Server {
        let server = Server::listening(world, words);
        wait_until("the server is ready", || {
            server.try_get("/readyz").is_some_and(|answer| answer.status == 200)
        });
        server
    }

    /// Starts a server on the machine's own clock, and waits until it is ready.
    pub fn start_in_time(world: &World, words: &[&str]) -> Server {
        let server = Server::listening_in_time(world, words);
        wait_until("the server is ready", || {
            server.try_get("/readyz").is_some_and(|answer| answer.status == 200)
        });
        server
    }

    /// Starts a server on the machine's own clock, and waits until it listens.
    pub fn listening_in_time(world: &World, words: &[&str]) -> Server {
        let mut command = world.command(&[&["serve", "--listen", "127.0.0.1:0"], words].concat());
        command.env_remove("TOPSELL_NOW");
        Server::of(world, command)
    }

    /// Starts a server, and waits until it listens.
    pub fn listening(world: &World, words: &[&str]) -> Server {
        Server::of(world, world.command(&[&["serve", "--listen", "127.0.0.1:0"], words].concat()))
    }

    fn of(world: &World, mut command: Command) -> Server {
        world.write(LOG, "");
        let stderr = File::options().append(true).open(world.path(LOG)).expect("the log is there");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr);
        let child = command.spawn().expect("the program under test can be started");
        let mut server = Server { child, address: String::new() };
        wait_until("the server listens", || {
            let said = said(world);
            let address = said.split("listening on ").nth(1).and_then(|rest| rest.split("://").nth(1));
            // In the log's JSON a quotation mark follows.
            let address = address.and_then(|rest| rest.split(['\n', '"']).next());
            server.address = address.unwrap_or_default().to_owned();
            let ended = server.child.try_wait().is_ok_and(|ended| ended.is_some());
            assert!(!ended, "the server ended: {said}");
            !server.address.is_empty()
        });
        server
    }

    pub fn get(&self, target: &str) -> Answer {
        self.ask(&request("GET", target, "", b""))
    }

    /// Returns the answer; none where the server is not there any more.
    pub fn try_get(&self, target: &str) -> Option<Answer> {
        self.try_ask(&request("GET", target, "", b""))
    }

    pub fn get_with(&self, target: &str, headers: &str) -> Answer {
        self.ask(&request("GET", target, headers, b""))
    }

    pub fn post_json(&self, body: &str) -> Answer {
        self.post("/v1/events", JSON, body.as_bytes())
    }

    /// Returns the answer; none where the server was gone before it had answered.
    pub fn try_post_json(&self, body: &str) -> Option<Answer> {
        self.try_ask(&request("POST", "/v1/events", JSON, body.as_bytes()))
    }

    pub fn post(&self, target: &str, headers: &str, body: &[u8]) -> Answer {
        self.ask(&request("POST", target, headers, body))
    }

    /// Sends some bytes and returns the answer.
    pub fn ask(&self, bytes: &[u8]) -> Answer {
        self.try_ask(bytes).expect("the server answers")
    }

    /// Returns the answer; none where the connection was closed without one.
    pub fn try_ask(&self, bytes: &[u8]) -> Option<Answer> {
        try_ask(&self.address, bytes)
    }

    pub fn connect(&self) -> Option<TcpStream> {
        connect(&self.address)
    }

    pub fn kill(&mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it is our child");
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks the server to stop, and waits until it has.
    pub fn stop(&mut self) -> ExitStatus {
        signal(self.child.id(), Signal::SIGTERM);
        let mut ended = None;
        wait_until("the server ends", || {
            ended = self.child.try_wait().expect("it is our child");
            ended.is_some()
        });
        ended.expect("it has ended")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.kill();
        }
    }
}

/// Sends some bytes to an address and returns the answer; none where the connection was closed without one.
pub fn try_ask(address: &str, bytes: &[u8]) -> Option<Answer> {
    let mut stream = connect(address)?;
    stream.write_all(bytes).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    Answer::parse(&answer)
}

fn connect(address: &str) -> Option<TcpStream> {
    let stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout can be set");
    Some(stream)
}

/// Returns what a world's server has logged.
pub fn said(world: &World) -> String {
    std::fs::read_to_string(world.path(LOG)).expect("a log is text")
}

/// Returns a request after which the connection is closed.
pub fn request(method: &str, target: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
    );
    [head.as_bytes(), body].concat()
}

impl Answer {
    fn parse(bytes: &[u8]) -> Option<Answer> {
        let text = String::from_utf8(bytes.to_vec()).expect("answers are text");
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some(Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() })
    }

    /// Returns the value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}
