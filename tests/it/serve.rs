//! `topsell serve`: what it acknowledges is durable and counted once, and its answers are those of the commands.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use expect_test::expect;

use crate::faults::copy;
use crate::ingest::formats::{gzip, zstd};
use crate::processes::{holds_within, wait_until};
use crate::world::World;
use server::{Server, request, said};

mod against_commands;
mod currencies;
mod killed;
mod limits;
mod lists;
pub mod server;
pub mod tls;
mod traces;
mod versioned_lists;

fn event(hour: u32, item: &str, quantity: i32) -> String {
    format!(
        "{{\"ts\":\"2017-01-14T{hour:02}:30:00Z\",\"item_id\":\"{item}\",\"category\":\"Food/Fruit\",\"quantity\":{quantity}}}\n"
    )
}

/// Returns what a command prints as JSON on the world's lake.
fn printed(world: &World, words: &str) -> String {
    let said = world.run(&format!("{words} --json"));
    assert_eq!(said.code, Some(0), "{}", said.whole());
    said.stdout
}

#[test]
fn an_event_is_counted_when_it_is_answered_and_in_the_lake_after_the_stop() {
    let world = World::new();
    let mut server = Server::start(&world, &[]);
    let answer =
        server.post_json(&(event(20, "apple", 3) + &event(21, "pear", 1) + "{\"ts\":1,\"item_id\":\"x\"}\n"));
    expect![[r#"
        {"schema":1,"read":3,"accepted":2,"rejected":1,"position":"main.1:1","rejects":[{"line":3,"column":"ts","reason":"ts `1` is 1970-01-01T00:00:01Z, before 2000-01-01T00:00:00Z; pass --min-ts to accept such times"}]}
    "#]]
    .assert_eq(&answer.body);
    assert_eq!(answer.status, 200);
    let count = server.get("/v1/count?item=apple&item=pear&item=none&last=24h");
    expect![[r#"
        {"schema":1,"hours_from":"2017-01-14T01:00:00Z","hours_to":"2017-01-15T01:00:00Z","is_filling":true,"event_types":["purchase"],"category":null,"items":[{"item_id":"apple","purchases":1,"units":3,"amount":"0.0000","average":"0.0000"},{"item_id":"pear","purchases":1,"units":1,"amount":"0.0000","average":"0.0000"},{"item_id":"none","purchases":0,"units":0,"amount":"0.0000","average":null}]}
    "#]]
    .assert_eq(&count.body);
    assert!(server.stop().success(), "{}", said(&world));
    assert_eq!(printed(&world, "count apple pear none --last 24h"), count.body, "the lake has it");
    assert!(
        world.files("data/lake/log").iter().all(|name| !name.ends_with(".sealed")),
        "and the log does not"
    );
    // The next one continues.
    let mut server = Server::start(&world, &[]);
    assert_eq!(server.get("/v1/count?item=apple&item=pear&item=none&last=24h").body, count.body);
    assert!(server.post_json(&event(20, "apple", -1)).body.contains("main.2:1"));
    assert!(server.stop().success(), "{}", said(&world));
    assert!(printed(&world, "count apple").contains("\"units\":2"));
}

#[test]
fn the_parameters_are_the_options_of_the_command() {
    let world = World::new();
    let mut server = Server::start(&world, &["--subtract", "refund"]);
    let refund = event(22, "apple", 1).replace("{\"ts\"", "{\"event_type\":\"refund\",\"ts\"");
    let view = event(22, "apple", 1).replace("{\"ts\"", "{\"event_type\":\"view\",\"ts\"");
    assert_eq!(server.post_json(&(event(20, "apple", 3) + &refund + &view)).status, 200);
    let queries = [
        "item=apple",
        "item=apple&last=3h",
        "item=apple&event_type=view",
        "item=apple&event-type=view&event-type=purchase&by=hour&last=5h",
        "item=apple&by=day&last=7d&tz=Europe/Berlin",
        "item=apple&by=weekday&from=2017-01-01&to=2017-01-15&category=Food",
        "item=apple&item=pear&from=2017-01-14T20:10:00Z&at=2017-01-14T21:00:00Z",
        "item=apple&last=24h&at=1d",
        "item=apple&last=10min&at=2017-01-14T20:35:00Z",
        "item=apple&item=pear&last=300min&by=hour",
        "item=apple&last=2h&exact_times=true&at=2017-01-14T22:30:00.000001Z",
        "item=apple&from=2017-01-14T20:30:00Z&to=2017-01-14T22:30:00Z&exact_times",
        "item=apple&from=2017-01-14T20:00:00Z&to=2017-01-14T23:00:00Z&exact_times=&stat=sum",
        "item=apple&last=24h&stat=count,mean&event_type=view&stat=sum",
    ];
    let answers = queries.map(|query| server.get(&format!("/v1/count?{query}")));
    assert!(server.stop().success(), "{}", said(&world));
    for (query, answer) in queries.iter().zip(answers) {
        assert_eq!(answer.status, 200, "{query}: {}", answer.body);
        let words = query.split('&').fold(String::new(), |mut words, pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "exact_times" => words.push_str(" --exact-times"),
                "item" => write!(words, " {value}").expect("a text can grow"),
                _ => write!(words, " --{} {value}", name.replace('_', "-")).expect("a text can grow"),
            }
            words
        });
        assert_eq!(printed(&world, &format!("count --subtract refund {words}")), answer.body, "{query}");
    }
}

#[test]
fn a_question_that_cannot_be_answered_is_refused_with_a_reason() {
    let world = World::new();
    let server = Server::start(&world, &[]);
    let check = |answer: server::Answer, status: u16, body: &str| {
        assert_eq!((answer.status, answer.body.trim_end()), (status, body));
    };
    check(
        server.get("/v1/count?item=a&lst=24h"),
        400,
        "{\"schema\":1,\"error\":\"unknown parameter `lst`; known are item, last, from, to, at, exact_times, by, tz, event_type, subtract, category, top, stat\"}",
    );
    check(
        server.get("/v1/count?item=a&top=3"),
        400,
        "{\"schema\":1,\"error\":\"top and items cannot be used together\"}",
    );
    check(
        server.get("/v1/count?item=a&last=90s"),
        400,
        "{\"schema\":1,\"error\":\"last: `90s` is not a whole number of minutes; write 1min or 2min\"}",
    );
    check(
        server.get("/v1/count?item=a&stat=count,max"),
        400,
        "{\"schema\":1,\"error\":\"stat=`max` is not count, sum or mean\"}",
    );
    check(
        server.get("/v1/count?item=a&exact_times=maybe"),
        400,
        "{\"schema\":1,\"error\":\"exact_times=`maybe` is neither true nor false\"}",
    );
    check(
        server.get("/v1/count?item=a&from=2017-01-14&to=2017-01-13"),
        400,
        "{\"schema\":1,\"error\":\"from 2017-01-14T00:00:00Z is not before to 2017-01-13T00:00:00Z\"}",
    );
    check(
        server.get("/v1/count?item=a&to=2017-01-13"),
        400,
        "{\"schema\":1,\"error\":\"to needs from or last\"}",
    );
    check(
        server.get("/v1/count?item=a&from=1990-01-01&to=2050-01-01&by=hour"),
        400,
        "{\"schema\":1,\"error\":\"525960 numbers in one answer; at most 100000\"}",
    );
    check(
        server.get("/v1/top?last=36d"),
        400,
        "{\"schema\":1,\"error\":\"864 hours in one list; at most 840, `topsell top` lists longer ones\"}",
    );
    check(server.get("/v1/top?limit=0"), 400, "{\"schema\":1,\"error\":\"limit must be at least 1\"}");
    check(server.get("/v1/nothing"), 404, "{\"schema\":1,\"error\":\"there is no such path\"}");
    check(server.get("/v1/events"), 405, "{\"schema\":1,\"error\":\"the path has no such method\"}");
    check(
        server.get("/v1/show"),
        404,
        "{\"schema\":1,\"error\":\"there is no ranking in this lake yet\",\"hint\":\"publish a ranking with `topsell rank`\"}",
    );
    let many = (0..1_001).fold(String::from("/v1/count?"), |target, item| target + &format!("item={item}&"));
    check(
        server.get(many.trim_end_matches('&')),
        400,
        "{\"schema\":1,\"error\":\"too many items in one request; at most 1000\"}",
    );
    let all = server.post(
        "/v1/count?last=1h",
        "",
        (0..1_000).map(|item| format!("{item}\n")).collect::<String>().as_bytes(),
    );
    assert_eq!((all.status, all.body.matches("item_id").count()), (200, 1_000));
    // What is wrong with all lines, or with the body as a whole.
    assert_eq!(server.post_json("{\"item_id\":\"a\"}").status, 422);
    assert_eq!(server.post_json("").status, 400);
    assert_eq!(server.post("/v1/events", "Content-Type: text/plain\r\n", b"x").status, 415);
    assert_eq!(server.post("/v1/events", "Content-Type: text/csv\r\n", b"a,b\n1,2\n").status, 422);
    assert_eq!(server.post("/v1/events", "Content-Type: text/csv\r\n", b"PK\x03\x04zip").status, 400);
    assert_eq!(server.post_json("{\"ts\":").status, 422);
}

#[test]
fn the_description_of_the_interface_is_what_the_server_answers() {
    let world = World::new();
    let server = Server::start(&world, &[]);
    let document: serde_json::Value =
        serde_json::from_str(&server.get("/v1/openapi.json").body).expect("the description is JSON");
    assert_eq!(document["openapi"], "3.1.0");
    let paths = document["paths"].as_object().expect("there are paths");
    // Those that the metrics tell apart, which are all.
    let metrics = server.get("/metrics").body;
    for path in paths.keys() {
        assert!(metrics.contains(&format!("path=\"{path}\"")), "{path}");
    }
    assert_eq!(metrics.matches("status=\"2xx\"").count(), paths.len() + 1, "and `other`");
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().expect("a path has methods") {
            let method = method.to_ascii_uppercase();
            let answer = server.ask(&request(&method, path, "", b""));
            let is_there = !answer.body.contains("there is no such path") && answer.status != 405;
            assert!(is_there, "{method} {path}: {}", answer.body);
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let target = format!("{path}?{}=1", parameter["name"].as_str().expect("it has a name"));
                let answer = server.ask(&request(&method, &target, "", b""));
                assert!(!answer.body.contains("unknown parameter"), "{method} {target}: {}", answer.body);
            }
        }
    }
    let bodies = document["paths"]["/v1/events"]["post"]["requestBody"]["content"].as_object();
    for media_type in bodies.expect("there are bodies").keys() {
        let answer = server.post("/v1/events", &format!("Content-Type: {media_type}\r\n"), b"x");
        assert_ne!(answer.status, 415, "{media_type}");
    }
}

#[test]
fn bodies_come_in_many_forms() {
    let world = World::new();
    let mut server = Server::start(&world, &[]);
    let csv = "ts,item_id,quantity\n2017-01-14T20:00:00Z,mug,2\n";
    let check = |headers: &str, body: &[u8]| {
        let answer = server.post("/v1/events", headers, body);
        assert_eq!(answer.status, 200, "{headers}: {}", answer.body);
    };
    check("Content-Type: text/csv\r\n", csv.as_bytes());
    check("Content-Type: text/csv\r\nContent-Encoding: gzip\r\n", &gzip(csv.as_bytes()));
    check("Content-Type: text/csv; charset=utf-8\r\nContent-Encoding: zstd\r\n", &zstd(csv.as_bytes()));
    check("Content-Type: text/tab-separated-values\r\n", csv.replace(',', "\t").as_bytes());
    let one = "{\"ts\":\"2017-01-14T20:00:00Z\",\"item_id\":\"mug\",\"quantity\":2}";
    check("Content-Type: application/json\r\n", one.as_bytes());
    check("Content-Type: application/json\r\n", format!("[{one},{one}]").as_bytes());
    check("Content-Type: application/x-ndjson\r\n", format!("{one}\n{one}\n").as_bytes());
    let cloud = "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/shop\",\"type\":\"purchase\",\"subject\":\"mug\",\
                 \"time\":\"2017-01-14T20:00:00Z\",\"data\":{\"quantity\":2}}";
    check("Content-Type: application/cloudevents+json\r\n", cloud.as_bytes());
    // The same event again, in a batch with another one.
    let batch = format!("[{cloud},{}]", cloud.replace("\"1\",\"source\"", "\"2\",\"source\""));
    check("Content-Type: application/cloudevents-batch+json\r\n", batch.as_bytes());
    check(
        "Content-Type: application/cloudevents-batch+json\r\nContent-Encoding: gzip\r\n",
        &gzip(batch.as_bytes()),
    );
    let count = server.get("/v1/count?item=mug").body;
    assert!(count.contains("\"purchases\":11,\"units\":22"), "{count}");
    assert!(server.stop().success(), "{}", said(&world));
    assert_eq!(printed(&world, "count mug"), count);
}

#[test]
fn rankings_are_served_with_a_tag_by_which_they_are_cached() {
    let world = World::new();
    world.write("log.csv", "ts,item_id,category\n2017-01-14T20:00:00Z,apple,Food/Fruit\n");
    assert_eq!(world.run("ingest log.csv").code, Some(0));
    assert_eq!(world.run("rank --min-items 0").code, Some(0));
    let server = Server::start(&world, &[]);
    for (query, words) in [
        ("", ""),
        ("?category=Food&limit=1", "Food -n 1"),
        ("?categories=true&tree", "--categories --tree"),
        ("?item=apple", "--item apple"),
        ("?search=app", "--search app"),
    ] {
        let answer = server.get(&format!("/v1/show{query}"));
        assert_eq!(answer.body, printed(&world, &format!("show {words}")), "{query}");
    }
    let first = server.get("/v1/show");
    let tag = first.header("etag").expect("it has a tag").to_owned();
    assert_eq!(first.header("topsell-ranking-age"), Some("0"));
    let again = server.get_with("/v1/show", &format!("If-None-Match: {tag}\r\n"));
    assert_eq!((again.status, again.body.as_str(), again.header("etag")), (304, "", Some(tag.as_str())));
    world.write("more.csv", "ts,item_id,category\n2017-01-14T21:00:00Z,pear,Food/Fruit\n");
    assert_eq!(world.run("ingest more.csv").code, Some(0));
    assert_eq!(world.run("rank --min-items 0").code, Some(0));
    let changed = server.get_with("/v1/show", &format!("If-None-Match: {tag}\r\n"));
    assert_eq!(changed.status, 200);
    assert_eq!(changed.body, printed(&world, "show"));
    let unknown = server.get("/v1/show?category=Foot");
    assert_eq!(unknown.status, 404);
    assert!(unknown.body.contains("did you mean Food?"), "{}", unknown.body);
}

#[test]
fn a_lake_has_one_server() {
    let world = World::new();
    let mut server = Server::start(&world, &[]);
    let second = world.run("serve --listen 127.0.0.1:0");
    assert_eq!(second.code, Some(6), "{}", second.whole());
    assert!(second.stderr.contains("serve (process "), "{}", second.whole());
    let upgrade = world.run("lake upgrade");
    assert!(upgrade.code == Some(0) || upgrade.code == Some(6), "{}", upgrade.whole());
    server.kill();
    assert!(Server::start(&world, &[]).stop().success(), "a lock does not outlive its holder");
}

#[test]
fn only_who_has_a_token_may_ask_or_send() {
    let world = World::new();
    let open = world.run("serve --listen 0.0.0.0:0");
    expect![[r#"
        stderr: error: --listen 0.0.0.0:0 is reachable from other machines; pass --token-file, or listen on 127.0.0.1
        exit code 2
    "#]]
    .assert_eq(&open.whole());
    world.write("tokens.txt", "read abcdefghijklmnop\nwrite 0123456789abcdef\n");
    let server = Server::start(&world, &["--token-file", "tokens.txt"]);
    let bearer = |token: &str| format!("Authorization: Bearer {token}\r\n");
    let (read, write) = (bearer("abcdefghijklmnop"), bearer("0123456789abcdef"));
    assert_eq!(server.get("/v1/count?item=a").status, 401);
    assert_eq!(server.get("/metrics").status, 401);
    assert_eq!(server.get("/healthz").status, 200);
    assert_eq!(server.get_with("/v1/count?item=a", &read).status, 200);
    assert_eq!(server.get_with("/v1/count?item=a", &write).status, 200);
    assert_eq!(server.get_with("/v1/count?item=a", &bearer("abcdefghijklmnoq")).status, 401);
    let json = "Content-Type: application/json\r\n";
    let post =
        |headers: &str| server.post("/v1/events", &format!("{json}{headers}"), event(20, "a", 1).as_bytes());
    assert_eq!((post("").status, post(&read).status, post(&write).status), (401, 401, 200));
    assert_eq!(post("").header("www-authenticate"), Some("bearer"));
}

#[test]
fn requests_that_are_too_large_or_break_off_leave_nothing_behind() {
    let world = World::new();
    let server = Server::start(&world, &[]);
    let json = "Content-Type: application/json\r\n";
    assert_eq!(server.post("/v1/events", json, &vec![b' '; (16 << 20) + 1]).status, 413);
    let bomb = gzip(event(20, "bomb", 1).repeat(300_000).as_bytes());
    assert!(bomb.len() < 1 << 20, "it is small when compressed");
    assert_eq!(server.post("/v1/events", json, &bomb).status, 413);
    // A body that breaks off, one that is shorter than it says, and a request that never comes.
    let whole = request("POST", "/v1/events", json, event(20, "half", 1).as_bytes());
    for _ in 0..3 {
        let mut stream = server.connect().expect("it listens");
        stream.write_all(&whole[..whole.len() - 5]).expect("it reads");
        drop(stream);
    }
    let idle: Vec<_> = (0..300).map(|_| server.connect().expect("it listens")).collect();
    let malformed = server.try_ask(b"GET /healthz HTTP/1.1\r\nno header\r\n\r\n");
    assert!(malformed.is_none_or(|answer| answer.status == 400), "it is refused");
    assert_eq!(server.get("/v1/count?item=half&item=bomb").body.matches("\"units\":0").count(), 2);
    // The system has accepted them all; the server does so one by one.
    wait_until("all connections are open", || {
        let metrics = server.get("/metrics").body;
        let connections = metrics.lines().find_map(|line| line.strip_prefix("topsell_server_connections "));
        connections.and_then(|count| count.parse::<u32>().ok()) > Some(300)
    });
    let metrics = server.get("/metrics").body;
    assert!(
        metrics.contains("topsell_server_requests_total{path=\"/v1/events\",status=\"4xx\"} 5"),
        "{metrics}"
    );
    assert!(metrics.contains("topsell_server_events_accepted_total 0"), "{metrics}");
    drop(idle);
    let status: serde_json::Value =
        serde_json::from_str(&server.get("/v1/status").body).expect("the status is JSON");
    assert_eq!(status["ready"], true);
}

/// A commit that this program does not write made the server take all batches for committed, and delete its log.
#[test]
fn what_is_in_the_log_alone_stays_there_whatever_others_commit() {
    let world = World::new();
    let mut server = Server::start(&world, &[]);
    assert_eq!(server.post_json(&event(20, "apple", 1)).status, 200);
    server.kill();
    let log = "data/lake/events/_delta_log";
    let first = std::fs::read_to_string(world.path(&format!("{log}/{:020}.json", 0)))
        .expect("there is a first commit");
    let metadata = first.lines().find(|line| line.contains("metaData")).expect("it creates the table");
    world.write(
        &format!("{log}/{:020}.json", 1),
        format!("{{\"commitInfo\":{{\"timestamp\":1}}}}\n{metadata}\n"),
    );
    let mut server = Server::start(&world, &[]);
    for query in ["item=apple", "item=apple&last=48h"] {
        assert!(server.get(&format!("/v1/count?{query}")).body.contains("\"units\":1,"), "{query}");
    }
    assert!(server.stop().success(), "{}", said(&world));
    assert!(printed(&world, "count apple").contains("\"units\":1,"), "{}", said(&world));
}

#[test]
fn a_damaged_log_is_named_and_a_torn_end_is_cut() {
    let world = World::new();
    let mut server = Server::start(&world, &[]);
    for item in ["a", "b", "c"] {
        assert_eq!(server.post_json(&event(20, item, 1)).status, 200);
    }
    server.kill();
    let logs = world.files("data/lake/log");
    let segment = logs.iter().find(|name| name.ends_with(".open")).expect("it was open");
    let path = world.path(&format!("data/lake/log/{segment}"));
    let intact = std::fs::read(&path).expect("it is there");
    let mut damaged = intact.clone();
    // In the first of three records, of which each was acknowledged.
    damaged[140] ^= 1;
    std::fs::write(&path, &damaged).expect("it can be written");
    let refused = world.run("serve --listen 127.0.0.1:0");
    assert_eq!(refused.code, Some(3), "{}", refused.whole());
    assert!(refused.stderr.contains(segment.as_str()), "{}", refused.whole());
    std::fs::write(&path, &intact).expect("it can be written");
    let server = Server::start(&world, &[]);
    assert_eq!(server.get("/v1/count?item=a&item=b&item=c").body.matches("\"units\":1").count(), 3);
}

#[test]
fn a_catalog_that_changes_is_read_again() {
    let world = World::new();
    world.write("items.csv", "item_id,category\napple,Food\n");
    let server = Server::start_in_time(&world, &["--catalog", "items.csv"]);
    let bare = "{\"ts\":\"2017-01-14T20:00:00Z\",\"item_id\":\"apple\"}";
    let units = |category: &str| {
        let body = server
            .get(&format!("/v1/count?item=apple&from=2017-01-14&to=2017-01-15&category={category}"))
            .body;
        body.split("\"units\":").nth(1).and_then(|rest| rest.split(',').next().map(str::to_owned))
    };
    assert_eq!(server.post_json(bare).status, 200);
    assert_eq!(
        (units("Food").as_deref(), units("Fresh").as_deref()),
        (Some("1"), None),
        "nothing was ever sold there"
    );
    world.write("items.csv", "item_id,category\napple,Fresh/Fruit\n");
    wait_until("the catalog is read again", || {
        assert_eq!(server.post_json(bare).status, 200);
        units("Fresh").as_deref() == Some("1")
    });
    // One that cannot be read does not replace it.
    world.write("items.csv", "no,catalog\n1,2\n");
    wait_until("it is said", || {
        assert_eq!(server.post_json(bare).status, 200);
        said(&world).contains("the catalog that was read before stays in use")
    });
}

#[test]
fn a_request_with_a_key_counts_once_however_often_it_is_sent() {
    let world = World::new();
    let mut server = Server::start(&world, &[]);
    let send = |server: &Server, key: &str, body: &str| {
        let headers = format!("Content-Type: application/x-ndjson\r\nIdempotency-Key: {key}\r\n");
        server.post("/v1/events", &headers, body.as_bytes()).status
    };
    let units = |server: &Server| {
        server
            .get("/v1/count?item=apple")
            .body
            .split("\"units\":")
            .nth(1)
            .map(|rest| rest.split(',').next().unwrap_or_default().to_owned())
    };
    // Two of the events say the same, and are two.
    let body = event(20, "apple", 1) + &event(20, "apple", 1) + &event(21, "apple", 3);
    for _ in 0..3 {
        assert_eq!(send(&server, "\"order-17\"", &body), 200);
        assert_eq!(units(&server).as_deref(), Some("5"));
    }
    assert!(server.stop().success(), "{}", said(&world));
    let mut server = Server::start(&world, &[]);
    // A line that was rejected changes no id of the others.
    assert_eq!(send(&server, "order-17", &("{\"ts\":1,\"item_id\":\"x\"}\n".to_owned() + &body)), 200);
    assert_eq!(units(&server).as_deref(), Some("5"), "also after it is in the lake");
    assert_eq!(send(&server, "order-18", &body), 200);
    assert_eq!(units(&server).as_deref(), Some("10"), "another request");
    for bad in ["", "a b", "é", &"x".repeat(129)] {
        assert_eq!(send(&server, bad, &body), 400, "{bad}");
    }
    assert!(server.stop().success(), "{}", said(&world));
    assert!(printed(&world, "count apple").contains("\"units\":10,"));
}

/// Four clients read each of their events back as soon as it is acknowledged, while the server moves segments to the lake
/// all the time and other commands change it.
#[test]
fn whoever_is_told_that_an_event_is_accepted_finds_it_whatever_happens_beside() {
    let world = World::new();
    let mut server = Server::start(&world, &["--segment-age", "0s"]);
    let is_over = AtomicBool::new(false);
    let items: Vec<String> = std::thread::scope(|scope| {
        let beside = scope.spawn(|| {
            for number in 0.. {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                world.write("file.csv", format!("ts,item_id\n2017-01-14T20:00:00Z,file{number}\n"));
                for command in ["ingest file.csv", "rollup", "lake compact"] {
                    let said = world.run(command);
                    assert_eq!(said.code, Some(0), "{}", said.whole());
                }
            }
        });
        let clients: Vec<_> = (0..4)
            .map(|client| {
                let server = &server;
                scope.spawn(move || {
                    let mut items = Vec::new();
                    // At least until segments were moved several times, however slow the disk is.
                    while items.len() < 40 || committed_segments(server) < 4 {
                        assert!(items.len() < 10_000, "{}", server.get("/v1/status").body);
                        let item = format!("c{client}n{}", items.len());
                        // Each item is sold twice, with ids, and the first sale is sent twice.
                        let sale = event(21, &item, 1).replace("{\"ts\"", "{\"event_id\":\"one\",\"ts\"");
                        for (body, units) in [(&sale, 1), (&sale, 1), (&event(20, &item, 2), 3)] {
                            assert_eq!(server.post_json(body).status, 200);
                            let found = server.get(&format!("/v1/count?item={item}")).body;
                            assert!(found.contains(&format!("\"units\":{units},")), "{units} of {found}");
                        }
                        items.push(item);
                    }
                    items
                })
            })
            .collect();
        let items = clients.into_iter().flat_map(|client| client.join().expect("no panic")).collect();
        is_over.store(true, Ordering::Relaxed);
        beside.join().expect("no panic");
        items
    });
    assert!(server.stop().success(), "{}", said(&world));
    let counts = printed(&world, &format!("count {}", items.join(" ")));
    assert_eq!(counts.matches("\"units\":3,").count(), items.len(), "{counts}");
}

/// Returns how many segments a server has moved to the lake.
fn committed_segments(server: &Server) -> u64 {
    let status: serde_json::Value =
        serde_json::from_str(&server.get("/v1/status").body).expect("the status is JSON");
    status["committed_segments"].as_u64().expect("they are counted")
}

#[test]
fn recent_hours_are_counted_in_memory_and_every_event_at_once() {
    let world = World::new();
    world.write("log.csv", "ts,item_id,category,quantity\n2017-01-14T20:00:00Z,apple,Food,10\n");
    assert_eq!(world.run("ingest log.csv").code, Some(0));
    let server = Server::start(&world, &[]);
    let status = |field: &str| -> serde_json::Value {
        let status: serde_json::Value =
            serde_json::from_str(&server.get("/v1/status").body).expect("the status is JSON");
        status[field].clone()
    };
    wait_until("the lake is read", || status("recent_in_memory") == true);
    for number in 1..=50 {
        // Some with an id, which comes again, and one in five of them with other contents.
        let id = format!("{{\"event_id\":\"e{}\",\"ts\"", number / 2);
        let event = event(21, if number % 5 == 0 { "pear" } else { "apple" }, 1).replace("{\"ts\"", &id);
        assert_eq!(server.post_json(&event).status, 200);
        let last = server.get("/v1/count?item=apple&item=pear&last=24h").body;
        let whole = server.get("/v1/count?item=apple&item=pear&from=2017-01-01").body;
        let items = |body: &str| body.split("\"items\"").nth(1).map(str::to_owned);
        assert_eq!(items(&last), items(&whole), "after {number}, in memory and in the lake");
    }
    assert!(status("counts_from_memory").as_u64() >= Some(50), "{}", status("counts_from_memory"));
    assert_eq!(status("recent_in_memory"), true);
}

#[test]
fn the_last_minutes_are_counted_in_memory_unless_only_the_lake_tells() {
    let world = World::new();
    let log = "ts,item_id,event_id\n2017-01-14T23:40:00Z,apple,known\n2017-01-14T23:41:00Z,apple,\n\
               2017-01-14T22:10:00Z,apple,\n";
    world.write("log.csv", log);
    assert_eq!(world.run("ingest log.csv").code, Some(0));
    let server = Server::start(&world, &[]);
    let from_memory = || -> Option<u64> {
        let status: serde_json::Value = serde_json::from_str(&server.get("/v1/status").body).ok()?;
        status["counts_from_memory"].as_u64().filter(|_| status["recent_in_memory"] == true)
    };
    wait_until("the lake is read", || from_memory().is_some());
    let check = |events: u64, is_from_memory: bool| {
        let before = from_memory().expect("it stays in memory");
        let last = server.get("/v1/count?item=apple&last=45min&stat=count").body;
        assert_eq!(from_memory(), Some(before + u64::from(is_from_memory)), "after {events}");
        let exact = "from=2017-01-14T23:15:59.999999Z&to=2017-01-15T00:01:00Z&exact_times=true&stat=count";
        let exact = server.get(&format!("/v1/count?item=apple&{exact}")).body;
        assert_eq!(from_memory(), Some(before + u64::from(is_from_memory)), "microseconds are in the lake");
        for body in [last, exact] {
            assert!(body.contains(&format!("\"events\":{events}}}")), "{events} of {body}");
        }
    };
    let post = |minute: u64, id: u64| {
        let event =
            format!("{{\"ts\":\"2017-01-14T23:{minute}:30Z\",\"item_id\":\"apple\",\"event_id\":\"e{id}\"}}");
        assert_eq!(server.post_json(&event).status, 200);
    };
    check(2, true);
    for number in 1..=20 {
        // Each id comes twice, with the same content.
        post(20 + number / 2, number / 2);
        check(3 + number / 2, true);
    }
    // Before the minutes that are asked for, and another version of an event of theirs.
    post(10, 99);
    check(13, true);
    post(10, 5);
    check(12, false);
}

/// A server whose counts were read again after every rollup read the lake most of the time.
#[test]
fn a_rollup_is_no_reason_to_read_the_recent_hours_again_unless_it_repairs() {
    let world = World::new();
    world.write("log.csv", "ts,item_id,category,quantity\n2017-01-14T20:00:00Z,apple,Food,10\n");
    for command in ["ingest log.csv", "rollup"] {
        assert_eq!(world.run(command).code, Some(0));
    }
    let server = Server::start(&world, &["--segment-age", "0s"]);
    let reads = || said(&world).matches("read the counts of").count();
    wait_until("the lake is read", || reads() == 1);
    for number in 0..3 {
        assert_eq!(server.post_json(&event(20, "pear", 1)).status, 200);
        for command in ["rollup", "lake compact"] {
            assert_eq!(world.run(command).code, Some(0));
        }
        // Longer than it takes to notice.
        assert!(!holds_within(Duration::from_millis(500), || reads() > 1), "{}", said(&world));
        let found = server.get("/v1/count?item=pear").body;
        assert!(found.contains(&format!("\"units\":{},", number + 1)), "{found}");
    }
    assert_eq!(reads(), 1, "{}", said(&world));
    for name in world.files("data/lake/rollups") {
        if name.ends_with(".parquet") && name.starts_with("event_type") {
            world.write(&format!("data/lake/rollups/{name}"), "no Parquet");
        }
    }
    let repaired = world.run("rollup --all");
    assert_eq!(repaired.code, Some(3), "{}", repaired.whole());
    wait_until("the lake is read again", || reads() == 2);
    assert!(server.get("/v1/count?item=pear").body.contains("\"units\":3,"));
}

/// Returns the units of an item by the hour, without the server.
fn counted(lake: &Path, world: &World, item: &str) -> String {
    printed(world, &format!("--lake {} count {item} --by hour", lake.display()))
}

#[test]
fn what_other_commands_do_beside_it_shows_at_once() {
    let world = World::new();
    let server = Server::start(&world, &[]);
    assert_eq!(server.post_json(&event(20, "apple", 1)).status, 200);
    let units = || {
        let body = server.get("/v1/count?item=apple").body;
        let units = body.split("\"units\":").nth(1).and_then(|rest| rest.split(',').next());
        units.and_then(|units| units.parse::<i64>().ok()).expect("it has units")
    };
    world.write("log.csv", "ts,item_id,category,quantity\n2017-01-14T20:00:00Z,apple,Food,10\n");
    assert_eq!(world.run("ingest --batch-id till log.csv").code, Some(0));
    wait_until("it shows", || units() == 11);
    assert_eq!(world.run("rollup").code, Some(0));
    assert_eq!(units(), 11);
    world.write("log.csv", "ts,item_id,category,quantity\n2017-01-14T20:00:00Z,apple,Food,100\n");
    assert_eq!(world.run("ingest --force --batch-id till log.csv").code, Some(0));
    wait_until("it shows", || units() == 101);
    assert_eq!(world.run("lake compact").code, Some(0));
    assert_eq!(world.run("rank --min-items 0").code, Some(0));
    assert_eq!(units(), 101);
    wait_until("it says so", || said(&world).contains("ready"));
    copy(&world.path("data/lake"), &world.path("copy"));
    assert!(counted(&world.path("copy"), &world, "apple").contains("\"units\":100"));
}
