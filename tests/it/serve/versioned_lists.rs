//! Versioned lists of a server, over HTTP and by `topsell list`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::processes::{holds_within, next_random, wait_until};
use crate::serve::server::{Answer, Server, request, said};
use crate::world::{Said, World};
use topsell_lists::new_key_files;

/// How often the server is killed: `TOPSELL_LIST_KILLS`, or this.
const KILLS: u64 = 3;
const WRITERS: usize = 3;

fn create(world: &World, words: &str) {
    let said = world.run(&format!("-q list create {words}"));
    assert_eq!(said.code, Some(0), "{}", said.whole());
}

fn parsed(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.body);
    serde_json::from_str(&answer.body).expect("answers are JSON")
}

fn post(server: &Server, list: &str, body: &str) -> Answer {
    server.post(&format!("/v1/lists/{list}"), "Content-Type: application/json\r\n", body.as_bytes())
}

fn get(server: &Server, target: &str) -> Value {
    parsed(&server.get(&format!("/v1/lists/{target}")))
}

/// Returns the version of a list once it has so many entries.
fn version_with(server: &Server, list: &str, entries: u64) -> String {
    let mut version = String::new();
    wait_until("the change is published", || {
        let answer = get(server, list);
        version = answer["version"].as_str().expect("it has one").to_owned();
        answer["entries"] == entries
    });
    version
}

fn texts(of: &Value) -> BTreeSet<String> {
    of.as_array().expect("it is a list").iter().map(|of| of.as_str().expect("a text").to_owned()).collect()
}

/// Runs `topsell` on the machine's clock.
fn run_now(world: &World, words: &str) -> Said {
    let words: Vec<&str> = words.split_whitespace().collect();
    world.said(world.command(&words).env_remove("TOPSELL_NOW"), b"")
}

#[test]
fn a_client_gets_what_has_changed_since_its_version() {
    let world = World::new();
    create(&world, "blocked --kind host");
    let mut server = Server::start_in_time(&world, &[]);
    let whole = get(&server, "blocked");
    assert_eq!((&whole["full"], &whole["entries"]), (&Value::from(true), &Value::from(0)));
    let wait = whole["wait_s"].as_u64().expect("a number");
    assert!((1_620..=1_980).contains(&wait), "{wait}");
    let empty = whole["version"].as_str().expect("it has one").to_owned();
    let changed = post(&server, "blocked", r#"{"id":"c-1","add":["bad.example","b.example","c.example"]}"#);
    let changed = parsed(&changed);
    assert_eq!((&changed["added"], &changed["removed"]), (&Value::from(3), &Value::from(0)));
    let again = post(&server, "blocked", r#"{"id":"c-1","add":["bad.example","b.example","c.example"]}"#);
    assert_eq!(parsed(&again), changed, "the same change is made once");
    let other = post(&server, "blocked", r#"{"id":"c-1","add":["d.example"]}"#);
    assert_eq!(other.status, 409, "{}", other.body);
    let first = version_with(&server, "blocked", 3);
    assert_eq!(changed["version"], Value::from(first.as_str()));
    post(&server, "blocked", r#"{"remove":["b.example","none.example"],"add":["d.example"]}"#);
    wait_until("another version is published", || get(&server, "blocked")["version"] != first.as_str());
    let delta = get(&server, &format!("blocked?since={first}"));
    assert_eq!((&delta["full"], &delta["kind"]), (&Value::from(false), &Value::from("host")));
    assert_eq!(texts(&delta["added"]), BTreeSet::from(["d.example".to_owned()]));
    assert_eq!(texts(&delta["removed"]), BTreeSet::from(["b.example".to_owned()]));
    let merged = get(&server, &format!("blocked?since={empty}"));
    let expected = ["bad.example", "c.example", "d.example"].map(str::to_owned);
    assert_eq!(texts(&merged["added"]), BTreeSet::from(expected.clone()), "each key once, as it is now");
    assert_eq!(texts(&merged["removed"]), BTreeSet::new());
    for unknown in ["x", "", &format!("{}A", &first[1..])] {
        let whole = get(&server, &format!("blocked?since={unknown}"));
        assert_eq!(
            (&whole["full"], texts(&whole["added"])),
            (&Value::from(true), BTreeSet::from(expected.clone()))
        );
    }
    let newest = merged["version"].as_str().expect("it has one");
    assert_eq!(get(&server, &format!("blocked?since={newest}"))["added"], Value::Array(Vec::new()));
    // A restart changes no version.
    assert!(server.stop().success(), "{}", said(&world));
    let server = Server::start_in_time(&world, &[]);
    let delta = get(&server, &format!("blocked?since={first}"));
    assert_eq!((&delta["full"], &delta["version"]), (&Value::from(false), &Value::from(newest)));
    let lists = parsed(&server.get("/v1/lists"));
    assert_eq!(
        (&lists["lists"][0]["list"], &lists["lists"][0]["entries"]),
        (&Value::from("blocked"), &Value::from(3))
    );
}

#[test]
fn the_whole_list_is_text_for_other_programs() {
    let world = World::new();
    create(&world, "blocked --kind host");
    assert_eq!(world.run("-q list add blocked b.example a.example").code, Some(0));
    let server = Server::start_in_time(&world, &[]);
    let text = server.get("/v1/lists/blocked.txt");
    assert_eq!((text.status, text.body.as_str()), (200, "a.example\nb.example\n"));
    assert_eq!(text.header("content-length"), Some("20"));
    let hosts = server.get("/v1/lists/blocked.hosts");
    assert_eq!(hosts.body, "0.0.0.0 a.example\n0.0.0.0 b.example\n");
    let tag = text.header("etag").expect("it has one");
    let known = server.get_with("/v1/lists/blocked.txt", &format!("If-None-Match: {tag}\r\n"));
    assert_eq!((known.status, known.body.as_str()), (304, ""));
    post(&server, "blocked", r#"{"add":["c.example"]}"#);
    version_with(&server, "blocked", 3);
    let other = server.get_with("/v1/lists/blocked.txt", &format!("If-None-Match: {tag}\r\n"));
    assert_eq!((other.status, other.body.lines().count()), (200, 3));
    let hash = get(&server, "blocked")["sha256"].clone();
    assert_eq!(other.header("etag"), Some(format!("{hash}").as_str()), "the tag is the hash of the content");
    assert_eq!(server.get("/v1/lists/none.txt").status, 404);
}

#[test]
fn full_hashes_are_told_by_their_prefixes() {
    let world = World::new();
    create(&world, "blocked --kind host");
    assert_eq!(world.run("-q list add blocked bad.example").code, Some(0));
    let server = Server::start_in_time(&world, &[]);
    let sha256 = topsell_lists::sha256_hex("bad.example");
    let hashes = get(&server, &format!("blocked?prefix={}&prefix=00000000", &sha256[..8]));
    assert_eq!(hashes["hashes"].as_array().map(Vec::len), Some(1));
    assert_eq!(hashes["hashes"][0]["sha256"], Value::from(sha256.as_str()));
    assert_eq!(server.get("/v1/lists/blocked?prefix=xyz").status, 400);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a client waits in real time")]
fn a_client_that_waits_sees_a_change_when_it_is_published() {
    let world = World::new();
    create(&world, "blocked --kind host");
    let server = Server::start_in_time(&world, &[]);
    let version = get(&server, "blocked")["version"].as_str().expect("it has one").to_owned();
    let began = Instant::now();
    let answer = thread::scope(|scope| {
        let waiting = scope.spawn(|| get(&server, &format!("blocked?since={version}&wait=30s")));
        holds_within(Duration::from_millis(300), || false);
        post(&server, "blocked", r#"{"add":["a.example"]}"#);
        waiting.join().expect("no panic")
    });
    assert_eq!((&answer["full"], &answer["added"][0]), (&Value::from(false), &Value::from("a.example")));
    assert!(began.elapsed() < Duration::from_secs(25), "it did not wait for the end");
    let version = answer["version"].as_str().expect("it has one").to_owned();
    let same = get(&server, &format!("blocked?since={version}&wait=1s"));
    assert_eq!((&same["version"], &same["added"]), (&Value::from(version), &Value::Array(Vec::new())));
}

#[test]
fn tokens_and_limits_hold_for_lists_too() {
    let world = World::new();
    create(&world, "blocked --kind host");
    world.write("tokens", "read 0123456789abcdef\nwrite fedcba9876543210\n");
    let server = Server::start_in_time(&world, &["--token-file", "tokens"]);
    let ask = |method: &str, target: &str, token: &str, body: &str| {
        let headers = format!("Authorization: Bearer {token}\r\nContent-Type: application/json\r\n");
        server.ask(&request(method, target, &headers, body.as_bytes())).status
    };
    let (read, write) = ("0123456789abcdef", "fedcba9876543210");
    let add = r#"{"add":["a.example"]}"#;
    assert_eq!(server.get("/v1/lists/blocked").status, 401);
    assert_eq!(server.get("/v1/lists/blocked.txt").status, 401);
    assert_eq!(server.get("/v1/lists").status, 401);
    assert_eq!(ask("GET", "/v1/lists/blocked", read, ""), 200);
    assert_eq!(ask("POST", "/v1/lists/blocked", read, add), 401);
    assert_eq!(ask("POST", "/v1/lists/blocked", write, add), 200);
    assert_eq!(ask("POST", "/v1/lists/none", write, add), 404);
    assert_eq!(ask("POST", "/v1/lists/blocked", write, r#"{"add":["a b"]}"#), 422);
    assert_eq!(ask("POST", "/v1/lists/blocked", write, "{"), 400);
    assert_eq!(ask("POST", "/v1/lists/ranking/default", write, add), 404);
    assert_eq!(ask("PUT", "/v1/lists/new", write, r#"{"kind":"text"}"#), 201);
    assert_eq!(ask("PUT", "/v1/lists/new", write, r#"{"kind":"text"}"#), 409);
    assert_eq!(ask("GET", "/v1/lists/blocked?sinc=x", read, ""), 400);
    let large = format!("{{\"add\":[\"{}\"]}}", "a".repeat(17 << 20));
    assert_eq!(ask("POST", "/v1/lists/blocked", write, &large), 413);
    let fetched = |token: &str| {
        let url = format!("http://{}/v1/lists/blocked", server.address);
        world.run_in(&[("TOPSELL_TOKEN", token)], &format!("list fetch {url} --into blocked.txt")).code
    };
    assert_eq!((fetched("wrong"), fetched(read)), (Some(1), Some(0)));
}

#[test]
fn the_command_line_sends_changes_to_the_server_that_has_the_lists() {
    let world = World::new();
    create(&world, "blocked --kind host");
    let mut server = Server::start_in_time(&world, &[]);
    let url = format!("http://{}/v1/lists/blocked", server.address);
    let busy = world.run("list add blocked a.example");
    assert_eq!(busy.code, Some(6), "{}", busy.whole());
    assert!(
        busy.stderr.contains("locked by serve") && busy.stderr.contains("address of the list"),
        "{}",
        busy.stderr
    );
    assert_eq!(world.run(&format!("list add {url} a.example b.example --id c-1")).code, Some(0));
    assert_eq!(world.run(&format!("list add {url} a.example b.example --id c-1")).code, Some(0));
    assert_eq!(world.run(&format!("list remove {url} b.example")).code, Some(0));
    let new = url.replace("/blocked", "/notices");
    assert_eq!(world.run(&format!("list create {new} --kind map")).code, Some(0));
    let said_by = world.run_with(&["list", "add", &new, "Books\t[1]"], b"");
    assert_eq!(said_by.code, Some(0), "{}", said_by.whole());
    version_with(&server, "blocked", 1);
    version_with(&server, "notices", 1);
    // Reading needs no lock.
    assert_eq!(world.run("list show blocked").stdout, "a.example\n");
    assert_eq!(get(&server, "notices")["added"]["Books"], serde_json::json!([1]));
    let fetch = format!("list fetch {url} --into blocked.txt");
    let first = world.run(&fetch);
    assert_eq!(first.stderr, "fetch: 1 entry, 1 added, 0 removed\n", "{}", first.whole());
    post(&server, "blocked", r#"{"add":["c.example","d.example"],"remove":["a.example"]}"#);
    version_with(&server, "blocked", 2);
    let second = world.run(&fetch);
    assert_eq!(second.stderr, "fetch: 2 entries, 2 added, 1 removed\n", "{}", second.whole());
    let text = |name: &str| std::fs::read_to_string(world.path(name)).expect("it was fetched");
    assert_eq!(text("blocked.txt"), "c.example\nd.example\n");
    // Somebody has changed the file: the whole list is fetched.
    world.write("blocked.txt", "c.example\n");
    assert_eq!(world.run(&fetch).code, Some(0));
    assert_eq!(text("blocked.txt"), "c.example\nd.example\n");
    assert!(server.stop().success(), "{}", said(&world));
    let gone = world.run(&fetch);
    assert_eq!(
        (gone.code, text("blocked.txt").as_str()),
        (Some(1), "c.example\nd.example\n"),
        "{}",
        gone.whole()
    );
}

#[test]
fn a_client_with_a_key_takes_only_what_is_signed_with_it() {
    let world = World::new();
    create(&world, "blocked --kind host");
    assert_eq!(world.run("-q list add blocked a.example").code, Some(0));
    let ((secret, public), (_, other)) = (new_key_files(), new_key_files());
    world.write("secret.key", &secret);
    world.write("lists.pub", &public);
    world.write("other.pub", &other);
    let server = Server::start_in_time(&world, &["--list-key", "secret.key"]);
    let url = format!("http://{}/v1/lists/blocked", server.address);
    let fetched = |key: &str| run_now(&world, &format!("list fetch {url} --into blocked.txt --key {key}"));
    let signed = fetched("lists.pub");
    assert_eq!(signed.code, Some(0), "{}", signed.whole());
    post(&server, "blocked", r#"{"add":["b.example"]}"#);
    version_with(&server, "blocked", 2);
    let refused = fetched("other.pub");
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("signature"), "{}", refused.stderr);
    let text = || std::fs::read_to_string(world.path("blocked.txt")).expect("it was fetched");
    assert_eq!(text(), "a.example\n", "the old one stays");
    assert_eq!(fetched("lists.pub").code, Some(0));
    assert_eq!(text(), "a.example\nb.example\n");
    // A year later, what was signed then is not taken for the newest.
    let words = format!("list fetch {url} --into blocked.txt --key lists.pub --now 2100-01-01T00:00:00Z");
    let late = world.run(&words);
    assert!(late.code == Some(1) && late.stderr.contains("expired at"), "{}", late.whole());
}

#[test]
fn each_published_ranking_is_a_version_of_its_list() {
    let world = World::new();
    let log = "ts,item_id,category,quantity\n\
        2017-01-14T20:00:00Z,apple,Food/Fruit,3\n2017-01-14T21:00:00Z,saw,Tools,2\n";
    world.write("sales.csv", log);
    let rank = "rank --min-items 1 --window 24h";
    for words in ["-q ingest sales.csv", rank] {
        assert_eq!(world.run(words).code, Some(0));
    }
    let server = Server::start(&world, &[]);
    let list = "ranking/default";
    wait_until("the ranking is a list", || server.get(&format!("/v1/lists/{list}")).status == 200);
    let first = get(&server, list);
    assert_eq!(first["entries"], 4, "the shop and three categories");
    for (key, query) in [
        ("/", ""),
        ("Food", "category=Food"),
        ("Food/Fruit", "category=Food/Fruit"),
        ("Tools", "category=Tools"),
    ] {
        let shown: Value = parsed(&server.get(&format!("/v1/show?{query}")));
        assert_eq!(first["added"][key], shown, "{key}");
    }
    let text = server.get(&format!("/v1/lists/{list}.txt")).body;
    let line = text.lines().find_map(|line| line.strip_prefix("Tools\t")).expect("it has a line");
    assert_eq!(format!("{line}\n"), server.get("/v1/show?category=Tools").body, "byte for byte");
    world.write("more.csv", "ts,item_id,category,quantity\n2017-01-14T22:00:00Z,drill,Tools,5\n");
    for words in ["-q ingest more.csv", rank] {
        assert_eq!(world.run(words).code, Some(0));
    }
    let since = first["version"].as_str().expect("it has one");
    let mut delta = Value::Null;
    wait_until("the next ranking is a version", || {
        delta = get(&server, &format!("{list}?since={since}"));
        delta["version"] != since
    });
    let added = delta["added"].as_object().expect("a map");
    assert!(added["Tools"]["items"][0]["item_id"] == "drill", "{delta}");
    let refused = post(&server, list, r#"{"add":{"Tools":[]}}"#);
    assert_eq!(refused.status, 409, "{}", refused.body);
}

#[test]
fn what_was_acknowledged_is_in_the_list_after_kills() {
    let kills = std::env::var("TOPSELL_LIST_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS);
    let world = World::new();
    create(&world, "blocked");
    let mut chance = 11;
    // What each writer was told of its keys: whether they are in the list; none where it was not told.
    let mut told: BTreeMap<String, Option<bool>> = BTreeMap::new();
    let mut held: Option<(String, BTreeSet<String>)> = None;
    for round in 0..kills {
        let mut server = Server::start_in_time(&world, &[]);
        held = Some(followed(&server, held));
        let stops = AtomicBool::new(false);
        let after = Duration::from_millis(20 + next_random(&mut chance) % 700);
        let of_round = thread::scope(|scope| {
            let writers: Vec<_> = (0..WRITERS)
                .map(|writer| {
                    let (server, stops) = (&server, &stops);
                    scope.spawn(move || write(server, round, writer, stops))
                })
                .collect();
            holds_within(after, || false);
            let id = nix::unistd::Pid::from_raw(server.id().cast_signed());
            nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGKILL).expect("it is our child");
            stops.store(true, Ordering::Relaxed);
            writers.into_iter().flat_map(|writer| writer.join().expect("no panic")).collect::<Vec<_>>()
        });
        server.kill();
        told.extend(of_round);
    }
    assert!(told.values().any(Option::is_some), "no change was acknowledged");
    let server = Server::start_in_time(&world, &[]);
    let (_, entries) = followed(&server, held);
    for (key, is_there) in &told {
        assert!(is_there.is_none_or(|is_there| is_there == entries.contains(key)), "{key}: {is_there:?}");
    }
    assert!(entries.iter().all(|key| told.contains_key(key)), "nobody sent more");
    assert_eq!(world.run("list verify").code, Some(0));
}

/// The twenty lines of the book, as they are there.
#[test]
fn the_shell_client_of_the_book_follows_a_list() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/src/guides/lists.md");
    let page = std::fs::read_to_string(page).expect("the book has it");
    let script =
        page.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next()).expect("it has a script");
    assert!(script.lines().count() <= 20, "twenty lines");
    let world = World::new();
    world.write("follow-list", script);
    create(&world, "blocked --kind host");
    assert_eq!(world.run("-q list add blocked b.example a.example c.example").code, Some(0));
    let mut server = Server::start_in_time(&world, &[]);
    let url = format!("http://{}/v1/lists/blocked", server.address);
    let follow = || {
        let mut sh = std::process::Command::new("sh");
        sh.args(["follow-list", &url, "blocked.txt"]).current_dir(world.path(""));
        world.said(&mut sh, b"")
    };
    let text = || std::fs::read_to_string(world.path("blocked.txt")).expect("it was fetched");
    let first = follow();
    assert_eq!(
        (first.code, text().as_str()),
        (Some(0), "a.example\nb.example\nc.example\n"),
        "{}",
        first.whole()
    );
    let wait: u64 = first.stdout.trim().parse().expect("a number of seconds");
    assert!((1_620..=1_980).contains(&wait), "{wait}");
    post(&server, "blocked", r#"{"add":["0.example"],"remove":["b.example","c.example"]}"#);
    version_with(&server, "blocked", 2);
    assert_eq!((follow().code, text().as_str()), (Some(0), "0.example\na.example\n"));
    let answer = std::fs::read_to_string(world.path("blocked.txt.answer")).expect("it was fetched");
    assert!(answer.contains("\"full\":false"), "{answer}");
    // Somebody has changed the file: one fetch of the whole list.
    world.write("blocked.txt", "a.example\n");
    assert_eq!((follow().code, text().as_str()), (Some(0), "0.example\na.example\n"));
    world.write("blocked.txt.version", "x\n");
    assert_eq!((follow().code, text().as_str()), (Some(0), "0.example\na.example\n"));
    assert!(server.stop().success(), "{}", said(&world));
    assert_eq!((follow().code, text().as_str()), (Some(1), "0.example\na.example\n"), "the old one stays");
}

/// Adds keys, removes every third, and returns what was answered for each.
fn write(server: &Server, round: u64, writer: usize, stops: &AtomicBool) -> Vec<(String, Option<bool>)> {
    let mut told = Vec::new();
    for number in 0_u64.. {
        let key = format!("r{round}w{writer}n{number}");
        let send = |body: String| {
            let headers = "Content-Type: application/json\r\n";
            let answer = server.try_ask(&request("POST", "/v1/lists/blocked", headers, body.as_bytes()));
            answer.is_some_and(|answer| answer.status == 200)
        };
        let mut is_there = send(format!("{{\"add\":[\"{key}\"]}}")).then_some(true);
        if number % 3 == 0 && is_there.is_some() {
            is_there = send(format!("{{\"remove\":[\"{key}\"]}}")).then_some(false);
        }
        told.push((key, is_there));
        if stops.load(Ordering::Relaxed) || is_there.is_none() {
            break;
        }
    }
    told
}

/// A client that holds a version asks for what has changed, and checks that it leads to the whole list.
fn followed(server: &Server, held: Option<(String, BTreeSet<String>)>) -> (String, BTreeSet<String>) {
    let (since, mut entries) = held.unwrap_or_default();
    let delta = get(server, &format!("blocked?since={since}"));
    if delta["full"] == true {
        entries.clear();
    }
    for key in texts(&delta["removed"]) {
        entries.remove(&key);
    }
    entries.extend(texts(&delta["added"]));
    let whole = get(server, "blocked");
    assert_eq!(whole["version"], delta["version"], "nothing changes meanwhile");
    assert_eq!(texts(&whole["added"]), entries);
    (delta["version"].as_str().expect("it has one").to_owned(), entries)
}
