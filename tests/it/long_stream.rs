//! A stream that is committed line by line, for hours: each commit costs what the first one did.

use std::sync::mpsc::sync_channel;

use topsell_core::ingest::{self, Options, ParseOptions, StdinEvent, StdinStream, StreamOptions, Summary};
use topsell_core::input_format::Mapping;
use topsell_core::lake::{DryRun, DuplicatePolicy, Lake};
use topsell_core::model::Timestamp;
use topsell_core::progress::Progress;
use topsell_core::storage::Store;

use crate::faults::disk::{Faults, Manner};
use crate::world::World;

fn now() -> Timestamp {
    Timestamp::parse("2017-01-15T00:00:00Z").expect("it is a time")
}

/// Ingests so many lines, each as a commit of its own unless a stop is requested before; returns the summary,
/// the number of operations on the disk and of listed files.
fn stream(lines: i64, stops: bool) -> (Summary, i64, i64) {
    const MANY: i64 = 1 << 40;
    let world = World::new();
    let faults = Faults::after(MANY, Manner::Undone);
    let store = Store::open_through(&world.path("lake"), |disk| faults.before(disk));
    let lake = Lake::open_or_create(store.expect("a folder can be named"), None).expect("it can be made");
    let (send, receive) = sync_channel(lines as usize);
    for line in 0..lines {
        let text = format!("{{\"ts\":{},\"item_id\":\"a\"}}\n", 1_484_388_000 + line);
        send.send(StdinEvent::Bytes { bytes: text.into_bytes(), at: now() }).expect("there is room");
    }
    drop(send);
    let stdin = StdinStream::of(receive, now());
    if stops {
        stdin.stop_handle().request();
    }
    let options = Options {
        now: now(),
        max_skew_seconds: 0,
        dry_run: DryRun::No,
        duplicates: DuplicatePolicy::Skip,
        max_reject_bytes: u64::MAX,
        stream: StreamOptions { lines_per_batch: Some(1), keeps_truncated: true },
    };
    let plan = ingest::plan(&["-".into()], None);
    let mapping = Mapping::none(ingest::FIELDS);
    let parse_options = ParseOptions { mapping: &mapping, catalog: None };
    let summary =
        ingest::ingest(Some(&lake), &plan, Some(&stdin), options, parse_options, &Progress::default());
    (summary.expect("the disk works"), MANY - faults.left(), faults.listed())
}

/// The table's log was listed three times for each commit, and 50 of its files were read: after 13,500 commits
/// one took 100 ms, and the program 643 MB.
#[test]
fn the_cost_of_a_commit_does_not_grow_with_their_number() {
    let (few, operations_of_few, _) = stream(100, false);
    let (many, operations_of_many, listed) = stream(500, false);
    assert_eq!((few.batches, many.batches), (100, 500));
    assert!(operations_of_many < 6 * operations_of_few, "{operations_of_few}, {operations_of_many}");
    assert!(operations_of_many < 500 * 20, "{operations_of_many} operations");
    // Of the checkpoints, one for 50 commits.
    assert!(listed < 500 * 60, "{listed} files were listed");
}

/// A signal to end took effect after all lines that the pipe and the channel held, a commit for each.
#[test]
fn a_stream_that_is_stopped_is_not_committed_line_by_line() {
    let (summary, ..) = stream(200, true);
    assert_eq!((summary.accepted, summary.batches), (200, 1));
}

/// Threads that read the log each had memory of their own, which grew by 20 KB with each commit.
#[test]
fn the_memory_of_a_stream_does_not_grow_with_the_number_of_its_commits() {
    const MIB: u64 = 1 << 20;
    let peak = |lines: usize| {
        let world = World::new();
        let line = |n: usize| format!("{{\"ts\":{},\"item_id\":\"a\"}}\n", 1_484_388_000 + n);
        let text: String = (0..lines).map(line).collect();
        let said = world
            .run_with(&["-q", "ingest", "--format", "ndjson", "--commit-every", "1", "-"], text.as_bytes());
        assert_eq!(said.code, Some(0), "{}", said.whole());
        let records = world.records("runs");
        records[0]["peak_memory_bytes"].as_u64().expect("it is recorded")
    };
    let (few, many) = (peak(200), peak(1_500));
    assert!(many < few + 20 * MIB, "{} MiB for 200 commits, {} MiB for 1,500", few / MIB, many / MIB);
}
