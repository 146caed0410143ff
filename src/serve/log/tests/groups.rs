//! Many threads append, one sync makes them all durable, and a full queue refuses.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use crate::log::error::LogError;
use crate::log::event_log::{EventLog, Options};
use crate::log::tests::simulated_disk::SimulatedDisk;
use crate::log::tests::{SMALL, append, folder, open, open_with, site};
use crate::log::ticket::Ticket;

#[test]
fn eight_threads_share_syncs_and_are_applied_in_order() {
    let disk = SimulatedDisk::new(1);
    let options = Options { segment_bytes: 1 << 20, ..SMALL };
    let (log, _, seen) = open_with(&disk, options).expect("an empty log opens");
    disk.hold_syncs();
    let tickets: Vec<_> = thread::scope(|scope| {
        let of_thread = |thread: i64| {
            let log = &log;
            move || {
                let append = |n: i64| log.append(thread * 100 + n, b"event".to_vec());
                (0..100).map(append).collect::<Result<Vec<_>, _>>().expect("the queue has room")
            }
        };
        let threads: Vec<_> = (0..8).map(|thread| scope.spawn(of_thread(thread))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no thread panics")).collect()
    });
    disk.release_syncs();
    let applied: Vec<(String, usize)> = tickets
        .into_iter()
        .map(|ticket| ticket.wait().expect("the disk works"))
        .map(|appended| (appended.position.to_string(), appended.applied))
        .collect();
    assert!(disk.data_syncs() <= 2, "{} syncs", disk.data_syncs());
    let seen = seen.lock().expect("no test panics here").clone();
    assert!(seen.iter().zip(1..).all(|((position, ..), at)| *position == format!("main.1:{at}")));
    // Each caller gets what `apply` returned for its record: here, how many were applied.
    assert!(applied.iter().all(|(position, count)| *position == format!("main.1:{count}")));
    for thread in 0..8 {
        let of_thread = |time: &i64| (thread * 100..thread * 100 + 100).contains(time);
        let times: Vec<i64> = seen.iter().map(|(_, time, _)| *time).filter(of_thread).collect();
        assert!(times.is_sorted() && times.len() == 100, "a thread's records stay in its order");
    }
}

#[test]
fn a_full_queue_refuses_at_once_and_takes_more_afterwards() {
    let disk = SimulatedDisk::new(1);
    for (options, fit) in [
        (Options { queue_records: 10, ..SMALL }, 10),
        // 48 bytes and 8 of payload each, and the one that is being written.
        (Options { queue_bytes: 56 * 4 + 55, ..SMALL }, 4),
    ] {
        let disk = disk.copy();
        let (log, _, _) = open_with(&disk, options).expect("an empty log opens");
        disk.hold_syncs();
        let first = log.append(0, b"8 bytes!".to_vec()).expect("the queue has room");
        disk.wait_for_sync();
        let tickets: Vec<_> = (1..fit)
            .map(|time| log.append(time, b"8 bytes!".to_vec()).expect("the queue has room"))
            .collect();
        for _ in 0..3 {
            assert!(matches!(log.append(9, b"8 bytes!".to_vec()), Err(LogError::Overloaded)));
        }
        disk.release_syncs();
        first.wait().expect("the disk works");
        tickets.into_iter().for_each(|ticket| drop(ticket.wait().expect("the disk works")));
        // Whoever was answered finds the queue empty.
        let more: Vec<_> = (0..fit)
            .map(|time| log.append(time, b"8 bytes!".to_vec()).expect("the queue has room"))
            .collect();
        more.into_iter().for_each(|ticket| drop(ticket.wait().expect("the disk works")));
    }
}

#[test]
fn what_could_never_be_queued_is_too_large() {
    let disk = SimulatedDisk::new(1);
    let (log, _, _) = open_with(&disk, Options { queue_bytes: 148, ..SMALL }).expect("an empty log opens");
    append(&log, 1, &[1; 100]).expect("it is as large as the queue");
    let refused = append(&log, 1, &[1; 101]).expect_err("it is larger");
    assert_eq!(refused.to_string(), "a record of 101 bytes is too large: at most 100");
}

#[test]
fn a_log_that_is_closed_has_written_what_was_queued() {
    let disk = SimulatedDisk::new(1);
    let (log, _, _) = open(&disk).expect("an empty log opens");
    disk.hold_syncs();
    let tickets: Vec<_> =
        (0..50).map(|time| log.append(time, b"event".to_vec()).expect("the queue has room")).collect();
    disk.release_syncs();
    log.close().expect("the disk works");
    tickets.into_iter().for_each(|ticket| drop(ticket.wait().expect("it was written")));
    let (_, recovered, _) = open(&disk.power_cut()).expect("an intact log opens");
    assert_eq!((recovered.records, recovered.cut), (50, None));
}

#[test]
fn nobody_waits_forever_when_apply_panics() {
    let disk = SimulatedDisk::new(1);
    let (log, _) = EventLog::open_on(Arc::new(disk.clone()), folder(), site(), SMALL, |record| {
        assert_ne!(record.payload, b"bad", "this panic is meant to be");
    })
    .expect("an empty log opens");
    log.append(1, b"good".to_vec()).and_then(Ticket::wait).expect("it is applied");
    let bad = log.append(2, b"bad".to_vec()).expect("the queue has room");
    assert!(matches!(bad.wait(), Err(LogError::Closed)));
    assert!(matches!(log.roll(), Err(LogError::Closed)));
    assert!(matches!(log.close(), Err(LogError::Closed)));
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[test]
fn a_task_can_await_a_ticket() {
    let disk = SimulatedDisk::new(1);
    let (log, _, _) = open(&disk).expect("an empty log opens");
    disk.hold_syncs();
    let mut ticket = pin!(log.append(1, b"event".to_vec()).expect("the queue has room"));
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    assert!(ticket.as_mut().poll(&mut context).is_pending());
    disk.release_syncs();
    let appended = loop {
        match ticket.as_mut().poll(&mut context) {
            Poll::Ready(outcome) => break outcome.expect("the disk works"),
            Poll::Pending => thread::park(),
        }
    };
    assert_eq!(appended.position.to_string(), "main.1:1");
}
