//! A real Redis server, of its own for each test, which ends with it.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use redis::{Client, Connection};

use crate::processes::wait_until;
use crate::world::World;

/// A server that listens on a socket in a world's folder, and on loopback where a port was given.
pub struct RedisServer {
    child: Child,
    /// The URL of the socket.
    pub url: String,
}

impl RedisServer {
    /// Starts a server with some options, and waits until it answers.
    pub fn start(world: &World, options: &[&str]) -> RedisServer {
        let socket = world.path("redis.sock");
        let child = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--loglevel", "warning"])
            .args(["--unixsocket".as_ref(), socket.as_os_str()])
            .args(["--dir".as_ref(), world.path("").as_os_str()])
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server is installed; on Debian: apt-get install redis-server redis-tools");
        let server = RedisServer { child, url: format!("redis+unix://{}", socket.display()) };
        wait_until("Redis answers", || server.try_connect().is_some());
        server
    }

    fn try_connect(&self) -> Option<Connection> {
        // One that wants a password answers, too.
        Client::open(self.url.as_str())
            .ok()?
            .get_connection_with_timeout(Duration::from_secs(30))
            .ok()
            .or_else(|| {
                let url = format!("{}?pass=s3cret", self.url);
                Client::open(url.as_str()).ok()?.get_connection_with_timeout(Duration::from_secs(30)).ok()
            })
    }

    pub fn connect(&self) -> Connection {
        self.try_connect().expect("Redis answers")
    }

    /// Runs a command as `redis-cli` sends it, and returns the lines that it prints.
    pub fn cli(&self, words: &[&str]) -> String {
        let socket = self.url.trim_start_matches("redis+unix://");
        let ran = Command::new("redis-cli")
            .args(["-s", socket, "--no-auth-warning", "-a", "s3cret"])
            .args(words)
            .output()
            .expect("redis-cli is installed; on Debian: apt-get install redis-tools");
        String::from_utf8(ran.stdout).expect("what was published is text").trim_end().to_owned()
    }

    /// Returns what the server has counted: commands, bytes that came in and that went out.
    pub fn counted(&self) -> [u64; 3] {
        let info: String =
            ::redis::cmd("INFO").arg("stats").query(&mut self.connect()).expect("Redis answers");
        ["total_commands_processed", "total_net_input_bytes", "total_net_output_bytes"].map(|name| {
            let value = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            value.and_then(|value| value.trim().parse().ok()).expect("it counts")
        })
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
