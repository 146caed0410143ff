//! rsyslog's `omprog`: a child process that reads messages and acknowledges those on disk.

use std::io::Write as _;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use expect_test::expect;
use nix::sys::signal::Signal;

use crate::processes::{exits_within, wait_until};
use crate::shippers::{Held, commits, purchase, sold};
use crate::world::World;

const CALL: &str = "ingest --ack rsyslog -";

/// Starts a child process and waits until it is ready.
fn ready(world: &World) -> Held {
    let mut child = Held::start(world, CALL);
    assert_eq!(child.answer(), "OK", "the child says that it is ready");
    child
}

#[test]
fn each_message_is_acknowledged_when_it_is_on_disk() {
    let world = World::new();
    let mut child = ready(&world);
    for (item, number) in ["a", "b", "c"].into_iter().zip(1..) {
        assert_eq!(child.ask(&purchase(item)), "OK");
        assert_eq!(commits(&world), number);
    }
    assert_eq!(child.ask("shop: [1484388000.5, {\"item_id\":\"d\"}]"), "OK");
    child.close();
    assert_eq!(child.answer(), "", "nothing else is written to stdout");
    let (said, status) = child.end();
    expect![[r#"
        ingest: 4 read = 4 accepted + 0 duplicate + 0 rejected, 4 new batches
    "#]]
    .assert_eq(&said);
    assert_eq!(status.code(), Some(0));
    assert_eq!(world.records("runs").len(), 1, "one record for the child's life");
    assert_eq!(sold(&world), "a=1 b=1 c=1 d=1");
}

/// A child process may run for months: events after its start are not in the future.
#[test]
fn messages_are_compared_with_the_time_of_their_arrival() {
    let world = World::new();
    let seconds = || -> u64 {
        let said = Command::new("date").arg("+%s").output().expect("there is a clock");
        String::from_utf8_lossy(&said.stdout).trim().parse().expect("it counts seconds")
    };
    let mut command = world.command(&["ingest", "--max-skew", "0s", "--ack", "rsyslog", "-"]);
    command.env_remove("TOPSELL_NOW");
    let mut child = Held::of(command);
    assert_eq!(child.answer(), "OK");
    let start = seconds();
    wait_until("some time has passed", || seconds() > start + 1);
    assert_eq!(child.ask(&format!(r#"{{"ts":{},"item_id":"a"}}"#, seconds())), "OK");
    assert_eq!(child.ask(&format!(r#"{{"ts":{},"item_id":"a"}}"#, seconds() + 60)), "OK");
    child.close();
    let (said, _) = child.end();
    assert!(said.contains("2 read = 1 accepted + 0 duplicate + 1 rejected"), "{said}");
}

#[test]
fn a_transaction_is_one_batch() {
    let world = World::new();
    let mut child = ready(&world);
    for round in 1..=2 {
        assert_eq!(child.ask("BEGIN TRANSACTION"), "OK");
        for item in ["a", "b", "a"] {
            assert_eq!(child.ask(&purchase(item)), "DEFER_COMMIT");
        }
        assert_eq!(commits(&world), round - 1, "nothing is in before the commit");
        assert_eq!(child.ask("COMMIT TRANSACTION"), "OK");
        assert_eq!(commits(&world), round);
    }
    assert_eq!(child.ask("BEGIN TRANSACTION"), "OK");
    assert_eq!(child.ask("COMMIT TRANSACTION"), "OK", "an empty one is no trouble");
    let answer = child.ask("COMMIT TRANSACTION");
    assert_eq!(answer, "Error: there is no transaction to commit");
    child.close();
    child.end();
    assert_eq!(sold(&world), "a=4 b=2");
}

#[test]
fn an_invalid_message_is_kept_in_the_rejects_and_acknowledged() {
    let world = World::new();
    let mut child = ready(&world);
    assert_eq!(child.ask("nonsense"), "OK");
    assert_eq!(child.ask(""), "OK");
    assert_eq!(child.ask("BEGIN TRANSACTION"), "OK");
    assert_eq!(child.ask(&purchase("a")), "DEFER_COMMIT");
    assert_eq!(child.ask(&"x".repeat(17 << 20)), "DEFER_COMMIT");
    assert_eq!(child.ask("COMMIT TRANSACTION"), "OK");
    child.close();
    let (said, status) = child.end();
    expect![[r#"
        rejected: -:1: not a JSON object
        rejected: -:4: line is longer than the limit of 16777216 bytes
        ingest: 3 read = 1 accepted + 0 duplicate + 2 rejected, 1 new batch
    "#]]
    .assert_eq(&said);
    assert_eq!(status.code(), Some(4));
    assert_eq!(world.records("rejects").len(), 2);
    assert_eq!(sold(&world), "a=1");
}

/// A child that is killed after the commit and before the answer leaves a message that is in, and
/// is sent again to the next child.
#[test]
fn what_was_committed_and_not_acknowledged_counts_once() {
    for transaction in [false, true] {
        let world = World::new();
        let send = |child: &mut Held| {
            if transaction {
                assert_eq!(child.ask("BEGIN TRANSACTION"), "OK");
                assert_eq!(child.ask(&purchase("a")), "DEFER_COMMIT");
                assert_eq!(child.ask("COMMIT TRANSACTION"), "OK");
            } else {
                assert_eq!(child.ask(&purchase("a")), "OK");
            }
        };
        for _ in 0..2 {
            let mut child = ready(&world);
            send(&mut child);
            child.signal(Signal::SIGKILL);
            child.end();
        }
        assert_eq!(commits(&world), 1);
        // From the second message on, the same bytes are another purchase.
        let mut child = ready(&world);
        for _ in 0..3 {
            send(&mut child);
        }
        child.close();
        child.end();
        assert_eq!(sold(&world), "a=3");
    }
}

#[test]
fn a_failed_commit_is_answered_with_the_reason_and_the_process_continues() {
    let world = World::new();
    let mut child = ready(&world);
    assert_eq!(child.ask(&purchase("a")), "OK");
    let [events, away] = ["data/lake/events", "data/away"].map(|name| world.path(name));
    std::fs::rename(&events, &away).expect("a folder can be moved");
    let answer = child.ask(&purchase("b"));
    assert!(answer.starts_with("Error: ") && answer.contains("data/lake/events"), "{answer}");
    assert_eq!(child.ask("BEGIN TRANSACTION"), "OK");
    assert_eq!(child.ask(&purchase("c")), "DEFER_COMMIT");
    assert!(child.ask("COMMIT TRANSACTION").starts_with("Error: "));
    // What the failed tries may have left is no table.
    let _ = std::fs::remove_dir_all(&events);
    std::fs::rename(&away, &events).expect("a folder can be moved");
    for item in ["b", "c", "c"] {
        assert_eq!(child.ask(&purchase(item)), "OK");
    }
    child.close();
    let (said, status) = child.end();
    assert_eq!(status.code(), Some(0), "{said}");
    assert_eq!(sold(&world), "c=2 a=1 b=1");
}

#[test]
fn an_open_transaction_is_left_to_be_sent_again() {
    let world = World::new();
    let mut child = ready(&world);
    assert_eq!(child.ask("BEGIN TRANSACTION"), "OK");
    assert_eq!(child.ask(&purchase("a")), "DEFER_COMMIT");
    child.write("{\"half");
    child.close();
    let (said, status) = child.end();
    expect![[r#"
        unacknowledged: 2 messages were not committed; the sender sends them again
        ingest: 0 read = 0 accepted + 0 duplicate + 0 rejected, 0 new batches
    "#]]
    .assert_eq(&said);
    assert_eq!(status.code(), Some(0));
    // One that is begun anew was given up.
    let mut child = ready(&world);
    for item in ["b", "a"] {
        assert_eq!(child.ask("BEGIN TRANSACTION"), "OK");
        assert_eq!(child.ask(&purchase(item)), "DEFER_COMMIT");
    }
    assert_eq!(child.ask("COMMIT TRANSACTION"), "OK");
    child.close();
    child.end();
    assert_eq!(sold(&world), "a=1");
}

#[test]
fn a_transaction_over_the_memory_limit_is_refused() {
    let world = World::new();
    let mut child = Held::start(&world, "ingest --slice-size 64KiB --ack rsyslog -");
    assert_eq!(child.answer(), "OK");
    assert_eq!(child.ask("BEGIN TRANSACTION"), "OK");
    let long = format!("{{\"note\":\"{}\",{}", "x".repeat(40_000), &purchase("a")[1..]);
    assert_eq!(child.ask(&long), "DEFER_COMMIT");
    let answer = "Error: the transaction is over the limit of 65536 bytes; lower queue.dequeueBatchSize";
    for line in [&long, &long, &purchase("a"), "COMMIT TRANSACTION"] {
        assert_eq!(child.ask(line), answer);
    }
    assert_eq!(commits(&world), 0);
    assert_eq!(child.ask("BEGIN TRANSACTION"), "OK");
    assert_eq!(child.ask(&purchase("a")), "DEFER_COMMIT");
    assert_eq!(child.ask("COMMIT TRANSACTION"), "OK");
    child.close();
    child.end();
    assert_eq!(sold(&world), "a=1");
}

#[test]
fn a_signal_or_a_closed_output_ends_the_process_cleanly() {
    let world = World::new();
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let child = ready(&world);
        child.signal(signal);
        let (said, status) = child.end();
        assert_eq!(status.code(), Some(0), "{said}");
        assert!(said.starts_with("stopped: "), "{said}");
    }
    let mut child = ready(&world);
    child.stdout = None;
    child.write(&format!("{}\n", purchase("a")));
    wait_until("the message is in", || commits(&world) == 1);
    let (said, status) = child.end();
    assert_eq!(status.code(), Some(0), "{said}");
    assert_eq!(sold(&world), "a=1");
}

/// It waited for ever for somebody to read its answers.
#[test]
fn a_process_whose_answers_nobody_reads_ends_a_minute_after_a_signal() {
    let world = World::new();
    let mut child = ready(&world);
    let mut pipe = child.stdin.take().expect("it is a pipe");
    let written = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&written);
    let lines = "BEGIN TRANSACTION\n".repeat(1_000);
    let feeder = std::thread::spawn(move || {
        while pipe.write_all(lines.as_bytes()).is_ok() {
            count.fetch_add(lines.len(), Ordering::Relaxed);
        }
    });
    // Their answers are more than a pipe holds.
    wait_until("it has read many", || written.load(Ordering::Relaxed) > 700_000);
    child.signal(Signal::SIGTERM);
    assert!(exits_within(Duration::from_secs(80), &mut child.child), "it waits for ever");
    let (said, status) = child.end();
    assert_eq!(status.signal(), Some(Signal::SIGTERM as i32), "{said}");
    assert!(said.contains("error: not ended 60 s after a signal"), "{said}");
    feeder.join().expect("feeding does not panic");
}

#[test]
fn inputs_that_cannot_be_acknowledged_are_usage_errors() {
    let world = World::new();
    let said: String = [
        "ingest --ack rsyslog --format csv -",
        "ingest --ack rsyslog - log.ndjson",
        "ingest --ack rsyslog log.ndjson",
    ]
    .map(|call| world.run(call).whole())
    .concat();
    expect![[r#"
        stderr: error: --ack requires NDJSON messages; omit --format
        exit code 2
        stderr: error: --ack requires standard input as the only input; pass - and no other input
        exit code 2
        stderr: error: --ack requires standard input as the only input; pass - and no other input
        exit code 2
    "#]]
    .assert_eq(&said);
    for other in ["--commit-every 1s", "--dry-run", "--spool x"] {
        assert_eq!(world.run(&format!("{CALL} {other}")).code, Some(2), "{other}");
    }
}
