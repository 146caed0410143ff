//! Threads that follow lists: one for each list, and one that looks for new ones.
//!
//! Invariant: a server that fails is asked again after a time that grows up to a limit, and the next one first; what is
//! held stays until an answer was verified.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::config::LogLevel;
use crate::edge::mirror::{Mirror, Mirrors};
use crate::edge::upstream::{client, names};
use topsell_core::model::hide_secrets;
use topsell_core::storage::checksum;
use topsell_lists::{ClientError, FollowError, Followed, HeldList, ListClient, follow};

/// How long a server may wait for another version, and so how long no news may take.
const MAX_WAIT_SECONDS: u64 = 30;
/// Of the time after which answers are refused, one waits for this part.
const WAIT_PART: u64 = 3;
/// An answer that came sooner, and has nothing new, was not waited for: the server has too many that wait.
const QUICK_MICROS: i64 = 1_000_000;
const LOOK_INTERVAL: Duration = Duration::from_secs(30);
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const MAX_PAUSE: Duration = Duration::from_secs(15);
const TICK: Duration = Duration::from_millis(50);

/// Called with each version that replaces another.
pub type Publish = Arc<dyn Fn(&HeldList) + Send + Sync>;

/// The threads that follow lists.
#[derive(Clone)]
pub struct Followers {
    mirrors: Arc<Mirrors>,
    publish: Publish,
    is_stopped: Arc<AtomicBool>,
}

impl Followers {
    /// Follows the lists that are held, and those that the servers have. The threads are not waited for: they may wait for a
    /// server.
    pub fn start(mirrors: Arc<Mirrors>, publish: Publish) -> Followers {
        let followers = Followers { mirrors, publish, is_stopped: Arc::default() };
        for mirror in followers.mirrors.all() {
            followers.follow(mirror);
        }
        let looking = followers.clone();
        thread::spawn(move || looking.look());
        followers
    }

    /// Has the threads end when they are done with what they wait for.
    pub fn stop(&self) {
        self.is_stopped.store(true, Ordering::Relaxed);
    }

    fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Relaxed)
    }

    fn follow(&self, mirror: Arc<Mirror>) {
        let followers = self.clone();
        thread::spawn(move || followers.follow_list(&mirror));
    }

    fn wait_seconds(&self) -> u64 {
        let part = self.mirrors.config.max_stale.map(|limit| limit.as_secs() / WAIT_PART);
        part.unwrap_or(MAX_WAIT_SECONDS).clamp(1, MAX_WAIT_SECONDS)
    }

    /// Looks for lists that are new.
    fn look(&self) {
        let (mut failures, mut last_failure) = (0, String::new());
        while !self.is_stopped() {
            match names(&self.mirrors.config) {
                Ok(names) => {
                    (failures, last_failure) = (0, String::new());
                    for mirror in names.into_iter().filter_map(|name| self.mirrors.add(name)) {
                        self.follow(mirror);
                    }
                }
                Err(what) => {
                    failures += 1;
                    self.note(&mut last_failure, format!("cannot ask which lists there are: {what}"));
                }
            }
            self.pause(if failures == 0 { LOOK_INTERVAL } else { pause_after(failures, "") });
        }
    }

    fn follow_list(&self, mirror: &Mirror) {
        let config = &self.mirrors.config;
        let clients: Vec<Result<ListClient, ClientError>> =
            config.upstreams.iter().map(|upstream| client(config, upstream, &mirror.name)).collect();
        let (mut at, mut failures, mut last_failure) = (0, 0_u32, String::new());
        while !self.is_stopped() {
            let began = self.mirrors.now();
            let outcome = match &clients[at] {
                Ok(client) => self.ask(mirror, client),
                Err(error) => Err(error.to_string()),
            };
            match outcome {
                Ok(followed) => {
                    (failures, last_failure) = (0, String::new());
                    let wait_seconds = followed.wait_seconds;
                    let is_new = self.accept(mirror, followed);
                    if !is_new && self.mirrors.now().saturating_sub(began) < QUICK_MICROS {
                        self.pause(Duration::from_secs(wait_seconds.clamp(1, self.wait_seconds())));
                    }
                }
                Err(what) => {
                    failures += 1;
                    self.note(&mut last_failure, format!("list {}: {}", mirror.name, hide_secrets(&what)));
                    at = (at + 1) % clients.len();
                    if at == 0 {
                        self.pause(pause_after(failures, mirror.name.as_str()));
                    }
                }
            }
        }
    }

    fn ask(&self, mirror: &Mirror, client: &ListClient) -> Result<Followed, String> {
        let (held, now) = (mirror.held(), self.mirrors.now());
        let wait_seconds = |since: Option<&str>| if since.is_some() { self.wait_seconds() } else { 0 };
        let followed = follow(&held, self.mirrors.config.key.as_ref(), now, |since| {
            client.ask(since, wait_seconds(since))
        });
        followed.map_err(|error| match error {
            FollowError::Ask(error) => error.to_string(),
            FollowError::Refused(refusal) => format!("an answer is not used: {refusal}"),
        })
    }

    fn accept(&self, mirror: &Mirror, followed: Followed) -> bool {
        if let Some(refusal) = &followed.refused {
            let text = format!("list {}: {refusal}; the whole list was fetched", mirror.name);
            (self.mirrors.log_line)(LogLevel::Warning, &text);
        }
        let held = followed.held.clone();
        let is_new = mirror.accept(followed.held, self.mirrors.now());
        if is_new {
            (self.publish)(&held);
        }
        is_new
    }

    /// Logs a failure, once until it is another one.
    fn note(&self, last: &mut String, what: String) {
        if *last != what {
            (self.mirrors.log_line)(LogLevel::Error, &what);
            *last = what;
        }
    }

    fn pause(&self, time: Duration) {
        let mut left = time;
        while !left.is_zero() && !self.is_stopped() {
            let step = left.min(TICK);
            thread::sleep(step);
            left -= step;
        }
    }
}

/// Returns how long to wait after so many failures; other lists wait other times, so that they do not come together.
fn pause_after(failures: u32, name: &str) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1 << failures.min(8)).min(MAX_PAUSE);
    let seed = [name.as_bytes(), &failures.to_le_bytes(), &std::process::id().to_le_bytes()].concat();
    let part = u32::try_from(checksum(&seed) % 256).unwrap_or_default();
    doubled - doubled / 4 * part / 256
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_limit() {
        assert!(pause_after(1, "a") <= FIRST_PAUSE * 2);
        assert!(pause_after(3, "a") > pause_after(1, "a"));
        assert!(pause_after(60, "a") <= MAX_PAUSE && pause_after(60, "a") >= MAX_PAUSE * 3 / 4);
    }
}
