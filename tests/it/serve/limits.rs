//! Many clients at once, and what the server tells of itself to who watches it.

use std::collections::BTreeSet;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::processes::wait_until;
use crate::serve::server::Server;
use crate::world::World;

/// Clients that say nothing.
const IDLE: u64 = 10_000;
/// Files that all tests of this process have open besides.
const OTHERS: u64 = 2_000;

fn metric(server: &Server, name: &str) -> Option<u64> {
    let metrics = server.try_get("/metrics")?.body;
    metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

/// Returns the memory of a process that is not in files, in KiB.
fn resident_kib(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("Linux says so");
    line.trim().trim_end_matches(" kB").parse().expect("it is a number")
}

#[test]
fn ten_thousand_clients_that_say_nothing_are_in_nobodys_way() {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).expect("there is a limit");
    setrlimit(Resource::RLIMIT_NOFILE, most, most).expect("a process may raise its own");
    let idle = IDLE.min(most.saturating_sub(OTHERS));
    assert!(idle > 100, "the system allows only {most} open files");
    let world = World::new();
    let mut server = Server::start(&world, &[]);
    let before = resident_kib(server.id());
    // The server closes each after ten seconds without a request: on a busy machine the first have gone when the last come.
    let (mut clients, mut most_open) = (Vec::new(), 0);
    for number in 0..idle {
        clients.push(server.connect().expect("it listens"));
        if number % 500 == 499 {
            most_open = most_open.max(metric(&server, "topsell_server_connections ").unwrap_or(0));
        }
    }
    assert!(most_open > idle / 10, "{most_open} of {idle} were open at a time");
    let body = "{\"ts\":\"2017-01-14T20:30:00Z\",\"item_id\":\"apple\",\"category\":\"Food\"}";
    assert_eq!(server.post_json(body).status, 200);
    assert!(server.get("/v1/count?item=apple").body.contains("\"units\":1"));
    let grown = resident_kib(server.id()).saturating_sub(before);
    assert!(grown < 16 * idle, "{grown} KiB for {most_open} of {idle} connections");
    wait_until("those that say nothing are closed", || {
        metric(&server, "topsell_server_connections ").is_some_and(|open| open < 100)
    });
    drop(clients);
    assert!(server.stop().success());
}

/// Reads the text format of Prometheus as its grammar has it.
fn check_metrics(text: &str) -> BTreeSet<String> {
    let is_name = |name: &str| {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
        name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(is_part)
    };
    let (mut families, mut samples) = (BTreeSet::new(), BTreeSet::new());
    let mut described = None;
    let mut current: Option<(String, String)> = None;
    assert!(text.ends_with('\n'));
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').expect("a name and a text");
            assert!(is_name(name) && help.ends_with('.') && !help.contains('\\'), "{line}");
            described = Some(name.to_owned());
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').expect("a name and a type");
            assert_eq!(described.take().as_deref(), Some(name), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            assert!(["counter", "gauge"].contains(&kind), "{line}");
            assert!(families.insert(name.to_owned()), "twice: {line}");
            current = Some((name.to_owned(), kind.to_owned()));
        } else {
            let (sample, value) = line.rsplit_once(' ').expect("a sample and a value");
            let (name, labels) = sample.split_once('{').unwrap_or((sample, "}"));
            assert_eq!(current.as_ref().map(|(name, _)| name.as_str()), Some(name), "{line}");
            let labels = labels.strip_suffix('}').expect("labels end");
            for label in labels.split(',').filter(|label| !label.is_empty()) {
                let (label, value) = label.split_once('=').expect("a label and a value");
                assert!(is_name(label) && value.len() >= 2, "{line}");
                let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
                assert!(value.is_some_and(|value| !value.contains(['"', '\\', '\n'])), "{line}");
            }
            assert!(value.parse::<f64>().is_ok_and(f64::is_finite), "{line}");
            assert!(samples.insert(sample.to_owned()), "twice: {line}");
        }
    }
    families
}

#[test]
fn the_metrics_are_in_the_format_of_prometheus_and_in_the_book() {
    let world = World::new();
    let server = Server::start(&world, &[]);
    assert_eq!(server.get("/v1/top").status, 200);
    let answer = server.get("/metrics");
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let families = check_metrics(&answer.body);
    let book = include_str!("../../../docs/src/reference/metrics.md");
    for family in &families {
        assert!(book.contains(&format!("| `{family}`")), "{family} is not in the book");
    }
    assert!(families.len() > 15, "{families:?}");
}
