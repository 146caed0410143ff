//! The lists of `/v1/top`: computed once for many, and streamed as they change.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::processes::wait_until;
use crate::serve::server::{Server, request, said};
use crate::world::World;

/// A change of a list is to show within a second; a busy machine gets more time.
const SOON: Duration = Duration::from_secs(10);

/// A client that follows a list.
struct Stream {
    lines: BufReader<TcpStream>,
    head: String,
}

/// An event that it was sent.
#[derive(Debug, PartialEq, Eq)]
struct Event {
    id: String,
    data: String,
}

impl Stream {
    fn open(server: &Server, query: &str, headers: &str) -> Stream {
        let mut stream = server.connect().expect("the server listens");
        stream.set_read_timeout(Some(SOON)).expect("a timeout can be set");
        let request = format!("GET /v1/top?{query} HTTP/1.1\r\nHost: shop\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).expect("the server reads");
        let mut opened = Stream { lines: BufReader::new(stream), head: String::new() };
        while let Some(line) = opened.line().filter(|line| !line.is_empty()) {
            opened.head += &(line.to_ascii_lowercase() + "\n");
        }
        opened
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.lines.read_line(&mut line).expect("the stream goes on or ends in order");
        (read > 0).then(|| line.trim_end().to_owned())
    }

    /// Returns the next event; none where the stream ends.
    fn next(&mut self) -> Option<Event> {
        let mut id = None;
        while let Some(line) = self.line() {
            if let Some(of) = line.strip_prefix("id: ") {
                id = Some(of.to_owned());
            } else if let Some(data) = line.strip_prefix("data: ") {
                return Some(Event { id: id.expect("an event has an id"), data: data.to_owned() });
            } else if line == "0" {
                assert_eq!(self.line().as_deref(), Some(""), "the body ends");
                assert_eq!(self.line(), None, "and the connection after it");
                return None;
            }
        }
        panic!("the stream breaks off");
    }
}

impl Event {
    /// Returns the list as `/v1/top` answers with it, and when it was computed.
    fn list(&self) -> (String, String) {
        let (list, computed_at) = self.data.rsplit_once(",\"computed_at\":\"").expect("it says when");
        (format!("{list}}}\n"), computed_at.trim_end_matches("\"}").to_owned())
    }
}

fn event(item: &str, quantity: u32) -> String {
    format!(
        "{{\"ts\":\"2017-01-14T20:30:00Z\",\"item_id\":\"{item}\",\"category\":\"Food\",\"quantity\":{quantity}}}\n"
    )
}

fn status(server: &Server, field: &str) -> u64 {
    let status: Value = serde_json::from_str(&server.get("/v1/status").body).expect("the status is JSON");
    status[field].as_u64().unwrap_or_else(|| panic!("{field} is a number: {status}"))
}

#[test]
fn a_stream_shows_each_purchase_within_a_second_and_is_the_list() {
    let world = World::new();
    let mut server = Server::start(&world, &[]);
    assert_eq!(server.post_json(&event("apple", 3)).status, 200);
    let mut stream = Stream::open(&server, "limit=5&stream", "");
    assert!(stream.head.contains(" 200 ok"), "{}", stream.head);
    assert!(stream.head.contains("content-type: text/event-stream\n"), "{}", stream.head);
    let list = || server.get("/v1/top?limit=5");
    let check = |event: &Event| {
        let (body, computed_at) = event.list();
        let list = list();
        assert_eq!(body, list.body);
        assert_eq!(Some(computed_at.to_ascii_lowercase().as_str()), list.header("topsell-computed-at"));
        assert_eq!(list.header("etag"), Some(format!("\"{}\"", event.id).as_str()));
    };
    check(&stream.next().expect("the list of now"));
    for quantity in 1..4 {
        assert_eq!(server.post_json(&event("pear", quantity)).status, 200);
        check(&stream.next().expect("it changes"));
    }
    // What others do to the lake shows, too.
    world.write("log.csv", "ts,item_id,category,quantity\n2017-01-14T20:00:00Z,ball,Toys,10\n");
    assert_eq!(world.run("ingest log.csv").code, Some(0));
    let changed = stream.next().expect("it changes");
    assert!(changed.data.contains("\"item_id\":\"ball\",\"units\":10"), "{changed:?}");
    check(&changed);
    // Many events are few changes, the last of which has all of them.
    for _ in 0..50 {
        assert_eq!(server.post_json(&event("plum", 1)).status, 200);
    }
    let mut changes = 0;
    let last = loop {
        let change = stream.next().expect("it changes");
        changes += 1;
        if change.data.contains("\"item_id\":\"plum\",\"units\":50,") {
            break change;
        }
    };
    assert!(changes < 25, "{changes} changes");
    check(&last);
    // Who has the list is told of the next change only.
    let mut other = Stream::open(&server, "limit=5&stream", &format!("Last-Event-ID: {}\r\n", last.id));
    assert_eq!(server.post_json(&event("apple", 60)).status, 200);
    let change = other.next().expect("it changes");
    assert!(change.data.contains("\"item_id\":\"apple\",\"units\":63,"), "{change:?}");
    assert_eq!(stream.next(), Some(change));
    // A stop ends them in order.
    assert!(server.stop().success(), "{}", said(&world));
    assert_eq!((stream.next(), other.next()), (None, None));
}

#[test]
fn many_streams_of_a_list_cost_one_computation_a_change() {
    let world = World::new();
    let mut server = Server::start(&world, &[]);
    assert_eq!(server.post_json(&event("apple", 1)).status, 200);
    let mut streams: Vec<Stream> =
        (0..200).map(|_| Stream::open(&server, "last=300min&limit=7&stream", "")).collect();
    // These never read.
    let silent: Vec<Stream> =
        (0..20).map(|_| Stream::open(&server, "last=300min&limit=7&stream", "")).collect();
    for stream in &mut streams {
        assert!(stream.next().expect("the list").data.contains("\"item_id\":\"apple\",\"units\":1,"));
    }
    assert_eq!(status(&server, "streams"), 220);
    for changes in 2..5 {
        let before = status(&server, "lists_computed");
        assert_eq!(server.post_json(&event("apple", 1)).status, 200);
        for stream in &mut streams {
            let change = stream.next().expect("it changes");
            assert!(
                change.data.contains(&format!("\"item_id\":\"apple\",\"units\":{changes},")),
                "{change:?}"
            );
        }
        assert_eq!(status(&server, "lists_computed"), before + 1);
    }
    streams.truncate(10);
    wait_until("the server knows who has left", || status(&server, "streams") == 30);
    assert!(server.stop().success(), "{}", said(&world));
    assert!(streams.iter_mut().all(|stream| stream.next().is_none()));
    drop(silent);
}

#[test]
fn so_many_lists_are_followed_and_one_more_is_refused() {
    let world = World::new();
    let mut server = Server::start(&world, &[]);
    let streams: Vec<Stream> =
        (1..65).map(|limit| Stream::open(&server, &format!("limit={limit}&stream"), "")).collect();
    assert!(streams.iter().all(|stream| stream.head.contains(" 200 ok")));
    let refused = server.get("/v1/top?limit=65&stream");
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    // One that is followed already has room, and the list itself is no stream.
    assert!(Stream::open(&server, "limit=64&stream", "").head.contains(" 200 ok"));
    assert_eq!(server.get("/v1/top?limit=65").status, 200);
    drop(streams);
    wait_until("there is room again", || {
        Stream::open(&server, "limit=65&stream", "").head.contains(" 200 ok")
    });
    assert!(server.stop().success(), "{}", said(&world));
}

#[test]
fn equal_questions_between_two_events_cost_one_computation() {
    let world = World::new();
    let server = Arc::new(Server::start(&world, &[]));
    for units in 1..4 {
        assert_eq!(server.post_json(&event("apple", 1)).status, 200);
        let before = status(&server, "lists_computed");
        let asking: Vec<_> = (0..20)
            .map(|_| {
                let server = Arc::clone(&server);
                thread::spawn(move || {
                    (0..5).map(|_| server.get("/v1/top?last=300min").body).collect::<Vec<_>>()
                })
            })
            .collect();
        for thread in asking {
            for body in thread.join().expect("no panic") {
                assert!(body.contains(&format!("\"item_id\":\"apple\",\"units\":{units},")), "{body}");
            }
        }
        assert_eq!(status(&server, "lists_computed"), before + 1, "of 100 requests");
    }
    assert!(status(&server, "lists_shared") >= 3 * 99);
    // What other commands do is a change, too.
    world.write("log.csv", "ts,item_id,category,quantity\n2017-01-14T20:00:00Z,apple,Food,10\n");
    assert_eq!(world.run("ingest log.csv").code, Some(0));
    assert!(server.get("/v1/top?last=300min").body.contains("\"item_id\":\"apple\",\"units\":13,"));
    let metrics = server.get("/metrics").body;
    assert!(metrics.contains("\ntopsell_server_lists_computed_total 4\n"), "{metrics}");
}

/// Requests that come while a list is computed must find what was acknowledged before they came, not what there was when
/// the computation began.
#[test]
fn a_purchase_is_in_every_list_that_is_asked_for_after_its_answer() {
    let world = World::new();
    let server = Arc::new(Server::start(&world, &[]));
    let buying: Vec<_> = (0..6)
        .map(|buyer| {
            let server = Arc::clone(&server);
            thread::spawn(move || {
                for units in 1..=12 {
                    assert_eq!(server.post_json(&event(&format!("i{buyer}"), 1)).status, 200);
                    for query in ["limit=20", "limit=20&decay&min_items=0", "limit=20&rising&min=1"] {
                        let body = server.get(&format!("/v1/top?{query}")).body;
                        let list: Value = serde_json::from_str(&body).expect("it is JSON");
                        let items = list["items"].as_array().cloned().unwrap_or_default();
                        let item = items.iter().find(|item| item["item_id"] == format!("i{buyer}").as_str());
                        let item = item.unwrap_or_else(|| panic!("{query}: i{buyer} is not in {body}"));
                        assert_eq!(item["units"], units, "{query}: {body}");
                    }
                }
            })
        })
        .collect();
    buying.into_iter().for_each(|buyer| buyer.join().expect("no panic"));
}

#[test]
fn lists_by_score_and_by_rise_are_those_of_the_command() {
    let world = World::new();
    world.write("data/lake/topsell.toml", "half_life = \"12h\"\nmin_items = 2\n");
    let mut server = Server::start(&world, &[]);
    let old = event("plum", 50).replace("01-14", "01-02").replace("Food", "Food/Fruit");
    assert_eq!(server.post_json(&(event("apple", 3) + &event("pear", 40) + &old)).status, 200);
    let questions = [
        ("decay", "--decay"),
        ("decay&category=Food/Fruit", "--decay -c Food/Fruit"),
        ("decay=0.01&window=48h&min_items=0", "--decay 0.01 --window 48h --min-items 0"),
        ("decay=true&half-life=1h&max-lookback=30d", "--decay --half-life 1h --max-lookback 30d"),
        ("rising", "--rising"),
        ("rising&min=1&last=3h&category=Food", "--rising --min 1 --last 3h -c Food"),
    ];
    let answers = questions.map(|(query, _)| server.get(&format!("/v1/top?{query}")));
    assert!(server.stop().success(), "{}", said(&world));
    for ((query, words), answer) in questions.iter().zip(answers) {
        assert_eq!(answer.status, 200, "{query}: {}", answer.body);
        let printed = world.run(&format!("top {words} --json"));
        assert_eq!(printed.stdout, answer.body, "{query}: {}", printed.stderr);
    }
}

#[test]
fn a_list_that_cannot_be_is_refused_with_a_reason() {
    let world = World::new();
    let server = Server::start(&world, &[]);
    for (query, error) in [
        ("decay&rising", "rising and decay cannot be used together"),
        ("decay&last=3h", "decay and last cannot be used together; pass window"),
        ("decay=fast", "decay=`fast` is not a number"),
        ("decay=-1", "decay: -1.0 is not a number greater than 0"),
        ("half_life=3h", "half_life, window, min_items and max_lookback need decay"),
        ("min=3", "min needs rising"),
        ("rising&last=5d", "960 hours in one list; at most 840, `topsell top` lists longer ones"),
        ("decay&window=36d", "864 hours in one list; at most 840, `topsell top` lists longer ones"),
        ("decay&max_lookback=2y", "a window is extended to 8784 hours at most, and not to 17520"),
        ("rising&last=10min", "rising compares whole hours, not minutes or exact times"),
        ("decay&exact_times", "decay is of whole hours, not of exact times"),
        ("exact_times&stream", "stream and exact_times cannot be used together"),
        ("last=90s", "last: `90s` is not a whole number of minutes"),
        ("stream=maybe", "stream=`maybe` is neither true nor false"),
        ("decay&window=90min&stream", "window: `90min` is not a whole number of hours"),
    ] {
        let answer = server.get(&format!("/v1/top?{query}"));
        assert_eq!(answer.status, 400, "{query}: {}", answer.body);
        let said: Value = serde_json::from_str(&answer.body).expect("it is JSON");
        let said = said["error"].as_str().unwrap_or_default();
        assert!(said.starts_with(error), "{query}: {said}");
    }
    let head = server.ask(&request("HEAD", "/v1/top?stream", "", b""));
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    wait_until("nobody follows it", || status(&server, "streams") == 0);
}

/// What is kept in memory is what the command prints, of the shop and of every category, also after a start.
#[test]
fn lists_in_memory_are_those_of_the_command() {
    let world = World::new();
    world.write("data/lake/topsell.toml", "half_life = \"12h\"\nmin_items = 1\n");
    let log = "ts,item_id,category,quantity\n2017-01-11T08:00:00Z,ball,Toys,4\n\
               2017-01-12T09:00:00Z,plum,Food/Fruit,7\n2017-01-14T10:00:00Z,plum,Food/Fruit,2\n";
    world.write("log.csv", log);
    assert_eq!(world.run("ingest log.csv").code, Some(0));
    assert_eq!(world.run("rollup").code, Some(0));
    let mut server = Server::start(&world, &[]);
    let questions = [
        ("limit=3", "top -n 3"),
        ("limit=3&category=Food", "top -n 3 -c Food"),
        ("limit=3&category=Food/Fruit", "top -n 3 -c Food/Fruit"),
        ("limit=3&category=Books", "top -n 3 -c Books"),
        ("decay", "top --decay"),
        ("decay&category=Toys&limit=2", "top --decay -c Toys -n 2"),
    ];
    let event_of = |number: u32| event(["apple", "plum", "ball"][number as usize % 3], 1 + number);
    for round in 0..6 {
        assert_eq!(server.post_json(&event_of(round)).status, 200);
        if round == 3 {
            assert!(server.stop().success(), "{}", said(&world));
            assert!(!world.files("data/lake/scores").is_empty(), "past days are kept");
            server = Server::start(&world, &[]);
        }
        let from_memory = || status(&server, "lists_from_memory");
        wait_until("both lists are in memory", || {
            server.get("/v1/top?decay");
            server.get("/v1/top");
            status(&server, "lists_in_memory") == 2
        });
        let before = from_memory();
        let answers = questions.map(|(query, _)| server.get(&format!("/v1/top?{query}")));
        assert_eq!(from_memory(), before + questions.len() as u64);
        // A copy of the lake that has everything.
        let copy = World::new();
        crate::faults::copy(&world.path("data"), &copy.path("data"));
        let mut other = Server::start(&copy, &[]);
        assert!(other.stop().success(), "{}", said(&copy));
        for ((query, words), answer) in questions.iter().zip(answers) {
            assert_eq!(answer.status, 200, "{query}: {}", answer.body);
            assert_eq!(copy.run(&format!("{words} --json")).stdout, answer.body, "{query}");
        }
    }
}

#[test]
fn lists_of_minutes_are_answered_from_memory_unless_only_the_lake_tells() {
    let (world, all) = (World::new(), World::new());
    let log = "ts,item_id,event_id,category,quantity\n2017-01-14T23:40:00Z,apple,known,Food/Fruit,2\n\
               2017-01-14T23:41:00Z,pear,,Food/Fruit|Gifts,3\n2017-01-14T22:10:00Z,apple,,Food,9\n";
    for world in [&world, &all] {
        world.write("log.csv", log);
        assert_eq!(world.run("ingest log.csv").code, Some(0));
    }
    let server = Server::start(&world, &[]);
    let from_memory = || -> Option<u64> {
        let status: Value = serde_json::from_str(&server.get("/v1/status").body).ok()?;
        status["counts_from_memory"].as_u64().filter(|_| status["recent_in_memory"] == true)
    };
    wait_until("the lake is read", || from_memory().is_some());
    let check = |is_from_memory: bool| {
        for (query, command) in [
            ("last=45min", "--last 45min"),
            ("last=10min&category=Food", "--last 10min -c Food"),
            ("last=60min&category=Gifts&measure=purchases", "--last 60min -c Gifts --measure purchases"),
            (
                "last=30min&category=Food/Fruit&subtract=refund",
                "--last 30min -c Food/Fruit --subtract refund",
            ),
            ("last=20min&event_type=view&limit=2", "--last 20min --event-type view -n 2"),
            ("last=30min&category=Absent", "--last 30min -c Absent"),
        ] {
            let before = from_memory();
            assert_eq!(
                server.get(&format!("/v1/top?{query}")).body,
                all.run(&format!("top {command} --json")).stdout,
                "{query}"
            );
            assert_eq!(from_memory() > before, is_from_memory, "{query}");
        }
    };
    check(true);
    let mut number = 0;
    let mut post = |minute: u64, rest: &str| {
        number += 1;
        let event = format!("{{\"ts\":\"2017-01-14T23:{minute}:30Z\",{rest}}}\n");
        assert_eq!(server.post_json(&event).status, 200);
        all.write("event.ndjson", &event);
        let said = all.run(&format!("ingest --batch-id b{number} event.ndjson"));
        assert!(matches!(said.code, Some(0 | 4)), "{}", said.whole());
    };
    for item in ["apple", "pear", "fig"] {
        for (minute, rest) in [
            (16, "\"category\":\"Food\",\"quantity\":4"),
            (42, "\"category\":\"Food/Fruit\",\"event_id\":\"a\",\"amount\":2.50"),
            (42, "\"category\":\"Food/Fruit\",\"event_id\":\"a\",\"amount\":2.50"),
            (45, "\"category\":\"Gifts|Food\",\"quantity\":-1"),
            (55, "\"event_type\":\"view\",\"quantity\":7"),
            (56, "\"category\":\"Food/Fruit\",\"event_type\":\"refund\",\"quantity\":2"),
        ] {
            post(minute, &format!("\"item_id\":\"{item}\",{rest}"));
        }
        check(true);
    }
    // Another version of an event of these minutes.
    post(50, "\"item_id\":\"apple\",\"category\":\"Food\",\"event_id\":\"known\"");
    check(false);
}

/// A list of minutes changes without any event, when its oldest minute ends.
#[test]
fn a_stream_of_a_minute_ends_with_it() {
    let world = World::new();
    let server = Server::start_in_time(&world, &[]);
    // Events without a time are of the moment at which they come.
    let mut stream = Stream::open(&server, "last=1min&limit=1&stream", "");
    assert!(stream.next().expect("the list of now").data.contains("\"items\":[]"));
    stream.lines.get_ref().set_read_timeout(Some(Duration::from_secs(130))).expect("a timeout can be set");
    let now = |body: &str| {
        body.split("\"computed_at\":\"").nth(1).and_then(|rest| rest.get(..19).map(str::to_owned))
    };
    let probe = server.get("/v1/top?last=1min").header("topsell-computed-at").map(str::to_owned);
    let ts = probe.expect("it says when");
    assert_eq!(server.post_json(&format!("{{\"ts\":\"{ts}\",\"item_id\":\"apple\"}}")).status, 200);
    let mut is_shown = false;
    loop {
        let change = stream.next().expect("the stream goes on");
        let has_item = change.data.contains("\"item_id\":\"apple\"");
        if is_shown && !has_item {
            let minute = now(&change.data).expect("it says when");
            assert_ne!(&minute[..16], &ts.to_uppercase()[..16], "the minute of the event has ended");
            return;
        }
        // The minute may have turned just after the event came.
        is_shown |= has_item || !change.data.contains(&ts.to_uppercase()[..16]);
    }
}
