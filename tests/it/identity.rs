//! The same purchases, however they come in, make the same snapshot, byte for byte.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

use crate::world::{World, sample_logs};

/// Days of the sample that the tests with many runs take.
const DAYS: usize = 4;
/// Where the ranking of those days ends.
const AS_OF: &str = "2017-01-05T00:00:00Z";

#[test]
fn one_thread_and_eight_give_the_same_bytes() {
    let world = World::new();
    let logs: Vec<String> = sample_logs().iter().map(|log| log.display().to_string()).collect();
    for threads in ["1", "8"] {
        let mut ingest = vec!["ingest", "--lake", threads, "--threads", threads];
        ingest.extend(logs.iter().map(String::as_str));
        run(&world, &ingest, b"");
        run(&world, &["rank", "--lake", threads, "--threads", threads], b"");
    }
    check(&world, "8", "1");
}

#[test]
fn neither_the_order_of_files_nor_rollups_between_them_matter() {
    let world = World::new();
    let logs = plain_logs(&world);
    make(&world, "straight", &logs);
    for log in logs.iter().rev() {
        run(&world, &["ingest", "--lake", "reverse", log], b"");
        run(&world, &["rollup", "--lake", "reverse"], b"");
    }
    rank(&world, "reverse");
    check(&world, "reverse", "straight");
    run(&world, &["rollup", "--lake", "reverse", "--all"], b"");
    rank(&world, "reverse");
    check(&world, "reverse", "straight");
}

#[test]
fn a_file_in_ten_pieces_is_the_same_as_whole() {
    let world = World::new();
    let logs = plain_logs(&world);
    make(&world, "whole", &logs);
    let (header, lines) = split_header(&text(&world, &logs[0]));
    let per_piece = lines.len().div_ceil(10);
    let mut pieces = logs[1..].to_vec();
    for (at, piece) in lines.chunks(per_piece).enumerate() {
        let name = format!("piece-{at}.csv");
        world.write(&name, format!("{header}\n{}\n", piece.join("\n")));
        // Each goes where no order would put it.
        pieces.insert(at % 3, name);
    }
    assert_eq!(pieces.len(), DAYS - 1 + 10);
    make(&world, "pieces", &pieces);
    check(&world, "pieces", "whole");
}

#[test]
fn a_stream_is_the_same_as_files() {
    let world = World::new();
    let logs = plain_logs(&world);
    make(&world, "files", &logs);
    let stream = one_csv(&world, &logs);
    run(&world, &["ingest", "--lake", "stream", "--format", "csv", "-"], stream.as_bytes());
    rank(&world, "stream");
    check(&world, "stream", "files");
}

#[test]
fn formats_and_compressions_do_not_matter() {
    let world = World::new();
    let logs = plain_logs(&world);
    make(&world, "plain", &logs);
    let kinds: [(&str, Pack); 4] =
        [("csv.gz", gzip), ("csv.zst", zstd), ("ndjson", ndjson), ("ndjson.gz", |csv| gzip(&ndjson(csv)))];
    for (kind, convert) in kinds {
        let converted: Vec<String> = logs
            .iter()
            .map(|log| {
                let name = format!("converted/{log}").replace(".csv", &format!(".{kind}"));
                world.write(&name, convert(text(&world, log).as_bytes()));
                name
            })
            .collect();
        make(&world, kind, &converted);
        check(&world, kind, "plain");
    }
}

#[test]
fn the_size_of_slices_does_not_matter() {
    let world = World::new();
    let logs = plain_logs(&world);
    make(&world, "large", &logs);
    let small = ["ingest", "--slice-size", "64KiB", "--lake"];
    let files = [&small[..], &["files"], &logs.iter().map(String::as_str).collect::<Vec<_>>()].concat();
    run(&world, &files, b"");
    let stream = [&small[..], &["stream", "--format", "csv", "-"]].concat();
    run(&world, &stream, one_csv(&world, &logs).as_bytes());
    for lake in ["files", "stream"] {
        rank(&world, lake);
        check(&world, lake, "large");
    }
}

/// Compares the snapshots of two lakes, and what points to them.
fn check(world: &World, lake: &str, expected: &str) {
    let ((pointer, bytes), (expected_pointer, expected_bytes)) =
        (world.snapshot(lake), world.snapshot(expected));
    assert_eq!(pointer, expected_pointer, "{lake}");
    assert!(bytes == expected_bytes, "{lake}: the pointers are the same and the bytes are not");
    assert_eq!(pointer["blake3"], blake3::hash(&bytes).to_hex().to_string(), "{lake}");
    assert!(pointer["rows"].as_u64() > Some(10_000), "{lake} has next to nothing to compare");
}

fn make(world: &World, lake: &str, logs: &[String]) {
    let mut ingest = vec!["ingest", "--lake", lake];
    ingest.extend(logs.iter().map(String::as_str));
    run(world, &ingest, b"");
    rank(world, lake);
}

fn rank(world: &World, lake: &str) {
    run(world, &["rank", "--lake", lake, "--as-of", AS_OF], b"");
}

fn run(world: &World, arguments: &[&str], stdin: &[u8]) {
    let said = world.run_with(arguments, stdin);
    assert_eq!(said.code, Some(0), "{arguments:?}: {}", said.whole());
}

/// Unpacks the sample's first days into the world and returns their names.
fn plain_logs(world: &World) -> Vec<String> {
    let unpack = |at: usize, log| {
        let mut csv = Vec::new();
        let file = std::fs::File::open(log).expect("the sample can be opened");
        MultiGzDecoder::new(file).read_to_end(&mut csv).expect("the sample can be unpacked");
        let name = format!("day-{}.csv", at + 1);
        world.write(&name, csv);
        name
    };
    sample_logs().into_iter().take(DAYS).enumerate().map(|(at, log)| unpack(at, log)).collect()
}

fn text(world: &World, name: &str) -> String {
    std::fs::read_to_string(world.path(name)).expect("a log is text")
}

fn split_header(csv: &str) -> (String, Vec<String>) {
    let mut lines = csv.lines().map(str::to_owned);
    let header = lines.next().expect("a log has a header");
    (header, lines.collect())
}

/// Returns all logs as one, its header from the first.
fn one_csv(world: &World, logs: &[String]) -> String {
    let logs: Vec<(String, Vec<String>)> = logs.iter().map(|log| split_header(&text(world, log))).collect();
    let lines: Vec<&str> = logs.iter().flat_map(|(_, lines)| lines).map(String::as_str).collect();
    format!("{}\n{}\n", logs[0].0, lines.join("\n"))
}

fn ndjson(csv: &[u8]) -> Vec<u8> {
    let mut json = Vec::new();
    let mut lines = csv::Reader::from_reader(csv);
    for line in lines.deserialize() {
        let line: std::collections::BTreeMap<String, String> = line.expect("the sample is CSV");
        serde_json::to_writer(&mut json, &line).expect("memory can be written");
        json.push(b'\n');
    }
    json
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(bytes).expect("memory can be written");
    packed.finish().expect("memory can be written")
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).expect("memory can be written")
}

/// Returns a file as it is sent.
type Pack = fn(&[u8]) -> Vec<u8>;
