//! A server of a lake in a bucket: its log is on a local disk, and the bucket may be out of reach for a while.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use object_store::memory::InMemory;

use topsell_core::input_format::Mapping;
use topsell_core::maintenance::copy_lake;
use topsell_core::model::Timestamp;
use topsell_core::storage::Store;
use topsell_output::answers::DecayOptions;
use topsell_serve::config::{CountDefaults, InputConfig, Limits, ServerConfig};
use topsell_serve::log::{Options, Site};
use topsell_serve::{ServeError, ServerSummary, serve};

use crate::bucket::objects::Objects;
use crate::bucket::{plain, store_of};
use crate::faults::{copy, rank_step, seen_in, take_step};
use crate::processes::wait_until;
use crate::serve::server::{Answer, request, try_ask};
use crate::world::{NOW, World};

const LEASE: Duration = Duration::from_secs(1);
const POLL: Duration = Duration::from_millis(50);
/// How old a segment of the log may be, where each is moved to the lake at once and where none is.
const AT_ONCE: u64 = 0;
const NEVER: u64 = u64::MAX;

/// A server in this process.
struct Server {
    address: String,
    stop: Sender<()>,
    thread: JoinHandle<Result<ServerSummary, ServeError>>,
}

/// What a server is started with.
struct Start<'a> {
    world: &'a World,
    objects: &'a Arc<Objects>,
    log: &'a str,
    segment_age_micros: u64,
    max_uncommitted_events: usize,
    clock: &'a Arc<AtomicI64>,
}

impl<'a> Start<'a> {
    /// Returns how a server is started that seals its segments at once.
    fn of(world: &'a World, objects: &'a Arc<Objects>, clock: &'a Arc<AtomicI64>) -> Start<'a> {
        let (log, segment_age_micros, max_uncommitted_events) = ("log", AT_ONCE, 1_000);
        Start { world, objects, log, segment_age_micros, max_uncommitted_events, clock }
    }

    fn config(&self) -> ServerConfig {
        let clock = Arc::clone(self.clock);
        ServerConfig {
            store: store_of(self.objects, LEASE),
            log_dir: self.world.path(self.log),
            poll_interval: POLL,
            listen: "127.0.0.1:0".parse().expect("it is an address"),
            site: Site::new("main").expect("it is a name"),
            clock: Arc::new(move || {
                Timestamp::from_micros(clock.load(Ordering::Relaxed)).expect("it is a moment")
            }),
            log_line: Arc::new(|_, _| {}),
            access_log: None,
            name: "a server".to_owned(),
            tokens: None,
            tls: None,
            list_signing: None,
            input: InputConfig {
                mapping: Mapping::none(topsell_core::ingest::FIELDS),
                catalog: None,
                max_skew_seconds: 3_600,
                max_uncommitted_events: self.max_uncommitted_events,
            },
            counts: CountDefaults {
                event_types: vec!["purchase".to_owned()],
                subtract: Vec::new(),
                zone: "UTC".to_owned(),
                decay: DecayOptions::default(),
            },
            limits: Limits::default(),
            log: Options { segment_age_micros: self.segment_age_micros, ..Options::default() },
        }
    }

    /// Starts a server, and waits until it is ready.
    fn server(&self) -> Server {
        let (config, (stop, stopped), (listens, address)) = (self.config(), channel(), channel());
        let thread = std::thread::spawn(move || {
            serve(config, &stopped, |address| drop(listens.send(address.to_string())))
        });
        let address = address.recv_timeout(Duration::from_secs(60)).expect("the server listens");
        let server = Server { address, stop, thread };
        wait_until("the server is ready", || server.get("/readyz").status == 200);
        server
    }
}

impl Server {
    fn get(&self, target: &str) -> Answer {
        try_ask(&self.address, &request("GET", target, "", b"")).expect("the server answers")
    }

    fn post(&self, body: &str) -> Answer {
        let head = "Content-Type: application/json\r\n";
        let post = request("POST", "/v1/events", head, body.as_bytes());
        try_ask(&self.address, &post).expect("the server answers")
    }

    /// Waits until the whole log is in the lake.
    fn wait_until_committed(&self) {
        wait_until("all is in the lake", || {
            self.get("/metrics").body.lines().any(|line| line == "topsell_server_uncommitted_events 0")
        });
    }

    fn stop(self) -> ServerSummary {
        self.stop.send(()).expect("the server runs");
        self.thread.join().expect("it does not panic").expect("it stops")
    }
}

fn clock() -> Arc<AtomicI64> {
    Arc::new(AtomicI64::new(Timestamp::parse(NOW).expect("a good moment").micros()))
}

fn event(hour: u32, item: &str, quantity: i32) -> String {
    format!(
        "{{\"ts\":\"2017-01-14T{hour:02}:30:00Z\",\"item_id\":\"{item}\",\"category\":\"Food\",\"quantity\":{quantity}}}\n"
    )
}

const COUNT: &str = "/v1/count?item=apple&item=pear&last=24h";
const QUESTIONS: [(&str, &str); 4] = [
    (COUNT, "count apple pear --last 24h"),
    ("/v1/top?last=24h", "top --last 24h"),
    ("/v1/top?last=24h&category=Food", "top --last 24h --category Food"),
    ("/v1/show", "show"),
];

#[test]
fn its_answers_are_those_of_the_commands() {
    let (world, store) = (World::new(), Arc::new(InMemory::new()));
    let (objects, clock) = (Objects::of(&store), clock());
    let start = |segment_age_micros| Start {
        world: &world,
        objects: &objects,
        log: "log",
        segment_age_micros,
        max_uncommitted_events: 1_000,
        clock: &clock,
    };
    let server = start(NEVER).server();
    let answer = server.post(&(event(10, "apple", 3) + &event(11, "pear", 1) + &event(23, "apple", 2)));
    assert_eq!((answer.status, answer.body.contains("\"accepted\":3")), (200, true), "{}", answer.body);
    let before = QUESTIONS[..3].iter().map(|(target, _)| server.get(target).body).collect::<Vec<_>>();
    assert_eq!(seen_in(&plain(&store)).events(), 0, "it is in the log");
    assert_eq!(server.stop(), ServerSummary { accepted: 3, uncommitted: 0 });

    assert_eq!(seen_in(&plain(&store)).events(), 3);
    take_step(&plain(&store), &rank_step()).expect("nothing fails");
    let server = start(AT_ONCE).server();
    let after = QUESTIONS.map(|(target, _)| server.get(target));
    server.stop();
    copy_lake(&plain(&store), &Store::open(&world.path("data/lake")).expect("a folder can be named"))
        .expect("nothing fails");
    for (number, ((target, words), answer)) in QUESTIONS.iter().zip(after).enumerate() {
        let said = world.run(&format!("{words} --json"));
        assert_eq!((said.code, said.stdout.as_str()), (Some(0), answer.body.as_str()), "{target}");
        assert!(before.get(number).is_none_or(|before| *before == answer.body), "{target}");
    }
}

/// A killed server is one whose requests do not arrive any more, and whose log another one finds as it is then.
#[test]
fn what_a_killed_server_had_acknowledged_counts_once() {
    let (world, store) = (World::new(), Arc::new(InMemory::new()));
    let clock = clock();
    let mut killed = Vec::new();
    let mut expected = 0;
    for round in 0..3 {
        let objects = Objects::of(&store);
        let log = format!("log{round}");
        let segment_age_micros = if round == 1 { NEVER } else { AT_ONCE };
        let start = Start { log: &log, segment_age_micros, ..Start::of(&world, &objects, &clock) };
        let server = start.server();
        for _ in 0..5 {
            expected += 1;
            assert_eq!(server.post(&event(20, "apple", 1)).status, 200);
            let count = server.get(COUNT).body;
            assert!(count.contains(&format!("\"units\":{expected},")), "{count}");
        }
        objects.cut_off(true);
        copy(&world.path(&log), &world.path(&format!("log{}", round + 1)));
        killed.push((objects, server));
    }
    let objects = Objects::of(&store);
    let start = Start { log: "log3", ..Start::of(&world, &objects, &clock) };
    let server = start.server();
    server.wait_until_committed();
    assert_eq!(seen_in(&plain(&store)).events(), expected);
    // As processes that were only stopped, and go on with the same segments.
    killed.iter().for_each(|(objects, _)| objects.cut_off(false));
    clock.fetch_add(120_000_000, Ordering::Relaxed);
    for (_, server) in killed {
        server.stop();
    }
    assert_eq!(seen_in(&plain(&store)).events(), expected);
    let count = server.get(COUNT).body;
    assert!(count.contains(&format!("\"units\":{expected},")), "{count}");
    server.stop();
}

#[test]
fn events_are_accepted_while_the_bucket_is_out_of_reach_until_the_log_is_full() {
    const LIMIT: usize = 45;
    let (world, store) = (World::new(), Arc::new(InMemory::new()));
    let (objects, clock) = (Objects::of(&store), clock());
    let start = Start { max_uncommitted_events: LIMIT, ..Start::of(&world, &objects, &clock) };
    let server = start.server();
    assert_eq!(server.post(&event(20, "apple", 1)).status, 200);
    server.wait_until_committed();
    wait_until("the counts are in memory", || {
        server.get("/metrics").body.lines().any(|line| line == "topsell_server_recent_in_memory 1")
    });
    objects.cut_off(true);
    let mut accepted = 1;
    for minute in 0..60 {
        clock.fetch_add(60_000_000, Ordering::Relaxed);
        let answer = server.post(&event(20, "apple", 1));
        let is_full = minute > LIMIT;
        assert_eq!(answer.status, if is_full { 503 } else { 200 }, "minute {minute}: {}", answer.body);
        accepted += u64::from(!is_full);
        let count = server.get("/v1/count?item=apple&from=2017-01-14T20:00:00Z&to=2017-01-14T21:00:00Z").body;
        assert!(count.contains(&format!("\"units\":{accepted},")), "{count}");
    }
    objects.cut_off(false);
    clock.fetch_add(60_000_000, Ordering::Relaxed);
    server.wait_until_committed();
    assert_eq!(server.post(&event(20, "apple", 1)).status, 200);
    server.stop();
    assert_eq!(seen_in(&plain(&store)).events(), accepted + 1);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a server looks from time to time")]
fn a_server_that_waits_asks_the_bucket_a_few_things_at_each_look() {
    const LOOKS: u32 = 20;
    let (world, store) = (World::new(), Arc::new(InMemory::new()));
    let (objects, clock) = (Objects::of(&store), clock());
    let start = Start::of(&world, &objects, &clock);
    let server = start.server();
    assert_eq!(server.post(&event(20, "apple", 1)).status, 200);
    server.wait_until_committed();
    take_step(&plain(&store), &rank_step()).expect("nothing fails");
    // It notices the aggregates, and reads them.
    let begun = Instant::now();
    wait_until("it has looked a few times", || begun.elapsed() > POLL * LOOKS);
    let begun = Instant::now();
    let before = objects.requests().0;
    wait_until("it has looked for a while", || begun.elapsed() > POLL * LOOKS);
    let requests = u128::from(objects.requests().0 - before);
    let millis = begun.elapsed().as_millis();
    let looks = millis / POLL.as_millis() + 1;
    // Five of each look, three more of each twelfth, for the names of rankings and what they show, and one of each fifth
    // of the time that its lease lasts.
    let most = 5 * looks + 3 * (looks / 12 + 1) + 5 * (millis / LEASE.as_millis() + 1);
    assert!(
        (1..=most).contains(&requests),
        "{requests} requests in {millis} ms, at most {most}:\n{}",
        objects.told()
    );
    server.stop();
}
