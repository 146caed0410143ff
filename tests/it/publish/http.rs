//! A ranking at an HTTP endpoint: sent again until it is accepted, and only what has changed.

use std::net::TcpListener;

use expect_test::expect;

use crate::publish::endpoint::Endpoint;
use crate::publish::{one_lake, rank};

#[test]
fn a_request_is_sent_again_until_it_is_accepted() {
    let world = one_lake();
    let endpoint = Endpoint::start(&["503 Service Unavailable\r\nRetry-After: 0\r\n\r\n", ""]);
    world.write("token.txt", "t0ken\n");
    let target = format!("http://{}/best?key=s3cret", endpoint.address);
    let said = world.run(&format!("publish {target} --password-file token.txt"));
    assert_eq!(said.code, Some(0), "{}", said.whole());
    expect![[r#"
        publish: 42 categories written, 0 unchanged, 0 removed, 11.6 kB; http://ENDPOINT/best?*** has the ranking as of 2017-01-15T00:00:00Z after 2 retries
    "#]]
        .assert_eq(&said.stderr.replace(&endpoint.address.to_string(), "ENDPOINT"));
    let received = endpoint.received();
    assert_eq!(received.len(), 3);
    let first = &received[0];
    assert_eq!(first.first_line, "POST /best?key=s3cret HTTP/1.1");
    assert_eq!(first.header("authorization"), Some("Bearer t0ken"));
    assert_eq!(first.header("content-type"), Some("application/json"));
    assert_eq!(first.body["since"], serde_json::Value::Null);
    assert_eq!(first.body["categories"].as_object().expect("an object").len(), 42);
    assert_eq!(first.body["categories"]["Shop/C007"]["items"][1]["item_id"], "pear");
    assert_eq!(first.body["categories"]["/"]["category"], serde_json::Value::Null);
    for again in &received[1..] {
        assert_eq!(again.body, first.body);
        assert_eq!(again.header("idempotency-key"), first.header("idempotency-key"));
    }
    assert!(first.header("idempotency-key").is_some_and(|key| key.len() == 32));
    // It has the ranking, and is not asked again.
    let again = world.run(&format!("publish {target}"));
    assert!(again.stderr.contains("0 categories written, 42 unchanged"), "{}", again.whole());
    assert_eq!(endpoint.received().len(), 0);
    for file in world.files("data/lake") {
        let text = std::fs::read(world.path("data/lake").join(&file)).expect("it can be read");
        let text = String::from_utf8_lossy(&text);
        assert!(!text.contains("s3cret") && !text.contains("t0ken"), "{file}");
    }
}

#[test]
fn an_endpoint_is_sent_what_has_changed_and_everything_where_it_has_lost_the_rest() {
    let world = one_lake();
    let endpoint = Endpoint::start(&["204 No Content\r\n\r\n", "200 OK\r\n\r\n", "409 Conflict\r\n\r\n"]);
    let target = format!("publish http://{}/", endpoint.address);
    assert_eq!(world.run(&target).code, Some(0));
    let first = endpoint.received().remove(0);
    world.write("more.csv", "ts,event_id,item_id,category\n2017-01-14T22:00:00Z,m1,plum,Shop/C003\n");
    rank(&world, "data/lake", "more", "2017-01-15T01:00:00Z");
    assert_eq!(world.run(&target).code, Some(0));
    let changed = endpoint.received();
    assert_eq!(changed.len(), 1);
    assert_eq!(changed[0].body["since"], first.body["ranking"]);
    assert_eq!(changed[0].body["as_of"], "2017-01-15T01:00:00Z");
    let names: Vec<&String> = changed[0].body["categories"].as_object().expect("an object").keys().collect();
    assert_eq!(names, ["/", "Shop", "Shop/C003"]);
    assert_ne!(changed[0].header("idempotency-key"), first.header("idempotency-key"));
    // The window moves on: what nobody bought in it is gone.
    let ranked = world.run("rank --window 2h --no-decay --min-items 0 --as-of 2017-01-15T02:00:00Z");
    assert_eq!(ranked.code, Some(7), "nothing was sold: {}", ranked.whole());
    let ranked =
        world.run("rank --promote --window 4h --no-decay --min-items 0 --as-of 2017-01-15T02:00:00Z");
    assert_eq!(ranked.code, Some(0), "{}", ranked.whole());
    let said = world.run(&target);
    assert_eq!(said.code, Some(0), "{}", said.whole());
    let sent = endpoint.received();
    assert_eq!(sent.len(), 2, "it had lost what it had, and was sent everything");
    assert_eq!(sent[0].body["removed"].as_array().map(Vec::len), Some(39), "{}", sent[0].body);
    assert_eq!(sent[1].body["since"], serde_json::Value::Null);
    assert_eq!(sent[1].body["categories"].as_object().map(serde_json::Map::len), Some(3));
    assert!(said.stderr.contains("3 categories written, 0 unchanged"), "{}", said.whole());
    // All of it once more, where that is asked for; and an older one never is sent.
    assert_eq!(world.run(&format!("{target} --full")).code, Some(0));
    assert_eq!(endpoint.received()[0].body["since"], serde_json::Value::Null);
}

#[test]
fn a_refusal_is_not_sent_again_and_silence_ends() {
    let world = one_lake();
    let endpoint = Endpoint::start(&["401 Unauthorized\r\n\r\nno such token"]);
    let refused = world.run(&format!("publish http://user:s3cret@{}/x", endpoint.address));
    assert_eq!(refused.code, Some(1), "{}", refused.whole());
    expect!["error: http://user:***@ENDPOINT/x: answered 401 Unauthorized: no such token\n"]
        .assert_eq(&refused.stderr.replace(&endpoint.address.to_string(), "ENDPOINT"));
    let received = endpoint.received();
    assert_eq!(received.len(), 1);
    assert!(received[0].header("authorization").is_some_and(|value| value.starts_with("Basic ")));
    let failing = Endpoint::start(&["500 Internal Server Error\r\n\r\n"; 4]);
    let given_up = world.run(&format!("publish http://{}/ --retries 1", failing.address));
    assert_eq!(given_up.code, Some(1), "{}", given_up.whole());
    assert!(given_up.stderr.contains("answered 500 Internal Server Error (2 tries)"), "{}", given_up.whole());
    assert_eq!(failing.received().len(), 2);
    let moved = Endpoint::start(&["302 Found\r\nLocation: http://127.0.0.1:9/\r\n\r\n"]);
    assert_eq!(
        world.run(&format!("publish http://{}/", moved.address)).code,
        Some(1),
        "it is sent nowhere else"
    );
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = silent.local_addr().expect("it has one");
    let late = world.run(&format!("publish http://{address}/ --timeout 1s"));
    assert_eq!(late.code, Some(1), "{}", late.whole());
    assert!(late.stderr.contains("did not accept the ranking in time"), "{}", late.whole());
    drop(silent);
    let gone = world.run(&format!("publish http://{address}/ --retries 0"));
    assert_eq!(gone.code, Some(1), "{}", gone.whole());
    assert!(gone.stderr.contains("onnection refused"), "{}", gone.whole());
}
