//! An HTTP endpoint that answers as a test tells it to, and remembers what it was sent.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

/// A request that was sent.
#[derive(Clone, Debug)]
pub struct Received {
    pub first_line: String,
    pub headers: Vec<(String, String)>,
    pub body: Value,
}

/// An endpoint that ends with the process; each connection has one request.
pub struct Endpoint {
    pub address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Endpoint {
    /// Starts an endpoint that answers its n-th request with the n-th of some answers, and later ones with 200.
    ///
    /// An answer is what follows `HTTP/1.1 `; an empty one closes the connection without any.
    pub fn start(answers: &[&str]) -> Endpoint {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it has one");
        let received = Arc::<Mutex<Vec<Received>>>::default();
        let mut answers: Vec<String> = answers.iter().rev().map(|answer| (*answer).to_owned()).collect();
        let told = Arc::clone(&received);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Some(request) = stream.ok().and_then(read) else { continue };
                let (mut stream, request) = request;
                told.lock().expect("nobody panics").push(request);
                let answer = answers.pop().unwrap_or_else(|| "200 OK\r\n\r\n".to_owned());
                if !answer.is_empty() {
                    let head =
                        format!("HTTP/1.1 {}", answer.replacen("\r\n", "\r\nConnection: close\r\n", 1));
                    let _ = stream.write_all(head.as_bytes());
                }
            }
        });
        Endpoint { address, received }
    }

    /// Returns what was sent since the last time.
    pub fn received(&self) -> Vec<Received> {
        std::mem::take(&mut *self.received.lock().expect("nobody panics"))
    }
}

impl Received {
    pub fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name));
        header.map(|(_, value)| value.as_str())
    }
}

fn read(stream: TcpStream) -> Option<(TcpStream, Received)> {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let headers = lines[1..].iter().filter_map(|line| line.split_once(": "));
    let headers: Vec<(String, String)> =
        headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let mut received = Received { first_line: lines[0].clone(), headers, body: Value::Null };
    let length = received.header("content-length")?.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    received.body = serde_json::from_slice(&body).ok()?;
    Some((reader.into_inner(), received))
}
