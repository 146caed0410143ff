//! The answers of a server that takes in events, while other commands change the lake beside it, are at all times those of
//! `topsell count` and `topsell top` on a lake that has everything, and those of `topsell show` on the same lake.

use std::fmt::Write as _;
use std::time::Duration;

use crate::processes::{holds_within, next_random};
use crate::serve::server::{Server, said};
use crate::world::World;

/// How often the answers are compared: `TOPSELL_SERVE_MOMENTS`, or this.
const MOMENTS: u64 = 12;
const ITEMS: u64 = 6;

/// Returns an event: some have an id that others have too, some a version, some are returns, views, or of another day.
fn event(chance: &mut u64) -> String {
    let mut draw = |below: u64| next_random(chance) % below;
    let (day, hour, item) = (13 + draw(2), draw(24), draw(ITEMS));
    let mut event = format!("{{\"ts\":\"2017-01-{day}T{}Z\",\"item_id\":\"i{item}\"", clock(hour, &mut draw));
    if draw(3) > 0 {
        write!(event, ",\"event_id\":\"e{}\"", draw(40)).expect("a text can grow");
    }
    match draw(3) {
        // A file in which no line has a key that is mapped is refused.
        0 => write!(event, ",\"version\":{}", draw(5)),
        _ => write!(event, ",\"version\":null"),
    }
    .expect("a text can grow");
    let quantity = [1, 1, 2, 3, -1][draw(5) as usize];
    let categories = ["Food/Fruit", "Food", "Toys", "Food/Fruit|Toys", ""][draw(5) as usize];
    let event_type = ["purchase", "purchase", "purchase", "view", "refund"][draw(5) as usize];
    writeln!(
        event,
        ",\"quantity\":{quantity},\"amount\":{}.50,\"category\":\"{categories}\",\"event_type\":\"{event_type}\"}}",
        draw(9)
    )
    .expect("a text can grow");
    event
}

/// Returns a time of an hour, of which many are the same.
fn clock(hour: u64, draw: &mut impl FnMut(u64) -> u64) -> String {
    let micros = [0, 500_000, 999_999][draw(3) as usize];
    format!("{hour:02}:{:02}:{:02}.{micros:06}", draw(6) * 10, draw(2) * 59)
}

/// What others change shows within a second, on a machine that is not busy.
fn check(server: &Server, query: &str, expected: &str, moment: &str) {
    let mut answer = String::new();
    holds_within(Duration::from_secs(10), || {
        answer = server.get(&format!("/v1/{query}")).body;
        answer == expected
    });
    assert_eq!(answer, expected, "moment {moment}: {query}");
}

#[test]
fn at_random_moments_they_are_the_same_bytes() {
    let moments =
        std::env::var("TOPSELL_SERVE_MOMENTS").ok().and_then(|text| text.parse().ok()).unwrap_or(MOMENTS);
    let (world, all) = (World::new(), World::new());
    let mut chance = 7;
    let words = ["--map", "version=version"];
    let mut server = Server::start(&world, &words);
    let (mut batch, mut forced) = (0, String::new());
    let take = |world: &World, body: &str, force: &str, id: &str| {
        world.write("batch.ndjson", body);
        let said = world.run(&format!("ingest --map version=version {force} --batch-id {id} batch.ndjson"));
        // Ids with other contents are a warning.
        assert!(matches!(said.code, Some(0 | 4)), "{}", said.whole());
        assert!(said.stderr.contains(" + 0 rejected"), "{}", said.whole());
    };
    let mut is_ranked = false;
    for moment in 0..moments {
        for _ in 0..4 {
            batch += 1;
            let body: String = (0..=next_random(&mut chance) % 12).map(|_| event(&mut chance)).collect();
            match next_random(&mut chance) % 8 {
                // By a file, into both.
                0 => {
                    [&world, &all].into_iter().for_each(|world| take(world, &body, "", &format!("b{batch}")));
                }
                // A file whose content replaces what it had.
                1 => {
                    [&world, &all].into_iter().for_each(|world| take(world, &body, "--force", "forced"));
                    forced.clone_from(&body);
                }
                _ => {
                    let answer = server.post_json(&body);
                    assert_eq!(answer.status, 200, "{}", answer.body);
                    take(&all, &body, "", &format!("b{batch}"));
                }
            }
        }
        let beside = ["", "rollup", "rank --min-items 0", "lake compact", "lake prune", ""];
        let beside = beside[next_random(&mut chance) as usize % beside.len()];
        if !beside.is_empty() {
            let said = world.run(beside);
            assert!(matches!(said.code, Some(0 | 7)), "{}", said.whole());
            is_ranked |= beside.starts_with("rank") && said.code == Some(0);
        }
        match next_random(&mut chance) % 5 {
            0 => {
                server.kill();
                server = Server::start(&world, &words);
            }
            1 => {
                assert!(server.stop().success(), "{}", said(&world));
                server = Server::start(&world, &words);
            }
            _ => {}
        }
        let item = next_random(&mut chance) % ITEMS;
        let mut draw = |below: u64| next_random(&mut chance) % below;
        let (hour, hours) = (draw(24), draw(20));
        let from = format!("2017-01-13T{}Z", clock(hour, &mut draw));
        let to = format!("2017-01-14T{}Z", clock(4 + hours, &mut draw));
        for (query, command) in [
            (
                format!("count?item=i{item}&item=i0&exact_times&from={from}&to={to}&by=hour"),
                format!("count i{item} i0 --exact-times --from {from} --to {to} --by hour"),
            ),
            (
                format!("count?item=i{item}&last=30h&at={to}&exact_times=true&category=Toys&subtract=refund"),
                format!("count i{item} --last 30h --at {to} --exact-times -c Toys --subtract refund"),
            ),
            (
                format!("count?item=i{item}&last=90min&at={to}&stat=count&stat=mean"),
                format!("count i{item} --last 90min --at {to} --stat count,mean"),
            ),
            (
                format!("count?item=i{item}&item=i0&last=48h&by=hour"),
                format!("count i{item} i0 --last 48h --by hour"),
            ),
            (format!("count?item=i{item}&item=i1"), format!("count i{item} i1")),
            (
                format!("count?item=i{item}&last=12h&event_type=view&subtract=refund&by=hour"),
                format!("count i{item} --last 12h --event-type view --subtract refund --by hour"),
            ),
            (
                format!("count?item=i{item}&last=48h&category=Food"),
                format!("count i{item} --last 48h -c Food"),
            ),
            (
                format!(
                    "count?item=i{item}&event_type=view&event_type=purchase&subtract=refund&from=2017-01-13"
                ),
                format!(
                    "count i{item} --event-type view --event-type purchase --subtract refund --from 2017-01-13"
                ),
            ),
            ("top?last=30h&limit=3".to_owned(), "top --last 30h -n 3".to_owned()),
            (
                "top?decay&window=20h&min_items=4&limit=3&category=Food".to_owned(),
                "top --decay --window 20h --min-items 4 -n 3 -c Food".to_owned(),
            ),
            (
                format!("top?last=90min&at={to}&limit=3&subtract=refund"),
                format!("top --last 90min --at {to} -n 3 --subtract refund"),
            ),
            (
                format!("top?last=40min&at={to}&category=Food&measure=purchases"),
                format!("top --last 40min --at {to} -c Food --measure purchases"),
            ),
            (
                format!("top?exact_times&from={from}&to={to}&category=Food/Fruit&measure=amount"),
                format!("top --exact-times --from {from} --to {to} -c Food/Fruit --measure amount"),
            ),
            ("top?last=24h&category=Food&limit=4".to_owned(), "top --last 24h -c Food -n 4".to_owned()),
            ("top?decay&min_items=0&limit=4".to_owned(), "top --decay --min-items 0 -n 4".to_owned()),
            ("top?rising&last=5h&min=1".to_owned(), "top --rising --last 5h --min 1".to_owned()),
            (
                "top?last=48h&category=Food/Fruit&subtract=refund&measure=amount".to_owned(),
                "top --last 48h -c Food/Fruit --subtract refund --measure amount".to_owned(),
            ),
        ] {
            check(
                &server,
                &query,
                &all.run(&format!("{command} --json")).stdout,
                &format!("{moment} {beside}"),
            );
        }
        for (query, command) in [
            ("show?limit=3", "show -n 3"),
            ("show?category=Food&limit=2", "show Food -n 2"),
            ("show?categories", "show --categories"),
        ] {
            // Before the first ranking, and of a category that none has sold, there is only an error.
            let said = world.run(&format!("{command} --json"));
            if is_ranked && said.code == Some(0) {
                check(&server, query, &said.stdout, &format!("{moment} {beside}"));
            }
        }
    }
    assert!(server.stop().success(), "{}", said(&world));
    let options = "i0 i1 i2 i3 i4 i5 --from 2017-01-01 --by hour";
    let [ours, theirs] = [&world, &all].map(|world| world.run(&format!("count --json {options}")).stdout);
    assert_eq!(ours, theirs, "and the lake has everything after the stop");
    assert_eq!(world.run("lake verify").code, Some(0));
}
