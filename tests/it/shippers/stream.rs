//! A pipe that may stay open for months: what has arrived is committed while it is open.

use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::sync::mpsc::{RecvTimeoutError, channel, sync_channel};
use std::time::Duration;

use expect_test::expect;
use flate2::write::GzEncoder;
use nix::sys::signal::Signal;
use topsell_core::ingest::{self, Options, ParseOptions, StdinEvent, StdinStream, StreamOptions, Summary};
use topsell_core::input_format::Mapping;
use topsell_core::lake::{DryRun, DuplicatePolicy};
use topsell_core::model::Timestamp;
use topsell_core::progress::Progress;

use crate::processes::wait_until;
use crate::shippers::{Held, commits, purchase, sold, wait_for_commits};
use crate::world::World;

#[test]
fn batches_of_lines_are_committed_while_the_pipe_is_open() {
    let world = World::new();
    let mut child = Held::start(&world, "ingest --commit-every 2 -");
    for (item, number) in ["a", "b", "c", "d"].into_iter().zip(1..) {
        child.write(&format!("{}\n", purchase(item)));
        wait_for_commits(&world, number / 2);
        assert_eq!(commits(&world), number / 2);
    }
    child.write(&format!("{}\n{}", purchase("e"), &purchase("torn")[..20]));
    child.close();
    let (said, status) = child.end();
    expect![[r#"
        rejected: -:6: not a JSON object: EOF while parsing a string at character 20; the input ends in the middle of this line, or without a newline
        ingest: 6 read = 5 accepted + 0 duplicate + 1 rejected, 3 new batches
    "#]]
    .assert_eq(&said);
    assert_eq!(status.code(), Some(4));
    assert_eq!(sold(&world), "a=1 b=1 c=1 d=1 e=1");
}

#[test]
fn what_has_arrived_is_committed_at_intervals_while_the_pipe_is_open() {
    let world = World::new();
    let mut child = Held::start(&world, "ingest --commit-every 1s --commit-every 50000 -");
    // The header comes alone, and a record in two pieces.
    child.write("ts,item_id,note\n");
    for number in 1..=3 {
        child.write(&format!("2017-01-14T10:00:00Z,item-{number},\"a\nb\"\n2017-01-14T10:00"));
        wait_for_commits(&world, number);
        child.write(":01Z,x,\n");
    }
    child.close();
    let (said, status) = child.end();
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(said.contains("6 read = 6 accepted"), "{said}");
    assert_eq!(sold(&world), "x=3 item-1=1 item-2=1 item-3=1");
}

#[test]
fn files_before_a_stream_are_committed_while_the_stream_is_silent() {
    let world = World::new();
    for item in ["a", "b"] {
        world.write(&format!("{item}.csv"), format!("ts,item_id\n2017-01-14T10:00:00Z,{item}\n"));
    }
    let mut child = Held::start(&world, "ingest a.csv b.csv -");
    wait_for_commits(&world, 1);
    assert_eq!(sold(&world), "a=1 b=1");
    child.write(&format!("{}\n", purchase("c")));
    child.close();
    let (said, _) = child.end();
    assert!(said.contains("3 read = 3 accepted"), "{said}");
    assert_eq!(commits(&world), 2);
}

/// Commits are slower than the pipe: it fills up, its writer waits, and nothing is lost.
#[test]
fn a_lake_that_is_slower_than_the_pipe_loses_nothing() {
    let world = World::new();
    let log: String = (0..40_000).map(|n| purchase(&format!("{n:08}")) + "\n").collect();
    let said = world.run_with(&["ingest", "--commit-every", "1000", "-"], log.as_bytes());
    expect![[r#"
        stderr: ingest: 40000 read = 40000 accepted + 0 duplicate + 0 rejected, 40 new batches
        exit code 0
    "#]]
    .assert_eq(&said.whole());
    assert_eq!(sold(&world).split(' ').filter(|item| item.ends_with("=1")).count(), 40_000);
}

#[test]
fn a_signal_commits_what_the_pipe_holds() {
    for (signal, call) in [
        (Signal::SIGTERM, "ingest -"),
        (Signal::SIGINT, "ingest -"),
        (Signal::SIGTERM, "ingest --commit-every 1h -"),
        (Signal::SIGINT, "ingest --commit-every 1000 -"),
    ] {
        let world = World::new();
        let mut child = Held::start(&world, call);
        // Once the lake is there, signals are heard.
        wait_until("the run has begun", || world.path("data/lake/events/_delta_log").exists());
        child.write("ts,item_id\n2017-01-14T10:00:00Z,a\n2017-01-14T10:00:00Z,b\n2017-01-14T10:00:00Z,b");
        child.signal(signal);
        let (said, status) = child.end();
        expect![[r#"
            rejected: -:4: the input ends in the middle of this line, or without a newline
            stopped: by a signal; what had arrived by then was ingested
            ingest: 3 read = 2 accepted + 0 duplicate + 1 rejected, 1 new batch
        "#]]
        .assert_eq(&said);
        assert_eq!(status.code(), Some(4));
        assert_eq!(sold(&world), "a=1 b=1");
    }
}

/// The first part used to take the id, or to replace the whole, and the rest was skipped ever after.
#[test]
fn a_signal_leaves_nothing_of_a_stream_that_is_ingested_atomically() {
    let world = World::new();
    let mut child = Held::start(&world, "ingest --batch-id day -");
    wait_until("the run has begun", || world.path("data/lake/events/_delta_log").exists());
    child.write("ts,item_id\n2017-01-14T10:00:00Z,a\n2017-01-14T10:00:00Z,b\n");
    child.signal(Signal::SIGTERM);
    let (said, status) = child.end();
    expect![[r#"
        failed: -: was stopped before its end; nothing of it was ingested, so send it again
        stopped: by a signal; what had arrived by then was ingested
        ingest: 0 read = 0 accepted + 0 duplicate + 0 rejected, 0 new batches, 1 of 1 input failed
    "#]]
    .assert_eq(&said);
    assert_eq!(status.code(), Some(1));
    let whole = "ts,item_id\n2017-01-14T10:00:00Z,a\n2017-01-14T10:00:00Z,b\n2017-01-14T10:00:00Z,c\n";
    let said = world.run_with(&["ingest", "--batch-id", "day", "-"], whole.as_bytes());
    assert!(said.stderr.contains("3 read = 3 accepted"), "{}", said.whole());
}

/// A quote inside a field used to make one line of all that followed, where the end was truncated.
#[test]
fn a_stray_quote_rejects_no_other_line_of_a_stopped_stream() {
    let world = World::new();
    let mut child = Held::start(&world, "ingest -");
    wait_until("the run has begun", || world.path("data/lake/events/_delta_log").exists());
    child.write("ts,item_id\n2017-01-14T10:00:00Z,5\" pipe\n2017-01-14T10:00:00Z,a\n2017-01-14T10:0");
    child.signal(Signal::SIGTERM);
    let (said, _) = child.end();
    assert!(said.contains("3 read = 2 accepted + 0 duplicate + 1 rejected"), "{said}");
}

#[test]
fn a_second_signal_ends_the_process_at_once() {
    let world = World::new();
    let mut child = Held::start(&world, "ingest -");
    wait_until("the run has begun", || world.path("data/lake/events/_delta_log").exists());
    let mut pipe = child.stdin.take().expect("it is a pipe");
    // A pipe that never falls silent keeps the run going for a while after the first signal.
    let line = format!("{}\n", purchase("a"));
    let feeder = std::thread::spawn(move || while pipe.write_all(line.as_bytes()).is_ok() {});
    child.signal(Signal::SIGTERM);
    child.signal(Signal::SIGINT);
    let (said, status) = child.end();
    assert!(matches!(status.signal(), Some(2 | 15)), "{status:?} {said}");
    feeder.join().expect("the feeder ends with the pipe");
    assert_eq!(commits(&world), 0);
}

#[test]
fn a_pipe_that_never_falls_silent_is_closed_after_a_signal() {
    let world = World::new();
    let mut child = Held::start(&world, "ingest -");
    wait_until("the run has begun", || world.path("data/lake/events/_delta_log").exists());
    let mut pipe = child.stdin.take().expect("it is a pipe");
    let line = format!("{}\n", purchase("a"));
    let (_open, closed) = channel::<()>();
    let feeder = std::thread::spawn(move || {
        // A line every millisecond, until the pipe closes.
        while pipe.write_all(line.as_bytes()).is_ok()
            && closed.recv_timeout(Duration::from_millis(1)) == Err(RecvTimeoutError::Timeout)
        {}
    });
    child.signal(Signal::SIGTERM);
    let (said, status) = child.end();
    assert!(matches!(status.code(), Some(0 | 4)), "{status:?} {said}");
    assert!(said.contains("stopped: "), "{said}");
    feeder.join().expect("the feeder ends with the pipe");
}

#[test]
fn a_stream_that_is_cut_by_lines_is_skipped_when_sent_again() {
    let world = World::new();
    let log: String = ["a", "b", "c", "d", "e"].map(|item| purchase(item) + "\n").concat();
    let call = ["ingest", "--commit-every", "2", "-"];
    expect![[r#"
        stderr: ingest: 5 read = 5 accepted + 0 duplicate + 0 rejected, 3 new batches
        exit code 0
    "#]]
    .assert_eq(&world.run_with(&call, log.as_bytes()).whole());
    let longer = format!("{log}{}\n{}\n", purchase("f"), purchase("g"));
    expect![[r#"
        stderr: ingest: 7 read = 3 accepted + 4 duplicate + 0 rejected, 2 new batches
        exit code 0
    "#]]
    .assert_eq(&world.run_with(&call, longer.as_bytes()).whole());
    assert_eq!(sold(&world), "e=2 a=1 b=1 c=1 d=1 f=1 g=1", "its last piece was cut elsewhere");
}

#[test]
fn the_commit_interval_is_checked() {
    let world = World::new();
    let calls = [
        "ingest --commit-every 10s log.csv",
        "ingest --commit-every 0s -",
        "ingest --commit-every 0 -",
        "ingest --commit-every often -",
        "ingest --commit-every 10s --commit-every 20s -",
    ];
    expect![[r#"
        stderr: error: --commit-every applies to standard input only; pass - as the input, or omit --commit-every
        exit code 2
        stderr: error: --commit-every `0s` is too short; pass at least 1s
        exit code 2
        stderr: error: --commit-every `0` is not a number of lines; pass at least 1
        exit code 2
        stderr: error: --commit-every: `often` is not a duration; pass a whole number and a unit (s, min, h, d, w, y), such as 10s or 1h
        exit code 2
        stderr: error: --commit-every `20s` is repeated; pass at most one interval and one number of lines
        exit code 2
    "#]].assert_eq(&calls.map(|call| world.run(call).whole()).concat());
}

/// A tick between any two compressed bytes loses none of them.
#[test]
fn ticks_do_not_damage_compressed_streams() {
    let log: String = (0..200).map(|n| purchase(&format!("item-{n}")) + "\n").collect();
    let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::default());
    let mut zstd = zstd::Encoder::new(Vec::new(), 0).expect("a packer can be made");
    for piece in log.as_bytes().chunks(999) {
        for packer in [&mut gzip as &mut dyn std::io::Write, &mut zstd] {
            packer.write_all(piece).expect("memory can be written");
            packer.flush().expect("memory can be written");
        }
    }
    let gzip = gzip.finish().expect("memory can be written");
    let packed = [gzip.repeat(2), zstd.finish().expect("memory can be written").repeat(2)];
    for packed in packed.iter().map(Vec::as_slice).chain([log.repeat(2).as_bytes()]) {
        for step in [1, 7, 1_000] {
            let pieces = packed.chunks(step);
            let events = pieces.flat_map(|piece| [bytes(piece, 1_484_388_000), StdinEvent::Tick]);
            let summary = fed(events.collect());
            assert_eq!((summary.lines.read, summary.accepted), (400, 400), "{step}");
            assert!(summary.failures.is_empty() && summary.batches > 1, "{step}: {summary:?}");
        }
    }
}

#[test]
fn a_compressed_stream_that_breaks_off_keeps_its_complete_lines() {
    let log: String = (0..200).map(|n| purchase(&format!("item-{n}")) + "\n").collect();
    let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(log.as_bytes()).expect("memory can be written");
    gzip.flush().expect("memory can be written");
    let packed = gzip.get_ref().clone();
    let summary = fed(vec![bytes(&packed, 1_484_388_000), StdinEvent::Stop]);
    assert_eq!((summary.accepted, summary.rejected, summary.failures.len()), (200, 0, 1), "{summary:?}");
}

#[test]
fn events_are_compared_with_the_time_of_their_arrival() {
    let at = |second: i64| {
        let line = format!("{{\"ts\":{second},\"item_id\":\"a\"}}\n");
        [bytes(line.as_bytes(), second), StdinEvent::Tick]
    };
    let months = [0, 1, 2].map(|month| at(1_484_388_000 + month * 30 * 86_400));
    let summary = fed(months.into_iter().flatten().collect());
    assert_eq!((summary.accepted, summary.batches), (3, 3), "{summary:?}");
    let early = bytes(b"{\"ts\":1484388001,\"item_id\":\"a\"}\n", 1_484_388_000);
    assert_eq!(fed(vec![early]).rejected, 1);
}

#[test]
fn a_stray_quote_holds_nothing_back_for_longer_than_a_tick() {
    let record = |text: &str| bytes(text.as_bytes(), 1_484_388_000);
    let good = "1484388000,a,\n";
    let log = vec![
        record(&format!("ts,item_id,note\n{good}")),
        StdinEvent::Tick,
        record(&format!("1484388000,b,5\" pipe\n{good}")),
        StdinEvent::Tick,
        StdinEvent::Tick,
        record("1484388000,c,\"two\n"),
        StdinEvent::Tick,
        record("lines\"\n"),
        StdinEvent::Tick,
        record(good),
    ];
    let summary = fed(log);
    assert_eq!((summary.accepted, summary.rejected, summary.batches), (5, 0, 4), "{summary:?}");
}

fn bytes(bytes: &[u8], second: i64) -> StdinEvent {
    StdinEvent::Bytes { bytes: bytes.to_vec(), at: moment(second) }
}

fn moment(second: i64) -> Timestamp {
    Timestamp::from_epoch(second).expect("a good moment")
}

/// Ingests a stream of the given events, without a lake.
fn fed(events: Vec<StdinEvent>) -> Summary {
    let (send, receive) = sync_channel(events.len());
    for event in events {
        send.send(event).expect("there is room");
    }
    drop(send);
    let now = moment(0);
    let stream = StreamOptions { lines_per_batch: None, keeps_truncated: true };
    let options = Options {
        now,
        max_skew_seconds: 0,
        dry_run: DryRun::Yes,
        stream,
        duplicates: DuplicatePolicy::Skip,
        max_reject_bytes: u64::MAX,
    };
    let plan = ingest::plan(&["-".into()], None);
    let stdin = StdinStream::of(receive, now);
    let mapping = Mapping::none(ingest::FIELDS);
    let parse_options = ParseOptions { mapping: &mapping, catalog: None };
    ingest::ingest(None, &plan, Some(&stdin), options, parse_options, &Progress::default())
        .expect("there is no lake to fail")
}
