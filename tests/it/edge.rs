//! A server that follows another one: the same answers, also when that one is away and right after its own restart.

use std::fmt::Write as _;

use topsell_lists::new_key_files;

use crate::processes::{next_random, wait_until};
use crate::serve::server::{Answer, Server, request, said};
use crate::world::World;

const CATEGORIES: usize = 30;
const NOBODY: &str = "http://127.0.0.1:9";
const JSON: &str = "Content-Type: application/json\r\n";

/// Returns a world whose lake is ranked, with `item` as the best of each category.
fn shop(item: &str) -> World {
    let world = World::new();
    rank(&world, "first", item, "2017-01-15");
    world
}

fn rank(world: &World, log: &str, item: &str, as_of: &str) {
    let mut lines = String::from("ts,event_id,item_id,category,quantity\n");
    for at in 0..CATEGORIES {
        let sale = format!("2017-01-14T20:00:00Z,{log}-{at},{item},Shop/Ä \"{at}\",3");
        writeln!(lines, "{}", sale.replace("Ä \"", "Ä-").replace('"', "")).expect("a text can grow");
    }
    world.write(&format!("{log}.csv"), lines);
    for command in
        [format!("ingest {log}.csv"), format!("rank --window 48h --no-decay --min-items 0 --as-of {as_of}")]
    {
        let done = world.run(&command);
        assert_eq!(done.code, Some(0), "{command}: {}", done.whole());
    }
}

/// Returns what is asked for: each category, the one above them, and the whole shop.
fn targets() -> Vec<String> {
    let categories = (0..CATEGORIES).map(|at| format!("/v1/show?category=Shop/%C3%84-{at}"));
    categories.chain(["/v1/show?category=Shop".to_owned(), "/v1/show".to_owned()]).collect()
}

fn answers(server: &Server) -> Vec<String> {
    let answers = targets().into_iter().map(|target| {
        let answer = server.get(&target);
        assert_eq!(answer.status, 200, "{target}: {}", answer.body);
        answer.body
    });
    answers.collect()
}

/// Starts a server that follows another one, and waits until it holds a list.
fn follow(world: &World, upstream: &str, more: &[&str]) -> Server {
    Server::start_in_time(world, &[&["--upstream", upstream], more].concat())
}

fn url(server: &Server) -> String {
    format!("http://{}", server.address)
}

/// Waits until a server answers with a body that holds some text.
fn wait_for(server: &Server, target: &str, text: &str) -> Answer {
    let mut last = None;
    wait_until(&format!("{target} has {text}"), || {
        last = server.try_get(target);
        last.as_ref().is_some_and(|answer| answer.status == 200 && answer.body.contains(text))
    });
    last.expect("it has answered")
}

/// Returns how often a server was asked for something, by its log.
fn asked(world: &World, is_it: impl Fn(&str) -> bool) -> usize {
    said(world).lines().filter(|line| line.contains("/v1/lists") && is_it(line)).count()
}

fn create_blocked(server: &Server) {
    let body = br#"{"kind":"host","publish_every":"1s"}"#;
    let created = server.ask(&request("PUT", "/v1/lists/blocked", JSON, body));
    assert_eq!(created.status, 201, "{}", created.body);
    add(server, "first.example");
}

fn add(server: &Server, host: &str) {
    let body = format!("{{\"add\":[\"{host}\"]}}");
    let added = server.post("/v1/lists/blocked", JSON, body.as_bytes());
    assert_eq!(added.status, 200, "{}", added.body);
}

#[test]
fn an_edge_answers_as_its_origin_and_goes_on_when_that_is_away_and_after_its_own_death() {
    let (shop, edge_world) = (shop("apple"), World::new());
    let mut origin = Server::start_in_time(&shop, &["--access-log", "all"]);
    create_blocked(&origin);
    let mut edge = follow(&edge_world, &url(&origin), &[]);
    let expected = answers(&origin);
    wait_for(&edge, "/v1/show", "apple");
    assert_eq!(answers(&edge), expected);
    assert_eq!(wait_for(&edge, "/v1/lists/blocked.txt", "first").body, "first.example\n");
    let whole = |line: &str| line.contains("/v1/lists/ranking/default") && !line.contains("since=");
    assert_eq!(asked(&shop, whole), 1, "with an empty disk, once: {}", said(&shop));
    let answer = edge.get("/v1/show?category=Shop");
    assert_eq!(answer.header("topsell-stale"), Some("false"));
    assert!(answer.header("topsell-as-of").is_some() && answer.header("topsell-synced").is_some());
    let tag = answer.header("etag").expect("it has a tag").to_owned();
    assert_eq!(edge.get_with("/v1/show?category=Shop", &format!("If-None-Match: {tag}\r\n")).status, 304);
    // What an edge does not have is said, with where it is.
    let unknown = edge.get("/v1/show?category=Toys");
    assert_eq!(unknown.status, 404, "{}", unknown.body);
    let other = edge.get("/v1/show?item=apple");
    assert_eq!(other.status, 400, "{}", other.body);
    assert!(edge.get("/v1/count?item=apple").body.contains("ask the server that it follows"));
    // A change is there soon, by a long poll.
    add(&origin, "second.example");
    wait_for(&edge, "/v1/lists/blocked.txt", "second");
    // Stopped, it has written what it held; killed, what it held some seconds ago.
    edge.stop();
    let edge = follow(&edge_world, &url(&origin), &[]);
    assert_eq!(answers(&edge), expected);
    assert_eq!(edge.get("/v1/lists/blocked.txt").body, "first.example\nsecond.example\n");
    assert_eq!(asked(&shop, whole), 1, "with its disk, no more: {}", said(&shop));
    origin.kill();
    assert_eq!(answers(&edge), expected, "the origin is away");
    let mut edge = edge;
    edge.kill();
    let edge = follow(&edge_world, NOBODY, &[]);
    assert_eq!(answers(&edge), expected, "the origin is away, and nothing was in memory");
    assert_eq!(edge.get("/v1/lists/blocked.txt").body, "first.example\nsecond.example\n");
    let write = edge.post("/v1/lists/blocked", JSON, br#"{"add":["third.example"]}"#);
    assert_eq!(write.status, 502, "{}", write.body);
}

#[test]
fn writes_are_passed_on_and_a_new_ranking_arrives() {
    let (shop, edge_world) = (shop("apple"), World::new());
    let origin = Server::start_in_time(&shop, &[]);
    create_blocked(&origin);
    let edge = follow(&edge_world, &url(&origin), &[]);
    wait_for(&edge, "/v1/lists/blocked.txt", "first");
    add(&edge, "second.example");
    assert!(wait_for(&origin, "/v1/lists/blocked.txt", "second").body.contains("first"));
    wait_for(&edge, "/v1/lists/blocked.txt", "second");
    let wrong = edge.post("/v1/lists/blocked", JSON, br#"{"add":["no host"]}"#);
    let same = origin.post("/v1/lists/blocked", JSON, br#"{"add":["no host"]}"#);
    assert_eq!((wrong.status, wrong.body.trim()), (same.status, same.body.trim()));
    let before = edge.get("/v1/status").body;
    rank(&shop, "second", "pear", "2017-01-15T01:00:00Z");
    wait_for(&edge, "/v1/show?category=Shop/%C3%84-3", "pear");
    assert_eq!(answers(&edge), answers(&origin));
    assert_ne!(edge.get("/v1/status").body, before);
    // A client of the edge follows its lists, as it would the origin's.
    let address = format!("{}/v1/lists/blocked", url(&edge));
    let fetched = edge_world.run(&format!("list fetch {address} --into blocked.txt"));
    assert_eq!(fetched.code, Some(0), "{}", fetched.whole());
    let text = std::fs::read_to_string(edge_world.path("blocked.txt")).expect("it was fetched");
    assert_eq!(text, "first.example\nsecond.example\n");
}

#[test]
fn a_flipped_byte_on_disk_is_found_and_fetched_again() {
    let (shop, edge_world) = (shop("apple"), World::new());
    let origin = Server::start_in_time(&shop, &[]);
    let mut edge = follow(&edge_world, &url(&origin), &[]);
    let expected = answers(&edge);
    edge.stop();
    let file = edge_world.path("data/edge/held/ranking~default.list");
    let whole = std::fs::read(&file).expect("it was written");
    let mut random = 5;
    for _ in 0..8 {
        let mut bytes = whole.clone();
        let at = usize::try_from(next_random(&mut random)).expect("it is small") % bytes.len();
        bytes[at] ^= 1 << (next_random(&mut random) % 8);
        std::fs::write(&file, &bytes).expect("it can be written");
        let mut edge = Server::listening_in_time(&edge_world, &["--upstream", NOBODY]);
        let answer = edge.get("/v1/show?category=Shop");
        // A bit of what is only a note may differ; a figure never does.
        assert!(
            answer.status == 503 || expected.contains(&answer.body),
            "byte {at}: {} {}",
            answer.status,
            answer.body
        );
        edge.kill();
    }
    let both = format!("{NOBODY},{}", url(&origin));
    let edge = follow(&edge_world, &both, &[]);
    wait_for(&edge, "/v1/show", "apple");
    assert_eq!(answers(&edge), expected);
}

#[test]
fn several_upstreams_are_tried_in_turn() {
    let (one, two, edge_world) = (shop("apple"), shop("pear"), World::new());
    let mut first = Server::start_in_time(&one, &[]);
    let second = Server::start_in_time(&two, &[]);
    let both = format!("{},{}", url(&first), url(&second));
    let edge = follow(&edge_world, &both, &[]);
    wait_for(&edge, "/v1/show", "apple");
    first.kill();
    wait_for(&edge, "/v1/show", "pear");
    assert_eq!(answers(&edge), answers(&second));
}

#[test]
fn what_is_too_old_is_refused_where_that_is_asked_for() {
    let (shop, edge_world) = (shop("apple"), World::new());
    let mut origin = Server::start_in_time(&shop, &[]);
    let edge = follow(&edge_world, &url(&origin), &["--max-stale", "6s"]);
    // As long as the origin answers that there is nothing new, nothing is too old.
    let synced = edge.get("/v1/show").header("topsell-synced").map(str::to_owned);
    wait_until("it was asked again", || {
        let answer = edge.get("/v1/show");
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.header("topsell-synced").map(str::to_owned) > synced
    });
    origin.kill();
    wait_until("it is too old", || edge.get("/v1/show").status == 503);
    let refused = edge.get("/v1/show");
    assert!(refused.body.contains("older than --max-stale allows"), "{}", refused.body);
    assert!(refused.header("topsell-synced").is_some(), "{}", refused.head);
    assert_eq!(edge.get("/v1/lists/ranking/default").status, 503);
}

#[test]
fn a_version_that_is_not_signed_by_the_key_is_refused() {
    let (shop, edge_world) = (shop("apple"), World::new());
    let (secret, public) = new_key_files();
    let (_, other) = new_key_files();
    shop.write("list.key", &secret);
    edge_world.write("list.pub", &public);
    edge_world.write("other.pub", &other);
    let origin = Server::start_in_time(&shop, &["--list-key", "list.key"]);
    let upstream = url(&origin);
    let mut edge =
        Server::listening_in_time(&edge_world, &["--upstream", &upstream, "--upstream-key", "other.pub"]);
    wait_until("it is refused", || said(&edge_world).contains("an answer is not used"));
    assert_eq!(edge.get("/v1/show").status, 503);
    edge.stop();
    let edge = follow(&edge_world, &upstream, &["--upstream-key", "list.pub"]);
    assert_eq!(answers(&edge), answers(&origin));
    // Its own clients see the origin's signature.
    let address = format!("{}/v1/lists/ranking/default", url(&edge));
    let fetched = edge_world.run(&format!("list fetch {address} --into ranking.txt --key list.pub"));
    assert!(fetched.code == Some(0) || fetched.stderr.contains("expired"), "{}", fetched.whole());
}

#[test]
fn an_edge_that_is_killed_again_and_again_ends_with_exactly_the_list() {
    let (shop, edge_world) = (shop("apple"), World::new());
    let origin = Server::start_in_time(&shop, &[]);
    create_blocked(&origin);
    // A list begins empty, and that is a version too.
    wait_for(&origin, "/v1/lists/blocked.txt", "first.example");
    let upstream = url(&origin);
    let rounds = std::env::var("TOPSELL_EDGE_KILLS").ok().and_then(|rounds| rounds.parse::<u32>().ok());
    let rounds = rounds.unwrap_or(12);
    let (mut random, mut newest) = (3, "first.example".to_owned());
    for round in 0..rounds {
        let mut edge = follow(&edge_world, &upstream, &[]);
        let least = edge.get("/v1/lists/blocked.txt");
        assert!(
            [404, 503].contains(&least.status) || least.body.starts_with("first.example\n"),
            "never less than before: {}",
            least.body
        );
        for host in 0..next_random(&mut random) % 4 {
            newest = format!("host-{round}-{host}.example");
            add(&origin, &newest);
        }
        if round % 3 == 0 {
            wait_for(&edge, "/v1/lists/blocked.txt", &newest);
        }
        edge.kill();
    }
    add(&origin, "last.example");
    let edge = follow(&edge_world, &upstream, &[]);
    wait_for(&edge, "/v1/lists/blocked.txt", "last.example");
    wait_for(&origin, "/v1/lists/blocked.txt", "last.example");
    assert_eq!(edge.get("/v1/lists/blocked.txt").body, origin.get("/v1/lists/blocked.txt").body);
}
