//! Fluentd's `out_exec`: the chunk's path comes last, and a command that fails is run again.

use expect_test::expect;

use crate::ingest::formats::gzip;
use crate::shippers::{purchase, sold};
use crate::world::World;

const CHUNK: &str = "buffer/buffer.b5f8c2e1d0a94c7e8b6f3a2d1c0e9f87.log";
const CALL: &str = "--lake data/lake ingest --format ndjson --allow-rejects";

#[test]
fn a_compressed_chunk_is_ingested_once() {
    let world = World::new();
    // Fluentd packs each piece that it adds to a chunk by itself.
    let [first, second] = ["a", "b"].map(|item| gzip(format!("{}\n", purchase(item)).as_bytes()));
    world.write(CHUNK, [first, second].concat());
    expect![[r#"
        stderr: ingest: 2 read = 2 accepted + 0 duplicate + 0 rejected, 1 new batch
        exit code 0
    "#]]
    .assert_eq(&world.run(&format!("{CALL} {CHUNK}")).whole());
    expect![[r#"
        stderr: skipped: buffer/buffer.b5f8c2e1d0a94c7e8b6f3a2d1c0e9f87.log is already ingested
        stderr: ingest: 2 read = 0 accepted + 2 duplicate + 0 rejected, 0 new batches
        exit code 0
    "#]]
    .assert_eq(&world.run(&format!("{CALL} {CHUNK}")).whole());
    assert_eq!(sold(&world), "a=1 b=1");
}

#[test]
fn a_chunk_with_an_invalid_line_is_not_retried() {
    let world = World::new();
    world.write(CHUNK, gzip(format!("{}\n{{\"item_id\":\"b\"}}\n", purchase("a")).as_bytes()));
    expect![[r#"
        stderr: rejected: buffer/buffer.b5f8c2e1d0a94c7e8b6f3a2d1c0e9f87.log:2: ts is empty; it is required
        stderr: ingest: 2 read = 1 accepted + 0 duplicate + 1 rejected, 1 new batch
        exit code 0
    "#]]
    .assert_eq(&world.run(&format!("{CALL} {CHUNK}")).whole());
    assert_eq!(world.records("rejects").len(), 1);
    assert_eq!(world.records("runs")[0]["exit_code"], 0);
    assert_eq!(
        world.run(&format!("ingest --format ndjson {CHUNK}")).code,
        Some(0),
        "all of it is already ingested"
    );
}

#[test]
fn a_chunk_that_cannot_be_ingested_is_retried() {
    let world = World::new();
    world.write("torn.log", &gzip(purchase("a").repeat(99).as_bytes())[..40]);
    let said = world.run("ingest --format ndjson --allow-rejects torn.log");
    assert_eq!(said.code, Some(1), "nothing could be read: {}", said.whole());
    world.write("good.ndjson", purchase("a"));
    let said = world.run("ingest --format ndjson --allow-rejects torn.log good.ndjson");
    assert_eq!(said.code, Some(0), "something could be read: {}", said.whole());
    world.write("data/other/file", "not a lake");
    let said = world.run("--lake data/other ingest --allow-rejects good.ndjson");
    assert_eq!(said.code, Some(1), "{}", said.whole());
}
