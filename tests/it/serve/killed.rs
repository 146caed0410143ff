//! Servers that are killed while they take in events: each that was acknowledged is counted once, each other at most once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::processes::{holds_within, next_random};
use crate::serve::server::Server;
use crate::world::World;

/// How often the server is killed: `TOPSELL_SERVE_KILLS`, or this.
const KILLS: u64 = 4;
const CLIENTS: usize = 4;

#[test]
fn what_was_acknowledged_is_counted_once() {
    let kills = std::env::var("TOPSELL_SERVE_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS);
    let world = World::new();
    let mut chance = 5;
    let (mut acknowledged, mut sent) = (Vec::new(), Vec::new());
    for round in 0..kills {
        let mut server = Server::start(&world, &["--segment-age", if round % 2 == 0 { "0s" } else { "60s" }]);
        let stops = AtomicBool::new(false);
        let after = Duration::from_millis(5 + next_random(&mut chance) % 600);
        let told = thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS)
                .map(|client| {
                    let (server, stops) = (&server, &stops);
                    scope.spawn(move || send(server, &format!("r{round}c{client}"), stops))
                })
                .collect();
            holds_within(after, || false);
            // While they send; the clients find out by themselves.
            nix::sys::signal::kill(
                nix::unistd::Pid::from_raw(server.id().cast_signed()),
                nix::sys::signal::Signal::SIGKILL,
            )
            .expect("it is our child");
            stops.store(true, Ordering::Relaxed);
            clients.into_iter().map(|client| client.join().expect("no panic")).collect::<Vec<_>>()
        });
        server.kill();
        for (of_client, all) in told {
            acknowledged.extend(of_client);
            sent.extend(all);
        }
        // Between the kills, what was sealed moves to the lake, or not.
        if next_random(&mut chance).is_multiple_of(2) {
            let said = world.run("rollup");
            assert_eq!(said.code, Some(0), "{}", said.whole());
        }
    }
    assert!(!acknowledged.is_empty(), "no event was acknowledged");
    let mut server = Server::start(&world, &[]);
    for items in sent.chunks(500) {
        let body: String = items.iter().map(|item| format!("{item}\n")).collect();
        let answer = server.post("/v1/count?last=24h", "", body.as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.body);
        check(&answer.body, items, &acknowledged);
    }
    assert!(server.stop().success());
    for items in sent.chunks(500) {
        let said = world.run(&format!("count --json {}", items.join(" ")));
        check(&said.stdout, items, &acknowledged);
    }
}

/// Sends events, each of an item of its own, until the server is gone; returns those acknowledged, and all.
fn send(server: &Server, name: &str, stops: &AtomicBool) -> (Vec<String>, Vec<String>) {
    let (mut acknowledged, mut sent) = (Vec::new(), Vec::new());
    for number in 0.. {
        if stops.load(Ordering::Relaxed) {
            break;
        }
        let item = format!("{name}n{number}");
        sent.push(item.clone());
        let answer =
            server.try_post_json(&format!("{{\"ts\":\"2017-01-14T20:00:00Z\",\"item_id\":\"{item}\"}}"));
        match answer {
            Some(answer) if answer.status == 200 => acknowledged.push(item),
            Some(answer) => panic!("{}", answer.body),
            None => break,
        }
    }
    (acknowledged, sent)
}

fn check(body: &str, items: &[String], acknowledged: &[String]) {
    let counts: serde_json::Value = serde_json::from_str(body).expect("counts are JSON");
    assert_eq!(counts["items"].as_array().map(Vec::len), Some(items.len()));
    for (item, count) in items.iter().zip(counts["items"].as_array().expect("there are items")) {
        assert_eq!(count["item_id"], item.as_str());
        let units = count["units"].as_u64().expect("units are whole");
        match acknowledged.contains(item) {
            true => assert_eq!(units, 1, "{item} was acknowledged"),
            false => assert!(units <= 1, "{item} was sent once"),
        }
    }
}
