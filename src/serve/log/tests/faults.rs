//! Every n-th operation fails, for every n: nothing that was acknowledged is lost, and after a failed write
//! or sync nothing more is acknowledged.

use crate::log::error::LogError;
use crate::log::event_log::EventLog;
use crate::log::tests::simulated_disk::{EIO, ENOSPC, Fault, SimulatedDisk};
use crate::log::tests::{append, open, positions};

/// What a run was told.
#[derive(Default)]
struct Told {
    acknowledged: Vec<String>,
    /// Acknowledged records of a segment whose deletion was tried.
    may_be_gone: Vec<String>,
    has_failed: bool,
}

impl Told {
    fn append(&mut self, log: &EventLog<usize>, time_micros: i64, payload: &[u8]) {
        match append(log, time_micros, payload) {
            Ok(position) => {
                assert!(!self.has_failed, "nothing is acknowledged after a failure");
                self.acknowledged.push(position);
            }
            Err(error) => self.note(&error),
        }
    }

    fn note(&mut self, error: &LogError) {
        match error {
            LogError::Failed { .. } => self.has_failed = true,
            LogError::Full { .. } => assert!(!self.has_failed, "{error}"),
            LogError::Io { .. }
            | LogError::NotOldest { .. }
            | LogError::NotRegistered { .. }
            | LogError::Retained { .. } => {}
            other => panic!("{other}"),
        }
    }
}

/// A log's life: records in three segments, of which one is deleted, and a consumer.
fn live(disk: &SimulatedDisk, told: &mut Told) -> Result<(), LogError> {
    let (log, _, _) = open(disk)?;
    let note = |told: &mut Told, error: Option<LogError>| error.iter().for_each(|error| told.note(error));
    note(told, log.register("lake").err());
    for time in 0..3 {
        told.append(&log, time, b"first segment");
    }
    note(told, log.tick(60_000_000).err());
    for time in 3..5 {
        told.append(&log, time, &[7; 400]);
    }
    // This one has no space in the second segment.
    told.append(&log, 5, &[8; 400]);
    if let Some(oldest) = log.sealed().first() {
        note(told, log.advance("lake", &oldest.last_position()).err());
        let ends =
            told.acknowledged.iter().position(|position| *position == oldest.last_position().to_string());
        told.may_be_gone = ends.map(|at| told.acknowledged[..=at].to_vec()).unwrap_or_default();
        note(told, log.delete(&oldest.name).err());
    }
    told.append(&log, 6, b"");
    log.close()
}

fn check(operation: u32, fault: Fault, restart: impl Fn(&SimulatedDisk) -> SimulatedDisk) -> bool {
    let disk = SimulatedDisk::new(u64::from(operation));
    disk.fail_at(operation, fault);
    let mut told = Told::default();
    let _ = live(&disk, &mut told);
    let was_reached = !disk.clear_fault();
    let (log, _, seen) = open(&restart(&disk)).expect("no fault damages a log");
    let read = positions(&seen);
    let is_there = |position: &String| read.contains(position) || told.may_be_gone.contains(position);
    let lost: Vec<&String> = told.acknowledged.iter().filter(|position| !is_there(position)).collect();
    assert!(lost.is_empty(), "{fault:?} at operation {operation}: lost {lost:?} of {read:?}");
    let mut once = read.clone();
    once.dedup();
    assert_eq!(once, read);
    append(&log, 9, b"goes on").expect("the disk works again");
    was_reached
}

#[test]
fn whichever_operation_fails_nothing_acknowledged_is_lost() {
    let told = [Fault::Error(EIO), Fault::Error(ENOSPC), Fault::Untold(EIO), Fault::Untold(ENOSPC)];
    for fault in told.into_iter().chain([Fault::PowerOff]) {
        let power_cut = SimulatedDisk::power_cut;
        let operations = (1..).take_while(|&operation| check(operation, fault, power_cut)).count();
        assert!(operations > 40, "{operations} operations");
        if fault != Fault::PowerOff {
            (1..).take_while(|&operation| check(operation, fault, SimulatedDisk::kill)).for_each(drop);
        }
    }
}

#[test]
fn a_full_disk_refuses_until_there_is_space_and_needs_no_restart() {
    let disk = SimulatedDisk::new(1);
    let (log, _, seen) = open(&disk).expect("an empty log opens");
    append(&log, 1, b"one").expect("the disk works");
    log.roll().expect("the disk works");
    // Creating the next segment, preallocating, writing its header, syncing it, renaming it.
    for operation in 1..=5 {
        disk.fail_at(operation, Fault::Error(ENOSPC));
        let refused = append(&log, 2, b"two").expect_err("there is no space");
        assert!(matches!(refused, LogError::Full { .. }), "{refused}");
        assert_eq!(refused.to_string().split(": ").next(), Some("log/main.0000000001-0000000000000002.new"));
    }
    assert_eq!(append(&log, 2, b"two").expect("there is space again"), "main.1:2");
    assert_eq!(positions(&seen), ["main.1:1", "main.1:2"]);
}

#[test]
fn a_log_on_a_full_disk_opens_and_saves_its_incarnation_later() {
    let disk = SimulatedDisk::new(1);
    let (log, _, _) = open(&disk).expect("an empty log opens");
    append(&log, 1, b"one").expect("the disk works");
    log.close().expect("the disk works");
    let disk = disk.kill();
    let operations = (1..).find(|&operation| {
        let disk = disk.copy();
        disk.fail_at(operation, Fault::Error(ENOSPC));
        open(&disk).is_ok_and(|_| !disk.clear_fault())
    });
    disk.fail_at(operations.expect("saving it is one of them"), Fault::Error(ENOSPC));
    let (log, recovered, _) = open(&disk).expect("reading needs no space");
    assert_eq!((recovered.incarnation, recovered.records), (2, 1));
    assert_eq!(append(&log, 2, b"two").expect("there is space again"), "main.2:1");
    log.close().expect("the disk works");
    let (log, _, _) = open(&disk.power_cut()).expect("an intact log opens");
    assert_eq!(log.incarnation(), 3);
}

#[test]
fn after_a_failed_sync_everybody_gets_the_reason_and_it_is_not_tried_again() {
    let disk = SimulatedDisk::new(1);
    let (log, _, seen) = open(&disk).expect("an empty log opens");
    append(&log, 1, b"one").expect("the disk works");
    disk.hold_syncs();
    let writing = log.append(2, b"two".to_vec()).expect("the queue has room");
    disk.wait_for_sync();
    let waiting = log.append(3, b"three".to_vec()).expect("the queue has room");
    disk.fail_at(1, Fault::Error(EIO));
    let before = disk.data_syncs();
    disk.release_syncs();
    let refusals =
        [writing.wait().err(), waiting.wait().err(), append(&log, 4, b"four").err(), log.roll().err()];
    for refusal in refusals {
        let refusal = refusal.expect("nothing is acknowledged");
        assert!(matches!(refusal, LogError::Failed { .. }), "{refusal}");
        assert_eq!(
            refusal.to_string(),
            "log/main.0000000001-0000000000000001.open: Input/output error (os error 5); nothing is \
             acknowledged until the log has been opened again"
        );
    }
    assert!(matches!(log.close(), Err(LogError::Failed { .. })));
    assert_eq!(disk.data_syncs(), before + 1);
    assert_eq!(positions(&seen), ["main.1:1"]);
}
