//! Fluent Bit's and Vector's HTTP outputs: requests as these programs make them, answered by the server.
//!
//! Fluent Bit's `out_http` sends `json_lines` as `application/x-ndjson`, `json_stream` and `json` as `application/json`,
//! with the time in `date`; Vector's sink `http` sends newline-delimited JSON as `application/x-ndjson` and an array as
//! `application/json`. Both repeat a request that was answered with 503, and give up one that was answered with 4xx.

use crate::ingest::formats::{gzip, zstd};
use crate::serve::server::{Answer, Server};
use crate::world::World;

const NDJSON: &str = "Content-Type: application/x-ndjson\r\nUser-Agent: Fluent-Bit\r\n";
const JSON: &str = "Content-Type: application/json\r\nUser-Agent: Fluent-Bit\r\n";

/// Checks that all events of a body were accepted.
fn check(answer: &Answer, accepted: usize) {
    let expected = format!("{{\"schema\":1,\"read\":{accepted},\"accepted\":{accepted},\"rejected\":0,");
    assert!(answer.status == 200 && answer.body.starts_with(&expected), "{} {}", answer.status, answer.body);
}

/// Returns the units of an item.
fn units(server: &Server, item: &str) -> String {
    let body = server.get(&format!("/v1/count?item={item}&last=24h")).body;
    body.split("\"units\":").nth(1).and_then(|rest| rest.split(',').next()).unwrap_or(&body).to_owned()
}

#[test]
fn fluent_bit_posts_to_the_server() {
    let world = World::new();
    let server = Server::start(&world, &[]);
    let lines = "{\"date\":1484388000.123456,\"item_id\":\"a\",\"quantity\":2}\n\
                 {\"date\":1484388000.5,\"item_id\":\"a\",\"categories\":[\"Food\"]}\n";
    check(&server.post("/v1/events", NDJSON, lines.as_bytes()), 2);
    let encoding = "Content-Encoding: gzip\r\n";
    check(&server.post("/v1/events", &format!("{NDJSON}{encoding}"), &gzip(lines.as_bytes())), 2);
    // `json_stream` has no separator, and `json` is an array.
    let stream = "{\"date\":\"2017-01-14T10:00:00.123456Z\",\"item_id\":\"b\"}{\"date\":\"2017-01-14T10:00:00.5Z\",\"item_id\":\"b\"}";
    check(&server.post("/v1/events", JSON, stream.as_bytes()), 2);
    let array = format!("[{}]", stream.replace("}{", "},{"));
    check(&server.post("/v1/events", JSON, array.as_bytes()), 2);
    // A header for the tag, and what the record has besides.
    let tagged =
        "{\"date\":1484388000123,\"item_id\":\"c\",\"log\":\"x\",\"kubernetes\":{\"pod_name\":\"y\"}}\n";
    check(&server.post("/v1/events", &format!("{NDJSON}X-Tag: shop\r\n"), tagged.as_bytes()), 1);
    assert_eq!(["a", "b", "c"].map(|item| units(&server, item)), ["6", "4", "1"]);
    // Its default is MessagePack, which is refused for good: 4xx.
    let message_pack = "Content-Type: application/msgpack\r\n";
    assert_eq!(server.post("/v1/events", message_pack, b"\x81\xa1a\x01").status, 415);
}

#[test]
fn vector_posts_to_the_server() {
    let world = World::new();
    world.write("tokens.txt", "write 0123456789abcdef\n");
    let server = Server::start(&world, &["--token-file", "tokens.txt", "--map", "ts=timestamp"]);
    let bearer = "Authorization: Bearer 0123456789abcdef\r\n";
    let line = r#"{"event_id":"o-1","item_id":"a","source_type":"file","timestamp":"2017-01-14T10:00:00.123456789Z"}"#;
    let lines = format!("{line}\n{}\n", line.replace("o-1", "o-2"));
    let post = |headers: &str, body: &[u8]| server.post("/v1/events", &format!("{bearer}{headers}"), body);
    check(&post(NDJSON, lines.as_bytes()), 2);
    // The same batch again, compressed in other ways, changes nothing: the events have ids.
    check(&post(&format!("{NDJSON}Content-Encoding: gzip\r\n"), &gzip(lines.as_bytes())), 2);
    check(&post(&format!("{NDJSON}Content-Encoding: zstd\r\n"), &zstd(lines.as_bytes())), 2);
    let array = format!("[{line},{}]", line.replace("o-1", "o-3"));
    check(&post(JSON, array.as_bytes()), 2);
    let count = server.get_with("/v1/count?item=a&last=24h", bearer).body;
    assert!(count.contains("\"units\":3,"), "{count}");
    assert_eq!(server.post("/v1/events", NDJSON, lines.as_bytes()).status, 401);
}
