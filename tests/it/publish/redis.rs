//! A ranking in Redis, read by `redis-cli` and by readers that go on while it is replaced.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use expect_test::expect;
use redis::{Connection, cmd};
use serde_json::Value;

use crate::processes::{exits_within, next_random, wait_until};
use crate::publish::redis_server::RedisServer;
use crate::publish::{CATEGORIES, one_lake, rank, two_lakes};
use crate::world::World;

const INDEX: &str = "topsell:categories";
/// The categories of a ranking: those of the log, the one above them, and the whole shop.
const ALL: usize = CATEGORIES + 2;

/// Returns an address on which nobody listens.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it has one")
}

fn index_of(connection: &mut Connection) -> BTreeMap<String, String> {
    cmd("HGETALL").arg(INDEX).query(connection).expect("Redis answers")
}

/// Returns the time to live of a key in seconds; -1 where it has none, -2 where there is no such key.
fn ttl(connection: &mut Connection, key: &str) -> i64 {
    cmd("TTL").arg(key).query(connection).expect("Redis answers")
}

/// Returns every key but the index, and checks that those that the index names are there for good.
fn checked_keys(connection: &mut Connection) -> BTreeSet<String> {
    let index = index_of(connection);
    let named = index.iter().filter(|(field, _)| !field.starts_with('/') || *field == "/");
    let named: BTreeSet<String> = named.map(|(_, key)| key.clone()).collect();
    let mut keys: BTreeSet<String> = cmd("KEYS").arg("topsell:*").query(connection).expect("Redis answers");
    keys.remove(INDEX);
    for key in &named {
        assert_eq!(ttl(connection, key), -1, "{key} stays");
    }
    for key in keys.difference(&named) {
        assert!(ttl(connection, key) > 0, "{key} is named by nobody, and expires");
    }
    keys
}

fn publish(world: &World, server: &RedisServer, lake: &str, more: &str) -> String {
    let said = world.run(&format!("--lake {lake} publish {} {more}", server.url));
    assert_eq!(said.code, Some(0), "{}", said.whole());
    said.stderr.lines().last().unwrap_or_default().to_owned()
}

#[test]
fn a_category_is_found_with_two_commands_and_only_what_changed_is_written() {
    let world = one_lake();
    let server = RedisServer::start(&world, &[]);
    let said = world.run(&format!("publish {}", server.url));
    expect![[r#"
        stderr: publish: 42 categories written, 0 unchanged, 0 removed, 10.9 kB; redis+unix://WORLD/redis.sock has the ranking as of 2017-01-15T00:00:00Z
        exit code 0
    "#]].assert_eq(&said.whole());
    let key = server.cli(&["HGET", INDEX, "Shop/C007"]);
    expect![[r#"{"schema":1,"category":"Shop/C007","by":"units","window_hours":48,"eligible_items":2,"is_extended":false,"items":[{"rank":1,"item_id":"apple","units":2,"purchases":1,"amount":"3.5000","window_units":2,"window_purchases":1,"window_amount":"3.5000"},{"rank":2,"item_id":"pear","units":1,"purchases":1,"amount":"1.0000","window_units":1,"window_purchases":1,"window_amount":"1.0000"}]}"#]]
    .assert_eq(&server.cli(&["GET", &key]));
    // Every value is what `show` says.
    let mut connection = server.connect();
    let index = index_of(&mut connection);
    assert_eq!(index.len(), ALL + 3);
    assert_eq!(index["/as_of"], "2017-01-15T00:00:00Z");
    for (category, key) in index.iter().filter(|(field, _)| *field == "/" || !field.starts_with('/')) {
        let value: String = cmd("GET").arg(key).query(&mut connection).expect("Redis answers");
        let value: Value = serde_json::from_str(&value).expect("a value is JSON");
        let words = if category == "/" { vec!["show", "--json"] } else { vec!["show", category, "--json"] };
        let shown: Value = serde_json::from_str(&world.run_with(&words, b"").stdout).expect("JSON");
        for name in ["category", "by", "window_hours", "eligible_items"] {
            assert_eq!(value[name], shown[name], "{category} {name}");
        }
        for (value, shown) in
            value["items"].as_array().expect("items").iter().zip(shown["items"].as_array().expect("items"))
        {
            for name in ["rank", "item_id", "units", "purchases", "amount", "name"] {
                assert_eq!(value[name], shown[name], "{category} {name}");
            }
        }
    }
    let before = checked_keys(&mut connection);
    assert!(
        publish(&world, &server, "data/lake", "").starts_with("publish: 0 categories written, 42 unchanged")
    );
    assert_eq!(checked_keys(&mut connection), before);
    // Something is sold in one category, and the next hour begins: it, the one above it and the shop have changed.
    world.write("more.csv", "ts,event_id,item_id,category\n2017-01-14T22:00:00Z,m1,plum,Shop/C003\n");
    rank(&world, "data/lake", "more", "2017-01-15T01:00:00Z");
    let planned = publish(&world, &server, "data/lake", "--dry-run");
    assert!(planned.starts_with("publish: 3 categories to write, 39 unchanged, 0 removed"), "{planned}");
    assert_eq!(index_of(&mut connection), index, "nothing was changed");
    let said = publish(&world, &server, "data/lake", "");
    assert!(said.starts_with("publish: 3 categories written, 39 unchanged, 0 removed"), "{said}");
    assert!(said.ends_with("as of 2017-01-15T01:00:00Z"), "{said}");
    let after = checked_keys(&mut connection);
    assert_eq!(after.difference(&before).count(), 3);
    assert!(after.is_superset(&before), "who has just read the old index still finds its values");
    assert!((3_500..=3_600).contains(&ttl(&mut connection, &index["Shop/C003"])));
    assert_eq!(index_of(&mut connection)["/as_of"], "2017-01-15T01:00:00Z");
}

#[test]
fn readers_never_see_two_rankings_mixed_while_they_are_replaced() {
    let world = two_lakes();
    let server = RedisServer::start(&world, &[]);
    publish(&world, &server, "one", "");
    let fields: Vec<String> = (0..CATEGORIES).map(|at| format!("Shop/C{at:03}")).collect();
    let fields: Vec<&str> =
        ["/ranking", "/", "Shop"].into_iter().chain(fields.iter().map(String::as_str)).collect();
    let (is_over, reads) = (AtomicBool::new(false), AtomicU64::new(0));
    let seen = thread::scope(|scope| {
        let reader = || {
            let mut connection = server.connect();
            let mut seen = BTreeSet::new();
            while !is_over.load(Ordering::SeqCst) {
                let named: Vec<String> = cmd("HMGET")
                    .arg(INDEX)
                    .arg(&fields)
                    .query(&mut connection)
                    .expect("all fields are there");
                let mut items = BTreeSet::new();
                for key in &named[1..] {
                    let value: Option<String> =
                        cmd("GET").arg(key).query(&mut connection).expect("Redis answers");
                    let value = value.expect("what the index has named is there");
                    let value: Value = serde_json::from_str(&value).expect("a value is JSON");
                    items.insert(value["items"][0]["item_id"].as_str().expect("an id").to_owned());
                }
                assert_eq!(items.len(), 1, "{named:?} is of one ranking: {items:?}");
                seen.insert((named[0].clone(), items));
                reads.fetch_add(1, Ordering::SeqCst);
            }
            seen
        };
        let readers = [scope.spawn(reader), scope.spawn(reader)];
        for lake in ["two", "one"].into_iter().cycle().take(40) {
            publish(&world, &server, lake, "--allow-older");
        }
        is_over.store(true, Ordering::SeqCst);
        let seen = readers.map(|reader| reader.join().expect("readers see one ranking"));
        seen.into_iter().flatten().collect::<BTreeSet<_>>()
    });
    assert_eq!(seen.len(), 2, "each ranking with its own items: {seen:?}");
    assert!(reads.load(Ordering::SeqCst) > 40);
    checked_keys(&mut server.connect());
}

#[test]
fn two_that_publish_at_once_leave_one_ranking_of_which_nothing_expires() {
    let world = two_lakes();
    let server = RedisServer::start(&world, &[]);
    for form in ["json", "sorted-set"] {
        thread::scope(|scope| {
            for lake in ["one", "two"] {
                let (world, server) = (&world, &server);
                scope.spawn(move || {
                    for _ in 0..15 {
                        let command =
                            format!("--lake {lake} publish {} --allow-older --as {form}", server.url);
                        let said = world.run(&command);
                        assert!(matches!(said.code, Some(0 | 6)), "{}", said.whole());
                    }
                });
            }
        });
        let mut connection = server.connect();
        checked_keys(&mut connection);
        let index = index_of(&mut connection);
        let [one, two] =
            ["one", "two"].map(|lake| world.snapshot(lake).0["file"].as_str().map(str::to_owned));
        let lake = if Some(&index["/ranking"]) == one.as_ref() { "one" } else { "two" };
        assert!([one, two].contains(&Some(index["/ranking"].clone())));
        let again = publish(&world, &server, lake, &format!("--as {form}"));
        assert!(again.starts_with("publish: 0 categories written, 42 unchanged, 0 removed"), "{again}");
    }
}

#[test]
fn a_publication_that_is_killed_leaves_the_old_ranking_or_the_new_one() {
    let world = two_lakes();
    let server = RedisServer::start(&world, &[]);
    publish(&world, &server, "one", "");
    let mut random = 7;
    let mut killed = 0;
    for lake in ["two", "one"].into_iter().cycle().take(40) {
        let mut command = world.command(&["--lake", lake, "publish", &server.url, "--allow-older"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the program under test can be started");
        let moment = Duration::from_micros(next_random(&mut random) % 40_000);
        if !exits_within(moment, &mut child) {
            child.kill().expect("it can be killed");
            child.wait().expect("it is our child");
            killed += 1;
        }
        let mut connection = server.connect();
        checked_keys(&mut connection);
        let index = index_of(&mut connection);
        assert_eq!(index.len(), ALL + 3);
        let mut items = BTreeSet::new();
        for (_, key) in index.iter().filter(|(field, _)| !field.starts_with('/')) {
            let value: String = cmd("GET").arg(key).query(&mut connection).expect("Redis answers");
            let value: Value = serde_json::from_str(&value).expect("a value is JSON");
            items.insert(value["items"][0]["item_id"].as_str().expect("an id").to_owned());
        }
        assert_eq!(items.len(), 1, "{items:?}");
    }
    assert!(killed > 3, "{killed} were killed");
    publish(&world, &server, "two", "--allow-older");
}

#[test]
fn an_older_ranking_replaces_no_newer_one_unless_it_is_asked_for() {
    let world = two_lakes();
    rank(&world, "two", "two", "2017-01-15T02:00:00Z");
    let server = RedisServer::start(&world, &[]);
    publish(&world, &server, "two", "");
    let refused = world.run(&format!("--lake one publish {}", server.url));
    expect![[r"
        stderr: error: redis+unix://WORLD/redis.sock has the ranking as of 2017-01-15T02:00:00Z, and the one to publish is as of 2017-01-15T00:00:00Z
        stderr: hint: nothing was written; to replace it all the same, pass --allow-older
        exit code 7
    "]].assert_eq(&refused.whole());
    assert_eq!(index_of(&mut server.connect())["/as_of"], "2017-01-15T02:00:00Z");
    publish(&world, &server, "one", "--allow-older");
    assert_eq!(index_of(&mut server.connect())["/as_of"], "2017-01-15T00:00:00Z");
}

#[test]
fn a_sorted_set_has_the_item_ids_by_rank() {
    let world = one_lake();
    let server = RedisServer::start(&world, &[]);
    publish(&world, &server, "data/lake", "--as sorted-set");
    let key = server.cli(&["HGET", INDEX, "Shop/C007"]);
    assert_eq!(server.cli(&["ZRANGE", &key, "0", "9", "WITHSCORES"]), "apple\n1\npear\n2");
    assert_eq!(server.cli(&["ZSCORE", &key, "pear"]), "2");
    let before = checked_keys(&mut server.connect());
    let again = publish(&world, &server, "data/lake", "--as sorted-set");
    assert!(again.starts_with("publish: 0 categories written, 42 unchanged"), "{again}");
    // Amounts and units change, and the order does not.
    world.write("more.csv", "ts,event_id,item_id,category\n2017-01-14T22:00:00Z,m1,apple,Shop/C003\n");
    rank(&world, "data/lake", "more", "2017-01-15T01:00:00Z");
    let same = publish(&world, &server, "data/lake", "--as sorted-set");
    assert!(same.starts_with("publish: 0 categories written, 42 unchanged"), "{same}");
    assert_eq!(index_of(&mut server.connect())["/as_of"], "2017-01-15T01:00:00Z");
    assert_eq!(checked_keys(&mut server.connect()), before);
    let limited = publish(&world, &server, "data/lake", "--as sorted-set --limit 1");
    assert!(limited.starts_with("publish: 3 categories written, 39 unchanged"), "{limited}");
    let documents = publish(&world, &server, "data/lake", "");
    assert!(documents.starts_with("publish: 42 categories written, 0 unchanged"), "{documents}");
    checked_keys(&mut server.connect());
}

/// A server that is short of memory removes keys of its choice; what is lost is found within sixteen hours.
#[test]
fn values_that_the_server_has_lost_are_written_again() {
    let world = one_lake();
    let server = RedisServer::start(&world, &[]);
    publish(&world, &server, "data/lake", "");
    let mut connection = server.connect();
    let index = index_of(&mut connection);
    let lost = ["/", "Shop", "Shop/C000", "Shop/C001", "Shop/C002"];
    let lose = |connection: &mut Connection| {
        for category in lost {
            let removed: u32 = cmd("DEL").arg(&index[category]).query(connection).expect("Redis answers");
            assert_eq!(removed, 1, "{category}");
        }
    };
    lose(&mut connection);
    let full = publish(&world, &server, "data/lake", "--full");
    assert!(full.starts_with("publish: 42 categories written"), "{full}");
    checked_keys(&mut connection);
    lose(&mut connection);
    let mut written = 0;
    for hour in 1..=16 {
        let as_of = format!("2017-01-15T{hour:02}:00:00Z");
        let ranked = world.run(&format!("rank --window 48h --no-decay --min-items 0 --as-of {as_of}"));
        assert_eq!(ranked.code, Some(0), "{}", ranked.whole());
        let said = publish(&world, &server, "data/lake", "");
        written += said.split_whitespace().nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
    }
    assert_eq!(written, lost.len());
    checked_keys(&mut connection);
}

#[test]
fn what_other_programs_have_written_is_left_alone() {
    let world = one_lake();
    let server = RedisServer::start(&world, &[]);
    server.cli(&["SET", INDEX, "something"]);
    server.cli(&["HSET", "other:categories", "Books", "12"]);
    for more in ["", "--prefix other"] {
        let refused = world.run(&format!("publish {} {more}", server.url));
        assert_eq!(refused.code, Some(2), "{}", refused.whole());
        assert!(refused.stderr.contains(":categories was written by another program"), "{}", refused.whole());
    }
    assert_eq!(server.cli(&["GET", INDEX]), "something");
    assert_eq!(server.cli(&["HGETALL", "other:categories"]), "Books\n12");
    publish(&world, &server, "data/lake", "--prefix shop");
    assert_eq!(server.cli(&["HLEN", "shop:categories"]), (ALL + 3).to_string());
}

#[test]
fn a_server_that_is_not_there_or_refuses_is_named_without_the_password() {
    let world = one_lake();
    let free = free_address();
    let none = world.run(&format!("publish redis://shop:s3cret@{free}/0"));
    assert_eq!(none.code, Some(1), "{}", none.whole());
    assert!(none.stderr.contains(&format!("redis://shop:***@{free}/0: ")), "{}", none.whole());
    assert!(none.stderr.contains("Connection refused"), "{}", none.whole());
    let server = RedisServer::start(&world, &["--requirepass", "s3cret"]);
    for target in [server.url.clone(), format!("{}?pass=wr0ng", server.url)] {
        let refused = world.run(&format!("publish {target}"));
        assert_eq!(refused.code, Some(1), "{}", refused.whole());
        assert!(
            refused.stderr.contains("hint: pass the password with --password-file"),
            "{}",
            refused.whole()
        );
        assert!(!refused.stderr.contains("wr0ng"), "{}", refused.whole());
    }
    world.write("password.txt", "s3cret\n");
    publish(&world, &server, "data/lake", "--password-file password.txt");
    let said = world.run(&format!("publish {}?pass=s3cret", server.url));
    assert_eq!(said.code, Some(0), "{}", said.whole());
    assert!(said.stderr.contains("redis.sock?*** has the ranking"), "{}", said.whole());
    let bad = world.run("publish redis://shop:s3cret@host/x");
    assert_eq!(bad.code, Some(2), "{}", bad.whole());
    assert!(!bad.whole().contains("s3cret"), "{}", bad.whole());
    // Nor is it in what the runs have left.
    for file in world.files("data/lake") {
        let bytes = std::fs::read(world.path("data/lake").join(&file)).expect("it can be read");
        assert!(!String::from_utf8_lossy(&bytes).contains("s3cret"), "{file}");
    }
    assert!(world.run("runs --command publish").stdout.contains("publish"));
}

#[test]
fn a_server_that_does_not_answer_is_given_up() {
    let world = one_lake();
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = silent.local_addr().expect("it has one");
    let said = world.run(&format!("publish redis://{address}/0 --timeout 1s"));
    assert_eq!(said.code, Some(1), "{}", said.whole());
    assert!(said.stderr.contains("did not answer in time"), "{}", said.whole());
}

#[test]
fn a_connection_is_encrypted_where_the_url_says_so() {
    let world = one_lake();
    let port = free_address().port().to_string();
    crate::serve::tls::make_certificate(&world, "shop");
    let [key, certificate] = ["shop.key", "shop.pem"].map(|name| world.path(name).display().to_string());
    let options = [
        ["--tls-port", &port],
        ["--tls-cert-file", &certificate],
        ["--tls-key-file", &key],
        ["--tls-auth-clients", "no"],
        ["--bind", "127.0.0.1"],
    ];
    let server = RedisServer::start(&world, &options.concat());
    let target = format!("publish rediss://127.0.0.1:{port}/0");
    wait_until("the port answers", || TcpStream::connect(format!("127.0.0.1:{port}")).is_ok());
    let unknown = world.run(&target);
    assert_eq!(unknown.code, Some(1), "{}", unknown.whole());
    let said = world.run_in(&[("SSL_CERT_FILE", &certificate)], &target);
    assert_eq!(said.code, Some(0), "{}", said.whole());
    assert_eq!(server.cli(&["HLEN", INDEX]), (ALL + 3).to_string());
}

/// Counted are what the server received and sent: commands, and bytes of both.
#[test]
fn publishing_one_percent_costs_less_than_a_tenth_of_publishing_all() {
    const SHOP: usize = 1_000;
    let world = World::new();
    let mut log = String::from("ts,event_id,item_id,category,quantity,amount\n");
    for (category, item) in (0..SHOP).flat_map(|category| (0..6).map(move |item| (category, item))) {
        let sale = format!("2017-01-14T20:00:00Z,e{category}-{item},{}", 10_000_000 + category * 10 + item);
        writeln!(log, "{sale},Shop/Department {}/Category {category},2,3.50", category % 20)
            .expect("a text grows");
    }
    world.write("first.csv", log);
    rank(&world, "data/lake", "first", "2017-01-15");
    let server = RedisServer::start(&world, &[]);
    let measure = || {
        let before = server.counted();
        let said = publish(&world, &server, "data/lake", "");
        let after = server.counted();
        (said, after[0] - before[0], after[1] + after[2] - before[1] - before[2])
    };
    let (_, all_commands, all_bytes) = measure();
    let mut more = String::from("ts,event_id,item_id,category\n");
    for category in 0..10 {
        writeln!(more, "2017-01-14T21:00:00Z,m{category},99,Shop/Department 0/Category {}", category * 20)
            .expect("a text grows");
    }
    world.write("more.csv", more);
    rank(&world, "data/lake", "more", "2017-01-15T01:00:00Z");
    let (said, commands, bytes) = measure();
    assert!(said.starts_with("publish: 13 categories written, 1009 unchanged"), "{said}");
    assert!(commands * 10 <= all_commands, "{commands} commands of {all_commands}");
    assert!(bytes * 10 <= all_bytes, "{bytes} bytes of {all_bytes}");
}
